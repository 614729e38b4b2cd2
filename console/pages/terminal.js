// @ts-check
/** One terminal: how it is, what it went through, its commands and its events, and what can be done to it. */
import { ago, fill, h, refill, word } from "../dom.js";
import { get, path, Problem } from "../http.js";
import { every, paced } from "../live.js";
import { follow } from "../stream.js";
import { why } from "../states.js";
import { day, number } from "../text.js";
import { feed } from "../parts/feed.js";
import { back, card, commandLink, empty, facts, head, labelList, progress, sign } from "../parts/signs.js";
import { strip } from "../parts/strip.js";
import { table } from "../parts/table.js";
import { terminalActions } from "../parts/terminal-actions.js";

/** @typedef {import("../shapes.js").Terminal} Terminal */
/** @typedef {import("../shapes.js").Change} Change */
/** @typedef {import("../shapes.js").Command} Command */
/** @typedef {import("../shapes.js").Visit} Visit */

/** @param {Visit} visit */
function open({ id, signal }) {
  const [state, actions, about, past] = [
    h("span", null),
    h("div", { class: "actions" }),
    h("div", null),
    h("div", null),
  ];
  const commands = table({
    title: "Its commands",
    columns: COLUMNS,
    key: (row) => row.id,
    none: () => empty("No command", "No command that is stored was for this terminal."),
  });
  const news = feed("Events", 50, empty("Quiet", "It has sent nothing since this page was opened."), true);
  const element = h(
    "div",
    null,
    head([h("span", { class: "id" }, word(id)), " ", state], actions, back("terminals", "Terminals")),
    h(
      "div",
      { class: "columns" },
      h("div", null, about, card("Commands", null, commands.element)),
      h("div", null, past, card("Events", null, news.element)),
    ),
  );

  /** @type {(terminal: Terminal) => void} */
  const draw = (terminal) => {
    fill(state, sign(terminal.status), " ", terminal.condition === "ok" ? null : sign(terminal.condition));
    refill(about, JSON.stringify(terminal), () => aboutIt(terminal));
    refill(actions, `${terminal.status} ${JSON.stringify(terminal.labels)}`, () => terminalActions(terminal, read));
  };
  const read = paced(
    async () => {
      const [terminal, history] = await bothOf(id, signal);
      if (!terminal)
        return void fill(
          element,
          head(h("span", { class: "id" }, word(id)), null, back("terminals", "Terminals")),
          gone(),
        );
      draw(terminal);
      fill(past, card("Connection and health", null, ...pastOf(terminal, history.changes, Boolean(history.off))));
    },
    1000,
    signal,
  );
  const readCommands = paced(
    async () => {
      const page = /** @type {{ commands: Command[] }} */ (
        await get("/v1/commands", { query: { terminal: id, limit: "10" }, signal })
      );
      commands.show(page.commands);
    },
    2000,
    signal,
  );
  const both = async () => {
    read();
    readCommands();
  };
  follow(
    {
      query: { terminal: id },
      opened: both,
      heard: (event) => {
        news.add(event);
        read();
      },
    },
    signal,
  );
  every(both, 10_000, signal);
  return element;
}

/**
 * The terminal and its history; null in place of a terminal that is not known.
 * @param {string} id
 * @param {AbortSignal} signal
 * @returns {Promise<[Terminal | null, { changes: Change[], off?: boolean }]>}
 */
async function bothOf(id, signal) {
  try {
    return await Promise.all([
      get(path("terminals", id), { signal }),
      get(path("terminals", id, "history"), { signal }),
    ]);
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return [null, { changes: [] }];
    throw error;
  }
}

const gone = () => empty("No such terminal", "It never connected, or it was forgotten, or this key does not reach it.");

/** @param {Terminal} terminal */
function aboutIt(terminal) {
  const { labels, node, address, protocol, connected_at, last_seen, rtt_ms, metrics, status, last_close } = terminal;
  const rows = /** @type {[string, import("../dom.js").Child][]} */ ([
    ["Condition", sign(terminal.condition)],
    ["Node", node ? word(node) : "–"],
    ["Address", address ? word(address) : "–"],
    ["Protocol", protocol === "v1" ? "muster.v1" : "plain"],
    [status === "offline" ? "Last session" : "Session since", ago(connected_at)],
    ["Last seen", ago(last_seen)],
    ["Round trip", rtt_ms === null ? "–" : `${number(rtt_ms)} ms`],
    ["Labels", Object.keys(labels).length ? labelList(labels) : "–"],
  ]);
  const close =
    last_close &&
    h(
      "p",
      { class: "notice" },
      "Last trouble, ",
      ago(last_close.at),
      ": ",
      why(last_close.reason, last_close.code),
      last_close.text ? [" “", word(last_close.text), "”"] : null,
    );
  const measured = Object.entries(metrics).map(
    ([name, value]) => /** @type {[string, string]} */ ([name, number(value)]),
  );
  return [card("Now", null, facts(rows), close), measured.length ? card("Metrics", null, facts(measured)) : null];
}

/**
 * @param {Terminal} terminal
 * @param {Change[]} changes
 * @param {boolean} off
 */
function pastOf(terminal, changes, off) {
  if (off) return [empty("Not recorded", "Nodes run with --no-terminal-history.")];
  if (!changes.length) return [empty("Nothing yet", "Its last 16 changes stand here.")];
  const items = changes.map((change) =>
    h(
      "li",
      { class: "event" },
      h("time", { class: "faint", title: day(change.at) }, ago(change.at)),
      h("span", { class: "mark", "data-state": toneOf(change) }),
      h("span", { class: "says" }, ...said(change)),
    ),
  );
  return [strip(terminal, changes), h("ol", { class: "feed" }, items)];
}

/** @param {Change} change */
const toneOf = (change) => {
  if (change.kind === "condition") return change.condition;
  return change.kind === "contested" ? "failing" : change.kind;
};

/** @param {Change} change @returns {import("../dom.js").Child[]} */
function said(change) {
  if (change.kind === "online") return ["On the line at ", word(change.node)];
  if (change.kind === "offline") return [`Off the line: ${why(change.reason, change.code)}`];
  if (change.kind === "condition") return ["Its condition became ", sign(change.condition)];
  if (change.kind === "labels") return [`Its labels changed, by ${change.by === "operator" ? "an operator" : "itself"}`];
  return ["Two sessions took turns"];
}

/** @type {import("../parts/table.js").Column<Command>[]} */
const COLUMNS = [
  { title: "Command", class: "wide", cell: ({ id, name }) => commandLink(id, name) },
  { title: "State", cell: ({ state }) => sign(state) },
  { title: "All targets", cell: (row) => progress(row) },
  { title: "Sent", class: "number", cell: ({ created_at }) => ago(created_at) },
];

export const terminalPage = { scope: "read", open };
