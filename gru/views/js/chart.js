// @ts-check
/** Lines over a common axis, linear or logarithmic, with their names at their ends and their values at the cursor. */

import { make, renew, set, write } from "./dom.js";
import { clamp, decades, power, spread, ticks, tidy } from "./draw.js";
import { panelOf } from "./panel.js";

/**
 * @typedef {object} Line
 * @property {ArrayLike<number>} values
 * @property {number} [from]  x of the first value; 0 if left out
 * @property {number} [by]  x from one value to the next; 1 if left out
 * @property {string} kind  class of its path: gru-line-z, say; gru-ghost for what was before a change
 * @property {string | Node} [name]  stands at its right end
 * @property {(value: number) => string} [words]  its value: at the cursor, or behind its name where that stands at the same step
 */
/** @typedef {{ low: ArrayLike<number>, high: ArrayLike<number>, from?: number, by?: number, kind: string }} Band */
/**
 * @typedef {object} Drawing
 * @property {[number, number]} x
 * @property {[number, number]} y
 * @property {boolean} [log]
 * @property {Line[]} lines
 * @property {[number, string][]} [yTicks]  values and their labels, where the usual ones do not do
 * @property {{ x: number, text: string }[]} [marks]  what happens where
 * @property {Band[]} [bands]  areas between two lines, below them all
 */

const WIDE = 0.1; // of the plot: so wide a cursor has room for a number between its edges

const percent = (/** @type {number} */ share) => `${(100 * share).toFixed(2)}%`;
const text = (/** @type {string | Node} */ name) => (typeof name === "string" ? name : (name.textContent ?? ""));
const ofName = (/** @type {string} */ kind) => kind.replace(/\S+/g, "$&-name"); // the classes of a line's name

/**
 * Lines in a plot.
 * @param {HTMLElement} plot
 * @param {number} [gap]  room for a name at a line's end, as a share of the plot's height
 */
export function linesIn(plot, gap = 0.13) {
  const grid = make("path", { class: "gru-grid" });
  const group = make("g");
  const layer = () => make("div", { class: "gru-words", "aria-hidden": "true" });
  const [scale, happenings, names, readings] = [layer(), layer(), layer(), layer()];
  const svg = make("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" }, grid, group);
  plot.prepend(svg, scale, happenings, names, readings);
  /** @type {Line[]} */
  let named = [];
  let height = (/** @type {number} */ y) => y;
  let across = (/** @type {number} */ x) => x;
  const drawScale = renewed(scale, (/** @type {[number, string][]} */ rows) =>
    rows.map(([place, word]) => make("span", { class: "gru-tick", style: `top:${percent(place)};--at:${place.toFixed(3)}` }, word)),
  );
  const drawMarks = renewed(happenings, (/** @type {[number, string][]} */ marks) =>
    marks.map(([place, word]) =>
      make("span", { class: "gru-moment", style: `left:${percent(place)};--at:${place.toFixed(3)}` }, make("span", {}, word)),
    ),
  );
  const drawNames = renewed(names, (/** @type {[string, string][]} */ kinds) =>
    kinds.map(([kind], i) => {
      const name = make("span", { class: "gru-name" }, named[i].name ?? "");
      return make("span", { class: `gru-end ${ofName(kind)}` }, name, make("b", { class: "gru-value" }));
    }),
  );

  return {
    /** @param {Drawing} what */
    draw({ x, y, log = false, lines, yTicks, marks = [], bands = [] }) {
      const [low, high] = log ? [Math.log10(y[0]), Math.log10(y[1])] : y;
      height = (v) => (high - (log ? Math.log10(v) : v)) / (high - low); // from 0 at the top to 1
      across = (v) => (v - x[0]) / (x[1] - x[0] || 1);
      const usual = () => (log ? decades(low, high, 5).map((e) => [10 ** e, power(e)]) : ticks(low, high, 5).map((v) => [v, tidy(v)]));
      const rows = /** @type {[number, string][]} */ (yTicks ?? usual());
      set(grid, { d: rows.map(([v]) => `M0 ${height(v).toFixed(4)}H1`).join("") });
      paths(group, [
        ...bands.map((band) => [`gru-band ${band.kind}`, area(band, across, height)]),
        ...lines.map((line) => [`gru-line ${line.kind}`, outline(line, across, height)]),
      ]);
      named = lines.filter((line) => line.name !== undefined && line.values.length);
      drawScale(rows.map(([v, word]) => [height(v), word]));
      drawMarks(marks.map((mark) => [across(mark.x), mark.text]));
      drawNames(named.map(({ kind, name = "" }) => [kind, text(name)]));
      renew(readings, ...named.map(({ kind }) => make("span", { class: `gru-value-here ${ofName(kind)}` })));
      this.read(null);
    },
    /**
     * Show the values at x, or the last ones. A number stands where it belongs: at the end only if it is the value there.
     * @param {number | null} x
     * @param {boolean} [riding]  the names stand as high as the lines there, and not as at their ends, and have the values
     */
    read(x, riding = false) {
      const last = named.map(({ values }) => values.length - 1);
      const at = named.map(({ from = 0, by = 1 }, i) => (x === null ? last[i] : clamp(Math.round((x - from) / by), 0, last[i])));
      const levels = (/** @type {number[]} */ steps) => named.map(({ values }, i) => clamp(height(values[steps[i]]), 0, 1));
      const step = across(1) - across(0); // as wide is the cursor
      const wide = step > WIDE;
      const ends = spread(levels(riding ? at : last), gap);
      const lines = spread(wide ? aside(levels(at), gap) : levels(at), gap);
      const where = across(x ?? 0);
      readings.className = `gru-words gru-readings-here${wide ? " gru-within" : where < 0.5 ? " gru-early" : ""}`;
      readings.style.setProperty("--at", percent(where));
      readings.style.setProperty("--half", percent(step / 2));
      for (const [i, { values, words }] of named.entries()) {
        const [end, reading] = [names, readings].map((layer) => /** @type {HTMLElement} */ (layer.children[i]));
        const value = words?.(values[at[i]]) ?? "";
        const atEnd = riding || at[i] === last[i];
        end.style.top = percent(ends[i]);
        end.style.setProperty("--up", ends[i].toFixed(4));
        reading.style.top = percent(lines[i]);
        write(/** @type {Element} */ (end.lastElementChild), atEnd ? value : "");
        write(reading, atEnd ? "" : value);
      }
    },
  };
}

