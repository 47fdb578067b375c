// @ts-check
// What a page does besides being read: its colours, its contents, and what must be reachable by keyboard.
(() => {
  const root = document.documentElement;
  /** @type {Record<string, string>} */
  const MODES = { auto: "system", light: "light", dark: "dark" };
  const system = matchMedia("(prefers-color-scheme: dark)");

  const chosen = () => root.dataset.mode ?? "";

  /** @param {string} mode */
  function colour(mode) {
    root.dataset.mode = mode;
    root.dataset.theme = mode === "dark" || (mode === "auto" && system.matches) ? "dark" : "light";
    const label = document.querySelector(".mode span");
    if (label) label.textContent = `Colours: ${MODES[mode]}`;
  }

  function modeButton() {
    const button = /** @type {HTMLButtonElement | null} */ (document.querySelector(".mode"));
    if (!button) return;
    button.hidden = false;
    colour(chosen() in MODES ? chosen() : "auto");
    button.addEventListener("click", () => {
      const order = Object.keys(MODES);
      const mode = order[(order.indexOf(chosen()) + 1) % order.length];
      colour(mode);
      try {
        localStorage.setItem("mode", mode);
      } catch {
        // storage is closed to this page: the choice lasts as long as the page
      }
    });
    system.addEventListener("change", () => colour(chosen()));
    // Paper is light. The views, which start after this script, hear of it next and draw themselves anew.
    addEventListener("beforeprint", () => {
      root.dataset.theme = "light";
    });
    addEventListener("afterprint", () => colour(chosen()));
  }

  // What scrolls within itself must be reachable by keyboard, and only then.
  const SCROLLS = "pre, div.math, .table, .output.text_html, .cell_output .output";
  function reachable() {
    for (const element of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(SCROLLS))) {
      const scrolls = element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).overflowX !== "visible";
      if (scrolls) element.tabIndex = 0;
      else element.removeAttribute("tabindex");
    }
  }

  // The contents say where the reader is.
  function spy() {
    const links = /** @type {HTMLAnchorElement[]} */ ([...document.querySelectorAll(".chapters .current ul a[href^='#']")]);
    /** @type {Map<Element, HTMLAnchorElement>} */
    const places = new Map(); // headings, and what leads to them
    for (const link of links) {
      const place = document.getElementById(decodeURIComponent(link.hash.slice(1)));
      if (place) places.set(place.querySelector(":is(h1, h2, h3)") ?? place, link);
    }
    const watch = new IntersectionObserver(
      (entries) => {
        const seen = entries.filter((entry) => entry.isIntersecting).pop();
        if (!seen) return;
        for (const link of links) link.removeAttribute("aria-current");
        places.get(seen.target)?.setAttribute("aria-current", "true");
      },
      { rootMargin: "0px 0px -70% 0px" },
    );
    for (const heading of places.keys()) watch.observe(heading);
  }

  function start() {
    modeButton();
    spy();
    reachable();
    const sizes = new ResizeObserver(reachable);
    for (const element of document.querySelectorAll("article, .table > table")) sizes.observe(element); // as formulas are set
    document.querySelector(".chapters .current > a.current")?.setAttribute("aria-current", "page");
  }
  start();
})();
