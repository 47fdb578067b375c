// @ts-check
/** ForecastLab: a past to draw into, and how a forecaster says it goes on. */

import { reset, slider, tick, tries } from "./bound.js";
import { button, origin } from "./controls.js";
import { colourOf, letter, make, write } from "./dom.js";
import { BELOW, clamp, counted, format, percent } from "./draw.js";
import { orderOf, QUANTITIES, SORTED } from "./explorer.js";
import { covered, errorOf, foresee, lastSeason, pastOf, room, rounded, stroke, unpack } from "./forecast.js";
import { forecastChart } from "./forecast_chart.js";
import { heatMap } from "./heat.js";
import { score } from "./score.js";
import { memo, stateOf } from "./state.js";
import { playOnce } from "./transport.js";
import { view } from "./view.js";

/** @typedef {import("./forecast.js").Data} Data */
/** @typedef {import("./forecast.js").Pair} Pair */
/** @typedef {import("./forecast.js").Lab} Lab */
/** @typedef {import("./forecast.js").Forecast} Forecast */
/** @typedef {ReturnType<ReturnType<typeof reading>>} Now */
/** @typedef {import("./state.js").State<Now>} State */
/** @typedef {ReturnType<ReturnType<typeof numbersOf>>} Numbers */

const TRAITS = ["start", "step", "pen", "drawn", "reveal", "play", "_data"];
const NAMES = { r: "reset gate", z: "update gate", n: "candidate", h: "state" };
const LOW = { r: 0, z: 0, n: -1, h: -1 };
const NOTES = { r: SORTED, z: "", n: BELOW, h: BELOW };

/**
 * The state, from the traits; places count from the left edge of the drawing, as step does.
 * @param {import("./view.js").Model} model
 */
function reading({ alone }) {
  /** @type {{ start: number, step: number, drawn: Pair[] } | null} */
  let first = null; // what Python has read: without a kernel it reads nothing else
  const known = memo(unpack);
  const pairs = memo((/** @type {unknown} */ drawn, /** @type {number} */ S) => {
    const all = /** @type {Pair[]} */ (Array.isArray(drawn) ? drawn : []);
    return all.filter(([place, value]) => place >= 0 && place < S && Number.isFinite(value));
  });
  return (/** @type {import("./state.js").Reader} */ { whole, flag, sent }) => {
    const data = /** @type {Data} */ (sent("_data"));
    const { context, horizon, frame } = data;
    const lab = known(data);
    const fixed = Boolean(alone && data.traced);
    const asked = {
      start: whole("start", 0, lab.values.length - frame),
      step: whole("step", context - 1, frame - 1 - horizon),
      drawn: pairs(sent("drawn"), lab.values.length),
    };
    first ??= asked;
    const { start, step, drawn } = fixed ? first : asked;
    return {
      data,
      lab,
      fixed,
      start,
      step,
      end: start + step,
      pen: whole("pen", step + 1 - context, step + horizon),
      drawn,
      reveal: flag("reveal"),
    };
  };
}

/** @param {import("./view.js").Context} context */
function build(context) {
  const { root } = context;
  const state = stateOf(context, reading(context.model));
  const numbers = numbersOf();
  const drawings = drawingsOf(state, numbers);
  const says = make("p", { class: "gru-says", "aria-live": "polite" });
  const where = make("p", { class: "gru-where" });
  state.lay(controls(state), says, drawings.element, tries(state, trials()), where);
  playOnce(context, drawings.show);
  return () => {
    const now = state.refresh();
    const found = numbers(now);
    const { data } = now;
    root.setAttribute("aria-label", `A forecast of ${data.name}`);
    write(where, data.traced ? `${origin(data.device, null)}${now.fixed ? "" : " Every new past is read there."}` : origin());
    drawings.draw(now, found, colourOf(root, "ground"));
    says.setAttribute("aria-live", drawings.busy() ? "off" : "polite");
    write(says, sentence(now, found));
  };
}

