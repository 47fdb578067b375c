"""Chapters: numbered alike everywhere, with the time they take; where the reader is, and how far."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from posixpath import join, normpath

import pytest
from bs4 import BeautifulSoup
from bs4.element import Tag

sys.path.insert(0, str(Path(__file__).parent))

import itertools

import small

HOME = "book/index.html"
CALLED = re.compile(r"\bchapters?\s+(\d+)", re.IGNORECASE)
LONG = "book/chapters/the-mathematics.html"  # with short sections at its end, none of which scrolls up to the top
CURRENT = "document.querySelector('.chapters ul ul [aria-current=true]')?.innerText"


def read(site: Path, page: str) -> BeautifulSoup:
    return BeautifulSoup((site / page).read_text("utf8"), "html.parser")


@pytest.fixture(scope="module")
def contents(site: Path) -> list[tuple[str, int | None]]:
    """Pages as the contents of the first page list them, with their numbers."""
    found = []
    for link in read(site, HOME).select(".chapters .toctree-l1 > a"):
        number = link.select_one(".number")
        found.append((normpath(join("book", link["href"])), int(number.text) if number else None))
    return found


@pytest.fixture(scope="module")
def chapters(contents: list[tuple[str, int | None]]) -> dict[str, int]:
    return {page: number for page, number in contents if number is not None}


def wrongly_called(article: Tag, page: str, numbers: dict[str, int]) -> list[str]:
    """Every "chapter 3" of the text that does not lead to the chapter of that number."""
    wrong = []
    for text in article.find_all(string=CALLED):
        link = text.find_parent("a")
        leads = numbers.get(normpath(join(page, "..", link["href"].split("#")[0] or "."))) if link else None
        wrong += [called[0] for called in CALLED.finditer(text) if int(called[1]) != leads]
    return wrong


def test_numbers_are_the_same_everywhere(site: Path, contents: list, chapters: dict[str, int]) -> None:
    """One after the other through all parts: in the contents, in headings, before and after the text, and in it."""
    assert list(chapters.values()) == list(range(1, len(chapters) + 1))
    assert len(chapters) > 1
    for page, number in [(HOME, None), *contents]:
        soup = read(site, page)
        shown = soup.select_one("article h1 .section-number")
        assert (int(shown.text) if shown else None) == number, page
        for link in soup.select(".turn a"):
            turned = link.select_one(".section-number")
            assert (int(turned.text) if turned else None) == chapters.get(normpath(join(page, "..", link["href"])))
        assert not wrongly_called(soup.find("article"), page, chapters), page


def test_reference_has_no_numbers(site: Path, contents: list) -> None:
    after = [number for page, number in contents if page == "book/notation.html" or not page.startswith("book/chap")]
    assert after
    assert set(after) == {None}


def test_a_wrong_number_in_the_text_is_found() -> None:
    text = 'In chapter 3 and in <a href="b.html#x">Chapter 4</a>, not <a href="b.html">chapter 5</a>'
    numbers = {"book/a.html": 3, "book/b.html": 4}
    assert wrongly_called(BeautifulSoup(text, "html.parser"), "book/a.html", numbers) == ["chapter 3", "chapter 5"]


def test_every_chapter_says_how_long_it_takes(site: Path, chapters: dict[str, int]) -> None:
    for page in chapters:
        soup = read(site, page)
        minutes = re.search(r"Reading takes about (\d+) minutes", soup.find("article").text)
        assert minutes, page
        assert re.fullmatch(rf"\S.* · {minutes[1]} minutes", soup.select_one(".about").text), page
        assert soup.find("article")["data-minutes"] == minutes[1]


@pytest.mark.parametrize(("says", "good"), [("Reading takes about 25 minutes.", True), ("It is short.", False)])
def test_a_chapter_without_its_time_is_reported(tmp_path: Path, says: str, good: bool) -> None:
    (tmp_path / "one.md").write_text(f"# One\n\n{says}\n", encoding="utf-8")
    index = "# Home\n\n```{toctree}\n:numbered: 1\n:caption: Part\none\n```\n"
    _, said = small.build(tmp_path, index, "myst_parser", "chapters", options=())
    assert ("how long it takes" in said) != good
    assert good or "one" in said


def scroll(page: object, down: str) -> None:
    page.evaluate(f"scrollTo(0, {down})")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def test_contents_are_right_up_and_down(http_site: str, open_page: Callable) -> None:
    """Whichever way the reader came: the section that holds a line a quarter down the window."""
    page = open_page(f"{http_site}/{LONG}", height=700).page
    page.wait_for_function("document.readyState === 'complete'")
    sections = page.evaluate("""[...document.querySelectorAll("article section section")]
      .filter((section) => section.querySelector(":scope > h2"))
      .map((section) => [section.querySelector("h2").firstChild.data,
        section.getBoundingClientRect().top + scrollY])""")
    middles = [(name, (top + after) / 2 - 175) for (name, top), (_, after) in itertools.pairwise(sections)]
    middles = [(name, top) for name, top in middles if top < page.evaluate("document.body.scrollHeight - 1500")]
    assert len(middles) >= 2
    for name, top in [*middles, *reversed(middles)]:
        scroll(page, str(top))
        assert page.evaluate(CURRENT) == name
    scroll(page, "document.body.scrollHeight")
    assert page.evaluate(CURRENT) == sections[-1][0]
    scroll(page, "0")
    assert page.evaluate(CURRENT) is None


def test_contents_are_right_after_a_jump_and_follow(http_site: str, open_page: Callable) -> None:
    """Also to sections that are too near the end to come up, and where the contents are longer than the window."""
    page = open_page(f"{http_site}/{LONG}", height=450).page
    page.wait_for_function("document.readyState === 'complete'")
    links = page.locator(".chapters .current > ul > li > a")
    names = links.all_inner_texts()
    for place in [*range(len(names)), *reversed(range(len(names)))]:
        links.nth(place).click()
        page.wait_for_function(f"(name) => {CURRENT} === name", arg=names[place])
    seen = """() => {
      const [frame, link] = [".chapters", ".chapters ul ul [aria-current=true]"]
        .map((one) => document.querySelector(one).getBoundingClientRect());
      return link.top >= frame.top && link.bottom <= frame.bottom;
    }"""
    for down in ("document.body.scrollHeight", "document.body.scrollHeight / 2"):
        page.evaluate("document.querySelector('.chapters').scrollTop = 0")
        scroll(page, down)
        assert page.evaluate(CURRENT)
        assert page.evaluate(seen)


def test_the_rest_of_the_time_gets_shorter(http_site: str, open_page: Callable) -> None:
    """From all minutes to none, beside the chapter's name, and a line above the page that grows."""
    page = open_page(f"{http_site}/{LONG}").page
    page.wait_for_function("document.readyState === 'complete'")
    says, bar = page.locator(".chapters .current > a.current > small"), page.locator(".progress")
    whole = int(page.locator("article").get_attribute("data-minutes"))
    lengths = []
    for share, wanted in ((0, f"{whole} minutes"), (0.5, None), (1, "read")):
        scroll(page, f"{share} * (document.body.scrollHeight - innerHeight)")
        text = says.inner_text()
        lengths.append(bar.bounding_box()["width"])
        if wanted:
            assert text == wanted
        else:
            assert 0.3 * whole < int(re.fullmatch(r"about (\d+) min left", text)[1]) < 0.7 * whole
    assert lengths[0] == 0
    assert 300 < lengths[1] < 980
    assert lengths[2] == 1280
