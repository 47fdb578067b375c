"""VanishingLab: eigenvalues, norms and random numbers of the page against torch, and what it must show."""

import re

import numpy as np
import pytest
import torch
import traitlets
from hypothesis import example, given, settings
from hypothesis import strategies as st
from views.conftest import FRAME

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


def test_the_matrices_have_the_radius_that_is_asked_for():
    lab = views.VanishingLab(spectral_radius=1.5, hidden_size=8)
    for U in (lab.rnn.weight_hh, *lab.gru.weight_hh_l0.split(8)):
        assert torch.linalg.eigvals(U).abs().max().item() == pytest.approx(1.5)
    assert (lab.gru.bias_ih_l0[8:16] == lab.update_bias).all()
    assert lab.x.shape == (60, 1, 8)


@pytest.mark.parametrize("traits", [{}, {"update_bias": 4.0, "steps": 30, "seed": 7}, {"spectral_radius": 0.5}])
def test_page_says_what_python_computes(open_views, traits):
    lab = views.VanishingLab(hidden_size=12, **traits)
    page = open_views(lab)
    page.evaluate(FRAME)
    says = page.locator(".gru-says").inner_text()
    rnn, gated = re.search(r"by ([\d.]+) in the tanh RNN and by ([\d.]+) in the GRU", says).groups()
    assert float(rnn) == pytest.approx(lab.decay["tanh RNN"], abs=2e-3)
    assert float(gated) == pytest.approx(lab.decay["GRU"], abs=2e-3)
    stretch = torch.linalg.svdvals(lab.rnn.weight_hh)[0].item()
    assert float(re.search(r"singular value of the RNN's U is ([\d.]+)", says)[1]) == pytest.approx(stretch, abs=6e-3)
    assert ("must vanish" in says) == (stretch < 1)


def test_the_cursor_follows_pointer_and_slider(open_views):
    page = open_views(views.VanishingLab(hidden_size=8))
    box = page.locator(".gru-chart").bounding_box()
    page.mouse.move(box["x"] + box["width"] - 1, box["y"] + 30)
    page.evaluate(FRAME)
    assert "At a distance of 60 of 60 steps" in page.locator(".gru-says").inner_text()
    page.get_by_label("Read at a distance of").press("Home")
    page.evaluate(FRAME)
    assert "At a distance of 1 of 60 steps" in page.locator(".gru-says").inner_text()


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
