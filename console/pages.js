// @ts-check
/** Which page each address has. */
import { auditPage } from "./pages/audit.js";
import { commandPage } from "./pages/command.js";
import { commandsPage } from "./pages/commands.js";
import { eventsPage } from "./pages/events.js";
import { fleetPage } from "./pages/fleet.js";
import { keysPage } from "./pages/keys.js";
import { nodesPage } from "./pages/nodes.js";
import { noticePage } from "./pages/notice.js";
import { noticesPage } from "./pages/notices.js";
import { proxiesPage } from "./pages/proxies.js";
import { rolloutPage } from "./pages/rollout.js";
import { rolloutsPage } from "./pages/rollouts.js";
import { sendPage } from "./pages/send.js";
import { terminalPage } from "./pages/terminal.js";
import { terminalsPage } from "./pages/terminals.js";
import { limited, may } from "./session.js";

/** @typedef {{ scope: string, open: (visit: import("./shapes.js").Visit) => HTMLElement }} Page */
/**
 * @typedef {object} Place
 * @property {string} name
 * @property {string} title
 * @property {string} key What one types after `g`.
 * @property {Page} page
 * @property {Page} [one] The page of one thing that the list has.
 * @property {boolean} [whole] Whether it is about the whole fleet, which a limited key does not see.
 */

/** The places of the navigation, in their order. @type {Place[]} */
export const PLACES = [
  { name: "fleet", title: "Fleet", key: "f", page: fleetPage, whole: true },
  { name: "terminals", title: "Terminals", key: "t", page: terminalsPage, one: terminalPage },
  { name: "send", title: "Send", key: "s", page: sendPage },
  { name: "commands", title: "Commands", key: "c", page: commandsPage, one: commandPage },
  { name: "rollouts", title: "Rollouts", key: "r", page: rolloutsPage, one: rolloutPage },
  { name: "events", title: "Events", key: "e", page: eventsPage },
  { name: "nodes", title: "Nodes", key: "n", page: nodesPage, whole: true },
  { name: "proxies", title: "Proxies", key: "p", page: proxiesPage, whole: true },
  { name: "notices", title: "Notices", key: "o", page: noticesPage, one: noticePage, whole: true },
  { name: "audit", title: "Audit", key: "a", page: auditPage, whole: true },
  { name: "keys", title: "Keys", key: "k", page: keysPage },
];

/** The places that the key allows. */
export const allowed = () => PLACES.filter(({ page, whole }) => may(page.scope) && !(whole && limited()));

/**
 * The page of an address, and whether the key allows it. Without an address it is the first that the key allows.
 * @param {string[]} path
 */
export function pageOf([name, id]) {
  const [first] = allowed();
  const place = PLACES.find((each) => each.name === name) ?? first ?? /** @type {Place} */ (PLACES[0]);
  const one = id !== undefined && place.one;
  const page = one || place.page;
  return {
    name: place.name,
    page,
    title: one ? id : place.title,
    allowed: allowed().includes(place) && may(page.scope),
  };
}
