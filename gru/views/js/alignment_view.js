// @ts-check
/** AlignmentView: the word, the answer, and lines between them as thick as the decoder's attention. */

import { answer, unpack } from "./align.js";
import { reset, tick, tries } from "./bound.js";
import { origin } from "./controls.js";
import { labelled, make, write } from "./dom.js";
import { counted, percent } from "./draw.js";
import { memo, pointing, stateOf } from "./state.js";
import { playOnce, transport } from "./transport.js";
import { view } from "./view.js";
import { numbersOf, plain } from "./words.js";

/**
 * @typedef {object} Data
 * @property {string | null} letters  null: Python encodes what is typed
 * @property {string[]} symbols
 * @property {string[]} examples
 * @property {string} device
 * @property {import("./align.js").Sent | null} model
 * @property {{ text: string, names: string[], symbols: number[], looks: number[][], chances: number[] } | null} traced
 */
/** @typedef {ReturnType<typeof read>} Now */
/** @typedef {import("./state.js").State<Now>} State */
/** @typedef {ReturnType<typeof answer>} Answer */

const TRAITS = ["text", "step", "matrix", "play", "_data"];
const [LONGEST, MOST] = [60, 8]; // letters that are read, symbols that are written
const LEAST = 0.04; // of the attention, below which no line is drawn

const known = memo((/** @type {import("./align.js").Sent} */ model) => unpack(model));
const written = memo((/** @type {Data} */ data, /** @type {string} */ text) => {
  const { model, traced } = data;
  if (!model) {
    const found = traced?.text === text && traced.names.length ? traced : null;
    return { letters: found ? found.names : [], found };
  }
  const alphabet = [...(data.letters ?? "")];
  const letters = plain(text).slice(0, LONGEST);
  const found = letters.length ? answer(known(model), numbersOf(letters, alphabet), alphabet.length + 1, MOST) : null;
  return { letters, found };
});

/** @param {import("./state.js").Reader} traits @param {boolean} [alone]  no Python behind the page */
function read({ whole, flag, text, sent }, alone = false) {
  const data = /** @type {Data} */ (sent("_data"));
  const typed = text("text");
  const { letters, found } = written(data, typed);
  const count = found?.symbols.length ?? 0;
  return {
    data,
    text: typed,
    letters,
    found,
    count,
    step: whole("step", 0, Math.max(0, count - 1)),
    matrix: flag("matrix"),
    still: alone && data.traced !== null, // no other text can be read
  };
}

/** @param {import("./view.js").Context} context */
function build(context) {
  const { root } = context;
  const state = stateOf(context, (traits) => read(traits, context.model.alone));
  const { still } = state.pinned();
  const label = still ? "Text" : "Type a number in words";
  const input = make("input", { type: "text", class: "gru-type", autocomplete: "off", autocapitalize: "off", spellcheck: "false" });
  input.readOnly = still;
  state.on(input, "input", () => state.put({ text: input.value.toWellFormed?.() ?? input.value }));
  state.follow(({ text }) => {
    if (input.value !== text) input.value = text;
    return `${label} ${text.slice(0, LONGEST)}`;
  });
  let playing = false;
  const steps = transport(state, "step", {
    count: ({ count }) => Math.max(1, count),
    words: (step, { count, data, found }) =>
      found?.symbols.length ? `${step + 1} of ${count}, ${data.symbols[found.symbols[step]]}` : "–",
    playing(on) {
      playing = on;
      state.redraw();
    },
  });
  const bar = make(
    "div",
    { class: "gru-bar gru-top" },
    labelled(label, input),
    tick(state, "matrix", "As a table"),
    reset(state, ["text", "step", "matrix"]),
  );
  const says = make("p", { class: "gru-says", "aria-live": "polite" });
  const drawing = pictureOf(state);
  const where = make("p", { class: "gru-where" });
  state.lay(bar, says, make("div", {}, drawing.element, steps.control), tries(state, trials(context)), where);
  root.setAttribute("aria-label", "Where a decoder looks while it writes");
  playOnce(context, steps.start);
  return () => {
    const now = state.refresh();
    drawing.draw(now, playing);
    says.setAttribute("aria-live", playing ? "off" : "polite");
    write(says, sentence(now));
    write(where, now.data.traced ? `${origin(now.data.device, null)}${still ? "" : " Every new text is read there."}` : origin());
  };
}

