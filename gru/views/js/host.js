// @ts-check
/** The host of a built page: what anywidget does in a notebook, without a kernel. */

import { colourOf, fail, make } from "./dom.js";

/**
 * A model that lives in the page.
 * @param {Record<string, any>} state
 * @returns {import("./view.js").Model}
 */
export function pageModel(state) {
  const values = new Map(Object.entries(state));
  /** @type {Map<string, Set<() => void>>} */
  const listeners = new Map();
  return {
    get: (name) => values.get(name),
    set(name, value) {
      if (Object.is(values.get(name), value)) return;
      values.set(name, value);
      for (const callback of [...(listeners.get(`change:${name}`) ?? [])]) callback();
    },
    on(event, callback) {
      if (!listeners.has(event)) listeners.set(event, new Set());
      listeners.get(event)?.add(callback);
    },
    off: (event, callback) => void listeners.get(event)?.delete(callback),
    save_changes() {},
    alone: true,
  };
}

/**
 * Start every view of the page. Displays of one widget share one model, so that they stay in step; as in a notebook,
 * they show the state of the last one.
 * @param {Record<string, { render(host: { model: import("./view.js").Model, el: HTMLElement }): unknown }>} views  by name
 * @param {string} style
 */
export function start(views, style) {
  document.head.append(make("style", {}, style));
  const begin = () => {
    /** @type {HTMLElement[]} */
    const all = [...document.querySelectorAll("gru-view")].map((element) => /** @type {HTMLElement} */ (element));
    // A second script on the page, as of two cells that ask for it, finds nothing left to start.
    const elements = all.filter((element) => element.querySelector(':scope > script[type="application/json"]'));
    const states = new Map();
    for (const element of elements) {
      const { widget } = element.dataset;
      states.set(widget, element.querySelector('script[type="application/json"]')?.textContent ?? "");
    }
    if (elements.length) colourOf(elements[0], "ground"); // while there is nothing to lay out
    const models = new Map();
    for (const element of elements) {
      const { view = "", widget } = element.dataset;
      try {
        if (!Object.hasOwn(views, view)) throw new Error(`this page has no view "${view}"`);
        if (!models.has(widget)) models.set(widget, pageModel(JSON.parse(states.get(widget))));
        element.replaceChildren();
        views[view].render({ model: models.get(widget), el: element });
      } catch (error) {
        fail(element, error);
      }
    }
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin, { once: true });
  else begin();
}
