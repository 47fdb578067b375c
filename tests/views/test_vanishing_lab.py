"""VanishingLab: eigenvalues, norms and random numbers of the page against torch, and what it must show."""

import re

import numpy as np
import pytest
import torch
import traitlets
from hypothesis import example, given, settings
from hypothesis import strategies as st
from views.conftest import FRAME, PATIENT

import gru
from gru import views
from gru.views._modules import bundle
from gru.views.vanishing_lab import normal

NORMS = """({ kind, x, W, U, T, H }) => {
  const elman = kind === "tanh RNN";
  const weights = { weight_ih: W, weight_hh: U, bias_ih: null, bias_hh: null, reset_after: true };
  const run = elman ? $jacobians.elman(x, W, U) : $gru.forward(x, weights);
  const step = (t, into) => (elman ? $jacobians.elmanStep : $jacobians.gruStep)(U, run, t, into);
  const last = new Float64Array(H * H);
  step(T - 1, last);
  return [[...$jacobians.logNorms(step, T, H)], [...last]];
}"""


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page()
    page.add_script_tag(content=bundle("gru", "eigen", "jacobians", "random"))
    yield page
    page.close()


def as_set(found, expected, tolerance):
    """Every eigenvalue of one has its like in the other."""
    apart = (found.unsqueeze(1) - expected.unsqueeze(0)).abs()
    assert apart.min(0).values.max() < tolerance
    assert apart.min(1).values.max() < tolerance
    assert (found.sum() - expected.sum()).abs() < tolerance * len(found)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000), n=st.integers(1, 24), symmetric=st.booleans(), scale=st.sampled_from([1e-8, 1, 1e6])
)
def test_eigenvalues_are_torchs(page, seed, n, symmetric, scale):
    matrix = scale * torch.randn(n, n, generator=torch.Generator().manual_seed(seed)).double()
    matrix = matrix + matrix.T if symmetric else matrix
    found = page.evaluate("(matrix) => $eigen.eigenvalues(matrix)", matrix.flatten().tolist())
    assert len(found) == n
    as_set(torch.complex(*torch.tensor(found, dtype=torch.double).T), torch.linalg.eigvals(matrix), 1e-8 * scale * n)


@pytest.mark.parametrize(
    ("matrix", "tolerance"),
    [
        (torch.zeros(4, 4), 1e-12),
        (torch.eye(5), 1e-12),
        (torch.roll(torch.eye(6), 1, 0), 1e-12),  # a cycle: the usual shifts go in circles
        (torch.diag(torch.ones(3), 1), 1e-4),  # defective: rounding moves its eigenvalues by a root of itself
        (torch.tensor([[0.0, 1.0], [-1.0, 0.0]]), 1e-12),
    ],
)
def test_eigenvalues_of_matrices_that_are_hard(page, matrix, tolerance):
    found = page.evaluate("(matrix) => $eigen.eigenvalues(matrix)", matrix.flatten().tolist())
    as_set(torch.complex(*torch.tensor(found, dtype=torch.double).T), torch.linalg.eigvals(matrix.double()), tolerance)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 9))
def test_random_numbers_are_the_same_in_python(page, seed, count):
    found = page.evaluate("([seed, count]) => [...$random.normal(seed, count)]", [seed, count])
    np.testing.assert_allclose(found, normal(seed, count), rtol=1e-12, atol=1e-14)


def test_random_numbers_are_normal():
    numbers = normal(5, 100_001)
    assert abs(numbers.mean()) < 0.02
    assert abs(numbers.std() - 1) < 0.01
    assert abs((np.abs(numbers) < 1).mean() - 0.6827) < 0.01
    assert len(np.unique(numbers)) > 99_000


