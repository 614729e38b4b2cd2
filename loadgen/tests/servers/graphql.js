// A server of graphql-transport-ws: what a mutation sends goes to all that are subscribed.   node graphql.js PORT
const { WebSocketServer } = require("ws");
const { buildSchema } = require("graphql");
const { useServer } = require("graphql-ws/use/ws");

const schema = buildSchema(`
  type Query { version: String }
  type Mutation { send(message: String!): Boolean }
  type Subscription { message: String }
`);
const listeners = new Set();

/** The messages for one subscriber, from now on. */
function messages() {
  const waiting = [];
  let wake = () => {};
  const listener = (message) => {
    waiting.push({ message });
    wake();
  };
  listeners.add(listener);
  return {
    async next() {
      while (waiting.length === 0) await new Promise((resolve) => (wake = resolve));
      return { value: waiting.shift(), done: false };
    },
    async return() {
      listeners.delete(listener);
      return { value: undefined, done: true };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

const roots = {
  query: {},
  mutation: {
    send: ({ message }) => {
      listeners.forEach((listener) => listener(message));
      return true;
    },
  },
  subscription: { message: messages },
};
const sockets = new WebSocketServer({ host: "127.0.0.1", port: Number(process.argv[2] ?? 0), path: "/graphql" });
useServer({ schema, roots }, sockets);
sockets.on("listening", () => console.log(`ready on 127.0.0.1:${sockets.address().port}`));
