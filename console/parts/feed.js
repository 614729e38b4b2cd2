// @ts-check
/** Events as lines that people read. */
import { fill, h, word } from "../dom.js";
import { spoken, why } from "../states.js";
import { clock, counted, number, shortened } from "../text.js";
import { commandLink, rolloutLink, sign, terminalLink } from "./signs.js";

/** @typedef {import("../stream.js").Heard} Heard */
/** @typedef {import("../dom.js").Child} Child */

/** What each kind of event says, from its data. @type {Record<string, (data: any) => Child>} */
const SAYS = {
  "terminal.online": (data) => ["online at ", word(data.node)],
  "terminal.offline": (data) =>
    ["offline: ", why(data.reason, data.code), data.text ? [" “", word(data.text), "”"] : null].flat(),
  "terminal.health": (data) => ["its condition is ", sign(data.condition)],
  "terminal.event": (data) => [
    "says ",
    h("b", null, word(data.name)),
    " ",
    h("code", null, shortened(payload(data), 120)),
  ],
  "terminal.contested": (data) => `two sessions take turns; the newer one comes from ${data.address}`,
  "terminal.refused": (data) => `was refused (${data.status}): ${spoken(data.cause)}, from ${data.address}`,
  "command.state": (data) => [`${number(data.of ?? data.terminals ?? 0)} `, sign(data.state)],
  "command.done": (data) => `${spoken(data.state)}, ${counted(data.targets, "target")}`,
  "command.counts": (data) => `${spoken(data.state)}, ${counted(data.targets, "target")}`,
  "rollout.changed": (data) => [
    rolloutLink(data.rollout),
    ` ${spoken(data.state)}, wave ${data.wave} of ${data.of}`,
    data.reason ? `: ${data.reason}` : "",
  ],
  "store.ordinals": () => "a partition of the store has no room for it",
};

/** @param {any} data */
const payload = (data) =>
  data.payload_base64 === undefined ? JSON.stringify(data.payload ?? null) : `${data.payload_base64} (base64)`;

/** How good the news are, for the colour of its mark. @param {Heard} event */
function tone({ kind, data }) {
  if (kind === "terminal.online") return "online";
  if (kind === "terminal.health") return data.condition;
  if (kind === "terminal.contested" || kind === "terminal.refused") return "failing";
  return kind === "terminal.offline" ? "offline" : "plain";
}

/**
 * One event as the content of a list's item.
 * @param {Heard} event
 * @param {boolean} [whole] Whether its data can be unfolded.
 */
export function eventItem(event, whole = false) {
  const { kind, data } = event;
  const about = data.terminal ? terminalLink(data.terminal) : data.command ? commandLink(data.command) : null;
  const says = h(
    "span",
    { class: "says" },
    about,
    " ",
    ...[SAYS[kind]?.(data) ?? shortened(JSON.stringify(data), 160)].flat(),
  );
  const line = [
    h("time", { class: "faint" }, clock(data.at ?? Date.now())),
    h("span", { class: "mark", "data-state": tone(event) }),
    says,
  ];
  if (!whole) return h("li", { class: "event" }, line);
  const more = h("details", null, h("summary", null, kind), h("pre", null, JSON.stringify(data, null, 2)));
  return h("li", { class: "event" }, line, more);
}

/**
 * A list with the newest event on top, of at most `most`.
 * @param {string} title
 * @param {number} most
 * @param {Node} none What stands there before the first.
 * @param {boolean} [whole]
 */
export function feed(title, most, none, whole) {
  const list = h("ol", { class: "feed", "aria-label": title });
  const element = h("div", null, none);
  /** @type {Heard[]} */
  let waiting = [];
  let frame = 0;
  const write = () => {
    frame = 0;
    // Of a burst only those are made that will be seen.
    const items = waiting.slice(-most).map((event) => eventItem(event, whole));
    waiting = [];
    list.prepend(...items.reverse());
    while (list.children.length > most) list.lastElementChild?.remove();
    if (!list.isConnected) fill(element, list);
  };
  return {
    element,
    /** @param {Heard} event */
    add: (event) => {
      waiting.push(event);
      if (waiting.length > most) waiting = waiting.slice(-most);
      frame ||= requestAnimationFrame(write);
    },
    clear: () => {
      waiting = [];
      fill(list);
      fill(element, none);
    },
  };
}