/** Letters above, symbols below, and what is between them. @param {State} state */
function pictureOf(state) {
  const strings = make("g"); // from above to below; where there is less room, the style lays it on its side
  const svg = make("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" }, strings);
  const words = make("div", { class: "gru-words", "aria-hidden": "true" });
  const plot = make("div", { class: "gru-plot gru-align", role: "img", tabindex: 0 }, svg, words);
  const element = make("div", { class: "gru-aligned" }, plot);
  const at = (/** @type {PointerEvent} */ event) => {
    const { count } = state.pinned();
    const { left, top, width, height } = plot.getBoundingClientRect();
    const tall = getComputedStyle(plot).getPropertyValue("--tall").trim() === "1";
    const share = tall ? (event.clientY - top) / height : (event.clientX - left) / width;
    return count ? { step: Math.min(count - 1, Math.max(0, Math.floor(share * count))) } : null;
  };
  pointing(state, element, at);
  state.on(plot, "keydown", (/** @type {KeyboardEvent} */ event) => {
    const { step, count } = state.pinned();
    const by = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, Home: -count, End: count }[event.key];
    if (!by || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    state.put({ step: Math.min(Math.max(0, count - 1), Math.max(0, step + by)) });
  });

  const place = (/** @type {number} */ i, /** @type {number} */ n) => (i + 0.5) / Math.max(1, n);
  return {
    element,
    /** @param {Now} now @param {boolean} playing */
    draw({ letters, found, count, step, matrix, data }, playing) {
      element.hidden = !letters.length;
      const [T, K] = [letters.length, count];
      const shown = (/** @type {number} */ k) => !playing || k <= step;
      plot.classList.toggle("gru-as-table", matrix);
      const sizes = {
        letters: T,
        symbols: Math.max(1, K),
        "from-length": longest(letters),
        "to-length": longest((found?.symbols ?? []).map((symbol) => data.symbols[symbol])),
      };
      for (const [name, size] of Object.entries(sizes)) plot.style.setProperty(`--${name}`, String(size));
      plot.setAttribute(
        "aria-label",
        K
          ? `${counted(K, "symbol")} below ${counted(T, "letter")}; symbol ${step + 1} looks most at letter ${most(found?.looks[step] ?? []) + 1}`
          : "No answer",
      );
      words.replaceChildren(
        ...letters.map((letter, t) =>
          make(
            "span",
            { class: "gru-from", style: `--at:${place(t, T)};--look:${(found?.looks[step]?.[t] ?? 0).toFixed(3)}` },
            /\s/u.test(letter) ? "␣" : letter,
          ),
        ),
        ...(found?.symbols ?? []).map((symbol, k) =>
          make(
            "span",
            { class: `gru-to ${k === step ? "gru-here" : ""}`, style: `--at:${place(k, K)}` },
            shown(k) ? data.symbols[symbol] : "",
          ),
        ),
        ...(matrix && found
          ? found.looks.flatMap((look, k) =>
              Array.from(look, (w, t) =>
                make("i", {
                  class: `gru-cell ${k === step ? "gru-here" : ""}`,
                  style: `--from:${place(t, T)};--to:${place(k, K)};--look:${w.toFixed(3)}`,
                }),
              ),
            )
          : []),
      );
      // At rest each symbol's strongest line; of the one that is looked at, all.
      const lines = matrix || !found ? [] : found.looks.flatMap((look, k) => (shown(k) ? strands(look, k, k === step) : []));
      strings.replaceChildren(
        ...lines.map(({ t, k, weight, here }) =>
          make("path", {
            class: `gru-strand ${here ? "gru-here" : ""}`,
            d: curve(place(t, T), place(k, K)),
            "stroke-width": (1 + 9 * weight).toFixed(2),
          }),
        ),
      );
    },
  };
}

/** @param {ArrayLike<number>} look @param {number} k @param {boolean} here */
function strands(look, k, here) {
  const best = most(look);
  return Array.from(look, (weight, t) => ({ t, k, weight, here })).filter(({ t, weight }) =>
    here ? weight >= LEAST || t === best : t === best,
  );
}

/** @param {number} from @param {number} to */
const curve = (from, to) => `M${from.toFixed(4)} 0.14C${from.toFixed(4)} 0.5 ${to.toFixed(4)} 0.5 ${to.toFixed(4)} 0.86`;

/** How many letters the longest of some words has. @param {readonly string[]} words */
const longest = (words) => Math.max(1, ...words.map((word) => [...word].length));

/** @param {ArrayLike<number>} values */
function most(values) {
  let best = 0;
  for (let i = 1; i < values.length; i += 1) if (values[i] > values[best]) best = i;
  return best;
}

/** @param {Now} now */
function sentence({ data, text, letters, found, count, step, still }) {
  const needs = still ? "Typing needs a running kernel. " : "";
  if (!letters.length && still) return needs.trim();
  if (!letters.length && data.traced && text) return "This text has not been read yet: Python does that, with a running kernel.";
  if (!letters.length) return "Type a number in words, in one of its languages or in none.";
  if (!found || !count) return `${needs}To “${letters.slice(0, 20).join("")}” it writes nothing.`;
  const look = found.looks[step];
  const t = most(look);
  const alphabet = data.letters;
  const strange = alphabet === null ? 0 : letters.filter((letter) => !alphabet.includes(letter)).length;
  const cut = alphabet !== null && [...text].length > LONGEST ? ` Only the first ${LONGEST} letters are read.` : "";
  return (
    `${needs}It writes ${found.symbols.map((symbol) => data.symbols[symbol]).join("")}. Symbol ${step + 1}, ${data.symbols[found.symbols[step]]} ` +
    `(${percent(found.chances[step])}), looks most at letter ${t + 1}, ${letters[t].trim() || "␣"} (${percent(look[t])} of its attention).` +
    `${strange ? ` Letters that it does not know: ${strange}.` : ""}${cut}`
  );
}

/** @param {import("./view.js").Context} context @returns {import("./bound.js").Trial<Now>[]} */
function trials({ model }) {
  const examples = /** @type {string[]} */ (model.get("_data").examples);
  return [
    ...examples.map((text) => ({
      name: text,
      when: (/** @type {Now} */ { still }) => !still,
      put: () => ({ text }),
      see: () => "Go through its symbols: do the lines run side by side, or do they cross?",
    })),
    {
      name: "No number at all",
      when: ({ data }) => !data.traced,
      put: () => ({ text: "hello" }),
      see: () => "It writes a number all the same: there is no other answer it could give.",
    },
  ];
}

export default view("alignment-view", TRAITS, build);
