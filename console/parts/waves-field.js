// @ts-check
/** The field for the waves of a rollout, and for when it goes on and when it stops. */
import { h } from "../dom.js";

/** @typedef {{ count?: number, percent?: number, rest?: true }} WaveSize */

/**
 * Reads waves as people write them: `10, 10%, rest`. Throws an error that names the part that is none.
 * @param {string} text
 * @returns {WaveSize[]}
 */
export function readWaves(text) {
  const parts = text
    .split(",")
    .map((part) => part.trim())
    .filter(Boolean);
  if (!parts.length) throw new Error("Which waves? For example 10, 10%, rest");
  return parts.map((part) => {
    if (part === "rest") return { rest: true };
    const [, digits, percent] = /^([0-9]+(?:\.[0-9]+)?)\s*(%?)$/.exec(part) ?? [];
    if (!digits) throw new Error(`“${part}” is no wave; write a number, a share such as 10%, or rest`);
    return percent ? { percent: Number(digits) } : { count: Number(digits) };
  });
}

export function wavesField() {
  const waves = h("input", { value: "10, 10%, rest", autocomplete: "off", spellcheck: "false" });
  const succeeded = share("95");
  const within = h("input", { value: "10m", autocomplete: "off" });
  const [failed, silent] = [share("10"), share("10")];
  const start = h("input", { type: "datetime-local" });
  const fields = /** @type {[string, HTMLElement][]} */ ([
    ["The next wave, when so many percent did it", succeeded],
    ["Silent is who did not answer within", within],
    ["Stop beyond so many percent failed", failed],
    ["Stop beyond so many percent silent", silent],
    ["Starts at", start],
  ]);
  return {
    element: h(
      "div",
      null,
      h("label", { class: "field" }, h("span", null, "Waves: numbers, shares, and rest"), waves),
      h(
        "div",
        { class: "options" },
        fields.map(([title, input]) => h("label", { class: "field" }, h("span", null, title), input)),
      ),
    ),
    /** The fields of the request. Throws what is wrong. */
    value: () => ({
      waves: readWaves(waves.value),
      advance: { succeeded: Number(succeeded.value) / 100, within: within.value.trim() || "10m" },
      stop: { failed: Number(failed.value) / 100, silent: Number(silent.value) / 100 },
      ...(start.value ? { start_at: new Date(start.value).toISOString() } : {}),
    }),
  };
}

/** @param {string} value */
const share = (value) => h("input", { type: "number", min: "0", max: "100", step: "any", value });
