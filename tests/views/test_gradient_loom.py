"""GradientLoom: the page's four paths against torch, the drawing's numbers against gru.gradient_flow, and bad input."""

import itertools
import re

import pytest
import torch
import traitlets
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from views.conftest import FRAME
from views.models import KINDS, LENGTHS, D, loom, sequences

import gru
from gru import views
from gru.equations import Weights
from gru.inspect.flow import PATHS
from gru.layer import GRU
from gru.views._modules import bundle

NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
SINGLE = ("elman", "own cell")  # no four paths

BACK = """({ x, h0, weights, direct, muted }) => {
  const run = $gru.forward(x, weights, { h0 });
  const { grads, paths } = $flow.fourPaths(weights, run, direct, { h0, muted });
  return [[...run.h], [...grads], Object.fromEntries(Object.entries(paths).map(([k, v]) => [k, [...v]]))];
}"""


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page()
    page.add_script_tag(content=bundle("gru", "flow"))
    yield page
    page.close()


def plain(tensor):
    return None if tensor is None else tensor.detach().flatten().tolist()


def tensor(values, *shape):
    return torch.tensor(values, dtype=torch.double).view(shape)


CASES = {
    "seed": st.integers(0, 10_000),
    "T": st.integers(1, 10),
    "H": st.integers(1, 6),
    "reset_after": st.booleans(),
    "bias": st.booleans(),
    "scale": st.sampled_from([0.3, 1.0, 3.0]),
}


def case(seed, T, H, reset_after, bias, scale):
    """A layer in double precision, x (T, 1, 3), h0 (1, 1, H), and what a loss sends into each state (T, 1, H)."""
    draw = torch.Generator().manual_seed(seed)
    layer = GRU(3, H, bias=bias, reset_after=reset_after, dtype=torch.double)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(scale * torch.randn(parameter.shape, generator=draw))
    x, h0, direct = (torch.randn(*s, generator=draw).double() for s in ((T, 1, 3), (1, 1, H), (T, 1, H)))
    return layer, x, h0, direct


def on_page(page, layer, x, h0, direct, muted=()):
    weights = {name: plain(value) for name, value in zip(NAMES, layer.weights()[:4], strict=True)}
    weights["reset_after"] = layer.reset_after
    arguments = {"x": plain(x), "h0": plain(h0), "weights": weights, "direct": plain(direct), "muted": list(muted)}
    T, H = len(x), layer.hidden_size
    h, grads, paths = page.evaluate(BACK, arguments)
    return tensor(h, T, H), tensor(grads, T + 1, H), {name: tensor(path, T, H) for name, path in paths.items()}


@settings(max_examples=40, deadline=None)
@given(**CASES)
def test_the_four_paths_are_those_of_gradient_flow(page, **drawn):
    layer, x, h0, direct = case(**drawn)
    h, grads, paths = on_page(page, layer, x, h0, direct)
    flow = gru.gradient_flow(layer, x, h0, loss=lambda states: (states * direct).sum())
    scale = max(1.0, flow.grads.abs().max().item())
    torch.testing.assert_close(h, layer(x, h0)[0].squeeze(1).detach(), atol=1e-6, rtol=0)
    torch.testing.assert_close(grads, flow.grads.squeeze(1), atol=1e-5 * scale, rtol=0)
    for name in PATHS:
        torch.testing.assert_close(paths[name], flow.paths[name].squeeze(1), atol=1e-5 * scale, rtol=0)
    sent = torch.cat([torch.zeros(1, drawn["H"]).double(), direct.squeeze(1)])[:-1]
    torch.testing.assert_close(sum(paths.values()) + sent, grads[:-1], atol=1e-10 * scale, rtol=0)


