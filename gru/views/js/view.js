// @ts-check
/**
 * A view's life in its host, and what it owes to both hosts.
 *
 * Root: class gru-view, data-view its name, data-state "loading", then "ready", or "failed" with a message for the reader.
 */

import { fail } from "./dom.js";
import { FIRM } from "./state.js";

/**
 * The part of a model that both hosts have: anywidget's, with Python behind it, and that of a page (host.js).
 * @typedef {object} Model
 * @property {(name: string) => any} get
 * @property {(name: string, value: unknown) => void} set
 * @property {(event: string, callback: () => void) => void} on
 * @property {(event: string, callback: () => void) => void} off
 * @property {() => void} save_changes
 * @property {boolean} [alone]  there is no Python behind it: what only Python can compute stays as it is
 */

/**
 * What a view gets of its host.
 * @typedef {object} Context
 * @property {Model} model
 * @property {HTMLElement} root
 * @property {AbortSignal} signal  ends every listener when the view is taken away
 * @property {(values: Record<string, unknown>) => void} put  set traits, and have the view redrawn
 * @property {<E extends Event>(target: EventTarget, type: string, listener: (event: E) => void) => void} on  while the view is there
 * @property {() => void} redraw  in the next frame
 */

/**
 * A view for both hosts. `build` makes the elements and gives a function that brings them up to date.
 * @param {string} name
 * @param {readonly string[]} traits  what the drawing depends on
 * @param {(context: Context) => () => void} build
 */
export function view(name, traits, build) {
  /** @param {{ model: Model, el: HTMLElement }} host */
  function render({ model, el: root }) {
    const controller = new AbortController();
    const { signal } = controller;
    root.classList.add("gru-view");
    root.setAttribute("role", "group");
    root.dataset.view = name;
    root.dataset.state = "loading";
    root.addEventListener("keydown", keepOwnKeys, { signal });

    let frame = 0;
    let early = false; // asked to draw before its place on the page, where alone its colours are known
    let update = () => {};
    const draw = () => {
      frame = 0;
      early = !root.isConnected;
      if (early) return;
      try {
        update();
        root.dataset.state = "ready";
      } catch (error) {
        fail(root, error);
        cleanup();
      }
    };
    const redraw = () => {
      if (!signal.aborted) frame ||= requestAnimationFrame(draw);
    };
    const cleanup = () => {
      controller.abort();
      cancelAnimationFrame(frame);
      for (const trait of traits) model.off(`change:${trait}`, redraw);
    };
    /** @type {Context} */
    const context = {
      model,
      root,
      signal,
      redraw,
      put(values) {
        for (const [trait, value] of Object.entries(values)) model.set(trait, value);
        model.save_changes();
      },
      on: (target, type, listener) => target.addEventListener(type, /** @type {EventListener} */ (listener), { signal }),
    };

    try {
      const missing = traits.filter((trait) => model.get(trait) === undefined);
      if (missing.length) throw new Error(`its state has no ${missing.join(", ")}`);
      update = build(context);
      keepInSight(context);
      spareSliders(context, traits);
      for (const trait of traits) model.on(`change:${trait}`, redraw);
      onThemeChange(redraw, signal);
      onSize(root, () => early && redraw(), signal); // JupyterLab may make a view first and place it afterwards
      addEventListener("beforeprint", draw, { signal }); // in its colours for paper; a frame later is too late
      draw();
    } catch (error) {
      fail(root, error);
      cleanup();
    }
    return cleanup;
  }
  return { render };
}

/**
 * On a phone the controls above the drawings stick to the edge, and the headline is soon under them. While one of them is
 * moved it sticks below them (.gru-moved), until the page scrolls on.
 * @param {Context} context
 */
function keepInSight({ root, signal, on }) {
  const bar = /** @type {HTMLElement | null} */ (root.querySelector(":scope > .gru-top"));
  if (!bar) return;
  on(bar, "input", () => {
    root.style.setProperty("--gru-above", `${bar.offsetHeight}px`);
    root.classList.add("gru-moved");
  });
  document.addEventListener("scroll", () => root.classList.remove("gru-moved"), { signal, capture: true, passive: true });
}

const RUNS_ON = 100; // ms after its last move in which a page may still be scrolling by itself

/**
 * A slider goes to where a finger is put, though it be to scroll past or to stop the page: all is as it was before, then.
 * @param {Context} context
 * @param {readonly string[]} traits  that a slider may set
 */
function spareSliders({ model, root, signal, on, put }, traits) {
  const standing = () => traits.map((name) => /** @type {const} */ ([name, model.get(name)]));
  /** @type {{ slider: HTMLInputElement, value: string, before: ReturnType<typeof standing>, x: number, stops: boolean } | null} */
  let touched = null;
  let scrolled = -Infinity;
  const restore = () => {
    if (!touched) return;
    touched.slider.value = touched.value;
    put(Object.fromEntries(touched.before.filter(([name, value]) => model.get(name) !== value)));
    touched = null;
  };
  const scrolls = (/** @type {Event} */ { timeStamp }) => {
    scrolled = timeStamp;
  };
  document.addEventListener("scroll", scrolls, { signal, capture: true, passive: true });
  on(root, "pointerdown", (/** @type {PointerEvent} */ { target, pointerType, clientX, timeStamp }) => {
    const slider = target instanceof HTMLInputElement && target.type === "range" && pointerType === "touch" ? target : null;
    touched = slider && { slider, value: slider.value, before: standing(), x: clientX, stops: timeStamp - scrolled < RUNS_ON };
  });
  on(root, "pointercancel", restore);
  on(root, "pointerup", (/** @type {PointerEvent} */ { clientX }) => {
    if (touched?.stops && Math.abs(clientX - touched.x) < FIRM) restore();
    touched = null;
  });
}

const MOVES = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"];

/**
 * What the focused control does with a key, JupyterLab shall not do something with too; every other key is its own.
 * @param {KeyboardEvent} event
 */
function keepOwnKeys(event) {
  const control = /** @type {Element} */ (event.target);
  const chord = event.ctrlKey || event.metaKey || event.altKey;
  const presses = event.key === " " || event.key === "Enter";
  /** @type {[string, boolean][]} */
  const uses = [
    ["input[type=range], input[type=radio]", !chord && (MOVES.includes(event.key) || event.key === " ")],
    ["input[type=checkbox], button, summary", !chord && presses],
    ["select", !chord && (MOVES.includes(event.key) || presses || event.key.length === 1)],
    ["textarea, input:not([type=range], [type=radio], [type=checkbox])", !chord || "acvxyz".includes(event.key.toLowerCase())],
  ];
  // A drawing takes the default away from the keys it uses.
  if (event.defaultPrevented || uses.some(([kind, used]) => used && control.matches(kind))) event.stopPropagation();
}

/**
 * Call back when an element gets another size, also the first, with its place on the page.
 * @param {HTMLElement} root
 * @param {() => void} callback
 * @param {AbortSignal} signal
 */
function onSize(root, callback, signal) {
  const observer = new ResizeObserver(callback);
  observer.observe(root);
  signal.addEventListener("abort", () => observer.disconnect());
}

/**
 * Call back when the page turns light or dark: the book, JupyterLab, or the system.
 * @param {() => void} callback
 * @param {AbortSignal} signal
 */
function onThemeChange(callback, signal) {
  const observer = new MutationObserver(callback);
  observer.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  observer.observe(document.body, { attributeFilter: ["data-jp-theme-light"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", callback, { signal });
  signal.addEventListener("abort", () => observer.disconnect());
}
