// @ts-check
/** Operators' keys: which there are, when they were last used; making one, and revoking one. */
import { ago, button, h, word } from "../dom.js";
import { get } from "../http.js";
import { poll } from "../live.js";
import { makeKey, revokeKey } from "../parts/key-actions.js";
import { pager } from "../parts/pager.js";
import { empty, head, labelList, sign } from "../parts/signs.js";
import { table } from "../parts/table.js";

/** @typedef {import("../shapes.js").Key} Key */
/** @typedef {import("../shapes.js").Visit} Visit */

/** @param {Visit} visit */
function open({ signal }) {
  const rows = table({
    title: "Keys",
    columns: COLUMNS(() => read()),
    key: ({ id }) => id,
    none: () => empty("No key is listed", "Keys that muster-node key made are listed once they were used."),
  });
  const pages = pager(() => read());
  const read = poll(
    async () => {
      const page = /** @type {{ keys: Key[], next: string | null }} */ (
        await get("/v1/keys", { query: { limit: "50", after: pages.after() }, signal })
      );
      rows.show(page.keys);
      pages.read(page.keys.length, page.next);
    },
    5000,
    signal,
  );
  const make = button("Make a key", () => makeKey().then(read), { class: "primary" });
  return h("div", null, head("Keys", make), rows.element, pages.element);
}

/** @param {() => void} changed @returns {import("../parts/table.js").Column<Key>[]} */
const COLUMNS = (changed) => [
  { title: "Operator", class: "wide", cell: ({ name }) => h("b", null, word(name)) },
  { title: "Scope", cell: ({ scope }) => scope },
  { title: "Limited to", class: "wide", cell: (key) => limits(key) },
  { title: "Last used", class: "number", cell: ({ last_used_at }) => (last_used_at ? ago(last_used_at) : "never") },
  { title: "Expires", class: "number", cell: ({ expires_at }) => ago(expires_at) },
  {
    title: "Made by",
    class: "side",
    cell: ({ by }) => (by ? word(by) : h("span", { class: "faint" }, "muster-node key")),
  },
  { title: "Id", class: "side", cell: ({ id }) => h("code", { class: "id", title: id }, id.slice(-12)) },
  {
    title: "Actions",
    class: "number",
    cell: (key) =>
      key.revoked ? sign("revoked") : button("Revoke", () => revokeKey(key).then(changed), { class: "danger-quiet" }),
  },
];

/** @param {Key} key */
function limits({ labels = {}, commands = [] }) {
  if (!Object.keys(labels).length && !commands.length) return h("span", { class: "faint" }, "nothing");
  return h(
    "span",
    null,
    labelList(labels),
    commands.length ? [" commands ", h("b", null, word(commands.join(", ")))] : null,
  );
}

export const keysPage = { scope: "admin", open };
