/** The client in browsers. */

import { connect } from "./browser/socket.js";
import { openJournal } from "./browser/journal.js";
import { Terminal as AnyTerminal } from "./terminal.js";

export { CommandFailed, CommandRejected, LATER } from "./command.js";
export { TooLarge } from "./limit.js";

export class Terminal extends AnyTerminal {
  /** @param {import("./index.d.ts").Options} options */
  constructor(options) {
    super(options, { connect, openJournal, isBrowser: true });
  }
}
