"""GatePuzzle: the page and PyTorch give the same numbers; every solution solves its wish; what one unit cannot do."""

import itertools
import random

import pytest
import torch
import traitlets
from views.conftest import FRAME

from gru import views
from gru.views._modules import bundle
from gru.views.gate_puzzle import LETTERS, SEQUENCES, START, WISHES

every_wish = pytest.mark.parametrize("wish", WISHES)


def truth(wish, letters):
    """What each wish says, in other words than its automaton."""
    seen = letters.count("A")
    return {
        "hold": "A" in letters,
        "last": letters.endswith("A"),
        "forget": letters.rfind("A") > letters.rfind("B"),
        "count": min(seen, 3),
        "toggle": seen % 2,
        "before": letters[-2:-1] == "A",
    }[wish]


def test_there_are_120_sequences():
    assert len(set(SEQUENCES)) == len(SEQUENCES) == 3 + 9 + 27 + 81
    assert list(SEQUENCES) == sorted(SEQUENCES, key=lambda one: (len(one), one))


@every_wish
def test_the_automaton_is_what_the_wish_says(wish):
    assert views.GatePuzzle(wish=wish).wanted == [int(truth(wish, letters)) for letters in SEQUENCES]


@every_wish
def test_every_solution_solves_all_and_longer_ones_too(wish):
    puzzle = views.GatePuzzle(wish=wish)
    assert puzzle.right < len(SEQUENCES)
    puzzle.reveal()
    assert puzzle.right == len(SEQUENCES)
    sequences = ["".join(one) for one in itertools.product(LETTERS, repeat=7)]  # B = 2187
    letters = torch.tensor([[LETTERS.index(letter) for letter in one] for one in sequences])  # (B, T)
    x = torch.eye(3, dtype=torch.double)[letters.T]  # (T, B, 3)
    cell, h = puzzle.cell, None
    with torch.no_grad():
        for x_t in x:
            h = cell(x_t, h)
    levels = max(WISHES[wish]["answers"])
    given = sum((h[:, 0] > (k + 1) / (levels + 1)).int() for k in range(levels))
    assert given.tolist() == [int(truth(wish, one)) for one in sequences]


def test_the_start_solves_nothing_and_each_weight_can_be_reached():
    assert all(views.GatePuzzle(wish=wish).right < 120 for wish in WISHES)
    for wish in WISHES.values():
        assert all(-6 <= value <= 6 and (4 * value).is_integer() for value in map(float, wish["weights"]))


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"wish": "chess"}, traitlets.TraitError),
        ({"units": 3}, traitlets.TraitError),
        ({"weights": [0.0] * 29}, traitlets.TraitError),
        ({"weights": [7.0, *START[1:]]}, traitlets.TraitError),
        ({"goal": "hold"}, TypeError),
    ],
)
def test_wrong_arguments(arguments, error):
    with pytest.raises(error):
        views.GatePuzzle(**arguments)


# What one unit cannot do


def answers_to_As(weights, count=40):
    """h after 1, 2, .. A's, of one unit."""
    cell, x = views.GatePuzzle(weights=weights).cell, torch.tensor([[1.0, 0, 0]], dtype=torch.double)
    h, found = torch.zeros(1, 1, dtype=torch.double), []
    with torch.no_grad():
        for _ in range(count):
            h = cell(x, h)
            found.append(h.item())
    return found


def test_one_unit_cannot_toggle_while_its_candidate_does_not_read_the_state():
    """h' lies between h and n, and n is one number: whatever r and z do, h goes one way, so the answer changes once."""
    draw = random.Random(0)
    for _ in range(300):
        weights = [draw.uniform(-6, 6) for _ in range(30)]
        weights[13] = 0.0  # U_n
        states = [0.0, *answers_to_As(weights)]
        steps = [b - a for a, b in itertools.pairwise(states)]
        assert all(step >= -1e-15 for step in steps) or all(step <= 1e-15 for step in steps)
        assert sum((a > 0.5) != (b > 0.5) for a, b in itertools.pairwise(states)) <= 1
        assert views.GatePuzzle(wish="toggle", weights=weights).right < 120


def test_nor_while_its_candidate_rises_with_the_state_and_r_does_not_read_it():
    draw = random.Random(1)
    for _ in range(300):
        weights = [draw.uniform(-6, 6) for _ in range(30)]
        weights[13], weights[3] = abs(weights[13]), 0.0  # U_n, U_r
        assert views.GatePuzzle(wish="toggle", weights=weights).right < 120


def test_a_unit_that_toggles_has_a_candidate_that_falls():
    puzzle = views.GatePuzzle(wish="toggle")
    puzzle.reveal()
    h = torch.linspace(-1, 1, 9, dtype=torch.double).unsqueeze(1)
    _, n_h = (puzzle.cell.weight_hh @ h.T)[[0, 2]]
    r = torch.sigmoid(puzzle.cell.weight_ih[0, 0])
    n = torch.tanh(puzzle.cell.weight_ih[2, 0] + r * n_h)
    assert (n.diff() < 0).all()
    assert n[0] > 0.5 >= n[-1]


