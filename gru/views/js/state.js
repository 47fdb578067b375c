// @ts-check
/**
 * The state of a view: its traits within their ranges, and what is computed from them.
 *
 * What the pointer only points at stands in for a trait until the pointer leaves (`preview`); pressing sets it (`put`).
 */

import { make, write } from "./dom.js";
import { clamp } from "./draw.js";

/** @typedef {Record<string, unknown>} Values  of traits, by their names */
/** @typedef {ReturnType<typeof reader>} Reader */
/** @typedef {string | null | (() => string | null)} Words  for paper; a function is asked when all controls are up to date */

/**
 * @template Now  the state as the panels need it: every trait that a control moves under its own name, and more
 * @typedef {object} State
 * @property {Now} now  as it is drawn
 * @property {() => Now} pinned  as it will be drawn, without what is only pointed at; what is drawn may be a frame behind
 * @property {(values: Values) => Now} supposing  as it would be with these traits
 * @property {Values} opening  of all that a reader can set, what Try buttons start from: what the view opened with, and `begin`
 * @property {() => Now} refresh  the first line of every update: read the state, bring the controls up to date
 * @property {(show: (now: Now) => Words) => void} follow  a control: bring it up to date; gives its words for paper
 * @property {(values: Values, by?: unknown) => void} put  set traits; by: who does, for those who listen
 * @property {(values: Values) => void} begin  set traits that say what is looked at, such as a word of the reader's own
 * @property {(listener: (values: Values, by: unknown) => void) => void} listen  be told what a hand on the page sets
 * @property {(values: Values | null) => void} preview  show traits as if they were set; null ends it
 * @property {(...children: Node[]) => void} lay  what the view consists of, from top to bottom
 * @property {import("./view.js").Context["on"]} on
 * @property {import("./view.js").Context["model"]} model
 * @property {AbortSignal} signal
 * @property {() => void} redraw  in the next frame, though no trait has changed
 */

/**
 * A function that computes anew only when one of its arguments is another than last time.
 * @template {unknown[]} A
 * @template T
 * @param {(...args: A) => T} compute
 * @returns {(...args: A) => T}
 */
export function memo(compute) {
  /** @type {{ args: A, value: T } | null} */
  let known = null;
  return (...args) => {
    const before = known?.args;
    if (!known || args.some((value, i) => !Object.is(value, before?.[i]))) known = { args, value: compute(...args) };
    return known.value;
  };
}

/** Traits within their ranges, whatever Python or the page has set. @param {(name: string) => any} get */
function reader(get) {
  return {
    whole: (/** @type {string} */ name, /** @type {number} */ low, /** @type {number} */ high) => clamp(Math.round(get(name)), low, high),
    number: (/** @type {string} */ name, /** @type {number} */ low, /** @type {number} */ high) => clamp(get(name), low, high),
    flag: (/** @type {string} */ name) => Boolean(get(name)),
    text: (/** @type {string} */ name) => String(get(name)),
    sent: get,
  };
}

/**
 * @template Now
 * @param {import("./view.js").Context} context
 * @param {(traits: Reader) => Now} read
 * @returns {State<Now>}
 */
export function stateOf({ model, root, signal, on, put, redraw }, read) {
  /** @type {Values} */
  let pointed = {};
  /** @type {((now: Now) => Words)[]} */
  const controls = [];
  /** @type {((values: Values, by: unknown) => void)[]} */
  const listeners = [];
  const printed = make("p", { class: "gru-printed" });
  const pinned = () => read(reader(model.get));
  const supposing = (/** @type {Values} */ values) => read(reader((name) => (name in values ? values[name] : model.get(name))));
  let now = pinned();
  const point = (/** @type {Values} */ values) => {
    if (JSON.stringify(values) === JSON.stringify(pointed)) return;
    pointed = values;
    redraw();
  };
  return {
    model,
    signal,
    on,
    redraw,
    pinned,
    supposing,
    opening: {},
    get now() {
      return now;
    },
    put(values, by) {
      for (const listener of listeners) listener(values, by);
      point({});
      put(values);
    },
    begin(values) {
      Object.assign(this.opening, values);
      this.put(values);
    },
    listen: (listener) => void listeners.push(listener),
    preview: (values) => point(values ?? {}),
    follow: (show) => void controls.push(show),
    refresh() {
      now = supposing(pointed);
      write(
        printed,
        controls
          .map((show) => show(now))
          .map((words) => (typeof words === "function" ? words() : words))
          .filter(Boolean)
          .join(" · "),
      );
      return now;
    },
    lay: (...children) => root.replaceChildren(...children, printed),
  };
}

