// @ts-check
/** Controls that move traits: each says which trait, its range and its words, and follows whoever else moves it. */

import { button, choice as choiceOf, list as listOf, slider as sliderOf, tick as tickOf } from "./controls.js";
import { make, set, write } from "./dom.js";
import { memo } from "./state.js";

/** @typedef {import("./state.js").Values} Values */
/**
 * @template Now
 * @typedef {import("./state.js").State<Now>} State
 */

/**
 * What of the state bears a trait's name.
 * @param {unknown} now
 * @param {string} trait
 * @returns {unknown}
 */
const held = (now, trait) => /** @type {Values} */ (now)[trait];

/** What paper says of a control: nothing, where it is not there to be moved. @param {Element} control @param {string} words */
const onPaper = (control, words) => () => (control.closest("[hidden]") ? null : words);

/**
 * @template Now
 * @typedef {object} Sliding
 * @property {number} [min]
 * @property {number} [max]
 * @property {(now: Now) => [number, number]} [range]  instead of min and max, where it depends on the state
 * @property {number | "any"} [step]
 * @property {number} [from]  what the reader calls 0: steps and units count from 1
 * @property {[string, string]} [ends]  words at its ends
 * @property {string} [quantity]  the letter whose colour it has
 * @property {(value: number, now: Now) => string} [words]  its value, as the reader counts
 * @property {(value: number, now: Now) => string} [spoken]  the same for a screen reader, where that differs
 * @property {(value: number, now: Now) => Values} [put]  what it sets, where that is more than its trait
 * @property {(now: Now) => boolean} [off]  it cannot be moved now
 */

/**
 * A slider that moves a trait.
 * @template Now
 * @param {State<Now>} state
 * @param {string} trait
 * @param {string | Node} text  its label
 * @param {Sliding<Now>} options
 */
export function slider(state, trait, text, { min = 0, max = 1, range, step, from = 0, ends, quantity, words = String, spoken, put, off }) {
  const { control, input, show, name } = sliderOf(text, { min, max, step, ends, quantity });
  slide(state, input, trait, { from, put });
  state.follow((now) => {
    const value = Number(held(now, trait)) + from;
    const [low, high] = range?.(now) ?? [min - from, max - from];
    set(input, { min: low + from, max: high + from, disabled: off?.(now) ?? false });
    show(value, words(value, now), spoken?.(value, now));
    return onPaper(control, `${name()} ${words(value, now)}`);
  });
  return control;
}

/**
 * What a range input sets when it is moved.
 * @template Now
 * @param {State<Now>} state
 * @param {HTMLInputElement} input
 * @param {string} trait
 * @param {Pick<Sliding<Now>, "from" | "put">} options
 */
export function slide(state, input, trait, { from = 0, put }) {
  state.on(input, "input", () => {
    const value = Number(input.value) - from;
    state.put(put?.(value, state.pinned()) ?? { [trait]: value });
  });
}

/**
 * A list to choose from, hidden where there is nothing to choose.
 * @template Now
 * @param {State<Now>} state
 * @param {string} trait  an index
 * @param {string} text  its label
 * @param {{ names: (now: Now) => string[], from?: number, put?: (value: number, now: Now) => Values, begins?: boolean }} options
 *   from: the trait's value at the first name; put: what it sets, where that is more than its trait; begins: it says what is looked at
 */
export function list(state, trait, text, { names, from = 0, put, begins = false }) {
  const { control, input, show } = listOf(text);
  state.on(input, "change", () => {
    const value = Number(input.value) + from;
    const values = put?.(value, state.pinned()) ?? { [trait]: value };
    if (begins) state.begin(values);
    else state.put(values);
  });
  state.follow((now) => {
    const all = names(now);
    const at = Number(held(now, trait)) - from;
    show(all, at);
    set(control, { hidden: all.length < 2 });
    return control.hidden ? null : `${text} ${all[at]}`;
  });
  return control;
}

/**
 * A few alternatives side by side.
 * @template Now
 * @param {State<Now>} state
 * @param {string} trait
 * @param {string | Node} text  what is chosen
 * @param {[value: unknown, label: string | Node][]} options
 */
export function choice(state, trait, text, options) {
  const { control, inputs, labels, show, name } = choiceOf(
    text,
    options.map(([, label], i) => [String(i), label]),
  );
  for (const input of inputs) state.on(input, "change", () => state.put({ [trait]: options[Number(input.value)][0] }));
  state.follow((now) => {
    const at = options.findIndex(([value]) => value === held(now, trait));
    show(String(at));
    return onPaper(control, `${name()} ${labels[at]?.textContent ?? ""}`);
  });
  return control;
}

/**
 * A switch.
 * @template Now
 * @param {State<Now>} state
 * @param {string} trait  a flag
 * @param {string | Node} text
 */
