// @ts-check
/**
 * Workbench: a reader writes a recurrent cell as equations, is told what it is, trains it in the page, and looks inside.
 *
 * The equations are read by language.js and named by readings.js (editor.js shows both), trained by bench.js in the
 * slices of bench_run.js, and drawn here: curves over the updates (bench_curves.js), and one sequence (bench_inside.js).
 */

import { choice, list, reset, slider, tries } from "./bound.js";
import { curves } from "./bench_curves.js";
import { inside } from "./bench_inside.js";
import { SEQUENCES, sessionOf } from "./bench_run.js";
import { TASKS } from "./bench_tasks.js";
import { CELLS } from "./cells.js";
import { askedFor } from "./bench_link.js";
import { button, origin } from "./controls.js";
import { headline, make, set, write } from "./dom.js";
import { counted, percent, power, short } from "./draw.js";
import { editor } from "./editor.js";
import { showing, stateOf } from "./state.js";
import { view } from "./view.js";

/** @typedef {import("./bench_run.js").Run} Run */
/** @typedef {import("./bench_run.js").Session} Session */
/** @typedef {ReturnType<typeof read>} Now */
/** @typedef {import("./state.js").State<Now>} State */

const SETTINGS = ["text", "task", "steps", "units", "batch", "lr", "epsilon", "clip", "gate", "recurrent", "seed"];
const TRAITS = [...SETTINGS, "curve", "update", "sequence", "step", "play", "_data"];
const GATES = { torch: "as PyTorch", zero: "0", one: "1", chrono: "chrono" };
const RECURRENT = { uniform: "uniform", orthogonal: "orthogonal", identity: "the identity" };
const BATCHES = [1, 4, 8, 16, 32, 64];
const RATES = [1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1];
const EPSILONS = [1e-16, 1e-12, 1e-8, 1e-4];
const CLIPS = [0, 0.1, 1, 10];
const LEARNED = 0.95; // share right, from which a gradient's way back says nothing: hardly any sets out
const SPOKEN = 1000; // ms from one sentence to the next while it learns

/** One of the keys. @template {string} K @param {Record<K, unknown>} all @param {string} key @returns {K} */
const among = (all, key) => /** @type {K} */ (Object.hasOwn(all, key) ? key : Object.keys(all)[0]);

/** @template {string} K @param {Record<K, unknown>} all */
const keysOf = (all) => /** @type {K[]} */ (Object.keys(all));

/** The state, from the traits and the runs. @param {import("./state.js").Reader} traits @param {Session} session */
function read({ whole, number, text, sent }, session) {
  const settings = {
    task: among(TASKS, text("task")),
    steps: whole("steps", 2, 100),
    units: whole("units", 1, 64),
    batch: whole("batch", 1, 64),
    lr: number("lr", 1e-6, 10),
    epsilon: number("epsilon", 0, 1),
    clip: number("clip", 0, 1e6),
    gate: among(GATES, text("gate")),
    recurrent: among(RECURRENT, text("recurrent")),
    seed: whole("seed", 0, 99),
  };
  const { against, weights } = sent("_data");
  const run = session.use(text("text"), settings, { against, name: titleOf(against), weights });
  const T = run.task.length(settings.steps);
  return {
    ...settings,
    text: text("text"),
    run,
    updates: run.updates,
    update: sent("update") < 0 ? run.updates : whole("update", 0, run.updates),
    sequence: whole("sequence", 0, SEQUENCES - 1),
    step: whole("step", 0, T - 1),
    curve: sent("curve") === "right" ? "right" : "loss",
    T,
  };
}

