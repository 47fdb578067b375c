"""Two series that everybody can check: sea-surface temperature in the El Nino region, and carbon dioxide on Mauna Loa.

**El Nino**: mean surface temperature of the sea off Peru (region Nino 1+2), one value per month, 1950 to 2010, in
degrees Celsius. Source: NOAA National Weather Service, Climate Prediction Center, data set ERSST.V3B.

**CO2**: concentration in air from flasks filled on Mauna Loa, one value per week, 1958 to 2001, in parts per million;
59 weeks are missing. Source: Keeling and Whorf (2004), Carbon Dioxide Information Analysis Center.

Both are in the public domain and ship with statsmodels; ``scripts/vendor_time_series.py`` took them from there.

Glossary
    S            values of a series
    T, N, D      steps of a window, windows, values per step
"""

import math
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from gru import _arguments
from gru.datasets import _file

EL_NINO, CO2 = _file.DATA / "el_nino.csv", _file.DATA / "co2.csv"
SCRIPT = "scripts/vendor_time_series.py"
YEARS = range(1950, 2011)
MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
FIRST_WEEK, WEEKS = date(1958, 3, 29), 2284
DEGREES, PPM = (15.0, 32.0), (300.0, 380.0)  # what the two series can be: a number outside is a slip, not weather


class Series(NamedTuple):
    """Values in the order of time, at equal distances."""

    name: str
    unit: str
    values: Tensor  # (S,) float32; NaN where nothing was measured
    dates: list[date]  # S of them: the first day of a month, or the Saturday that names a week
    season: int  # how many values make a year: 12, or 52


def el_nino() -> Series:
    """Monthly sea-surface temperature off Peru, 1950 to 2010.

    Raises:
        ValueError: the data file is damaged; the message says in what way.

    >>> series = el_nino()
    >>> len(series.values), series.dates[0], round(series.values[0].item(), 2)
    (732, datetime.date(1950, 1, 1), 23.11)
    """
    return _read_el_nino(EL_NINO)


def co2() -> Series:
    """Weekly carbon dioxide on Mauna Loa, 1958 to 2001. 59 weeks were not measured and are NaN; see :func:`fill_gaps`.

    Raises:
        ValueError: the data file is damaged; the message says in what way.

    >>> series = co2()
    >>> len(series.values), int(series.values.isnan().sum())
    (2284, 59)
    """
    return _read_co2(CO2)


def fill_gaps(values: Tensor) -> Tensor:
    """A copy of a series in which every gap (NaN) is bridged by a straight line between its two neighbours.

    Args:
        values: (S,), with a measured value at both ends.

    Raises:
        TypeError: values is not a tensor.
        ValueError: it is not a series, or begins or ends with a gap: there is no second neighbour.

    >>> fill_gaps(torch.tensor([1.0, float("nan"), float("nan"), 4.0])).tolist()
    [1.0, 2.0, 3.0, 4.0]
    """
    _series("values", values)
    known = ~values.isnan()
    if not (known[0] and known[-1]):
        end = "first" if not known[0] else "last"
        raise ValueError(f"values: expected a measured value at both ends, got a gap as the {end} one")
    steps = torch.arange(len(values), device=values.device)
    left = torch.where(known, steps, 0).cummax(0).values  # (S,) the last measured step up to here
    right = torch.where(known, steps, len(values) - 1).flip(0).cummin(0).values.flip(0)
    share = (steps - left) / (right - left).clamp(min=1)
    return torch.where(known, values, values[left] + share.to(values.dtype) * (values[right] - values[left]))