/** What is computed, anew only where what it depends on has changed. */
function numbersOf() {
  const forecast = memo(foresee);
  const past = memo(pastOf);
  const season = memo(lastSeason);
  const measured = memo((/** @type {Lab} */ { values, data }, /** @type {number} */ start) => values.slice(start, start + data.frame));
  const range = memo((/** @type {Float64Array} */ values) => room(values));
  return (/** @type {Now} */ { lab, data, start, end, drawn, reveal }) => {
    const read = past(lab, drawn, end);
    const all = measured(lab, start);
    return {
      past: read,
      forecast: forecast(lab, drawn, end),
      season: season(read, data.season, data.horizon),
      measured: all,
      range: range(all),
      changed: drawn.filter(([place]) => place > end - data.context && place <= end).length,
      came: reveal ? lab.values.slice(end + 1, end + 1 + data.horizon) : null,
    };
  };
}

/** @param {State} state */
function controls(state) {
  const erase = button("Erase drawing");
  state.on(erase, "click", () => state.put({ drawn: [] }));
  state.follow(({ drawn, fixed }) => {
    erase.disabled = fixed || !drawn.length;
    return null;
  });
  return make(
    "div",
    { class: "gru-bar" }, // it does not stick: what moves the drawing is the drawing
    slider(state, "start", "Shown from", {
      range: ({ lab, data }) => [0, lab.values.length - data.frame],
      words: (start, now) => nameOf(now, start),
      off: ({ fixed }) => fixed,
    }),
    tick(state, "reveal", "Reveal what came"),
    erase,
    reset(state, ["start", "step", "pen", "drawn", "reveal"]),
  );
}

/** What a place of the series is called. @param {Now} now @param {number} place */
const nameOf = ({ data }, place) => data.names?.[place] ?? `step ${place + 1}`;

/** @param {Now} now */
const wordsOf = ({ data }) => {
  const digits = clamp(2 - Math.floor(Math.log10(data.scale)) - 1, 0, 4);
  return (/** @type {number} */ value) => format(value, digits);
};

/**
 * @param {State} state
 * @param {ReturnType<typeof numbersOf>} numbers
 */
function drawingsOf(state, numbers) {
  const chart = forecastChart(state.redraw);
  /** @type {(name: "r" | "z" | "n" | "h") => import("./dom.js").Colour[]} */
  const colours = (name) => (LOW[name] < 0 ? ["below", "ground", name] : ["ground", name]);
  const maps = QUANTITIES.map((name) => ({ name, ...heatMap(name, [letter(name), ` ${NAMES[name]}`], colours(name)) }));
  for (const { name, note } of maps) note.textContent = NOTES[name];
  const hand = handOf(state, numbers, chart);
  const stack = score(state, [chart.panel, ...maps.map(({ panel }) => panel)], {
    count: ({ data }) => data.frame,
    way: ({ data }) => [data.context - 1, data.frame - 1 - data.horizon],
    words: (_, { data, lab, end }) => data.names?.[end] ?? `${end + 1} of ${lab.values.length}`,
    names: ({ data, start }) => Array.from({ length: data.frame }, (_, i) => data.names?.[start + i] ?? String(start + i + 1)),
    ticks: ({ start, data }) => Array.from({ length: data.frame }, (_, i) => i).filter((i) => (start + i) % data.season === 0),
    keys: `Left and right arrow keys move the pen${state.pinned().fixed ? "." : ", up and down draw the past."}`,
    point: hand.point,
    key: hand.key,
  });
  stack.element.classList.toggle("gru-fixed", state.pinned().fixed); // no seam to move, no place to draw
  const drawMaps = memo(
    (/** @type {Forecast} */ { gates, units }, /** @type {number} */ first, /** @type {number} */ frame, /** @type {string} */ _theme) => {
      const order = orderOf(gates.h, units);
      const steps = gates.h.length / units;
      for (const { name, draw, describe } of maps) {
        const all = new Float64Array(frame * units); // nothing where nothing is read
        all.set(gates[name], first * units);
        draw(all, { steps: frame, units, low: LOW[name], high: 1, order });
        describe(
          `Heat map of the ${NAMES[name]} ${name}: ${counted(units, "unit")} over the ${counted(steps, "value that is", "values that are")} read`,
        );
      }
    },
  );
  return {
    element: stack.element,
    show: chart.show,
    busy: () => stack.playing() || hand.down(),
    /** @param {Now} now @param {Numbers} found @param {string} theme */
    draw(now, found, theme) {
      const { data, start, step, pen } = now;
      const words = wordsOf(now);
      const { forecast, past, season } = found;
      const value = pen > step ? (forecast?.middle ?? season)[pen - step - 1] : past[pen - (step + 1 - data.context)];
      const reads = `${nameOf(now, start + pen)}: ${words(value)}`;
      const shape = { frame: data.frame, start, step, context: data.context, pen, reads, words };
      chart.draw({ ...found, ...shape, changed: found.changed > 0 }, data.name, data.unit);
      chart.plot.setAttribute("aria-label", `Lines of ${data.name} up to ${nameOf(now, now.end)}, and its forecast; at the pen, ${reads}`);
      for (const { panel } of maps) panel.hidden = !forecast;
      if (forecast) drawMaps(forecast, step + 1 - data.context, data.frame, theme);
      stack.show(now, [pen]);
    },
  };
}

