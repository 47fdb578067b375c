"""Quizzes: how they are read, what stops the build, and what a reader finds, with scripts and without, by keyboard."""

from __future__ import annotations

import html
import re
import sys
from collections.abc import Callable
from pathlib import Path

import jupytext
import pytest
from docutils.core import publish_doctree
from myst_parser.parsers.docutils_ import Parser
from playwright.sync_api import expect

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "book" / "_ext"), str(Path(__file__).parent)]

import quiz  # noqa: E402
import small  # noqa: E402

CHOICES = r"""
Some *words* before.

Which gate keeps $h$?

1. the reset gate
2. the update gate, $\zg_t$
3. `neither`

<details><summary>Answer</summary>

1. No. It says what the *candidate* sees.
2. Yes. Where $\zg_t = 1$, `h` stays.

   Exactly.
3. No. A < B.

</details>
"""
NUMBER = """
How far is it?

___ steps *back*

<details><summary>Answer</summary>

- −1200.5 ± 0.25: Yes. So it is.
- 1200.5: No. The sign is missing.
- 7 ± 2: No. Roughly seven.
- Otherwise: No. Count again.

</details>
"""


def read(text: str) -> quiz.Question:
    settings = {"myst_enable_extensions": ["dollarmath"], "report_level": 5}
    return quiz.read(publish_doctree(text, parser=Parser(), settings_overrides=settings).children)


def test_choices_are_read() -> None:
    question = read(CHOICES)
    assert [part.astext() for part in question.before] == ["Some words before."]
    assert question.ask.astext() == "Which gate keeps h?"
    assert [choice.astext() for choice in question.choices] == ["the reset gate", r"the update gate, \zg_t", "neither"]
    assert [reason.right for reason in question.reasons] == [False, True, False]
    assert [part.astext() for part in question.reasons[1].text] == [r"Where \zg_t = 1, h stays.", "Exactly."]
    assert question.unit is None
    assert question.title == "Answer"


def test_numbers_are_read() -> None:
    question = read(NUMBER)
    assert "".join(part.astext() for part in question.unit) == "steps back"
    found = [(reason.right, reason.number, reason.within) for reason in question.reasons]
    assert found == [(True, -1200.5, 0.25), (False, 1200.5, None), (False, 7.0, 2.0), (False, None, None)]
    assert read(NUMBER.replace("___ steps *back*", "___")).unit == []


@pytest.mark.parametrize(
    ("text", "old", "new", "line", "what"),
    [
        (CHOICES, "2. Yes", "2. No", 12, "0 right answers"),
        (CHOICES, "1. No", "1. Yes", 12, "2 right answers"),
        (CHOICES, "1. No.", "1. Perhaps.", 12, "begins with Yes. or No., not with 'Perhaps. It says wha'"),
        (CHOICES, "3. No. A < B.", "3. No.", 16, "No, and why?"),
        (CHOICES, "3. No. A < B.\n", "", 12, "3 choices and 2 reasons"),
        (CHOICES, "3. `neither`", "3. `neither`\n\n   Really.", 8, "a choice is one paragraph"),
        (CHOICES, "</details>", "", None, "expected a question"),
        (CHOICES, "</summary>\n", "</summary>", None, "expected a question"),
        (CHOICES, "Which gate keeps $h$?", "- a list", 6, "a paragraph that asks"),
        (NUMBER, "___ steps *back*", "steps", 4, "the place of a number"),
        (NUMBER, " ± 0.25", "", 8, "'−1200.5 ± 0: Yes. ...' if not at all"),
        (NUMBER, "± 0.25", "± -1", 8, "negative"),
        (NUMBER, "7 ± 2", "seven", 10, "not 'seven: No. Roughly s'"),
        (NUMBER, "- Otherwise: No. Count again.", "", 8, "Otherwise"),
        (NUMBER, "Otherwise: No", "Otherwise: Yes", 8, "Otherwise"),
        (NUMBER, "1200.5: No", "1200.5 ± 0: Yes", 8, "2 right answers"),
        (NUMBER, "7 ± 2: No.", "7 ± 2: *No.*", 10, "'No.' must be plain text"),
    ],
)
def test_a_bad_quiz_is_refused(text: str, old: str, new: str, line: int | None, what: str) -> None:
    assert old in text
    with pytest.raises(quiz.Wrong, match=re.escape(what)) as error:
        read(text.replace(old, new, 1))
    assert line is None or error.value.line == line


@pytest.mark.parametrize("options", [(), ("-W", "--keep-going")])
def test_a_bad_quiz_stops_the_build_and_says_where(tmp_path: Path, options: tuple[str, ...]) -> None:
    text = f"# A page\n\n:::{{quiz}}{CHOICES.replace('2. Yes', '2. No')}:::\n"
    page, said = small.build(tmp_path, text, "myst_parser", "quiz", options=options)
    assert f"{tmp_path / 'index.md'}:14: quiz: 0 right answers" in said
    assert not page.exists()


