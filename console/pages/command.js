// @ts-check
/** One command, as it fills: how many targets are in each state, a cell for each of them, and who did not do it and why. */
import { ago, fill, h, refill, word } from "../dom.js";
import { get, path, Problem } from "../http.js";
import { every, paced } from "../live.js";
import { go } from "../router.js";
import { badOf, spoken } from "../states.js";
import { follow } from "../stream.js";
import { counted, number, relative, share } from "../text.js";
import { stateRows } from "../parts/bars.js";
import { cellsOf } from "../parts/cells-of.js";
import { commandActions } from "../parts/command-actions.js";
import { payloadView } from "../parts/payload.js";
import { back, card, empty, facts, head, sign } from "../parts/signs.js";
import { targetText } from "../parts/target-text.js";
import { targetTable } from "../parts/target-table.js";

/** @typedef {import("../shapes.js").Command} Command */
/** @typedef {import("../shapes.js").Visit} Visit */

/** @param {Visit} visit */
function open({ id, query, signal }) {
  const [title, state, actions, about] = [
    h("span", null, "Command"),
    h("span", null),
    h("div", { class: "actions" }),
    h("div", null),
  ];
  const said = h("p", { class: "lead", role: "status" });
  const targets = targetTable(id, query.get("state") ?? "", signal);
  const rows = stateRows((chosen) => targets.choose(chosen));
  const cells = cellsOf(id, signal, (terminal) => go(["terminals", terminal]));
  const element = h(
    "div",
    null,
    head([title, " ", state], actions, back("commands", "Commands")),
    said,
    h(
      "div",
      { class: "columns" },
      h("div", null, card("States", null, rows.element), cells.element),
      h("div", null, about),
    ),
    targets.element,
  );

  /** @type {Command | null} */
  let command = null;
  /** @param {Command} next */
  const draw = (next) => {
    command = next;
    fill(title, word(next.name));
    fill(state, sign(next.state));
    fill(said, summary(next));
    refill(actions, `${next.state} ${badOf(next.counts)}`, () => commandActions(next, read));
    rows.show(next.counts, next.targets);
    targets.count(next.counts);
  };
  const read = paced(
    async () => {
      const next = await commandOf(id, signal);
      if (!next) return void fill(element, head("Command", null, back("commands", "Commands")), gone());
      draw(next);
      cells.read(next);
      refill(about, `${next.state} ${Date.parse(next.expires_at) < Date.now()}`, () => aboutIt(next));
    },
    1000,
    signal,
  );
  const details = () => {
    cells.read(command);
    targets.read();
  };
  follow(
    {
      query: { command: id, kind: "command.counts,command.done" },
      opened: () => {
        read();
        details();
      },
      heard: ({ data }) => {
        if (command) draw({ ...command, counts: data.counts ?? command.counts, state: data.state ?? command.state });
        details();
      },
    },
    signal,
  );
  // What no event tells: targets that expire.
  every(
    async () => {
      read();
      if (command?.state === "open") details();
    },
    10_000,
    signal,
  );
  return element;
}

/**
 * @param {string} id
 * @param {AbortSignal} signal
 * @returns {Promise<Command | null>}
 */
async function commandOf(id, signal) {
  try {
    return await get(path("commands", id), { signal });
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return null;
    throw error;
  }
}

const gone = () => empty("No such command", "It expired and is stored no longer, or this key does not see it.");

/** The command in a sentence. @param {Command} command */
function summary({ counts, targets, state, partial, lost }) {
  const bad = badOf(counts);
  const open = ["queued", "sent", "running"].reduce((sum, each) => sum + (counts[each] ?? 0), 0);
  const good = (counts.succeeded ?? 0) + (counts.acked ?? 0);
  const parts = [`${number(good)} of ${counted(targets, "target")} confirmed it or did it (${share(good, targets)})`];
  if (bad) parts.push(`${number(bad)} did not`);
  if (open) parts.push(state === "open" ? `${number(open)} are on the way` : `${number(open)} said nothing more`);
  if (partial?.length)
    parts.push(`partitions ${partial.join(", ")} of the store are away, whose targets are not counted`);
  if (lost?.length) parts.push(`partitions ${lost.join(", ")} of the store lost what they had of it`);
  return `${parts.join(" · ")}.`;
}

/** @param {Command} command */
function aboutIt(command) {
  const { target, by, created_at, expires_at, id, state } = command;
  const past = Date.parse(expires_at) < Date.now();
  const rows = /** @type {[string, import("../dom.js").Child][]} */ ([
    ["For", targetText(target)],
    ["Sent by", by ? word(by) : "–"],
    ["Sent", ago(created_at)],
    [past || state !== "open" ? "Valid until" : "Expires", past ? ago(expires_at) : relative(expires_at)],
    ["State", spoken(state)],
    ["Id", h("code", { class: "id" }, id)],
  ]);
  return card("About", null, facts(rows), h("h3", null, "Payload"), payloadView(command));
}

export const commandPage = { scope: "read", open };
