import assert from "node:assert/strict";
import { test } from "node:test";
import { closed, lost, needsToken, refused } from "../src/end.js";
import { Backoff } from "../src/policy.js";
import { vectors } from "./vectors.js";

/** @param {any} end of a vector */
function endOf({ close, reason, status, retry_after_s }) {
  if (close) return closed(close, reason);
  return status ? refused(status, retry_after_s === null ? undefined : String(retry_after_s)) : lost("reset");
}

test("the delays are those of the vectors, at both ends", () => {
  const { delays } = vectors("policy");
  for (const { end, failures, lasted_ms, delay_ms, other_token, means } of delays) {
    const bounds = [0, 1].map((random) => {
      const backoff = new Backoff({}, () => random);
      for (let failure = 0; failure < failures; failure += 1) backoff.after(lost("reset"), 0);
      const ended = endOf(end);
      const delay = backoff.after(ended, lasted_ms);
      return needsToken(ended) && !other_token ? backoff.slowly() : delay;
    });
    assert.deepEqual(
      bounds.map((bound) => bound && Math.round(bound)),
      delay_ms ?? [undefined, undefined],
      means,
    );
  }
});

test("a hint that is a date, or no number, is none", () => {
  const backoff = new Backoff({}, () => 1);
  assert.equal(backoff.after(refused(503, "Wed, 21 Oct 2015 07:28:00 GMT"), 0), 5_000);
  assert.equal(backoff.after(closed(1012, '{"retry_ms":-1}'), 0), 10_000);
});

test("a source whose tokens are refused is asked less and less often", () => {
  const most = new Backoff({}, () => 1);
  assert.deepEqual(
    [1, 2, 99].map((refusals) => most.beforeAsking(refusals)),
    [30_000, 60_000, 300_000],
  );
});
