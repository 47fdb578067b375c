// @ts-check
/** GradientLoom: the gradient of a loss flowing back through a sequence as four threads, carry, candidate, update and reset. */

import { choice, list, reset, slider, tries } from "./bound.js";
import { linesIn } from "./chart.js";
import { origin } from "./controls.js";
import { colourOf, headline, make, write } from "./dom.js";
import { clamp, percent, power, short } from "./draw.js";
import { PATHS } from "./flow.js";
import { inputStrip } from "./input_strip.js";
import { beside, direct, gateAt, rerun, scaleOf, sizes, thickness, threadsOf, towards, walk } from "./loom.js";
import { strip } from "./panel.js";
import { ribbonPanel } from "./ribbons.js";
import { score } from "./score.js";
import { dragging, memo, stateOf } from "./state.js";
import { view } from "./view.js";

/** @typedef {import("./loom.js").Data} Data */
/** @typedef {import("./flow.js").Path} Path */
/** @typedef {ReturnType<typeof read>} Now */
/** @typedef {import("./state.js").State<Now>} State */
/** @typedef {ReturnType<ReturnType<typeof numbersOf>>} Numbers */

const TRAITS = ["sequence", "layer", "step", "loss_step", "loss_unit", "unit", "muted", "log", "_data"];

/** The state, from the traits. @param {import("./state.js").Reader} traits */
function read({ whole, flag, sent }) {
  const data = /** @type {Data} */ (sent("_data"));
  const sequence = whole("sequence", 0, data.names.length - 1);
  const layer = whole("layer", 0, data.parts.length - 1);
  const T = data.steps[sequence];
  const part = data.parts[layer];
  const H = part.hidden_size;
  const muted = /** @type {readonly string[]} */ (sent("muted"));
  return {
    data,
    sequence,
    layer,
    part,
    T,
    H,
    loss_step: data.loss ? T : whole("loss_step", 1, T),
    loss_unit: whole("loss_unit", -1, H - 1),
    unit: whole("unit", -1, H - 1),
    step: whole("step", 0, T),
    muted: PATHS.filter((path) => muted.includes(path)),
    log: flag("log"),
  };
}

/** @param {import("./view.js").Context} context */
function build(context) {
  const { root } = context;
  const state = stateOf(context, read);
  const numbers = numbersOf();
  const drawings = drawingsOf(state);
  const says = make("p", { class: "gru-says", "aria-live": "polite" });
  const where = make("p", { class: "gru-where" });
  const bars = controls(state);
  state.lay(bars.above, says, drawings.element, bars.below, tries(state, trials()), where);
  root.setAttribute("aria-label", "Gradient on its way back");

  const about = memo((/** @type {Data} */ { parts, device, apart, loss }) => {
    const own = parts.length > 1 && !loss ? " The loss sits on the chosen layer's own state, and what that layer reads is held fixed." : "";
    const rnn = parts.some(({ weights }) => weights)
      ? " The tanh RNN is the same layer without its gates: r = 1, z = 0, the candidate's weights, the same inputs and the same loss. Weights that learned beside gates were not meant for it: its gradient may vanish or explode."
      : "";
    write(where, origin(device, apart) + own + rnn);
  });
  return () => {
    const now = state.refresh();
    const found = numbers(now);
    about(now.data);
    drawings.draw(now, found, colourOf(root, "ground"));
    says.setAttribute("aria-live", drawings.playing() ? "off" : "polite"); // nobody can listen as fast as it plays
    headline(says, ...sentence(now, found));
  };
}

/** What is drawn, computed anew where what it depends on has changed. */
function numbersOf() {
  const known = memo((/** @type {Data} */ data, /** @type {number} */ s, /** @type {number} */ l) =>
    rerun(data.parts[l], data.parts[l].runs[s]),
  );
  const sent = memo(
    (
      /** @type {ReturnType<typeof rerun>} */ one,
      /** @type {number} */ T,
      /** @type {number} */ H,
      /** @type {number} */ lossStep,
      /** @type {number} */ lossUnit,
    ) => direct(one, { T, H, lossStep, lossUnit }),
  );
  const whole = memo(walk);
  const without = memo(walk);
  const rnn = memo(beside);
  const same = memo((/** @type {string} */ key) => /** @type {Path[]} */ (key ? key.split(" ") : []));
  const none = same("");
  const shown = () =>
    memo((/** @type {import("./loom.js").Flow} */ flow, /** @type {number} */ H, /** @type {number} */ unit) => ({
      totals: sizes(flow.grads, H, unit),
      threads: threadsOf(flow, H, unit),
    }));
  const [open, full] = [shown(), shown()];
  const other = memo(
    (/** @type {Float64Array | null} */ grads, /** @type {number} */ H, /** @type {number} */ unit) => grads && sizes(grads, H, unit),
  );
  const scale = memo(scales);
  return (/** @type {Now} */ { data, sequence, layer, part, T, H, loss_step: lossStep, loss_unit: lossUnit, unit, muted, log }) => {
    const one = known(data, sequence, layer);
    const into = sent(one, T, H, lossStep, lossUnit);
    const all = whole(part, one, into, none);
    const flow = muted.length ? without(part, one, into, same(muted.join(" "))) : all;
    const [drawn, before] = [open(flow, H, unit), full(all, H, unit)];
    const tanh = other(rnn(one, into), H, unit);
    return { one, drawn, before, tanh, begin: Math.sqrt(lossUnit < 0 ? H : 1), ...scale(drawn, before, tanh, log) };
  };
}

