// @ts-check
/** A sequence as strips on which one can draw: one panel of bars per input. */

import { make, write } from "./dom.js";
import { clamp, counted, format } from "./draw.js";
import { strip } from "./panel.js";
import { italic } from "./step_lines.js";

const FINE = 20; // values are multiples of 1/20

/**
 * @param {number} inputs  D
 * @param {number} reach  values from -reach to reach
 */
export function drawStrip(inputs, reach) {
  const lanes = Array.from({ length: inputs }, (_, d) => laneOf(d, inputs, reach));
  /** @type {{ step: number, value: number } | null} */
  let pen = null; // where it is on the strip, while it draws
  return {
    panels: lanes.map(({ panel }) => panel),
    /** @param {number[][]} x  (T, D) @param {number[][]} before  as it was given */
    draw(x, before) {
      lanes.forEach(({ draw }, d) => draw(x, before, d));
    },
    /** @param {number[]} x  at the cursor */
    read: (x) => lanes.forEach(({ value }, d) => write(value, format(x[d]))),
    /**
     * What a pointer that is pressed draws: the sequence with its new values; null: it does not draw.
     * @param {PointerEvent} event
     * @param {HTMLElement} plot
     * @param {number[][]} x
     */
    drawn(event, plot, x) {
      const lane = lanes.findIndex((one) => one.plot === plot);
      if (lane < 0 || !(event.type === "pointerdown" || event.buttons & 1)) return null;
      const { left, top, width, height } = plot.getBoundingClientRect();
      const step = clamp(Math.floor(((event.clientX - left) / width) * x.length), 0, x.length - 1);
      const across = clamp(1 - (2 * (event.clientY - top)) / height, -1, 1);
      const value = Math.round(across * reach * FINE) / FINE + 0; // no -0
      const from = event.type === "pointerdown" || !pen ? { step, value } : pen;
      pen = { step, value };
      // A quick hand leaves no gaps.
      return x.map((row, t) => {
        const between = (t - from.step) * (t - step) <= 0;
        const share = step === from.step ? 1 : (t - from.step) / (step - from.step);
        const here = Math.round((from.value + share * (value - from.value)) * FINE) / FINE + 0;
        return between ? row.map((old, d) => (d === lane ? here : old)) : row;
      });
    },
  };
}

/** @param {number} d @param {number} inputs @param {number} reach */
function laneOf(d, inputs, reach) {
  const bars = make("path", { class: "gru-bars" });
  const ghost = make("path", { class: "gru-ghost" });
  const zero = make("path", { class: "gru-grid", d: "M0 .5H1" });
  const svg = make("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" }, zero, bars, ghost);
  const { panel, plot, note } = strip(`x-${d}`, [italic("x", "x", inputs > 1 ? String(d + 1) : "")], "gru-draw", svg);
  const value = make("output", { class: "gru-value gru-end", "aria-live": "off" });
  plot.append(value);
  write(note, d ? "" : "draw on it");
  const height = (/** @type {number} */ v) => (0.5 - (0.47 * v) / reach).toFixed(4);
  return {
    panel,
    plot,
    value,
    /** @param {number[][]} x @param {number[][]} before @param {number} index */
    draw(x, before, index) {
      const T = x.length;
      const place = (/** @type {number} */ t) => (t / T).toFixed(4);
      bars.setAttribute("d", x.map((row, t) => `M${place(t + 0.12)} .5V${height(row[index])}H${place(t + 0.88)}V.5Z`).join(""));
      const was = before.map((row, t) =>
        row[index] === x[t][index] ? "" : `M${place(t + 0.12)} ${height(row[index])}H${place(t + 0.88)}`,
      );
      ghost.setAttribute("d", was.join(""));
      const values = x.map((row) => format(row[index])).join(", ");
      plot.setAttribute("aria-label", `Bars of input x${inputs > 1 ? ` ${index + 1}` : ""} over ${counted(T, "step")}: ${values}`);
    },
  };
}
