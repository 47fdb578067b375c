"""MemoryDial: what the dial promises, what is measured in a model, and the page with the same numbers."""

import itertools
import math
import re

import pytest
import torch
import traitlets
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import expect
from torch import nn
from views.conftest import FRAME
from views.models import KINDS, LENGTHS, D, dial, sequences

import gru
from gru import views
from gru.inspect.flow import state_jacobians
from gru.views._modules import bundle
from gru.views.memory_dial import BIT, carry, crossing, memory

FIXED = ("wrapped, another start", "elman", "own cell")  # the page cannot run them
BIASES = st.floats(-6, 6)


def tensor(values):
    return torch.tensor(values, dtype=torch.double)


# The dial


@settings(max_examples=60, deadline=None)
@given(b=BIASES, noise=st.floats(0.01, 0.5))
def test_what_the_dial_promises(b, noise):
    view = views.MemoryDial(update_bias=b, noise=noise, steps=1000)
    keep = torch.sigmoid(tensor(b)).item()
    assert view.keep == pytest.approx(keep)
    assert keep**view.time_constant == pytest.approx(1 / math.e, rel=1e-6)
    assert keep**view.half_life == pytest.approx(0.5, rel=1e-6)
    assert view.rule_of_thumb == pytest.approx(1 / (1 - keep)) == pytest.approx(1 + math.exp(b))
    # The rule is too long by more than half a step and less than one.
    assert 0.5 < view.rule_of_thumb - view.time_constant < 1
    n = view.readable_steps
    assert keep ** (n + 1) < noise * (1 + 1e-6)
    assert keep**n >= noise * (1 - 1e-6)
    torch.testing.assert_close(view.curve.double(), keep ** torch.arange(1001).double(), atol=1e-5, rtol=0)


@settings(max_examples=30, deadline=None)
@given(b=BIASES)
def test_where_z_writes_the_negated_bias_is_the_same_memory(b):
    keeps, writes = views.MemoryDial(update_bias=b), views.MemoryDial(update_bias=-b, z_keeps=False)
    for name in ("keep", "time_constant", "half_life", "rule_of_thumb", "readable_steps"):
        assert getattr(keeps, name) == getattr(writes, name)
    assert torch.equal(keeps.curve, writes.curve)


@settings(max_examples=60, deadline=None)
@given(keep=st.floats(0.05, 0.99), level=st.floats(0.01, 0.9))
def test_crossing_is_exact_where_memory_decays_evenly(keep, level):
    values = [keep**t for t in range(1000)]
    assert crossing(values, level) == pytest.approx(math.log(level) / math.log(keep))
    assert crossing(values[: math.floor(crossing(values, level)) + 1], level) is None


def test_a_memory_that_is_gone_at_once_crosses_within_the_first_step():
    assert 0 < crossing([1.0, 0.0, 0.0], 0.5) < 0.1


# What is measured


@settings(max_examples=15, deadline=None)
@given(b=st.floats(-3, 5), reset_after=st.booleans(), cell_writes=st.booleans())
def test_where_only_the_carry_path_is_open_all_three_curves_are_one(b, reset_after, cell_writes):
    if cell_writes:
        module = gru.ResetBeforeCell(D, 5).double()
        bias, sign = module.update_gate.bias, -1
    else:
        module = gru.GRU(D, 5, reset_after=reset_after).double()
        bias, sign = module.bias_ih_l0[5:10], 1
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
        bias += sign * b
    view = views.MemoryDial(module, torch.zeros(9, 2, D))
    expected = torch.sigmoid(tensor(b)) ** torch.arange(10)
    found = view.measured
    torch.testing.assert_close(found.whole, expected)
    torch.testing.assert_close(found.carry, expected)
    assert found.keep == pytest.approx(expected[1].item())
    assert view.z_keeps == (not cell_writes)
    assert abs(view._k - b) <= 0.05001
    assert view.measured_half_life == (
        None if expected[-1] >= 0.5 else pytest.approx(math.log(0.5) / math.log(expected[1]))
    )


