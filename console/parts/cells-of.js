// @ts-check
/** The cells of a command, read again while it fills. */
import { fill, h } from "../dom.js";
import { ask, get, path } from "../http.js";
import { paced } from "../live.js";
import { counted } from "../text.js";
import { cells } from "./cells.js";
import { card } from "./signs.js";

/** As many targets the node gives cells of. */
const MOST = 10_000;

/** @typedef {import("../shapes.js").Command} Command */

/**
 * @param {string} id The command.
 * @param {AbortSignal} signal
 * @param {(terminal: string) => void} chosen
 */
export function cellsOf(id, signal, chosen) {
  const picture = cells(names(id, signal), chosen, signal);
  const element = h("div", null);
  /** @type {Command | null} */
  let command = null;
  let etag = "";
  const again = paced(
    async () => {
      if (!command || command.targets > MOST) return;
      const headers = /** @type {Record<string, string>} */ (etag ? { "If-None-Match": etag } : {});
      const response = await ask("GET", path("commands", id, "cells"), { headers, signal });
      if (response.status === 304) return;
      etag = response.headers.get("ETag") ?? "";
      const { cells: letters } = await response.json();
      picture.show(
        letters,
        `${counted(letters.length, "target")}, a cell for each, in the colours of the states above`,
      );
    },
    700,
    signal,
  );
  return {
    element,
    /** @param {Command | null} now */
    read: (now) => {
      const first = !command && now;
      command = now ?? command;
      if (first) fill(element, first.targets > MOST ? tooMany() : card("Each target", null, picture.element));
      again();
    },
  };
}

const tooMany = () =>
  h("p", { class: "faint" }, `There is a picture of each target for commands of at most ${counted(MOST, "target")}.`);

/**
 * Finds the terminal of a cell: the list of targets has the same order, and is read once, when it is first asked for.
 * @param {string} id
 * @param {AbortSignal} signal
 */
function names(id, signal) {
  /** @type {Promise<string[]> | null} */
  let all = null;
  return async (/** @type {number} */ at) => (await (all ??= readNames(id, signal)))[at] ?? null;
}

/**
 * @param {string} id
 * @param {AbortSignal} signal
 */
async function readNames(id, signal) {
  /** @type {string[]} */
  const found = [];
  for (let after = ""; ;) {
    const page = /** @type {{ targets: { terminal: string }[], next: string | null }} */ (
      await get(path("commands", id, "targets"), { query: { limit: "1000", after }, signal })
    );
    found.push(...page.targets.map(({ terminal }) => terminal));
    if (page.next === null || found.length >= MOST) return found;
    after = page.next;
  }
}
