// @ts-check
/** A panel: what the model would answer after each step, its rivals by name, and where it changes its mind. */

import { linesIn } from "./chart.js";
import { make, renew } from "./dom.js";
import { counted, percent } from "./draw.js";
import { changeOfMind, leader } from "./explorer.js";
import { strip } from "./panel.js";

const MOST = 4; // classes that are named
const LED = 0.3; // and the one that it has reached, to be named where its line is highest
const ABOVE = 0.85; // a name at a line this high stands where what happens has its words
const LIKELY = 0.1; // the probability that a class has reached, to be named though it never led

/**
 * Which classes have a name on the drawing: the true one, the answer, who led before, and who was ever likely, the likeliest first.
 * @param {ArrayLike<number>} beliefs  (T, C)
 * @param {number} classes  C
 * @param {number | null} target
 */
function rivals(beliefs, classes, target) {
  const steps = beliefs.length / classes;
  const first = [target ?? leader(beliefs, steps - 1, classes), leader(beliefs, steps - 1, classes)];
  const led = Array.from({ length: steps }, (_, t) => leader(beliefs, steps - 1 - t, classes));
  const peaks = Array.from({ length: classes }, (_, c) => Math.max(...Array.from({ length: steps }, (_, t) => beliefs[t * classes + c])));
  const likely = [...peaks.keys()].filter((c) => peaks[c] >= LIKELY).sort((a, b) => peaks[b] - peaks[a]);
  return [...new Set([...first, ...led, ...likely])].slice(0, MOST);
}

/**
 * Where the lines of rivals that have led stand highest, but where their names at the lines' ends say it, or another's name stands.
 * @param {number[]} rivals
 * @param {(of: ArrayLike<number>, c: number) => Float64Array} column
 * @param {ArrayLike<number>} beliefs
 * @param {number | null} moment  the step above which something is written, if any
 */
export function summitsOf(rivals, column, beliefs, moment) {
  /** @type {{ c: number, t: number, height: number }[]} */
  const found = [];
  for (const c of rivals) {
    const line = column(beliefs, c);
    const height = Math.max(...line);
    const t = line.indexOf(height);
    const room = line.length / 6;
    const written = moment !== null && height > ABOVE && Math.abs(moment - t) < room;
    const covered = written || found.some((other) => Math.abs(other.t - t) < room && Math.abs(other.height - height) < 0.16);
    if (height > LED && t < line.length - room && !covered) found.push({ c, t, height });
  }
  return found;
}

export function beliefPanel() {
  const { panel, plot, note } = strip("beliefs", ["answer"], "gru-lines gru-tall");
  const lines = linesIn(plot, 0.15);
  const summits = make("div", { class: "gru-words", "aria-hidden": "true" }); // names where a line is highest
  plot.append(summits);
  note.textContent = "probability";
  return {
    panel,
    /**
     * @param {ArrayLike<number>} beliefs  (T, C)
     * @param {ArrayLike<number>} before  the same as the model was trained
     * @param {string[]} names  of the classes
     * @param {number | null} target
     */
    draw(beliefs, before, names, target) {
      const C = names.length;
      const steps = beliefs.length / C;
      const [main, ...others] = rivals(beliefs, C, target);
      const answer = leader(beliefs, steps - 1, C);
      const column = (/** @type {ArrayLike<number>} */ of, /** @type {number} */ c) =>
        Float64Array.from({ length: steps }, (_, t) => of[t * C + c]);
      const kind = (/** @type {number} */ c) =>
        c === main ? "gru-main" : c === answer ? "gru-answer" : `gru-rival-${others.indexOf(c) + 1}`;
      const faint = names.map((_, c) => c).filter((c) => c !== main && !others.includes(c));
      const change = changeOfMind(beliefs, C);
      lines.draw({
        x: [0, steps],
        y: [0, 1],
        yTicks: [
          [1, "1"],
          [0.5, ""],
          [0, "0"],
        ],
        lines: [
          ...faint.map((c) => ({ values: column(beliefs, c), from: 0.5, kind: "gru-class" })),
          ...(beliefs === before ? [] : [{ values: column(before, main), from: 0.5, kind: "gru-ghost", name: "as trained" }]),
          ...[...others]
            .reverse()
            .concat(main)
            .map((c) => ({
              values: column(beliefs, c),
              from: 0.5,
              kind: kind(c),
              name: names[c],
              words: percent,
            })),
        ],
        marks: change ? [{ x: change.step + 0.5, text: "changes its mind" }] : [],
      });
      renew(
        summits,
        ...summitsOf(others, column, beliefs, change?.step ?? null).map(({ c, t, height }) => {
          const place = (t + 0.5) / steps;
          const style = `left:${(100 * place).toFixed(2)}%;top:${(100 * (1 - height)).toFixed(2)}%;--at:${place.toFixed(3)}`;
          return make("span", { class: "gru-summit", style }, names[c]);
        }),
      );
      const end = percent(beliefs[(steps - 1) * C + main]);
      plot.setAttribute(
        "aria-label",
        `Lines: probability of ${counted(C, "class", "classes")} over ${counted(steps, "step")}; ${names[main]} ends at ${end}`,
      );
    },
    /** @param {number} step @param {boolean} riding */
    read: (step, riding) => lines.read(step + 0.5, riding),
  };
}