def windows(values: Tensor, context: int, horizon: int, covariates: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Every stretch of a series that is followed by ``horizon`` more values.

    Args:
        values: (S,), without gaps.
        context: T, how many values a window holds.
        horizon: how many values after it are to be forecast.
        covariates: (S, K): more that is known at every step, such as the month.

    Returns:
        x (T, N, 1 + K), and the values that follow (N, horizon); N = S - context - horizon + 1. Window i begins at
        value i, so a split in the order of time is a slice.

    Raises:
        TypeError: values or covariates is not a tensor; context or horizon is not an integer.
        ValueError: a gap; a series shorter than context + horizon; covariates that do not belong to it.

    >>> x, y = windows(torch.arange(6.0), context=3, horizon=2)
    >>> x[:, 0, 0].tolist(), y[0].tolist()
    ([0.0, 1.0, 2.0], [3.0, 4.0])
    """
    _series("values", values)
    for name, value in (("context", context), ("horizon", horizon)):
        _arguments.size(name, value)
    if bad := (~torch.isfinite(values)).nonzero().flatten().tolist():
        raise ValueError(f"values: expected finite numbers, got {values[bad[0]].item()} at {bad[0]}; see fill_gaps")
    if len(values) < context + horizon:
        raise ValueError(f"values: expected at least context + horizon = {context + horizon}, got {len(values)}")
    steps = values.unsqueeze(1)  # (S, 1)
    if covariates is not None:
        _arguments.is_tensor("covariates", covariates)
        if covariates.dim() != 2 or len(covariates) != len(values):
            expected = f"({len(values)}, K), one row per value"
            raise ValueError(f"covariates: expected shape {expected}, got {_arguments.shape(covariates)}")
        steps = torch.cat([steps, covariates.to(values.dtype)], 1)
    x = steps[:-horizon].unfold(0, context, 1).permute(2, 0, 1)  # (T, N, 1 + K)
    return x.contiguous(), values[context:].unfold(0, horizon, 1).contiguous()


def _series(name: str, values: Tensor) -> None:
    _arguments.is_tensor(name, values)
    if values.dim() != 1 or not len(values) or not values.is_floating_point():
        raise ValueError(f"{name}: expected floating-point numbers (S,), got {values.dtype} {_arguments.shape(values)}")


def _read_el_nino(path: Path, checksum: str | None = None) -> Series:
    def parse(content: bytes) -> Series:
        rows = _file.table(content, ["YEAR", *MONTHS], len(YEARS), ",")
        values = []
        for number, (year, row) in enumerate(zip(YEARS, rows, strict=True), 2):
            if row[0] != str(year):
                raise ValueError(f"line {number}: expected the year {year}, got {row[0]!r}")
            values += [
                _number(cell, f"line {number}, {month}", DEGREES) for month, cell in zip(MONTHS, row[1:], strict=True)
            ]
        dates = [date(year, month, 1) for year in YEARS for month in range(1, 13)]
        return Series("Sea-surface temperature, El Nino 1+2", "°C", torch.tensor(values, device="cpu"), dates, 12)

    return _file.read(path, parse, SCRIPT, checksum)


def _read_co2(path: Path, checksum: str | None = None) -> Series:
    def parse(content: bytes) -> Series:
        rows = _file.table(content, ["week", "co2"], WEEKS, ",")
        dates = [FIRST_WEEK + timedelta(weeks=i) for i in range(WEEKS)]
        values = []
        for number, (day, (week, cell)) in enumerate(zip(dates, rows, strict=True), 2):
            if week != day.isoformat():
                raise ValueError(f"line {number}: expected the week {day.isoformat()}, got {week!r}")
            values.append(_number(cell, f"line {number}", PPM) if cell else math.nan)
        return Series("CO2, Mauna Loa", "ppm", torch.tensor(values, device="cpu"), dates, 52)

    return _file.read(path, parse, SCRIPT, checksum)


def _number(cell: str, place: str, between: tuple[float, float]) -> float:
    low, high = between
    try:
        value = float(cell)
    except ValueError:
        raise ValueError(f"{place}: expected a number, got {cell!r}") from None
    if not low <= value <= high:
        raise ValueError(f"{place}: expected a number from {low:g} to {high:g}, got {cell}")
    return value
