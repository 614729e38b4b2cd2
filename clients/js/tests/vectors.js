import { readFileSync } from "node:fs";

/**
 * A file of test vectors that all clients share.
 * @param {string} name
 * @returns {any}
 */
export const vectors = (name) =>
  JSON.parse(readFileSync(new URL(`../../../protocol/vectors/${name}.json`, import.meta.url), "utf8"));
