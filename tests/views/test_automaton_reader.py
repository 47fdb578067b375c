"""AutomatonReader: machine and network in the page against Python's, where they part, and what a reader may type."""

import re
from itertools import product

import pytest
import torch
import traitlets
from views.conftest import FRAME
from views.models import automaton

import gru
from gru import views
from gru.views._modules import bundle

READ = """([data, k, word]) => {
  const { readBy, known } = $automaton_reader;
  const network = data.networks[k];
  const numbers = known(word, data.letters);
  const head = { weight: $gru.decode(network.head.weight), bias: $gru.decode(network.head.bias) };
  const { h, path, beliefs } = readBy(data, network, $gru.weightsOf(network.weights), head, numbers);
  return { h: [...h], path, beliefs: [...beliefs], states: $automaton.walk(data, numbers) };
}"""


def encode(word):
    return torch.eye(3)[[2, *map("ab".index, word)]].unsqueeze(1)


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page()
    page.add_script_tag(content=bundle("automaton_reader", "automaton", "gru"))
    yield page
    page.close()


@pytest.fixture(scope="module")
def view():
    return automaton()


@pytest.mark.parametrize("k", [0, 1])
@pytest.mark.parametrize("word", ["", "a", "abaab", "bbbaaaabab" * 8])
def test_the_page_reads_as_python_does(page, view, k, word):
    view.word, view.network = word, k
    found = page.evaluate(READ, [view._data, k, word])
    for name, expected in (("h", view.states), ("path", view.path)):
        got = torch.tensor(found[name], dtype=torch.float64).view_as(expected)
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-10)
    yes = torch.tensor(found["beliefs"], dtype=torch.float64).view(-1, 2)[:, 1]
    torch.testing.assert_close(yes, view.probabilities, rtol=0, atol=1e-10)
    assert found["states"] == view.walk


def test_states_are_those_of_the_model_step_by_step(view):
    """Against the model itself on every beginning of the word, and a plain walk along the transitions."""
    for view.network, view.word in product((0, 1), ("abbaab", "")):
        model, machine = view._modules[view.network], view._machine
        for t in range(len(view.word) + 1):
            _, h = model.gru(encode(view.word[:t]))
            torch.testing.assert_close(view.states[t].float(), h[0, 0], rtol=0, atol=1e-6)
            yes = model(encode(view.word[:t])).softmax(1)[0, 1]
            torch.testing.assert_close(view.probabilities[t].float(), yes, rtol=0, atol=1e-6)
            assert view.walk[t] == machine.state_after(view.word[:t])


def test_the_plane_is_that_of_all_short_words(view):
    view.network, view.word = 0, ""
    words = ["".join(word) for n in range(9) for word in product("ab", repeat=n)]
    assert len(view._data["networks"][0]["ends"]) == len(words) == 511
    with torch.no_grad():
        ends = torch.stack([view._modules[0].gru(encode(word))[1][0, 0] for word in words]).double()
    mean, axes, shares = view.plane
    torch.testing.assert_close(mean, ends.mean(0), rtol=0, atol=1e-6)
    variances = torch.linalg.eigvalsh((ends - ends.mean(0)).T @ (ends - ends.mean(0))).flip(0)
    torch.testing.assert_close(shares, variances[:2] / variances.sum(), rtol=0, atol=1e-5)
    torch.testing.assert_close(axes.T @ axes, torch.eye(2).double())
    assert view._data["networks"][0]["ends"] == [view._machine.state_after(word) for word in words]


def test_a_word_on_which_they_part_is_a_shortest_beginning(view):
    trained, other = (network["parting"] for network in view._data["networks"])
    assert trained is None
    view.network, view.word = 1, other
    assert view.parting == len(other)  # and no earlier
    accepted = view._modules[1](encode(other)).argmax(1).item() == 1
    assert accepted != view._machine.accepts(other)


def says(page):
    page.evaluate(FRAME)
    return page.locator(".gru-says").inner_text()


def lit(page):
    """The number of the machine's state that is lit, and the letters of the arrow that led there."""
    return [page.locator(f".gru-{kind}.gru-lit text").all_text_contents() for kind in ("node", "way")]


def test_typing_moves_both(open_views, view):
    view.word, view.network, view.step = "ab", 0, 2
    page = open_views(view)
    box = page.get_by_label("Type a word of a and b")
    box.fill("")
    assert "Before any letter the machine is in state 0" in says(page)
    assert lit(page) == [["0"], []]
    for word in ("b", "ba", "baa", "baab"):
        box.press_sequentially(word[-1])
        view.word = word
        assert f"After “{word}” the machine is in state {view.walk[-1]}" in says(page)
        nodes, ways = lit(page)
        assert nodes == [str(view.walk[-1])]
        assert len(ways) == 1
        assert word[-1] in ways[0]
        verb = "accept" if view._machine.accepts(word) else "refuse"
        assert f"both {verb} it" in says(page)
        assert page.locator(".gru-hop").get_attribute("d")


