"""WordReader: what the page makes of a word is what torch makes of it, whatever is typed."""

import re

import pytest
import torch
import traitlets
from views.conftest import FRAME
from views.models import words

import gru
from gru import views
from gru.views._modules import bundle
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


# What the page computes of a text, by the functions that the view calls.
READ = """([data, text]) => {
  const letters = [...data.letters];
  const read = $words.numbersOf($words.plain(text), letters);
  const run = $words.readWord($words.unpack(data.reader), read, letters.length + 1);
  return Object.fromEntries(["r", "z", "n", "h", "beliefs"].map((name) => [name, [...run[name]]]));
}"""
# What the writer would put behind a text, where the draw is always this number.
WRITE = """([data, text, condition, temperature, drawn]) => {
  const letters = [...data.letters];
  return $words.writeOn($words.unpack(data.writer), $words.numbersOf($words.plain(text), letters), {
    letters: letters.length + 1, conditions: data.class_names.length, condition, temperature,
    random: () => drawn, longest: 80,
  });
}"""


def threefold(model, short=False):
    """The model with weights large enough for letters to matter, and, as they are stored, in float16."""
    with torch.no_grad():
        for weights in model.parameters():
            weights.copy_((3 * weights).half().float() if short else 3 * weights)
    return model


@pytest.fixture(scope="module")
def computing(browser):
    page = browser.new_page()
    page.add_script_tag(content=bundle("words"))
    yield page
    page.close()


@pytest.mark.parametrize("text", ["abeda", "a", "xyz?", "ÀbC", "edcba" * 15])
@pytest.mark.parametrize(("reset_after", "short"), [(True, True), (True, False), (False, False)])
def test_the_page_s_numbers_are_torch_s(computing, text, reset_after, short):
    torch.manual_seed(len(text))
    model = threefold(gru.GRUClassifier(6, 5, 3, reset_after=reset_after), short)
    view = views.WordReader(model, letters="abcde", class_names=["one", "two", "three"], text=text)
    found = computing.evaluate(READ, [view._data, text])
    read = view._inputs(text)
    wanted = gru.trace(model.gru, read)
    for name in "rznh":
        torch.testing.assert_close(
            torch.tensor(found[name]).view(len(read), 5), getattr(wanted, name)[:, 0], rtol=0, atol=1e-5
        )
    shown = torch.tensor(found["beliefs"]).view(len(read), 3)
    torch.testing.assert_close(shown, view.probabilities, rtol=0, atol=1e-5)
    other = torch.tensor(computing.evaluate(READ, [view._data, text + "e"])["beliefs"]).view(-1, 3)
    assert (other[-1] - view.probabilities[-1]).abs().max() > 1e-4  # it is the text that is read


@pytest.mark.parametrize("drawn", [0.05, 0.4, 0.75])
def test_the_page_s_writer_draws_from_torch_s_chances(computing, drawn):
    torch.manual_seed(4)
    reader = gru.GRUClassifier(6, 5, 3)
    writer = threefold(GRUWriter(6, 5, 3))
    view = views.WordReader(reader, letters="abcde", class_names=["one", "two", "three"], writer=writer, text="ab")
    found = computing.evaluate(WRITE, [view._data, "ab", 1, 0.7, drawn])
    word = [0, 1]
    while len(word) < 80:
        logits = writer(torch.tensor(word).unsqueeze(1), torch.tensor([1]))[-1, 0]
        chances = torch.softmax(logits / 0.7, 0)
        if len(word) == 2:
            chances[5:] = 0  # whoever asks for more gets at least one letter
        letter = int((chances.cumsum(0) / chances.sum() <= drawn).sum())
        if letter >= 5:
            break
        word.append(letter)
    assert found == word[2:]
    assert found


