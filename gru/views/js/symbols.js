// @ts-check
/** Symbols with an index, in words and in the sum of what one step adds to the difference of the two cells. */

import { make } from "./dom.js";
import { format } from "./draw.js";

/** A symbol and its index. @param {string} main @param {string} index */
export const sub = (main, index) => make("span", { class: "gru-symbol" }, make("i", {}, main), make("sub", {}, index));

/** Text in which U_n and b_hn stand as people write them. @param {string} text */
export const prose = (text) => text.split(/\b([UWb]_\w+)/).map((part, i) => (i % 2 ? sub(part[0], part.slice(2)) : part));

/**
 * The sum of what one step adds, each term over its number.
 * @param {{ mixed: number, scaled: number, reset: number }} parts
 */
export function addition({ mixed, scaled, reset }) {
  const term = (/** @type {(Node | string)[]} */ symbol, /** @type {number} */ value, /** @type {string} */ what) =>
    make(
      "span",
      { class: "gru-term" },
      make("span", { class: "gru-formula" }, ...symbol),
      make("span", { class: "gru-number" }, format(value, 3)),
      make("span", { class: "gru-note" }, what),
    );
  const sign = (/** @type {string} */ text) => make("span", { class: "gru-sign" }, text);
  const r = (/** @type {string} */ index) => make("span", { class: "gru-symbol gru-r" }, make("i", {}, "r"), make("sub", {}, index));
  const state = make("span", { class: "gru-symbol gru-h" }, make("i", {}, "h"), make("sub", {}, "j"));
  return [
    term(["Σ ", sub("U", "ij"), " (", r("i"), " − ", r("j"), ") ", state], mixed, "units mixed"),
    make("span", { class: "gru-group" }, sign("+"), term(["(", r("i"), " − 1) ", sub("b", "hn")], scaled, `bias, r = ${format(reset)}`)),
    make("span", { class: "gru-group" }, sign("="), term(["sum"], mixed + scaled, "inside the tanh")),
  ];
}
