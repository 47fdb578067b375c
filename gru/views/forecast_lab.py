"""ForecastLab: draw the past of a series, and see with every stroke how a forecaster says it goes on.

Glossary
    S, T, K, Q, C    values of the series, values that are read, values that are forecast, quantiles, covariates
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
import traitlets
from torch import Tensor, nn

from gru import _arguments
from gru.forecasting import check_quantiles, seasonal_naive
from gru.layer import is_batch_first
from gru.models import GRUForecaster
from gru.views import _data
from gru.views._base import View

STATE = ("start", "step", "pen", "drawn", "reveal", "play", "_data")


class ForecastLab(View, module="forecast_lab", state=STATE):
    """A series up to "now", its forecast with bands, and a past that can be drawn: the forecast answers every stroke.

    ::

        x_t = (y_t - base) / scale,  and the covariates of step t        base: the center, or the last value read
        y   = base + scale * model(x_1 ... x_T)                          K values, or K times Q quantiles

    The page computes all of it, so it answers without a kernel. For a model of your own with another input, give
    ``encode``: then Python reads every past that is drawn, and a page without a kernel shows the first one alone.

    Args:
        module: a :class:`gru.GRUForecaster` of one layer; with encode any module that forecasts and can be traced.
        values: the series (S,), without gaps.
        context: T, how many values the model reads.
        season: how many values make a season, at most T: what "the same as last season" looks back.
        center: what is subtracted from every value; None: the last of the values that are read.
        scale: what they are then divided by.
        covariates: (S, C), what the model reads beside each value.
        encode: the values that are read (T,) -> the model's input (T, 1, D), instead of center, scale and covariates
            on the way in; on the way out they count as before.
        step_names: S strings, what to call each value; None: numbers from 1.
        name, unit: of the series, in words.
        start: first value that is shown; of the series, from 0.
        step: place of "now", from 0 where the drawing starts: the last value that is read.
        pen: place that is looked at or drawn, counted likewise; ahead of "now" it looks at the forecast.
        drawn: pairs of a place in the series, from 0, and the value that stands there instead of the measured one.
        reveal: show what came.
        play: a stroke shows once how to draw.

    Traits, in step with the page both ways:
        start, step, pen (int); drawn (list); reveal, play (bool).

    Raises:
        TypeError: an unknown keyword; module is not such a model.
        ValueError: the series is too short or has a gap; what belongs to it has another length; the model's input or
            output does not fit.

    >>> import torch, gru
    >>> model = gru.GRUForecaster(1, 5, horizon=3, quantiles=(0.1, 0.5, 0.9))
    >>> view = ForecastLab(model, torch.arange(20.0).sin(), context=8, season=4, center=0.0)
    >>> view.drawn = [[9, 2.0]]
    >>> view.past.shape, view.forecast.shape
    (torch.Size([8]), torch.Size([3, 3]))
    """

    start = traitlets.Int(0, min=0).tag(sync=True)
    step = traitlets.Int(0, min=0).tag(sync=True)
    pen = traitlets.Int(0, min=0).tag(sync=True)
    drawn = traitlets.List().tag(sync=True)
    reveal = traitlets.Bool(False).tag(sync=True)
    play = traitlets.Bool(False).tag(sync=True)
    _data = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        module: nn.Module,
        values: Tensor,
        *,
        context: int,
        season: int,
        center: float | None = None,
        scale: float = 1.0,
        covariates: Tensor | None = None,
        encode: Callable[[Tensor], Tensor] | None = None,
        step_names: Sequence[str] | None = None,
        name: str = "series",
        unit: str = "",
        **traits: Any,
    ) -> None:
        self._values, self._covariates = _series(values), covariates
        self._context, self._season = _context(context, season, len(self._values))
        self._center, self._scale = _scaling(center, scale)
        _data.check_encode(encode)
        self._module, self._encode = module, encode
        self._names = None if step_names is None else [str(one) for one in step_names]
        self._about = {"name": str(name), "unit": str(unit)}
        self._check(module)
        quantiles = check_quantiles(getattr(module, "quantiles", None) or None)
        self._quantiles = quantiles
        answer = self._ask(self._values[: self._context], self._context - 1)
        self._horizon = len(answer)
        S, shortest = len(self._values), self._context + self._horizon
        if shortest > S:
            raise ValueError(f"values: expected at least context + horizon = {shortest}, got {S}")
        self._frame = min(S, shortest + max(season, self._horizon))
        traits.setdefault("step", self._context - 1 + (self._frame - shortest) // 2)
        traits.setdefault("pen", self._frame - 1)
        super().__init__(_data={}, **traits)
        self.refresh()

    def refresh(self) -> None:
        """Read the model again, after more training, say."""
        self._data = self._read()

    @property
    def past(self) -> Tensor:
        """What the model reads now, with what was drawn into it (T,)."""
        end = self._end()
        values = self._values[end + 1 - self._context : end + 1].clone()
        for place, value in self.drawn:
            if end - self._context < place <= end:
                values[place - end - 1] = value
        return values

    @property
    def forecast(self) -> Tensor:
        """How the past goes on, in the series' own units: (K,), or (K, Q) in rising order, on the CPU."""
        answer = self._ask(self.past, self._end())
        return answer if self._quantiles else answer[:, 0]

    @property
    def same_as_last_season(self) -> Tensor:
        """The baseline that is always drawn (K,)."""
        return seasonal_naive(self.past.view(-1, 1, 1), self._horizon, self._season)[0]

    def describe(self) -> str:
        return (
            f"Interactive view: a forecast of {self._about['name']} from {self._name(self._end())} on, beside the same "
            "as last season. The past can be drawn, and the forecast answers. It needs JavaScript, or a running kernel."
        )

    def _name(self, place: int) -> str:
        return f"step {place + 1}" if self._names is None else self._names[place]

    def _end(self) -> int:
        """Where "now" stands in the series: both traits within their ranges, as js/forecast_lab.js has them."""
        start = min(self.start, len(self._values) - self._frame)
        return start + min(max(self.step, self._context - 1), self._frame - 1 - self._horizon)

    def _check(self, module: nn.Module) -> None:
        S, C = len(self._values), 0
        if self._names is not None and len(self._names) != S:
            raise ValueError(f"step_names: expected {S}, one per value, got {len(self._names)}")
        if self._encode is not None:
            if self._covariates is not None:
                raise TypeError("covariates: expected None with encode, which gives all that the model reads")
            return
        if not isinstance(module, GRUForecaster):
            raise TypeError(f"module: expected a GRUForecaster, or any with encode, got {type(module).__name__}")
        if module.gru.num_layers != 1:
            raise ValueError(f"module: expected one layer, or encode, got {module.gru.num_layers}")
        if self._covariates is not None:
            _arguments.is_tensor("covariates", self._covariates)
            if self._covariates.dim() != 2 or len(self._covariates) != S:
                raise ValueError(f"covariates: expected shape ({S}, C), got {_arguments.shape(self._covariates)}")
            _data.check_finite("covariates", self._covariates)
            C = self._covariates.shape[1]
        if module.gru.input_size != 1 + C:
            raise ValueError(
                f"module: expected an input size of {1 + C}, 1 and the covariates, got {module.gru.input_size}"
            )

    def _inputs(self, past: Tensor, end: int) -> Tensor:
        """What the model reads (T, 1, D)."""
        if self._encode is not None:
            x = self._encode(past)
            _arguments.is_tensor("encode", x)
            if x.dim() != 3 or x.shape[:2] != (self._context, 1):
                expected = f"({self._context}, 1, D)"
                raise ValueError(f"encode: expected a result of shape {expected}, got {_arguments.shape(x)}")
            return x
        columns = [((past - self._base(past)) / self._scale).unsqueeze(1)]
        if self._covariates is not None:
            columns.append(self._covariates[end + 1 - self._context : end + 1].to(past))
        return torch.cat(columns, 1).unsqueeze(1)

    def _base(self, past: Tensor) -> float:
        return past[-1].item() if self._center is None else self._center

    @torch.no_grad()
    def _ask(self, past: Tensor, end: int) -> Tensor:
        """(K, Q), Q = 1 without quantiles."""
        x = _data.as_read_by(self._module, self._inputs(past, end))
        was_training = self._module.training
        self._module.eval()
        try:
            answer = self._module(x.transpose(0, 1) if is_batch_first(self._module) else x)
        finally:
            self._module.train(was_training)
        Q = len(self._quantiles)
        fits = isinstance(answer, Tensor) and len(answer) == 1
        if not fits or answer.shape[2:] != ((Q,) if Q else ()) or answer.dim() < 2:
            got = _arguments.shape(answer) if isinstance(answer, Tensor) else type(answer).__name__
            raise ValueError(f"module: expected an output of shape (1, K{f', {Q}' if Q else ''}), got {got}")
        return self._base(past) + self._scale * answer[0].reshape(answer.shape[1], -1).cpu().to(past.dtype)

    def _read(self) -> dict[str, Any]:
        data = {
            **self._about,
            "names": self._names,
            "values": _data.encode(self._values),
            "context": self._context,
            "horizon": self._horizon,
            "season": self._season,
            "frame": self._frame,
            "quantiles": list(self._quantiles),
            "center": self._center,
            "scale": self._scale,
            "device": _data.device_of(self._module),
        }
        if self._encode is not None:
            return data | {"covariates": None, "weights": None, "head": None, "traced": self._traced()}
        module = self._module
        _data.check_weights(module)
        return data | {
            "covariates": _data.encode(self._covariates),
            "weights": {key: _data.encode(value) for key, value in module.gru.weights()._asdict().items()},
            "head": {"weight": _data.encode(module.head.weight), "bias": _data.encode(module.head.bias)},
            "traced": None,
        }

    def _traced(self) -> dict[str, Any]:
        """What Python computes of the past as it is now, with ``encode``."""
        past, end = self.past, self._end()
        ((entry, *_),) = _data.trace_each(self._module, [self._inputs(past, end).squeeze(1)], ["what is read"], {})
        fields = {key: _data.encode(getattr(entry, key)) for key in "rznh"}
        of = {"end": end, "drawn": self.drawn}
        return of | {"units": entry.h.shape[1], "forecast": _data.encode(self._ask(past, end)), **fields}

    @traitlets.validate("drawn")
    def _valid(self, proposal: dict[str, Any]) -> list[list]:
        S, pairs = len(self._values), []
        for pair in proposal["value"]:
            if not isinstance(pair, Sequence) or len(pair) != 2 or isinstance(pair, str):
                raise traitlets.TraitError(f"drawn: expected pairs of a place and a value, got {pair!r}")
            place, value = pair[0], _arguments.number("drawn", pair[1])
            if not isinstance(place, int) or not 0 <= place < S or not math.isfinite(value):
                raise traitlets.TraitError(f"drawn: expected a place from 0 to {S - 1} and a number, got {pair!r}")
            pairs.append([place, value])
        return pairs

    @traitlets.observe("start", "step", "drawn")
    def _read_again(self, _change: dict[str, Any]) -> None:
        if self._encode is not None and self._data:
            self._data = self._read()


def _series(values: Tensor) -> Tensor:
    _arguments.is_tensor("values", values)
    if values.dim() != 1 or not values.is_floating_point():
        raise ValueError(f"values: expected floating-point numbers (S,), got {values.dtype} {_arguments.shape(values)}")
    if not values.isfinite().all():
        raise ValueError("values: expected finite numbers, got NaN or infinity; see gru.datasets.fill_gaps")
    return values.detach().cpu()


def _context(context: int, season: int, S: int) -> tuple[int, int]:
    for name, value in (("context", context), ("season", season)):
        _arguments.size(name, value)
    if context > S:
        raise ValueError(f"context: expected at most {S}, the length of values, got {context}")
    if season > context:
        raise ValueError(f"season: expected at most {context}, the context, got {season}")
    return context, season


def _scaling(center: float | None, scale: float) -> tuple[float | None, float]:
    center = None if center is None else _arguments.number("center", center)
    scale = _arguments.number("scale", scale)
    if not (math.isfinite(scale) and scale > 0) or not math.isfinite(center or 0.0):
        raise ValueError(f"scale: expected a number above 0 and a finite center, got {scale} and {center}")
    return center, scale