@settings(max_examples=30, deadline=None)
@given(muted=st.sets(st.sampled_from(PATHS), max_size=4), **CASES)
def test_muting_is_a_product_without_those_paths(page, muted, **drawn):
    layer, x, h0, direct = case(**drawn)
    _, grads, _ = on_page(page, layer, x, h0, direct, muted)
    before = torch.cat([h0, layer(x, h0)[0][:-1]]).squeeze(1).detach()
    expected = [direct[-1, 0]]
    for t in range(len(x) - 1, -1, -1):
        paths = gru.step_jacobian(layer, x[t, 0], before[t])
        back = sum(
            (path.T @ expected[-1] for name, path in paths.items() if name not in muted), torch.zeros(drawn["H"])
        )
        expected.append(back.detach() + (direct[t - 1, 0] if t else 0))
    expected = torch.stack(expected[::-1])
    torch.testing.assert_close(grads, expected, atol=1e-6 * max(1.0, expected.abs().max().item()), rtol=0)


# The view


def test_without_a_model_it_shows_one_of_its_own():
    loom = views.GradientLoom()
    assert loom.loss_step == 30
    assert loom.step == 0, "where the gradient has gone all the way back"
    assert loom.flow.grads.shape == (31, 1, 16)
    assert torch.equal(loom.flow.grads, views.GradientLoom().flow.grads)


@pytest.mark.parametrize("kind", KINDS)
def test_its_words_name_four_paths_where_there_are_four(kind):
    assert ("four paths" in loom(kind).describe()) == (kind not in SINGLE)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in SINGLE])
def test_flow_is_that_of_the_model_where_the_loss_reads_the_top(kind):
    loom_ = loom(kind)
    module, (x, _) = loom_._module, sequences(batch_first=kind.startswith("wrapped"))
    last = len(loom_._parts) - 1
    loom_.sequence, loom_.layer = 1, last
    flow = loom_.flow
    assert flow.grads.shape[0] == LENGTHS[1] + 1
    assert sorted(flow.paths) == sorted(PATHS)
    torch.testing.assert_close(sum(flow.paths.values()), flow.grads[:-1])
    if len(loom_._parts) == 1 and kind in ("reset after", "nn.GRUCell", "double precision", "reset before, z writes"):
        own = gru.gradient_flow(module, x[: LENGTHS[1], 1:2].to(next(module.parameters())))
        torch.testing.assert_close(flow.grads, own.grads, atol=1e-6, rtol=0)


READ = """() => {
  const view = document.querySelector(".gru-view");
  return [view.dataset.state, view.querySelector(".gru-line-total-name .gru-value").textContent,
    [...view.querySelectorAll(".gru-panel:not([hidden]) > .gru-lane .gru-value")].map((one) => one.textContent)];
}"""


def number(text):
    """What the view writes, as a float."""
    text = text.split("=")[-1].strip().replace("−", "-")
    if "·10" in text:
        digits, power = text.split("·10")
        power = "".join("-" if c == "⁻" else str("⁰¹²³⁴⁵⁶⁷⁸⁹".index(c)) for c in power)
        return float(digits) * 10 ** int(power)
    return float(text)


@pytest.mark.parametrize(
    "kind",
    [
        "classifier",
        "classifier, reset before",
        "reset before, z writes",
        "own cell",
        "elman",
        "nn.GRU, two layers, both ways",
        "wrapped, another start",
    ],
)
def test_page_shows_what_python_computes(open_views, kind):
    for unit in (-1, 2):
        view = loom(kind, sequence=0, step=2, loss_step=6, loss_unit=-1 if unit < 0 else 1, unit=unit, log=unit < 0)
        page = open_views(view)
        page.evaluate(FRAME)
        state, head, terms = page.evaluate(READ)
        assert state == "ready"
        flow = view.flow
        g = flow.grads[2, 0]
        expected = g.norm() if unit < 0 else g[unit]
        assert number(head) == pytest.approx(expected.item(), rel=0.06, abs=6e-5)
        if kind == "own cell":
            assert terms == []
            continue
        for text, name in zip(terms, flow.paths, strict=True):
            path = flow.paths[name][2, 0]
            value = (path @ g / g.norm()) if unit < 0 else path[unit]
            assert number(text) == pytest.approx(value.item(), rel=0.06, abs=6e-5), name