/**
 * The scales of the lines, and of the four ribbons: their hair stays as it is when a thread is muted, so that less is thinner.
 * @param {{ totals: Float64Array, threads: import("./loom.js").Threads }} drawn
 * @param {{ totals: Float64Array, threads: import("./loom.js").Threads }} before  with no thread muted
 * @param {Float64Array | null} tanh
 * @param {boolean} log
 */
function scales({ totals, threads }, before, tanh, log) {
  const most = (/** @type {ArrayLike<number>[]} */ ...all) => Math.max(...all.flatMap((one) => Array.from(one, Math.abs)));
  const largest = [most(totals, ...Object.values(threads)), most(...Object.values(before.threads))].filter(Number.isFinite);
  return { scale: scaleOf([totals, before.totals, ...(tanh ? [tanh] : [])], log), thick: scaleOf([before.totals, largest], log) };
}

/**
 * The score: the input, the gradient's size beside that of a tanh RNN, and the four threads.
 * @param {State} state
 */
function drawingsOf(state) {
  const input = inputStrip();
  const size = sizePanel(state);
  const ribbons = PATHS.map(ribbonPanel);
  const lead = leadOf();
  // The input last: it stands beside the steps' numbers, and what the view is about comes first.
  const stack = score(state, [size.panel, lead.element, ...ribbons.map(({ panel }) => panel), ...input.panels], {
    count: ({ T }) => T + 1,
    names: ({ data, sequence }) => data.step_names[sequence] && ["0", ...data.step_names[sequence]],
    from: 0,
    way: ({ loss_step: lossStep }) => [lossStep, 0], // the gradient flows back
    keys: "Arrow keys move to another state, or to the gradient of another unit.",
    key: (name, { unit, H }) => {
      const by = { ArrowDown: 1, ArrowUp: -1 }[name];
      return by ? { unit: clamp(unit + by, -1, H - 1) } : null;
    },
  });
  for (const { path, input: box } of ribbons) {
    state.on(box, "change", () => {
      const { muted } = state.pinned();
      state.put({ muted: PATHS.filter((one) => (one === path ? !box.checked : muted.includes(one))) });
    });
  }
  state.follow(({ muted }) => (muted.length ? `Muted ${muted.join(", ")}` : null));

  const drawInput = memo((/** @type {ArrayLike<number>} */ x, /** @type {number} */ steps, /** @type {string} */ _theme) => {
    stack.element.style.setProperty("--steps", String(steps + 1));
    input.draw(x, steps);
  });
  const drawSize = memo(size.draw);
  const drawRibbons = memo(
    (
      /** @type {Numbers["drawn"]} */ { threads, totals },
      /** @type {Numbers["before"]} */ before,
      /** @type {Numbers["thick"]} */ scale,
      /** @type {boolean} */ log,
      /** @type {number} */ T,
      /** @type {number} */ end,
      /** @type {string} */ muted,
    ) => {
      const thick = (/** @type {number} */ value) => thickness(value, scale, log);
      for (const { path, panel, draw } of ribbons) {
        panel.hidden = !threads[path];
        const own = muted.includes(path) ? null : towards(threads[path], totals);
        draw(own, muted ? towards(before.threads[path], before.totals) : null, { T, end, thick });
      }
      lead.say(PATHS.filter((path) => threads[path]).length, scale, log);
    },
  );
  return {
    element: stack.element,
    playing: stack.playing,
    /** @param {Now} now @param {Numbers} found @param {string} theme */
    draw(now, found, theme) {
      const { step, T, H, unit, loss_step: end, muted, log, part } = now;
      const { one, drawn, before, scale } = found;
      drawInput(one.x, T, theme);
      drawSize(drawn.totals, muted.length ? before.totals : null, found.tanh, scale, log, unit, end);
      drawRibbons(drawn, before, found.thick, log, T, end, muted.join(" "));
      const run = one.cells?.gru.run;
      const [z, r] = run && step < end ? [gateAt(run.z, step, H, unit), gateAt(run.r, step, H, unit)] : [null, null];
      const words = {
        carry: z === null ? "h, kept by z" : `z keeps ${percent(z)} of h`,
        candidate: part.single ? "h, read by the tanh" : r === null ? "h, let in by r" : `r lets in ${percent(r)} of h`,
        update: "h, read by gate z",
        reset: "h, read by gate r",
      };
      const sum = openThreads(now, found).reduce((all, { value }) => all + value, 0);
      for (const { path, read } of ribbons) {
        const brought = step < end ? (drawn.threads[path]?.[step] ?? null) : null;
        read(brought, sum, muted.includes(path), words[path]);
      }
      stack.show(now, now.data.loss ? [] : [end]);
      lead.at(step, unit < 0 && Boolean(run));
      size.read(now);
      input.read(step - 1);
    },
  };
}