# On the page


def random_weights(seed):
    draw = random.Random(seed)
    return [round(4 * draw.uniform(-6, 6)) / 4 for _ in range(30)]


@pytest.fixture(scope="module")
def script(browser):
    page = browser.new_page()
    page.add_script_tag(content=bundle("puzzle"))
    yield page
    page.close()


@pytest.mark.parametrize("units", [1, 2])
@pytest.mark.parametrize("seed", range(4))
def test_the_page_computes_what_torch_does(script, units, seed):
    puzzle = views.GatePuzzle(units=units, weights=random_weights(seed))
    found = script.evaluate(
        "([weights, units]) => $puzzle.runAll(weights, units).map(({ h }) => h)", [puzzle.weights, units]
    )
    torch.testing.assert_close(torch.tensor(found, dtype=torch.double), puzzle.states, atol=1e-12, rtol=0)
    assert script.evaluate("() => $puzzle.SEQUENCES.map(({ letters }) => letters)") == list(SEQUENCES)


@every_wish
def test_the_page_wants_what_python_wants_and_its_solution_solves(script, wish):
    found = script.evaluate(
        """(name) => {
          const { wantedOf, runAll, answerOf, cutsOf, WISHES } = $puzzle;
          const wish = WISHES[name];
          const given = runAll(wish.weights, wish.units).map(({ h }) => answerOf(h[0], cutsOf(wish)));
          return [wantedOf(wish), given];
        }""",
        wish,
    )
    assert found[0] == found[1] == views.GatePuzzle(wish=wish).wanted


@pytest.fixture
def puzzle(open_views):
    def puzzle(**traits):
        page = open_views(views.GatePuzzle(**traits))
        return page, page.locator(".gru-view")

    return puzzle


def says(page, root):
    page.evaluate(FRAME)
    return root.locator(".gru-says").inner_text()


def press(root, name):
    root.get_by_role("button", name=name, exact=True).click()


def test_a_reader_solves_hold_by_keyboard(puzzle):
    page, root = puzzle()
    assert says(page, root).startswith(f"{views.GatePuzzle().right} of 120")
    for name, key, times in (("A to z", "ArrowDown", 16), ("B to z", "End", 1), ("C to z", "End", 1)):
        root.get_by_role("slider", name=name).focus()
        for _ in range(times):
            page.keyboard.press(key)
    assert says(page, root).startswith("Solved: all 120 sequences")
    assert root.locator(".gru-wrong").count() == 0
    assert root.locator(".gru-best").inner_text() == "Your best: 120 of 120"


def test_the_cells_that_are_marked_are_those_that_are_wrong(puzzle):
    weights = random_weights(5)
    _, root = puzzle(wish="count", weights=weights)
    view = views.GatePuzzle(wish="count", weights=weights)
    wrong = [given != wanted for given, wanted in zip(view.given, view.wanted, strict=True)]
    marked = root.locator(".gru-cell").evaluate_all("(all) => all.map((one) => one.classList.contains('gru-wrong'))")
    assert marked == wrong
    assert any(wrong)


def test_a_revealed_solution_is_not_the_readers_best(puzzle):
    page, root = puzzle(wish="toggle")
    best = root.locator(".gru-best").inner_text()
    press(root, "Show a solution")
    assert says(page, root).startswith("Solved")
    assert root.locator(".gru-best").inner_text() == best
    assert root.get_by_role("button", name="Show a solution").is_disabled()
    page.reload()
    page.wait_for_function("document.querySelector('.gru-view').dataset.state === 'ready'")
    assert says(page, root).startswith(f"{views.GatePuzzle(wish='toggle').right} of 120")


def test_hints_come_one_by_one_and_go_with_the_wish(puzzle):
    page, root = puzzle()
    first, second = WISHES["hold"]["hints"]
    press(root, "Hint")
    assert first in says(page, root)
    press(root, "Another hint")
    assert second in says(page, root)
    assert root.get_by_role("button", name="Another hint").is_disabled()
    root.get_by_label("Wish").select_option("last")
    assert "Hint" not in says(page, root)


def test_a_wish_for_two_units_brings_them(puzzle):
    page, root = puzzle()
    root.get_by_label("Wish").select_option("before")
    page.evaluate(FRAME)
    assert root.get_by_role("radio", name="two").is_checked()
    assert not root.locator(".gru-panel-map").is_visible()
    root.get_by_label("Weights of").select_option(label="unit 2")
    root.get_by_role("slider", name="A to n").focus()
    before = says(page, root)
    page.keyboard.press("End")
    assert says(page, root) != before


def test_the_reset_gate_has_nothing_to_do_before_the_candidate_reads_the_state(puzzle):
    page, root = puzzle()
    root.locator("summary").click()
    slider = root.get_by_role("slider", name="A to r")
    assert slider.is_disabled()
    root.get_by_role("slider", name="h to n").focus()
    page.keyboard.press("ArrowUp")
    page.evaluate(FRAME)
    assert slider.is_enabled()