def test_muted_threads_and_the_place_of_the_loss(open_views):
    page = open_views(loom("classifier", step=1, loss_step=5))
    says = page.locator(".gru-says")
    first = says.inner_text()
    page.get_by_role("checkbox", name="carry").uncheck()
    page.evaluate(FRAME)
    assert re.search(r"Muted: carry; with all threads \d+ % would be left\.", says.inner_text())
    assert page.locator(".gru-panel-size .gru-ghost").count() == 1
    assert page.locator(".gru-lane-h .gru-ghost").get_attribute("d")
    assert not page.locator(".gru-lane-h .gru-with").get_attribute("d")
    page.get_by_role("button", name="Reset").click()
    page.evaluate(FRAME)
    assert says.inner_text() == first
    assert page.locator(".gru-panel-size .gru-ghost").count() == 0
    assert not page.locator(".gru-lane-h .gru-ghost").get_attribute("d")
    # Drag the loss to the left of the cursor: nothing flows there any more.
    box = page.locator(".gru-panel-size .gru-plot").bounding_box()
    place = lambda t: box["x"] + box["width"] * (t + 0.5) / 8  # noqa: E731  (7 steps, 8 states)
    page.mouse.move(place(5), box["y"] + 50)
    page.mouse.down()
    page.mouse.move(place(2), box["y"] + 50, steps=4)
    page.mouse.up()
    page.evaluate(FRAME)
    assert page.get_by_label("Loss after step").input_value() == "2"
    page.mouse.move(place(4), box["y"] + 50)
    page.evaluate(FRAME)
    assert "after step 2: it does not depend on h₄" in says.inner_text()
    assert page.locator(".gru-line-total-name .gru-value").inner_text() == "0"
    assert page.get_by_label("Step", exact=True).input_value() == "4"  # what is hovered, until the pointer leaves
    page.mouse.move(0, 0)
    page.evaluate(FRAME)
    assert page.get_by_label("Step", exact=True).input_value() == "1"


def test_names_are_text(open_views):
    hostile = "<img src=x onerror=alert(1)>"
    page = open_views(views.GradientLoom(gru.GRU(2, 3), torch.zeros(4, 2, 2), names=[hostile, "two"]))
    assert page.locator("option").first.inner_text() == hostile
    assert page.locator(".gru-view img").count() == 0


def test_bad_input_is_named():
    x, layer = torch.zeros(4, 2, D), gru.GRU(D, 3)
    with pytest.raises(TypeError, match="x: expected with a module"):
        views.GradientLoom(layer)
    with pytest.raises(TypeError, match=r"module: expected a torch.nn.Module, got str"):
        views.GradientLoom("model", x)
    with pytest.raises(ValueError, match="names: expected 2, got 1"):
        views.GradientLoom(layer, x, names=["one"])
    with pytest.raises(ValueError, match=r"lengths: expected 1 to 4, got 5"):
        views.GradientLoom(layer, x, lengths=[5, 1])
    with pytest.raises(ValueError, match="expected finite numbers"):
        views.GradientLoom(layer, torch.full_like(x, torch.nan))
    view = views.GradientLoom(layer, x)
    for name, value, allowed in [
        ("loss_step", 0, "1 to 4"),
        ("unit", 3, "-1 to 2"),
        ("step", 5, "0 to 4"),
        ("sequence", 2, "0 to 1"),
    ]:
        with pytest.raises(traitlets.TraitError, match=f"{name}: expected {allowed}, got {value}"):
            setattr(view, name, value)
    with pytest.raises(traitlets.TraitError, match="muted"):
        view.muted = ["carry", "forget"]


