// @ts-check
/** The field for a payload: JSON, a text, or bytes. */
import { button, fill, h } from "../dom.js";
import { counted, shortened } from "../text.js";
import { choice } from "./choice.js";

/** @typedef {{ payload?: unknown, payload_base64?: string }} Payload */

/** The ways to write a payload. `read` throws what is wrong with the text. */
const WAYS = /** @type {Record<string, { hint: string, read: (text: string) => Payload }>} */ ({
  json: { hint: '{"text": "hello"}', read: readJson },
  text: { hint: "hello", read: (text) => ({ payload: text }) },
  bytes: { hint: "base64, such as aGVsbG8=", read: readBytes },
});

/** @param {string} text @returns {Payload} */
function readJson(text) {
  if (!text.trim()) return {};
  const [payload, lost] = parsed(text);
  if (!lost) return { payload };
  const number = shortened(lost, 40);
  throw new Error(
    `The browser can’t keep the number ${number} as it is: write it in quotes, or send the payload as bytes`,
  );
}

/**
 * What the JSON says, and the first number in it that would be sent as another.
 * @param {string} text
 * @returns {[payload: unknown, lost: string | undefined]}
 */
function parsed(text) {
  /** @type {string | undefined} */
  let lost;
  const keep = (
    /** @type {string} */ _,
    /** @type {unknown} */ value,
    /** @type {{ source?: string }} */ context = {},
  ) => {
    if (typeof value === "number" && changes(value, context.source)) lost ??= context.source ?? String(value);
    return value;
  };
  try {
    return [JSON.parse(text, keep), lost];
  } catch (error) {
    throw new Error(`The payload is no JSON: ${/** @type {Error} */ (error).message}`);
  }
}

/**
 * Whether a number would be sent as another: whole ones beyond 2^53, and those that are too large for any number here.
 * @param {number} value
 * @param {string} [source] The number as it is written, where the browser says it. Without it, all beyond 2^53 count.
 */
function changes(value, source) {
  if (Number.isSafeInteger(value) || source === String(value)) return false;
  return !Number.isFinite(value) || (source ? /^-?\d+$/.test(source) : Number.isInteger(value));
}

/** @param {string} text @returns {Payload} */
function readBytes(text) {
  const base64 = text.replace(/\s/g, "");
  const right = base64.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(base64);
  if (!right) throw new Error("The payload is no base64; choose a file, or another way to write it");
  return { payload_base64: base64 };
}

/** @param {() => void} changed */
export function payloadField(changed) {
  let way = "json";
  const text = h("textarea", {
    rows: "6",
    spellcheck: "false",
    oninput: () => changed(),
    "aria-label": "Payload",
    class: "code",
  });
  const said = h("span", { class: "faint" });
  const file = h("input", { type: "file", hidden: true, onchange: () => chosen() });
  const pick = button("Choose a file", () => file.click());
  const show = () => {
    text.placeholder = WAYS[way]?.hint ?? "";
    pick.hidden = way !== "bytes";
    fill(said);
    changed();
  };
  const chosen = async () => {
    const [given] = file.files ?? [];
    if (!given) return;
    text.value = base64(new Uint8Array(await given.arrayBuffer()));
    show();
    fill(said, counted(given.size, "byte"));
  };
  const ways = choice(
    "Payload as",
    [
      ["json", "JSON"],
      ["text", "Text"],
      ["bytes", "Bytes"],
    ],
    way,
    (next) => {
      way = next;
      show();
    },
  );
  text.placeholder = WAYS[way]?.hint ?? "";
  pick.hidden = true;
  return {
    element: h("div", null, h("div", { class: "side-by-side" }, ways, pick, file, said), text),
    /** The fields of the request. Throws what is wrong. */
    value: () => WAYS[way]?.read(text.value) ?? {},
  };
}

/** Bytes that are made into characters at once: more arguments than this a function may not take. */
const PORTION = 8192;

/** @param {Uint8Array} bytes */
function base64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += PORTION) text += String.fromCharCode(...bytes.subarray(at, at + PORTION));
  return btoa(text);
}
