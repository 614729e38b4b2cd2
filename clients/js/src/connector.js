import { Backoff } from "./policy.js";
import { Session } from "./session.js";
import { needsToken } from "./end.js";
import { sleep } from "./timer.js";

/** @typedef {import("./index.d.ts").ConnectionEnd} ConnectionEnd */
/** @typedef {import("./session.js").Ended} Ended */

/**
 * The end of an attempt that made no connection.
 * @param {ConnectionEnd} end
 * @returns {Ended}
 */
const unopened = (end) => ({ end, wasOpen: false, lasted: 0 });

/** Connects, waits for the end of the session, waits, and connects again. */
export class Connector {
  #terminal;
  #urls;
  #leaving;
  #backoff;
  #next = 0;
  /** Whether the last attempt did. */
  #hasFailed = false;
  /** How many different tokens were refused in a row, and the last of them. */
  #refusals = 0;
  /** @type {string | undefined} */
  #refused;

  /**
   * @param {import("./terminal.js").Terminal} terminal
   * @param {URL[]} urls
   * @param {AbortSignal} leaving aborted when the terminal is to leave
   */
  constructor(terminal, urls, leaving) {
    this.#terminal = terminal;
    this.#urls = urls;
    this.#leaving = leaving;
    this.#backoff = new Backoff(terminal.options.policy);
  }

  /**
   * Runs until the terminal will not come back.
   * @returns {Promise<{ end: ConnectionEnd, wasOpen: boolean }>}
   */
  async run() {
    // The program gets the terminal before anything happens to it.
    await undefined;
    for (;;) {
      const { end, wasOpen, lasted } = await this.#attempt();
      if (this.#leaving.aborted) return { end: { kind: "left" }, wasOpen };
      let retryIn = this.#backoff.after(end, lasted);
      if (retryIn === undefined) return { end, wasOpen };
      const lacksToken = await this.#lacksToken(end);
      if (lacksToken) retryIn = this.#backoff.slowly();
      this.#terminal.report({ type: "offline", end, wasOpen, retryIn });
      if (lacksToken) await this.#waitForToken(retryIn);
      else await sleep(retryIn, this.#leaving);
      if (this.#leaving.aborted) return unopened({ kind: "left" });
    }
  }

  /** @returns {Promise<Ended>} */
  async #attempt() {
    const { tokens, clock, report, platform } = this.#terminal;
    try {
      // A browser does not say whether the token was refused.
      await tokens.beforeAttempt(clock.now(), platform.isBrowser && this.#hasFailed);
    } catch (error) {
      const cause = /** @type {Error} */ (error).message;
      if (tokens.current === undefined) return unopened({ kind: "no_token", cause });
      report({ type: "problem", message: `token: ${cause}` });
    }
    if (this.#leaving.aborted) return unopened({ kind: "left" });
    const session = new Session(this.#terminal, this.#urls[this.#next]);
    const leave = () => session.leave();
    this.#leaving.addEventListener("abort", leave);
    const ended = await session.ended;
    this.#leaving.removeEventListener("abort", leave);
    this.#terminal.closed();
    this.#hasFailed = !ended.wasOpen;
    if (ended.wasOpen) this.#refusals = 0;
    // A node that sent a close is healthy, and its hint says when to return to it.
    if (ended.end.kind !== "closed") this.#next = (this.#next + 1) % this.#urls.length;
    return ended;
  }

  /**
   * Whether the terminal is to come back slowly, since its token is no good and its source has no other. After several tokens in a
   * row that were refused, another one does not hurry the terminal either.
   * @param {ConnectionEnd} end
   */
  async #lacksToken(end) {
    if (!needsToken(end)) return false;
    const { tokens, clock } = this.#terminal;
    if (this.#refusals === 0 || this.#refused !== tokens.current) this.#refusals += 1;
    this.#refused = tokens.current;
    if (this.#refusals > 1) return true;
    if (await this.#hasNewToken()) return false;
    // A token that was sent too late to extend the session may still be valid.
    return end.kind === "refused" || !tokens.canChange || tokens.isExpired(clock.now());
  }

  /** Asks the source. Whether it has another token, which is then used. */
  async #hasNewToken() {
    try {
      return await this.#terminal.tokens.replace();
    } catch (error) {
      this.#terminal.report({ type: "problem", message: `token: ${/** @type {Error} */ (error).message}` });
      return false;
    }
  }

  /**
   * Waits until the source has another token, or for so many milliseconds.
   * @param {number} ms
   */
  async #waitForToken(ms) {
    const until = performance.now() + ms;
    while (!this.#leaving.aborted) {
      const left = until - performance.now();
      const part = this.#terminal.tokens.canChange ? this.#backoff.beforeAsking(this.#refusals) : left;
      await sleep(Math.min(part, left), this.#leaving);
      if (performance.now() >= until || (await this.#hasNewToken())) return;
    }
  }
}
