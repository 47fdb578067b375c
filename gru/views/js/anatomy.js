// @ts-check
/**
 * One step of a gated recurrent unit, taken apart: its numbers, its equations and its lines of Python. No DOM;
 * arithmetic.js says how each number came about, wiring.js where everything is drawn.
 *
 * Parts, in the order in which a step computes them:
 *
 *     past       h_{t-1}                    x       x_t
 *     r, z       the gates                  n       the candidate
 *     recurrent  U_n h + b_hn, or U_n (r * h) + b_hn where the reset acts before the product
 *     reset      r * (U_n h + b_hn), or r * h
 *     keep       what stays of h_{t-1}      write   what enters of n          h      h_t, their sum
 */

import { format } from "./draw.js";
import { forward } from "./gru.js";

export const PARTS = /** @type {const} */ (["past", "x", "r", "z", "recurrent", "reset", "n", "keep", "write", "h"]);

/**
 * @typedef {typeof PARTS[number]} Part
 * @typedef {{ reset_after: boolean, z_keeps: boolean }} Reading  how weights are read
 * @typedef {{ input: boolean, hidden: boolean }} Biases  which of b_i and b_h there are
 * @typedef {{ x: number[][], h0: number[], reach: { x: number, h: number }, step_names: string[] | null, weight_ih: number[][], weight_hh: number[][], bias_ih: number[] | null,
 *   bias_hh: number[] | null }} Data  (T, D), (H), (3H, D), (3H, H), (3H), (3H)
 * @typedef {Record<Part, number[]> & { kept: number[], written: number[] }} Step  kept: the factor of h_{t-1}, (H)
 */

/**
 * A piece of an equation or of a line of code: text, a letter with its index, or a part of the cell made of pieces.
 * @typedef {string | { letter: string, index?: string, part?: Part } | { part: Part, pieces: Piece[] }} Piece
 */

/**
 * When the number of each part is there: in beats, from what goes in to the new state.
 * @param {Reading} reading
 * @returns {Record<Part, number>}
 */
export function arrivals({ reset_after }) {
  const [recurrent, reset, n] = reset_after ? [1, 2, 3] : [3, 2, 4];
  return { past: 0, x: 0, r: 1, z: 1, recurrent, reset, n, keep: 2, write: n + 1, h: n + 2 };
}

/**
 * Every step of a sequence, under a reading of the weights. The rows of z stay as they are; what z does is the reading.
 * @param {Data} data
 * @param {Reading} reading
 * @param {{ inputs: number[][], states: (number[] | null)[] }} [drawn]  x as it was drawn, and old states set by hand
 * @returns {Step[]}
 */
export function compute(data, { reset_after, z_keeps }, { inputs, states } = { inputs: data.x, states: [] }) {
  const H = data.h0.length;
  // A z that writes is one that keeps with the opposite sign: sigmoid(-a) = 1 - sigmoid(a).
  const sign = (/** @type {number} */ row) => (!z_keeps && row >= H && row < 2 * H ? -1 : 1);
  const matrix = (/** @type {number[][]} */ rows) => rows.flatMap((row, i) => row.map((value) => sign(i) * value));
  const vector = (/** @type {number[] | null} */ values) => values?.map((value, i) => sign(i) * value) ?? null;
  const weights = {
    weight_ih: matrix(data.weight_ih),
    weight_hh: matrix(data.weight_hh),
    bias_ih: vector(data.bias_ih),
    bias_hh: vector(data.bias_hh),
    reset_after,
  };
  let left = data.h0; // by the step before
  return inputs.map((x, t) => {
    const past = states[t] ?? left;
    const run = forward(x, weights, { h0: past });
    const [r, kept, n, h, recurrent] = [run.r, run.z, run.n, run.h, run.q].map((values) => [...values]);
    const written = kept.map((share) => 1 - share);
    left = h;
    return {
      past,
      x,
      r,
      z: z_keeps ? kept : written,
      recurrent,
      reset: r.map((value, i) => value * (reset_after ? recurrent[i] : past[i])),
      n,
      keep: kept.map((share, i) => share * past[i]),
      write: written.map((share, i) => share * n[i]),
      h,
      kept,
      written,
    };
  });
}

// Equations and code

/**
 * The four lines of a step, as mathematics and as Python.
 * @param {Reading} reading
 * @param {Biases} biases
 * @returns {{ part: Part, maths: Piece[], code: Piece[] }[]}
 */
