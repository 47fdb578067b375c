// @ts-check
/** Panels of the ledger: the stack of bands, one per author, that runs through time; and what each step keeps. */

import { letter, make, write } from "./dom.js";
import { counted, percent, signed, spread } from "./draw.js";
import { share, stack } from "./ledger.js";
import { strip } from "./panel.js";
import { memo } from "./state.js";

/** @typedef {import("./ledger.js").Entry} Entry */
/** @typedef {ReturnType<typeof stack>} Bands */

const FLAT = 0.3; // half of a column's width in which its bands run level
const ROOM = 0.055; // the least height of a band that bears its letter, as a share of the drawing
const COLUMNS = 18; // in which letters have room
const NAMED = 4; // authors with a value at the right end
const SHORT = 3; // characters of an author's name on a band
const [WIDE, NARROW] = [68, 24]; // characters that fit side by side, on a page and on a phone
const LINE = 0.05; // height of a name, as a share of the drawing

/** @typedef {{ x: number, y: number, size: number, s: number, name: string }} Label  x, y: of its middle, 0 to 1; size: of its band */

/**
 * Names of which none covers another; that of the larger band stays.
 * @param {Label[]} labels
 * @param {number} room  characters that fit side by side
 */
function apart(labels, room) {
  /** @type {Label[]} */
  const kept = [];
  for (const one of [...labels].sort((a, b) => b.size - a.size)) {
    const covers = (/** @type {Label} */ { x, y, name }) =>
      Math.abs(one.y - y) < LINE && Math.abs(one.x - x) * room < (one.name.length + name.length) / 2 + 0.4;
    if (!kept.some(covers)) kept.push(one);
  }
  return kept;
}

export function stackPanel() {
  const group = make("g");
  const zero = make("path", { class: "gru-zero" });
  const svg = make("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" }, group, zero);
  const words = make("div", { class: "gru-words", "aria-hidden": "true" });
  const ends = make("div", { class: "gru-words", "aria-hidden": "true" }, ...Array.from({ length: NAMED }, () => end()));
  const { panel, plot, note } = strip("stack", [letter("h"), " by author"], "gru-flow", svg, words, ends);
  note.textContent = "the newest next to zero";
  /** @type {{ bands: Bands[], height: (value: number) => number } | null} */
  let shown = null;
  let followed = -1;
  const drawBands = memo((/** @type {Entry[][]} */ accounts, /** @type {string[]} */ names) => {
    const bands = accounts.map(stack);
    const high = Math.max(1e-9, ...bands.flatMap((now) => now.map(({ up }) => up[1])));
    const low = Math.min(0, ...bands.flatMap((now) => now.map(({ down }) => down[0])));
    const height = (/** @type {number} */ value) => (high - value) / (high - low);
    shown = { bands, height };
    ribbons(group, bands, height);
    zero.setAttribute("d", `M0 ${height(0).toFixed(4)}H1`);
    words.replaceChildren(...namesOf(bands, height, names));
    followed = -1;
  });
  const mark = (/** @type {number} */ author) => {
    if (author === followed) return;
    for (const one of panel.querySelectorAll(".gru-followed")) one.classList.remove("gru-followed");
    for (const one of panel.querySelectorAll(`.gru-by-${author}`)) one.classList.add("gru-followed");
    followed = author;
  };
  return {
    panel,
    plot,
    /**
     * @param {Entry[][]} accounts  of each step, one entry per author so far
     * @param {string[]} names
     * @param {{ step: number, follow: number, account: number }} now
     */
    draw(accounts, names, { step, follow, account }) {
      drawBands(accounts, names);
      mark(follow);
      if (!shown) return;
      const entries = accounts[step];
      const size = (/** @type {number} */ s) => entries[s].up - entries[s].down;
      const largest = entries.map((_, s) => s).sort((a, b) => size(b) - size(a));
      const value = (/** @type {number} */ s) => (account === -2 ? percent(share(entries, s)) : signed(entries[s].up + entries[s].down));
      const tells = largest.slice(0, NAMED).filter((s) => /[1-9]/u.test(value(s))); // nothing is left of the others
      const chosen = [...new Set([...(follow <= step ? [follow] : []), ...tells])].slice(0, NAMED);
      const { bands, height } = shown;
      const middle = (/** @type {Bands[number]} */ { up, down }) =>
        (up[1] - up[0] >= down[1] - down[0] ? up[0] + up[1] : down[0] + down[1]) / 2;
      const places = spread(
        chosen.map((s) => height(middle(bands[step][s]))),
        0.09,
      );
      chosen.forEach((s, i) => {
        const one = /** @type {HTMLElement} */ (ends.children[i]);
        one.style.top = `${(100 * places[i]).toFixed(2)}%`;
        one.classList.toggle("gru-followed", s === follow);
        write(/** @type {Element} */ (one.firstElementChild), names[s]);
        write(/** @type {Element} */ (one.lastElementChild), value(s));
      });
      for (const [i, one] of [...ends.children].entries()) /** @type {HTMLElement} */ (one).hidden = i >= chosen.length;
      const told = chosen.map((s, i) => `${names[s]} ${ends.children[i].lastElementChild?.textContent}`).join(", ");
      plot.setAttribute("aria-label", `Bands, one per author, over ${counted(accounts.length, "step")}; after step ${step + 1}: ${told}`);
    },
    /** The author of the band at a place of the plot. @param {number} x  0 to 1 @param {number} y  0 at the top @returns {number | null} */
    under(x, y) {
      if (!shown) return null;
      const { bands, height } = shown;
      const now = bands[Math.min(bands.length - 1, Math.max(0, Math.floor(x * bands.length)))];
      const inside = (/** @type {[number, number]} */ [from, to]) => to > from && y <= height(from) && y >= height(to);
      const found = now.findIndex(({ up, down }) => inside(up) || inside(down));
      return found < 0 ? null : found;
    },
  };
}

