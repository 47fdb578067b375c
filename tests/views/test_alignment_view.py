"""AlignmentView: the page's answer and attention are torch's, for any text."""

from __future__ import annotations

import pytest
import torch
from views.conftest import FRAME

import gru
from gru import views
from gru.writers import EncoderDecoder

LETTERS, SYMBOLS = "abcde", "0123"
TEXTS = ["abeda", "cab", "edcba" * 6, "a", "x?b"]  # the last with letters that it does not know


def model(seed: int) -> EncoderDecoder:
    """Weights as the page gets them, in half precision."""
    torch.manual_seed(seed)
    made = EncoderDecoder(len(LETTERS) + 1, len(SYMBOLS), 4, 5, attention=3)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_((3 * parameter).half().float())
    return made


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_page_answers_and_looks_as_torch_does(open_views, seed):
    view = views.AlignmentView(model(seed), LETTERS, symbols=SYMBOLS, examples=TEXTS, matrix=True)
    page = open_views(view)
    for text in TEXTS:
        page.get_by_label("Type a number in words").fill(text)
        view.text = text
        symbols, looks = view.answer
        said = page.locator(".gru-says")
        if symbols:
            said.get_by_text(f"It writes {''.join(symbols)}.").wait_for()
        else:
            said.get_by_text("it writes nothing").wait_for()
        shown = page.locator(".gru-cell").evaluate_all(
            "(cells) => cells.map((cell) => Number(cell.style.getPropertyValue('--look')))"
        )
        found = torch.tensor(shown, dtype=torch.float32).reshape(looks.shape)
        torch.testing.assert_close(found, looks.detach(), rtol=0, atol=6e-4)


def test_lines_run_from_letters_to_symbols_also_after_a_resize(open_views):
    """Above and below on a page, left and right on a phone."""
    page = open_views(views.AlignmentView(model(0), LETTERS, symbols=SYMBOLS, examples=TEXTS, text="abeda"))
    ends = """() => {
      const strand = document.querySelector(".gru-strand");
      const at = (length) => strand.getPointAtLength(length).matrixTransform(strand.getScreenCTM());
      const near = (kind, { x, y }) => Math.min(...[...document.querySelectorAll(kind)].map((one) => {
        const { left, right, top, bottom } = one.getBoundingClientRect();
        return Math.hypot(x - (left + right) / 2, y - (top + bottom) / 2);
      }));
      const { width, height } = document.querySelector(".gru-align").getBoundingClientRect();
      return [near(".gru-from", at(0)), near(".gru-to", at(strand.getTotalLength())), 0.15 * Math.max(width, height)];
    }"""
    for width in (1000, 390, 1000):
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate(FRAME)
        from_letter, to_symbol, room = page.evaluate(ends)
        assert max(from_letter, to_symbol) < room


def test_what_does_not_fit_is_refused():
    made = model(0)
    with pytest.raises(TypeError, match="module: expected an EncoderDecoder, got GRU"):
        views.AlignmentView(gru.GRU(4, 5), LETTERS, symbols=SYMBOLS)
    with pytest.raises(ValueError, match="letters: expected 5 different ones"):
        views.AlignmentView(made, "abc", symbols=SYMBOLS)
    with pytest.raises(ValueError, match="symbols: expected 4, got 2"):
        views.AlignmentView(made, LETTERS, symbols="01")
    with pytest.raises(ValueError, match="expected an EncoderDecoder with attention"):
        views.AlignmentView(EncoderDecoder(6, 4, 4, 5), LETTERS, symbols=SYMBOLS)
