// @ts-check
/** GradientLoom: the gradient flowing back through a sequence as four threads, carry, candidate, update and reset. */

import { advice, choice, list, origin, resetButton, slider, tick } from "./controls.js";
import { clamp, decades, percent, power, short, ticks, tidy } from "./draw.js";
import { along, fourPaths, length, PATHS, throughJacobians } from "./flow.js";
import { decode, forward } from "./gru.js";
import { panelOf } from "./panel.js";
import { make, view, write } from "./view.js";

/**
 * What Python sends (gradient_loom.py). A part is one layer and direction; its runs are one a sequence.
 * @typedef {object} Data
 * @property {{ name: string, hidden_size: number, weights: Record<string, any> | null, single: boolean,
 *   runs: { x: string | null, h0: string | null, jacobians: string | null }[] }[]} parts
 * @property {string[]} names
 * @property {number[]} steps
 * @property {string} device  empty where the model is the view's own
 * @property {number | null} apart  how far the page's states are from Python's at most; null where it computes none
 */

const TRAITS = ["sequence", "layer", "step", "loss_step", "loss_unit", "unit", "muted", "log", "_data"];
const WHAT = { carry: "kept as it is", candidate: "through the candidate", update: "through z", reset: "through r" };
const DEEPEST = 16; // decades that a logarithmic axis goes down

/** @typedef {import("./flow.js").Path} Path */