@pytest.mark.parametrize("reset_after", [True, False])
def test_small_bits_measure_the_jacobian(reset_after):
    """Over all patterns of signs, the mean square that is left is |dh_T/dh_0|^2 / H."""
    torch.manual_seed(0)
    layer = gru.GRU(D, 4, reset_after=reset_after).double()
    x = torch.randn(6, D).double()
    signs = tensor(list(itertools.product([-1, 1], repeat=4)))

    def cell(x_t, h):
        return layer(x_t.unsqueeze(0), h.unsqueeze(0))[1][0]

    left = memory(cell, [x] * len(signs), signs, bit=1e-4)[-1]
    jacobian = state_jacobians(layer, x.unsqueeze(1))[0, 0]
    torch.testing.assert_close(left.square(), jacobian.square().sum() / 4, rtol=1e-5, atol=0)


@pytest.mark.parametrize("kind", ["nn.GRUCell", "own cell", "reset before, z writes", "elman", "double precision"])
def test_two_runs_of_the_module_itself(kind):
    view = dial(kind)
    module, (x, lengths) = view._module, sequences()
    x = x.to(next(module.parameters()).dtype)
    squares = torch.zeros(8, len(LENGTHS), dtype=torch.double)
    for i, steps in enumerate(LENGTHS):
        h0 = BIT * view._signs[0][i].view((1, 1, 5) if isinstance(module, nn.RNNBase) else (1, 5))
        high, low = (gru.trace(module, x[:steps, i : i + 1], start).h[:, 0] for start in (h0, -h0))
        squares[1 : steps + 1, i] = (high - low).square().mean(-1)
    counts = (torch.arange(8).unsqueeze(-1) <= lengths).sum(-1)
    expected = (squares.sum(-1) / counts).sqrt()
    torch.testing.assert_close(view.measured.whole[1:].double(), expected[1:], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_measured(kind):
    view = dial(kind)
    traces = view._traces
    for i, part in enumerate(view._data["parts"]):
        view.layer = i
        found = view.measured
        assert bool(part["reason"]) == (kind in FIXED)
        assert found.whole.shape == found.carry.shape == (1 + max(LENGTHS),)
        assert found.whole[0] == found.carry[0] == 1
        assert found.whole.isfinite().all()
        z = torch.cat([entry.z for entry in traces[i]])
        keep = (1 - z if part["convention"] == "writes" else z).mean().item()
        assert found.keep == pytest.approx(keep, abs=1e-5)
        if kind != "elman":
            assert view.keep == pytest.approx(keep, abs=0.013)  # to one decimal of the bias


def test_the_reverse_direction_counts_its_own_steps():
    layer, (x, _) = gru.GRU(D, 5, bidirectional=True), sequences()
    view = views.MemoryDial(layer, x[:, :2], layer=1)
    alone = gru.GRU(D, 5)
    alone.load_state_dict({name: getattr(layer, f"{name}_reverse") for name in alone.state_dict()})
    other = views.MemoryDial(alone, x[:, :2].flip(0))
    view._signs[1] = other._signs[0]
    view.update_bias = other.update_bias = 1.0
    assert view._data["parts"][1]["bias"] == other._data["parts"][0]["bias"]
    torch.testing.assert_close(view.measured.whole, other.measured.whole)


def test_more_bias_is_a_longer_memory_of_the_model():
    view, left = dial("classifier"), []
    for view.update_bias in (-4.0, 0.0, 4.0):
        left.append(view.measured.whole[-1].item())
    assert left[0] < left[1] < left[2]
    assert left[2] > 0.7


def test_where_z_writes_the_bias_is_negated_for_the_model_too():
    view = dial("classifier", update_bias=1.5)
    before = view.measured.whole
    view.z_keeps, view.update_bias = False, -1.5
    assert torch.equal(view.measured.whole, before)


def test_padding_may_hold_anything():
    x, lengths = sequences()
    x[LENGTHS[1] :, 1] = torch.nan
    view = dial("classifier")
    assert views.MemoryDial(view._module, x, lengths=lengths)._data == view._data


def test_a_sequence_counts_as_long_as_it_lasts():
    keeps = [torch.full((3, 2), 0.5), torch.full((1, 2), 0.25)]
    left = carry(keeps)
    torch.testing.assert_close(left, torch.tensor([1, math.sqrt((0.25 + 0.0625) / 2), 0.25, 0.125]))


def test_refresh_measures_again():
    view = dial("classifier")
    before, sent = view.measured.whole, view._data
    with torch.no_grad():
        view._module.gru.weight_hh_l0.mul_(3)
    view.refresh()
    assert view._data != sent
    assert view._data["start"] == sent["start"]
    assert not torch.allclose(view.measured.whole, before)


def test_the_module_is_left_as_it_was():
    module = gru.GRUClassifier(D, 5, 4, dropout=0.5).train()
    view = views.MemoryDial(module, sequences()[0])
    assert not view.measured.whole.requires_grad
    assert module.training
    assert all(parameter.grad is None for parameter in module.parameters())


def test_the_dial_follows_the_part_until_it_is_turned():
    view = dial("nn.GRU, two layers, both ways")
    biases = [part["bias"] for part in view._data["parts"]]
    assert len(set(biases)) > 1
    for view.layer in (2, 3, 0):
        assert view.update_bias == biases[view.layer]
    view.update_bias = 2.0
    view.layer = 2
    assert view.update_bias == 2.0


def test_part_that_is_never_called_is_not_measured():
    class Spare(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.spare = nn.GRU(D, 5), nn.GRU(D, 5)

        def forward(self, x):
            return self.used(x)[0]

    view = views.MemoryDial(Spare(), sequences()[0])
    assert view.measured is None
    assert view.measured_half_life is None
    assert "never called" in view._data["parts"][0]["reason"]


def test_a_cell_that_neither_keeps_nor_writes_has_no_carry_path():
    class Sum(nn.Module):
        hidden_size = 2

        def gates(self, x, h):
            return gru.Gates(x.sigmoid(), x.sigmoid(), x.tanh(), h + x)

    view = views.MemoryDial(Sum(), torch.randn(5, 1, 2))
    torch.testing.assert_close(view.measured.whole, torch.ones(6))
    assert view.measured.carry is None
    assert view.measured.keep is None
    assert view.measured_readable_steps is None


# Traits and refusals


def test_without_a_model():
    view = views.MemoryDial()
    assert view.measured is None
    assert view.measured_half_life is view.measured_readable_steps is None
    assert view.describe().startswith("Interactive view: a dial")
    assert views.MemoryDial(steps=200).step == 50


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("update_bias", 6.5, "update_bias: expected -6 to 6, got 6.5"),
        ("update_bias", math.nan, "update_bias: expected -6 to 6, got nan"),
        ("noise", 0.0, r"noise: expected 0\.01 to 0\.5, got 0\.0"),
        ("steps", 9, "steps: expected 10 to 1000, got 9"),
        ("steps", 2.5, "steps"),
        ("step", -1, "step: expected 0 to "),
        ("step", 1001, "step: expected 0 to "),
        ("layer", 1, "layer: expected 0 to 0, got 1"),
        ("z_keeps", "no", "z_keeps"),
        ("log", 2, "log"),
    ],
)
def test_traits_stay_in_range(name, value, message):
    view = dial("classifier")
    before = getattr(view, name)
    with pytest.raises(traitlets.TraitError, match=message):
        setattr(view, name, value)
    assert getattr(view, name) == before
    with pytest.raises(traitlets.TraitError, match=message):
        dial("classifier", **{name: value})


