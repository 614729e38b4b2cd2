const ID = /^[A-Za-z0-9._:-]{1,128}$/;

/**
 * The URLs, each with the terminal's id in its query. Throws for one that can't be used; its text is not repeated, since it may hold
 * a secret.
 * @param {string | string[]} url
 * @param {string} id
 * @returns {URL[]} at least one
 */
export function endpoints(url, id) {
  if (!ID.test(id)) throw new TypeError("id: give 1 to 128 characters of A-Z a-z 0-9 . _ : -");
  const urls = [url].flat();
  if (urls.length === 0) throw new TypeError("url: give at least one, such as ws://127.0.0.1:9000/ws");
  return urls.map((text, index) => endpoint(text, id, urls.length > 1 ? `url[${index}]` : "url"));
}

/**
 * @param {string} text
 * @param {string} id
 * @param {string} name
 */
function endpoint(text, id, name) {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !["ws:", "wss:"].includes(url.protocol)) {
    throw new TypeError(`${name}: write wss://HOST/PATH, or ws://HOST:PORT/PATH without TLS`);
  }
  if (url.username || url.password) throw new TypeError(`${name}: leave out user and password, and set token`);
  url.searchParams.set("terminal_id", id);
  url.hash = "";
  return url;
}
