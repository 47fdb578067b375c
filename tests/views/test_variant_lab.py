"""VariantLab: when the two cells are one, how frameworks lay weights out, and the page with the same numbers."""

import math

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
from gru.views.variant_lab import FRAMEWORKS

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
    found = view.after if view.reset_after else view.before
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


# Layouts: each framework's own equations on the arrays give the states that are wanted


def linen(p, x, h):
    """flax.linen.GRUCell: six layers with names."""
    r = torch.sigmoid(x @ p["ir/kernel"] + p["ir/bias"] + h @ p["hr/kernel"])
    z = torch.sigmoid(x @ p["iz/kernel"] + p["iz/bias"] + h @ p["hz/kernel"])
    n = torch.tanh(x @ p["in/kernel"] + p["in/bias"] + r * (h @ p["hn/kernel"] + p["hn/bias"]))
    return (1 - z) * n + z * h


def equinox(p, x, h):
    from_x, from_h = (p["weight_ih"] @ x + p["bias"]).chunk(3), (p["weight_hh"] @ h).chunk(3)
    r, z = torch.sigmoid(from_x[0] + from_h[0]), torch.sigmoid(from_x[1] + from_h[1])
    n = torch.tanh(from_x[2] + r * (from_h[2] + p["bias_n"]))
    return n + z * (h - n)


def tf1(p, x, h):
    r, u = torch.sigmoid(torch.cat((x, h)) @ p["gates/kernel"] + p["gates/bias"]).chunk(2)
    c = torch.tanh(torch.cat((x, r * h)) @ p["candidate/kernel"] + p["candidate/bias"])
    return u * h + (1 - u) * c


def keras(p, x, h):
    """keras.layers.GRUCell: columns of z, r, h; two rows of biases where the reset comes after."""
    after = p["bias"].dim() == 2
    b_x, b_h = p["bias"] if after else (p["bias"], torch.zeros_like(p["bias"]))
    from_x = (x @ p["kernel"] + b_x).chunk(3)
    U = p["recurrent_kernel"].chunk(3, 1)
    z = torch.sigmoid(from_x[0] + h @ U[0] + b_h.chunk(3)[0])
    r = torch.sigmoid(from_x[1] + h @ U[1] + b_h.chunk(3)[1])
    n = torch.tanh(from_x[2] + (r * (h @ U[2] + b_h.chunk(3)[2]) if after else (r * h) @ U[2]))
    return z * h + (1 - z) * n


STEPS = {"flax": linen, "equinox": equinox, "tf1": tf1, "keras": keras}


@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_arrays_give_the_states_in_the_framework(framework, after):
    view = lab(framework=framework, reset_after=after, units=6)
    arrays, x = view.arrays, view._x
    if framework == "pytorch":
        layer = nn.GRU(3, 6).double()
        layer.load_state_dict(arrays)
        found = layer(x)[0].detach()
    elif framework == "onnx":
        found = gru.convert.from_onnx(**arrays, linear_before_reset=int(after))(x[:, None])[0].squeeze(1).detach()
    else:
        found = states(x, lambda x_t, h: STEPS[framework](arrays, x_t, h), 6)
    wanted = (view.after if after else view.before).h
    if framework in ("keras", "onnx") or after == (framework != "tf1"):
        torch.testing.assert_close(found, wanted, atol=ROUNDING, rtol=0)
        assert view.mistakes["layout"] < ROUNDING
    else:  # the framework has only the other variant, and the view says by how much it is off
        assert (found - wanted).abs().max().item() == pytest.approx(view.mistakes["layout"])
        assert view.mistakes["layout"] == pytest.approx(view.difference.max().item())
        assert list(view.mistakes) == ["layout"]


def test_what_each_mistake_is():
    view = lab(framework="onnx")
    x, right, wanted = view._x, view.arrays, view.after.h

    def error(reset_after=1, **wrong):
        layer = gru.convert.from_onnx(**{**right, **wrong}, linear_before_reset=reset_after)
        return (layer(x[:, None])[0].squeeze(1) - wanted).abs().max().item()

    W, R, B = right["W"], right["R"], right["B"]
    swap = torch.arange(24).view(3, 8)[[1, 0, 2]].flatten()
    sign = torch.cat((-torch.ones(8), torch.ones(16)))  # rows of z, r, h
    merged = torch.cat((B[:, :16], B[:, 16:24] + B[:, 40:], B[:, 24:40], torch.zeros(1, 8)), 1)
    assert view.mistakes == {
        "layout": pytest.approx(0, abs=ROUNDING),
        "variant": pytest.approx(error(reset_after=0)),
        "order": pytest.approx(error(W=W[:, swap], R=R[:, swap], B=B[:, torch.cat((swap, 24 + swap))])),
        "sign": pytest.approx(error(W=W * sign[:, None], R=R * sign[:, None], B=B * sign.repeat(2))),
        "recurrent": pytest.approx(error(R=torch.cat([block.T for block in R[0].chunk(3)])[None])),
        "kernel": None,
        "merged": pytest.approx(error(B=merged)),
        "dropped": pytest.approx(error(B=torch.cat((B[:, :24], torch.zeros(1, 24)), 1))),
    }
    assert min(value for name, value in view.mistakes.items() if value and name != "layout") > 0.05


