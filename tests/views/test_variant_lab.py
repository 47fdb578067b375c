"""VariantLab: when the two cells are one, and the page with the same numbers."""

import math
from itertools import permutations

import pytest
import torch
import traitlets
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from views.conftest import FRAME

import gru
from gru import views
from gru.equations import reset_after, reset_before
from gru.views._modules import bundle

NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
ROUNDING = 1e-12


def lab(**traits):
    return views.VariantLab(**traits)


def states(x, step, H):
    """h (T, H) of any step(x_t, h) -> h."""
    h, found = x.new_zeros(H), []
    for x_t in x:
        h = step(x_t, h)
        found.append(h)
    return torch.stack(found)


# When the two are one function


def test_the_usual_weights_differ_with_several_units_even_without_a_bias():
    assert lab(candidate_bias=0.0).difference.max() > 0.1


EQUAL = [{"units": 1}, {"diagonal": True}, {"resets": "same"}, {"scale": 0.0}]


@pytest.mark.parametrize("how", EQUAL, ids=str)
@pytest.mark.parametrize("scale", [0.5, 2.0, 4.0])
def test_they_are_equal_where_nothing_is_mixed_and_b_hn_is_zero(how, scale):
    traits = {"scale": scale, **how}
    assert lab(**traits, candidate_bias=0.0).difference.max() < ROUNDING
    assert lab(**traits, candidate_bias=1.0).difference.max() > 0.01  # and only then


@pytest.mark.parametrize("bias", [0.0, 1.0, 4.0])
def test_they_are_equal_where_every_r_is_one_whatever_the_bias(bias):
    view = lab(resets="open", candidate_bias=bias, scale=3.0)
    assert torch.equal(view.after.r, torch.ones_like(view.after.r))
    assert view.difference.max() < ROUNDING


def test_without_a_bias_the_first_step_always_agrees():
    difference = lab(candidate_bias=0.0).difference
    assert difference[0] < ROUNDING < difference[1]


def test_the_variants_are_those_of_the_equations():
    view = lab(candidate_bias=2.0, units=5)
    W, U, b_i, b_h, _ = view.weights
    for trace, step in ((view.after, reset_after), (view.before, reset_before)):
        torch.testing.assert_close(trace.h, states(view._x, lambda x, h, f=step: f(x, h, W, U, b_i, b_h).h, 5))


@pytest.mark.parametrize(
    "module",
    [gru.ResetAfterCell(2, 5), gru.ResetBeforeCell(2, 5), nn.GRUCell(2, 5), nn.GRU(2, 5), gru.GRU(2, 5, bias=False)],
    ids=lambda module: type(module).__name__,
)
def test_a_module_of_your_own(module):
    x = torch.randn(9, 2)
    view = views.VariantLab(module, x)
    expected = gru.trace(module, x if hasattr(module, "gates") or isinstance(module, nn.GRUCell) else x[:, None])
    found = view.after if view.weights.reset_after else view.before
    torch.testing.assert_close(found.h, expected.h.reshape(9, 5).double(), atol=1e-6, rtol=0)


def test_without_a_bias_of_its_own_the_slider_is_b_hn():
    view = views.VariantLab(gru.GRU(3, 4, bias=False))
    assert view.candidate_bias == 0
    view.candidate_bias = 1.5
    assert view.weights.bias_hh.tolist() == [0.0] * 8 + [1.5] * 4


def test_refresh_reads_the_module_again():
    module = gru.GRU(3, 4)
    view = views.VariantLab(module)
    before = view.difference
    with torch.no_grad():
        module.weight_hh_l0.mul_(2)
    view.refresh()
    assert not torch.equal(view.difference, before)
    torch.testing.assert_close(view.weights.weight_hh, module.weight_hh_l0.double())


# What is refused


@pytest.mark.parametrize(
    ("trait", "value", "message"),
    [
        ("candidate_bias", 4.5, "candidate_bias: expected 0 to 4, got 4.5"),
        ("candidate_bias", math.nan, "candidate_bias: expected 0 to 4, got nan"),
        ("scale", -0.1, "scale: expected 0 to 4, got -0.1"),
        ("units", 0, "units: expected 1 to 8, got 0"),
        ("units", 9, "units: expected 1 to 8, got 9"),
        ("unit", 8, "unit: expected 0 to 7, got 8"),
        ("step", 24, "step: expected 0 to 23, got 24"),
        ("resets", "none", "none"),
    ],
)
def test_traits_stay_in_their_range(trait, value, message):
    view = lab()
    with pytest.raises(traitlets.TraitError, match=message):
        setattr(view, trait, value)
    with pytest.raises(traitlets.TraitError, match=message):
        lab(**{trait: value})