/** @param {import("./view.js").Context} context */
function build(context) {
  const { model, root, signal, redraw } = context;
  openLink(context);
  const session = sessionOf(model, redraw, signal);
  const state = stateOf(context, (traits) => read(traits, session));
  session.report = (run) => tell(model, run);
  const written = editor(state, (before, text) => session.write(before, text));
  const over = curves(state, session, nameOf);
  const seen = inside(state, SEQUENCES);
  const says = make("p", { class: "gru-says", "aria-live": "polite" });
  const buttons = actions(state, session);
  state.lay(
    make("p", { class: "gru-question" }, "Take a gate away. Does it still learn?"),
    says,
    make(
      "div",
      { class: "gru-bench" },
      make(
        "div",
        { class: "gru-write" },
        begin(state, session),
        written.element,
        buttons.element,
        tries(state, TRIALS),
        wayBack(state, session),
      ),
      make("div", { class: "gru-learn" }, task(state), over.element),
    ),
    settingsOf(state, session),
    seen.element,
    make("p", { class: "gru-where" }, origin()),
  );
  root.setAttribute("aria-label", "Workbench: write a recurrent cell, train it, look inside");
  startOnce(context, session);

  let spoken = 0;
  return () => {
    const now = state.refresh();
    const busy = session.training;
    const naming = session.name(now.text);
    if (naming) redraw();
    written.draw(now, session.reading);
    buttons.draw(now);
    over.draw(now);
    seen.draw(now, busy);
    root.classList.toggle("gru-untrained", !now.updates);
    if (busy && performance.now() - spoken < SPOKEN) return; // nobody can listen as fast as it learns
    spoken = performance.now();
    set(says, { "aria-busy": String(naming) });
    headline(says, "", ...sentence(now, session));
  };
}

/** What a link to this page asks for, the page's first workbench shows. @param {import("./view.js").Context} context */
function openLink({ model, root }) {
  const first = document.querySelector('[data-view="workbench"]');
  if (first && first !== root) return;
  for (const [name, value] of Object.entries(askedFor(location.search))) model.set(name, value);
}

