// @ts-check
/** WeightLayouts: one GRU's weights as six frameworks lay them out, and what the usual mistakes cost. */

import { choice, reset, tries } from "./bound.js";
import { cards } from "./cards.js";
import { make, write } from "./dom.js";
import { short } from "./draw.js";
import { decode, forward } from "./gru.js";
import { FRAMEWORKS, mistakes } from "./layouts.js";
import { errorBars, labelOf } from "./mistakes.js";
import { memo, stateOf } from "./state.js";
import { prose } from "./symbols.js";
import { view } from "./view.js";

/** @typedef {import("./variant_lab.js").Data} Data */
/** @typedef {ReturnType<typeof read>} Now */
/** @typedef {import("./state.js").State<Now>} State */

const TRAITS = ["framework", "reset_after"];
const KEYS = Object.keys(FRAMEWORKS);
const ROUNDING = 1e-12; // what double precision leaves over 24 steps

/** The state, from the traits. @param {import("./state.js").Reader} traits */
function read({ flag, text, sent }) {
  const framework = text("framework");
  return {
    data: /** @type {Data} */ (sent("_data")),
    framework: KEYS.includes(framework) ? framework : KEYS[0],
    reset_after: flag("reset_after"),
  };
}

/** What every framework computes with the weights laid out as well as it can, and what the chosen one's mistakes would. */
function numbersOf() {
  const known = memo((/** @type {Data} */ data) => {
    const [x, weight_ih, weight_hh, bias_ih, bias_hh] = [data.x, data.weight_ih, data.weight_hh, data.bias_ih, data.bias_hh].map(decode);
    return { x, weights: { weight_ih, weight_hh, bias_ih, bias_hh }, D: weight_ih.length / bias_ih.length, H: data.hidden_size };
  });
  const wanted = memo((/** @type {Data} */ data, /** @type {boolean} */ reset_after) => {
    const { x, weights, ...sizes } = known(data);
    const right = { ...weights, reset_after };
    const truth = forward(x, right).h;
    return { x, right, truth, ...sizes, off: KEYS.map((key) => mistakes(key, right, x, truth, false)[0].error ?? 0) };
  });
  const found = memo((/** @type {ReturnType<typeof wanted>} */ { right, x, truth }, /** @type {string} */ key) =>
    mistakes(key, right, x, truth),
  );
  return (/** @type {Now} */ { data, framework, reset_after }) => {
    const base = wanted(data, reset_after);
    return { ...base, base, found: found(base, framework) };
  };
}

/** @param {import("./view.js").Context} context */
function build(context) {
  const state = stateOf(context, read);
  const numbers = numbersOf();
  const says = make("p", { class: "gru-says", "aria-live": "polite" });
  const call = make("code");
  const note = make("p", { class: "gru-remark" });
  const lead = make("p", { class: "gru-lead" });
  const table = cards(state, ROUNDING);
  const errors = errorBars(ROUNDING);
  const wanted = choice(state, "reset_after", "The weights are for", [
    [true, "reset after"],
    [false, "reset before"],
  ]);
  state.lay(
    make("div", { class: "gru-bar" }, wanted, reset(state, TRAITS)),
    says,
    table.element,
    make("p", { class: "gru-call" }, call),
    note,
    table.arrays,
    lead,
    errors.element,
    tries(state, trials()),
    make("p", { class: "gru-where" }, "All numbers, the mistakes’ too, are computed in this page."),
  );
  context.root.setAttribute("aria-label", "The same weights in six frameworks");

  const draw = memo((/** @type {ReturnType<ReturnType<typeof numbersOf>>["base"]} */ base, /** @type {string} */ framework) => {
    const { variants } = FRAMEWORKS[framework];
    const after = variants.includes(base.right.reset_after) ? base.right.reset_after : variants[0];
    write(call, FRAMEWORKS[framework].call(base.H, after).replace("D,", `${base.D},`));
    table.draw(framework, base.off, base.right.reset_after, base.D, base.H);
  });
  return () => {
    const now = state.refresh();
    const { base, found } = numbers(now);
    draw(base, now.framework);
    const { shown, cannot, said } = told(now, found);
    note.replaceChildren(...prose(FRAMEWORKS[now.framework].note));
    write(
      lead,
      cannot ? "Largest error in h of the layout that comes nearest" : "Largest error in h if, with these weights and this sequence, you",
    );
    errors.draw(shown, (name) => labelOf(name, now.framework, now.reset_after));
    if (says.dataset.said !== said) says.replaceChildren(...prose(said));
    says.dataset.said = said;
  };
}

/**
 * What is to be shown of the mistakes, and the headline.
 * @param {Now} now
 * @param {import("./layouts.js").Mistake[]} found
 */
function told({ framework, reset_after }, found) {
  const { name, variants } = FRAMEWORKS[framework];
  const off = found[0].error ?? 0;
  if (!variants.includes(reset_after)) {
    const only = `${name} resets ${reset_after ? "before" : "after"} the product only`;
    const so =
      off < ROUNDING ? "which here makes no difference" : `so it cannot compute this cell: its nearest layout is off by ${short(off)}`;
    return { shown: found, cannot: true, said: `${only}, ${so}.` };
  }
  const shown = found.slice(1);
  const silent = shown.filter(({ error }) => error !== null && error >= ROUNDING);
  const worst = shown.reduce((a, b) => ((b.error ?? 0) > (a.error ?? 0) ? b : a));
  const said = `${name}: ${silent.length} of ${shown.length} usual mistakes ${silent.length === 1 ? "fits" : "fit"} every shape. The worst is off by ${short(worst.error ?? 0)}: ${labelOf(worst.name, framework, reset_after)}.`;
  return { shown, cannot: false, said };
}

/** @returns {import("./bound.js").Trial<Now>[]} */
function trials() {
  return [
    {
      name: "From PyTorch to Keras",
      put: () => ({ framework: "keras", reset_after: true }),
      see: () =>
        "z comes before r, and every block is transposed. No shape tells of a wrong order, nor of U’s square blocks left as they were.",
    },
    {
      name: "An ONNX file from elsewhere",
      put: () => ({ framework: "onnx", reset_after: true }),
      see: () => "Every shape is the same for both variants: a wrong linear_before_reset passes in silence.",
    },
    {
      name: "An old checkpoint",
      put: () => ({ framework: "tf1", reset_after: false }),
      see: () => "Weights for the reset before fit TF1, and the frameworks that only reset after are off.",
    },
  ];
}

export default view("weight-layouts", [...TRAITS, "_data"], build);
