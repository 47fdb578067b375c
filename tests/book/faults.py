"""What can be wrong with a built page. Each function looks at one that is open, and returns what it found."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from axe_playwright_python.base import AXE_SCRIPT
from axe_playwright_python.sync_playwright import Axe
from browsers import PATIENCE
from cost import processor_seconds

from gru.palette import COLOURS

if TYPE_CHECKING:
    from book.conftest import Opened
    from playwright.sync_api import Browser, ElementHandle, Page

HEAVIEST = 2_500_000  # bytes, uncompressed, with all that a page loads
# No face has them, and each stands in a place where another's will do: block letters of bars, ticks of answers, raised
# letters in labels.
ELSEWHERE = set("ᵇᵏ✗▁▂▃▄▅▆▇█")

# Whether a reader comes to see something else of a view than at the last look; waits so many seconds for it.
SEEN_ANEW = """async (view, seconds) => {
  const frame = () => new Promise(requestAnimationFrame);
  const seen = () => view.querySelector(".gru-says").textContent
    + [...view.querySelectorAll("canvas")].map((canvas) => canvas.toDataURL()).join("")
    + [...view.querySelectorAll("path")].map((path) => path.getAttribute("d")).join("");
  const [before, end] = [view.seenBefore, performance.now() + 1000 * seconds];
  do {
    await frame();
    await frame();
    view.seenBefore = seen();
  } while (view.seenBefore === before && performance.now() < end);
  return view.seenBefore !== before;
}"""
# Looks at a view for the first time and focuses its first slider: what sticks out of the view, the key for the slider.
BEGIN = f"""async (view) => {{
  await ({SEEN_ANEW})(view, 0);
  const slider = [...view.querySelectorAll("input[type=range]:enabled")].find((one) => one.checkVisibility());
  slider?.focus();
  const edge = view.getBoundingClientRect().right + 1;
  const beyond = [...view.querySelectorAll(".gru-control > *")]
    .filter((one) => one.checkVisibility() && one.getBoundingClientRect().right > edge);
  const key = slider && (slider.value === slider.max ? "ArrowLeft" : "ArrowRight");
  return [beyond.map((one) => one.outerHTML), key];
}}"""
# Where the hand takes hold of the focused slider, clear of what sticks to an edge, and where it leads it to.
HOLD = """() => {
  const slider = document.activeElement;
  slider.scrollIntoView({ block: "center", behavior: "instant" });
  const { left, top, width, height } = slider.getBoundingClientRect();
  const end = (slider.value - slider.min) / (slider.max - slider.min) > 0.5 ? 0.1 : 0.9;
  return [left + width / 2, left + width * end, top + height / 2];
}"""

# Which characters stand on a page in which style; a letter of a formula is drawn as the italic that stands for it.
STYLES = """() => {
  document.querySelectorAll("details").forEach((one) => { one.open = true; });
  const found = {};
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    const element = text.parentElement;
    if (!text.data.trim() || !element.checkVisibility() || element.closest("title")) continue;
    const { fontFamily, fontWeight, fontStyle } = getComputedStyle(element);
    const style = JSON.stringify({ fontFamily, fontWeight, fontStyle });
    found[style] = [...new Set([...(found[style] ?? ""), ...text.data])].join("");
  }
  return found;
}"""

# Every answer to a quiz that can be chosen, or two wrong numbers and the one that is shown; what the page says to each.
ANSWER = """(form) => {
  const says = () => form.querySelector(".says").innerText;
  const radios = [...form.querySelectorAll("input[type=radio]")];
  const field = form.querySelector("input:not([type=radio])");
  const check = () => (form.requestSubmit(), says());
  if (radios.length) return radios.map((radio) => (radio.click(), check()));
  const number = (text) => (field.value = text, field.dispatchEvent(new Event("input", { bubbles: true })), check());
  const wrong = ["-98765", "-98764"].map(number);
  [...form.querySelectorAll("button")].find((one) => one.innerText === "Show the answer").click();
  return [...wrong, number(form.querySelector(".says p").innerText)];
}"""


def of_views(page: Page, by_mouse: bool) -> list[str]:
    """Each is ready, says what it shows, keeps within its edges, and its first slider moves it, by mouse or by keys."""
    return [fault for view in page.query_selector_all(".gru-view") for fault in _of_view(page, view, by_mouse)]


def _of_view(page: Page, view: ElementHandle, by_mouse: bool) -> list[str]:
    name, state = view.evaluate("(view) => [view.dataset.view, view.dataset.state]")
    if not name or state != "ready":
        return [f"a view that is not ready: {name} {view.inner_text()}"]
    view.wait_for_selector(".gru-says[aria-live=polite]")  # silent while it plays by itself
    faults, key = view.evaluate(BEGIN)
    if not key:  # what such a view answers to is tested in tests/views
        return faults
    if by_mouse:
        start, end, height = page.evaluate(HOLD)
        page.mouse.move(start, height)
        page.mouse.down()
        page.mouse.move(end, height, steps=3)
        page.mouse.up()
    else:
        for _ in range(5):
            page.keyboard.press(key)
    if not view.evaluate(SEEN_ANEW, PATIENCE):
        faults.append(f"{name}: the slider moved and the view did not")
    if re.search(r"NaN|undefined|Infinity", view.inner_text()):
        faults.append(f"{name}: what is no number")
    return faults


def slow(browser: Browser, url: str, spent: float) -> list[str]:
    """Views that are ready after more than a second of processor, the reading of the whole page included.

    `make bench` has the reader's second. A core that two processes share is slower: what took long is measured again.
    """
    if spent > 0.9:
        spent = min(spent, *(processor_seconds(browser, url) for _ in range(4)))
    return [] if 0.01 < spent < 1 else [f"{spent:.2f} s of processor"]


def noise(opened: Opened, base: str) -> list[str]:
    """Console messages, failed requests, requests to anyone else; asked last, when whatever comes late has come."""
    strays = [url for url in opened.requests if not url.startswith((base, "data:", "blob:"))]
    return opened.complaints() + strays


def overweight(opened: Opened, base: str, site: Path) -> list[str]:
    paths = {unquote(urlsplit(url).path).lstrip("/") for url in opened.requests if url.startswith(base)}
    weight = sum((site / path).stat().st_size for path in paths)
    few = [f"too few requests to be true: {paths}"] if len(paths) <= 5 else []
    return few + ([f"{weight} bytes"] if weight > HEAVIEST else [])


def of_formulas(page: Page, dark: bool) -> list[str]:
    """Each is MathML in the book's font, each gate in its colour."""
    faults = []
    formulas, places = page.locator("math").count(), page.locator("span.math, div.math").count()
    if formulas != places or page.locator("math merror").count():
        faults.append(f"{formulas} formulas in {places} places")
    fonts = page.locator("math").evaluate_all("all => all.map((one) => getComputedStyle(one).fontFamily)")
    if not all(font.startswith('"Book Math"') for font in fonts):
        faults.append("a formula in another font")
    if "newcommand" in page.locator("article").inner_text():
        faults.append("a macro's definition as text")
    # "Like Book Text" and its kin stand in, on machines that have them, until the book's own have come.
    ours = '[...document.fonts].filter((font) => !/^"?Like /.test(font.family))'
    if not page.evaluate(f"{ours}.every((font) => font.status !== 'error')"):
        faults.append("a font that did not load")
    for name, colour in COLOURS.items():
        wanted = tuple(int((colour.dark if dark else colour.light)[i : i + 2], 16) for i in (1, 3, 5))
        letters = page.locator(f"math .gru-{name}")
        if letters.count() and letters.first.evaluate("one => getComputedStyle(one).color") != f"rgb{wanted}":
            faults.append(f"{name} in a formula is not in its colour")
    return faults


