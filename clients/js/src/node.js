/** The client on Node, and on what runs packages of Node. */

import { open } from "node:fs/promises";
import { connect } from "./node/socket.js";
import { openJournal } from "./node/journal.js";
import { Terminal as AnyTerminal } from "./terminal.js";

export { CommandFailed, CommandRejected, LATER } from "./command.js";
export { TooLarge } from "./limit.js";

export class Terminal extends AnyTerminal {
  /** @param {import("./index.d.ts").Options} options */
  constructor(options) {
    super(options, { connect, openJournal, isBrowser: false });
  }
}

/** The largest file that is read as a token, in bytes. A node takes no longer token. */
const FILE_MAX = 16 << 10;

/**
 * @param {string} path
 * @returns {import("./index.d.ts").TokenFunction}
 */
export function tokenFile(path) {
  const read = async () => {
    const file = await open(path);
    try {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(FILE_MAX + 1), 0, FILE_MAX + 1, 0);
      if (bytesRead > FILE_MAX) throw new Error(`${path} has more than ${FILE_MAX} bytes: it must hold a token alone`);
      return buffer.toString("utf8", 0, bytesRead);
    } finally {
      await file.close();
    }
  };
  return Object.assign(read, { beforeEachAttempt: true });
}