def test_reading_again_after_training():
    layer = gru.GRU(D, 3)
    view = views.GradientLoom(layer, torch.randn(4, 1, D))
    before = view._data
    with torch.no_grad():
        layer.weight_hh_l0.mul_(2)
    view.refresh()
    assert view._data != before
    assert isinstance(layer.weights(), Weights)


def test_one_logarithmic_scale_or_a_linear_one(open_views):
    """Of the lines and of the ribbons, whose thickness is the value on their scale."""
    view = views.GradientLoom()
    page = open_views(view)
    filled = "() => document.querySelector('.gru-lane-h .gru-with').getBBox().height / 10000"
    carry = view.flow.paths["carry"][:, 0]
    along = ((carry * view.flow.grads[:-1, 0]).sum(-1) / view.flow.norms[:-1, 0]).abs()
    low, high = -2, 1  # as the words under it say
    assert "a hair is 10⁻² or less, the full height 10;" in page.locator(".gru-view").inner_text()
    expected = (along.max().log10() - low) / (high - low)
    assert page.evaluate(filled) == pytest.approx(expected.item(), abs=0.01)
    page.get_by_role("radio", name="linear").check()
    page.evaluate(FRAME)
    assert "Thicker is more: the full height is" in page.locator(".gru-view").inner_text()  # a hair would be nothing
    assert page.evaluate(filled) == pytest.approx((along.max() / view.flow.norms.max()).item(), abs=0.01)


def test_less_is_thinner_when_a_thread_is_muted(open_views):
    """The ribbons keep their scale, and most of what the others bring without the carry is less than a hair."""
    page = open_views(views.GradientLoom())
    lead = page.locator(".gru-lead")
    before = lead.inner_text()
    filled = """() => [...document.querySelectorAll('.gru-lane .gru-with')].map((one) =>
      [...Array(20).keys()].some((t) => one.isPointInFill(new DOMPoint((10000 * (t + 0.5)) / 31, 5000 + 250))))"""
    assert page.evaluate(filled)[0]
    page.get_by_role("button", name="Mute the carry").click()
    page.evaluate(FRAME)
    assert lead.inner_text() == before
    assert page.evaluate(filled) == [False] * 4
    end = "() => document.querySelector('.gru-lane-z .gru-with').getBBox().height"
    assert page.evaluate(end) > 5000, "beside the loss there is as much as before"


def test_a_gate_says_what_it_does_and_that_it_is_a_mean(open_views):
    view = loom("classifier", step=2, loss_step=6)
    trace = view._traces[0][0]
    for unit, said in ((-1, True), (1, False)):
        view.unit = unit
        page = open_views(view)
        notes = page.locator(".gru-head:has(.gru-thread) .gru-note")
        z, r = ((gate[2].mean() if unit < 0 else gate[2, unit]).item() for gate in (trace.z, trace.r))
        assert notes.all_inner_texts()[:2] == [f"z keeps {100 * z:.0f} % of h", f"r lets in {100 * r:.0f} % of h"]
        assert ("z and r: means of all units." in page.locator(".gru-lead").inner_text()) == said
        lines = notes.evaluate_all("(all) => all.map((one) => one.getClientRects().length)")
        assert lines == [1] * 4, "each in a line"


def times(page):
    """What the tanh RNN is said to have."""
    return re.search(r"as a tanh RNN, (.*?)\.(?= |$|\n)", page.locator(".gru-says").inner_text())[1]


