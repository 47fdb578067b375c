// @ts-check
/** Every short sequence in a picture: each row adds a letter to the one above it, each cell has what is wanted and given. */

import { colourOf, make, write } from "./dom.js";
import { clamp, ramp } from "./draw.js";
import { LETTERS, LONGEST, SEQUENCES } from "./puzzle.js";
import { memo, pointing } from "./state.js";
import { slider } from "./bound.js";

/** @typedef {import("./gate_puzzle.js").Found} Found */

const FIRST = [...Array(LONGEST).keys()].map((t) => (LETTERS.length ** (t + 1) - LETTERS.length) / (LETTERS.length - 1)); // of each length

/**
 * @template {{ sequence: number }} Now
 * @param {import("./state.js").State<Now>} state
 */
export function tree(state) {
  const cells = SEQUENCES.map(({ letters }) => {
    const wanted = make("i", { class: "gru-wanted" });
    const given = make("i", { class: "gru-given" });
    return { wanted, given, cell: make("span", { class: "gru-cell" }, make("span", {}, letters.slice(-1)), wanted, given) };
  });
  const rows = FIRST.map((first, t) =>
    make("div", { class: `gru-length gru-length-${t + 1}` }, ...cells.slice(first, FIRST[t + 1]).map(({ cell }) => cell)),
  );
  const plot = make("div", { class: "gru-plot gru-tree", role: "img" }, ...rows);
  const key = make(
    "p",
    { class: "gru-note gru-key", "aria-hidden": "true" },
    "Each row adds a letter. In each cell: the letter, the answer wanted, and below it the state of the unit, strong where it ",
    "is high, and grey below 0. A ✗, or on a small screen a bar, marks a wrong answer.",
  );
  pointing(state, plot, ({ clientX, clientY }) => {
    const { left, top, width, height } = plot.getBoundingClientRect();
    const t = clamp(Math.floor(((clientY - top) / height) * LONGEST), 0, LONGEST - 1);
    const count = LETTERS.length ** (t + 1);
    return { sequence: FIRST[t] + clamp(Math.floor(((clientX - left) / width) * count), 0, count - 1) };
  });
  const coloursOf = memo((/** @type {string[]} */ ...stops) => {
    const bytes = ramp(stops);
    return Array.from({ length: bytes.length / 4 }, (_, at) => `rgb(${bytes.slice(4 * at, 4 * at + 3).join(" ")})`);
  });
  const chosen = slider(state, "sequence", "Sequence", {
    max: SEQUENCES.length - 1,
    words: (value) => SEQUENCES[value].letters,
  });
  return {
    element: make("div", { class: "gru-sequences" }, plot, key, make("div", { class: "gru-bar" }, chosen)),
    /** @param {Found} found @param {number} sequence @param {Element} root */
    draw({ steps, wanted, given, cuts, right }, sequence, root) {
      const colours = coloursOf(.../** @type {const} */ (["below", "ground", "h"]).map((name) => colourOf(root, name)));
      const colour = (/** @type {number} */ value) => colours[Math.round(127 + 127 * clamp(value, -1, 1))];
      const line = new Set();
      for (let at = sequence; at >= 0; at = SEQUENCES[at].parent) line.add(at);
      cells.forEach(({ cell, wanted: above, given: below }, i) => {
        above.style.backgroundColor = colour(wanted[i] / cuts.length);
        below.style.backgroundColor = colour(steps[i].h[0]);
        write(above, cuts.length > 1 ? String(wanted[i]) : "");
        cell.classList.toggle("gru-wrong", wanted[i] !== given[i]);
        cell.classList.toggle("gru-on", line.has(i));
        cell.classList.toggle("gru-at", i === sequence);
      });
      const wrong = SEQUENCES.filter((_, i) => wanted[i] !== given[i]).map(({ letters }) => letters);
      const some = wrong.length > 8 ? `${wrong.slice(0, 8).join(", ")} and ${wrong.length - 8} more` : wrong.join(", ");
      plot.setAttribute(
        "aria-label",
        `All ${SEQUENCES.length} sequences of one to ${LONGEST} letters: ${right} right${some ? `; wrong after ${some}` : ""}`,
      );
    },
  };
}
