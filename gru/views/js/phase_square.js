// @ts-check
/** The square of a two-unit state: the field, the ground of z, rests and saddles, and the path with its gradient. */

import { colourOf, make, write } from "./dom.js";
import { clamp, format, paint, ramp } from "./draw.js";
import { panelOf } from "./panel.js";
import { memo } from "./state.js";

/** @typedef {import("./phase.js").Point} Point */
/** @typedef {import("./phase.js").Map} Map */
/** @typedef {import("./phase.js").Rest} Rest */

const HALF = 1.08; // half the square's side: states lie within 1
const [GROUND, ACROSS] = [54, 17]; // pixels of the ground, arrows, along a side
const [SHARE, LONGEST, FAINT] = [0.35, 0.1, 0.004]; // of a hop that its arrow shows; an arrow at most; where none is drawn
const KEYS = "Arrow keys move the start, Enter lets it hop.";
const PULL = 0.3; // the longest arrow of a gradient

/** A place of the drawing. @param {readonly number[]} point */
const at = ([a, b]) => `${clamp(a, -9, 9).toFixed(4)} ${clamp(-b, -9, 9).toFixed(4)}`;

/** An arrow, its head included. @param {Point} from @param {number} dx @param {number} dy @param {number} head  its size */
function arrow([x, y], dx, dy, head) {
  const size = Math.hypot(dx, dy) || 1;
  const [u, v] = [(head * dx) / size, (head * dy) / size];
  const tip = [x + dx, y + dy];
  const wing = (/** @type {number} */ side) => at([tip[0] - u - side * 0.6 * v, tip[1] - v + side * 0.6 * u]);
  return `M${at([x, y])}L${at(tip)}M${wing(1)}L${at(tip)}L${wing(-1)}`;
}

/** Dots, as strokes of no length with round ends. @param {readonly Point[]} points */
const dots = (points) => points.map((point) => `M${at(point)}h0`).join("");

/** Numbers along the lower and the left side. */
const ticks = () =>
  [-1, 0, 1].flatMap((value) => {
    const place = `${(50 * (1 + value / HALF)).toFixed(2)}%`;
    const text = format(value, 0);
    return [
      make("span", { class: "gru-tick gru-across", style: `left:${place}` }, text),
      make("span", { class: "gru-tick", style: `bottom:${place}` }, text),
    ];
  });

export function planePanel() {
  const canvas = make("canvas", { width: GROUND, height: GROUND });
  const names = /** @type {const} */ (["box", "field", "pull", "now", "trail", "saddle", "source", "rest", "start", "dot"]);
  const path = Object.fromEntries(names.map((name) => [name, make("path", { class: `gru-${name}` })]));
  const viewBox = `${-HALF} ${-HALF} ${2 * HALF} ${2 * HALF}`;
  const svg = make("svg", { viewBox, "aria-hidden": "true" }, ...names.map((name) => path[name]));
  const title = ["the state: ", make("b", { class: "gru-h" }, "h₁"), " across, ", make("b", { class: "gru-h" }, "h₂"), " up"];
  const attributes = { class: "gru-square", tabindex: "0" };
  const { panel, plot, value } = panelOf("square", title, attributes, canvas, svg, ...ticks());
  plot.setAttribute("role", "application");
  plot.querySelector(".gru-at-step")?.remove(); // there is no time in it
  path.box.setAttribute("d", "M-1 -1H1V1H-1ZM-1 0H1M0 -1V1");

  const paintGround = memo((/** @type {Map} */ map, /** @type {string} */ _theme) => drawGround(canvas, map));
  const drawField = memo((/** @type {Map} */ map) => path.field.setAttribute("d", field(map)));
  const drawRests = memo((/** @type {Rest[]} */ rests) => {
    for (const kind of /** @type {const} */ (["rest", "saddle", "source"])) {
      const rings = rests.filter((one) => one.kind === kind).map(({ h }) => ring(h, kind === "source" ? 0.02 : 0.036));
      path[kind].setAttribute("d", rings.join(""));
    }
  });

  return {
    panel,
    plot,
    /** Where in the square a pointer is. @param {PointerEvent} event @returns {number[]} */
    under({ clientX, clientY }) {
      const { left, top, width, height } = svg.getBoundingClientRect();
      const place = (/** @type {number} */ share) => clamp(Math.round(HALF * (2 * share - 1) * 100) / 100, -1, 1);
      return [place((clientX - left) / width), -place((clientY - top) / height)];
    },
    /**
     * @param {{ step: number, gradient: boolean, steps: number }} now
     * @param {{ map: Map, path: Point[], grads: Point[], rests: Rest[] }} found
     * @param {string} theme
     */
    draw({ step, gradient, steps }, { map, path: walked, grads, rests }, theme) {
      paintGround(map, theme);
      drawField(map);
      drawRests(rests);
      path.trail.setAttribute("d", dots(walked.slice(0, step + 1)));
      path.start.setAttribute("d", ring(walked[0], 0.028));
      path.dot.setAttribute("d", ring(walked[step], 0.045));
      const most = Math.max(...grads.map((g) => Math.hypot(...g))) || 1;
      const pull = grads.map(([a, b]) => [(PULL * a) / most, (PULL * b) / most]);
      const tip = (/** @type {number} */ t) => at([walked[t][0] + pull[t][0], walked[t][1] + pull[t][1]]);
      path.pull.setAttribute("d", gradient ? walked.map((h, t) => `M${at(h)}L${tip(t)}`).join("") : "");
      const head = Math.min(0.04, Math.hypot(...pull[step]) / 3);
      path.now.setAttribute("d", gradient ? arrow(walked[step], pull[step][0], pull[step][1], head) : "");
      write(
        value,
        `z ${map(walked[step])
          .z.map((one) => format(one))
          .join(", ")}`,
      );
      plot.setAttribute(
        "aria-label",
        `The square of states, at hop ${step} of ${steps}: the state is at ${pair(walked[step])}. ${listed(rests)}${KEYS}`,
      );
    },
  };
}

