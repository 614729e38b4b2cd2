// @ts-check
/** A selector in words. */
import { h, word } from "../dom.js";
import { counted } from "../text.js";
import { labelList, terminalLink } from "./signs.js";

/**
 * @param {import("../shapes.js").Target} [target] None if it names too many terminals to be shown.
 * @returns {Node}
 */
export function targetText(target) {
  if (!target) return h("span", null, "many terminals");
  if (target.all) return h("span", null, "all terminals");
  if (target.terminal) return terminalLink(target.terminal);
  if (target.labels) return labelList(target.labels);
  if (target.match) return h("code", null, word(target.match));
  const named = target.terminals ?? [];
  return named.length === 1 ? terminalLink(named[0] ?? "") : h("span", null, counted(named.length, "named terminal"));
}
