// @ts-check
/** Six frameworks to choose from, each drawing its blocks in its order; and the arrays of the chosen one, with names and shapes. */

import { make, write } from "./dom.js";
import { clamp, short } from "./draw.js";
import { FRAMEWORKS, shapeOf } from "./layouts.js";

/** @typedef {import("./layouts.js").Layout} Layout */

const KEYS = Object.keys(FRAMEWORKS);
const RESETS = { truefalse: "resets either way", true: "resets after", false: "resets before" };

/**
 * @template Now
 * @param {import("./state.js").State<Now>} state
 * @param {number} rounding  an error below this is none
 */
export function cards(state, rounding) {
  // A name that no other group of the page has: each view of a notebook runs a copy of this module.
  const group = `gru-framework-${Math.random().toString(36).slice(2)}`;
  const arrays = make("div", { class: "gru-arrays" });
  const made = KEYS.map((key) => {
    const { name, variants } = FRAMEWORKS[key];
    const input = make("input", { type: "radio", name: group, value: key });
    const right = make("span", { class: "gru-right" });
    const blocks = make("span", { class: "gru-mini", "aria-hidden": "true" });
    const resets = RESETS[/** @type {keyof typeof RESETS} */ (variants.join(""))];
    const head = make("span", { class: "gru-card-head" }, make("b", {}, name), make("span", { class: "gru-note" }, resets));
    state.on(input, "change", () => state.put({ framework: key }));
    return { key, input, right, blocks, label: make("label", { class: "gru-card" }, input, head, blocks, right) };
  });
  const element = make("div", { class: "gru-cards", role: "radiogroup", "aria-label": "Framework" }, ...made.map(({ label }) => label));
  return {
    element,
    arrays,
    /**
     * @param {string} framework  the chosen one
     * @param {number[]} off  how far each is off with its right layout
     * @param {boolean} reset_after  what is wanted
     * @param {number} D
     * @param {number} H
     */
    draw(framework, off, reset_after, D, H) {
      made.forEach(({ key, input, right, blocks, label }, i) => {
        const { variants, layout, letters } = FRAMEWORKS[key];
        const fits = variants.includes(reset_after);
        input.checked = key === framework;
        label.classList.toggle("gru-chosen", key === framework);
        write(right, off[i] < rounding ? (fits ? "fits" : "equal here") : `off by ${short(off[i])}`);
        right.classList.toggle("gru-off", off[i] >= rounding);
        const layouts = layout(fits ? reset_after : variants[0]);
        blocks.replaceChildren(...layouts.map((one) => grid(one, D, H, letters, 20)));
        if (key === framework) arrays.replaceChildren(...layouts.map((one) => picture(one, D, H, letters)));
      });
    },
  };
}

/**
 * An array as its blocks, in the gates' colours.
 * @param {Layout} layout
 * @param {number} D
 * @param {number} H
 * @param {Record<string, string>} letters
 * @param {number} size  of a block of H by H, in pixels
 */
function grid({ grid: rows }, D, H, letters, size) {
  const side = (/** @type {number} */ count) => clamp((size * count) / Math.max(D, H), size / 2, size);
  const tall = (/** @type {string} */ [part, , mark]) => side(part === "W" ? (mark ? D : H) : part === "U" ? H : 0);
  const wide = (/** @type {string} */ [part, , mark]) => side(part === "W" && !mark ? D : H);
  const blocks = [];
  let y = 0;
  for (const tiles of rows) {
    let x = 0;
    for (const tile of tiles) {
      const [width, height] = [wide(tile), tall(tile)];
      const middle = { x: x + width / 2, y: y + height / 2, "font-size": Math.min(0.5 * size, 0.85 * height, 0.85 * width) };
      blocks.push(
        make(
          "g",
          { class: `gru-block gru-block-${tile[1]}` },
          make("rect", { x: x + 0.5, y: y + 0.5, width: width - 1, height: height - 1 }),
          make("text", { ...middle, "text-anchor": "middle", "dominant-baseline": "central" }, letters[tile[1]] ?? tile[1]),
        ),
      );
      x += width;
    }
    y += tall(tiles[0]);
  }
  const width = rows[0].reduce((sum, tile) => sum + wide(tile), 0);
  return make("svg", { class: "gru-blocks", width, height: y, viewBox: `0 0 ${width} ${y}` }, ...blocks);
}

/** What a block is. @param {string} tile */
function meaning([part, gate, mark]) {
  if (part === "W" || part === "U") return `${part}_${gate}${mark ? " transposed" : ""}`;
  const [input, recurrent] = gate === "n" ? ["b_in", "b_hn"] : [`b_i${gate}`, `b_h${gate}`];
  return part === "s" ? `${input} + ${recurrent}` : part === "i" ? input : recurrent;
}

/** @param {number[]} shape */
export const shapeText = (shape) => (shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`);

/**
 * An array with its name and its shape.
 * @param {Layout} layout
 * @param {number} D
 * @param {number} H
 * @param {Record<string, string>} letters
 */
function picture(layout, D, H, letters) {
  const shape = shapeText(shapeOf(layout, D, H));
  const words = layout.grid.map((tiles) => tiles.map(meaning).join(", ")).join("; ");
  const blocks = grid(layout, D, H, letters, 40);
  blocks.setAttribute("role", "img");
  blocks.setAttribute("aria-label", `${layout.name}, shape ${shape}: ${words}`);
  const caption = make("figcaption", {}, make("code", {}, layout.name), " ", make("span", { class: "gru-note" }, shape));
  return make("figure", { class: "gru-array" }, blocks, caption);
}