/**
 * A hand on the drawings: it draws the past, drags the seam, or looks.
 * @param {State} state
 * @param {ReturnType<typeof numbersOf>} numbers
 * @param {ReturnType<typeof forecastChart>} chart
 */
function handOf(state, numbers, chart) {
  let does = /** @type {"draws" | "drags" | "looks"} */ ("looks");
  let down = false;
  let grip = 0; // how far from the seam it was taken
  let last = /** @type {Pair | null} */ (null);
  for (const type of ["pointerup", "pointercancel"]) {
    state.on(chart.panel, type, () => {
      down = false;
      state.redraw();
    });
  }
  const penAt = (/** @type {number} */ place, /** @type {Now} */ { step, data }) =>
    clamp(place, step + 1 - data.context, step + data.horizon);
  return {
    down: () => down,
    /** @param {PointerEvent} event @param {HTMLElement} plot @param {Now} now */
    point(event, plot, now) {
      const { left, top, width, height } = plot.getBoundingClientRect();
      const along = ((event.clientX - left) / width) * now.data.frame;
      const pen = penAt(Math.floor(along), now);
      const pressed = event.type === "pointerdown" || (event.buttons & 1) === 1;
      if (event.type === "pointerdown") {
        const seam = chart.seam.contains(/** @type {Node} */ (event.target));
        does = seam ? "drags" : plot === chart.plot && Math.floor(along) <= now.step ? "draws" : "looks";
        [down, last, grip] = [true, null, along - (now.step + 1)];
      }
      if (now.fixed || !pressed || does === "looks") return { step: now.step, pen };
      if (does === "drags") {
        const { context, frame, horizon } = now.data;
        return { step: clamp(Math.round(along - grip) - 1, context - 1, frame - 1 - horizon), pen: frame };
      }
      const [low, high] = numbers(now).range;
      const place = Math.min(pen, now.step);
      /** @type {Pair} */
      const to = [now.start + place, rounded(clamp(high - ((event.clientY - top) / height) * (high - low), low, high))];
      const drawn = stroke(now.drawn, last ?? to, to);
      last = to;
      return { step: now.step, pen: place, drawn };
    },
    /** @param {string} key @param {Now} now */
    key(key, now) {
      const { step, pen, start, data } = now;
      const moves = { ArrowLeft: pen - 1, ArrowRight: pen + 1, Home: 0, End: data.frame }[key];
      if (moves !== undefined) return { pen: penAt(moves, now) };
      const by = { ArrowUp: 1, ArrowDown: -1 }[key];
      if (!by || pen > step || now.fixed) return null;
      const { range, past } = numbers(now);
      const value = past[pen - (step + 1 - data.context)] + (by * (range[1] - range[0])) / 50;
      /** @type {Pair} */
      const to = [start + pen, rounded(clamp(value, range[0], range[1]))];
      return { drawn: stroke(now.drawn, to, to) };
    },
  };
}

