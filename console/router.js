// @ts-check
/** Addresses of pages: `#/terminals/ID?status=offline`. All stand behind `#`, so one file serves every page. */

/** @typedef {{ path: string[], query: URLSearchParams }} Address */

/** @returns {Address} The address that the browser shows. */
export function here() {
  const [path, query] = splitOnce(location.hash.replace(/^#\/?/, ""), "?");
  return { path: path.split("/").filter(Boolean).map(decoded), query: new URLSearchParams(query) };
}

/**
 * @param {string} text
 * @param {string} separator
 */
function splitOnce(text, separator) {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * The link to a page.
 * @param {string[]} path
 * @param {Record<string, string>} [query]
 */
export function to(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value);
  const search = new URLSearchParams(given).toString();
  return `#/${path.map(encodeURIComponent).join("/")}${search ? `?${search}` : ""}`;
}

/**
 * Opens another page.
 * @param {string[]} path
 * @param {Record<string, string>} [query]
 */
export function go(path, query) {
  location.hash = to(path, query);
}

/**
 * Writes what the page shows into its address, without opening it anew.
 * @param {Record<string, string>} query
 */
export function keep(query) {
  history.replaceState(null, "", to(here().path, query));
}
