// @ts-check
/** The shapes of the API's answers, by the names that the pages have for them. Only types; `types/api.d.ts` is made from the API's document. */

/** @typedef {import("./types/api").components["schemas"]} Api */

/** @typedef {Api["TerminalView"]} Terminal */
/** @typedef {Api["TerminalChange"]} Change */
/** @typedef {Api["FleetView"]} Fleet */
/** @typedef {Api["FleetMinute"]} Minute */
/** @typedef {Api["Selector"]} Target */
/** @typedef {Api["SavedSelector"]} SavedSelector */
/** @typedef {Api["CommandView"]} Command */
/** @typedef {Api["TargetView"]} TargetRow */
/** @typedef {Api["WaveView"]} Wave */
/** @typedef {Api["RolloutRequest"]} RolloutRequest */
/** @typedef {Api["RolloutView"]} Rollout */
/** @typedef {Api["NodeView"]} ClusterNode */
/** @typedef {Api["ProxyView"]} Proxy */
/** @typedef {Api["AuditRecord"]} AuditRecord */
/** @typedef {Api["OperatorKey"]} Key */
/** @typedef {Api["NoticeView"]} Notice */
/** @typedef {Api["NoticeAttempt"]} Attempt */

/**
 * A session. Without `token` the node asks for none.
 * @typedef {object} Session
 * @property {string | null} token
 * @property {string} [renew_until]
 * @property {string | null} name
 * @property {string[]} scopes
 * @property {Record<string, string>} [labels] Those of the terminals that a limited key reaches.
 * @property {string[]} [commands] The names of the commands that a limited key may send.
 */

/**
 * What a page is opened with: its address, and a signal that is aborted when it is left.
 * @typedef {{ id: string, query: URLSearchParams, signal: AbortSignal }} Visit
 */

export {};
