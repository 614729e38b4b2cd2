// @ts-check
/** The registry: search by the beginning of an id as one types, filters, and pages that the server makes. */
import { ago, h, link, word } from "../dom.js";
import { paced } from "../live.js";
import { to } from "../router.js";
import { may } from "../session.js";
import { follow } from "../stream.js";
import { filteredList } from "../parts/filtered-list.js";
import { idText, labelsText } from "../parts/filters.js";
import { SAVED, savedSelectors } from "../parts/saved-selectors.js";
import { empty, head, labelList, sign, terminalLink } from "../parts/signs.js";

/** @typedef {import("../shapes.js").Terminal} Terminal */
/** @typedef {import("../shapes.js").Visit} Visit */

/** @type {import("../parts/filters.js").Filter[]} */
const FILTERS = [
  { name: "prefix", title: "Id", hint: "begins with …", search: true, check: idText },
  { name: "selector", title: "Labels", hint: "site=bj,kind=kiosk", check: labelsText },
  { name: "match", title: "Expression", hint: "@condition = failing or version < 2.1", list: SAVED },
  {
    name: "status",
    title: "Status",
    choices: [
      ["", "any"],
      ["online", "online"],
      ["stale", "stale"],
      ["offline", "offline"],
    ],
  },
];

/** @param {Visit} visit */
function open(visit) {
  const { signal } = visit;
  const { elements, load, read } = filteredList(LIST, visit);
  const again = paced(load, 2000, signal);
  read();
  follow({ query: { kind: "terminal.online,terminal.offline,terminal.health" }, opened: again, heard: again }, signal);
  const send = may("command") && h("a", { class: "button", href: to(["send"]) }, "Send a command");
  return h("div", null, head("Terminals", send), elements, savedSelectors(signal));
}

/** @type {import("../parts/table.js").Column<Terminal>[]} */
const COLUMNS = [
  { title: "Terminal", class: "wide", cell: ({ id }) => terminalLink(id) },
  { title: "Status", cell: ({ status }) => sign(status) },
  { title: "Condition", cell: ({ condition }) => sign(condition) },
  { title: "Labels", class: "wide", cell: ({ labels }) => labelList(labels) },
  { title: "Node", class: "side", cell: ({ node }) => (node ? word(node) : h("span", { class: "faint" }, "–")) },
  { title: "Round trip", class: "number side", cell: ({ rtt_ms }) => (rtt_ms === null ? "–" : `${rtt_ms} ms`) },
  { title: "Last seen", class: "number", cell: ({ last_seen }) => ago(last_seen) },
];

/** @param {Record<string, string>} filters */
const none = (filters) =>
  Object.values(filters).some(Boolean)
    ? empty(
        "No such terminal",
        "No terminal of this cluster meets these conditions. ",
        link(to(["terminals"]), "Show all"),
      )
    : empty("No terminal yet", "A terminal is listed here once it has connected.");

/** @type {Parameters<typeof filteredList<Terminal>>[0]} */
const LIST = {
  title: "Terminals",
  columns: COLUMNS,
  key: ({ id }) => id,
  none,
  filters: FILTERS,
  path: "/v1/terminals",
  rows: "terminals",
  limit: "50",
};

export const terminalsPage = { scope: "read", open };
