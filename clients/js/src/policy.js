import { hintOf, isFinal } from "./end.js";

/** @typedef {import("./index.d.ts").ConnectionEnd} ConnectionEnd */
/** @typedef {import("./index.d.ts").Policy} Policy */

/** @type {Readonly<Policy>} */
export const DEFAULT_POLICY = { first: 5_000, cap: 30_000, stable: 60_000, slow: 300_000, hintCap: 600_000 };

/** Draws the delays of one terminal, in milliseconds. It has no clock. */
export class Backoff {
  #policy;
  #random;
  #failures = 0;

  /**
   * @param {Partial<Policy>} [policy]
   * @param {() => number} [random] from 0 to 1
   */
  constructor(policy = {}, random = Math.random) {
    this.#policy = { ...DEFAULT_POLICY, ...policy };
    this.#random = random;
  }

  /**
   * The delay after a session that lasted so long, or 0 if none was opened. `undefined` means to stay away.
   * @param {ConnectionEnd} end
   * @param {number} lasted
   * @returns {number | undefined}
   */
  after(end, lasted) {
    const { stable, hintCap } = this.#policy;
    if (lasted >= stable) this.#failures = 0;
    if (isFinal(end)) return undefined;
    const hint = hintOf(end);
    return hint === undefined ? this.#jitter() : Math.min(hint, hintCap) * (1 + 0.1 * this.#random());
  }

  /** The delay before an attempt with a token that was refused or has expired. */
  slowly() {
    return this.#policy.slow * (0.5 + 0.5 * this.#random());
  }

  /**
   * The delay before the token source is asked again. It doubles with each token in a row that was refused.
   * @param {number} refusals
   */
  beforeAsking(refusals) {
    const range = Math.min(this.#policy.cap * 2 ** Math.max(refusals - 1, 0), this.#policy.slow);
    return range * (0.5 + 0.5 * this.#random());
  }

  /** Full jitter: between 0 and a range that doubles with each failure. */
  #jitter() {
    const range = Math.min(this.#policy.first * 2 ** this.#failures, this.#policy.cap);
    this.#failures = Math.min(this.#failures + 1, 16);
    return range * this.#random();
  }
}
