// @ts-check
/** The keyboard: `/` to search, `j` and `k` through rows, `g` and a letter to another page, `?` for help. */
import { button, h } from "./dom.js";
import { allowed } from "./pages.js";
import { go } from "./router.js";
import { current } from "./session.js";
import { open } from "./parts/dialog.js";

/** Milliseconds within which the letter after `g` comes. */
const TOGETHER = 1500;
let going = 0;

/** Begins to listen to the keyboard. */
export function listen() {
  document.addEventListener("keydown", (event) => {
    if (!current() || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog")) return;
    const field = event.target instanceof Element && event.target.closest("input, textarea, select");
    if (field) return event.key === "Escape" ? /** @type {HTMLElement} */ (field).blur() : undefined;
    if (pressed(event.key)) event.preventDefault();
  });
}

/**
 * Does what a key is for; returns whether it is for anything.
 * @param {string} key
 */
function pressed(key) {
  if (Date.now() - going < TOGETHER) {
    going = 0;
    return goTo(key);
  }
  if (key === "g") going = Date.now();
  else if (key === "/") return focus(document.querySelector("[data-search]"));
  else if (key === "j" || key === "k") return step(key === "j" ? 1 : -1);
  else if (key === "?") showHelp();
  else return false;
  return true;
}

/** @param {string} key */
function goTo(key) {
  const place = allowed().find((each) => each.key === key);
  if (place) go([place.name]);
  return Boolean(place);
}

/** @param {Element | null} element */
function focus(element) {
  if (!(element instanceof HTMLElement)) return false;
  element.focus();
  if (element instanceof HTMLInputElement) element.select();
  return true;
}

/**
 * Moves the focus to the first link of the next row, or of the one before.
 * @param {number} by
 */
function step(by) {
  const rows = [...document.querySelectorAll("main tbody tr, main .feed li")].filter((row) =>
    row.querySelector("a, button"),
  );
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const next = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by];
  next?.scrollIntoView({ block: "nearest" });
  return focus(next?.querySelector("a, button") ?? null);
}

/** Shows what the keyboard can do. */
export function showHelp() {
  const moves = allowed().map(({ key, title }) => [`g ${key}`, title]);
  const rows = [
    ["/", "Search"],
    ["j  k", "Next row, row before"],
    ["Enter", "Open the row"],
    ["?", "This help"],
    ["Esc", "Leave a field or a dialog"],
    ...moves,
  ];
  const list = h(
    "dl",
    { class: "shortcuts" },
    rows.flatMap(([keys, text]) => [h("dt", null, h("kbd", null, keys)), h("dd", null, text)]),
  );
  const content = h(
    "div",
    null,
    h("h2", null, "Keyboard"),
    list,
    h(
      "footer",
      null,
      button("Close", () => dialog.close(false), { class: "primary" }),
    ),
  );
  const dialog = open(content, "Keyboard");
}
