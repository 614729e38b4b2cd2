// A server of Socket.IO as many have one: what one client says goes to all. Sessions are recovered for a minute.
//   node socket_io.js PORT [N]      With N, the N-th message leaves out one client.
const http = require("http");
const { Server } = require("socket.io");

const [port, lie] = process.argv.slice(2).map(Number);
const server = http.createServer();
const io = new Server(server, { connectionStateRecovery: { maxDisconnectionDuration: 60_000 } });
let messages = 0;

io.on("connection", (socket) => {
  socket.on("message", (text, ack) => {
    messages += 1;
    const others = [...io.sockets.sockets.keys()].filter((id) => id !== socket.id);
    (messages === lie ? io.except(others[0]) : io).emit("message", text);
    if (ack) ack();
  });
});

server.listen(port || 0, "127.0.0.1", () => console.log(`ready on 127.0.0.1:${server.address().port}`));
