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

  /** @type {HTMLElement | null} */
  const contents = document.querySelector(".chapters");

  /** The contents show this link of theirs, where they scroll. @param {Element | null | undefined} link */
  function follow(link) {
    if (!contents || !link) return;
    const [frame, place] = [contents.getBoundingClientRect(), link.getBoundingClientRect()];
    const edge = frame.height / 6;
    if (place.top < frame.top + edge || place.bottom > frame.bottom - edge) contents.scrollTop += place.top - frame.top - frame.height / 3;
  }

  // The contents say where the reader is: in the section that holds a line across the window, a quarter from its top.
  // On the page's last windowful the line goes down to the bottom, for the last sections never come up to it.
  function spy() {
    /** @type {NodeListOf<HTMLAnchorElement>} */
    const links = document.querySelectorAll(".chapters .current > a.current + ul > li > a[href^='#']");
    const places = [...links].flatMap((link) => {
      const section = document.getElementById(decodeURIComponent(link.hash.slice(1)));
      return section ? [{ link, section }] : [];
    });
    /** @type {{ link: HTMLAnchorElement, section: HTMLElement, top: number } | null} */
    let jumped = null; // where a link has led, until the reader scrolls on
    /** @type {HTMLAnchorElement | undefined} */
    let current;

    function here() {
      if (jumped && Math.abs(jumped.section.getBoundingClientRect().top - jumped.top) < 40) return jumped.link;
      jumped = null;
      const height = innerHeight;
      const scrolls = root.scrollHeight - height;
      const last = Math.min(height, scrolls);
      const down = last > 0 ? Math.max(0, 1 - (scrolls - scrollY) / last) : 0;
      const line = height * (0.25 + 0.75 * down);
      return places.filter(({ section }) => section.getBoundingClientRect().top <= line).pop()?.link;
    }

    function show() {
      const link = here();
      if (link === current) return;
      current?.removeAttribute("aria-current");
      link?.setAttribute("aria-current", "true");
      current = link;
      follow(link ?? contents?.querySelector(".current > a.current"));
    }

    function jump() {
      const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
      const place = places.find(({ section }) => target && section.contains(target));
      jumped = place ? { ...place, top: place.section.getBoundingClientRect().top } : null;
      show();
    }

    for (const link of links) link.addEventListener("click", () => requestAnimationFrame(jump)); // also to where one was
    addEventListener("hashchange", jump);
    follow(contents?.querySelector(".current > a.current"));
    jump();
    contents?.addEventListener("toggle", () => follow(current ?? contents.querySelector(".current > a.current")));
    return show;
  }

  // How far one has read: a thin line above the page, and beside the chapter's name how long the rest takes.
  function progress() {
    const article = document.querySelector("article");
    const bar = /** @type {HTMLElement | null} */ (document.querySelector(".progress"));
    const name = document.querySelector(".chapters .current > a.current");
    const minutes = Number(article?.dataset.minutes);
    const left = document.createElement("small");
    if (minutes) name?.append(left);
    return () => {
      if (!article || !bar) return;
      const { top, height } = article.getBoundingClientRect();
      const whole = Math.max(1, height + top + scrollY - innerHeight);
      const read = Math.min(1, scrollY / whole);
      bar.style.setProperty("--read", read.toFixed(4));
      const rest = Math.ceil(minutes * (1 - read));
      const says = rest === 0 ? "read" : read === 0 ? `${minutes} minutes` : `about ${rest} min left`;
      if (minutes && left.textContent !== says) left.textContent = says;
    };
  }

  /** Once a frame while the page scrolls or changes its size. @param {(() => void)[]} shows */
  function whileReading(shows) {
    let asked = false;
    const ask = () => {
      if (asked) return;
      asked = true;
      requestAnimationFrame(() => {
        asked = false;
        for (const show of shows) show();
      });
    };
    addEventListener("scroll", ask, { passive: true });
    new ResizeObserver(ask).observe(document.body);
    ask();
  }

  function start() {
    modeButton();
    document.querySelector(".chapters .current > a.current")?.setAttribute("aria-current", "page");
    whileReading([progress(), spy()]);
    reachable();
    const sizes = new ResizeObserver(reachable);
    for (const element of document.querySelectorAll("article, .table > table")) sizes.observe(element); // as formulas are set
  }
  start();
})();