/** @param {{ model: import("./view.js").Model, root: HTMLElement, signal: AbortSignal }} context */
function build({ model, root, signal }) {
  const put = (/** @type {Record<string, any>} */ values) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    model.save_changes();
  };
  const on = (/** @type {EventTarget} */ element, /** @type {string} */ event, /** @type {(event: any) => void} */ listener) =>
    element.addEventListener(event, listener, { signal });

  // Controls
  const sequence = list("Sequence");
  const layer = list("Layer");
  const lossStep = slider("Loss on the state after step", { min: 1, max: 2 });
  const lossUnit = list("It reads");
  const unit = list("Draw");
  const axis = choice("Axis", [
    ["linear", "linear"],
    ["log", "log"],
  ]);
  const threads = PATHS.map((path) => ({ path, ...tick(make("span", {}, make("i", { class: `gru-thread gru-thread-${path}` }), path)) }));
  const cursor = slider("State", { min: 0, max: 2 });
  const mutes = make("fieldset", { class: "gru-threads" }, make("legend", { class: "gru-label" }, "Threads"), ...threads.map(({ control }) => control));

  // Drawing
  const grid = make("path", { class: "gru-grid" });
  const bands = PATHS.map((path) => make("path", { class: `gru-band gru-band-${path}` }));
  const reference = make("path", { class: "gru-line gru-line-bound" });
  const total = make("path", { class: "gru-line gru-line-plain" });
  const svg = make("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" }, ...bands, grid, reference, total);
  const words = make("div", { class: "gru-words", "aria-hidden": "true" });
  const loss = make("span", { class: "gru-loss", "aria-hidden": "true" }, "loss");
  const title = make("span");
  const { panel, plot, value } = panelOf("loom", [title], { class: "gru-lines gru-chart gru-loom" }, svg, words, loss);
  const below = make("div", { class: "gru-axis gru-axis-x", "aria-hidden": "true" });
  panel.append(below, make("div", { class: "gru-along", "aria-hidden": "true" }, make("span", { class: "gru-flows" }, "← the gradient flows back"), " state after step"));
  const terms = make("div", { class: "gru-sum" });
  const says = make("p", { class: "gru-says", "aria-live": "polite" });
  const where = make("p", { class: "gru-where" });

  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "Gradient on its way back");
  root.replaceChildren(
    make("div", { class: "gru-bar" }, sequence.control, layer.control, lossStep.control, lossUnit.control, resetButton(model, TRAITS.slice(0, -1), signal)),
    make("div", { class: "gru-bar" }, mutes, unit.control, axis.control),
    panel,
    make("div", { class: "gru-bar" }, cursor.control),
    terms,
    says,
    advice(
      "Mute the carry. You should see what reaches the early states shrink by far more than that thread's own width: it is missing at every step.",
      "Choose the logarithmic axis. A gradient that loses the same share at every step is a straight line there; the bands then show shares.",
      "Draw a single unit. You should see threads below zero: they work against the others.",
      "Move the loss to an early state. You should see nothing to the right of it: later states have no part in it.",
    ),
    where,
  );

  /** @type {any} */
  let now;
  /** @type {Data | null} */
  let data = null;
  /** @type {any} */
  let walk = null; // what was computed last, and what for
  let drawn = ""; // what the drawing shows

  function readState() {
    const sent = /** @type {Data} */ (model.get("_data"));
    const s = clamp(Math.round(model.get("sequence")), 0, sent.names.length - 1);
    const l = clamp(Math.round(model.get("layer")), 0, sent.parts.length - 1);
    const T = sent.steps[s];
    const H = sent.parts[l].hidden_size;
    return {
      sequence: s,
      layer: l,
      part: sent.parts[l],
      T,
      H,
      lossStep: clamp(Math.round(model.get("loss_step")), 1, T),
      lossUnit: clamp(Math.round(model.get("loss_unit")), -1, H - 1),
      unit: clamp(Math.round(model.get("unit")), -1, H - 1),
      step: clamp(Math.round(model.get("step")), 0, T),
      muted: PATHS.filter((path) => model.get("muted").includes(path)),
      log: Boolean(model.get("log")),
      data: sent,
    };
  }

  function update() {
    now = readState();
    if (now.data !== data) {
      data = now.data;
      walk = null;
      drawn = "";
      write(where, origin(now.data.device, now.data.apart));
    }
    const key = JSON.stringify([now.sequence, now.layer, now.lossStep, now.lossUnit, now.muted]);
    if (walk?.key !== key) walk = { key, ...compute(now) };
    const all = JSON.stringify([key, now.unit, now.log]);
    if (drawn !== all) draw();
    drawn = all;
    showControls();
    moveCursor();
  }

  function showControls() {
    const { data: sent, part, T, H } = now;
    sequence.show(sent.names, now.sequence);
    sequence.control.hidden = sent.names.length < 2;
    layer.show(sent.parts.map((/** @type {any} */ one) => one.name), now.layer);
    layer.control.hidden = sent.parts.length < 2;
    const units = Array.from({ length: H }, (_, i) => `unit ${i + 1}`);
    lossUnit.show(["all units", ...units], now.lossUnit + 1);
    unit.show(["all units, the length", ...units], now.unit + 1);
    lossStep.input.max = cursor.input.max = String(T);
    lossStep.show(now.lossStep, String(now.lossStep), `${now.lossStep} of ${T}`);
    cursor.show(now.step, `h${subscript(now.step)}`, `after step ${now.step} of ${T}`);
    axis.show(now.log ? "log" : "linear");
    mutes.hidden = !part.weights;
    for (const { path, input } of threads) input.checked = !now.muted.includes(path);
  }

  function draw() {
    const { T, lossStep: s, log } = now;
    const { totals, parts, full } = read(walk, now);
    now.read = walk.read = { totals, parts, full };
    const x = (/** @type {number} */ t) => (t + 0.5) / (T + 1);
    const open = PATHS.filter((path) => parts[path] && !now.muted.includes(path));
    const sums = (/** @type {1 | -1} */ sign) => Array.from({ length: s }, (_, t) => open.reduce((sum, path) => sum + Math.max(0, sign * parts[path][t]), 0));
    const { height, low, rows } = scaleOf({ totals, full, up: sums(1), down: sums(-1), log });

    grid.setAttribute("d", rows.map(([v]) => `M0 ${height(v).toFixed(4)}H1`).join(""));
    const line = (/** @type {Float64Array} */ values) => {
      let path = "";
      for (let t = 0; t <= s; t += 1) {
        const v = log ? Math.max(Math.abs(values[t]), low) : values[t];
        path += `${t ? "L" : "M"}${x(t).toFixed(4)} ${clamp(height(v), -1, 2).toFixed(4)}`;
      }
      return path;
    };
    total.setAttribute("d", line(totals));
    reference.setAttribute("d", now.muted.length ? line(full) : "");

    // The threads, one upon the other: upwards what helps, downwards what works against it. On a logarithmic axis
    // nothing adds up, so there they share the height of the whole.
    const up = PATHS.map(() => /** @type {[number, number][]} */ ([]));
    const down = PATHS.map(() => /** @type {[number, number][]} */ ([]));
    for (let t = 0; t < s; t += 1) {
      const pieces = PATHS.map((path) => (now.muted.includes(path) ? 0 : (parts[path]?.[t] ?? 0)));
      const whole = pieces.reduce((sum, piece) => sum + Math.abs(piece), 0) || 1;
      const room = 1 - height(Math.max(Math.abs(totals[t]), low));
      let [above, under, at] = [0, 0, 1];
      pieces.forEach((piece, p) => {
        if (log) {
          up[p].push([at, (at -= (Math.abs(piece) / whole) * room)]);
          down[p].push([1, 1]);
        } else {
          up[p].push([height(above), height((above += Math.max(piece, 0)))]);
          down[p].push([height(under), height((under += Math.min(piece, 0)))]);
        }
      });
    }
    bands.forEach((band, p) => band.setAttribute("d", parts[PATHS[p]] && !now.muted.includes(PATHS[p]) ? ribbon(up[p], x) + ribbon(down[p], x) : ""));

    words.replaceChildren(
      ...rows.map(([v, text]) => make("span", { class: "gru-tick", style: `top:${100 * height(v)}%` }, text)),
      ...PATHS.flatMap((path, p) => (parts[path] ? inside(path, [up[p], down[p]], x) : [])),
    );
    below.replaceChildren(...ticks(0, T, 8).filter(Number.isInteger).map((t) => make("span", { style: `left:${100 * x(t)}%` }, tidy(t))));
    loss.style.left = `${100 * x(s)}%`;
    loss.classList.toggle("gru-near-end", x(s) > 0.9);
    const shown = now.unit < 0 ? "length of the gradient, |dL/dh|" : `gradient of unit ${now.unit + 1}, dL/dh`;
    write(title, `${shown}${log && now.unit >= 0 ? ", without its sign" : ""}${now.part.weights ? (log ? ", and the shares of its threads" : ", and the threads that it is woven of") : ""}`);
  }

  function moveCursor() {
    const { T, step: t, lossStep: s, unit: u, muted, part } = now;
    const { totals, parts, full } = walk.read;
    plot.style.setProperty("--at-step", String((t + 0.5) / (T + 1)));
    const name = u < 0 ? `|dL/dh${subscript(t)}|` : `dL/dh${subscript(t)}`;
    write(value, t > s ? `${name} = 0` : `${name} = ${short(totals[t])}`);
    const there = PATHS.filter((path) => parts[path] && t < s);
    terms.replaceChildren(
      ...(there.length
        ? [
            term([name], totals[t], ""),
            ...there.flatMap((path, i) => [
              make("span", { class: "gru-sign" }, i ? "+" : "="),
              term([make("i", { class: `gru-thread gru-thread-${path}` }), path], muted.includes(path) ? null : parts[path][t], WHAT[path]),
            ]),
          ]
        : []),
    );
    terms.hidden = !there.length;

    const reads = now.lossUnit < 0 ? "the sum of all units" : `unit ${now.lossUnit + 1}`;
    const whose = u < 0 ? `The gradient of h${subscript(t)} has the length` : `The gradient of unit ${u + 1} of h${subscript(t)} is`;
    const said = [`The loss reads ${reads} after step ${s}.`];
    if (t > s) said.push(`It does not depend on h${subscript(t)}, which comes later.`);
    else if (t === s) said.push(`${whose} ${short(totals[t])}: what the loss sends in.`);
    else {
      const biggest = there.filter((path) => !muted.includes(path)).sort((a, b) => Math.abs(parts[b][t]) - Math.abs(parts[a][t]))[0];
      const lead = biggest ? `, most of it by ${biggest} (${short(parts[biggest][t])})` : "";
      said.push(`${whose} ${short(totals[t])}${lead}. It comes back through step ${t + 1} and ${s - t} step${s - t > 1 ? "s" : ""} in all.`);
      if (u < 0 && walk.begin > 0) said.push(`${percentOf(totals[t] / walk.begin)} of what the loss sent in is left.`);
    }
    if (muted.length && t < s) said.push(`Muted: ${muted.join(", ")}; with all threads it would be ${short(full[t])}.`);
    if (!part.weights) said.push(part.single ? "This cell has a single path, the candidate's." : "The equations of this cell are not known, so its threads are not told apart.");
    write(says, said.join(" "));
    plot.setAttribute(
      "aria-label",
      `${now.log ? "Logarithmic drawing" : "Drawing"} of the gradient at ${T + 1} states; ${short(totals[s])} at the loss, ${short(totals[0])} at the first state; ` +
        `at the cursor, state ${t}, ${short(t > s ? 0 : totals[t])}`,
    );
  }

  // From the page to the model
  on(sequence.input, "change", () => {
    const next = Number(sequence.input.value);
    const T = now.data.steps[next];
    put({ sequence: next, loss_step: now.lossStep === now.T ? T : Math.min(now.lossStep, T), step: Math.min(now.step, T) });
  });
  on(layer.input, "change", () => {
    const next = Number(layer.input.value);
    const last = now.data.parts[next].hidden_size - 1;
    put({ layer: next, unit: Math.min(now.unit, last), loss_unit: Math.min(now.lossUnit, last) });
  });
  on(lossStep.input, "input", () => put({ loss_step: Number(lossStep.input.value) }));
  on(cursor.input, "input", () => put({ step: Number(cursor.input.value) }));
  on(lossUnit.input, "change", () => put({ loss_unit: Number(lossUnit.input.value) - 1 }));
  on(unit.input, "change", () => put({ unit: Number(unit.input.value) - 1 }));
  for (const input of axis.inputs) on(input, "change", () => put({ log: input.value === "log" }));
  for (const { input } of threads) on(input, "change", () => put({ muted: threads.filter((one) => !one.input.checked).map(({ path }) => path) }));

  // On the drawing: move the cursor, or drag the loss
  const under = (/** @type {PointerEvent} */ event) => {
    const { left, width } = plot.getBoundingClientRect();
    return clamp(Math.floor(((event.clientX - left) / width) * (now.T + 1)), 0, now.T);
  };
  let dragging = false;
  on(plot, "pointerdown", (event) => {
    const t = under(event);
    dragging = Math.abs(t - now.lossStep) <= Math.max(0, 0.01 * now.T) || event.target === loss;
    if (dragging && event.isTrusted) plot.setPointerCapture(event.pointerId); // only a pointer that exists can be held
    if (!dragging) put({ step: t });
  });
  on(plot, "pointermove", (event) => {
    const t = under(event);
    put(dragging ? { loss_step: Math.max(1, t) } : { step: t });
  });
  for (const end of ["pointerup", "pointercancel"]) on(plot, end, () => (dragging = false));

  return update;
}

