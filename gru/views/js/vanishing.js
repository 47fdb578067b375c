// @ts-check
/** What VanishingLab computes: a tanh RNN and a GRU with random weights, and their gradients' norms. No DOM. */

import { eigenvalues, radius } from "./eigen.js";
import { forward } from "./gru.js";
import { elman, elmanStep, gruStep, logNorms, spectralNorm } from "./jacobians.js";
import { normal } from "./random.js";

/** @typedef {import("./eigen.js").Eigenvalue} Eigenvalue */
/** @typedef {ReturnType<typeof draw>} Weights */
/**
 * @typedef {object} Gradient
 * @property {Float64Array} logs  of the norm of dh_T/dh_t, base 10, at a distance of 1, 2, .. T
 * @property {number} factor  what a step leaves: repeated over the farther half of the distances, it gives what is left at the end
 * @property {Float64Array} last  the last step's Jacobian (H, H)
 */

const D = 8; // input size
export const SHORTEST = 10; // steps
export const LONGEST = 200;

/**
 * Inputs and weights of a seed, recurrent matrices with a spectral radius of 1: as VanishingLab._drawn in Python.
 * @param {number} seed
 * @param {number} H
 */
export function draw(seed, H) {
  const sizes = [LONGEST * D, H * D, H * H, 3 * H * D, 3 * H * H];
  const numbers = normal(
    seed,
    sizes.reduce((sum, size) => sum + size, 0),
  );
  let at = 0;
  const [x, W, U, W3, U3] = sizes.map((size) => numbers.subarray(at, (at += size)));
  for (const weights of [W, W3]) for (let i = 0; i < weights.length; i += 1) weights[i] /= Math.sqrt(D);
  const blocks = [U, ...[0, 1, 2].map((gate) => U3.subarray(gate * H * H, (gate + 1) * H * H))];
  const values = blocks.map((block) => {
    const found = eigenvalues(block);
    const size = radius(found);
    for (let i = 0; i < block.length; i += 1) block[i] /= size;
    return scaled(found, 1 / size);
  });
  const start = Float64Array.from({ length: H }, (_, i) => 1 + 0.1 * Math.sin(i + 1));
  return { H, x, W, U, W3, U3, ofU: values[0], ofUn: values[3], stretch: spectralNorm(U, start, H) };
}

/** @param {Eigenvalue[]} values @param {number} factor @returns {Eigenvalue[]} */
export const scaled = (values, factor) => values.map(([re, im]) => [factor * re, factor * im]);

/** @param {Float64Array} values @param {number} factor */
const times = (values, factor) => values.map((value) => factor * value);

/** The tanh RNN, for any number of steps. @param {Weights} weights @param {number} rho */
export function ofElman({ H, x, W, U }, rho) {
  const matrix = times(U, rho);
  const run = longest((T) => elman(x.subarray(0, T * D), W, matrix));
  return (/** @type {number} */ T) => {
    const h = run(T);
    return walk((t, into) => elmanStep(matrix, h, t, into), T, H);
  };
}

/** The GRU, for any number of steps. @param {Weights} weights @param {number} rho @param {number} bias */
export function ofGru({ H, x, W3, U3 }, rho, bias) {
  const weight_hh = times(U3, rho);
  const weights = { weight_ih: W3, weight_hh, bias_ih: null, bias_hh: null, reset_after: true };
  const run = longest((T) => forward(x.subarray(0, T * D), weights, { bias }));
  return (/** @type {number} */ T) => {
    const gates = run(T);
    return walk((t, into) => gruStep(weight_hh, gates, t, into), T, H);
  };
}

/**
 * The longest run so far: what a step computes does not depend on how many come after it.
 * @template R
 * @param {(T: number) => R} run
 */
function longest(run) {
  let [known, steps] = [/** @type {R | null} */ (null), 0];
  return (/** @type {number} */ T) => {
    if (known === null || T > steps) [known, steps] = [run(T), T];
    return known;
  };
}

/** @param {(t: number, into: Float64Array) => void} step @param {number} T @param {number} H @returns {Gradient} */
function walk(step, T, H) {
  const last = new Float64Array(H * H);
  step(T - 1, last);
  const logs = logNorms(step, T, H);
  const half = Math.floor(T / 2);
  return { logs, factor: 10 ** ((logs[T - 1] - logs[half - 1]) / (T - half)), last };
}

/**
 * The bias with which the GRU's line goes through a point, from how it goes now: what a step keeps is nearly the
 * logistic function of the bias and a constant. As the hand moves on, the error of one move is the next one's start.
 * @param {number} bias  now
 * @param {number} log  of its norm now, at this distance
 * @param {number} wanted  the log that it shall have
 * @param {number} distance
 */
export function biasThrough(bias, log, wanted, distance) {
  const logit = (/** @type {number} */ of) => {
    const share = Math.min(0.9995, 10 ** (of / distance));
    return Math.log(share / (1 - share));
  };
  return bias + logit(wanted) - logit(log);
}
