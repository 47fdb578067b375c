// @ts-check
/** Lines over a common axis, linear or logarithmic, with their names at their ends and a cursor. */

import { clamp, decades, power, spread, ticks, tidy } from "./draw.js";
import { panelOf } from "./panel.js";
import { make, write } from "./view.js";

/**
 * @typedef {object} Line
 * @property {ArrayLike<number>} values
 * @property {number} [from]  x of the first value; 0 if left out
 * @property {number} [by]  x from one value to the next; 1 if left out
 * @property {string} kind  class of its path: gru-line-z, say
 * @property {string | Node} [name]  stands at its right end
 */

const GAP = 0.13; // room for a name at a line's end, as a share of the plot's height

/**
 * @param {string} name  of the panel
 * @param {(Node | string)[]} title  what is drawn; name the upright axis and its unit here
 * @param {{ along: string }} axis  along: what the level axis counts, with its unit
 */
export function chart(name, title, { along }) {
  const grid = make("path", { class: "gru-grid" });
  const group = make("g");
  const svg = make("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" }, grid, group);
  const words = make("div", { class: "gru-words", "aria-hidden": "true" });
  const below = make("div", { class: "gru-axis gru-axis-x", "aria-hidden": "true" });
  const { panel, plot, value } = panelOf(name, title, { class: "gru-lines gru-chart" }, svg, words);
  panel.append(below, make("div", { class: "gru-along", "aria-hidden": "true" }, along));
  let range = /** @type {[number, number]} */ ([0, 1]);
  let height = (/** @type {number} */ y) => y;

  return {
    panel,
    plot,
    value, // what stands in the head: the values at the cursor
    /**
     * @param {{ x: [number, number], y: [number, number], log?: boolean, lines: Line[], yTicks?: [number, string][] }} what
     *   yTicks: values and their labels, where the usual ones do not do
     */
    draw({ x, y, log = false, lines, yTicks }) {
      range = x;
      const [low, high] = log ? [Math.log10(y[0]), Math.log10(y[1])] : y;
      height = (v) => (high - (log ? Math.log10(v) : v)) / (high - low); // from 0 at the top to 1
      const across = (/** @type {number} */ v) => (v - x[0]) / (x[1] - x[0] || 1);
      const rows = yTicks ?? (log ? decades(low, high, 5).map((e) => [10 ** e, power(e)]) : ticks(low, high, 5).map((v) => [v, tidy(v)]));
      const columns = ticks(x[0], x[1], 6);
      grid.setAttribute("d", rows.map(([v]) => `M0 ${height(Number(v)).toFixed(4)}H1`).join(""));
      group.replaceChildren(...lines.map((line) => make("path", { class: `gru-line ${line.kind}`, d: outline(line, across, height) })));
      const named = lines.filter((line) => line.name !== undefined && line.values.length);
      const ends = named.map(({ values }) => clamp(height(values[values.length - 1]), 0, 1));
      const places = spread(ends, GAP);
      words.replaceChildren(
        ...rows.map(([v, text]) => make("span", { class: "gru-tick", style: `top:${100 * height(Number(v))}%` }, String(text))),
        ...named.map(({ name: word = "", kind }, i) =>
          make("span", { class: `gru-end ${kind}-name`, style: `top:${100 * places[i]}%` }, word),
        ),
      );
      below.replaceChildren(...columns.map((v) => make("span", { style: `left:${100 * across(v)}%` }, tidy(v))));
    },
    /**
     * Put the cursor at x, or take it away.
     * @param {number | null} x
     * @param {string} [text]  the values there
     */
    mark(x, text = "") {
      plot.classList.toggle("gru-unmarked", x === null);
      if (x !== null) plot.style.setProperty("--at-step", String((x - range[0]) / (range[1] - range[0] || 1)));
      write(value, text);
    },
    /** Where on the level axis a pointer is. @param {PointerEvent} event */
    under({ clientX }) {
      const { left, width } = plot.getBoundingClientRect();
      return range[0] + clamp((clientX - left) / width, 0, 1) * (range[1] - range[0]);
    },
    /** What the drawing shows, in words. @param {string} text */
    describe: (text) => plot.setAttribute("aria-label", text),
  };
}

/**
 * A path through a line's values; where one cannot be drawn (none, or no more than zero on a logarithmic axis), a gap.
 * @param {Line} line
 * @param {(x: number) => number} across
 * @param {(y: number) => number} height
 */
function outline({ values, from = 0, by = 1 }, across, height) {
  let path = "";
  let pen = "M";
  for (let i = 0; i < values.length; i += 1) {
    const y = height(values[i]);
    if (Number.isFinite(y)) path += `${pen}${across(from + i * by).toFixed(4)} ${clamp(y, -9, 9).toFixed(4)}`;
    pen = Number.isFinite(y) ? "L" : "M";
  }
  return path && `${path}h.0001`; // so that a single value shows as a dot
}