/** The walk back, with the muted threads and without muting. @param {any} now */
function compute({ part, sequence, T, H, lossStep, lossUnit, muted }) {
  const run = part.runs[sequence];
  const direct = new Float64Array(T * H);
  for (let i = 0; i < H; i += 1) if (lossUnit < 0 || lossUnit === i) direct[(lossStep - 1) * H + i] = 1;
  const begin = Math.sqrt(lossUnit < 0 ? H : 1);
  if (!part.weights) {
    const flow = { grads: throughJacobians(decode(run.jacobians), direct, H), paths: {} };
    return { flow, whole: flow, begin };
  }
  const weights = Object.fromEntries(Object.entries(part.weights).map(([name, one]) => [name, typeof one === "string" ? decode(one) : one]));
  const h0 = decode(run.h0);
  const states = forward(decode(run.x), /** @type {any} */ (weights), { h0 });
  const back = (/** @type {string[]} */ silent) => fourPaths(/** @type {any} */ (weights), states, direct, { h0, muted: silent });
  const whole = back([]);
  return { flow: muted.length ? back(muted) : whole, whole, begin };
}

/** What is drawn: the whole and its parts for t = 0..T, of one unit or of all. @param {any} walk @param {any} now */
function read({ flow, whole }, { T, H, unit }) {
  const value = (/** @type {Float64Array} */ grads) => Float64Array.from({ length: T + 1 }, (_, t) => (unit < 0 ? length(grads, t, H) : grads[t * H + unit]));
  const parts = Object.fromEntries(Object.entries(flow.paths).map(([path, part]) => [path, along(/** @type {Float64Array} */ (part), flow.grads, H, unit)]));
  return { totals: value(flow.grads), full: value(whole.grads), parts };
}

