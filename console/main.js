// @ts-check
/** Opens the console: the page that the address names, or the sign-in. */
import { fill, h, tick } from "./dom.js";
import { listen } from "./keyboard.js";
import { trouble } from "./live.js";
import { pageOf } from "./pages.js";
import { here } from "./router.js";
import { current, may, watch } from "./session.js";
import { shell } from "./shell.js";
import { empty, head } from "./parts/signs.js";
import { signInPage } from "./pages/sign-in.js";

const app = /** @type {HTMLElement} */ (document.getElementById("app"));
/** @type {ReturnType<typeof shell> | null} */
let frame = null;
let left = new AbortController();

/** Shows the page of the address. */
function show() {
  left.abort();
  left = new AbortController();
  document.querySelector("dialog")?.close();
  if (!current()) return signInAgain("");
  frame ??= begin();
  const { path, query } = here();
  const place = pageOf(path);
  document.title = `${place.title} · Muster`;
  frame.show(place.name, opened(place, { id: path[1] ?? "", query, signal: left.signal }));
}

/** Shows the frame around all pages for the first time. */
function begin() {
  const made = shell();
  fill(app, made.element);
  return made;
}

/**
 * @param {ReturnType<typeof pageOf>} place
 * @param {import("./shapes.js").Visit} visit
 */
function opened({ page, allowed }, visit) {
  if (!allowed) {
    const why = may(page.scope)
      ? "It is about the whole fleet, and this key reaches a part of it."
      : `It needs a key with the scope “${page.scope}”.`;
    return h("div", null, head("Not with this key"), empty("This key does not open this page", why));
  }
  try {
    return page.open(visit);
  } catch (error) {
    trouble(error);
    return h("div", null);
  }
}

/**
 * Asks for a key, in place of any page.
 * @param {string} reason Why the session before ended; empty if there was none.
 */
function signInAgain(reason) {
  left.abort();
  frame = null;
  document.title = "Sign in · Muster";
  fill(app, signInPage(reason, show));
  /** @type {HTMLElement | null} */ (app.querySelector("[autofocus]"))?.focus();
}

watch(signInAgain);
listen();
addEventListener("hashchange", show);
setInterval(tick, 5000);
show();