/** Press Train for a reader who has it in sight, unless motion is unwanted. @param {import("./view.js").Context} context @param {Session} session */
function startOnce({ model, root, signal }, session) {
  if (!model.get("play") || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const observer = new IntersectionObserver(
    ([{ isIntersecting }]) => {
      if (!isIntersecting) return;
      observer.disconnect();
      session.train(true);
    },
    { threshold: 0.3 },
  );
  observer.observe(root);
  signal.addEventListener("abort", () => observer.disconnect());
}

/** Tell Python what was learned. @param {import("./view.js").Model} model @param {Run} run */
function tell(model, { bench, text, settings, moments, seconds }) {
  if (!bench) return;
  const weights = Object.fromEntries(
    [...bench.parameters].map(([name, { values }]) => [name, [...values].map((value) => (Number.isFinite(value) ? value : 0))]),
  );
  const finite = moments.filter(({ loss }) => Number.isFinite(loss));
  model.set("_trained", {
    text,
    ...settings,
    weights,
    loss: finite.map(({ loss }) => loss),
    right: finite.map(({ right }) => right),
    seconds,
  });
  model.save_changes();
}

/** The cells that a reader has written, but for what is empty or known by name. @param {Session} session */
const ownOf = ({ own }) => own.filter((text) => text.trim() && !CELLS.some((cell) => cell.text === text));

/** @param {State} state @param {Session} session */
function begin(state, session) {
  const all = (/** @type {Now} */ { text }) => {
    const own = ownOf(session).map((one, i, { length }) => ({ name: length > 1 ? `Your cell ${i + 1}` : "Your cell", text: one }));
    const known = [...CELLS, ...own];
    return known.some((cell) => cell.text === text) ? known : [...known, { name: "This one", text }];
  };
  const chosen = list(
    showing(state, (now) => all(now).findIndex(({ text }) => text === now.text)),
    "shown",
    "Begin from",
    {
      names: (now) => all(now).map(({ name }) => name),
      put(i, now) {
        const { name, text } = all(now)[i];
        return { text, ...(name.startsWith("IRNN") ? { recurrent: "identity" } : {}) };
      },
    },
  );
  return make("div", { class: "gru-bar" }, chosen);
}

/** Where another cell stands in place of the reader's: the way back to it. @param {State} state @param {Session} session */
function wayBack(state, session) {
  const back = button("Back to your cell");
  const bar = make("div", { class: "gru-bar" }, back);
  state.on(back, "click", () => state.put({ text: ownOf(session).at(-1) }));
  state.follow(({ text }) => {
    const own = ownOf(session);
    set(bar, { hidden: !own.length || own.includes(text) });
    return null;
  });
  return bar;
}

/**
 * A list of values for a trait; one that is not among them is added.
 * @template {number | string} V
 * @param {State} state
 * @param {string} trait
 * @param {string} text
 * @param {readonly V[]} values
 * @param {{ of: (now: Now) => V, words: (value: V) => string }} how
 */
function values(state, trait, text, values, { of, words }) {
  const all = (/** @type {Now} */ now) => (values.includes(of(now)) ? [...values] : [...values, of(now)]);
  return list(
    showing(state, (now) => all(now).indexOf(of(now))),
    "shown",
    text,
    {
      names: (now) => all(now).map(words),
      put: (i, now) => ({ [trait]: all(now)[i] }),
    },
  );
}

/** @param {State} state */
function task(state) {
  const names = Object.keys(TASKS);
  const goal = make("p", { class: "gru-note" });
  const chosen = values(state, "task", "Task", names, { of: (now) => now.task, words: (name) => TASKS[name].title });
  const curve = choice(state, "curve", "Curve", [
    ["loss", "loss"],
    ["right", "share right"],
  ]);
  state.follow(({ run }) => {
    write(goal, run.task.goal);
    return null;
  });
  return make("div", {}, make("div", { class: "gru-bar" }, chosen, curve), goal);
}

/** @param {State} state @param {Session} session */
function settingsOf(state, session) {
  const back = reset(
    state,
    TRAITS.filter((name) => name !== "_data" && name !== "play"),
  );
  state.on(back, "click", () => session.clear());
  const summary = make("summary");
  state.follow((now) => {
    write(summary, `Settings: ${settled(now)}`);
    return null;
  });
  const size = (/** @type {number} */ value) => (value >= 1e-4 ? String(value) : power(Math.round(Math.log10(value))));
  return make(
    "div",
    {},
    make(
      "div",
      { class: "gru-bar" },
      slider(state, "steps", "Steps", { min: 2, max: 100 }),
      values(state, "gate", "Update gate starts", keysOf(GATES), { of: (now) => now.gate, words: (key) => GATES[key] }),
      values(state, "recurrent", "U starts", keysOf(RECURRENT), { of: (now) => now.recurrent, words: (key) => RECURRENT[key] }),
      back,
    ),
    make(
      "details",
      { class: "gru-settings" },
      summary,
      make(
        "div",
        { class: "gru-bar" },
        slider(state, "units", "Units", { min: 1, max: 64 }),
        values(state, "batch", "Batch", BATCHES, { of: (now) => now.batch, words: String }),
        values(state, "lr", "Learning rate", RATES, { of: (now) => now.lr, words: String }),
        values(state, "epsilon", "Adam's epsilon", EPSILONS, { of: (now) => now.epsilon, words: (value) => (value ? size(value) : "0") }),
        values(state, "clip", "Clip the gradient at", CLIPS, {
          of: (now) => now.clip,
          words: (value) => (value ? String(value) : "no length"),
        }),
        slider(state, "seed", "Seed", { min: 0, max: 99 }),
      ),
    ),
  );
}

/** @param {Now} now */
function settled({ steps, units, batch, lr, epsilon, clip, gate, recurrent, seed }) {
  const starts = `update gate ${GATES[gate]}, U ${RECURRENT[recurrent]}`;
  return `${steps} steps, ${counted(units, "unit")}, batches of ${batch}, Adam at ${lr} (epsilon ${epsilon ? power(Math.round(Math.log10(epsilon))) : 0})${clip ? `, clipped at ${clip}` : ""}, ${starts}, seed ${seed}`;
}

/** What to call a cell beside others. @param {string} text */
const titleOf = (text) => CELLS.find((cell) => cell.text === text)?.title ?? "own cell";

/** And its run. @param {Now} now */
function nameOf({ text, gate, recurrent, epsilon }) {
  const more = [
    gate === "torch" ? "" : `z ${GATES[gate]}`,
    recurrent === "uniform" ? "" : `U ${recurrent}`,
    epsilon === 1e-8 ? "" : `ε ${short(epsilon)}`,
  ];
  return [titleOf(text), ...more].filter(Boolean).join(", ");
}

/** Train, and what else a run can do. @param {State} state @param {Session} session */
function actions(state, session) {
  const [train, one, again, pin] = ["Train", "One update", "Start again", "Pin this run"].map(button);
  train.classList.add("gru-train");
  state.on(train, "click", () => session.train(!session.training));
  state.on(one, "click", () => session.one());
  state.on(again, "click", () => session.again());
  state.on(pin, "click", () => session.pin(nameOf(state.pinned())));
  return {
    element: make("div", { class: "gru-bar gru-actions" }, train, one, again, pin),
    /** @param {Now} now */
    draw({ run }) {
      write(train, session.training ? "Pause" : "Train");
      train.disabled = one.disabled = !run.canGo;
      again.disabled = pin.disabled = !run.updates;
    },
  };
}

/**
 * The headline, and what is only heard: on the page it stands under the equations, at the curves and in the settings.
 * @param {Now} now
 * @param {Session} session
 * @returns {[seen: string, heard: string]}
 */
function sentence(now, { beside, reading }) {
  const { run, updates, update, T, sequence, step } = now;
  if (run.faults.length) return [`The equations cannot be read: ${run.faults[0].message}.`, ""];
  if (run.stuck && !updates) return [run.stuck, ""];
  const guess = run.task.guess(T);
  const looked = ` Sequence ${sequence + 1}, step ${step + 1} of ${T}.`;
  if (!updates || !update) {
    const start = updates ? "Before the first update" : "Not trained yet";
    return [
      `${start}: an answer that remembers nothing is ${percent(guess.right)} ${run.task.unit}.`,
      ` ${settled(now)}. ${reading}${looked}`,
    ];
  }
  if (run.stuck) return [run.stuck, looked];
  const recent = mean(run, update);
  const other = beside?.run.updates ? mean(beside.run, Math.min(update, beside.run.updates)) : null;
  const rivals = [`no memory ${percent(guess.right)}`, ...(other ? [`${beside?.name} beside it ${percent(other.right)}`] : [])];
  const [verdict, length] = run.forgets ? [run.forgets, ""] : recent.right > LEARNED ? ["The task is learned", ""] : flow(recent);
  return [
    `Update ${update}: ${percent(recent.right)} ${run.task.unit} (${rivals.join(", ")}). ${verdict}.`,
    `${length} Loss ${short(recent.loss)}.${looked}`,
  ];
}

/** What happens to the gradient, and its length. @param {{ first: number, last: number }} recent @returns {[string, string]} */
function flow({ first, last }) {
  if (!(last > 0)) return ["No gradient reaches the state", ""];
  const share = first / last;
  if (!Number.isFinite(share)) return ["The gradient has overflowed on its way back", ""];
  const length = ` Its length there is ${short(share)} of what it is after the last step.`;
  if (share < 1e-3) return ["The gradient is lost before the first step", length];
  if (share > 1e3) return ["The gradient explodes on its way to the first step", length];
  return ["The gradient reaches the first step", length];
}

/** Over the last updates before one. @param {Run} run @param {number} update */
function mean({ moments }, update) {
  const some = moments.slice(Math.max(0, update - 20), Math.max(1, update));
  const over = (/** @type {"loss" | "right" | "first" | "last"} */ name) => some.reduce((sum, one) => sum + one[name], 0) / some.length;
  return { loss: over("loss"), right: over("right"), first: over("first"), last: over("last") };
}

const [AFTER] = CELLS.map(({ text }) => text);

/** @type {import("./bound.js").Trial<Now>[]} */
const TRIALS = [
  {
    name: "No reset gate",
    put: () => ({ text: AFTER.replace("r * (U_n @ h + b_hn)", "U_n @ h + b_hn"), task: "adding", steps: 20 }),
    see: () =>
      "This is the GRU without its reset gate, on Adding over 20 steps. Train it: the gate is not missed here. The sentence under the equations names what is gone.",
  },
  {
    name: "No update gate",
    put: () => ({ text: AFTER.replace(/\(1 - z\) \* n \+ z \* h.*/u, "n"), task: "adding", steps: 20 }),
    see: () =>
      "This is the GRU without its update gate, on Adding over 20 steps. Train it for a thousand updates: at first hardly any gradient reaches the first step. Once it does, the task is learned here too.",
  },
  {
    name: "Latch over 50 steps",
    put: () => ({ text: AFTER, task: "latch", steps: 50, gate: "torch", lr: 0.003 }),
    see: () =>
      "This is the GRU. As PyTorch starts it, it stays near guessing for a long time. Pin the run, let the update gate start as chrono, and train again.",
  },
  {
    name: "Break Adam",
    put: () => ({ text: AFTER, task: "latch", steps: 20, gate: "torch", lr: 0.003, epsilon: 1e-4 }),
    see: () =>
      "This is the GRU, on Latch over 20 steps. The gradient at the first step is smaller than epsilon, so Adam hardly moves, and for thousands of updates it stays at guessing. Pin the run, set epsilon to 10⁻⁸ under Settings, and train again.",
  },
];

export default view("workbench", TRAITS, build);
