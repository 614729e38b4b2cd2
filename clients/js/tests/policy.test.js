import assert from "node:assert/strict";
import { test } from "node:test";
import { closed, lost, refused } from "../src/end.js";
import { Backoff } from "../src/policy.js";

const LOST = lost("reset");

test("the range starts wide, doubles and is capped", () => {
  const backoff = new Backoff({}, () => 1);
  assert.deepEqual(
    [1, 2, 3, 4, 5].map(() => backoff.after(LOST, 0)),
    [5_000, 10_000, 20_000, 30_000, 30_000],
  );
  assert.equal(new Backoff({}, () => 0).after(LOST, 0), 0);
});

test("only a stable session begins the range anew", () => {
  const backoff = new Backoff({}, () => 1);
  backoff.after(LOST, 0);
  assert.equal(backoff.after(LOST, 59_999), 10_000);
  assert.equal(backoff.after(LOST, 60_000), 5_000);
});

test("a hint comes first, with up to a tenth more, and is bounded", () => {
  const backoff = new Backoff({}, () => 1);
  assert.equal(backoff.after(closed(1012, '{"retry_ms":1000}'), 0), 1_100);
  assert.equal(backoff.after(refused(429, "2"), 0), 2_200);
  assert.equal(backoff.after(closed(1012, '{"retry_ms":99999999999}'), 0), 660_000);
  assert.equal(backoff.after(refused(503, "Wed, 21 Oct 2015 07:28:00 GMT"), 0), 5_000);
});

test("what would be repeated is final, whatever the hint", () => {
  const backoff = new Backoff();
  for (const status of [400, 403, 404]) assert.equal(backoff.after(refused(status, "1"), 0), undefined);
  assert.equal(backoff.after(closed(4777, '{"retry_ms":1}'), 0), undefined);
});

test("without a good token the attempts are slow, and the source is asked less and less often", () => {
  const [least, most] = [new Backoff({}, () => 0), new Backoff({}, () => 1)];
  assert.deepEqual([least.slowly(), most.slowly()], [150_000, 300_000]);
  assert.deepEqual(
    [1, 2, 99].map((refusals) => most.beforeAsking(refusals)),
    [30_000, 60_000, 300_000],
  );
});