def test_what_the_tanh_rnn_has_is_said_so_that_it_is_understood(open_views):
    """A share is one of the loss's gradient; a gradient with a sign may be many times as large, not more."""
    layer, x, *_ = case(3, 9, 5, True, True, 1.0)
    with torch.no_grad():
        layer.bias_ih_l0[5:10] = 0  # z of a half or so, and r: some of both is left
    view = views.GradientLoom(layer.float(), x.float(), step=7)
    flow = gru.gradient_flow(elman_of(layer), x.float())
    share = flow.norms[7, 0].item() / 5**0.5
    assert 0.01 < share < 1
    assert times(open_views(view)) == f"{100 * share:.0f} % would be left"
    with torch.no_grad():
        layer.bias_ih_l0[5:10] = -5  # z of nearly nothing
        layer.bias_ih_l0[:5] = -5  # and r: nothing comes back
    view = views.GradientLoom(layer, x.float(), step=3, unit=0)
    own, tanh = view.flow.grads[3, 0, 0], gru.gradient_flow(elman_of(layer), x.float()).grads[3, 0, 0]
    ratio = (tanh / own).abs().item()
    assert ratio > 10
    said = re.fullmatch(r"it would be (\S+) times as large", times(open_views(view)))[1]
    assert number(said) == pytest.approx(ratio, rel=0.06)


def test_no_value_beside_a_ribbon_is_cut(open_views):
    page = open_views(views.GradientLoom(unit=0), width=390)
    beyond = """() => {
      const { right } = document.querySelector(".gru-view").getBoundingClientRect();
      const all = [...document.querySelectorAll(".gru-lane .gru-value")];
      return all.filter((one) => one.getBoundingClientRect().right > right + 0.5).length;
    }"""
    assert page.evaluate(beyond) == 0


def test_a_ribbon_is_hollow_where_it_works_against_the_whole(open_views):
    view = views.GradientLoom(unit=0)
    page = open_views(view)
    whole = view.flow.grads[:-1, 0, 0]
    for name, letter in zip(PATHS, "hnzr", strict=True):
        against = view.flow.paths[name][:, 0, 0] * whole < 0
        runs = int(against[0]) + int((against[1:] & ~against[:-1]).sum())
        drawn = page.locator(f".gru-lane-{letter} .gru-against").get_attribute("d") or ""
        assert drawn.count("M") == runs, name


RNN = """() => [...document.querySelectorAll(".gru-end")].find((one) => one.textContent.startsWith("tanh RNN"))
  .querySelector(".gru-value").textContent"""


def elman_of(layer):
    """The layer without its gates."""
    W, U, b_i, b_h, _ = layer.weights()
    cell = gru.ElmanCell(W.shape[1], U.shape[1])
    with torch.no_grad():
        for parameter, value in zip(cell.parameters(), (W, U, b_i, b_h), strict=True):
            parameter.copy_(value.chunk(3)[2])
    return cell


def test_the_tanh_rnn_beside_it_is_the_layer_without_its_gates(open_views):
    layer, x, *_ = case(3, 9, 5, True, True, 1.0)
    cell = elman_of(layer.float())
    view = views.GradientLoom(layer, x.float(), step=2)
    flow = gru.gradient_flow(cell, x.float())
    page = open_views(view)
    assert number(page.evaluate(RNN)) == pytest.approx(flow.norms[2, 0].item(), rel=0.06)
    bias_free = gru.GRU(3, 4, bias=False)
    assert (
        open_views(views.GradientLoom(bias_free, x.float())).locator(".gru-view").get_attribute("data-state") == "ready"
    )
    assert open_views(loom("elman")).get_by_text("tanh RNN").count() == 0


# Press Play, and what the slider says in every frame until it is over.
PLAYED = """async () => {
  const transport = document.querySelector('.gru-transport');
  transport.querySelector('[aria-label=Play]').click();
  const seen = [];
  do {
    await new Promise((done) => requestAnimationFrame(done));
    seen.push(Number(transport.querySelector('input').value));
  } while (transport.querySelector('[aria-label=Pause]'));
  return seen;
}"""


def test_playing_goes_back_from_the_loss(open_views):
    page = open_views(loom("classifier", step=1, loss_step=5))
    assert set(page.evaluate(PLAYED)) <= {0, 1}  # it had one step to go
    slider = page.get_by_label("Step", exact=True)
    assert slider.input_value() == "0"
    seen = page.evaluate(PLAYED)
    assert seen == sorted(seen, reverse=True)
    assert seen[0] > 1
    assert slider.input_value() == "0"


