"""Exercises and their solutions: folded away by the browser's own means, numbered, with cells in them."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

sys.path.insert(0, str(Path(__file__).parent))

import small

TEXT = r"""
# A page

:::{exercise} Why is $z$ *near* one?
:label: near-one

Think of {ref}`the-other`.
:::

:::{solution-start} near-one
:label: its-solution
:::

Words before a cell.

```{code-cell} ipython3
print("a cell")
```

Words after it.

:::{solution-end}
:::

Between them, on {ref}`its-solution`.

:::{exercise}
:label: the-other

Without a title.
:::

:::{solution} the-other
With a list:

- one
:::
"""
HEAD = "---\nfile_format: mystnb\nkernelspec: {name: python3, display_name: Python 3}\n---\n"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exercises")
    page, said = small.build(folder, HEAD + TEXT, "myst_nb", "book_maths", "exercises")
    assert not said
    return page


def test_solutions_unfold_by_keyboard(page: Path, open_page: Callable) -> None:
    tab = open_page(page.as_uri()).page
    first, second = tab.locator("details.solution").all()
    for part in ("Words before a cell.", 'print("a cell")', "Words after it."):
        expect(first.get_by_text(part)).to_be_hidden()
    expect(tab.get_by_text("Between them")).to_be_visible()
    first.locator("summary").press("Enter")
    for part in ("Words before a cell.", 'print("a cell")', "Words after it."):
        expect(first.get_by_text(part)).to_be_visible()
    expect(second.get_by_text("With a list:")).to_be_hidden()
    assert tab.get_by_text("Solution", exact=True).count() == 2 + 1  # two to unfold, and the link to one


def test_titles_numbers_and_references(page: Path, open_page: Callable) -> None:
    tab = open_page(page.as_uri()).page
    titles = tab.locator(".exercise > .admonition-title").all()
    assert [title.locator(".caption-number").inner_text().strip() for title in titles] == ["Exercise 1", "Exercise 2"]
    assert "(" not in titles[0].inner_text()
    assert titles[0].locator("math").count() == titles[0].locator("em").count() == 1
    link = tab.get_by_role("link", name="Exercise 2")
    assert link.get_attribute("href") == "#the-other"
    assert tab.locator("#the-other.exercise").count() == tab.locator("details#its-solution").count() == 1


def test_the_page_is_clean(page: Path) -> None:
    text = page.read_text("utf8")
    ids = Counter(re.findall(r'\bid="([^"]*)"', text))
    assert not [name for name, times in ids.items() if times > 1]
    assert "exercise.css" not in text
    assert "togglebutton" not in text


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("{solution-start} near-one", "{solution-start} far-off", "far-off"),
        (":::{solution-end}\n:::\n", "", "missing a solution-end"),
        ("the-other\n\nWithout", "near-one\n\nWithout", "duplicate label: near-one"),
    ],
)
def test_mistakes_fail_the_build(tmp_path: Path, old: str, new: str, what: str) -> None:
    assert old in TEXT
    page, said = small.build(tmp_path, HEAD + TEXT.replace(old, new), "myst_nb", "exercises")
    assert what in said
    assert not page.exists()


def test_every_exercise_of_the_book_has_its_solution(site: Path, pages: list[str]) -> None:
    """After each exercise its solution, folded away."""
    seen = 0
    for name in pages:
        boxes = re.findall(
            r'<div class="(exercise) |<details class="(solution) [^"]*" id="[^"]*">', (site / name).read_text("utf8")
        )
        kinds = [exercise or solution for exercise, solution in boxes]
        assert kinds == ["exercise", "solution"] * (len(kinds) // 2), name
        seen += len(kinds)
    assert seen
