"""PhasePlane: the page's map, rests, paths and gradients against Python's, and what a hand does in the square."""

import re

import pytest
import torch
import traitlets
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn
from views.conftest import FRAME

import gru
from gru import views
from gru.views._modules import bundle

READ = (
    """([w, x, after]) => $phase.rests($phase.mapOf(w, x, after)).map(({ h, values, kind }) => ({ h, values, kind }))"""
)
WALK = """([w, xs, after, start]) => {
  const { path, taken } = $phase.run((t) => $phase.mapOf(w, xs[t], after), start, xs.length);
  return { path, grads: $phase.gradients(taken), ...taken[0], jacobian: taken[0].jacobian() };
}"""
CELLS = [gru.ResetAfterCell, gru.ResetBeforeCell, nn.GRUCell, gru.GRU]


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page()
    page.add_script_tag(content=bundle("phase"))
    yield page
    page.close()


def plane(seed, scale, kind=gru.ResetAfterCell, **traits):
    """A view of random weights, within the range of its sliders."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = kind(1, 2)
        with torch.no_grad():
            for weight in module.parameters():
                weight.normal_().mul_(scale).clamp_(-6, 6)
    return views.PhasePlane(module, **traits)


def close(found, expected, tolerance=1e-10):
    found = torch.tensor(found, dtype=torch.float64).view_as(expected)
    torch.testing.assert_close(found, expected, rtol=0, atol=tolerance)


@settings(max_examples=16, deadline=None)  # Python takes most of a second for each
@given(
    seed=st.integers(0, 10_000),
    scale=st.sampled_from([0.5, 1.0, 2.0, 4.0]),
    x=st.floats(-2, 2),
    kind=st.sampled_from(CELLS[:2]),
)
def test_rests_are_those_of_python(page, seed, scale, x, kind):
    view = plane(seed, scale, kind, input=round(x, 3))
    found = page.evaluate(READ, [view.weights, view.input, view._data["reset_after"]])
    points = view.fixed_points
    near = [(points.h - torch.tensor(one["h"], dtype=torch.float64)).abs().amax(1) for one in found]
    # What moves by no more than 1e-10 may lie a little apart where a rest is just about to vanish; each is in both.
    slow = 1 / (1 - points.eigenvalues).abs().amin().item() if len(points.h) else 1.0
    room = 1e-10 * max(1.0, slow)
    assume(room < 1e-6)  # rests further apart count as two
    assert len(found) == len(points.h)
    assert all(distance.min() <= room for distance in near)
    assert len({int(distance.argmin()) for distance in near}) == len(points.h)
    for one, distance in zip(found, near, strict=True):
        k = distance.argmin()
        assert (one["kind"] == "rest") == bool(points.stable[k])
        sizes = sorted((abs(complex(*value)) for value in one["values"]), reverse=True)
        assert sizes == pytest.approx(points.eigenvalues[k].abs().tolist(), abs=1e-6)


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("seed", range(3))
def test_path_and_gradient_are_those_of_python(page, kind, seed):
    xs = torch.randn(12, generator=torch.Generator().manual_seed(seed)).double()
    view = plane(seed, 1.5, kind, sequences=[xs], sequence=1, start=[0.3, -0.7])
    found = page.evaluate(WALK, [view.weights, xs.tolist(), view._data["reset_after"], view.start])
    close(found["path"][1:], view.trace.h[:, 0])
    close(found["grads"], view.flow.grads[:, 0])
    trace = view.trace
    for name in "rzn":
        close(found[name], getattr(trace, name)[0, 0])
    start = torch.tensor(view.start, dtype=torch.float64).view(1, 1, 2)
    whole = gru.gradient_flow(view.cell, xs[:1].view(1, 1, 1), start)
    a, b, c, d = found["jacobian"]
    close([a + c, b + d], whole.grads[0, 0])


def test_the_layer_is_the_module(open_views):
    """Merged biases, and z that writes: the view's own layer takes the module's steps."""
    for kind in CELLS:
        view = plane(4, 1.0, kind, start=[0.2, 0.4])
        module = view._module.double()
        h = torch.tensor([view.start], dtype=torch.float64)
        x = torch.zeros(1, 1, dtype=torch.float64)
        for step in view.trace.h[:5, 0]:
            h = module(x, h) if "Cell" in kind.__name__ else module(x.unsqueeze(0), h.unsqueeze(0))[1][0]
            torch.testing.assert_close(step, h[0], rtol=0, atol=1e-7)


def says(page):
    page.evaluate(FRAME)
    return page.locator(".gru-says").inner_text()


def square(page):
    page.locator(".gru-square").scroll_into_view_if_needed()
    box = page.locator(".gru-square").bounding_box()
    return lambda a, b: (box["x"] + box["width"] * (1 + a / 1.08) / 2, box["y"] + box["height"] * (1 - b / 1.08) / 2)


def test_the_page_says_where_python_says_it_ends(open_views):
    view = views.PhasePlane(start=[0.5, -0.5])
    last = view.trace.h[-1, 0]
    words = says(open_views(view)).replace("−", "-")
    assert f"the state is at ({last[0]:.2f}, {last[1]:.2f})" in words
    assert "Two rests, one saddle" in words


def test_dragged_it_hops_and_leaves_a_trail(open_views):
    page = open_views(views.PhasePlane(), init="window.fast = window.setInterval")
    at = square(page)
    page.mouse.move(*at(-0.2, -0.9))
    page.mouse.down()
    page.mouse.move(*at(0.8, -0.3), steps=4)
    page.evaluate(FRAME)
    trail = "() => document.querySelector('.gru-trail').getAttribute('d').split('M').length - 1"
    assert page.evaluate(trail) == 1  # held, it does not move
    page.mouse.up()
    page.wait_for_function(f"() => ({trail})() === 41")
    words = says(page)
    assert re.search(r"After 40 hops from \(0\.8\d?, −0\.3\d?\)", words)
    page.get_by_role("button", name="Play").wait_for()  # it has come to its end


def test_a_rest_meets_a_saddle_and_both_vanish(open_views):
    page = open_views(views.PhasePlane())
    page.get_by_role("button", name="Push with the input").click()
    assert "One rest:" in says(page)
    page.get_by_role("button", name="Reset").click()
    assert "Two rests, one saddle:" in says(page)
    page.get_by_role("button", name="Weaker weights").click()
    assert "One rest: wherever it begins, the start is forgotten" in says(page)


def test_by_keyboard(open_views):
    page = open_views(views.PhasePlane(start=[0.0, 0.0]))
    page.locator(".gru-square").press("ArrowRight")
    assert "from (0.05, 0.00)" in says(page)
    page.locator(".gru-square").press("ArrowDown")
    assert "from (0.05, −0.05)" in says(page)


def test_the_transport_stands_under_the_axis_of_its_chart(open_views):
    """The slider's thumb stands where the cursor does, at both ends and between."""
    page = open_views(views.PhasePlane())
    plot, slider = page.locator(".gru-chart").bounding_box(), page.get_by_role("slider", name="Step").bounding_box()
    thumb = 16
    assert plot["y"] + plot["height"] < slider["y"] < plot["y"] + plot["height"] + 80
    assert slider["x"] + thumb / 2 == pytest.approx(plot["x"], abs=1)
    assert slider["width"] - thumb == pytest.approx(plot["width"], abs=1)