SHARES = """() => [...document.querySelectorAll(".gru-lane > .gru-end > b")].map((one) => one.textContent)"""


def test_it_opens_where_its_point_is_seen_and_says_it_in_numbers(open_views):
    """How much is left at the far end, by which thread, and how much a tanh RNN would have."""
    view = views.GradientLoom()
    flow = view.flow
    page = open_views(view)
    left, part, less = re.search(
        r"30 steps back from the loss, ([\d.]+) % of its gradient is left\. "
        r"In its last step (\d+) % of that comes by the carry\. "
        r"Without its gates, as a tanh RNN, it would be (\d+) times smaller\.",
        page.locator(".gru-says").inner_text(),
    ).groups()
    assert float(left) == pytest.approx(100 * flow.norms[0, 0].item() / flow.norms[30, 0].item(), rel=0.03)
    g = flow.grads[0, 0]
    shares = [100 * (flow.paths[name][0, 0] @ g / (g @ g)).item() for name in PATHS]
    assert sum(shares) == pytest.approx(100, abs=1e-3)
    shown = [float(text.removesuffix(" %").replace("−", "-")) for text in page.evaluate(SHARES)]
    assert shown == pytest.approx(shares, abs=0.51)
    assert float(part) == shown[0]
    without = gru.gradient_flow(elman_of(view._module), view._inputs[0].unsqueeze(1)).norms[0, 0]
    assert float(less) == pytest.approx((flow.norms[0, 0] / without).item(), rel=0.06)


def test_the_drawing_names_what_it_shows(open_views):
    """Which way the gradient goes, how many ways there are, and of which step the shares are."""
    page = open_views(loom("classifier", step=2, loss_step=6))
    (arrow, words), loss = page.locator(".gru-way > span").all(), page.locator(".gru-loss b")
    assert words.inner_text() == "the gradient flows back"
    places = [one.bounding_box() for one in (arrow, words, loss)]
    for one, other in itertools.pairwise(places):
        assert one["x"] + one["width"] <= other["x"], "it leads away from the loss, to the left"
    assert places[0]["y"] == places[1]["y"]
    assert page.locator(".gru-lead").inner_text().startswith("Its four ways back through each step.")
    assert page.locator(".gru-lead").inner_text().endswith("share at step 2")
    page.get_by_label("Loss after step").fill("1")
    page.evaluate(FRAME)
    assert words.bounding_box()["y"] > arrow.bounding_box()["y"], (
        "where there is no room left of it, the arrow is alone"
    )
    assert open_views(loom("elman")).locator(".gru-lead").inner_text().startswith("Its one way back")
    assert not open_views(loom("own cell")).locator(".gru-lead").is_visible()


def test_threads_that_all_but_cancel_have_no_shares(open_views):
    """Of next to nothing, a share says nothing."""
    view = views.GradientLoom()
    told = 0
    for unit in range(16):
        view.unit = unit
        parts = torch.stack([view.flow.paths[name][:, 0, unit] for name in PATHS])
        for step in range(30):
            if (parts[:, step].abs().max() / parts[:, step].sum().abs()) > 12:
                view.step = step
                page = open_views(view)
                assert "" in page.evaluate(SHARES)
                assert "work against each other, and little is left" in page.locator(".gru-says").inner_text()
                told += 1
                break
        if told == 2:
            return
    raise AssertionError("no unit's threads cancel")


# A loss of the reader's own


class Answers(torch.nn.Module):
    """Two layers, a head on every state, and a keyword that it demands."""

    def __init__(self, kind="layer"):
        super().__init__()
        self.rnn = gru.GRU(D, 4, num_layers=2) if kind == "layer" else gru.ResetBeforeCell(D, 4)
        self.head = torch.nn.Linear(4, 2)

    def forward(self, x, weight, **options):
        if isinstance(self.rnn, gru.GRU):
            return self.head(self.rnn(x)[0]) * weight.view(-1, 1)
        h, states = torch.full((x.shape[1], 4), 0.3), []
        for x_t in x:
            h = self.rnn(x_t, h)
            states.append(h)
        return self.head(torch.stack(states)) * weight.view(-1, 1)


