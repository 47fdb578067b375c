// @ts-check
/**
 * Runs of the workbench: what one has learned so far, moment by moment, and who lets it go on. No DOM but frames.
 *
 * Displays of one widget share a model, and so they share its runs (`sessionOf`).
 */

import { Bench } from "./bench.js";
import { TASKS } from "./bench_tasks.js";
import { read } from "./language.js";
import { uniform } from "./random.js";
import { whatItIs } from "./readings.js";
import { forgets } from "./remarks.js";

/** @typedef {import("./bench.js").Settings} Settings */
/** @typedef {import("./bench.js").Moment} Moment */

const SLICE = 9; // ms of a frame: with what is drawn, no more than 12
const DRAWN = 100; // ms from one drawing to the next while it learns
const KEPT = 120; // moments whose weights are kept, at most twice as many
const MOST_UPDATES = 20_000;
export const SEQUENCES = 8; // to choose from

/** One cell on one task. */
export class Run {
  /**
   * @param {string} text
   * @param {Settings} settings
   * @param {Record<string, number[]> | null} weights  the first ones, where they are given
   */
  constructor(text, settings, weights) {
    this.text = text;
    this.settings = settings;
    this.task = TASKS[settings.task];
    const { program, faults } = read(text, this.task.D, settings.units);
    this.faults = faults.map(({ message, line }) => ({ message, line }));
    this.program = program;
    /** Why it remembers nothing, in words; "" where it does. */
    this.forgets = program ? forgets(program) : "";
    /** @type {Bench | null} */
    this.bench = null;
    /** Why it does not go on, in words. */
    this.stuck = "";
    /** @type {Moment[]} */
    this.moments = [];
    /** Weights before some of the updates. @type {{ update: number, weights: Float64Array }[]} */
    this.kept = [];
    this.every = 1;
    this.seconds = 0;
    /** @type {Generator<undefined, Moment> | null} */
    this.going = null;
    if (!program) return;
    try {
      this.bench = new Bench(program, settings);
      for (const [name, values] of Object.entries(weights ?? {})) this.bench.parameters.get(name)?.values.set(values);
      this.keep();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.stuck = `This cannot be trained here: ${error.message}. Take fewer units, steps or sequences.`;
    }
  }

  get updates() {
    return this.moments.length;
  }

  /** Whether it can go on. */
  get canGo() {
    return Boolean(this.bench) && !this.stuck;
  }

  keep() {
    if (!this.bench || this.updates % this.every) return;
    this.kept.push({ update: this.updates, weights: this.bench.weights() });
    if (this.kept.length <= 2 * KEPT) return;
    this.every *= 2;
    this.kept = this.kept.filter(({ update }) => update % this.every === 0);
  }

  /** Go on until the clock says so, or for one update. @param {() => boolean} enough  @returns {boolean} whether an update was finished */
  go(enough) {
    if (!this.bench || this.stuck) return false;
    const begin = performance.now();
    const going = (this.going ??= this.bench.update());
    let done = false;
    while (!done && !enough()) {
      const next = going.next();
      if (!next.done) continue;
      this.going = null;
      done = true;
      this.moments.push(next.value);
      this.check(next.value);
      this.keep();
    }
    this.seconds += (performance.now() - begin) / 1000;
    return done;
  }

  /** Say why it cannot go on, where it cannot. @param {Moment} moment */
  check({ loss }) {
    if (!Number.isFinite(loss)) {
      const place = this.updates === 1 ? "at the first update" : `at update ${this.updates}`;
      this.stuck = `The loss is no longer a number ${place}: a value has overflowed. Try a smaller learning rate, clipping, or a function that bounds the state.`;
    } else if (![...(this.bench?.parameters.values() ?? [])].every(({ values }) => values.every(Number.isFinite))) {
      this.stuck = `At update ${this.updates} the gradient was no longer a number: it has overflowed on its way back. Try fewer steps, or a function that bounds the state.`;
    } else if (this.updates >= MOST_UPDATES) this.stuck = `It stops here, after ${MOST_UPDATES} updates.`;
  }

  /** The kept moment nearest to an update, not after it. @param {number} update */
  at(update) {
    let found = this.kept[0];
    for (const one of this.kept) if (one.update <= update) found = one;
    return found;
  }
}

/** One sequence through a run's cell, as it was at some moment. */
export class Look {
  /** @param {Run} run */
  constructor(run) {
    const { program, settings, task } = run;
    this.bench = new Bench(/** @type {import("./language.js").Program} */ (program), { ...settings, batch: 1 });
    const { T } = this.bench;
    const draw = uniform(12_345 + settings.seed);
    this.batches = Array.from({ length: SEQUENCES }, () => task.make(draw, T, 1));
  }

  /** @param {Float64Array} weights @param {number} sequence */
  at(weights, sequence) {
    const { bench, batches } = this;
    const { x, wanted } = batches[sequence];
    bench.restore(weights);
    for (const _ of bench.formula.forward(x));
    const { loss, right } = bench.judge(wanted);
    for (const _ of bench.formula.backward(bench.direct));
    const reach = Array.from({ length: bench.T + 1 }, (_, t) => bench.reach(t));
    return { x, wanted, loss, right, reach };
  }
}

