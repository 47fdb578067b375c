"""Every built page, over HTTP and from a file: quiet, light, for every reader, and asking nobody else for anything."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from browsers import PATIENCE
from cost import spent_on

from gru.palette import COLOURS

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "book" / "_ext"), str(Path(__file__).parent)]

import faults  # noqa: E402
from book_pages import in_columns  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SETTLED = """() => document.readyState === "complete"
  && [...document.querySelectorAll(".gru-view")].every((view) => view.dataset.state !== "loading")"""
MODES = [pytest.param(False, id="light"), pytest.param(True, id="dark")]
# How every page is visited: from a server, wide and light; by double click, narrow and dark.
VISITS = [
    pytest.param("http", 1280, False, id="http-desktop-light"),
    pytest.param("file", 375, True, id="file-phone-dark"),
]
PARTS = 5  # of the pages, so that the test processes can share them


@pytest.fixture(params=["http", "file"])
def base(request: pytest.FixtureRequest) -> str:
    """Where the pages are: on a server, or opened by a double click."""
    return _base(request.param, request)


def _base(source: str, request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue("http_site") if source == "http" else request.getfixturevalue("site").as_uri()


@pytest.fixture
def texts(pages: list[str]) -> list[str]:
    """The pages that a reader stays on."""
    return [page for page in pages if page != "index.html"]


def settle(opened: object) -> object:
    """Wait until views have started."""
    opened.page.wait_for_function(SETTLED)
    return opened


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize(("source", "width", "dark"), VISITS)
def test_page(
    request: pytest.FixtureRequest,
    site: Path,
    pages: list[str],
    open_page: Callable,
    browser: Browser,
    known_fonts: dict[str, set[str]],
    source: str,
    width: int,
    dark: bool,
    part: int,
) -> None:
    """All that holds for every page, looked at in one visit; over HTTP in a tab of its own that begins with nothing."""
    base = _base(source, request)
    wrong, opened, judged = {}, None, set()
    for name in pages[part::PARTS]:
        url = f"{base}/{name}"
        if source == "http" or not opened:
            # Where motion is unwanted, views do not play by themselves while they are tried.
            opened = open_page("about:blank", width=width, dark=dark, reduced_motion="reduce")
        found = []
        if source == "http" and "<gru-view " in (site / name).read_text("utf8"):
            found += faults.slow(browser, url, spent_on(opened.page, url))
        else:
            opened.go(url)
        if name == "index.html":  # which leads on at once
            opened.page.wait_for_url("**/book/index.html")
        settle(opened)
        found += faults.of_views(opened.page, by_mouse=source == "http")
        if source == "file":
            found += faults.of_quizzes(opened.page)
        found += [*faults.of_formulas(opened.page, dark), *faults.too_wide(opened.page)]
        found += [*faults.of_fonts(opened.page, known_fonts), *faults.noise(opened, base)]
        if source == "http":
            found += [*faults.overweight(opened, base, site), *faults.violations(opened.page, judged)]
            opened.page.context.close()
        if found:
            wrong[name] = found
    assert not wrong, json.dumps(wrong, indent=1)


def test_the_page_on_notation_has_what_is_looked_for(http_site: str, open_page: Callable) -> None:
    """Every gate's letter, a table too wide for a phone: whoever looks for faults there finds something to judge."""
    page = settle(open_page(f"{http_site}/book/notation.html", width=375)).page
    assert all(page.locator(f"math .gru-{name}").count() for name in COLOURS)
    assert len(faults.scrolling(page)) >= 1


@pytest.mark.parametrize(
    ("printed", "columns"),
    [
        ("z     0.9\nstate 0.1\n", True),
        ("GRU      left 0.1\ntanh RNN left 0.2\n", True),
        ("one in ten   2.7 times\n             1.1 1.7\n", True),
        ("weights: 135\nbiases: 150\n", False),
        ("GRUClassifier(\n  (gru): GRU(12, 32)\n)", False),
        ("outputs (5, 2, 4)  the last one (1, 2, 4)\n", False),
    ],
)
def test_what_is_printed_in_columns_is_known(printed: str, columns: bool) -> None:
    assert in_columns(printed) is columns


