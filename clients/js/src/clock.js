/** The node's time. The terminal's own clock may be wrong, so only differences of one that is never set are used. */
export class NodeClock {
  /** @type {{ time: number, at: number } | undefined} */
  #told;

  /**
   * Takes the time of a `welcome` that has just arrived.
   * @param {string} time RFC 3339
   */
  set(time) {
    this.#told = { time: Date.parse(time), at: performance.now() };
  }

  /** The time in milliseconds since 1970: the node's, or this machine's before a node told its own. */
  now() {
    return this.#told ? this.#told.time + (performance.now() - this.#told.at) : Date.now();
  }

  /**
   * Whether this time has come by the node's clock. No time has come before a node told its own.
   * @param {number} time milliseconds since 1970
   */
  isPast(time) {
    return this.#told !== undefined && this.now() >= time;
  }
}
