// @ts-check
/**
 * A GRU of two units as a map of the plane: where each state goes, where it rests, and how gradients come back. No DOM.
 *
 * Weights are one list of 26 numbers, so that a slider moves one of them: W (6), from x; U (6, 2), from h; b (6); c (2),
 * the bias inside the candidate's recurrent product. Rows of r, z, n, two of each; z keeps.
 */

import { eigenvalues } from "./eigen.js";
import { sigmoid } from "./gru.js";

/** @typedef {[number, number]} Point */
/** @typedef {{ r: Point, z: Point, n: Point, h: Point, jacobian: () => [number, number, number, number] }} Step  jacobian: row after row */
/** @typedef {(h: Point) => Step} Map  one step of the cell while its input stays as it is */
/** @typedef {{ h: Point, values: [number, number][], kind: "rest" | "saddle" | "source" }} Rest */

export const GATES = /** @type {const} */ (["r", "z", "n"]);
/** @typedef {typeof GATES[number]} Gate */

const [U, B, C] = [6, 18, 24]; // where they begin in the list
const NEAR = 1e-5; // results nearer than this are one point, as in gru.fixed_points
const AT_REST = 1e-13;
const [ACROSS, ROUNDS, RUNS] = [9, 60, 200]; // starts along each side; Newton's steps; steps of the map

/** Where the numbers of one unit of one gate stand in the list. @param {Gate} gate @param {0 | 1} unit */
export function places(gate, unit) {
  const row = 2 * GATES.indexOf(gate) + unit;
  const own = { x: row, h1: U + 2 * row, h2: U + 2 * row + 1, bias: B + row };
  return gate === "n" ? { ...own, inner: C + unit } : own;
}

/**
 * @param {ArrayLike<number>} w  the list
 * @param {number} x
 * @param {boolean} after  the reset gate scales U_n h + c; otherwise it scales h
 * @returns {Map}
 */
export function mapOf(w, x, after) {
  const input = Array.from({ length: 6 }, (_, row) => w[row] * x + w[B + row]);
  const on = (/** @type {number} */ row, /** @type {number} */ a, /** @type {number} */ b) => w[U + 2 * row] * a + w[U + 2 * row + 1] * b;
  return ([a, b]) => {
    const h = /** @type {Point} */ ([a, b]);
    const r = /** @type {Point} */ ([sigmoid(input[0] + on(0, a, b)), sigmoid(input[1] + on(1, a, b))]);
    const z = /** @type {Point} */ ([sigmoid(input[2] + on(2, a, b)), sigmoid(input[3] + on(3, a, b))]);
    const read = after ? h : [r[0] * a, r[1] * b]; // what U_n reads
    const q = [on(4, read[0], read[1]) + w[C], on(5, read[0], read[1]) + w[C + 1]];
    const candidate = (/** @type {0 | 1} */ i) => Math.tanh(input[4 + i] + (after ? r[i] * q[i] : q[i]));
    const n = /** @type {Point} */ ([candidate(0), candidate(1)]);
    const slope = [r[0] * (1 - r[0]), r[1] * (1 - r[1])]; // of the reset gate
    const entry = (/** @type {number} */ i, /** @type {number} */ j) => {
      const un = (/** @type {number} */ k) => w[U + 2 * (4 + i) + k];
      const ur = (/** @type {number} */ k) => w[U + 2 * k + j];
      const inside = after
        ? r[i] * un(j) + q[i] * slope[i] * ur(i)
        : un(j) * r[j] + un(0) * a * slope[0] * ur(0) + un(1) * b * slope[1] * ur(1);
      const gate = (h[i] - n[i]) * z[i] * (1 - z[i]) * w[U + 2 * (2 + i) + j];
      return (i === j ? z[i] : 0) + gate + (1 - z[i]) * (1 - n[i] * n[i]) * inside;
    };
    return {
      r,
      z,
      n,
      h: [(1 - z[0]) * n[0] + z[0] * a, (1 - z[1]) * n[1] + z[1] * b],
      jacobian: () => [entry(0, 0), entry(0, 1), entry(1, 0), entry(1, 1)], // few ask for it
    };
  };
}

