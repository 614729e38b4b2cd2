// @ts-check
/** The frame around all pages: navigation, who is signed in, and whether the line is up. */
import { button, fill, h, word } from "./dom.js";
import { showHelp } from "./keyboard.js";
import { tell } from "./live.js";
import { allowed } from "./pages.js";
import { to } from "./router.js";
import { current, signOut } from "./session.js";
import { labelText } from "./text.js";

/** Makes the frame. `show` puts a page into it. */
export function shell() {
  const main = h("main", { id: "main" });
  const line = h("p", { class: "line", role: "status" });
  const trouble = h("div", { role: "alert", class: "trouble" });
  const links = navigation();
  const skip = h(
    "a",
    { class: "skip", href: "#main", onclick: (/** @type {Event} */ event) => toMain(event, main) },
    "Skip to content",
  );
  const brand = h(
    "a",
    { class: "brand", href: to(["fleet"]) },
    h("img", { src: "icon.svg", alt: "", width: "24", height: "24" }),
    "Muster",
  );
  const side = h("header", { class: "sidebar" }, brand, links.element, h("div", { class: "foot" }, line, account()));
  tell(
    ({ up, text }) => {
      line.dataset.state = up ? "online" : "failing";
      fill(line, text || "Connecting …");
    },
    (text) => fill(trouble, text),
  );
  return {
    element: h("div", { class: "shell" }, skip, side, h("div", { class: "page" }, trouble, main)),
    /**
     * @param {string} place
     * @param {HTMLElement} page
     */
    show: (place, page) => {
      links.mark(place);
      fill(trouble);
      fill(main, page);
      scrollTo(0, 0);
      /** @type {HTMLElement | null} */ (main.querySelector("[autofocus]") ?? main.querySelector("h1"))?.focus({
        preventScroll: true,
      });
    },
  };
}

/**
 * @param {Event} event
 * @param {HTMLElement} main
 */
function toMain(event, main) {
  event.preventDefault();
  main.querySelector("h1")?.focus();
}

/** The links to the places that the key may see. */
function navigation() {
  const links = allowed().map(({ name, title, key }) =>
    h("a", { href: to([name]), "data-place": name, title: `g ${key}` }, title),
  );
  return {
    element: h("nav", { "aria-label": "Console" }, links),
    /** @param {string} place */
    mark: (place) => {
      for (const each of links) {
        if (each.dataset.place !== place) each.removeAttribute("aria-current");
        else {
          each.setAttribute("aria-current", "page");
          // On a narrow screen the navigation is a strip.
          each.scrollIntoView({ block: "nearest", inline: "center" });
        }
      }
    },
  };
}

function account() {
  const session = current();
  const scope = session?.scopes[session.scopes.length - 1] ?? "";
  const limits = Object.keys(session?.labels ?? {}).length ? ` · ${labelText(session?.labels ?? {})}` : "";
  const who = session?.token
    ? h(
        "p",
        { class: "who" },
        h("b", null, word(session.name ?? "")),
        h("span", { class: "faint" }, `${scope}${limits}`),
      )
    : h(
        "p",
        { class: "who" },
        h("b", null, "No key needed"),
        h("span", { class: "faint" }, "--insecure lets anyone in"),
      );
  const keys = button("Keyboard", showHelp, { class: "quiet", "aria-keyshortcuts": "?" });
  return h("div", { class: "account" }, who, h("div", null, keys, button("Sign out", signOut, { class: "quiet" })));
}