def test_a_veil_hides_from_a_glance_and_from_nobody_else() -> None:
    text = '<p class="a">Yes &amp; no, <b>5 &#8804; 7</b> √</p>'
    veiled = quiz.veil(text)
    assert html.unescape(veiled) == html.unescape(text)
    assert not re.search(r"Yes|no|5|7|√", re.sub(r"&#\d+;", "", veiled).replace("class", ""))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with the two quizzes from above."""
    text = f"# A page\n\n:::{{quiz}}{CHOICES}:::\n\n```{{quiz}}{NUMBER}```\n"
    page, said = small.build(tmp_path_factory.mktemp("quiz"), text, "myst_parser", "book_maths", "quiz")
    assert not said
    return page


def test_the_answer_is_not_to_be_read_in_the_source(page: Path) -> None:
    source = page.read_text("utf8")
    assert "the update gate" in source
    assert not re.search(r"candidate|Where|Exactly|Yes|1200|sign is|Count again|data-right=.(yes|no)", source)


def test_it_can_be_read_without_scripts(page: Path, open_page: Callable) -> None:
    opened = open_page(page.as_uri(), java_script_enabled=False)
    choices, number = opened.page.locator("form.quiz").all()
    assert choices.get_by_role("radio").count() == 3
    for form, answer in (choices, re.compile(r"Yes\. Where\s+z\s*t\s*=\s*1\s*, h stays\.")), (number, "Yes. So it is."):
        expect(form.get_by_role("button")).to_be_hidden()
        expect(form.get_by_text(answer)).to_be_hidden()
        form.locator("summary").click()
        expect(form.get_by_text(answer)).to_be_visible()
    number.locator("input").press("Enter")
    assert opened.page.url == page.as_uri()  # an Enter that nothing can answer leads nowhere
    expect(number.locator("li").first).to_contain_text("−1200.5")


def test_choices_by_keyboard(page: Path, open_page: Callable) -> None:
    opened = open_page(page.as_uri())
    form = opened.page.locator("form.quiz").first
    says = form.get_by_role("status")
    assert form.get_by_role("group", name="Which gate keeps").count() == 1
    assert form.locator("details").count() == 0
    assert "candidate" not in opened.page.content()
    form.get_by_role("button", name="Check").press("Enter")
    expect(says).to_have_text("Choose an answer first.")
    expect(form.get_by_role("radio").first).to_be_focused()
    press = opened.page.keyboard.press
    press("Space")
    expect(says).to_be_empty()
    press("Enter")
    expect(says).to_have_text("No. It says what the candidate sees.")
    expect(form.get_by_role("radio", name=re.compile(r"the reset gate\s*✗ no"))).to_be_checked()
    press("ArrowDown")
    expect(says).to_be_empty()
    press("Enter")
    expect(says).to_contain_text("Yes. Where")
    expect(form.get_by_role("radio").nth(1)).to_be_focused()
    letter = says.locator("math .gru-z")
    letter.first.wait_for()
    expect(says).to_contain_text("Exactly.")
    press("ArrowDown")
    press("Enter")
    expect(says).to_have_text("No. A < B.")
    press("ArrowUp")
    press("Enter")
    expect(says.locator("math")).to_have_count(1)
    assert form.locator(".mark-of").all_inner_texts() == ["✗ no", "✓ yes", "✗ no"]
    assert not opened.complaints()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("-1200.5", "Yes."),
        (" −1200,5 ", "Yes."),
        ("–1 200.75", "Yes."),
        ("-1.2005e3", "Yes."),
        ("-1,200.5", "Yes."),
        ("-1.200,5", "Yes."),
        ("-1200.5 Steps back", "Yes."),
        ("-1200", "No. Count again."),
        ("1200.5", "No. The sign is missing."),
        ("1200.76", "No. Count again."),
        ("8,9", "No. Roughly seven."),
        (".5", "No. Count again."),
        ("", "Write a number first."),
        ("abc", "“abc” is not a number."),
        ("1.2.3", "“1.2.3” is not a number."),
        ("-", "“-” is not a number."),
        ("1e999", "“1e999” is not a number."),
        ("12 <b>x", "“12 <b>x” is not a number."),
    ],
)
def test_numbers_as_people_write_them(page: Path, open_page: Callable, typed: str, said: str) -> None:
    form = open_page(page.as_uri()).page.locator("form.quiz").nth(1)
    field = form.get_by_label("How far is it?")
    field.fill(typed)
    field.press("Enter")
    expect(form.get_by_role("status")).to_contain_text(said)
    assert field.get_attribute("aria-invalid") == ("true" if not said.startswith(("Yes", "No")) else None)


def test_whoever_misses_twice_may_see_the_answer(page: Path, open_page: Callable) -> None:
    form = open_page(page.as_uri()).page.locator("form.quiz").nth(1)
    field, show = form.get_by_role("textbox"), form.get_by_role("button", name="Show the answer")
    field.fill("3")
    field.press("Enter")
    assert not show.count()
    field.fill("4")
    field.press("Enter")
    show.press("Enter")
    expect(form.get_by_role("status")).to_contain_text("−1200.5")
    expect(form.get_by_role("status")).to_contain_text("Yes. So it is.")
    expect(field).to_be_focused()


def _quizzes(site: Path, pages: list[str]) -> list[str]:
    return [page for page in pages if '<form class="quiz"' in (site / page).read_text("utf8")]


def test_files_are_only_where_a_quiz_is(site: Path, pages: list[str]) -> None:
    asked = _quizzes(site, pages)
    assert asked
    for page in pages:
        text = (site / page).read_text("utf8")
        assert ("quiz.js" in text) == ("quiz.css" in text) == (page in asked), page


def test_a_notebook_keeps_quizzes_as_they_are_written() -> None:
    """What JupyterLab opens and saves; a quiz lies within one text cell."""
    seen = 0
    for path in sorted((ROOT / "book").rglob("*.md")):
        text = path.read_text("utf8")
        written = re.findall(r"^:::\{quiz\}\n.*?^:::$", text, re.DOTALL | re.MULTILINE)
        if not written:
            continue
        notebook = jupytext.reads(text, fmt="md:myst")
        cells = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
        again = jupytext.writes(notebook, fmt="md:myst")
        for block in written:
            assert sum(block in cell for cell in cells) == 1, path
            assert block in again, path
            seen += 1
    assert seen
