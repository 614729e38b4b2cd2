import assert from "node:assert/strict";
import { test } from "node:test";
import { until, withNode } from "./fake_node.js";
import { vectors } from "./vectors.js";

/** @typedef {Record<string, unknown>} Fields */

/**
 * Compares the fields that a vector names. What is null there is missing.
 * @param {Fields} got
 * @param {Fields} want
 */
function has(got, want) {
  const named = Object.fromEntries(Object.keys(want).map((name) => [name, got[name] ?? null]));
  assert.deepEqual(named, want);
}

for (const { means, steps } of vectors("session").cases) {
  test(
    means,
    withNode(async (node, start) => {
      /** @type {Fields[]} */
      const saw = [];
      await start({
        policy: { first: 1, cap: 1 },
        run({ id, name, payload }) {
          const isBytes = payload instanceof Uint8Array;
          const told = isBytes ? { payload_base64: Buffer.from(payload).toString("base64") } : { payload };
          saw.push({ saw: "command", id, name, ...told });
          return payload;
        },
        report: (report) => void (report.type === "gap" && saw.push({ saw: "gap", from: report.from, to: report.to })),
      });
      for (const { client, node: said, program, close } of steps) {
        if (client) has(await node.hear(), client);
        if (said) node.say(said);
        if (close) node.close(close);
        if (program) {
          await until(() => saw.length > 0);
          has(/** @type {Fields} */ (saw.shift()), program);
        }
      }
      assert.deepEqual(saw, []);
    }),
  );
}