def of_quizzes(page: Page) -> list[str]:
    """Each choice has its own reason, one of them right; two wrong numbers are wrong, the one shown is right."""
    faults = []
    for form in page.locator("form.quiz").all():
        reasons = form.evaluate(ANSWER)
        right = [reason.startswith("Yes. ") for reason in reasons]
        fine = sum(right) == 1 and all(reason.startswith(("Yes. ", "No. ")) for reason in reasons)
        of_choices = form.locator("input[type=radio]").count() > 0
        if not fine or not (len({*reasons}) == len(reasons) if of_choices else right[-1]):
            faults.append(f"a quiz says {reasons}")
    return faults


def too_wide(page: Page) -> list[str]:
    """Whatever runs over the screen, or scrolls within itself and cannot be reached by keyboard; hidden parts too."""
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    beyond = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    stuck = [outer for tab, outer in scrolling(page) if tab != 0]
    return ([f"{beyond} pixels wider than the screen"] if beyond > 0 else []) + stuck


def scrolling(page: Page) -> list[tuple[int, str]]:
    return page.evaluate(
        """() => [...document.querySelectorAll("pre, div.math, .table")]
          .filter((part) => part.checkVisibility() && part.scrollWidth > part.clientWidth + 1)
          .map((part) => [part.tabIndex, part.outerHTML.slice(0, 120)])"""
    )


