"""MemoryLedger: its accounts are those of gru.ledger, and with a held z of gru.replay; what a hand does with them."""

import calendar
import re

import pytest
import torch
import traitlets
from hypothesis import given, settings
from hypothesis import strategies as st
from views.conftest import FRAME
from views.models import ledger

import gru
from gru import views
from gru.views._modules import bundle

NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
WRITTEN = """([x, weights, H, z, row]) => {
  const held = z && { z: Float64Array.from(z, (one) => one ?? NaN) };
  const run = $gru.forward(x, weights, { held });
  const all = $ledger.written(run, H);
  const last = all.at(-1);
  const sums = (of) => $ledger.account(last, H, of).map(({ up, down }) => [up, down]);
  return { all: all.map((one) => [...one]), score: sums({ weight: row }), unit: sums({ unit: 1 }), memory: sums({}) };
}"""


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page()
    page.add_script_tag(content=bundle("gru", "ledger", "ledger_stack"))
    yield page
    page.close()


def random_case(seed, T, H, reset_after):
    draw = torch.Generator().manual_seed(seed)
    layer = gru.GRU(3, H, reset_after=reset_after, dtype=torch.float64)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.copy_(1.5 * torch.randn(weight.shape, generator=draw, dtype=torch.float64))
    return layer, torch.randn(T, 1, 3, generator=draw, dtype=torch.float64), torch.randn(2, H, generator=draw).double()


def in_page(page, layer, x, row, z=None):
    weights = layer.weights()
    sent = {name: getattr(weights, name).flatten().tolist() for name in NAMES} | {"reset_after": weights.reset_after}
    held = None if z is None else [None if one != one else one for one in z.flatten().tolist()]
    return page.evaluate(WRITTEN, [x.flatten().tolist(), sent, layer.hidden_size, held, row.tolist()])


def close(found, expected):
    found = torch.tensor(found, dtype=torch.float64).view_as(expected)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)


cases = {"seed": st.integers(0, 10_000), "T": st.integers(1, 9), "H": st.integers(2, 6), "reset_after": st.booleans()}


@settings(max_examples=25, deadline=None)
@given(**cases)
def test_the_page_writes_the_same_ledger(page, seed, T, H, reset_after):
    layer, x, heads = random_case(seed, T, H, reset_after)
    found = in_page(page, layer, x, heads[0])
    entries = gru.ledger(layer, x)
    for t in range(T):
        close(found["all"][t], entries.at(t + 1)[1:, 0].detach())
    head = torch.nn.Linear(H, 2, dtype=torch.float64)
    with torch.no_grad():
        head.weight.copy_(heads)
    close([up + down for up, down in found["score"]], entries.of(head)[1:, 0, 0].detach())
    last = entries.written[1:, 0].detach()
    close([up + down for up, down in found["unit"]], last[:, 1])
    close(found["memory"], torch.stack((last.clamp(min=0).sum(1), last.clamp(max=0).sum(1)), 1))


@settings(max_examples=25, deadline=None)
@given(**cases, value=st.sampled_from([0.0, 0.3, 1.0]))
def test_a_held_z_is_that_of_replay(page, seed, T, H, reset_after, value):
    layer, x, heads = random_case(seed, T, H, reset_after)
    at = seed % T
    z = torch.full((T, H), torch.nan, dtype=torch.float64)
    z[at] = value
    found = in_page(page, layer, x, heads[0], z)
    _, trace = gru.replay(layer, x, edits=[gru.Edit("z", value, steps=at)])
    for t in range(T):  # by a plain loop
        now = torch.zeros(t + 1, H, dtype=torch.float64)
        for s in range(t + 1):
            now = trace.z[s, 0] * now
            now[s] = (1 - trace.z[s, 0]) * trace.n[s, 0]
        close(found["all"][t], now.detach())


def test_python_says_the_same_with_and_without_holding():
    view = ledger(held=[[1, 0.25], [3, 1.0]])
    torch.testing.assert_close(view.written.sum(0), view.state_now)
    torch.testing.assert_close(view.written[4], torch.zeros(5))  # step 3 wrote nothing
    view.held = []
    entries = gru.ledger(view._module.gru, view._input())
    torch.testing.assert_close(view.written, entries.written[:, 0])
    head = view._module.head
    torch.testing.assert_close(view.scores.sum(0) + head.bias, view._module(view._input())[0])


def says(page):
    page.evaluate(FRAME)
    return page.locator(".gru-says").inner_text()


def owned(view, author):
    """The share of one author in the memory shown, in per cent."""
    size = view.written[1:].abs().sum(1)
    return 100 * (size[author] / size.sum()).item()


@pytest.mark.parametrize("held", [[], [[2, 0.9]]])
def test_the_headline_is_pythons(open_views, held):
    view = ledger(follow=1, held=held)
    found = re.search(r"After “abeda”, b still owns (\d+) % of what is in memory", says(open_views(view)))
    assert abs(int(found[1]) - owned(view, 1)) <= 1  # float16 or float32, and rounding


