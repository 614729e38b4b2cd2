import { RunningCommand, expiredResult } from "./command.js";
import { CursorTrail } from "./cursors.js";
import { after } from "./timer.js";

/** @typedef {import("./frames.js").CommandFrame} CommandFrame */
/** @typedef {{ frame: CommandFrame, taken: () => void }} Waiting `taken` is called when the program has the command */

/** How many commands wait at most, those that wait for their stagger too. */
const WAITING_MAX = 4096;

/**
 * What the inbox needs of the terminal.
 * @typedef {object} Surroundings
 * @property {import("./memory.js").Memory} memory
 * @property {import("./clock.js").NodeClock} clock
 * @property {AbortSignal} signal aborted when the terminal is gone: then no further command runs
 * @property {(command: import("./index.d.ts").Command) => unknown} run
 * @property {(report: import("./index.d.ts").Report) => void} report
 * @property {number} parallel
 * @property {(id: string) => void} acknowledge
 * @property {import("./command.js").Replies} replies
 */

/**
 * The commands that came, and their way to the program: each once, in order, in time, and those with a stagger after a share of it.
 * It outlives a session, but not the program: a command that waits is not acknowledged, so the node sends it again.
 */
export class Inbox {
  #terminal;
  #cursors;
  /** @type {Set<string>} the ids of all that wait */
  #waiting = new Set();
  /** @type {Waiting[]} those whose turn comes next */
  #ready = [];
  #running = 0;
  /** @type {Set<() => void>} what ends each wait for a stagger */
  #staggered = new Set();

  /** @param {Surroundings} terminal */
  constructor(terminal) {
    this.#terminal = terminal;
    this.#cursors = new CursorTrail((cursor) => terminal.memory.setCursor(cursor));
    terminal.signal.addEventListener("abort", () => this.#staggered.forEach((cancel) => cancel()));
  }

  /**
   * Takes a command. False if too many wait: the session must end, and the next one brings the command again.
   * @param {CommandFrame} frame
   */
  receive(frame) {
    const { memory } = this.#terminal;
    if (memory.has(frame.id)) this.#repeat(frame);
    else if (!this.#waiting.has(frame.id)) {
      if (this.#waiting.size >= WAITING_MAX) return false;
      this.#add(frame);
    }
    return true;
  }

  /**
   * Moves the cursor, once the program has all commands that wait now.
   * @param {string} cursor
   */
  pass(cursor) {
    this.#cursors.pass(cursor);
  }

  /** @param {CommandFrame} frame */
  #repeat({ id, cursor }) {
    const { memory, acknowledge, report, replies } = this.#terminal;
    if (cursor) this.#cursors.pass(cursor);
    acknowledge(id);
    const result = memory.result(id);
    if (result) replies.result(id, result);
    report({ type: "repeated", id });
  }

  /** @param {CommandFrame} frame */
  #add(frame) {
    const { clock } = this.#terminal;
    const command = { frame, taken: this.#cursors.add(frame.cursor) };
    this.#waiting.add(frame.id);
    const isReady = () => {
      this.#ready.push(command);
      this.#next();
    };
    if (!frame.stagger_ms || clock.isPast(frame.expiresAt)) return isReady();
    const cancel = after(Math.random() * frame.stagger_ms, () => {
      this.#staggered.delete(cancel);
      isReady();
    });
    this.#staggered.add(cancel);
  }

  #next() {
    const { parallel, signal } = this.#terminal;
    while (this.#running < parallel && this.#ready.length > 0 && !signal.aborted) {
      const { frame, taken } = /** @type {Waiting} */ (this.#ready.shift());
      this.#running += 1;
      this.#handOver(frame, taken).then(() => {
        this.#running -= 1;
        this.#next();
      });
    }
  }

  /**
   * Gives a command to the program. The order is the promise: the id is on the disk, the program has the command, the cursor moves,
   * the node is told.
   * @param {CommandFrame} frame
   * @param {() => void} taken
   */
  async #handOver(frame, taken) {
    const { memory, clock, signal, run, report, acknowledge, replies } = this.#terminal;
    const { id } = frame;
    memory.add(id);
    this.#waiting.delete(id);
    if (clock.isPast(frame.expiresAt)) {
      taken();
      replies.result(id, expiredResult(id));
      report({ type: "expired", id });
      return;
    }
    const hasIt = once(() => {
      taken();
      acknowledge(id);
    });
    const running = new RunningCommand(frame, signal, replies, hasIt).run(run);
    hasIt();
    await running;
  }
}

/**
 * @param {() => void} call
 * @returns {() => void} calls it the first time
 */
function once(call) {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    call();
  };
}
