// @ts-check
/** VowelPlayer: speech from its LPC cepstrum, seen as a spectral envelope over time, and heard. */

import { list, reset, slider, tries } from "./bound.js";
import { chart } from "./chart.js";
import { origin } from "./controls.js";
import { colourOf, headline, make, write } from "./dom.js";
import { capital, clamp, counted, format, paint, ramp } from "./draw.js";
import { panelOf } from "./panel.js";
import { memo, pointing, stateOf } from "./state.js";
import { view } from "./view.js";
import { decibels, HOP, peaks, RATE, voice, wav } from "./voice.js";

/** @typedef {{ names: string[], cepstra: number[][], order: number }} Data  what Python sends */
/** @typedef {ReturnType<ReturnType<typeof reader>>} Now */
/** @typedef {ReturnType<typeof chart>} Chart */
/** @typedef {import("./state.js").State<Now>} State */

const TRAITS = ["utterance", "step", "slower", "pitch"];
const ROWS = 100; // of the map, 50 Hz each
const [QUIET, LOUD] = [-25, 25]; // decibels, what is drawn faintest and strongest
const [SLOWEST, LOWEST, HIGHEST] = [16, 70, 250]; // times; hertz
const REST = 150; // ms without a move, after which the sound is made

/** The state, from the traits. */
function reader() {
  const frames = memo((/** @type {Data} */ { cepstra, order }, /** @type {number} */ which) => framesOf(cepstra[which], order));
  return (/** @type {import("./state.js").Reader} */ { whole, sent }) => {
    const data = /** @type {Data} */ (sent("_data"));
    const utterance = whole("utterance", 0, data.names.length - 1);
    const found = frames(data, utterance);
    const slower = whole("slower", 1, SLOWEST);
    return {
      data,
      utterance,
      frames: found,
      steps: found.length,
      step: whole("step", 0, found.length - 1),
      slower,
      pitch: whole("pitch", LOWEST, HIGHEST),
      seconds: (found.length * HOP * slower) / RATE,
    };
  };
}

/** @param {import("./view.js").Context} context */
function build(context) {
  const state = stateOf(context, reader());
  const player = playerOf(state);
  const map = mapOf();
  const slice = chart("envelope", ["at this step, dB"], { along: "frequency, in kHz" });
  const says = make("p", { class: "gru-says gru-short", "aria-live": "polite" });
  const [bar, step] = controls(state);
  const key = make("p", { class: "gru-note" }, "Strong is loud. Dots: the two lowest peaks. Ticks: pulses of the voice.");
  state.lay(
    bar,
    says,
    make("div", { class: "gru-player" }, player.element),
    make("div", { class: "gru-lab" }, make("div", {}, map.panel, make("div", { class: "gru-bar" }, step), key), slice.panel),
    tries(state, trials()),
    make(
      "p",
      { class: "gru-where" },
      origin(),
      " Only the envelope comes from the recording. The pitch is yours, and the loudness, the breath and the room of the recording are lost.",
    ),
  );
  context.root.setAttribute("aria-label", "An utterance to see and to hear");
  pointing(state, map.panel, (event) => ({ step: map.under(event, state.pinned().steps) }));

  const load = memo(player.load);
  const drawSlice = memo((/** @type {Float64Array} */ frame, /** @type {number} */ pitch) => drawEnvelope(slice, frame, pitch));
  return () => {
    const now = state.refresh();
    const { frames, step: t, slower, pitch, seconds } = now;
    load(frames, slower, pitch);
    map.draw(frames, t, seconds, pitch);
    drawSlice(frames[t], pitch);
    const [lowest] = peaks(frames[t]);
    slice.mark(lowest ? lowest / 1000 : null, lowest ? `lowest peak ${lowest} Hz` : "no peak");
    headline(says, "", ...sentence(now));
  };
}

