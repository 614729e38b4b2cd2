// @ts-check
/** The nodes: what each holds, and how far it is with giving it away. */
import { ago, button, fill, h, link, word } from "../dom.js";
import { get } from "../http.js";
import { poll } from "../live.js";
import { to } from "../router.js";
import { may } from "../session.js";
import { counted, number } from "../text.js";
import { drain, rebalance, undrain } from "../parts/node-actions.js";
import { empty, head, meter, sign } from "../parts/signs.js";
import { table } from "../parts/table.js";

/** @typedef {import("../shapes.js").ClusterNode} ClusterNode */
/** @typedef {import("../shapes.js").Visit} Visit */
/** @typedef {ClusterNode & { most: number, from?: number, goal?: number }} Row `from` and `goal`: sessions that it had and should have while some move. */

/** Milliseconds between two looks: leases are renewed about as often. */
const LOOK = 2000;

/** The sessions that each draining or rebalanced node had when that began, and what it should keep. @type {Map<string, { from: number, goal: number }>} */
const moves = new Map();

/** @param {Visit} visit */
function open({ signal }) {
  const said = h("p", { class: "lead" }, "…");
  /** @type {Row[]} */
  let shown = [];
  const read = poll(
    async () => {
      const { nodes } = /** @type {{ nodes: ClusterNode[] }} */ (await get("/v1/nodes", { signal }));
      shown = rowsOf(nodes);
      const sessions = nodes.reduce((sum, node) => sum + node.sessions, 0);
      fill(said, `${counted(nodes.length, "node")} with ${counted(sessions, "session")}.`);
      rows.show(shown);
    },
    LOOK,
    signal,
  );
  const rows = table({
    title: "Nodes",
    columns: [...COLUMNS, actions(read)],
    key: ({ id }) => id,
    none: () => empty("No node", "No node holds a lease. The one that answers may be without Redis."),
    state: ({ state }) => state,
  });
  const level = may("admin") && button("Rebalance", () => rebalance((moving) => remember(shown, moving)).then(read));
  const proxies = link(to(["proxies"]), "Proxies");
  return h("div", null, head("Nodes", [proxies, level]), said, rows.element);
}

/**
 * The nodes with what is known of their moves. A move that is over is forgotten.
 * @param {ClusterNode[]} nodes
 * @returns {Row[]}
 */
function rowsOf(nodes) {
  const most = Math.max(1, ...nodes.map(({ sessions }) => sessions));
  return nodes.map((node) => {
    if (node.state === "draining" && !moves.has(node.id))
      moves.set(node.id, { from: Math.max(1, node.sessions), goal: 0 });
    const move = moves.get(node.id);
    if (move && node.state === "ready" && node.sessions <= move.goal) moves.delete(node.id);
    if (move && node.state === "ready" && move.goal === 0) moves.delete(node.id);
    return { ...node, renewed_at: null, most, ...moves.get(node.id) };
  });
}

/**
 * Notes the sessions that nodes will give away.
 * @param {Row[]} rows
 * @param {Record<string, number>} moving
 */
function remember(rows, moving) {
  for (const { id, sessions } of rows) {
    const count = moving[id];
    if (count) moves.set(id, { from: sessions, goal: sessions - count });
  }
}

/** @type {import("../parts/table.js").Column<Row>[]} */
const COLUMNS = [
  {
    title: "Node",
    class: "wide",
    cell: ({ id, address }) =>
      h("div", null, h("b", { class: "id" }, word(id)), h("div", { class: "faint" }, word(address))),
  },
  { title: "State", cell: ({ state }) => sign(state) },
  {
    title: "Sessions",
    class: "wide",
    cell: (row) =>
      h(
        "div",
        { class: "load" },
        h("span", null, number(row.sessions)),
        meter(row.sessions, row.most, counted(row.sessions, "session")),
        moveOf(row),
      ),
  },
  { title: "Accepts a second", class: "number side", cell: ({ accepts }) => number(accepts) },
  { title: "Partitions", cell: ({ partitions }) => partitionText(partitions) },
  { title: "Version", class: "side", cell: ({ version }) => word(version) },
  { title: "Started", class: "number side", cell: ({ started_at }) => ago(started_at) },
  {
    title: "Trouble",
    cell: ({ foreign, refused }) => [
      refused && h("span", { class: "bad" }, word(refused), " "),
      foreign && h("span", { class: "bad" }, `${number(foreign)} foreign`),
    ],
  },
];

/** @param {Row} row How far a drain or a rebalancing is. */
function moveOf({ from, goal, sessions, state }) {
  if (from === undefined || goal === undefined) return null;
  const left = Math.max(0, sessions - goal);
  const done = from - goal - left;
  if (state === "draining" && !sessions) return h("span", { class: "faint" }, "empty");
  return h(
    "span",
    { class: "move" },
    h("progress", { max: String(from - goal), value: done, "aria-label": "moved" }),
    h("span", { class: "faint" }, `${number(left)} to go`),
  );
}

/** @param {{ ok: number, lost: number }} [partitions] */
function partitionText(partitions) {
  if (!partitions) return h("span", { class: "faint" }, "–");
  return partitions.lost
    ? h("span", { class: "bad" }, `${partitions.lost} of ${partitions.ok + partitions.lost} lost`)
    : h("span", null, `${partitions.ok} ok`);
}

/**
 * @param {() => void} changed
 * @returns {import("../parts/table.js").Column<Row>}
 */
const actions = (changed) => ({
  title: may("admin") ? "Actions" : "",
  class: "number",
  cell: (row) => {
    if (!may("admin")) return null;
    if (row.state === "draining") return button("Take it back", () => undrain(row).then(changed));
    return row.state === "ready" ? button("Drain", () => drain(row).then(changed)) : null;
  },
});

export const nodesPage = { scope: "read", open };
