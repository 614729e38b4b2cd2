import { once } from "node:events";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { WebSocketServer } from "ws";
import { Terminal } from "muster-client";

export const ID = "0190163d-8694-739b-aea5-966c26f8ad91";
/** Times of a policy that a test waits for. */
export const SOON = { first: 20, cap: 20, slow: 200 };

/** A node that does what a test says: it takes one handshake after the other, and hears and says frames. */
export class FakeNode {
  /** @type {((frame: any) => void)[]} */
  #waiting = [];
  /** @type {any[]} frames that came and were not looked at */
  #heard = [];
  /** @type {import("ws").WebSocket | undefined} */
  #socket;
  /** @type {(request: import("http").IncomingMessage) => { status: number, headers?: Record<string, string> } | undefined} */
  refuse = () => undefined;
  handshakes = 0;

  /** @param {import("node:https").ServerOptions} [tls] its certificate and key, for a node that speaks TLS */
  constructor(tls) {
    this.scheme = tls ? "wss" : "ws";
    this.http = tls ? createTlsServer(tls) : createServer();
    this.http.listen(0, "127.0.0.1");
    this.server = new WebSocketServer({
      server: this.http,
      verifyClient: ({ req }, answer) => {
        this.handshakes += 1;
        const refusal = this.refuse(req);
        answer(!refusal, refusal?.status, "no", refusal?.headers);
      },
    });
    this.server.on("connection", (socket, request) => {
      this.#socket = socket;
      this.request = request;
      socket.on("message", (data) => {
        const frame = JSON.parse(data.toString());
        const waiting = this.#waiting.shift();
        if (waiting) waiting(frame);
        else this.#heard.push(frame);
      });
    });
  }

  /** @returns {Promise<string>} */
  async url() {
    if (!this.http.address()) await once(this.http, "listening");
    return `${this.scheme}://127.0.0.1:${/** @type {import("net").AddressInfo} */ (this.http.address()).port}/ws`;
  }

  /** The next frame of the terminal. */
  hear() {
    const frame = this.#heard.shift();
    return frame ? Promise.resolve(frame) : new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** @param {object | string} frame */
  say(frame) {
    this.#socket?.send(typeof frame === "string" ? frame : JSON.stringify(frame));
  }

  /** Hears the hello and welcomes the terminal. */
  async welcome(fields = {}) {
    const hello = await this.hear();
    const time = "2030-01-01T00:00:00Z";
    this.say({
      type: "welcome",
      session: "s",
      node: "n",
      time,
      ping_ms: 25_000,
      resumed: false,
      cursor: "c0",
      ...fields,
    });
    return hello;
  }

  /** @param {object} [fields] */
  command(fields) {
    this.say({ type: "command", id: ID, name: "show", payload: 1, expires_at: "2030-01-01T00:01:00Z", ...fields });
  }

  /**
   * @param {number} code
   * @param {string} [reason]
   */
  close(code, reason) {
    this.#socket?.close(code, reason);
  }

  drop() {
    this.#socket?.terminate();
  }

  stop() {
    this.server.clients.forEach((socket) => socket.terminate());
    this.server.close();
    this.http.close();
  }
}

/**
 * Runs a test with a node and a terminal, and ends both.
 * @param {(node: FakeNode, start: (options?: Partial<import("muster-client").Options>) => Promise<{ terminal: Terminal, reports: import("muster-client").Report[] }>) => Promise<void>} test
 * @param {import("node:https").ServerOptions} [tls]
 */
export function withNode(test, tls) {
  return async () => {
    const node = new FakeNode(tls);
    /** @type {Terminal[]} */
    const terminals = [];
    try {
      await test(node, async (options = {}) => {
        /** @type {import("muster-client").Report[]} */
        const reports = [];
        const report = (/** @type {import("muster-client").Report} */ told) => void reports.push(told);
        const terminal = new Terminal({
          url: await node.url(),
          id: "t1",
          run: () => null,
          report,
          policy: SOON,
          ...options,
        });
        terminals.push(terminal);
        return { terminal, reports };
      });
    } finally {
      await Promise.all(terminals.map((terminal) => terminal.close()));
      node.stop();
    }
  };
}

/**
 * Waits until a condition holds; a test that waits for ever is ended by its timeout.
 * @param {() => boolean} condition
 */
export async function until(condition) {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}
