// @ts-check
/** The targets of a command: those in one state, or all, with the times of their steps and what they answered. */
import { fill, h } from "../dom.js";
import { get, path } from "../http.js";
import { paced } from "../live.js";
import { badOf, spoken, TARGET_STATES } from "../states.js";
import { clock, number } from "../text.js";
import { pager } from "./pager.js";
import { payloadLine } from "./payload.js";
import { card, empty, sign, terminalLink } from "./signs.js";
import { table } from "./table.js";

/** @typedef {import("../shapes.js").TargetRow} TargetRow */

/**
 * @param {string} id The command.
 * @param {string} state Which state is shown first; empty for all.
 * @param {AbortSignal} signal
 */
export function targetTable(id, state, signal) {
  const rows = table({
    title: "Targets",
    columns: COLUMNS,
    key: ({ terminal }) => terminal,
    none: () => empty("Nobody", "No target is in this state now."),
  });
  const pages = pager(() => read());
  const select = h(
    "select",
    { "aria-label": "State", onchange: () => choose(select.value) },
    h("option", { value: "" }, "all states"),
  );
  const options = TARGET_STATES.map(({ name }) => h("option", { value: name, selected: name === state }, spoken(name)));
  select.append(...options);
  let asked = 0;
  let shown = state;
  const load = async () => {
    const mine = (asked += 1);
    const query = { state: shown, limit: "50", after: pages.after() };
    const page = /** @type {{ targets: TargetRow[], next: string | null }} */ (
      await get(path("commands", id, "targets"), { query, signal })
    );
    if (mine !== asked) return;
    rows.show(page.targets);
    pages.read(page.targets.length, page.next);
  };
  const read = paced(load, 200, signal);
  const again = paced(load, 2000, signal);
  const choose = (/** @type {string} */ next) => {
    shown = select.value = next;
    pages.reset();
    read();
  };
  const said = h("span", { class: "faint" });
  return {
    element: card(
      "Who did, and who did not",
      h("span", { class: "side-by-side" }, said, select),
      rows.element,
      pages.element,
    ),
    choose: (/** @type {string} */ next) => {
      choose(next);
      select.scrollIntoView({ block: "nearest", behavior: "smooth" });
    },
    read: again,
    /** @param {Record<string, number>} counts */
    count: (counts) => {
      for (const option of options) option.disabled = !counts[option.value] && option.value !== shown;
      const bad = badOf(counts);
      fill(said, bad ? `${number(bad)} did not` : "");
    },
  };
}

const STEPS = ["sent", "acked", "running", "ended"];

/** @type {import("../parts/table.js").Column<TargetRow>[]} */
const COLUMNS = [
  { title: "Terminal", class: "wide", cell: ({ terminal }) => terminalLink(terminal) },
  { title: "State", cell: ({ state }) => sign(state) },
  { title: "Answer", class: "wide", cell: (row) => h("code", { class: "answer" }, payloadLine(row)) },
  { title: "Queued", class: "number side", cell: ({ at }) => (at.queued ? clock(at.queued) : "–") },
  { title: "Last step", class: "number", cell: ({ at }) => lastStep(at) },
];

/** How long after it was accepted the last step was. @param {Record<string, string>} at */
function lastStep(at) {
  const last = STEPS.filter((step) => at[step]).pop();
  if (!last || !at.queued) return "–";
  const after = (Date.parse(at[last] ?? "") - Date.parse(at.queued)) / 1000;
  return `+${after < 10 ? after.toFixed(2) : number(Math.round(after))} s`;
}