def test_a_shorter_axis_takes_the_cursor_along():
    view = views.MemoryDial(steps=200, step=150)
    view.steps = 100
    assert view.step == 100
    view.set_state({"steps": 300, "step": 250})
    assert (view.steps, view.step) == (300, 250)


X = sequences()[0]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: views.MemoryDial(noises=1), TypeError, "'noises'; did you mean noise?"),
        (lambda: views.MemoryDial("model", X), TypeError, "module: expected a torch.nn.Module, got str"),
        (lambda: views.MemoryDial(nn.Linear(D, 2), X), TypeError, "module: expected a cell"),
        (lambda: views.MemoryDial(gru.GRU(D, 4)), TypeError, "x: expected with a module"),
        (lambda: views.MemoryDial(x=X), TypeError, "x: expected with a module"),
        (lambda: views.MemoryDial(gru.GRU(D, 4), X * torch.nan), ValueError, "x: expected finite numbers"),
        (lambda: views.MemoryDial(gru.GRU(D, 4), X, lengths=[1]), ValueError, "lengths: expected 3"),
        (lambda: views.MemoryDial(gru.GRU(D, 4), []), ValueError, "x: expected at least one sequence"),
    ],
)
def test_what_does_not_fit_is_named(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.cuda
def test_any_device():
    here, (x, lengths) = dial("classifier", update_bias=1.5), sequences()
    there = views.MemoryDial(dial("classifier")._module.cuda(), x, lengths=lengths, update_bias=1.5)
    assert there.measured.whole.is_cuda
    assert not there._data["parts"][0]["reason"]
    torch.testing.assert_close(there.measured.whole.cpu(), here.measured.whole, atol=1e-3, rtol=0)
    fixed = views.MemoryDial(gru.ElmanCell(D, 5).cuda(), x)
    assert fixed._data["place"] == torch.cuda.get_device_name()
    assert fixed.measured.whole.is_cuda


# The page


@pytest.fixture(scope="module")
def module_page(browser):
    page = browser.new_page()
    page.add_script_tag(content=bundle("gru", "memory"))
    yield page
    page.close()


@settings(max_examples=40, deadline=None)
@given(b=BIASES, noise=st.floats(0.01, 0.5))
def test_page_has_the_formulas_of_python(module_page, b, noise):
    view = views.MemoryDial(update_bias=b, noise=noise)
    script = """([k, noise]) => {
      const { timeConstant, ruleOfThumb, until, whole } = $memory;
      return [timeConstant(k), until(k, 0.5), ruleOfThumb(k), whole(until(k, noise))];
    }"""
    expected = [view.time_constant, view.half_life, view.rule_of_thumb, view.readable_steps]
    assert module_page.evaluate(script, [b, noise]) == pytest.approx(expected, rel=1e-12)


@settings(max_examples=40, deadline=None)
@given(values=st.lists(st.floats(0, 2), min_size=1, max_size=9), level=st.floats(0.01, 0.9))
def test_page_finds_the_same_crossing(module_page, values, level):
    found = module_page.evaluate("([values, level]) => $memory.crossing(values, level)", [[1, *values], level])
    assert found == (None if (expected := crossing([1, *values], level)) is None else pytest.approx(expected))


MEASURE = """([part, k, bit]) => {
  const { whole, carry, keep } = $memory.kept($memory.partOf(part), k, bit);
  return [[...whole], [...carry], keep];
}"""


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in FIXED])
def test_page_measures_what_python_measures(module_page, kind):
    view = dial(kind)
    for layer, part in enumerate(view._data["parts"]):
        view.layer = layer
        for shift in (0.0, -2.5, 1.7):
            k = min(6.0, max(-6.0, part["bias"] + shift))
            view.update_bias = k if view.z_keeps else -k
            *curves, keep = module_page.evaluate(MEASURE, [part, k, BIT])
            found = view.measured
            for curve, name in zip(curves, ("whole", "carry"), strict=True):
                torch.testing.assert_close(tensor(curve), getattr(found, name).double(), atol=2e-6, rtol=1e-4)
            assert keep == pytest.approx(found.keep, abs=1e-6)