def test_the_unit_follows_the_number_of_units():
    view = lab(unit=7)
    view.units = 3
    assert view.unit == 2


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((nn.Linear(2, 3),), TypeError, "module: expected ResetBeforeCell"),
        ((gru.GRU(3, 65),), ValueError, "module: expected at most 64 units, got hidden_size 65"),
        ((gru.GRU(3, 4), [[0.0]]), TypeError, r"x: expected a tensor \(T, 3\), got list"),
        (
            (gru.GRU(3, 4), torch.zeros(5, 2)),
            ValueError,
            r"x: expected shape \(T, 3\) with 1 to 200 steps, got \(5, 2\)",
        ),
        ((gru.GRU(3, 4), torch.zeros(0, 3)), ValueError, r"x: expected shape .* got \(0, 3\)"),
        ((gru.GRU(3, 4), torch.full((5, 3), math.nan)), ValueError, "x: expected finite numbers"),
    ],
)
def test_arguments_are_checked(arguments, error, message):
    with pytest.raises(error, match=message):
        views.VariantLab(*arguments)


def test_weights_must_be_finite():
    module = gru.GRU(3, 4)
    nn.init.constant_(module.bias_hh_l0, math.inf)
    with pytest.raises(ValueError, match="bias_hh: expected finite numbers"):
        views.VariantLab(module)


def test_global_random_state_is_left_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    lab()
    assert torch.equal(torch.rand(1), expected)


# The page


@pytest.fixture(scope="module")
def module_page(browser):
    page = browser.new_page()
    page.add_script_tag(content=bundle("gru", "layouts"))
    yield page
    page.close()


COMPUTE = """({ data, traits }) => {
  const names = ["x", "weight_ih", "weight_hh", "bias_ih", "bias_hh"];
  const given = Object.fromEntries(names.map((name) => [name, $gru.decode(data[name])]));
  const weights = $layouts.variant(given, { ...traits, has_bias: data.has_bias, reset_after: true });
  const [after, before] = [true, false].map((reset_after) => $gru.forward(given.x, { ...weights, reset_after }));
  return {
    after: [...after.h], before: [...before.h],
    weights: Object.fromEntries(Object.entries(weights).map(([k, v]) => [k, v.length ? [...v] : v])),
    terms: $layouts.terms(weights, after.r, after.h, traits.step, traits.unit),
    why: $layouts.agreement(weights, after.r),
  };
}"""


def computed(page, view):
    traits = {name: getattr(view, name) for name in view.state if name != "_data"}
    return page.evaluate(COMPUTE, {"data": view._data, "traits": traits})


def same_numbers(page, view):
    found = computed(page, view)

    def close(numbers, expected):
        torch.testing.assert_close(
            torch.tensor(numbers, dtype=torch.double).view(expected.shape), expected, atol=1e-9, rtol=0
        )

    for name in NAMES:
        close(found["weights"][name], getattr(view.weights, name))
    close(found["after"], view.after.h)
    close(found["before"], view.before.h)

    # The two terms are the whole difference inside the tanh, from the state that the cell with the reset after was in.
    W, U, b_i, b_h, _ = view.weights
    h = view.after.h[view.step - 1] if view.step else torch.zeros(view.units, dtype=torch.double)
    inside = [torch.atanh(f(view._x[view.step], h, W, U, b_i, b_h).n)[view.unit] for f in (reset_after, reset_before)]
    difference = found["terms"]["mixed"] + found["terms"]["scaled"]
    assert difference == pytest.approx((inside[0] - inside[1]).item(), abs=1e-8)
    # A reason is given exactly where the terms vanish for good.
    if found["why"]:
        assert view.difference.max() < 1e-9


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    D=st.integers(1, 4),
    H=st.integers(1, 6),
    T=st.integers(1, 12),
    kind=st.sampled_from(["after", "before", "no bias", "z writes"]),
    draw=st.data(),
)
def test_page_computes_what_python_computes(module_page, seed, D, H, T, kind, draw):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = {
            "after": lambda: gru.GRU(D, H),
            "before": lambda: gru.GRU(D, H, reset_after=False),
            "no bias": lambda: gru.GRU(D, H, bias=False),
            "z writes": lambda: gru.ResetBeforeCell(D, H),
        }[kind]()
        x = torch.randn(T, D)
    units = draw.draw(st.integers(1, H))
    view = views.VariantLab(
        module,
        x,
        units=units,
        unit=draw.draw(st.integers(0, units - 1)),
        step=draw.draw(st.integers(0, T - 1)),
        candidate_bias=draw.draw(st.sampled_from([0.0, 1.0, 2.5])),
        scale=draw.draw(st.sampled_from([0.0, 1.0, 2.0])),
        resets=draw.draw(st.sampled_from(["own", "same", "open"])),
        diagonal=draw.draw(st.booleans()),
    )
    same_numbers(module_page, view)


REASONS = [
    ({"units": 1}, "unit"),
    ({"scale": 0.0}, "zero"),
    ({"diagonal": True}, "diagonal"),
    ({"resets": "same"}, "same"),
]


@pytest.mark.parametrize(("traits", "reason"), REASONS)
def test_why_they_are_equal(module_page, traits, reason):
    assert computed(module_page, lab(candidate_bias=0.0, **traits))["why"] == {"mixed": reason, "scaled": "zero"}
    assert computed(module_page, lab(candidate_bias=0.1, **traits))["why"] is None


