// @ts-check
/** Panels: a title, the value at the cursor, and a plot. Every drawing of every view stands in one. */

import { make } from "./view.js";

/** A quantity's letter in its colour. @param {string} name  r, z, n, h or x */
export const letter = (name) => make("b", { class: `gru-letter gru-${name}` }, name);

/**
 * A panel: what it is, a value at the cursor, and a plot with axes.
 * @param {string} name
 * @param {(Node | string)[]} title
 * @param {Record<string, string>} attributes  of the plot
 * @param {...Node} drawing
 */
export function panelOf(name, title, attributes, ...drawing) {
  const value = make("output", { class: "gru-value", "aria-live": "off" });
  const { class: kind, ...rest } = attributes;
  const plot = make("div", { class: `gru-plot ${kind}`, role: "img", ...rest }, ...drawing, make("i", { class: "gru-at-step" }));
  const head = make("div", { class: "gru-head" }, make("span", { class: "gru-title" }, ...title), value);
  return { panel: make("div", { class: `gru-panel gru-panel-${name}` }, head, plot), plot, value };
}

/** An axis of steps for below a plot: the first, the last, and the one at the cursor. */
export const stepAxis = () =>
  make(
    "div",
    { class: "gru-axis", "aria-hidden": "true" },
    make("span", { class: "gru-step-first" }, "step 1"),
    make("span", { class: "gru-step-now" }),
    make("span", { class: "gru-step-last" }),
  );

/** @param {...string} labels  of an upright axis, from top to bottom */
export const scale = (...labels) => labels.map((text, i) => make("span", { class: `gru-tick gru-tick-${i}`, "aria-hidden": "true" }, text));
