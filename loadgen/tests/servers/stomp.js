// A broker of STOMP that answers no receipt for a subscription.   node stomp.js PORT
const server = require("http").createServer();
const StompBroker = require("stomp-broker-js");

new StompBroker({ server, path: "/stomp", protocol: "ws" });
server.listen(Number(process.argv[2] ?? 0), "127.0.0.1", () => console.log(`ready on 127.0.0.1:${server.address().port}`));