/** @typedef {{ name: string, losses: number[], rights: number[] }} Ghost */

/** The runs of one model: the one at work, those that were pinned, and the clock. */
export class Session {
  constructor() {
    /** @type {Run | null} */
    this.run = null;
    /** A cell that learns beside it, to compare. @type {{ run: Run, name: string } | null} */
    this.beside = null;
    /** @type {Ghost[]} */
    this.ghosts = [];
    /** What a reader's hand has written, the newest last. @type {string[]} */
    this.own = [];
    this.key = "";
    this.training = false;
    this.frame = 0;
    this.told = 0; // when the displays were last told
    this.drawing = false; // whether they draw in this frame
    /** @type {Set<() => void>} */
    this.listeners = new Set();
    /** @type {(run: Run) => void} */
    this.report = () => {};
    /** What the cell is, in a sentence. */
    this.reading = "";
    this.named = ""; // the text that is being named, or was
    /** @type {ReturnType<typeof whatItIs> | null} */
    this.naming = null;
  }

  /** A reader writes on at a cell of their own, or begins one. @param {string} before  what stood there @param {string} text */
  write(before, text) {
    const at = this.own.indexOf(before);
    this.own.splice(at < 0 ? this.own.length : at, 1, text);
  }

  /** Name the cell, as far as a part of a frame allows; every display is told when it is done. @param {string} text @returns {boolean} whether there is more to do */
  name(text) {
    if (text !== this.named) {
      this.named = text;
      this.naming = whatItIs(text);
      this.reading = ""; // until it is known, nothing: what was said is of another text
    }
    const end = performance.now() + SLICE / 2;
    while (this.naming && performance.now() < end) {
      const { done, value } = this.naming.next();
      if (!done) continue;
      this.naming = null;
      this.reading = value.sentence;
      this.tell();
    }
    return this.naming !== null;
  }

  /** The run of these equations and settings; a new one where they are others than before. @param {string} text @param {Settings} settings @param {{ against: string, name: string, weights: Record<string, number[]> | null }} more */
  use(text, settings, { against, name, weights }) {
    const key = JSON.stringify([text, settings]);
    if (key === this.key && this.run) return this.run;
    this.key = key;
    this.train(false);
    this.run = new Run(text, settings, weights);
    this.beside = against && against !== text && this.run.program ? { run: new Run(against, settings, null), name } : null;
    return this.run;
  }

  /** @param {boolean} on */
  train(on) {
    const { run } = this;
    if (on === this.training || (on && !run?.canGo)) return;
    this.training = on;
    cancelAnimationFrame(this.frame);
    if (on) this.frame = requestAnimationFrame(() => this.tick());
    else if (run) this.report(run);
    this.tell();
  }

  tick() {
    const now = performance.now();
    const end = now + (this.drawing ? SLICE / 3 : SLICE); // what was told in one frame is drawn in the next
    const enough = () => performance.now() > end;
    while (this.training && !enough()) {
      const { run, beside } = this;
      if (!run?.canGo) return this.train(false);
      const other = beside?.run.canGo && beside.run.updates < run.updates ? beside.run : null;
      (other ?? run).go(enough);
    }
    if (!this.training) return;
    this.frame = requestAnimationFrame(() => this.tick());
    this.drawing = now - this.told > DRAWN;
    if (!this.drawing) return;
    this.told = now;
    this.tell();
  }

  /** One update, at once. */
  one() {
    this.train(false);
    this.run?.go(() => false);
    if (this.run) this.report(this.run);
    this.tell();
  }

  /** From the first weights on. */
  again() {
    this.train(false);
    this.key = "";
    this.tell();
  }

  /** Keep the curve of this run, to draw the next over it. @param {string} name */
  pin(name) {
    if (!this.run?.updates) return;
    const ghost = { name, losses: this.run.moments.map(({ loss }) => loss), rights: this.run.moments.map(({ right }) => right) };
    this.ghosts = [...this.ghosts.filter((one) => one.name !== name), ghost].slice(-3);
    this.tell();
  }

  /** Everything as it was at first. */
  clear() {
    this.ghosts = [];
    this.again();
  }

  tell() {
    for (const listener of this.listeners) listener();
  }
}

/** @type {WeakMap<object, Session>} */
const sessions = new WeakMap();

/** The session of a model, for a display that is told of changes until the signal ends it. @param {object} model @param {() => void} redraw @param {AbortSignal} signal */
export function sessionOf(model, redraw, signal) {
  const session = sessions.get(model) ?? new Session();
  sessions.set(model, session);
  session.listeners.add(redraw);
  signal.addEventListener("abort", () => {
    session.listeners.delete(redraw);
    if (!session.listeners.size) session.train(false);
  });
  return session;
}