# Of each table that was printed: how many lines it has and how many rows are drawn, and whether it scrolls.
PRINTED = """() => [...document.querySelectorAll(".columns pre")].filter((pre) => pre.checkVisibility()).map((pre) => {
  const { lineHeight, paddingTop, paddingBottom } = getComputedStyle(pre);
  const height = pre.clientHeight - parseFloat(paddingTop) - parseFloat(paddingBottom);
  return [pre.textContent.trimEnd().split("\\n").length, Math.round(height / parseFloat(lineHeight)),
    pre.scrollWidth > pre.clientWidth + 1];
})"""


def test_printed_columns_stay_columns_on_a_phone(http_site: str, open_page: Callable) -> None:
    """A line too long for it is not broken: the table scrolls, also by keyboard, and the page does not."""
    page = settle(open_page(f"{http_site}/book/chapters/update-gate.html", width=375)).page
    printed = page.evaluate(PRINTED)
    assert len(printed) >= 3
    assert [drawn for _, drawn, _ in printed] == [lines for lines, _, _ in printed]
    assert any(scrolls for *_, scrolls in printed)
    assert faults.too_wide(page) == []
    table = page.locator(".columns pre[tabindex='0']").first
    table.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("(one) => one.scrollLeft > 0", arg=table.element_handle())
    page.emulate_media(media="print")
    assert not any(scrolls for *_, scrolls in page.evaluate(PRINTED)), "paper does not scroll"


@pytest.mark.parametrize("dark", MODES)
def test_gates_can_be_read(http_site: str, open_page: Callable, dark: bool) -> None:
    """Each gate's colour has a contrast of at least 4.5 : 1 on the page and on a panel, and is that of the palette."""
    page = open_page(f"{http_site}/book/notation.html", dark=dark).page
    drawn = page.evaluate(
        """(names) => {
          const article = document.querySelector("article");
          const grounds = [document.body, document.querySelector(".cell_input")];
          const numbers = (text) => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
          const colour = (element, property) => numbers(getComputedStyle(element)[property]);
          return names.map((name) => {
            const span = Object.assign(document.createElement("span"), { className: `gru-${name}`, textContent: name });
            article.append(span);
            return [name, colour(span, "color"), grounds.map((ground) => colour(ground, "backgroundColor"))];
          });
        }""",
        list(COLOURS),
    )
    assert [name for name, *_ in drawn] == list("rznhx")
    for name, ink, grounds in drawn:
        hexadecimal = "#" + "".join(f"{round(part):02x}" for part in ink)
        assert hexadecimal == (COLOURS[name].dark if dark else COLOURS[name].light)
        for ground in grounds:
            assert _contrast(ink, ground) >= 4.5, (name, ink, ground)


def _contrast(one: list[float], other: list[float]) -> float:
    """Contrast ratio of two sRGB colours, 1 to 21 (WCAG 2.2)."""

    def luminance(colour: list[float]) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255 for part in colour)]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_mark_has_the_gates_colours(site: Path) -> None:
    """The icon in the browser's tab is a file of its own, which does not see the palette's variables."""
    icon = (site / "_static" / "favicon.svg").read_text("utf8")
    assert all(colour in icon for name in "znh" for colour in COLOURS[name])


def test_double_click(site: Path, open_page: Callable) -> None:
    """index.html, opened as a file, leads to the first page, and its view works."""
    opened = open_page((site / "index.html").as_uri())
    opened.page.wait_for_url("**/book/index.html")
    settle(opened).ready()
    assert opened.page.locator("h1").inner_text().split() == ["The", "Gated", "Recurrent", "Unit"]


