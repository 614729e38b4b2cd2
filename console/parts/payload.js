// @ts-check
/** Payloads as they are shown: JSON in lines, or bytes in base64. */
import { h } from "../dom.js";
import { shortened } from "../text.js";

/** Characters of a payload that are shown. */
const MOST = 8192;

/** @param {{ payload?: unknown, payload_base64?: string }} given */
export function payloadView({ payload, payload_base64 }) {
  const text = payload_base64 ?? JSON.stringify(payload ?? null, null, 2);
  return h(
    "pre",
    { tabindex: "0", "aria-label": payload_base64 === undefined ? "payload" : "payload in base64" },
    shortened(text, MOST),
  );
}

/**
 * A payload in one line.
 * @param {{ payload?: unknown, payload_base64?: string }} given
 */
export const payloadLine = ({ payload, payload_base64 }) =>
  shortened(payload_base64 ?? (payload === null || payload === undefined ? "" : JSON.stringify(payload)), 160);