/** The sound, and the cursor that goes with it. @param {State} state */
function playerOf(state) {
  const element = make("audio", { controls: true, "aria-label": "The utterance, made audible" });
  state.on(element, "timeupdate", () => {
    if (element.paused || !element.duration) return;
    const { steps } = state.pinned();
    state.put({ step: clamp(Math.floor((element.currentTime / element.duration) * steps), 0, steps - 1) });
  });
  let due = 0;
  state.signal.addEventListener("abort", () => {
    element.pause();
    clearTimeout(due);
  });
  return {
    element,
    /** The sound comes when the hand rests: nobody can hear it before. @param {Float64Array[]} frames @param {number} slower @param {number} pitch */
    load(frames, slower, pitch) {
      clearTimeout(due);
      due = setTimeout(() => {
        element.src = wav(voice(frames, slower, pitch));
      }, REST);
    },
  };
}

/** @param {State} state */
function controls(state) {
  const utterance = list(state, "utterance", "Utterance", {
    begins: true,
    names: ({ data }) => data.names,
    put: (which, { data, step }) => ({ utterance: which, step: Math.min(step, data.cepstra[which].length / data.order - 1) }),
  });
  const slower = slider(state, "slower", "Times slower", {
    min: 1,
    max: SLOWEST,
    spoken: (times) => (times === 1 ? "as fast as it was spoken" : `${times} times slower`),
  });
  const pitch = slider(state, "pitch", "Pitch, in Hz", { min: LOWEST, max: HIGHEST, spoken: (hertz) => `${hertz} hertz` });
  const step = slider(state, "step", "Step", {
    from: 1,
    range: ({ steps }) => [0, steps - 1],
    words: (number, { steps }) => `${number} of ${steps}`,
  });
  return [make("div", { class: "gru-bar" }, utterance, slower, pitch, reset(state, TRAITS)), step];
}

/** The headline, and what of it the controls show. @param {Now} now @returns {[seen: string, heard: string]} */
function sentence({ data, utterance, frames, steps, step, slower, pitch, seconds }) {
  const [first, second] = peaks(frames[step]);
  const found = second
    ? `the two lowest peaks of its envelope are at ${first} and ${second} Hz.`
    : first
      ? `its envelope has one peak, at ${first} Hz.`
      : "its envelope has no peak.";
  const speed = slower > 1 ? `${slower} times as long as the speaker` : "as long as the speaker";
  return [
    `${capital(data.names[utterance])}, step ${step + 1} of ${steps}: ${found}`,
    ` The player takes ${format(seconds)} s, ${speed}, at a pitch of ${pitch} Hz.`,
  ];
}

/** @returns {import("./bound.js").Trial<Now>[]} */
function trials() {
  return [
    {
      name: "The first step",
      put: () => ({ step: 0 }),
      see: () => "An “ah”. Press play in the player: it glides into an “eh”, in a voice like a buzzer.",
    },
    {
      name: "The last step",
      put: ({ steps }) => ({ step: steps - 1 }),
      see: () => "The lowest peak has moved down and the next one up: the mouth has closed, and the tongue has moved forward.",
    },
    {
      name: "As fast as it was spoken",
      put: () => ({ slower: 1 }),
      see: () => "Press play in the player: all of it is no more than a click.",
    },
    {
      name: "A higher note",
      put: () => ({ pitch: 220 }),
      see: () => "Another note, and the same vowels: the lines under the envelope move, the envelope stays.",
    },
  ];
}

/**
 * The envelope of one step, and the harmonics of the pitch below it.
 * @param {Chart} slice
 * @param {Float64Array} frame
 * @param {number} hertz
 */
function drawEnvelope(slice, frame, hertz) {
  const curve = Array.from({ length: 251 }, (_, i) => decibels(frame, 20 * i));
  const floor = 5 * Math.floor((Math.min(...curve) - 2) / 5);
  const top = 5 * Math.ceil((Math.max(...curve) + 2) / 5);
  const fine = 8; // points from one harmonic to the next
  const teeth = Array.from({ length: Math.floor((RATE / 2 / hertz) * fine) + 1 }, (_, i) =>
    i % fine === 0 && i > 0 ? decibels(frame, (i / fine) * hertz) : floor,
  );
  slice.draw({
    x: [0, RATE / 2000],
    y: [floor, top],
    lines: [
      { values: teeth, by: hertz / fine / 1000, kind: "gru-line-teeth" },
      { values: curve, by: 0.02, kind: "gru-line-envelope" },
    ],
  });
  slice.describe(
    `The spectral envelope from 0 to 5 kHz, with peaks at ${peaks(frame).join(", ") || "no"} Hz; below it the harmonics of ${hertz} Hz`,
  );
}

