"""ParallelNewton: the page's solution, its iterations and its exponent against Python's, and what a hand does."""

import re

import pytest
import torch
import traitlets
from torch import nn
from views.conftest import FRAME

import gru
from gru import views
from gru.views._modules import bundle

SOLVED = """([data, feedback]) => {
  const weights = { ...$gru.weightsOf({ weight_ih: data.weight_ih, bias_ih: data.bias_ih, bias_hh: data.bias_hh }) };
  weights.weight_hh = $gru.decode(data.weight_hh).map((value) => feedback * value);
  weights.reset_after = data.reset_after;
  const x = $gru.decode(data.x);
  const { states, residuals } = $newton.solve(x, weights);
  const { h } = $gru.forward(x, weights);
  return {
    states: states.map((one) => [...one]), residuals, h: [...h], exponent: $newton.exponent(x, weights, h),
    exact: states.map((one) => $newton.exactUpTo(one, h, data.hidden_size)),
  };
}"""


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page()
    page.add_script_tag(content=bundle("newton", "gru"))
    yield page
    page.close()


def view_of(kind, seed, feedback, T=30):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return views.ParallelNewton(kind(2, 5), torch.randn(T, 2), feedback=feedback)


def guesses(view, count):
    """Newton's guesses by a plain loop, before the first iteration and after each: (T, H) each."""
    cell, x = gru.convert.cell_from_layer(view.layer), view._inputs()[:, 0]
    guess = torch.zeros(len(x), view._data["hidden_size"], dtype=torch.float64)
    yield guess
    for _ in range(count):
        move, new = torch.zeros_like(guess[0]), []
        for t, x_t in enumerate(x):
            past = guess[t - 1] if t else torch.zeros_like(guess[0])
            J = torch.autograd.functional.jacobian(lambda h, x_t=x_t: cell(x_t.unsqueeze(0), h.unsqueeze(0))[0], past)
            move = J @ move + cell(x_t.unsqueeze(0), past.unsqueeze(0))[0] - guess[t]
            new.append((guess[t] + move).clamp(-1, 1))
        guess = torch.stack(new).detach()
        yield guess


@pytest.mark.parametrize("kind", [gru.ResetAfterCell, gru.ResetBeforeCell, nn.GRU, nn.GRUCell])
@pytest.mark.parametrize(("seed", "feedback"), [(0, 0.0), (1, 1.0), (2, 2.5), (3, 4.0)])
def test_the_page_solves_as_python_does(page, kind, seed, feedback):
    view = view_of(kind, seed, feedback)
    found, solution = page.evaluate(SOLVED, [view._data, view.feedback]), view.solution
    assert len(found["residuals"]) - 1 == solution.iterations < 30
    assert found["residuals"] == pytest.approx(solution.residuals, abs=1e-10)
    last = torch.tensor(found["states"][-1], dtype=torch.float64).view(30, 5)
    torch.testing.assert_close(last, solution.states[:, 0], rtol=0, atol=1e-10)
    assert (torch.tensor(found["h"], dtype=torch.float64).view(30, 5) - view.states).abs().max() < 1e-12
    assert found["exponent"] == pytest.approx(view.exponent, abs=1e-10)


@pytest.mark.parametrize("kind", [gru.ResetAfterCell, gru.ResetBeforeCell])
def test_each_guess_is_that_of_a_plain_loop(page, kind):
    view = view_of(kind, 4, 3.0)
    found = page.evaluate(SOLVED, [view._data, view.feedback])
    for k, guess in enumerate(guesses(view, len(found["residuals"]) - 1)):
        torch.testing.assert_close(
            torch.tensor(found["states"][k], dtype=torch.float64).view_as(guess), guess, rtol=0, atol=1e-10
        )
        assert found["exact"][k] >= k  # after k iterations the first k states are exact


