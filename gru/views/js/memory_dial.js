// @ts-check
/** MemoryDial: the update gate's bias, how long a bit can be read with it, and how long a model keeps one. */

import { chart } from "./chart.js";
import { advice, button, choice, list, slider } from "./controls.js";
import { dialOf, digits, LIMIT, share } from "./dial.js";
import { clamp, format, short } from "./draw.js";
import { decode, sigmoid } from "./gru.js";
import { crossing, measure, ruleOfThumb, timeConstant, until, whole } from "./memory.js";
import { letter, make, write } from "./dom.js";
import { view } from "./view.js";

/**
 * What Python sends (memory_dial.py). A part is one layer and direction of the model.
 * @typedef {object} Part
 * @property {string} name
 * @property {number} hidden_size
 * @property {"keeps" | "writes" | null} convention
 * @property {number | null} bias  on the dial, where z keeps, at which the part is as it was made
 * @property {string} reason  why the page cannot run it; empty if it can
 * @property {Record<string, any> | null} weights
 * @property {string[] | null} x  its inputs, one per sequence, in the order in which it reads them
 * @property {string[] | null} signs  the bit's pattern, one per sequence
 * @property {{ whole: string, carry: string | null, keep: number | null } | null} measured  where Python ran it
 */

/** @typedef {import("./memory.js").Memory} Memory */

const LOWEST = 1e-3; // end of the logarithmic axis
const [SHORTEST, LONGEST] = [10, 1000]; // steps
const TRAITS = ["update_bias", "z_keeps", "noise", "steps", "step", "log", "layer", "_data"];

// Words for numbers

/** @param {number} value */
const small = (value) => (value < 0.01 ? short(value) : format(value));

/** A length of time. @param {number} t */
const length = (t) => (t >= 99.95 ? format(t, 0) : format(t, 1));

/** @param {number} t */
const steps = (t) => `${length(t)} ${length(t) === "1.0" ? "step" : "steps"}`;

/** Whole steps. @param {number} n */
const count = (n) => `${n} ${n === 1 ? "step" : "steps"}`;

