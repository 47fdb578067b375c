"""The book's own fonts: light, free to be used, on every page and in every view, and without a gap."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont

sys.path.insert(0, str(Path(__file__).parent))

import faults

ROOT = Path(__file__).parents[2]
FONTS = ROOT / "book" / "_static" / "fonts"
LIGHT = 250_000  # bytes, all of them
# Two frames: what was changed before is on the screen then, and its shifts are recorded.
DRAWN = "new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(resolve))))"


def test_they_are_light() -> None:
    files = list(FONTS.glob("*.woff2"))
    assert len(files) >= 4
    assert sum(file.stat().st_size for file in files) <= LIGHT


def test_their_licences_come_with_them(site: Path) -> None:
    """In the repository and beside the built files; and a page says so."""
    page = (site / "book" / "data-and-licences.html").read_text("utf8")
    for file in ("STIX.txt", "STIX-Math.txt", "Plex.txt"):
        text = (site / "_static" / "fonts" / file).read_text("utf8")
        assert "SIL OPEN FONT LICENSE Version 1.1" in text
        assert (FONTS / file).read_text("utf8") == text
    for name in ("STIX Two Text", "STIX Two Math", "IBM Plex Sans", "IBM Plex Mono", "Open Font License"):
        assert name in page


def test_a_changed_plex_is_not_called_plex() -> None:
    for file in FONTS.glob("*.woff2"):
        names = {entry.nameID: entry.toUnicode() for entry in TTFont(file)["name"].names}
        assert names[0].startswith("Copyright")
        assert not any("Plex" in text for number, text in names.items() if number not in {0, 13, 14})
        assert names[1].startswith("Book ")


def test_a_character_that_no_font_has_is_found(known_fonts: dict[str, set[str]]) -> None:
    style = json.dumps({"fontFamily": '"Book Text", "Book Math", serif'})
    assert faults.lacking(style, set("ab 漢√"), known_fonts) == {"漢"}


@pytest.mark.parametrize("source", ["http", "file"])
def test_they_are_loaded(request: pytest.FixtureRequest, site: Path, open_page: Callable, source: str) -> None:
    """From a server and from a file; a first look without a word to the console."""
    base = request.getfixturevalue("http_site") if source == "http" else site.as_uri()
    opened = open_page(f"{base}/book/notation.html")
    opened.page.evaluate("document.fonts.ready")
    loaded = opened.page.evaluate(
        "[...document.fonts].filter(({ status }) => status === 'loaded').map((f) => f.family)"
    )
    assert {"Book Text", "Book Sans", "Book Mono"} <= {name.strip('"') for name in loaded}
    assert not opened.complaints()


@pytest.mark.parametrize("path", ["run-this-book", "notation", "chapters/why-gradients-vanish"])
def test_text_does_not_jump(http_site: str, open_page: Callable, path: str) -> None:
    """When the fonts come late, hardly anything moves: a first visit's layout shifts (0.1 counts as good)."""
    opened = open_page("about:blank")
    opened.page.add_init_script("""window.jumps = [];
      new PerformanceObserver((list) => jumps.push(...list.getEntries().map(({ value }) => value)))
        .observe({ type: "layout-shift", buffered: true });""")
    held = []
    opened.page.route("**/*.woff2", lambda route: held.append(route))  # not held.append: Playwright marks what it calls
    opened.page.goto(f"{http_site}/book/{path}.html", wait_until="domcontentloaded")
    opened.page.evaluate(DRAWN)
    stand_in = "({ family, status }) => /Like /.test(family) && status === 'loaded'"
    if not opened.page.evaluate(f"[...document.fonts].some({stand_in})"):
        pytest.skip("this machine has none of the faces that stand in")
    for route in held:
        route.continue_()
    opened.page.unroute("**/*.woff2")
    opened.page.evaluate("document.fonts.ready")
    opened.page.evaluate(DRAWN)
    jumps = opened.page.evaluate("jumps")
    assert sum(jumps) < 0.05, jumps