@settings(max_examples=30, deadline=None)
@example(seed=8, T=1, H=8, kind="GRU", scale=0.2)  # singular values close together
@given(
    seed=st.integers(0, 10_000),
    T=st.integers(1, 30),
    H=st.integers(1, 16),
    kind=st.sampled_from(["tanh RNN", "GRU"]),
    scale=st.sampled_from([0.2, 1.0, 2.0]),
)
def test_norms_are_those_of_jacobian_norms(page, seed, T, H, kind, scale):
    draw = torch.Generator().manual_seed(seed)
    module = (gru.ElmanCell(3, H) if kind == "tanh RNN" else gru.GRU(3, H)).double()
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            weights = scale * torch.randn(parameter.shape, generator=draw)
            parameter.copy_(weights if "weight" in name else torch.zeros_like(weights))
    x = torch.randn(T, 1, 3, generator=draw).double()
    W, U = (parameter.flatten().tolist() for name, parameter in module.named_parameters() if "weight" in name)
    sent = {"kind": kind, "x": x.flatten().tolist(), "W": W, "U": U, "T": T, "H": H}
    logs, last = page.evaluate(NORMS, sent)
    expected = gru.jacobian_norms(module, x).flip(0)
    np.testing.assert_allclose(logs, expected.log10().numpy(), atol=1e-4)  # far less than the eye can tell
    before = torch.zeros(H).double()
    for x_t in x[:-1, 0]:
        before = gru.trace(module, x_t[None, None], before[None] if kind == "tanh RNN" else before[None, None]).h[0, 0]
    whole = sum(gru.step_jacobian(module, x[-1, 0], before).values())
    np.testing.assert_allclose(last, whole.detach().flatten().numpy(), atol=1e-10)


def test_small_products_do_not_underflow(page):
    half = "(t, into) => { into.fill(0); into[0] = into[3] = 1e-30; }"
    logs = page.evaluate(f"() => [...$jacobians.logNorms({half}, 50, 2)]")
    np.testing.assert_allclose(logs, -30.0 * np.arange(1, 51), rtol=1e-9)
    logs = page.evaluate("() => [...$jacobians.logNorms((t, into) => into.fill(0), 3, 2)].map(String)")
    assert logs == ["-Infinity"] * 3


# The view


def test_a_gru_without_bias_vanishes_almost_as_fast_and_the_bias_rescues_it():
    """Decays with 64 units and their mean over seeds: FACTS of the field, found anew."""
    lab = views.VanishingLab(hidden_size=64, steps=100)

    def mean(**traits):
        found = []
        for seed in range(3):
            with lab.hold_trait_notifications():
                lab.seed = seed
                for name, value in traits.items():
                    setattr(lab, name, value)
            found.append(lab.decay)
        return [sum(one[name] for one in found) / 3 for name in ("tanh RNN", "GRU")]

    rnn, zero = mean(spectral_radius=1.0, update_bias=0.0)
    assert rnn == pytest.approx(0.61, abs=0.03)
    assert zero == pytest.approx(0.66, abs=0.03)
    _, opened = mean(update_bias=5.0)
    assert opened > 0.99
    rnn, zero = mean(spectral_radius=2.0, update_bias=0.0)
    assert rnn > 0.95
    assert zero < 0.85


def test_at_radius_2_the_tanh_rnn_stands_on_the_edge_as_its_words_say():
    """Radius 2 beside radius 1, eight seeds: the Try of the view, and those of the chapter."""
    opened, edge = (views.VanishingLab(spectral_radius=radius) for radius in (1.0, 2.0))
    norms = {}
    for seed in range(8):
        opened.seed = edge.seed = seed
        at_1, at_2 = opened.decay, edge.decay
        assert at_2["tanh RNN"] > at_1["tanh RNN"] + 0.15  # loses far less in a step
        assert at_2["GRU"] < 0.87
        assert edge.norms["GRU"][-1] < 1e-3  # still vanishes
        assert at_1["tanh RNN"] == pytest.approx(0.6, abs=0.07)  # the slopes change only a little
        assert at_1["GRU"] == pytest.approx(0.65, abs=0.05)
        norms[seed] = edge.norms["tanh RNN"]
    first = norms[0]  # rises, falls slowly, and is still near 1
    assert first.max() > 5 * first[0]
    assert 0.3 < first[-1] < 3
    assert norms[7].argmax() >= 57  # rises to the end
    assert norms[7][-1] > 100
    assert norms[2].argmax() < 5  # soon falls
    assert norms[2][-1] < 0.01


def test_the_matrices_have_the_radius_that_is_asked_for():
    lab = views.VanishingLab(spectral_radius=1.5, hidden_size=8)
    for U in (lab.rnn.weight_hh, *lab.gru.weight_hh_l0.split(8)):
        assert torch.linalg.eigvals(U).abs().max().item() == pytest.approx(1.5)
    assert (lab.gru.bias_ih_l0[8:16] == lab.update_bias).all()
    assert lab.x.shape == (60, 1, 8)


