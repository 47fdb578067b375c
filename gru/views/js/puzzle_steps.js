// @ts-check
/** GatePuzzle's close-up: the chosen sequence step by step, and what each letter does to a state. */

import { chart } from "./chart.js";
import { letter, make, renew } from "./dom.js";
import { format } from "./draw.js";
import { LETTERS, SEQUENCES, stepOf } from "./puzzle.js";
import { memo } from "./state.js";

/** @typedef {import("./gate_puzzle.js").Found} Found */

const KINDS = ["gru-line-plain gru-of-a", "gru-line-plain gru-of-b", "gru-line-plain gru-of-c"];
const POINTS = 80;

/** The steps of one sequence, with the numbers. */
export function stepTable() {
  const body = make("tbody");
  const head = make("thead");
  const table = make("table", { class: "gru-steps" }, head, body);
  return {
    element: table,
    /** @param {Found} found @param {number} sequence @param {number} units */
    draw({ steps, wanted, given }, sequence, units) {
      /** @type {number[]} */
      const line = [];
      for (let at = sequence; at >= 0; at = SEQUENCES[at].parent) line.unshift(at);
      const row = (/** @type {Node | string} */ name, /** @type {(at: number) => string} */ text) =>
        make(
          "tr",
          {},
          make("th", { scope: "row" }, name),
          ...line.map((at) => make("td", {}, make("data", { value: text(at) }, text(at)))),
        );
      const numbers = (/** @type {"z" | "n" | "h"} */ name) =>
        Array.from({ length: units }, (_, u) =>
          row(units > 1 ? make("span", {}, letter(name), ` of unit ${u + 1}`) : letter(name), (at) => format(steps[at][name][u])),
        );
      renew(head, make("tr", {}, make("td"), ...line.map((at) => make("th", { scope: "col" }, SEQUENCES[at].letters.slice(-1)))));
      renew(
        body,
        ...numbers("z"),
        ...numbers("n"),
        ...numbers("h"),
        row("answer", (at) => `${given[at]}${given[at] === wanted[at] ? "" : " ✗"}`),
        row("wanted", (at) => String(wanted[at])),
      );
    },
  };
}

/** What each letter makes of a state, for one unit. */
export function mapPanel() {
  const map = chart("map", [letter("h"), " after a letter, over ", letter("h"), " before it"], { along: "h before the letter" });
  const place = Array.from({ length: POINTS + 1 }, (_, i) => (2 * i) / POINTS - 1);
  const drawn = memo((/** @type {string} */ _key, /** @type {() => void} */ draw) => draw());
  return {
    panel: map.panel,
    /** @param {number[]} weights @param {number} units @param {Found} found @param {number} sequence */
    draw(weights, units, { steps, cuts }, sequence) {
      map.panel.hidden = units > 1;
      drawn(JSON.stringify([weights, cuts]), () => {
        const of = (/** @type {number} */ k) => place.map((h) => stepOf(weights, 1, k, [h]).h[0]);
        const lines = [...LETTERS].map((name, k) => ({ values: of(k), from: -1, by: 2 / POINTS, kind: KINDS[k], name }));
        map.draw({
          x: [-1, 1],
          y: [-1, 1],
          yTicks: [-1, ...cuts, 1].map((v) => [v, String(v).replace("-", "−")]),
          lines: [{ values: [-1, 1], from: -1, by: 2, kind: "gru-line-faint", name: "kept" }, ...lines],
        });
        const falls = lines
          .filter(({ values }) => values.some((value, i) => i > 0 && value < values[i - 1] - 1e-12))
          .map(({ name }) => name);
        map.describe(
          `The state after each letter over the state before it: ${falls.length ? `the line of ${falls.join(" and ")} falls somewhere` : "no line falls"}`,
        );
      });
      const { letters, parent } = SEQUENCES[sequence];
      const before = steps[parent]?.h[0] ?? 0;
      map.mark(before, `${letters.slice(-1)}: ${format(before)} → ${format(steps[sequence].h[0])}`);
    },
  };
}
