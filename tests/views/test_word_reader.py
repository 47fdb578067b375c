"""WordReader: what the page makes of a word is what torch makes of it, whatever is typed."""

import re

import pytest
import torch
from views.conftest import FRAME
from views.models import words

import gru
from gru import views
from gru.writers import GRUWriter


def says(page):
    page.evaluate(FRAME)
    return page.locator(".gru-says").first.inner_text()


@pytest.mark.parametrize("text", ["abeda", "a", "xyz?", "ÀbC"])
def test_the_page_says_what_torch_says(open_views, text):
    view = words(text=text, writer=None)
    page = open_views(view)
    best = view.probabilities[-1].max().item()
    name = ["one", "two", "three"][view.probabilities[-1].argmax()]
    found = re.search(r"the model says (\w+) \((\d+) %\)", says(page))
    assert found[1] == name
    assert abs(int(found[2]) - 100 * best) <= 1.5  # float16, and rounding


def test_typing_and_deleting(open_views):
    view = words(text="ab", writer=None)
    page = open_views(view)
    first = says(page)
    page.locator(".gru-type").press("End")
    page.keyboard.type("e")
    assert "abe" in says(page)
    page.keyboard.press("Backspace")
    assert says(page) == first


HOSTILE = [
    "<img src=x onerror=document.title=1>",
    "</script><b>bold</b>",
    "\u0000\u001b\u202e",
    "e\u0301\u0301\u0301",
    "\u0301",
    "שלום עולם",
    "😀👩‍👩‍👧",
    "a" * 5000,
    " ",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_stays_text(open_views, text):
    page = open_views(words(text="ab"))
    page.locator(".gru-type").fill(text)
    assert page.locator(".gru-view").get_attribute("data-state") == "ready"
    assert "NaN" not in page.locator(".gru-view").inner_text()
    assert page.locator(".gru-view img, .gru-view b b").count() == 0
    assert page.title() != "1"
    assert len(says(page)) > 20
    assert page.locator(".gru-type").input_value() == text


def test_an_empty_word_asks_for_one(open_views):
    page = open_views(words(text="ab", writer=None))
    page.locator(".gru-type").fill("")
    assert says(page).startswith("Type a word")
    assert not page.locator(".gru-score").is_visible()


def test_replacements_are_ranked_by_what_they_change(open_views):
    view = words(text="abeda", writer=None)
    page = open_views(view)
    answer = view.probabilities[-1].argmax()
    before = view.probabilities[-1, answer]
    effects = {}
    for letter in "bcde":  # instead of the last a
        view.text = "abed" + letter
        effects[letter] = (view.probabilities[-1, answer] - before).abs().item()
    page.evaluate(FRAME)
    shown = [one[0] for one in page.locator(".gru-others button:enabled").all_inner_texts()]
    assert shown == sorted(effects, key=effects.get, reverse=True)
    page.locator(".gru-others button").first.click()
    page.evaluate(FRAME)
    assert page.locator(".gru-type").input_value() == "abed" + shown[0]


def test_the_writer_goes_on_from_what_stands_there(open_views):
    page = open_views(words(text="ab"))
    page.evaluate(FRAME)
    coming = page.locator(".gru-next").inner_text().removeprefix("… ")
    page.get_by_role("button", name="Write on").click()
    page.evaluate(FRAME)
    assert page.locator(".gru-type").input_value() == "ab" + coming


def test_own_input_is_read_by_python(open_views):
    model = gru.GRUClassifier(2, 5, 3)

    def encode(text):
        return torch.tensor([[[len(word), ord(word[0]) / 100]] for word in text.split()])

    view = views.WordReader(
        model, encode=encode, step_names=str.split, class_names=["one", "two", "three"], text="three small words"
    )
    assert view.probabilities.shape == (3, 3)
    page = open_views(view)
    name = ["one", "two", "three"][view.probabilities[-1].argmax()]
    assert f"the model says {name}" in says(page)
    view.text = "two words"
    assert view._data["traced"]["names"] == ["two", "words"]
    page.locator(".gru-type").fill("without a kernel")
    assert "has not been read yet" in says(page)


def test_float16_of_every_kind():
    from gru.views.word_reader import half

    assert half(torch.tensor([1.0, -2.0])) == "ADwAwA=="


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"letters": None}, TypeError, "letters: expected either letters or encode, got neither"),
        ({"letters": "abcd"}, ValueError, "letters: expected 5 different ones, D less the other, got 4"),
        ({"letters": "abcda"}, ValueError, "letters: expected 5 different ones"),
        ({"class_names": ["one"]}, ValueError, "class_names: expected 3, got 1"),
        ({"writer": 3}, TypeError, "writer: expected a GRUWriter, got int"),
        ({"writer": GRUWriter(6, 5, 2)}, ValueError, "writer: expected 6 letters and 3 conditions, got 6 and 2"),
    ],
)
def test_bad_arguments(options, kind, message):
    arguments = {"letters": "abcde", "class_names": ["one", "two", "three"]} | options
    with pytest.raises(kind, match=re.escape(message)):
        views.WordReader(gru.GRUClassifier(6, 5, 3), **arguments)
    with pytest.raises(TypeError, match="module: expected a GRUClassifier, got GRU"):
        views.WordReader(gru.GRU(6, 5), letters="abcde", class_names=[])
