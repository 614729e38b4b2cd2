// @ts-check
/** When a terminal was online, and how it was, as a strip of time, drawn as SVG from its last changes. */
import { h, s } from "../dom.js";
import { clock, day, span } from "../text.js";

/** @typedef {import("../shapes.js").Change} Change */
/** @typedef {import("../shapes.js").Terminal} Terminal */
/** @typedef {{ from: number, until: number, state: string }} Span */

/**
 * @param {Terminal} terminal
 * @param {Change[]} changes The newest first.
 */
export function strip(terminal, changes) {
  const spans = spansOf(terminal, changes, Date.now());
  const [first, last] = [spans[0], spans[spans.length - 1]];
  if (!first || !last) return null;
  const whole = Math.max(1, last.until - first.from);
  const bars = spans.map(({ from, until, state }) => {
    const title = s("title", null, `${state} for ${span((until - from) / 1000)}, from ${clock(from)}`);
    const place = { x: (1000 * (from - first.from)) / whole, width: Math.max(2, (1000 * (until - from)) / whole) };
    return s("rect", { ...place, y: 0, height: 24, "data-state": state }, title);
  });
  const on = spans.filter(({ state }) => state !== "offline").reduce((sum, { from, until }) => sum + until - from, 0);
  const says = `online for ${span(on / 1000)} of the last ${span(whole / 1000)}`;
  const picture = s(
    "svg",
    { viewBox: "0 0 1000 24", preserveAspectRatio: "none", role: "img", "aria-label": says },
    bars,
  );
  const ends = h(
    "div",
    { class: "ends faint" },
    h("span", null, day(first.from)),
    h("span", null, says),
    h("span", null, "now"),
  );
  return h("div", { class: "strip" }, picture, ends);
}

/**
 * The spans of time between changes, the oldest first.
 * @param {Terminal} terminal
 * @param {Change[]} changes
 * @param {number} now Milliseconds since 1970.
 * @returns {Span[]}
 */
export function spansOf(terminal, changes, now) {
  const told = changes.filter(({ kind }) => ["online", "offline", "condition"].includes(kind)).reverse();
  let online = told[0]?.kind !== "online";
  let condition = firstCondition(told, terminal);
  /** @type {Span[]} */
  const spans = [];
  for (const [index, change] of told.entries()) {
    if (change.kind === "condition") condition = change.condition;
    else online = change.kind === "online";
    const next = told[index + 1];
    const [from, until] = [Date.parse(change.at), next ? Date.parse(next.at) : now];
    spans.push({ from, until: Math.max(from, until), state: online ? condition : "offline" });
  }
  return spans;
}

/**
 * The condition before the first change of it that is known.
 * @param {Change[]} told
 * @param {Terminal} terminal
 * @returns {string}
 */
const firstCondition = (told, terminal) => (told.some(({ kind }) => kind === "condition") ? "ok" : terminal.condition);
