// @ts-check
/** The words for states, and what they mean. */

/**
 * The states of a command at one target, in the order in which they are shown: what went well, what is under way, what did not.
 * `letter` is the state's in the answer to `/cells`.
 */
export const TARGET_STATES = /** @type {const} */ ([
  { name: "succeeded", letter: "S", kind: "good", says: "reported success" },
  { name: "acked", letter: "a", kind: "open", says: "confirmed that it arrived" },
  { name: "running", letter: "r", kind: "open", says: "reported progress" },
  { name: "sent", letter: "s", kind: "open", says: "written to the socket" },
  { name: "queued", letter: "q", kind: "open", says: "not sent yet" },
  { name: "failed", letter: "F", kind: "bad", says: "reported failure" },
  { name: "rejected", letter: "R", kind: "bad", says: "refused the command" },
  { name: "timed_out", letter: "T", kind: "bad", says: "confirmed it and sent no result in time" },
  { name: "expired", letter: "E", kind: "bad", says: "expired before it was run" },
  { name: "cancelled", letter: "C", kind: "bad", says: "cancelled before it was sent" },
]);

/** The states in which a target did not do what was asked. */
export const BAD = TARGET_STATES.filter((state) => state.kind === "bad").map((state) => state.name);

/** @param {string} state A state as it is written for people. */
export const spoken = (state) => state.replaceAll("_", " ");

/**
 * How many targets ended without what was asked for.
 * @param {Record<string, number>} counts
 */
export const badOf = (counts) => BAD.reduce((sum, state) => sum + (counts[state] ?? 0), 0);

/**
 * How many targets said nothing while the command was valid, though it was sent to them or waits for them.
 * @param {import("./shapes.js").Command} command
 */
export const silentOf = ({ state, counts }) =>
  state === "open" ? 0 : ["queued", "sent", "running"].reduce((sum, each) => sum + (counts[each] ?? 0), 0);

/** Why a session ended, by the reason in events and histories. */
const REASONS = /** @type {Record<string, string>} */ ({
  left: "it closed its session",
  lost: "its connection broke",
  no_heartbeat: "it answered no ping",
  replaced: "a newer session took its place",
  draining: "its node was drained",
  rebalanced: "its session moved to another node",
  removed: "an operator removed it",
  disconnected: "an operator closed its session",
  token_expired: "its token expired",
  token_revoked: "its token was revoked",
  node_lost: "its node was lost",
  too_slow: "it read too slowly",
  protocol: "it broke the protocol",
  wire: "it sent what is no WebSocket",
});

/**
 * Why a session ended, in words.
 * @param {string} reason
 * @param {number} [code]
 */
export const why = (reason, code) => `${REASONS[reason] ?? spoken(reason)}${code ? ` (${code})` : ""}`;
