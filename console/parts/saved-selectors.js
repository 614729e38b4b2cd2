// @ts-check
/** The saved selectors, offered where an expression is typed. */
import { fill, h } from "../dom.js";
import { get } from "../http.js";
import { trouble } from "../live.js";
import { limited } from "../session.js";

/** @typedef {import("../shapes.js").SavedSelector} SavedSelector */

/** The id of the list, for the attribute `list` of an input. */
export const SAVED = "saved-selectors";

/**
 * The list, which is empty for a limited key: such a key may not read it.
 * @param {AbortSignal} signal
 */
export function savedSelectors(signal) {
  const list = h("datalist", { id: SAVED });
  if (!limited()) offer(list, signal).catch(trouble);
  return list;
}

/**
 * @param {HTMLElement} list
 * @param {AbortSignal} signal
 */
async function offer(list, signal) {
  const { selectors } = /** @type {{ selectors: SavedSelector[] }} */ (
    await get("/v1/selectors", { query: { limit: "128" }, signal })
  );
  fill(
    list,
    selectors.map(({ name, match }) => h("option", { value: `@saved(${name})`, label: match })),
  );
}
