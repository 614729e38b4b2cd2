// A terminal in plain mode, with nothing but a WebSocket: it prints each command, and says hello as an event. Node 22 and browsers have
// WebSocket; for Node 20 there is the package `ws`.
//
//   node plain.js ws://127.0.0.1:9000/ws plain-1 [TOKEN]

const { argv } = globalThis.process ?? { argv: [] };
const [url = "ws://127.0.0.1:9000/ws", id = "plain-1", token] = argv.slice(2);
const Socket = globalThis.WebSocket ?? (await import("ws")).WebSocket;

/** The next delay is between 0 and this, in milliseconds. */
let range = 5_000;

/** The wait that the node asks for, in milliseconds. */
function hintIn(/** @type {string} */ reason) {
  try {
    return JSON.parse(reason).retry_ms;
  } catch {
    return undefined;
  }
}

function connect() {
  // A browser can't set a header, so the token is a subprotocol.
  const socket = new Socket(`${url}?terminal_id=${id}`, token ? ["muster.plain", `muster.bearer.${token}`] : []);
  socket.binaryType = "arraybuffer";
  let stable = setTimeout(() => {});
  socket.onopen = () => {
    stable = setTimeout(() => (range = 5_000), 60_000);
    socket.send("hello");
  };
  socket.onmessage = ({ data }) => console.log(typeof data === "string" ? data : new Uint8Array(data));
  socket.onerror = () => {};
  socket.onclose = ({ code, reason }) => {
    clearTimeout(stable);
    console.log(`closed: ${code} ${reason}`);
    if (code >= 4500 && code <= 4999) return;
    const hint = hintIn(reason);
    setTimeout(connect, hint === undefined ? Math.random() * range : hint * (1 + Math.random() / 10));
    if (hint === undefined) range = Math.min(range * 2, 30_000);
  };
}

connect();
