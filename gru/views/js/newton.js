// @ts-check
/**
 * All states of a run at once, by Newton's method, as gru.solve; and the largest Lyapunov exponent of the run. No DOM.
 *
 *     d_t = J_t d_{t-1} + F(x_t, h_{t-1}) - h_t          h_t <- h_t + d_t
 *
 * What is left to solve in each iteration is linear in d; here it is summed up step by step, as one processor does it.
 */

import { sigmoid } from "./gru.js";

/** @typedef {import("./gru.js").Weights} Weights */
/** @typedef {{ states: Float64Array[], residuals: number[] }} Solution  states (T, H) before the first iteration and after each */

const TOLERANCE = 1e-10; // largest error of a step, as in gru.solve
const SAME = 1e-5; // where a run is chaotic rounding errors grow, in a loop as well: more digits mean nothing

/**
 * One step at a time: what the input adds is known for all of them.
 * @param {ArrayLike<number>} x  (T, D)
 * @param {Weights} weights
 * @returns {(t: number, past: Float64Array, after: Float64Array, jacobian: Float64Array) => void}  writes F (H) and J (H, H)
 */
export function stepper(x, { weight_ih, weight_hh: U, bias_ih, bias_hh, reset_after }) {
  const H = Math.round(Math.sqrt(U.length / 3));
  const D = weight_ih.length / (3 * H);
  const fed = Float64Array.from({ length: (x.length / D) * 3 * H }, (_, k) => {
    const [t, row] = [Math.floor(k / (3 * H)), k % (3 * H)];
    let sum = bias_ih ? bias_ih[row] : 0;
    for (let j = 0; j < D; j += 1) sum += weight_ih[row * D + j] * x[t * D + j];
    return sum;
  });
  const on = (/** @type {number} */ row, /** @type {Float64Array} */ h) => {
    let sum = bias_hh ? bias_hh[row] : 0;
    for (let j = 0; j < H; j += 1) sum += U[row * H + j] * h[j];
    return sum;
  };
  const [r, z, read] = [new Float64Array(H), new Float64Array(H), new Float64Array(H)];
  return (t, past, after, jacobian) => {
    const at = 3 * H * t;
    for (let i = 0; i < H; i += 1) {
      r[i] = sigmoid(fed[at + i] + on(i, past));
      z[i] = sigmoid(fed[at + H + i] + on(H + i, past));
      read[i] = reset_after ? past[i] : r[i] * past[i];
    }
    for (let i = 0; i < H; i += 1) {
      const q = on(2 * H + i, read);
      const n = Math.tanh(fed[at + 2 * H + i] + (reset_after ? r[i] * q : q));
      after[i] = (1 - z[i]) * n + z[i] * past[i];
      const byZ = (past[i] - n) * z[i] * (1 - z[i]);
      const byN = (1 - z[i]) * (1 - n * n);
      const [byU, byR] = reset_after ? [byN * r[i], byN * q * r[i] * (1 - r[i])] : [byN, 0];
      for (let j = 0; j < H; j += 1) {
        let inside = byU * U[(2 * H + i) * H + j] * (reset_after ? 1 : r[j]) + byR * U[i * H + j];
        if (!reset_after)
          for (let k = 0; k < H; k += 1) inside += byN * U[(2 * H + i) * H + k] * past[k] * r[k] * (1 - r[k]) * U[k * H + j];
        jacobian[i * H + j] = byZ * U[(H + i) * H + j] + inside;
      }
      jacobian[i * H + i] += z[i];
    }
  };
}

/**
 * Newton on all steps at once, from zeros.
 * @param {ArrayLike<number>} x  (T, D)
 * @param {Weights} weights
 * @returns {Solution}
 */
export function solve(x, weights) {
  const H = Math.round(Math.sqrt(weights.weight_hh.length / 3));
  const T = x.length / (weights.weight_ih.length / (3 * H));
  const step = stepper(x, weights);
  const [after, jacobian] = [new Float64Array(H), new Float64Array(H * H)];
  const states = [new Float64Array(T * H)];
  /** @type {number[]} */
  const residuals = [];
  let settled = 0; // steps, from the first on, whose states no longer move
  for (;;) {
    const guess = states[states.length - 1];
    const next = guess.slice();
    let past = settled ? guess.subarray((settled - 1) * H, settled * H) : new Float64Array(H);
    let moved = new Float64Array(H); // d of the step before
    let most = 0;
    for (let t = settled; t < T; t += 1) {
      step(t, past, after, jacobian);
      const move = new Float64Array(H);
      for (let i = 0; i < H; i += 1) {
        const gap = after[i] - guess[t * H + i];
        most = Math.max(most, Math.abs(gap));
        move[i] = gap;
        for (let j = 0; j < H; j += 1) move[i] += jacobian[i * H + j] * moved[j];
        const value = guess[t * H + i] + move[i];
        // A gated state that begins at 0 never leaves this box; where products of Jacobians overflow, a step of the loop.
        next[t * H + i] = Number.isNaN(value) ? after[i] : Math.max(-1, Math.min(1, value));
      }
      past = guess.subarray(t * H, (t + 1) * H);
      moved = move;
      if (t === settled && move.every((one) => one === 0)) settled += 1;
    }
    residuals.push(most);
    if (most <= TOLERANCE || residuals.length > T) return { states, residuals };
    states.push(next);
  }
}

/**
 * The mean growth per step, in the logarithm, of a small difference along the run: the first of gru.lyapunov.
 * @param {ArrayLike<number>} x  (T, D)
 * @param {Weights} weights
 * @param {Float64Array} h  the states of the run (T, H)
 */
export function exponent(x, weights, h) {
  const H = Math.round(Math.sqrt(weights.weight_hh.length / 3));
  const step = stepper(x, weights);
  const [after, jacobian] = [new Float64Array(H), new Float64Array(H * H)];
  let direction = Float64Array.from({ length: H }, (_, i) => (i ? 0 : 1));
  let growth = 0;
  for (let t = 0; t < h.length / H; t += 1) {
    step(t, t ? h.subarray((t - 1) * H, t * H) : new Float64Array(H), after, jacobian);
    const next = Float64Array.from({ length: H }, (_, i) => direction.reduce((sum, value, j) => sum + jacobian[i * H + j] * value, 0));
    const size = Math.hypot(...next);
    growth += Math.log(size);
    direction = next.map((value) => value / size);
  }
  return (growth * H) / h.length;
}

/**
 * How many steps from the first on are those of the loop already, to five digits.
 * @param {Float64Array} states  (T, H)
 * @param {Float64Array} h  of the loop
 * @param {number} H
 */
export function exactUpTo(states, h, H) {
  const off = states.findIndex((value, k) => Math.abs(value - h[k]) > SAME);
  return off < 0 ? h.length / H : Math.floor(off / H);
}