/**
 * The upright axis: a height from 0 at the top to 1, and its labelled rows.
 * @param {{ totals: Float64Array, full: Float64Array, up: number[], down: number[], log: boolean }} what
 * @returns {{ height: (v: number) => number, low: number, rows: [number, string][] }}
 */
function scaleOf({ totals, full, up, down, log }) {
  if (!log) {
    const high = Math.max(...totals, ...full, ...up, 1e-300) * 1.05;
    const bottom = Math.min(0, ...totals, ...full, ...down.map((v) => -v)) * 1.05;
    const height = (/** @type {number} */ v) => (high - v) / (high - bottom);
    return { height, low: bottom, rows: ticks(bottom, high, 5).map((v) => [v, Math.abs(v) < 1e-3 * high ? "0" : short(v).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "")]) };
  }
  const sizes = [...totals, ...full].map(Math.abs).filter((v) => v > 0);
  const top = Math.ceil(Math.log10(Math.max(...sizes, 1e-300)));
  const least = Math.floor(Math.log10(Math.min(...sizes, 1)));
  const bottom = Math.min(top - 1, Math.max(least, top - DEEPEST));
  const height = (/** @type {number} */ v) => clamp((top - Math.log10(Math.max(v, 1e-320))) / (top - bottom), 0, 1);
  return { height, low: 10 ** bottom, rows: decades(bottom, top, 5).map((e) => [10 ** e, power(e)]) };
}

