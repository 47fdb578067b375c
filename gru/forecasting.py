r"""What a forecast is measured by: the baselines that cost nothing, the errors, and what a band covered.

::

    persistence       y_{t+k} = y_t                      nothing changes
    seasonal naive    y_{t+k} = y_{t+k-s}                the same as last season
    skill             1 - error / error of persistence   0: no better than "nothing changes"; below 0: worse
    pinball           max(q (y - f), (q - 1) (y - f))    least, on average, where f is the q-quantile of y

Sources: Hyndman and Athanasopoulos, "Forecasting: Principles and Practice" (baselines); Murphy 1988 (skill);
Koenker and Bassett 1978 (the pinball loss).

Glossary
    T, B, D      steps, sequences, values per step; the series is the first of them
    K, Q         horizon, quantiles
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from gru import _arguments


class Comparison(NamedTuple):
    """A forecaster beside its baselines, for each step of the horizon. Errors are mean absolute errors."""

    error: Tensor  # (K,) of the model: of its median, if it gives quantiles
    persistence: Tensor  # (K,)
    seasonal: Tensor | None  # (K,); None without a season
    skill: Tensor  # (K,) 1 - error / persistence
    coverage: dict[tuple[float, float], float]  # (low, high) quantile -> share of the values between them

    def __str__(self) -> str:
        lines = [f"{'step':>4} {'model':>8} {'persist.':>8} {'seasonal':>8} {'skill':>7}"]
        for k, (error, naive, skill) in enumerate(zip(self.error, self.persistence, self.skill, strict=True)):
            seasonal = f"{self.seasonal[k]:8.3f}" if self.seasonal is not None else f"{'-':>8}"
            lines.append(f"{k + 1:>4} {error:8.3f} {naive:8.3f} {seasonal} {skill:7.1%}")
        lines += [f"{high - low:.0%} band covers {share:.1%}" for (low, high), share in self.coverage.items()]
        return "\n".join(lines)


def persistence(x: Tensor, horizon: int) -> Tensor:
    """The last value of each sequence, for the whole horizon.

    Args:
        x: (T, B, D); the series is x[..., 0].
        horizon: K.

    Returns:
        (B, K).

    >>> persistence(torch.tensor([1.0, 2.0]).view(2, 1, 1), 3).tolist()
    [[2.0, 2.0, 2.0]]
    """
    _sequences(x)
    _arguments.size("horizon", horizon)
    return x[-1, :, :1].expand(-1, horizon)


def seasonal_naive(x: Tensor, horizon: int, season: int) -> Tensor:
    """The values of one season earlier, again and again if the horizon is longer.

    Args:
        x: (T, B, D) with T of at least one season; the series is x[..., 0].
        horizon: K.
        season: s, the steps of a season.

    Returns:
        (B, K).

    >>> seasonal_naive(torch.arange(4.0).view(4, 1, 1), 3, season=2).tolist()
    [[2.0, 3.0, 2.0]]
    """
    _sequences(x)
    for name, value in (("horizon", horizon), ("season", season)):
        _arguments.size(name, value)
    if len(x) < season:
        raise ValueError(f"season: expected at most T = {len(x)}, the steps of x, got {season}")
    places = len(x) - season + torch.arange(horizon, device=x.device) % season
    return x[places, :, 0].T


def pinball_loss(forecast: Tensor, wanted: Tensor, quantiles: Sequence[float]) -> Tensor:
    """The mean over everything of max(q (y - f), (q - 1) (y - f)).

    Args:
        forecast: (..., Q), one value per quantile.
        wanted: (...), what came.
        quantiles: Q numbers between 0 and 1.

    >>> round(pinball_loss(torch.tensor([[1.0, 3.0]]), torch.tensor([2.0]), (0.1, 0.9)).item(), 4)
    0.1
    """
    _arguments.is_tensor("forecast", forecast)
    _arguments.is_tensor("wanted", wanted)
    if not isinstance(quantiles, Iterable):
        raise TypeError(f"quantiles: expected several numbers, got {quantiles!r}")
    if forecast.shape != (*wanted.shape, len(quantiles)):
        expected = f"{_arguments.shape(wanted)} with one more axis of {len(quantiles)}"
        raise ValueError(f"forecast: expected shape {expected}, got {_arguments.shape(forecast)}")
    if outside := [quantile for quantile in quantiles if not 0 < quantile < 1]:
        raise ValueError(f"quantiles: expected numbers between 0 and 1, got {outside[0]}")
    q = torch.as_tensor(quantiles, dtype=forecast.dtype, device=forecast.device)
    over = wanted.unsqueeze(-1) - forecast
    return torch.maximum(q * over, (q - 1) * over).mean()


def compare(forecast: Tensor, x: Tensor, wanted: Tensor, season: int | None, quantiles: Sequence[float]) -> Comparison:
    """A forecast beside persistence and, with a season, beside the season before.

    Args:
        forecast: (B, K), or (B, K, Q) with quantiles, of which the middle one counts as the forecast.
        x: what it was made from (T, B, D); the series is x[..., 0], in the units of the forecast.
        wanted: what came (B, K).
        season: steps of a season, or None.
        quantiles: Q numbers in rising order, or none.
    """
    _sequences(x)
    _arguments.is_tensor("forecast", forecast)
    _arguments.is_tensor("wanted", wanted)
    B, levels = x.shape[1], (len(quantiles),) if quantiles else ()
    if forecast.dim() < 2 or forecast.shape != (B, forecast.shape[1], *levels):
        expected = "".join(f", {size}" for size in ("K", *levels))
        raise ValueError(f"forecast: expected shape ({B}{expected}), got {_arguments.shape(forecast)}")
    K = forecast.shape[1]
    if wanted.shape != (B, K):
        raise ValueError(f"wanted: expected shape ({B}, {K}), got {_arguments.shape(wanted)}")
    middle = forecast[..., len(quantiles) // 2] if quantiles else forecast

    def error(answer: Tensor) -> Tensor:
        return (answer - wanted).abs().mean(0)  # (K,)

    naive = error(persistence(x, K))
    seasonal = None if season is None else error(seasonal_naive(x, K, season))
    coverage = {}
    for i in range(len(quantiles) // 2):
        inside = (forecast[..., i] <= wanted) & (wanted <= forecast[..., -1 - i])
        coverage[quantiles[i], quantiles[-1 - i]] = inside.double().mean().item()
    return Comparison(error(middle), naive, seasonal, 1 - error(middle) / naive, coverage)


def check_quantiles(quantiles: Sequence[float] | None) -> tuple[float, ...]:
    """Quantiles as floats; () for None.

    Args:
        quantiles: an odd number of them between 0 and 1, rising, so that one is in the middle.
    """
    if quantiles is None:
        return ()
    if not isinstance(quantiles, Iterable):
        raise TypeError(f"quantiles: expected several numbers or None, got {quantiles!r}")
    numbers = tuple(_arguments.number("quantiles", quantile) for quantile in quantiles)
    rising = all(a < b for a, b in pairwise(numbers))
    if len(numbers) % 2 == 0 or not rising or numbers[0] <= 0 or numbers[-1] >= 1:
        raise ValueError(f"quantiles: expected an odd number of rising ones between 0 and 1, got {numbers}")
    return numbers


def _sequences(x: Tensor) -> None:
    _arguments.is_tensor("x", x)
    if x.dim() != 3 or not len(x):
        raise ValueError(f"x: expected shape (T, B, D) with at least one step, got {_arguments.shape(x)}")
