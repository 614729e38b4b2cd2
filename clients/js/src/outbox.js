import { DEFAULT_MAX_MESSAGE, MESSAGE_MAX, TooLarge, sizeOf } from "./limit.js";

/** @typedef {import("./index.d.ts").Report} Report */

/** How many messages wait for a connection; results apart, which are remembered. */
const WAITING_MAX = 256;

/** The messages to the node. Those that are sent without a connection wait for the next one. */
export class Outbox {
  #memory;
  #report;
  #limit = DEFAULT_MAX_MESSAGE;
  /** @type {((text: string) => void) | undefined} writes to the connection */
  #write;
  /** @type {{ key: string | undefined, text: string }[]} */
  #waiting = [];

  /**
   * @param {import("./memory.js").Memory} memory
   * @param {(report: Report) => void} report
   */
  constructor(memory, report) {
    this.#memory = memory;
    this.#report = report;
  }

  /**
   * A session is open: the last results go first, since some may have been lost with the last one; then what waits.
   * @param {(text: string) => void} write
   * @param {number | null} [maxMessage]
   */
  open(write, maxMessage) {
    this.#limit = Math.min(maxMessage ?? DEFAULT_MAX_MESSAGE, MESSAGE_MAX);
    this.#write = write;
    for (const [id, frame] of this.#memory.results()) write(this.#fittingResult(id, frame));
    for (const { text } of this.#waiting.splice(0)) this.#writeWithin(text);
  }

  /** The session has ended. */
  close() {
    this.#write = undefined;
  }

  /** @param {string} id the command that the program has; without a session the node sends it again */
  acknowledge(id) {
    this.#write?.(JSON.stringify({ type: "ack", id }));
  }

  /**
   * Sends a result, and remembers it for the next session.
   * @param {string} id
   * @param {string} frame
   */
  result(id, frame) {
    this.#waiting = this.#waiting.filter(({ key }) => key !== id);
    const fitting = this.#fittingResult(id, frame);
    if (this.#memory.result(id) !== fitting) this.#memory.setResult(id, fitting);
    this.#write?.(fitting);
  }

  /**
   * Sends a message, or keeps it for the next session. Of those with the same key, only the last waits.
   * @param {string} text
   * @param {string} [key]
   */
  send(text, key) {
    const bytes = sizeOf(text);
    if (bytes > this.#limit) throw new TooLarge("the message", bytes, this.#limit);
    if (this.#write) return this.#write(text);
    if (key) this.#waiting = this.#waiting.filter((other) => other.key !== key);
    if (this.#waiting.length >= WAITING_MAX)
      throw new Error(`${WAITING_MAX} messages wait for a connection: send fewer`);
    this.#waiting.push({ key, text });
  }

  /** @param {string} text what is of use in this session alone */
  sendNow(text) {
    this.#write?.(text);
  }

  /** @param {string} text a message that may have been accepted under the limit of another node */
  #writeWithin(text) {
    const bytes = sizeOf(text);
    if (bytes > this.#limit) this.#report({ type: "too_large", bytes, limit: this.#limit });
    else this.#write?.(text);
  }

  /**
   * The result, or what is sent in place of one that is over the limit, so that the command ends.
   * @param {string} id
   * @param {string} frame
   */
  #fittingResult(id, frame) {
    const [bytes, limit] = [sizeOf(frame), this.#limit];
    if (bytes <= limit) return frame;
    this.#report({ type: "too_large", bytes, limit, id });
    const failed = (/** @type {unknown} */ payload) => JSON.stringify({ type: "result", id, ok: false, payload });
    const explained = failed({ error: "too_large", bytes, limit });
    return sizeOf(explained) <= limit ? explained : failed(null);
  }
}
