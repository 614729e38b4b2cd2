import { payloadField } from "./payload.js";

/** What the function returns whose result is sent later, or never. */
export const LATER = Symbol("the result comes later");

/** The command failed. */
export class CommandFailed extends Error {
  /** @param {unknown} [payload] */
  constructor(payload = null) {
    super("the command failed");
    this.name = "CommandFailed";
    this.payload = payload;
  }
}

/** The program does not know the command, or refuses it. */
export class CommandRejected extends Error {
  /** @param {unknown} [payload] */
  constructor(payload = null) {
    super("the command is rejected");
    this.name = "CommandRejected";
    this.payload = payload;
  }
}

/**
 * How a command's messages leave.
 * @typedef {object} Replies
 * @property {(id: string, frame: string) => void} progress
 * @property {(id: string, frame: string) => void} result
 */

/** A command in the hands of the program. */
export class RunningCommand {
  #replies;
  #hasIt;
  #hasResult = false;

  /**
   * @param {import("./frames.js").CommandFrame} frame
   * @param {AbortSignal} signal
   * @param {Replies} replies
   * @param {() => void} hasIt acknowledges the command, once. A program that answers has it.
   */
  constructor({ id, name, payload, expiresAt }, signal, replies, hasIt) {
    this.id = id;
    this.name = name;
    this.payload = payload;
    this.expiresAt = expiresAt;
    this.signal = signal;
    this.#replies = replies;
    this.#hasIt = hasIt;
  }

  /** @param {unknown} payload */
  progress(payload) {
    if (this.#hasResult) return;
    const frame = JSON.stringify({ type: "progress", id: this.id, ...payloadField(payload) });
    this.#hasIt();
    this.#replies.progress(this.id, frame);
  }

  /** @param {unknown} [payload] */
  succeed(payload) {
    this.#result({ ok: true }, payload);
  }

  /** @param {unknown} [payload] */
  fail(payload) {
    this.#result({ ok: false }, payload);
  }

  /** @param {unknown} [payload] */
  reject(payload) {
    this.#result({ ok: false, reason: "rejected" }, payload);
  }

  /**
   * Runs the command, and sends what comes of it unless that is LATER. Never rejects.
   * @param {(command: import("./index.d.ts").Command) => unknown} run
   */
  async run(run) {
    try {
      const reply = await run(this);
      if (reply !== LATER) this.succeed(reply);
    } catch (error) {
      if (error instanceof CommandRejected) this.reject(error.payload);
      else if (error instanceof CommandFailed) this.fail(error.payload);
      else this.fail({ error: error instanceof Error ? error.message : String(error) });
    }
  }

  /**
   * @param {{ ok: boolean, reason?: string }} outcome
   * @param {unknown} payload
   */
  #result(outcome, payload) {
    if (this.#hasResult) return;
    const frame = JSON.stringify({ type: "result", id: this.id, ...outcome, ...payloadField(payload) });
    this.#hasResult = true;
    this.#hasIt();
    this.#replies.result(this.id, frame);
  }
}

/**
 * The result of a command that came too late.
 * @param {string} id
 */
export function expiredResult(id) {
  return JSON.stringify({ type: "result", id, ok: false, reason: "expired", payload: null });
}