/**
 * The names of authors on their bands, as many as there is room for.
 * @param {Bands[]} bands
 * @param {(value: number) => number} height
 * @param {string[]} names
 */
function namesOf(bands, height, names) {
  const T = bands.length;
  const every = Math.ceil(T / COLUMNS);
  const labels = (/** @type {number} */ t, /** @type {number} */ s) =>
    /** @type {const} */ (["up", "down"]).flatMap((side) => {
      const [from, to] = bands[t][s][side].map(height);
      const size = Math.abs(to - from);
      if (size < ROOM || (t - s) % every) return [];
      return [{ x: (t + 0.5) / T, y: (from + to) / 2, size, s, name: names[s].slice(0, SHORT) }];
    });
  const all = bands.flatMap((now, t) => now.flatMap((_, s) => labels(t, s)));
  const wide = apart(all, WIDE);
  const narrow = new Set(apart(wide, NARROW));
  return wide.map((one) => {
    const style = `left:${(100 * one.x).toFixed(2)}%;top:${(100 * one.y).toFixed(2)}%`;
    return make("span", { style, class: `gru-author gru-by-${one.s}${narrow.has(one) ? "" : " gru-wide"}` }, one.name);
  });
}

/** What stands at the right of the stack: an author and a value. */
const end = () => make("span", { class: "gru-end" }, make("span", { class: "gru-name" }), make("b", { class: "gru-value" }));

/**
 * A band above and one below zero for each author, from the step that wrote it to the last; elements are used again.
 * @param {SVGElement} group
 * @param {Bands[]} bands
 * @param {(value: number) => number} height
 */
function ribbons(group, bands, height) {
  const T = bands.length;
  while (group.childElementCount > 2 * T) group.lastElementChild?.remove();
  while (group.childElementCount < 2 * T) group.append(make("path"));
  const x = (/** @type {number} */ t) => (t / T).toFixed(4);
  for (let s = 0; s < T; s += 1) {
    /** @type {const} */ (["up", "down"]).forEach((side, k) => {
      const edge = (/** @type {0 | 1} */ which) =>
        Array.from({ length: T - s }, (_, i) => {
          const y = height(bands[s + i][s][side][which]).toFixed(4);
          return [`${x(s + i + 0.5 - FLAT)} ${y}`, `${x(s + i + (s + i === T - 1 ? 1 : 0.5 + FLAT))} ${y}`];
        });
      const begin = `${x(s + 0.06)} ${height(0).toFixed(4)}`; // a new one enters from zero
      const there = edge(0).flat();
      const back = edge(1).flat().reverse();
      const path = group.children[2 * s + k];
      path.setAttribute("d", `M${[begin, ...there, ...back].join("L")}Z`);
      path.setAttribute("class", `gru-ribbon gru-shade-${s % 3} gru-by-${s}`);
    });
  }
}

/** What each step keeps on average, as bars that can be dragged. */
export function keptBars() {
  const [free, held] = [make("path", { class: "gru-free" }), make("path", { class: "gru-held" })];
  const svg = make("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" }, free, held);
  const value = make("output", { class: "gru-value gru-end", "aria-live": "off" });
  const { panel, plot, note } = strip("kept", [letter("z"), " kept"], "gru-lines gru-low gru-bars", svg, value);
  note.textContent = "drag a bar to hold it";
  return {
    panel,
    plot,
    /** @param {Float64Array} kept  mean z of each step @param {[number, number][]} pairs  what is held */
    draw(kept, pairs) {
      const T = kept.length;
      const bar = (/** @type {number} */ t) => {
        const top = (1 - Math.max(0.015, kept[t])).toFixed(4);
        return `M${((t + 0.12) / T).toFixed(4)} 1V${top}H${((t + 0.88) / T).toFixed(4)}V1Z`;
      };
      const told = new Set(pairs.map(([t]) => t));
      const all = Array.from(kept, (_, t) => t);
      free.setAttribute(
        "d",
        all
          .filter((t) => !told.has(t))
          .map(bar)
          .join(""),
      );
      held.setAttribute(
        "d",
        all
          .filter((t) => told.has(t))
          .map(bar)
          .join(""),
      );
      plot.setAttribute("aria-label", `Bars: what each step of ${T} keeps, the mean of z over all units; ${told.size} held by hand`);
    },
    /** @param {string} text  the value at the cursor */
    read: (text) => write(value, text),
  };
}
