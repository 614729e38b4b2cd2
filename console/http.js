// @ts-check
/** Calls of the API. */
import { ended, token } from "./session.js";

/** Milliseconds after which a call without an answer is given up. */
const PATIENCE = 20_000;

/** An answer that is an error, or no answer: then `status` is 0. */
export class Problem extends Error {
  /**
   * @param {number} status
   * @param {string} detail
   */
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }

  /** Whether the same call may succeed soon. */
  get passes() {
    return [0, 429, 502, 503, 504].includes(this.status);
  }
}

/**
 * @typedef {object} Call
 * @property {unknown} [body] Sent as JSON.
 * @property {Record<string, string>} [headers]
 * @property {Record<string, string | undefined>} [query] What is empty is left out.
 * @property {AbortSignal} [signal]
 */

/**
 * Calls the API and returns the answer, whatever its status below 400. Throws a `Problem` otherwise.
 * @param {string} method
 * @param {string} path
 * @param {Call} [call]
 * @returns {Promise<Response>}
 */
export async function ask(method, path, { body, headers, query, signal } = {}) {
  const response = await answer(`${path}${search(query)}`, {
    method,
    headers: { ...authorization(), ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: AbortSignal.any([AbortSignal.timeout(PATIENCE), ...(signal ? [signal] : [])]),
  });
  if (response.ok || response.status === 304) return response;
  const problem = await problemOf(response);
  if (response.status === 401) ended(problem.message);
  throw problem;
}

/**
 * As `ask`, and reads the answer's JSON.
 * @template T
 * @param {string} method
 * @param {string} path
 * @param {Call} [call]
 * @returns {Promise<T>}
 */
export async function call(method, path, call) {
  return (await ask(method, path, call)).json();
}

/**
 * @template T
 * @param {string} path
 * @param {Call} [options]
 * @returns {Promise<T>}
 */
export const get = (path, options) => call("GET", path, options);

/** The path of one thing, such as `/v1/terminals/ID/history`.
 * @param {...string} segments
 */
export const path = (...segments) => `/v1/${segments.map(encodeURIComponent).join("/")}`;

/** @returns {Record<string, string>} */
export function authorization() {
  const given = token();
  return given ? { Authorization: `Bearer ${given}` } : {};
}

/** @param {Record<string, string | undefined>} [query] */
export function search(query = {}) {
  const given = Object.entries(query).flatMap(([name, value]) => (value ? [[name, value]] : []));
  return given.length ? `?${new URLSearchParams(given)}` : "";
}

/**
 * @param {string} url
 * @param {RequestInit} init
 */
async function answer(url, init) {
  try {
    return await fetch(url, { ...init, cache: "no-store", credentials: "omit", redirect: "error" });
  } catch (error) {
    if (init.signal?.aborted && init.signal.reason?.name !== "TimeoutError") throw error;
    throw new Problem(0, "No node answers.");
  }
}

/** @param {Response} response */
export async function problemOf(response) {
  const said = await response.json().catch(() => null);
  const detail = typeof said?.detail === "string" ? said.detail : `The answer is ${response.status} without a reason.`;
  return new Problem(response.status, detail);
}

/** A key by which a repeated call is recognized. */
export function idempotencyKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
