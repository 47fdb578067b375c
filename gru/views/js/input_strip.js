// @ts-check
/** The top panel of a score: the input. One or two numbers per step are lines, more are a heat map, each around its mean. */

import { linesIn } from "./chart.js";
import { letter, write } from "./dom.js";
import { counted, short, tidy } from "./draw.js";
import { heatMap } from "./heat.js";
import { strip } from "./panel.js";

const FEW = 2; // inputs that are drawn as lines

export function inputStrip() {
  const title = () => [letter("x"), " input"];
  const heat = heatMap("x", title(), ["ground", "ink"]);
  const curve = strip("x", title(), "gru-lines gru-low");
  const lines = linesIn(curve.plot, 0.3);
  let [few, single] = [false, false];
  return {
    panels: [heat.panel, curve.panel],
    /** @param {ArrayLike<number>} x  (T, D) @param {number} steps  T */
    draw(x, steps) {
      const D = x.length / steps;
      [few, single] = [D <= FEW, D === 1];
      heat.panel.hidden = few;
      curve.panel.hidden = !few;
      const values = Array.from(x);
      const [low, high] = [Math.min(0, ...values), Math.max(...values)];
      write(heat.note, counted(D, "number"));
      const words = `${counted(D, "number")} over ${counted(steps, "step")}, from ${short(low)} to ${short(high)}`;
      heat.describe(`Heat map of the input, ${words}`);
      curve.plot.setAttribute("aria-label", `Lines of the input, ${words}`);
      if (!few) {
        const moved = aroundMeans(x, steps);
        const least = Math.min(...moved);
        heat.draw(moved, { steps, units: D, low: least, high: Math.max(least + 1e-9, ...moved) });
        return;
      }
      const column = (/** @type {number} */ d) => Float64Array.from({ length: steps }, (_, t) => x[t * D + d]);
      const top = high > low ? high : low + 1;
      lines.draw({
        x: [0, steps],
        y: [low, top],
        yTicks: [...new Set([low, top])].map((v) => [v, tidy(Number(v.toPrecision(2)))]),
        lines: Array.from({ length: D }, (_, d) => ({
          values: column(d),
          from: 0.5,
          kind: `gru-line-x gru-line-x-${d}`,
          name: D > 1 ? `x${"₁₂"[d]}` : "",
          words: short,
        })),
      });
    },
    /** A value without a name stands where the line is at the step, not where it ends. @param {number} step */
    read: (step) => few && lines.read(step + 0.5, single),
  };
}

/**
 * Each of several inputs less its mean: what moves is seen, however far from zero it is.
 * @param {ArrayLike<number>} x  (T, D)
 * @param {number} steps  T
 */
function aroundMeans(x, steps) {
  const D = x.length / steps;
  const means = Float64Array.from({ length: D }, (_, d) => {
    let sum = 0;
    for (let t = 0; t < steps; t += 1) sum += x[t * D + d];
    return sum / steps;
  });
  return Float64Array.from({ length: x.length }, (_, i) => x[i] - means[i % D]);
}
