// @ts-check
/** WordReader: a word to type into, and what a GRU thinks of it after every letter. */

import { beliefPanel } from "./beliefs.js";
import { list, reset, slider, tries } from "./bound.js";
import { button, origin } from "./controls.js";
import { colourOf, labelled, letter as symbol, make, write } from "./dom.js";
import { BELOW, clamp, counted, format, percent } from "./draw.js";
import { changeOfMind, leader, orderOf, QUANTITIES, SORTED } from "./explorer.js";
import { decode } from "./gru.js";
import { heatMap } from "./heat.js";
import { cellsOf, HOLDING, heldIn, heldWords, holdBar, holdByKey, holdByMouse, readEdits } from "./holding.js";
import { strip } from "./panel.js";
import { uniform } from "./random.js";
import { score } from "./score.js";
import { memo, stateOf } from "./state.js";
import { playOnce } from "./transport.js";
import { view } from "./view.js";
import { LONGEST, moves, numbersOf, plain, readWord, replacements, unpack, visible, writeOn } from "./words.js";

/**
 * @typedef {object} Data
 * @property {string[]} class_names
 * @property {string | null} letters  null: Python encodes what is typed
 * @property {string} device
 * @property {import("./words.js").Packed | null} reader
 * @property {import("./words.js").Packed | null} writer
 * @property {{ text: string, names: string[], beliefs: string, r: string, z: string, n: string, h: string } | null} traced
 */
/** @typedef {ReturnType<typeof read>} Traits */
/** @typedef {Traits & { value_here: number }} Now */
/** @typedef {import("./state.js").State<Now>} State */
/** @typedef {{ r: ArrayLike<number>, z: ArrayLike<number>, n: ArrayLike<number>, h: ArrayLike<number>, beliefs: Float64Array }} Run */

const TRAITS = ["text", "step", "unit", ...HOLDING, "language", "temperature", "seed", "play", "_data"];
const NAMES = { r: "reset gate", z: "update gate", n: "candidate", h: "state" };
const LOW = { r: 0, z: 0, n: -1, h: -1 };
const NOTES = { r: SORTED, z: "", n: BELOW, h: BELOW };
const RANKED = 24; // letters of a word up to which every replacement is tried
const SHOWN = 5; // replacements
const ROOM = { "gru-long": 27, "gru-longer": 80 }; // characters side by side on a phone, on a page; more stand upright
const LAST = 14; // letters of a word that the headline repeats: it is not to grow while the word is read

/** @param {import("./state.js").Reader} traits @param {boolean} [alone]  no Python behind the page */
function read(traits, alone = false) {
  const { whole, number, text, sent } = traits;
  const data = /** @type {Data} */ (sent("_data"));
  const typed = text("text");
  const letters = data.traced ? (data.traced.text === typed ? data.traced.names : []) : plain(typed);
  const steps = letters.length;
  return {
    data,
    text: typed,
    letters,
    steps,
    step: whole("step", 0, Math.max(0, steps - 1)),
    units: data.reader?.hidden_size ?? 1,
    unit: whole("unit", 0, (data.reader?.hidden_size ?? 1) - 1),
    layer: 0,
    fixed: data.traced !== null,
    still: alone && data.traced !== null, // no other text can be read
    one: data.traced && letters.join("") !== typed ? "step" : "letter", // what Python reads may be words
    ...readEdits(traits),
    language: whole("language", 0, data.class_names.length - 1),
    temperature: number("temperature", 0.1, 2),
    seed: whole("seed", 0, 2 ** 31),
  };
}

