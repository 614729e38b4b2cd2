// @ts-check
/**
 * The stream of events of a page. It is read by `fetch`, since `EventSource` can send no key, and it comes back by itself: with the
 * last event's id, after a random wait that grows with each failure (full jitter).
 */
import { authorization, Problem, problemOf, search } from "./http.js";
import { lineDown, lineUp, trouble } from "./live.js";
import { current, ended } from "./session.js";

/** @typedef {{ kind: string, data: any }} Heard */
/**
 * @typedef {object} Stream
 * @property {Record<string, string>} query Which events.
 * @property {(event: Heard) => void} heard Is given each event.
 * @property {() => void} [opened] Is called each time the stream begins or may have missed something: read the state anew.
 */

/** Milliseconds without a byte after which the stream is taken for dead. A node says something every 15 s. */
const SILENCE = 40_000;
const WAIT_FIRST = 1000;
const WAIT_MOST = 20_000;

/**
 * Follows the events until the page is left.
 * @param {Stream} stream
 * @param {AbortSignal} signal
 */
export async function follow(stream, signal) {
  let [failures, last] = [0, ""];
  while (!signal.aborted && current()) {
    const end = await readOnce(stream, last, signal);
    if (signal.aborted || end.over) return;
    last = end.forget ? "" : end.last;
    failures = end.heard ? 0 : failures + 1;
    await pause(failures, signal);
  }
}

/**
 * @typedef {{ heard: boolean, last: string, over?: boolean, forget?: boolean }} End
 *
 * One connection, from its opening to its end.
 * @param {Stream} stream
 * @param {string} after The id of the last event that was heard.
 * @param {AbortSignal} left
 * @returns {Promise<End>}
 */
async function readOnce(stream, after, left) {
  const end = { heard: false, last: after };
  const dead = new AbortController();
  const signal = AbortSignal.any([left, dead.signal]);
  let watch = setTimeout(() => dead.abort(), SILENCE);
  try {
    const headers = { ...authorization(), ...(after ? { "Last-Event-ID": after } : {}) };
    const options = { headers, signal, cache: /** @type {const} */ ("no-store") };
    const response = await fetch(`/v1/events${search(stream.query)}`, options);
    if (!response.ok || !response.body) return await refused(response, end);
    lineUp("Live");
    stream.opened?.();
    for await (const message of messages(response.body)) {
      clearTimeout(watch);
      watch = setTimeout(() => dead.abort(), SILENCE);
      end.heard = true;
      end.last = message.id || end.last;
      if (message.kind) take(message, stream);
    }
  } catch {
    // The line was cut, or was silent for too long, or the page was left.
  } finally {
    clearTimeout(watch);
  }
  return end;
}

/**
 * @param {Response} response
 * @param {End} end
 * @returns {Promise<End>}
 */
async function refused(response, end) {
  const problem = await problemOf(response);
  if (response.status === 401) {
    ended(problem.message);
    return { ...end, over: true };
  }
  // An id that the store does not know any more.
  if (response.status === 400 && end.last) return { ...end, forget: true };
  if (problem.passes) return end;
  trouble(new Problem(response.status, problem.message));
  return { ...end, over: true };
}

/**
 * @param {Message} message
 * @param {Stream} stream
 */
function take({ kind, data }, stream) {
  if (kind === "revoked") return ended("The key was revoked.");
  if (kind === "gap" || kind === "partial") return stream.opened?.();
  if (kind === "slow" || kind === "expired") return;
  try {
    stream.heard({ kind, data: JSON.parse(data) });
  } catch (error) {
    trouble(error);
  }
}

/**
 * Waits before the next try, and says so. A stream that had worked comes back soon.
 * @param {number} failures
 * @param {AbortSignal} signal
 */
async function pause(failures, signal) {
  const most = Math.min(WAIT_MOST, WAIT_FIRST * 2 ** failures);
  const until = Date.now() + Math.random() * most;
  while (Date.now() < until && !signal.aborted) {
    const seconds = Math.ceil((until - Date.now()) / 1000);
    lineDown(`The line is down. Next try in ${seconds} s.`);
    await new Promise((done) => setTimeout(done, Math.min(1000, until - Date.now())));
  }
}

/** @typedef {{ kind: string, data: string, id: string }} Message */

/**
 * The messages of a stream of server-sent events. One without an event has an empty kind; comments count as such.
 * @param {ReadableStream<Uint8Array>} body
 * @returns {AsyncGenerator<Message>}
 */
export async function* messages(body) {
  const [reader, decoder] = [body.getReader(), new TextDecoder()];
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + decoder.decode(value, { stream: true })).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) yield messageOf(block);
  }
}

/**
 * @param {string} block
 * @returns {Message}
 */
function messageOf(block) {
  const message = { kind: "", data: "", id: "" };
  for (const line of block.split("\n")) {
    if (line.startsWith("event: ")) message.kind = line.slice(7);
    else if (line.startsWith("data: ")) message.data += line.slice(6);
    else if (line.startsWith("id: ")) message.id = line.slice(4);
  }
  return message;
}
