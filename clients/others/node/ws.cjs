// ws
const WebSocket = require("ws");
const { headers, protocols, refused, say, text, url } = require("./lines.cjs");

const session = new WebSocket(url, protocols, { headers });
session.on("open", () => {
  say("open");
  session.send("hello");
});
session.on("message", (data) => {
  const answer = text(data.toString());
  if (answer) session.send(answer);
});
session.on("close", (code, reason) => say("close", { code, reason: reason.toString() }));
session.on("error", (error) => say("error", { text: error.message }));
// Without this listener a refusal is the error "Unexpected server response: 401".
session.on("unexpected-response", (_request, answer) => refused(answer));
