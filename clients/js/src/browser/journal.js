/**
 * A journal in localStorage: each line has a key of its own, `PREFIX:NUMBER`, so that a line costs no more than itself. What is there
 * outlives the page and the browser, but not the user who clears it. It is not on the disk at once.
 * @param {string} prefix
 * @param {Storage} [storage]
 * @returns {import("../memory.js").Journal}
 */
export function openJournal(prefix, storage = globalThis.localStorage) {
  let numbers = numbersIn(storage, prefix);
  const key = (/** @type {number} */ number) => `${prefix}:${number}`;
  const append = (/** @type {string} */ line) => {
    const number = (numbers.at(-1) ?? 0) + 1;
    storage.setItem(key(number), line);
    numbers.push(number);
  };
  const forget = (/** @type {number[]} */ gone) => {
    const removed = new Set(gone);
    removed.forEach((number) => storage.removeItem(key(number)));
    numbers = numbers.filter((number) => !removed.has(number));
  };
  return {
    read: () => numbers.map((number) => storage.getItem(key(number)) ?? ""),
    append,
    replace(lines) {
      // The new lines first: a page that dies in between has each line, some twice. If they do not fit beside the old ones, those go first.
      const old = numbers;
      numbers = [...old];
      try {
        lines.forEach(append);
        forget(old);
      } catch {
        forget(numbers);
        lines.forEach(append);
      }
    },
  };
}

/**
 * @param {Storage} storage
 * @param {string} prefix
 * @returns {number[]} in ascending order
 */
function numbersIn(storage, prefix) {
  const keys = Array.from({ length: storage.length }, (_, index) => storage.key(index) ?? "");
  const own = keys.filter((key) => key.startsWith(`${prefix}:`)).map((key) => Number(key.slice(prefix.length + 1)));
  return own.filter(Number.isInteger).sort((a, b) => a - b);
}
