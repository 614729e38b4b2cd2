#!/usr/bin/env node
/**
 * The conformance program for the kit: clients/README.md says what it does and prints. With --browser it is the client of browsers, on
 * the WebSocket of Node (which Node 20 has with --experimental-websocket) and a localStorage in a file.
 */

import { writeSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { CommandFailed, CommandRejected, LATER, Terminal as NodeTerminal, TooLarge, tokenFile } from "muster-client";
import { Terminal as BrowserTerminal } from "./src/browser.js";
import { openStorage } from "./tests/storage.js";

/** @typedef {import("muster-client").Command} Command */
/** @typedef {import("muster-client").Report} Report */

const variable = (/** @type {string} */ name) => {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
};

const saw = (/** @type {string} */ what, fields = {}) => writeSync(1, `${JSON.stringify({ saw: what, ...fields })}\n`);

/** @type {Record<string, (command: Command) => unknown>} */
const COMMANDS = {
  echo: ({ payload }) => payload,
  fail({ payload }) {
    throw new CommandFailed(payload);
  },
  progress(command) {
    command.progress(command.payload);
  },
  health: ({ payload }) => terminal.health("degraded", /** @type {Record<string, number>} */ (payload)),
  event({ payload }) {
    const { id, name, payload: told } = /** @type {{ id?: string, name: string, payload: unknown }} */ (payload);
    try {
      terminal.event(name, told, id);
    } catch (error) {
      if (error instanceof TooLarge) saw("too_large", { bytes: error.bytes, limit: error.limit });
      throw new CommandFailed();
    }
  },
  large: ({ payload }) => "x".repeat(Number(payload)),
  quiet: () => LATER,
  die: () => process.kill(process.pid, "SIGKILL"),
  leave(command) {
    command.succeed();
    terminal.close();
    return LATER;
  },
};

/** @param {Command} command */
function run(command) {
  const { id, name, payload } = command;
  const told =
    payload instanceof Uint8Array ? { payload_base64: Buffer.from(payload).toString("base64") } : { payload };
  saw("command", { id, name, ...told });
  if (!Object.hasOwn(COMMANDS, name)) throw new CommandRejected();
  return COMMANDS[name](command);
}

/** @param {Report} report */
function tell(report) {
  if (report.type === "open") saw("open", { resumed: report.welcome.resumed });
  if (report.type === "offline" || report.type === "gone") tellEnd(report);
  if (report.type === "gap") saw("gap", { from: report.from, to: report.to });
  if (report.type === "error") saw("error", { code: report.code });
  if (report.type === "stored") saw("stored", { id: report.id });
  if (report.type === "too_large") saw("too_large", { bytes: report.bytes, limit: report.limit });
  if (report.type === "problem") console.error(report.message);
  if (report.type === "gone" && report.end.kind !== "left") saw("gone");
}

/** @param {Extract<Report, { type: "offline" | "gone" }>} report */
function tellEnd({ end, wasOpen }) {
  console.error(JSON.stringify(end));
  if (end.kind === "closed") saw("close", { code: end.code });
  else if (end.kind === "refused") saw("refused", { status: end.status });
  else if (end.kind !== "left") saw(wasOpen ? "close" : "refused", wasOpen ? { code: 1006 } : {});
}

const times = JSON.parse(variable("MUSTER_POLICY"));
const memory = join(variable("MUSTER_STATE"), "memory");
const isBrowser = process.argv.includes("--browser");
if (isBrowser) globalThis.localStorage = openStorage(memory);
const terminal = new (isBrowser ? BrowserTerminal : NodeTerminal)({
  url: variable("MUSTER_URL").split(","),
  id: variable("MUSTER_TERMINAL"),
  token: tokenFile(variable("MUSTER_TOKEN_FILE")),
  memory,
  labels: { kit: "yes" },
  deadline: times.deadline_ms,
  policy: {
    first: times.first_ms,
    cap: times.cap_ms,
    stable: times.stable_ms,
    slow: times.slow_ms,
    hintCap: times.hint_cap_ms,
  },
  run,
  report: tell,
});

// The WebSocket of Node keeps the program for a while after its end.
terminal.gone.then(() => isBrowser && process.exit());
