// @ts-check
/**
 * How long a gate keeps a bit, by its bias, and how long a layer does, measured. No DOM. The same as in memory_dial.py.
 *
 * k is the bias on what is kept, keep = sigmoid(k): b where z keeps, -b where it writes.
 */

import { decode, forward, weightsOf } from "./gru.js";

/** What is left of a bit for t = 0..T, what the carry path alone would leave, and the share that a step keeps.
 * @typedef {{ whole: ArrayLike<number>, carry: ArrayLike<number> | null, keep: number | null }} Memory */

const FLOOR = 1e-12; // what counts as nothing

/** Steps until 1/e is left: -1 / ln keep. @param {number} k */
export const timeConstant = (k) => 1 / Math.log1p(Math.exp(-k));

/** 1 / (1 - keep), in steps. @param {number} k */
export const ruleOfThumb = (k) => 1 + Math.exp(k);

/** The bias with which a share is left after some steps. @param {number} share @param {number} t  1 or more */
export const biasFor = (share, t) => -Math.log(Math.expm1(-Math.log(share) / t));

/** Steps until a level is reached. @param {number} k @param {number} level */
export const until = (k, level) => -timeConstant(k) * Math.log(level);

/** The last whole step before a place between steps. @param {number} t */
export const whole = (t) => Math.floor(t + 1e-9);

/**
 * Where values at 0, 1, 2, ... first fall below a level, their logarithms joined by lines; null where they do not.
 * @param {ArrayLike<number>} values
 * @param {number} level
 */
export function crossing(values, level) {
  for (let t = 1; t < values.length; t += 1) {
    if (values[t] < level) {
      const before = Math.log(Math.max(values[t - 1], FLOOR));
      return t - 1 + (before - Math.log(level)) / (before - Math.log(Math.max(values[t], FLOOR)));
    }
  }
  return null;
}

/**
 * What Python sends (memory_dial.py). A part is one layer and direction of the model.
 * @typedef {object} Data
 * @property {SentPart[]} parts  none without a model
 * @property {number} bit
 * @property {string} place  where Python ran the model
 * @property {{ update_bias: number, z_keeps: boolean }} start  what is shown first
 */
/**
 * @typedef {object} SentPart
 * @property {string} name
 * @property {number} hidden_size
 * @property {"keeps" | "writes" | null} convention
 * @property {number | null} bias  on the dial, where z keeps, at which the part is as it was made
 * @property {string} reason  why the page cannot run it; empty if it can
 * @property {Record<string, string | boolean | null> | null} weights
 * @property {string[] | null} x  its inputs, one per sequence, in the order in which it reads them
 * @property {string[] | null} signs  the bit's pattern, one per sequence
 * @property {{ whole: string, carry: string | null, keep: number | null } | null} measured  where Python ran it
 */
/** @typedef {ReturnType<typeof partOf>} Part */

/** A part with its numbers. @param {SentPart} sent */
export function partOf({ name, hidden_size, bias, reason, weights, x, signs, measured }) {
  const fixed = measured && {
    whole: decode(measured.whole),
    carry: measured.carry === null ? null : decode(measured.carry),
    keep: measured.keep,
  };
  const runs = weights && x && signs && { weights: weightsOf(weights), hidden_size, x: x.map(decode), signs: signs.map(decode) };
  return { name, bias: bias ?? 0, made: bias, reason, fixed, runs };
}

/**
 * What a part keeps with a bias on the dial: by its equations, or, where the page cannot run it, as Python found it.
 * @param {Part} part
 * @param {number} k
 * @param {number} bit
 */
export const kept = ({ runs, fixed, bias }, k, bit) => (runs ? measure(runs, k - bias, bit) : fixed);

/**
 * What a part keeps with a bias on every update gate: every sequence is run from +bit s and from -bit s and compared,
 * and once as it is, for what its steps keep. The same as Python's; there the equations are written out.
 * @param {{ weights: import("./gru.js").Weights, hidden_size: number, x: Float64Array[], signs: Float64Array[] }} part
 * @param {number} bias
 * @param {number} bit
 * @returns {Memory}
 */
export function measure({ weights, hidden_size: H, x, signs }, bias, bit) {
  const D = weights.weight_ih.length / (3 * H);
  const longest = Math.max(...x.map((rows) => rows.length / D));
  const [left, carried] = [new Float64Array(longest + 1), new Float64Array(longest + 1)]; // sums of squares
  const counts = new Float64Array(longest + 1); // sequences that last so long
  let kept = 0;
  let gates = 0;
  x.forEach((rows, i) => {
    const T = rows.length / D;
    const { h: high } = forward(rows, weights, { h0: signs[i].map((sign) => bit * sign), bias });
    const { h: low } = forward(rows, weights, { h0: signs[i].map((sign) => -bit * sign), bias });
    const { z } = forward(rows, weights, { bias });
    const products = new Float64Array(H).fill(1);
    for (let t = 0; t <= T; t += 1) counts[t] += 1;
    for (let t = 0; t < T; t += 1) {
      for (let u = 0; u < H; u += 1) {
        const k = t * H + u;
        products[u] *= z[k];
        kept += z[k];
        left[t + 1] += (high[k] - low[k]) ** 2 / (4 * bit * bit * H);
        carried[t + 1] += products[u] ** 2 / H;
      }
    }
    gates += T * H;
  });
  const root = (/** @type {Float64Array} */ sums) => sums.map((sum, t) => (t ? Math.sqrt(sum / counts[t]) : 1));
  return { whole: root(left), carry: root(carried), keep: kept / gates };
}
