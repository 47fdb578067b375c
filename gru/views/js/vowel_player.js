// @ts-check
/** VowelPlayer: speech from its LPC cepstrum, seen as a spectral envelope over time, and heard. */

import { chart } from "./chart.js";
import { advice, list, origin, resetButton, slider } from "./controls.js";
import { make, write } from "./dom.js";
import { clamp, format, paint, ramp } from "./draw.js";
import { panelOf } from "./panel.js";
import { view } from "./view.js";
import { decibels, HOP, peaks, RATE, voice, wav } from "./voice.js";

const TRAITS = ["utterance", "step", "slower", "pitch", "_data"];
const ROWS = 100; // of the map, 50 Hz each
const [QUIET, LOUD] = [-25, 25]; // decibels, what is drawn faintest and strongest

/** @param {{ model: import("./view.js").Model, root: HTMLElement, signal: AbortSignal }} context */
function build({ model, root, signal }) {
  const put = (/** @type {Record<string, any>} */ values) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    model.save_changes();
  };
  /** @type {string[]} */
  const names = model.get("_data").names;

  // Controls
  const utterance = list("Utterance");
  const step = slider("Step", { min: 1, max: 1 });
  const slower = slider("Times slower", { min: 1, max: 16 });
  const pitch = slider("Pitch, in Hz", { min: 70, max: 250 });
  const player = make("audio", { controls: true, "aria-label": "The utterance, made audible" });

  // Drawings
  const map = mapOf();
  const slice = chart("envelope", ["at this step, dB"], { along: "frequency, in kHz" });
  const says = make("p", { class: "gru-says", "aria-live": "polite" });

  root.setAttribute("aria-label", "An utterance to see and to hear");
  root.replaceChildren(
    make("div", { class: "gru-bar" }, utterance.control, slower.control, pitch.control, resetButton(model, TRAITS, signal)),
    make("div", { class: "gru-player" }, player),
    make(
      "div",
      { class: "gru-lab" },
      make(
        "div",
        {},
        map.panel,
        make("p", { class: "gru-note" }, "Strong is loud. Dots: the two lowest peaks. Ticks: pulses of the voice."),
        make("div", { class: "gru-bar" }, step.control),
      ),
      slice.panel,
    ),
    says,
    advice(
      "Press play. You should hear one vowel glide into another, from “ah” to “eh”, in a voice like a buzzer.",
      "Set “Times slower” to 1. You should hear a click: this is how fast it was spoken.",
      "Move the step from left to right. You should see the lowest peak move down and the next one up: the mouth closes and the tongue moves forward.",
      "Change the pitch. You should hear another note and the same vowels: the lines under the envelope move, the envelope stays.",
    ),
    make(
      "p",
      { class: "gru-where" },
      origin(),
      " Only the envelope comes from the recording. The pitch is yours, and the loudness, the breath and the room of the recording are lost.",
    ),
  );

  let heard = "";
  /** @type {{ key: string, frames: Float64Array[] }} */
  let known = { key: "", frames: [] };

  function update() {
    const { cepstra, order } = model.get("_data");
    const which = clamp(Math.round(model.get("utterance")), 0, names.length - 1);
    if (known.key !== String(which)) known = { key: String(which), frames: framesOf(cepstra[which], order) };
    const { frames } = known;
    const now = clamp(Math.round(model.get("step")), 0, frames.length - 1);
    const times = clamp(Math.round(model.get("slower")), 1, 16);
    const hertz = clamp(Math.round(model.get("pitch")), 70, 250);
    const seconds = (frames.length * HOP * times) / RATE;

    utterance.show(names, which);
    step.input.max = String(frames.length);
    step.show(now + 1, String(now + 1), `${now + 1} of ${frames.length}`);
    slower.show(times, String(times), times === 1 ? "as fast as it was spoken" : `${times} times slower`);
    pitch.show(hertz, String(hertz), `${hertz} hertz`);
    const key = `${which} ${times} ${hertz}`;
    if (heard !== key) player.src = wav(voice(frames, times, hertz));
    heard = key;

    map.draw(frames, now, seconds, hertz);
    drawSlice(frames[now], hertz);
    const found = peaks(frames[now]);
    slice.mark(found.length ? found[0] / 1000 : null, found.length ? `lowest peak ${found[0]} Hz` : "no peak");
    const [first, second] = found;
    write(
      says,
      `${names[which]}, step ${now + 1} of ${frames.length}: ` +
        (second
          ? `the envelope has its two lowest peaks at ${first} and ${second} Hz. `
          : first
            ? `the envelope has one peak, at ${first} Hz. `
            : "the envelope has no peak. ") +
        `The player takes ${format(seconds, 2)} s for it${times > 1 ? `, ${times} times as long as the speaker` : ", as long as the speaker"}, at a pitch of ${hertz} Hz.`,
    );
  }

  /** @param {Float64Array} frame @param {number} hertz */
  function drawSlice(frame, hertz) {
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

  // From the page to the model
  const on = (/** @type {EventTarget} */ element, /** @type {string} */ event, /** @type {(event: any) => void} */ listener) =>
    element.addEventListener(event, listener, { signal });
  on(utterance.input, "input", () => {
    const which = Number(utterance.input.value);
    const { cepstra, order } = model.get("_data");
    put({ utterance: which, step: Math.min(model.get("step"), cepstra[which].length / order - 1) });
  });
  on(step.input, "input", () => put({ step: Number(step.input.value) - 1 }));
  on(slower.input, "input", () => put({ slower: Number(slower.input.value) }));
  on(pitch.input, "input", () => put({ pitch: Number(pitch.input.value) }));
  on(map.plot, "pointerdown", (event) => put({ step: map.under(event, known.frames.length) }));
  on(player, "timeupdate", () => {
    if (player.paused || !player.duration) return;
    put({ step: clamp(Math.floor((player.currentTime / player.duration) * known.frames.length), 0, known.frames.length - 1) });
  });
  signal.addEventListener("abort", () => player.pause());

  return update;
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
  let drawn = "";
  return {
    panel,
    plot,
    /** @param {PointerEvent} event @param {number} steps */
    under({ clientX }, steps) {
      const { left, width } = plot.getBoundingClientRect();
      return clamp(Math.floor(((clientX - left) / width) * steps), 0, steps - 1);
    },
    /** @param {Float64Array[]} frames @param {number} now @param {number} seconds @param {number} hertz */
    draw(frames, now, seconds, hertz) {
      const T = frames.length;
      const css = getComputedStyle(plot);
      const colours = [css.getPropertyValue("--gru-ground"), css.getPropertyValue("--gru-ink")];
      const values = Float64Array.from({ length: T * ROWS }, (_, i) =>
        decibels(frames[Math.floor(i / ROWS)], 5000 - 50 * ((i % ROWS) + 0.5)),
      );
      const key = `${colours} ${values.join()}`;
      if (key !== drawn) {
        Object.assign(canvas, { width: T, height: ROWS });
        const context = canvas.getContext("2d", { willReadFrequently: true }); // in main memory, where the numbers are
        if (!context) return;
        const image = context.createImageData(T, ROWS);
        paint(values, T, ROWS, QUIET, LOUD, ramp(colours), image.data);
        context.putImageData(image, 0, 0);
        const at = (/** @type {number} */ f, /** @type {number} */ t) =>
          `M${((t + 0.5) / T).toFixed(4)} ${(1 - f / 5000).toFixed(4)}h.0001`;
        const path = frames.map((frame, t) =>
          peaks(frame)
            .slice(0, 2)
            .map((f) => at(f, t))
            .join(""),
        );
        dots.setAttribute("d", path.join(""));
        drawn = key;
      }
      const count = seconds * hertz;
      pulses.setAttribute("d", Array.from({ length: Math.ceil(count) }, (_, k) => `M${(k / count).toFixed(4)} 0.97V1`).join(""));
      plot.style.setProperty("--steps", String(T));
      plot.style.setProperty("--at-step", String((now + 0.5) / T));
      write(last, `${format(seconds, 2)} s`);
      write(value, `step ${now + 1} of ${T}`);
      plot.setAttribute(
        "aria-label",
        `Map of the spectral envelope, ${T} steps from 0 to 5 kHz; its lowest peak goes from ${peaks(frames[0])[0] ?? "no"} to ${peaks(frames[T - 1])[0] ?? "no"} Hz`,
      );
    },
  };
}

export default view("vowel-player", TRAITS, build);
