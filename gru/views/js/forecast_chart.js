// @ts-check
/** A panel: the past, a seam "now", and what is said of the steps to come; the forecasts before it fade. */

import { linesIn } from "./chart.js";
import { make, write } from "./dom.js";
import { clamp } from "./draw.js";
import { strip } from "./panel.js";

/** @typedef {import("./forecast.js").Forecast} Forecast */
/**
 * @typedef {object} Picture  places count from the left edge of the drawing
 * @property {number} frame  how many there are
 * @property {number} start  of the drawing, in the series
 * @property {number} step  "now": the last one that is read
 * @property {number} context
 * @property {[number, number]} range  of the values
 * @property {Float64Array} measured  of the whole drawing
 * @property {Float64Array} past  as it is read (T)
 * @property {boolean} changed  it is not the measured one
 * @property {Float64Array} season  the same as last season (K)
 * @property {Forecast | null} forecast
 * @property {Float64Array | null} came  (K), or null while that is not shown
 * @property {number} pen
 * @property {string} reads  what stands at the pen
 * @property {(value: number) => string} words
 */

const FADING = 18; // frames for which a forecast is still seen after the next one
const AT_ONCE = 6; // of them

/**
 * @param {() => void} again  asks for another frame
 */
export function forecastChart(again) {
  const { panel, plot, note } = strip("forecast", [], "gru-lines gru-forecast");
  const lines = linesIn(plot, 0.085);
  const [trail, invitation] = [trailOf(again), invitationOf()];
  const area = make("i", { class: "gru-past" });
  const seam = make("i", { class: "gru-seam" }, make("span", {}, "now"));
  const at = make("span", { class: "gru-reads" });
  const pen = make("i", { class: "gru-pen" }, at);
  plot.append(trail.element, invitation.element, area, seam, pen);

  return {
    panel,
    plot,
    seam,
    /** The stroke that shows how to draw is drawn once before the reader's eyes. */
    show: () => plot.classList.add("gru-showing"),
    /** @param {Picture} picture @param {string} title @param {string} unit */
    draw(picture, title, unit) {
      const { frame, step, context, range, measured, past, season, forecast, came, words, changed } = picture;
      write(/** @type {Element} */ (panel.querySelector(".gru-title")), title);
      write(note, unit);
      const now = past[past.length - 1];
      const ahead = (/** @type {Float64Array} */ values) => ({ values: [now, ...values], from: step + 0.5 });
      const first = step + 1 - context;
      lines.draw({
        x: [0, frame],
        y: range,
        bands: (forecast?.bands ?? []).map(({ low, high }, i) => ({
          low: [now, ...low],
          high: [now, ...high],
          from: step + 0.5,
          kind: `gru-band-${i}`,
        })),
        lines: [
          { values: measured.slice(0, first + 1), from: 0.5, kind: "gru-unread" },
          ...(changed ? [{ values: measured.slice(first, step + 1), from: first + 0.5, kind: "gru-ghost" }] : []),
          { values: past, from: first + 0.5, kind: "gru-read" },
          { ...ahead(season), kind: "gru-season", name: "last season", words },
          ...(came ? [{ ...ahead(came), kind: "gru-came", name: "what came", words }] : []),
          ...(forecast ? [{ ...ahead(forecast.middle), kind: "gru-median", name: "model", words }] : []),
        ],
      });
      lines.read(picture.pen > step ? picture.pen + 0.5 : null);
      trail.draw(picture);
      invitation.draw(picture);
      const place = (/** @type {HTMLElement} */ one, /** @type {number} */ left) =>
        one.style.setProperty("--at", (left / frame).toFixed(4));
      place(area, first);
      area.style.setProperty("--width", (context / frame).toFixed(4));
      place(seam, step + 1);
      place(pen, picture.pen + 0.5);
      const value = picture.pen > step ? (forecast?.middle ?? season)[picture.pen - step - 1] : past[picture.pen - first];
      pen.style.setProperty("--up", clamp((range[1] - value) / (range[1] - range[0]), 0, 1).toFixed(4));
      write(at, picture.pen === step + season.length ? "" : picture.reads); // at the end the names have the values
    },
  };
}

/** What was forecast before, a little fainter with every frame. @param {() => void} again  asks for another frame */
function trailOf(again) {
  const element = make("svg", { class: "gru-fading", viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" });
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  /** @type {{ end: number, middle: Float64Array, from: number, age: number }[]} */
  let before = [];
  /** @type {{ forecast: Forecast, end: number, from: number } | null} */
  let last = null;
  return {
    element,
    /** @param {Picture} picture */
    draw({ forecast, start, step, past, frame, range }) {
      if (last && forecast !== last.forecast && !still.matches) {
        before = [{ end: last.end, middle: last.forecast.middle, from: last.from, age: 0 }, ...before].slice(0, AT_ONCE);
      }
      last = forecast && { forecast, end: start + step, from: past[past.length - 1] };
      before = before.filter((one) => one.age < FADING);
      element.replaceChildren(
        ...before.map(({ end, middle, from, age }) =>
          make("path", {
            class: "gru-line",
            d: outline([from, ...middle], end - start + 0.5, frame, range),
            opacity: (0.6 * (1 - age / FADING)).toFixed(3),
          }),
        ),
      );
      for (const one of before) one.age += 1;
      if (before.length) again();
    },
  };
}

/** A stroke over the last values, as a hand would draw it, until one does. */
function invitationOf() {
  const ghost = make("path", { class: "gru-line" });
  const stroke = make("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" }, ghost);
  const element = make("div", { class: "gru-invitation", "aria-hidden": "true" }, stroke, make("span", {}, "draw here"));
  return {
    element,
    /** @param {Picture} picture */
    draw({ changed, past, step, frame, range: [low, high] }) {
      element.classList.toggle("gru-away", changed);
      if (changed) return;
      const n = Math.min(past.length, Math.max(4, Math.round(frame / 7)));
      const last = past.slice(-n);
      // To where there is more room.
      const way = last.reduce((sum, value) => sum + value, 0) / n > (low + high) / 2 ? -1 : 1;
      const other = last.map((value, i) => value + way * 0.2 * (high - low) * Math.sin((Math.PI * (i + 1)) / (n + 1)) ** 2);
      ghost.setAttribute("d", outline(other, step + 1.5 - n, frame, [low, high]));
      const most = way * Math.max(...other.map((value) => way * value));
      element.classList.toggle("gru-below", way < 0);
      element.style.setProperty("--from", ((step + 1 - n) / frame).toFixed(4)); // where the stroke begins to be drawn
      element.style.setProperty("--to", ((step + 1) / frame).toFixed(4));
      element.style.setProperty("--up", ((high - most) / (high - low)).toFixed(4));
    },
  };
}

/**
 * A line through values, one per place.
 * @param {ArrayLike<number>} values
 * @param {number} from  where the first of them stands
 * @param {number} frame
 * @param {[number, number]} range
 */
const outline = (values, from, frame, [low, high]) =>
  `M${Array.from(values, (value, i) => `${((from + i) / frame).toFixed(4)} ${clamp((high - value) / (high - low), -1, 2).toFixed(4)}`).join("L")}`;