/** Places above the upper of some heights, and below the lower ones. @param {number[]} heights @param {number} gap */
function aside(heights, gap) {
  const order = heights.map((_, i) => i).sort((a, b) => heights[a] - heights[b]);
  return heights.map((one, i) => clamp(one + (2 * order.indexOf(i) < heights.length ? -gap : gap), 0, 1));
}

/**
 * The children of an element, brought up to date where what they show is not what they showed.
 * @template T
 * @param {Element} parent
 * @param {(what: T) => Node[]} children
 */
function renewed(parent, children) {
  let known = "";
  return (/** @type {T} */ what) => {
    if (known !== (known = JSON.stringify(what))) renew(parent, ...children(what));
  };
}

/** As many paths as there are shapes; those that are there are used again. @param {SVGElement} group @param {string[][]} shapes  class and outline */
function paths(group, shapes) {
  while (group.childElementCount > shapes.length) group.lastElementChild?.remove();
  while (group.childElementCount < shapes.length) group.append(make("path"));
  shapes.forEach(([kind, d], i) => {
    set(group.children[i], { class: kind, d });
  });
}

/**
 * A panel of lines with axes of its own and a cursor.
 * @param {string} name  of the panel
 * @param {(Node | string)[]} title  what is drawn; name the upright axis and its unit here
 * @param {{ along: string }} axis  along: what the level axis counts, with its unit
 */
export function chart(name, title, { along }) {
  const below = make("div", { class: "gru-axis gru-axis-x", "aria-hidden": "true" });
  const { panel, plot, value } = panelOf(name, title, { class: "gru-lines gru-chart" });
  const lines = linesIn(plot);
  panel.append(below, make("div", { class: "gru-along", "aria-hidden": "true" }, along));
  let range = /** @type {[number, number]} */ ([0, 1]);
  const across = (/** @type {number} */ v) => (v - range[0]) / (range[1] - range[0] || 1);

  return {
    panel,
    plot,
    value, // what stands in the head: the values at the cursor
    /** @param {Drawing} what */
    draw(what) {
      range = what.x;
      lines.draw(what);
      renew(below, ...ticks(...range, 6).map((v) => make("span", { style: `left:${100 * across(v)}%` }, tidy(v))));
    },
    /**
     * Put the cursor at x, or take it away.
     * @param {number | null} x
     * @param {string} [text]  the values there
     */
    mark(x, text = "") {
      plot.classList.toggle("gru-unmarked", x === null);
      if (x !== null) plot.style.setProperty("--at-step", String(across(x)));
      lines.read(x);
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

/**
 * The area between two lines.
 * @param {Band} band
 * @param {(x: number) => number} across
 * @param {(y: number) => number} height
 */
function area({ low, high, from = 0, by = 1 }, across, height) {
  const point = (/** @type {ArrayLike<number>} */ values, /** @type {number} */ i) =>
    `${across(from + i * by).toFixed(4)} ${clamp(height(values[i]), -9, 9).toFixed(4)}`;
  const there = Array.from(high, (_, i) => point(high, i));
  const back = Array.from(low, (_, i) => point(low, low.length - 1 - i));
  return `M${[...there, ...back].join("L")}Z`;
}
