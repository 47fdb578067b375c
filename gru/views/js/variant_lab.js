// @ts-check
/** VariantLab: one set of weights with the reset before and after the product, and as six frameworks lay it out. */

import { chart } from "./chart.js";
import { advice, button, choice, slider, tick } from "./controls.js";
import { clamp, format, power, short } from "./draw.js";
import { decode, forward } from "./gru.js";
import { agreement, FRAMEWORKS, gap, mistakes, shapeOf, terms, variant } from "./layouts.js";
import { letter, make, write } from "./dom.js";
import { view } from "./view.js";

/**
 * What Python sends (variant_lab.py); numbers as float32 in base64.
 * @typedef {object} Data
 * @property {string} x  (T, D)
 * @property {string} weight_ih  (3H, D)
 * @property {string} weight_hh  (3H, H)
 * @property {string} bias_ih  (3H)
 * @property {string} bias_hh  (3H)
 * @property {number} hidden_size
 * @property {number} steps
 * @property {boolean} has_bias  whether these weights bring a b_hn
 * @property {Record<string, any>} start  the traits to go back to
 */

const WEIGHTS = ["candidate_bias", "scale", "units", "resets", "diagonal", "reset_after"];
const TRAITS = [...WEIGHTS, "unit", "step", "framework", "_data"];
const ROUNDING = 1e-12; // a difference below this is what double precision leaves over 24 steps, and no more
const [LOW, HIGH] = [-3, 0.5]; // of the errors' axis, powers of ten
const KEYS = Object.keys(FRAMEWORKS);

const sub = (/** @type {string} */ main, /** @type {string} */ index) =>
  make("span", { class: "gru-symbol" }, make("i", {}, main), make("sub", {}, index));
/** Text in which U_n and b_hn stand as people write them. @param {string} text */
const prose = (text) => text.split(/\b([UWb]_\w+)/).map((part, i) => (i % 2 ? sub(part[0], part.slice(2)) : part));
let tables = 0; // radio buttons of one table share a name

