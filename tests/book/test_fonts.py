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


def test_text_does_not_jump(http_site: str, open_page: Callable) -> None:
    """When the fonts come, hardly anything moves: the sum of layout shifts of a first visit (0.1 counts as good).

    0.026 where the machine has no font of the fallback's widths, such as Arial; nothing where they come in time.
    """
    opened = open_page("about:blank")
    opened.page.add_init_script("""window.jumps = [];
      new PerformanceObserver((list) => jumps.push(...list.getEntries().map(({ value }) => value)))
        .observe({ type: "layout-shift", buffered: true });""")
    opened.go(f"{http_site}/book/run-this-book.html")
    opened.page.evaluate("document.fonts.ready")
    opened.page.wait_for_timeout(500)
    assert sum(opened.page.evaluate("jumps")) < 0.05
