"""ForecastLab: the page's forecast is torch's, whatever is drawn; what a hand, a finger and a key do."""

from __future__ import annotations

import base64
import re

import pytest
import torch
from views.conftest import FRAME
from views.models import lab

import gru
from gru import views
from gru.forecasting import seasonal_naive
from gru.recipes import forecast as recipe
from gru.views._modules import bundle

FORESEE = """([data, drawn, end]) => {
  const lab = $forecast.unpack(data);
  const found = $forecast.foresee(lab, drawn, end);
  const past = $forecast.pastOf(lab, drawn, end);
  return {
    middle: [...found.middle],
    bands: found.bands.map(({ low, high, share }) => [[...low], [...high], share]),
    season: [...$forecast.lastSeason(past, data.season, data.horizon)],
    ...Object.fromEntries(["r", "z", "n", "h"].map((name) => [name, [...found.gates[name]]])),
  };
}"""


@pytest.fixture(scope="module")
def computing(browser):
    page = browser.new_page()
    page.add_script_tag(content=bundle("forecast"))
    yield page
    page.close()


def double(tensor):
    return torch.tensor(tensor, dtype=torch.double)


# What it computes


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("quantiles", [None, (0.5,), (0.05, 0.25, 0.5, 0.75, 0.95)])
@pytest.mark.parametrize("drawn", [[], [[9, 3.5], [12, -2.0], [30, 9.0]]])
def test_the_page_forecasts_what_torch_does(computing, relative, quantiles, drawn):
    torch.manual_seed(5)
    model = gru.GRUForecaster(1, 6, 4, quantiles=quantiles, covariates=2, reset_after=not relative).double()
    values = torch.randn(40)
    covariates = torch.randn(40, 2)
    view = views.ForecastLab(
        model,
        values,
        context=10,
        season=3,
        center=None if relative else 0.25,
        scale=1.5,
        covariates=covariates,
        start=4,
        step=9,
        drawn=drawn,
    )
    # By hand, and not by the view's own functions.
    past = values[4:14].double()
    for place, value in drawn:
        if 4 <= place < 14:
            past[place - 4] = value
    base = past[-1] if relative else 0.25
    x = torch.cat([(past.unsqueeze(1) - base) / 1.5, covariates[4:14].double()], 1).unsqueeze(1)
    with torch.no_grad():
        wanted = base + 1.5 * model(x)[0]
    wanted = wanted.view(4, -1)
    found = computing.evaluate(FORESEE, [view._data, view.drawn, 13])
    Q = wanted.shape[1]
    torch.testing.assert_close(double(found["middle"]), wanted[:, Q // 2], rtol=0, atol=1e-5)
    assert len(found["bands"]) == Q // 2
    for i, (low, high, share) in enumerate(found["bands"]):
        torch.testing.assert_close(double(low), wanted[:, i], rtol=0, atol=1e-5)
        torch.testing.assert_close(double(high), wanted[:, -1 - i], rtol=0, atol=1e-5)
        assert share == pytest.approx(quantiles[-1 - i] - quantiles[i])
    trace = gru.trace(model.gru, x)
    for name in "rznh":
        torch.testing.assert_close(double(found[name]).view(10, 6), getattr(trace, name)[:, 0], rtol=0, atol=1e-5)
    naive = seasonal_naive(past.view(-1, 1, 1), 4, 3)[0]
    torch.testing.assert_close(double(found["season"]), naive, rtol=0, atol=1e-6)
    # Python's own answer, which rounds to the series' precision.
    said = view.forecast.double().view(4, -1)
    torch.testing.assert_close(said, wanted, rtol=0, atol=1e-5)
    torch.testing.assert_close(view.same_as_last_season.double(), naive, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["el_nino", "co2"])
def test_the_trained_forecasters_in_the_page_are_those_of_the_chapter(computing, name):
    view = of_recipe(name)
    data = recipe.prepared(name)
    part = data.parts["test"]
    with torch.no_grad():
        wanted = recipe.in_units(data, part, view._module(part.x))  # (N, K, Q)
    for i in (0, 17, len(part.ends) - 1):
        end = part.ends[i] - (part.ends[0] - data.plan.context + 1)
        found = computing.evaluate(FORESEE, [view._data, [], end])
        low, high, _ = found["bands"][0]
        for got, q in ((found["middle"], 2), (low, 0), (high, 4)):
            torch.testing.assert_close(torch.tensor(got), wanted[i, :, q], rtol=1e-6, atol=1e-5)


def of_recipe(name, **options):
    data = recipe.prepared(name)
    first = data.parts["test"].ends[0] - data.plan.context + 1
    return views.ForecastLab(
        recipe.load(name, 0),
        data.values[first:],
        context=data.plan.context,
        season=data.series.season,
        center=None if data.plan.relative else data.center,
        scale=data.scale,
        covariates=recipe.season(data.series)[first:],
        **options,
    )


def test_the_weights_of_both_weigh_less_than_100_kb():
    for name in recipe.PLANS:
        data = of_recipe(name)._data
        assert sum(len(text) for text in (*data["weights"].values(), *data["head"].values()) if text is not True) < 1e5


def test_errors_and_what_the_bands_held(computing):
    script = """([said, came, low, high]) => [
      $forecast.errorOf(Float64Array.from(said), Float64Array.from(came)),
      $forecast.covered({ low, high }, came),
    ]"""
    assert computing.evaluate(script, [[1, 2, 3], [2, 2, 1], [2, 0, 2], [3, 2, 3]]) == [1, 2]


def test_a_stroke_leaves_no_place_out(computing):
    script = "([drawn, from, to]) => $forecast.stroke(drawn, from, to)"
    assert computing.evaluate(script, [[[9, 1]], [5, 0], [2, 3]]) == [[2, 3], [3, 2], [4, 1], [5, 0], [9, 1]]
    assert computing.evaluate(script, [[[2, 8]], [2, 7], [2, 1]]) == [[2, 1]]


# What hands do


def said(page):
    page.evaluate(FRAME)
    return page.locator(".gru-says").inner_text()


def number(page, pattern):
    return float(re.search(pattern, said(page))[1].replace("−", "-"))


def draw(page, *points):
    """Press, go through points (shares of the chart), release."""
    box = page.locator(".gru-forecast").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place)
    page.mouse.up()


def drawn_now(page):
    """How many of the values read are drawn, as the view says."""
    found = re.search(r"You drew (\d+) of the 12", said(page))
    return int(found[1]) if found else 0


def test_the_headline_has_python_s_numbers(open_views):
    view = lab()
    page = open_views(view)
    quantiles = view.forecast[-1].tolist()
    numbers = re.findall(r"−?\d+\.\d+", said(page))
    wanted = [quantiles[2], quantiles[1], quantiles[3], quantiles[0], quantiles[4], view.same_as_last_season[-1].item()]
    assert [float(one.replace("−", "-")) for one in numbers] == pytest.approx(wanted, abs=0.051)


def test_a_drawn_past_is_forecast(open_views):
    view = lab()
    page = open_views(view)
    before = said(page)
    assert page.locator(".gru-invitation").is_visible()
    draw(page, (0.3, 0.9), (0.4, 0.1), (0.5, 0.5))
    assert said(page) != before
    assert drawn_now(page) > 3
    assert not page.locator(".gru-invitation").is_visible()
    page.get_by_role("button", name="Erase drawing").click()
    page.mouse.move(0, 0)
    page.evaluate(FRAME)
    assert page.locator(".gru-invitation").is_visible()
    assert drawn_now(page) == 0


def test_every_season_is_named_wherever_now_is(open_views):
    page = open_views(lab())
    names = page.locator(".gru-labels span")
    for key in ("Home", "End", "ArrowLeft"):
        page.locator(".gru-scrub input").press(key)
        page.evaluate(FRAME)
        assert names.count() > 1
        assert all(name.is_visible() for name in names.all())


def test_only_the_past_is_drawn(open_views):
    page = open_views(lab())
    draw(page, (0.85, 0.2), (0.95, 0.8))
    assert drawn_now(page) == 0
    touch = "(one) => getComputedStyle(one).touchAction"
    assert page.locator(".gru-past").evaluate(touch) == "none"
    assert page.locator(".gru-stack").evaluate(touch) == "pan-y"
    past, plot = (page.locator(one).bounding_box() for one in (".gru-past", ".gru-forecast"))
    assert past["x"] >= plot["x"] - 1
    assert past["x"] + past["width"] < plot["x"] + 0.9 * plot["width"]


def test_the_seam_is_dragged(open_views):
    page = open_views(lab())
    seam = page.locator(".gru-seam").bounding_box()
    plot = page.locator(".gru-forecast").bounding_box()
    x, y = seam["x"] + seam["width"] / 2, plot["y"] + plot["height"] / 3
    first = re.search(r"Seen from month (\d+)", said(page))[1]
    step = plot["width"] / 22
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 2 * step, y)
    page.mouse.up()
    assert re.search(r"Seen from month (\d+)", said(page))[1] == str(int(first) + 2)
    page.mouse.move(x + 2 * step, y)
    page.mouse.down()
    page.mouse.move(plot["x"] + 5, y)  # as far as it goes: twelve values must stay left of it
    page.mouse.up()
    assert re.search(r"Seen from month (\d+)", said(page))[1] == "12"
    assert drawn_now(page) == 0