def test_chaos_ends_and_is_the_run_as_far_as_rounding_lets_one_see(page):
    view = views.ParallelNewton(feedback=20.0)
    found = page.evaluate(SOLVED, [view._data, view.feedback])
    assert len(found["residuals"]) - 1 > 50
    assert found["residuals"][-1] <= 1e-10
    assert found["exact"][-1] == 60
    assert view.exponent > 0.1


def says(page):
    page.evaluate(FRAME)
    return page.locator(".gru-says").inner_text().replace("−", "-")


def test_the_headline_is_what_python_says(open_views):
    view = views.ParallelNewton(feedback=3.0)
    page = open_views(view)
    words = says(page)
    assert f"All 60 states at once take {view.solution.iterations} iterations" in words
    assert f"exponent is {view.exponent:.2f}: small differences shrink" in words
    note = page.get_by_text(
        f"exponent is {view.exponent:.2f}: small differences shrink.".replace("-", "−"), exact=False
    )
    assert note.last.is_visible(), "beside the drawings, not in the headline"
    assert "After 0 iterations none of the 60 states is that of the loop yet." in words


def test_a_name_stands_at_the_line_that_it_names(open_views):
    """Names push each other away: where guess and loop end in one place, "loop" stood beside the first guess."""
    page = open_views(views.ParallelNewton(feedback=20.0, iteration=5))
    names = page.locator(".gru-panel-guesses .gru-name")
    assert names.all_inner_texts() == ["loop", "guess"]
    page.get_by_role("slider", name="Step").press("End")
    assert "all 60 states" in says(page)
    assert names.all_inner_texts() == ["both"]


def test_an_iteration_is_not_called_a_step(open_views):
    """The steps of this drawing are those of the sequence, along its axis."""
    page = open_views(views.ParallelNewton(feedback=3.0, iteration=1))
    words = page.locator(".gru-transport .gru-value")
    count = int(re.search(r"take (\d+) iteration", says(page))[1])
    assert words.inner_text() == f"iteration 1 of {count}"
    assert "After 1 iteration the first of the 60 states is that of the loop." in says(page)


def test_more_feedback_takes_more_iterations(open_views):
    page = open_views(views.ParallelNewton(feedback=1.0))
    counts, slider = [], page.get_by_label("The state feeds back")
    for value in (1, 8, 20):
        slider.fill(str(value))
        counts.append(int(re.search(r"take (\d+) iteration", says(page))[1]))
    assert counts[0] < 6 < 30 < counts[1] < counts[2]
    assert "small differences grow" in says(page)


def test_steps_through_the_iterations_by_keyboard_and_button(open_views):
    page = open_views(views.ParallelNewton(feedback=3.0))
    page.get_by_role("button", name="Forward").click()
    assert "After 1 iteration the first of" in says(page)
    page.get_by_role("slider", name="Step").press("End")
    assert "all 60 states are those of the loop" in says(page)
    assert page.locator(".gru-panel-guesses .gru-moment").inner_text() == "exact"


def test_the_last_iteration_stays_the_last(open_views):
    page = open_views(views.ParallelNewton(feedback=3.0, iteration=99))
    assert "all 60 states" in says(page)
    page.get_by_label("The state feeds back").fill("8")
    assert "all 60 states" in says(page)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"module": gru.GRU(2, 17)}, ValueError, "expected at most 16 units and 100 steps, got 17 and 24"),
        ({"x": torch.zeros(101, 2)}, ValueError, "expected at most 16 units and 100 steps, got 8 and 101"),
        ({"x": torch.zeros(5, 3)}, ValueError, "x: expected shape (T, 2)"),
        ({"module": gru.ElmanCell(2, 3)}, TypeError, "module: expected"),
        ({"feedback": -1.0}, traitlets.TraitError, "feedback"),
        ({"unit": 8}, traitlets.TraitError, "unit: expected 0 to 7, got 8"),
        ({"feedbac": 1.0}, TypeError, "did you mean feedback"),
    ],
)
def test_bad_arguments(options, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        views.ParallelNewton(**options)
