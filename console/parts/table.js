// @ts-check
/** A table whose rows stay while what they show stays, so that nothing flickers and no focus is lost when it is read again. */
import { fill, h } from "../dom.js";

/** @typedef {import("../dom.js").Child} Child */
/**
 * @template R
 * @typedef {object} Column
 * @property {string} title
 * @property {(row: R) => Child} cell
 * @property {string} [class] `number` is set to the right; `wide` takes what room there is; `side` is left out on a narrow screen.
 */

/**
 * @template R
 * @typedef {object} Table
 * @property {HTMLElement} element
 * @property {(rows: R[]) => void} show Shows these rows in place of those before.
 */

/**
 * @template R
 * @param {object} options
 * @param {string} options.title What the table has, for those who hear it.
 * @param {Column<R>[]} options.columns
 * @param {(row: R) => string} options.key What tells a row from the others.
 * @param {() => Node} options.none What stands in place of an empty table.
 * @param {(row: R) => string} [options.state] A state that marks the whole row.
 * @returns {Table<R>}
 */
export function table({ title, columns, key, none, state }) {
  const body = h("tbody", null);
  const heads = columns.map((column) => h("th", { scope: "col", class: column.class }, column.title));
  const whole = h("table", null, h("caption", { class: "heard" }, title), h("thead", null, h("tr", null, heads)), body);
  const scroll = h("div", { class: "scroll", role: "region", "aria-label": title, tabindex: "0" }, whole);
  const element = h("div", { class: "table" }, h("p", { class: "loading", role: "status" }, "Loading …"));
  /** @type {Map<string, { text: string, row: HTMLTableRowElement }>} */
  let shown = new Map();

  /** @param {R} row */
  const make = (row) =>
    h(
      "tr",
      { "data-state": state?.(row) },
      columns.map((column) => h("td", { class: column.class, "data-title": column.title }, column.cell(row))),
    );

  /** @param {R[]} rows */
  const show = (rows) => {
    const before = shown;
    const focus = focusIn(body);
    shown = new Map();
    for (const row of rows) {
      const text = JSON.stringify(row);
      const kept = before.get(key(row));
      shown.set(key(row), kept?.text === text ? kept : { text, row: make(row) });
    }
    const next = [...shown.values()].map((each) => each.row);
    if (!same(body.children, next)) body.replaceChildren(...next);
    if (!rows.length) fill(element, none());
    else if (scroll.parentElement !== element) fill(element, scroll);
    focus(body);
  };
  return { element, show };
}

/**
 * @param {HTMLCollection} before
 * @param {Element[]} next
 */
const same = (before, next) => before.length === next.length && next.every((row, at) => before[at] === row);

/**
 * Remembers which link or button of the table has the focus, and returns what gives it back.
 * @param {HTMLElement} body
 * @returns {(body: HTMLElement) => void}
 */
function focusIn(body) {
  const active = document.activeElement;
  if (!(active instanceof HTMLElement) || !body.contains(active)) return () => {};
  const [href, text] = [active.getAttribute("href"), active.textContent];
  return (next) => {
    if (active.isConnected && document.activeElement === active) return;
    const found = [...next.querySelectorAll("a, button")];
    const again = found.find((each) => each.getAttribute("href") === href && each.textContent === text);
    if (again instanceof HTMLElement) again.focus({ preventScroll: true });
  };
}
