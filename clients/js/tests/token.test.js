import assert from "node:assert/strict";
import { test } from "node:test";
import { Tokens, askAfter, expiryOf } from "../src/token.js";

/** A token that expires at this second. */
const token = (/** @type {number} */ exp) =>
  `h.${Buffer.from(JSON.stringify({ sub: "é", exp })).toString("base64url")}.s`;

test("a token says when it expires, or nothing", () => {
  assert.equal(expiryOf(token(1700000000)), 1700000000);
  for (const other of [undefined, "", "a.b", "a.!.c", "a.e30.c"]) assert.equal(expiryOf(other), undefined);
});

test("the source is asked in the last fifth of a token's life, and earlier if that is short", () => {
  const range = (/** @type {number} */ left) => [0, 1].map((random) => askAfter(left, random));
  assert.deepEqual(range(3_600_000), [2_880_000, 3_240_000]);
  assert.deepEqual(range(30_000), [20_000, 25_000]);
  assert.deepEqual(range(4_000), [2_000, 3_000]);
  assert.deepEqual(range(-5), [0, 0]);
});

test("a source that fails or hangs leaves the token as it is, and its error holds no token", async () => {
  /** @type {(() => string | Promise<string>)[]} */
  const answers = [
    () => "first",
    () => Promise.reject(new Error("no network")),
    () => new Promise(() => {}),
    () => "two words",
  ];
  const tokens = new Tokens(() => /** @type {() => string} */ (answers.shift())(), 10);
  await tokens.beforeAttempt(0, false);
  assert.equal(tokens.current, "first");
  await assert.rejects(tokens.replace(), /no network/);
  await assert.rejects(tokens.replace(), /no answer within 10 ms/);
  await assert.rejects(
    tokens.replace(),
    (/** @type {Error} */ error) => /one word/.test(error.message) && !/two/.test(error.message),
  );
  assert.equal(tokens.current, "first");
});

test("a function is asked only when it is needed, and a file before each attempt", async () => {
  let asked = 0;
  const source = () => token(100 + (asked += 1));
  const tokens = new Tokens(source, 1000);
  for (const now of [0, 0, 200_000]) await tokens.beforeAttempt(now, false);
  assert.equal(asked, 2);
  const file = new Tokens(Object.assign(source, { beforeEachAttempt: true }), 1000);
  for (const now of [0, 0]) await file.beforeAttempt(now, false);
  assert.equal(asked, 4);
});

test("a token that a node refused in a session gives way to the one before", async () => {
  const tokens = new Tokens(token(100), 1000);
  assert.equal(tokens.canChange, false);
  let next = 100;
  const renewed = new Tokens(() => token(next), 1000);
  await renewed.beforeAttempt(0, false);
  renewed.begin(0, () => {});
  assert.equal(await renewed.extend(() => 0), undefined);
  next = 200;
  assert.equal(await renewed.extend(() => 0), token(200));
  renewed.askLater();
  assert.equal(renewed.current, token(100));
  renewed.end();
});
