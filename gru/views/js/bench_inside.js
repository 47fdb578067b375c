// @ts-check
/** One sequence through the workbench's cell: what it reads, every quantity, the gradient that comes back, the answer. */

import { Look } from "./bench_run.js";
import { list } from "./bound.js";
import { linesIn } from "./chart.js";
import { colourOf, letter, make, renew, write } from "./dom.js";
import { BELOW, brief, counted, format, power, short } from "./draw.js";
import { heatMap } from "./heat.js";
import { strip } from "./panel.js";
import { score } from "./score.js";
import { memo } from "./state.js";

/** @typedef {import("./bench_run.js").Run} Run */
/** @typedef {import("./bench_tasks.js").Task} Task */
/** @typedef {{ run: Run, update: number, updates: number, sequence: number, step: number, T: number }} Shown */
/** @typedef {{ values: Float64Array, columns: number, isGate: boolean }} Quantity */

const COLOURED = /** @type {const} */ (["r", "z", "n", "h"]);
const MOST_MAPS = 12;

/** @typedef {{ x: Float64Array, wanted: Float64Array, reach: number[], at: Look }} Found  one sequence, looked at */

/**
 * @template {Shown} Now
 * @param {import("./state.js").State<Now>} state
 * @param {number} sequences
 */
export function inside(state, sequences) {
  const input = heatMap("x", [letter("x"), " input"], ["ground", "x"]);
  const reach = reachPanel();
  const answer = answerPanel(reach.panel);
  const maps = quantityMaps(reach.panel);
  const stack = score(state, [input.panel, reach.panel], {
    count: ({ T }) => T,
    names: () => null,
    keys: "Arrow keys move to another step.",
  });
  const chosen = list(state, "sequence", "Sequence", {
    names: () => Array.from({ length: sequences }, (_, i) => `${i + 1} of ${sequences}`),
  });

  const newest = memo((/** @type {Run} */ run, /** @type {number} */ update) => run.bench && { update, weights: run.bench.weights() });
  const look = memo((/** @type {Run} */ run) => (run.canGo || run.updates ? new Look(run) : null));
  const looked = memo(
    (/** @type {Run} */ run, /** @type {{ update: number, weights: Float64Array } | null} */ kept, /** @type {number} */ sequence) => {
      const at = look(run);
      return at && kept ? { ...at.at(kept.weights, sequence), at } : null;
    },
  );
  const drawAll = memo((/** @type {Run} */ { task }, /** @type {Found} */ found, /** @type {string} */ _theme) => {
    const { T } = found.at.bench;
    input.draw(found.x, { steps: T, units: task.D, low: 0, high: 1 });
    input.describe(`Input: ${task.letters.join(", ")}, over ${T} steps`);
    maps.draw(found.at.bench);
    reach.draw(found.reach, T);
    answer.draw(task, found, T);
  });

  return {
    element: make("div", { class: "gru-inside" }, make("div", { class: "gru-bar" }, chosen, maps.rest), stack.element),
    /** @param {Now} now @param {boolean} busy  it learns, and the newest moment is drawn only now and then */
    draw(now, busy) {
      const { run, update, updates, sequence, step } = now;
      stack.element.hidden = !run.bench;
      // While it learns, a kept moment; otherwise the newest weights as they are.
      const kept = !busy && update === updates ? newest(run, updates) : (run.at(update) ?? null);
      const found = run.bench ? looked(run, kept, sequence) : null;
      if (found) drawAll(run, found, colourOf(stack.element, "ground"));
      stack.show(now); // now, so that a panel that has just come has its cursor, too
      if (!found) return;
      input.read(...inputAt(run.task, found.x, step));
      reach.read(step);
      answer.read(run.task, found, step);
    },
  };
}

/** A heat map for every quantity, made when it is first needed. @param {HTMLElement} place  what they stand before */
function quantityMaps(place) {
  /** @type {ReturnType<typeof heatMap>[]} */
  const maps = [];
  const rest = make("p", { class: "gru-note" });

  /** The panel of the k-th quantity. @param {number} k @param {string} name */
  const mapOf = (k, name) => {
    maps[k] ??= heatMap("quantity", [], ["ground", "ink"]);
    if (!maps[k].panel.isConnected) place.before(maps[k].panel);
    const title = COLOURED.some((own) => own === name) ? letter(name) : make("b", { class: "gru-letter" }, brief(name));
    renew(/** @type {Element} */ (maps[k].panel.querySelector(".gru-title")), title);
    return maps[k];
  };

  return {
    rest,
    /** @param {import("./bench.js").Bench} bench */
    draw(bench) {
      const { T } = bench;
      const names = quantities(bench);
      for (const { panel } of maps.slice(names.length)) panel.remove();
      for (const [k, [name, { values, columns, isGate }]] of names.slice(0, MOST_MAPS).entries()) {
        const map = mapOf(k, name);
        const colour = COLOURED.find((own) => own === name) ?? "ink";
        /** @type {import("./dom.js").Colour[]} */
        const colours = isGate ? ["ground", colour] : ["below", "ground", colour];
        const most = values.reduce((top, value) => Math.max(top, Number.isFinite(value) ? Math.abs(value) : 0), 1);
        map.draw(values, { steps: T, units: columns, low: isGate ? 0 : -most, high: most, colours });
        write(map.note, isGate ? "0 to 1" : `±${short(most)}, ${BELOW}`);
        map.describe(
          `Heat map of ${name}, ${counted(columns, "unit")} over ${T} steps, from ${isGate ? 0 : short(-most)} to ${short(most)}`,
        );
      }
      write(rest, names.length > MOST_MAPS ? `The first ${MOST_MAPS} of ${names.length} quantities are drawn.` : "");
    },
  };
}

