"""The page's own mathematics against torch, in a browser, and what all views draw and are moved with."""

import base64
import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gru.equations import Weights, step
from gru.views._modules import bundle

NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")

RUN = """({ x, h0, weights, bias }) => {
  const run = $gru.forward(x, weights, { h0, bias });
  return Object.fromEntries(Object.entries(run).map(([k, v]) => [k, [...v]]));
}"""


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page()
    page.add_script_tag(content=bundle("gru", "draw", "chart", "controls", "host"))
    yield page
    page.close()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    T=st.integers(1, 12),
    D=st.integers(1, 6),
    H=st.integers(1, 7),
    reset_after=st.booleans(),
    has_bias=st.booleans(),
    has_h0=st.booleans(),
    bias=st.sampled_from([0.0, -6.0, 2.5, 6.0]),
    scale=st.sampled_from([0.3, 1.0, 5.0]),
)
def test_forward_is_torch(page, seed, T, D, H, reset_after, has_bias, has_h0, bias, scale):
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return (scale * torch.randn(*shape, generator=generator)).double()

    x, h0 = normal(T, D), normal(H) if has_h0 else torch.zeros(H, dtype=torch.double)
    leaves = [normal(3 * H, D), normal(3 * H, H), *([normal(3 * H), normal(3 * H)] if has_bias else [])]
    weights = Weights(*leaves, *([] if has_bias else [None, None]), reset_after=reset_after)

    on_z = torch.zeros(3 * H, dtype=torch.double)
    on_z[H : 2 * H] = bias
    biased = weights._replace(bias_ih=on_z + (weights.bias_ih if has_bias else 0))
    h, steps = h0, []
    for x_t in x:
        steps.append(step(x_t, h, biased))
        h = steps[-1].h

    def plain(tensor):
        return None if tensor is None else tensor.flatten().tolist()

    sent = {name: plain(getattr(weights, name)) for name in NAMES} | {"reset_after": reset_after}
    arguments = {"x": plain(x), "h0": plain(h0) if has_h0 else None, "weights": sent, "bias": bias}
    run = page.evaluate(RUN, arguments)

    for name in "rznh":
        torch.testing.assert_close(
            torch.tensor(run[name], dtype=torch.double).view(T, H),
            torch.stack([getattr(s, name) for s in steps]),
            atol=1e-6,
            rtol=0,
        )


def test_decode_reads_float32(page):
    values = np.array([0.0, -1.5, 3.1415927, 1e-30, -2e30], dtype="<f4")
    text = base64.b64encode(values.tobytes()).decode()
    assert page.evaluate("(text) => [...$gru.decode(text)]", text) == values.astype(float).tolist()


@pytest.mark.parametrize(
    ("value", "digits", "text"), [(-0.004, 2, "0.00"), (-0.3, 1, "−0.3"), (2, 1, "2.0"), (-6, 0, "−6")]
)
def test_numbers_are_written_as_people_write_them(page, value, digits, text):
    assert page.evaluate("([v, d]) => $draw.format(v, d)", [value, digits]) == text