@pytest.mark.parametrize("account", [-1, 0, 2])
def test_accounts_add_up_to_what_python_says(open_views, account):
    view = ledger(account=account, unit=3, follow=4)
    words = says(open_views(view)).replace("−", "-")
    if account < 0:
        total, own = view.state_now[3], view.written[5, 3]
        found = re.search(r"unit 4 holds (-?[\d.]+); a wrote ([+-]?[\d.]+)", words)
    else:
        total, own = view._module(view._input())[0, account], view.scores[5, account]
        found = re.search(r"is (-?[\d.]+); a wrote ([+-]?[\d.]+)", words)
    assert float(found[1]) == pytest.approx(total.item(), abs=0.011)
    assert float(found[2]) == pytest.approx(own.item(), abs=0.011)


def test_a_letter_is_followed_by_mouse_and_keyboard(open_views):
    page = open_views(ledger(follow=0))
    page.locator("[role=application]").press("ArrowDown")
    assert ", b still owns" in says(page)
    plot = page.locator(".gru-flow")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    page.mouse.click(box["x"] + 0.9 * box["width"], box["y"] + 0.45 * box["height"])
    page.mouse.move(0, 0)
    assert ", b still owns" not in says(page)
    followed = page.locator(".gru-ribbon.gru-followed")
    assert followed.count() == 2  # above zero and below
    assert followed.first.evaluate("(one) => getComputedStyle(one).fill") == "rgb(160, 63, 120)"


def test_a_z_that_is_dragged_is_held_and_let_go(open_views):
    view = ledger()
    page = open_views(view)
    first = says(page)
    plot = page.locator(".gru-bars")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 1, steps=3)  # the letter stays the one pressed
    page.mouse.up()
    page.mouse.move(0, 0)
    assert "Held by hand: z of e at 0.9" in says(page) or "z of e at 1.00" in says(page)
    page.locator("[role=application]").press("Escape")
    assert "Held by hand" not in says(page)
    page.locator("[role=application]").press("End")
    assert says(page) == first
    page.locator("[role=application]").press("0")
    assert "z of a at 0.00" in says(page)
    page.get_by_role("button", name="Let go").click()
    assert says(page) == first


def test_a_held_bar_has_no_frame(open_views):
    """A frame of two pixels, in a drawing that is one unit wide, would be larger than the drawing."""
    page = open_views(ledger(held=[[2, 0.9]]))
    frame = "(one) => [getComputedStyle(one).outlineStyle, getComputedStyle(one).boxShadow]"
    assert page.locator(".gru-panel-kept .gru-held").evaluate(frame) == ["none", "none"]


def test_any_word(open_views):
    page = open_views(ledger())
    for text in ("", "<b>x</b>", "日本語", "a" * 300):
        page.locator(".gru-type").fill(text)
        assert page.locator(".gru-view").get_attribute("data-state") == "ready"
        assert "NaN" not in page.locator(".gru-view").inner_text()
    page.locator(".gru-type").fill("da")
    assert "“da”" in says(page)