/** What the ribbons are, above them: how many, what their thickness says, and over the numbers beside them what those are. */
function leadOf() {
  const [what, how, gates, at] = [make("b"), make("span"), make("span"), make("span")];
  const element = make("div", { class: "gru-lead gru-note" }, make("span", {}, what, how, gates), at);
  return {
    element,
    /** @param {number} count  of threads @param {[number, number]} scale @param {boolean} log */
    say(count, scale, log) {
      element.hidden = !count;
      const [hair, whole] = log ? scale.map((end) => power(Math.round(Math.log10(end)))) : ["", short(Math.max(scale[1], -scale[0]))];
      write(what, `Its ${count > 1 ? "four ways" : "one way"} back through each step.`);
      const hollow = count > 1 ? "hollow works against the rest" : "hollow is against it";
      write(how, ` Thicker is more: ${hair && `a hair is ${hair} or less, `}the full height ${hair ? "" : "is "}${whole}; ${hollow}.`);
    },
    /** @param {number} step @param {boolean} means  of the gates stand beside the ribbons */
    at(step, means) {
      write(at, `share at step ${step}`);
      write(gates, means ? " z and r: means of all units." : "");
    },
  };
}

/** The gradient at every state, and the place of the loss, which can be dragged. @param {State} state */
function sizePanel(state) {
  const { panel, plot, note } = strip("size", ["gradient"], "gru-lines gru-tall");
  const lines = linesIn(plot, 0.26); // a name, and under it a value where it is long
  const loss = make("span", { class: "gru-loss", "aria-hidden": "true" }, make("b", {}, "loss"));
  const way = make("span", { class: "gru-way", "aria-hidden": "true" }, make("span", {}, "←"), make("span", {}, "the gradient flows back"));
  plot.append(way, loss);
  dragging(state, loss, ({ clientX }) => {
    const { left, width } = plot.getBoundingClientRect();
    const { T } = state.pinned();
    return { loss_step: clamp(Math.floor(((clientX - left) / width) * (T + 1)), 1, T) };
  });
  return {
    panel,
    /**
     * @param {Float64Array} totals
     * @param {Float64Array | null} full  with no thread muted, where one is
     * @param {Float64Array | null} tanh
     * @param {[number, number]} scale
     * @param {boolean} log
     * @param {number} unit
     * @param {number} end  the last state that the loss reads
     */
    draw(totals, full, tanh, scale, log, unit, end) {
      const T = totals.length - 1;
      // Nothing is drawn behind the loss.
      const drawn = (/** @type {Float64Array} */ values) => values.map((v, t) => (t > end ? Number.NaN : log ? Math.abs(v) : v));
      const line = (/** @type {Float64Array} */ values, /** @type {string} */ kind, /** @type {string} */ name) => ({
        values: drawn(values),
        from: 0.5,
        kind,
        name,
        words: (/** @type {number} */ value) => short(Number.isFinite(value) ? value : 0),
      });
      lines.draw({
        x: [0, T + 1],
        y: scale,
        log,
        lines: [
          ...(tanh ? [line(tanh, "gru-line-bound", "tanh RNN")] : []),
          ...(full ? [line(full, "gru-ghost", "all four")] : []),
          line(totals, "gru-line-total", tanh ? "GRU" : ""),
        ],
      });
      write(note, unit < 0 ? "how much the loss feels h, |dL/dh|" : `dL/dh of unit ${unit + 1}${log ? ", without sign" : ""}`);
    },
    /** @param {Now} now */
    read({ step, T, loss_step: lossStep, data, part, log }) {
      lines.read(step + 0.5, true);
      loss.hidden = data.loss;
      const place = (lossStep + 0.5) / (T + 1);
      loss.style.left = `${100 * place}%`;
      way.style.right = `${100 * (1 - place)}%`;
      const along = part.reverse ? ", counted as this layer takes them" : "";
      plot.setAttribute(
        "aria-label",
        `${log ? "Logarithmic lines" : "Lines"} of the gradient at ${T + 1} states${along}; the loss reads ${data.loss ? "what you gave it" : `state ${lossStep}`}, the cursor state ${step}`,
      );
    },
  };
}

