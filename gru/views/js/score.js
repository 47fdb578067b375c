// @ts-check
/**
 * A score: drawings of the same stretch of time, one below the other, with one axis and one cursor through all of them.
 *
 * The cursor is a CSS variable, --at-step, from 0 to 1, of the elements that mark it; the panels stand in one column (css/score.css).
 */

import { make, renew, set, write } from "./dom.js";
import { clamp } from "./draw.js";
import { pointing } from "./state.js";
import { transport } from "./transport.js";

/**
 * @template Now
 * @typedef {import("./state.js").State<Now>} State
 */
/** @typedef {import("./state.js").Values} Values */

const [WIDE, NARROW] = [72, 24]; // characters that fit under the drawings, on a page and on a phone

/**
 * @template Now
 * @param {State<Now>} state
 * @param {HTMLElement[]} panels  from top to bottom
 * @param {{ count: (now: Now) => number, names: (now: Now) => string[] | null, keys: string,
 *   point?: (event: PointerEvent, plot: HTMLElement, now: Now) => Values | null, key?: (key: string, now: Now) => Values | null,
 *   trait?: string, lowest?: number, from?: number, way?: (now: Now) => [number, number], beat?: { trait: string, ms: number },
 *   words?: (step: number, now: Now) => string, along?: string, ticks?: (now: Now) => number[] }} options
 *   count: of the steps; names: what stands below each, numbers if null; keys: what the arrow keys do, in words;
 *   point, key: what a pointer or a key moves besides the step, or instead of it;
 *   trait: holds the step, and is `lowest` at the first; from: what the reader calls the first; way: where playing begins and ends;
 *   beat: how it plays (transport.js); words: for a step; along: what the axis counts, where it is not the steps of a sequence;
 *   ticks: which steps are named on the axis, as many as there is room for if left out
 */
export function score(
  state,
  panels,
  { count, names, keys, point = () => null, key = () => null, trait = "step", lowest = 0, from = 1, way, beat, words, along = "", ticks },
) {
  const over = make("div", { class: "gru-over", "aria-hidden": "true" });
  const area = make("div", { class: "gru-stack", tabindex: 0, role: "application", "aria-label": `Drawings. ${keys}` }, ...panels, over);
  const labels = make("div", { class: "gru-labels" });
  const here = make("b", { class: "gru-step-now" });
  const axis = make("div", { class: "gru-axis", "aria-hidden": "true" }, make("span", { class: "gru-along" }, along), labels, here);
  const element = make("div", { class: "gru-score" }, area, axis);
  const named = (/** @type {number} */ step, /** @type {Now} */ now) => {
    const name = names(now)?.[step];
    return `${step + from} of ${count(now) - 1 + from}${name ? `, ${name}` : ""}`;
  };
  let playing = false;
  const { control, start, toggle } = transport(state, trait, {
    count,
    lowest,
    from,
    way,
    words: words ?? named,
    beat,
    playing(on) {
      playing = on;
      const [first, end] = way?.(state.pinned()) ?? [0, 1];
      element.classList.toggle("gru-playing", on);
      element.classList.toggle("gru-backwards", end < first);
      state.redraw();
    },
  });
  element.append(control);

  const stepOf = (/** @type {Now} */ now) => Number(/** @type {Values} */ (now)[trait]) - lowest;
  pointing(state, area, (event, plot) => {
    const now = state.pinned();
    const { left, width } = plot.getBoundingClientRect();
    const step = clamp(Math.floor(((event.clientX - left) / width) * count(now)), 0, count(now) - 1);
    return { [trait]: step + lowest, ...point(event, plot, now) };
  });
  state.on(area, "keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const now = state.pinned();
    const last = count(now) - 1;
    /** @type {Record<string, number>} */
    const moves = { ArrowLeft: stepOf(now) - 1, ArrowRight: stepOf(now) + 1, Home: 0, End: last };
    const values = key(event.key, now) ?? (event.key in moves ? { [trait]: clamp(moves[event.key], 0, last) + lowest } : null);
    if (!values) return;
    event.preventDefault();
    state.put(values);
  });

  let drawn = "";
  /** @type {{ label: Element, i: number, few: boolean }[]} */
  let shown = [];
  const nameSteps = (/** @type {string[]} */ all, /** @type {number[]} */ events, /** @type {Now} */ now) => {
    const place = (/** @type {number} */ i) => (i + 0.5) / all.length;
    const marked = ticks?.(now).map((i, k) => /** @type {[number, boolean]} */ ([i, k % 2 === 0])) ?? sparse(all, from);
    renew(labels, ...marked.map(([i]) => make("span", { style: `--at-step:${place(i)}` }, all[i])));
    shown = marked.map(([i, few], k) => ({ label: labels.children[k], i, few }));
    renew(over, ...events.map((i) => make("i", { class: "gru-event", style: `left:${100 * place(i)}%` })));
  };
  return {
    element,
    start,
    toggle,
    playing: () => playing,
    /**
     * Bring the axis and the cursor up to date.
     * @param {Now} now
     * @param {number[]} [events]  steps that stand out in the input
     */
    show(now, events = []) {
      const [T, t] = [count(now), stepOf(now)];
      placeCursor(element, t, T);
      const all = names(now) ?? Array.from({ length: T }, (_, i) => String(i + from));
      write(here, all[t]);
      const key = JSON.stringify([all, events]);
      if (key !== drawn) nameSteps(all, events, now);
      drawn = key;
      // A name that the one at the cursor would cover in part is left out.
      for (const { label, i, few } of shown) {
        const covered = (/** @type {number} */ room) => !ticks && Math.abs(i - t) * room < T * ((all[i].length + all[t].length) / 2 + 2);
        set(label, { hidden: covered(WIDE) });
        label.classList.toggle("gru-wide", !few || covered(NARROW));
      }
    },
  };
}