def test_a_square_kernel_is_not_refused():
    assert lab(units=3).mistakes["kernel"] > 0.01
    assert lab(units=4).mistakes["kernel"] is None


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
        ("framework", "chainer", "chainer"),
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
  const weights = $layouts.variant(given, { ...traits, has_bias: data.has_bias });
  const [after, before] = [true, false].map((reset_after) => $gru.forward(given.x, { ...weights, reset_after }));
  const truth = (weights.reset_after ? after : before).h;
  const { variants, layout } = $layouts.FRAMEWORKS[traits.framework];
  const reads = variants.includes(weights.reset_after) ? weights.reset_after : variants[0];
  const filled = $layouts.fill(weights, layout(reads));
  const arrays = filled.map(({ shape, values }, i) => [layout(reads)[i].name, shape, [...values]]);
  return {
    after: [...after.h], before: [...before.h], arrays,
    weights: Object.fromEntries(Object.entries(weights).map(([k, v]) => [k, v.length ? [...v] : v])),
    mistakes: $layouts.mistakes(traits.framework, weights, given.x, truth).map(({ name, error }) => [name, error]),
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
    arrays = {name: (tuple(shape), values) for name, shape, values in found["arrays"]}
    # Where the framework has only the other variant, the page fills what comes nearest, as Python does.
    assert {name: shape for name, (shape, _) in arrays.items()} == {k: tuple(v.shape) for k, v in view.arrays.items()}
    for name, array in view.arrays.items():
        close(arrays[name][1], array)
    assert dict(found["mistakes"]) == {
        name: None if error is None else pytest.approx(error, abs=1e-9) for name, error in view.mistakes.items()
    }
    assert [name for name, _ in found["mistakes"]] == list(view.mistakes)

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
        reset_after=draw.draw(st.booleans()),
        framework=draw.draw(st.sampled_from(FRAMEWORKS)),
    )
    same_numbers(module_page, view)


@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_page_computes_what_python_computes_for_every_framework(module_page, framework, after):
    # Step and unit where both terms are large.
    same_numbers(module_page, lab(framework=framework, reset_after=after, step=7, unit=3))


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
    verdict = root.locator(".gru-verdict")
    assert "They differ by up to 0.28." in verdict.inner_text()
    slide(page, "Candidate’s bias", 0)
    assert "They differ" in verdict.inner_text()
    assert "reset gates differ" in verdict.inner_text()
    slide(page, "Units", 1)
    assert "Equal." in verdict.inner_text()
    assert "one unit" in verdict.inner_text()
    assert "Both cells are equal" in root.locator(".gru-says").inner_text()
    slide(page, "Candidate’s bias", 1)
    assert "They differ" in verdict.inner_text()
    assert "only where it comes after" in verdict.inner_text()
    page.get_by_role("radio", name="all 1").check()
    page.evaluate(FRAME)
    assert "Every r is 1" in verdict.inner_text()
    slide(page, "Candidate’s bias", 0)
    page.get_by_role("radio", name="one for all").check()
    slide(page, "Units", 8)
    assert "same r" in verdict.inner_text()
    page.get_by_role("radio", name="one a unit").check()
    page.get_by_label("Un diagonal").check()
    page.evaluate(FRAME)
    assert "no unit reads another" in verdict.inner_text()
    page.get_by_role("button", name="Reset", exact=True).click()
    page.evaluate(FRAME)
    assert "They differ by up to 0.28." in verdict.inner_text()


def test_the_cursor_shows_both_values(opened):
    view = lab(unit=2, step=6)
    page, root = opened(view)
    slide(page, "Step", 16)
    view.step = 15
    after, before = (trace.h[15, 2].item() for trace in (view.after, view.before))
    shown = root.locator(".gru-panel-states .gru-value").inner_text().replace("−", "-")
    assert shown == f"after {after:.2f}, before {before:.2f}"
    assert root.locator(".gru-panel-gaps .gru-value").inner_text() == f"{view.difference[15].item():.2f}"
    box = root.locator(".gru-panel-gaps .gru-plot").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 23, box["y"] + 20)
    page.evaluate(FRAME)
    assert page.get_by_role("slider", name="Step").input_value() == "2"


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_table_opens_a_framework(opened, framework):
    view = lab(framework=framework)
    page, root = opened(lab(framework="keras" if framework == "pytorch" else "pytorch"))
    name = {"pytorch": "PyTorch", "keras": "Keras", "onnx": "ONNX", "tf1": "TF1"}.get(framework, framework.title())
    root.locator(f"input[value={framework}]").check()
    page.evaluate(FRAME)
    assert root.locator("tr.gru-chosen th").inner_text() == name
    assert root.locator(".gru-array code").all_inner_texts() == list(view.arrays)
    shapes = root.locator(".gru-array .gru-note").all_inner_texts()
    assert shapes == [str(tuple(array.shape)) for array in view.arrays.values()]
    errors = [error for label, error in view.mistakes.items() if framework == "tf1" or label != "layout"]
    items = root.locator(".gru-errors li").all_inner_texts()
    assert len(items) == len(errors)
    for item, error in zip(items, errors, strict=True):
        assert ("refused" in item) if error is None else item.endswith(f"{error:.2f}"), item
    assert name in root.locator(".gru-says").inner_text()


def test_tf1_takes_weights_for_the_reset_before(opened):
    page, root = opened(lab(framework="tf1"))
    assert (
        "TF1 resets before the product only, so it cannot compute this cell" in root.locator(".gru-remark").inner_text()
    )
    page.get_by_role("radio", name="reset before").check()
    page.evaluate(FRAME)
    assert "cannot" not in root.locator(".gru-remark").inner_text()
    rights = root.locator("td.gru-right").all_inner_texts()
    assert [text.startswith("off by") for text in rights] == [True, False, False, False, True, True]
