// Passes on the frames of WebSocket, whatever protocol they carry, between terminals and a server.
//   node lying_proxy.js PORT SERVER_URL drop N     The N-th frame with a message is left out, of all to terminals that send none.
//   node lying_proxy.js PORT SERVER_URL cut N      Instead, the connections of all these terminals are cut.
const { WebSocketServer, WebSocket } = require("ws");

const [port, url, lie, at] = process.argv.slice(2);
// A message of a load generator begins so.
const MARK = /M1[0-9a-f]{80}/;
const handleProtocols = (offered) => [...offered][0];
const sockets = new WebSocketServer({ host: "127.0.0.1", port: Number(port), handleProtocols });
let messages = 0;

/** Whether a frame of the server is passed on to a terminal. */
function passes(terminal, data) {
  if (terminal.sends || !MARK.test(data.toString("latin1"))) return true;
  messages += 1;
  if (messages !== Number(at)) return true;
  if (lie === "cut") [...sockets.clients].filter((other) => !other.sends).forEach((other) => other.terminate());
  return false;
}

sockets.on("connection", (terminal, request) => {
  const server = new WebSocket(url + request.url.slice(1), terminal.protocol ? [terminal.protocol] : []);
  const early = [];
  terminal.on("message", (data, isBinary) => {
    terminal.sends ||= MARK.test(data.toString("latin1"));
    if (server.readyState === WebSocket.OPEN) server.send(data, { binary: isBinary });
    else early.push([data, { binary: isBinary }]);
  });
  server.on("open", () => early.forEach(([data, options]) => server.send(data, options)));
  server.on("message", (data, isBinary) => passes(terminal, data) && terminal.send(data, { binary: isBinary }));
  terminal.on("close", () => server.terminate());
  terminal.on("error", () => server.terminate());
  server.on("close", () => terminal.close());
  server.on("error", () => terminal.terminate());
});
sockets.on("listening", () => console.log(`ready on 127.0.0.1:${sockets.address().port}`));
