// @ts-check
/** What an operator can do about a command: send it again to those that did not, or cancel it where it was not sent. */
import { button, h } from "../dom.js";
import { ask as request, call, idempotencyKey, path } from "../http.js";
import { go } from "../router.js";
import { may } from "../session.js";
import { badOf, silentOf } from "../states.js";
import { counted, number } from "../text.js";
import { ask, say } from "./dialog.js";

/** @typedef {import("../shapes.js").Command} Command */

/**
 * The buttons that the key and the command allow.
 * @param {Command} command
 * @param {() => void} changed
 */
export function commandActions(command, changed) {
  if (!may("command")) return [];
  const some = badOf(command.counts) + silentOf(command) > 0;
  return [
    some && button("Retry", () => retry(command), { class: "primary" }),
    command.state === "open" && button("Cancel", () => cancel(command, changed), { class: "danger-quiet" }),
  ];
}

/** @param {Command} command */
async function retry(command) {
  const key = idempotencyKey();
  let next = "";
  const act = async () => {
    const headers = { "Idempotency-Key": key };
    const made = /** @type {Command} */ (await call("POST", path("commands", command.id, "retry"), { headers }));
    next = made.id;
  };
  const [bad, silent] = [badOf(command.counts), silentOf(command)];
  const who = `${counted(bad, "target")} did not do it${silent ? `, and ${number(silent)} said nothing` : ""}.`;
  const text = h(
    "p",
    null,
    who,
    " A new command with the same name, payload and settings goes to those that ended without what was asked for.",
  );
  if (await ask({ title: `Send ${command.name} again?`, text, yes: "Send again", act })) go(["commands", next]);
}

/**
 * @param {Command} command
 * @param {() => void} changed
 */
async function cancel({ id, name, counts }, changed) {
  const text = h(
    "p",
    null,
    `It is cancelled where it was not sent yet: at ${counted(counts.queued ?? 0, "target")} now. Where it was sent it goes on.`,
  );
  const act = async () => {
    await request("DELETE", path("commands", id));
  };
  if (!(await ask({ title: `Cancel ${name}?`, text, yes: "Cancel the command", danger: true, act }))) return;
  say("It is cancelled.");
  changed();
}
