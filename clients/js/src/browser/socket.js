import { closed, lost } from "../end.js";

/**
 * Connects by the browser's WebSocket, which sets no header: the token is one of the subprotocols.
 * @type {import("../session.js").Platform["connect"]}
 */
export function connect(url, token, _options, on) {
  const protocols = token === undefined ? ["muster.v1"] : ["muster.v1", `muster.bearer.${token}`];
  const socket = new WebSocket(url, protocols);
  const events = new AbortController();
  /** @type {(type: string, listener: (event: any) => void) => void} */
  const listen = (type, listener) => socket.addEventListener(type, listener, { signal: events.signal });
  listen("open", () => on.opened(socket.protocol));
  listen("message", ({ data }) => on.message(data));
  listen("close", ({ code, reason }) =>
    on.ended(code === 1006 ? lost("the connection failed or broke") : closed(code, reason)),
  );
  // A page in the back/forward cache sees nothing, while the browser goes on to answer pings. It comes back by its backoff.
  const hide = () => {
    socket.close(1000);
    on.ended(lost("the page was hidden"));
  };
  globalThis.addEventListener?.("pagehide", hide, { signal: events.signal });
  return {
    send: (text) => socket.send(text),
    unsent: () => socket.bufferedAmount,
    close: () => socket.close(1000),
    drop: () => {
      events.abort();
      socket.close();
    },
  };
}
