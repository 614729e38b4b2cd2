const WebSocket = require("ws");

const [url, terminal] = process.argv.slice(2);
const headers = { Authorization: "Bearer " + process.env.TOKEN };
const socket = new WebSocket(`${url}?terminal_id=${terminal}`, { headers });
socket.on("open", () => {
  socket.send("hello from " + terminal);
  socket.send(Buffer.from([1, 2, 3]));
});
socket.on("message", (message) => console.log(message.toString()));
