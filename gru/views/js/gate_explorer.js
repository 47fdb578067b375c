// @ts-check
/** GateExplorer: what the gates of a trained model do at every step of a sequence, and what a bias on z does to it all. */

import { origin, resetButton } from "./controls.js";
import { beside, clamp, format, line, paint, percent, ramp, spread } from "./draw.js";
import { believe, decode, runStack } from "./gru.js";
import { letter, panelOf, scale, stepAxis } from "./panel.js";
import { labelled, make, view, write } from "./view.js";

/**
 * What Python sends (gate_explorer.py). A part is one layer and direction of the model.
 * @typedef {object} Data
 * @property {{ name: string, layer: number, reverse: boolean, hidden_size: number, convention: "keeps" | "writes" | null,
 *   weights: Record<string, any> | null }[]} parts
 * @property {{ name: string, steps: number, target: number | null, x: string | null,
 *   traced: Record<"r" | "z" | "n" | "h", string>[] | null, probabilities: string | null }[]} sequences
 * @property {{ weight: string, bias: string | null } | null} head
 * @property {string[]} class_names  empty if there is no head
 * @property {string} reason  why the page cannot compute; empty if it can
 * @property {string} device  where Python has traced the model
 * @property {number | null} apart  how far its states are from the page's at most; null if the page cannot compute
 */

const QUANTITIES = /** @type {const} */ (["r", "z", "n", "h"]);
const NAMES = { r: "reset gate", z: "update gate", n: "candidate", h: "state" };
const LOW = { r: 0, z: 0, n: -1, h: -1 };
const NOTES = {
  r: "1 uses the past",
  n: "the proposal",
  h: "the memory",
  keeps: "1 keeps h",
  writes: "1 writes n",
};
const TRAITS = ["sequence", "step", "unit", "layer", "update_bias", "compact", "_data"];

