// @ts-check
/** VanishingLab: how fast the gradient vanishes in a tanh RNN and in a GRU, side by side. */

import { chart } from "./chart.js";
import { advice, origin, resetButton, slider } from "./controls.js";
import { clamp, format, short } from "./draw.js";
import { eigenvalues, radius } from "./eigen.js";
import { forward } from "./gru.js";
import { elman, elmanStep, gruStep, logNorms, spectralNorm } from "./jacobians.js";
import { panelOf } from "./panel.js";
import { normal } from "./random.js";
import { letter, make, write } from "./dom.js";
import { view } from "./view.js";

const TRAITS = ["spectral_radius", "steps", "update_bias", "seed", "distance", "hidden_size"];
const D = 8; // input size
const [SHORTEST, LONGEST] = [10, 200]; // steps
const DEEPEST = -40; // the lowest power of ten that is drawn

/** @param {{ model: import("./view.js").Model, root: HTMLElement, signal: AbortSignal }} context */
function build({ model, root, signal }) {
  const put = (/** @type {Record<string, any>} */ values) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    model.save_changes();
  };

  // Controls
  const rho = slider("Spectral radius", { min: 0.5, max: 2, step: 0.05, ends: ["shrinks", "grows"] });
  const bias = slider(make("span", {}, "GRU: bias of every ", letter("z")), {
    min: -2,
    max: 6,
    step: 0.1,
    ends: ["forget", "keep"],
    quantity: "z",
  });
  const steps = slider("Steps T", { min: SHORTEST, max: LONGEST });
  const seed = slider("Seed", { min: 0, max: 99 });
  const distance = slider("Read at a distance of", { min: 1, max: LONGEST });

  // Drawings
  const planes = { rnn: plane("rnn", "tanh RNN", "U"), gru: plane("gru", "GRU", "Uₙ") };
  const norms = chart("norms", ["norm of dh", make("sub", {}, "T"), "/dh", make("sub", {}, "t")], { along: "distance T − t, in steps" });
  const says = make("p", { class: "gru-says", "aria-live": "polite" });

  root.setAttribute("aria-label", "Vanishing gradients in a tanh RNN and a GRU");
  root.replaceChildren(
    make("div", { class: "gru-bar" }, rho.control, bias.control, steps.control, seed.control, resetButton(model, TRAITS, signal)),
    make(
      "div",
      { class: "gru-lab" },
      make(
        "div",
        { class: "gru-planes" },
        planes.rnn.panel,
        planes.gru.panel,
        make("p", { class: "gru-note" }, "Eigenvalues: ○ of the recurrent matrix, ● of the last step's Jacobian. The circle is 1."),
      ),
      make("div", {}, norms.panel, make("div", { class: "gru-bar" }, distance.control)),
    ),
    says,
    advice(
      "Leave the bias at 0 and compare the lines. You should see the GRU's gradient vanish almost as fast as that of the tanh RNN.",
      "Move the bias to 5. You should see the GRU's line rise until it is nearly level, and its Jacobian's eigenvalues gather at 1.",
      "Move the spectral radius to 2. You should see the rings leave the circle, but the dots of the tanh RNN stay farther in: the tanh takes its share. The bound shoots up and promises nothing.",
      "Move the spectral radius to 0.5. You should see the bound fall: below one, the largest singular value decides that the gradient vanishes.",
    ),
    make("p", { class: "gru-where" }, origin()),
  );

  /** @type {any} */
  let now;
  /** @type {any} */
  let drawn = null; // numbers of a seed
  const known = { rnn: { key: "" }, gru: { key: "" } }; // what was computed last, and what for
  let shown = "";

  function update() {
    const H = Math.round(model.get("hidden_size"));
    const T = clamp(Math.round(model.get("steps")), SHORTEST, LONGEST);
    now = {
      H,
      T,
      rho: clamp(model.get("spectral_radius"), 0.5, 2),
      bias: clamp(model.get("update_bias"), -2, 6),
      seed: clamp(Math.round(model.get("seed")), 0, 99),
      distance: clamp(Math.round(model.get("distance")), 1, T),
    };
    if (drawn?.key !== `${now.seed} ${H}`) drawn = { key: `${now.seed} ${H}`, ...draw(now.seed, H) };
    const key = `${drawn.key} ${T} ${now.rho}`;
    if (known.rnn.key !== key) known.rnn = { key, ...ofElman(drawn, now) };
    if (known.gru.key !== `${key} ${now.bias}`) known.gru = { key: `${key} ${now.bias}`, ...ofGru(drawn, now) };
    if (shown !== known.gru.key) redraw();
    shown = known.gru.key;

    rho.show(now.rho, format(now.rho));
    bias.show(now.bias, (now.bias > 0 ? "+" : "") + format(now.bias, 1));
    steps.show(T, String(T));
    seed.show(now.seed, String(now.seed));
    distance.input.max = String(T);
    distance.show(now.distance, String(now.distance), `${now.distance} of ${T} steps`);
    const at = (/** @type {any} */ { logs }) => written(logs[now.distance - 1]);
    norms.mark(now.distance, `tanh RNN ${at(known.rnn)}, GRU ${at(known.gru)}`);
    write(says, sentence());
  }

  function redraw() {
    const { rnn, gru } = /** @type {any} */ (known);
    const { T, H } = now;
    planes.rnn.draw(rnn.ofMatrix, rnn.ofStep, now.rho);
    planes.gru.draw(gru.ofMatrix, gru.ofStep, now.rho);
    const logs = [...rnn.logs, ...gru.logs];
    const low = Math.max(DEEPEST, Math.floor(Math.min(-1, ...logs)));
    const high = Math.max(1, Math.ceil(Math.max(...logs)));
    const value = (/** @type {ArrayLike<number>} */ values) => Array.from(values, (v) => 10 ** Math.max(v, low - 1));
    const bound = Array.from({ length: T }, (_, k) => 10 ** clamp((k + 1) * Math.log10(rnn.stretch), low - 1, high + 1));
    const top = bound.findIndex((v) => v > 10 ** high);
    const inside = top < 0 ? bound : bound.slice(0, top + 1);
    norms.draw({
      x: [1, T],
      y: [10 ** low, 10 ** high],
      log: true,
      lines: [
        { values: inside, from: 1, kind: "gru-line-bound", name: top < 0 ? "bound" : "" },
        { values: value(rnn.logs), from: 1, kind: "gru-line-rnn", name: "tanh RNN" },
        { values: value(gru.logs), from: 1, kind: "gru-line-gru", name: "GRU" },
      ],
    });
    norms.describe(
      `Logarithmic chart over ${T} steps, ${H} units. At the farthest distance the norm is ${written(rnn.logs[T - 1])} for the tanh RNN and ${written(gru.logs[T - 1])} for the GRU; ` +
        `the bound of the tanh RNN grows or falls by ${format(rnn.stretch)} a step`,
    );
  }

  /** What the view shows, in words. */
  function sentence() {
    const { rnn, gru } = /** @type {any} */ (known);
    const { T, distance: k, bias: b } = now;
    const kept = (/** @type {any} */ { factor }) => (factor >= 0.995 && factor < 1 ? format(factor, 4) : format(factor, 3));
    const verdict =
      gru.factor > 0.97
        ? "Here the bias holds the gradient."
        : gru.factor < rnn.factor
          ? "The GRU forgets faster."
          : gru.factor - rnn.factor < 0.12
            ? "The GRU vanishes almost as fast."
            : "The GRU keeps more, and still vanishes.";
    return (
      `A step multiplies the gradient by ${kept(rnn)} in the tanh RNN and by ${kept(gru)} in the GRU, whose update gates have a bias of ${format(b, 1)}. ` +
      `At a distance of ${k} of ${T} steps, ${written(rnn.logs[k - 1])} and ${written(gru.logs[k - 1])} are left. ${verdict} ` +
      `The largest singular value of the RNN's U is ${format(rnn.stretch)}${rnn.stretch < 1 ? ", below one: its gradient must vanish" : ", above one: by that alone its gradient might grow"}.`
    );
  }

  // From the page to the model
  const on = (/** @type {EventTarget} */ element, /** @type {string} */ event, /** @type {(event: any) => void} */ listener) =>
    element.addEventListener(event, listener, { signal });
  on(rho.input, "input", () => put({ spectral_radius: Number(rho.input.value) }));
  on(bias.input, "input", () => put({ update_bias: Number(bias.input.value) }));
  on(seed.input, "input", () => put({ seed: Number(seed.input.value) }));
  on(distance.input, "input", () => put({ distance: Number(distance.input.value) }));
  on(steps.input, "input", () => {
    const T = Number(steps.input.value);
    put({ steps: T, distance: Math.min(T, model.get("distance")) });
  });
  const point = (/** @type {PointerEvent} */ event) => put({ distance: Math.round(norms.under(event)) });
  on(norms.plot, "pointermove", point);
  on(norms.plot, "pointerdown", point);

  return update;
}

