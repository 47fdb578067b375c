"""AlignmentView: the page's answer and attention are torch's, for any text."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from views.conftest import FRAME

import gru
from gru import views
from gru.writers import EncoderDecoder

LETTERS, SYMBOLS = "abcde", "0123"
TEXTS = ["abeda", "cab", "edcba" * 6, "a", "x?b"]  # the last with letters that it does not know


def model(seed: int) -> EncoderDecoder:
    """A model whose letters matter."""
    torch.manual_seed(seed)
    made = EncoderDecoder(len(LETTERS) + 1, len(SYMBOLS), 4, 5, attention=3)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(3)
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


def test_a_text_is_composed_before_it_is_read():
    """As the page does: a letter and its accent are one letter."""
    one, two = (
        views.AlignmentView(model(0), "abcd\u00e9", symbols=SYMBOLS, text=text) for text in ("b\u00e9a", "be\u0301a")
    )
    assert torch.equal(one.answer[1], two.answer[1])
    assert two.answer[1].shape[1] == 3


def test_what_does_not_fit_is_refused():
    made = model(0)
    with pytest.raises(TypeError, match="module: expected an EncoderDecoder, got GRU"):
        views.AlignmentView(gru.GRU(4, 5), LETTERS, symbols=SYMBOLS)
    with pytest.raises(ValueError, match="letters: expected 5 different ones"):
        views.AlignmentView(made, "abc", symbols=SYMBOLS)
    with pytest.raises(TypeError, match="letters: expected a str, got int"):
        views.AlignmentView(made, 5, symbols=SYMBOLS)
    with pytest.raises(TypeError, match="symbols: expected a list of 4 names, got int"):
        views.AlignmentView(made, LETTERS, symbols=4)
    with pytest.raises(ValueError, match="symbols: expected 4, got 2"):
        views.AlignmentView(made, LETTERS, symbols="01")
    with pytest.raises(ValueError, match="expected an EncoderDecoder with attention"):
        views.AlignmentView(EncoderDecoder(6, 4, 4, 5), LETTERS, symbols=SYMBOLS)


def codes(text):
    """Another way to read a text: its words, one number each, twice."""
    return torch.tensor([[[len(word) / 10, word.count("e") / 3]] for word in text.split()])


def own(**options):
    torch.manual_seed(3)
    made = EncoderDecoder(2, 4, 4, 5, attention=3)
    with torch.no_grad():
        made.head.bias[-1] -= 3  # the answer is not empty
    return views.AlignmentView(made, **{"symbols": SYMBOLS, "encode": codes, "step_names": str.split, **options})


def test_a_text_is_read_by_a_function_of_the_readers_own(open_views, with_kernel):
    view = own(text="sieben und neunzig", examples=["acht"])
    symbols, looks = view.answer
    assert len(symbols) > 1
    assert looks.shape == (len(symbols), 3)
    page = open_views(view)
    page.get_by_text(f"It writes {''.join(symbols)}.").wait_for()
    assert page.locator(".gru-says").inner_text().startswith("Typing needs a running kernel. It writes ")
    assert page.get_by_label("Text").get_attribute("readonly") is not None
    assert "Type" not in page.locator(".gru-top").inner_text()
    assert page.locator(".gru-try").is_hidden()  # its examples cannot be read
    page.get_by_label("Step", exact=True).press("End")  # what was read can be looked at
    page.get_by_text(f"Symbol {len(symbols)}").wait_for()
    page.get_by_label("As a table").check()
    page.locator(".gru-cell").first.wait_for()

    page = with_kernel(view)
    assert page.locator(".gru-says").inner_text().startswith("It writes ")
    page.get_by_role("button", name="acht").wait_for()
    assert page.locator(".gru-from").all_inner_texts() == ["sieben", "und", "neunzig"]
    assert int(page.locator(".gru-says").inner_text().split("letter ")[1].split(",")[0]) == looks[0].argmax() + 1
    page.get_by_label("Type a number in words").fill("acht und neunzig")
    page.get_by_text("has not been read yet").wait_for()
    view.text = "acht"  # what a kernel does
    assert view._data["traced"]["names"] == ["acht"]
    chance = torch.tensor(view._data["traced"]["chances"])
    assert ((chance > 1 / (len(SYMBOLS) + 1)) & (chance <= 1)).all()  # of the likeliest symbol each


# The words beside or above the lines, those below or on the other side, and all that is drawn between them.
BOXES = """() => [".gru-from", ".gru-to", ".gru-strand, .gru-cell"].map((kind) =>
  [...document.querySelectorAll(kind)].map((one) => {
    const { left, top, right, bottom } = one.getBoundingClientRect();
    return [left, top, right, bottom];
  }))"""


@pytest.mark.parametrize("matrix", [False, True])
@pytest.mark.parametrize("width", [320, 390, 1000])
def test_long_words_keep_clear_of_the_lines_and_of_each_other(open_views, width, matrix):
    """Steps and symbols can be called anything; on a phone the lines have what the words leave them."""
    view = own(text="sieben und Geschwindigkeitsbegrenzungen", symbols=["neunzig", "Gesetzgebungen", "3", "4"])
    assert len(view.answer[0]) > 2
    page = open_views(view, width=width)
    page.get_by_label("As a table").set_checked(matrix)
    page.evaluate(FRAME)
    above, below, between = page.evaluate(BOXES)
    assert len(between) >= len(below)
    low, high = (1, 3) if width == 1000 else (0, 2)  # along the way from words to symbols
    assert max(box[high] for box in above) <= min(box[low] for box in between)
    assert max(box[high] for box in between) <= min(box[low] for box in below)
    for words in (above, below):
        along, end = (0, 2) if width == 1000 else (1, 3)
        assert all(one[end] <= other[along] + 1 for one, other in pairwise(words))
    assert page.evaluate("() => document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("down", [0.55, 0.7, 0.9])
def test_what_sticks_to_the_bottom_covers_no_words(open_views, down):
    """While the view comes up from below, its transport waits under the headline."""
    view = views.AlignmentView(model(0), LETTERS, symbols=SYMBOLS, text="abeda")
    page = open_views("<div style='height: 60rem'></div>", view, width=390)
    page.set_viewport_size({"width": 390, "height": 664})
    page.evaluate("(y) => scrollTo(0, document.querySelector('gru-view').getBoundingClientRect().top - y)", down * 664)
    page.evaluate(FRAME)
    says, transport = (page.locator(kind).bounding_box() for kind in (".gru-says", ".gru-transport"))
    assert says["y"] + says["height"] <= transport["y"]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"encode": None}, TypeError, "letters: expected either letters or encode, got neither"),
        ({"letters": "abc"}, TypeError, "letters: expected either letters or encode, got both"),
        ({"encode": 5}, TypeError, "encode: expected a function, got int"),
        ({"encode": lambda text: torch.zeros(3, 2)}, ValueError, r"encode: expected a result of shape \(T, 1, 2\)"),
        ({"encode": lambda text: [0.0]}, TypeError, "encode: expected a Tensor, got list"),
        ({"step_names": lambda text: ["one"]}, ValueError, "step_names: expected 2, one per step, got 1"),
    ],
)
def test_a_function_that_does_not_fit_is_refused(options, error, message):
    arguments = {"encode": codes, "symbols": SYMBOLS, "text": "zwei Worte"} | options
    with pytest.raises(error, match=message):
        views.AlignmentView(EncoderDecoder(2, 4, 4, 5, attention=3), **arguments)