def test_colours_are_the_readers_choice(base: str, open_page: Callable) -> None:
    """System, light, dark, by keyboard; the choice outlives the page."""
    opened = open_page(f"{base}/book/notation.html", dark=True)
    page, button = opened.page, opened.page.locator(".mode")
    theme = "document.documentElement.dataset.theme"
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(theme) == "dark"
    dark = page.evaluate(ground)
    button.focus()
    page.keyboard.press("Enter")
    assert (page.evaluate(theme), button.inner_text()) == ("light", "Colours: light")
    assert page.evaluate(ground) != dark
    page.reload()
    end = time.monotonic() + PATIENCE
    while page.evaluate(theme) != "light":  # the browser writes a choice down a moment later
        assert time.monotonic() < end
        page.reload()
    button.click()
    assert (page.evaluate(theme), button.inner_text()) == ("dark", "Colours: dark")
    on_paper = [page.evaluate(f"dispatchEvent(new Event('{when}print')), {theme}") for when in ("before", "after")]
    assert on_paper == ["light", "dark"]
    button.click()
    page.emulate_media(color_scheme="light")
    page.wait_for_function(f"{theme} === 'light'")
    assert button.inner_text() == "Colours: system"
    assert not opened.complaints()


def test_dark_pages_print_light(base: str, open_page: Callable) -> None:
    """With their views, at once: there is no later frame on paper."""
    page = settle(open_page(f"{base}/book/index.html", dark=True)).page
    drawn = "[...document.querySelectorAll('canvas')].map((one) => one.toDataURL()).join()"
    dark, printed = page.evaluate(f"[{drawn}, (dispatchEvent(new Event('beforeprint')), {drawn})]")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.locator(".mode").click()  # from the system's, dark, to light
    page.wait_for_function(f"(light) => {drawn} === light", arg=printed)
    assert printed != dark


def test_chapters_on_a_phone(base: str, open_page: Callable) -> None:
    """A button opens them, Escape closes them, a link leads on."""
    opened = open_page(f"{base}/book/index.html", width=375)
    page, chapters = opened.page, opened.page.get_by_role("navigation", name="Chapters")
    assert not chapters.is_visible()
    page.get_by_role("button", name="Chapters").press("Enter")
    assert chapters.is_visible()
    page.keyboard.press("Escape")
    assert not chapters.is_visible()
    page.get_by_role("button", name="Chapters").click()
    chapters.get_by_role("link", name="Notation").click()
    page.wait_for_url("**/book/notation.html")
    assert not opened.complaints()


def test_first_tab_skips_to_the_text(http_site: str, open_page: Callable) -> None:
    page = open_page(f"{http_site}/book/notation.html").page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "Skip to the text"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


def test_contents_say_where_the_reader_is(http_site: str, open_page: Callable) -> None:
    page = open_page(f"{http_site}/book/notation.html").page
    chapters = page.get_by_role("navigation", name="Chapters")
    chapters.get_by_role("link", name="Biases and parameters").click()
    chapters.locator("[aria-current=true]", has_text="Biases and parameters").wait_for()
    assert chapters.locator("[aria-current=page]").inner_text() == "Notation"


def test_search(base: str, open_page: Callable) -> None:
    """From any page; from a file too, there without excerpts."""
    opened = open_page(f"{base}/book/index.html")
    page = opened.page
    page.get_by_role("searchbox", name="Search the book").fill("reset")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=reset")
    results = page.locator("#search-results li")
    results.first.wait_for()
    page.locator("#search-results li a", has_text="Notation").first.wait_for()
    if base.startswith("http"):
        page.locator("#search-results .context").first.wait_for()
    page.wait_for_timeout(300)
    assert not opened.complaints()
    assert not faults.violations(page)


