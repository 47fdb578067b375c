// @ts-check
/** GradientLoom: the gradient flowing back through a sequence as four threads, carry, candidate, update and reset. */

import { advice, choice, list, origin, resetButton, slider } from "./controls.js";
import { clamp, decades, format, percent, power, short, ticks, tidy } from "./draw.js";
import { along, fourPaths, length, PATHS, throughJacobians } from "./flow.js";
import { decode, forward } from "./gru.js";
import { panelOf } from "./panel.js";
import { make, write } from "./dom.js";
import { view } from "./view.js";

/**
 * What Python sends (gradient_loom.py). A part is one layer and direction; its runs are one per sequence.
 * @typedef {object} Data
 * @property {{ name: string, hidden_size: number, weights: Record<string, any> | null, single: boolean, reverse: boolean,
 *   runs: { x: string | null, h0: string | null, jacobians: string | null }[] }[]} parts
 * @property {string[]} names
 * @property {number[]} steps
 * @property {string} device  empty where the model is the view's own
 * @property {number | null} apart  how far the page's states are from Python's at most; null where it computes none
 */

const TRAITS = ["sequence", "layer", "step", "loss_step", "loss_unit", "unit", "muted", "log", "_data"];
const OF = { carry: "h", candidate: "n", update: "z", reset: "r" }; // what a path runs through, whose colour it has
const DEEPEST = 16; // decades that a logarithmic axis goes down
const FINE = 10000; // a drawing's own units along each side: whole numbers are quick to write