@settings(max_examples=40, deadline=None)
@given(wanted=st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_labels_never_touch(page, wanted):
    gap = 0.14
    places = page.evaluate("([wanted, gap]) => $draw.spread(wanted, gap)", [wanted, gap])
    ordered = sorted(places)
    assert all(b - a >= gap - 1e-9 for a, b in pairwise(ordered))
    assert ordered[-1] <= 1 + 1e-9
    assert ordered[0] >= -1e-9
    if len(wanted) == 1:
        assert places == wanted


def test_ramp_goes_from_stop_to_stop(page):
    colours = page.evaluate("() => [...$draw.ramp(['#000000', '#102030', '#fff'])]")
    ends = [colours[4 * i : 4 * i + 4] for i in (0, 127, 254)]
    assert ends == [[0, 0, 0, 255], [16, 32, 48, 255], [255, 255, 255, 255]]


# Numbers on axes and behind sliders

RANGES = {"low": st.floats(-1e3, 1e3), "span": st.floats(1e-3, 1e4), "most": st.integers(2, 12)}


def number(text):
    """What a text of short(), power() or tidy() says."""
    plain = text.translate(str.maketrans("−⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "--0123456789"))
    head, _, tail = plain.rpartition("·")
    if text == "∞":
        return math.inf
    if "·" in text or set(text) & set("⁻⁰¹²³⁴⁵⁶⁷⁸⁹"):
        return float(head or 1) * 10.0 ** int(tail[2:] or 1)
    return float(plain)


@settings(max_examples=60, deadline=None)
@given(**RANGES)
def test_ticks_are_round_and_evenly_spaced_within_the_range(page, low, span, most):
    high = low + span
    ticks = page.evaluate("([low, high, most]) => $draw.ticks(low, high, most)", [low, high, most])
    slack = 1e-8 * span
    assert all(low - slack <= tick <= high + slack for tick in ticks)
    assert len(ticks) <= most
    if most >= 6:
        assert len(ticks) >= 2, "an axis needs two numbers to be read"
    for one, other in pairwise(ticks):
        digit = float(f"{other - one:.6e}".split("e")[0])
        assert digit in (1, 2, 5, 10)
    texts = page.evaluate("(ticks) => ticks.map($draw.tidy)", ticks)
    for tick, text in zip(ticks, texts, strict=True):
        assert number(text) == pytest.approx(tick, rel=1e-9, abs=1e-12)
        assert len(text) <= 10


def test_ticks_of_an_empty_range(page):
    assert page.evaluate("() => [$draw.ticks(3, 3, 5), $draw.ticks(2, 1, 5)]") == [[3], [2]]


@settings(max_examples=60, deadline=None)
@given(low=st.floats(-60, 10), span=st.floats(0.5, 70), most=st.integers(2, 8))
def test_decades_are_whole_and_evenly_spaced(page, low, span, most):
    decades = page.evaluate("([low, high, most]) => $draw.decades(low, high, most)", [low, low + span, most])
    assert all(exponent == round(exponent) for exponent in decades)
    assert all(low - 1e-6 <= exponent <= low + span + 1e-6 for exponent in decades)
    assert len(decades) <= most
    assert len({other - one for one, other in pairwise(decades)}) <= 1
    if span >= 2 and most >= 5:
        assert len(decades) >= 2


@pytest.mark.parametrize(
    ("exponent", "text"), [(0, "1"), (1, "10"), (2, "10²"), (-1, "10⁻¹"), (-30, "10⁻³⁰"), (14, "10¹⁴")]
)
def test_powers_of_ten(page, exponent, text):
    assert page.evaluate("(exponent) => $draw.power(exponent)", exponent) == text


@settings(max_examples=80, deadline=None)
@given(digits=st.floats(1, 9.999), exponent=st.integers(-40, 40), sign=st.sampled_from([1, -1]))
def test_short_numbers_say_two_digits_in_few_characters(page, digits, exponent, sign):
    value = sign * digits * 10.0**exponent
    text = page.evaluate("(value) => $draw.short(value)", value)
    assert number(text) == pytest.approx(value, rel=0.0501)
    assert len(text) <= 10
    assert (text[0] == "−") == (sign < 0)


def test_short_says_what_is_no_number(page):
    texts = page.evaluate("() => [0, -0, NaN, Infinity, -Infinity].map($draw.short)")
    assert texts == ["0", "0", "–", "∞", "−∞"]


# Charts

CHART = """(what) => {
  const chart = $chart.chart("test", ["of tests"], { along: "steps" });
  document.body.replaceChildren(chart.panel);
  chart.draw(what);
  const texts = (selector) => [...chart.panel.querySelectorAll(selector)].map((one) => one.textContent);
  return {
    paths: [...chart.panel.querySelectorAll(".gru-line")].map((path) => path.getAttribute("d")),
    kinds: [...chart.panel.querySelectorAll(".gru-line")].map((path) => path.getAttribute("class")),
    rows: texts(".gru-tick"), names: texts(".gru-end"), columns: texts(".gru-axis-x span"),
    places: [...chart.panel.querySelectorAll(".gru-end")].map((one) => parseFloat(one.style.top)),
  };
}"""


def points(path):
    """Every M or L of a path, as (letter, x, y)."""
    return [
        (one[0], *map(float, one[1:].split()))
        for one in path.split("h")[0].replace("L", "|L").replace("M", "|M").split("|")[1:]
    ]


def test_a_chart_draws_values_where_its_numbers_say(page):
    line = {"values": [0, 5, 10, 2.5], "kind": "gru-line-z", "name": "z"}
    late = {"values": [10, 0], "from": 1, "by": 0.5, "kind": "gru-line-h", "name": "<b>h</b>"}
    drawn = page.evaluate(CHART, {"x": [0, 3], "y": [0, 10], "lines": [line, late]})
    assert points(drawn["paths"][0]) == [("M", 0, 1), ("L", 0.3333, 0.5), ("L", 0.6667, 0), ("L", 1, 0.75)]
    assert points(drawn["paths"][1]) == [("M", 0.3333, 0), ("L", 0.5, 1)]
    assert drawn["kinds"] == ["gru-line gru-line-z", "gru-line gru-line-h"]
    assert drawn["names"] == ["z", "<b>h</b>"]
    assert abs(drawn["places"][0] - drawn["places"][1]) >= 13 - 1e-9
    assert drawn["rows"] == ["0", "5", "10"]
    assert drawn["columns"] == ["0", "1", "2", "3"]


READ = """([what, x, riding]) => {
  const plot = document.createElement("div");
  const lines = $chart.linesIn(plot);
  const words = (value) => `${value}`;
  lines.draw({ ...what, lines: what.lines.map((line) => ({ ...line, words })) });
  lines.read(x, riding);
  const [ends, readings] = [".gru-end", ".gru-value-here"].map((kind) => [...plot.querySelectorAll(kind)]);
  const places = readings.map((one) => parseFloat(one.style.top));
  return { ends: ends.map((one) => one.textContent), readings: readings.map((one) => one.textContent), places };
}"""


@pytest.mark.parametrize("steps", [8, 40])
def test_a_number_stands_at_the_step_that_it_is_of(page, steps):
    """The end of a line has no number of another step: that stands at the cursor."""
    upper = {"values": [9, *[8] * (steps - 2), 7], "kind": "gru-line-h", "name": "u"}
    lower = {"values": [1, *[2] * (steps - 2), 3], "kind": "gru-line-h gru-other", "name": "l"}
    what = {"x": [0, steps - 1], "y": [0, 10], "lines": [lower, upper]}
    at_end = {"ends": ["l3", "u7"], "readings": ["", ""]}
    for x, riding, expected in [
        (2, False, {"ends": ["l", "u"], "readings": ["2", "8"]}),
        (2, True, {"ends": ["l2", "u8"], "readings": ["", ""]}),
        (steps - 1, False, at_end),
        (None, False, at_end),
    ]:
        drawn = page.evaluate(READ, [what, x, riding])
        low, high = drawn.pop("places")
        assert drawn == expected, x
        if x == 2:
            # Above and below the lines where the cursor is wide, on them where it is narrow and they stand beside it.
            assert (low, high) == pytest.approx((93, 7) if steps == 8 else (80, 20))


def test_all_classes_of_a_line_are_its_names_too(page):
    kinds = page.evaluate("""() => {
      const plot = document.createElement("div");
      const lines = [{ values: [1], kind: "gru-line-h gru-other", name: "h" }];
      $chart.linesIn(plot).draw({ x: [0, 1], y: [0, 1], lines });
      return plot.querySelector(".gru-end").className;
    }""")
    assert kinds == "gru-end gru-line-h-name gru-other-name"


def test_a_logarithmic_chart_leaves_a_gap_where_nothing_can_be_drawn(page):
    values = [1, 0.1, 0, -1, None, 0.01, 1e-9]
    drawn = page.evaluate(CHART, {"x": [0, 6], "y": [1e-4, 1], "log": True, "lines": [{"values": values, "kind": "k"}]})
    found = points(drawn["paths"][0])
    assert [letter for letter, _, _ in found] == ["M", "L", "M", "L"]
    assert [y for _, _, y in found] == [0, 0.25, 0.5, 2.25]  # below the plot, where it is cut off
    assert drawn["rows"] == ["10⁻⁴", "10⁻³", "10⁻²", "10⁻¹", "1"]
    assert "NaN" not in str(drawn)


def test_a_chart_of_one_value_is_a_dot_and_of_none_is_nothing(page):
    lines = [{"values": [0.5], "kind": "k"}, {"values": [], "kind": "k", "name": "none"}]
    drawn = page.evaluate(CHART, {"x": [0, 0], "y": [0, 1], "lines": lines})
    assert drawn["paths"] == ["M0.0000 0.5000h.0001", ""]
    assert drawn["names"] == []


def test_a_charts_cursor_is_where_the_pointer_was(page):
    found = page.evaluate(
        """() => {
          const chart = $chart.chart("test", ["of tests"], { along: "steps" });
          document.body.replaceChildren(chart.panel);
          chart.draw({ x: [2, 12], y: [0, 1], lines: [] });
          const { left, width } = chart.plot.getBoundingClientRect();
          const under = (share) => chart.under({ clientX: left + share * width });
          const seen = [under(0), under(0.5), under(1), under(-3), under(7)];
          const state = () => [chart.plot.classList.contains("gru-unmarked"), chart.value.textContent];
          chart.mark(7, "seven");
          seen.push(chart.plot.style.getPropertyValue("--at-step"), ...state());
          chart.mark(null);
          seen.push(...state());
          chart.describe("a chart");
          return [...seen, chart.plot.ariaLabel];
        }"""
    )
    assert found == [2, 7, 12, 2, 12, "0.5", False, "seven", True, "", "a chart"]


# Controls


def test_choices_of_two_copies_do_not_share_a_group(page):
    """In a notebook each view runs its own copy of the modules, and radio buttons of one name exclude each other."""
    copy = f"(() => {{ {bundle('controls')}; return $controls.choice('Axis', [['a', 'a'], ['b', 'b']]); }})()"
    chosen = page.evaluate(
        f"""() => {{
          const [one, two] = [{copy}, {copy}];
          document.body.replaceChildren(one.control, two.control);
          one.show("a");
          two.show("b");
          return [one, two].map(({{ inputs }}) => inputs.map((input) => input.checked));
        }}"""
    )
    assert chosen == [[True, False], [False, True]]


CONTROLS = """() => {
  const $ = $controls;
  const { signal } = new AbortController();
  const model = $host.pageModel({ a: 1, b: "x" });
  const slider = $.slider("Length", { min: 1, max: 9, ends: ["<i>low</i>", "high"], quantity: "z" });
  const list = $.list("Device");
  const one = $.choice("Reset", [["before", "before U"], ["after", "after U"]]);
  const two = $.choice("Reset", [["before", "before U"], ["after", "after U"]]);
  const tick = $.tick("Logarithmic");
  const reset = $.resetButton(model, ["a", "b"], signal);
  const parts = [slider, list, one, two, tick].map(({ control }) => control);
  document.body.replaceChildren(...parts, reset, $.advice("Move it.", "<b>Look.</b>"));
  slider.show(4, "4 steps", "four steps");
  list.show(["<b>CPU</b>", "CUDA"], 1);
  one.show("after");
  two.show("before");
  model.set("a", 5);
  model.set("b", "y");
  reset.click();
  Object.assign(window, { slider, list, one, two, tick });
  return {
    slider: [slider.input.value, slider.input.ariaValueText, slider.control.querySelector("output").textContent],
    list: [list.input.value, [...list.input.options].map((option) => option.textContent)],
    chosen: [one, two].map(({ inputs }) => inputs.find((input) => input.checked).value),
    model: [model.get("a"), model.get("b")],
    html: document.body.querySelectorAll("i, b").length,
    labels: [...document.querySelectorAll("input, select")].map((input) => input.labels[0].innerText),
    heard: document.querySelectorAll("output:not([aria-live=off])").length,
  };
}"""


def test_controls_show_what_they_are_told(page):
    found = page.evaluate(CONTROLS)
    assert found["slider"] == ["4", "four steps", "4 steps"]
    assert found["list"] == ["1", ["<b>CPU</b>", "CUDA"]]
    assert found["chosen"] == ["after", "before"], "two groups are not one"
    assert found["model"] == [1, "x"]
    assert found["html"] == 0
    assert found["heard"] == 0
    assert len(found["labels"]) == 7
    assert all(found["labels"])


def test_controls_by_keyboard(page):
    page.evaluate(CONTROLS)
    page.get_by_role("slider", name="Length").press("ArrowRight")
    assert page.evaluate("slider.input.value") == "5"
    page.get_by_role("radiogroup", name="Reset").first.get_by_role("radio", name="after U").press("ArrowLeft")
    assert page.evaluate("one.inputs.map((input) => input.checked)") == [True, False]
    assert page.evaluate("two.inputs.map((input) => input.checked)") == [True, False]
    page.get_by_role("checkbox", name="Logarithmic").press("Space")
    assert page.evaluate("tick.input.checked")


def test_a_list_keeps_its_options_while_they_are_the_same(page):
    page.evaluate(CONTROLS)
    same = """() => {
      const option = list.input.options[0];
      list.show(["<b>CPU</b>", "CUDA"], 0);
      const kept = option === list.input.options[0];
      list.show(["CPU"], 0);
      return [kept, list.input.options.length];
    }"""
    assert page.evaluate(same) == [True, 1]
