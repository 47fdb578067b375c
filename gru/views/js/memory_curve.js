// @ts-check
/** A panel: how much of a bit is left after t steps, by the dial and as measured; the dial's curve can be pulled. */

import { linesIn } from "./chart.js";
import { letter, make, write } from "./dom.js";
import { clamp, format, short } from "./draw.js";
import { handle } from "./handle.js";
import { biasFor, timeConstant, until } from "./memory.js";
import { strip } from "./panel.js";
import { lengthOf } from "./time_words.js";

/** @typedef {import("./memory.js").Memory} Memory */
/**
 * @typedef {object} Shown
 * @property {number} k  the bias on what is kept
 * @property {number} first  the same at first: a ghost where it is another
 * @property {boolean} keeps  whether z keeps
 * @property {number} steps
 * @property {boolean} log
 * @property {number | null} noise  null: not drawn
 * @property {Memory | null} measured
 * @property {Memory | null} before  as measured at first
 */

const LOWEST = 1e-3; // end of the logarithmic axis
const FINE = 240; // points of a curve at least: it falls within a step or two where the bias is small

/** @param {number} value */
export const small = (value) => (value < 0.01 ? short(value) : format(value));

/** z^t, or (1 - z)^t. @param {boolean} keeps */
export const powerOf = (keeps) => make("span", {}, ...(keeps ? [letter("z")] : ["(1−", letter("z"), ")"]), make("sup", {}, "t"));

export function memoryPanel() {
  const { panel, plot, note } = strip("memory", ["what is left of the bit"], "gru-lines gru-tall");
  const lines = linesIn(plot, 0.1);
  const knob = handle(plot);
  plot.classList.add("gru-of-z");
  note.append(make("i", {}, "t"), " steps after it was written");
  const drawBetween = betweenIn(plot);
  const lost = make("span", { class: "gru-lost", "aria-hidden": "true" });
  plot.append(lost);
  let height = (/** @type {number} */ v) => v; // from 0 at the top to 1
  let value = (/** @type {number} */ y) => y; // and back
  return {
    panel,
    /** @param {Shown} shown */
    draw(shown) {
      const { k, steps: T, log, noise } = shown;
      const y = rangeOf(shown);
      [height, value] = scaleOf(y, log);
      const half = until(k, 0.5);
      lines.draw({
        x: [-0.5, T + 0.5],
        y,
        log,
        bands: bandsOf(shown, y[0]),
        lines: linesOf(shown),
        marks: half <= T ? [{ x: half, text: `half after ${lengthOf(half)}` }] : [],
      });
      drawBetween(shown, height);
      write(lost, noise === null ? "" : `noise ${format(noise)}`);
      lost.style.top = `${(100 * height(noise ?? 0)).toFixed(2)}%`;
      lost.classList.toggle("gru-early", noise !== null && until(k, noise) > T / 2); // where the dial's curve is not
    },
    /** @param {number} k @param {number} step @param {number} steps */
    read(k, step, steps) {
      lines.read(step);
      knob.place((step + 0.5) / (steps + 1), height(Math.exp(-step / timeConstant(k))));
    },
    /** What it shows, in words. @param {string} words */
    describe: (words) => plot.setAttribute("aria-label", words),
    /**
     * The bias on what is kept that the pointer asks for by pulling at the dial's curve; null where it does not.
     * @param {PointerEvent} event
     * @param {number} step
     * @param {number} k  now
     */
    pulled(event, step, k) {
      const at = knob.pulled(event);
      if (at === null) return null;
      return step ? biasFor(clamp(value(at), 1e-6, 1 - 1e-6), step) : k;
    },
  };
}

const BETWEEN = /** @type {const} */ ([
  [0.4, "own gates"],
  [0.6, "written anew"],
]); // where along the axis they stand, and the names
const TALL = 0.13; // of the plot's height: less has no room for a name

/**
 * Names of what lies between the dial's curve and the carry, and between that and what was measured, where there is room.
 * @param {HTMLElement} plot
 */