/** @param {{ model: import("./view.js").Model, root: HTMLElement, signal: AbortSignal }} context */
function build({ model, root, signal }) {
  const put = (/** @type {Record<string, any>} */ values) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    model.save_changes();
  };
  const on = (/** @type {HTMLElement} */ element, /** @type {string} */ event, /** @type {(event: any) => void} */ listener) =>
    element.addEventListener(event, listener, { signal });

  // Controls
  const bias = slider(make("span", {}, "Candidate’s bias ", sub("b", "hn")), { min: 0, max: 4, step: 0.1 });
  const scale = slider(make("span", {}, "Scale of ", make("i", {}, "U")), { min: 0, max: 4, step: 0.1 });
  const units = slider("Units", { min: 1, max: 8 });
  const resets = choice(make("span", {}, "Reset gates ", letter("r")), [
    ["own", "one a unit"],
    ["same", "one for all"],
    ["open", "all 1"],
  ]);
  const diagonal = tick(make("span", {}, sub("U", "n"), " diagonal"));
  const reset = button("Reset");
  const unit = slider("Unit", { min: 1, max: 8 });
  const step = slider("Step", { min: 1, max: 24 });

  // Drawings
  const states = chart("states", [letter("h"), " of both cells"], { along: "step" });
  const gaps = chart("gaps", ["Largest difference over the units"], { along: "step" });
  const panels = make("div", { class: "gru-panels" }, states.panel, gaps.panel);
  const verdict = make("p", { class: "gru-verdict" });
  const sum = make("div", { class: "gru-equation" });
  const says = make("p", { class: "gru-says", "aria-live": "polite" });
  const rosetta = rosettaTable();

  root.setAttribute("aria-label", "One set of weights, reset before and after the product");
  root.replaceChildren(
    make("div", { class: "gru-bar" }, bias.control, scale.control, units.control),
    make("div", { class: "gru-bar" }, resets.control, diagonal.control, reset),
    make(
      "div",
      { class: "gru-halves" },
      make(
        "div",
        { class: "gru-half" },
        verdict,
        panels,
        make("div", { class: "gru-bar gru-cursor" }, unit.control, step.control),
        make("p", { class: "gru-lead" }, "What this step adds: from one state, inside the tanh, after minus before"),
        sum,
      ),
      make("div", { class: "gru-half" }, rosetta.element),
    ),
    says,
    advice(
      "Take the candidate’s bias to 0. You should see the two still differ: with several units the product mixes states that different reset gates have scaled.",
      "Now leave one unit. You should see the difference vanish: a single number may be multiplied before or after. Bring the bias back, and it returns: after the product, r scales the bias as well.",
      "Find other ways to make them equal. There are four more with these controls. You should see “Equal” and the reason.",
      "Choose ONNX in the table, then Keras. You should see which mistakes pass in silence because every shape fits.",
      "Let the frameworks compute “before the product”. You should see TF1 take the weights, and the frameworks that reset after only lose them.",
    ),
    make("p", { class: "gru-note" }, "All numbers, the mistakes’ too, are computed in this page."),
  );

  /** @type {any} */
  let now;
  /** @type {any} */
  let known = null; // Data, decoded
  /** @type {any} */
  let run; // of compute()
  let keys = { run: "", lines: "", table: "" };

  function readState() {
    const data = /** @type {Data} */ (model.get("_data"));
    const H = clamp(Math.round(model.get("units")), 1, data.hidden_size);
    return {
      data,
      steps: data.steps,
      units: H,
      candidate_bias: clamp(model.get("candidate_bias"), 0, 4),
      scale: clamp(model.get("scale"), 0, 4),
      resets: model.get("resets"),
      diagonal: Boolean(model.get("diagonal")),
      reset_after: Boolean(model.get("reset_after")),
      has_bias: data.has_bias,
      unit: clamp(Math.round(model.get("unit")), 0, H - 1),
      step: clamp(Math.round(model.get("step")), 0, data.steps - 1),
      framework: KEYS.includes(model.get("framework")) ? model.get("framework") : KEYS[0],
    };
  }

  function update() {
    now = readState();
    if (now.data !== known?.data) {
      const { data } = now;
      known = {
        data,
        ...Object.fromEntries(["x", "weight_ih", "weight_hh", "bias_ih", "bias_hh"].map((name) => [name, decode(data[name])])),
      };
      keys = { run: "", lines: "", table: "" };
    }
    const whole = JSON.stringify(WEIGHTS.map((name) => now[name]));
    if (keys.run !== whole) {
      run = compute(known, now);
      drawGaps();
      rosetta.draw(run, now);
    }
    if (keys.lines !== whole + now.unit) drawStates();
    if (keys.table !== whole + now.framework) rosetta.open(run, now, known);
    keys = { run: whole, lines: whole + now.unit, table: whole + now.framework };
    moveCursor();
  }

  function drawStates() {
    const { unit: u, units: H, steps } = now;
    const of = (/** @type {{ h: Float64Array }} */ { h }) => Array.from({ length: steps }, (_, t) => h[t * H + u]);
    const [after, before] = [of(run.after), of(run.before)];
    const most = Math.max(...[...after, ...before].map(Math.abs));
    const top = [0.1, 0.25, 0.5].find((value) => value >= most) ?? 1;
    states.draw({
      x: [1, Math.max(2, steps)],
      y: [-top, top],
      yTicks: [-top, 0, top].map((v) => [v, String(v).replace("-", "−")]),
      lines: [
        { values: after, from: 1, kind: "gru-line-h", name: run.equal ? "both" : "after" },
        { values: before, from: 1, kind: "gru-dashed gru-line-h", name: run.equal ? undefined : "before" },
      ],
    });
    states.describe(
      `State of unit ${u + 1} over ${steps} steps, reset after and before: they differ by at most ${short(gap(after, before))}`,
    );
  }

  function drawGaps() {
    const { steps } = now;
    const top = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1].find((value) => value >= run.most) ?? 2;
    gaps.draw({
      x: [1, Math.max(2, steps)],
      y: [0, top],
      yTicks: [0, top / 2, top].map((v) => [v, String(v)]),
      lines: [{ values: run.gaps, from: 1, kind: "gru-line-plain" }],
    });
    gaps.describe(
      `Largest difference of the two states over the units, at each of ${steps} steps; at most ${short(run.most)}, at step ${run.worst + 1}`,
    );
  }

  function moveCursor() {
    const { data, units: H, unit: u, step: t, steps } = now;
    units.input.max = String(data.hidden_size);
    unit.input.max = String(H);
    unit.input.disabled = H === 1;
    step.input.max = String(steps);
    bias.show(now.candidate_bias, (now.has_bias ? "× " : "") + format(now.candidate_bias, 1));
    scale.show(now.scale, `× ${format(now.scale, 1)}`);
    units.show(H, String(H));
    resets.show(now.resets);
    diagonal.input.checked = now.diagonal;
    unit.show(u + 1, `${u + 1} of ${H}`);
    step.show(t + 1, `${t + 1} of ${steps}`);
    rosetta.show(now);
    const [after, before] = [run.after.h[t * H + u], run.before.h[t * H + u]];
    states.mark(t + 1, `after ${format(after)}, before ${format(before)}`);
    gaps.mark(t + 1, short(run.gaps[t]));
    verdict.classList.toggle("gru-equal", run.equal);
    const [first, rest] = run.equal
      ? ["Equal.", `The largest difference is ${run.most ? `${short(run.most)}, rounding` : "0"}. ${reason(run.why)}`]
      : [`They differ by up to ${short(run.most)}.`, missing(run, now)];
    verdict.replaceChildren(make("b", {}, first), " ", ...prose(rest));
    sum.replaceChildren(...addition(terms(run.weights, run.after.r, run.after.h, t, u)));
    write(says, sentence(after, before));
  }

  /** @param {number} after @param {number} before */
  function sentence(after, before) {
    const { unit: u, step: t } = now;
    const whole = run.equal
      ? `Both cells are equal: the largest difference is ${run.most ? `${short(run.most)}, which is rounding` : "0"}.`
      : `The cells differ by up to ${short(run.most)}, at step ${run.worst + 1}.`;
    const here = `Unit ${u + 1} at step ${t + 1}: ${format(after, 3)} with the reset after, ${format(before, 3)} before.`;
    return `${whole} ${here} ${rosetta.sentence()}`;
  }

  // From the page to the model
  on(bias.input, "input", () => put({ candidate_bias: Number(bias.input.value) }));
  on(scale.input, "input", () => put({ scale: Number(scale.input.value) }));
  on(units.input, "input", () => put({ units: Number(units.input.value), unit: Math.min(now.unit, Number(units.input.value) - 1) }));
  for (const input of resets.inputs) on(input, "change", () => put({ resets: input.value }));
  on(diagonal.input, "change", () => put({ diagonal: diagonal.input.checked }));
  on(unit.input, "input", () => put({ unit: Number(unit.input.value) - 1 }));
  on(step.input, "input", () => put({ step: Number(step.input.value) - 1 }));
  on(reset, "click", () => put(now.data.start));
  for (const input of rosetta.variants) on(input, "change", () => put({ reset_after: input.value === "after" }));
  for (const [key, { input, row }] of Object.entries(rosetta.rows)) {
    on(input, "change", () => put({ framework: key }));
    on(row, "click", () => put({ framework: key }));
  }
  for (const { plot, under } of [states, gaps]) {
    const point = (/** @type {PointerEvent} */ event) => put({ step: Math.round(under(event)) - 1 });
    on(plot, "pointermove", point);
    on(plot, "pointerdown", point);
  }

  return update;
}

