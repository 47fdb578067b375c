// @ts-check
/** What a run of the workbench has learned, update by update: the loss, the spread of its gates, the gradient's reach. */

import { chart } from "./chart.js";
import { make } from "./dom.js";
import { clamp, percent, short } from "./draw.js";
import { memo, pointing } from "./state.js";
import { slider } from "./bound.js";

/** @typedef {import("./bench.js").Moment} Moment */
/** @typedef {import("./chart.js").Line} Line */
/** @typedef {{ run: import("./bench_run.js").Run, updates: number, update: number, curve: string, T: number }} Shown */

const POINTS = 80; // of a line: one batch alone says little

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
 * @param {(now: any) => string} nameOf
 */
export function curves(state, session, nameOf) {
  const along = "updates";
  const title = make("span");
  const loss = chart("loss", [title], { along });
  const gates = chart("gates", ["gates: from 10 % to 90 % of their values, and the middle"], { along });
  const reach = chart("reach", ["length of dL/dh after the first step, and after the last"], { along });
  const all = [loss, gates, reach];
  const area = make("div", { class: "gru-curves" }, ...all.map(({ panel }) => panel));
  const moment = slider(state, "update", "Update", {
    range: ({ updates }) => [0, Math.max(1, updates)],
    off: ({ updates }) => !updates,
    words: (value, { updates }) => `${value} of ${updates}`,
    put: (value, { updates }) => ({ update: value >= updates ? -1 : value }),
  });

  // A click on a line's end pins it.
  state.on(loss.panel, "pointerdown", (/** @type {PointerEvent} */ event) => {
    if (!(/** @type {Element} */ (event.target).closest(".gru-end"))) return;
    event.stopPropagation();
    session.pin(nameOf(state.pinned()));
  });
  pointing(state, area, (event, plot) => {
    const now = state.pinned();
    const under = all.find((one) => one.plot === plot);
    if (!under || !now.updates) return null;
    const at = clamp(Math.round(under.under(event)), 0, now.updates);
    return { update: at >= now.updates ? -1 : at };
  });

  const drawn = memo((/** @type {any[]} */ ..._key) => ({}));
  let last = {};
  return {
    element: make("div", {}, area, make("div", { class: "gru-bar gru-moment" }, moment)),
    /** @param {Now} now */
    draw(now) {
      const { run, updates, update, curve, T } = now;
      const { beside, ghosts } = session;
      const fresh = drawn(run, updates, curve, T, beside?.run.updates ?? 0, ghosts);
      if (fresh !== last) {
        last = fresh;
        lines(now);
      }
      const at = run.moments[clamp(update - 1, 0, updates - 1)];
      loss.mark(update, at ? (curve === "loss" ? short(at.loss) : percent(at.right)) : "");
      gates.mark(
        update,
        at
          ? Object.entries(at.gates)
              .map(([name, [, middle]]) => `${name} ${middle.toFixed(2)}`)
              .join(", ")
          : "",
      );
      reach.mark(update, at ? `${short(at.first)} and ${short(at.last)}` : "");
    },
  };

  /** @param {Now} now */
  function lines({ run, updates, curve, T }) {
    const { beside, ghosts } = session;
    const other = beside?.run;
    const longest = Math.max(10, updates, other?.updates ?? 0, ...ghosts.map(({ losses }) => losses.length));
    /** @type {[number, number]} */
    const x = [0, longest];
    const guess = run.task.guess(T);
    const isLoss = curve === "loss";
    const of = (/** @type {Moment[]} */ moments) => thinned(moments.map((moment) => (isLoss ? moment.loss : moment.right)));
    const base = isLoss ? guess.loss : guess.right;
    title.textContent = isLoss ? `loss${run.task.classes ? " (cross entropy)" : " (mean squared error)"}` : `share ${run.task.unit}`;
    const main = of(run.moments);
    const drawnGhosts = ghosts.map(({ name, losses, rights }) => ({ ...thinned(isLoss ? losses : rights), kind: "gru-ghost", name }));
    const beneath = other ? [{ ...of(other.moments), kind: "gru-ghost", name: beside.name }] : [];
    const seen = [main, ...beneath, ...drawnGhosts].flatMap(({ values }) => values).filter(Number.isFinite);
    const top = isLoss ? Math.max(1.5 * base, Math.min(4 * base, ...(seen.length ? [Math.max(...seen)] : [0]))) : 1;
    loss.draw({
      x,
      y: [0, top],
      lines: [
        { values: [base, base], by: longest, kind: "gru-line-bound", name: "no memory" },
        ...beneath,
        ...drawnGhosts,
        ...(updates ? [{ ...main, kind: "gru-line-plain gru-this", name: "this run" }] : []),
      ],
    });
    const names = Object.keys(run.moments[0]?.gates ?? {});
    gates.panel.hidden = !names.length;
    gates.draw({
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
    const firsts = run.moments.map(({ first }) => first).filter((value) => value > 0 && Number.isFinite(value));
    const lasts = run.moments.map(({ last: one }) => one).filter((value) => value > 0 && Number.isFinite(value));
    const low = Math.max(1e-18, Math.min(1e-3, ...firsts, ...lasts));
    const high = Math.min(1e18, Math.max(1, ...firsts, ...lasts));
    reach.draw({
      x,
      y: [10 ** Math.floor(Math.log10(low)), 10 ** Math.ceil(Math.log10(high))],
      log: true,
      lines: [
        { ...thinned(run.moments.map(({ last: one }) => one)), kind: "gru-line-faint", name: "last" },
        { ...thinned(run.moments.map(({ first }) => first)), kind: "gru-line-h", name: "first" },
      ],
    });
    const [end] = run.moments.slice(-1);
    loss.describe(
      `${isLoss ? "Loss" : "Share right"} over ${updates} updates${end ? `, now ${isLoss ? short(end.loss) : percent(end.right)}` : ""}; without memory ${isLoss ? short(base) : percent(base)}`,
    );
    gates.describe(`Spread of the gates ${names.join(", ")} over ${updates} updates`);
    reach.describe(
      `Length of the gradient after the first and after the last step over ${updates} updates, logarithmic${end ? `: now ${short(end.first)} and ${short(end.last)}` : ""}`,
    );
  }
}