/** @param {State} state */
function controls(state) {
  const units = (/** @type {Now} */ { H }) => ["all units", ...Array.from({ length: H }, (_, i) => `unit ${i + 1}`)];
  const sequence = list(state, "sequence", "Sequence", {
    begins: true,
    names: ({ data }) => data.names,
    put(chosen, { data, T, loss_step: s, step }) {
      const next = data.steps[chosen]; // after the end of one sequence comes the end of the next
      return { sequence: chosen, loss_step: s === T ? next : Math.min(s, next), step: Math.min(step, next) };
    },
  });
  const layer = list(state, "layer", "Layer", {
    begins: true,
    names: ({ data }) => data.parts.map(({ name }) => name),
    put(chosen, { data, unit, loss_unit: lossUnit }) {
      const last = data.parts[chosen].hidden_size - 1;
      return { layer: chosen, unit: Math.min(unit, last), loss_unit: Math.min(lossUnit, last) };
    },
  });
  const lossStep = () => slider(state, "loss_step", "Loss after step", { range: ({ T }) => [1, T], words: (s, { T }) => `${s} of ${T}` });
  const lossUnit = () => list(state, "loss_unit", "The loss reads", { names: units, from: -1 });
  const unit = list(state, "unit", "Gradient of", { names: units, from: -1 });
  const scale = choice(state, "log", "Scale", [
    [true, "logarithmic"],
    [false, "linear"],
  ]);
  const own = !state.pinned().data.loss;
  return {
    above: make("div", { class: "gru-bar" }, sequence, layer, ...(own ? [lossStep()] : []), reset(state, TRAITS.slice(0, -1))),
    below: make("div", { class: "gru-bar" }, unit, ...(own ? [lossUnit()] : []), scale),
  };
}

/** The threads that are not muted, and what each brings to the state at the cursor. @param {Now} now @param {Numbers} found */
const openThreads = ({ step, muted }, { drawn: { threads } }) =>
  PATHS.flatMap((path) => (threads[path] && !muted.includes(path) ? [{ path, value: threads[path][step] }] : []));

/**
 * The headline: what has come back to the state at the cursor; by which thread; and what is only heard.
 * @param {Now} now
 * @param {Numbers} found
 * @returns {[string, string, string?]}
 */
function sentence(now, found) {
  const { data, part, step: t, loss_step: s, unit: u, muted } = now;
  const { totals, threads } = found.drawn;
  const state = `h${subscript(t)}`;
  const of = data.parts.length > 1 ? ` of ${part.name}` : "";
  const reads = `${now.loss_unit < 0 ? "the sum of all units" : `unit ${now.loss_unit + 1}`}${of}`;
  if (t > s) return ["No gradient here.", ` The loss reads ${reads} after step ${s}: it does not depend on ${state}, which comes later.`];
  const size = u < 0 ? `|dL/d${state}| is ${short(totals[t])}` : `unit ${u + 1} of ${state} has the gradient ${short(totals[t])}`;
  if (t === s)
    return [
      "The gradient starts here.",
      ` After step ${s} the loss reads ${data.loss ? "the last state" : reads}: ${size}. It flows left.`,
    ];

  const shares = u < 0 && !data.loss;
  const share = (/** @type {number} */ value) => percentOf(value / found.begin);
  const grown = (/** @type {number} */ value) => value > 1.005 * found.begin;
  const would = (/** @type {number} */ value) =>
    !shares ? `it would be ${short(value)}` : grown(value) ? `it would have grown to ${share(value)}` : `${share(value)} would be left`;
  const order = part.reverse ? ", which takes its steps from the end," : of && ",";
  const back = data.loss
    ? `Of your loss,${of && ` in ${part.name}${order}`}`
    : `${s - t} step${s - t > 1 ? "s" : ""} back from the loss${of}${order || ","}`;
  const left = grown(totals[t]) ? `its gradient has grown to ${share(totals[t])}` : `${share(totals[t])} of its gradient is left`;
  const said = [mostOf(now, found)];
  if (muted.length && Object.keys(threads).length)
    said.push(`Muted: ${muted.join(", ")}; with all threads ${would(found.before.totals[t])}.`);
  else if (found.tanh) said.push(`Without its gates, as a tanh RNN, ${compared(totals[t], found.tanh[t]) || would(found.tanh[t])}.`);
  if (!part.weights) {
    said.push(
      part.single
        ? "This cell has a single path, the candidate's."
        : "The equations of this cell are not known, so its threads are not told apart.",
    );
  }
  const rest = said.map((one) => one && ` ${one}`).join("");
  return [`${back} ${shares ? left : size}.`, rest, shares ? ` ${capital(size)}.` : ""];
}