/**
 * Both runs, their difference, and each framework's right layout.
 * @param {any} known
 * @param {any} now
 */
function compute(known, now) {
  const { x } = known;
  const { units: H, steps, reset_after } = now;
  const weights = variant(known, now);
  const after = forward(x, { ...weights, reset_after: true });
  const before = forward(x, { ...weights, reset_after: false });
  const gaps = Array.from({ length: steps }, (_, t) => gap(after.h.subarray(t * H, (t + 1) * H), before.h.subarray(t * H, (t + 1) * H)));
  const most = Math.max(...gaps);
  const truth = (reset_after ? after : before).h;
  const layouts = Object.fromEntries(KEYS.map((key) => [key, mistakes(key, weights, x, truth, false)[0].error ?? 0]));
  return {
    weights,
    after,
    before,
    gaps,
    most,
    worst: gaps.indexOf(most),
    equal: most < ROUNDING,
    why: agreement(weights, after.r),
    truth,
    layouts,
  };
}

const MIXED = {
  unit: "There is one unit, so the product is a plain multiplication, and its order does not matter.",
  zero: "U_n is zero, so there is no product that could mix anything.",
  diagonal: "U_n is diagonal, so no unit reads another’s state, and the order of two factors does not matter.",
  same: "Every unit has the same r at each step, a number that may stand before the product or after it.",
  blocks: "U_n mixes only units whose reset gates are the same.",
};

