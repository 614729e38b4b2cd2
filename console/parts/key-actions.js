// @ts-check
/** Making a key, which is shown once, and revoking one. */
import { button, fill, h, word } from "../dom.js";
import { ask as request, call, path } from "../http.js";
import { readLabels } from "../text.js";
import { ask, open, say } from "./dialog.js";

/** @typedef {import("../shapes.js").Key} Key */

/** Asks what the key is for, makes it, and shows it. */
export async function makeKey() {
  const name = h("input", { required: true, maxlength: "128", autocomplete: "off" });
  const scope = h(
    "select",
    null,
    [
      ["read", "read: sees everything"],
      ["command", "command: also sends"],
      ["admin", "admin: everything"],
    ].map(([value, text]) => h("option", { value }, text)),
  );
  const valid = h("input", { value: "30d", class: "short", autocomplete: "off" });
  const labels = h("input", { placeholder: "all terminals", autocomplete: "off", spellcheck: "false" });
  const commands = h("input", { placeholder: "all commands", autocomplete: "off", spellcheck: "false" });
  const fields = /** @type {[string, HTMLElement][]} */ ([
    ["The operator’s name", name],
    ["Scope", scope],
    ["Valid for", valid],
    ["Only terminals with these labels", labels],
    ["Only commands with these names", commands],
  ]);
  let key = "";
  const act = async () => {
    const names = commands.value
      .split(",")
      .map((each) => each.trim())
      .filter(Boolean);
    const body = {
      name: name.value.trim(),
      scope: scope.value,
      valid_for: valid.value.trim(),
      labels: readLabels(labels.value),
      commands: names,
    };
    ({ key } = /** @type {{ key: string }} */ (await call("POST", "/v1/keys", { body })));
  };
  const text = fields.map(([title, input]) => h("label", { class: "field" }, h("span", null, title), input));
  if (await ask({ title: "Make a key", text, yes: "Make the key", act })) showKey(key);
}

/** @param {string} key */
function showKey(key) {
  const shown = h("textarea", { readonly: true, rows: "5", value: key, "aria-label": "The key", class: "code" });
  const copied = h("span", { class: "faint", role: "status" });
  const copy = async () => {
    shown.select();
    // Pages without TLS have no clipboard: the text is selected, for Ctrl+C.
    const done = await navigator.clipboard?.writeText(key).then(
      () => true,
      () => false,
    );
    fill(copied, done ? "Copied." : "Selected: copy it with Ctrl+C.");
  };
  const close = button("I have it", () => dialog.close(true), { class: "primary" });
  const text = h("p", null, "Nobody can look it up later. Give it to the operator now.");
  const content = h(
    "div",
    null,
    h("h2", null, "The key"),
    text,
    shown,
    h("footer", null, copied, button("Copy", copy), close),
  );
  const dialog = open(content, "The key");
}

/** @param {Key} key */
export async function revokeKey({ id, name }) {
  const text = h(
    "p",
    null,
    "Within two seconds no node accepts the key of ",
    h("b", null, word(name)),
    " any more, and sessions and streams that live by it end.",
  );
  const act = async () => {
    await request("DELETE", path("keys", id));
  };
  if (await ask({ title: "Revoke this key?", text, yes: "Revoke", danger: true, act })) say("The key is revoked.");
}
