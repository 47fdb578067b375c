// @ts-check
/**
 * What all views share of the DOM: the contract with both hosts, and the making of elements.
 *
 * Root: class gru-view, data-view its name, data-state "loading", then "ready", or "failed" with a message for the reader.
 */

/**
 * The part of a model that both hosts have: anywidget's, with Python behind it, and that of a page (host.js).
 * @typedef {object} Model
 * @property {(name: string) => any} get
 * @property {(name: string, value: any) => void} set
 * @property {(event: string, callback: () => void) => void} on
 * @property {(event: string, callback: () => void) => void} off
 * @property {() => void} save_changes
 */

/**
 * @typedef {object} Context
 * @property {Model} model
 * @property {HTMLElement} root
 * @property {AbortSignal} signal  ends every listener when the view is taken away
 * @property {(update: () => void) => void} each  call update once a frame when anything has changed
 */

/**
 * A view for both hosts. `build` makes the elements and gives a function that brings them up to date.
 * @param {string} name
 * @param {string[]} traits  what the drawing depends on
 * @param {(context: { model: Model, root: HTMLElement, signal: AbortSignal }) => () => void} build
 */
export function view(name, traits, build) {
  /** @param {{ model: Model, el: HTMLElement }} host */
  function render({ model, el: root }) {
    const controller = new AbortController();
    const { signal } = controller;
    root.classList.add("gru-view");
    root.dataset.view = name;
    root.dataset.state = "loading";
    // JupyterLab takes arrow keys, and letters as commands, unless they stay in here.
    root.dataset.lmSuppressShortcuts = "true";
    root.addEventListener("keydown", (event) => event.stopPropagation(), { signal });

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
    const schedule = () => {
      frame ||= requestAnimationFrame(draw);
    };
    const cleanup = () => {
      controller.abort();
      cancelAnimationFrame(frame);
      for (const trait of traits) model.off(`change:${trait}`, schedule);
    };

    try {
      const missing = traits.filter((trait) => model.get(trait) === undefined);
      if (missing.length) throw new Error(`its state has no ${missing.join(", ")}`);
      update = build({ model, root, signal });
      for (const trait of traits) model.on(`change:${trait}`, schedule);
      onThemeChange(schedule, signal);
      onSize(root, () => early && schedule(), signal); // JupyterLab may make a view first and place it afterwards
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
 * Say that the view cannot be shown, and why.
 * @param {HTMLElement} root
 * @param {unknown} error
 */
export function fail(root, error) {
  console.error(error);
  root.classList.add("gru-view");
  root.dataset.state = "failed";
  const why = error instanceof Error ? error.message : String(error);
  root.replaceChildren(
    make(
      "p",
      { class: "gru-failed", role: "alert" },
      "This drawing could not be shown. The text around it does not depend on it. ",
      make("small", {}, `(${why})`),
    ),
  );
}

const SVG = ["svg", "g", "path", "line", "circle", "rect", "text", "tspan"];

/**
 * An element with attributes and children. Text is text, never HTML.
 * @param {string} tag
 * @param {Record<string, string | number | boolean>} [attributes]  true: present; false: absent
 * @param {...(Node | string)} children
 * @returns {any}
 */
export function make(tag, attributes = {}, ...children) {
  const svg = SVG.includes(tag);
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children);
  return element;
}

/**
 * A labelled native control: the text is its label.
 * @param {string | Node} text
 * @param {HTMLElement} control
 * @param {...Node} more  what stands behind it
 */
export function labelled(text, control, ...more) {
  return make("label", { class: "gru-control" }, make("span", { class: "gru-label" }, text), control, ...more);
}

/**
 * Set an element's text, touching the page only if it differs.
 * @param {Element} element
 * @param {string} text
 */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
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
