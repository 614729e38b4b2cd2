import { Inbox } from "./inbox.js";
import { Memory } from "./memory.js";
import { NodeClock } from "./clock.js";
import { Outbox } from "./outbox.js";
import { Tokens } from "./token.js";
import { Connector } from "./connector.js";
import { DEFAULT_MAX_MESSAGE, EVENT_MAX, TooLarge, sizeOf } from "./limit.js";
import { payloadField } from "./payload.js";
import { endpoints } from "./endpoint.js";

/** @typedef {import("./index.d.ts").ConnectionEnd} ConnectionEnd */
/** @typedef {import("./index.d.ts").Options} Options */
/** @typedef {import("./index.d.ts").Report} Report */

const SDK = "muster-client-js/0.1.0";
/** The room that a hello needs for the cursor, in bytes. */
const CURSOR_ROOM = 256;

/** A terminal: the handle of the program, and what outlives a session. When and where it connects is the connector's part. */
export class Terminal {
  #leaving = new AbortController();
  #over = new AbortController();

  /**
   * @param {Options} options
   * @param {import("./session.js").Platform} platform
   */
  constructor(options, platform) {
    this.options = options;
    this.platform = platform;
    this.deadline = options.deadline ?? 10_000;
    this.clock = new NodeClock();
    this.tokens = new Tokens(options.token, this.deadline, this.#leaving.signal);
    const urls = endpoints(options.url, options.id);
    const journal = options.memory === undefined ? undefined : platform.openJournal(options.memory);
    this.memory = new Memory(journal, options.remember ?? 4096, (error) => {
      this.report({ type: "problem", message: `memory ${options.memory}: ${error.message}` });
    });
    const hello = sizeOf(this.hello()) + CURSOR_ROOM;
    if (hello > DEFAULT_MAX_MESSAGE)
      throw new TooLarge("the hello with labels, will and sdk", hello, DEFAULT_MAX_MESSAGE);
    this.outbox = new Outbox(this.memory, this.report);
    this.inbox = new Inbox({
      memory: this.memory,
      clock: this.clock,
      signal: this.#over.signal,
      run: options.run,
      report: this.report,
      parallel: Math.max(options.parallel ?? 1, 1),
      acknowledge: (id) => this.outbox.acknowledge(id),
      replies: {
        progress: (id, frame) => this.outbox.send(frame, id),
        result: (id, frame) => this.outbox.result(id, frame),
      },
    });
    this.gone = this.#run(new Connector(this, urls, this.#leaving.signal));
  }

  /**
   * @param {"ok" | "degraded" | "failing"} condition
   * @param {Record<string, number>} [metrics]
   */
  health(condition, metrics = {}) {
    this.outbox.send(JSON.stringify({ type: "health", condition, metrics }), "health");
  }

  /**
   * @param {string} name
   * @param {unknown} [payload]
   * @param {string} [id]
   */
  event(name, payload, id) {
    const field = payloadField(payload);
    const bytes = sizeOf(name) + sizeOf("payload" in field ? JSON.stringify(field.payload) : field.payload_base64);
    if (bytes > EVENT_MAX) throw new TooLarge("the event", bytes, EVENT_MAX);
    this.outbox.send(JSON.stringify({ type: "event", id, name, ...field }));
  }

  async close() {
    this.#leaving.abort();
    await this.gone;
  }

  /** Tells the program. An error of the program's function is the program's own, and does not disturb the terminal. */
  report = (/** @type {Report} */ report) => {
    try {
      this.options.report?.(report);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  };

  /** The first frame of a session. */
  hello() {
    const { sdk = SDK, labels = {}, will } = this.options;
    return JSON.stringify({ type: "hello", sdk, labels, resume: this.memory.cursor, will });
  }

  /**
   * A session has begun. A node that resumes sends what follows the old cursor, so that cursor stays until those commands came.
   * @param {import("./frames.js").WelcomeFrame} welcome
   * @param {(text: string) => void} write
   */
  opened(welcome, write) {
    this.clock.set(welcome.time);
    if (!welcome.resumed && welcome.cursor) this.inbox.pass(welcome.cursor);
    const { type: _, ...told } = welcome;
    this.report({ type: "open", welcome: told });
    this.outbox.open(write, welcome.max_message);
    this.tokens.begin(this.clock.now(), () => this.#extend());
  }

  /** The session has ended. */
  closed() {
    this.outbox.close();
    this.tokens.end();
  }

  async #extend() {
    try {
      const token = await this.tokens.extend(() => this.clock.now());
      if (token) this.outbox.sendNow(JSON.stringify({ type: "token", token }));
    } catch (error) {
      this.report({ type: "problem", message: `token: ${/** @type {Error} */ (error).message}` });
    }
  }

  /** @param {Connector} connector */
  async #run(connector) {
    const { end, wasOpen } = await connector.run();
    this.#over.abort();
    this.report({ type: "gone", end, wasOpen });
    return end;
  }
}
