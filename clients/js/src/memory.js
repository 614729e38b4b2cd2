/**
 * What a terminal remembers from one session to the next: the last commands that the program was given, so that none runs twice,
 * the cursor, and the last results. With a journal it remembers them over a restart of the program too: a line for each change,
 * `command ID`, `cursor CURSOR` or `result ID FRAME`.
 */

/**
 * Lines that outlive the program.
 * @typedef {object} Journal
 * @property {() => string[]} read all complete lines
 * @property {(line: string, durable: boolean) => void} append with `durable` the line is on the disk after that, where there is one
 * @property {(lines: string[]) => void} replace takes the place of all lines, in one step
 */

/** The journal is rewritten when it has this many times the lines, or the bytes, that it needs. */
const SLACK = 4;
/** A journal below this many characters is not rewritten because of them. */
const SMALL = 1 << 20;
/** How many results are remembered, and how many characters they have together. The oldest go first. */
const RESULTS_MAX = 256;
const RESULTS_SIZE = 1 << 20;

export class Memory {
  /** @type {Set<string>} the oldest first */
  #ids = new Set();
  /** @type {Map<string, string>} frames by the command's id, the oldest first */
  #results = new Map();
  #resultsSize = 0;
  /** @type {string | undefined} */
  #cursor;
  #lines = 0;
  #size = 0;
  #needed = 0;

  /**
   * Throws if the journal can't be read or written.
   * @param {Journal | undefined} journal
   * @param {number} remember how many ids are remembered, at least 1
   * @param {(error: Error) => void} failed called when the journal can't be written any more; the terminal goes on without
   */
  constructor(journal, remember, failed) {
    this.journal = journal;
    this.remember = Math.max(remember, 1);
    this.failed = failed;
    for (const line of journal?.read() ?? []) this.#take(line);
    this.#rewrite();
  }

  get cursor() {
    return this.#cursor;
  }

  /**
   * Whether the program was given this command before, as far as is remembered.
   * @param {string} id
   */
  has(id) {
    return this.#ids.has(id);
  }

  /**
   * Remembers a command that the program is about to be given.
   * @param {string} id
   */
  add(id) {
    this.#addId(id);
    this.#append(`command ${id}`, true);
  }

  /** @param {string} cursor */
  setCursor(cursor) {
    if (cursor === this.#cursor || /[\r\n]/.test(cursor)) return;
    this.#cursor = cursor;
    // A cursor that is lost with the power costs no more than some commands that arrive twice.
    this.#append(`cursor ${cursor}`, false);
  }

  /**
   * Remembers the result of a command, before it is sent.
   * @param {string} id
   * @param {string} frame
   */
  setResult(id, frame) {
    this.#addResult(id, frame);
    this.#append(`result ${id} ${frame}`, true);
  }

  /** @param {string} id */
  result(id) {
    return this.#results.get(id);
  }

  /** The results that are remembered, each with its command's id, the oldest first. */
  results() {
    return [...this.#results];
  }

  /** @param {string} line */
  #take(line) {
    const [, kind, rest] = /^(\w+) (.*)$/.exec(line) ?? [];
    if (kind === "command") this.#addId(rest);
    if (kind === "cursor") this.#cursor = rest;
    if (kind === "result") this.#addResult(rest.slice(0, 36), rest.slice(37));
  }

  /** @param {string} id */
  #addId(id) {
    this.#ids.add(id);
    const [oldest] = this.#ids;
    if (this.#ids.size > this.remember) this.#ids.delete(oldest);
  }

  /**
   * @param {string} id
   * @param {string} frame
   */
  #addResult(id, frame) {
    this.#forgetResult(id);
    this.#results.set(id, frame);
    this.#resultsSize += frame.length;
    while (this.#results.size > RESULTS_MAX || (this.#resultsSize > RESULTS_SIZE && this.#results.size > 1)) {
      this.#forgetResult(/** @type {string} */ (this.#results.keys().next().value));
    }
  }

  /** @param {string} id */
  #forgetResult(id) {
    this.#resultsSize -= this.#results.get(id)?.length ?? 0;
    this.#results.delete(id);
  }

  /**
   * @param {string} line
   * @param {boolean} durable
   */
  #append(line, durable) {
    if (!this.journal) return;
    this.#lines += 1;
    this.#size += line.length + 1;
    const isLong = this.#lines > SLACK * (this.remember + this.#results.size + 1);
    const isLarge = this.#size > SLACK * Math.max(this.#needed, SMALL);
    try {
      if (isLong || isLarge) this.#rewrite();
      else this.journal.append(line, durable);
    } catch (error) {
      this.failed(/** @type {Error} */ (error));
    }
  }

  #rewrite() {
    const lines = [...this.#ids].map((id) => `command ${id}`);
    if (this.#cursor !== undefined) lines.push(`cursor ${this.#cursor}`);
    for (const [id, frame] of this.#results) lines.push(`result ${id} ${frame}`);
    this.journal?.replace(lines);
    this.#lines = lines.length;
    this.#size = this.#needed = lines.reduce((size, line) => size + line.length + 1, 0);
  }
}
