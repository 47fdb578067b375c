// @ts-check
/** A dial for the update gate's bias: a ring to turn, over a native range input. */

import { letter, make, renew, write } from "./dom.js";
import { clamp, format, percent } from "./draw.js";
import { sigmoid } from "./gru.js";

/**
 * @template Now
 * @typedef {import("./state.js").State<Now>} State
 */
/** @typedef {ReturnType<typeof faceOf>} Face */
/**
 * @typedef {object} Rim  what stands there
 * @property {boolean} chronos  whether the biases that chrono initialisation draws are shown
 * @property {number} reach  the steps for which it draws them
 * @property {number | null} made  the model's bias where z keeps; null: not shown
 */

export const LIMIT = 6; // of the bias, both ways
const TURN = 135; // degrees from the top of the dial to either end
const RADIUS = 80; // of the ring
const [WIDTH, LEFT, TOP] = [224, -112, -106]; // of the drawing
const STEP = 0.1;

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

/** A word along the rim. @param {SVGElement} text @param {number} b */
function along(text, b) {
  const [x, y] = at(b, 97);
  const angle = angleOf(b);
  const turn = Math.abs(angle) > 100 ? angle + 180 : angle; // no word upside down
  text.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)}) rotate(${turn.toFixed(1)})`);
}

/** What is drawn of it. */
function faceOf() {
  const word = (/** @type {string} */ text, more = {}) => make("text", { class: "gru-dial-text", ...more }, text);
  const fill = make("path", { class: "gru-ring-fill" });
  const chrono = make("path", { class: "gru-chrono" });
  const chronoName = word("chrono");
  const model = make("path", { class: "gru-of-model" });
  const modelName = word("model", { class: "gru-dial-text gru-dial-model" });
  const knob = make("circle", { class: "gru-knob", r: 11 });
  const ends = [-1, 1].map((side) => word("", { x: 40 * side, y: 86 }));
  const all = Array.from({ length: 2 * LIMIT + 1 }, (_, i) => i - LIMIT);
  const marks = all.map((b) => `M${at(b, 66).join(" ")}L${at(b, b % 2 ? 69 : 71).join(" ")}`).join("");
  const numbers = all
    .filter((b) => b % 2 === 0)
    .map((b) => {
      const [x, y] = at(b, 56);
      return word(format(b, 0), { x, y: y + 3.5 });
    });
  const svg = make(
    "svg",
    { viewBox: `${LEFT} ${TOP} ${WIDTH} 198`, "aria-hidden": "true" },
    make("path", { class: "gru-ring-ground", d: arc(-LIMIT, LIMIT, RADIUS) }),
    fill,
    chrono,
    chronoName,
    make("path", { class: "gru-dial-marks", d: marks }),
    ...numbers,
    ...ends,
    model,
    modelName,
    knob,
  );
  return { svg, fill, chrono, chronoName, model, modelName, knob, ends };
}

/**
 * Draw it as it stands.
 * @param {Face} face
 * @param {{ b: number, keeps: boolean } & Rim} now
 */
function draw({ fill, chrono, chronoName, model, modelName, knob, ends }, { b, keeps, chronos, reach, made }) {
  const sign = keeps ? 1 : -1;
  fill.setAttribute("d", arc(-LIMIT * sign, b, RADIUS));
  const [x, y] = at(b, RADIUS);
  knob.setAttribute("cx", x.toFixed(2));
  knob.setAttribute("cy", y.toFixed(2));
  for (const part of [model, modelName]) part.style.display = made === null ? "none" : "";
  const most = Math.min(LIMIT, Math.log(reach - 1));
  chrono.setAttribute("d", chronos ? arc(0, sign * most, 91) : "");
  write(chronoName, chronos ? "chrono" : "");
  const near = made !== null && Math.abs(made - 0.55 * most) < 1.2;
  along(chronoName, sign * (near ? most : 0.55 * most));
  if (made !== null) {
    model.setAttribute("d", `M${at(sign * made, 73).join(" ")}L${at(sign * made, 92).join(" ")}`);
    along(modelName, sign * made);
  }
  ends.forEach((end, i) => write(end, (i === 1) === keeps ? "keeps" : "forgets"));
}

/**
 * The ring under the pointer.
 * @template Now
 * @param {State<Now>} state
 * @param {HTMLElement} dial
 * @param {SVGElement} svg
 * @param {HTMLInputElement} input
 */
function turning({ on, put }, dial, svg, input) {
  let held = false;
  const follow = (/** @type {PointerEvent} */ event) => {
    const { left, top, width } = svg.getBoundingClientRect();
    const [x, y] = [(WIDTH * (event.clientX - left)) / width + LEFT, (WIDTH * (event.clientY - top)) / width + TOP];
    const radius = Math.hypot(x, y);
    if (event.type === "pointerdown") {
      // A finger that is not on the ring may be about to scroll the page.
      if (event.button > 0 || (event.pointerType === "touch" && radius < 0.6 * RADIUS)) return;
      held = true;
      input.focus({ preventScroll: true });
      if (event.isTrusted) dial.setPointerCapture(event.pointerId);
      event.preventDefault(); // no selection of text
    }
    if (!held || radius < 0.2 * RADIUS) return; // too near the middle to point anywhere
    const b = clamp((Math.atan2(x, -y) * 180) / Math.PI / TURN, -1, 1) * LIMIT;
    const now = Number(input.value);
    if (event.type === "pointermove" && Math.abs(b - now) > LIMIT) return; // not through the gap at the bottom
    input.value = String(b);
    if (Number(input.value) !== now) put({ update_bias: Number(input.value) });
  };
  const release = () => {
    held = false;
  };
  for (const type of ["pointerdown", "pointermove"]) on(dial, type, follow);
  for (const type of ["pointerup", "pointercancel"]) on(dial, type, release);
  on(dial, "click", (/** @type {Event} */ event) => event.preventDefault());
  on(input, "input", () => put({ update_bias: Number(input.value) }));
}

/**
 * A dial that moves the trait "update_bias".
 * @template {{ update_bias: number, z_keeps: boolean }} Now
 * @param {State<Now>} state
 * @param {(now: Now) => Rim} rim
 */
export function dialOf(state, rim) {
  const face = faceOf();
  const input = make("input", { type: "range", min: -LIMIT, max: LIMIT, step: STEP });
  const big = make("span", { class: "gru-dial-bias" });
  const small = make("span", { class: "gru-dial-keep" });
  const dial = make(
    "label",
    { class: "gru-dial" },
    make("span", { class: "gru-unseen" }, "Bias b of the update gate"),
    face.svg,
    input,
    make("span", { class: "gru-dial-words", "aria-hidden": "true" }, big, small),
  );
  turning(state, dial, face.svg, input);
  state.follow((now) => {
    const { update_bias: b, z_keeps: keeps } = now;
    if (Number(input.value) !== b) input.value = String(b);
    input.setAttribute("aria-valuetext", `${format(b, 1)}; a step keeps ${share(sigmoid(keeps ? b : -b))}`);
    draw(face, { b, keeps, ...rim(now) });
    renew(big, make("i", {}, "b"), ` = ${format(b, 1)}`);
    renew(small, letter("z"), ` = ${digits(sigmoid(b))}`);
    return `b ${format(b, 1)}`;
  });
  return dial;
}
