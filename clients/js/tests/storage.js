import { existsSync, readFileSync, writeFileSync } from "node:fs";

/**
 * A localStorage that holds so many characters.
 * @param {number} [room]
 * @param {Map<string, string>} [items]
 */
export function storage(room = Infinity, items = new Map()) {
  return /** @type {Storage & { items: Map<string, string> }} */ ({
    items,
    get length() {
      return items.size;
    },
    key: (/** @type {number} */ index) => [...items.keys()][index] ?? null,
    getItem: (/** @type {string} */ key) => items.get(key) ?? null,
    removeItem: (/** @type {string} */ key) => void items.delete(key),
    setItem(/** @type {string} */ key, /** @type {string} */ value) {
      if ([...items.values()].join("").length + value.length > room) throw new Error("full");
      items.set(key, value);
    },
  });
}

/**
 * A localStorage that is there again when the program is started again.
 * @param {string} path
 */
export function openStorage(path) {
  const items = new Map(existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : []);
  const stored = storage(Infinity, items);
  const save = () => writeFileSync(path, JSON.stringify([...items]));
  return Object.assign(Object.create(stored), {
    setItem(/** @type {string} */ key, /** @type {string} */ value) {
      stored.setItem(key, value);
      save();
    },
    removeItem(/** @type {string} */ key) {
      stored.removeItem(key);
      save();
    },
  });
}
