// @ts-check
/** One of a few: buttons side by side, as radio buttons. */
import { h } from "../dom.js";

let made = 0;

/**
 * @param {string} title
 * @param {[string, string][]} choices Values with their words.
 * @param {string} chosen
 * @param {(value: string) => void} changed
 */
export function choice(title, choices, chosen, changed) {
  const name = `choice-${(made += 1)}`;
  const options = choices.map(([value, text]) =>
    h(
      "label",
      null,
      h("input", { type: "radio", name, value, checked: value === chosen, onchange: () => changed(value) }),
      h("span", null, text),
    ),
  );
  return h("fieldset", { class: "choice" }, h("legend", { class: "heard" }, title), options);
}
