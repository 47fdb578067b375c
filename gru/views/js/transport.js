// @ts-check
/** Going through the steps of a sequence: play, one back, one forth, and a slider under the drawings' time axis. */

import { slide } from "./bound.js";
import { make, set, write } from "./dom.js";
import { clamp } from "./draw.js";

/**
 * @template Now
 * @typedef {import("./state.js").State<Now>} State
 */
/**
 * What plays: it goes on by itself, from step to step.
 * @typedef {{ is: () => boolean, start: () => void, stop: () => void, follow: (step: number) => void }} Player
 *   follow: the step that is drawn, whoever has set it
 */
/**
 * Where playing goes.
 * @typedef {object} Course
 * @property {(step: number, more?: import("./state.js").Values) => void} go
 * @property {() => number} at  where it is
 * @property {(anew?: boolean) => number | null} next  null at its end, or its beginning again
 * @property {() => [number, number]} way  where it begins and ends
 * @property {(on: boolean) => void} show  that it plays, or has stopped
 */

const [WHOLE, QUICKEST, SLOWEST] = [3000, 50, 600]; // ms: of a sequence, of a step at least, and at most
const ICONS = { back: "M9 2 3 7l6 5z", play: "M3 1.5 12 7l-9 5.5z", pause: "M3 2h3v10H3zM8 2h3v10H8z", forth: "m5 2 6 5-6 5z" };

/**
 * @template Now
 * @param {State<Now>} state
 * @param {string} trait  holds the step
 * @param {{ count: (now: Now) => number, words: (step: number, now: Now) => string, lowest?: number, from?: number,
 *   way?: (now: Now) => [number, number], beat?: { trait: string, ms: number }, playing?: (on: boolean) => void,
 *   noun?: string }} options
 *   count: how many steps there are; words: for one of them; lowest: the trait at the first; from: what the reader calls it;
 *   way: where playing begins and ends, from the first to the last if left out; beat: of a step, and the trait that says whether
 *   it plays, so that Python and every display know; playing: hears when it plays and when it stops; noun: what a step is where
 *   the drawing has steps of another kind, too
 */
export function transport(
  state,
  trait,
  { count, words, lowest = 0, from = 1, way = (now) => [0, count(now) - 1], beat, playing = () => {}, noun = "step" },
) {
  const input = make("input", { type: "range", min: from, step: 1 });
  const value = make("output", { class: "gru-value", "aria-live": "off" });
  const picture = make("path", { d: ICONS.play });
  const [back, play, forth] = [
    press("Back", make("path", { d: ICONS.back })),
    press("Play", picture),
    press("Forward", make("path", { d: ICONS.forth })),
  ];
  const at = (/** @type {Now} */ now) => Number(/** @type {import("./state.js").Values} */ (now)[trait]) - lowest;
  const last = () => count(state.pinned()) - 1;

  const go = (/** @type {number} */ step, /** @type {import("./state.js").Values} */ more = {}) =>
    state.put({ [trait]: clamp(step, 0, last()) + lowest, ...more }, go);
  /** @type {Course} */
  const course = {
    go,
    at: () => at(state.pinned()),
    way: () => way(state.pinned()),
    next(anew = false) {
      const [[first, end], now] = [way(state.pinned()), at(state.pinned())];
      const by = end < first ? -1 : 1;
      const ahead = (end - now) * by > 0 && (now - first) * by >= 0;
      return ahead ? now + by : anew ? first : null;
    },
    show(on) {
      playing(on);
      picture.setAttribute("d", on ? ICONS.pause : ICONS.play);
      play.setAttribute("aria-label", on ? "Pause" : "Play");
    },
  };
  const player = beat ? told(state.model, beat, course) : timed(course);
  state.signal.addEventListener("abort", () => player.follow(Number.NaN));
  // Also where it is set to the step at which it stands, as Reset may do in the first moment of playing.
  state.listen((values, by) => trait in values && by !== go && player.stop());

  slide(state, input, trait, { from: from - lowest });
  const toggle = () => (player.is() ? player.stop() : player.start());
  state.on(play, "click", toggle);
  for (const [one, by] of /** @type {const} */ ([
    [back, -1],
    [forth, 1],
  ])) {
    state.on(one, "click", () => {
      player.stop();
      go(at(state.pinned()) + by);
    });
  }
  state.follow((now) => {
    player.follow(at(state.pinned()));
    const said = words(at(now), now);
    set(input, { max: count(now) - 1 + from, "aria-valuetext": said });
    if (Number(input.value) !== at(now) + from) input.value = String(at(now) + from);
    write(value, `${noun} ${said}`);
    set(back, { "aria-disabled": String(at(now) === 0) });
    set(forth, { "aria-disabled": String(at(now) === count(now) - 1) });
    return `Step ${said}`;
  });

  const scrub = make("label", { class: "gru-scrub" }, make("span", { class: "gru-unseen gru-label" }, "Step"), input);
  return {
    control: make("div", { class: "gru-transport" }, make("span", { class: "gru-presses" }, back, play, forth), scrub, value),
    start: player.start,
    toggle,
  };
}

