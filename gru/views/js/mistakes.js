// @ts-check
/** What each of the usual mistakes costs: a bar on a linear axis, or the shapes that refuse it. */

import { shapeText } from "./cards.js";
import { make } from "./dom.js";
import { short, tidy } from "./draw.js";
import { FRAMEWORKS } from "./layouts.js";
import { prose } from "./symbols.js";

/** @typedef {import("./layouts.js").Mistake} Mistake */

/** @param {number} rounding  an error below this is none */
export function errorBars(rounding) {
  const list = make("ol", { class: "gru-errors" });
  const axis = make("div");
  let drawn = "";
  return {
    element: make("div", {}, list, make("div", { class: "gru-error-axis", "aria-hidden": "true" }, axis)),
    /** @param {Mistake[]} found @param {(name: string) => string} label */
    draw(found, label) {
      const key = JSON.stringify(found.map((one) => [one, label(one.name)]));
      if (key === drawn) return;
      drawn = key;
      const top = Math.max(...found.map(({ error }) => error ?? 0)) > 1 ? 2 : 1; // states lie between -1 and 1
      list.replaceChildren(...found.map((one) => bar(label(one.name), one, top, rounding)));
      axis.replaceChildren(
        ...[0, top / 4, top / 2, (3 * top) / 4, top].map((v) => make("span", { style: `left:${(100 * v) / top}%` }, tidy(v))),
      );
    },
  };
}

/** @param {string} label @param {Mistake} mistake @param {number} top @param {number} rounding */
function bar(label, { error, shapes }, top, rounding) {
  const what = make("span", { class: "gru-mistake" }, ...prose(label));
  if (error === null || error < rounding) {
    const [wrong, right] = (shapes ?? []).map(shapeText);
    const harmless = shapes ? `refused: ${wrong} where ${right} belongs` : error ? "no error but rounding" : "no error";
    return make("li", {}, what, make("span", { class: "gru-harmless" }, harmless));
  }
  const line = make("i", { style: `width:${Math.max((100 * error) / top, 0.5)}%` });
  const number = make("span", { class: "gru-number", style: `left:${(100 * error) / top}%` }, short(error));
  return make("li", {}, what, make("span", { class: "gru-track" }, line, number));
}

/**
 * What one does wrong, after "if you".
 * @param {string} name
 * @param {string} key  of FRAMEWORKS
 * @param {boolean} after  what is wanted
 */
export function labelOf(name, key, after) {
  const { order, letters } = FRAMEWORKS[key];
  const spelled = (/** @type {string} */ gates) => [...gates].map((gate) => letters[gate] ?? gate).join(", ");
  const upright = ["pytorch", "onnx", "equinox"].includes(key);
  const swapped =
    key === "tf1"
      ? `put ${letters.z} before r`
      : order === "zrn"
        ? `keep the order r, ${spelled("zn")}`
        : "take the order z, r, n, as Keras has it";
  const option =
    key === "onnx"
      ? after
        ? "leave linear_before_reset out"
        : "set linear_before_reset=1"
      : `set reset_after=${after ? "False" : "True"}, and fit the bias’s shape`;
  const forgotten = { flax: "forget hn/bias", equinox: "forget bias_n" }[key] ?? "forget the recurrent biases";
  /** @type {Record<string, string>} */
  const labels = {
    layout: `reset ${after ? "before" : "after"} instead of ${after ? "after" : "before"}`,
    variant: option,
    order: swapped,
    sign: "take z from a cell where it writes",
    recurrent: upright ? "take U’s blocks transposed, as Keras has them" : "leave U’s blocks untransposed",
    kernel: upright ? "take W’s blocks transposed too" : "leave W’s blocks untransposed",
    merged: "add b_hn to b_in",
    dropped: forgotten,
    start: "leave gates/bias at 1",
  };
  return labels[name];
}
