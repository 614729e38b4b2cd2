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
 * Asks, and does it if the answer is yes. Returns whether it was done. While it is being done, Cancel and Escape do nothing.
 * @param {Question} question
 * @returns {Promise<boolean>}
 */
export function ask({ title, text, yes, danger, typed, act }) {
  return new Promise((done) => {
    const error = h("p", { class: "error", role: "alert" });
    const go = h("button", { type: "submit", class: danger ? "danger" : "primary", disabled: Boolean(typed) }, yes);
    let busy = false;
    let right = !typed;
    const show = () => {
      go.disabled = busy || !right;
      stay.disabled = busy;
    };
    const guard = typed
      ? typing(typed, (now) => {
          right = now;
          show();
        })
      : null;
    const submit = async (/** @type {Event} */ event) => {
      event.preventDefault();
      if (busy) return;
      busy = true;
      show();
      const failed = await failure(act);
      busy = false;
      show();
      if (!element.open) answer(failed);
      else if (failed === null) close(true);
      else fill(error, failed);
    };
    /** Answers for a dialog that the browser closed all the same, as some do at a second Escape. */
    const answer = (/** @type {string | null} */ failed) => {
      if (failed !== null) say(failed);
      done(failed === null);
    };
    const stay = button("Cancel", () => close(false));
    const buttons = h("footer", null, stay, go);
    const form = h("form", { onsubmit: submit }, h("h2", null, title), h("div", null, text), guard, error, buttons);
    const { close, element } = open(form, title, (result) => busy || done(result));
    element.addEventListener("cancel", (event) => busy && event.preventDefault());
    if (!element.querySelector("input, textarea, select")) stay.focus();
  });
}

/**
 * Does it. Returns what it failed of, or null.
 * @param {() => Promise<void>} act
 * @returns {Promise<string | null>}
 */
async function failure(act) {
  try {
    await act();
    return null;
  } catch (thrown) {
    return /** @type {Error} */ (thrown).message;
  }
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