def says(page):
    page.evaluate(FRAME)
    return page.locator(".gru-says").inner_text()


@pytest.mark.parametrize("traits", [{}, {"update_bias": 4.0, "steps": 30, "seed": 7}, {"spectral_radius": 0.5}])
def test_page_says_what_python_computes(open_views, traits):
    lab = views.VanishingLab(hidden_size=12, **traits)
    page = open_views(lab)
    rnn, gated = re.search(r"a step leaves ([\d.]+) % and ([\d.]+) %", says(page)).groups()
    assert float(rnn) == pytest.approx(100 * lab.decay["tanh RNN"], abs=0.2)
    assert float(gated) == pytest.approx(100 * lab.decay["GRU"], abs=0.2)
    assert not page.locator(".gru-plane").first.is_visible()
    assert page.locator(".gru-line-bound").count() == 0
    page.get_by_text("Why?").click()
    page.evaluate(FRAME)
    why = page.locator(".gru-fold").inner_text()
    stretch = torch.linalg.svdvals(lab.rnn.weight_hh)[0].item()
    assert float(re.search(r"largest singular value of U, ([\d.]+\d)", why)[1]) == pytest.approx(stretch, abs=6e-3)
    assert ("must vanish" in why) == (stretch < 1)
    assert page.locator(".gru-line-bound").count() == 1
    before = gru.trace(lab.rnn, lab.x[:-1]).h[-1]
    whole = sum(gru.step_jacobian(lab.rnn, lab.x[-1], before).values())[0]
    largest = torch.linalg.eigvals(whole.detach()).abs().max().item()
    assert float(re.search(r"in to ([\d.]+\d)", why)[1]) == pytest.approx(largest, abs=6e-3)


def test_with_fewer_steps_after_more_it_is_as_if_there_had_never_been_more(open_views):
    """A run is kept for the steps that it has in common with the next; the gradient comes back from another."""
    drawn = "(all) => all.map((one) => one.getAttribute('d'))"
    short, long = (open_views(views.VanishingLab(hidden_size=8, steps=steps, distance=9)) for steps in (30, 90))
    for page, steps in ((long, 150), (long, 30)):
        page.get_by_label("Steps T").fill(str(steps))
        page.evaluate(FRAME)
    assert says(long) == says(short)
    paths = ".gru-panel-norms svg path"
    assert long.locator(paths).evaluate_all(drawn) == short.locator(paths).evaluate_all(drawn)


def test_what_has_grown_is_not_said_to_be_left(open_views):
    page = open_views(views.VanishingLab(spectral_radius=2.0))
    assert "20 steps back, the gradient is 12 times as large in the tanh RNN and 0.047 times in the GRU." in says(page)
    page = open_views(views.VanishingLab())
    assert re.search(r"20 steps back, \S+ of the gradient is left in the tanh RNN", says(page))


def test_the_cursor_follows_pointer_and_slider(open_views):
    page = open_views(views.VanishingLab(hidden_size=8))
    box = page.locator(".gru-panel-norms .gru-plot").bounding_box()
    page.mouse.move(box["x"] + box["width"] - 1, box["y"] + 30)
    assert "60 steps back" in says(page)
    page.mouse.move(0, 0)
    assert "20 steps back" in says(page), "hovering previews"
    page.mouse.click(box["x"] + box["width"] - 1, box["y"] + 30)
    page.mouse.move(0, 0)
    assert "60 steps back" in says(page), "pressing sets"
    page.get_by_label("Step", exact=True).press("Home")
    assert "1 step back" in says(page)


def test_the_line_of_the_gru_can_be_pulled(open_views):
    """It stays under the hand, and the axis stays where it is."""
    page = open_views(views.VanishingLab())
    handle = page.locator(".gru-handle")
    bias = page.get_by_label("GRU: bias of every z")
    ticks = page.locator(".gru-score .gru-tick").all_inner_texts()

    def middle():
        box = handle.bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    x, y = middle()
    top = page.locator(".gru-panel-norms .gru-plot").bounding_box()["y"]
    page.mouse.move(x, y)
    page.mouse.down()
    assert float(bias.input_value()) == 0, "taking it moves nothing"
    for share in (0.2, 0.4, 0.6, 0.7):
        page.mouse.move(x + 3, y + share * (top + 16 - y))
        page.evaluate(FRAME)
    assert 1 < float(bias.input_value()) < 3
    assert middle()[1] == pytest.approx(y + 0.7 * (top + 16 - y), abs=6)
    assert page.locator(".gru-score .gru-tick").all_inner_texts() == ticks
    page.mouse.up()
    page.mouse.move(x + 60, y)
    page.evaluate(FRAME)
    pulled = float(bias.input_value())
    page.mouse.move(0, 0)
    assert "20 steps back" in says(page)
    assert float(bias.input_value()) == pulled


