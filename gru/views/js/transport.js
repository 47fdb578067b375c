// @ts-check
/** Going through the steps of a sequence: play, one back, one forth, and a slider under the drawings' time axis. */

import { slide } from "./bound.js";
import { make, write } from "./dom.js";
import { clamp } from "./draw.js";

/**
 * @template Now
 * @typedef {import("./state.js").State<Now>} State
 */

const [WHOLE, QUICKEST, SLOWEST] = [3000, 50, 600]; // ms: of a sequence, of a step at least, and at most
const ICONS = { back: "M9 2 3 7l6 5z", play: "M3 1.5 12 7l-9 5.5z", pause: "M3 2h3v10H3zM8 2h3v10H8z", forth: "m5 2 6 5-6 5z" };

/** A small button with a picture. @param {string} name @param {Element} path */
const press = (name, path) =>
  make(
    "button",
    { type: "button", class: "gru-button gru-press", "aria-label": name },
    make("svg", { viewBox: "0 0 14 14", "aria-hidden": "true" }, path),
  );

/**
 * @template Now
 * @param {State<Now>} state
 * @param {string} trait  holds the step
 * @param {{ count: (now: Now) => number, words: (step: number, now: Now) => string, lowest?: number, from?: number,
 *   way?: (now: Now) => [number, number], playing?: (on: boolean) => void }} options
 *   count: how many steps there are; words: for one of them; lowest: the trait at the first; from: what the reader calls it;
 *   way: where playing begins and ends, from the first to the last if left out; playing: hears when it plays and when it stops
 */
export function transport(state, trait, { count, words, lowest = 0, from = 1, way = (now) => [0, count(now) - 1], playing = () => {} }) {
  const input = make("input", { type: "range", min: from, step: 1 });
  const value = make("output", { class: "gru-value", "aria-live": "off" });
  const picture = make("path", { d: ICONS.play });
  const [back, play, forth] = [
    press("Back", make("path", { d: ICONS.back })),
    press("Play", picture),
    press("Forward", make("path", { d: ICONS.forth })),
  ];
  let timer = 0;
  let awaited = -1; // where playing has put it; elsewhere, somebody has taken over
  const at = (/** @type {Now} */ now) => Number(/** @type {import("./state.js").Values} */ (now)[trait]) - lowest;
  const last = () => count(state.pinned()) - 1;

  const stop = () => {
    if (!timer) return;
    clearInterval(timer);
    timer = 0;
    playing(false);
    picture.setAttribute("d", ICONS.play);
    play.setAttribute("aria-label", "Play");
  };
  const go = (/** @type {number} */ step) => state.put({ [trait]: (awaited = clamp(step, 0, last())) + lowest }, go);
  const start = () => {
    stop();
    const [first, end] = way(state.pinned());
    const by = end < first ? -1 : 1;
    const ahead = (/** @type {number} */ step) => (end - step) * by > 0;
    timer = setInterval(
      () => (ahead(at(state.pinned())) ? go(at(state.pinned()) + by) : stop()),
      clamp(WHOLE / (Math.abs(end - first) + 1), QUICKEST, SLOWEST),
    );
    playing(true);
    picture.setAttribute("d", ICONS.pause);
    play.setAttribute("aria-label", "Pause");
    const now = at(state.pinned());
    go(ahead(now) && (now - first) * by >= 0 ? now + by : first);
  };
  state.signal.addEventListener("abort", stop);
  // Also where it is set to the step at which it stands, as Reset may do in the first moment of playing.
  state.listen((values, by) => trait in values && by !== go && stop());

  slide(state, input, trait, { from: from - lowest });
  state.on(play, "click", () => (timer ? stop() : start()));
  for (const [one, by] of /** @type {const} */ ([
    [back, -1],
    [forth, 1],
  ])) {
    state.on(one, "click", () => {
      stop();
      go(at(state.pinned()) + by);
    });
  }
  state.follow((now) => {
    if (timer && at(state.pinned()) !== awaited) stop();
    const said = words(at(now), now);
    Object.assign(input, { min: String(from), max: String(count(now) - 1 + from), value: String(at(now) + from) });
    input.setAttribute("aria-valuetext", said);
    write(value, `step ${said}`);
    back.setAttribute("aria-disabled", String(at(now) === 0));
    forth.setAttribute("aria-disabled", String(at(now) === count(now) - 1));
    return `Step ${said}`;
  });

  const scrub = make("label", { class: "gru-scrub" }, make("span", { class: "gru-unseen gru-label" }, "Step"), input);
  return {
    control: make("div", { class: "gru-transport" }, make("span", { class: "gru-presses" }, back, play, forth), scrub, value),
    start,
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
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    write(control, text);
    control.removeAttribute("aria-label");
  };
  const go = () => {
    state.put({ [trait]: Number((from + done * by).toFixed(6)) }, go);
    if (done === last) stop();
    done += 1;
  };
  const start = () => {
    stop();
    done = 0;
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
  signal.addEventListener("abort", () => observer.disconnect());
}
