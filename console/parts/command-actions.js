// @ts-check
/** What an operator can do about a command: send it again to those that did not, or cancel it where it was not sent. */
import { button, h } from "../dom.js";
import { ask as request, call, idempotencyKey, path } from "../http.js";
import { go } from "../router.js";
import { may } from "../session.js";
import { badOf } from "../states.js";
import { counted } from "../text.js";
import { ask, say } from "./dialog.js";

/** @typedef {import("../shapes.js").Command} Command */

/**
 * The buttons that the key and the command allow.
 * @param {Command} command
 * @param {() => void} changed
 */
export function commandActions(command, changed) {
  if (!may("command")) return [];
  const bad = badOf(command.counts);
  return [
    bad > 0 && button(`Retry ${counted(bad, "target")}`, () => retry(command, bad), { class: "primary" }),
    command.state === "open" && button("Cancel", () => cancel(command, changed), { class: "danger-quiet" }),
  ];
}

/**
 * @param {Command} command
 * @param {number} bad
 */
async function retry({ id, name }, bad) {
  const key = idempotencyKey();
  let next = "";
  const act = async () => {
    const made = /** @type {Command} */ (
      await call("POST", path("commands", id, "retry"), { headers: { "Idempotency-Key": key } })
    );
    next = made.id;
  };
  const text = h(
    "p",
    null,
    `A new command with the same name, payload and settings goes to the ${counted(bad, "target")} that ended without what was asked for.`,
  );
  if (await ask({ title: `Send ${name} again?`, text, yes: `Send to ${counted(bad, "terminal")}`, act }))
    go(["commands", next]);
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
