/** How large a message to a node may be. */

/** Name and payload of an event together, in bytes. */
export const EVENT_MAX = 8 << 10;
/** The largest message in either direction, in bytes, whatever a node says. */
export const MESSAGE_MAX = 1 << 20;
/** What a node takes that does not say, in bytes. */
export const DEFAULT_MAX_MESSAGE = 64 << 10;

const UTF8 = new TextEncoder();

/**
 * The size of a text as UTF-8, in bytes.
 * @param {string} text
 */
export function sizeOf(text) {
  return UTF8.encode(text).length;
}

/** An event or a message that is over its limit and was not sent. */
export class TooLarge extends Error {
  /**
   * @param {string} what
   * @param {number} bytes
   * @param {number} limit
   */
  constructor(what, bytes, limit) {
    super(`${what} has ${bytes} bytes, and a node takes at most ${limit}: send less`);
    this.name = "TooLarge";
    this.bytes = bytes;
    this.limit = limit;
  }
}