def test_in_the_book_square_and_time_stand_side_by_side(open_views):
    """Its column is 899 to 900 px wide: what is dragged and what comes of it are in sight together."""
    page = open_views(views.PhasePlane())
    page.locator(".gru-view").evaluate("(view) => { view.parentElement.style.width = '46.5rem'; }")
    page.evaluate(FRAME)
    square, time = (page.locator(f".gru-panel-{name}").bounding_box() for name in ("square", "time"))
    assert time["x"] > square["x"] + square["width"]
    assert time["y"] < square["y"] + 0.2 * square["height"]


def test_python_follows_the_traits():
    view = views.PhasePlane(sequences=[torch.zeros(5)])
    assert view.step == 40
    view.sequence = 1
    assert view.step == 5
    view.input = 1.0
    view.sequence = 0
    assert view.fixed_points.stable.tolist() == [True]


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"module": gru.GRU(2, 2)}, ValueError, "expected one input and two units, got input_size 2 and hidden_size 2"),
        ({"module": gru.ElmanCell(1, 2)}, TypeError, "module: expected"),
        ({"sequences": [torch.zeros(3, 2)]}, ValueError, "sequences[0]: expected shape (T,) or (T, 1)"),
        ({"sequences": [[1.0]]}, TypeError, "sequences[0]: expected a tensor"),
        ({"sequences": [torch.tensor([float("nan")])]}, ValueError, "sequences[0]: expected finite numbers"),
        ({"names": ["a"]}, ValueError, "names: expected 0, got 1"),
        ({"weights": [9.0] * 26}, traitlets.TraitError, "weights: expected numbers from -6 to 6, got 9.0"),
        ({"start": [0.0, 1.5]}, traitlets.TraitError, "start"),
        ({"step": 41}, traitlets.TraitError, "step: expected 0 to 40, got 41"),
        ({"sequence": 1}, traitlets.TraitError, "sequence: expected 0 to 0, got 1"),
        ({"sequense": 1}, TypeError, "did you mean sequence"),
    ],
)
def test_bad_arguments(options, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        views.PhasePlane(**options)


def test_only_what_is_true_of_the_cell_is_offered(open_views):
    """Wells and a ridge are spoken of only where there are any."""
    offered = ".gru-try li:not([hidden]) button"
    page = open_views(views.PhasePlane())
    names = ["Onto the ridge", "Push with the input", "Weaker weights", "Still water"]
    assert page.locator(offered).all_inner_texts() == names
    with torch.random.fork_rng():
        torch.manual_seed(1)
        page = open_views(views.PhasePlane(nn.GRU(1, 2)))
    assert page.locator(offered).all_inner_texts() == ["Push with the input", "Still water"]
    page.get_by_role("button", name="Push with the input").click()
    page.evaluate(FRAME)
    assert page.locator(".gru-see").inner_text().startswith("The rest has moved")
