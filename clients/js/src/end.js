/** How a connection ended, and what that means for the next attempt. */

/** @typedef {import("./index.d.ts").ConnectionEnd} ConnectionEnd */

/**
 * The end that a close frame makes.
 * @param {number} code 1005 if the frame had none
 * @param {string} reason
 * @returns {ConnectionEnd}
 */
export function closed(code, reason) {
  const hint = hintIn(reason);
  return hint === undefined ? { kind: "closed", code, reason } : { kind: "closed", code, reason, hint };
}

/**
 * The end that an answer other than 101 makes.
 * @param {number} status
 * @param {string | undefined} retryAfter the header; its other form, a date, is ignored, since it needs the node's clock
 * @returns {ConnectionEnd}
 */
export function refused(status, retryAfter) {
  const isSeconds = retryAfter !== undefined && /^\s*\d+\s*$/.test(retryAfter);
  return isSeconds ? { kind: "refused", status, hint: Number(retryAfter) * 1000 } : { kind: "refused", status };
}

/**
 * The end without a close.
 * @param {string} cause
 * @returns {ConnectionEnd}
 */
export function lost(cause) {
  return { kind: "lost", cause };
}

/**
 * How long the node asks the terminal to wait, in milliseconds.
 * @param {ConnectionEnd} end
 * @returns {number | undefined}
 */
export function hintOf(end) {
  return end.kind === "closed" || end.kind === "refused" ? end.hint : undefined;
}

/**
 * Whether the same attempt would end in the same way, so that the terminal does not come back by itself.
 * @param {ConnectionEnd} end
 */
export function isFinal(end) {
  if (end.kind === "left") return true;
  if (end.kind === "refused") return [400, 403, 404].includes(end.status);
  return end.kind === "closed" && end.code >= 4500 && end.code <= 4999;
}

/**
 * Whether the token was refused or has expired. The terminal comes back with another one, or else slowly.
 * @param {ConnectionEnd} end
 */
export function needsToken(end) {
  return (end.kind === "refused" && end.status === 401) || (end.kind === "closed" && end.code === 4004);
}

/**
 * The hint in the reason of a close, `{"retry_ms":N}`, in milliseconds.
 * @param {string} reason
 * @returns {number | undefined}
 */
function hintIn(reason) {
  try {
    const hint = JSON.parse(reason)?.retry_ms;
    return Number.isInteger(hint) && hint >= 0 ? hint : undefined;
  } catch {
    return undefined;
  }
}
