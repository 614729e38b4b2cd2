// @ts-check
/** The proxies: what Nginx runs, what is not as it should be, and workers that linger. */
import { ago, fill, h, word } from "../dom.js";
import { get } from "../http.js";
import { poll } from "../live.js";
import { counted, number } from "../text.js";
import { card, empty, facts, head, meter, sign } from "../parts/signs.js";

/** @typedef {import("../shapes.js").Proxy} Proxy */
/** @typedef {import("../shapes.js").Visit} Visit */

/** @param {Visit} visit */
function open({ signal }) {
  const list = h("div", { class: "stack" });
  poll(
    async () => {
      const { proxies } = /** @type {{ proxies: Proxy[] }} */ (await get("/v1/proxies", { signal }));
      fill(list, proxies.length ? proxies.map(proxy) : none());
    },
    2000,
    signal,
  );
  return h("div", null, head("Proxies"), list);
}

const none = () =>
  empty(
    "No proxy reports",
    "A sidecar reports every two seconds by way of Redis. Without a sidecar, or while Redis is away, there is nothing here.",
  );

/** @param {Proxy} one */
function proxy(one) {
  const state = sign(one.differs.length ? "degraded" : "ok");
  return card(
    one.id,
    state,
    one.differs.map(({ what, why }) => h("p", { class: "notice" }, h("b", null, word(what)), ": ", word(why))),
    facts([
      ["Listens at", word(one.address)],
      ["Generation", generation(one)],
      ["Nodes", number(one.nodes)],
      ["Connections", connections(one)],
      ["Lingering workers", number(one.lingering_workers)],
      ["Certificate ends", one.certificate_ends_at ? ago(one.certificate_ends_at) : "no TLS"],
      ["Last as it should be", ago(one.last_success_at)],
      ["Refused", refused(one)],
      ["Sidecar", h("span", null, word(one.version), ", started ", ago(one.started_at))],
      ["Reported", ago(one.reported_at)],
    ]),
  );
}

/** @param {Proxy} one */
function generation({ generation: runs, generation_wanted: wanted }) {
  if (runs === null) return h("span", { class: "bad" }, "Nginx does not answer");
  return runs === wanted ? number(runs) : h("span", { class: "bad" }, `${number(runs)}, should be ${number(wanted)}`);
}

/** @param {Proxy} one */
function connections({ connections: now }) {
  if (!now) return "not known";
  return h(
    "span",
    { class: "load" },
    `${number(now.used)} of ${number(now.limit)}`,
    meter(now.used, now.limit, counted(now.used, "connection")),
  );
}

/** @param {Proxy} one */
function refused({ refused: causes }) {
  const parts = Object.entries(causes).filter(([, count]) => count);
  return parts.length ? parts.map(([cause, count]) => `${number(count)} ${cause}`).join(", ") : "nothing";
}

export const proxiesPage = { scope: "read", open };