/**
 * A thing on a drawing that is dragged moves traits; the drawing below it does not hear of that.
 * @param {Pick<State<unknown>, "on" | "put">} state
 * @param {HTMLElement} thing
 * @param {(event: PointerEvent, start: PointerEvent) => Values | null} at  the traits where it is dragged to; start: where it was taken
 */
export function dragging({ on, put }, thing, at) {
  /** @type {PointerEvent | null} */
  let start = null;
  on(thing, "pointerdown", (/** @type {PointerEvent} */ event) => {
    if (event.button > 0) return;
    start = event;
    event.stopPropagation();
    if (event.isTrusted) thing.setPointerCapture(event.pointerId);
  });
  on(thing, "pointermove", (/** @type {PointerEvent} */ event) => {
    if (!start) return;
    event.stopPropagation();
    const values = at(event, start);
    if (values) put(values);
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) on(thing, end, () => (start = null));
}

/**
 * The state with one more value in it, `shown`, for a control that shows another value than that of a trait.
 * @template Now
 * @param {State<Now>} state
 * @param {(now: Now) => number} value
 * @returns {State<Now & { shown: number }>}
 */
export function showing(state, value) {
  const more = (/** @type {Now} */ now) => ({ ...now, shown: value(now) });
  return {
    ...state,
    get now() {
      return more(state.now);
    },
    pinned: () => more(state.pinned()),
    supposing: (values) => more(state.supposing(values)),
    refresh: () => more(state.refresh()),
    follow: (show) => state.follow((now) => show(more(now))),
  };
}

export const FIRM = 4; // pixels from which a finger drags; where it goes rather up or down, the page scrolls

/**
 * Whether a finger that is put here may be about to scroll the page.
 * @param {PointerEvent} event
 * @param {HTMLElement} area
 */
function mayScroll({ pointerType, target }, area) {
  if (pointerType !== "touch") return false;
  for (let one = /** @type {Element | null} */ (target); one && area.contains(one); one = one.parentElement) {
    if (getComputedStyle(one).touchAction === "none") return false;
  }
  return true;
}

/**
 * A pointer on drawings moves traits: hovering previews, pressing and dragging sets. A finger that scrolls past sets nothing.
 * @param {Pick<State<unknown>, "on" | "put" | "preview">} state
 * @param {HTMLElement} area  holds the drawings
 * @param {(event: PointerEvent, plot: HTMLElement) => Values | null} at  the traits it points at in a drawing
 */
export function pointing({ on, put, preview }, area, at) {
  /** @type {HTMLElement | null} */
  let dragged = null; // the drawing in which it was pressed
  /** @type {{ values: Values, x: number, y: number } | null} */
  let waiting = null; // a finger that has not yet shown whether it scrolls, and what it sets if not
  const under = (/** @type {PointerEvent} */ event) =>
    /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest(".gru-plot"));
  on(area, "pointerdown", (/** @type {PointerEvent} */ event) => {
    waiting = null;
    const plot = under(event);
    const values = plot && event.button <= 0 ? at(event, plot) : null;
    if (!values) return;
    dragged = plot;
    if (event.isTrusted) area.setPointerCapture(event.pointerId);
    waiting = mayScroll(event, area) ? { values, x: event.clientX, y: event.clientY } : null;
    if (!waiting) put(values);
  });
  on(area, "pointermove", (/** @type {PointerEvent} */ event) => {
    const plot = dragged ?? under(event);
    const values = plot && at(event, plot);
    if (waiting && dragged) {
      const [across, along] = [Math.abs(event.clientX - waiting.x), Math.abs(event.clientY - waiting.y)];
      if (across < FIRM || across < along) return;
      put(waiting.values);
      waiting = null;
    }
    if (dragged && values) put(values);
    else if (event.pointerType !== "touch") preview(values);
  });
  on(area, "pointerup", () => {
    dragged = null;
  });
  // A tap. The finger that stops a page which runs on lifts as well, and is no click.
  on(area, "click", (/** @type {MouseEvent} */ { detail }) => {
    if (waiting && detail) put(waiting.values); // not of a key
    waiting = null;
  });
  on(area, "pointercancel", () => {
    dragged = waiting = null;
  });
  on(area, "pointerleave", () => preview(null));
}
