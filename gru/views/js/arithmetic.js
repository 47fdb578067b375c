// @ts-check
/** How a number of a step of a gated recurrent unit came about: terms, each over what it is made of. No DOM. */

import { format } from "./draw.js";

/** @typedef {import("./anatomy.js").Part} Part */
/** @typedef {import("./anatomy.js").Piece} Piece */
/** @typedef {import("./anatomy.js").Step} Step */
/** @typedef {import("./anatomy.js").Data} Data */
/** @typedef {import("./anatomy.js").Reading} Reading */
/** @typedef {"r" | "z" | "n"} Gate */

/**
 * A term of a sum: what it is, over the numbers it is made of (empty if it is one number), over its value.
 * @typedef {{ symbol: Piece[], made: string, value: number }} Term
 */

/** @param {Part} part @param {string | number} index @returns {Piece} */
const quantity = (part, index) => ({ letter: part === "past" ? "h" : part, index: String(index), part });

/** @param {string | number} index */
const past = (index) => quantity("past", index ? `t−1,${index}` : "t−1");

/** @param {string | number} index @returns {Piece[]} */
const gated = (index, between = " ") => ["(", quantity("r", index), between, past(index), ")"];

/** @param {Piece[]} symbol @param {number} value @returns {Term} */
const term = (symbol, value, made = "") => ({ symbol, made, value });

/** @param {Piece[]} symbol @param {number} a @param {number} b */
const product = (symbol, a, b) => term(symbol, a * b, `${format(a)} · ${format(b)}`);

/** @param {Term} a @param {Term} b */
const joined = (a, b) => product([...a.symbol, " · ", ...b.symbol], a.value, b.value);

/** @param {Term[]} terms */
const sum = (terms) => terms.flatMap((one, i) => (i ? ["+", one] : [one]));

/**
 * What one unit's gates and candidate are sums of.
 * @param {number} unit
 * @param {Data} data
 * @param {Step} step
 * @param {Reading} reading
 */
function summands(unit, data, step, { reset_after }) {
  const H = step.h.length;
  const at = unit + 1;
  /** @type {Record<Gate, number>} */
  const row = { r: unit, z: H + unit, n: 2 * H + unit };
  return {
    /** @param {Gate} gate */
    input: (gate) =>
      step.x.map((x, j) =>
        product([{ letter: "W", index: `${gate},${at}${j + 1}` }, " ", quantity("x", j + 1)], data.weight_ih[row[gate]][j], x),
      ),
    /** @param {Gate} gate */
    past: (gate) =>
      step.past.map((h, j) => {
        const early = gate === "n" && !reset_after;
        const read = early ? gated(j + 1) : [past(j + 1)];
        return product(
          [{ letter: "U", index: `${gate},${at}${j + 1}` }, " ", ...read],
          data.weight_hh[row[gate]][j],
          early ? step.reset[j] : h,
        );
      }),
    /** @param {string} index @param {Gate} gate @param {("input" | "hidden")[]} which */
    bias(index, gate, ...which) {
      const found = { input: data.bias_ih?.[row[gate]], hidden: data.bias_hh?.[row[gate]] };
      const there = which.flatMap((one) => found[one] ?? []);
      if (!there.length) return [];
      const made = there.length > 1 ? there.map((one) => format(one)).join(" + ") : "";
      const whole = there.reduce((a, b) => a + b);
      return [term([{ letter: "b", index: `${index},${at}` }], whole, made)];
    },
  };
}

/**
 * How a number of a step came about: terms, and the signs between them.
 * @param {Part} part
 * @param {number} unit
 * @param {Data} data
 * @param {Step} step
 * @param {Reading} reading
 * @returns {(string | Term)[]}
 */
export function arithmetic(part, unit, data, step, reading) {
  const { reset_after, z_keeps } = reading;
  const at = unit + 1;
  const value = step[part][unit];
  const of = summands(unit, data, step, reading);
  const all = (/** @type {number[]} */ values, /** @type {(index: number) => Piece} */ name) =>
    values.flatMap((one, j) => [...(j ? [","] : []), term([name(j + 1)], one)]);
  const added = (/** @type {Piece[]} */ symbol, /** @type {Term[]} */ terms) => [
    term(symbol, value),
    "=",
    ...sum(terms),
    "=",
    term([], value),
  ];
  const times = (/** @type {Term} */ a, /** @type {Term} */ b) => [term(joined(a, b).symbol, value), "=", a, "·", b, "=", term([], value)];
  const squashed = (/** @type {string} */ name, /** @type {Term[]} */ terms) => {
    const inner = terms.reduce((total, one) => total + one.value, 0);
    return [term([quantity(part, at)], value), `= ${name}(`, ...sum(terms), ")", `= ${name}(`, term([], inner), ")", "=", term([], value)];
  };
  const gate = (/** @type {"r" | "z"} */ name) =>
    squashed("σ", [...of.input(name), ...of.past(name), ...of.bias(name, name, "input", "hidden")]);

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
  const r = term([quantity("r", at)], step.r[unit]);
  const [mixed, state] = [term(q, step.recurrent[unit]), term([past(at)], step.past[unit])];
  const candidate = term([quantity("n", at)], step.n[unit]);
  const [kept, written] = [term(share(z_keeps), step.kept[unit]), term(share(!z_keeps), step.written[unit])];
  /** @type {Record<Part, () => (string | Term)[]>} */
  const ways = {
    x: () => all(step.x, (index) => quantity("x", index)),
    past: () => all(step.past, past),
    r: () => gate("r"),
    z: () => gate("z"),
    recurrent: () => added(q, [...of.past("n"), ...of.bias("hn", "n", "hidden")]),
    reset: () => times(r, reset_after ? mixed : state),
    n: () => squashed("tanh", [...of.input("n"), ...of.bias("in", "n", "input"), reset_after ? joined(r, mixed) : mixed]),
    keep: () => times(kept, state),
    write: () => times(written, candidate),
    h() {
      const [enters, stays] = [joined(written, candidate), joined(kept, state)];
      return added([quantity("h", `t,${at}`)], z_keeps ? [enters, stays] : [stays, enters]);
    },
  };
  return ways[part]();
}