/** The length of dL/dh_t over t, logarithmic. */
function reachPanel() {
  const { panel, plot } = strip("reach-t", ["|dL/dh|"], "gru-lines");
  const lines = linesIn(plot, 0.16);
  return {
    panel,
    read: lines.read,
    /** @param {number[]} lengths  of dL/dh_t, t from 0 @param {number} T */
    draw(lengths, T) {
      const some = lengths.slice(1).filter((value) => value > 0 && Number.isFinite(value));
      const low = Math.floor(Math.log10(Math.max(1e-30, Math.min(1e-2, ...some))));
      const high = Math.ceil(Math.log10(Math.min(1e30, Math.max(0.1, ...some))));
      // The middle of a step stands half a step from its beginning, as in the maps.
      lines.draw({
        x: [-0.5, T - 0.5],
        y: [10 ** low, 10 ** Math.max(high, low + 1)],
        log: true,
        lines: [{ values: lengths.slice(1), kind: "gru-line-h", name: "length", words: short }],
        yTicks: [low, Math.max(high, low + 1)].map((e) => [10 ** e, power(e)]),
      });
      plot.setAttribute(
        "aria-label",
        `Length of dL/dh after every step, logarithmic: ${short(lengths[1] ?? 0)} after the first, ${short(lengths[T] ?? 0)} after the last`,
      );
    },
  };
}

/** What the head says after every step: shares of the classes, or a number. @param {HTMLElement} place  what it stands after */
function answerPanel(place) {
  const shares = heatMap("answer", ["answer"], ["ground", "ink"]);
  const guess = strip("guess", ["answer"], "gru-lines gru-low");
  const lines = linesIn(guess.plot, 0.3);

  /** @param {Task} task @param {Float64Array} values @param {number} T */
  const drawShares = ({ classes, answers }, values, T) => {
    shares.draw(values, { steps: T, units: classes, low: 0, high: 1 });
    shares.describe(`Probability of ${answers.join(", ")} after every step`);
    write(shares.note, answers.join(" "));
  };
  /** @param {number[]} values @param {number} wanted @param {number} T */
  const drawNumber = (values, wanted, T) => {
    lines.draw({
      x: [-0.5, T - 0.5],
      y: [0, 2],
      yTicks: [0, 1, 2].map((v) => [v, String(v)]),
      lines: [
        { values: [wanted, wanted], from: 0, by: T - 1, kind: "gru-line-bound", name: "wanted", words: told },
        { values, kind: "gru-line-plain", name: "answer", words: told },
      ],
    });
    guess.plot.setAttribute("aria-label", `The answer after every step, at last ${told(values[T - 1])}; wanted is ${told(wanted)}`);
  };

  return {
    /** @param {Task} task @param {Found} found @param {number} T */
    draw(task, { at, wanted }, T) {
      const [shown, other] = task.classes ? [shares.panel, guess.panel] : [guess.panel, shares.panel];
      other.remove();
      if (!shown.isConnected) place.after(shown);
      const scores = Array.from({ length: T }, (_, t) => [...at.bench.answer(t, 0)]);
      if (task.classes) drawShares(task, Float64Array.from(scores.flatMap((row) => softmax(row))), T);
      else
        drawNumber(
          scores.map(([value]) => value),
          wanted[T - 1],
          T,
        );
    },
    /** The answer at the cursor. @param {Task} task @param {Found} found @param {number} step */
    read(task, { at, wanted }, step) {
      lines.read(step);
      if (!task.classes) return;
      const row = softmax([...at.bench.answer(step, 0)]);
      const best = row.indexOf(Math.max(...row));
      const asked = wanted[step] < 0 ? "" : wanted[step] === best ? " ✓" : ` (${task.answers[wanted[step]]})`;
      shares.read(Math.max(0, best), task.classes, best < 0 ? "–" : `${task.answers[best]}${asked}`);
    },
  };
}

/** The input at the cursor: its row, how many there are, and its words. @param {Task} task @param {Float64Array} x @param {number} step @returns {[number, number, string]} */
function inputAt({ D, classes, letters }, x, step) {
  const row = [...x.subarray(step * D, (step + 1) * D)];
  if (!classes) return [0, D, row.map((v) => format(v)).join(", ")];
  const most = row.indexOf(Math.max(...row));
  return [most, D, row[most] ? letters[most] : "nothing"];
}

/** Every assigned name with its values (T, columns). @param {import("./bench.js").Bench} bench @returns {[string, Quantity][]} */
function quantities({ formula, T, program }) {
  return [...formula.named.keys()].map((name) => {
    const { columns, values, stride } = formula.quantity(name);
    const all = new Float64Array(T * columns);
    for (let t = 0; t < T; t += 1) all.set(values.subarray(t * stride, t * stride + columns), t * columns);
    const last = program.equations.filter((one) => one.name === name).pop()?.last ?? 0;
    return [name, { values: all, columns, isGate: program.nodes[last].op === "sigmoid" }];
  });
}

/** @param {number} value */
const told = (value) => (Number.isFinite(value) ? format(value) : short(value));

/** @param {number[]} scores */
function softmax(scores) {
  const most = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - most));
  const sum = powers.reduce((total, value) => total + value, 0);
  return powers.map((value) => (sum > 0 ? value / sum : 0));
}