/**
 * Inputs and weights of a seed, recurrent matrices with a spectral radius of 1: as VanishingLab._drawn in Python.
 * @param {number} seed
 * @param {number} H
 */
function draw(seed, H) {
  const sizes = [LONGEST * D, H * D, H * H, 3 * H * D, 3 * H * H];
  const numbers = normal(
    seed,
    sizes.reduce((sum, size) => sum + size, 0),
  );
  let at = 0;
  const [x, W, U, W3, U3] = sizes.map((size) => numbers.subarray(at, (at += size)));
  for (const weights of [W, W3]) for (let i = 0; i < weights.length; i += 1) weights[i] /= Math.sqrt(D);
  const blocks = [U, ...[0, 1, 2].map((gate) => U3.subarray(gate * H * H, (gate + 1) * H * H))];
  const values = blocks.map((block) => {
    const found = eigenvalues(block);
    const size = radius(found);
    for (let i = 0; i < block.length; i += 1) block[i] /= size;
    return found.map(([re, im]) => /** @type {[number, number]} */ ([re / size, im / size]));
  });
  const stretch = spectralNorm(
    U,
    Float64Array.from({ length: H }, (_, i) => 1 + 0.1 * Math.sin(i + 1)),
    H,
  );
  return { x, W, U, W3, U3, ofU: values[0], ofUn: values[3], stretch };
}