def test_the_keyboard_draws(open_views):
    view = lab()
    page = open_views(view)
    page.get_by_role("application").focus()
    for _ in range(6):
        page.keyboard.press("ArrowLeft")
    before = said(page)
    place = int(re.search(r"The pen is at month (\d+)", before)[1])
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert drawn_now(page) == 1
    page.keyboard.press("ArrowLeft")
    assert f"month {place - 1}" in said(page)
    page.keyboard.press("ArrowDown")
    assert drawn_now(page) == 2


def test_last_season_is_always_there_and_reveal_judges_both(open_views):
    view = lab(drawn=[[11, 23.0]])
    page = open_views(view)
    names = page.locator(".gru-forecast .gru-name")
    assert {one.text_content() for one in names.all()} == {"last season", "model"}
    assert page.locator(".gru-season").evaluate("(one) => getComputedStyle(one).strokeDasharray") != "none"
    page.get_by_label("Reveal what came").check()
    page.evaluate(FRAME)
    assert {one.text_content() for one in names.all()} == {"last season", "model", "what came"}
    end = view._end()
    came = view._values[end + 1 : end + 5]
    q = view.forecast
    errors = [(line - came).abs().mean().item() for line in (q[:, 2], view.same_as_last_season)]
    found = re.search(r"Mean error up to month \d+: model ([\d.]+), last season ([\d.]+);", said(page))
    assert [float(found[1]), float(found[2])] == pytest.approx(errors, abs=0.051)
    held = [int(((q[:, low] <= came) & (came <= q[:, high])).sum()) for low, high in ((1, 3), (0, 4))]
    assert f"the 50 % band held {held[0]} of 4, the 90 % band held {held[1]} of 4" in said(page)