/** @param {import("./view.js").Context} context */
function build(context) {
  const { root } = context;
  const model = modelOf();
  const state = stateOf(context, (traits) => {
    const now = read(traits, context.model.alone);
    const { quantity, step, unit, units } = now;
    return { ...now, value_here: model.run(now)?.[quantity][step * units + unit] ?? 0 };
  });
  state.listen(({ step }, by) => {
    if (step !== undefined && by !== tries) state.opening.step = step; // the letter that the reader looks at
  });
  const drawings = drawingsOf(state, model);
  const says = make("p", { class: "gru-says", "aria-live": "polite" });
  const where = make("p", { class: "gru-where" });
  const others = replacing(state, model);
  const holds = holdBar(state, ({ unit, letters, step }) => `unit ${unit + 1} at ${visible(letters[step] ?? "·")}`);
  state.lay(typing(state), says, drawings.element, others.element, holds, writing(state, model), tries(state, trials(model)), where);
  playOnce(context, drawings.start);
  root.setAttribute("aria-label", "A word, read letter by letter");
  return () => {
    const now = state.refresh();
    const run = model.run(now);
    const { traced, device } = now.data;
    write(where, traced ? `${origin(device, null)}${now.still ? "" : " Every new text is read there."}` : origin());
    drawings.element.hidden = !run;
    if (run) drawings.draw(now, run, colourOf(root, "ground"));
    others.draw(now, run);
    says.setAttribute("aria-live", drawings.playing() ? "off" : "polite");
    write(says, sentence(now, run, model.more(now)));
  };
}

/** What is computed, anew only where what it depends on has changed. */
function modelOf() {
  const unpacked = memo((/** @type {Data["reader"]} */ packed) => packed && unpack(packed));
  const writer = memo((/** @type {Data["reader"]} */ packed) => packed && unpack(packed));
  const alphabet = memo((/** @type {string | null} */ letters) => [...(letters ?? "")]);
  const numbers = memo((/** @type {string} */ text, /** @type {string[]} */ letters) => numbersOf(plain(text), letters));
  const told = (/** @type {Data} */ data, /** @type {string} */ text, /** @type {string} */ edits) =>
    heldIn(JSON.parse(edits), 0, plain(text).length, data.reader?.hidden_size ?? 1);
  const reading = () =>
    memo((/** @type {Data} */ data, /** @type {string} */ text, /** @type {string} */ edits) => {
      if (data.traced) {
        if (data.traced.text !== text || !data.traced.names.length) return null;
        const { r, z, n, h, beliefs } = data.traced;
        return { r: decode(r), z: decode(z), n: decode(n), h: decode(h), beliefs: decode(beliefs) };
      }
      const reader = unpacked(data.reader);
      const read = numbers(text, alphabet(data.letters));
      return reader && read.length ? readWord(reader, read, alphabet(data.letters).length + 1, told(data, text, edits)) : null;
    });
  const ordered = memo(orderOf);
  const [computed, untouched] = [reading(), reading()];
  const ranked = memo((/** @type {Data} */ data, /** @type {string} */ text, /** @type {number} */ step, /** @type {string} */ edits) => {
    const reader = unpacked(data.reader);
    const run = computed(data, text, edits);
    const all = alphabet(data.letters);
    const read = numbers(text, all);
    if (!reader || !run || read.length > RANKED) return [];
    return replacements(reader, read, all.length + 1, step, run, told(data, text, edits))
      .slice(0, SHOWN)
      .map((one) => ({ ...one, name: all[one.letter] }));
  });
  const more = memo(
    (
      /** @type {Data} */ data,
      /** @type {string} */ text,
      /** @type {number} */ language,
      /** @type {number} */ temperature,
      /** @type {number} */ seed,
    ) => {
      const all = alphabet(data.letters);
      const writes = writer(data.writer);
      if (!writes) return null;
      const options = { letters: all.length + 1, conditions: data.class_names.length, condition: language, temperature };
      const written = writeOn(writes, numbers(text, all), { ...options, random: uniform(seed), longest: LONGEST });
      return written.map((number) => all[number]).join("");
    },
  );
  return {
    run: (/** @type {Traits} */ { data, text, edits }) =>
      /** @type {Run | null} */ (edits.length ? computed(data, text, JSON.stringify(edits)) : untouched(data, text, "[]")),
    /** The units in the order of the word as nobody has touched it: rows stay where they are while a cell is moved. */
    order: (/** @type {Traits} */ { data, text, steps }) => {
      const run = /** @type {Run | null} */ (untouched(data, text, "[]"));
      return run ? ordered(run.h, run.h.length / steps) : [];
    },
    ranked: (/** @type {Now} */ { data, text, step, edits }) => ranked(data, text, step, JSON.stringify(edits)),
    /** What the writer would put behind the text; null without a writer. */
    more: (/** @type {Now} */ { data, text, language, temperature, seed }) => more(data, text, language, temperature, seed),
  };
}