def test_why_they_are_equal_where_r_is_one(module_page):
    assert computed(module_page, lab(resets="open"))["why"] == {"mixed": "open", "scaled": "open"}
    assert computed(module_page, lab(candidate_bias=0.0))["why"] is None


def test_units_in_groups_with_one_reset_gate_each(module_page):
    module = gru.GRU(2, 4)
    with torch.no_grad():
        for weight in (module.weight_ih_l0, module.weight_hh_l0, module.bias_ih_l0, module.bias_hh_l0):
            weight[1], weight[3] = weight[0], weight[2]  # r of units 1 and 2, and of 3 and 4
        module.weight_hh_l0[8:10, 2:] = module.weight_hh_l0[10:, :2] = 0
        module.bias_hh_l0[8:] = 0
    view = views.VariantLab(module, torch.randn(9, 2))
    assert view.difference.max() < ROUNDING
    assert computed(module_page, view)["why"] == {"mixed": "blocks", "scaled": "zero"}


@pytest.fixture
def opened(open_views):
    def opened(view, **options):
        page = open_views(view, **options)
        return page, page.locator(".gru-view")

    return opened


def slide(page, label, value):
    page.get_by_role("slider", name=label).evaluate(
        "(one, value) => { one.value = value; one.dispatchEvent(new Event('input', { bubbles: true })); }", str(value)
    )
    page.evaluate(FRAME)


def test_the_reader_finds_out_when_they_are_equal(opened):
    page, root = opened(lab())
    says = root.locator(".gru-says")
    assert "They differ by up to 0.28" in says.inner_text()
    slide(page, "Bias", 0)
    assert "They differ" in says.inner_text()
    assert "reset gates differ" in says.inner_text()
    slide(page, "Units", 1)
    assert "Both cells are equal" in says.inner_text()
    assert "one unit" in says.inner_text()
    slide(page, "Bias", 1)
    assert "They differ" in says.inner_text()
    assert "only where it comes after" in says.inner_text()
    page.get_by_role("radio", name="all 1").check()
    page.evaluate(FRAME)
    assert "Every r is 1" in says.inner_text()
    slide(page, "Bias", 0)
    page.get_by_role("radio", name="one for all").check()
    slide(page, "Units", 8)
    assert "same r" in says.inner_text()
    page.get_by_role("radio", name="one per unit").check()
    page.get_by_label("Un diagonal").check()
    page.evaluate(FRAME)
    assert "no unit reads another" in says.inner_text()
    page.get_by_role("button", name="Reset", exact=True).click()
    page.evaluate(FRAME)
    assert "They differ by up to 0.28" in says.inner_text()


def test_the_cursor_shows_both_values(opened):
    view = lab(unit=2, step=6)
    page, root = opened(view)
    slide(page, "Step", 16)
    view.step = 15
    after, before = (trace.h[15, 2].item() for trace in (view.after, view.before))
    shown = {text.replace("−", "-") for text in root.locator(".gru-panel-states .gru-value-here").all_inner_texts()}
    assert shown == {f"{after:.2f}", f"{before:.2f}"}
    assert root.locator(".gru-panel-gaps .gru-value-here").inner_text() == f"{view.difference[15].item():.2f}"
    box = root.locator(".gru-panel-gaps .gru-plot").bounding_box()
    page.mouse.move(box["x"] + 1.5 * box["width"] / 24, box["y"] + 20)
    page.evaluate(FRAME)
    assert page.get_by_role("slider", name="Step").input_value() == "2"


def test_what_lies_between_the_lines_is_shaded(opened):
    _, root = opened(lab())
    band, *lines = (
        [tuple(map(float, point.split())) for point in one.get_attribute("d").strip("MZ").split("h")[0].split("L")]
        for one in root.locator(".gru-panel-states g path").all()
    )
    corners = {frozenset(band[:24]), frozenset(band[24:])}
    assert corners == {frozenset(line) for line in lines}


def test_what_was_tried_is_what_is_spoken_of(open_views):
    """With every r set to 1 by hand another button's words hold as well, but that is not what was tried."""
    page = open_views(views.VariantLab())
    pressed = page.locator(".gru-try [aria-pressed=true]")
    tried = page.get_by_role("button", name="One unit, no bias", exact=True)
    tried.click()
    page.get_by_role("radio", name="all 1").check()
    page.evaluate(FRAME)
    assert pressed.all_inner_texts() == ["One unit, no bias", "Every r is 1"]
    assert page.locator(".gru-see").inner_text() == tried.get_attribute("title")


def test_whatever_was_tried_before_what_is_to_be_seen_is_seen(open_views):
    """ "The two still differ", said of two equal lines, is worse than nothing said."""
    page = open_views(views.VariantLab())
    buttons = page.locator(".gru-try button")
    for first, then in permutations(range(buttons.count()), 2):
        page.get_by_role("button", name="Reset").click()
        for one in (first, then):
            buttons.nth(one).click()
            page.evaluate(FRAME)
            equal = page.locator(".gru-says").inner_text().startswith("Both cells are equal")
            assert page.locator(".gru-see").inner_text().startswith("Equal") == equal, (first, one)
