// A server as many have one: what is posted to it goes to all that are connected.   node relay.js PORT
const http = require("http");
const { WebSocketServer, WebSocket } = require("ws");

const server = http.createServer((request, response) => {
  let text = "";
  request.on("data", (part) => (text += part));
  request.on("end", () => {
    for (const client of sockets.clients) {
      if (client.readyState === WebSocket.OPEN) client.send(text);
    }
    response.writeHead(202).end();
  });
});
const sockets = new WebSocketServer({ server });

server.listen(Number(process.argv[2] ?? 0), "127.0.0.1", () => console.log(`ready on 127.0.0.1:${server.address().port}`));