/** The word itself. @param {State} state */
function typing(state) {
  const input = make("input", { type: "text", class: "gru-type", autocomplete: "off", autocapitalize: "off", spellcheck: "false" });
  state.on(input, "input", () => {
    const text = input.value.toWellFormed?.() ?? input.value;
    state.begin({ text, edits: [], step: Math.max(0, plain(text).length - 1) });
  });
  const { still } = state.pinned();
  const label = still ? "Text" : "Type a word";
  input.readOnly = still;
  state.follow(({ text }) => {
    if (input.value !== text) input.value = text;
    return `${label} ${text.slice(0, LONGEST)}`;
  });
  return make(
    "div",
    { class: "gru-bar gru-top" },
    labelled(label, input),
    reset(state, ["text", "step", "unit", ...HOLDING, "language", "temperature", "seed"]),
  );
}

/** @param {State} state @param {ReturnType<typeof modelOf>} model */
function drawingsOf(state, model) {
  const tiles = make("div", { class: "gru-tiles" });
  const word = strip("word", ["letters"], "gru-letters", tiles);
  /** @type {(name: "r" | "z" | "n" | "h") => import("./dom.js").Colour[]} */
  const colours = (name) => (LOW[name] < 0 ? ["below", "ground", name] : ["ground", name]);
  const maps = QUANTITIES.map((name) => ({ name, ...heatMap(name, [symbol(name), ` ${NAMES[name]}`], colours(name)) }));
  for (const { name, note } of maps) note.textContent = NOTES[name];
  const beliefs = beliefPanel();
  word.note.textContent = "tint: how far h moves";
  const stack = score(state, [beliefs.panel, word.panel, ...maps.map(({ panel }) => panel)], {
    count: ({ steps }) => Math.max(1, steps),
    names: ({ letters }) => letters.map(visible),
    keys: "Arrow keys move to another letter or unit; plus and minus hold its value, Escape lets it go.",
    point(event, plot, now) {
      const map = now.fixed ? undefined : maps.find((one) => one.plot === plot);
      if (!map) return {};
      const { top, height } = plot.getBoundingClientRect();
      const unit = model.order(now)[clamp(Math.floor(((event.clientY - top) / height) * now.units), 0, now.units - 1)] ?? 0;
      return { unit, ...(event.type === "pointerdown" ? { quantity: map.name } : {}) };
    },
    key(name, now) {
      const by = now.fixed ? undefined : { ArrowDown: 1, ArrowUp: -1 }[name];
      const order = model.order(now);
      return by ? { unit: order[clamp(order.indexOf(now.unit) + by, 0, now.units - 1)] ?? 0 } : holdByKey(name, now);
    },
  });
  holdByMouse(state, maps);
  const drawBeliefs = memo(beliefs.draw);
  const drawMaps = memo(
    (/** @type {Run} */ run, /** @type {number[]} */ order, /** @type {number} */ steps, /** @type {string} */ _theme) => {
      const units = order.length;
      for (const { name, draw, describe } of maps) {
        draw(run[name], { steps, units, low: LOW[name], high: 1, order });
        describe(`Heat map of the ${NAMES[name]} ${name}: ${counted(units, "unit")} over ${counted(steps, "letter")}`);
      }
    },
  );
  const drawWord = memo(
    (/** @type {Run} */ run, /** @type {string[]} */ letters, /** @type {string[]} */ classes, /** @type {string} */ one) => {
      const size = one === "letter" ? 0 : letters.length * Math.max(...letters.map((name) => name.length));
      tiles.style.setProperty("--size", String(size || 1));
      for (const [kind, room] of Object.entries(ROOM)) tiles.classList.toggle(kind, size > room);
      write(/** @type {Element} */ (word.panel.querySelector(".gru-title")), `${one}s`);
      const moved = moves(run.h, run.h.length / letters.length);
      const most = Math.max(...moved) || 1;
      tiles.style.setProperty("--steps", String(letters.length));
      tiles.replaceChildren(
        ...letters.map((name, t) => {
          const first = classes[leader(run.beliefs, t, classes.length)];
          return make(
            "span",
            { class: "gru-tile", style: `--moved:${Math.round((100 * moved[t]) / most)}%` },
            make("b", {}, visible(name)),
            make("small", {}, letters.length > RANKED ? "" : first.slice(0, 3)),
          );
        }),
      );
      const largest = moved.indexOf(Math.max(...moved));
      word.plot.setAttribute("aria-label", `The ${one}s; the state moves most at ${one} ${largest + 1}, ${visible(letters[largest])}`);
    },
  );
  return {
    element: stack.element,
    start: stack.start,
    playing: stack.playing,
    /** @param {Now} now @param {Run} run @param {string} theme */
    draw(now, run, theme) {
      drawBeliefs(run.beliefs, run.beliefs, now.data.class_names, null);
      const order = model.order(now);
      drawMaps(run, order, now.steps, theme);
      drawWord(run, now.letters, now.data.class_names, now.one);
      const units = run.h.length / now.steps;
      const row = order.indexOf(now.unit);
      for (const { name, frame, read: show } of maps) {
        if (!now.fixed) show(row, units, format(run[name][now.step * units + now.unit]));
        frame(
          cellsOf(now, name).map(([t, u]) => [t, order.indexOf(u)]),
          now.steps,
          units,
          name === now.quantity && !now.fixed,
        );
      }
      stack.show(now);
      beliefs.read(now.step, stack.playing());
    },
  };
}

