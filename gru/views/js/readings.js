// @ts-check
/**
 * What a cell that was written as equations is: found with seeded numbers. The reader's cell takes one step, and so does
 * every cell of the catalogue, with the reader's own weights in the same places. No DOM.
 */

import catalogue from "../../checks/catalogue.json" with { type: "json" };
import { CELLS } from "./cells.js";
import { Formula } from "./formula.js";
import { read } from "./language.js";
import { normal } from "./random.js";
import { forgets, remarks, unsetOf } from "./remarks.js";
import { rolesOf } from "./roles.js";

/** @typedef {import("./language.js").Program} Program */
/** @typedef {import("./roles.js").Role} Role */
/**
 * @typedef {object} Reading
 * @property {string} name  of a mistake in gru.checks.MISTAKES, or of a cell
 * @property {string} sentence
 */
/** @typedef {string | Record<string, string | undefined>} Equation  for every cell, or one of each place or role */
/** @typedef {Record<string, Equation | undefined>} Change  of some lines; `says` is said of it */

/** @type {Record<string, { sentence: string, formulas?: Change[] }>} */
const MISTAKES = catalogue.mistakes;

const SIZES = { T: 1, B: 4, D: 3, H: 5 };

/**
 * A cell that is known, run at SIZES.
 * @typedef {object} Known
 * @property {string} name  of the mistake or the cell; "" of a reference
 * @property {string} sentence
 * @property {string} place  where the reset acts: "after" or "before"; "" of a cell that is not a GRU
 * @property {string} role  "keeps" or "writes"
 * @property {Formula} formula
 * @property {Map<string, Role>} roles
 */

/** @type {Record<string, string>} */
const REFERENCES = {
  "after keeps": "What torch.nn.GRU computes: the reset gate acts after the product, and z keeps.",
  "before keeps": "The reset gate acts before the product (Cho et al. 2014, version 3), and z keeps.",
  "after writes": "The reset gate acts after the product, and z writes; or, if z is to keep, z and 1 - z have changed places.",
  "before writes":
    "The reset gate acts before the product, and z writes (Chung et al. 2014; the note's first cell); or, if z is to keep, z and 1 - z have changed places.",
};
const WRITES = " And z writes; or, if it is to keep, z and 1 - z have changed places.";
const ONE_GATE = "One gate does the work of both, as in the minimal gated unit.";
const NONE = "A cell of its own: none that this page knows computes the same.";

/** The cells that have been made, and where the next come from: several texts may be read at a time. @type {Known[]} */
const known = [];
const unmade = texts();

/** Every cell of the catalogue, each made when it is first asked for: the likeliest first. */
function* everyCell() {
  for (let k = 0; ; k += 1) {
    if (k === known.length) {
      const { done, value } = unmade.next();
      if (done) return;
      known.push(make(...value));
    }
    yield known[k];
  }
}

/** @returns {Generator<[name: string, text: string, sentence: string, place: string, role: string]>} */
function* texts() {
  for (const { name, text, known: biased = text, sentence } of CELLS) if (sentence) yield [name, biased, sentence, "", ""];
  for (const both of Object.keys(REFERENCES)) {
    const [place, role] = both.split(" ");
    yield ["", textOf({}, place, role), REFERENCES[both], place, role];
  }
  for (const both of Object.keys(REFERENCES)) {
    const [place, role] = both.split(" ");
    for (const { name, change, sentence } of CHANGES) {
      const text = textOf(change, place, role);
      if (text) yield [name, text, sentence, place, role];
    }
  }
}

/** Mistakes that are seen in which of a candidate's biases stand where. @type {Record<string, (count: number, inner: number) => boolean>} */
const BIASES = {
  bias_missing: () => false,
  input_bias_missing: (count, inner) => count > 0 && inner === 2 ** count - 1,
  hidden_bias_missing: (count, inner) => count === 1 && inner === 0,
  bias_outside_reset: (count, inner) => count > 1 && inner === 0,
};

/** What can be wrong with a line. What is another place or role is another reference here; biases are looked at by the way they fit. */
const CHANGES = Object.entries(MISTAKES).flatMap(([name, { sentence, formulas = [] }]) =>
  ["z_swapped", "reset_before_product", "reset_after_product"].includes(name) || name in BIASES
    ? []
    : formulas.map((change) => ({ name, change, sentence: change.says ? `${sentence} ${change.says}` : sentence })),
);

/** Cells with two mistakes, in lines of their own: too many to be kept. @returns {Generator<Known>} */
function* everyPair() {
  const lines = (/** @type {Change} */ change) => Object.keys(change).filter((key) => key !== "says");
  for (const both of Object.keys(REFERENCES)) {
    const [place, role] = both.split(" ");
    for (const [i, one] of CHANGES.entries()) {
      for (const other of CHANGES.slice(i + 1)) {
        if (one.name === other.name || lines(one.change).some((key) => key in other.change)) continue;
        const text = textOf({ ...one.change, ...other.change }, place, role);
        if (text)
          yield make(`${one.name} ${other.name}`, text, `Two mistakes at once. ${one.sentence} And: ${other.sentence}`, place, role);
      }
    }
  }
}

