// @ts-check
/** Text as people read it: what others wrote, numbers, and times. */

/** Characters that are not seen, or that hide, turn or break the text around them. */
const UNSEEN =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\u{e0000}-\u{e0fff}]/gu;

/** @param {string} character */
const escaped = (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;

/**
 * The text on one line, with each unseen character written out, such as `\u{202e}`.
 * @param {string} text
 */
export const plain = (text) => text.replace(UNSEEN, escaped);

/**
 * As `plain`, for a block of text: line breaks and tabs stay.
 * @param {string} text
 */
export const block = (text) =>
  text.replace(UNSEEN, (character) => (character === "\n" || character === "\t" ? character : escaped(character)));

/**
 * The beginning of a text, of at most `most` characters.
 * @param {string} text
 * @param {number} most
 */
export const shortened = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

const NUMBER = new Intl.NumberFormat("en");
const SHARE = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });

/** @param {number} value */
export const number = (value) => NUMBER.format(value);

/**
 * A share of a whole in percent; 0 % of nothing. Neither all nor none unless it is exactly so.
 * @param {number} part
 * @param {number} whole
 */
export function share(part, whole) {
  const exact = whole ? part / whole : 0;
  const shown = part > 0 && part < whole ? Math.min(0.999, Math.max(0.001, exact)) : exact;
  return SHARE.format(shown);
}

/**
 * A number with its noun: `1 terminal`, `2,000 terminals`.
 * @param {number} count
 * @param {string} noun
 */
export const counted = (count, noun) => `${number(count)} ${noun}${count === 1 ? "" : "s"}`;

const UNITS = /** @type {const} */ ([
  ["d", 86400],
  ["h", 3600],
  ["min", 60],
  ["s", 1],
]);

/**
 * A time span in its two largest units: `3 d 4 h`.
 * @param {number} seconds
 */
export function span(seconds) {
  let rest = Math.max(0, Math.round(seconds));
  const parts = [];
  for (const [name, size] of UNITS) {
    if (rest >= size && parts.length < 2) parts.push(`${Math.floor(rest / size)} ${name}`);
    else if (parts.length) break;
    rest %= size;
  }
  return parts.join(" ") || "0 s";
}

/**
 * How long ago a moment is, or how far ahead.
 * @param {string} moment RFC 3339
 */
export function relative(moment) {
  const seconds = (Date.now() - Date.parse(moment)) / 1000;
  if (Math.abs(seconds) < 5) return "now";
  const [largest] = UNITS.filter(([, size]) => Math.abs(seconds) >= size);
  const size = largest?.[1] ?? 1;
  const rounded = `${Math.floor(Math.abs(seconds) / size)} ${largest?.[0] ?? "s"}`;
  return seconds < 0 ? `in ${rounded}` : `${rounded} ago`;
}

const DAY = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const MINUTE = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

/** @param {string | number} moment The day and the time here. */
export const day = (moment) => DAY.format(new Date(moment));
/** @param {string | number} moment The time of day here, to a second. */
export const clock = (moment) => CLOCK.format(new Date(moment));
/** @param {string | number} moment The time of day here, to a minute. */
export const minute = (moment) => MINUTE.format(new Date(moment));

/**
 * Labels as people write them: `site=bj,kind=kiosk`.
 * @param {Record<string, string>} labels
 */
export const labelText = (labels) =>
  Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(",");

/**
 * Reads labels as `labelText` writes them. Throws an error that names the part that is none.
 * @param {string} text
 * @returns {Record<string, string>}
 */
export function readLabels(text) {
  const parts = text.split(/[,\n]/).map((part) => part.trim());
  const pairs = parts.filter(Boolean).map((part) => {
    const at = part.indexOf("=");
    if (at < 1 || at === part.length - 1) throw new Error(`“${part}” is no label; write KEY=VALUE`);
    return [part.slice(0, at).trim(), part.slice(at + 1).trim()];
  });
  return Object.fromEntries(pairs);
}