/** The headline: what is expected, or, once it is revealed, how it went. @param {Now} now @param {Numbers} found */
function sentence(now, { forecast, season, came, changed }) {
  const { data, start, step, end, pen } = now;
  const [words, K] = [wordsOf(now), data.horizon];
  if (!forecast) return "This past has not been read yet: Python does that, with a running kernel.";
  const k = (pen > step ? pen - step : K) - 1;
  const unit = data.unit ? ` ${data.unit}` : "";
  const bands = [...forecast.bands].reverse();
  const drew = changed ? ` You drew ${data.context === 1 ? "the value" : `${changed} of the ${data.context} values`} that it reads` : "";
  const points = pen <= step ? ` The pen is at ${nameOf(now, start + pen)}.` : "";
  const ahead = nameOf(now, end + 1 + k);
  const needs = now.fixed ? "Drawing needs a running kernel. " : "";
  if (came) {
    const held = bands.map((band) => `the ${percent(band.share)} band held ${covered(band, came)} of ${K}`).join(", ");
    return (
      `${needs}${ahead} came to ${words(came[k])}${unit}: the model said ${words(forecast.middle[k])}, last season ${words(season[k])}. ` +
      `Mean error up to ${nameOf(now, end + K)}: model ${words(errorOf(forecast.middle, came))}, last season ${words(errorOf(season, came))}` +
      `${held && `; ${held}`}.${drew && `${drew}; what came followed the measured ones.`}${points}`
    );
  }
  const between = bands.map(({ share, low, high }) => `${percent(share)}: ${words(low[k])} to ${words(high[k])}`).join(", ");
  return (
    `${needs}Seen from ${nameOf(now, end)}, ${ahead} is ${words(forecast.middle[k])}${unit} for the model${between && ` (${between})`}, ` +
    `and ${words(season[k])} for “the same as last season”.${drew && `${drew}.`}${points}`
  );
}

/** @returns {import("./bound.js").Trial<Now>[]} */
function trials() {
  const free = (/** @type {Now} */ { fixed }) => !fixed;
  /** What is drawn where the last season is changed. @param {(value: number, mean: number, spread: number, i: number) => number} change */
  const last =
    (change) =>
    (/** @type {Now} */ { lab, data, end }) => {
      const values = [...pastOf(lab, [], end)];
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      const spread = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
      const first = data.context - data.season;
      const drawn = values
        .slice(first)
        .map((value, i) => [end + 1 - data.season + i, rounded(change(value, mean, spread, i / data.season))]);
      return { drawn: drawn.filter(([, value], i) => value !== rounded(values[first + i])) };
    };
  return [
    {
      name: "A higher end",
      when: free,
      keeps: ["start"],
      put: last((value, _, spread, i) => (i < 0.5 ? value : value + spread)),
      see: () =>
        "The last half season lies higher now, so “the same as last season” rises half a season from now. Does the model expect that, too?",
    },
    {
      name: "A flat last season",
      when: free,
      keeps: ["start"],
      put: last((_, mean) => mean),
      see: () => "“The same as last season” is flat now, too. Does the model still know what season it is?",
    },
    {
      name: "Upside down",
      when: free,
      keeps: ["start"],
      put: last((value, mean) => 2 * mean - value),
      see: () => "Last season's line follows what was drawn. Does the model believe it?",
    },
  ];
}

export default view("forecast-lab", TRAITS, build);
