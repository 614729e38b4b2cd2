// @ts-check
/**
 * Who is signed in. A key is exchanged for a token of a few minutes, which is renewed while the page is open. The token is kept in
 * sessionStorage, which ends with the tab; the key is kept nowhere.
 */

/** @typedef {import("./shapes.js").Session} Session */

const PLACE = "muster.session";
/** Milliseconds between two renewals: a third of a token's life, so that two may fail. */
const RENEW_EVERY = 5 * 60_000;
/** Milliseconds until a renewal that found no node is tried again. */
const RENEW_AGAIN = 10_000;

/** @type {Session | null} */
let session = read();
let timer = 0;
/** @type {(reason: string) => void} */
let onEnd = () => {};

/** @returns {Session | null} */
function read() {
  try {
    return JSON.parse(sessionStorage.getItem(PLACE) ?? "null");
  } catch {
    return null;
  }
}

/** @param {Session | null} next */
function write(next) {
  session = next;
  if (next) sessionStorage.setItem(PLACE, JSON.stringify(next));
  else sessionStorage.removeItem(PLACE);
}

/** The token that is valid now; empty on a node that asks for none. */
export const token = () => session?.token ?? "";
/** The session, or null before one is signed in. */
export const current = () => session;
/** Whether the operator may do what needs this scope.
 * @param {string} scope */
export const may = (scope) => session?.scopes.includes(scope) ?? false;

/** Whether the key reaches some terminals only, and so sees nothing that is about the whole fleet. */
export const limited = () => Object.keys(session?.labels ?? {}).length > 0;

/**
 * Calls `end` when the session is over, with the reason.
 * @param {(reason: string) => void} end
 */
export function watch(end) {
  onEnd = end;
  document.addEventListener("visibilitychange", () => {
    if (session && !document.hidden) renewIn(0);
  });
  if (session) renewIn(0);
}

/**
 * Exchanges a key for a session. Without a key it goes on as nodes with `--insecure` let anyone. Returns why that failed, or null.
 * @param {string} key
 * @returns {Promise<string | null>}
 */
export async function signIn(key) {
  const response = await (key ? exchange(key) : fetch("/v1/commands?limit=1", OPTIONS).catch(() => null));
  if (!response) return "No node answers. Is the cluster there?";
  const said = await response.json().catch(() => ({}));
  // A node with `--insecure` and no secret makes no sessions, and needs none.
  if (!response.ok && response.status !== 501) return said.detail ?? `The answer is ${response.status}.`;
  write(said.token ? said : { token: null, name: null, scopes: ["read", "command", "admin"] });
  renewIn(RENEW_EVERY);
  return null;
}

/** Forgets the session. */
export function signOut() {
  ended("");
}

/**
 * The session is over, for this reason.
 * @param {string} reason
 */
export function ended(reason) {
  if (!session) return;
  clearTimeout(timer);
  write(null);
  onEnd(reason);
}

/** @type {RequestInit} */
const OPTIONS = { cache: "no-store", credentials: "omit" };

/** @param {string} bearer */
const exchange = (bearer) =>
  fetch("/v1/session", { ...OPTIONS, method: "POST", headers: { Authorization: `Bearer ${bearer}` } }).catch(
    () => null,
  );

/** @param {number} wait */
function renewIn(wait) {
  clearTimeout(timer);
  timer = setTimeout(renew, wait);
}

async function renew() {
  const before = session;
  if (!before?.token) return;
  const response = await exchange(before.token);
  // Signed out, or signed in anew, while the answer was on its way.
  if (session !== before) return;
  if (response?.ok) {
    const said = await response.json().catch(() => null);
    if (said && session === before) write(said);
  }
  // The last token of a session is not renewed, and stays good until its end. If there is another reason, the next call tells it.
  if (response?.status === 401) return;
  renewIn(response?.ok ? RENEW_EVERY : RENEW_AGAIN);
}
