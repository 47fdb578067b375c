// @ts-check
/** A panel: what is left of the gradient at every distance, in a tanh RNN and in a GRU, whose line can be pulled. */

import { linesIn } from "./chart.js";
import { make, write } from "./dom.js";
import { clamp, format, short, tidy } from "./draw.js";
import { handle } from "./handle.js";
import { strip } from "./panel.js";
import { biasThrough } from "./vanishing.js";

/** @typedef {import("./vanishing.js").Gradient} Gradient */

const DEEPEST = -40; // the lowest power of ten that is drawn
const FLOOR = 10; // powers of ten: the axis ends at a multiple, and seldom jumps while a line moves

const NONE = -300; // as good as nothing: smaller ones are hardly numbers

/** A number given by its logarithm, which may be too small to be one. @param {number} log */
export const written = (log) => (log > NONE ? short(10 ** log) : "less than 10⁻³⁰⁰");

export function normPanel() {
  const { panel, plot, note } = strip("norms", ["gradient left"], "gru-lines gru-tall");
  note.append("norm of d", make("i", {}, "h"), make("sub", {}, "T"), "/d", make("i", {}, "h"), make("sub", {}, "t"));
  const lines = linesIn(plot, 0.09);
  const knob = handle(plot);
  const exit = make("span", { class: "gru-exit", "aria-hidden": "true" }); // its name where it leaves the drawing
  plot.append(exit);
  let [low, high] = [-1, 1];
  /** @type {Float64Array} */
  let logs = new Float64Array(1); // of the GRU
  return {
    panel,
    /**
     * @param {Gradient} rnn
     * @param {Gradient} gated
     * @param {Gradient | null} before  the GRU with its first bias
     * @param {number} first  that bias
     * @param {number | null} stretch  a step of the tanh RNN stretches by no more; null: not drawn
     */
    draw(rnn, gated, before, first, stretch) {
      const T = gated.logs.length;
      logs = gated.logs;
      const all = [...rnn.logs, ...logs, ...(before?.logs ?? [])].filter(Number.isFinite);
      low = clamp(FLOOR * Math.floor(Math.min(-1, ...all) / FLOOR), DEEPEST, -FLOOR);
      high = Math.max(1, Math.ceil(Math.max(...all)));
      const line = (/** @type {Gradient} */ { logs: of }, /** @type {string} */ kind, /** @type {string} */ name) => ({
        values: Array.from(of, (log) => 10 ** Math.max(log, NONE)),
        from: 0.5,
        kind,
        name,
        words: (/** @type {number} */ value) => written(Math.log10(value)),
      });
      const limit = stretch ? [bound(stretch, T, low, high)] : [];
      write(exit, limit.length && !limit[0].name ? "bound" : "");
      exit.style.left = `${(100 * (limit[0]?.values.length ?? 0)) / T}%`;
      exit.classList.toggle("gru-below", (stretch ?? 1) < 1);
      lines.draw({
        x: [0, T],
        y: [10 ** low, 10 ** high],
        log: true,
        lines: [
          ...limit,
          ...(before ? [line(before, "gru-ghost", `bias ${tidy(first)}`)] : []),
          line(rnn, "gru-line-rnn", "tanh RNN"),
          line(gated, "gru-line-gru", "GRU"),
        ],
      });
      plot.setAttribute(
        "aria-label",
        `Logarithmic chart over ${T} steps. At the farthest distance the norm is ${written(rnn.logs[T - 1])} for the tanh RNN ` +
          `and ${written(logs[T - 1])} for the GRU${stretch ? `; the bound of the tanh RNN grows or falls by ${format(stretch)} a step` : ""}`,
      );
    },
    /** @param {number} distance */
    read(distance) {
      const log = Math.max(logs[distance - 1], low);
      lines.read(distance - 0.5);
      knob.place((distance - 0.5) / logs.length, (high - log) / (high - low));
    },
    /**
     * The bias that the pointer asks for by pulling at the GRU's line; null where it does not.
     * @param {PointerEvent} event
     * @param {number} bias  now
     * @param {number} distance
     */
    pulled(event, bias, distance) {
      const y = knob.pulled(event);
      return y === null ? null : biasThrough(bias, logs[distance - 1], high - clamp(y, 0, 1) * (high - low), distance);
    },
  };
}

/**
 * The bound of the tanh RNN, as far as it stays on the drawing.
 * @param {number} stretch
 * @param {number} T
 * @param {number} low
 * @param {number} high
 */
function bound(stretch, T, low, high) {
  const logs = Array.from({ length: T }, (_, k) => (k + 1) * Math.log10(stretch));
  const inside = logs.filter((log) => log > low && log < high).length;
  const values = logs.slice(0, inside + 1).map((log) => 10 ** log);
  return { values, from: 0.5, kind: "gru-line-bound", name: inside < T ? "" : "bound" };
}
