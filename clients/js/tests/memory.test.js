import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { openJournal as openStored } from "../src/browser/journal.js";
import { CursorTrail } from "../src/cursors.js";
import { Memory } from "../src/memory.js";
import { openJournal } from "../src/node/journal.js";
import { storage } from "./storage.js";

/** @type {string} */
let folder;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "muster-"))));
afterEach(() => rmSync(folder, { recursive: true }));

const id = (/** @type {number} */ number) => `00000000-0000-7000-8000-${String(number).padStart(12, "0")}`;
const failed = (/** @type {Error} */ error) => assert.fail(error);
const path = () => join(folder, "memory");
const open = (remember = 10) => new Memory(openJournal(path()), remember, failed);

test("ids, cursor and results are there after a restart", () => {
  const memory = open();
  memory.add(id(1));
  memory.setCursor("c1");
  memory.setResult(id(1), '{"ok":true}');
  const again = open();
  assert.deepEqual([again.has(id(1)), again.has(id(2)), again.cursor], [true, false, "c1"]);
  assert.deepEqual(again.results(), [[id(1), '{"ok":true}']]);
  assert.equal(statSync(path()).mode & 0o077, 0);
});

test("a line that a crash tore is not read, and does not harm the next", () => {
  open().add(id(1));
  appendFileSync(path(), `command ${id(2)}`);
  assert.equal(open().has(id(2)), false);
  open().add(id(3));
  assert.deepEqual([open().has(id(1)), open().has(id(3))], [true, true]);
});

test("the oldest ids are forgotten, and the file stays small", () => {
  const memory = open(3);
  for (let number = 1; number <= 100; number += 1) memory.add(id(number));
  assert(readFileSync(path(), "utf8").split("\n").length <= 4 * (3 + 1) + 1);
  assert.deepEqual([open(3).has(id(97)), open(3).has(id(98))], [false, true]);
});

test("old and large results make room for others", () => {
  const memory = new Memory(undefined, 10, failed);
  for (let number = 1; number <= 300; number += 1) memory.setResult(id(number), "{}");
  assert.deepEqual([memory.results().length, memory.results()[0][0]], [256, id(45)]);
  const frame = "x".repeat(400_000);
  for (const number of [1, 2, 3]) memory.setResult(id(number), frame);
  assert.deepEqual(
    memory.results().map(([of]) => of),
    [id(2), id(3)],
  );
});

test("a memory that can't be written is told, and the terminal goes on", () => {
  /** @type {string[]} */
  const told = [];
  const full = { read: () => [], replace() {}, append: () => assert.fail("full") };
  const memory = new Memory(full, 10, (error) => told.push(error.message));
  memory.add(id(1));
  assert.deepEqual([memory.has(id(1)), told], [true, ["full"]]);
  assert.throws(() => new Memory(openJournal(join(folder, "missing/memory")), 10, failed), /ENOENT/);
});

test("localStorage keeps a line a key, and others' keys alone", () => {
  const stored = storage();
  stored.setItem("kiosk:other", "1");
  const memory = new Memory(openStored("kiosk", stored), 2, failed);
  for (let number = 1; number <= 50; number += 1) memory.add(id(number));
  memory.setCursor("c9");
  const again = new Memory(openStored("kiosk", stored), 2, failed);
  assert.deepEqual([again.has(id(48)), again.has(id(49)), again.cursor], [false, true, "c9"]);
  assert.deepEqual([stored.items.size, stored.getItem("kiosk:other")], [4, "1"]);
});

test("a full localStorage is rewritten in place", () => {
  const stored = storage(200);
  const journal = openStored("kiosk", stored);
  journal.append("a".repeat(120), true);
  journal.replace(["b".repeat(120)]);
  assert.deepEqual(openStored("kiosk", stored).read(), ["b".repeat(120)]);
});

test("the cursor moves past a command only when the program has it and all before it", () => {
  /** @type {string[]} */
  const moved = [];
  const trail = new CursorTrail((cursor) => moved.push(cursor));
  const first = trail.add("c1");
  const second = trail.add(undefined);
  trail.add("c3")();
  trail.pass("c4");
  assert.deepEqual(moved, []);
  first();
  assert.deepEqual(moved, ["c1"]);
  second();
  assert.deepEqual(moved, ["c1", "c4"]);
});
