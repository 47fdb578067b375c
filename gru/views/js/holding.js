// @ts-check
/**
 * Edits by hand: cells of the heat maps that are held at a value, as gru.replay holds them, and the controls that do it.
 *
 * An edit is [quantity, recurrence, step, unit, value], z as its cell means it: keeping or writing.
 */

import { choice, slider } from "./bound.js";
import { button } from "./controls.js";
import { letter, make } from "./dom.js";
import { clamp, format } from "./draw.js";

/** @typedef {"r" | "z" | "n" | "h"} Quantity */
/** @typedef {[Quantity, number, number, number, number]} Edit */
/**
 * What a state needs to hold a cell: the one that is looked at, and what is held.
 * @typedef {object} Holding
 * @property {Edit[]} edits
 * @property {Quantity} quantity
 * @property {number} layer  the recurrence
 * @property {number} step
 * @property {number} unit
 * @property {number} value_here  of the cell that is looked at
 * @property {boolean} fixed  nothing can be held: Python has traced what is shown
 */

export const HOLDING = /** @type {const} */ (["edits", "quantity"]);
const LOWEST = { r: 0, z: 0, n: -1, h: -1 };
const TOLD = 2; // edits that a sentence names
const MOST = 400; // edits that are read

/** The traits behind it. @param {import("./state.js").Reader} traits @returns {Pick<Holding, "edits" | "quantity">} */
export function readEdits({ sent, text }) {
  const all = /** @type {Edit[]} */ (sent("edits")).slice(0, MOST);
  const known = all.filter(([name]) => name in LOWEST);
  const name = text("quantity");
  return {
    edits: known.map(([of, layer, step, unit, value]) => [of, layer, step, unit, clamp(value, LOWEST[of], 1)]),
    quantity: name in LOWEST ? /** @type {Quantity} */ (name) : "z",
  };
}

/**
 * What forward() is told about one recurrence; null where nothing of it is held.
 * @param {Edit[]} edits
 * @param {number} layer
 * @param {number} steps
 * @param {number} units
 * @param {boolean} [writes]  its z writes, while forward's keeps
 * @returns {import("./gru.js").Held | null}
 */
export function heldIn(edits, layer, steps, units, writes = false) {
  /** @type {Partial<Record<Quantity, Float64Array>>} */
  const held = {};
  for (const [name, of, step, unit, value] of edits) {
    if (of !== layer || step >= steps || unit >= units) continue;
    held[name] ??= new Float64Array(steps * units).fill(Number.NaN);
    held[name][step * units + unit] = name === "z" && writes ? 1 - value : value;
  }
  return Object.keys(held).length ? held : null;
}

/** @param {Holding} now @returns {(edit: Edit) => boolean} */
const here =
  ({ quantity, layer, step, unit }) =>
  ([name, of, t, i]) =>
    name === quantity && of === layer && t === step && i === unit;

/** The edits with this cell held at a value. @param {Holding} now @param {number} value @returns {{ edits: Edit[] }} */
export function hold(now, value) {
  const { edits, quantity, layer, step, unit } = now;
  const at = clamp(Math.round(100 * value) / 100, LOWEST[quantity], 1);
  return { edits: [...edits.filter((edit) => !here(now)(edit)), [quantity, layer, step, unit, at]] };
}

/** The edits without this cell. @param {Holding} now */
const letGo = (now) => ({ edits: now.edits.filter((edit) => !here(now)(edit)) });

/**
 * What a key does to the cell that is looked at: plus and minus hold it, Escape lets it go.
 * @param {string} key
 * @param {Holding} now
 */
export function holdByKey(key, now) {
  if (now.fixed) return null;
  const by = { "+": 0.1, "=": 0.1, "-": -0.1 }[key];
  if (by) return hold(now, Math.round(10 * (now.value_here + by)) / 10);
  return key === "Escape" && now.edits.some(here(now)) ? letGo(now) : null;
}

/** Which cells of one map are held: step and unit. @param {Holding} now @param {Quantity} name @returns {[number, number][]} */
export const cellsOf = ({ edits, layer }, name) =>
  edits.flatMap(([of, recurrence, step, unit]) =>
    of === name && recurrence === layer ? [/** @type {[number, number]} */ ([step, unit])] : [],
  );

/**
 * A double click in a map: the cell goes to its other end and stays there, or is let go.
 * @template {Holding} Now
 * @param {import("./state.js").State<Now>} state
 * @param {{ name: Quantity, plot: HTMLElement }[]} maps
 */
export function holdByMouse(state, maps) {
  // The score captures the pointer, so the click is its area's own and not the map's.
  const area = maps[0].plot.closest(".gru-stack");
  if (!area) return;
  const within = (/** @type {DOMRect} */ { left, right, top, bottom }, /** @type {MouseEvent} */ { clientX: x, clientY: y }) =>
    x >= left && x <= right && y >= top && y <= bottom;
  state.on(area, "dblclick", (/** @type {MouseEvent} */ event) => {
    const now = state.pinned();
    const name = maps.find(({ plot }) => within(plot.getBoundingClientRect(), event))?.name;
    if (now.fixed || name !== now.quantity) return; // pressing it has chosen it
    const middle = (1 + LOWEST[name]) / 2;
    state.put(now.edits.some(here(now)) ? letGo(now) : hold(now, now.value_here > middle ? LOWEST[name] : 1));
  });
}

/**
 * The bar under the maps: which quantity, at what value, and let go.
 * @template {Holding} Now
 * @param {import("./state.js").State<Now>} state
 * @param {(now: Now) => string} cell  the cell that is looked at, in words: "unit 3 at step 5"
 */
export function holdBar(state, cell) {
  const names = /** @type {const} */ (["r", "z", "n", "h"]);
  const which = choice(
    state,
    "quantity",
    "Hold",
    names.map((name) => [name, letter(name)]),
  );
  const label = make("span");
  state.follow((now) => {
    label.textContent = `of ${cell(now)}`;
    return null;
  });
  const value = slider(state, "value_here", label, {
    range: ({ quantity }) => [LOWEST[quantity], 1],
    step: 0.01,
    words: (number, now) => (now.edits.some(here(now)) ? `held at ${format(number)}` : `free, ${format(number)}`),
    put: (number, now) => hold(now, number),
    off: ({ fixed }) => fixed,
  });
  const [one, all] = [button("Let go"), button("Let all go")];
  state.on(one, "click", () => state.put(letGo(state.pinned())));
  state.on(all, "click", () => state.put({ edits: [] }));
  const bar = make("div", { class: "gru-bar gru-holding" }, which, value, one, all);
  state.follow((now) => {
    bar.hidden = now.fixed;
    one.disabled = !now.edits.some(here(now));
    all.disabled = !now.edits.length;
    bar.title = "Double-click a cell of a map to hold it at its other end, or move the slider. Plus, minus and Escape do it by keyboard.";
    return now.edits.length ? heldWords(now, Number.POSITIVE_INFINITY).trim() : null;
  });
  return bar;
}

/** What is held, as a sentence; nothing where nothing is. @param {Pick<Holding, "edits">} now @param {number} [most] */
export function heldWords({ edits }, most = TOLD) {
  if (!edits.length) return "";
  const told = edits
    .slice(-most)
    .map(([name, , step, unit, value]) => `${name} of unit ${unit + 1} at step ${step + 1} at ${format(value)}`);
  const more = edits.length > told.length ? ` and ${edits.length - told.length} more` : "";
  return ` Held by hand: ${told.join(", ")}${more}.`;
}
