/** The longest time that a timer of JavaScript can take, in milliseconds: 24.8 days. A longer one would end at once. */
const LONGEST = 2 ** 31 - 1;

/**
 * Calls a function once after some milliseconds, of any number.
 * @param {number} ms
 * @param {() => void} call
 * @returns {() => void} cancels the call
 */
export function after(ms, call) {
  /** @type {ReturnType<typeof setTimeout>} */
  let timer;
  const arm = (/** @type {number} */ left) => {
    const part = Math.min(Math.max(left, 0), LONGEST);
    timer = setTimeout(() => (left > part ? arm(left - part) : call()), part);
  };
  arm(ms);
  return () => clearTimeout(timer);
}

/**
 * Waits for some milliseconds, or until the signal is aborted.
 * @param {number} ms
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
export function sleep(ms, signal) {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = () => {
      cancel();
      signal.removeEventListener("abort", end);
      resolve();
    };
    const cancel = after(ms, end);
    signal.addEventListener("abort", end);
  });
}
