// @ts-check
/** What a run of the workbench has learned, update by update: the loss, the spread of its gates, the gradient's reach. */

import { chart } from "./chart.js";
import { make } from "./dom.js";
import { clamp, percent, short } from "./draw.js";
import { memo, pointing } from "./state.js";
import { slider } from "./bound.js";

/** @typedef {import("./bench.js").Moment} Moment */
/** @typedef {{ run: import("./bench_run.js").Run, updates: number, update: number, curve: string, T: number }} Shown */

const POINTS = 80; // of a line: one batch alone says little
const ALONG = "updates";

/**
 * The means of a few neighbours each, so that a line has no more than so many points.
 * @param {number[]} values
 */
function thinned(values) {
  const by = Math.max(1, Math.ceil(values.length / POINTS));
  const means = [];
  for (let i = 0; i < values.length; i += by) {
    const some = values.slice(i, i + by).filter(Number.isFinite);
    means.push(some.length ? some.reduce((sum, value) => sum + value, 0) / some.length : NaN);
  }
  return { values: means, from: (by + 1) / 2, by };
}

/**
 * @template {Shown} Now
 * @param {import("./state.js").State<Now>} state
 * @param {import("./bench_run.js").Session} session
 * @param {(now: Now) => string} nameOf
 */
export function curves(state, session, nameOf) {
  const [loss, gates, reach] = [lossCurve(), gatesCurve(), reachCurve()];
  const all = [loss, gates, reach];
  const area = make("div", { class: "gru-curves" }, ...all.map(({ chart: { panel } }) => panel));
  const moment = slider(state, "update", "Update", {
    range: ({ updates }) => [0, Math.max(1, updates)],
    off: ({ updates }) => !updates,
    words: (value, { updates }) => `${value} of ${updates}`,
    put: (value, { updates }) => ({ update: value >= updates ? -1 : value }),
  });

  // A click on a line's end pins it.
  state.on(loss.chart.panel, "pointerdown", (/** @type {PointerEvent} */ event) => {
    if (!(/** @type {Element} */ (event.target).closest(".gru-end"))) return;
    event.stopPropagation();
    session.pin(nameOf(state.pinned()));
  });
  pointing(state, area, (event, plot) => {
    const now = state.pinned();
    const under = all.find((one) => one.chart.plot === plot);
    if (!under || !now.updates) return null;
    const at = clamp(Math.round(under.chart.under(event)), 0, now.updates);
    return { update: at >= now.updates ? -1 : at };
  });

  const drawn = memo((/** @type {unknown[]} */ ..._key) => ({}));
  let last = {};
  return {
    element: make("div", {}, area, make("div", { class: "gru-bar gru-when" }, moment)),
    /** @param {Now} now */
    draw(now) {
      const { run, updates, update, curve, T } = now;
      const { beside, ghosts } = session;
      const fresh = drawn(run, updates, curve, T, beside?.run.updates ?? 0, ghosts);
      if (fresh !== last) {
        last = fresh;
        const longest = Math.max(10, updates, beside?.run.updates ?? 0, ...ghosts.map(({ losses }) => losses.length));
        for (const one of all) one.draw(now, [0, longest], session);
      }
      const at = run.moments[clamp(update - 1, 0, updates - 1)];
      for (const one of all) one.chart.mark(update, at ? one.words(at, curve) : "");
    },
  };
}