/**
 * The states from a start on, one per hop, the start included.
 * @param {(t: number) => Map} at  the map of each step: its input may change
 * @param {Point} start
 * @param {number} steps
 * @returns {{ path: Point[], taken: Step[] }}
 */
export function run(at, start, steps) {
  const path = [start];
  /** @type {Step[]} */
  const taken = [];
  for (let t = 0; t < steps; t += 1) {
    taken.push(at(t)(path[t]));
    path.push(taken[t].h);
  }
  return { path, taken };
}

/**
 * The gradient of h1 + h2 at the end, with respect to every state of the path.
 * @param {Step[]} taken
 * @returns {Point[]}
 */
export function gradients(taken) {
  /** @type {Point[]} */
  const found = [[1, 1]];
  for (let t = taken.length - 1; t >= 0; t -= 1) {
    const [a, b, c, d] = taken[t].jacobian();
    const [g, k] = found[0];
    found.unshift([a * g + c * k, b * g + d * k]);
  }
  return found;
}

/**
 * Where the map leaves a state as it is, of all that a run from 0 can come to: the square from -1 to 1. Run it from many
 * starts until it rests and end with Newton's method; from the starts themselves Newton finds what no run comes to.
 * @param {Map} map
 * @returns {Rest[]}  stable ones first
 */
export function rests(map) {
  const side = Array.from({ length: ACROSS }, (_, i) => -1 + (2 * i) / (ACROSS - 1));
  const starts = side.flatMap((a) => side.map((b) => /** @type {Point} */ ([a, b])));
  /** @type {Rest[]} */
  const found = [];
  for (const h of [...starts.filter((_, i) => i % 5 === 0).map((start) => settle(map, start)), ...starts]) {
    const point = newton(map, h);
    if (!point || Math.max(Math.abs(point[0]), Math.abs(point[1])) > 1 + 1e-9) continue;
    if (found.some((one) => Math.max(Math.abs(one.h[0] - point[0]), Math.abs(one.h[1] - point[1])) <= NEAR)) continue;
    const values = eigenvalues(map(point).jacobian());
    const outward = values.filter(([re, im]) => Math.hypot(re, im) >= 1).length;
    found.push({ h: point, values, kind: outward === 0 ? "rest" : outward === 1 ? "saddle" : "source" });
  }
  const rank = { rest: 0, saddle: 1, source: 2 };
  return found.sort((one, other) => rank[one.kind] - rank[other.kind]);
}

/** @param {Map} map @param {Point} start */
function settle(map, start) {
  let h = start;
  for (let i = 0; i < RUNS; i += 1) {
    const later = map(h).h;
    const moved = Math.max(Math.abs(later[0] - h[0]), Math.abs(later[1] - h[1]));
    h = later;
    if (moved < AT_REST) break;
  }
  return h;
}

/**
 * Newton's method on map(h) - h; where a step does not help, a shorter one is tried.
 * @param {Map} map
 * @param {Point} start
 * @returns {Point | null}
 */
function newton(map, start) {
  let h = start;
  let step = map(h);
  let gap = Math.hypot(step.h[0] - h[0], step.h[1] - h[1]);
  let length = 1;
  for (let i = 0; i < ROUNDS && gap > AT_REST && length > 1e-6; i += 1) {
    const [a, b, c, d] = step.jacobian();
    const det = (1 - a) * (1 - d) - b * c;
    if (!det) return null;
    const [u, v] = [step.h[0] - h[0], step.h[1] - h[1]];
    const tried = /** @type {Point} */ ([h[0] + (length * ((1 - d) * u + b * v)) / det, h[1] + (length * (c * u + (1 - a) * v)) / det]);
    const next = map(tried);
    const left = Math.hypot(next.h[0] - tried[0], next.h[1] - tried[1]);
    if (left < gap) {
      [h, step, gap] = [tried, next, left];
      length = Math.min(1, 2 * length);
    } else length /= 4;
  }
  return gap <= 1e-10 ? h : null;
}