/** @param {ReturnType<typeof agreement>} why */
function reason(why) {
  if (!why) return "Nothing in these weights makes it so, but over this sequence the difference is that small.";
  if (why.mixed === "open") return "Every r is 1: nothing is reset, before or after.";
  return `${MIXED[why.mixed]} And ${why.scaled === "zero" ? "b_hn is 0, so r has nothing else to scale" : "r is 1 where b_hn is not 0"}.`;
}

/** What keeps the two apart. @param {any} run @param {any} now */
function missing({ weights, after, most }, { units: H }) {
  if (agreement(weights, after.r)) return "That is rounding too, grown over the steps: in exact arithmetic they are equal.";
  const noBias = { ...weights, bias_hh: new Float64Array(3 * H) };
  const mixes = !agreement(noBias, after.r);
  const scales = Array.from({ length: H }, (_, i) => weights.bias_hh[2 * H + i]).some((b) => b !== 0);
  const bias = "r scales b_hn only where it comes after the product";
  const mixing = "U_n mixes units whose reset gates differ";
  return most > 0 ? `${mixes && scales ? `${mixing}, and ${bias}` : mixes ? mixing : `${bias[0].toUpperCase()}${bias.slice(1)}`}.` : "";
}

/**
 * The sum of what one step adds, each term over its number.
 * @param {{ mixed: number, scaled: number, reset: number }} parts
 */
function addition({ mixed, scaled, reset }) {
  const term = (/** @type {(Node | string)[]} */ symbol, /** @type {number} */ value, /** @type {string} */ what) =>
    make(
      "span",
      { class: "gru-term" },
      make("span", { class: "gru-formula" }, ...symbol),
      make("span", { class: "gru-number" }, format(value, 3)),
      make("span", { class: "gru-note" }, what),
    );
  const sign = (/** @type {string} */ text) => make("span", { class: "gru-sign" }, text);
  const r = (/** @type {string} */ index) => make("span", { class: "gru-symbol gru-r" }, make("i", {}, "r"), make("sub", {}, index));
  const state = make("span", { class: "gru-symbol gru-h" }, make("i", {}, "h"), make("sub", {}, "j"));
  return [
    term(["Σ ", sub("U", "ij"), " (", r("i"), " − ", r("j"), ") ", state], mixed, "units mixed"),
    make("span", { class: "gru-group" }, sign("+"), term(["(", r("i"), " − 1) ", sub("b", "hn")], scaled, `bias, r = ${format(reset)}`)),
    make("span", { class: "gru-group" }, sign("="), term(["sum"], mixed + scaled, "inside the tanh")),
  ];
}

