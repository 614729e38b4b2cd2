// @ts-check
/** The last hours of the fleet: as pictures, and their largest steps in words. */
import { ago, fill, h } from "../dom.js";
import { get } from "../http.js";
import { every } from "../live.js";
import { chart } from "./chart.js";
import { choice } from "./choice.js";
import { card } from "./signs.js";
import { steps } from "./steps.js";

/** @typedef {import("../shapes.js").Minute} Minute */

/**
 * The last hours as a picture, and their largest steps in words.
 * @param {AbortSignal} signal
 * @param {(minutes: Minute[]) => void} read
 */
export function past(signal, read) {
  const [line, work] = [chart("Terminals"), chart("Targets of commands")];
  const stepped = h("div", null);
  let span = "60";
  const load = every(
    async () => {
      const { minutes } = /** @type {{ minutes: Minute[] }} */ (
        await get("/v1/fleet/history", { query: { minutes: span }, signal })
      );
      read(minutes);
      line.show([
        pointsOf(minutes, "online", "online", (each) => each.online, true),
        pointsOf(minutes, "offline", "offline", (each) => each.offline),
      ]);
      work.show([
        pointsOf(
          minutes,
          "confirmed or done",
          "succeeded",
          (each) => (each.targets.acked ?? 0) + (each.targets.succeeded ?? 0),
          true,
        ),
        pointsOf(
          minutes,
          "failed or rejected",
          "failed",
          (each) => (each.targets.failed ?? 0) + (each.targets.rejected ?? 0),
        ),
      ]);
      fill(
        stepped,
        steps(minutes).map((step) =>
          h(
            "p",
            { class: "step" },
            h("span", { class: "faint" }, ago(step.at)),
            h("span", { class: "mark", "data-state": step.state }),
            step.text,
          ),
        ),
      );
    },
    30_000,
    signal,
  );
  const spans = choice(
    "Time shown",
    [
      ["60", "1 h"],
      ["360", "6 h"],
      ["1440", "24 h"],
    ],
    span,
    (chosen) => {
      span = chosen;
      load();
    },
  );
  const charts = h(
    "div",
    { class: "columns even" },
    card("Terminals", spans, line.element),
    card("Targets a minute", null, work.element),
  );
  return { element: charts, steps: stepped };
}

/**
 * @param {Minute[]} minutes
 * @param {string} name
 * @param {string} colour
 * @param {(minute: Minute) => number} of
 * @param {boolean} [area]
 */
const pointsOf = (minutes, name, colour, of, area) => ({
  name,
  colour,
  area,
  points: minutes.map((each) => ({ at: Date.parse(each.at), value: of(each) })),
});