def says(page, index=0):
    page.evaluate(FRAME)
    return page.locator(".gru-says").nth(index).inner_text()


def as_number(text):
    """0.31, or 6.1·10⁻⁶."""
    digits, *power = text.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")).split("·10")
    return float(digits) * 10 ** int(power[0] if power else 0)


def times(page, column=0):
    """(half-life, time constant, rule, readable) as the table of "compare" gives them: by the dial, or as measured."""
    page.evaluate(FRAME)
    rows = page.locator(".gru-times tr").all()[1:]
    found = [row.locator("td").nth(column).inner_text() for row in rows]
    return [float(text.split()[0]) if re.match(r"[\d.]+ steps?$", text) else None for text in found]


@pytest.mark.parametrize("traits", [{}, {"update_bias": -3.0}, {"update_bias": -4.5, "z_keeps": False, "noise": 0.3}])
def test_page_says_what_python_computes(open_views, traits):
    view = views.MemoryDial(steps=1000, compare=True, **traits)
    page = open_views(view)
    text = says(page)
    assert text.startswith("z writes" if "z_keeps" in traits else "z keeps")
    assert float(re.search(r"half of it is left after ([\d.]+) step", text)[1]) == pytest.approx(
        view.half_life, abs=0.51
    )
    assert int(re.search(r"read for (\d+) of 1000 steps", text)[1]) == view.readable_steps
    expected = [view.half_life, view.time_constant, view.rule_of_thumb, view.readable_steps]
    assert times(page) == pytest.approx(expected, abs=0.51)
    assert times(page)[3] == view.readable_steps


