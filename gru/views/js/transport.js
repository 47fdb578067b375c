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

/**
 * @template Now
 * @param {State<Now>} state
 * @param {string} trait  the step, from 0 on
 * @param {{ count: (now: Now) => number, words: (step: number, now: Now) => string, from?: number, way?: (now: Now) => [number, number],
 *   playing?: (on: boolean) => void }} options
 *   count: how many steps there are; words: for one of them; from: what the reader calls the first; way: where playing begins
 *   and ends, from the first to the last if left out; playing: hears when it plays and when it stops
 */
export function transport(state, trait, { count, words, from = 1, way = (now) => [0, count(now) - 1], playing = () => {} }) {
  const input = make("input", { type: "range", min: from, step: 1 });
  const value = make("output", { class: "gru-value", "aria-live": "off" });
  const picture = make("path", { d: ICONS.play });
  const press = (/** @type {string} */ name, /** @type {Element} */ path) =>
    make(
      "button",
      { type: "button", class: "gru-button gru-press", "aria-label": name },
      make("svg", { viewBox: "0 0 14 14", "aria-hidden": "true" }, path),
    );
  const [back, play, forth] = [
    press("Back", make("path", { d: ICONS.back })),
    press("Play", picture),
    press("Forward", make("path", { d: ICONS.forth })),
  ];
  let timer = 0;
  let awaited = -1; // where playing has put it; elsewhere, somebody has taken over
  const at = (/** @type {Now} */ now) => Number(/** @type {import("./state.js").Values} */ (now)[trait]);
  const last = () => count(state.pinned()) - 1;

  const stop = () => {
    if (!timer) return;
    clearInterval(timer);
    timer = 0;
    playing(false);
    picture.setAttribute("d", ICONS.play);
    play.setAttribute("aria-label", "Play");
  };
  const go = (/** @type {number} */ step) => state.put({ [trait]: (awaited = clamp(step, 0, last())) }, go);
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

  slide(state, input, trait, { from });
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
 * Play once, when a reader first has the view in sight, unless motion is unwanted.
 * @param {import("./view.js").Context} context  its trait "play" says whether to
 * @param {() => void} start
 */
export function playOnce({ model, root, signal }, start) {
  if (!model.get("play") || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
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
