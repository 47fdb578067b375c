// @ts-check
/**
 * One step of a gated recurrent unit, taken apart: its numbers, its equations, its lines of Python and the arithmetic of
 * every part. No DOM; wiring.js says where everything is drawn.
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
 * @typedef {{ x: number[][], h0: number[], weight_ih: number[][], weight_hh: number[][], bias_ih: number[] | null,
 *   bias_hh: number[] | null }} Data  (T, D), (H), (3H, D), (3H, H), (3H), (3H)
 * @typedef {Record<Part, number[]> & { kept: number[], written: number[] }} Step  kept: the factor of h_{t-1}, (H)
 */

/**
 * A piece of an equation or of a line of code: text, a letter with its index, or a part of the cell made of pieces.
 * @typedef {string | { letter: string, index?: string, part?: Part } | { part: Part, pieces: Piece[] }} Piece
 */

/**
 * Every step of a sequence, under a reading of the weights. The rows of z stay as they are; what z does is the reading.
 * @param {Data} data
 * @param {Reading} reading
 * @returns {Step[]}
 */
export function compute(data, { reset_after, z_keeps }) {
  const H = data.h0.length;
  // A z that writes is one that keeps with the opposite sign: sigmoid(-a) = 1 - sigmoid(a).
  const sign = (/** @type {number} */ row) => (!z_keeps && row >= H && row < 2 * H ? -1 : 1);
  const matrix = (/** @type {number[][]} */ rows) => rows.flatMap((row, i) => row.map((value) => sign(i) * value));
  const vector = (/** @type {number[] | null} */ values) => values?.map((value, i) => sign(i) * value) ?? null;
  const run = forward(
    data.x.flat(),
    {
      weight_ih: matrix(data.weight_ih),
      weight_hh: matrix(data.weight_hh),
      bias_ih: vector(data.bias_ih),
      bias_hh: vector(data.bias_hh),
      reset_after,
    },
    { h0: data.h0 },
  );
  return data.x.map((x, t) => {
    const at = (/** @type {Float64Array} */ values) => [...values.subarray(t * H, (t + 1) * H)];
    const past = t ? [...run.h.subarray((t - 1) * H, t * H)] : data.h0;
    const [r, kept, n, h, recurrent] = [run.r, run.z, run.n, run.h, run.q].map(at);
    const written = kept.map((share) => 1 - share);
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

// Arithmetic

/**
 * A term of a sum: what it is, over the numbers it is made of (empty if it is one number), over its value.
 * @typedef {{ symbol: Piece[], made: string, value: number }} Term
 */

/**
 * How a number of a step came about: terms, and the signs between them.
 * @param {Part} part
 * @param {number} unit
 * @param {Data} data
 * @param {Step} step
 * @param {Reading} reading
 * @returns {(string | Term)[]}
 */
export function arithmetic(part, unit, data, step, { reset_after, z_keeps }) {
  const H = step.h.length;
  const at = unit + 1;
  const row = { r: unit, z: H + unit, n: 2 * H + unit };
  /** @type {(part: Part, index: string | number) => Piece} */
  const quantity = (part, index) => ({ letter: part === "past" ? "h" : part, index: String(index), part });
  const past = (/** @type {string | number} */ index) => quantity("past", index ? `t−1,${index}` : "t−1");
  const gated = (/** @type {string | number} */ index, between = " ") => ["(", quantity("r", index), between, past(index), ")"];
  const term = (/** @type {Piece[]} */ symbol, /** @type {number} */ value, made = "") => ({ symbol, made, value });
  const product = (/** @type {Piece[]} */ symbol, /** @type {number} */ a, /** @type {number} */ b) =>
    term(symbol, a * b, `${format(a)} · ${format(b)}`);
  const sum = (/** @type {Term[]} */ terms) => terms.flatMap((one, i) => (i ? ["+", one] : [one]));
  const value = step[part][unit];

  /** @type {(gate: "r" | "z" | "n") => Term[]} */
  const fromInput = (gate) =>
    step.x.map((x, j) =>
      product([{ letter: "W", index: `${gate},${at}${j + 1}` }, " ", quantity("x", j + 1)], data.weight_ih[row[gate]][j], x),
    );
  /** @type {(gate: "r" | "z" | "n") => Term[]} */
  const fromPast = (gate) =>
    step.past.map((h, j) => {
      const early = gate === "n" && !reset_after;
      return product(
        [{ letter: "U", index: `${gate},${at}${j + 1}` }, " ", ...(early ? gated(j + 1) : [past(j + 1)])],
        data.weight_hh[row[gate]][j],
        early ? step.reset[j] : h,
      );
    });
  /** @type {(index: string, ...values: (number | undefined)[]) => Term[]} */
  const bias = (index, ...values) => {
    const there = values.filter((one) => one !== undefined);
    const made = there.length > 1 ? there.map((one) => format(one)).join(" + ") : "";
    return there.length
      ? [
          term(
            [{ letter: "b", index: `${index},${at}` }],
            there.reduce((a, b) => a + b),
            made,
          ),
        ]
      : [];
  };
  // The product with the past, as one thing; its own sum is written out where it is asked for itself.
  const offset = data.bias_hh ? [" + ", { letter: "b", index: "hn" }] : [];
  const q = [
    "(",
    { letter: "U", index: "n" },
    " ",
    ...(reset_after ? [past("")] : gated("", " ⊙ ")),
    ...offset,
    ")",
    { letter: "", index: String(at) },
  ];
  const share = (/** @type {boolean} */ whole) => (whole ? [quantity("z", at)] : ["(1 − ", quantity("z", at), ")"]);

  const all = (/** @type {number[]} */ values, /** @type {(index: number) => Piece} */ name) =>
    values.flatMap((one, j) => [...(j ? [","] : []), term([name(j + 1)], one)]);
  const added = (/** @type {Piece[]} */ symbol, /** @type {Term[]} */ terms) => [
    term(symbol, value),
    "=",
    ...sum(terms),
    "=",
    term([], value),
  ];
  const times = (/** @type {Term} */ a, /** @type {Term} */ b) => [
    term([...a.symbol, " · ", ...b.symbol], value),
    "=",
    a,
    "·",
    b,
    "=",
    term([], value),
  ];
  const squashed = (/** @type {string} */ name, /** @type {Term[]} */ terms) => {
    const inner = terms.reduce((total, one) => total + one.value, 0);
    return [term([quantity(part, at)], value), `= ${name}(`, ...sum(terms), ")", `= ${name}(`, term([], inner), ")", "=", term([], value)];
  };

  const r = term([quantity("r", at)], step.r[unit]);
  const [mixed, state, candidate] = [
    term(q, step.recurrent[unit]),
    term([past(at)], step.past[unit]),
    term([quantity("n", at)], step.n[unit]),
  ];
  const [kept, written] = [term(share(z_keeps), step.kept[unit]), term(share(!z_keeps), step.written[unit])];
  const joined = (/** @type {Term} */ a, /** @type {Term} */ b) => product([...a.symbol, " · ", ...b.symbol], a.value, b.value);
  /** @type {Record<Part, () => (string | Term)[]>} */
  const ways = {
    x: () => all(step.x, (index) => quantity("x", index)),
    past: () => all(step.past, past),
    r: () => squashed("σ", [...fromInput("r"), ...fromPast("r"), ...bias("r", data.bias_ih?.[row.r], data.bias_hh?.[row.r])]),
    z: () => squashed("σ", [...fromInput("z"), ...fromPast("z"), ...bias("z", data.bias_ih?.[row.z], data.bias_hh?.[row.z])]),
    recurrent: () => added(q, [...fromPast("n"), ...bias("hn", data.bias_hh?.[row.n])]),
    reset: () => times(r, reset_after ? mixed : state),
    n: () => squashed("tanh", [...fromInput("n"), ...bias("in", data.bias_ih?.[row.n]), reset_after ? joined(r, mixed) : mixed]),
    keep: () => times(kept, state),
    write: () => times(written, candidate),
    h: () =>
      added(
        [quantity("h", `t,${at}`)],
        z_keeps ? [joined(written, candidate), joined(kept, state)] : [joined(kept, state), joined(written, candidate)],
      ),
  };
  return ways[part]();
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
 */
export function sentence(part, unit, step, { reset_after }, t) {
  const percent = (/** @type {number} */ share) => `${Math.round(100 * share)}\u00a0%`;
  const [value, name] = [format(step[part][unit] ?? 0), `unit ${unit + 1}`];
  const stays = `${percent(step.kept[unit])} of the old state stays and ${percent(step.written[unit])} of the candidate enters`;
  /** @type {Record<Part, string>} */
  const words = {
    x: `The input x is ${list(step.x)}. Both gates and the candidate read it.`,
    past: t ? `The old state is what step ${t} left: ${list(step.past)}.` : `The state before the first step is ${list(step.past)}.`,
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