def last_and_middle(outputs):
    return outputs[-1, 0, 1] - outputs[2].square().sum()


@pytest.mark.parametrize("kind", ["layer", "cell in a loop"])
def test_a_loss_of_ones_own_is_walked_back_on_the_page(open_views, kind):
    torch.manual_seed(0)
    model, x, weight = Answers(kind), torch.randn(6, 2, D), torch.tensor([1.0, 3.0])
    for layer in range(2 if kind == "layer" else 1):
        view = views.GradientLoom(
            model, x, weight=weight, anything=1, loss=last_and_middle, sequence=1, layer=layer, step=1
        )
        expected = gru.gradient_flow(model, x[:, 1:], loss=last_and_middle, weight=weight[1:])[layer]
        torch.testing.assert_close(view.flow.grads, expected.grads)
        page = open_views(view)
        for step in (1, 2, 5):
            page.get_by_label("Step", exact=True).fill(str(step))
            page.evaluate(FRAME)
            state, head, terms = page.evaluate(READ)
            assert state == "ready"
            g = expected.grads[step, 0]
            assert number(head) == pytest.approx(g.norm().item(), rel=0.06)
            for text, name in zip(terms, PATHS, strict=True):
                assert number(text) == pytest.approx((expected.paths[name][step, 0] @ g / g.norm()).item(), rel=0.06), (
                    name
                )
        assert page.get_by_label("Loss after step").count() == 0
        assert "Of your loss" in page.locator(".gru-says").inner_text()


def test_a_loss_of_ones_own_and_a_cell_of_ones_own(open_views):
    module, (x, _) = KINDS["own cell"](), sequences()
    loss = lambda states: states[3].sum() + states[-1].square().sum()  # noqa: E731
    view = views.GradientLoom(module, x, loss=loss, step=2)
    page = open_views(view)
    page.evaluate(FRAME)
    expected = gru.gradient_flow(module, x[:, :1], loss=loss).norms[2, 0].item()
    assert number(page.evaluate(READ)[1]) == pytest.approx(expected, rel=0.06)


def test_a_loss_that_does_not_fit_is_named():
    layer, x = gru.GRU(D, 3), torch.randn(4, 1, D)
    with pytest.raises(TypeError, match="loss: expected a function of the module's outputs or None, got int"):
        views.GradientLoom(layer, x, loss=1)
    with pytest.raises(TypeError, match="loss: expected with a module"):
        views.GradientLoom(loss=torch.sum)
    with pytest.raises(TypeError, match="loss_step: expected none with a loss of your own, got 2"):
        views.GradientLoom(layer, x, loss=torch.sum, loss_step=2)
    with pytest.raises(ValueError, match="loss: expected a scalar tensor, got shape"):
        views.GradientLoom(layer, x, loss=lambda outputs: outputs[-1])


def test_names_of_steps_stand_below_them(open_views):
    page = open_views(views.GradientLoom(gru.GRU(D, 3), torch.randn(4, 2, D), step_names="abcd", step=3))
    assert page.locator(".gru-labels span").all_inner_texts() == ["0", "a", "b", "c", "d"]
    assert page.locator(".gru-transport .gru-value").inner_text() == "step 3 of 4, c"
    with pytest.raises(ValueError, match="step_names: expected 4, one per step, got 2"):
        views.GradientLoom(gru.GRU(D, 3), torch.randn(4, 2, D), step_names="ab")


def test_a_single_thread_can_be_muted_too(open_views):
    page = open_views(loom("elman", step=3, loss_step=6))
    assert page.get_by_role("checkbox").count() == 1  # the others are hidden
    page.get_by_role("checkbox", name="candidate").uncheck()
    page.evaluate(FRAME)
    assert "3 steps back from the loss, 0 % of its gradient is left." in page.locator(".gru-says").inner_text()


