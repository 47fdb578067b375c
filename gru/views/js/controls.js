// @ts-check
/** The controls of all views: native inputs, each with its label, its value and what its ends mean. */

import { power } from "./draw.js";
import { labelled, make, set, write } from "./dom.js";

/**
 * A slider with its value behind it.
 * @param {string | Node} text  its label
 * @param {{ min: number, max: number, step?: number | "any", ends?: [string, string], quantity?: string }} options
 *   ends: words at the left and right end; quantity: the letter whose colour it takes
 */
export function slider(text, { min, max, step = 1, ends, quantity }) {
  const input = make("input", { type: "range", min, max, step, class: quantity ? `gru-of-${quantity}` : "" });
  const output = make("output", { class: "gru-value", "aria-live": "off" }); // the slider itself says its value
  const end = (/** @type {string} */ word) => make("span", { class: "gru-note", "aria-hidden": "true" }, word);
  const control = ends
    ? labelled(text, make("span", { class: "gru-ends" }, end(ends[0]), input, end(ends[1]), output))
    : labelled(text, input, output);
  return {
    control,
    input,
    name: () => input.getAttribute("aria-label") ?? control.firstElementChild?.textContent ?? "",
    /**
     * @param {number} value
     * @param {string} shown  the value as it stands behind the slider
     * @param {string} [spoken]  as a screen reader says it, where that differs
     */
    show(value, shown, spoken = shown) {
      if (Number(input.value) !== value) input.value = String(value);
      write(output, shown);
      set(input, { "aria-valuetext": spoken });
    },
  };
}

/** A list to choose from. @param {string | Node} text  its label */
export function list(text) {
  const input = make("select");
  /** @type {string[]} */
  let known = [];
  return {
    control: labelled(text, input),
    input,
    /** @param {string[]} names @param {number} index */
    show(names, index) {
      if (names.length !== known.length || names.some((name, i) => name !== known[i])) {
        input.replaceChildren(...names.map((name, i) => make("option", { value: i }, name)));
        known = names;
      }
      if (input.selectedIndex !== index) input.selectedIndex = index;
    },
  };
}

/**
 * A few alternatives side by side, one of which holds: radio buttons.
 * @template {string} T
 * @param {string | Node} text  what is chosen
 * @param {[T, string | Node][]} options  value and label
 */
export function choice(text, options) {
  // Radio buttons of one group share a name, which no other group of the page may have. In a notebook each view runs
  // its own copy of this module, so counting would give two views the same one.
  const name = `gru-choice-${Math.random().toString(36).slice(2)}`;
  const inputs = options.map(([value]) => make("input", { type: "radio", name, value }));
  const labels = options.map(([, label], i) => make("label", {}, inputs[i], make("span", {}, label)));
  const title = make("span", { class: "gru-label" }, text);
  const segments = make("span", { class: "gru-segments" }, ...labels);
  // No fieldset: where its legend stands differs from browser to browser.
  const control = make("div", { class: "gru-choice", role: "radiogroup", "aria-label": title.textContent ?? "" }, title, segments);
  return {
    control,
    inputs,
    labels,
    name: () => title.textContent ?? "",
    /** @param {T} value */
    show(value) {
      for (const input of inputs) if (input.checked !== (input.value === value)) input.checked = !input.checked;
    },
  };
}

/** A switch that is on or off. @param {string | Node} text  its label */
export function tick(text) {
  const input = make("input", { type: "checkbox" });
  return { control: make("label", { class: "gru-control" }, input, make("span", {}, text)), input };
}

/** @param {string} text */
export const button = (text) => make("button", { type: "button", class: "gru-button" }, text);

/**
 * A button that gives traits the values which they had when it was made.
 * @param {import("./view.js").Model} model
 * @param {string[]} traits
 * @param {AbortSignal} signal
 * @returns {HTMLButtonElement}
 */
export function resetButton(model, traits, signal) {
  const first = traits.map((name) => /** @type {const} */ ([name, model.get(name)]));
  const control = button("Reset");
  const restore = () => {
    for (const [name, value] of first) model.set(name, value);
    model.save_changes();
  };
  control.addEventListener("click", restore, { signal });
  return control;
}

/**
 * Where the numbers come from: computed here, or traced by Python on a device.
 * @param {string} [device]
 * @param {number | null} [apart]  how far the page's numbers are from Python's at most, where both computed
 */
export function origin(device, apart) {
  if (!device) return "Computed in this page.";
  if (apart === null || apart === undefined) return `Traced by Python on ${device}.`;
  const within = power(Math.max(-7, Math.ceil(Math.log10(apart)))); // float32 knows no more
  return `Computed in this page. Python traced the model on ${device}: the same states within ${within}.`;
}

/**
 * "What to try", closed at first.
 * @param {...string} items
 */
export const advice = (...items) =>
  make("details", { class: "gru-try" }, make("summary", {}, "What to try"), make("ul", {}, ...items.map((item) => make("li", {}, item))));
