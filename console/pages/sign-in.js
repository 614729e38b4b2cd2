// @ts-check
/** The sign-in: a key is exchanged for a short session. */
import { fill, h } from "../dom.js";
import { signIn } from "../session.js";

/**
 * @param {string} reason Why the session before ended; empty if there was none.
 * @param {() => void} done
 */
export function signInPage(reason, done) {
  const key = h("input", {
    type: "password",
    id: "key",
    autocomplete: "off",
    spellcheck: "false",
    autofocus: true,
    "aria-describedby": "key-hint",
  });
  const error = h("p", { class: "error", role: "alert" });
  const go = h("button", { type: "submit", class: "primary" }, "Sign in");
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    go.disabled = true;
    const failed = await signIn(key.value.trim());
    go.disabled = false;
    if (failed === null) return done();
    fill(error, failed);
    key.select();
  };
  const hint = h(
    "p",
    { id: "key-hint", class: "faint" },
    "An operator’s key, as ",
    h("code", null, "muster-node key"),
    " makes it. It stays in this tab only, as a session of at most 12 hours. Leave it empty if nodes run with ",
    h("code", null, "--insecure"),
    ".",
  );
  return h(
    "main",
    { class: "sign-in" },
    h("img", { src: "icon.svg", alt: "", width: "48", height: "48" }),
    h("h1", null, "Muster"),
    reason ? h("p", { class: "notice", role: "status" }, reason) : null,
    h("form", { onsubmit: submit }, h("label", { for: "key" }, "Key"), key, hint, error, go),
  );
}