/** @param {string} name @param {Element} path */
const press = (name, path) =>
  make(
    "button",
    { type: "button", class: "gru-button gru-press", "aria-label": name },
    make("svg", { viewBox: "0 0 14 14", "aria-hidden": "true" }, path),
  );

/** One display plays, in about three seconds, until somebody else moves the step. @param {Course} course @returns {Player} */
function timed({ go, next, way, show }) {
  let timer = 0;
  let awaited = -1; // where playing has put it; elsewhere, somebody has taken over
  const stop = () => {
    if (!timer) return;
    clearInterval(timer);
    timer = 0;
    show(false);
  };
  const put = (/** @type {number} */ step) => go((awaited = step));
  return {
    is: () => timer !== 0,
    stop,
    start() {
      stop();
      const [first, end] = way();
      const each = clamp(WHOLE / (Math.abs(end - first) + 1), QUICKEST, SLOWEST);
      timer = setInterval(() => {
        const step = next();
        if (step === null) stop();
        else put(step);
      }, each);
      show(true);
      put(next(true) ?? first);
    },
    follow: (step) => void (step !== awaited && stop()),
  };
}

/**
 * A trait says whether it plays. Of two displays both wait, and the first whose time is up takes the step.
 * @param {import("./view.js").Model} model
 * @param {{ trait: string, ms: number }} beat
 * @param {Course} course
 * @returns {Player}
 */
function told(model, { trait, ms }, { go, at, next, way, show }) {
  let timer = 0;
  let waiting = Number.NaN; // the step that the timer is to leave
  let shown = false;
  const is = () => Boolean(model.get(trait));
  const leave = () => {
    const left = waiting;
    waiting = Number.NaN;
    if (!is() || left !== at()) return;
    const step = next();
    go(step ?? left, step === null ? { [trait]: false } : {});
  };
  return {
    is,
    start: () => go(next(true) ?? way()[0], { [trait]: true }),
    stop: () => is() && go(at(), { [trait]: false }),
    follow(step) {
      const on = !Number.isNaN(step) && is();
      if (on !== shown) show((shown = on));
      const wanted = on ? step : Number.NaN;
      if (Object.is(wanted, waiting)) return;
      waiting = wanted;
      clearTimeout(timer);
      if (on) timer = setTimeout(leave, ms);
    },
  };
}

/**
 * Move a trait through a range by itself, once, in three seconds; whoever sets it meanwhile ends that.
 * @template Now
 * @param {State<Now>} state
 * @param {string} trait
 * @param {string} text  on the button that does it
 * @param {{ from: number, to: number, by: number }} range
 */
export function sweep(state, trait, text, { from, to, by }) {
  const control = make("button", { type: "button", class: "gru-button" }, text);
  const last = Math.round((to - from) / by);
  let timer = 0;
  let done = 0;
  let awaited = 0; // where it has put the trait; elsewhere, somebody has taken over
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    write(control, text);
    control.removeAttribute("aria-label");
  };
  const now = () => Number(/** @type {import("./state.js").Values} */ (state.pinned())[trait]);
  const go = () => {
    if (now() !== awaited) {
      stop();
      return;
    }
    awaited = Number((from + done * by).toFixed(6));
    state.put({ [trait]: awaited }, go);
    if (done === last) stop();
    done += 1;
  };
  const start = () => {
    stop();
    done = 0;
    awaited = now();
    timer = setInterval(go, WHOLE / last);
    write(control, "Pause");
    control.setAttribute("aria-label", "Pause");
    go();
  };
  state.signal.addEventListener("abort", stop);
  state.listen((values, by) => timer && trait in values && by !== go && stop());
  state.on(control, "click", () => (timer ? stop() : start()));
  return { control, start, sweeping: () => timer > 0 };
}

/**
 * Play once, when a reader first has the view in sight.
 * @param {import("./view.js").Context} context  its trait "play" says whether to
 * @param {() => void} start
 * @param {() => void} [still]  instead, where motion is unwanted
 */
export function playOnce({ model, root, signal }, start, still = () => {}) {
  if (!model.get("play")) return;
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
    still();
    return;
  }
  const observer = new IntersectionObserver(
    ([{ isIntersecting }]) => {
      if (!isIntersecting) return;
      observer.disconnect();
      start();
    },
    { threshold: 0.5 },
  );
  observer.observe(root);
  // Whoever is faster than the observer has begun already.
  for (const hand of ["pointerdown", "keydown"]) root.addEventListener(hand, () => observer.disconnect(), { signal });
  signal.addEventListener("abort", () => observer.disconnect());
}
