// @ts-check
/** Sending: for whom, what, and how; how many that are; and a question before it goes out. */
import { fill, h, word } from "../dom.js";
import { call, idempotencyKey } from "../http.js";
import { lineUp, settled } from "../live.js";
import { go } from "../router.js";
import { counted, number } from "../text.js";
import { counting } from "../parts/count.js";
import { ask } from "../parts/dialog.js";
import { optionsField } from "../parts/options-field.js";
import { payloadField } from "../parts/payload-field.js";
import { card, head } from "../parts/signs.js";
import { someOf, targetField } from "../parts/target-field.js";
import { targetText } from "../parts/target-text.js";

/** @typedef {import("../shapes.js").Visit} Visit */
/** @typedef {import("../parts/count.js").Request} Request */
/** @typedef {import("../parts/count.js").Count} Count */

/** From so many targets on, the operator types their number. */
const MANY = 100;
/** How many of the targets are shown before it goes out. */
const SHOWN = 8;

/** @param {Visit} visit */
function open({ query, signal }) {
  lineUp("Live");
  const said = h("p", { class: "lead", role: "status" });
  const error = h("p", { class: "error", role: "alert" });
  const name = h("input", {
    autocomplete: "off",
    spellcheck: "false",
    oninput: () => changed(),
    value: query.get("name") ?? "",
  });
  const next = h("button", { type: "submit", class: "primary", disabled: true }, "Review and send");
  /** @type {Count | null} */
  let count = null;
  // Rises with each change: a count that was asked for before a change is dropped.
  let asked = 0;

  const request = () =>
    /** @type {Request} */ ({
      target: target.value(),
      name: name.value.trim(),
      ...payload.value(),
      ...options.value(),
    });
  const recount = settled(async () => {
    const mine = asked;
    const [text, found] = await counting(request, signal);
    if (mine !== asked) return;
    count = found;
    fill(said, text);
    next.disabled = !found?.targets || !name.value.trim();
  }, 250);
  const changed = () => {
    asked += 1;
    count = null;
    next.disabled = true;
    fill(error);
    recount();
  };
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (count?.targets) review(request(), count).catch((/** @type {Error} */ failed) => fill(error, failed.message));
  };
  const target = targetField(query, changed, signal);
  const payload = payloadField(changed);
  const options = optionsField(changed);
  recount();
  return h(
    "div",
    null,
    head("Send a command"),
    h(
      "form",
      { class: "send", onsubmit: submit },
      card("For whom", null, target.element, said),
      card(
        "What",
        null,
        h("label", { class: "field" }, h("span", null, "Name, a word that the terminals know"), name),
        h("h3", null, "Payload"),
        payload.element,
      ),
      card("How", null, options.element),
      error,
      h("footer", null, next),
    ),
  );
}

/**
 * Asks before the command goes out, and sends it.
 * @param {Request} request
 * @param {Count} count
 */
async function review(request, count) {
  const some = await someOf(request.target, SHOWN);
  const rest = count.targets - some.length;
  const key = idempotencyKey();
  let id = "";
  const text = [
    h(
      "p",
      null,
      "For ",
      targetText(request.target),
      ": ",
      h("b", null, counted(count.targets, "terminal")),
      count.online < count.targets
        ? `, of which ${number(count.online)} are online now.`
        : ", all online now.",
    ),
    h(
      "ul",
      { class: "some" },
      some.map((each) => h("li", { class: "id" }, word(each))),
      rest > 0 ? h("li", { class: "faint" }, `and ${number(rest)} more`) : null,
    ),
  ];
  const act = async () => {
    const made = /** @type {{ id: string, stored?: boolean }} */ (
      await call("POST", "/v1/commands", { body: request, headers: { "Idempotency-Key": key } })
    );
    id = made.id;
  };
  const typed = count.targets > MANY ? String(count.targets) : undefined;
  const yes = `Send to ${counted(count.targets, "terminal")}`;
  if (await ask({ title: `Send ${request.name}?`, text, yes, typed, act })) go(["commands", id]);
}

export const sendPage = { scope: "command", open };
