// @ts-check
/** A dial for the update gate's bias: a ring to turn, over a native range input. */

import { clamp, format, percent } from "./draw.js";
import { sigmoid } from "./gru.js";
import { letter, make, write } from "./dom.js";

export const LIMIT = 6; // of the bias, both ways
const TURN = 135; // degrees from the top of the dial to either end

/** A share with as many digits as tell it from 0 and 1. @param {number} value */
export const digits = (value) => format(value, Math.min(value, 1 - value) < 0.0095 ? 4 : Math.min(value, 1 - value) < 0.095 ? 3 : 2);

/** The same as a percentage. @param {number} value */
export const share = (value) => (Math.min(value, 1 - value) < 0.0095 ? `${format(100 * value, 1)} %` : percent(value));

/** Degrees clockwise from the top. @param {number} b */
const angleOf = (b) => (b / LIMIT) * TURN;

/** @param {number} b @param {number} radius @returns {[number, number]} */
function at(b, radius) {
  const angle = (angleOf(b) * Math.PI) / 180;
  return [radius * Math.sin(angle), -radius * Math.cos(angle)];
}

/** An arc of the dial. @param {number} from  b @param {number} to  b @param {number} radius */
function arc(from, to, radius) {
  const [low, high] = from < to ? [from, to] : [to, from];
  const point = (/** @type {number} */ b) =>
    at(b, radius)
      .map((v) => v.toFixed(2))
      .join(" ");
  return `M${point(low)}A${radius} ${radius} 0 ${angleOf(high) - angleOf(low) > 180 ? 1 : 0} 1 ${point(high)}`;
}

/**
 * The dial: a ring to turn, over a native range input that turns it from the keyboard.
 * @param {AbortSignal} signal
 * @param {(b: number) => void} turn
 */
export function dialOf(signal, turn) {
  const R = 80;
  const ring = make("path", { class: "gru-ring-ground", d: arc(-LIMIT, LIMIT, R) });
  const fill = make("path", { class: "gru-ring-fill" });
  const chrono = make("path", { class: "gru-chrono" });
  const chronoName = make("text", { class: "gru-dial-text" }, "chrono");
  const model = make("path", { class: "gru-of-model" });
  const modelName = make("text", { class: "gru-dial-text gru-dial-model" }, "model");
  const knob = make("circle", { class: "gru-knob", r: 11 });
  const ends = [-1, 1].map((side) => make("text", { class: "gru-dial-text", x: 40 * side, y: 86 }));
  const marks = make("path", {
    class: "gru-dial-marks",
    d: Array.from({ length: 2 * LIMIT + 1 }, (_, i) => i - LIMIT)
      .map((b) => `M${at(b, 66).join(" ")}L${at(b, b % 2 ? 69 : 71).join(" ")}`)
      .join(""),
  });
  const numbers = Array.from({ length: LIMIT + 1 }, (_, i) => 2 * i - LIMIT).map((b) => {
    const [x, y] = at(b, 56);
    return make("text", { class: "gru-dial-text", x, y: y + 3.5 }, format(b, 0));
  });
  const svg = make(
    "svg",
    { viewBox: "-112 -106 224 198", "aria-hidden": "true" },
    ring,
    fill,
    chrono,
    chronoName,
    marks,
    ...numbers,
    ...ends,
    model,
    modelName,
    knob,
  );
  const input = make("input", { type: "range", min: -LIMIT, max: LIMIT, step: 0.1 });
  const big = make("span", { class: "gru-dial-bias" });
  const small = make("span", { class: "gru-dial-keep" });
  const dial = make(
    "label",
    { class: "gru-dial" },
    make("span", { class: "gru-hidden" }, "Bias b of the update gate"),
    svg,
    input,
    make("span", { class: "gru-dial-words", "aria-hidden": "true" }, big, small),
  );

  let turning = false;
  const follow = (/** @type {PointerEvent} */ event) => {
    const { left, top, width } = svg.getBoundingClientRect();
    const [x, y] = [(224 * (event.clientX - left)) / width - 112, (224 * (event.clientY - top)) / width - 106];
    const radius = Math.hypot(x, y);
    if (event.type === "pointerdown") {
      // A finger that is not on the ring may be about to scroll the page.
      if (event.button > 0 || (event.pointerType === "touch" && radius < 0.6 * R)) return;
      turning = true;
      input.focus({ preventScroll: true });
      if (event.isTrusted) dial.setPointerCapture(event.pointerId);
      event.preventDefault(); // no selection of text
    }
    if (!turning || radius < 0.2 * R) return; // too near the middle to point anywhere
    const b = clamp((Math.atan2(x, -y) * 180) / Math.PI / TURN, -1, 1) * LIMIT;
    const now = Number(input.value);
    if (event.type === "pointermove" && Math.abs(b - now) > LIMIT) return; // not through the gap at the bottom
    input.value = String(b);
    if (Number(input.value) !== now) turn(Number(input.value));
  };
  const release = () => {
    turning = false;
  };
  for (const type of /** @type {const} */ (["pointerdown", "pointermove"])) dial.addEventListener(type, follow, { signal });
  for (const type of /** @type {const} */ (["pointerup", "pointercancel"])) dial.addEventListener(type, release, { signal });
  dial.addEventListener("click", (/** @type {Event} */ event) => event.preventDefault(), { signal });
  input.addEventListener("input", () => turn(Number(input.value)), { signal });

  /** @param {any} text @param {number} b */
  const along = (text, b) => {
    const [x, y] = at(b, 97);
    const angle = angleOf(b);
    text.setAttribute(
      "transform",
      `translate(${x.toFixed(1)} ${y.toFixed(1)}) rotate(${(Math.abs(angle) > 100 ? angle + 180 : angle).toFixed(1)})`,
    );
  };
  return {
    dial,
    /** @param {{ b: number, keeps: boolean, keep: number, steps: number, made: number | null }} now  made: the model's k */
    show({ b, keeps, keep, steps, made }) {
      const sign = keeps ? 1 : -1;
      if (Number(input.value) !== b) input.value = String(b);
      input.setAttribute("aria-valuetext", `${format(b, 1)}; a step keeps ${share(keep)}`);
      fill.setAttribute("d", arc(-LIMIT * sign, b, R));
      const [x, y] = at(b, R);
      knob.setAttribute("cx", x.toFixed(2));
      knob.setAttribute("cy", y.toFixed(2));
      const most = Math.min(LIMIT, Math.log(steps - 1));
      chrono.setAttribute("d", arc(0, sign * most, 91));
      const near = made !== null && Math.abs(made - 0.55 * most) < 1.2;
      along(chronoName, sign * (near ? most : 0.55 * most));
      for (const part of [model, modelName]) part.style.display = made === null ? "none" : "";
      if (made !== null) {
        model.setAttribute("d", `M${at(sign * made, 73).join(" ")}L${at(sign * made, 92).join(" ")}`);
        along(modelName, sign * made);
      }
      ends.forEach((end, i) => write(end, (i === 1) === keeps ? "keeps" : "forgets"));
      big.replaceChildren(make("i", {}, "b"), ` = ${format(b, 1)}`);
      small.replaceChildren(letter("z"), ` = ${digits(sigmoid(b))}`);
    },
  };
}