def test_rivals_are_named_and_told_apart_without_colour(open_views):
    """Every line that is not faint has a name at its end and a pattern of its own."""
    page = open_views(words(text="aaabacada", writer=None))
    lines = page.locator(".gru-panel-beliefs path:is(.gru-main, .gru-answer, [class*=gru-rival])")
    assert lines.count() == page.locator(".gru-panel-beliefs .gru-end").count() >= 2
    patterns = lines.evaluate_all("(all) => all.map((one) => getComputedStyle(one).strokeDasharray)")
    assert len(set(patterns)) == len(patterns)


def test_no_name_stands_under_what_happens(browser):
    """A rival that was nearly sure just before the model changed its mind is named at its line's end alone."""
    page = browser.new_page()
    page.add_script_tag(content=bundle("beliefs"))
    line = [0.2, 0.3, 0.4, 0.5, 0.95, 0.1, 0.1, 0.1, 0.1, 0.1]
    summits = (
        "([line, moment]) => $beliefs.summitsOf([0], (of) => Float64Array.from(of), line, moment).map(({ t }) => t)"
    )
    assert page.evaluate(summits, [line, 5]) == []
    assert page.evaluate(summits, [line, 8]) == [4]
    assert page.evaluate(summits, [line, None]) == [4]
    assert page.evaluate(summits, [[0.8 * value for value in line], 5]) == [4], "lower than those words"
    page.close()


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


def test_own_input_is_read_by_python(open_views, with_kernel):
    model = gru.GRUClassifier(2, 5, 3)

    def encode(text):
        return torch.tensor([[[len(word), ord(word[0]) / 100]] for word in text.split()])

    view = views.WordReader(
        model, encode=encode, step_names=str.split, class_names=["one", "two", "three"], text="three small words"
    )
    assert view.probabilities.shape == (3, 3)
    name = ["one", "two", "three"][view.probabilities[-1].argmax()]
    page = open_views(view)
    assert says(page).startswith("Typing needs a running kernel. ")
    assert f"the model says {name}" in says(page)
    assert page.get_by_label("Text").get_attribute("readonly") is not None
    assert "Type" not in page.locator(".gru-top").inner_text()
    assert page.locator(".gru-panel-word .gru-title").inner_text() == "steps"

    page = with_kernel(view)
    assert "needs" not in says(page)
    page.get_by_label("Type a word").fill("a busy kernel")
    assert "has not been read yet" in says(page)
    view.text = "two words"
    assert view._data["traced"]["names"] == ["two", "words"]


def test_no_word_is_cut_on_a_phone(open_views):
    text = "a gate keeps what it is told to keep"
    view = views.WordReader(
        gru.GRUClassifier(1, 5, 2),
        encode=lambda text: torch.tensor([[[float(len(word))]] for word in text.split()]),
        step_names=str.split,
        class_names=["one", "two"],
        text=text,
    )
    for width in (390, 1000):
        page = open_views(view, width=width)
        cut = page.locator(".gru-tile").evaluate_all(
            """(tiles) => tiles.filter((tile) => {
              const [word, whole] = [tile.firstElementChild, tile].map((one) => one.getBoundingClientRect());
              const across = word.left < whole.left - 1 || word.right > whole.right + 1;
              return across || word.top < whole.top || word.bottom > whole.bottom;
            }).map((tile) => tile.textContent)"""
        )
        assert cut == []


