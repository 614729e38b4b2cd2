// @ts-check
/** The audit: who changed what, from where, and with which result. */
import { ago, h, link, word } from "../dom.js";
import { poll } from "../live.js";
import { to } from "../router.js";
import { number } from "../text.js";
import { filteredList } from "../parts/filtered-list.js";
import { commandText, idText } from "../parts/filters.js";
import { commandLink, empty, head, terminalLink } from "../parts/signs.js";

/** @typedef {import("../shapes.js").AuditRecord} AuditRecord */
/** @typedef {import("../shapes.js").Visit} Visit */

/** @type {import("../parts/filters.js").Filter[]} */
const FILTERS = [
  { name: "by", title: "By", hint: "operator", search: true },
  { name: "terminal", title: "Terminal", hint: "its id", check: idText },
  { name: "command", title: "Command", hint: "its id", check: commandText },
];

/** @param {Visit} visit */
function open(visit) {
  const { elements, load } = filteredList(LIST, visit);
  poll(load, 5000, visit.signal);
  return h("div", null, head("Audit"), elements);
}

/** @type {import("../parts/table.js").Column<AuditRecord>[]} */
const COLUMNS = [
  { title: "When", cell: ({ at }) => ago(at) },
  {
    title: "By",
    cell: ({ by, key }) =>
      h(
        "span",
        { title: key ? `key ${key}` : null },
        by ? link(to(["audit"], { by }), word(by)) : h("span", { class: "faint" }, "nobody known"),
      ),
  },
  {
    title: "Call",
    class: "wide",
    cell: ({ method, route, repeated }) =>
      h("span", null, h("code", null, `${method} ${route}`), repeated ? h("span", { class: "faint" }, " again") : null),
  },
  { title: "About", class: "wide", cell: (record) => h("span", { class: "about" }, aboutOf(record)) },
  { title: "Targets", class: "number side", cell: ({ targets }) => (targets === undefined ? "" : number(targets)) },
  {
    title: "Answer",
    cell: ({ status, error }) =>
      h("span", { class: status < 400 ? "good" : "bad" }, `${status}${error ? ` ${error}` : ""}`),
  },
  { title: "From", class: "side", cell: ({ address }) => word(address) },
];

/** As many terminals of one record are shown. */
const SHOWN = 3;

/** @param {AuditRecord} record @returns {import("../dom.js").Piece[]} */
function aboutOf({ command, terminals = [], subject }) {
  const shown = terminals.slice(0, SHOWN).map(terminalLink);
  const more = terminals.length > SHOWN ? `and ${terminals.length - SHOWN} more` : null;
  return [command ? commandLink(command) : null, ...shown, more, subject ? word(subject) : null];
}

/** @type {Parameters<typeof filteredList<AuditRecord>>[0]} */
const LIST = {
  title: "Audit",
  columns: COLUMNS,
  key: ({ request_id, at }) => `${at} ${request_id}`,
  none: () => empty("Nothing", "No call that changes something is recorded under these conditions."),
  filters: FILTERS,
  path: "/v1/audit",
  rows: "records",
  limit: "50",
  place: "before",
};

export const auditPage = { scope: "admin", open };
