// @ts-check
/** The notices: what is posted to which URL, and what waits. They are set by `muster notices set` or the API. */
import { h, link, word } from "../dom.js";
import { get } from "../http.js";
import { poll } from "../live.js";
import { to } from "../router.js";
import { number } from "../text.js";
import { empty, head } from "../parts/signs.js";
import { table } from "../parts/table.js";

/** @typedef {import("../shapes.js").Notice} Notice */
/** @typedef {import("../shapes.js").Visit} Visit */

/** @param {Visit} visit */
function open({ signal }) {
  const rows = table({ title: "Notices", columns: COLUMNS, key: ({ name }) => name, none });
  poll(
    async () => {
      const page = /** @type {{ notices: Notice[] }} */ (await get("/v1/notices", { signal }));
      rows.show(page.notices);
    },
    3000,
    signal,
  );
  return h("div", null, head("Notices"), rows.element);
}

/** @type {import("../parts/table.js").Column<Notice>[]} */
const COLUMNS = [
  { title: "Notice", cell: ({ name }) => link(to(["notices", name]), word(name)) },
  { title: "Tells of", class: "wide", cell: ({ on }) => on.join(", ") },
  { title: "To", class: "wide", cell: ({ url }) => h("code", null, word(hostOf(url))) },
  { title: "Waiting", class: "number", cell: ({ waiting }) => number(waiting) },
  { title: "Lost", class: "number", cell: ({ lost }) => h("span", { class: lost ? "bad" : "faint" }, number(lost)) },
  { title: "By", class: "side", cell: ({ by }) => (by ? word(by) : h("span", { class: "faint" }, "–")) },
];

/**
 * The receiver, without the path: in many URLs the path is a secret.
 * @param {string} url
 */
export const hostOf = (url) => {
  const { protocol, host } = new URL(url);
  return `${protocol}//${host}`;
};

const none = () =>
  empty("No notice is set", "A notice posts what you must hear to a URL. Set one with muster notices set NAME URL --on KIND.");

export const noticesPage = { scope: "admin", open };
