// @ts-check
/** Lengths of time in words. No DOM. */

import { format } from "./draw.js";

/** Steps, and parts of a step. @param {number} t */
export function lengthOf(t) {
  const text = format(t, t >= 99.95 ? 0 : 1);
  return `${text} ${text === "1.0" ? "step" : "steps"}`;
}
