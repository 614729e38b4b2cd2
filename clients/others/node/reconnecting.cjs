// reconnecting-websocket and partysocket, on ws. They come back by themselves; here they may not.
const Line = require("./line.cjs");
const { protocols, say, text, url } = require("./lines.cjs");
const library = require(process.env.LIBRARY);
const WebSocket = library.default ?? library;

const session = new WebSocket(url, protocols, { WebSocket: Line, maxRetries: 0, connectionTimeout: 60_000 });
session.onopen = () => {
  say("open");
  session.send("hello");
};
session.onmessage = ({ data }) => {
  const answer = text(data);
  if (answer) session.send(answer);
};
session.onerror = ({ message }) => say("error", { text: message });
session.onclose = ({ code, reason }) => say("close", { code, reason });