/** From 0 to 1, in the drawing's units. @param {number} place */
const at = (place) => Math.round(FINE * clamp(place, -9, 9));

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
  const unit = list("Gradient of");
  const axis = choice("Axis", [
    ["linear", "linear"],
    ["log", "log"],
  ]);
  const cursor = slider("State", { min: 0, max: 2 });

  // The gradient at the cursor as a sum, whose terms are the switches of the threads
  const whole = make("span", { class: "gru-number" });
  const wholeName = make("span", { class: "gru-whole" });
  const threads = PATHS.map((path) => {
    const input = make("input", { type: "checkbox" });
    const number = make("span", { class: "gru-number" });
    const note = make("small");
    const sign = make("span", { class: "gru-sign", "aria-hidden": "true" });
    const label = make("label", { class: `gru-thread gru-thread-${OF[path]}` }, input, path);
    return { path, input, number, note, sign, term: make("span", { class: "gru-term" }, label, number, note) };
  });
  const sum = make(
    "div",
    { class: "gru-sum", role: "group", "aria-label": "Threads" },
    make("span", { class: "gru-term" }, wholeName, whole),
    ...threads.flatMap(({ sign, term }) => [sign, term]),
  );

  // Drawings: the gradient's size, and below it by which threads it comes
  const grid = make("path", { class: "gru-grid" });
  const sent = make("path", { class: "gru-sent" });
  const bands = PATHS.map((path) => make("path", { class: `gru-band gru-band-${OF[path]}` }));
  const lines = PATHS.map((path) => make("path", { class: `gru-line gru-line-${OF[path]}` }));
  const reference = make("path", { class: "gru-line gru-line-bound" });
  const total = make("path", { class: "gru-line gru-line-plain" });
  const words = make("div", { class: "gru-words", "aria-hidden": "true" });
  const loss = make("span", { class: "gru-loss", "aria-hidden": "true" }, make("b", {}, "loss"));
  const title = make("span");
  const size = panelOf(
    "loom",
    [title],
    { class: "gru-lines gru-chart gru-loom" },
    picture(sent, ...bands, grid, ...lines, reference, total),
    words,
    loss,
  );
  const shareGrid = make("path", { class: "gru-grid" });
  const shareBands = PATHS.map((path) => make("path", { class: `gru-band gru-band-${OF[path]}` }));
  const shareWords = make("div", { class: "gru-words", "aria-hidden": "true" });
  const shares = panelOf(
    "shares",
    ["by which threads it comes, in %"],
    { class: "gru-lines gru-chart gru-shares" },
    picture(...shareBands, shareGrid),
    shareWords,
  );
  const below = make("div", { class: "gru-axis gru-axis-x", "aria-hidden": "true" });
  const counted = make("span");
  shares.panel.append(
    below,
    make("div", { class: "gru-along", "aria-hidden": "true" }, make("span", { class: "gru-flows" }, "← the gradient flows back"), counted),
  );
  const says = make("p", { class: "gru-says", "aria-live": "polite" });
  const where = make("p", { class: "gru-where" });

  root.setAttribute("aria-label", "Gradient on its way back");
  root.replaceChildren(
    make("div", { class: "gru-bar" }, sequence.control, layer.control, lossStep.control, lossUnit.control),
    make("div", { class: "gru-bar" }, unit.control, axis.control, resetButton(model, TRAITS.slice(0, -1), signal)),
    sum,
    size.panel,
    shares.panel,
    make("div", { class: "gru-bar" }, cursor.control),
    says,
    advice(
      "Take the carry away. You should see the gradient end after a few steps, and not only by that thread's own width: it is missing at every step. The dashed line is the gradient with all threads.",
      "Take each of the others away instead. Here and there you should see more arrive without a thread than with it: threads can work against each other.",
      "Choose the logarithmic axis. A gradient that loses the same share at every step is a straight line there.",
      "Choose the gradient of a single unit. You should see threads on both sides of zero, and a gradient that changes its sign.",
      "Drag the loss to an earlier state. You should see nothing to the right of it: later states have no part in it.",
    ),
    where,
  );

  /** @type {any} */
  let now;
  /** @type {Data | null} */
  let data = null;
  let runs = new Map(); // forward runs that are known, by sequence and layer
  /** @type {any} */
  let walk = null; // what was computed last, and what for
  /** @type {any} */
  let seen = null; // the part of it that is drawn

  function readState() {
    const given = /** @type {Data} */ (model.get("_data"));
    const s = clamp(Math.round(model.get("sequence")), 0, given.names.length - 1);
    const l = clamp(Math.round(model.get("layer")), 0, given.parts.length - 1);
    const T = given.steps[s];
    const H = given.parts[l].hidden_size;
    return {
      sequence: s,
      layer: l,
      part: given.parts[l],
      T,
      H,
      lossStep: clamp(Math.round(model.get("loss_step")), 1, T),
      lossUnit: clamp(Math.round(model.get("loss_unit")), -1, H - 1),
      unit: clamp(Math.round(model.get("unit")), -1, H - 1),
      step: clamp(Math.round(model.get("step")), 0, T),
      muted: PATHS.filter((path) => model.get("muted").includes(path)),
      log: Boolean(model.get("log")),
      data: given,
      width: size.plot.clientWidth || 600, // read here, before anything is written
    };
  }

  function update() {
    now = readState();
    if (now.data !== data) {
      data = now.data;
      runs = new Map();
      walk = seen = null;
      const own =
        now.data.parts.length > 1 ? " The loss sits on the chosen layer's own state, and what that layer reads is held fixed." : "";
      write(where, origin(now.data.device, now.data.apart) + own);
    }
    const key = JSON.stringify([now.sequence, now.layer, now.lossStep, now.lossUnit, now.muted]);
    if (walk?.key !== key) walk = { key, ...compute(now, runs) };
    const all = JSON.stringify([key, now.unit, now.log, now.width]);
    if (seen?.key !== all) {
      seen = { key: all, ...read(walk, now) };
      draw();
    }
    showControls();
    moveCursor();
  }

  function showControls() {
    const { data: given, T, H } = now;
    sequence.show(given.names, now.sequence);
    sequence.control.hidden = given.names.length < 2;
    layer.show(
      given.parts.map((/** @type {any} */ one) => one.name),
      now.layer,
    );
    layer.control.hidden = given.parts.length < 2;
    const units = Array.from({ length: H }, (_, i) => `unit ${i + 1}`);
    lossUnit.show(["all units", ...units], now.lossUnit + 1);
    unit.show(["all units", ...units], now.unit + 1);
    lossStep.input.max = cursor.input.max = String(T);
    lossStep.show(now.lossStep, String(now.lossStep), `${now.lossStep} of ${T}`);
    cursor.show(now.step, `h${subscript(now.step)}`, `after step ${now.step} of ${T}`);
    axis.show(now.log ? "log" : "linear");
    for (const { path, input } of threads) input.checked = !now.muted.includes(path);
  }

  function draw() {
    const { T, lossStep: s, log, unit: u, part, width } = now;
    const { totals, parts, full } = seen;
    const open = PATHS.map((path) => parts[path] && !now.muted.includes(path));
    const piece = (/** @type {number} */ p, /** @type {number} */ t) => (open[p] ? parts[PATHS[p]][t] : 0);
    const stacks = stack(piece, s);
    const { height, rows } = log ? logarithmic([...totals, ...full]) : linear([...totals, ...full, ...stacks.flat(3)]);

    const middle = (/** @type {number} */ t) => (t + 0.5) / (T + 1);
    const through = (/** @type {ArrayLike<number>} */ values, /** @type {number} */ last) => {
      let path = "";
      let pen = "M";
      for (let t = 0; t <= last; t += 1) {
        const y = height(Math.abs(values[t]));
        if (Number.isFinite(y)) path += `${pen}${at(middle(t))} ${at(y)}`;
        pen = Number.isFinite(y) ? "L" : "M";
      }
      return path;
    };
    const edge = (/** @type {ArrayLike<number>} */ values) =>
      `M${curve(knots((t) => height(values[t]), s, T))}V${at(height(values[s]))}H${at((s + 1) / (T + 1))}`;
    const line = log ? (/** @type {ArrayLike<number>} */ values) => through(values, s) : edge;
    total.setAttribute("d", line(totals));
    reference.setAttribute("d", now.muted.length ? line(full) : "");
    lines.forEach((one, p) => one.setAttribute("d", log && open[p] ? through(parts[PATHS[p]], s - 1) : ""));
    bands.forEach((band, p) => band.setAttribute("d", log || !open[p] ? "" : ribbons(stacks[p], height, s, T)));
    const [foot, head] = [log ? 1 : height(0), height(log ? Math.abs(totals[s]) : totals[s])].map((y) => at(clamp(y, 0, 1)));
    sent.setAttribute("d", `M${at(s / (T + 1))} ${foot}V${head}H${at((s + 1) / (T + 1))}V${foot}Z`);
    scaled(grid, words, rows, height, log ? [] : names(stacks, height, width / (T + 1), s));

    const all = (/** @type {number} */ t) => PATHS.reduce((sum, _, p) => sum + Math.abs(piece(p, t)), 0) || 1;
    const shared = stack((p, t) => piece(p, t) / all(t), s);
    const low = Math.min(0, ...shared.flat(3));
    const place = (/** @type {number} */ v) => (1 - v) / (1 - low);
    shareBands.forEach((band, p) => band.setAttribute("d", open[p] ? ribbons(shared[p], place, s, T) : ""));
    const marks = /** @type {[number, string][]} */ ((low < -0.35 ? [1, 0, low] : [1, 0]).map((v) => [v, format(100 * v, 0)]));
    scaled(shareGrid, shareWords, marks, place, names(shared, place, width / (T + 1), s, true));
    shares.plot.hidden = Object.keys(parts).length < 2;
    shares.panel.classList.toggle("gru-bare", shares.plot.hidden);

    below.replaceChildren(
      ...ticks(0, T, 8)
        .filter(Number.isInteger)
        .map((t) => make("span", { style: `left:${100 * middle(t)}%` }, tidy(t))),
    );
    write(counted, part.reverse ? "state after step, as this layer takes them" : "state after step");
    loss.style.left = `${100 * middle(s)}%`;
    const parted = PATHS.some((path) => parts[path]);
    write(
      title,
      u < 0
        ? `length of the gradient, |dL/dh|${parted ? `, and each thread's part along it${log ? ", without signs" : ""}` : ""}`
        : `gradient of unit ${u + 1}, dL/dh${parted ? " and its threads" : ""}${log ? ", without signs" : ""}`,
    );
  }

  function moveCursor() {
    const { T, step: t, lossStep: s, unit: u, muted, part } = now;
    const { totals, parts, full } = seen;
    root.style.setProperty("--at-step", String((t + 0.5) / (T + 1)));
    const name = u < 0 ? `|dL/dh${subscript(t)}|` : `dL/dh${subscript(t)}`;
    const known = PATHS.filter((path) => parts[path]);
    const here = t < s ? known.filter((path) => !muted.includes(path)) : [];
    const brought = here.reduce((amount, path) => amount + Math.abs(parts[path][t]), 0);
    const first = [...here].sort((a, b) => Math.abs(parts[b][t]) - Math.abs(parts[a][t]))[0];
    write(size.value, `${name} = ${short(t > s ? 0 : totals[t])}`);
    write(shares.value, first && brought ? `${first} ${percent(Math.abs(parts[first][t]) / brought)}` : "");

    const gates = walk.run && t < s ? { z: mean(walk.run.z, t, now), r: mean(walk.run.r, t, now) } : null;
    sum.hidden = !known.length;
    write(wholeName, name);
    write(whole, short(t > s ? 0 : totals[t]));
    const notes = {
      carry: gates ? `keeps ${percent(gates.z)}` : "",
      candidate: "through n",
      update: "through z",
      reset: gates ? `r lets ${percent(gates.r)} in` : "",
    };
    threads.forEach(({ path, number, note, sign, term }) => {
      term.hidden = sign.hidden = !known.includes(path);
      write(sign, path === known[0] ? "=" : "+");
      write(number, muted.includes(path) ? "muted" : t < s ? short(parts[path]?.[t] ?? 0) : "–");
      write(note, part.weights ? notes[path] : "");
    });

    const whose = u < 0 ? `h${subscript(t)}` : `unit ${u + 1} of h${subscript(t)}`;
    const reads = now.lossUnit < 0 ? "the sum of all units" : `unit ${now.lossUnit + 1}`;
    const said = [`The loss reads ${reads}${now.data.parts.length > 1 ? ` of ${part.name}` : ""} after step ${s}.`];
    if (t > s) said.push(`It does not depend on h${subscript(t)}, which comes later.`);
    else if (t === s) said.push(`What it sends straight into ${whose}: ${short(totals[t])}.`);
    else {
      const each = here.map((path) => `${path} ${short(parts[path][t])}`).join(", ");
      const against = here.filter((path) => parts[path][t] * totals[t] < 0);
      said.push(`What ${whose} receives through step ${t + 1}: ${each ? `${each}; ` : ""}in all ${short(totals[t])}.`);
      if (against.length) said.push(`${capital(against.join(" and "))} work${against.length > 1 ? "" : "s"} against it.`);
      else if (here.length > 1 && brought) said.push(`${percent(Math.abs(parts[first][t]) / brought)} comes by ${first}.`);
      if (u < 0)
        said.push(`${percentOf(totals[t] / walk.begin)} of what the loss sent in is left after ${s - t} step${s - t > 1 ? "s" : ""} back.`);
      if (muted.length && known.length) said.push(`Muted: ${muted.join(", ")}; with all threads it would be ${short(full[t])}.`);
    }
    if (!part.weights)
      said.push(
        part.single
          ? "This cell has a single path, the candidate's."
          : "The equations of this cell are not known, so its threads are not told apart.",
      );
    write(says, said.join(" "));
    size.plot.setAttribute(
      "aria-label",
      `${now.log ? "Logarithmic drawing" : "Drawing"} of the gradient at ${T + 1} states; ${short(totals[s])} at the loss, ${short(totals[0])} at the first state; ` +
        `at the cursor, state ${t}, ${short(t > s ? 0 : totals[t])}`,
    );
    shares.plot.setAttribute(
      "aria-label",
      first
        ? `By which threads the gradient comes: at the cursor, state ${t}, mostly by ${first}`
        : "By which threads the gradient comes: none at the cursor",
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
  for (const { input } of threads)
    on(input, "change", () => put({ muted: threads.filter((one) => !one.input.checked).map(({ path }) => path) }));

  // On the drawings: move the cursor, or drag the loss
  let dragging = false;
  for (const { plot } of [size, shares]) {
    const under = (/** @type {PointerEvent} */ event) => {
      const { left, width } = plot.getBoundingClientRect();
      return clamp(Math.floor(((event.clientX - left) / width) * (now.T + 1)), 0, now.T);
    };
    const move = (/** @type {number} */ t) => put(dragging ? { loss_step: Math.max(1, t) } : { step: t });
    on(plot, "pointerdown", (event) => {
      dragging = loss.contains(event.target) || (plot === size.plot && under(event) === now.lossStep);
      if (dragging && event.isTrusted) plot.setPointerCapture(event.pointerId); // only a pointer that exists can be held
      move(under(event));
    });
    on(plot, "pointermove", (event) => move(under(event)));
    for (const end of ["pointerup", "pointercancel"]) on(plot, end, () => (dragging = false));
  }

  return update;
}

/**
 * The walk back, with the muted threads and without muting.
 * @param {any} now
 * @param {Map<string, any>} runs  kept from before
 */
function compute({ part, sequence, layer, T, H, lossStep, lossUnit, muted }, runs) {
  const direct = new Float64Array(T * H); // what the loss sends into h_1..h_T
  for (let i = 0; i < H; i += 1) if (lossUnit < 0 || lossUnit === i) direct[(lossStep - 1) * H + i] = 1;
  const begin = Math.sqrt(lossUnit < 0 ? H : 1);
  const key = `${sequence} ${layer}`;
  if (!runs.has(key)) runs.set(key, part.weights ? again(part, part.runs[sequence]) : decode(part.runs[sequence].jacobians));
  const known = runs.get(key);
  if (!part.weights) {
    const back = (/** @type {boolean} */ silent) => {
      const grads = silent ? Float64Array.of(...new Float64Array(H), ...direct) : throughJacobians(known, direct, H);
      return { grads, paths: part.single ? { candidate: grads.slice(0, T * H) } : {} };
    };
    return { flow: back(part.single && muted.includes("candidate")), whole: back(false), begin };
  }
  const { weights, run, h0 } = known;
  const back = (/** @type {string[]} */ silent) => fourPaths(weights, run, direct, { h0, muted: silent });
  const whole = back([]);
  return { flow: muted.length ? back(muted) : whole, whole, begin, run };
}

/** A sequence run again in the page. @param {any} part @param {any} sent */
function again(part, { x, h0: start }) {
  const weights = /** @type {any} */ (
    Object.fromEntries(Object.entries(part.weights).map(([name, one]) => [name, typeof one === "string" ? decode(one) : one]))
  );
  const h0 = decode(start);
  return { weights, h0, run: forward(decode(x), weights, { h0 }) };
}

/** What is drawn: the whole and its parts for t = 0..T, of one unit or of all. @param {any} walk @param {any} now */
function read({ flow, whole }, { T, H, unit }) {
  const value = (/** @type {Float64Array} */ grads) =>
    Float64Array.from({ length: T + 1 }, (_, t) => (unit < 0 ? length(grads, t, H) : grads[t * H + unit]));
  const parts = Object.fromEntries(
    Object.entries(flow.paths).map(([path, part]) => [path, along(/** @type {Float64Array} */ (part), flow.grads, H, unit)]),
  );
  return { totals: value(flow.grads), full: value(whole.grads), parts };
}

/** A gate in the step after h_t: of the drawn unit, or the mean of all. @param {Float64Array} gate @param {number} t @param {any} now */
function mean(gate, t, { H, unit }) {
  return unit < 0 ? gate.subarray(t * H, (t + 1) * H).reduce((sum, v) => sum + v, 0) / H : gate[t * H + unit];
}

/** @param {...SVGElement} content */
const picture = (...content) =>
  make("svg", { viewBox: `0 0 ${FINE} ${FINE}`, preserveAspectRatio: "none", "aria-hidden": "true" }, ...content);

/**
 * @typedef {(v: number) => number} Height  0 at the top of a plot to 1
 * @typedef {[number, number][]} Edges  of a band, from and to, at t = 0, 1, ...
 */

/** A linear axis that holds these values, and zero. @param {number[]} values */
function linear(values) {
  const high = 1.12 * Math.max(0, ...values); // room for the loss's name
  const low = 1.05 * Math.min(0, ...values);
  const span = high - low || 1;
  const height = (/** @type {number} */ v) => (high - v) / span;
  const rows = span > 1e-3 ? ticks(low, high, 5).map((v) => /** @type {[number, string]} */ ([v, tidy(v)])) : [];
  return { height, rows };
}

/** A logarithmic axis that holds the sizes of these values, as far down as is worth while. @param {number[]} values */
function logarithmic(values) {
  const sizes = values.map(Math.abs).filter((v) => v > 0);
  const top = Math.ceil(Math.log10(Math.max(...sizes)) + 0.1);
  const bottom = Math.min(top - 1, Math.max(Math.floor(Math.log10(Math.min(...sizes))), top - DEEPEST));
  const height = (/** @type {number} */ v) => (top - Math.log10(v)) / (top - bottom);
  return { height, rows: decades(bottom, top, 5).map((e) => /** @type {[number, string]} */ ([10 ** e, power(e)])) };
}

/**
 * Lines and numbers of an upright axis, and names on the drawing.
 * @param {Element} grid
 * @param {Element} words
 * @param {[number, string][]} rows
 * @param {Height} height
 * @param {Node[]} more
 */
function scaled(grid, words, rows, height, more) {
  grid.setAttribute("d", rows.map(([v]) => `M0 ${at(height(v))}H${FINE}`).join(""));
  words.replaceChildren(...rows.map(([v, text]) => make("span", { class: "gru-tick", style: `top:${100 * height(v)}%` }, text)), ...more);
}

/**
 * The threads upon each other: upwards from zero what is positive, downwards what is negative.
 * @param {(p: number, t: number) => number} piece
 * @param {number} s  states that threads reach
 * @returns {Edges[][]}  of every path, above zero and below
 */
function stack(piece, s) {
  const stacks = PATHS.map(() => [/** @type {Edges} */ ([]), /** @type {Edges} */ ([])]);
  for (let t = 0; t < s; t += 1) {
    let [above, under] = [0, 0];
    stacks.forEach(([up, down], p) => {
      const v = piece(p, t);
      up.push([above, (above += Math.max(v, 0))]);
      down.push([under, (under += Math.min(v, 0))]);
    });
  }
  return stacks;
}

/**
 * Two points for every state that threads reach: level across most of its column, so that its value can be read there.
 * @param {(t: number) => number} y
 * @param {number} s
 * @param {number} T
 * @returns {[number, number][]}  in the drawing's units
 */
function knots(y, s, T) {
  return Array.from({ length: 2 * s }, (_, i) => {
    const t = i >> 1;
    const x = i % 2 ? (t < s - 1 ? t + 0.75 : s) : t ? t + 0.25 : 0;
    return [at(x / (T + 1)), at(y(t))];
  });
}

/** Level within a column, and gently from one to the next. @param {[number, number][]} points */
function curve(points) {
  let path = "";
  points.forEach(([x, y], i) => {
    if (!i) path = `${x} ${y}`;
    else if (i % 2) path += `H${x}`;
    else {
      const [from, level] = points[i - 1];
      const half = (from + x) >> 1;
      path += `C${half} ${level} ${half} ${y} ${x} ${y}`;
    }
  });
  return path;
}

/** The bands of one path. @param {Edges[]} sides @param {Height} height @param {number} s @param {number} T */
function ribbons(sides, height, s, T) {
  return sides
    .filter((edges) => edges.some(([from, to]) => from !== to))
    .map((edges) => {
      const [from, to] = [0, 1].map((side) => knots((t) => height(edges[t][side]), s, T));
      return `M${curve(from)}L${curve(to.reverse())}Z`;
    })
    .join("");
}

/**
 * The threads' names, each inside its band where that has most room; nowhere if it has none.
 * @param {Edges[][]} stacks
 * @param {Height} height
 * @param {number} column  a state's width in pixels
 * @param {number} s
 * @param {boolean} [flat]  whether the plot is a low one
 */
function names(stacks, height, column, s, flat = false) {
  return stacks.flatMap((sides, p) => {
    const reach = Math.ceil((PATHS[p].length * 8) / 2 / column - 0.75); // columns that the name covers on either side
    let best = { t: -1, y: 0, room: flat ? 0.16 : 0.09 };
    for (const edges of sides) {
      const levels = edges.map(([from, to]) => [height(from), height(to)].sort((a, b) => a - b));
      for (let t = reach; t < s - reach; t += 1) {
        const near = levels.slice(t - reach, t + reach + 1);
        const [top, bottom] = [Math.max(...near.map(([a]) => a)), Math.min(...near.map(([, b]) => b))];
        if (bottom - top > best.room) best = { t, y: (top + bottom) / 2, room: bottom - top };
      }
    }
    return best.t < 0
      ? []
      : [make("span", { class: "gru-in-band", style: `left:${((best.t + 0.5) * column).toFixed(1)}px;top:${100 * best.y}%` }, PATHS[p])];
  });
}

/** @param {string} text */
const capital = (text) => text[0].toUpperCase() + text.slice(1);

/** @param {number} n */
const subscript = (n) => [...String(n)].map((digit) => "₀₁₂₃₄₅₆₇₈₉"[Number(digit)]).join("");

/** A share, with digits where it is small. @param {number} share */
const percentOf = (share) => (share >= 0.01 ? percent(share) : `${short(100 * share)} %`);

export default view("gradient-loom", TRAITS, build);
