import assert from "node:assert/strict";
import { test } from "node:test";
import { closed, hintOf, isFinal } from "../src/end.js";
import { endpoints } from "../src/endpoint.js";
import { decode } from "../src/frames.js";
import { payloadField } from "../src/payload.js";
import { vectors } from "./vectors.js";

test("each frame of a node is read", () => {
  for (const { from, text } of vectors("frames").valid) {
    if (from === "node") assert.equal(decode(text)?.type, JSON.parse(text).type, text);
  }
});

test("a text that is no frame of a node is ignored", () => {
  for (const { from, text } of vectors("frames").invalid) {
    if (from === "node") assert.equal(decode(text), undefined, text);
  }
  for (const text of ["{", "7", "null", '{"type":"toString"}']) assert.equal(decode(text), undefined, text);
});

test("a payload of bytes is bytes on both sides", () => {
  const [text] = vectors("frames")
    .valid.map((/** @type {any} */ it) => it.text)
    .filter((/** @type {string} */ it) => /command.*base64/.test(it));
  const command = decode(text);
  assert(command?.type === "command");
  assert.deepEqual(command.payload, Uint8Array.of(0, 255));
  assert.deepEqual(payloadField(command.payload), { payload_base64: "AP8=" });
  assert.equal(decode(text.replace("AP8=", "?")), undefined);
});

test("what is no JSON is no payload", () => {
  assert.deepEqual(payloadField(undefined), { payload: null });
  assert.throws(() => payloadField(() => 1), /not a function/);
});

test("a close code says what to do, and its reason when", () => {
  for (const { code, reason, retry_ms, advice } of vectors("close").closes) {
    const end = closed(code, reason);
    assert.equal(isFinal(end), advice === "stay_away", String(code));
    assert.equal(hintOf(end), retry_ms ?? undefined, String(code));
  }
});

test("an id is one of the protocol's", () => {
  const { valid, invalid } = vectors("ids").terminal_id;
  for (const id of invalid) assert.throws(() => endpoints("ws://h/ws", id), /id:/, id);
  for (const id of valid) assert.equal(endpoints("ws://h/ws", id)[0].searchParams.get("terminal_id"), id);
});

test("a URL that can't be used is refused and not repeated", () => {
  assert.equal(endpoints("wss://h/ws?site=bj#x", "t1")[0].href, "wss://h/ws?site=bj&terminal_id=t1");
  for (const url of ["http://h/ws", "h", "", "ws://u:secret@h/"]) {
    assert.throws(
      () => endpoints(url, "t1"),
      (/** @type {Error} */ error) => /^url:/.test(error.message) && !error.message.includes("secret"),
    );
  }
  assert.throws(() => endpoints([], "t1"), /at least one/);
});
