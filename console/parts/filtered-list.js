// @ts-check
/** A list that the server pages, with fields that filter it. */
import { get } from "../http.js";
import { paced } from "../live.js";
import { filterForm } from "./filters.js";
import { pager } from "./pager.js";
import { table } from "./table.js";

/**
 * @template Row
 * @param {object} list
 * @param {string} list.title
 * @param {import("./table.js").Column<Row>[]} list.columns
 * @param {(row: Row) => string} list.key
 * @param {(filters: Record<string, string>) => Node} list.none What stands in the place of rows if there are none.
 * @param {import("./filters.js").Filter[]} list.filters
 * @param {string} list.path Where the API has the list.
 * @param {string} list.rows The member of the answer that has the rows.
 * @param {string} list.limit How many rows a page has at most.
 * @param {string} [list.place] The parameter that says where a page begins; `after` by default.
 * @param {import("../shapes.js").Visit} visit
 */
export function filteredList(list, { query, signal }) {
  const { title, columns, key, limit, place = "after" } = list;
  const rows = table({ title, columns, key, none: () => list.none(fields.values()) });
  const pages = pager(() => read());
  const fields = filterForm(list.filters, query, () => {
    pages.reset();
    read();
  });
  /** What was asked last: an answer to an older question is not shown. */
  let asked = 0;
  const load = async () => {
    const mine = (asked += 1);
    const asks = { ...fields.values(), limit, [place]: pages.after() };
    const page = /** @type {Record<string, any>} */ (await get(list.path, { query: asks, signal }));
    if (mine !== asked) return;
    rows.show(page[list.rows]);
    pages.read(page[list.rows].length, page.next);
  };
  const read = paced(load, 100, signal);
  return { elements: [fields.element, rows.element, pages.element], load, read };
}
