// What the tests of every view do in the page: look at a view, move its controls at random, count what it leaves behind.

/**
 * All that a reader can see of a view, as JSON of three texts: what it says, what it draws, how its controls stand. What
 * was drawn before and fades (.gru-fading) is seen for a few frames only, and left out.
 */
window.seen = (view) => {
  const drawing = [];
  for (const one of view.querySelectorAll("svg, svg *, canvas, .gru-plot, .gru-plot *")) {
    if (one.closest(".gru-fading")) continue;
    const base = (one.closest(".gru-plot") ?? one.closest("svg") ?? one).getBoundingClientRect();
    const box = one.getBoundingClientRect();
    const place = [box.left - base.left, box.top - base.top, box.width, box.height].map((side) => side.toFixed(1));
    const style = getComputedStyle(one);
    const look = [style.color, style.fill, style.stroke, style.strokeWidth, style.opacity, style.backgroundColor, style.visibility];
    drawing.push([one.localName, one.getAttribute("d"), one.getAttribute("points"), ...place, ...look].join());
    if (one instanceof SVGTextContentElement) drawing.push(one.textContent);
    if (one instanceof HTMLCanvasElement) drawing.push(one.toDataURL());
  }
  for (const one of view.querySelectorAll("data")) drawing.push(one.value); // the numbers in a drawing
  const controls = [...view.querySelectorAll("input, select, button")].map((one) =>
    [one.type, one.localName === "button" ? one.textContent : one.checked, one.value, one.disabled].join(),
  );
  return JSON.stringify({ says: view.querySelector(".gru-says")?.textContent, drawing: drawing.join(";"), controls });
};

/** Until what was asked for is drawn. */
window.twoFrames = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));

/** Those of a view's elements that can be seen and are not disabled. */
window.movable = (view, kind) =>
  [...view.querySelectorAll(kind)].filter((one) => {
    const { width, height } = one.getBoundingClientRect();
    const seen = one.checkVisibility({ visibilityProperty: true }) && width > 0 && height > 0;
    return seen && !one.matches(":disabled, [aria-disabled=true]");
  });

/** Where a view shows what is no number or no text: a list of snippets. */
window.odd = (view) => {
  const html = view.outerHTML;
  const found = [...html.matchAll(/\b(?:NaN|undefined|Infinity|null)\b|\[object /g)];
  return found.map(({ index }) => html.slice(Math.max(0, index - 60), index + 20));
};

/** Frames by hand: from now on what asks for an animation frame gets it when crank() is called. */
window.byHand = () => {
  let waiting = new Map();
  let last = 0;
  window.requestAnimationFrame = (callback) => {
    waiting.set((last += 1), callback);
    return last;
  };
  window.cancelAnimationFrame = (id) => void waiting.delete(id);
  window.crank = () => {
    const now = waiting;
    waiting = new Map();
    for (const callback of now.values()) callback(performance.now());
    return now.size;
  };
};

window.randomFrom = (seed) => {
  let x = seed;
  return () => (x = (Math.imul(x, 1664525) + 1013904223) >>> 0) / 2 ** 32;
};

const KEYS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "Enter", " ", "Escape", "x"];

/** What people, and others, type. */
const TEXTS = [
  "",
  " ",
  "abc",
  "eda",
  "ABBA",
  "7",
  "1997",
  "-3",
  "1e9",
  "99999999",
  "日本語",
  "שלום",
  "e\u0301\u0301",
  "\u0301",
  "😀👩‍👩‍👧",
  "\u202eabc",
  "\u0000\u001b\n",
  "<img src=x onerror=document.title=1>",
  "</script><b>bold</b>",
  "\ud800",
  "a".repeat(5000),
  "zw\u00f6lf",
  "İ",
];

/** One random change, by control, pointer or key; as far as the view can tell, a person did it. */
window.change = (view, random) => {
  const pick = (list) => list[Math.floor(random() * list.length)];
  const all = "input:enabled, select:enabled, button:enabled, .gru-plot, svg, [tabindex]";
  // Not checkVisibility(), for which the browser would work out the style of what each change has changed.
  const control = pick([...view.querySelectorAll(all)].filter((one) => !one.closest("[hidden], details:not([open])")));
  const fire = (event) => control.dispatchEvent(event);
  if (control.matches("select")) {
    control.selectedIndex = Math.floor(random() * control.options.length);
    fire(new Event("input", { bubbles: true }));
    fire(new Event("change", { bubbles: true }));
  } else if (control.matches("input[type=range], input[type=number]")) {
    const [low, high] = [Number(control.min || -9), Number(control.max || 9)];
    const place = pick([0, 1, random(), random(), random()]);
    control.value = String(low + place * (high - low));
    fire(new Event("input", { bubbles: true }));
    if (random() < 0.5) fire(new Event("change", { bubbles: true }));
  } else if (control.matches("input[type=text]")) {
    control.value = pick(TEXTS);
    fire(new Event("input", { bubbles: true }));
  } else if (control.matches("input, button")) {
    control.click();
  } else {
    const { left, top, width, height } = control.getBoundingClientRect();
    const at = { clientX: left + (random() * 1.2 - 0.1) * width, clientY: top + (random() * 1.2 - 0.1) * height };
    const inside = document.elementFromPoint(at.clientX, at.clientY);
    const target = inside && control.contains(inside) ? inside : control;
    const types = ["pointerover", "pointerenter", "pointermove", "pointerdown", "pointerup", "click", "pointerout", "pointerleave"];
    for (const type of random() < 0.5 ? ["pointermove"] : types) {
      const Kind = type === "click" ? MouseEvent : PointerEvent;
      target.dispatchEvent(new Kind(type, { bubbles: true, cancelable: true, ...at }));
    }
    fire(new KeyboardEvent("keydown", { bubbles: true, cancelable: true, key: pick(KEYS) }));
  }
};

/** The pointer and the focus go elsewhere. */
window.away = (view) => {
  document.activeElement?.blur();
  for (const one of view.querySelectorAll("*")) {
    one.dispatchEvent(new PointerEvent("pointerleave"));
    one.dispatchEvent(new MouseEvent("mouseleave"));
  }
};

window.resetOf = (view) => {
  const buttons = [...view.querySelectorAll("button")].filter((one) => one.textContent.trim() === "Reset");
  if (buttons.length !== 1) throw new Error(`expected one Reset button, found ${buttons.length}`);
  return buttons[0];
};

window.reset = (view) => resetOf(view).click();