/** The frameworks, and one of them opened: its arrays, and what each mistake costs. */
function rosettaTable() {
  const group = `gru-framework-${(tables += 1)}`;
  const compute = choice("The weights are for", [
    ["after", "reset after"],
    ["before", "reset before"],
  ]);
  const rows = Object.fromEntries(
    KEYS.map((key) => {
      const { name, order, letters, kernel, biases, variants } = FRAMEWORKS[key];
      const input = make("input", { type: "radio", name: group, value: key });
      const gates = order ? [...order].map((gate) => gateName(gate, letters)) : ["by name"];
      const right = make("td", { class: "gru-right" });
      const resets = { truefalse: "either", true: "after", false: "before" }[variants.join("")] ?? "";
      const row = make(
        "tr",
        {},
        make("th", { scope: "row" }, make("label", {}, input, make("span", {}, name))),
        make("td", { class: "gru-order" }, ...gates.flatMap((gate, i) => (i ? [" ", gate] : [gate]))),
        make("td", { class: "gru-wide" }, kernel),
        make("td", { class: "gru-wide" }, biases),
        make("td", {}, resets),
        right,
      );
      return [key, { row, input, right }];
    }),
  );
  const head = (/** @type {[string, string][]} */ ...names) =>
    make("tr", {}, ...names.map(([text, kind]) => make("th", { scope: "col", class: kind }, text)));
  const table = make(
    "table",
    { class: "gru-rosetta" },
    make("caption", {}, "How each lays them out. In all of them z keeps; D inputs, H units."),
    make(
      "thead",
      {},
      head(["Framework", ""], ["Order", ""], ["Kernel", "gru-wide"], ["Biases", "gru-wide"], ["Resets", ""], ["Right layout", ""]),
    ),
    make("tbody", {}, ...Object.values(rows).map(({ row }) => row)),
  );
  const call = make("code");
  const note = make("p", { class: "gru-remark" });
  const arrays = make("div", { class: "gru-arrays" });
  const bars = make("ol", { class: "gru-errors" });
  const decades = Array.from({ length: Math.floor(HIGH) - LOW + 1 }, (_, i) =>
    make("span", { style: `left:${place(10 ** (LOW + i))}%` }, power(LOW + i)),
  );
  const axis = make("div", { class: "gru-error-axis", "aria-hidden": "true" }, make("div", {}, ...decades));
  const lead = make("p", { class: "gru-lead" });
  const title = make("p", { class: "gru-heading" }, "The same weights in six frameworks");
  const element = make(
    "div",
    { class: "gru-frameworks" },
    title,
    compute.control,
    table,
    make("p", { class: "gru-call" }, call),
    note,
    arrays,
    lead,
    bars,
    axis,
  );
  let spoken = "";

  return {
    element,
    rows,
    variants: compute.inputs,
    /** The table. @param {any} run @param {any} now */
    draw({ layouts }, { reset_after }) {
      for (const [key, { right }] of Object.entries(rows)) {
        const fits = FRAMEWORKS[key].variants.includes(reset_after);
        write(
          right,
          fits ? (layouts[key] ? "equal to rounding" : "equal") : layouts[key] < ROUNDING ? "equal here" : `off by ${short(layouts[key])}`,
        );
        right.classList.toggle("gru-off", layouts[key] >= ROUNDING);
      }
    },
    /** The framework that is chosen. @param {any} run @param {any} now @param {any} known */
    open({ weights, truth }, { framework, reset_after, units: H }, { x, bias_ih, weight_ih }) {
      const D = weight_ih.length / bias_ih.length;
      const { name, variants, letters, layout } = FRAMEWORKS[framework];
      const after = variants.includes(reset_after) ? reset_after : variants[0];
      write(call, FRAMEWORKS[framework].call(H, after).replace("D,", `${D},`));
      const found = mistakes(framework, weights, x, truth);
      const off = found[0].error ?? 0;
      const only = `${name} resets ${after ? "after" : "before"} the product only`;
      const cannot =
        after === reset_after
          ? ""
          : off < ROUNDING
            ? `${only}, which here makes no difference. `
            : `${only}, so it cannot compute this cell: no layout is right. `;
      note.replaceChildren(...prose(cannot + FRAMEWORKS[framework].note));
      arrays.replaceChildren(...layout(after).map((one) => picture(one, D, H, letters)));
      write(
        lead,
        cannot ? "Largest error in h of the layout that comes nearest" : "Largest error in h if, with these weights and this sequence, you",
      );
      const shown = cannot ? found : found.slice(1);
      bars.replaceChildren(...shown.map((one) => bar(labelOf(one.name, framework, reset_after), one)));
      const worst = shown.reduce((a, b) => ((b.error ?? 0) > (a.error ?? 0) ? b : a));
      spoken = cannot
        ? `${only}: its nearest layout is off by ${short(off)}.`
        : `${name}: the worst of ${shown.length} mistakes is off by ${short(worst.error ?? 0)}.`;
    },
    /** What is chosen. @param {any} now */
    show({ framework, reset_after }) {
      compute.show(reset_after ? "after" : "before");
      for (const [key, { row, input }] of Object.entries(rows)) {
        input.checked = key === framework;
        row.classList.toggle("gru-chosen", key === framework);
      }
    },
    sentence: () => spoken,
  };
}

/** @param {string} gate  r, z or n @param {Record<string, string>} letters */
const gateName = (gate, letters) => make("b", { class: `gru-letter gru-${gate}` }, letters[gate] ?? gate);

