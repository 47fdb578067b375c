// @ts-check
/** A panel: r, z, n and h of one unit over time, and its state as the model was trained. */

import { linesIn } from "./chart.js";
import { counted, format } from "./draw.js";
import { QUANTITIES } from "./explorer.js";
import { letter, write } from "./dom.js";
import { strip } from "./panel.js";

export function unitPanel() {
  const { panel, plot, note } = strip("unit", ["one unit"], "gru-lines");
  const lines = linesIn(plot, 0.19);
  return {
    panel,
    /**
     * @param {import("./explorer.js").Shown} run
     * @param {import("./explorer.js").Shown} before  as the model was trained
     * @param {number} unit
     * @param {number} units
     */
    draw(run, before, unit, units) {
      const steps = run.h.length / units;
      const column = (/** @type {ArrayLike<number>} */ of) => Float64Array.from({ length: steps }, (_, t) => of[t * units + unit]);
      const last = QUANTITIES.map((name) => `${name} is ${format(run[name][(steps - 1) * units + unit])}`);
      lines.draw({
        x: [0, steps],
        y: [-1, 1],
        yTicks: [
          [1, "1"],
          [0, "0"],
          [-1, "−1"],
        ],
        lines: [
          ...(run === before ? [] : [{ values: column(before.h), from: 0.5, kind: "gru-ghost" }]),
          ...QUANTITIES.map((name) => ({
            values: column(run[name]),
            from: 0.5,
            kind: `gru-line-${name}`,
            name: letter(name),
            words: (/** @type {number} */ value) => format(value),
          })),
        ],
      });
      write(note, `no. ${unit + 1}`);
      plot.setAttribute("aria-label", `Lines for unit ${unit + 1} over ${counted(steps, "step")}; at the end ${last.join(", ")}`);
    },
    /** @param {number} step @param {boolean} riding */
    read: (step, riding) => lines.read(step + 0.5, riding),
  };
}
