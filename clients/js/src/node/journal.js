import { closeSync, fdatasyncSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/**
 * A journal in a file. A crash can tear the last line only, and a line without its end is not read.
 * @param {string} path
 * @returns {import("../memory.js").Journal}
 */
export function openJournal(path) {
  /** @type {number | undefined} */
  let file;
  // Ends what a failure, such as a full disk, left of a line.
  let begin = "";
  return {
    read: () => read(path).split("\n").slice(0, -1),
    append(line, durable) {
      file ??= openSync(path, "a", 0o600);
      const text = `${begin}${line}\n`;
      begin = "\n";
      writeAll(file, text);
      begin = "";
      if (durable) fdatasyncSync(file);
    },
    replace(lines) {
      if (file !== undefined) closeSync(file);
      file = undefined;
      replace(path, lines.map((line) => `${line}\n`).join(""));
      file = openSync(path, "a", 0o600);
    },
  };
}

/** @param {string} path */
function read(path) {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === "ENOENT") return "";
    throw error;
  }
}

/**
 * Writes another file and renames it, so that `path` is a complete file at any time. In this order: a name must not come to stand
 * for a file whose bytes are not on the disk.
 * @param {string} path
 * @param {string} text
 */
function replace(path, text) {
  const next = `${path}.next`;
  const file = openSync(next, "w", 0o600);
  try {
    writeAll(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(next, path);
  // Windows has no descriptor of a folder, and needs none.
  if (process.platform === "win32") return;
  const folder = openSync(dirname(path), "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/**
 * @param {number} file
 * @param {string} text
 */
function writeAll(file, text) {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
}
