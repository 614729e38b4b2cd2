import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { FakeNode, ID } from "./fake_node.js";

const OTHER = ID.replace("0", "f");
const PAGE = `<!doctype html><title>terminal</title><script type="module">
  import { LATER, Terminal } from "/src/browser.js";
  const url = "ws://" + location.host + "/ws";
  const policy = { first: 50, cap: 50 };
  function run({ name, payload }) {
    if (name === "show") return { shown: payload };
    location.reload();
    return LATER;
  }
  new Terminal({ url, id: "t1", token: "x.y.z", memory: "kiosk", policy, run });
</script>`;

/** @param {FakeNode} node serves the page and the client's source too */
function serve(node) {
  node.http.on("request", ({ url = "" }, answer) => {
    const isSource = /^\/src\/[a-z/_]+\.js$/.test(url);
    answer.setHeader("content-type", isSource ? "text/javascript" : "text/html");
    answer.end(isSource ? readFileSync(new URL(`..${url}`, import.meta.url)) : PAGE);
  });
}

/**
 * Hears frames until one of this type.
 * @param {FakeNode} node
 * @param {string} type
 */
async function hearNext(node, type) {
  for (;;) {
    const frame = await node.hear();
    if (frame.type === type) return frame;
  }
}

const isMissing = spawnSync("chromium", ["--version"]).status !== 0;

// Under CI a Chromium that is missing is a failure.
test("a page is a terminal, and is the same one after a reload", { skip: isMissing && !process.env.CI }, async () => {
  const node = new FakeNode();
  serve(node);
  const page = (await node.url()).replace("ws:", "http:").replace("/ws", "/");
  const folder = mkdtempSync(join(tmpdir(), "muster-"));
  const flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
  const chromium = spawn("chromium", [...flags, `--user-data-dir=${folder}`, page], {
    stdio: "ignore",
    detached: true,
  });
  try {
    await node.welcome();
    assert.equal(node.request?.headers["sec-websocket-protocol"], "muster.v1, muster.bearer.x.y.z");
    const result = { type: "result", id: ID, ok: true, payload: { shown: 1 } };
    node.command({ cursor: "c1" });
    assert.deepEqual(await node.hear(), { type: "ack", id: ID });
    assert.deepEqual(await node.hear(), result);

    node.command({ id: OTHER, name: "reload", cursor: "c2" });
    assert.equal((await hearNext(node, "hello")).resume, "c2");
    node.say({ type: "welcome", session: "s", node: "n", time: "2030-01-01T00:00:00Z", ping_ms: 200, resumed: true });
    assert.deepEqual(await node.hear(), result);
    node.command({ payload: 2, cursor: "c2" });
    assert.deepEqual(await node.hear(), { type: "ack", id: ID });
    assert.deepEqual(await node.hear(), result);

    // The page asks whether the silent node is there, and then gives the connection up.
    assert.deepEqual(await node.hear(), { type: "probe" });
    assert.equal((await hearNext(node, "hello")).resume, "c2");
  } finally {
    const ended = new Promise((resolve) => chromium.once("exit", resolve));
    if (chromium.pid) process.kill(-chromium.pid, "SIGKILL");
    await ended;
    node.stop();
    rmSync(folder, { recursive: true, maxRetries: 10, retryDelay: 50 });
  }
});
