// @ts-check
/** Which page each address has. */
import { auditPage } from "./pages/audit.js";
import { commandPage } from "./pages/command.js";
import { commandsPage } from "./pages/commands.js";
import { eventsPage } from "./pages/events.js";
import { fleetPage } from "./pages/fleet.js";
import { keysPage } from "./pages/keys.js";
import { nodesPage } from "./pages/nodes.js";
import { proxiesPage } from "./pages/proxies.js";
import { sendPage } from "./pages/send.js";
import { terminalPage } from "./pages/terminal.js";
import { terminalsPage } from "./pages/terminals.js";

/** @typedef {{ scope: string, open: (visit: import("./shapes.js").Visit) => HTMLElement }} Page */
/** @typedef {{ name: string, title: string, key: string, page: Page, one?: Page }} Place `key` is what one types after `g`. */

/** The places of the navigation, in their order. @type {Place[]} */
export const PLACES = [
  { name: "fleet", title: "Fleet", key: "f", page: fleetPage },
  { name: "terminals", title: "Terminals", key: "t", page: terminalsPage, one: terminalPage },
  { name: "send", title: "Send", key: "s", page: sendPage },
  { name: "commands", title: "Commands", key: "c", page: commandsPage, one: commandPage },
  { name: "events", title: "Events", key: "e", page: eventsPage },
  { name: "nodes", title: "Nodes", key: "n", page: nodesPage },
  { name: "proxies", title: "Proxies", key: "p", page: proxiesPage },
  { name: "audit", title: "Audit", key: "a", page: auditPage },
  { name: "keys", title: "Keys", key: "k", page: keysPage },
];

/**
 * The page of an address; the fleet's if there is none.
 * @param {string[]} path
 */
export function pageOf([name, id]) {
  const place = PLACES.find((each) => each.name === name) ?? /** @type {Place} */ (PLACES[0]);
  const one = id !== undefined && place.one;
  return one ? { page: one, title: id } : { page: place.page, title: place.title };
}
