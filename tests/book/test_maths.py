"""Formulas as MathML: what TeX would have set, in the gates' colours, on every page."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "book" / "_ext"))
sys.path.insert(0, str(Path(__file__).parent))

import small
from mathml import mathml


def inner(tex: str, display: bool = False) -> str:
    return mathml(tex, display).removeprefix("<math>").removesuffix("</math>")


@pytest.mark.parametrize("letter", "rznhx")
def test_letters_have_their_gates_colour(letter: str) -> None:
    macro = rf"\{letter}{'s' if letter in 'hx' else 'g'}"
    assert f'<mi class="gru-{letter}">{letter}</mi>' in inner(rf"{macro}_t = 1")
    assert "class" not in inner(rf"{letter}_t = 1")


@pytest.mark.parametrize(
    ("tex", "wanted"),
    [
        (r"h_{t-1}", '<mo lspace="0" rspace="0">−</mo>'),  # no room in a subscript
        (r"a - b", "<mo>−</mo>"),
        (r"a = -b", '<mo form="prefix">−</mo>'),  # a sign
        (r"(1) - b", "<mo>−</mo>"),
        (r"|J| - b", "<mo>−</mo>"),
        (r"c\cos(x)", '<mi>c</mi><mspace width="0.167em"></mspace><mi>cos</mi><mo stretchy="false">(</mo>'),
        (r"\ln a", '<mi>ln</mi><mspace width="0.167em"></mspace><mi>a</mi>'),
        (r"\ln |a|", '<mi>ln</mi><mspace width="0.167em"></mspace><mo stretchy="false" lspace="0" rspace="0">|</mo>'),
        (r"\lvert a \rvert", '<mo lspace="0" rspace="0" stretchy="false">|</mo>'),
        (r"1/e", '<mo lspace="0" rspace="0">/</mo>'),
        (r"\sigma'(a)", '<mi>σ</mi><mo lspace="0" rspace="0">′</mo>'),  # raised by its font already
        (r"\mathrm{Hz}", "<mi>Hz</mi>"),
        (r"k \to \infty", "<mi>∞</mi>"),
        (r"a \sim b", "<mo>∼</mo>"),
        (r"\odot", '<mo largeop="false" lspace="0" rspace="0">⊙</mo>'),  # by itself
        (r"a \odot b", '<mo largeop="false">⊙</mo>'),
        (r"\tilde h", '<mover accent="true">'),
        (r"\xrightarrow{x}", "<mover><mo>⟶</mo>"),
        (r"\underbrace{ab}_{c}", '<munder><mrow class="braced">'),
    ],
)
def test_what_mathml_does_not_know_of_tex(tex: str, wanted: str) -> None:
    assert wanted in inner(tex)


def test_limits_stand_below_in_a_line_of_their_own() -> None:
    assert "<munderover><mo>∑</mo>" in inner(r"\sum_{k=1}^T k", display=True)
    assert "<munder><mi>max</mi>" in inner(r"\max_i a", display=True)
    assert "<msub><mi>max</mi>" in inner(r"\max_i a")


def test_lines() -> None:
    """Aligned at the sign, with and without an environment; without signs they begin together."""
    aligned = inner(r"\begin{aligned}a &= b\\ c &= d\end{aligned}", display=True)
    assert aligned == inner(r"a &= b\\ c &= d", display=True)
    assert (aligned.count('class="lines"'), aligned.count("<mtr>"), aligned.count("<mtd>")) == (1, 2, 4)
    gathered = inner(r"\begin{gathered}a\\ b\end{gathered}", display=True)
    assert (gathered.count('class="rows"'), gathered.count("<mtr>")) == (1, 2)


def test_every_formula_is_set(site: Path, pages: list[str]) -> None:
    """Each place of one holds MathML and nothing that was left over on the way there."""
    count = 0
    for page in pages:
        text = (site / page).read_text("utf8")
        formulas = re.findall(r"<math\b.*?</math>", text, re.DOTALL)
        assert len(formulas) == len(re.findall(r'class="(?:[^"]* )?math(?: [^"]*)?"', text)), page
        for formula in formulas:
            assert not re.search(r"[\uE000-\uF8FF\\&]|linebreak", unescape(formula)), (page, formula)
        count += len(formulas)
    assert count > 20
    assert not (site / "_static" / "mathjax").exists()


@pytest.mark.parametrize("wrong", [r"a_b_c", r"\left( a", r"\nonsense a"])
def test_a_formula_that_cannot_be_read_is_reported(tmp_path: Path, wrong: str) -> None:
    _, said = small.build(tmp_path, f"# Home\n\n${wrong}$ and $a$\n", "myst_parser", "book_maths", options=())
    assert wrong in said
    assert said.count("cannot be read") == 1


def test_lines_are_aligned_as_drawn(tmp_path: Path, open_page: Callable) -> None:
    """The left sides end, and the right sides begin, at one place each."""
    text = "# Home\n\n$$\n\\begin{aligned}abc &= d\\\\ e &= fgh\\end{aligned}\n$$\n"
    page, _ = small.build(tmp_path, text, "myst_parser", "book_maths")
    drawn = (
        open_page(page.as_uri())
        .page.locator("math mtd")
        .evaluate_all(
            """(cells) => cells.map((cell) => {
          const range = document.createRange();
          range.selectNodeContents(cell);
          const { left, right } = range.getBoundingClientRect();
          return [left, right];
        })"""
        )
    )
    (first, equals), (second, again) = drawn[:2], drawn[2:]
    assert abs(first[1] - second[1]) < 1
    assert abs(equals[0] - again[0]) < 1
    assert second[0] - first[0] > 5
