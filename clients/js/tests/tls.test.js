import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { until, withNode } from "./fake_node.js";

/** A certificate for 127.0.0.1 that signs itself, and its key. */
function certificate() {
  const subject = ["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"];
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "-"];
  return execFileSync("openssl", ["req", "-x509", "-days", "2", ...key, ...subject], {
    stdio: ["ignore", "pipe", "ignore"],
  });
}

test("a certificate is checked, and one of a CA that the program names is trusted", async () => {
  const pem = certificate();
  await withNode(
    async (node, start) => {
      const { reports, terminal } = await start();
      await until(() => reports.length > 0);
      const [report] = reports;
      assert(report.type === "offline" && report.end.kind === "lost");
      assert.match(report.end.cause, /self-signed certificate/);
      assert.equal(node.handshakes, 0);
      await terminal.close();
      await start({ tls: { ca: pem } });
      assert.equal((await node.welcome()).type, "hello");
    },
    { key: pem, cert: pem },
  )();
});

test("a certificate for another host is refused", async () => {
  const pem = certificate();
  await withNode(
    async (node, start) => {
      const url = (await node.url()).replace("127.0.0.1", "localhost");
      const { reports } = await start({ url, tls: { ca: pem } });
      await until(() => reports.length > 0);
      const [report] = reports;
      assert(report.type === "offline" && report.end.kind === "lost");
      assert.match(report.end.cause, /localhost/);
    },
    { key: pem, cert: pem },
  )();
});
