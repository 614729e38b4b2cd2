// @ts-check
/** One rollout, wave by wave. */
import { ago, fill, h, refill, word } from "../dom.js";
import { get, path, Problem } from "../http.js";
import { every, paced } from "../live.js";
import { badOf } from "../states.js";
import { follow } from "../stream.js";
import { counted, day, number, share } from "../text.js";
import { payloadView } from "../parts/payload.js";
import { rolloutActions } from "../parts/rollout-actions.js";
import { back, card, commandLink, empty, facts, head, sign, stateBar } from "../parts/signs.js";
import { table } from "../parts/table.js";
import { targetText } from "../parts/target-text.js";
import { newRolloutPage } from "./new-rollout.js";

/** @typedef {import("../shapes.js").Rollout} Rollout */
/** @typedef {import("../shapes.js").Wave} Wave */
/** @typedef {import("../shapes.js").Visit} Visit */

/** @param {Visit} visit */
function open(visit) {
  const { id, signal } = visit;
  if (id === "new") return newRolloutPage.open(visit);
  const [title, state, actions, about] = [
    h("span", null, "Rollout"),
    h("span", null),
    h("div", { class: "actions" }),
    h("div", null),
  ];
  const said = h("p", { class: "lead", role: "status" });
  const waves = table({
    title: "Each wave",
    columns: COLUMNS,
    key: ({ at }) => String(at),
    none: () => empty("Not begun", "Its waves stand here once it has started."),
  });
  const element = h(
    "div",
    null,
    head([title, " ", state], actions, back("rollouts", "Rollouts")),
    said,
    card("Waves", null, waves.element),
    about,
  );
  const read = paced(
    async () => {
      const rollout = await rolloutOf(id, signal);
      if (!rollout)
        return void fill(
          element,
          head("Rollout", null, back("rollouts", "Rollouts")),
          empty("No such rollout", "It is stored no longer, or this key does not see it."),
        );
      fill(title, word(rollout.name));
      fill(state, sign(rollout.state));
      fill(said, summary(rollout));
      refill(actions, rollout.state, () => rolloutActions(rollout, read));
      refill(about, `${rollout.state} ${rollout.started_at} ${rollout.ended_at}`, () => aboutIt(rollout));
      waves.show((rollout.waves ?? []).map((wave, index) => ({ ...wave, at: index + 1 })));
    },
    700,
    signal,
  );
  follow({ query: { kind: "rollout.changed,command.counts,command.done" }, opened: read, heard: read }, signal);
  every(async () => read(), 5000, signal);
  return element;
}

/**
 * @param {string} id
 * @param {AbortSignal} signal
 * @returns {Promise<Rollout | null>}
 */
async function rolloutOf(id, signal) {
  try {
    return await get(path("rollouts", id), { signal });
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return null;
    throw error;
  }
}

/** @param {Rollout} rollout */
function summary({ targets, unsent, wave, of, reason }) {
  const sent =
    targets === null || unsent === null
      ? "Its targets are chosen when it starts."
      : `Wave ${wave} of ${of} · sent to ${number(targets - unsent)} of ${counted(targets, "target")} (${share(targets - unsent, targets)}).`;
  return reason ? `${sent} ${reason}` : sent;
}

/** @typedef {Wave & { at: number }} Row */

/** @type {import("../parts/table.js").Column<Row>[]} */
const COLUMNS = [
  { title: "Wave", cell: ({ at }) => String(at) },
  { title: "Targets", class: "number", cell: ({ targets }) => (targets === null ? "–" : number(targets)) },
  { title: "States", class: "wide", cell: ({ counts, targets }) => stateBar(counts, targets ?? 0) },
  { title: "Did it", class: "number", cell: ({ counts }) => number((counts.acked ?? 0) + (counts.succeeded ?? 0)) },
  {
    title: "Did not",
    class: "number",
    cell: ({ counts, skipped }) =>
      h("span", { class: badOf(counts) + skipped ? "bad" : "faint" }, number(badOf(counts) + skipped)),
  },
  { title: "Not sent", class: "number", cell: ({ unsent }) => (unsent === null ? "–" : number(unsent)) },
  {
    title: "Commands",
    class: "wide",
    cell: ({ commands }) =>
      h(
        "span",
        { class: "about" },
        commands.slice(0, 6).map((id) => commandLink(id)),
      ),
  },
  { title: "Began", class: "number", cell: ({ began_at }) => ago(began_at) },
];

/** @param {Rollout} rollout */
function aboutIt({ id, by, created_at, started_at, ended_at, request }) {
  const rows = /** @type {[string, import("../dom.js").Child][]} */ ([
    ["For", targetText(request?.target)],
    ["Made by", by ? word(by) : "–"],
    ["Made", ago(created_at)],
    ["Starts", request?.start_at && !started_at ? day(request.start_at) : ago(started_at)],
    ["Ended", ago(ended_at)],
    ["Next wave", `when ${share(request?.advance.succeeded ?? 0, 1)} did it within ${request?.advance.within ?? ""}`],
    [
      "Stops by itself",
      `beyond ${share(request?.stop.failed ?? 0, 1)} failed or ${share(request?.stop.silent ?? 0, 1)} silent`,
    ],
    ["Window", request?.window ? `${request.window.from} to ${request.window.to}, ${request.window.zone}` : "always"],
    ["Id", h("code", { class: "id" }, id)],
  ]);
  return card("About", null, facts(rows), h("h3", null, "Payload"), payloadView(request?.command ?? {}));
}

export const rolloutPage = { scope: "read", open };