/**
 * How many times smaller or larger than the GRU's the tanh RNN's is, where that is plain.
 * @param {number} own
 * @param {number} tanh
 */
function compared(own, tanh) {
  const less = Math.abs(own / tanh);
  const times = (/** @type {number} */ ratio) => short(Number(ratio.toPrecision(2)));
  if (less >= 10 && Number.isFinite(less)) return `it would be ${times(less)} times smaller`;
  return less <= 0.1 && less > 0 ? `it would be ${times(1 / less)} times as large` : "";
}

/** By which thread the most has come to the state at the cursor. @param {Now} now @param {Numbers} found */
function mostOf(now, found) {
  const open = openThreads(now, found);
  const sum = open.reduce((all, { value }) => all + value, 0);
  const [first] = [...open].sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
  if (open.length < 2 || !sum) return "";
  const share = first.value / sum;
  if (share < 0 || share > 3) return "Here the threads work against each other, and little is left.";
  const against = open.filter(({ value }) => value * sum < 0).map(({ path }) => path);
  if (share > 1.005)
    return `In its last step the ${first.path} brings ${percent(share)} of that; the ${against.join(" and the ")} take${against.length > 1 ? "" : "s"} some back.`;
  return `In its last step ${percent(share)} of that comes by the ${first.path}.`;
}

/** @returns {import("./bound.js").Trial<Now>[]} */
function trials() {
  const four = (/** @type {Now} */ { part }) => part.weights !== null;
  return [
    {
      name: "Mute the carry",
      when: four,
      put: ({ T }) => ({ muted: ["carry"], loss_step: T }),
      see: () =>
        "Now all must pass through the weights, step after step. Where each lets only a part through, soon next to nothing is left: a part of a part of a part. Dotted: with all four.",
    },
    {
      name: "The carry alone",
      when: four,
      put: ({ T }) => ({ muted: ["candidate", "update", "reset"], loss_step: T }),
      see: () => "What passes straight on, z by z. Where the dotted line is lower, the other threads work against it.",
    },
    {
      name: "Mute it",
      when: ({ part }) => part.single,
      put: ({ T }) => ({ muted: ["candidate"], loss_step: T }),
      see: () => "Nothing before the loss is reached: the one way back is closed.",
    },
    {
      name: "A single unit",
      put: ({ T }) => ({ unit: 0, muted: [], loss_step: T }),
      see: () => "Its threads have signs: a hollow one works against the whole, and the gradient may change its sign on the way.",
    },
    {
      name: "An earlier loss",
      when: ({ data, T }) => !data.loss && T > 1,
      put: ({ T }) => ({ loss_step: Math.ceil(T / 2), muted: [] }),
      see: () => "Nothing to the right of it: later states have no part in it. Drag the loss further.",
    },
    {
      name: "A linear scale",
      put: ({ T }) => ({ log: false, muted: [], loss_step: T }),
      see: () =>
        "Half as high is half as much. What is below a hundredth of the highest point looks like nothing here; the logarithmic scale shows it.",
    },
  ];
}

/** @param {string} text */
const capital = (text) => text[0].toUpperCase() + text.slice(1);

/** @param {number} n */
const subscript = (n) => [...String(n)].map((digit) => "₀₁₂₃₄₅₆₇₈₉"[Number(digit)]).join("");

/** A share, with digits where it is small. @param {number} share */
const percentOf = (share) => (share >= 0.01 ? percent(share) : `${short(100 * share)} %`);

export default view("gradient-loom", TRAITS, build);
