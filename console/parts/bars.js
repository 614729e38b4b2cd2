// @ts-check
/** The bars of a command: a row for each state that has targets, with its number. */
import { fill, h } from "../dom.js";
import { spoken, TARGET_STATES } from "../states.js";
import { number, share } from "../text.js";

/** @param {(state: string) => void} chosen Is called with a state that is clicked. */
export function stateRows(chosen) {
  /** @type {Map<string, { row: HTMLElement, bar: HTMLElement, count: HTMLElement, part: HTMLElement }>} */
  const rows = new Map();
  for (const { name, says } of TARGET_STATES) {
    const [bar, count, part] = [h("span", { "data-state": name }), h("b", null), h("span", { class: "faint" })];
    const name_ = h("span", { class: "sign", "data-state": name }, spoken(name));
    const pick = h(
      "button",
      { type: "button", title: says, onclick: () => chosen(name) },
      name_,
      h("span", { class: "rail" }, bar),
      count,
      part,
    );
    rows.set(name, { row: h("li", { hidden: true }, pick), bar, count, part });
  }
  const element = h(
    "ul",
    { class: "state-rows" },
    [...rows.values()].map(({ row }) => row),
  );
  return {
    element,
    /**
     * @param {Record<string, number>} counts
     * @param {number} targets
     */
    show: (counts, targets) => {
      for (const [name, { row, bar, count, part }] of rows) {
        const value = counts[name] ?? 0;
        // A state that was there stays, at zero: what was read does not jump.
        if (value) row.hidden = false;
        bar.style.setProperty("--share", `${(100 * value) / Math.max(1, targets)}%`);
        fill(count, number(value));
        fill(part, share(value, targets));
      }
    },
  };
}