/** @param {{ model: import("./view.js").Model, root: HTMLElement, signal: AbortSignal }} context */
function build({ model, root, signal }) {
  const put = (/** @type {Record<string, number>} */ values) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    model.save_changes();
  };
  const on = (/** @type {HTMLElement} */ element, /** @type {string} */ event, /** @type {(event: any) => void} */ listener) =>
    element.addEventListener(event, listener, { signal });

  // Controls
  const sequence = make("select");
  const layer = make("select");
  const bias = make("input", { type: "range", min: -6, max: 6, step: 0.1 });
  const biasValue = make("output", { class: "gru-value", "aria-live": "off" });
  const step = make("input", { type: "range", min: 1, step: 1 });
  const stepValue = make("output", { class: "gru-value", "aria-live": "off" });
  const unit = make("input", { type: "range", min: 1, step: 1 });
  const unitValue = make("output", { class: "gru-value", "aria-live": "off" });
  const reset = resetButton(model, ["sequence", "layer", "step", "unit", "update_bias"], signal);
  const why = make("p", { class: "gru-why" });
  const layerControl = labelled("Layer", layer);
  const end = (/** @type {string} */ text) => make("span", { class: "gru-note", "aria-hidden": "true" }, text);
  const biasLabel = make("span", {}, make("span"), letter("z"));
  const biasControl = make(
    "div",
    { class: "gru-bias" },
    labelled(biasLabel, make("span", { class: "gru-ends" }, end("forget"), bias, end("keep"), biasValue)),
    reset,
  );

  // Drawings
  const maps = QUANTITIES.map((name) => heatMap(name));
  const lines = linesPanel();
  const beliefs = beliefPanel();
  const panels = make(
    "div",
    { class: "gru-panels", tabindex: 0, role: "application", "aria-label": "Drawings. Arrow keys move to another step or unit." },
    ...[...maps, lines, beliefs].map(({ panel }) => panel),
  );
  const equation = make("div", { class: "gru-equation" });
  const says = make("p", { class: "gru-says", "aria-live": "polite" });
  const where = make("p", { class: "gru-where" });
  const tries = make("details", { class: "gru-try" }, make("summary", {}, "What to try"), make("ul"));

  root.setAttribute("role", "group");
  root.replaceChildren(
    make("div", { class: "gru-bar" }, labelled("Sequence", sequence), layerControl, biasControl),
    why,
    panels,
    make("div", { class: "gru-bar gru-cursor" }, labelled("Step", step, stepValue), labelled("Unit", unit, unitValue)),
    equation,
    says,
    where,
    tries,
  );

  // What is drawn now; each part is done again only when what it depends on has changed.
  /** @type {ReturnType<typeof readState>} */
  let now;
  let key = "";
  /** @type {any} */
  let known = null; // Data, decoded
  /** @type {any} */
  let run; // of compute()

  function readState() {
    const data = /** @type {Data} */ (model.get("_data"));
    const s = clamp(Math.round(model.get("sequence")), 0, data.sequences.length - 1);
    const part = clamp(Math.round(model.get("layer")), 0, data.parts.length - 1);
    const { steps } = data.sequences[s];
    const units = data.parts[part].hidden_size;
    return {
      data,
      sequence: s,
      layer: part,
      steps,
      units,
      step: clamp(Math.round(model.get("step")), 0, steps - 1),
      unit: clamp(Math.round(model.get("unit")), 0, units - 1),
      bias: data.reason ? 0 : clamp(model.get("update_bias"), -6, 6),
      compact: Boolean(model.get("compact")),
      theme: getComputedStyle(root).getPropertyValue("--gru-ground"),
    };
  }

  function update() {
    now = readState();
    if (now.data !== known?.data) {
      known = prepare(now.data);
      newData();
      key = "";
    }
    const { theme, sequence: s, layer: part, bias: b, unit: u } = now;
    const whole = JSON.stringify([theme, s, part, b]);
    if (!key.startsWith(whole)) {
      run = compute(known, now);
      maps.forEach((map, i) => map.draw(run[QUANTITIES[i]], now, run.convention));
      beliefs.draw(run, now);
    }
    if (key !== whole + u) lines.draw(run, now);
    key = whole + u;
    moveCursor();
  }

  function newData() {
    const { data } = now;
    sequence.replaceChildren(...data.sequences.map(({ name }, i) => make("option", { value: i }, name)));
    layer.replaceChildren(...data.parts.map(({ name }, i) => make("option", { value: i }, name)));
    layerControl.hidden = data.parts.length < 2;
    write(biasLabel.firstElementChild, data.parts[0].convention === "writes" ? "Bias taken from every " : "Bias added to every ");
    bias.disabled = Boolean(data.reason);
    write(where, origin(data.device, data.apart));
    write(why, data.reason);
    why.hidden = !data.reason;
    root.classList.toggle("gru-headless", !data.class_names.length);
    tries.querySelector("ul").replaceChildren(...advice(data).map((text) => make("li", {}, text)));
  }

  function moveCursor() {
    const { data, steps, units, step: t, unit: u } = now;
    root.classList.toggle("gru-compact", now.compact);
    root.classList.toggle("gru-at-first", t === 0);
    root.classList.toggle("gru-at-last", t === steps - 1);
    root.style.setProperty("--at-step", String((t + 0.5) / steps));
    root.style.setProperty("--at-unit", String((u + 0.5) / units));
    root.style.setProperty("--steps", String(steps));
    root.style.setProperty("--units", String(units));
    for (const plot of panels.querySelectorAll(".gru-step-now")) write(plot, String(t + 1));
    for (const plot of panels.querySelectorAll(".gru-step-last")) write(plot, String(steps));
    for (const plot of panels.querySelectorAll(".gru-unit-now")) write(plot, String(u + 1));

    for (const [input, value, max] of [
      [step, t + 1, steps],
      [unit, u + 1, units],
    ]) {
      input.max = String(max);
      if (input.value !== String(value)) input.value = String(value);
      input.setAttribute("aria-valuetext", `${value} of ${max}`);
    }
    write(stepValue, `${t + 1} of ${steps}`);
    write(unitValue, `${u + 1} of ${units}`);
    sequence.value = String(now.sequence);
    layer.value = String(now.layer);
    if (Number(bias.value) !== now.bias) bias.value = String(now.bias);
    write(biasValue, (now.bias > 0 ? "+" : "") + format(now.bias, 1));
    bias.setAttribute("aria-valuetext", `${format(now.bias, 1)}; more is a longer memory`);

    const at = Object.fromEntries(QUANTITIES.map((name) => [name, run[name][t * units + u]]));
    maps.forEach((map, i) => map.read(at[QUANTITIES[i]], now));
    beliefs.read(run, now);
    equation.replaceChildren(...terms(at, run, now));
    write(says, sentence(at, run, now));
    root.setAttribute("aria-label", `Gates of ${data.sequences[now.sequence].name}`);
  }

  // From the page to the model
  on(sequence, "change", () => {
    const s = Number(sequence.value);
    const last = now.data.sequences[s].steps - 1;
    put({ sequence: s, step: now.step === now.steps - 1 ? last : Math.min(now.step, last) });
  });
  on(layer, "change", () => {
    const part = Number(layer.value);
    put({ layer: part, unit: Math.min(now.unit, now.data.parts[part].hidden_size - 1) });
  });
  on(bias, "input", () => put({ update_bias: Number(bias.value) }));
  on(step, "input", () => put({ step: Number(step.value) - 1 }));
  on(unit, "input", () => put({ unit: Number(unit.value) - 1 }));

  const point = (/** @type {PointerEvent} */ event) => {
    const plot = /** @type {HTMLElement} */ (event.target).closest(".gru-plot");
    if (!plot || !panels.contains(plot)) return;
    const { left, top, width, height } = plot.getBoundingClientRect();
    const values = { step: clamp(Math.floor(((event.clientX - left) / width) * now.steps), 0, now.steps - 1) };
    if (plot.classList.contains("gru-map")) {
      Object.assign(values, { unit: clamp(Math.floor(((event.clientY - top) / height) * now.units), 0, now.units - 1) });
    }
    put(values);
  };
  on(panels, "pointermove", point);
  on(panels, "pointerdown", point);

  on(panels, "keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { step: t, unit: u } = readState(); // what is drawn may be a frame behind fast fingers
    /** @type {Record<string, { step?: number, unit?: number }>} */
    const moves = {
      ArrowLeft: { step: t - 1 },
      ArrowRight: { step: t + 1 },
      ArrowUp: { unit: u - 1 },
      ArrowDown: { unit: u + 1 },
      Home: { step: 0 },
      End: { step: now.steps - 1 },
    };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    put({ step: clamp(move.step ?? t, 0, now.steps - 1), unit: clamp(move.unit ?? u, 0, now.units - 1) });
  });

  return update;
}

