import WebSocket from "ws";
import { closed, lost, refused } from "../end.js";
import { MESSAGE_MAX } from "../limit.js";

/**
 * Connects by `ws`. The global WebSocket of Node shows neither pings nor why a handshake was refused.
 * @type {import("../session.js").Platform["connect"]}
 */
export function connect(url, token, { tls }, on) {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const socket = new WebSocket(url, ["muster.v1"], {
    ...tls,
    headers,
    perMessageDeflate: false,
    maxPayload: MESSAGE_MAX,
  });
  /** @type {import("../index.d.ts").ConnectionEnd} */
  let end = lost("the connection ended without a close");
  socket.on("open", () => on.opened(socket.protocol));
  socket.on("message", (data, isBinary) => on.message(isBinary ? data : data.toString()));
  socket.on("ping", () => on.alive());
  socket.on("pong", () => on.alive());
  socket.on("unexpected-response", (request, response) => {
    end = refused(response.statusCode ?? 0, response.headers["retry-after"]);
    on.ended(end);
    request.destroy();
  });
  socket.on("error", (error) => (end = lost(error.message || String(error))));
  socket.on("close", (code, reason) => on.ended(code === 1006 ? end : closed(code, reason.toString())));
  return {
    send: (text) => socket.send(text),
    unsent: () => socket.bufferedAmount,
    close: () => socket.close(1000),
    drop: () => {
      for (const event of ["open", "message", "ping", "pong", "close", "unexpected-response"])
        socket.removeAllListeners(event);
      // What the other side sends now may still be an error, and nobody cares.
      socket.on("error", () => {});
      socket.terminate();
    },
  };
}
