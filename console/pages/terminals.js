// @ts-check
/** The registry: search by the beginning of an id as one types, filters, and pages that the server makes. */
import { ago, h, link, word } from "../dom.js";
import { get } from "../http.js";
import { paced } from "../live.js";
import { to } from "../router.js";
import { may } from "../session.js";
import { follow } from "../stream.js";
import { filterForm, idText, labelsText } from "../parts/filters.js";
import { pager } from "../parts/pager.js";
import { empty, head, labelList, sign, terminalLink } from "../parts/signs.js";
import { table } from "../parts/table.js";

/** @typedef {import("../shapes.js").Terminal} Terminal */
/** @typedef {import("../shapes.js").Visit} Visit */
/** @typedef {{ terminals: Terminal[], next: string | null }} Page */

const LIMIT = "50";

/** @type {import("../parts/filters.js").Filter[]} */
const FILTERS = [
  { name: "prefix", title: "Id", hint: "begins with …", search: true, check: idText },
  { name: "selector", title: "Labels", hint: "site=bj,kind=kiosk", check: labelsText },
  { name: "match", title: "Expression", hint: "@condition = failing or version < 2.1" },
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
function open({ query, signal }) {
  const rows = table({ title: "Terminals", columns: COLUMNS, key: ({ id }) => id, none: () => none(filters.values()) });
  const pages = pager(() => read());
  const filters = filterForm(FILTERS, query, () => {
    pages.reset();
    read();
  });
  /** What was asked last: an answer to an older question is not shown. */
  let asked = 0;
  const load = async () => {
    const mine = (asked += 1);
    const page = /** @type {Page} */ (
      await get("/v1/terminals", { query: { ...filters.values(), limit: LIMIT, after: pages.after() }, signal })
    );
    if (mine !== asked) return;
    rows.show(page.terminals);
    pages.read(page.terminals.length, page.next);
  };
  const read = paced(load, 100, signal);
  const again = paced(load, 2000, signal);
  read();
  follow({ query: { kind: "terminal.online,terminal.offline,terminal.health" }, opened: again, heard: again }, signal);
  const send = may("command") && h("a", { class: "button", href: to(["send"]) }, "Send a command");
  return h("div", null, head("Terminals", send), filters.element, rows.element, pages.element);
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

export const terminalsPage = { scope: "read", open };