/**
 * A band between two edges.
 * @param {[number, number][]} edges  from and to, at t = 0, 1, ...
 * @param {(t: number) => number} x
 */
function ribbon(edges, x) {
  if (!edges.length) return "";
  const point = (/** @type {number} */ t, /** @type {number} */ y) => `${x(t).toFixed(4)} ${clamp(y, -1, 2).toFixed(4)}`;
  const there = edges.map(([from], t) => point(t, from));
  const back = edges.map(([, to], t) => point(t, to)).reverse();
  return `M${[...there, ...back].join("L")}Z`;
}

/**
 * A thread's name in its band, where that is widest; nowhere if it is narrow everywhere.
 * @param {Path} path
 * @param {[number, number][][]} sides  its edges above and below zero
 * @param {(t: number) => number} x
 */
function inside(path, sides, x) {
  let place = [0, 0];
  let widest = 0.085; // of the plot's height: what a name needs
  for (const edges of sides) {
    edges.forEach(([from, to], t) => {
      const width = Math.abs(from - to);
      // Not at the ends, where a name would hang over
      if (x(t) > 0.08 && x(t) < 0.92 && width > widest) [place, widest] = [[x(t), (from + to) / 2], width];
    });
  }
  return place[0] ? [make("span", { class: "gru-in-band", style: `left:${100 * place[0]}%;top:${100 * place[1]}%` }, path)] : [];
}

/** @param {(Node | string)[]} symbol @param {number | null} value @param {string} note */
const term = (symbol, value, note) =>
  make("span", { class: "gru-term" }, make("span", {}, ...symbol), make("span", { class: "gru-number" }, value === null ? "muted" : short(value)), make("small", {}, note));

/** @param {number} n */
const subscript = (n) => [...String(n)].map((digit) => "₀₁₂₃₄₅₆₇₈₉"[Number(digit)]).join("");

/** A share, with digits where it is small. @param {number} share */
const percentOf = (share) => (share >= 0.01 ? percent(share) : `${short(100 * share)} %`);

export default view("gradient-loom", TRAITS, build);