def test_float16_of_every_kind_and_what_it_cannot_hold(computing):
    from gru.views._data import encode

    smallest, tiny, largest = 2.0**-24, 2.0**-14, 65504.0
    assert encode(torch.tensor([1.0, -2.0]), short=True) == ".ADwAwA=="
    for numbers in ([1.0, -2.0, 0.0, smallest, -tiny, largest], [0.1, 1e30, -1e-30]):
        sent = encode(torch.tensor(numbers), short=True)
        assert sent.startswith(".") == (1.0 in numbers)
        assert computing.evaluate("(sent) => [...$gru.decode(sent)]", sent) == torch.tensor(numbers).tolist()


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"letters": None}, TypeError, "letters: expected either letters or encode, got neither"),
        ({"letters": "abcd"}, ValueError, "letters: expected 5 different ones, D less the other, got 4"),
        ({"letters": "abcda"}, ValueError, "letters: expected 5 different ones"),
        ({"letters": 5}, TypeError, "letters: expected a str, got int"),
        ({"letters": "abcDe"}, ValueError, "letters: expected small letters, as a text is read, got 'D'"),
        ({"letters": None, "encode": 5}, TypeError, "encode: expected a function, got int"),
        ({"letters": None, "encode": list, "text": "ab"}, TypeError, "encode: expected a Tensor, got list"),
        ({"edits": [["z", "0", 0, 0, 0.5]]}, traitlets.TraitError, "edits: expected [quantity, recurrence, step, unit"),
        ({"text": 5}, TypeError, "text: expected a str, got int"),
        ({"class_names": 3}, TypeError, "class_names: expected a list of 3 names, got int"),
        ({"class_names": ["one"]}, ValueError, "class_names: expected 3, got 1"),
        ({"writer": 3}, TypeError, "writer: expected a GRUWriter, got int"),
        ({"writer": GRUWriter(6, 5, 2)}, ValueError, "writer: expected 6 letters and 3 conditions, got 6 and 2"),
    ],
)
def test_bad_arguments(options, kind, message):
    arguments = {"letters": "abcde", "class_names": ["one", "two", "three"]} | options
    with pytest.raises(kind, match=re.escape(message)):
        views.WordReader(gru.GRUClassifier(6, 5, 3), **arguments)
    with pytest.raises(ValueError, match="module: expected one direction, got two"):
        views.WordReader(
            gru.GRUClassifier(6, 5, 3, bidirectional=True), letters="abcde", class_names=["one", "two", "six"]
        )
    with pytest.raises(TypeError, match="module: expected a GRUClassifier, got GRU"):
        views.WordReader(gru.GRU(6, 5), letters="abcde", class_names=[])


def test_what_was_tried_stays_said_though_it_would_set_more_now(open_views):
    page = open_views(words(text="abe", step=1))
    for name in ("One letter more", "Keep this unit as it is"):
        button = page.get_by_role("button", name=name)
        button.click()
        page.evaluate(FRAME)
        assert button.get_attribute("aria-pressed") == "true"
        assert page.locator(".gru-see").inner_text() == button.get_attribute("title")
    page.get_by_label("Step", exact=True).press("Home")
    page.evaluate(FRAME)
    assert "From letter 2 on" in page.locator(".gru-see").inner_text()
    assert button.get_attribute("aria-pressed") == "true", "it is still held, from the step on at which it was pressed"
    page.get_by_role("button", name="Reset").click()
    page.evaluate(FRAME)
    assert page.locator(".gru-see").inner_text() == ""


def test_a_button_to_try_says_before_it_is_pressed_what_it_does(open_views):
    page = open_views(words(text="abeda", step=1))
    button = page.get_by_role("button", name="Keep this unit as it is")
    for step in (2, 4, 3):  # the first as it opens
        page.get_by_label("Step", exact=True).fill(str(step))
        page.evaluate(FRAME)
        promised = button.get_attribute("title")
        assert f"From letter {step} on unit 1 keeps" in promised
        button.click()
        page.evaluate(FRAME)
        assert page.locator(".gru-see").inner_text() == promised
    page.get_by_role("button", name="A script it has never seen").click()  # of three letters
    page.evaluate(FRAME)
    assert button.get_attribute("title") == promised
    button.click()
    page.evaluate(FRAME)
    assert page.locator(".gru-see").inner_text() == promised


def test_a_word_of_the_readers_own_stays_when_something_is_tried(open_views):
    page = open_views(words(text="abe", step=1))
    page.get_by_label("Type a word").fill("bananas")
    page.get_by_role("button", name="Keep this unit as it is").click()
    page.evaluate(FRAME)
    assert page.get_by_label("Type a word").input_value() == "bananas"
    assert "From letter 4 on" in page.locator(".gru-see").text_content()
    page.get_by_role("button", name="Reset").click()
    page.evaluate(FRAME)
    assert page.get_by_label("Type a word").input_value() == "abe"
