// @ts-check
/** Lines over time, drawn as SVG. Where nothing is known, a line has a hole. */
import { fill, h, s } from "../dom.js";
import { minute, number } from "../text.js";
import { empty } from "./signs.js";

/** @typedef {{ at: number, value: number }} Point `at` in milliseconds since 1970. */
/** @typedef {{ name: string, colour: string, points: Point[], area?: boolean }} Line `colour` names a CSS variable. */

/** Pixels. The width is that of the place where the picture stands. */
const HEIGHT = 180;
const EDGE = { left: 44, right: 8, top: 10, bottom: 22 };
/** Milliseconds between two points beyond which nothing is known in between. */
const HOLE = 150_000;

/**
 * Draws lines in one picture, with their scale, and with the values where one points.
 * @param {string} title
 */
export function chart(title) {
  const said = h("p", { class: "chart-said faint" });
  const place = h("div", { class: "chart" });
  /** @type {Line[]} */
  let lines = [];
  let cursor = s("line");
  const draw = () => {
    const frame = frameOf(lines, place.clientWidth);
    cursor = s("line", { class: "cursor", x1: 0, x2: 0, y1: EDGE.top, y2: HEIGHT - EDGE.bottom });
    const props = { width: frame.width, height: HEIGHT, role: "img", "aria-label": `${title}: ${summary(lines)}` };
    const drawn = lines.some(({ points }) => points.length > 1);
    fill(
      place,
      drawn
        ? s("svg", props, ...picture(lines, frame), cursor)
        : empty("Not yet", "Each minute is a point, and a line needs two."),
    );
    fill(said, drawn && legend(lines));
  };
  place.addEventListener("pointermove", (event) => {
    const frame = frameOf(lines, place.clientWidth);
    const found = nearest(lines, frame.timeAt(event.clientX - place.getBoundingClientRect().left));
    if (!found) return;
    cursor.setAttribute("transform", `translate(${frame.x(found.at)} 0)`);
    cursor.classList.add("seen");
    fill(said, `${minute(found.at)} · ${found.text}`);
  });
  place.addEventListener("pointerleave", () => {
    cursor.classList.remove("seen");
    fill(said, legend(lines));
  });
  new ResizeObserver(draw).observe(place);
  return {
    element: h("figure", null, place, said),
    /** @param {Line[]} next */
    show: (next) => {
      lines = next;
      draw();
    },
  };
}

/**
 * Where times and values stand in a picture of this width.
 * @param {Line[]} lines
 * @param {number} width
 */
function frameOf(lines, width) {
  const times = lines.flatMap(({ points }) => points.map(({ at }) => at));
  const values = lines.flatMap(({ points }) => points.map(({ value }) => value));
  const [first, last] = [Math.min(...times), Math.max(...times, Math.min(...times) + 60_000)];
  const top = rounded(Math.max(1, ...values));
  const [inner, high] = [Math.max(1, width - EDGE.left - EDGE.right), HEIGHT - EDGE.top - EDGE.bottom];
  return {
    width,
    first,
    last,
    top,
    x: (/** @type {number} */ at) => EDGE.left + (inner * (at - first)) / (last - first),
    y: (/** @type {number} */ value) => EDGE.top + high * (1 - value / top),
    timeAt: (/** @type {number} */ x) => first + ((x - EDGE.left) / inner) * (last - first),
  };
}

/** @param {number} value The next number that is easy to read. */
function rounded(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 2.5, 5, 10].find((each) => each * power >= value) ?? 10;
  return Math.max(2, Math.ceil(step * power));
}

/**
 * @param {Line[]} lines
 * @param {ReturnType<typeof frameOf>} frame
 */
function picture(lines, frame) {
  const grid = [0, 0.5, 1].map((part) => {
    const [y, value] = [frame.y(frame.top * part), frame.top * part];
    const text = s("text", { x: EDGE.left - 8, y: y + 4, "text-anchor": "end" }, number(value));
    return s("g", null, s("line", { class: "grid", x1: EDGE.left, x2: frame.width - EDGE.right, y1: y, y2: y }), text);
  });
  const moments = [0, 0.25, 0.5, 0.75, 1].map((part) => frame.first + part * (frame.last - frame.first));
  // A time of day that repeats the one before says nothing.
  const shown = moments.filter((at, index) => !index || minute(at) !== minute(moments[index - 1] ?? 0));
  const times = shown.map((at) => {
    const anchor = at === frame.first ? "start" : at === frame.last ? "end" : "middle";
    return s("text", { x: frame.x(at), y: HEIGHT - 5, "text-anchor": anchor }, minute(at));
  });
  return [...grid, ...times, ...lines.flatMap((line) => strokes(line, frame))];
}

/**
 * @param {Line} line
 * @param {ReturnType<typeof frameOf>} frame
 */
const strokes = ({ points, colour, area }, frame) =>
  pieces(points).flatMap((piece) => {
    const path = piece
      .map(({ at, value }, index) => `${index ? "L" : "M"}${frame.x(at).toFixed(1)} ${frame.y(value).toFixed(1)}`)
      .join("");
    const [from, until] = [piece[0]?.at ?? 0, piece[piece.length - 1]?.at ?? 0];
    const under = `${path}L${frame.x(until).toFixed(1)} ${frame.y(0)}L${frame.x(from).toFixed(1)} ${frame.y(0)}Z`;
    const stroke = s("path", { class: "stroke", d: path, vars: { "--colour": `var(--${colour})` } });
    return area ? [s("path", { class: "area", d: under, vars: { "--colour": `var(--${colour})` } }), stroke] : [stroke];
  });

/** @param {Point[]} points The runs of points without a hole. */
function pieces(points) {
  /** @type {Point[][]} */
  const found = [];
  for (const [index, point] of points.entries()) {
    const before = points[index - 1];
    if (before && point.at - before.at <= HOLE) found[found.length - 1]?.push(point);
    else found.push([point]);
  }
  return found;
}

/**
 * @param {Line[]} lines
 * @param {number} time
 */
function nearest(lines, time) {
  const points = lines[0]?.points ?? [];
  if (!points.length) return null;
  const index = points.reduce(
    (best, { at }, each) => (Math.abs(at - time) < Math.abs((points[best]?.at ?? 0) - time) ? each : best),
    0,
  );
  const text = lines.map(({ name, points: own }) => `${number(own[index]?.value ?? 0)} ${name}`).join(" · ");
  return { at: points[index]?.at ?? 0, text };
}

/** @param {Line[]} lines */
const legend = (lines) =>
  lines.map(({ name, colour }) => h("span", { class: "legend", vars: { "--colour": `var(--${colour})` } }, name));

/** @param {Line[]} lines */
const summary = (lines) =>
  lines
    .map(
      ({ name, points }) =>
        `${name} from ${number(points[0]?.value ?? 0)} to ${number(points[points.length - 1]?.value ?? 0)}`,
    )
    .join(", ");

/**
 * A small line without a scale, beside a number.
 * @param {number[]} values
 * @param {string} colour
 */
export function spark(values, colour) {
  const [width, height, most] = [120, 28, Math.max(1, ...values)];
  const step = width / Math.max(1, values.length - 1);
  const path = values
    .map(
      (value, at) =>
        `${at ? "L" : "M"}${(at * step).toFixed(1)} ${(height - 2 - (height - 4) * (value / most)).toFixed(1)}`,
    )
    .join("");
  const line = values.length > 1 && s("path", { class: "stroke", d: path, vars: { "--colour": `var(--${colour})` } });
  return s(
    "svg",
    { class: "spark", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    line,
  );
}
