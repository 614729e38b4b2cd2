// @ts-check
/** A cell for each target of a command, drawn on a canvas: ten thousand elements would be slow. */
import { h } from "../dom.js";
import { spoken, TARGET_STATES } from "../states.js";

const BY_LETTER = new Map(TARGET_STATES.map((state) => [state.letter, state.name]));
const GAP = 2;

/**
 * @param {(at: number) => Promise<string | null>} nameOf The terminal of a cell.
 * @param {(terminal: string) => void} chosen Is called with the terminal of a cell that is clicked.
 * @param {AbortSignal} signal
 */
export function cells(nameOf, chosen, signal) {
  const canvas = h("canvas", {
    tabindex: "0",
    role: "img",
    "aria-label": "a cell for each target",
    "aria-describedby": "cell-said",
  });
  const said = h(
    "p",
    { id: "cell-said", class: "faint", "aria-live": "polite" },
    "Each cell is a terminal. Point at one, or move with the arrow keys.",
  );
  let [letters, at, size, columns] = ["", -1, 12, 1];

  const draw = () => {
    const width = canvas.clientWidth;
    if (!width || !letters) return;
    size = sizeFor(letters.length);
    columns = Math.max(1, Math.floor((width + GAP) / (size + GAP)));
    paint(canvas, { letters, at, size, columns });
  };
  const point = async (/** @type {number} */ next) => {
    at = Math.min(Math.max(next, 0), letters.length - 1);
    draw();
    const [shown, state] = [at, BY_LETTER.get(/** @type {any} */ (letters[at])) ?? "unknown"];
    const name = await nameOf(at).catch(() => null);
    if (shown === at)
      said.replaceChildren(h("bdi", { class: "id" }, name ?? `target ${at + 1}`), ` · ${spoken(state)}`);
  };
  const choose = async () => {
    const name = at < 0 ? null : await nameOf(at).catch(() => null);
    if (name) chosen(name);
  };
  canvas.addEventListener("pointermove", (event) => {
    const found =
      Math.floor(event.offsetY / (size + GAP)) * columns +
      Math.min(columns - 1, Math.floor(event.offsetX / (size + GAP)));
    if (found !== at && found < letters.length) point(found);
  });
  canvas.addEventListener("click", choose);
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    if (event.key === "Enter") choose();
    if (step === undefined) return;
    event.preventDefault();
    point(at + step);
  });
  new ResizeObserver(draw).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw, { signal });
  return {
    element: h("div", { class: "cells" }, canvas, said),
    /** @param {string} next A letter for each target. @param {string} summary What the picture shows, in words. */
    show: (next, summary) => {
      letters = next;
      canvas.setAttribute("aria-label", summary);
      draw();
    },
  };
}

/** @param {number} count The size of a cell in pixels, so that all are seen on a page. */
const sizeFor = (count) => (count <= 400 ? 16 : count <= 2500 ? 10 : count <= 6000 ? 7 : 5);

/**
 * @param {HTMLCanvasElement} canvas
 * @param {{ letters: string, at: number, size: number, columns: number }} picture
 */
function paint(canvas, { letters, at, size, columns }) {
  const [scale, step] = [devicePixelRatio, size + GAP];
  const height = Math.ceil(letters.length / columns) * step - GAP;
  canvas.style.height = `${height}px`;
  canvas.width = canvas.clientWidth * scale;
  canvas.height = height * scale;
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  pen.scale(scale, scale);
  const colours = coloursOf(canvas);
  for (let cell = 0; cell < letters.length; cell += 1) {
    pen.fillStyle = colours.get(letters[cell] ?? "") ?? "transparent";
    pen.fillRect((cell % columns) * step, Math.floor(cell / columns) * step, size, size);
  }
  if (at < 0 || at >= letters.length) return;
  pen.strokeStyle = getComputedStyle(canvas).color;
  pen.lineWidth = 2;
  pen.strokeRect((at % columns) * step - 1, Math.floor(at / columns) * step - 1, size + 2, size + 2);
}

/** @param {Element} canvas @returns {Map<string, string>} */
function coloursOf(canvas) {
  const style = getComputedStyle(canvas);
  return new Map(
    TARGET_STATES.map(({ letter, name }) => [letter, style.getPropertyValue(`--${name.replace("_", "-")}`).trim()]),
  );
}
