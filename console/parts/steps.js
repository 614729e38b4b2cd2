// @ts-check
/** What changed in the last hours, found in the fleet's history: minutes in which many terminals left or came. */
import { counted } from "../text.js";

/** @typedef {import("../shapes.js").Minute} Minute */
/** @typedef {{ at: string, state: string, text: string, size: number }} Step */

/** How many terminals of a hundred make a step, and at least how many. */
const [SHARE, LEAST] = [0.02, 2];
/** How many are told. */
const MOST = 5;

/** What is compared from minute to minute: the number, and what more and fewer of it mean. */
const COMPARED = /** @type {const} */ ([
  {
    of: (/** @type {Minute} */ each) => each.online,
    more: ["online", "came online"],
    fewer: ["offline", "left the line"],
  },
  {
    of: (/** @type {Minute} */ each) => each.by_condition.failing ?? 0,
    more: ["failing", "began to fail"],
    fewer: ["ok", "fail no longer"],
  },
  {
    of: (/** @type {Minute} */ each) => each.by_condition.degraded ?? 0,
    more: ["degraded", "became degraded"],
    fewer: ["ok", "are degraded no longer"],
  },
]);

/**
 * The largest steps, the newest first.
 * @param {Minute[]} minutes The oldest first.
 * @returns {Step[]}
 */
export function steps(minutes) {
  const found = minutes.slice(1).flatMap((minute, index) => {
    const before = /** @type {Minute} */ (minutes[index]);
    return COMPARED.flatMap(({ of, more, fewer }) => step(minute, of(minute) - of(before), more, fewer));
  });
  const largest = found.sort((one, other) => other.size - one.size).slice(0, MOST);
  return largest.sort((one, other) => Date.parse(other.at) - Date.parse(one.at));
}

/**
 * @param {Minute} minute
 * @param {number} change
 * @param {readonly [string, string]} more
 * @param {readonly [string, string]} fewer
 * @returns {Step[]}
 */
function step(minute, change, more, fewer) {
  const all = minute.online + minute.stale + minute.offline;
  const size = Math.abs(change);
  if (size < Math.max(LEAST, all * SHARE)) return [];
  const [state, text] = change > 0 ? more : fewer;
  return [{ at: minute.at, state, text: `${counted(size, "terminal")} ${text}`, size }];
}
