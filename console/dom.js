// @ts-check
/**
 * Elements. A text is always the text of a node, never markup, and characters that hide or turn text are written out.
 * So no word of a terminal can be more than a word.
 */
import { block, day, plain, relative } from "./text.js";

/** @typedef {Node | string | number | false | null | undefined} Piece */
/** @typedef {Piece | Piece[]} Child */
/** @typedef {Record<string, any>} Props */

/**
 * Makes an element. `on…` are listeners, `vars` are CSS variables, true is an attribute without a value, and what is false,
 * null or undefined is left out.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Props | null} [props]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  setProps(element, props ?? {});
  fill(element, ...children);
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/**
 * Makes an element of a picture.
 * @param {string} tag
 * @param {Props | null} [props]
 * @param {...Child} children
 * @returns {SVGElement}
 */
export function s(tag, props, ...children) {
  const element = /** @type {SVGElement} */ (document.createElementNS(SVG, tag));
  setProps(element, props ?? {});
  fill(element, ...children);
  return element;
}

/**
 * @param {HTMLElement | SVGElement} element
 * @param {Props} props
 */
export function setProps(element, props) {
  for (const [name, value] of Object.entries(props)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "vars") setVars(element, value);
    else if (name === "value" || name === "checked") Reflect.set(element, name, value);
    else element.setAttribute(name, value === true ? "" : plain(String(value)));
  }
}

/**
 * @param {HTMLElement | SVGElement} element
 * @param {Record<string, string>} vars
 */
function setVars(element, vars) {
  for (const [name, value] of Object.entries(vars)) element.style.setProperty(name, value);
}

/**
 * Gives an element these children in place of those that it has.
 * @template {Element} E
 * @param {E} element
 * @param {...Child} children
 */
export function fill(element, ...children) {
  const write = element.tagName === "PRE" || element.tagName === "TEXTAREA" ? block : plain;
  const seen = children.flat().filter((child) => child !== false && child !== null && child !== undefined);
  element.replaceChildren(...seen.map((child) => (child instanceof Node ? child : write(String(child)))));
  return element;
}

/**
 * Fills the element if `key` is not that of the last time: what has the focus stays as long as nothing changes.
 * @param {HTMLElement} element
 * @param {string} key
 * @param {() => Child} make
 */
export function refill(element, key, make) {
  if (element.dataset.key === key) return;
  element.dataset.key = key;
  fill(element, make());
}

/**
 * A link to a page of the console.
 * @param {string} to
 * @param {...Child} children
 */
export const link = (to, ...children) => h("a", { href: to }, ...children);

/**
 * What others wrote, apart from the text around it, whatever its direction.
 * @param {string} text
 */
export const word = (text) => h("bdi", null, text);

/**
 * A moment, as the time since then. `tick` keeps it true.
 * @param {string | null | undefined} moment RFC 3339
 */
export function ago(moment) {
  if (!moment) return h("span", { class: "faint" }, "–");
  return h("time", { datetime: moment, title: day(moment), "data-ago": true }, relative(moment));
}

/** Writes the times of the page anew. */
export function tick() {
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const text = relative(/** @type {HTMLTimeElement} */ (time).dateTime);
    if (time.textContent !== text) time.textContent = text;
  }
}

/**
 * A button.
 * @param {string} text
 * @param {(event: MouseEvent) => void} onclick
 * @param {Props} [props]
 */
export const button = (text, onclick, props) => h("button", { type: "button", onclick, ...props }, text);
