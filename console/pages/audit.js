// @ts-check
/** The audit: who changed what, from where, and with which result. */
import { ago, h, link, word } from "../dom.js";
import { get } from "../http.js";
import { paced, poll } from "../live.js";
import { to } from "../router.js";
import { number } from "../text.js";
import { commandText, filterForm, idText } from "../parts/filters.js";
import { pager } from "../parts/pager.js";
import { commandLink, empty, head, terminalLink } from "../parts/signs.js";
import { table } from "../parts/table.js";

/** @typedef {import("../shapes.js").AuditRecord} AuditRecord */
/** @typedef {import("../shapes.js").Visit} Visit */

/** @type {import("../parts/filters.js").Filter[]} */
const FILTERS = [
  { name: "by", title: "By", hint: "operator", search: true },
  { name: "terminal", title: "Terminal", hint: "its id", check: idText },
  { name: "command", title: "Command", hint: "its id", check: commandText },
];

/** @param {Visit} visit */
function open({ query, signal }) {
  const rows = table({
    title: "Audit",
    columns: COLUMNS,
    key: ({ request_id, at }) => `${at} ${request_id}`,
    none: () => empty("Nothing", "No call that changes something is recorded under these conditions."),
  });
  const pages = pager(() => read());
  const filters = filterForm(FILTERS, query, () => {
    pages.reset();
    read();
  });
  let asked = 0;
  const load = async () => {
    const mine = (asked += 1);
    const page = /** @type {{ records: AuditRecord[], next: string | null }} */ (
      await get("/v1/audit", { query: { ...filters.values(), limit: "50", before: pages.after() }, signal })
    );
    if (mine !== asked) return;
    rows.show(page.records);
    pages.read(page.records.length, page.next);
  };
  const read = paced(load, 100, signal);
  poll(load, 5000, signal);
  return h("div", null, head("Audit"), filters.element, rows.element, pages.element);
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

export const auditPage = { scope: "admin", open };
