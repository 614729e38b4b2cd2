// @ts-check
/** What an operator can do to a terminal: send to it, label it, close its session, forget it. */
import { button, h, word } from "../dom.js";
import { ask as request, path } from "../http.js";
import { go, to } from "../router.js";
import { may } from "../session.js";
import { readLabels } from "../text.js";
import { ask, say } from "./dialog.js";

/** @typedef {import("../shapes.js").Terminal} Terminal */

/**
 * The buttons that the key allows.
 * @param {Terminal} terminal
 * @param {() => void} changed
 */
export function terminalActions(terminal, changed) {
  const { id, status } = terminal;
  const send =
    may("command") && h("a", { class: "button primary", href: to(["send"], { terminal: id }) }, "Send a command");
  if (!may("admin")) return [send];
  return [
    send,
    button("Labels", () => label(terminal, changed)),
    status !== "offline" && button("Disconnect", () => disconnect(id, changed)),
    button("Forget", () => forget(id), { class: "danger-quiet" }),
  ];
}

/**
 * @param {Terminal} terminal
 * @param {() => void} changed
 */
async function label({ id, labels }, changed) {
  // The API does not say which labels operators set, so the field can't begin with those.
  const input = h("textarea", { rows: "5", spellcheck: "false" });
  const present = Object.entries(labels).map(([key, value]) => h("li", null, word(`${key}=${value}`)));
  const text = [
    h(
      "p",
      null,
      "What is written here replaces all labels that operators set before; an empty field removes them. Labels that operators set win over those of the same key from the terminal or its token.",
    ),
    h("p", null, present.length ? "Its labels now, whoever set them:" : "It has no labels now."),
    present.length > 0 && h("ul", { class: "some" }, present),
    h("label", { class: "field" }, h("span", null, "Labels of operators, a line each: KEY=VALUE"), input),
  ];
  const act = async () => {
    await request("PUT", path("terminals", id, "labels"), { body: readLabels(input.value) });
  };
  if (await ask({ title: `Labels of ${id}`, text, yes: "Set labels", act })) done("The labels are set.", changed);
}

/**
 * @param {string} id
 * @param {() => void} changed
 */
async function disconnect(id, changed) {
  const text = h("p", null, "Its session is closed. It connects again after about a second.");
  const act = async () => {
    await request("DELETE", path("terminals", id, "session"));
  };
  if (await ask({ title: `Disconnect ${id}?`, text, yes: "Disconnect", act }))
    done("Its session is being closed.", changed);
}

/** @param {string} id */
async function forget(id) {
  const text = h(
    "p",
    null,
    word(id),
    " leaves the registry, with the commands that wait for it. Its session is closed, and its client stays away until it is started again.",
  );
  const act = async () => {
    await request("DELETE", path("terminals", id));
  };
  if (await ask({ title: `Forget ${id}?`, text, yes: "Forget it", danger: true, act }))
    done("It is forgotten.", () => go(["terminals"]));
}

/**
 * @param {string} text
 * @param {() => void} after
 */
function done(text, after) {
  say(text);
  after();
}