function betweenIn(plot) {
  const names = BETWEEN.map(([at]) => make("span", { class: "gru-between", "aria-hidden": "true", style: `left:${100 * at}%` }));
  plot.append(...names);
  return (/** @type {Shown} */ { k, steps, measured }, /** @type {(v: number) => number} */ height) => {
    BETWEEN.forEach(([at, text], i) => {
      const t = Math.round(at * steps);
      const levels = [Math.exp(-t / timeConstant(k)), measured?.carry?.[t] ?? 0, measured?.whole[t] ?? 0].map(height);
      const room = measured?.carry && t < measured.whole.length && levels[i] - levels[i + 1] > TALL;
      write(names[i], room ? text : "");
      names[i].style.top = `${(50 * (levels[i] + levels[i + 1])).toFixed(2)}%`;
    });
  };
}

/** The upright axis. @param {Shown} shown @returns {[number, number]} */
function rangeOf({ log, steps, measured }) {
  const most = Math.max(1, ...(measured ? Array.from(measured.whole).slice(0, steps + 1) : []));
  return log ? [LOWEST, 10 ** Math.ceil(Math.log10(most) - 1e-9)] : [0, Math.ceil(2 * most - 1e-9) / 2];
}

/**
 * From a value to its height, and back.
 * @param {[number, number]} range
 * @param {boolean} log
 * @returns {[(v: number) => number, (y: number) => number]}
 */
function scaleOf([low, high], log) {
  if (!log) return [(v) => clamp((high - v) / (high - low), 0, 1), (y) => high - y * (high - low)];
  const span = Math.log10(high / low);
  return [(v) => clamp(Math.log10(high / Math.max(v, low)) / span, 0, 1), (y) => high * 10 ** (-y * span)];
}

/** keep^t, at least at every step. @param {number} k @param {number} T @param {number} [per]  points per step */
function curveOf(k, T, per = Math.ceil(FINE / T)) {
  const tau = timeConstant(k);
  return { values: Float64Array.from({ length: T * per + 1 }, (_, i) => Math.exp(-i / per / tau)), by: 1 / per };
}

/** @param {Shown} shown @returns {import("./chart.js").Line[]} */
function linesOf({ k, first, keeps, steps: T, measured, before }) {
  const to = (/** @type {ArrayLike<number>} */ values) => Array.from(values).slice(0, T + 1);
  const words = small;
  return [
    ...(before && before !== measured ? [{ values: to(before.whole), kind: "gru-ghost gru-ghost-measured" }] : []),
    ...(Math.abs(k - first) > 1e-9 ? [{ ...curveOf(first, T), kind: "gru-ghost", name: "before", words }] : []),
    ...(measured?.carry ? [{ values: to(measured.carry), kind: "gru-line-carry", name: "carry", words }] : []),
    ...(measured ? [{ values: to(measured.whole), kind: "gru-line-plain", name: "measured", words }] : []),
    { ...curveOf(k, T), kind: "gru-line-z", name: powerOf(keeps), words },
  ];
}

/**
 * What lies below the dial's curve; or the noise, and what lies between the dial, the gates as they were, and the whole.
 * @param {Shown} shown
 * @param {number} ground
 * @returns {import("./chart.js").Band[]}
 */
function bandsOf({ k, steps: T, noise, measured }, ground) {
  const flat = (/** @type {number} */ level) => [level, level];
  const haze = noise === null ? [] : [{ low: flat(ground), high: flat(noise), by: T, kind: "gru-noise" }];
  if (!measured) {
    const { values, by } = curveOf(k, T);
    return [{ low: values.map(() => ground), high: values, by, kind: "gru-area" }, ...haze];
  }
  const count = Math.min(T + 1, measured.whole.length);
  const upTo = (/** @type {ArrayLike<number>} */ values) => Float64Array.from({ length: count }, (_, t) => Math.max(ground, values[t]));
  const [dial, whole] = [upTo(curveOf(k, T, 1).values), upTo(measured.whole)];
  const own = measured.carry ? upTo(measured.carry) : dial;
  return [
    ...(measured.carry ? [{ low: dial, high: own, kind: "gru-by-gates" }] : []),
    { low: own, high: whole, kind: "gru-by-candidate" },
    ...haze,
  ];
}
