// @ts-check
/** How a unit's state came about: h = (1 − z) n + z h, each symbol over its number. */

import { letter, make } from "./dom.js";
import { format } from "./draw.js";

/**
 * @param {Record<"z" | "n" | "h", number>} at
 * @param {number} past  the state before
 * @param {import("./explorer.js").Convention} convention
 * @returns {Node[]}
 */
export function blend(at, past, convention) {
  if (!convention) return [];
  const sign = (/** @type {string} */ text) => make("span", { class: "gru-sign" }, text);
  const term = (/** @type {Node[]} */ symbol, /** @type {number} */ value) =>
    make("span", { class: "gru-term" }, make("span", {}, ...symbol), make("span", { class: "gru-number" }, format(value)));
  const rest = term([sign("(1 − "), letter("z"), sign(")")], 1 - at.z);
  const whole = term([letter("z")], at.z);
  const [ofCandidate, ofPast] = convention === "keeps" ? [rest, whole] : [whole, rest];
  const candidate = [ofCandidate, sign("·"), term([letter("n")], at.n)];
  const memory = [ofPast, sign("·"), term([letter("h"), make("small", {}, " before")], past)];
  const [first, second] = convention === "keeps" ? [candidate, memory] : [memory, candidate];
  return [term([letter("h")], at.h), sign("="), ...first, sign("+"), ...second];
}
