// @ts-check
/** What GateExplorer computes: the gates and beliefs of a model as it stands, or with a bias on z. No DOM. */

import { believe, decode, runStack, weightsOf } from "./gru.js";
import { heldIn } from "./holding.js";

/**
 * What Python sends (gate_explorer.py). A recurrence is one layer and direction of the model.
 * @typedef {object} Data
 * @property {{ name: string, layer: number, reverse: boolean, hidden_size: number, convention: Convention,
 *   weights: Record<string, string | boolean | null> | null }[]} parts
 * @property {{ name: string, steps: number, target: number | null, x: string, step_names: string[] | null,
 *   traced: Record<Quantity, string>[] | null, probabilities: string | null }[]} sequences
 * @property {{ weight: string, bias: string | null } | null} head
 * @property {string[]} class_names  empty if there is no head
 * @property {string} reason  why the page cannot compute; empty if it can
 * @property {string} device  where Python has traced the model
 * @property {number | null} apart  how far its states are from the page's at most; null if the page cannot compute
 */
/** @typedef {"keeps" | "writes" | null} Convention */
/** @typedef {"r" | "z" | "n" | "h"} Quantity */
/** @typedef {ReturnType<typeof prepare>} Model */
/**
 * @typedef {object} Shown  z as its cell means it, (T, H); the class probabilities (T, C), or null
 * @property {ArrayLike<number>} r
 * @property {ArrayLike<number>} z
 * @property {ArrayLike<number>} n
 * @property {ArrayLike<number>} h
 * @property {ArrayLike<number> | null} beliefs
 * @property {number | null} kept  the share of the old state that a step keeps, on average
 */

export const QUANTITIES = /** @type {const} */ (["r", "z", "n", "h"]);

/** Numbers out of what Python sent. @param {Data} data */
export function prepare(data) {
  const parts = data.reason ? [] : data.parts.map((part) => ({ ...part, weights: weightsOf(part.weights ?? {}) }));
  const { head } = data;
  return { data, parts, head: head && { weight: decode(head.weight), bias: head.bias === null ? null : decode(head.bias) } };
}

/**
 * What is to be drawn of one sequence and one recurrence, with a bias on every update gate, and with what is held by hand.
 * @param {Model} model
 * @param {number} sequence
 * @param {number} layer
 * @param {number} bias
 * @param {import("./holding.js").Edit[]} [edits]
 * @returns {Shown}
 */
export function compute({ data, parts, head }, sequence, layer, bias, edits = []) {
  const { x, steps, traced, probabilities } = data.sequences[sequence];
  if (traced) {
    const [r, z, n, h] = QUANTITIES.map((name) => decode(traced[layer][name]));
    return { r, z, n, h, beliefs: probabilities === null ? null : decode(probabilities), kept: null };
  }
  const held = parts.map(({ hidden_size, convention }, k) => heldIn(edits, k, steps, hidden_size, convention === "writes"));
  const { runs, top } = runStack(decode(x), parts, steps, bias, held);
  const { r, z, n, h } = runs[layer];
  const kept = z.reduce((sum, value) => sum + value, 0) / z.length;
  const own = data.parts[layer].convention === "writes" ? z.map((value) => 1 - value) : z;
  return { r, z: own, n, h, beliefs: head && believe(top, head, data.class_names.length), kept };
}

/** The class that counts as most probable after a step. @param {ArrayLike<number>} beliefs @param {number} step @param {number} classes */
export function leader(beliefs, step, classes) {
  let best = 0;
  for (let c = 1; c < classes; c += 1) if (beliefs[step * classes + c] > beliefs[step * classes + best]) best = c;
  return best;
}

/**
 * The step at which the last answer comes to lead, and which class led before; null where it always did.
 * @param {ArrayLike<number>} beliefs
 * @param {number} classes
 */
export function changeOfMind(beliefs, classes) {
  const last = beliefs.length / classes - 1;
  const answer = leader(beliefs, last, classes);
  for (let t = last - 1; t >= 0; t -= 1) {
    const before = leader(beliefs, t, classes);
    if (before !== answer) return { step: t + 1, before };
  }
  return null;
}

export const SORTED = "rows sorted by last h"; // what stands beside rows in this order

/**
 * The units in an order in which neighbours look alike: by their last state, from high to low.
 * @param {ArrayLike<number>} h  (T, H)
 * @param {number} units  H
 */
export function orderOf(h, units) {
  const last = h.length - units;
  return Array.from({ length: units }, (_, u) => u).sort((a, b) => h[last + b] - h[last + a]);
}