/** Numbers out of what Python sent. @param {Data} data */
function prepare(data) {
  const numbers = (/** @type {string | null} */ text) => (text === null ? null : decode(text));
  const parts = data.reason
    ? []
    : data.parts.map(({ weights, ...part }) => ({
        ...part,
        weights: Object.fromEntries(Object.entries(weights ?? {}).map(([k, v]) => [k, typeof v === "string" ? decode(v) : v])),
      }));
  const head = data.head && { weight: decode(data.head.weight), bias: numbers(data.head.bias) };
  return { data, parts, head };
}

/**
 * r, z, n, h of the chosen part (T, H), z as its cell means it, and the class probabilities (T, C) or null.
 * @param {any} known  of prepare()
 * @param {any} now
 */
function compute({ data, parts, head }, { sequence, steps, layer, bias }) {
  const { x, traced, probabilities } = data.sequences[sequence];
  const { convention } = data.parts[layer];
  const classes = data.class_names.length;
  if (data.reason) {
    const gates = Object.fromEntries(QUANTITIES.map((name) => [name, decode(traced[layer][name])]));
    return { ...gates, convention, beliefs: probabilities && decode(probabilities), kept: null };
  }
  const { runs, top } = runStack(decode(x), parts, steps, bias);
  const { r, z, n, h } = runs[layer];
  const kept = z.reduce((sum, value) => sum + value, 0) / z.length;
  const own = convention === "writes" ? z.map((value) => 1 - value) : z;
  return { r, z: own, n, h, convention, beliefs: head && believe(top, head, classes), kept };
}

/** The class that counts as most probable after a step. @param {any} beliefs @param {number} step @param {number} classes */
function leader(beliefs, step, classes) {
  let best = 0;
  for (let c = 1; c < classes; c += 1) if (beliefs[step * classes + c] > beliefs[step * classes + best]) best = c;
  return best;
}

