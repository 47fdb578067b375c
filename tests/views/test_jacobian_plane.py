"""JacobianPlane: the page's geometry against torch, and what it must show."""

import math
import re

import pytest
import torch
import traitlets
from hypothesis import example, given, settings
from hypothesis import strategies as st
from views.conftest import FRAME

from gru import views
from gru.views._modules import bundle

entries = st.lists(st.floats(-2, 2).map(lambda entry: round(entry, 2)), min_size=4, max_size=4)


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page()
    page.add_script_tag(content=bundle("plane"))
    yield page
    page.close()


@settings(max_examples=80, deadline=None)
@example([0.0, 0.0, 0.0, 0.0])
@example([1.0, 0.0, 0.0, 1.0])
@example([0.5, 2.0, 0.0, 0.5])
@example([0.0, -1.0, 1.0, 0.0])
@given(entries)
def test_geometry_is_torchs(page, matrix):
    J = torch.tensor(matrix, dtype=torch.float64).view(2, 2)
    sizes, axes = page.evaluate("(m) => { const s = $plane.singular(m); return [s.sizes, s.axes]; }", matrix)
    torch.testing.assert_close(torch.tensor(sizes).double(), torch.linalg.svdvals(J), atol=1e-6, rtol=0)
    # The longest image of a vector of length 1 lies along the first axis: J^T of it is as long as sigma_1.
    first = torch.tensor(axes[0], dtype=torch.float64)
    assert (J.T @ first).norm().item() == pytest.approx(sizes[0], abs=1e-6)
    values, radius, directions = page.evaluate(
        "(m) => { const s = $plane.spectrum(m); return [s.values, s.radius, s.directions]; }", matrix
    )
    assert radius == pytest.approx(torch.linalg.eigvals(J).abs().max().item(), abs=1e-6)
    real = [value for value, imaginary in values if imaginary == 0]
    for direction in directions:
        v = torch.tensor(direction, dtype=torch.float64)
        assert min((J @ v - value * v).norm().item() for value in real) < 1e-6
    tenth = page.evaluate("(m) => $plane.power(m, 10)", matrix)
    expected = torch.linalg.matrix_power(J, 10)
    torch.testing.assert_close(torch.tensor(tenth).double().view(2, 2), expected, rtol=1e-6, atol=1e-9)


def test_a_singular_value_speaks_of_one_step_and_eigenvalues_of_many():
    plane = views.JacobianPlane(matrix=[0.7, 2.0, 0.0, 0.7])
    assert plane.singular_values[0] > 2
    assert plane.spectral_radius == pytest.approx(0.7)
    assert plane.norms.max() > 2
    assert plane.norms[-1] < 0.1
    turn = views.JacobianPlane(matrix=torch.tensor([[0.8, -0.6], [0.6, 0.8]]))
    torch.testing.assert_close(turn.norms, torch.ones(20).double(), rtol=1e-6, atol=0)


@pytest.mark.parametrize(("matrix", "power"), [([0.9, 1.1, -0.1, 0.6], 1), ([0.7, 2.0, 0.0, 0.7], 8)])
def test_page_says_what_python_computes(open_views, matrix, power):
    plane = views.JacobianPlane(matrix=matrix, power=power)
    page = open_views(plane)
    page.evaluate(FRAME)
    says = page.locator(".gru-says").inner_text()
    sizes = [float(size) for size in re.search(r"at most by ([\d.]+) and at least by ([\d.]+)", says).groups()]
    assert sizes == pytest.approx(plane.singular_values.tolist(), abs=6e-3)
    assert float(re.search(r"at most ([\d.]+) in size", says)[1]) == pytest.approx(plane.spectral_radius, abs=6e-3)
    norm = float(re.search(r"steps? stretch(?:es)? a vector at most by ([\d.]+)\.", says)[1])
    assert norm == pytest.approx(plane.norms[power - 1].item(), rel=0.05)
    title = page.locator(".gru-panel-plane .gru-title").text_content()
    assert title == f"the circle under J{power if power > 1 else ''}", "what is drawn, not J alone"
    named = page.locator(".gru-way").evaluate_all(
        "(all) => all.filter((one) => one.checkVisibility({ visibilityProperty: true })).length"
    )
    assert named == page.locator(".gru-kept").get_attribute("d").count("M"), "a name for every direction that is drawn"


def test_a_column_can_be_dragged(open_views):
    page = open_views(views.JacobianPlane(matrix=[1.0, 0.0, 0.0, 1.0]))
    page.locator(".gru-plane").scroll_into_view_if_needed()
    box = page.locator(".gru-plane svg").bounding_box()
    unit = min(box["width"], box["height"]) / 4.8

    def at(x, y):
        return box["x"] + box["width"] / 2 + x * unit, box["y"] + box["height"] / 2 - y * unit

    page.mouse.move(*at(1, 0))
    page.mouse.down()
    page.mouse.move(*at(0.5, 0.5), steps=4)
    page.mouse.up()
    page.mouse.move(*at(-1, -1))  # let go: nothing follows any more
    page.evaluate(FRAME)
    values = [page.locator(".gru-matrix output").nth(i).inner_text() for i in range(4)]
    assert values == ["0.50", "0.00", "0.50", "1.00"]


def test_bad_values_are_named():
    for name, value in [("matrix", [1.0, 2.0, 3.0]), ("matrix", [0.0, 0.0, 0.0, 2.5]), ("power", 0), ("power", 21)]:
        with pytest.raises(traitlets.TraitError, match=name):
            views.JacobianPlane(**{name: value})
    for value in ("a", None, [None] * 4):
        with pytest.raises(TypeError, match=r"matrix: expected a tensor \(2, 2\) or four numbers, got"):
            views.JacobianPlane(value)
    with pytest.raises(TypeError, match="did you mean matrix"):
        views.JacobianPlane(matrx=[1.0, 0.0, 0.0, 1.0])


@settings(max_examples=150, deadline=None)
@example([0.9, 1.1, -0.1, 0.6])
@example([0.0, 0.0, 0.0, 0.0])
@example([1.0, 2.0, 0.5, 1.0])
@example([2.0, 2.0, 2.0, 2.0])
@example([2.0, -2.0, 0.0, 0.0])
@given(entries)
def test_names_of_columns_touch_no_arrow_and_stay_inside(page, matrix):
    a, b, c, d = matrix
    tips = [(a, c), (b, d)]
    names = page.evaluate("(tips) => $plane.besideTips(tips, 2.4)", tips)
    for name in names:
        assert max(map(abs, name)) < 2.3
        for x, y in tips:
            share = min(1, max(0, (name[0] * x + name[1] * y) / (x * x + y * y or 1)))
            assert math.hypot(name[0] - share * x, name[1] - share * y) > 0.2
    assert math.dist(*names) > 0.25
