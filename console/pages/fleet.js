// @ts-check
/** The fleet: how many terminals are online, how that was in the last hours, and what changed lately. */
import { ago, fill, h, link } from "../dom.js";
import { get } from "../http.js";
import { every, paced } from "../live.js";
import { to } from "../router.js";
import { follow } from "../stream.js";
import { counted, number } from "../text.js";
import { feed } from "../parts/feed.js";
import { figures } from "../parts/figures.js";
import { past } from "../parts/past.js";
import { card, commandLink, empty, head, labelList, meter, progress } from "../parts/signs.js";

/** @typedef {import("../shapes.js").Fleet} Fleet */
/** @typedef {import("../shapes.js").Visit} Visit */

const KINDS = "terminal.online,terminal.offline,terminal.health,terminal.contested,command.done";

/** @param {Visit} visit */
function open({ signal }) {
  const shown = figures();
  const [nodes, labels, commands] = [h("div", null), h("div", null), h("div", null)];
  const history = past(signal, (minutes) => shown.forEach((each) => each.past(minutes)));
  const news = feed("Events", 40, empty("Quiet", "Nothing has changed since this page was opened."));

  const counts = paced(
    async () => {
      const fleet = await get("/v1/fleet", { signal });
      shown.forEach((each) => each.now(/** @type {Fleet} */ (fleet)));
      fill(nodes, byNode(/** @type {Fleet} */ (fleet)));
      fill(labels, byLabel(/** @type {Fleet} */ (fleet)));
    },
    1000,
    signal,
  );
  const recent = paced(
    async () => {
      const { commands: rows } = /** @type {{ commands: import("../shapes.js").Command[] }} */ (
        await get("/v1/commands", { query: { limit: "6" }, signal })
      );
      fill(
        commands,
        rows.length ? commandList(rows) : empty("No command yet", link(to(["send"]), "Send the first one")),
      );
    },
    2000,
    signal,
  );
  follow(
    {
      query: { kind: KINDS },
      opened: () => {
        counts();
        recent();
      },
      heard: (event) => {
        if (event.kind === "command.done") recent();
        else counts();
        news.add(event);
      },
    },
    signal,
  );
  every(async () => counts(), 15_000, signal);
  return h(
    "div",
    null,
    head("Fleet"),
    h(
      "div",
      { class: "figures" },
      shown.map((each) => each.element),
    ),
    history.element,
    h(
      "div",
      { class: "columns" },
      h("div", null, card("Lately", null, history.steps, news.element)),
      h(
        "div",
        null,
        card("Commands", link(to(["commands"]), "All"), commands),
        card("Nodes", link(to(["nodes"]), "All"), nodes),
        card("Labels", null, labels),
      ),
    ),
  );
}

/** @param {import("../shapes.js").Command[]} rows */
const commandList = (rows) =>
  h(
    "ul",
    { class: "rows" },
    rows.map((row) =>
      h("li", null, commandLink(row.id, row.name), progress(row), h("span", { class: "faint" }, ago(row.created_at))),
    ),
  );

/** @param {Fleet} fleet */
function byNode({ by_node }) {
  const rows = Object.entries(by_node);
  const most = Math.max(1, ...rows.map(([, count]) => count));
  if (!rows.length) return empty("No session", "No node holds a session now.");
  return h(
    "ul",
    { class: "rows" },
    rows.map(([name, count]) =>
      h(
        "li",
        null,
        h("span", { class: "id" }, name),
        meter(count, most, counted(count, "session")),
        h("span", null, number(count)),
      ),
    ),
  );
}

/** @param {Fleet} fleet The labels that most terminals have. */
function byLabel({ by_label }) {
  const rows = Object.entries(by_label)
    .sort(([, one], [, other]) => other - one)
    .slice(0, 12);
  if (!rows.length) return empty("No label", "Labels come from tokens, from terminals and from operators.");
  return h(
    "ul",
    { class: "rows" },
    rows.map(([label, count]) => h("li", null, labelList(pair(label)), h("span", null, number(count)))),
  );
}

/** @param {string} label @returns {Record<string, string>} */
const pair = (label) => ({ [label.slice(0, label.indexOf("="))]: label.slice(label.indexOf("=") + 1) });

export const fleetPage = { scope: "read", open };
