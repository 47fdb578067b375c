// @ts-check
/** The lines of one step of a cell, as mathematics and as Python, and the sum that made a number, with the parts they name. */

import { make } from "./dom.js";
import { format } from "./draw.js";

/** @typedef {import("./anatomy.js").Piece} Piece */
/** @typedef {import("./arithmetic.js").Term} Term */

/**
 * A letter of an equation with its index.
 * @param {string} name
 * @param {string} [quantity]  whose colour it has
 * @param {string} [index]
 */
export const italic = (name, quantity = "", index = "") =>
  make("i", quantity ? { class: `gru-${quantity}` } : {}, name, ...(index ? [make("sub", {}, index)] : []));

/** @param {string | undefined} part */
const colourOf = (part) => (part === "past" ? "h" : part && "rznhx".includes(part) ? part : "");

/** A piece of an equation. @param {Piece} piece @returns {Node | string} */
function maths(piece) {
  if (typeof piece === "string") return piece;
  if ("pieces" in piece) return make("span", { "data-part": piece.part }, ...piece.pieces.map(maths));
  const one = italic(piece.letter, colourOf(piece.part), piece.index);
  if (piece.part) one.dataset.part = piece.part;
  return one;
}

/** A piece of a line of Python. @param {Piece} piece @returns {Node | string} */
function code(piece) {
  if (typeof piece === "string") return piece;
  if ("pieces" in piece) return make("span", { "data-part": piece.part }, ...piece.pieces.map(code));
  const text = piece.index ? `${piece.letter}_${piece.index}` : piece.letter;
  return piece.part ? make("span", { class: `gru-${colourOf(piece.part)}`, "data-part": piece.part }, text) : text;
}

/** An equation beside its line of Python. @param {ReturnType<typeof import("./anatomy.js").lines>[number]} line */
export const lineOf = ({ part, maths: left, code: right }) =>
  make(
    "div",
    { class: "gru-line-of-step", "data-part": part },
    make("span", { class: "gru-maths" }, ...left.map(maths)),
    make("code", {}, ...right.map(code)),
  );

/**
 * A sum: every term over what it is made of and its value. A sign stays with the term that follows it, a closing bracket with the one before.
 * @param {(string | Term)[]} pieces
 */
export function sumOf(pieces) {
  /** @type {HTMLElement[]} */
  const groups = [];
  /** @type {HTMLElement[]} */
  let signs = [];
  pieces.forEach((piece, i) => {
    const ends = (i === 0 || i === pieces.length - 1) && !pieces.includes(",");
    if (typeof piece !== "string") {
      groups.push(make("span", { class: "gru-group" }, ...signs, termOf(piece, ends)));
      signs = [];
      return;
    }
    const sign = make("span", { class: "gru-sign" }, piece);
    if (piece === ")") groups[groups.length - 1].append(sign);
    else signs.push(sign);
  });
  return groups;
}

/** @param {Term} term @param {boolean} result */
const termOf = ({ symbol, made, value }, result) =>
  make(
    "span",
    { class: "gru-term" },
    make("span", { class: "gru-symbol" }, ...symbol.map(maths)),
    ...(made ? [make("span", { class: "gru-made" }, made)] : []),
    make("data", { value, class: result ? "gru-result" : "" }, format(value)),
  );