/**
 * The letter that is looked at, and what each other letter in its place would do.
 * @param {State} state
 * @param {ReturnType<typeof modelOf>} model
 */
function replacing(state, model) {
  const label = make("span", { class: "gru-label" });
  const buttons = Array.from({ length: SHOWN }, () => button(""));
  const element = make(
    "div",
    { class: "gru-bar gru-others", role: "group", "aria-label": "Another letter in its place" },
    label,
    ...buttons,
  );
  buttons.forEach((one, i) => {
    state.on(one, "click", () => {
      const now = state.pinned();
      const other = model.ranked(now)[i];
      if (other) state.put({ text: now.letters.map((letter, t) => (t === now.step ? other.name : letter)).join("") });
    });
  });
  return {
    element,
    /** @param {Now} now @param {Run | null} run */
    draw(now, run) {
      const ranked = run ? model.ranked(now) : [];
      element.hidden = now.data.traced !== null;
      write(label, ranked.length ? `Instead of ${visible(now.letters[now.step])}, what changes most:` : "Nothing to exchange");
      // They stay where they are: a button that comes and goes cannot be pressed twice.
      buttons.forEach((one, i) => {
        const other = ranked[i];
        one.disabled = !other;
        write(one, other ? `${visible(other.name)} → ${now.data.class_names[other.answer]} ${percent(other.probability)}` : "–");
      });
    },
  };
}

/**
 * The writer: it goes on from what stands there.
 * @param {State} state
 * @param {ReturnType<typeof modelOf>} model
 */
function writing(state, model) {
  const more = button("Write on");
  state.on(more, "click", () => {
    const now = state.pinned();
    const text = now.text + (model.more(now) ?? "");
    state.put({ text, step: Math.max(0, plain(text).length - 1), seed: now.seed + 1 });
  });
  const next = make("data", { class: "gru-next" });
  const bar = make(
    "div",
    { class: "gru-bar gru-writing" },
    list(state, "language", "Go on in", { names: ({ data }) => data.class_names }),
    slider(state, "temperature", "Temperature", {
      min: 0.1,
      max: 2,
      step: 0.1,
      ends: ["sure", "wild"],
      words: (value) => format(value, 1),
    }),
    more,
    next,
  );
  state.follow((now) => {
    bar.hidden = !now.data.writer;
    const coming = model.more(now) ?? "";
    write(next, coming ? `… ${coming}` : "nothing: the word is full");
    next.value = `${coming} at ${now.temperature}`;
    return null;
  });
  return bar;
}

