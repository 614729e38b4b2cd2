// @ts-check
/** The rollouts: commands that go out in waves, the newest first. */
import { ago, h, link, word } from "../dom.js";
import { get } from "../http.js";
import { every, paced } from "../live.js";
import { to } from "../router.js";
import { may } from "../session.js";
import { follow } from "../stream.js";
import { counted, number } from "../text.js";
import { pager } from "../parts/pager.js";
import { empty, head, meter, rolloutLink, sign } from "../parts/signs.js";
import { table } from "../parts/table.js";

/** @typedef {import("../shapes.js").Rollout} Rollout */
/** @typedef {import("../shapes.js").Visit} Visit */

/** @param {Visit} visit */
function open({ signal }) {
  const rows = table({ title: "Rollouts", columns: COLUMNS, key: ({ id }) => id, none });
  const pages = pager(() => again());
  const again = paced(
    async () => {
      const page = /** @type {{ rollouts: Rollout[], next: string | null }} */ (
        await get("/v1/rollouts", { query: { limit: "30", after: pages.after() }, signal })
      );
      rows.show(page.rollouts);
      pages.read(page.rollouts.length, page.next);
    },
    1500,
    signal,
  );
  follow({ query: { kind: "rollout.changed" }, opened: again, heard: again }, signal);
  every(async () => again(), 5000, signal);
  const start = may("command") && h("a", { class: "button primary", href: to(["rollouts", "new"]) }, "Start a rollout");
  return h("div", null, head("Rollouts", start), rows.element, pages.element);
}

/** @type {import("../parts/table.js").Column<Rollout>[]} */
const COLUMNS = [
  { title: "Rollout", class: "wide", cell: ({ id, name }) => rolloutLink(id, name) },
  { title: "State", cell: ({ state }) => sign(state) },
  { title: "Wave", cell: ({ wave, of }) => `${wave} of ${of}` },
  { title: "Sent", cell: (row) => sentOf(row) },
  { title: "Targets", class: "number", cell: ({ targets }) => (targets === null ? "–" : number(targets)) },
  { title: "By", class: "side", cell: ({ by }) => (by ? word(by) : h("span", { class: "faint" }, "–")) },
  { title: "Made", class: "number", cell: ({ created_at }) => ago(created_at) },
];

/** @param {Rollout} rollout */
function sentOf({ targets, unsent }) {
  if (targets === null || unsent === null) return h("span", { class: "faint" }, "–");
  return meter(targets - unsent, targets, `sent to ${number(targets - unsent)} of ${counted(targets, "target")}`);
}

const none = () =>
  empty(
    "No rollout yet",
    "A rollout sends a command in waves, and stops by itself when too many fail. ",
    may("command") ? link(to(["rollouts", "new"]), "Start one") : null,
  );

export const rolloutsPage = { scope: "read", open };