/** @param {"r" | "z" | "n" | "h"} name */
function heatMap(name) {
  const canvas = make("canvas");
  const note = make("span", { class: "gru-note" });
  const key = make(
    "span",
    { class: "gru-key", "aria-hidden": "true" },
    format(LOW[name], 0),
    make("i", { class: `gru-ramp gru-ramp-${name}` }),
    "1",
  );
  const { panel, plot, value } = panelOf(
    name,
    [letter(name), ` ${NAMES[name]} `, note],
    { class: "gru-map" },
    canvas,
    make("i", { class: "gru-at-unit" }),
    make("span", { class: "gru-unit-now", "aria-hidden": "true" }),
  );
  value.before(key);
  panel.append(stepAxis());
  return {
    panel,
    /** @param {any} values @param {any} now @param {"keeps" | "writes" | null} convention */
    draw(values, { steps, units }, convention) {
      const css = getComputedStyle(plot);
      const colour = (/** @type {string} */ which) => css.getPropertyValue(`--gru-${which}`);
      const colours = ramp(LOW[name] < 0 ? [colour("below"), colour("ground"), colour(name)] : [colour("ground"), colour(name)]);
      if (canvas.width !== steps || canvas.height !== units) Object.assign(canvas, { width: steps, height: units });
      // One pixel a value; CSS scales it with hard edges, so it is sharp at any size and any pixel ratio.
      const context = canvas.getContext("2d", { willReadFrequently: true }); // in main memory, where the numbers are
      const image = context.createImageData(steps, units);
      paint(values, steps, units, LOW[name], 1, colours, image.data);
      context.putImageData(image, 0, 0);
      write(note, name === "z" ? (convention ? NOTES[convention] : "") : NOTES[name]);
    },
    /** @param {number} at @param {any} now */
    read(at, { step, steps, unit, units }) {
      write(value, format(at));
      plot.setAttribute(
        "aria-label",
        `Heat map of the ${NAMES[name]} ${name}, ${units} units over ${steps} steps, from ${format(LOW[name], 0)} to 1: ` +
          `${format(at)} for unit ${unit + 1} at step ${step + 1}`,
      );
    },
  };
}

/** The four quantities of one unit. */
function linesPanel() {
  const paths = Object.fromEntries(QUANTITIES.map((name) => [name, make("path", { class: `gru-line gru-line-${name}` })]));
  const zero = make("path", { class: "gru-zero" });
  const svg = make("svg", { preserveAspectRatio: "none", "aria-hidden": "true" }, zero, ...Object.values(paths));
  const labels = Object.fromEntries(
    QUANTITIES.map((name) => [name, make("b", { class: `gru-end gru-${name}`, "aria-hidden": "true" }, name)]),
  );
  const title = make("span", {}, "one unit");
  const { panel, plot } = panelOf("unit", [title], { class: "gru-lines" }, svg, ...Object.values(labels), ...scale("1", "0", "−1"));
  panel.append(stepAxis());
  return {
    panel,
    /** @param {any} run @param {any} now */
    draw(run, { steps, units, unit }) {
      svg.setAttribute("viewBox", `0 0 ${steps} 1`);
      zero.setAttribute("d", `M0 .5H${steps}`);
      write(title, `unit ${unit + 1}, all four`);
      const last = QUANTITIES.map((name) => {
        paths[name].setAttribute("d", line(run[name], unit, units, -1, 1));
        return run[name][(steps - 1) * units + unit];
      });
      spread(
        last.map((value) => (1 - value) / 2),
        0.14,
      ).forEach((place, i) => {
        labels[QUANTITIES[i]].style.top = `${100 * place}%`;
      });
      plot.setAttribute(
        "aria-label",
        `Lines for unit ${unit + 1} over ${steps} steps; at the end ${QUANTITIES.map((name, i) => `${name} is ${format(last[i])}`).join(", ")}`,
      );
    },
  };
}

/** What the model would answer after each step. */
function beliefPanel() {
  const svg = make("svg", { preserveAspectRatio: "none", "aria-hidden": "true" });
  const tag = make("span", { class: "gru-tag", "aria-hidden": "true" });
  const note = make("span", { class: "gru-note" });
  const { panel, plot, value } = panelOf("beliefs", ["probabilities ", note], { class: "gru-lines" }, svg, tag, ...scale("1", "", "0"));
  panel.append(stepAxis());
  return {
    panel,
    /** @param {any} run @param {any} now */
    draw({ beliefs }, { data, sequence, steps }) {
      if (!beliefs) return;
      const names = /** @type {string[]} */ (data.class_names);
      const { target } = data.sequences[sequence];
      const answer = leader(beliefs, steps - 1, names.length);
      const main = target ?? answer;
      const others = names.map((_, c) => c).filter((c) => c !== main);
      svg.setAttribute("viewBox", `0 0 ${steps} 1`);
      svg.replaceChildren(
        ...[...others, main].map((c) =>
          make("path", {
            class: `gru-line gru-class${c === main ? " gru-main" : c === answer ? " gru-answer" : ""}`,
            d: line(beliefs, c, names.length, 0, 1),
          }),
        ),
      );
      const end = beliefs[(steps - 1) * names.length + main];
      write(tag, names[main]);
      write(note, target === null ? "bold: its answer" : "bold: true class");
      const under = Array.from({ length: Math.ceil(0.3 * steps) }, (_, i) => beliefs[(steps - 1 - i) * names.length + main]);
      tag.style.top = `${100 * (1 - beside(under.reverse(), 0.22))}%`;
      plot.setAttribute(
        "aria-label",
        `Lines: probability of ${names.length} classes over ${steps} steps; ${names[main]} ends at ${percent(end)}`,
      );
    },
    /** @param {any} run @param {any} now */
    read({ beliefs }, { data, step }) {
      if (!beliefs) return;
      const { class_names: names } = data;
      const first = leader(beliefs, step, names.length);
      write(value, `${names[first]} ${percent(beliefs[step * names.length + first])}`);
    },
  };
}

