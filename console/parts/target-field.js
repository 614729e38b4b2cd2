// @ts-check
/** The field for whom a command is: one terminal, several, those with labels, or all. */
import { fill, h } from "../dom.js";
import { get } from "../http.js";
import { settled, trouble } from "../live.js";
import { labelText, readLabels } from "../text.js";
import { choice } from "./choice.js";
import { SAVED, savedSelectors } from "./saved-selectors.js";

/** @typedef {import("../shapes.js").Target} Target */
/** @typedef {{ label: string, hint: string, read: (text: string) => Target, rows?: number, list?: string }} Way */

/** The id of the list of terminals whose ids begin as the text does. */
const FOUND = "terminals-found";

/** As many terminals a command names at most. */
const NAMED = 10_000;

/** The ways to say whom. `read` throws what is wrong with the text. @type {Record<string, Way>} */
const WAYS = {
  terminal: {
    label: "Terminal",
    hint: "its id",
    list: FOUND,
    read: (text) => ({ terminal: needed(text, "Which terminal?") }),
  },
  labels: {
    label: "Labels, all of which it has",
    hint: "site=bj,kind=kiosk",
    read: (text) => ({ labels: readLabels(needed(text, "Which labels?")) }),
  },
  match: {
    label: "Expression",
    hint: "site = bj and version < 2.1 and not (kind in (kiosk, door))",
    list: SAVED,
    read: (text) => ({ match: needed(text, "Which terminals?") }),
  },
  terminals: {
    label: "Terminals, one a line",
    hint: "till-1\ntill-2",
    rows: 4,
    read: (text) => ({ terminals: idsOf(needed(text, "Which terminals?")) }),
  },
  all: { label: "", hint: "", read: () => ({ all: true }) },
};

/** @type {[string, string][]} */
const CHOICES = [
  ["terminal", "One"],
  ["labels", "By labels"],
  ["match", "By expression"],
  ["terminals", "Several"],
  ["all", "All"],
];

/**
 * @param {string} text
 * @param {string} question
 */
function needed(text, question) {
  if (!text.trim()) throw new Error(question);
  return text.trim();
}

/** @param {string} text */
function idsOf(text) {
  const ids = [...new Set(text.split(/[\s,]+/).filter(Boolean))];
  if (ids.length > NAMED) throw new Error(`A command names at most ${NAMED} terminals; choose them by labels`);
  return ids;
}

/**
 * @param {URLSearchParams} query What the page was opened with: `terminal`, `labels` or `match`.
 * @param {() => void} changed
 * @param {AbortSignal} signal
 */
export function targetField(query, changed, signal) {
  let way = ["labels", "match"].find((each) => query.get(each)) ?? "terminal";
  const place = h("div", null);
  const suggestions = h("datalist", { id: FOUND });
  /** @type {Record<string, string>} */
  const texts = Object.fromEntries(["terminal", "labels", "match"].map((each) => [each, query.get(each) ?? ""]));
  const suggest = settled(() => found(texts.terminal ?? "", suggestions, signal), 150);
  const show = () => {
    const { label, hint, rows, list } = /** @type {Way} */ (WAYS[way]);
    const oninput = (/** @type {Event} */ event) => {
      texts[way] = /** @type {HTMLInputElement} */ (event.target).value;
      if (way === "terminal") suggest();
      changed();
    };
    const props = {
      oninput,
      value: texts[way] ?? "",
      placeholder: hint,
      autocomplete: "off",
      spellcheck: "false",
      "data-search": true,
    };
    const input = rows
      ? h("textarea", { ...props, rows })
      : h("input", { ...props, list });
    fill(
      place,
      label
        ? h("label", { class: "field" }, h("span", null, label), input)
        : h("p", { class: "notice" }, "Every terminal of the cluster, or all that this key reaches."),
    );
  };
  show();
  const pick = choice("For whom", CHOICES, way, (next) => {
    way = next;
    show();
    changed();
  });
  return {
    element: h("div", null, pick, place, suggestions, savedSelectors(signal)),
    /** The selector. Throws what is missing. @returns {Target} */
    value: () => /** @type {Way} */ (WAYS[way]).read(texts[way] ?? ""),
  };
}

/**
 * Suggests terminals whose ids begin so.
 * @param {string} prefix
 * @param {HTMLElement} suggestions
 * @param {AbortSignal} signal
 */
async function found(prefix, suggestions, signal) {
  if (!prefix) return fill(suggestions);
  try {
    const { terminals } = /** @type {{ terminals: { id: string }[] }} */ (
      await get("/v1/terminals", { query: { prefix, limit: "8" }, signal })
    );
    return fill(
      suggestions,
      terminals.map(({ id }) => h("option", { value: id })),
    );
  } catch (error) {
    return trouble(error);
  }
}

/**
 * Some of the terminals that a selector chooses, and whether there are more.
 * @param {Target} target
 * @param {number} most
 * @returns {Promise<string[]>}
 */
export async function someOf(target, most) {
  if (target.terminal) return [target.terminal];
  if (target.terminals) return target.terminals.slice(0, most);
  const selector = target.labels ? labelText(target.labels) : "";
  const query = { selector, match: target.match, limit: String(most) };
  const { terminals } = /** @type {{ terminals: { id: string }[] }} */ (await get("/v1/terminals", { query }));
  return terminals.map(({ id }) => id);
}
