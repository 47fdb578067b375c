// @ts-check
/** One sequence through the workbench's cell: what it reads, every quantity, the gradient that comes back, the answer. */

import { Look } from "./bench_run.js";
import { list } from "./bound.js";
import { linesIn } from "./chart.js";
import { letter, make, write } from "./dom.js";
import { format, power, short } from "./draw.js";
import { heatMap } from "./heat.js";
import { strip } from "./panel.js";
import { score } from "./score.js";
import { memo } from "./state.js";

/** @typedef {import("./bench_run.js").Run} Run */
/** @typedef {{ run: Run, update: number, updates: number, sequence: number, step: number, T: number }} Shown */
/** @typedef {{ values: Float64Array, columns: number, isGate: boolean }} Quantity */

const COLOURED = ["r", "z", "n", "h"];
const MOST_MAPS = 12;

/**
 * @template {Shown} Now
 * @param {import("./state.js").State<Now>} state
 * @param {number} sequences
 */
export function inside(state, sequences) {
  const input = heatMap("x", [letter("x"), " input"], ["ground", "x"]);
  const answer = heatMap("answer", ["answer"], ["ground", "ink"]);
  const guess = strip("guess", ["answer"], "gru-lines gru-low");
  const guessed = linesIn(guess.plot, 0.3);
  const reach = strip("reach-t", ["|dL/dh|"], "gru-lines");
  const reached = linesIn(reach.plot, 0.16);
  /** Panels for the quantities, made when they are first needed. @type {ReturnType<typeof heatMap>[]} */
  const maps = [];
  const rest = make("p", { class: "gru-note" });
  const stack = score(state, [input.panel, reach.panel], {
    count: ({ T }) => T,
    names: () => null,
    keys: "Arrow keys move to another step.",
  });
  const place = /** @type {HTMLElement} */ (reach.panel);
  const chosen = list(state, "sequence", "Sequence", {
    names: () => Array.from({ length: sequences }, (_, i) => `${i + 1} of ${sequences}`),
  });

  /** The panel of the k-th quantity. @param {number} k @param {string} name */
  const mapOf = (k, name) => {
    maps[k] ??= heatMap("quantity", [], ["ground", "ink"]);
    if (!maps[k].panel.isConnected) place.before(maps[k].panel);
    const title = COLOURED.includes(name)
      ? letter(name)
      : make("b", { class: "gru-letter" }, name.length > 12 ? `${name.slice(0, 11)}…` : name);
    maps[k].panel.querySelector(".gru-title")?.replaceChildren(title);
    return maps[k];
  };

  const newest = memo((/** @type {Run} */ run, /** @type {number} */ update) => run.bench && { update, weights: run.bench.weights() });
  const look = memo((/** @type {Run} */ run) => (run.canGo || run.updates ? new Look(run) : null));
  const looked = memo(
    (/** @type {Run} */ run, /** @type {{ update: number, weights: Float64Array } | null} */ kept, /** @type {number} */ sequence) => {
      const at = look(run);
      return at && kept ? { ...at.at(kept.weights, sequence), at } : null;
    },
  );
  let last = /** @type {unknown} */ (null);
  let theme = "";

  return {
    element: make("div", { class: "gru-inside" }, make("div", { class: "gru-bar" }, chosen, rest), stack.element),
    /** @param {Now} now @param {boolean} busy  it learns, and the newest moment is drawn only now and then */
    draw(now, busy) {
      const { run, update, updates, sequence, step, T } = now;
      stack.element.hidden = !run.bench;
      stack.show(now);
      if (!run.bench) return;
      // While it learns, a kept moment; otherwise the newest weights as they are.
      const kept = !busy && update === updates ? newest(run, updates) : (run.at(update) ?? null);
      const found = looked(run, kept, sequence);
      const colours = getComputedStyle(stack.element).getPropertyValue("--gru-ground");
      if (found && (found !== last || colours !== theme)) {
        last = found;
        theme = colours;
        drawAll(run, found, T);
      }
      if (found) readAll(run, found, step);
    },
  };

  /** @param {Run} run @param {NonNullable<ReturnType<typeof looked>>} found @param {number} T */
  function drawAll(run, found, T) {
    const { task } = run;
    input.draw(found.x, { steps: T, units: task.D, low: 0, high: 1 });
    input.describe(`Input: ${task.letters.join(", ")}, over ${T} steps`);
    const names = quantities(found.at.bench);
    for (const { panel } of maps.slice(names.length)) panel.remove();
    for (const [k, [name, { values, columns, isGate }]] of names.slice(0, MOST_MAPS).entries()) {
      const map = mapOf(k, name);
      const colour = COLOURED.includes(name) ? name : "ink";
      const colours = isGate ? ["ground", colour] : ["below", "ground", colour];
      const most = values.reduce((top, value) => Math.max(top, Number.isFinite(value) ? Math.abs(value) : 0), 1);
      map.draw(values, { steps: T, units: columns, low: isGate ? 0 : -most, high: most, colours });
      write(map.note, isGate ? "0 to 1" : `±${short(most)}`);
      map.describe(`Heat map of ${name}, ${columns} units over ${T} steps, from ${isGate ? 0 : short(-most)} to ${short(most)}`);
    }
    write(rest, names.length > MOST_MAPS ? `The first ${MOST_MAPS} of ${names.length} quantities are drawn.` : "");
    drawReach(found.reach, T);
    drawAnswer(run, found, T);
  }

  /** @param {number[]} lengths  of dL/dh_t, t from 0 @param {number} T */
  function drawReach(lengths, T) {
    const some = lengths.slice(1).filter((value) => value > 0 && Number.isFinite(value));
    const low = Math.floor(Math.log10(Math.max(1e-30, Math.min(1e-2, ...some))));
    const high = Math.ceil(Math.log10(Math.min(1e30, Math.max(0.1, ...some))));
    // The middle of a step stands half a step from its beginning, as in the maps.
    reached.draw({
      x: [-0.5, T - 0.5],
      y: [10 ** low, 10 ** Math.max(high, low + 1)],
      log: true,
      lines: [{ values: lengths.slice(1), kind: "gru-line-h", name: "length", words: short }],
      yTicks: [low, Math.max(high, low + 1)].map((e) => [10 ** e, power(e)]),
    });
    reach.plot.setAttribute(
      "aria-label",
      `Length of dL/dh after every step, logarithmic: ${short(lengths[1] ?? 0)} after the first, ${short(lengths[T] ?? 0)} after the last`,
    );
  }

  /** @param {Run} run @param {NonNullable<ReturnType<typeof looked>>} found @param {number} T */
  function drawAnswer({ task }, { at, wanted }, T) {
    const { bench } = at;
    const [shown, other] = task.classes ? [answer.panel, guess.panel] : [guess.panel, answer.panel];
    other.remove();
    if (!shown.isConnected) reach.panel.after(shown);
    const scores = Array.from({ length: T }, (_, t) => [...bench.answer(t, 0)]);
    if (task.classes) {
      const shares = Float64Array.from(scores.flatMap((row) => softmax(row)));
      answer.draw(shares, { steps: T, units: task.classes, low: 0, high: 1 });
      answer.describe(`Probability of ${task.answers.join(", ")} after every step`);
      write(answer.note, task.answers.join(" "));
      return;
    }
    const values = scores.map(([value]) => value);
    guessed.draw({
      x: [-0.5, T - 0.5],
      y: [0, 2],
      yTicks: [0, 1, 2].map((v) => [v, String(v)]),
      lines: [
        { values: [wanted[T - 1], wanted[T - 1]], from: 0, by: T - 1, kind: "gru-line-bound", name: "wanted", words: told },
        { values, kind: "gru-line-plain", name: "answer", words: told },
      ],
    });
    guess.plot.setAttribute("aria-label", `The answer after every step, at last ${told(values[T - 1])}; wanted is ${told(wanted[T - 1])}`);
  }

  /** The values at the cursor. @param {Run} run @param {NonNullable<ReturnType<typeof looked>>} found @param {number} step */
  function readAll({ task }, { at, wanted, x }, step) {
    reached.read(step);
    guessed.read(step);
    const row = Array.from({ length: task.D }, (_, d) => x[step * task.D + d]);
    const most = row.indexOf(Math.max(...row));
    input.read(
      task.classes ? most : 0,
      task.D,
      task.classes ? (row[most] ? task.letters[most] : "nothing") : row.map((v) => format(v)).join(", "),
    );
    if (!task.classes) return;
    const shares = softmax([...at.bench.answer(step, 0)]);
    const best = shares.indexOf(Math.max(...shares));
    const asked = wanted[step] < 0 ? "" : wanted[step] === best ? " ✓" : ` (${task.answers[wanted[step]]})`;
    answer.read(Math.max(0, best), task.classes, best < 0 ? "–" : `${task.answers[best]}${asked}`);
  }
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
