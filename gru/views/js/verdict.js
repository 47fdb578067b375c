// @ts-check
/** Why the two cells are equal, or what keeps them apart, in words. No DOM. */

import { agreement } from "./layouts.js";

const MIXED = {
  unit: "There is one unit, so the product is a plain multiplication, and its order does not matter.",
  zero: "U_n is zero, so there is no product that could mix anything.",
  diagonal: "U_n is diagonal, so no unit reads another’s state, and the order of two factors does not matter.",
  same: "Every unit has the same r at each step, a number that may stand before the product or after it.",
  blocks: "U_n mixes only units whose reset gates are the same.",
};

/** Why they are equal. @param {ReturnType<typeof agreement>} why */
export function reason(why) {
  if (!why) return "Nothing in these weights makes it so, but over this sequence the difference is that small.";
  if (why.mixed === "open") return "Every r is 1: nothing is reset, before or after.";
  return `${MIXED[why.mixed]} And ${why.scaled === "zero" ? "b_hn is 0, so r has nothing else to scale" : "r is 1 where b_hn is not 0"}.`;
}

/**
 * What keeps them apart.
 * @param {{ weights: import("./layouts.js").Whole, after: import("./gru.js").Run, most: number }} found
 * @param {number} units
 */
export function missing({ weights, after, most }, units) {
  if (agreement(weights, after.r)) return "That is rounding too, grown over the steps: in exact arithmetic they are equal.";
  const noBias = { ...weights, bias_hh: new Float64Array(3 * units) };
  const mixes = !agreement(noBias, after.r);
  const scales = Array.from({ length: units }, (_, i) => weights.bias_hh[2 * units + i]).some((b) => b !== 0);
  const bias = "r scales b_hn only where it comes after the product";
  const mixing = "U_n mixes units whose reset gates differ";
  return most > 0 ? `${mixes && scales ? `${mixing}, and ${bias}` : mixes ? mixing : bias}.` : "";
}
