import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { CommandFailed, CommandRejected, LATER, Terminal, TooLarge } from "muster-client";
import { ID, until, withNode } from "./fake_node.js";

const OTHER = ID.replace("0", "f");

test(
  "a command is run, acknowledged and answered",
  withNode(async (node, start) => {
    const { reports } = await start({ labels: { site: "bj" }, token: "x.y.z", run: ({ payload }) => payload });
    const hello = await node.welcome();
    assert.deepEqual([hello.type, hello.labels, hello.resume], ["hello", { site: "bj" }, undefined]);
    assert.deepEqual([node.request?.headers.authorization, node.request?.url], ["Bearer x.y.z", "/ws?terminal_id=t1"]);
    node.command({ payload: { n: 1 } });
    assert.deepEqual(await node.hear(), { type: "ack", id: ID });
    assert.deepEqual(await node.hear(), { type: "result", id: ID, ok: true, payload: { n: 1 } });
    assert.equal(reports[0].type, "open");
  }),
);

test(
  "each way to end a command has its result",
  withNode(async (node, start) => {
    const ends = [
      () => {
        throw new CommandFailed("no paper");
      },
      () => {
        throw new CommandRejected();
      },
      () => {
        throw new Error("bug");
      },
      () => 1n,
      async () => Uint8Array.of(0, 255),
      (/** @type {any} */ command) => {
        command.progress(50);
        command.succeed("late");
        command.fail();
        return LATER;
      },
    ];
    await start({ run: (command) => ends[Number(command.payload)](command) });
    await node.welcome();
    const results = [];
    for (const payload of ends.keys()) {
      node.command({ id: ID.replace("0", String(payload)), payload });
      let frame;
      while ((frame = await node.hear()).type !== "result")
        if (frame.type === "progress") assert.equal(frame.payload, 50);
      results.push([frame.ok, frame.reason, frame.payload_base64 ?? frame.payload]);
    }
    assert.deepEqual(
      results.filter((_, index) => index !== 3),
      [
        [false, undefined, "no paper"],
        [false, "rejected", null],
        [false, undefined, { error: "bug" }],
        [true, undefined, "AP8="],
        [true, undefined, "late"],
      ],
    );
    assert.match(results[3][2].error, /BigInt/);
  }),
);

test(
  "a command whose function answers at once is acknowledged before its answer",
  withNode(async (node, start) => {
    await start({ run: (command) => (command.progress(1), command.succeed(), LATER) });
    await node.welcome();
    node.command();
    assert.deepEqual(await node.hear(), { type: "ack", id: ID });
    assert.equal((await node.hear()).type, "progress");
    assert.equal((await node.hear()).type, "result");
  }),
);

test(
  "commands run one after the other, in their order, and are acknowledged when the program has them",
  withNode(async (node, start) => {
    /** @type {(() => void)[]} */
    const finish = [];
    await start({ run: ({ name }) => new Promise((resolve) => finish.push(() => resolve(name))) });
    await node.welcome();
    node.command({ name: "first" });
    node.command({ id: OTHER, name: "second" });
    assert.deepEqual(await node.hear(), { type: "ack", id: ID });
    assert.equal(finish.length, 1);
    finish[0]();
    assert.equal((await node.hear()).payload, "first");
    assert.deepEqual(await node.hear(), { type: "ack", id: OTHER });
    finish[1]();
    assert.equal((await node.hear()).payload, "second");
  }),
);

test("a command that comes again is acknowledged and answered again, and not run again, also after a restart", async () => {
  const folder = mkdtempSync(join(tmpdir(), "muster-"));
  await withNode(async (node, start) => {
    let runs = 0;
    const options = { memory: join(folder, "memory"), run: () => (runs += 1) };
    const { terminal } = await start(options);
    await node.welcome();
    for (const _ of [1, 2]) {
      node.command({ cursor: "c1" });
      assert.equal((await node.hear()).type, "ack");
      assert.equal((await node.hear()).payload, 1);
    }
    await terminal.close();
    const { reports } = await start(options);
    assert.equal((await node.welcome({ resumed: true })).resume, "c1");
    assert.deepEqual(await node.hear(), { type: "result", id: ID, ok: true, payload: 1 });
    node.command({ cursor: "c1" });
    assert.equal((await node.hear()).type, "ack");
    assert.equal((await node.hear()).payload, 1);
    assert.deepEqual([runs, reports.at(-1)], [1, { type: "repeated", id: ID }]);
  })();
  rmSync(folder, { recursive: true });
});