def test_the_forecast_before_fades_and_is_gone(open_views):
    page = open_views(lab())
    fading = page.locator(".gru-fading path")
    assert fading.count() == 0
    most = page.evaluate(
        """async () => {
          const view = document.querySelector(".gru-view");
          view.querySelectorAll(".gru-try button")[2].click();
          const seen = [];
          for (let i = 0; i < 40; i += 1) {
            await new Promise((done) => requestAnimationFrame(done));
            seen.push([...view.querySelectorAll(".gru-fading path")].map((one) => Number(one.getAttribute("opacity"))));
          }
          return seen;
        }"""
    )
    shown = [one[0] for one in most if one]
    assert 5 < len(shown) < 30
    assert shown == sorted(shown, reverse=True)
    assert shown[-1] < 0.1 < 0.5 < shown[0]
    assert most[-1] == []


def test_nothing_fades_where_motion_is_unwanted(open_views):
    page = open_views(lab(), reduced_motion="reduce")
    before = said(page)
    page.locator(".gru-try button").nth(2).click()
    assert said(page) != before
    assert page.locator(".gru-fading path").count() == 0


def test_playing_moves_the_seam_to_its_end_and_stops(open_views):
    page = open_views(lab())
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Play").wait_for()
    assert re.search(r"Seen from month (\d+)", said(page))[1] == "18"  # 22 shown, 4 of them ahead
    # In one go: playing takes three seconds, and may be over before a busy machine has found the other button.
    page.evaluate("() => ['Play', 'Pause'].forEach((name) => document.querySelector(`[aria-label=${name}]`).click())")
    assert int(re.search(r"Seen from month (\d+)", said(page))[1]) < 18