export function tick(state, trait, text) {
  const { control, input } = tickOf(text);
  state.on(input, "change", () => state.put({ [trait]: input.checked }));
  state.follow((now) => {
    input.checked = Boolean(held(now, trait));
    return input.checked ? onPaper(control, control.textContent ?? "") : null;
  });
  return control;
}

/**
 * A button that gives traits, all that a reader can set, the values that they have now.
 * @template Now
 * @param {State<Now>} state
 * @param {readonly string[]} traits
 */
export function reset(state, traits) {
  const first = Object.fromEntries(traits.map((name) => [name, state.model.get(name)]));
  Object.assign(state.opening, first);
  const control = button("Reset");
  state.on(control, "click", () => state.begin(first));
  return control;
}

/**
 * @template Now
 * @typedef {object} Trial
 * @property {string} name  on its button
 * @property {(now: Now) => Values} put  what it sets, when all else is as the view opened
 * @property {readonly string[]} [keeps]  what it is about, and leaves as the reader has it: of "this unit", which one
 * @property {(now: Now) => string} see  what is to be seen then
 * @property {(now: Now) => boolean} [when]  whether it can be tried; always if left out
 */

/** @param {unknown} a @param {unknown} b */
const alike = (a, b) => Object.is(a, b) || (a instanceof Object && JSON.stringify(a) === JSON.stringify(b));

/**
 * What Try buttons start from, but for these traits.
 * @template Now
 * @param {State<Now>} state
 * @param {readonly string[]} keeps
 */
const openedWith = ({ opening }, keeps) => Object.fromEntries(Object.entries(opening).filter(([trait]) => !keeps.includes(trait)));

/** Whether the state has these values. @param {Values} values @param {unknown} now */
const holds = (values, now) => Object.entries(values).every(([trait, value]) => alike(held(now, trait), value));

/**
 * What to try: buttons that set the state, and what is to be seen then. Each first puts back the state with which the
 * view opened, but for what the reader has chosen to look at: what it says then is true whatever was done before.
 * @template Now
 * @param {State<Now>} state
 * @param {Trial<Now>[]} trials
 */
export function tries(state, trials) {
  const seen = make("p", { class: "gru-see" });
  let latest = -1; // pressed here; of several that hold, this one is spoken of
  let given = /** @type {Values} */ ({}); // what it set: "one more" would set something else now
  const buttons = trials.map(({ name, put, keeps = [] }, i) => {
    const one = make("button", { type: "button", class: "gru-button" }, name);
    state.on(one, "click", () => {
      const back = openedWith(state, keeps);
      const values = put(state.supposing(back));
      state.put({ ...back, ...values }, tries);
      const now = state.pinned(); // within its ranges: the last iteration, where fewer than asked for are enough
      latest = i;
      given = Object.fromEntries(Object.keys(values).map((trait) => [trait, held(now, trait)]));
    });
    return one;
  });
  // What pressing would lead to, of those that are about what the reader has chosen: computed when that or the opening changes.
  const ahead = trials.map(({ put, keeps = [] }) =>
    memo((/** @type {string} */ _opening, /** @type {string} */ _kept, /** @type {unknown} */ _data) => {
      const before = state.supposing(openedWith(state, keeps));
      return { ...before, ...put(before) };
    }),
  );
  const led = (/** @type {number} */ i, /** @type {Now} */ now) => {
    const { keeps, put } = trials[i];
    const kept = keeps?.map((trait) => state.model.get(trait));
    return kept ? ahead[i](JSON.stringify(state.opening), JSON.stringify(kept), state.model.get("_data")) : { ...now, ...put(now) };
  };
  const items = buttons.map((one) => make("li", {}, one));
  const element = make(
    "div",
    { class: "gru-try", role: "group", "aria-label": "Try" },
    make("span", { class: "gru-label" }, "Try"),
    make("ul", {}, ...items),
    seen,
  );
  state.follow((now) => {
    const sets = trials.map(({ put, when }) => ((when?.(now) ?? true) ? put(now) : null));
    const holding = sets.map((values, i) => {
      const held = values && [values, ...(i === latest ? [given] : [])].find((one) => holds(one, now));
      return held ? Object.keys(held) : [];
    });
    // "No bias" holds too where there is one unit and no bias: the one that says more is meant.
    const meant = holding.map(
      (mine) => mine.length > 0 && !holding.some((more) => more.length > mine.length && mine.every((trait) => more.includes(trait))),
    );
    trials.forEach(({ see }, i) => {
      set(items[i], { hidden: !sets[i] });
      set(buttons[i], { "aria-pressed": String(meant[i]) });
      if (sets[i]) set(buttons[i], { title: see(led(i, now)) });
    });
    set(element, { hidden: !sets.some(Boolean) });
    const told = trials[meant[latest] ? latest : meant.indexOf(true)];
    write(seen, told?.see(now) ?? "");
    return null;
  });
  return element;
}
