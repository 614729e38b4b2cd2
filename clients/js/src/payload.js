/** A payload is JSON, in the field `payload`, or bytes, in the field `payload_base64`. */

/**
 * The payload of a frame: JSON, `null` if there is none, or bytes. `undefined` if it can't be read.
 * @param {Record<string, any>} frame
 * @returns {unknown}
 */
export function payloadOf({ payload, payload_base64 }) {
  if (payload_base64 === undefined || payload_base64 === null) return payload ?? null;
  if (typeof payload_base64 !== "string" || (payload !== undefined && payload !== null)) return undefined;
  try {
    return Uint8Array.from(atob(payload_base64), (letter) => letter.charCodeAt(0));
  } catch {
    return undefined;
  }
}

/**
 * The field of a frame that carries a payload. Throws a TypeError for what is no JSON, such as a function or a cycle.
 * @param {unknown} payload
 * @returns {{ payload: unknown } | { payload_base64: string }}
 */
export function payloadField(payload) {
  if (payload instanceof Uint8Array) return { payload_base64: base64(payload) };
  if (payload === undefined) return { payload: null };
  if (JSON.stringify(payload) === undefined)
    throw new TypeError("the payload is no JSON: give data, not a function or a symbol");
  return { payload };
}

/**
 * @param {Uint8Array} bytes
 * @returns {string}
 */
function base64(bytes) {
  let text = "";
  // In parts, since a call takes a limited number of arguments.
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}
