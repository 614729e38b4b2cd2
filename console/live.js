// @ts-check
/** What is live: whether the line to the cluster is up, and work that is done again while a page is open. */
import { Problem } from "./http.js";

/** @typedef {{ up: boolean, text: string }} Line */

/** @type {Line} */
let line = { up: true, text: "" };
/** @type {(line: Line) => void} */
let onLine = () => {};
/** @type {(text: string) => void} */
let onTrouble = () => {};

/**
 * Sets who is told of the line, and of errors that the operator should read.
 * @param {(line: Line) => void} hear
 * @param {(text: string) => void} trouble
 */
export function tell(hear, trouble) {
  [onLine, onTrouble] = [hear, trouble];
  hear(line);
}

/** The line is up. `text` says how, such as "Live". @param {string} text */
export const lineUp = (text) => setLine({ up: true, text });
/** The line is down, and `text` says what is done about it. @param {string} text */
export const lineDown = (text) => setLine({ up: false, text });

/** @param {Line} next */
function setLine(next) {
  if (next.up === line.up && next.text === line.text) return;
  line = next;
  onLine(line);
}

/**
 * Tells the operator of an error, unless it is the page's own leaving.
 * @param {unknown} error
 */
export function trouble(error) {
  if (error instanceof DOMException && error.name === "AbortError") return;
  if (error instanceof Problem && error.status === 401) return;
  onTrouble(error instanceof Error ? error.message : String(error));
}

/**
 * Returns a function that has `work` done soon: at once if it rests, and at most once each `gap` milliseconds. What fails for
 * want of a node is tried again.
 * @param {() => Promise<void>} work
 * @param {number} gap
 * @param {AbortSignal} signal
 */
export function paced(work, gap, signal) {
  let [busy, again, failed] = [false, false, false];
  const run = async () => {
    [busy, again] = [true, false];
    const error = await work().then(
      () => null,
      (/** @type {unknown} */ thrown) => thrown,
    );
    if (signal.aborted) return;
    // What another work has to complain of stays.
    if (error) trouble(error);
    else if (failed) onTrouble("");
    failed = Boolean(error);
    const passes = error instanceof Problem && error.passes;
    again ||= passes;
    setTimeout(next, passes ? Math.max(gap, AGAIN) : gap);
  };
  const next = () => {
    busy = false;
    if (again && !signal.aborted) run();
  };
  return () => {
    if (busy) again = true;
    else if (!signal.aborted) run();
  };
}

/** Milliseconds until work that found no node is tried again. */
const AGAIN = 3000;

/**
 * As `every`, for a page without a stream: the work itself shows whether the line is up.
 * @param {() => Promise<void>} work
 * @param {number} gap
 * @param {AbortSignal} signal
 */
export const poll = (work, gap, signal) => every(polled(work), gap, signal);

/**
 * Does `work` now and each `gap` milliseconds while the page is open and seen. Returns a function that has it done soon.
 * @param {() => Promise<void>} work
 * @param {number} gap
 * @param {AbortSignal} signal
 */
export function every(work, gap, signal) {
  const again = paced(work, gap / 2, signal);
  again();
  const timer = setInterval(() => document.hidden || again(), gap);
  const seen = () => document.hidden || again();
  document.addEventListener("visibilitychange", seen, { signal });
  signal.addEventListener("abort", () => clearInterval(timer));
  return again;
}

/**
 * The work, which also tells how the line is.
 * @param {() => Promise<void>} work
 */
const polled = (work) => async () => {
  try {
    await work();
    lineUp("Live");
  } catch (error) {
    if (error instanceof Problem && error.status === 0) lineDown("The line is down. Trying again.");
    throw error;
  }
};

/**
 * Returns a function that does `work` once nothing has asked for it for `rest` milliseconds.
 * @param {() => void} work
 * @param {number} rest
 */
export function settled(work, rest) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, rest);
  };
}