# Of thousands of coloured words in code and signatures, the first of each colour and ground: to judge the others alike
# takes seconds, and a quarter of a minute on the page of the API. All is read before anything is changed.
UNWRAP_AGAIN = """() => {
  const words = [...document.querySelectorAll("pre span, code span, .sig span, .sig em")];
  const looks = words.map((word) => {
    const style = getComputedStyle(word);
    const ground = [word.closest("div[class]")?.className, word.closest("pre, code, .sig").localName];
    return [style.color, style.backgroundColor, style.fontSize, ...ground].join();
  });
  const seen = new Set();
  words.forEach((word, place) => {
    if (seen.has(looks[place])) word.replaceWith(...word.childNodes);
    seen.add(looks[place]);
  });
  document.body.normalize();
}"""


# Whether words can be read takes axe most of its time: of those that look alike, in elements of the same kinds from the
# body down, it judges the first, on whichever page that is. (tests/views has each word of each view judged.)
MARK_EACH_LOOK = """(before) => {
  const short = (text) => {
    let [a, b] = [0, 1];
    for (let i = 0; i < text.length; i += 1) {
      a = Math.imul(a ^ text.charCodeAt(i), 0x01000193);
      b = Math.imul(b ^ text.charCodeAt(i), 0x85ebca6b);
    }
    return `${a} ${b}`;
  };
  const ways = new Map();
  const seen = new Set(before);
  for (const one of document.body.querySelectorAll("*")) {
    const { color, backgroundColor, backgroundImage, opacity, fontSize, fontWeight } = getComputedStyle(one);
    const kind = [one.localName, one.getAttribute("class"), one.matches(":disabled, [aria-disabled=true]")];
    const way = short([ways.get(one.parentElement), kind, color, backgroundColor, backgroundImage, opacity].join());
    ways.set(one, way);
    const words = [...one.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    const look = [way, fontSize, fontWeight, words, one.checkVisibility()].join();
    if (!seen.has(look)) one.dataset.judged = "";
    seen.add(look);
  }
  return [...seen];
}"""
JUDGE_THESE = 'axe.configure({ rules: [{ id: "color-contrast", selector: "[data-judged]" }] });'


def violations(page: Page, judged: set[str] | None = None) -> list:
    """What axe objects to. (No preload: it would fetch the styles once more, which a file may not.)

    Of the looks of words in `judged` none is judged again; those of this page are added.
    """
    page.evaluate(UNWRAP_AGAIN)
    looks = page.evaluate(MARK_EACH_LOOK, list(judged or ()))
    if judged is not None:
        judged.update(looks)
    options = {"preload": False, "resultTypes": ["violations"]}
    found = Axe(AXE_SCRIPT + JUDGE_THESE).run(page, options=options).response["violations"]
    return [(one["id"], one["help"], [node["html"][:160] for node in one["nodes"][:3]]) for one in found]


def of_fonts(page: Page, known: dict[str, set[str]]) -> list[str]:
    """Text in a font that is not the book's, and characters for which a browser would look for one of the machine."""
    used = page.evaluate(STYLES)
    families = {json.loads(style)["fontFamily"].split(",")[0].strip('"') for style in used}
    faults = [f"a font that is not the book's: {family}" for family in families if not family.startswith("Book ")]
    if not {"Book Text", "Book Sans"} <= families:
        faults.append(f"too few fonts to be true: {families}")
    found = {style: lacking(style, set(characters), known) - ELSEWHERE for style, characters in used.items()}
    return faults + [f"no font has {characters}: {style}" for style, characters in found.items() if characters]


def lacking(style: str, characters: set[str], known: dict[str, set[str]]) -> set[str]:
    """Those of the characters that no face of the style's families has."""
    families = [family.strip(' "') for family in json.loads(style)["fontFamily"].split(",")]
    ours = set().union(*(known.get(family, set()) for family in families))
    return {one for one in characters if one.strip()} - ours