def months(**options):
    """A MemoryLedger of a forecaster that reads three years."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = gru.GRUForecaster(1, 4, 2, quantiles=(0.05, 0.5, 0.95))
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(2)
        model.gru.bias_ih_l0[4:8] = -0.5
    names = [f"{month} {year}" for year in (95, 96, 97) for month in calendar.month_abbr[1:]]
    x = 2 * torch.sin(torch.arange(36.0) * 0.52).view(36, 1, 1)
    return views.MemoryLedger(model, x=x, step_names=names, **({"account": 1} | options))


def test_the_account_of_a_forecast_is_the_one_that_is_looked_at(open_views):
    page = open_views(months(account=4, step=20, held=[[3, 1.0]]))
    page.get_by_role("button", name="The account of the answer").click()
    page.evaluate(FRAME)
    assert page.get_by_label("Account of").input_value() == "6"  # after "all of memory" and "one unit"
    assert "After Dec 97, the score of answer 5 is" in page.locator(".gru-says").inner_text()


OVER_EACH_OTHER = """(all) => {
  const boxes = all.filter((one) => one.checkVisibility()).map((one) => [one.textContent, one.getBoundingClientRect()]);
  const over = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  const pairs = boxes.flatMap(([one, a], i) => boxes.slice(0, i).filter(([, b]) => over(a, b)).map(([b]) => one + b));
  return [boxes.length, pairs];
}"""


@pytest.mark.parametrize("width", [390, 760, 1000])
@pytest.mark.parametrize("account", [-2, 1])
def test_no_name_of_a_band_covers_another(open_views, width, account):
    page = open_views(months(account=account), width=width)
    count, over = page.locator(".gru-author").evaluate_all(OVER_EACH_OTHER)
    assert over == []
    assert count > 4


def test_who_has_nothing_left_is_not_named_at_the_end(open_views):
    view = months(follow=2)
    with torch.no_grad():
        view._module.gru.bias_ih_l0[4:8] = -4.0  # it keeps next to nothing
    view.refresh()
    page = open_views(view)
    values = page.locator(".gru-flow .gru-end:visible").all_inner_texts()
    assert any("Mar 95" in value for value in values)  # who is followed is named all the same
    assert len(values) > 1
    for value in values:
        assert "Mar 95" in value or re.search(r"[1-9]", value.split()[-1])


LAID_OUT = """(view) => {
  const { left, right } = view.getBoundingClientRect();
  const kinds = ".gru-end > *, .gru-labels > *, .gru-step-now, .gru-transport *, select";
  const seen = [...view.querySelectorAll(kinds)].filter((one) => one.checkVisibility());
  const out = seen.filter((one) => {
    const box = one.getBoundingClientRect();
    return box.width && (box.left < left - 1 || box.right > right + 1) && !one.closest(".gru-unseen");
  });
  const presses = [...view.querySelectorAll(".gru-press")].map((one) => one.getBoundingClientRect());
  const label = view.querySelector(".gru-transport .gru-value").getBoundingClientRect();
  const over = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  return {
    out: out.map((one) => one.outerHTML),
    under: presses.filter((one, i) => over(one, label) || presses.slice(0, i).some((other) => over(one, other))).length,
    narrow: presses.filter(({ width, height }) => width < height).length,
    page: document.documentElement.scrollWidth,
  };
}"""


@pytest.mark.parametrize("width", [320, 390, 620, 1000])
def test_long_names_of_steps_fit(open_views, width):
    names = [f"a step with a long name {i:04d}" for i in range(6)]
    view = views.MemoryLedger(gru.GRUForecaster(1, 4, 2), x=torch.randn(6, 1, 1), step_names=names)
    assert {len(name) for name in names} == {28}
    page = open_views(view, width=width)
    for key in ("Home", "ArrowRight", "End"):
        page.get_by_label("Step", exact=True).press(key)
        page.evaluate(FRAME)
        found = page.locator(".gru-view").evaluate(LAID_OUT)
        assert found == {"out": [], "under": 0, "narrow": 0, "page": width}


def test_a_series_and_the_readers_own_numbers(open_views):
    model = gru.GRUForecaster(1, 4, 2)
    x = torch.randn(6, 2, 1)
    view = views.MemoryLedger(
        model, x=x, names=["first", "second"], step_names=["Jan", "Feb", "Mar", "Apr", "May", "Jun"]
    )
    page = open_views(view)
    assert "After Jun, Jan still owns" in says(page)
    page.locator(".gru-type").fill("1 -2 0.5")
    assert "After 3" in says(page)
    view.text = "1 -2 0.5"
    view.step = 2
    assert view.written.shape == (4, 4)
    torch.testing.assert_close(
        view.scores.sum(0) + model.head.bias, model(torch.tensor([[[1.0]], [[-2.0]], [[0.5]]]))[0]
    )


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"letters": None}, TypeError, "letters: expected either letters or x, got neither"),
        ({"letters": "ab"}, ValueError, "letters: expected 5 different ones, D less the other, got 2"),
        ({"letters": 5}, TypeError, "letters: expected a str, got int"),
        ({"letters": "abcdE"}, ValueError, "letters: expected small letters, as a text is read, got 'E'"),
        ({"class_names": ["a"]}, ValueError, "class_names: expected 3, got 1"),
        ({"held": [[0, 1.5]]}, traitlets.TraitError, "held: expected [step, value]"),
        ({"account": 3}, traitlets.TraitError, "account: expected at most 2, got 3"),
        ({"folow": 3}, TypeError, "did you mean follow"),
    ],
)
def test_bad_arguments(options, kind, message):
    arguments = {"letters": "abcde", "class_names": ["one", "two", "three"]} | options
    with pytest.raises(kind, match=re.escape(message)):
        views.MemoryLedger(gru.GRUClassifier(6, 5, 3), **arguments)
    with pytest.raises(TypeError, match="module: expected a GRUClassifier or a GRUForecaster, got GRU"):
        views.MemoryLedger(gru.GRU(6, 5), letters="abcde")
    with pytest.raises(ValueError, match=r"x\[1\]: expected finite numbers, got NaN or infinity"):
        views.MemoryLedger(gru.GRUClassifier(1, 5, 3), x=torch.tensor([[[0.0], [torch.nan]]]))
    with pytest.raises(ValueError, match="expected one layer and one direction"):
        views.MemoryLedger(gru.GRUClassifier(6, 5, 3, num_layers=2), letters="abcde")
