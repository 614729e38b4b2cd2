// @ts-check
/** The commands that are stored, the newest first. */
import { ago, h, link, word } from "../dom.js";
import { every, paced } from "../live.js";
import { to } from "../router.js";
import { may } from "../session.js";
import { follow } from "../stream.js";
import { number } from "../text.js";
import { filteredList } from "../parts/filtered-list.js";
import { idText } from "../parts/filters.js";
import { commandLink, empty, head, progress, sign } from "../parts/signs.js";
import { targetText } from "../parts/target-text.js";

/** @typedef {import("../shapes.js").Command} Command */
/** @typedef {import("../shapes.js").Visit} Visit */

/** @type {import("../parts/filters.js").Filter[]} */
const FILTERS = [
  { name: "name", title: "Name", hint: "reboot", search: true },
  {
    name: "state",
    title: "State",
    choices: [
      ["", "any"],
      ["open", "open"],
      ["done", "done"],
      ["cancelled", "cancelled"],
    ],
  },
  { name: "by", title: "Sent by", hint: "operator" },
  { name: "terminal", title: "For terminal", hint: "its id", check: idText },
];

/** @param {Visit} visit */
function open(visit) {
  const { signal } = visit;
  const { elements, load, read } = filteredList(LIST, visit);
  const again = paced(load, 1500, signal);
  read();
  follow({ query: { kind: "command.counts,command.done" }, opened: again, heard: again }, signal);
  every(async () => again(), 10_000, signal);
  const send = may("command") && h("a", { class: "button primary", href: to(["send"]) }, "Send a command");
  return h("div", null, head("Commands", send), elements);
}

/** @type {import("../parts/table.js").Column<Command>[]} */
const COLUMNS = [
  { title: "Command", class: "wide", cell: ({ id, name }) => commandLink(id, name) },
  { title: "State", cell: ({ state }) => sign(state) },
  { title: "For", class: "wide", cell: ({ target }) => targetText(target) },
  { title: "Progress", cell: (row) => progress(row) },
  { title: "Targets", class: "number", cell: ({ targets }) => number(targets) },
  { title: "By", class: "side", cell: ({ by }) => (by ? word(by) : h("span", { class: "faint" }, "–")) },
  { title: "Sent", class: "number", cell: ({ created_at }) => ago(created_at) },
];

/** @param {Record<string, string>} filters */
const none = (filters) =>
  Object.values(filters).some(Boolean)
    ? empty("No such command", "No stored command meets these conditions. ", link(to(["commands"]), "Show all"))
    : empty("No command yet", may("command") ? link(to(["send"]), "Send the first one") : "Nobody has sent one.");

/** @type {Parameters<typeof filteredList<Command>>[0]} */
const LIST = {
  title: "Commands",
  columns: COLUMNS,
  key: ({ id }) => id,
  none,
  filters: FILTERS,
  path: "/v1/commands",
  rows: "commands",
  limit: "30",
};

export const commandsPage = { scope: "read", open };