@pytest.mark.parametrize("kind", ["classifier", "reset before, z writes", "own cell", "elman"])
def test_page_says_what_was_measured(open_views, kind):
    view = dial(kind, step=2, compare=True)
    page = open_views(view)
    found = view.measured
    half, third, _, read = times(page, 1)
    assert half == pytest.approx(view.measured_half_life, abs=0.051)
    assert third == pytest.approx(view.measured_time_constant, abs=0.051)
    assert read == view.measured_readable_steps
    by_dial, by_gates, whole = map(as_number, page.locator(".gru-reasons .gru-number").all_inner_texts())
    assert by_dial == pytest.approx(view.keep**2, abs=0.0051)
    assert by_gates == pytest.approx(found.carry[2].item(), abs=0.0051)
    assert whole == pytest.approx(found.whole[2].item(), abs=0.0051)
    assert f"the whole network {page.locator('.gru-reasons .gru-number').last.inner_text()}" in says(page)
    assert page.locator(".gru-why").is_visible() == (kind in FIXED)
    assert ("Measured by Python on the CPU" in page.locator(".gru-view").inner_text()) == (kind in FIXED)
    drawn = "(all) => all.map((one) => one.outerHTML)"
    lines = page.locator(".gru-line-plain, .gru-line-carry").evaluate_all(drawn)
    page.get_by_label("Bias b of the update gate").press("PageUp")
    page.evaluate(FRAME)
    now = page.locator(".gru-line-plain, .gru-line-carry").evaluate_all(drawn)
    assert (now == lines) == (kind in FIXED)


def test_it_opens_with_the_dial_one_curve_and_the_half_life(open_views):
    view = dial("classifier")
    page = open_views(view)
    lines = page.locator(".gru-panel-memory .gru-line")
    assert lines.count() == 1
    assert page.locator(".gru-moment").inner_text().startswith(f"half after {view.half_life:.1f} step")
    assert page.locator(".gru-noise, .gru-area").count() == 1
    assert not page.locator(".gru-compared").is_visible()
    page.get_by_label("Compare with the model").check()
    page.evaluate(FRAME)
    assert [line.get_attribute("class").split()[-1] for line in lines.all()] == [
        "gru-line-carry",
        "gru-line-plain",
        "gru-line-z",
    ]
    assert page.locator(".gru-noise").count() == 1
    assert "noise 0.10" in page.locator(".gru-lost").inner_text()
    assert page.locator(".gru-compared").is_visible()


@pytest.mark.parametrize(
    ("traits", "verdict"),
    [
        ({"update_bias": 6.0}, "The dial says kept, the model has forgotten"),
        ({"update_bias": -6.0}, "The dial says forgotten, the model still knows"),
        ({"update_bias": -6.0, "z_keeps": False}, "The dial says kept, the model has forgotten"),
    ],
)
def test_dial_and_model_are_told_apart(open_views, traits, verdict):
    """Of a model that the dial does not turn."""
    view = dial("own cell", compare=True, step=3, noise=0.2, **traits)
    left = view.measured.whole[3].item()
    view.noise = 0.9 * left if "still" in verdict else min(0.5, 1.1 * left)
    assert says(open_views(view)).startswith(verdict)