/** @param {readonly number[]} point */
export const pair = (point) => `(${point.map((one) => format(one)).join(", ")})`;

/** Where the rests are, in words. @param {Rest[]} rests */
function listed(rests) {
  const kinds = /** @type {const} */ (["rest", "saddle", "source"]).map((kind) => {
    const places = rests.filter((one) => one.kind === kind).map(({ h }) => pair(h));
    return places.length ? `${kind}${places.length > 1 ? "s" : ""} at ${places.slice(0, 9).join(" and ")}. ` : "";
  });
  return kinds.join("");
}

/**
 * The ground: the more of the old state a place keeps, the bluer.
 * @param {HTMLCanvasElement} canvas
 * @param {Map} map
 */
function drawGround(canvas, map) {
  const colours = ramp(/** @type {const} */ (["ground", "z"]).map((name) => colourOf(canvas, name)));
  const values = new Float64Array(GROUND * GROUND);
  const side = Array.from({ length: GROUND }, (_, i) => HALF * ((2 * i + 1) / GROUND - 1));
  for (const [i, a] of side.entries()) for (const [j, b] of side.entries()) values[(i + 1) * GROUND - 1 - j] = mean(map([a, b]).z);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) return;
  const image = context.createImageData(GROUND, GROUND);
  paint(values, GROUND, GROUND, 0.1, 1.5, colours, image.data); // never so blue that the arrows drown
  context.putImageData(image, 0, 0);
}

/** Short arrows everywhere: where each state goes next. @param {Map} map */
function field(map) {
  const side = Array.from({ length: ACROSS }, (_, i) => -1 + (2 * i) / (ACROSS - 1));
  const one = (/** @type {number} */ a, /** @type {number} */ b) => {
    const { h } = map([a, b]);
    const hop = Math.hypot(h[0] - a, h[1] - b);
    const scale = Math.min(SHARE, LONGEST / (hop || 1));
    return hop < FAINT ? `M${at([a, b])}h0` : arrow([a, b], scale * (h[0] - a), scale * (h[1] - b), Math.min(0.025, 0.45 * scale * hop));
  };
  return side.flatMap((a) => side.map((b) => one(a, b))).join("");
}

/** @param {readonly number[]} values */
const mean = (values) => values.reduce((sum, one) => sum + one, 0) / values.length;

/** A circle. @param {readonly number[]} centre @param {number} radius */
const ring = ([a, b], radius) =>
  `M${at([a - radius, b])}a${radius} ${radius} 0 1 0 ${2 * radius} 0a${radius} ${radius} 0 1 0 ${-2 * radius} 0`;
