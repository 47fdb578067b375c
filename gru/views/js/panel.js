// @ts-check
/** Panels: what is drawn, and the plot. Every drawing of every view stands in one. */

import { make } from "./dom.js";

/**
 * A panel of a score: what it shows on its left, the plot, and room on its right for names and values.
 * @param {string} name
 * @param {(Node | string)[]} title
 * @param {string} kind  classes of the plot
 * @param {...Node} drawing
 */
export function strip(name, title, kind, ...drawing) {
  const note = make("span", { class: "gru-note" });
  const plot = make("div", { class: `gru-plot ${kind}`, role: "img" }, ...drawing, make("i", { class: "gru-at-step" }));
  const head = make("div", { class: "gru-head" }, make("span", { class: "gru-title" }, ...title), note);
  return { panel: make("div", { class: `gru-panel gru-panel-${name}` }, head, plot), plot, note };
}

/**
 * A panel that stands alone: what it is, a value at the cursor, and a plot with axes.
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
