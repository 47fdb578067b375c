// @ts-check
/** A point on a line that can be taken and pulled up and down; the sliders do the same from the keyboard. */

import { make } from "./dom.js";
import { clamp } from "./draw.js";

/** @param {HTMLElement} plot */
export function handle(plot) {
  const knob = make("i", { class: "gru-handle", "aria-hidden": "true" });
  plot.append(knob);
  let at = [0, 0]; // shares of the plot's width and height
  let held = false;
  let off = 0; // from its middle to where it was taken, so that it does not jump
  return {
    /** @param {number} x @param {number} y  shares of the plot's width and height, from its upper left corner */
    place(x, y) {
      at = [x, clamp(y, 0, 1)];
      knob.style.left = `${(100 * at[0]).toFixed(2)}%`;
      knob.style.top = `${(100 * at[1]).toFixed(2)}%`;
    },
    /**
     * How high the pointer pulls it, as a share of the plot's height from its top; null where the pointer does not hold it.
     * @param {PointerEvent} event
     */
    pulled(event) {
      const { top, height } = plot.getBoundingClientRect();
      const y = (event.clientY - top) / height;
      if (event.type === "pointerdown") {
        held = event.target === knob;
        off = y - at[1];
      } else if (!event.buttons) held = false;
      return held ? y - off : null;
    },
  };
}