def test_the_curve_can_be_pulled(open_views):
    """And passes under the hand; the other way round where z writes."""
    for keeps in (True, False):
        page = open_views(views.MemoryDial(z_keeps=keeps, update_bias=2.0 if keeps else -2.0))
        slider = page.get_by_label("Bias b of the update gate")
        box = page.locator(".gru-handle").bounding_box()
        plot = page.locator(".gru-plot").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(x, y)
        page.mouse.down()
        assert float(slider.input_value()) == (2 if keeps else -2)
        share = 0.7
        page.mouse.move(x + 2, plot["y"] + (1 - share) * plot["height"], steps=3)
        page.evaluate(FRAME)
        k = -math.log(math.expm1(-math.log(share) / 10))
        assert float(slider.input_value()) == pytest.approx(k if keeps else -k, abs=0.06)
        page.mouse.up()
        page.mouse.move(0, 0)
        assert "After step 10 of 40," in says(page)


def test_a_turn_of_the_dial_by_mouse(open_views):
    page = open_views(views.MemoryDial())
    box = page.locator(".gru-dial svg").bounding_box()
    unit, x, y = box["width"] / 224, box["x"] + box["width"] / 2, box["y"] + box["width"] * 106 / 224

    def point(b):
        angle = math.radians(b * 135 / 6)
        return x + 80 * unit * math.sin(angle), y - 80 * unit * math.cos(angle)

    slider = page.get_by_label("Bias b of the update gate")
    page.mouse.move(*point(2))
    page.mouse.down()
    for b in (1, 0, -1, -2, -3):
        page.mouse.move(*point(b))
        assert float(slider.input_value()) == pytest.approx(b, abs=0.11)
    page.mouse.move(*point(-5.9))
    page.mouse.move(x - 0.45 * unit * 80, y + 100 * unit)  # into the gap: stays at the end
    assert float(slider.input_value()) == -6
    page.mouse.move(x + 0.45 * unit * 80, y + 100 * unit)  # and does not jump over it
    assert float(slider.input_value()) == -6
    page.mouse.up()
    page.mouse.move(*point(3))
    assert float(slider.input_value()) == -6
    # The focus is on the slider now, so the keyboard goes on from there.
    page.keyboard.press("ArrowRight")
    assert float(slider.input_value()) == pytest.approx(-5.9)
    expect(slider).to_have_attribute("aria-valuetext", re.compile("keeps 0.3 %"))


def test_z_writes_and_the_negated_bias(open_views):
    page = open_views(views.MemoryDial())
    curve = page.locator(".gru-line-z").get_attribute("d")
    equation = page.locator(".gru-equations").inner_text()
    page.get_by_label("writes").check(force=True)
    assert says(page).startswith("z writes: a step keeps 12 %")
    assert page.locator(".gru-line-z").get_attribute("d") != curve
    assert page.locator(".gru-equations").inner_text() != equation
    page.get_by_role("button", name="Negate b").click()
    assert says(page).startswith("z writes: a step keeps 88 %")
    assert page.locator(".gru-line-z").get_attribute("d") == curve
    assert float(page.get_by_label("Bias b of the update gate").input_value()) == -2
    page.get_by_role("button", name="Reset").click()
    assert says(page).startswith("z keeps: a step keeps 88 %")


def test_the_cursor_reads_the_curve(open_views):
    view = views.MemoryDial()
    page = open_views(view)
    plot = page.locator(".gru-plot")
    box = plot.bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 20)
    text = says(page)
    assert f"After step 20 of 40, {view.curve[20]:.2f} is left" in text
    assert plot.get_attribute("aria-label").endswith(f"at the cursor, t = 20: {view.curve[20]:.2f}")
    page.mouse.move(0, 0)
    assert f"After step 10 of 40, {view.curve[10]:.2f} is left" in says(page)


def test_the_layer_takes_an_unturned_dial_along(open_views):
    view = dial("nn.GRU, two layers, both ways")
    page = open_views(view)
    slider = page.get_by_label("Bias b of the update gate")
    page.get_by_label("Layer").select_option("2")
    page.evaluate(FRAME)
    assert float(slider.input_value()) == view._data["parts"][2]["bias"]
    own = slider.input_value()
    slider.press("ArrowRight")
    expect(slider).not_to_have_value(own)
    turned = slider.input_value()
    page.evaluate(FRAME)
    page.get_by_label("Layer").select_option("0")
    page.evaluate(FRAME)
    assert slider.input_value() == turned
