// @ts-check
/**
 * Units of a GRU against a wish: every short sequence, what is wanted after it, and what the units hold. No DOM.
 *
 * A unit has 15 weights: of r, z and n in turn, those of A, B, C and of the states of unit 1 and 2.
 */

import data from "../puzzles.json" with { type: "json" };

/**
 * @typedef {object} Wish
 * @property {string} title
 * @property {string} goal
 * @property {Record<string, number[]>} next  of each letter, the state after each state
 * @property {number[]} answers  in each state
 * @property {number} units  of the solution
 * @property {number[]} weights  of the solution
 * @property {string[]} hints
 * @property {string} solved  why it works
 */
/** @typedef {{ letters: string, parent: number }} Sequence  parent: the place of the sequence without its last letter, or -1 */
/** @typedef {{ r: number[], z: number[], n: number[], h: number[] }} Step  of each unit */

/** @type {Record<string, Wish>} */
export const WISHES = data.wishes;
export const LETTERS = "ABC";
export const LONGEST = 4;
export const PER_UNIT = 15;
export const GATES = /** @type {const} */ (["r", "z", "n"]);

/** Every sequence of one to four letters, the shorter first. @type {Sequence[]} */
export const SEQUENCES = [];
for (let at = -1; at < 0 || SEQUENCES[at].letters.length < LONGEST; at += 1) {
  for (const letter of LETTERS) SEQUENCES.push({ letters: (SEQUENCES[at]?.letters ?? "") + letter, parent: at });
}

/** The numbers between which the answers lie. @param {Wish} wish */
export function cutsOf({ answers }) {
  const levels = Math.max(...answers);
  return Array.from({ length: levels }, (_, k) => (k + 1) / (levels + 1));
}

/** The answer wanted after each sequence. @param {Wish} wish */
export function wantedOf({ next, answers }) {
  /** @type {number[]} */
  const states = [];
  for (const { letters, parent } of SEQUENCES) states.push(next[letters.slice(-1)][states[parent] ?? 0]);
  return states.map((state) => answers[state]);
}

/** @param {number} a */
const sigmoid = (a) => 1 / (1 + Math.exp(-a));

/**
 * One step. @param {readonly number[]} weights @param {number} units @param {number} letter @param {number[]} h
 * @returns {Step}
 */
export function stepOf(weights, units, letter, h) {
  /** @type {Step} */
  const step = { r: [], z: [], n: [], h: [] };
  for (let u = 0; u < units; u += 1) {
    const [r, z, n] = GATES.map((_, g) => {
      const at = u * PER_UNIT + 5 * g;
      return { own: weights[at + letter], past: h.reduce((sum, value, k) => sum + weights[at + 3 + k] * value, 0) };
    });
    step.r.push(sigmoid(r.own + r.past));
    step.z.push(sigmoid(z.own + z.past));
    step.n.push(Math.tanh(n.own + step.r[u] * n.past));
    step.h.push((1 - step.z[u]) * step.n[u] + step.z[u] * h[u]);
  }
  return step;
}

/** The last step of every sequence. @param {readonly number[]} weights @param {number} units */
export function runAll(weights, units) {
  /** @type {Step[]} */
  const steps = [];
  for (const { letters, parent } of SEQUENCES) {
    const before = steps[parent]?.h ?? new Array(units).fill(0);
    steps.push(stepOf(weights, units, LETTERS.indexOf(letters.slice(-1)), before));
  }
  return steps;
}

/** The answer that a state gives. @param {number} h @param {number[]} cuts */
export const answerOf = (h, cuts) => cuts.filter((cut) => h > cut).length;
