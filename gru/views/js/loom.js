// @ts-check
/**
 * What GradientLoom draws: the gradient of a loss at every state, its four threads, and a tanh RNN beside it. No DOM.
 *
 * t = 0..T counts states; h_0 is the state before the first step. The tanh RNN is the same layer without its gates: the
 * candidate's weights with r = 1 and z = 0, and the same loss.
 */

import { along, fourPaths, length, PATHS, throughJacobians } from "./flow.js";
import { decode, forward, weightsOf } from "./gru.js";

/** @typedef {import("./flow.js").Path} Path */
/** @typedef {import("./gru.js").Weights} Weights */
/** @typedef {import("./gru.js").Run} Run */

/**
 * What Python sends (gradient_loom.py). A part is one layer and direction; its runs are one per sequence.
 * @typedef {{ x: string, h0: string, jacobians: string | null, sent: string | null }} Sent
 *   sent: what a loss of the reader's own sends into h_1..h_T (T, H)
 * @typedef {{ name: string, hidden_size: number, weights: Record<string, string | boolean | null> | null, single: boolean,
 *   reverse: boolean, runs: Sent[] }} Part  weights: null where its equations are not known
 * @typedef {object} Data
 * @property {Part[]} parts
 * @property {string[]} names
 * @property {number[]} steps
 * @property {(string[] | null)[]} step_names
 * @property {boolean} loss  whether the reader gave one
 * @property {string} device  empty where the model is the view's own
 * @property {number | null} apart  how far the page's states are from Python's at most; null where it computes none
 */

/** @typedef {ReturnType<typeof rerun>} Known  a sequence in a part, run again */
/** @typedef {{ grads: Float64Array, paths: Partial<Record<Path, Float64Array>> }} Flow */
/** @typedef {Partial<Record<Path, Float64Array>>} Threads  how much each brings to h_t, t = 0..T-1 */

const DEEPEST = 16; // decades that a logarithmic scale goes down
const SURE = 1000; // a bias that opens or closes a gate entirely

/**
 * A sequence run again in the page.
 * @param {Part} part
 * @param {Sent} sent
 */
export function rerun(part, sent) {
  const [x, h0] = [decode(sent.x), decode(sent.h0)];
  const own = sent.sent === null ? null : decode(sent.sent);
  const jacobians = sent.jacobians === null ? null : decode(sent.jacobians);
  if (!part.weights) return { x, h0, own, jacobians, cells: null };
  const weights = weightsOf(part.weights);
  const ungated = withoutGates(weights);
  const cell = (/** @type {Weights} */ one) => ({ weights: one, run: forward(x, one, { h0 }) });
  return { x, h0, own, jacobians, cells: { gru: cell(weights), rnn: cell(ungated) } };
}

/** The same layer as a tanh RNN: r = 1 and z = 0. @param {Weights} weights @returns {Weights} */
export function withoutGates({ weight_ih, weight_hh, bias_ih, bias_hh }) {
  const H = Math.round(Math.sqrt(weight_hh.length / 3));
  const closed = (/** @type {ArrayLike<number>} */ rows) => Float64Array.from(rows, (value, i) => (i < (2 * rows.length) / 3 ? 0 : value));
  const bias = Float64Array.from({ length: 3 * H }, (_, i) => (i < H ? SURE : i < 2 * H ? -SURE : (bias_ih?.[i] ?? 0)));
  return {
    weight_ih: closed(weight_ih),
    weight_hh: closed(weight_hh),
    bias_ih: bias,
    bias_hh: bias_hh && closed(bias_hh),
    reset_after: true,
  };
}

/**
 * What a loss sends straight into h_1..h_T (T, H): the reader's own, or one unit, or all, of one state.
 * @param {Known} known
 * @param {{ T: number, H: number, lossStep: number, lossUnit: number }} where
 */
export function direct({ own }, { T, H, lossStep, lossUnit }) {
  if (own) return own;
  const into = new Float64Array(T * H);
  for (let i = 0; i < H; i += 1) if (lossUnit < 0 || lossUnit === i) into[(lossStep - 1) * H + i] = 1;
  return into;
}

/**
 * The walk back, without the muted threads.
 * @param {Part} part
 * @param {Known} known
 * @param {Float64Array} into  what the loss sends straight into each state
 * @param {readonly Path[]} muted
 * @returns {Flow}
 */
export function walk(part, { h0, jacobians, cells }, into, muted) {
  if (cells) return fourPaths(cells.gru.weights, cells.gru.run, into, { h0, muted });
  const H = part.hidden_size;
  const silent = part.single && muted.includes("candidate");
  const grads = silent ? Float64Array.of(...new Float64Array(H), ...into) : throughJacobians(jacobians ?? [], into, H);
  return { grads, paths: part.single ? { candidate: throughJacobians(jacobians ?? [], into, H).slice(0, into.length) } : {} };
}

/** The same loss in the tanh RNN beside it (T+1, H). @param {Known} known @param {Float64Array} into */
export function beside({ h0, cells }, into) {
  return cells && fourPaths(cells.rnn.weights, cells.rnn.run, into, { h0 }).grads;
}

/**
 * The gradient at t = 0..T: its length, or that of one unit with its sign.
 * @param {Float64Array} grads  (T+1, H)
 * @param {number} H
 * @param {number} unit  -1: all
 */
export const sizes = (grads, H, unit) =>
  Float64Array.from({ length: grads.length / H }, (_, t) => (unit < 0 ? length(grads, t, H) : grads[t * H + unit]));

/** How much each thread brings to each state. @param {Flow} flow @param {number} H @param {number} unit @returns {Threads} */
export const threadsOf = ({ grads, paths }, H, unit) =>
  Object.fromEntries(PATHS.flatMap((path) => (paths[path] ? [[path, along(paths[path], grads, H, unit)]] : [])));

/**
 * A thread's values as positive where it works with the whole, negative where against it.
 * @param {Float64Array | undefined} values
 * @param {Float64Array} totals
 */
export const towards = (values, totals) => values?.map((value, t) => value * (totals[t] < 0 ? -1 : 1)) ?? null;

/**
 * A scale for all that is drawn, so wide that it does not jump while the loss is dragged: logarithmic, or linear.
 * @param {ArrayLike<number>[]} drawn
 * @param {boolean} log
 * @returns {[number, number]}  its ends
 */
export function scaleOf(drawn, log) {
  const values = drawn.flatMap((one) => Array.from(one));
  if (!log) {
    const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
    return high - low > 0 ? [low, high] : [0, 1];
  }
  const exponents = values.map((value) => Math.log10(Math.abs(value))).filter(Number.isFinite);
  if (!exponents.length) return [0.01, 1];
  const top = Math.ceil(Math.max(...exponents) + 0.05);
  const bottom = 2 * Math.floor(Math.min(...exponents) / 2);
  return [10 ** Math.min(top - 2, Math.max(bottom, top - DEEPEST)), 10 ** top];
}

/** How thick a thread is, from 0 to 1. @param {number} value @param {[number, number]} scale @param {boolean} log */
export function thickness(value, [low, high], log) {
  const size = Math.abs(value);
  if (!log) return size / Math.max(high, -low);
  return size > low ? Math.min(1, Math.log10(size / low) / Math.log10(high / low)) : 0;
}

/** A gate in the step after h_t: of one unit, or the mean of all. @param {Float64Array} gate @param {number} t @param {number} H @param {number} unit */
export function gateAt(gate, t, H, unit) {
  return unit < 0 ? gate.subarray(t * H, (t + 1) * H).reduce((sum, v) => sum + v, 0) / H : gate[t * H + unit];
}