def test_what_was_before_stays_as_a_ghost(open_views):
    page = open_views(views.VanishingLab(hidden_size=8))
    line = page.locator(".gru-line-gru").get_attribute("d")
    assert page.locator(".gru-ghost").count() == 0
    page.get_by_role("button", name="A bias of 5").click()
    page.evaluate(FRAME)
    assert page.locator(".gru-ghost").get_attribute("d") == line != page.locator(".gru-line-gru").get_attribute("d")
    page.get_by_label("Spectral radius").press("ArrowRight")
    page.evaluate(FRAME)
    page.evaluate(FRAME)
    assert page.locator(".gru-ghost").get_attribute("d") != line, "the ghost is of the same weights"


# Where the first slider stood, whenever the words were others, from the page's beginning on.
HEARD = """window.heard = [];
let last = "";
new MutationObserver(() => {
  const says = document.querySelector(".gru-says")?.textContent ?? "";
  if (says === last) return;
  last = says;
  window.heard.push(Number(document.querySelector(".gru-top input[type=range]").value));
}).observe(document, { childList: true, subtree: true, characterData: true });"""


def test_it_opens_on_a_contrast(open_views):
    init = HEARD + PATIENT
    page = open_views(views.VanishingLab(hidden_size=8, play=True), init=init, reduced_motion="no-preference")
    page.wait_for_function("heard.length > 10 && heard.at(-1) === 4")
    page.get_by_role("button", name="Sweep it from 0 to 4").wait_for()
    heard = page.evaluate("heard")
    swept = heard[heard.index(0) :]  # from when it began
    assert len(swept) > 10
    assert swept == sorted(swept)
    assert float(page.get_by_label("GRU: bias of every z").input_value()) == 4
    assert "The bias holds the gradient" in says(page)
    page.get_by_role("button", name="Reset").click()
    assert "The GRU vanishes almost as fast" in says(page)


def test_where_motion_is_unwanted_the_contrast_is_there_at_once(open_views):
    page = open_views(views.VanishingLab(hidden_size=8, play=True), reduced_motion="reduce")
    assert "The bias holds the gradient" in says(page)
    assert page.locator(".gru-ghost").count() == 1
    assert page.get_by_role("button", name="Pause").count() == 0


def test_a_hand_that_was_there_first_is_not_taken_from(open_views):
    room = "<div style='height: 3000px'></div>"
    page = open_views(room, views.VanishingLab(hidden_size=8, play=True), reduced_motion="no-preference")
    page.locator(".gru-top input[type=range]").evaluate(
        "(one) => { one.value = 1; one.dispatchEvent(new Event('input', { bubbles: true })); }"
    )
    page.locator(".gru-view").scroll_into_view_if_needed()
    page.evaluate("() => document.querySelector('.gru-view').scrollIntoView({ block: 'center' })")
    page.wait_for_timeout(400)
    assert float(page.get_by_label("GRU: bias of every z").input_value()) == 1
    assert page.get_by_role("button", name="Pause").count() == 0


def test_a_hand_ends_the_sweep(open_views):
    page = open_views(views.VanishingLab(hidden_size=8))
    page.get_by_role("button", name="Sweep it from 0 to 4").click()
    page.get_by_role("button", name="Pause").wait_for()
    page.get_by_label("GRU: bias of every z").press("Home")
    page.get_by_role("button", name="Sweep it from 0 to 4").wait_for()
    page.wait_for_timeout(200)
    assert float(page.get_by_label("GRU: bias of every z").input_value()) == -2


def test_bad_values_are_named():
    for name, value in [
        ("spectral_radius", 3.0),
        ("steps", 5),
        ("update_bias", -3.0),
        ("seed", 100),
        ("hidden_size", 1),
    ]:
        with pytest.raises(traitlets.TraitError, match=name):
            views.VanishingLab(**{name: value})
    with pytest.raises(TypeError, match="did you mean spectral_radius"):
        views.VanishingLab(spectral_radios=1.0)