def test_the_stroke_that_invites_is_drawn_once(open_views):
    page = open_views(lab(play=True))
    page.locator(".gru-showing").wait_for()
    page.wait_for_function("() => !document.getAnimations().length")
    page = open_views(lab(play=True), reduced_motion="reduce")
    assert page.locator(".gru-showing").count() == 0
    assert page.locator(".gru-invitation").is_visible()


# The reader's own model


class Differences(torch.nn.Module):
    """A forecaster of its own: reads (B, T, 2), says three values."""

    batch_first = True

    def __init__(self):
        super().__init__()
        self.gru = torch.nn.GRU(2, 4, batch_first=True)
        self.out = torch.nn.Linear(4, 3)

    def forward(self, x):
        return self.out(self.gru(x)[0][:, -1])


def steps(past):
    return torch.stack([past, past.diff(prepend=past[:1])], 1).unsqueeze(1)


def test_own_input_is_read_by_python(with_kernel):
    torch.manual_seed(0)
    model, values = Differences(), torch.randn(30)
    view = views.ForecastLab(model, values, context=8, season=4, scale=2.0, encode=steps, unit="m")
    past = values[: view._end() + 1][-8:]
    with torch.no_grad():
        wanted = past[-1] + 2 * model(steps(past).transpose(0, 1))[0]
    torch.testing.assert_close(view.forecast, wanted)
    page = with_kernel(view)
    assert number(page, r" is (−?[\d.]+) m for the model") == pytest.approx(wanted[-1].item(), abs=0.051)
    assert page.locator(".gru-panel-h").is_visible()
    page.locator(".gru-try button").nth(1).click()
    assert "has not been read yet" in said(page)
    assert "last season" in page.locator(".gru-forecast").inner_text()
    before = view._data["traced"]["forecast"]
    view.drawn = [[view._end(), 3.0]]
    assert view._data["traced"]["forecast"] != before
    decoded = torch.frombuffer(bytearray(base64.b64decode(view._data["traced"]["forecast"])), dtype=torch.float32)
    torch.testing.assert_close(decoded, view.forecast)


def test_without_a_kernel_what_python_read_stays(open_views):
    """And nothing invites to what it cannot do: no hand and no key loses the model's line."""
    view = views.ForecastLab(Differences(), torch.randn(30), context=8, season=4, scale=2.0, encode=steps)
    page = open_views(view)
    first = said(page)
    assert first.startswith("Drawing needs a running kernel. Seen from")
    for gone in (".gru-invitation", ".gru-transport", ".gru-try"):
        assert not page.locator(gone).is_visible()
    assert page.get_by_label("Shown from").is_disabled()
    box = page.locator(".gru-forecast").bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 3, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, y - 40, steps=4)
    page.mouse.up()
    seam = page.locator(".gru-seam").bounding_box()
    page.mouse.move(seam["x"] + seam["width"] / 2, y)
    page.mouse.down()
    page.mouse.move(seam["x"] + 80, y, steps=4)
    page.mouse.up()
    page.locator(".gru-stack").press("End")
    for key in ("ArrowUp", "ArrowLeft", "ArrowDown"):
        page.locator(".gru-stack").press(key)
    assert "for the model" in said(page)
    assert page.locator(".gru-median").is_visible()
    assert page.locator(".gru-panel-h").is_visible()
    page.get_by_label("Reveal what came").check()
    assert "the model said" in said(page)


