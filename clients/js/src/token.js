import { after } from "./timer.js";

/** @typedef {import("./index.d.ts").TokenFunction} TokenFunction */

/** The least time before a token expires at which the source is asked for the next one, if the token lives long enough. */
const MARGIN = 5_000;
/** How long to wait before a source is asked again that had no later token. Doubles each time up to the cap. */
const RETRY = 1_000;
const RETRY_CAP = 60_000;
/** The largest token that a node takes, in bytes. */
const TOKEN_MAX = 16 << 10;

/** The token of one terminal, and the source of the next one. A source that fails or hangs leaves the token as it is. */
export class Tokens {
  #source;
  #deadline;
  #leaving;
  /** @type {string | undefined} */
  #current;
  /** @type {string | undefined} the one before, until the node may no longer refuse the current one */
  #previous;
  #retries = 0;
  #cancel = () => {};
  /** @type {(() => void) | undefined} none without a session */
  #ask;

  /**
   * @param {string | TokenFunction | undefined} source
   * @param {number} deadline how long the source may take, in milliseconds
   * @param {AbortSignal} [leaving] when it is aborted, no answer is waited for
   */
  constructor(source, deadline, leaving) {
    this.#source = typeof source === "function" ? source : undefined;
    this.#current = typeof source === "string" ? checked(source) : undefined;
    this.#deadline = deadline;
    this.#leaving = leaving;
  }

  get current() {
    return this.#current;
  }

  /** Whether there is a source, or the token is always the same. */
  get canChange() {
    return this.#source !== undefined;
  }

  /**
   * Whether the token has expired. False if it does not say when it expires.
   * @param {number} now milliseconds since 1970
   */
  isExpired(now) {
    const last = expiryOf(this.#current);
    return last !== undefined && last < Math.floor(now / 1000);
  }

  /**
   * Asks the source before an attempt to connect, where that is needed or cheap. Rejects if it failed.
   * @param {number} now milliseconds since 1970
   * @param {boolean} isDoubtful whether the token may have been refused
   */
  async beforeAttempt(now, isDoubtful) {
    if (isDoubtful || this.#source?.beforeEachAttempt || this.#current === undefined || this.isExpired(now))
      await this.replace();
  }

  /** Asks the source. Whether it has another token, which is then used. Rejects if it failed. */
  async replace() {
    if (!this.#source) return false;
    const token = await this.#fetch();
    this.#previous = undefined;
    const isNew = token !== this.#current;
    this.#current = token;
    return isNew;
  }

  /**
   * A session has begun, which a newer token can extend.
   * @param {number} now the node's time
   * @param {() => void} ask called when it is time to call `extend`
   */
  begin(now, ask) {
    this.#ask = ask;
    this.#previous = undefined;
    this.#schedule(now);
  }

  /** The session has ended. */
  end() {
    this.#cancel();
    this.#ask = undefined;
  }

  /**
   * Asks the source for a token that expires later, and returns it. `undefined` if it has none yet: it is asked again later.
   * Rejects if it failed.
   * @param {() => number} now the node's time
   */
  async extend(now) {
    try {
      const token = await this.#fetch();
      if ((expiryOf(token) ?? 0) <= (expiryOf(this.#current) ?? 0)) return this.askLater();
      this.#previous = this.#current;
      this.#current = token;
      this.#schedule(now());
      return token;
    } catch (error) {
      this.askLater();
      throw error;
    }
  }

  /**
   * The node refused the token that was sent last, or the source had none: the one before counts, and the source is asked later.
   * @returns {undefined}
   */
  askLater() {
    this.#current = this.#previous ?? this.#current;
    this.#previous = undefined;
    const wait = Math.min(RETRY * 2 ** Math.min(this.#retries, 16), RETRY_CAP);
    this.#retries += 1;
    this.#arm(wait * (0.5 + 0.5 * Math.random()));
  }

  /** @param {number} now */
  #schedule(now) {
    this.#retries = 0;
    const last = expiryOf(this.#current);
    this.#cancel();
    if (last !== undefined) this.#arm(askAfter(last * 1000 - now, Math.random()));
  }

  /** @param {number} ms */
  #arm(ms) {
    this.#cancel();
    if (this.#source && this.#ask) this.#cancel = after(ms, this.#ask);
  }

  async #fetch() {
    const source = /** @type {TokenFunction} */ (this.#source);
    const late = new AbortController();
    /** @type {Promise<never>} */
    const tooLate = new Promise((_, reject) => {
      late.signal.addEventListener("abort", () => reject(new Error(`no answer within ${this.#deadline} ms`)));
    });
    const stop = () => late.abort();
    const cancel = after(this.#deadline, stop);
    this.#leaving?.addEventListener("abort", stop);
    try {
      return checked(await Promise.race([source(late.signal), tooLate]));
    } finally {
      cancel();
      this.#leaving?.removeEventListener("abort", stop);
    }
  }
}

/**
 * How long to wait before the source is asked, if the token is valid for so many milliseconds: a random time in the last fifth of its
 * life, and earlier if that is short.
 * @param {number} left
 * @param {number} random from 0 to 1
 */
export function askAfter(left, random) {
  const margin = Math.min(Math.max(left / 10, MARGIN), left / 4);
  return Math.max(left - margin * 2 + margin * random, 0);
}

/**
 * The last second in which the token says that it is valid, since 1970. Nothing is verified.
 * @param {string | undefined} token
 * @returns {number | undefined}
 */
export function expiryOf(token) {
  try {
    const claims = token?.split(".")[1].replaceAll("-", "+").replaceAll("_", "/") ?? "";
    const { exp } = JSON.parse(atob(claims));
    return typeof exp === "number" ? Math.floor(exp) : undefined;
  } catch {
    return undefined;
  }
}

/** @param {unknown} token whose text is not repeated in the error */
function checked(token) {
  const text = typeof token === "string" ? token.trim() : "";
  if (!/^[\x21-\x7e]+$/.test(text) || text.length > TOKEN_MAX) {
    throw new Error(`a token is one word of 1 to ${TOKEN_MAX} visible ASCII characters`);
  }
  return text;
}
