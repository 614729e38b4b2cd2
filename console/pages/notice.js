// @ts-check
/** One notice: what became of its last messages, and a button to try it. */
import { ago, button, fill, h, word } from "../dom.js";
import { call, get, path } from "../http.js";
import { poll } from "../live.js";
import { number } from "../text.js";
import { say } from "../parts/dialog.js";
import { back, card, empty, facts, head } from "../parts/signs.js";
import { table } from "../parts/table.js";
import { hostOf } from "./notices.js";

/** @typedef {import("../shapes.js").Attempt} Attempt */
/** @typedef {import("../shapes.js").Notice} Notice */
/** @typedef {import("../shapes.js").Visit} Visit */

/** @param {Visit} visit */
function open({ id, signal }) {
  const about = h("div", null);
  const rows = table({
    title: "The last attempts",
    columns: COLUMNS,
    key: ({ message, attempt }) => `${message} ${attempt}`,
    none: () => empty("Nothing was posted yet", "Try it: a test says at once whether the receiver takes messages."),
  });
  const read = poll(
    async () => {
      const [notice, page] = /** @type {[Notice, { attempts: Attempt[] }]} */ (
        await Promise.all([
          get(path("notices", id), { signal }),
          get(path("notices", id, "attempts"), { signal }),
        ])
      );
      fill(about, factsOf(notice));
      rows.show(page.attempts);
    },
    2000,
    signal,
  );
  const test = button("Try it", () => tried(id).then(read), { class: "primary" });
  return h(
    "div",
    null,
    head(word(id), test, back("notices", "Notices")),
    about,
    card("The last attempts", null, rows.element),
  );
}

/** @param {Notice} notice */
const factsOf = ({ url, on, off_for, match, waiting, lost }) =>
  facts([
    ["Tells of", on.join(", ")],
    ["To", h("code", null, word(hostOf(url)))],
    ["Off the line for", on.includes("terminal.away") ? off_for : "–"],
    ["Terminals", match ? h("code", null, word(match)) : "all"],
    ["Waiting", number(waiting)],
    ["Lost", number(lost)],
  ]);

/** @type {import("../parts/table.js").Column<Attempt>[]} */
const COLUMNS = [
  { title: "When", cell: ({ at }) => ago(at) },
  { title: "Kind", cell: ({ kind }) => kind },
  { title: "Attempt", class: "number", cell: ({ attempt }) => number(attempt) },
  { title: "Result", class: "wide", cell: (attempt) => resultOf(attempt) },
  { title: "Took", class: "number", cell: ({ took_ms }) => `${number(took_ms)} ms` },
  { title: "Next", class: "number", cell: ({ next_at }) => (next_at ? ago(next_at) : "–") },
  { title: "Message", class: "side", cell: ({ message }) => h("code", { class: "id", title: message }, message.slice(-12)) },
];

/** @param {Attempt} attempt */
function resultOf({ result, status, error }) {
  const text = [result.replace("_", " "), status ? `(${status})` : "", error ? `: ${error}` : ""].join(" ");
  return h("span", { class: result === "delivered" ? "good" : "bad" }, word(text.trim()));
}

/** @param {string} name */
async function tried(name) {
  try {
    const attempt = /** @type {Attempt} */ (await call("POST", path("notices", name, "test")));
    say(attempt.result === "delivered" ? "The receiver took the message." : `It failed: ${attempt.error}`);
  } catch (thrown) {
    say(/** @type {Error} */ (thrown).message);
  }
}

export const noticePage = { scope: "admin", open };