/** The loss, or the share right, over those of other runs. */
function lossCurve() {
  const title = make("span");
  const drawing = chart("loss", [title], { along: ALONG });
  return {
    chart: drawing,
    /** @param {Moment} at @param {string} curve */
    words: (at, curve) => (curve === "loss" ? short(at.loss) : percent(at.right)),
    /** @param {Shown} now @param {[number, number]} x @param {import("./bench_run.js").Session} session */
    draw({ run, updates, curve, T }, x, { beside, ghosts }) {
      const isLoss = curve === "loss";
      const of = (/** @type {Moment[]} */ moments) => thinned(moments.map((moment) => (isLoss ? moment.loss : moment.right)));
      const guess = run.task.guess(T);
      const base = isLoss ? guess.loss : guess.right;
      title.textContent = isLoss ? `loss${run.task.classes ? " (cross entropy)" : " (mean squared error)"}` : `share ${run.task.unit}`;
      const main = of(run.moments);
      const others = [
        ...(beside ? [{ ...of(beside.run.moments), kind: "gru-ghost", name: beside.name }] : []),
        ...ghosts.map(({ name, losses, rights }) => ({ ...thinned(isLoss ? losses : rights), kind: "gru-ghost", name })),
      ];
      const seen = [main, ...others].flatMap(({ values }) => values).filter(Number.isFinite);
      const top = isLoss ? Math.max(1.5 * base, Math.min(4 * base, ...(seen.length ? [Math.max(...seen)] : [0]))) : 1;
      drawing.draw({
        x,
        y: [0, top],
        lines: [
          { values: [base, base], by: x[1], kind: "gru-line-bound", name: "no memory" },
          ...others,
          ...(updates ? [{ ...main, kind: "gru-line-plain gru-this", name: "this run" }] : []),
        ],
      });
      const [end] = run.moments.slice(-1);
      drawing.describe(
        `${isLoss ? "Loss" : "Share right"} over ${updates} updates${end ? `, now ${isLoss ? short(end.loss) : percent(end.right)}` : ""}; no memory ${isLoss ? short(base) : percent(base)}`,
      );
    },
  };
}

/** How widely the gates are spread. */
function gatesCurve() {
  const drawing = chart("gates", ["gates: from 10 % to 90 % of their values, and the middle"], { along: ALONG });
  return {
    chart: drawing,
    /** @param {Moment} at */
    words: (at) =>
      Object.entries(at.gates)
        .map(([name, [, middle]]) => `${name} ${middle.toFixed(2)}`)
        .join(", "),
    /** @param {Shown} now @param {[number, number]} x */
    draw({ run, updates }, x) {
      const names = Object.keys(run.moments[0]?.gates ?? {});
      drawing.panel.hidden = !names.length;
      drawing.draw({
        x,
        y: [0, 1],
        lines: names.flatMap((name) =>
          [0, 1, 2].map((k) => ({
            ...thinned(run.moments.map((moment) => moment.gates[name]?.[k] ?? NaN)),
            kind: `${"rz".includes(name) ? `gru-line-${name}` : "gru-line-faint"}${k === 1 ? "" : " gru-spread"}`,
            ...(k === 1 ? { name } : {}),
          })),
        ),
      });
      drawing.describe(`Spread of the gates ${names.join(", ")} over ${updates} updates`);
    },
  };
}

/** What of the gradient comes back to the first step. */
function reachCurve() {
  const drawing = chart("reach", ["length of dL/dh after the first step, and after the last"], { along: ALONG });
  return {
    chart: drawing,
    /** @param {Moment} at */
    words: (at) => `${short(at.first)} and ${short(at.last)}`,
    /** @param {Shown} now @param {[number, number]} x */
    draw({ run, updates }, x) {
      const firsts = run.moments.map(({ first }) => first);
      const lasts = run.moments.map(({ last }) => last);
      const seen = [...firsts, ...lasts].filter((value) => value > 0 && Number.isFinite(value));
      const low = Math.max(
        1e-18,
        seen.reduce((least, value) => Math.min(least, value), 1e-3),
      );
      const high = Math.min(
        1e18,
        seen.reduce((most, value) => Math.max(most, value), 1),
      );
      drawing.draw({
        x,
        y: [10 ** Math.floor(Math.log10(low)), 10 ** Math.ceil(Math.log10(high))],
        log: true,
        lines: [
          { ...thinned(lasts), kind: "gru-line-faint", name: "last" },
          { ...thinned(firsts), kind: "gru-line-h", name: "first" },
        ],
      });
      const [end] = run.moments.slice(-1);
      drawing.describe(
        `Length of the gradient after the first and after the last step over ${updates} updates, logarithmic${end ? `: now ${short(end.first)} and ${short(end.last)}` : ""}`,
      );
    },
  };
}
