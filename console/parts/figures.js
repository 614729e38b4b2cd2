// @ts-check
/** The figures of the fleet: a number for each state, with its last hours as a small line. */
import { fill, h } from "../dom.js";
import { to } from "../router.js";
import { number, share } from "../text.js";
import { spark } from "./chart.js";

/** @typedef {import("../shapes.js").Fleet} Fleet */
/** @typedef {import("../shapes.js").Minute} Minute */
/** @typedef {{ state: string, title: string, of: (fleet: Fleet | Minute) => number, query?: Record<string, string> }} Figure */

/** The figures: their name, what they count, and which terminals the list shows for them. @type {Figure[]} */
const FIGURES = [
  { state: "online", title: "On the line", of: (fleet) => fleet.online, query: { status: "online" } },
  { state: "stale", title: "Stale", of: (fleet) => fleet.stale, query: { status: "stale" } },
  { state: "offline", title: "Offline", of: (fleet) => fleet.offline, query: { status: "offline" } },
  {
    state: "degraded",
    title: "Degraded",
    of: (fleet) => fleet.by_condition.degraded ?? 0,
    query: { match: "@condition = degraded" },
  },
  {
    state: "failing",
    title: "Failing",
    of: (fleet) => fleet.by_condition.failing ?? 0,
    query: { match: "@condition = failing" },
  },
];

export const figures = () => FIGURES.map(figure);

/** @param {Figure} figure */
function figure({ state, title, of, query }) {
  const [value, line, part] = [h("strong", null, "–"), h("span", null), h("span", { class: "faint" })];
  const inside = [h("span", { class: "sign", "data-state": state }, title), value, part, line];
  const element = query
    ? h("a", { class: "figure", href: to(["terminals"], query) }, inside)
    : h("div", { class: "figure" }, inside);
  return {
    element,
    /** @param {Fleet} fleet */
    now: (fleet) => {
      const all = fleet.online + fleet.stale + fleet.offline;
      fill(value, number(of(fleet)));
      fill(part, all ? `${share(of(fleet), all)} of ${number(all)}` : "");
      element.toggleAttribute("data-none", of(fleet) === 0);
    },
    /** @param {Minute[]} minutes */
    past: (minutes) => fill(line, spark(minutes.map(of), state)),
  };
}
