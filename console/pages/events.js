// @ts-check
/** What happens, as it happens: filtered, and held when one wants to read. */
import { button, fill, h } from "../dom.js";
import { keep } from "../router.js";
import { follow } from "../stream.js";
import { counted } from "../text.js";
import { feed } from "../parts/feed.js";
import { commandText, filterForm, idText, labelsText } from "../parts/filters.js";
import { empty, head } from "../parts/signs.js";

/** @typedef {import("../shapes.js").Visit} Visit */
/** @typedef {import("../stream.js").Heard} Heard */

/** As many events are shown, and held while the page is paused. */
const MOST = 500;

/** @type {[string, string][]} */
const KINDS = [
  ["", "all"],
  ["terminal.online,terminal.offline", "online and offline"],
  ["terminal.health", "condition"],
  ["terminal.event", "terminals’ own"],
  ["terminal.contested,terminal.refused", "contested and refused"],
  ["command.state,command.done", "commands"],
  ["rollout.changed", "rollouts"],
];

/** @type {import("../parts/filters.js").Filter[]} */
const FILTERS = [
  { name: "kind", title: "Kind", choices: KINDS },
  { name: "terminal", title: "Terminal", hint: "its id", search: true, check: idText },
  { name: "selector", title: "Labels", hint: "site=bj,kind=kiosk", check: labelsText },
  { name: "command", title: "Command", hint: "its id", check: commandText },
];

/** @param {Visit} visit */
function open({ query, signal }) {
  const list = feed(
    "Events",
    MOST,
    empty("Listening", "Events stand here as they happen. What happened before this page was opened is not shown."),
    true,
  );
  const pause = pausing(list.add);
  let following = new AbortController();
  const filters = filterForm(FILTERS, query, () => {
    list.clear();
    begin();
  });
  const begin = () => {
    following.abort();
    following = new AbortController();
    const values = filters.values();
    keep(values);
    const asked = Object.fromEntries(Object.entries(values).filter(([, value]) => value));
    follow({ query: asked, heard: pause.heard }, AbortSignal.any([signal, following.signal]));
  };
  begin();
  return h(
    "div",
    null,
    head("Events", [pause.element, button("Clear", list.clear)]),
    filters.element,
    h("section", { class: "card", "aria-label": "Events" }, list.element),
  );
}

/**
 * A button that holds events back, and lets them go again.
 * @param {(event: Heard) => void} add
 */
function pausing(add) {
  /** @type {Heard[] | null} */
  let held = null;
  const text = h("span", null, "Pause");
  const show = () => {
    const pressed = held !== null;
    element.setAttribute("aria-pressed", String(pressed));
    fill(text, pressed ? `Go on${held?.length ? ` (${counted(held.length, "event")})` : ""}` : "Pause");
  };
  const toggle = () => {
    held?.forEach(add);
    held = held ? null : [];
    show();
  };
  const element = h("button", { type: "button", "aria-pressed": "false", onclick: toggle }, text);
  return {
    element,
    /** @param {Heard} event */
    heard: (event) => {
      if (!held) return add(event);
      held.push(event);
      if (held.length > MOST) held.shift();
      show();
    },
  };
}

export const eventsPage = { scope: "read", open };
