// @ts-check
/** Making and writing elements. */

const SVG = /** @type {const} */ (["svg", "g", "path", "line", "circle", "rect", "text", "tspan"]);

/** @typedef {typeof SVG[number]} SvgTag */
/** @typedef {SvgTag | keyof HTMLElementTagNameMap} Tag */
/**
 * @template {Tag} T
 * @typedef {T extends SvgTag ? SVGElementTagNameMap[T] : T extends keyof HTMLElementTagNameMap ? HTMLElementTagNameMap[T] : never} Made
 */

/**
 * An element with attributes and children. Text is text, never HTML.
 * @template {Tag} T
 * @param {T} tag
 * @param {Record<string, string | number | boolean>} [attributes]  true: present; false: absent
 * @param {...(Node | string)} children
 * @returns {Made<T>}
 */
export function make(tag, attributes = {}, ...children) {
  const svg = SVG.some((name) => name === tag);
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children);
  return /** @type {Made<T>} */ (element);
}

/**
 * Set attributes, touching the page only where they differ: a browser styles and lays out anew also what is set to what it was.
 * @param {Element} element
 * @param {Record<string, string | number | boolean>} attributes  true: present; false: absent
 */
export function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    const text = value === true ? "" : value === false ? null : String(value);
    if (element.getAttribute(name) === text) continue;
    if (text === null) element.removeAttribute(name);
    else element.setAttribute(name, text);
  }
}

/** A quantity's letter in its colour. @param {string} name  r, z, n, h or x */
export const letter = (name) => make("b", { class: `gru-letter gru-${name}` }, name);

/**
 * A labelled native control: the text is its label.
 * @param {string | Node} text
 * @param {HTMLElement} control
 * @param {...Node} more  what stands behind it
 */
export function labelled(text, control, ...more) {
  return make("label", { class: "gru-control" }, make("span", { class: "gru-label" }, text), control, ...more);
}

/**
 * Set an element's text, touching the page only if it differs. The text that is there gets other words: a new one in its place
 * would have the browser ask every `:has()` above it again.
 * @param {Element} element
 * @param {string} text
 */
export function write(element, text) {
  const [known, more] = element.childNodes;
  if (!(known instanceof Text) || more) element.textContent = text;
  else if (known.data !== text) known.data = text;
}

/**
 * Give an element other children, keeping those that say the same, and of the others as much as fits. For what is only
 * read: a listener of a new child may be lost.
 * @param {Element} parent
 * @param {...(Node | string)} children
 */
export function renew(parent, ...children) {
  children.forEach((child, i) => {
    const known = parent.childNodes[i];
    if (!known) parent.append(child);
    else if (!becomes(known, child)) known.replaceWith(child);
  });
  while (parent.childNodes.length > children.length) parent.lastChild?.remove();
}

/** Make a node say what another does; false if it cannot. @param {Node} known @param {Node | string} other */
function becomes(known, other) {
  if (typeof other === "string" || other instanceof Text) {
    const text = typeof other === "string" ? other : other.data;
    if (!(known instanceof Text)) return false;
    if (known.data !== text) known.data = text;
    return true;
  }
  if (!(known instanceof Element && other instanceof Element && known.tagName === other.tagName)) return false;
  if (known.isEqualNode(other)) return true;
  for (const { name } of [...known.attributes]) if (!other.hasAttribute(name)) known.removeAttribute(name);
  for (const { name, value } of other.attributes) if (known.getAttribute(name) !== value) known.setAttribute(name, value);
  renew(known, ...other.childNodes);
  return true;
}

const PAINTED = /** @type {const} */ (["r", "z", "n", "h", "x", "ink", "below", "ground"]);

/** @typedef {typeof PAINTED[number]} Colour  that is painted with: what else has a colour has it from a style sheet */
/** @type {Map<Colour, string>} */
const colours = new Map();

/**
 * A colour of the page's theme, the same for all views. All are read at once, and once in a task: whoever asks has the browser
 * style and lay out first what was changed before, and of ten views that start together each would.
 * @param {Element} element
 * @param {Colour} name  of the CSS variable, without --gru-
 */
export function colourOf(element, name) {
  if (!colours.size) {
    queueMicrotask(() => colours.clear());
    const style = getComputedStyle(element);
    for (const one of PAINTED) {
      const value = style.getPropertyValue(`--gru-${one}`);
      if (value) colours.set(one, value);
    }
  }
  return colours.get(name) ?? "";
}

/**
 * Write a view's headline: a verdict, two or three numbers, and what is only heard: on the page it stands where one points.
 * @param {Element} says
 * @param {string} verdict
 * @param {string} rest
 * @param {string} [heard]
 */
export function headline(says, verdict, rest, heard = "") {
  if (!says.childElementCount) says.replaceChildren(make("b"), make("span"), make("span", { class: "gru-unseen" }));
  [verdict, rest, heard].forEach((text, i) => write(says.children[i], text));
}

/**
 * Say that a view cannot be shown, and why.
 * @param {HTMLElement} root
 * @param {unknown} error
 */
export function fail(root, error) {
  console.error(error);
  root.classList.add("gru-view");
  root.dataset.state = "failed";
  const why = error instanceof Error ? error.message : String(error);
  const said = "This drawing could not be shown. The text around it does not depend on it. ";
  root.replaceChildren(make("p", { class: "gru-failed", role: "alert" }, said, make("small", {}, `(${why})`)));
}