def test_steps_along_the_word_by_keyboard(open_views, view):
    view.word, view.network, view.step = "aba", 0, 3
    page = open_views(view)
    area = page.locator(".gru-stack")
    area.press("ArrowLeft")
    assert "After “ab”" in says(page)
    area.press("Home")
    assert "Before any letter" in says(page)


CLUSTERS = "(points) => $automaton.clustersOf(points, 0.1)"


def test_clouds_hang_together(page):
    row = [[0.08 * k, 0.5] for k in range(12)]  # each point near the next one, its ends far apart
    far = [[0.2, 0.9], [0.25, 0.9]]
    found = page.evaluate(CLUSTERS, [far[0], *row[::-1], far[1]])
    assert [sorted(group) for group in found] == [sorted(row), sorted(far)]  # the largest first
    assert page.evaluate(CLUSTERS, []) == []


def test_every_cloud_of_a_state_has_its_number(page, open_views, view):
    """A state of the machine may be several clouds; two stray points are none."""
    view.word, view.network, view.step = "ab", 0, 2
    script, page = page, open_views(view)
    labels = page.locator(".gru-cluster").all_inner_texts()
    assert set(labels) == {str(k) for k in range(len(view._machine.states))}
    lit = page.locator(".gru-cluster.gru-lit").all_inner_texts()
    assert set(lit) == {str(view.walk[-1])}
    assert len(lit) == labels.count(str(view.walk[-1]))
    for k, cloud in enumerate(page.locator(".gru-cloud").all()):
        dots = re.findall(r"M(\S+) (\S+)h0", cloud.get_attribute("d"))
        groups = script.evaluate(CLUSTERS, [[float(x), float(y)] for x, y in dots])
        assert labels.count(str(k)) == 1 + sum(len(group) >= 3 for group in groups[1:])


@pytest.mark.parametrize(("b", "words"), [(0, "comes to rest"), (1, "in a circle of states")])
def test_one_letter_again_and_again_rests_or_circles(open_views, b, words):
    """b leads from the other state on to itself, or back to the first."""
    turns = {(0, "a"): 0, (0, "b"): 1, (1, "a"): 1, (1, "b"): 1 - b}
    page = open_views(views.AutomatonReader(MODEL, gru.Automaton(["", "b"], turns, frozenset({1}), []), encode=encode))
    page.get_by_role("button", name="The same letter, forty times").click()
    page.evaluate(FRAME)
    assert words in page.locator(".gru-see").inner_text()


def drifting():
    """A network that hardly writes: after forty letters its state is on its way, far from that of any short word."""
    model = gru.GRUClassifier(3, 4, 2)
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
        model.gru.bias_ih_l0[4:8] = 4.0
        model.gru.weight_ih_l0[8:, 1] = torch.tensor([3.0, -2.0, 1.0, 0.5])
        model.gru.weight_ih_l0[8:, 0] = torch.tensor([-0.5, 1.0, 2.0, 0.0])
    turns = {(0, "a"): 1, (0, "b"): 0, (1, "a"): 0, (1, "b"): 1}
    return views.AutomatonReader(model, gru.Automaton(["", "a"], turns, frozenset({0}), []), encode=encode)


def test_the_state_is_always_on_the_plane_which_stays_while_something_is_tried(open_views):
    page = open_views(drifting())

    def look():
        page.evaluate(FRAME)
        x, y = re.match(r"M(\S+) (\S+)h0", page.locator(".gru-here").get_attribute("d")).groups()
        assert 0 < float(x) < 1
        assert 0 < float(y) < 1
        return [one.get_attribute("style") for one in page.locator(".gru-cluster").all()]

    first = look()
    for trial in ("The same letter, forty times", "Where they part", "Through every state"):
        if (button := page.get_by_role("button", name=trial)).is_visible():
            button.click()
            assert look() == first
    page.get_by_label("Type a word").fill("a" * 80)
    assert look() != first
    page.locator(".gru-stack").press("ArrowLeft")
    there = look()
    page.locator(".gru-stack").press("Home")
    assert look() == there  # whatever the step


def test_a_state_that_drifts_is_not_said_to_rest(open_views):
    page = open_views(drifting())
    page.get_by_role("button", name="The same letter, forty times").click()
    page.evaluate(FRAME)
    assert "has not come to rest" in page.locator(".gru-see").inner_text()


