// @ts-check
/** Small signs: a state with its dot, labels, a bar of states, an empty place, a figure. */
import { h, link, word } from "../dom.js";
import { to } from "../router.js";
import { badOf, spoken, TARGET_STATES } from "../states.js";
import { number, shortened } from "../text.js";

/** @typedef {import("../dom.js").Child} Child */

/**
 * A state, as a dot with its word.
 * @param {string} state
 */
export const sign = (state) => h("span", { class: "sign", "data-state": state }, spoken(state));

/**
 * Labels, each a link to the terminals that have it.
 * @param {Record<string, string>} labels
 */
export const labelList = (labels) =>
  h(
    "span",
    { class: "labels" },
    Object.entries(labels).map(([key, value]) => {
      const text = `${key}=${value}`;
      return h(
        "a",
        { class: "label", href: to(["terminals"], { selector: text }), title: text },
        word(shortened(text, 48)),
      );
    }),
  );

/**
 * A terminal's id, as a link to its page.
 * @param {string} id
 */
export const terminalLink = (id) => h("a", { class: "id", href: to(["terminals", id]) }, word(id));

/**
 * A command's name, as a link to its page.
 * @param {string} id
 * @param {string} [name]
 */
export const commandLink = (id, name) =>
  h(
    "a",
    { class: name ? "name" : "id", href: to(["commands", id]), title: id },
    word(name ? shortened(name, 48) : id.slice(-12)),
  );

/**
 * A rollout's name or id, as a link to its page.
 * @param {string} id
 * @param {string} [name]
 */
export const rolloutLink = (id, name) =>
  h(
    "a",
    { class: name ? "name" : "id", href: to(["rollouts", id]), title: id },
    word(name ? shortened(name, 48) : id.slice(-12)),
  );

/**
 * A bar with a part for each state.
 * @param {Record<string, number>} counts
 * @param {number} targets
 */
export function stateBar(counts, targets) {
  const parts = TARGET_STATES.filter(({ name }) => counts[name]);
  const said = parts.map(({ name }) => `${number(counts[name] ?? 0)} ${spoken(name)}`).join(", ");
  const bars = parts.map(({ name }) => {
    const width = `${(100 * (counts[name] ?? 0)) / Math.max(1, targets)}%`;
    return h("span", { "data-state": name, vars: { "--share": width } });
  });
  return h("span", { class: "state-bar", role: "img", "aria-label": said || "no targets", title: said }, bars);
}

/**
 * How far a command is: its bar, and in words what stands out.
 * @param {import("../shapes.js").Command} command
 */
export function progress({ counts, targets, state }) {
  const bad = badOf(counts);
  const waiting = (counts.queued ?? 0) + (counts.sent ?? 0);
  const text = bad
    ? `${number(bad)} did not`
    : waiting
      ? `${number(waiting)} ${state === "open" ? "wait" : "silent"}`
      : "";
  return h("span", { class: "progress" }, stateBar(counts, targets), h("span", { class: bad ? "bad" : "faint" }, text));
}

/**
 * A meter of a part of a whole.
 * @param {number} part
 * @param {number} whole
 * @param {string} says
 */
export const meter = (part, whole, says) =>
  h(
    "span",
    { class: "meter", role: "img", "aria-label": says, title: says },
    h("span", { vars: { "--share": `${Math.min(100, (100 * part) / Math.max(1, whole))}%` } }),
  );

/**
 * The place of something that is not there, with what to do about it.
 * @param {string} title
 * @param {...Child} text
 */
export const empty = (title, ...text) => h("div", { class: "empty" }, h("strong", null, title), h("p", null, ...text));

/**
 * A part of a page with its heading.
 * @param {string} title
 * @param {Child} side What stands beside the heading.
 * @param {...Child} content
 */
export const card = (title, side, ...content) =>
  h("section", { class: "card", "aria-label": title }, h("header", null, h("h2", null, title), side), ...content);

/**
 * The head of a page.
 * @param {Child} title
 * @param {Child} [actions]
 * @param {Child} [above]
 */
export const head = (title, actions, above) =>
  h(
    "header",
    { class: "head" },
    h("div", null, above, h("h1", { tabindex: "-1" }, title)),
    h("div", { class: "actions" }, actions),
  );

/**
 * Facts, as names with what they are.
 * @param {[string, Child][]} rows
 */
export const facts = (rows) =>
  h(
    "dl",
    { class: "facts" },
    rows.map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value))),
  );

/** The way back to a list. @param {string} path @param {string} text */
export const back = (path, text) => h("p", { class: "back" }, link(to([path]), `← ${text}`));
