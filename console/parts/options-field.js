// @ts-check
/** How a command is sent: until when it is valid, what must be confirmed, who is left out, how fast. */
import { h } from "../dom.js";

/** @typedef {Record<string, string | number>} Options */

/** @param {() => void} changed */
export function optionsField(changed) {
  const expires = text("60s", changed);
  const confirm = select(
    [
      ["ack", "that it arrived"],
      ["result", "its result"],
      ["none", "nothing"],
    ],
    changed,
  );
  const offline = select(
    [
      ["queue", "get it on return"],
      ["skip", "are left out"],
    ],
    changed,
  );
  const stagger = text("0s", changed);
  const rate = h("input", {
    type: "number",
    min: "0.001",
    max: "1000000",
    step: "any",
    placeholder: "all at once",
    oninput: changed,
  });
  const fields = /** @type {[string, HTMLElement][]} */ ([
    ["Expires in", expires],
    ["Each terminal confirms", confirm],
    ["Terminals that are offline", offline],
    ["Each waits up to", stagger],
    ["Terminals a second", rate],
  ]);
  return {
    element: h(
      "div",
      { class: "options" },
      fields.map(([name, input]) => h("label", { class: "field" }, h("span", null, name), input)),
    ),
    /** The fields of the request that are not as by default. @returns {Options} */
    value: () => ({
      ...(expires.value.trim() ? { expires_in: expires.value.trim() } : {}),
      ...(stagger.value.trim() ? { stagger: stagger.value.trim() } : {}),
      ...(rate.value ? { rate: Number(rate.value) } : {}),
      confirm: confirm.value,
      offline: offline.value,
    }),
  };
}

/**
 * @param {string} hint
 * @param {() => void} changed
 */
const text = (hint, changed) =>
  h("input", {
    placeholder: hint,
    autocomplete: "off",
    oninput: changed,
    pattern: "\\s*([0-9]+\\s*(ms|s|m|min|h|d)\\s*)+",
  });

/**
 * @param {[string, string][]} choices
 * @param {() => void} changed
 */
const select = (choices, changed) =>
  h(
    "select",
    { onchange: changed },
    choices.map(([value, name]) => h("option", { value }, name)),
  );