/**
 * How the state came about at the cursor: each symbol over its number.
 * @param {Record<string, number>} at
 * @param {any} run
 * @param {any} now
 */
function terms(at, { h, convention }, { data, layer, step, steps, unit, units }) {
  if (!convention) return [];
  const before = data.parts[layer].reverse ? step + 1 : step - 1;
  const past = before < 0 || before >= steps ? 0 : h[before * units + unit];
  const term = (/** @type {Node[]} */ symbol, /** @type {number} */ value) =>
    make("span", { class: "gru-term" }, make("span", {}, ...symbol), make("span", { class: "gru-number" }, format(value)));
  const sign = (/** @type {string} */ text) => make("span", { class: "gru-sign" }, text);
  const rest = term([sign("(1 − "), letter("z"), sign(")")], 1 - at.z);
  const whole = term([letter("z")], at.z);
  const [ofCandidate, ofPast] = convention === "keeps" ? [rest, whole] : [whole, rest];
  const candidate = [ofCandidate, sign("·"), term([letter("n")], at.n)];
  const memory = [ofPast, sign("·"), term([letter("h"), make("small", {}, " before")], past)];
  const [first, second] = convention === "keeps" ? [candidate, memory] : [memory, candidate];
  return [term([letter("h")], at.h), sign("="), ...first, sign("+"), ...second];
}

/**
 * What the view shows, in words.
 * @param {Record<string, number>} at
 * @param {any} run
 * @param {any} now
 */
function sentence(at, { beliefs, kept }, { data, sequence, layer, step, steps, unit, bias, compact }) {
  const { name, target } = data.sequences[sequence];
  const { class_names: names, parts } = data;
  const where = parts.length > 1 ? `${name}, ${parts[layer].name}` : name;
  const after = `${where}, after step ${step + 1} of ${steps}`;
  const said = [`${after}.`];
  if (beliefs) {
    const first = leader(beliefs, step, names.length);
    const share = percent(beliefs[step * names.length + first]);
    const truth = target === null ? "" : first === target ? ", which is right" : `, but it is ${names[target]}`;
    said[0] = `${after}, the model says ${names[first]} (${share})${truth}.`;
  }
  if (!compact) {
    said.push(`Unit ${unit + 1}: reset ${format(at.r)}, update ${format(at.z)}, candidate ${format(at.n)}, state ${format(at.h)}.`);
  }
  if (kept !== null) {
    const how = parts[0].convention === "writes" ? "taken from" : "on";
    const added = bias ? `With ${bias > 0 ? "+" : ""}${format(bias, 1)} ${how} every update gate, a step keeps` : "A step keeps";
    said.push(`${added} ${percent(kept)} of the old state on average.`);
  }
  return said.join(" ");
}

/** @param {Data} data */
function advice({ reason, class_names, parts }) {
  const towards = parts[0].convention === "writes" ? "0" : "1";
  return [
    "Point at a heat map, or use the arrow keys in it. You should see the same step and unit marked in every drawing, and the numbers of the equation change.",
    ...(reason
      ? []
      : [
          `Move the bias to +6. You should see nearly every z go to ${towards}${class_names.length ? ", the state stay near 0 and the probabilities hardly move" : " and the state stay near 0"}: all is kept, nothing gets in.`,
          "Move it to −6. You should see h become a copy of n: each step overwrites the last.",
        ]),
    "Look for a row of the state that holds its colour over many steps. Is z of that unit keeping all the while, or does n say the same again and again?",
  ];
}

export default view("gate-explorer", TRAITS, build);