const MARKS = /** @type {"i"} */ (".gru-at-step, .gru-over, .gru-step-now, .gru-scrub > input");

/**
 * Where the cursor stands. Told to each that marks it, not to what holds them: there every drawing would be styled anew.
 * @param {HTMLElement} element
 * @param {number} step
 * @param {number} steps
 */
function placeCursor(element, step, steps) {
  for (const { style } of element.querySelectorAll(MARKS)) {
    style.setProperty("--at-step", String((step + 0.5) / steps));
    style.setProperty("--steps", String(steps));
  }
}

/**
 * Which labels there is room for, and whether there is on a phone too.
 * @param {string[]} all
 * @param {number} from  what the reader calls the first
 * @returns {[index: number, few: boolean][]}
 */
function sparse(all, from) {
  // The first one, such as "start", has room anyway.
  const size = 1.5 + Math.max(0, ...all.slice(1).map((label) => label.length));
  const every = (/** @type {number} */ room) =>
    [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((n) => (all.length / n) * size <= room) ?? all.length;
  const [wide, narrow] = [every(WIDE), every(NARROW)];
  // Numbers go 5, 10, 15; the first one is always there, and has room.
  const stands = (/** @type {number} */ i, /** @type {number} */ n) => i === 0 || n === 1 || ((i + from) % n === 0 && i >= 0.75 * n);
  return all.flatMap((_, i) => (stands(i, wide) ? [/** @type {[number, boolean]} */ ([i, stands(i, narrow)])] : []));
}

/**
 * The steps at which something happens in an input that is otherwise always the same.
 * @param {ArrayLike<number>} x  (T, D)
 * @param {number} steps  T
 * @returns {number[]}
 */
export function eventsOf(x, steps) {
  const D = x.length / steps;
  const rows = Array.from({ length: steps }, (_, t) => Array.from({ length: D }, (_, d) => x[t * D + d]).join());
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const row of rows) counts.set(row, (counts.get(row) ?? 0) + 1);
  const [usual, times] = [...counts].reduce((most, one) => (one[1] > most[1] ? one : most), ["", 0]);
  return times > steps / 2 ? rows.flatMap((row, t) => (row === usual ? [] : [t])) : [];
}
