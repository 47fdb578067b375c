// @ts-check
/** A heat map as a panel of a score: time to the right, one row per unit, and the value at the cursor beside its row. */

import { colourOf, make, write } from "./dom.js";
import { paint, ramp } from "./draw.js";
import { strip } from "./panel.js";

/**
 * @param {string} name
 * @param {(Node | string)[]} title
 * @param {import("./dom.js").Colour[]} colours  from its lowest value to its highest
 */
export function heatMap(name, title, colours) {
  const canvas = make("canvas");
  const row = make("i", { class: "gru-at-row" });
  const held = make("div", { class: "gru-holds", "aria-hidden": "true" });
  const value = make("output", { class: "gru-value gru-end", "aria-live": "off" });
  const { panel, plot, note } = strip(name, title, "gru-map", canvas);
  return {
    panel,
    plot,
    note,
    /**
     * @param {ArrayLike<number>} values  (T, H)
     * @param {{ steps: number, units: number, low: number, high: number, order?: number[], colours?: import("./dom.js").Colour[] }} how
     *   low, high: the values of the first and last colour; order: which unit stands in which row; colours: others now
     */
    draw(values, { steps, units, low, high, order, colours: now = colours }) {
      const bytes = ramp(now.map((colour) => colourOf(plot, colour)));
      if (canvas.width !== steps || canvas.height !== units) Object.assign(canvas, { width: steps, height: units });
      // One pixel per value; CSS scales it with hard edges, so it is sharp at any size and any pixel ratio.
      const context = canvas.getContext("2d", { willReadFrequently: true }); // in main memory, where the numbers are
      if (!context) return;
      const image = context.createImageData(steps, units);
      paint(values, steps, units, low, high, bytes, image.data, order);
      context.putImageData(image, 0, 0);
    },
    /**
     * Cells that are held by hand get a frame.
     * @param {[step: number, place: number][]} cells
     * @param {number} steps
     * @param {number} rows
     * @param {boolean} chosen  the one of which a cell is held next
     */
    frame(cells, steps, rows, chosen) {
      panel.classList.toggle("gru-chosen", chosen);
      if (!held.isConnected) plot.append(held);
      const box = (/** @type {number} */ t, /** @type {number} */ place) =>
        `left:${(100 * t) / steps}%;top:${(100 * place) / rows}%;width:${100 / steps}%;height:${100 / rows}%`;
      held.replaceChildren(...cells.map(([t, place]) => make("i", { class: "gru-held", style: box(t, place) })));
    },
    /** What the drawing shows, in words. @param {string} words */
    describe: (words) => plot.setAttribute("aria-label", words),
    /**
     * The value at the cursor.
     * @param {number} place  of its row
     * @param {number} rows
     * @param {string} text
     */
    read(place, rows, text) {
      if (!row.isConnected) plot.append(row, value);
      plot.style.setProperty("--at-row", String(place / rows));
      plot.style.setProperty("--rows", String(rows));
      write(value, text);
    },
  };
}
