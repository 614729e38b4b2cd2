// @ts-check
/** Fields by which a list is filtered, kept in the page's address. */
import { h } from "../dom.js";
import { settled } from "../live.js";
import { keep } from "../router.js";
import { readLabels } from "../text.js";

/**
 * @typedef {object} Filter
 * @property {string} name The parameter.
 * @property {string} title
 * @property {[string, string][]} [choices] Values with their words. Without them it is a text.
 * @property {string} [hint]
 * @property {string} [list] The id of a list of texts that are offered.
 * @property {boolean} [search] Whether `/` leads here.
 * @property {(text: string) => string} [check] Why the node would refuse this text; empty if it would not. Then nothing is asked.
 */

/**
 * @param {Filter[]} filters
 * @param {URLSearchParams} query What the page was opened with.
 * @param {() => void} changed Is called when the operator has changed one, and rests for a moment.
 */
export function filterForm(filters, query, changed) {
  const soon = settled(() => {
    const wrong = fields
      .map(({ filter, input }) => marked(input, filter.check?.(input.value.trim()) ?? ""))
      .some(Boolean);
    if (wrong) return;
    keep(values());
    changed();
  }, 150);
  const fields = filters.map((filter) => ({ filter, input: inputOf(filter, query, soon) }));
  const values = () => Object.fromEntries(fields.map(({ filter, input }) => [filter.name, input.value.trim()]));
  const labelled = fields.map(({ filter, input }) => h("label", null, h("span", null, filter.title), input));
  const element = h(
    "form",
    { class: "filters", role: "search", onsubmit: (/** @type {Event} */ event) => event.preventDefault() },
    labelled,
  );
  return { element, values };
}

/**
 * Marks a field with what is wrong of it, which it returns.
 * @param {HTMLInputElement | HTMLSelectElement} input
 * @param {string} wrong
 */
function marked(input, wrong) {
  if (wrong) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
  input.title = wrong;
  return wrong;
}

/** Whether ids may have such a text. @param {string} text */
export const idText = (text) =>
  /^[A-Za-z0-9._:-]{0,128}$/.test(text) ? "" : "Ids have letters, digits and . _ : - only";

/** Whether a text is labels, or nothing. @param {string} text */
export function labelsText(text) {
  try {
    readLabels(text);
    return "";
  } catch (error) {
    return /** @type {Error} */ (error).message;
  }
}

/** Whether a text is the id of a command, or nothing. @param {string} text */
export const commandText = (text) =>
  /^([0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12})?$/i.test(text) ? "" : "The id of a command is a UUID";

/**
 * @param {Filter} filter
 * @param {URLSearchParams} query
 * @param {() => void} changed
 */
function inputOf({ name, choices, hint, list, search }, query, changed) {
  const value = query.get(name) ?? "";
  if (choices) {
    const options = choices.map(([key, text]) => h("option", { value: key, selected: key === value }, text));
    return h("select", { name, onchange: changed }, options);
  }
  const props = { type: "search", name, value, list, placeholder: hint, autocomplete: "off", spellcheck: "false" };
  return h("input", { ...props, oninput: changed, "data-search": Boolean(search) });
}