def test_where_threads_oppose_each_other_it_says_so(open_views):
    view = views.GradientLoom(unit=0)
    parts = torch.stack([view.flow.paths[name][:, 0, 0] for name in PATHS])
    steps = (parts * parts.sum(0) < 0).any(0).nonzero().flatten().tolist()
    agreed = sorted(set(range(30)) - set(steps))
    taking = re.compile("brings .* takes? some back|work against each other")
    for step, words in ((steps[0], taking), (agreed[0], re.compile("comes by"))):
        view.step = step
        assert words.search(open_views(view).locator(".gru-says").inner_text())


def test_each_layer_has_its_own_loss_and_a_reverse_one_its_own_steps(open_views):
    page = open_views(loom("nn.GRU, two layers, both ways"))
    says = page.locator(".gru-says")
    assert "back from the loss of layer 1, forward," in says.inner_text()
    page.get_by_label("Layer").select_option("layer 2, backward")
    page.evaluate(FRAME)
    assert "which takes its steps from the end" in says.inner_text()
    assert "the chosen layer's own state" in page.locator(".gru-where").inner_text()


class Started(torch.nn.Module):
    """A loop from a state of ones, which a model may change on its way."""

    def __init__(self, cell, factor=1.0):
        super().__init__()
        self.cell, self.factor = cell, factor

    def forward(self, x):
        h = torch.ones(x.shape[1], 3)
        for x_t in x:
            h = self.cell(x_t, self.factor * h)
        return h


@pytest.mark.parametrize("cell", [gru.ElmanCell, gru.ResetBeforeCell, KINDS["own cell"]().__class__])
def test_a_cell_may_start_from_any_state(cell, open_views):
    torch.manual_seed(0)
    cell = cell(D, 3)
    cell.hidden_size = 3
    model, x = Started(cell), torch.randn(4, 1, D)
    view = views.GradientLoom(model, x, step=1)
    expected = gru.gradient_flow(model, x)
    torch.testing.assert_close(view.flow.grads, expected.grads)
    assert number(open_views(view).evaluate(READ)[1]) == pytest.approx(expected.norms[1, 0].item(), rel=0.06)


@pytest.mark.parametrize("cell", [gru.ElmanCell, gru.ResetBeforeCell])
def test_a_state_that_the_model_changes_is_refused(cell):
    with pytest.raises(ValueError, match="module: expected"):
        views.GradientLoom(Started(cell(D, 3), 0.5), torch.randn(4, 1, D))


def test_a_start_that_z_has_nearly_forgotten_is_known():
    """It was told from h_1 by dividing by z, which a z of nearly 0 made noise."""
    layer = gru.GRU(D, 3)
    with torch.no_grad():
        layer.bias_ih_l0[3:6] = -18
    model = torch.nn.Module()
    model.layer = layer
    model.forward = lambda x: layer(x, torch.full((1, x.shape[1], 3), 0.7))[0]
    view = views.GradientLoom(model, torch.randn(5, 1, D))
    assert view._traces[0][0].h0.tolist() == pytest.approx([0.7] * 3)


def test_one_number_per_step_is_a_line_with_its_value_where_it_is(open_views):
    x = torch.tensor([-1.0, 1.0, -1.0, -1.0]).view(4, 1, 1)
    page = open_views(views.GradientLoom(nn.GRU(1, 3), x, step=2))
    line = page.locator(".gru-panel-x:not([hidden]) .gru-line")
    assert line.evaluate("(one) => getComputedStyle(one).stroke") not in ("none", "rgba(0, 0, 0, 0)")
    value = page.locator(".gru-panel-x:not([hidden]) .gru-end")
    assert value.inner_text() == "1.0"
    assert value.evaluate("(one) => one.style.top") == "0%", "at step 2 it is high; it ends low"