test(
  "the cursor passes a command only when the program has it",
  withNode(async (node, start) => {
    await start({ run: ({ name }) => (name === "slow" ? new Promise(() => {}) : null) });
    await node.welcome();
    node.command({ name: "slow", cursor: "c1" });
    node.command({ id: OTHER, cursor: "c2" });
    assert.equal((await node.hear()).id, ID);
    node.drop();
    assert.equal((await node.welcome({ resumed: true })).resume, "c1");
  }),
);

test(
  "a command is not run after its time by the node's clock",
  withNode(async (node, start) => {
    const { reports } = await start({ run: () => assert.fail("it ran") });
    await node.welcome({ time: "2000-01-01T00:00:00Z" });
    node.command({ expires_at: "2000-01-01T00:00:00Z" });
    assert.deepEqual(await node.hear(), { type: "result", id: ID, ok: false, reason: "expired", payload: null });
    assert.deepEqual(reports.at(-1), { type: "expired", id: ID });
  }),
);

test(
  "a staggered command waits for its share apart from the others, and is acknowledged then",
  withNode(async (node, start) => {
    const { random } = Math;
    Math.random = () => 0.5;
    try {
      /** @type {string[]} */
      const ran = [];
      await start({ run: ({ name }) => void ran.push(name) });
      await node.welcome();
      node.command({ name: "staggered", stagger_ms: 100 });
      node.command({ name: "staggered", stagger_ms: 100 });
      node.command({ id: OTHER, name: "at once" });
      assert.deepEqual(await node.hear(), { type: "ack", id: OTHER });
      await node.hear();
      assert.deepEqual(await node.hear(), { type: "ack", id: ID });
      assert.deepEqual(ran, ["at once", "staggered"]);
    } finally {
      Math.random = random;
    }
  }),
);

test(
  "a result over the limit is replaced, and an event over it refused",
  withNode(async (node, start) => {
    const { terminal, reports } = await start({ run: () => "x".repeat(300) });
    await node.welcome({ max_message: 300 });
    node.command();
    await node.hear();
    const { payload, ok } = await node.hear();
    assert.deepEqual([ok, payload.error, payload.limit], [false, "too_large", 300]);
    assert.deepEqual(reports.at(-1), { type: "too_large", bytes: payload.bytes, limit: 300, id: ID });
    assert.throws(
      () => terminal.event("e", "é".repeat(5000)),
      (/** @type {any} */ error) => error instanceof TooLarge && error.limit === 8192,
    );
  }),
);

test(
  "events and the last health wait for a connection, and a stored event is told",
  withNode(async (node, start) => {
    const { terminal, reports } = await start();
    terminal.health("ok");
    terminal.event("door", { open: true }, "e1");
    terminal.health("failing", { temperature: 90 });
    await node.welcome();
    assert.deepEqual(await node.hear(), { type: "event", id: "e1", name: "door", payload: { open: true } });
    assert.deepEqual(await node.hear(), { type: "health", condition: "failing", metrics: { temperature: 90 } });
    node.say({ type: "ack", id: "e1" });
    await until(() => reports.some((report) => report.type === "stored"));
  }),
);

