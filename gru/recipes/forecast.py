"""How a series goes on: sea-surface temperature a year ahead, carbon dioxide half a year ahead.

Each series is split in the order of time: no window's targets lie in another part. What scales it is measured on the
training part alone. The CO2 series climbs, so its windows are read relative to their last value.
"""

import math
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from gru.datasets import Series, co2, el_nino, fill_gaps, windows
from gru.models import GRUForecaster
from gru.recipes import _weights
from gru.training import fit

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


class Plan(NamedTuple):
    """What a model of a series reads and says, and where the parts begin."""

    context: int  # T
    horizon: int  # K
    relative: bool  # to the last value of the window
    validation: int  # year
    test: int  # year
    stride: int  # between training windows
    hidden_size: int
    options: dict  # of gru.fit


# Chosen on the validation part among 8, 16 and 32 units, 20 and 60 epochs, rates of 0.003 and 0.01; two seeds each.
PLANS = {
    "el_nino": Plan(36, 12, False, 1988, 1998, 1, 16, {"epochs": 20, "lr": 0.01, "weight_decay": 0.01}),
    "co2": Plan(104, 26, True, 1984, 1992, 4, 8, {"epochs": 60, "lr": 0.01, "weight_decay": 0.01}),
}


class Part(NamedTuple):
    """Windows of one part: in the series' own units, and as the model reads them."""

    raw: Tensor  # (T, N) in °C or ppm
    wanted: Tensor  # (N, K) in °C or ppm
    x: Tensor  # (T, N, 3) scaled, and the season's sine and cosine
    y: Tensor  # (N, K) scaled
    ends: list[int]  # where each window ends in the series: the place of its last value


class Prepared(NamedTuple):
    """A series, ready."""

    series: Series
    values: Tensor  # (S,) its gaps filled
    plan: Plan
    center: float
    scale: float
    parts: dict[str, Part]


@cache
def prepared(name: str) -> Prepared:
    """``el_nino`` or ``co2``, split and scaled."""
    series = {"el_nino": el_nino, "co2": co2}[name]()
    return prepare(series, fill_gaps(series.values), PLANS[name])


def prepare(series: Series, values: Tensor, plan: Plan, known: slice | None = None) -> Prepared:
    """Split and scale a series; ``known`` are the values that scaling is measured on: by default the training part."""
    years = torch.tensor([day.year for day in series.dates])
    first, second = (int((years < year).sum()) for year in (plan.validation, plan.test))
    seen = values[slice(0, first) if known is None else known]
    if plan.relative:
        center, scale = 0.0, (seen[plan.horizon :] - seen[: -plan.horizon]).std().item()
    else:
        center, scale = seen.mean().item(), seen.std().item()
    x, wanted = windows(values, plan.context, plan.horizon, season(series))
    begins = {"train": (0, first), "validation": (first, second), "test": (second, len(values))}
    parts = {}
    for name, (start, end) in begins.items():
        # Window i forecasts the values i + context to i + context + horizon - 1: all of them inside its part.
        low, high = max(0, start - plan.context), end - plan.context - plan.horizon + 1
        chosen = torch.arange(low, high, plan.stride if name == "train" else 1)
        raw = x[:, chosen, 0]
        base = raw[-1] if plan.relative else torch.full_like(raw[-1], center)  # (N,)
        scaled = torch.cat([((raw - base) / scale).unsqueeze(2), x[:, chosen, 1:]], 2)
        ends = (chosen + plan.context - 1).tolist()
        parts[name] = Part(raw, wanted[chosen], scaled, (wanted[chosen] - base.unsqueeze(1)) / scale, ends)
    return Prepared(series, values, plan, center, scale, parts)


def season(series: Series) -> Tensor:
    """Where in the year each value stands: sine and cosine (S, 2)."""
    angle = torch.tensor([2 * math.pi * (day.timetuple().tm_yday - 1) / 365.25 for day in series.dates])
    return torch.stack([angle.sin(), angle.cos()], 1)


def build(name: str, seed: int) -> GRUForecaster:
    """An untrained forecaster."""
    plan = PLANS[name]
    torch.manual_seed(seed)
    return GRUForecaster(1, plan.hidden_size, plan.horizon, quantiles=QUANTILES, covariates=2)


def train(name: str, seed: int, data: Prepared | None = None, progress: bool = False, **options) -> GRUForecaster:
    """A forecaster, trained; ``options`` instead of those in its plan."""
    model, data = build(name, seed), data or prepared(name)
    part = data.parts["train"]
    fit(model, part.x, part.y, loss=model.loss, seed=seed, progress=progress, **(data.plan.options | options))
    return model


def in_units(data: Prepared, part: Part, scaled: Tensor) -> Tensor:
    """What a model said (N, K) or (N, K, Q), in °C or ppm."""
    base = part.raw[-1] if data.plan.relative else torch.full_like(part.raw[-1], data.center)
    return base.view(-1, *[1] * (scaled.dim() - 1)) + data.scale * scaled


def skill(model: GRUForecaster, data: Prepared, part: str = "test") -> float:
    """1 - mean absolute error / that of persistence, over the whole horizon."""
    found = model.compare(data.parts[part].x, data.parts[part].y)
    return 1 - (found.error.mean() / found.persistence.mean()).item()


def load(name: str, seed: int) -> GRUForecaster:
    """The forecaster of one seed."""
    return _weights.load(f"forecast_{name}", build(name, seed), seed)
