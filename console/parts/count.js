// @ts-check
/** How many terminals a command would be for. */
import { call, get, Problem } from "../http.js";
import { counted, number } from "../text.js";
import { idText } from "./filters.js";

/** @typedef {{ target: import("../shapes.js").Target, name: string } & Record<string, unknown>} Request */
/** @typedef {{ targets: number, online: number }} Count */

/**
 * How many terminals the request is for, in words and as numbers; or what is missing.
 * @param {() => Request} request
 * @param {AbortSignal} signal
 * @returns {Promise<[string, Count | null]>}
 */
export async function counting(request, signal) {
  try {
    const made = request();
    const unknown = made.target.terminal && (await missing(made.target.terminal, signal));
    if (unknown) return [unknown, null];
    // Without a name there is nothing to send yet, and still something to count.
    const body = { ...made, name: made.name || "-" };
    const count = /** @type {Count} */ (await call("POST", "/v1/commands", { query: { dry_run: "1" }, body, signal }));
    return [counts(count), count];
  } catch (failed) {
    if (failed instanceof Problem && failed.status === 401) return ["", null];
    return [/** @type {Error} */ (failed).message, null];
  }
}

/**
 * What is wrong with an id, if no terminal has it. Half of an id is no error of the API while one types.
 * @param {string} id
 * @param {AbortSignal} signal
 */
async function missing(id, signal) {
  if (idText(id)) return idText(id);
  const { terminals } = /** @type {{ terminals: { id: string }[] }} */ (
    await get("/v1/terminals", { query: { prefix: id, limit: "1" }, signal })
  );
  return terminals[0]?.id === id
    ? ""
    : terminals.length
      ? "No terminal has this id; some begin so."
      : "No terminal has this id.";
}

/** @param {Count} count */
const counts = ({ targets, online }) =>
  targets
    ? `${counted(targets, "terminal")}, ${online === targets ? "all" : number(online)} online now.`
    : "No terminal is chosen.";