/** @param {number[]} numbers @param {number} order */
const framesOf = (numbers, order) =>
  Array.from({ length: numbers.length / order }, (_, t) => Float64Array.from(numbers.slice(t * order, (t + 1) * order)));

/** The envelope over time: steps to the right, frequency upwards, strong is loud; dots on the two lowest peaks. */
function mapOf() {
  const canvas = make("canvas");
  const dots = make("path", { class: "gru-peaks" });
  const pulses = make("path", { class: "gru-pulses" }); // of the voice, along the lower edge
  const svg = make("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" }, dots, pulses);
  const ends = ["5", "2.5", "0"].map((kHz, i) =>
    make("span", { class: "gru-tick", "aria-hidden": "true", style: `top:${50 * i}%;--at:${i / 2}` }, kHz),
  );
  const { panel, plot, value } = panelOf("map", ["envelope over time, kHz"], { class: "gru-map" }, canvas, svg, ...ends);
  const last = make("span", { class: "gru-last" });
  panel.append(make("div", { class: "gru-axis", "aria-hidden": "true" }, make("span", {}, "0"), last));

  // With what it depends on; the colours change with the theme.
  const drawMap = memo((/** @type {Float64Array[]} */ frames, /** @type {string} */ ground, /** @type {string} */ ink) => {
    paintMap(canvas, frames, [ground, ink]);
    const T = frames.length;
    const at = (/** @type {number} */ f, /** @type {number} */ t) => `M${((t + 0.5) / T).toFixed(4)} ${(1 - f / 5000).toFixed(4)}h.0001`;
    const lowest = frames.flatMap((frame, t) =>
      peaks(frame)
        .slice(0, 2)
        .map((f) => at(f, t)),
    );
    dots.setAttribute("d", lowest.join(""));
  });
  return {
    panel,
    /** @param {PointerEvent} event @param {number} steps */
    under({ clientX }, steps) {
      const { left, width } = plot.getBoundingClientRect();
      return clamp(Math.floor(((clientX - left) / width) * steps), 0, steps - 1);
    },
    /** @param {Float64Array[]} frames @param {number} now @param {number} seconds @param {number} hertz */
    draw(frames, now, seconds, hertz) {
      const T = frames.length;
      drawMap(frames, colourOf(plot, "ground"), colourOf(plot, "ink"));
      const count = seconds * hertz;
      pulses.setAttribute("d", Array.from({ length: Math.ceil(count) }, (_, k) => `M${(k / count).toFixed(4)} 0.97V1`).join(""));
      plot.style.setProperty("--steps", String(T));
      plot.style.setProperty("--at-step", String((now + 0.5) / T));
      write(last, `${format(seconds)} s`);
      write(value, `step ${now + 1} of ${T}`);
      const [from, to] = [frames[0], frames[T - 1]].map((frame) => peaks(frame)[0] ?? "no");
      plot.setAttribute(
        "aria-label",
        `Map of the spectral envelope, ${counted(T, "step")} from 0 to 5 kHz; its lowest peak goes from ${from} to ${to} Hz`,
      );
    },
  };
}

/** One pixel per step and 50 Hz. @param {HTMLCanvasElement} canvas @param {Float64Array[]} frames @param {string[]} colours */
function paintMap(canvas, frames, colours) {
  const T = frames.length;
  const values = Float64Array.from({ length: T * ROWS }, (_, i) => decibels(frames[Math.floor(i / ROWS)], 5000 - 50 * ((i % ROWS) + 0.5)));
  Object.assign(canvas, { width: T, height: ROWS });
  const context = canvas.getContext("2d", { willReadFrequently: true }); // in main memory, where the numbers are
  if (!context) return;
  const image = context.createImageData(T, ROWS);
  paint(values, T, ROWS, QUIET, LOUD, ramp(colours), image.data);
  context.putImageData(image, 0, 0);
}

export default view("vowel-player", [...TRAITS, "_data"], build);
