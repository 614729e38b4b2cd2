import { decode } from "./frames.js";
import { lost } from "./end.js";
import { after } from "./timer.js";

/** @typedef {import("./index.d.ts").ConnectionEnd} ConnectionEnd */
/** @typedef {import("./frames.js").NodeFrame} NodeFrame */

/**
 * A WebSocket, as a platform makes one.
 * @typedef {object} Line
 * @property {(text: string) => void} send
 * @property {() => number} unsent how many bytes wait to be written
 * @property {() => void} close begins a close with 1000
 * @property {() => void} drop ends it at once; nothing is reported after that
 *
 * @typedef {object} LineEvents
 * @property {(protocol: string) => void} opened
 * @property {(message: unknown) => void} message a text, or something else for a binary message
 * @property {() => void} alive a ping came
 * @property {(end: ConnectionEnd) => void} ended the last one
 *
 * @typedef {object} Platform
 * @property {(url: URL, token: string | undefined, options: import("./index.d.ts").Options, on: LineEvents) => Line} connect
 * @property {(name: string) => import("./memory.js").Journal} openJournal
 * @property {boolean} isBrowser whether pings, and the status of a handshake that was refused, are hidden
 *
 * @typedef {object} Ended
 * @property {ConnectionEnd} end
 * @property {boolean} wasOpen whether a welcome had come
 * @property {number} lasted how long the session lasted after that, in milliseconds; 0 without one
 */

/** The connection is taken for dead after this many ping intervals without anything from the node. */
const MISSED_PINGS = 3;
/** A node that leaves so many bytes unread, does not read. */
const UNSENT_MAX = 4 << 20;
/** How long a terminal that leaves waits for the node to answer its close, in milliseconds. */
const CLOSE_TIMEOUT = 1_000;
/** Makes a node answer, by an error, where pings are hidden. A node answers so each type that it does not know. */
const PROBE = '{"type":"probe"}';

/** One connection, from its handshake to its end. What outlives it belongs to the terminal. */
export class Session {
  #terminal;
  /** @type {Line} */
  #line;
  /** @type {number | undefined} when the welcome came */
  #openedAt;
  /** What comes while the terminal leaves is not taken: the node sends it again. */
  #isLeaving = false;
  #isOver = false;
  #probes = 0;
  #pingMs = 0;
  #heardAt = performance.now();
  /** @type {number | undefined} the hint of a goodbye */
  #hint;
  #cancel;
  /** @type {(ended: Ended) => void} */
  #resolve = () => {};
  /** @type {Promise<Ended>} */
  ended = new Promise((resolve) => (this.#resolve = resolve));

  /**
   * @param {import("./terminal.js").Terminal} terminal
   * @param {URL} url
   */
  constructor(terminal, url) {
    this.#terminal = terminal;
    const { platform, options, tokens, deadline } = terminal;
    this.#cancel = after(deadline, () => this.#end({ kind: "no_welcome" }));
    this.#line = platform.connect(url, tokens.current, options, {
      opened: (protocol) => this.#hello(protocol),
      message: (message) => this.#receive(message),
      alive: () => this.#heard(),
      ended: (end) => this.#end(end),
    });
  }

  /** Closes the connection with 1000, and ends when the node has answered, or a second later. */
  leave() {
    this.#isLeaving = true;
    this.#cancel();
    this.#cancel = after(CLOSE_TIMEOUT, () => this.#end({ kind: "left" }));
    this.#line.close();
  }

  /** @param {string} text */
  #send(text) {
    if (this.#line.unsent() > UNSENT_MAX) return this.#end(lost("the node does not read what it is sent"));
    this.#line.send(text);
  }

  /** @param {string} protocol what the node selected */
  #hello(protocol) {
    if (protocol !== "muster.v1") return this.#end(lost("the server does not speak muster.v1"));
    this.#send(this.#terminal.hello());
  }

  /** @param {unknown} message */
  #receive(message) {
    this.#heard();
    if (this.#isLeaving) return;
    // A node of muster.v1 sends no binary messages.
    const frame = typeof message === "string" ? decode(message) : undefined;
    if (this.#openedAt !== undefined) this.#take(frame);
    else if (frame?.type === "goodbye") this.#hint = frame.retry_ms ?? undefined;
    else if (frame?.type === "welcome") this.#open(frame);
    else if (frame) this.#end(lost("the first frame is not a welcome"));
  }

  /** @param {import("./frames.js").WelcomeFrame} welcome */
  #open(welcome) {
    this.#openedAt = this.#heardAt;
    this.#cancel();
    this.#pingMs = welcome.ping_ms;
    this.#terminal.opened(welcome, (text) => this.#send(text));
    if (this.#pingMs > 0) this.#listen();
  }

  /** @param {NodeFrame | undefined} frame */
  #take(frame) {
    const { inbox, tokens, report } = this.#terminal;
    switch (frame?.type) {
      case "command":
        // The next session brings this command again, since the cursor has not passed it.
        if (!inbox.receive(frame)) this.#end(lost("too many commands wait for the program"));
        return;
      case "ack":
        return report({ type: "stored", id: frame.id });
      case "gap":
        inbox.pass(frame.to);
        return report({ type: "gap", from: frame.from, to: frame.to, reason: frame.reason });
      case "goodbye":
        this.#hint = frame.retry_ms ?? undefined;
        return;
      case "error":
        if (frame.code === "bad_frame" && this.#probes > 0) return void (this.#probes -= 1);
        if (frame.code === "token_refused" || frame.code === "token_too_soon") tokens.askLater();
        return report({ type: "error", code: frame.code, message: frame.message });
    }
  }

  #heard() {
    this.#heardAt = performance.now();
  }

  /** Watches for a line that is dead at the other end. */
  #listen() {
    const limit = this.#pingMs * MISSED_PINGS;
    const silence = performance.now() - this.#heardAt;
    if (silence >= limit) return this.#end({ kind: "silent" });
    const isToProbe = this.#terminal.platform.isBrowser && silence >= this.#pingMs;
    if (isToProbe && this.#probes < MISSED_PINGS) {
      this.#probes += 1;
      this.#send(PROBE);
    }
    if (!this.#isOver) this.#cancel = after(Math.min(this.#pingMs, limit - silence), () => this.#listen());
  }

  /** @param {ConnectionEnd} end */
  #end(end) {
    this.#isOver = true;
    this.#cancel();
    this.#line?.drop();
    if (end.kind === "closed" && end.hint === undefined && this.#hint !== undefined) {
      end = { ...end, hint: this.#hint };
    }
    const wasOpen = this.#openedAt !== undefined;
    this.#resolve({ end, wasOpen, lasted: wasOpen ? performance.now() - (this.#openedAt ?? 0) : 0 });
  }
}
