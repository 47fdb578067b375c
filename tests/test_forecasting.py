"""Forecasts: quantiles that never cross, baselines by hand, a comparison in one call."""

import re

import pytest
import torch

import gru
from gru import GRUForecaster, forecasting

T, B, K = 9, 5, 3
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


@pytest.fixture
def x():
    return torch.randn(T, B, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def wanted():
    return torch.randn(B, K, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def make(**options):
    torch.manual_seed(0)
    return GRUForecaster(2, 4, K, dtype=torch.float64, **options).eval()


def test_quantiles_are_the_heads_numbers_in_rising_order(x):
    model = make(quantiles=LEVELS)
    answers = model(x)
    assert answers.shape == (B, K, 5)
    assert (answers.diff(dim=-1) >= 0).all()
    raw = model.head(model.last_state(x)).view(B, K, 5)
    assert (raw.diff(dim=-1) < 0).any(), "nothing to sort: this test could not fail"
    torch.testing.assert_close(answers, raw.sort(-1).values, rtol=0, atol=0)


def test_covariates_come_apart_or_as_columns(x):
    more = torch.randn(T, B, 3, dtype=torch.float64)
    model = make(covariates=3)
    whole = model(torch.cat([x, more], 2))
    torch.testing.assert_close(model(x, covariates=more), whole, rtol=0, atol=0)
    first = make(covariates=3, batch_first=True)
    torch.testing.assert_close(first(x.transpose(0, 1), covariates=more.transpose(0, 1)), whole, rtol=1e-12, atol=1e-12)
    assert not torch.allclose(model(x, covariates=2 * more), whole)


def test_bad_options(x):
    cases = [
        ({"quantiles": (0.1, 0.9)}, ValueError, "quantiles: expected an odd number of rising ones between 0 and 1"),
        ({"quantiles": (0.9, 0.5, 0.1)}, ValueError, "got (0.9, 0.5, 0.1)"),
        ({"quantiles": (0.0, 0.5, 0.9)}, ValueError, "between 0 and 1, got (0.0, 0.5, 0.9)"),
        ({"quantiles": 0.5}, TypeError, "quantiles: expected several numbers or None, got 0.5"),
        ({"quantiles": ()}, ValueError, "quantiles: expected an odd number"),
        ({"quantiles": ("a",)}, TypeError, "quantiles: expected a number, got 'a'"),
        ({"covariates": -1}, ValueError, "covariates must be greater than zero"),
    ]
    for options, kind, message in cases:
        with pytest.raises(kind, match=re.escape(message)):
            make(**options)
    with pytest.raises(ValueError, match=re.escape("covariates: expected shape (9, 5, 1), got (9, 5)")):
        make(covariates=1)(x, covariates=x[..., 0])


def test_pinball_by_hand(wanted):
    forecast = torch.randn(B, K, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    total = 0.0
    for b in range(B):
        for k in range(K):
            for q, level in enumerate((0.2, 0.7)):
                over = (wanted[b, k] - forecast[b, k, q]).item()
                total += level * over if over > 0 else (level - 1) * over
    loss = forecasting.pinball_loss(forecast, wanted, (0.2, 0.7)).item()
    assert loss == pytest.approx(total / (B * K * 2))


def test_pinball_of_what_is_no_quantile():
    with pytest.raises(ValueError, match=r"quantiles: expected numbers between 0 and 1, got 2"):
        forecasting.pinball_loss(torch.zeros(3, 1), torch.zeros(3), (2,))


def test_pinball_is_least_at_the_quantile():
    values = torch.arange(101.0, dtype=torch.float64)
    for level in (0.1, 0.5, 0.9):
        losses = [forecasting.pinball_loss(values.new_full((101, 1), f), values, (level,)).item() for f in range(101)]
        assert losses.index(min(losses)) == pytest.approx(100 * level, abs=1)


def test_baselines_by_hand(x):
    naive = forecasting.persistence(x, K)
    seasonal = forecasting.seasonal_naive(x, 6, season=4)
    for b in range(B):
        assert naive[b].tolist() == [x[-1, b, 0].item()] * K
        assert seasonal[b].tolist() == [x[T - 4 + k % 4, b, 0].item() for k in range(6)]
    with pytest.raises(ValueError, match="season: expected at most T = 9, the steps of x, got 12"):
        forecasting.seasonal_naive(x, K, 12)


def test_compare_in_one_call(x, wanted):
    model = make(quantiles=LEVELS, dropout=0.5).train()
    found = model.compare(x, wanted, season=4)
    assert model.training
    forecast = model.eval()(x)
    torch.testing.assert_close(found.error, (forecast[..., 2] - wanted).abs().mean(0))
    torch.testing.assert_close(found.persistence, (x[-1, :, :1] - wanted).abs().mean(0))
    torch.testing.assert_close(found.seasonal, (forecasting.seasonal_naive(x, K, 4) - wanted).abs().mean(0))
    torch.testing.assert_close(found.skill, 1 - found.error / found.persistence)
    inside = sum(forecast[b, k, 1] <= wanted[b, k] <= forecast[b, k, 3] for b in range(B) for k in range(K))
    assert found.coverage[0.25, 0.75] == pytest.approx(inside.item() / (B * K))
    assert [*found.coverage] == [(0.05, 0.95), (0.25, 0.75)]
    assert "90% band covers" in str(found)
    assert make().compare(x, wanted).seasonal is None


def test_compare_reads_batch_first_too(x, wanted):
    torch.testing.assert_close(
        make(batch_first=True).compare(x.transpose(0, 1), wanted, season=4)[:4], make().compare(x, wanted, season=4)[:4]
    )


def test_wrong_shapes_are_named(x, wanted):
    with pytest.raises(ValueError, match=re.escape("wanted: expected shape (5, 3), got (5, 2)")):
        make().compare(x, wanted[:, :2])
    with pytest.raises(
        ValueError, match=re.escape("forecast: expected shape (5, 3) with one more axis of 1, got (5, 3)")
    ):
        forecasting.pinball_loss(wanted, wanted, (0.5,))


@pytest.mark.parametrize(
    ("forecast", "x_samples", "levels", "message"),
    [
        ((B, K), 1, (), f"forecast: expected shape (1, K), got ({B}, {K})"),
        ((1, K), B, (), f"forecast: expected shape ({B}, K), got (1, {K})"),
        ((B,), B, (), f"forecast: expected shape ({B}, K), got ({B},)"),
        ((B, K), B, LEVELS, f"forecast: expected shape ({B}, K, 5), got ({B}, {K})"),
        ((B, K, 3), B, LEVELS, f"forecast: expected shape ({B}, K, 5), got ({B}, {K}, 3)"),
        ((B, K, 3), B, (), f"forecast: expected shape ({B}, K), got ({B}, {K}, 3)"),
    ],
)
def test_a_forecast_of_other_shapes_is_not_broadcast(x, wanted, forecast, x_samples, levels, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        forecasting.compare(torch.zeros(forecast), x[:, :x_samples], wanted, None, levels)


def test_lists_and_numbers_are_refused_by_name(x, wanted):
    zeros = torch.zeros(2)
    for call, message in [
        (lambda: forecasting.compare([[1.0]], x, wanted, None, ()), "forecast: expected a Tensor, got list"),
        (lambda: make().compare(x, wanted.tolist()), "wanted: expected a Tensor, got list"),
        (lambda: make().loss(make()(x), wanted.tolist()), "wanted: expected a Tensor, got list"),
        (lambda: forecasting.pinball_loss([1.0], zeros, (0.5,)), "forecast: expected a Tensor, got list"),
        (lambda: forecasting.pinball_loss(zeros, [1.0], (0.5,)), "wanted: expected a Tensor, got list"),
        (lambda: forecasting.pinball_loss(zeros, zeros, 0.5), "quantiles: expected several numbers, got 0.5"),
    ]:
        with pytest.raises(TypeError, match=rf"^{re.escape(message)}$"):
            call()


def test_a_loss_of_other_shapes_is_not_broadcast(x, wanted):
    model = make()
    with pytest.raises(ValueError, match=r"^wanted: expected shape \(5, 3\), that of the answers, got \(5, 1\)$"):
        model.loss(model(x), wanted[:, :1])


def test_fit_learns_the_quantiles_of_noise():
    """Inputs that say nothing: what is left to learn are the quantiles of the targets."""
    draw = torch.Generator().manual_seed(0)
    y = torch.rand(600, 1, generator=draw)
    torch.manual_seed(0)
    model = GRUForecaster(1, 4, 1, quantiles=(0.1, 0.5, 0.9))
    gru.fit(model, torch.zeros(2, 600, 1), y, loss=model.loss, epochs=40, batch_size=100, lr=0.02, progress=False)
    with torch.no_grad():
        learned = model(torch.zeros(2, 1, 1))[0, 0]
    torch.testing.assert_close(learned, torch.tensor([0.1, 0.5, 0.9]), rtol=0, atol=0.06)
