// faye-websocket
const { Client } = require("faye-websocket");
const { headers, protocols, say, text, url } = require("./lines.cjs");

const session = new Client(url, protocols, { headers });
session.on("open", () => {
  say("open");
  session.send("hello");
});
session.on("message", ({ data }) => {
  const answer = text(data);
  if (answer) session.send(answer);
});
session.on("error", ({ message }) => say("error", { text: message }));
session.on("close", ({ code, reason }) => say("close", { code, reason }));
