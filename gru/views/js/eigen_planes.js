// @ts-check
/** A fold: the eigenvalues of both networks' matrices in the complex plane, and what they say about their gradients. */

import { make, write } from "./dom.js";
import { format } from "./draw.js";
import { eigenvalues, radius } from "./eigen.js";
import { panelOf } from "./panel.js";
import { scaled } from "./vanishing.js";

/** @typedef {import("./eigen.js").Eigenvalue} Eigenvalue */
/** @typedef {import("./vanishing.js").Gradient} Gradient */

/**
 * @template Now
 * @param {import("./state.js").State<Now>} state  redrawn when it is opened or closed
 */
export function whyFold({ on, redraw }) {
  const planes = { rnn: plane("rnn", "tanh RNN", "U"), gru: plane("gru", "GRU", "Uₙ") };
  const pulled = make("p");
  const bound = make("p");
  const share = make("p");
  const element = make(
    "details",
    { class: "gru-fold" },
    make("summary", {}, "Why?"),
    make(
      "p",
      {},
      "On its way back the gradient is multiplied at every step by a matrix, the step’s Jacobian. If every step had the same one, its " +
        "eigenvalues would tell the long run: inside the circle a direction shrinks, on it stays as long as it is, outside it grows. " +
        "But each step has a Jacobian of its own. The dots are those of one step, the last; the lines above are measured over all.",
    ),
    make("div", { class: "gru-planes" }, planes.rnn.panel, planes.gru.panel),
    make("p", { class: "gru-note" }, "○ of the recurrent matrix alone, in the GRU that of the candidate; ● of the last step’s Jacobian"),
    pulled,
    bound,
    share,
  );
  on(element, "toggle", redraw);
  return {
    element,
    /**
     * @param {import("./vanishing.js").Weights} weights
     * @param {number} rho
     * @param {Gradient} rnn
     * @param {Gradient} gated
     */
    draw({ ofU, ofUn, stretch }, rho, rnn, gated) {
      const [plain, opened] = [eigenvalues(rnn.last), eigenvalues(gated.last)];
      planes.rnn.draw(scaled(ofU, rho), plain, rho);
      planes.gru.draw(scaled(ofUn, rho), opened, rho);
      const mean = opened.reduce((sum, [re]) => sum + re, 0) / opened.length;
      write(
        pulled,
        `In the tanh RNN the slopes of the tanh pull the largest from ${format(rho)} in to ${format(radius(plain))}. In the GRU a share z ` +
          `of the state passes the matrix by: the larger the bias, the closer the dots gather at 1. Here their mean is ${format(mean)}.`,
      );
      const leaves = (/** @type {Gradient} */ { factor }) => `${format(100 * factor, 1)} %`;
      write(
        share,
        `A step leaves ${leaves(rnn)} in the tanh RNN and ${leaves(gated)} in the GRU: the share that, taken again and again over the farther ` +
          "half of the steps, gives what is left at the end. It is no plain average: shares of a product are averaged by multiplying them.",
      );
      const most = rho * stretch;
      write(
        bound,
        `No step of the tanh RNN can stretch a gradient by more than the largest singular value of U, ${format(most)} here: that is the dashed ` +
          `bound in the drawing above. It is ${most < 1 ? "below one, so the gradient must vanish" : "above one, so the gradient may grow, and need not"}.`,
      );
    },
  };
}

/**
 * The complex plane of one network.
 * @param {string} name
 * @param {string} title
 * @param {string} matrix
 */
function plane(name, title, matrix) {
  const axes = make("path", { class: "gru-grid" });
  const circle = make("path", { class: "gru-circle" });
  const rings = make("path", { class: "gru-rings" });
  const dots = make("path", { class: "gru-dots" });
  const one = make("text", { class: "gru-one" }, "1");
  const svg = make("svg", { "aria-hidden": "true" }, axes, circle, one, rings, dots);
  const { panel, plot, value } = panelOf(`plane-${name}`, [title], { class: "gru-plane" }, svg);
  plot.querySelector(".gru-at-step")?.remove(); // there is no time in it
  plot.setAttribute("aria-label", `Complex plane of the ${title}`);
  return {
    panel,
    /** @param {Eigenvalue[]} ofMatrix @param {Eigenvalue[]} ofStep @param {number} rho */
    draw(ofMatrix, ofStep, rho) {
      const R = 1.15 * Math.max(1, rho, radius(ofStep)); // half the width
      svg.setAttribute("viewBox", `${-R} ${-R} ${2 * R} ${2 * R}`);
      axes.setAttribute("d", `M${-R} 0H${R}M0 ${-R}V${R}`);
      circle.setAttribute("d", around([[0, 0]], 1));
      rings.setAttribute("d", around(ofMatrix, 0.03 * R));
      dots.setAttribute("d", around(ofStep, 0.022 * R));
      for (const [key, at] of Object.entries({ x: 1 + 0.03 * R, y: 0.14 * R, "font-size": 0.13 * R })) one.setAttribute(key, at.toFixed(3));
      write(value, `● up to ${format(radius(ofStep))}`);
      const words = `eigenvalues of ${matrix} lie within ${format(rho)} of zero, those of its last step’s Jacobian within ${format(radius(ofStep))}`;
      plot.setAttribute("aria-label", `Complex plane of the ${title}: ${words}`);
    },
  };
}

/** Circles around points. @param {Eigenvalue[]} points @param {number} r */
const around = (points, r) =>
  points.map(([re, im]) => `M${(re - r).toFixed(3)} ${(-im).toFixed(3)}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`).join("");
