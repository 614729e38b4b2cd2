// @ts-check
/** Turns the pages of a list that the server pages. */
import { button, fill, h } from "../dom.js";

/**
 * Reads one page of a list at a time. `turned` is called when another page is wanted.
 * @param {() => void} turned
 */
export function pager(turned) {
  /** The `after` of each page up to this one. */
  let starts = [""];
  /** @type {string | null} */
  let next = null;
  const said = h("span", { class: "faint", role: "status" });
  const element = h("nav", { class: "pager", "aria-label": "pages" });
  const turn = (/** @type {string[]} */ to) => {
    starts = to;
    turned();
  };
  const earlier = button("← Previous", () => turn(starts.slice(0, -1)));
  const later = button("Next →", () => next && turn([...starts, next]));
  return {
    element,
    /** The `after` of the page that is shown. */
    after: () => starts[starts.length - 1] ?? "",
    /** Goes back to the first page. */
    reset: () => {
      starts = [""];
    },
    /**
     * Tells what was read.
     * @param {number} rows
     * @param {string | null} following The answer's `next`.
     */
    read: (rows, following) => {
      next = following;
      earlier.disabled = starts.length === 1;
      later.disabled = next === null;
      fill(said, rows ? `Page ${starts.length}` : "");
      fill(element, starts.length > 1 || next !== null ? [earlier, said, later] : null);
    },
  };
}
