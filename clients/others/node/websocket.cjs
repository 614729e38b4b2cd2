// websocket (WebSocket-Node)
const { client: Client } = require("websocket");
const { headers, protocols, refused, say, text, url } = require("./lines.cjs");

const client = new Client();
client.on("connect", (session) => {
  say("open");
  session.sendUTF("hello");
  session.on("message", (message) => {
    const answer = text(message.utf8Data);
    if (answer) session.sendUTF(answer);
  });
  session.on("error", (error) => say("error", { text: error.message }));
  session.on("close", (code, reason) => say("close", { code, reason }));
});
// With this listener a refusal is no event "connectFailed".
client.on("httpResponse", refused);
client.on("connectFailed", (error) => say("error", { text: error.message }));
client.connect(url, protocols, null, headers);