def test_the_tour_sees_every_state_and_comes_home(open_views, view):
    view.word, view.network, view.step = "", 0, 0
    page = open_views(view)
    page.get_by_role("button", name="Through every state").click()
    page.evaluate(FRAME)
    view.word = page.get_by_label("Type a word").input_value()
    assert set(view.walk) == set(range(len(view._machine.states)))
    assert view.walk[-1] == 0


def test_where_they_part_is_said_and_marked(open_views, view):
    view.network, view.word = 1, view._data["networks"][1]["parting"]
    view.step = len(view.word)
    page = open_views(view)
    assert view.word == "aa"  # the network refuses every word
    assert "They first part at letter 2, a." in says(page)
    assert page.locator(".gru-moment").inner_text() == "they part"
    assert page.get_by_role("button", name="Where they part").is_visible()
    page.locator("select").select_option("0")
    page.get_by_label("Type a word").fill("abab")
    assert "They agree after every letter" in says(page)
    assert not page.get_by_role("button", name="Where they part").is_visible()


@pytest.mark.parametrize(
    ("typed", "read", "foreign"),
    [
        ("abc", "ab", "c"),
        ("hello", "", "h"),
        ("a b", "a", "␣"),
        ("ab<img src=x onerror=document.title=1>", "ab", "<"),
        ("aB", "a", "B"),
        ("b日", "b", "日"),
    ],
)
def test_another_letter_gets_a_friendly_word(open_views, view, typed, read, foreign):
    view.word, view.network, view.step = "ab", 0, 2
    page = open_views(view)
    page.get_by_label("Type a word").fill(typed)
    words = says(page)
    assert f"It knows no letter but a and b: the word is read up to “{foreign}”, letter {len(read) + 1}." in words
    assert ("Before any letter" if not read else f"After “{read}”") in words
    assert page.title() == "Views"
    view.word = typed
    assert len(view.walk) == len(read) + 1


def test_a_long_word_is_read_up_to_80_letters(open_views, view):
    view.word, view.network, view.step = "", 0, 0
    page = open_views(view)
    page.get_by_label("Type a word").fill("ab" * 60)
    assert "Only the first 80 letters are read." in says(page)
    view.word = "ab" * 60
    assert len(view.walk) == 81


MACHINE = gru.Automaton(["", "a"], {(0, "a"): 1, (0, "b"): 0, (1, "a"): 1, (1, "b"): 0}, frozenset({1}), [])
MODEL = gru.GRUClassifier(3, 4, 2)


@pytest.mark.parametrize(
    ("arguments", "options", "kind", "message"),
    [
        ((gru.GRU(3, 4), MACHINE), {}, TypeError, "module: expected a GRUClassifier, got GRU"),
        ((MODEL, {}), {}, TypeError, "machine: expected an Automaton, got dict"),
        ((gru.GRUClassifier(4, 4, 2), MACHINE), {}, ValueError, "reads 3 numbers, as encode gives them"),
        (
            (gru.GRUClassifier(3, 4, 2, num_layers=2), MACHINE),
            {},
            ValueError,
            "module: expected one layer and direction",
        ),
        ((gru.GRUClassifier(3, 1, 2), MACHINE), {}, ValueError, "expected at least 2 units"),
        ((MODEL, MACHINE), {"accept": 2}, ValueError, "accept: expected a class from 0 to 1, got 2"),
        ((MODEL, MACHINE), {"names": ["a", "b"]}, ValueError, "names: expected 1, got 2"),
        ((MODEL, MACHINE), {"network": 1}, traitlets.TraitError, "network: expected 0 to 0, got 1"),
        (
            (MODEL, MACHINE),
            {"encode": lambda word: encode(word)[1:]},
            ValueError,
            "encode: expected a step or more for",
        ),
        (
            (MODEL, MACHINE),
            {"encode": lambda word: encode(word[::-1])},
            ValueError,
            "encode: expected a step or more for",
        ),
        ((MODEL, MACHINE), {"encode": lambda word: list(word)}, ValueError, "encode: expected the model's input"),
        ((MODEL, MACHINE), {"wrod": "a"}, TypeError, "did you mean word"),
    ],
)
def test_bad_arguments(arguments, options, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        views.AutomatonReader(*arguments, **({"encode": encode} | options))


def test_a_machine_that_cannot_be_drawn():
    large = gru.Automaton([""] * 25, {(k, "a"): 0 for k in range(25)}, frozenset(), [])
    with pytest.raises(ValueError, match="expected 1 to 24 states"):
        views.AutomatonReader(MODEL, large, encode=encode)
    wordy = gru.Automaton([()], {(0, "start"): 0}, frozenset(), [])
    with pytest.raises(ValueError, match="expected letters of one character"):
        views.AutomatonReader(MODEL, wordy, encode=encode)