/** @param {{ model: import("./view.js").Model, root: HTMLElement, signal: AbortSignal }} context */
function build({ model, root, signal }) {
  const put = (/** @type {Record<string, any>} */ values) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    model.save_changes();
  };
  const on = (/** @type {EventTarget} */ element, /** @type {string} */ event, /** @type {(event: any) => void} */ listener) =>
    element.addEventListener(event, listener, { signal });

  // Controls
  const dial = dialOf(signal, (b) => put({ update_bias: b }));
  const convention = choice(letter("z"), [
    ["keeps", "keeps"],
    ["writes", "writes"],
  ]);
  const negate = button("Negate ");
  negate.append(make("i", {}, "b"));
  const layer = list("Layer");
  const far = slider(make("span", {}, "Steps ", make("i", {}, "T")), { min: 0, max: 40 });
  const noise = slider("Noise", { min: 0.01, max: 0.5, step: 0.01 });
  const scale = choice("Axis", [
    ["linear", "linear"],
    ["log", "log"],
  ]);
  const cursor = slider(make("span", {}, "Read after step ", make("i", {}, "t")), { min: 0, max: 40 });
  const reset = button("Reset");

  // Drawing
  const left = chart("memory", ["what is left of the bit"], { along: "steps t since it was written" });
  const area = make("path", { class: "gru-area" });
  const band = make("rect", { class: "gru-noise", x: 0, width: 1 });
  const under = make("svg", { class: "gru-under", viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" }, area, band);
  left.plot.prepend(under);
  const tooFaint = make("span", { class: "gru-faint", "aria-hidden": "true" });
  // Where the curve is down to a half, to 1/e, to the noise
  const points = ["½", "1/e", ""].map((text) => make("i", { class: "gru-point" }, make("span", { "aria-hidden": "true" }, text)));
  const drops = points.map(() => make("i", { class: "gru-drop" }));
  left.plot.append(tooFaint, ...drops, ...points);
  const rows = {
    half: ruler("half-life ", make("i", {}, "τ"), " ln 2"),
    tau: ruler("time constant ", make("i", {}, "τ"), " = −1 / ln ", make("span", { class: "gru-kept" })),
    rule: ruler("rule of thumb ", make("span", { class: "gru-rule" })),
    read: ruler("readable above the noise"),
  };
  left.plot.after(make("div", { class: "gru-rulers" }, ...Object.values(rows).map(({ row }) => row)));
  const equation = make("p", { class: "gru-equations" });
  const why = make("p", { class: "gru-why" });
  const says = make("p", { class: "gru-says", "aria-live": "polite" });
  const where = make("p", { class: "gru-note" });
  const tries = make("div");

  root.setAttribute("aria-label", "Memory of the update gate's bias");
  root.replaceChildren(
    make("div", { class: "gru-bar" }, layer.control, far.control, noise.control, scale.control, reset),
    make(
      "div",
      { class: "gru-desk" },
      make("div", { class: "gru-turn" }, dial.dial, make("div", { class: "gru-bar" }, convention.control, negate)),
      make("div", { class: "gru-show" }, left.panel, make("div", { class: "gru-bar" }, cursor.control)),
    ),
    equation,
    says,
    why,
    tries,
    where,
  );

  /** @type {ReturnType<typeof readState>} */
  let now;
  /** @type {any} */
  let data = null; // as Python sent it
  /** @type {any[]} */
  let parts = []; // the same, decoded
  /** @type {Memory | null} */
  let measured = null;
  let measuredFor = "";

  function readState() {
    const sent = model.get("_data");
    const b = clamp(model.get("update_bias"), -LIMIT, LIMIT);
    const z_keeps = Boolean(model.get("z_keeps"));
    const T = clamp(Math.round(model.get("steps")), SHORTEST, LONGEST);
    return {
      data: sent,
      b,
      z_keeps,
      k: z_keeps ? b : -b,
      noise: clamp(model.get("noise"), 0.01, 0.5),
      steps: T,
      step: clamp(Math.round(model.get("step")), 0, T),
      log: Boolean(model.get("log")),
      layer: clamp(Math.round(model.get("layer")), 0, Math.max(0, sent.parts.length - 1)),
    };
  }

  function update() {
    now = readState();
    if (now.data !== data) newData();
    const part = parts[now.layer] ?? null;
    const shift = part && !part.reason ? now.k - part.bias : 0;
    const key = `${now.layer} ${shift}`;
    if (key !== measuredFor) measured = part && (part.reason ? part.measured : measure(part, shift, data.bit));
    measuredFor = key;
    drawAll(part, shift);
  }

  function newData() {
    data = now.data;
    measuredFor = "";
    const numbers = (/** @type {string | null} */ text) => (text === null ? null : decode(text));
    parts = data.parts.map((/** @type {Part} */ { weights, x, signs, measured: found, ...part }) => ({
      ...part,
      weights:
        weights &&
        Object.fromEntries(Object.entries(weights).map(([key, value]) => [key, typeof value === "string" ? decode(value) : value])),
      x: x?.map(decode),
      signs: signs?.map(decode),
      measured: found && { ...found, whole: decode(found.whole), carry: numbers(found.carry) },
    }));
    layer.control.hidden = parts.length < 2;
    tries.replaceChildren(advice(...ideas(parts.length > 0)));
  }

  /** @param {any} part @param {number} shift */
  function drawAll(part, shift) {
    const { k, b, z_keeps: keeps, noise: level, steps: T, step: t, log } = now;
    const keep = sigmoid(k);
    const tau = timeConstant(k);
    const curve = (/** @type {number} */ time) => Math.exp(-time / tau);
    const top = Math.max(1, ...(measured ? Array.from(measured.whole).slice(0, T + 1) : []));
    const y = /** @type {[number, number]} */ (log ? [LOWEST, 10 ** Math.ceil(Math.log10(top) - 1e-9)] : [0, top > 1 ? 1.05 * top : 1]);
    const height = (/** @type {number} */ v) => {
      const of = log ? Math.log10 : Number;
      return clamp((of(y[1]) - of(Math.max(v, y[0]))) / (of(y[1]) - of(y[0])), 0, 1);
    };

    // The dial and the other controls
    dial.show({ b, keeps, keep, steps: T, made: part?.bias ?? null });
    convention.show(keeps ? "keeps" : "writes");
    negate.disabled = b === 0;
    scale.show(log ? "log" : "linear");
    layer.show(
      parts.map(({ name }) => name),
      now.layer,
    );
    far.show(Math.round(20 * Math.log10(T / SHORTEST)), String(T), `${T} steps`);
    noise.show(level, format(level));
    cursor.input.max = String(T);
    cursor.show(t, String(t), `${t} of ${T}`);

    // The curves. z^t is drawn finely: it falls within a step or two where the bias is small.
    const symbol = keeps ? [letter("z")] : ["(1−", letter("z"), ")"];
    const power = make("span", {}, ...symbol.map((one) => (one instanceof Node ? one.cloneNode(true) : one)), make("sup", {}, "t"));
    const fine = Array.from({ length: 241 }, (_, i) => curve((i * T) / 240));
    const lines = [
      ...(log ? [] : [{ values: [1, 0], by: ruleOfThumb(k), kind: "gru-line-rule" }]),
      { values: fine, by: T / 240, kind: "gru-line-z", name: power },
      ...(measured?.carry ? [{ values: measured.carry, kind: "gru-line-carry", name: "carry" }] : []),
      ...(measured ? [{ values: measured.whole, kind: "gru-line-plain", name: "measured" }] : []),
    ];
    root.classList.toggle("gru-with-model", Boolean(measured));
    root.classList.toggle("gru-writes", !keeps);
    left.draw({ x: [0, T], y, log, lines });
    area.setAttribute("d", `M0 1${fine.map((v, i) => `L${i / 240} ${height(v).toFixed(4)}`).join("")}L1 1Z`);
    band.setAttribute("y", String(height(level)));
    band.setAttribute("height", String(1 - height(level)));
    tooFaint.style.top = `${100 * height(level)}%`;
    write(tooFaint, `lost in the noise, ${format(level)}`);
    const read = until(k, level);
    // Where no curve is: above the band after it has faded; else in the band, under it, where that is high enough.
    tooFaint.classList.toggle("gru-under-curve", read > T / 2);
    tooFaint.classList.toggle("gru-inside", read > T / 2 && height(level) < 0.92);
    const marks = [until(k, 0.5), tau, read];
    points.forEach((point, i) => {
      for (const one of [point, drops[i]]) {
        one.style.visibility = marks[i] > T ? "hidden" : "";
        one.style.left = `${Math.min(100, (100 * marks[i]) / T)}%`;
        one.style.top = `${100 * height([0.5, 1 / Math.E, level][i])}%`;
      }
    });

    // The rulers
    const seen = (/** @type {number} */ at) => measured && crossing(measured.whole, at);
    const [half, third, dark] = [seen(0.5), seen(1 / Math.E), seen(level)];
    const last = measured ? measured.whole.length - 1 : 0;
    rows.half.show(marks[0], steps(marks[0]), T, measured, half, last);
    rows.tau.show(tau, steps(tau), T, measured, third, last);
    rows.rule.show(ruleOfThumb(k), steps(ruleOfThumb(k)), T, null, null, 0);
    rows.read.show(read, count(whole(read)), T, measured, dark, last, dark === null ? undefined : String(whole(dark)));
    for (const one of root.querySelectorAll(".gru-kept"))
      one.replaceChildren(...symbol.map((part) => (part instanceof Node ? part.cloneNode(true) : part)));
    rows.rule.row
      .querySelector(".gru-rule")
      ?.replaceChildren(
        "1 / (1 − kept) = 1 + ",
        make("i", {}, "e"),
        make("sup", {}, keeps ? make("i", {}, "b") : make("span", {}, "−", make("i", {}, "b"))),
      );

    // The cursor
    const there = [`t = ${t}: ${small(curve(t))}`];
    if (measured && t < measured.whole.length) there.push(`measured ${small(measured.whole[t])}`);
    left.mark(t, there.join(", "));
    left.describe(
      `Curve of what is left of the bit over ${T} steps: half after ${steps(marks[0])}, the noise of ${format(level)} reached after ${steps(read)}; ` +
        `at the cursor, ${there.join(", ")}${measured ? `. A second line: what was measured, ${format(measured.whole[Math.min(T, last)])} after ${Math.min(T, last)} steps` : ""}`,
    );

    equation.replaceChildren(...equations(b, keeps));
    write(why, part ? part.reason : "");
    why.hidden = !part?.reason;
    if (!part)
      where.replaceChildren(
        "Computed in this page. ",
        make("code", {}, "views.MemoryDial(model, x)"),
        " measures beside it what your model keeps.",
      );
    else write(where, part.reason ? `Measured by Python on ${data.place}.` : "Computed in this page, the runs of the model too.");
    write(says, sentence(part, shift, { half, dark, last }));
  }

  /**
   * What the view shows, in words.
   * @param {any} part
   * @param {number} shift
   * @param {{ half: number | null, dark: number | null, last: number }} found
   */
  function sentence(part, shift, { half, dark, last }) {
    const { k, z_keeps: keeps, noise: level, steps: T, step: t } = now;
    const said = [
      `z ${keeps ? "keeps" : "writes"}: a step keeps ${share(sigmoid(k))} of the bit, half of it is left after ${steps(until(k, 0.5))}, and above a noise of ` +
        `${format(level)} it can be read for ${Math.min(T, whole(until(k, level)))} of ${T} steps. The rule of thumb 1 + e${keeps ? "ᵇ" : "⁻ᵇ"} says ${steps(ruleOfThumb(k))}, ` +
        `the time constant is ${steps(timeConstant(k))}. After step ${t}, ${small(Math.exp(-t / timeConstant(k)))} is left.`,
    ];
    if (part && measured) {
      const kept = measured.keep === null ? "" : `, where a step keeps ${share(measured.keep)} on average`;
      const turned = shift ? `With ${shift > 0 ? "+" : ""}${format(shift, 1)} on every update gate` : "As it is";
      const halved = half === null ? `more than half is left after all ${last} steps` : `half is left after ${steps(half)}`;
      const faded = dark === null ? `it can still be read after step ${last}` : `it can be read for ${count(whole(dark))}`;
      said.push(`Measured in ${part.name}${kept}. ${part.reason ? "As it is" : turned}, ${halved} and ${faded}.`);
    }
    return said.join(" ");
  }

  // From the page to the model
  for (const input of convention.inputs) on(input, "change", () => put({ z_keeps: input.value === "keeps" }));
  for (const input of scale.inputs) on(input, "change", () => put({ log: input.value === "log" }));
  on(negate, "click", () => put({ update_bias: 0 - model.get("update_bias") }));
  on(layer.input, "change", () => {
    const next = Number(layer.input.value);
    const [old, bias] = [parts[now.layer].bias, parts[next].bias];
    // A dial that stands where the model is goes to where the next part is.
    put({ layer: next, ...(old !== null && bias !== null && now.k === old && { update_bias: now.z_keeps ? bias : 0 - bias }) });
  });
  on(far.input, "input", () => {
    const T = Math.round(SHORTEST * 10 ** (Number(far.input.value) / 20));
    put({ steps: T, step: Math.min(T, model.get("step")) });
  });
  on(noise.input, "input", () => put({ noise: Number(noise.input.value) }));
  on(cursor.input, "input", () => put({ step: Number(cursor.input.value) }));
  on(reset, "click", () => put(data.start));
  const point = (/** @type {PointerEvent} */ event) => put({ step: Math.round(left.under(event)) });
  on(left.plot, "pointermove", point);
  on(left.plot, "pointerdown", point);

  return update;
}

/**
 * A length on the chart's axis, and beside it the same as measured.
 * @param {...(Node | string)} title
 */
function ruler(...title) {
  const value = make("span", { class: "gru-ruler-value" });
  const word = make("span", { class: "gru-ruler-word" }, "measured ");
  const number = make("span");
  const seen = make("span", { class: "gru-ruler-seen" }, word, number);
  const bar = make("i", { class: "gru-ruler-bar" });
  const mark = make("i", { class: "gru-ruler-mark" });
  const row = make(
    "div",
    { class: "gru-ruler" },
    make("span", { class: "gru-ruler-name" }, ...title),
    seen,
    value,
    make("span", { class: "gru-ruler-track", "aria-hidden": "true" }, bar, mark),
  );
  return {
    row,
    /**
     * @param {number} length
     * @param {string} text
     * @param {number} most  the axis' end
     * @param {Memory | null} measured
     * @param {number | null} found  where it was measured; null: not reached
     * @param {number} last  the last step that was measured
     * @param {string} [shown]
     */
    show(length, text, most, measured, found, last, shown) {
      write(value, text);
      word.hidden = !measured;
      write(number, !measured ? "" : found === null ? `◇ > ${last}` : `◆ ${shown ?? format(found, 1)}`);
      bar.style.width = `${Math.min(100, (100 * length) / most)}%`;
      bar.classList.toggle("gru-beyond", length > most);
      mark.hidden = !measured || (found ?? last) > most;
      mark.style.left = `${Math.min(100, (100 * (found ?? last)) / most)}%`;
      mark.classList.toggle("gru-open", found === null);
    },
  };
}

/** The formulas, with their numbers. @param {number} b @param {boolean} keeps */
function equations(b, keeps) {
  const z = sigmoid(b);
  const kept = digits(keeps ? z : 1 - z);
  const h = (/** @type {string} */ when) => [letter("h"), make("sub", {}, when)];
  return [
    make("span", {}, letter("z"), " = σ(", make("i", {}, "b"), `) = σ(${format(b, 1)}) = ${digits(z)}`),
    make(
      "span",
      {},
      ...h("t"),
      " = ",
      ...(keeps ? [letter("z"), " "] : ["(1 − ", letter("z"), ") "]),
      ...h("t−1"),
      ` = ${kept} `,
      ...h("t−1"),
    ),
    make("span", {}, "after ", make("i", {}, "t"), " steps ", kept, make("sup", {}, make("i", {}, "t")), " is left"),
  ];
}

/** What to try. @param {boolean} withModel */
const ideas = (withModel) => [
  "Turn the dial up, one at a time. You should see every time grow nearly e = 2.7 times: each unit of bias multiplies 1 + eᵇ.",
  "Compare the bars of τ and of 1 + eᵇ, at b = −2 and at b = 4. You should see that the rule is never more than one step too long, and about half a step where it matters.",
  "The straight dashed line loses at every step what the first one lost. You should see it arrive at 0 after 1 + eᵇ steps.",
  "Switch from z keeps to z writes: the same bias now forgets. Negate b, and you should see the very curve from before.",
  ...(withModel
    ? [
        "Look at the three lines where the dial starts. You should see that what the model keeps (measured) is not what its gates alone keep (carry): the candidate, and what the gates read, carry the bit as well, or wipe it out.",
        "Turn the dial up. You should see the measured line rise with the gate: the bias is a handle on the memory of the whole model.",
      ]
    : [
        "Put T to 1000 and find the bias with which the bit can still be read at the end. You should find it inside the arc that says chrono.",
      ]),
];

export default view("memory-dial", TRAITS, build);