/** The headline. @param {Now} now @param {Run | null} run @param {string | null} more  what the writer would add */
function sentence({ data, text, letters, step, steps, one, still, language, temperature, edits }, run, more) {
  const names = data.class_names;
  const needs = still ? "Typing needs a running kernel. " : "";
  const goes = more
    ? ` In ${names[language]}, at temperature ${format(temperature, 1)}, it would go on “${more.length > LAST ? `${more.slice(0, LAST)}…` : more}”.`
    : "";
  if (!run) {
    const unread = "This text has not been read yet: Python does that, with a running kernel.";
    return needs || (data.traced && text ? unread : "Type a word, in any script, to have it read.") + goes;
  }
  const C = names.length;
  const at = (/** @type {number} */ t) => leader(run.beliefs, t, C);
  const chance = (/** @type {number} */ t) => percent(run.beliefs[t * C + at(t)]);
  const read = letters.slice(0, step + 1).map(visible);
  const between = one === "step" ? " " : "";
  const word = read.length > LAST ? `…${read.slice(-LAST).join(between)}` : read.join(between);
  const said = [`${needs}After “${word}” the model says ${names[at(step)]} (${chance(step)})`];
  if (step < steps - 1) said.push(`, and in the end ${names[at(steps - 1)]} (${chance(steps - 1)})`);
  said.push(".");
  const change = changeOfMind(run.beliefs, C);
  if (change)
    said.push(
      ` It changed its mind at ${one} ${change.step + 1}, ${visible(letters[change.step])}: before that it was ${names[change.before]}.`,
    );
  const known = data.letters;
  const strange = known === null ? 0 : letters.filter((letter) => !known.includes(letter)).length;
  if (strange)
    said.push(
      ` ${strange === 1 ? "One letter is not in its alphabet and is" : `${strange} letters are not in its alphabet and are`} read as “other”.`,
    );
  if (!data.traced && [...text.slice(0, 20 * LONGEST)].length > LONGEST) said.push(` Only the first ${LONGEST} letters are read.`);
  return said.join("") + heldWords({ edits }) + goes;
}

/**
 * @param {ReturnType<typeof modelOf>} model
 * @returns {import("./bound.js").Trial<Now>[]}
 */
function trials(model) {
  const at = (/** @type {string} */ text) => ({ text, edits: [], step: plain(text).length - 1 });
  const turn = (/** @type {Now} */ now) => {
    const run = model.run(now);
    return run && changeOfMind(run.beliefs, now.data.class_names.length);
  };
  return [
    {
      name: "Where it changes its mind",
      when: (now) => Boolean(turn(now)),
      put: (now) => ({ step: turn(now)?.step ?? 0 }),
      see: ({ one, fixed }) =>
        `From this ${one} on another answer leads.${fixed ? "" : " Put another letter in its place: does the answer stay?"}`,
    },
    {
      name: "Keep this unit as it is",
      when: ({ fixed, steps }) => !fixed && steps > 1,
      keeps: ["unit"],
      put({ step, steps, unit }) {
        const from = step < steps - 1 ? step : Math.floor((steps - 1) / 2); // after the last letter nothing is left to move
        return { quantity: "z", edits: Array.from({ length: steps - from }, (_, i) => ["z", 0, from + i, unit, 1]) };
      },
      see: ({ unit, edits: [first] }) =>
        `From letter ${(first?.[2] ?? 0) + 1} on unit ${(first?.[3] ?? unit) + 1} keeps what it has. What else moves, and does the answer stay?`,
    },
    {
      name: "One letter more",
      when: ({ data, steps }) => !data.traced && steps < LONGEST,
      put: ({ text }) => at(`${text.replace(/nen$/u, "ne")}n`),
      see: () => "The gates of the letters before do not change: a GRU does not look ahead.",
    },
    {
      name: "A script it has never seen",
      when: ({ data }) => !data.traced,
      put: () => at("日本語"),
      see: () => "All three letters are “other” to it, and yet it answers: there is no “none of these” among its answers.",
    },
  ];
}

export default view("word-reader", TRAITS, build);