/** What one does wrong, after "if you". @param {string} name @param {string} key @param {boolean} after */
function labelOf(name, key, after) {
  const { order, letters } = FRAMEWORKS[key];
  const spelled = (/** @type {string} */ gates) => [...gates].map((gate) => letters[gate] ?? gate).join(", ");
  const twoKernels = key === "tf1";
  const upright = ["pytorch", "onnx", "equinox"].includes(key);
  switch (name) {
    case "layout":
      return `reset ${after ? "before" : "after"} instead of ${after ? "after" : "before"}`;
    case "variant":
      if (key === "onnx") return after ? "leave linear_before_reset out" : "set linear_before_reset=1";
      return `set reset_after=${after ? "False" : "True"}, and fit the bias’s shape`;
    case "order":
      return twoKernels
        ? `put ${letters.z} before r`
        : order === "zrn"
          ? `keep the order r, ${spelled("zn")}`
          : "take the order z, r, n, as Keras has it";
    case "sign":
      return "take z from a cell where it writes";
    case "recurrent":
      return upright ? "take U’s blocks transposed, as Keras has them" : "leave U’s blocks untransposed";
    case "kernel":
      return upright ? "take W’s blocks transposed too" : "leave W’s blocks untransposed";
    case "merged":
      return "add b_hn to b_in";
    case "dropped":
      return key === "flax" ? "forget hn/bias" : key === "equinox" ? "forget bias_n" : "forget the recurrent biases";
    default:
      return "leave gates/bias at 1";
  }
}

/** Where a number stands on the errors' axis, in percent. @param {number} value */
const place = (value) => (100 * (clamp(Math.log10(value), LOW, HIGH) - LOW)) / (HIGH - LOW);

/** @param {string} label @param {import("./layouts.js").Mistake} mistake */
function bar(label, { error, shapes }) {
  const what = make("span", { class: "gru-mistake" }, ...prose(label));
  if (error === null || error < ROUNDING) {
    const [wrong, right] = (shapes ?? []).map(shapeText);
    return make(
      "li",
      {},
      what,
      make(
        "span",
        { class: "gru-harmless" },
        shapes ? `refused: ${wrong} where ${right} belongs` : error ? "no error but rounding" : "no error",
      ),
    );
  }
  const track = make("span", { class: "gru-track", "aria-hidden": "true" }, make("i", { style: `width:${Math.max(place(error), 0.8)}%` }));
  return make("li", {}, what, track, make("span", { class: "gru-number" }, short(error)));
}

/** @param {number[]} shape */
const shapeText = (shape) => (shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`);

/**
 * An array as its blocks, in the gates' colours: its name, its shape, and what stands where.
 * @param {import("./layouts.js").Layout} layout
 * @param {number} D
 * @param {number} H
 * @param {Record<string, string>} letters
 */
function picture(layout, D, H, letters) {
  const { name, grid } = layout;
  const meaning = (/** @type {string} */ [part, gate, mark]) => {
    if (part === "W" || part === "U") return `${part}_${gate}${mark ? " transposed" : ""}`;
    const [input, recurrent] = gate === "n" ? ["b_in", "b_hn"] : [`b_i${gate}`, `b_h${gate}`];
    return part === "s" ? `${input} + ${recurrent}` : part === "i" ? input : recurrent;
  };
  const side = (/** @type {number} */ count) => clamp((2.4 * count) / Math.max(D, H), 1.25, 2.4); // rem
  const tall = (/** @type {string} */ [part, , mark]) => (part === "W" ? (mark ? D : H) : part === "U" ? H : 0);
  const wide = (/** @type {string} */ [part, , mark]) => (part === "W" && !mark ? D : H);
  const blocks = grid.flatMap((tiles) =>
    tiles.map((tile) =>
      make(
        "span",
        { class: `gru-block gru-block-${tile[1]}`, title: meaning(tile), style: `height:${side(tall(tile))}rem` },
        make("i", {}, letters[tile[1]] ?? tile[1]),
      ),
    ),
  );
  const columns = grid[0].map((tile) => `${side(wide(tile))}rem`).join(" ");
  const words = grid.map((tiles) => tiles.map(meaning).join(", ")).join("; ");
  const shape = shapeText(shapeOf(layout, D, H));
  return make(
    "figure",
    { class: "gru-array" },
    make(
      "div",
      { class: "gru-blocks", role: "img", "aria-label": `${name}, shape ${shape}: ${words}`, style: `grid-template-columns:${columns}` },
      ...blocks,
    ),
    make("figcaption", {}, make("code", {}, name), " ", make("span", { class: "gru-note" }, shape)),
  );
}

export default view("variant-lab", TRAITS, build);
