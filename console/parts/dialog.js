// @ts-check
/** Dialogs: a question before something is done, and forms. */
import { button, fill, h } from "../dom.js";
import { plain } from "../text.js";

/** @typedef {import("../dom.js").Child} Child */
/**
 * @typedef {object} Question
 * @property {string} title
 * @property {Child} text
 * @property {string} yes What the button says that does it.
 * @property {boolean} [danger] Whether what is done can't be undone.
 * @property {string} [typed] What the operator must type first.
 * @property {() => Promise<void>} act Does it. What it throws is shown, and the dialog stays.
 */

/**
 * Asks, and does it if the answer is yes. Returns whether it was done.
 * @param {Question} question
 * @returns {Promise<boolean>}
 */
export function ask({ title, text, yes, danger, typed, act }) {
  return new Promise((done) => {
    const error = h("p", { class: "error", role: "alert" });
    const go = h("button", { type: "submit", class: danger ? "danger" : "primary", disabled: Boolean(typed) }, yes);
    const guard = typed ? typing(typed, (right) => (go.disabled = !right)) : null;
    const submit = async (/** @type {Event} */ event) => {
      event.preventDefault();
      go.disabled = true;
      const failed = await act().then(
        () => null,
        (/** @type {Error} */ failure) => failure.message,
      );
      go.disabled = false;
      if (failed === null) close(true);
      else fill(error, failed);
    };
    const stay = button("Cancel", () => close(false));
    const buttons = h("footer", null, stay, go);
    const form = h("form", { onsubmit: submit }, h("h2", null, title), h("div", null, text), guard, error, buttons);
    const { close, element } = open(form, title, done);
    if (!element.querySelector("input, textarea, select")) stay.focus();
  });
}

/**
 * A field into which the operator types what shows that it is meant.
 * @param {string} wanted
 * @param {(right: boolean) => void} typed
 */
function typing(wanted, typed) {
  const check = (/** @type {Event} */ event) =>
    typed(/** @type {HTMLInputElement} */ (event.target).value.replace(/[,\s]/g, "") === wanted);
  const input = h("input", { autocomplete: "off", oninput: check, class: "short" });
  return h("label", { class: "field" }, h("span", null, "Type ", h("b", null, wanted), " to go on"), input);
}

/**
 * Opens a dialog with this content. Escape closes it.
 * @param {HTMLElement} content
 * @param {string} title
 * @param {(done: boolean) => void} closed
 */
export function open(content, title, closed = () => {}) {
  const element = h("dialog", { "aria-label": title }, content);
  let result = false;
  element.addEventListener("close", () => {
    element.remove();
    closed(result);
  });
  document.body.append(element);
  element.showModal();
  const close = (/** @type {boolean} */ done) => {
    result = done;
    element.close();
  };
  return { close, element };
}

let gone = 0;

/**
 * Says something for a few seconds.
 * @param {string} text
 */
export function say(text) {
  const place = document.getElementById("said");
  if (!place) return;
  place.textContent = plain(text);
  clearTimeout(gone);
  gone = setTimeout(() => (place.textContent = ""), 6000);
}