/** @param {Float64Array} values @param {number} factor */
const times = (values, factor) => values.map((value) => factor * value);

/** @param {[number, number][]} values @param {number} factor @returns {[number, number][]} */
const scaled = (values, factor) => values.map(([re, im]) => [factor * re, factor * im]);

/** @param {any} drawn @param {any} now */
function ofElman({ x, W, U, ofU, stretch }, { H, T, rho }) {
  const matrix = times(U, rho);
  const h = elman(x.subarray(0, T * D), W, matrix);
  const step = (/** @type {number} */ t, /** @type {Float64Array} */ into) => elmanStep(matrix, h, t, into);
  return { ...walk(step, T, H), ofMatrix: scaled(ofU, rho), stretch: rho * stretch };
}

/** @param {any} drawn @param {any} now */
function ofGru({ x, W3, U3, ofUn }, { H, T, rho, bias }) {
  const weight_hh = times(U3, rho);
  const run = forward(x.subarray(0, T * D), { weight_ih: W3, weight_hh, bias_ih: null, bias_hh: null, reset_after: true }, { bias });
  const step = (/** @type {number} */ t, /** @type {Float64Array} */ into) => gruStep(weight_hh, run, t, into);
  return { ...walk(step, T, H), ofMatrix: scaled(ofUn, rho) };
}

/** @param {(t: number, into: Float64Array) => void} step @param {number} T @param {number} H */
function walk(step, T, H) {
  const last = new Float64Array(H * H);
  step(T - 1, last);
  const logs = logNorms(step, T, H);
  const half = Math.floor(T / 2);
  return { logs, ofStep: eigenvalues(last), factor: 10 ** ((logs[T - 1] - logs[half - 1]) / (T - half)) };
}

/** A number given by its logarithm, which may be too small to be one. @param {number} log */
const written = (log) => (log < -300 ? "less than 10⁻³⁰⁰" : short(10 ** log));

/**
 * The complex plane of one model.
 * @param {string} name
 * @param {string} title
 * @param {string} matrix
 */
function plane(name, title, matrix) {
  const axes = make("path", { class: "gru-grid" });
  const circle = make("path", { class: "gru-circle" });
  const rings = make("path", { class: "gru-rings" });
  const dots = make("path", { class: "gru-dots" });
  const one = make("text", { class: "gru-one" }, "1");
  const svg = make("svg", { "aria-hidden": "true" }, axes, circle, one, rings, dots);
  const { panel, plot, value } = panelOf(`plane-${name}`, [title], { class: "gru-plane" }, svg);
  plot.querySelector(".gru-at-step")?.remove(); // there is no time in it
  const around = (/** @type {[number, number][]} */ points, /** @type {number} */ r) =>
    points.map(([re, im]) => `M${(re - r).toFixed(3)} ${(-im).toFixed(3)}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`).join("");
  return {
    panel,
    /** @param {[number, number][]} ofMatrix @param {[number, number][]} ofStep @param {number} rho */
    draw(ofMatrix, ofStep, rho) {
      const R = 1.15 * Math.max(1, rho, radius(ofStep)); // half the width
      svg.setAttribute("viewBox", `${-R} ${-R} ${2 * R} ${2 * R}`);
      axes.setAttribute("d", `M${-R} 0H${R}M0 ${-R}V${R}`);
      circle.setAttribute("d", around([[0, 0]], 1));
      rings.setAttribute("d", around(ofMatrix, 0.03 * R));
      dots.setAttribute("d", around(ofStep, 0.022 * R));
      for (const [name, at] of Object.entries({ x: 1 + 0.03 * R, y: 0.14 * R, "font-size": 0.13 * R }))
        one.setAttribute(name, at.toFixed(3));
      write(value, `● up to ${format(radius(ofStep))}`);
      plot.setAttribute(
        "aria-label",
        `Complex plane of the ${title}: eigenvalues of ${matrix} lie within ${format(rho)} of zero, those of its last step's Jacobian within ${format(radius(ofStep))}`,
      );
    },
  };
}

export default view("vanishing-lab", TRAITS, build);