/** The equations with some lines changed; "" where this place has no such mistake. @param {Change} change @param {string} place @param {string} role */
export function textOf(change, place, role) {
  /** @type {Change} */
  const reference = catalogue.reference;
  const lines = [..."rznkh"].map((key) => {
    const line = change[key] ?? reference[key];
    return [key, typeof line === "string" ? line : (line?.[place] ?? line?.[role])];
  });
  return lines.some(([, line]) => line === undefined) ? "" : lines.map((line) => line.join(" = ")).join("\n");
}

/** @param {string} name @param {string} text @param {string} sentence @param {string} place @param {string} role @returns {Known} */
function make(name, text, sentence, place, role) {
  const { program } = read(text, SIZES.D, SIZES.H);
  if (!program) throw new Error(`the catalogue's ${name} cannot be read`);
  return { name, sentence, place, role, formula: new Formula(program, SIZES), roles: withParameters(program) };
}

const GATES = [..."rznifgohc"]; // as cells are written; other names may be helpers, such as a sum that a gate is taken of

/** The equations that have parameters of their own, and those of their helpers. @param {Program} program */
function withParameters(program) {
  const { nodes, equations } = program;
  const { equations: roles } = rolesOf(program);
  equations.forEach(({ name, last }, k) => {
    if (GATES.includes(name) || nodes[last].op in { sigmoid: 1, tanh: 1, relu: 1 }) return;
    const reader = equations
      .slice(k + 1)
      .find((one) => nodes.slice(one.first, one.last + 1).some(({ op, text }) => op === "name" && text === name));
    const [from, to] = [roles.get(name), reader && roles.get(reader.name)];
    if (!from || !to || from === to) return;
    for (const kind of /** @type {const} */ (["inputs", "recurrent"])) to[kind].unshift(...from[kind]);
    to.biases.unshift(...from.biases);
    roles.delete(name);
  });
  return new Map([...roles].filter(([, { inputs, recurrent, biases }]) => inputs.length + recurrent.length + biases.length));
}

/** One step from seeded states and inputs: the new states, h first. @param {Formula} formula */
function stepOf(formula) {
  const { B, D, H } = SIZES;
  [...formula.states.values()].forEach(({ values }, k) => values.set(normal(100 + k, B * H)));
  for (const _ of formula.forward(normal(99, B * D)));
  return [...formula.states.values()].map(({ values }) => values.slice(B * H, 2 * B * H));
}

/** @param {Float64Array[]} one @param {Float64Array[]} other */
const same = (one, other) =>
  one.length === other.length && one.every((values, k) => values.every((value, i) => Math.abs(value - other[k][i]) <= 1e-9));

/** Every way to give some names a partner of others, or none where there are too few. @param {string[]} names @param {string[]} others @returns {Map<string, string>[]} */
function pairings([name, ...rest], others) {
  if (name === undefined || !others.length) return [new Map()];
  const paired = others.flatMap((other) =>
    pairings(
      rest,
      others.filter((one) => one !== other),
    ).map((more) => new Map([[name, other], ...more])),
  );
  return rest.length < others.length ? paired : [...paired, ...pairings(rest, others)];
}

/** Put the reader's parameters where a known cell has its own. @param {Known} cell @param {Formula} formula @param {Map<string, Role>} roles @param {Map<string, string>} pairs @param {number} inner  bits: which of a candidate's vectors lie inside the reset */
function lend({ formula: to, roles: places }, formula, roles, pairs, inner) {
  const { H } = SIZES;
  // A bias that the reader has not is 0; a matrix is any, so that it shows where it matters.
  for (const { values, shape } of to.parameters.values()) values.set(shape.length > 1 ? normal(7, values.length) : new Float64Array(H));
  for (const [name, place] of places) {
    const role = roles.get(pairs.get(name) ?? "");
    if (!role) continue;
    for (const kind of /** @type {const} */ (["inputs", "recurrent"])) {
      if (!place[kind].length || !role[kind].length) continue;
      const target = /** @type {{ values: Float64Array, shape: number[] }} */ (to.parameters.get(place[kind][0].name));
      target.values.fill(0);
      for (const { name: matrix, from, width } of role[kind]) {
        const { values, shape } = /** @type {{ values: Float64Array, shape: number[] }} */ (formula.parameters.get(matrix));
        if (width !== target.shape[1]) continue;
        for (let i = 0; i < H; i += 1) for (let k = 0; k < width; k += 1) target.values[i * width + k] += values[i * shape[1] + from + k];
      }
    }
    role.biases.forEach((bias, k) => {
      const slot = place.biases[place.biases.length > 1 ? (inner >> k) & 1 : 0];
      const values = /** @type {Float64Array} */ (formula.parameters.get(bias)?.values);
      if (slot) to.parameters.get(slot)?.values.forEach((_, i, all) => void (all[i] += values[i]));
    });
  }
}

/**
 * What a text computes: names of mistakes, or of one cell, none of a right GRU or where nothing is known; and a sentence,
 * which is empty where the text cannot be read. A generator, so that the work can be shared out over frames.
 * @param {string} text
 * @returns {Generator<undefined, { names: string[], sentence: string }>}
 */
