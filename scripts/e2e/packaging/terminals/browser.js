// Opens terminal.html in headless Chromium and prints what the page logs:  TOKEN=... node browser.js PROFILE_DIR WS_URL TERMINAL
const { createServer } = require("node:http");
const { readFileSync } = require("node:fs");
const { chromium } = require("playwright-core");

const [profile, url, terminal] = process.argv.slice(2);
const args = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync"];

async function main() {
  // From an origin of this machine, as a page of one's own would be.
  const page = readFileSync(`${__dirname}/terminal.html`);
  const server = createServer((_, answer) => answer.setHeader("Content-Type", "text/html").end(page));
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));

  const browser = await chromium.launchPersistentContext(profile, { executablePath: "/usr/bin/chromium", args });
  const tab = await browser.newPage();
  tab.on("console", (line) => console.log(line.text()));
  const hash = new URLSearchParams({ url, terminal, token: process.env.TOKEN });
  await tab.goto(`http://127.0.0.1:${server.address().port}/#${hash}`);
}

main();
