// @ts-check
/** A panel of GradientLoom: one thread of a gradient as a ribbon that flows left, and the switch that mutes it. */

import { tick } from "./controls.js";
import { make, write } from "./dom.js";
import { percent, short } from "./draw.js";
import { strip } from "./panel.js";

/** @typedef {import("./flow.js").Path} Path */

const FINE = 10000; // a drawing's own units along each side: whole numbers are quick to write
const MIDDLE = FINE / 2;
const LARGEST = 9.99; // a share that is written
const OF = { carry: "h", candidate: "n", update: "z", reset: "r" }; // what a thread runs through, whose colour it has

/** A share of one with a true minus sign. @param {number} share */
const signedPercent = (share) => percent(share).replace("-", "−");

/** @param {Path} path */
export function ribbonPanel(path) {
  const { control, input } = tick(path);
  control.classList.add("gru-thread", `gru-thread-${OF[path]}`);
  const shapes = {
    ghost: make("path", { class: "gru-ghost" }),
    with: make("path", { class: "gru-with" }),
    against: make("path", { class: "gru-against" }),
  };
  const svg = make(
    "svg",
    { viewBox: `0 0 ${FINE} ${FINE}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    shapes.ghost,
    shapes.with,
    shapes.against,
  );
  const { panel, plot, note } = strip(path, [control], `gru-lane gru-lane-${OF[path]}`, svg);
  const [share, value] = [make("b"), make("span", { class: "gru-value gru-note" })];
  plot.append(make("output", { class: "gru-end", "aria-live": "off" }, share, value));
  return {
    path,
    panel,
    input,
    /**
     * @param {ArrayLike<number> | null} values  t = 0..T-1; null: it is muted
     * @param {ArrayLike<number> | null} before  the same with no thread muted; null: nothing else is
     * @param {{ T: number, end: number, thick: (value: number) => number }} how  end: the last state that threads come from
     */
    draw(values, before, { T, end, thick }) {
      const outline = (/** @type {ArrayLike<number> | null} */ of, /** @type {number} */ sign) =>
        of ? ribbon(of, sign, T, end, thick) : "";
      shapes.ghost.setAttribute("d", outline(before, 1) + outline(before, -1));
      shapes.with.setAttribute("d", outline(values, 1));
      shapes.against.setAttribute("d", outline(values, -1));
    },
    /**
     * @param {number | null} brought  at the cursor; null where none flows
     * @param {number} sum  what all that are not muted bring there
     * @param {boolean} muted
     * @param {string} words  what its gate does there
     */
    read(brought, sum, muted, words) {
      input.checked = !muted;
      const text = muted ? "" : brought === null ? "–" : short(brought);
      // Where all but cancel each other, shares of what is left say nothing.
      const part = muted
        ? "muted"
        : brought === null || Math.abs(brought) > LARGEST * Math.abs(sum) || !sum
          ? ""
          : signedPercent(brought / sum);
      write(share, part);
      write(value, text);
      write(note, words);
      const spoken = muted ? "muted" : brought === null ? "none" : part ? `${text}, ${part} of the gradient` : text;
      plot.setAttribute("aria-label", `Ribbon of the ${path} thread: at the cursor ${spoken}`);
    },
  };
}

/**
 * The outlines of a ribbon where its values have one sign; where they change it, it is as thin as a line.
 * @param {ArrayLike<number>} values
 * @param {number} sign
 * @param {number} T
 * @param {number} end
 * @param {(value: number) => number} thick
 */
export function ribbon(values, sign, T, end, thick) {
  const has = (/** @type {number} */ t) => t >= 0 && t < end && (sign > 0 ? values[t] >= 0 : values[t] < 0);
  let path = "";
  for (let t = 0; t < end; t += 1) {
    if (!has(t)) continue;
    /** @type {[number, number][]} */
    const edge = [[t, t ? 0 : thick(values[0])]];
    for (; has(t); t += 1) edge.push([t + 0.35, thick(values[t])], [t + 0.65, thick(values[t])]);
    edge.push(t < end ? [t, 0] : [t + 0.5, thick(values[t - 1])]); // it leaves the loss
    const side = (/** @type {number} */ way) =>
      edge.map(([x, half]) => /** @type {[number, number]} */ ([Math.round((FINE * x) / (T + 1)), Math.round(MIDDLE * (1 - way * half))]));
    path += `M${curve(side(1))}L${curve(side(-1).reverse())}Z`;
  }
  return path;
}

/** Gently from one point to the next. @param {[number, number][]} points */
function curve(points) {
  return points
    .map(([x, y], i) => {
      if (!i) return `${x} ${y}`;
      const [from, level] = points[i - 1];
      const half = (from + x) >> 1;
      return level === y ? `L${x} ${y}` : `C${half} ${level} ${half} ${y} ${x} ${y}`;
    })
    .join("");
}