def test_refresh_reads_the_model_again():
    view = lab()
    before = view._data["head"]["bias"]
    with torch.no_grad():
        view._module.head.bias.add_(1)
    assert view._data["head"]["bias"] == before
    view.refresh()
    assert view._data["head"]["bias"] != before


# What does not fit


def small(**options):
    arguments = {"module": gru.GRUForecaster(1, 4, 3), "values": torch.randn(20), "context": 8, "season": 4} | options
    return views.ForecastLab(arguments.pop("module"), arguments.pop("values"), **arguments)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"module": gru.GRU(1, 4)}, TypeError, "module: expected a GRUForecaster, or any with encode, got GRU"),
        (
            {"module": gru.GRUForecaster(1, 4, 3, num_layers=2)},
            ValueError,
            "module: expected one layer, or encode, got 2",
        ),
        (
            {"module": gru.GRUForecaster(2, 4, 3)},
            ValueError,
            "expected an input size of 1, 1 and the covariates, got 2",
        ),
        ({"values": [1.0]}, TypeError, "values: expected a Tensor, got list"),
        ({"values": torch.zeros(20, 1)}, ValueError, "values: expected floating-point numbers (S,)"),
        ({"values": torch.full((20,), torch.nan)}, ValueError, "values: expected finite numbers, got NaN or infinity"),
        ({"values": torch.zeros(10)}, ValueError, "values: expected at least context + horizon = 11, got 10"),
        ({"context": 30}, ValueError, "context: expected at most 20, the length of values, got 30"),
        ({"season": 9}, ValueError, "season: expected at most 8, the context, got 9"),
        ({"scale": 0.0}, ValueError, "scale: expected a number above 0"),
        ({"covariates": torch.zeros(19, 1)}, ValueError, "covariates: expected shape (20, C), got (19, 1)"),
        ({"step_names": ["one"]}, ValueError, "step_names: expected 20, one per value, got 1"),
        ({"encode": lambda past: past}, ValueError, "encode: expected a result of shape (8, 1, D), got (8,)"),
        (
            {"encode": lambda past: past.view(-1, 1, 1), "covariates": torch.zeros(20, 1)},
            TypeError,
            "covariates: expected None with encode",
        ),
        (
            {"encode": lambda past: past.view(-1, 1, 1), "module": gru.GRU(1, 4)},
            ValueError,
            "module: expected an output of shape (1, K), got tuple",
        ),
        ({"drawn": [[1, float("nan")]]}, Exception, "drawn: expected a place from 0 to 19 and a number"),
        ({"drawn": [[20, 1.0]]}, Exception, "drawn: expected a place from 0 to 19 and a number"),
        ({"drawn": [3]}, Exception, "drawn: expected pairs of a place and a value, got 3"),
        ({"colour": "red"}, TypeError, "unknown keyword 'colour'"),
    ],
)
def test_bad_arguments(options, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        small(**options)


@pytest.mark.parametrize("width", [390, 1000])
def test_the_invitation_to_draw_stands_before_now(open_views, width):
    """Its words, too, on a phone; and its stroke is drawn from where it begins."""
    page = open_views(lab(), width=width)
    seam = page.locator(".gru-seam").bounding_box()
    words = page.locator(".gru-invitation > span").bounding_box()
    assert words["x"] + words["width"] <= seam["x"] + seam["width"] / 2
    places = "(one) => ['--from', '--to'].map((name) => Number(one.style.getPropertyValue(name) || NaN))"
    begin, end = page.locator(".gru-invitation").evaluate(places)
    assert 0 <= begin < end
