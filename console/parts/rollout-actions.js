// @ts-check
/** What an operator can do about a rollout: hold it, let it go on, stop it. */
import { button, h } from "../dom.js";
import { ask as request, path } from "../http.js";
import { may } from "../session.js";
import { ask, say } from "./dialog.js";

/** @typedef {import("../shapes.js").Rollout} Rollout */

/**
 * The buttons that the key and the rollout's state allow.
 * @param {Rollout} rollout
 * @param {() => void} changed
 */
export function rolloutActions(rollout, changed) {
  if (!may("command") || ["stopped", "done"].includes(rollout.state)) return [];
  const act = (/** @type {string} */ what) => () => confirmed(rollout, what, changed);
  const hold =
    rollout.state === "paused" ? button("Resume", act("resume"), { class: "primary" }) : button("Pause", act("pause"));
  return [hold, button("Stop", act("stop"), { class: "danger-quiet" })];
}

/** What each does, for the question before it. @type {Record<string, [string, string, string]>} */
const WORDS = {
  pause: ["Pause", "Nothing more is sent until it is resumed. What was sent goes on.", "It is paused."],
  resume: ["Resume", "It goes on where it was held.", "It goes on."],
  stop: ["Stop", "It ends here, for good: what was not sent is cancelled. What was sent goes on.", "It is stopped."],
};

/**
 * @param {Rollout} rollout
 * @param {string} what
 * @param {() => void} changed
 */
async function confirmed({ id, name }, what, changed) {
  const [yes, text, done] = /** @type {[string, string, string]} */ (WORDS[what]);
  const act = async () => {
    await request("POST", path("rollouts", id, what));
  };
  if (!(await ask({ title: `${yes} ${name}?`, text: h("p", null, text), yes, danger: what === "stop", act }))) return;
  say(done);
  changed();
}
