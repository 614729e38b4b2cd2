import { payloadOf } from "./payload.js";

/**
 * @typedef {object} CommandFrame
 * @property {"command"} type
 * @property {string} id in lower case
 * @property {string} name
 * @property {unknown} payload JSON, or a Uint8Array
 * @property {number} expiresAt milliseconds since 1970, by the node's clock
 * @property {string} [cursor]
 * @property {number} [stagger_ms]
 *
 * @typedef {{ type: "welcome" } & import("./index.d.ts").Welcome} WelcomeFrame
 * @typedef {{ type: "ack", id: string }} AckFrame
 * @typedef {{ type: "gap", from: string, to: string, reason: string }} GapFrame
 * @typedef {{ type: "goodbye", reason: string, retry_ms?: number }} GoodbyeFrame
 * @typedef {{ type: "error", code: string, message: string }} ErrorFrame
 * @typedef {WelcomeFrame | CommandFrame | AckFrame | GapFrame | GoodbyeFrame | ErrorFrame} NodeFrame
 */

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const RFC_3339 = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i;

const isText = (/** @type {unknown} */ value) => typeof value === "string";
const isTime = (/** @type {unknown} */ value) => isText(value) && RFC_3339.test(/** @type {string} */ (value));
const isCount = (/** @type {unknown} */ value) => Number.isInteger(value) && /** @type {number} */ (value) >= 0;
const isFlag = (/** @type {unknown} */ value) => typeof value === "boolean";
const isUuid = (/** @type {unknown} */ value) => isText(value) && UUID.test(/** @type {string} */ (value));
const maybe = (/** @type {(value: unknown) => boolean} */ check) => (/** @type {unknown} */ value) =>
  value === undefined || value === null || check(value);

/** The fields of each frame that a client reads. Others are ignored. */
const FIELDS = {
  welcome: {
    session: isText,
    node: isText,
    time: isTime,
    ping_ms: isCount,
    max_message: maybe(isCount),
    resumed: isFlag,
    cursor: maybe(isText),
  },
  command: { id: isUuid, name: isText, expires_at: isTime, cursor: maybe(isText), stagger_ms: maybe(isCount) },
  ack: { id: isText },
  gap: { from: isText, to: isText, reason: isText },
  goodbye: { reason: isText, retry_ms: maybe(isCount) },
  error: { code: isText, message: isText },
};

/**
 * Reads a text message of a node. A frame of an unknown type, or one that can't be read, is `undefined` and to be ignored.
 * @param {string} text
 * @returns {NodeFrame | undefined}
 */
export function decode(text) {
  const frame = parse(text);
  const type = frame?.type;
  if (!frame || typeof type !== "string" || !Object.hasOwn(FIELDS, type)) return undefined;
  const fields = Object.entries(FIELDS[/** @type {keyof typeof FIELDS} */ (type)]);
  if (!fields.every(([name, check]) => check(frame[name]))) return undefined;
  return type === "command" ? command(frame) : /** @type {NodeFrame} */ (frame);
}

/**
 * @param {string} text
 * @returns {Record<string, any> | undefined} an object
 */
function parse(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * @param {Record<string, any>} frame
 * @returns {CommandFrame | undefined}
 */
function command(frame) {
  const payload = payloadOf(frame);
  if (payload === undefined) return undefined;
  const { name, cursor, stagger_ms } = frame;
  const expiresAt = Date.parse(frame.expires_at);
  return { type: "command", id: frame.id.toLowerCase(), name, payload, expiresAt, cursor, stagger_ms };
}
