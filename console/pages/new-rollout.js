// @ts-check
/** A new rollout: for whom, what, and in which waves; and a question before it starts. */
import { fill, h } from "../dom.js";
import { call, idempotencyKey } from "../http.js";
import { lineUp, settled } from "../live.js";
import { go } from "../router.js";
import { counted } from "../text.js";
import { counting } from "../parts/count.js";
import { ask } from "../parts/dialog.js";
import { payloadField } from "../parts/payload-field.js";
import { back, card, head } from "../parts/signs.js";
import { targetField } from "../parts/target-field.js";
import { targetText } from "../parts/target-text.js";
import { wavesField } from "../parts/waves-field.js";

/** @typedef {import("../shapes.js").Visit} Visit */

/** @param {Visit} visit */
function open({ query, signal }) {
  lineUp("Live");
  const said = h("p", { class: "lead", role: "status" });
  const error = h("p", { class: "error", role: "alert" });
  const name = h("input", { autocomplete: "off", spellcheck: "false", required: true });
  const confirm = h(
    "select",
    null,
    [
      ["ack", "that it arrived"],
      ["result", "its result"],
    ].map(([value, text]) => h("option", { value }, text)),
  );
  const waves = wavesField();
  const recount = settled(async () => {
    const [text] = await counting(() => ({ target: target.value(), name: "-" }), signal);
    fill(said, text);
  }, 250);
  const target = targetField(query, recount, signal);
  const payload = payloadField(() => fill(error));
  const request = () => ({
    target: target.value(),
    command: { name: name.value.trim(), confirm: confirm.value, ...payload.value() },
    ...waves.value(),
  });
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    review(request, signal).catch((/** @type {Error} */ failed) => fill(error, failed.message));
  };
  const command = [
    h("label", { class: "field" }, h("span", null, "Name, a word that the terminals know"), name),
    h("label", { class: "field" }, h("span", null, "Each terminal confirms"), confirm),
    h("h3", null, "Payload"),
    payload.element,
  ];
  return h(
    "div",
    null,
    head("Start a rollout", null, back("rollouts", "Rollouts")),
    h(
      "form",
      { class: "send", onsubmit: submit },
      card("For whom", null, target.element, said),
      card("What", null, ...command),
      card("In which waves", null, waves.element),
      error,
      h("footer", null, h("button", { type: "submit", class: "primary" }, "Review and start")),
    ),
  );
}

/**
 * Asks before the rollout starts, and makes it.
 * @param {() => { target: import("../shapes.js").Target, command: { name: string }, waves: object[] }} request
 * @param {AbortSignal} signal
 */
async function review(request, signal) {
  const body = request();
  const [said] = await counting(() => ({ target: body.target, name: body.command.name }), signal);
  const key = idempotencyKey();
  let id = "";
  const act = async () => {
    const made = /** @type {{ id: string }} */ (
      await call("POST", "/v1/rollouts", { body, headers: { "Idempotency-Key": key } })
    );
    id = made.id;
  };
  const text = h(
    "p",
    null,
    "For ",
    targetText(body.target),
    `, in ${counted(body.waves.length, "wave")}. Now that is: ${said} The targets are chosen when it starts.`,
  );
  if (await ask({ title: `Roll out ${body.command.name}?`, text, yes: "Start the rollout", act })) go(["rollouts", id]);
}

export const newRolloutPage = { scope: "command", open };
