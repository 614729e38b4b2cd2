/**
 * The cursors of the commands that came, in their order. The terminal's cursor moves past a command only once the program has that
 * command and all before it: what the program did not get is sent again.
 */
export class CursorTrail {
  /** @type {{ cursor: string | undefined, isDone: boolean }[]} */
  #steps = [];
  #moved;

  /** @param {(cursor: string) => void} moved takes the new cursor */
  constructor(moved) {
    this.#moved = moved;
  }

  /**
   * Adds a command that waits.
   * @param {string | undefined} cursor
   * @returns {() => void} called when the program has the command
   */
  add(cursor) {
    const step = { cursor, isDone: false };
    this.#steps.push(step);
    return () => {
      step.isDone = true;
      this.#move();
    };
  }

  /**
   * Adds a cursor behind which nothing waits. Such steps do not pile up while an earlier command waits.
   * @param {string} cursor
   */
  pass(cursor) {
    const last = this.#steps.at(-1);
    if (last?.isDone) last.cursor = cursor;
    else this.#steps.push({ cursor, isDone: true });
    this.#move();
  }

  #move() {
    let cursor;
    while (this.#steps[0]?.isDone) cursor = this.#steps.shift()?.cursor ?? cursor;
    if (cursor !== undefined) this.#moved(cursor);
  }
}