export function* whatItIs(text) {
  const { program } = read(text, SIZES.D, SIZES.H);
  if (!program) return { names: [], sentence: "" };
  const formula = new Formula(program, SIZES);
  let seed = 0;
  for (const { values } of formula.parameters.values()) values.set(normal((seed += 1), values.length).map((value) => 0.7 * value));
  const wanted = stepOf(formula);
  const roles = withParameters(program);
  const isGRU = [..."rzn"].some((name) => roles.has(name));
  const matches = [];
  for (const cell of everyCell()) {
    const found = fits(cell, formula, roles, wanted);
    matches.push(...found);
    if (found.length && (cell.place ? !cell.name : !isGRU)) break; // right, so it is not a mistake
    yield;
  }
  if (!matches.length && [..."rzn"].every((name) => formula.named.has(name))) {
    for (const cell of everyPair()) {
      matches.push(...fits(cell, formula, roles, wanted).filter(({ byName }) => byName));
      if (matches.length) break;
      yield;
    }
  }
  const { names, sentence } = said(matches, roles);
  const gap = forgets(program);
  const isPlain = sentence === NONE && (gap || unsetOf(program).length);
  const told = names.includes("reset_gate_unused") ? "r" : names.includes("update_gate_unused") ? "z" : "";
  return { names, sentence: [isPlain ? "" : sentence, gap && `${gap}.`, ...remarks(program, told)].filter(Boolean).join(" ") };
}

/** How a known cell gives the reader's numbers: in which ways. @param {Known} cell @param {Formula} formula @param {Map<string, Role>} roles @param {Float64Array[]} wanted */
function fits(cell, formula, roles, wanted) {
  if (cell.formula.states.size !== wanted.length) return [];
  const named = [...cell.roles.keys()].filter((name) => roles.has(name));
  const left = [...cell.roles.keys()].filter((name) => !roles.has(name));
  const others = [...roles.keys()].filter((name) => !named.includes(name)).slice(0, 4);
  for (const pairs of pairings(left, others)) {
    for (const name of named) pairs.set(name, name);
    const count = Math.min(3, roles.get(pairs.get("n") ?? "")?.biases.length ?? 0);
    for (let inner = 0; inner < 2 ** count; inner += 1) {
      lend(cell, formula, roles, pairs, inner);
      if (same(stepOf(cell.formula), wanted)) return [{ cell, count, inner, byName: [...pairs].every(([name, other]) => name === other) }];
    }
  }
  return [];
}

/** @param {{ cell: Known, count: number, inner: number, byName: boolean }[]} matches @param {Map<string, Role>} roles */
function said(matches, roles) {
  const whole = matches.find(({ cell }) => cell.place && !cell.name);
  if (whole)
    return reference(
      whole,
      [...roles.values()].some(({ biases }) => biases.length),
    );
  // A cell that is not a GRU may be one with a mistake too, if its gates are called r, z and n.
  const own = matches.find(({ cell }) => !cell.place);
  const mistakes = matches.filter(({ cell, byName }) => cell.place && (byName || !own));
  // Where a cell has one gate, by whatever name, which stands in both places, it is a fair cell and a mistake only if two were meant.
  if (roles.size === 2 && mistakes.some(({ cell }) => cell.name in { reset_gate_in_blend: 1, update_gate_in_candidate: 1 })) {
    const meant = [own, ...mistakes.filter(({ byName }) => byName)].flatMap((match) => match?.cell ?? []);
    const sentences = new Set([own ? [] : ONE_GATE, meant.map(({ sentence }) => sentence)].flat());
    return { names: [...new Set(meant.map(({ name }) => name))], sentence: [...sentences].join(" Or: ") };
  }
  // The same mistake may stand under several references; z's role is said where it is a mistake in one of them alone.
  /** @type {Map<string, boolean>} */
  const writes = new Map();
  for (const { cell } of mistakes) writes.set(cell.sentence, (writes.get(cell.sentence) ?? true) && cell.role === "writes");
  const always = writes.size > 0 && [...writes.values()].every(Boolean);
  const told = [...writes].map(([sentence, only]) => (only && !always ? sentence + WRITES : sentence));
  if (own && !told.includes(own.cell.sentence)) told.unshift(own.cell.sentence);
  if (!told.length) return { names: [], sentence: NONE };
  const names = new Set([own, ...mistakes].flatMap((match) => (match ? match.cell.name.split(" ") : [])));
  if ([...writes.values()].includes(true)) names.add("z_swapped");
  return { names: [...names], sentence: told.join(" Or: ") + (always ? WRITES : "") };
}

/** @param {{ cell: Known, count: number, inner: number }} match @param {boolean} biases  whether the reader's cell has any */
function reference({ cell, count, inner }, biases) {
  const more = Object.keys(BIASES).filter((name) =>
    biases ? cell.place === "after" && BIASES[name](count, inner) : name === "bias_missing",
  );
  const words = more.map((name) => MISTAKES[name].sentence);
  return { names: [...(cell.role === "writes" ? ["z_swapped"] : []), ...more], sentence: [cell.sentence, ...words].join(" ") };
}