export function lines({ reset_after, z_keeps }, biases) {
  const signs = {
    maths: { apply: " ", times: " ⊙ ", minus: "1 − ", sigmoid: "σ", tanh: "tanh" },
    code: { apply: " @ ", times: " * ", minus: "1 - ", sigmoid: "torch.sigmoid", tanh: "torch.tanh" },
  };
  /** @param {"maths" | "code"} kind */
  const write = (kind) => {
    const { apply, times, minus, sigmoid: squash, tanh } = signs[kind];
    const time = kind === "maths" ? ["t", "t−1"] : [undefined, undefined];
    /** @type {(letter: string, part?: Part, index?: string) => Piece} */
    const letter = (name, part = /** @type {Part} */ (name), index = time[0]) => ({ letter: name, part, index });
    /** @type {(name: string, index: string) => Piece} */
    const weight = (name, index) => ({ letter: name, index });
    /** @type {(part: Part, ...pieces: Piece[]) => Piece} */
    const group = (part, ...pieces) => ({ part, pieces });
    const past = letter("h", "past", time[1]);
    const bias = (/** @type {boolean} */ there, /** @type {string} */ index) => (there ? [" + ", weight("b", index)] : []);
    const gate = (/** @type {Part} */ part) => [
      letter(part),
      ` = ${squash}(`,
      weight("W", part),
      apply,
      letter("x"),
      " + ",
      weight("U", part),
      apply,
      past,
      ...bias(biases.input || biases.hidden, part),
      ")",
    ];
    const offset = bias(biases.hidden, "hn");
    const product = [weight("U", "n"), apply];
    const after = biases.hidden || kind === "code" ? ["(", ")"] : ["", ""]; // r * U h would be (r * U) h in no one's eyes
    const memory = reset_after
      ? group("reset", letter("r"), times, after[0], group("recurrent", ...product, past, ...offset), after[1])
      : group("recurrent", ...product, "(", group("reset", letter("r"), times, past), ")", ...offset);
    const rest = ["(", minus, letter("z"), ")"];
    const keep = group("keep", ...(z_keeps ? [letter("z")] : rest), times, past);
    const enter = group("write", ...(z_keeps ? rest : [letter("z")]), times, letter("n"));
    return {
      r: gate("r"),
      z: gate("z"),
      n: [letter("n"), ` = ${tanh}(`, weight("W", "n"), apply, letter("x"), ...bias(biases.input, "in"), " + ", memory, ")"],
      h: [letter("h"), " = ", ...(z_keeps ? [enter, " + ", keep] : [keep, " + ", enter])],
    };
  };
  const [maths, code] = [write("maths"), write("code")];
  return /** @type {const} */ (["r", "z", "n", "h"]).map((part) => ({ part, maths: maths[part], code: code[part] }));
}

// Words

/** @param {number[]} values */
const list = (values) =>
  values
    .map((value) => format(value))
    .join(" and ")
    .replace(/ and (?=.* and )/g, ", ");

/** @param {Reading} reading */
export const readingInWords = ({ reset_after, z_keeps }) =>
  `reset ${reset_after ? "after" : "before"} the product, z ${z_keeps ? "keeps" : "writes"}`;

/**
 * What a part does, for one unit, in words.
 * @param {Part} part
 * @param {number} unit
 * @param {Step} step
 * @param {Reading} reading
 * @param {number} t  from 0
 * @param {boolean} byHand  whether a hand has set the old state
 */
export function sentence(part, unit, step, { reset_after }, t, byHand) {
  const percent = (/** @type {number} */ share) => `${Math.round(100 * share)}\u00a0%`;
  const [value, name] = [format(step[part][unit] ?? 0), `unit ${unit + 1}`];
  const stays = `${percent(step.kept[unit])} of the old state stays and ${percent(step.written[unit])} of the candidate enters`;
  /** @type {Record<Part, string>} */
  const words = {
    x: `The input x is ${list(step.x)}. Both gates and the candidate read it.`,
    past: byHand
      ? `The old state is what you made it: ${list(step.past)}.`
      : t
        ? `The old state is what step ${t} left: ${list(step.past)}.`
        : `The state before the first step is ${list(step.past)}.`,
    r: reset_after
      ? `The reset gate of ${name} is ${value}: its candidate hears ${percent(step.r[unit])} of what the product makes of the past.`
      : `The reset gate of ${name} is ${value}: ${percent(step.r[unit])} of its state goes into the product, and so to every candidate.`,
    z: `The update gate of ${name} is ${value}: ${stays}.`,
    recurrent: reset_after
      ? `The product mixes the states of all units: ${value} for ${name}, before its reset gate acts.`
      : `The product mixes the states of all units after their reset gates have acted: ${value} for ${name}.`,
    reset: reset_after
      ? `Reset after the product: ${name} scales the mixture ${format(step.recurrent[unit])} by its r, which leaves ${value}.`
      : `Reset before the product: ${name} scales its state ${format(step.past[unit])} by its r, which leaves ${value} to be mixed.`,
    n: `The candidate of ${name} is ${value}: what the state would become if nothing were kept.`,
    keep: `Of its old state ${format(step.past[unit])}, ${name} keeps ${percent(step.kept[unit])}, which is ${value}.`,
    write: `Of its candidate ${format(step.n[unit])}, ${name} takes in ${percent(step.written[unit])}, which is ${value}.`,
    h: `The new state of ${name} is ${value}: ${stays}.`,
  };
  return words[part];
}

/**
 * What the other reading does to the numbers, where it is not the one that the weights were made for.
 * @param {number} was  the state as they were made to be read
 * @param {number} is
 * @param {Reading} reading
 * @param {Reading} made
 */
export function comparison(was, is, reading, made) {
  if (readingInWords(reading) === readingInWords(made)) return "";
  const same = Math.abs(is - was) < 1e-9;
  return (
    `The weights have stayed, the function has not. They were made for ${readingInWords(made)}; ` +
    (same ? `here that would give the same state, ${format(is)}.` : `that would give the state ${format(was)}, this gives ${format(is)}.`)
  );
}