def test_without_scripts(site: Path, open_page: Callable) -> None:
    """A page without JavaScript can be read, and its chapters reached."""
    page = open_page((site / "book" / "notation.html").as_uri(), java_script_enabled=False).page
    assert page.get_by_role("heading", name="Symbols and shapes").is_visible()
    assert page.get_by_role("navigation", name="Chapters").get_by_role("link", name="Run this book").is_visible()
    assert not page.locator(".mode").is_visible()  # a button that could do nothing


def test_notebooks(site: Path, texts: list[str]) -> None:
    """A page with cells offers its notebook, from this site, without outputs; a page without cells offers none."""
    offered = 0
    for text in texts:
        content = (site / text).read_text("utf8")
        links = set(re.findall(r'href="([^"]+\.ipynb)"', content))
        if 'class="cell ' not in content:
            assert not links, text
            continue
        assert len(links) == 1, (text, links)
        notebook = nbformat.read((site / text).parent / links.pop(), as_version=4)
        nbformat.validate(notebook)
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert code, text
        assert not any(cell.outputs for cell in code), text
        assert set(notebook.metadata) == {"kernelspec", "language_info"}, text  # no widgets
        assert "gru-book" in code[0].source, text
        offered += 1
    assert offered >= 2


def test_tables_are_tables(site: Path, texts: list[str]) -> None:
    """A table that a cell writes is one on the page too."""
    rows = re.compile(r"\|\s*(-{3,}|—)\s*\|")
    code = re.compile(
        r'<div class="highlight-i?python3?[^"]*"><div class="highlight"><pre>.*?</pre>', re.S
    )  # may hold one
    assert not [page for page in texts if rows.search(code.sub("", (site / page).read_text(encoding="utf-8")))]


def test_no_traces_of_the_machine(site: Path) -> None:
    """Nothing that is published says where it was built."""
    paths = [str(ROOT), str(Path.home()) + "/", "site-packages", "/tmp/", "ipykernel_"]
    for file in site.rglob("*"):
        if file.suffix in {".html", ".js", ".css", ".ipynb", ".json", ".md", ".txt"}:
            content = file.read_text("utf8")
            found = [path for path in paths if path in content]
            assert not found, (file.relative_to(site), found)


class _Links(HTMLParser):
    """The places of one page, and where its links and images lead."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name == "id":
                self.ids.add(value)
            elif name in {"href", "src"} and tag != "base":
                self.links.append(value)


def test_links_lead_somewhere(site: Path, pages: list[str]) -> None:
    """Every link within the site has a file and, where it names one, a place in it."""
    read = {}
    for page in pages:
        read[page] = _Links()
        read[page].feed((site / page).read_text("utf8"))
    broken = []
    for page, found in read.items():
        for link in found.links:
            parts = urlsplit(link)
            if parts.scheme or link.startswith("//"):
                continue
            target = ((site / page).parent / unquote(parts.path)).resolve() if parts.path else (site / page).resolve()
            name = target.relative_to(site.resolve()).as_posix()
            if not target.is_file() or (parts.fragment and name in read and parts.fragment not in read[name].ids):
                broken.append((page, link))
    assert not broken


def test_cells_run_again_when_the_package_changes(tmp_path: Path) -> None:
    """The cache's name follows the code and the data that cells can import, and nothing else."""
    import book_cache

    (tmp_path / "gru" / "__pycache__").mkdir(parents=True)
    (tmp_path / "requirements.txt").write_text("torch==2.13.0")
    code = tmp_path / "gru" / "cells.py"
    code.write_text("a")
    first = book_cache.fingerprint(tmp_path)
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "index.md").write_text("text")
    (tmp_path / "gru" / "__pycache__" / "cells.pyc").write_text("bytes")
    assert book_cache.fingerprint(tmp_path) == first
    code.write_text("b")
    second = book_cache.fingerprint(tmp_path)
    (tmp_path / "gru" / "data.npz").write_text("numbers")
    assert len({first, second, book_cache.fingerprint(tmp_path)}) == 3
