// @ts-check
/** What an operator can do to nodes: drain one, take that back, and level their sessions. */
import { h } from "../dom.js";
import { ask as request, call, path } from "../http.js";
import { counted } from "../text.js";
import { ask, say } from "./dialog.js";

/** @typedef {import("../shapes.js").ClusterNode} ClusterNode */

/** @param {ClusterNode} node */
export async function drain({ id, sessions }) {
  const stay = h("input", { type: "checkbox", checked: true });
  const text = [
    h(
      "p",
      null,
      `It takes no new sessions and closes ${counted(sessions, "session")}, a part at a time. The terminals connect to other nodes.`,
    ),
    h(
      "label",
      { class: "check" },
      stay,
      h("span", null, "It stays, empty, until it is taken back. Otherwise it stops when its sessions are gone."),
    ),
  ];
  const act = async () => {
    await request("POST", path("nodes", id, "drain"), { query: { stay: stay.checked ? "1" : "" } });
  };
  if (await ask({ title: `Drain ${id}?`, text, yes: "Drain", danger: true, act })) say(`${id} is being drained.`);
}

/** @param {ClusterNode} node */
export async function undrain({ id }) {
  const text = h(
    "p",
    null,
    "It takes sessions again. Those that it has closed do not come back by themselves; rebalancing moves some to it.",
  );
  const act = async () => {
    await request("DELETE", path("nodes", id, "drain"));
  };
  if (await ask({ title: `Take ${id} back?`, text, yes: "Take it back", act })) say(`${id} takes sessions again.`);
}

/** @param {(moving: Record<string, number>) => void} began */
export async function rebalance(began) {
  const rate = h("input", { type: "number", min: "1", max: "100000", value: "50", class: "short" });
  const text = [
    h(
      "p",
      null,
      "Nodes that hold clearly more sessions than the mean close the surplus, so that the terminals connect to others.",
    ),
    h("label", { class: "field" }, h("span", null, "Sessions a second, in all"), rate),
  ];
  const act = async () => {
    const { moving } = /** @type {{ moving: Record<string, number> }} */ (
      await call("POST", "/v1/nodes/rebalance", { query: { rate: rate.value } })
    );
    const sum = Object.values(moving).reduce((all, each) => all + each, 0);
    began(moving);
    say(sum ? `${counted(sum, "session")} will move.` : "The nodes are level already: nothing moves.");
  };
  await ask({ title: "Rebalance the nodes?", text, yes: "Rebalance", act });
}