test(
  "gaps, errors and unknown frames: told, told, ignored",
  withNode(async (node, start) => {
    const { reports } = await start();
    await node.welcome();
    node.say({ type: "dance" });
    node.say("{");
    node.say({ type: "gap", from: "c0", to: "c9", reason: "gone" });
    node.say({ type: "error", code: "bad_frame", message: "m" });
    await until(() => reports.length === 3);
    assert.deepEqual(
      reports.slice(1).map((report) => report.type),
      ["gap", "error"],
    );
    node.drop();
    assert.equal((await node.welcome()).resume, "c9");
  }),
);

test(
  "a close that says so is final, and any other is not",
  withNode(async (node, start) => {
    const { terminal, reports } = await start({ policy: { first: 1, cap: 1 } });
    for (const code of [1012, 1000, 4001]) {
      await node.welcome();
      node.close(code, '{"retry_ms":5}');
    }
    await node.welcome();
    node.close(4509, "replaced");
    assert.deepEqual(await terminal.gone, { kind: "closed", code: 4509, reason: "replaced" });
    const ends = reports
      .filter((report) => report.type === "offline")
      .map((report) => "end" in report && "code" in report.end && report.end.code);
    assert.deepEqual(ends, [1012, 1000, 4001]);
  }),
);

test(
  "a refusal tells its status and its hint; 401 asks the source and is slow without another token",
  withNode(async (node, start) => {
    const statuses = [429, 401, 401];
    node.refuse = () =>
      statuses.length ? { status: statuses.shift() ?? 0, headers: { "Retry-After": "0" } } : undefined;
    let asked = 0;
    const { reports } = await start({
      token: () => ((asked += 1) < 3 ? "same" : "new"),
      policy: { first: 1, cap: 40, slow: 200 },
    });
    await node.welcome();
    const waits = reports.flatMap((report) =>
      report.type === "offline" && report.end.kind === "refused" ? [[report.end.status, report.retryIn >= 100]] : [],
    );
    assert.deepEqual(waits, [
      [429, false],
      [401, true],
      [401, true],
    ]);
    assert.equal(node.request?.headers.authorization, "Bearer new");
  }),
);

test(
  "the next URL is tried after a failure, and a node without muster.v1 is one",
  withNode(async (node, start) => {
    const url = await node.url();
    const { reports } = await start({ url: ["ws://127.0.0.1:1/ws", url], policy: { first: 1, cap: 1 } });
    await node.welcome();
    assert.equal(reports.filter((report) => report.type === "offline").length, 1);
  }),
);

test(
  "a node that says nothing for three pings is left",
  withNode(async (node, start) => {
    const { reports } = await start();
    await node.welcome({ ping_ms: 10 });
    await node.welcome();
    assert.deepEqual(reports.find((report) => report.type === "offline")?.end, { kind: "silent" });
  }),
);

test(
  "an attempt without a welcome ends at the deadline",
  withNode(async (node, start) => {
    const { reports } = await start({ deadline: 30, policy: { first: 1, cap: 1 } });
    await node.hear();
    await node.hear();
    assert.deepEqual(reports.find((report) => report.type === "offline")?.end, { kind: "no_welcome" });
  }),
);

test(
  "a newer token extends the session",
  withNode(async (node, start) => {
    const token = (/** @type {number} */ exp) => `h.${Buffer.from(JSON.stringify({ exp })).toString("base64url")}.s`;
    const second = Date.parse("2030-01-01T00:00:00Z") / 1000;
    const tokens = [token(second), token(second + 3600)];
    await start({ token: () => tokens.shift() ?? "" });
    await node.welcome();
    assert.deepEqual(await node.hear(), { type: "token", token: token(second + 3600) });
  }),
);

test("a hello over the limit is refused at the start", () => {
  const will = "x".repeat(70_000);
  assert.throws(() => new Terminal({ url: "ws://127.0.0.1:1", id: "t1", run() {}, will }), TooLarge);
});

test(
  "a terminal that is closed does not wait for a token source that hangs",
  withNode(async (_node, start) => {
    const { terminal } = await start({ token: () => new Promise(() => {}), deadline: 3_600_000 });
    await terminal.close();
    assert.deepEqual(await terminal.gone, { kind: "left" });
  }),
);
