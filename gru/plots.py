"""Static figures: sequences and gates as heat maps, curves, training, accuracies, confusion matrices.

Every function returns a matplotlib figure, which a notebook shows as SVG; ``figure.savefig(...)`` writes it elsewhere.
pyplot is never imported, so no global state is touched. Backgrounds are transparent and text is mid-grey, so that
figures read on light and on dark pages. Hue names a quantity of the GRU and nothing else. The ramps are those of the
live views: from the ground to the hue for a gate, from grey through the ground to the hue around 0.

Glossary
    T, B, D, H    time, batch, input size, hidden size
"""

from collections.abc import Iterable, Sequence

import matplotlib
import numpy as np
import torch
from matplotlib.ticker import MaxNLocator, PercentFormatter
from torch import Tensor

from gru import _arguments
from gru._figure import (
    LINES,
    STYLE,
    TEXT,
    Picture,
    array,
    check_named,
    dots_at,
    heat,
    name_ends,
    numbers,
    ramp,
    rows,
    words_at,
)
from gru.history import History
from gru.inspect.trace import Trace
from gru.palette import COLOURS

NAMES = {"r": "reset gate", "z": "update gate", "n": "candidate", "h": "state"}
LIMITS = {"r": (0, 1), "z": (0, 1), "n": (-1, 1), "h": (-1, 1)}


def sequences(
    x: Tensor,
    lengths: Tensor | Sequence[int] | None = None,
    names: Sequence[str] | None = None,
    *,
    limits: tuple[float, float] | None = None,
    feature: str = "feature",
) -> Picture:
    """Sequences side by side, one heat map each: time to the right, features upwards, strong is high.

    Args:
        x: sequences (T, B, D) on any device; B of them are drawn, so choose a few.
        lengths: valid steps of each (B,); T where None.
        names: a title for each.
        limits: what is drawn faintest and strongest; by default what occurs.
        feature: what the vertical axis counts.

    >>> import torch
    >>> type(sequences(torch.randn(9, 2, 12), [9, 5], ["a", "b"])).__name__
    'Picture'
    """
    T, B, D = _three_axes("x", x)
    lengths, names = _columns(lengths, names, T, B)
    values = [array(x[:length, i]) for i, length in enumerate(lengths)]  # (length, D) each
    low, high = limits or (min(v.min() for v in values), max(v.max() for v in values))
    with matplotlib.rc_context(STYLE):
        figure = Picture(figsize=(1.2 + 1.5 * B, 2.6), layout="constrained")
        axes = figure.subplots(1, B, sharey=True, squeeze=False, width_ratios=lengths)[0]
        for ax, value, name in zip(axes, values, names, strict=True):
            image = heat(ax, value, "x", (low, high))
            ax.set_title(name)
            ax.set_xlabel("step")
        axes[0].set_ylabel(feature)
        axes[0].set_yticks([0, D - 1], ["1", str(D)])
        figure.colorbar(image, ax=axes.tolist(), shrink=0.8, aspect=12).outline.set_visible(False)
    return figure


def gates(
    trace: Trace,
    sequence: int | Sequence[int] = 0,
    lengths: Tensor | Sequence[int] | None = None,
    names: Sequence[str] | None = None,
) -> Picture:
    """r, z, n and h: a row for each quantity, a column for each sequence, and in it a line for each unit.

    The same ramps as in the live views: no colour is 0 and the hue is 1; of n and h, grey is below 0. Units are ordered
    by the last state of the first sequence that is drawn, the highest at the top, as GateExplorer orders them.

    Args:
        trace: from :func:`gru.trace`, of one layer: (T, B, H) each.
        sequence: which of the B sequences, one number or several.
        lengths: valid steps of *all* B sequences (B,), as they were given to the model; the trace's own where None.
        names: a title for each sequence that is drawn.

    >>> import torch, gru
    >>> type(gates(gru.trace(gru.GRU(3, 8), torch.randn(10, 4, 3)), sequence=[0, 2])).__name__
    'Picture'
    """
    if not isinstance(trace, Trace):
        raise TypeError(f"trace: expected what gru.trace gives, got {type(trace).__name__}")
    if isinstance(trace.h, list):
        raise ValueError(
            f"trace: expected one layer, got {len(trace)}: {', '.join(trace.names)}; choose one, such as trace[0]"
        )
    T, B, _ = _three_axes("trace.h", trace.h)
    if trace.r is None:
        raise ValueError(f"trace: expected one with gates r, z and n, got {trace.names[0]}, which has none")
    which = _whole("sequence", sequence, f"numbers from 0 to {B - 1}", 0, B - 1)
    lengths = _columns(trace.lengths if lengths is None else lengths, None, T, B)[0]
    lengths, names = _columns([lengths[i] for i in which], names, T, len(which))
    with matplotlib.rc_context(STYLE):
        figure = Picture(figsize=(6.2, 7), layout="constrained")
        grid = figure.subplots(4, len(which), sharex="col", squeeze=False, width_ratios=lengths)
        order = trace.h[lengths[0] - 1, which[0]].argsort()  # (H,), the first at the bottom
        for row, letter in zip(grid, NAMES, strict=True):
            for ax, i, length in zip(row, which, lengths, strict=True):
                image = heat(ax, array(getattr(trace, letter)[:length, i, order]), letter, LIMITS[letter])
                ax.set_yticks([])
            row[0].set_ylabel(f"{letter}\n{NAMES[letter]}", color=COLOURS[letter].light)
            low, high = LIMITS[letter]
            bar = figure.colorbar(image, ax=row.tolist(), aspect=10, ticks=sorted({low, 0, high}))
            bar.outline.set_visible(False)
        for ax, name in zip(grid[0], names, strict=True):
            ax.set_title(name)
        for ax in grid[-1]:
            ax.set_xlabel("step")
    return figure


def confusion(answers: Tensor, targets: Tensor, names: Sequence[str] | None = None, *, what: str = "class") -> Picture:
    """How often each class (row) was taken for each (column), shaded by its share of the row.

    Args:
        answers: classes (N,) that a model answered, or its logits (N, C).
        targets: the right classes (N,).
        names: of the C classes.
        what: what a class is.

    >>> import torch
    >>> type(confusion(torch.tensor([0, 1, 1]), torch.tensor([0, 1, 0]))).__name__
    'Picture'
    """
    _arguments.is_tensor("answers", answers)
    _arguments.is_tensor("targets", targets)
    predicted = answers.argmax(1) if answers.dim() == 2 else answers
    if predicted.shape != targets.shape or targets.dim() != 1 or not len(targets):
        raise ValueError(
            f"answers: expected a class for each of {targets.numel()} targets, got {_arguments.shape(answers)}"
        )
    for name, classes in (("answers", predicted), ("targets", targets)):
        if classes.is_floating_point():
            raise TypeError(f"{name}: expected classes as integers, got {classes.dtype}")
        if classes.min() < 0:
            raise ValueError(f"{name}: expected classes from 0 on, got {classes.min()}")
    C = len(names) if names is not None else 1 + int(max(predicted.max(), targets.max()))
    names = list(names) if names is not None else [str(k) for k in range(C)]
    if max(predicted.max(), targets.max()) >= C:
        raise ValueError(f"names: expected one for each class, {1 + int(max(predicted.max(), targets.max()))}, got {C}")
    counts = array(torch.bincount(targets.cpu().long() * C + predicted.cpu(), minlength=C * C).view(C, C))
    shares = counts / counts.sum(1, keepdims=True).clip(min=1)
    with matplotlib.rc_context(STYLE):
        figure = Picture(figsize=(1 + 0.5 * C, 0.6 + 0.5 * C), layout="constrained")
        ax = figure.subplots()
        # The square root lifts the few mistakes out of the background.
        ax.imshow(np.sqrt(shares), cmap=ramp("x"), vmin=0, vmax=1, interpolation="nearest")
        for (row, column), count in np.ndenumerate(counts):
            if count:
                colour = "white" if shares[row, column] > 0.3 else "#1f2328"
                ax.text(column, row, str(count), ha="center", va="center", color=colour)
        slanted = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if max(map(len, names)) > 5 else {}
        ax.set_xticks(range(C), names, **slanted)
        ax.set_yticks(range(C), names)
        ax.set_xlabel(f"{what} the model names")
        ax.set_ylabel(f"{what} it was")
        ax.spines[:].set_visible(False)
        ax.tick_params(length=0)
    return figure


def training(histories: History | Sequence[History]) -> Picture:
    """Loss and, for classes, accuracy after every epoch: training dashed, validation solid, a thin line for each run.

    Args:
        histories: of one run or of several, as :func:`gru.fit` returns them.

    >>> type(training(History(loss=[1.0, 0.5], accuracy=[0.4, 0.8]))).__name__
    'Picture'
    """
    histories = list(histories) if isinstance(histories, Iterable) else [histories]
    if not all(isinstance(history, History) for history in histories):
        raise TypeError(f"histories: expected a History, as gru.fit returns it, or a list of them, got {histories!r}")
    if not histories or not all(history.loss for history in histories):
        raise ValueError("histories: expected at least one, with at least one finished epoch")
    panels = ["loss", "accuracy"] if all(history.accuracy for history in histories) else ["loss"]
    with matplotlib.rc_context(STYLE):
        figure = Picture(figsize=(3 * len(panels), 2.7), layout="constrained")
        for ax, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            ends = []
            for prefix, name, line in (("", "training", "--"), ("validation_", "validation", "-")):
                runs = [values for history in histories if (values := getattr(history, prefix + panel))]
                for values in runs:
                    ax.plot(range(1, 1 + len(values)), values, line, color=TEXT, linewidth=1.3)
                if runs:
                    last = float(np.mean([values[-1] for values in runs]))
                    ends.append((max(map(len, runs)), last, name, {"color": TEXT, "linestyle": line}))
            ax.set_xlabel("epoch")
            ax.set_title(panel)
            ax.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10], integer=True))
            if panel == "accuracy":
                ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            else:
                ax.set_ylim(bottom=0)
            name_ends(ax, ends)
    return figure


def curves(
    lines: dict[str, Tensor | Sequence[float] | Sequence[Sequence[float]]],
    *,
    x: str,
    y: str,
    start: float = 0,
    by: float = 1,
    log: bool = False,
) -> Picture:
    """Named lines over a common axis, each name at its line's end; of several runs a thin line each, and their mean.

    Args:
        lines: name -> values (T,), or (runs, T). The mean of runs is geometric where the axis is logarithmic.
        x, y: what the axes count, with units.
        start, by: the x of the first value, and from one value to the next.
        log: a logarithmic y axis; values of 0 or less are left out.

    >>> type(curves({"z = 0.9": [0.9**t for t in range(5)]}, x="steps", y="what is left")).__name__
    'Picture'
    """
    check_named("lines", lines)
    if not lines:
        raise ValueError("lines: expected at least one")
    runs_of = {name: np.atleast_2d(numbers(values)) for name, values in lines.items()}
    if bad := [name for name, runs in runs_of.items() if runs.ndim != 2 or not runs.size]:
        raise ValueError(f"lines: expected (T,) or (runs, T) for {bad[0]!r}, got {np.shape(lines[bad[0]])}")
    with matplotlib.rc_context(STYLE), np.errstate(divide="ignore", invalid="ignore"):
        figure = Picture(figsize=(5.8, 3), layout="constrained")
        ax = figure.subplots()
        ends = []
        for k, (name, runs) in enumerate(runs_of.items()):
            runs = np.where(runs > 0, runs, np.nan) if log else runs
            at = start + by * np.arange(runs.shape[1])
            line = {"color": TEXT, "linestyle": LINES[k % len(LINES)]}
            if len(runs) > 1:
                ax.plot(at, runs.T, linewidth=0.6, alpha=0.5, **line)
            mean = np.exp(np.log(runs).mean(0)) if log else runs.mean(0)
            ax.plot(at, mean, linewidth=2, **line)
            last = np.flatnonzero(np.isfinite(mean))
            if len(last):
                ends.append((at[last[-1]], mean[last[-1]], name, line))
        if log:
            ax.set_yscale("log")
        if start == int(start) and by == int(by):  # what is counted in whole numbers has no ticks between them
            ax.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True))
        ax.set_xlabel(x)
        ax.set_ylabel(y)
        name_ends(ax, ends)
    return figure


def forecast(
    past: Tensor | Sequence[float],
    lines: dict[str, Tensor | Sequence[float]],
    bands: Sequence[tuple[Tensor | Sequence[float], Tensor | Sequence[float]]] = (),
    *,
    x: str,
    y: str,
) -> Picture:
    """What was measured, and right of a seam "now" what is said of the steps to come.

    Args:
        past: values up to now (T,).
        lines: name -> values (K,) after now, each named at its end.
        bands: (low, high) pairs of (K,), the widest first; they lie behind the lines.
        x, y: what the axes count, with units. Steps count from now: the last value of the past stands at 0.

    >>> type(forecast([1, 2, 3], {"model": [3, 4], "what came": [4, 4]}, x="months", y="°C")).__name__
    'Picture'
    """
    check_named("lines", lines)
    past, named = numbers(past), {name: numbers(values) for name, values in lines.items()}
    if past.ndim != 1 or not past.size:
        raise ValueError(f"past: expected values up to now (T,), at least one, got shape {past.shape}")
    for name, values in named.items():
        if values.ndim != 1:
            raise ValueError(f"lines: expected values (K,) for {name!r}, got shape {values.shape}")
    for k, band in enumerate(bands):
        edges = [numbers(edge).shape for edge in band]
        if len(edges) != 2 or edges[0] != edges[1] or len(edges[0]) != 1:
            raise ValueError(f"bands[{k}]: expected a pair of (K,), low and high, got shapes {edges}")
    with matplotlib.rc_context(STYLE):
        figure = Picture(figsize=(7.2, 3), layout="constrained")
        ax = figure.subplots()
        ax.plot(np.arange(1 - len(past), 1), past, color=TEXT, linewidth=1.6)
        for low, high in bands:
            low, high = (np.append(past[-1], numbers(edge)) for edge in (low, high))
            ax.fill_between(np.arange(len(low)), low, high, color=TEXT, alpha=0.22, linewidth=0)
        ends = []
        for k, (name, values) in enumerate(named.items()):
            values, line = np.append(past[-1], values), {"color": TEXT, "linestyle": LINES[k % len(LINES)]}
            ax.plot(np.arange(len(values)), values, linewidth=2, **line)
            ends.append((len(values) - 1, values[-1], name, line))
        ax.axvline(0, color=TEXT, linewidth=0.8)
        ax.set_xlabel(x)
        ax.set_ylabel(y)
        name_ends(ax, ends)
    return figure


def accuracies(results: dict[str, Sequence[float]], *, lowest: float | None = None, what: str = "accuracy") -> Picture:
    """Accuracies of several models: a row for each model, a dot for each run (a seed), a stroke at their mean.

    Args:
        results: name -> accuracies, 0 to 1.
        lowest: where the axis starts; by default just below what occurs.
        what: the share that is drawn.

    >>> type(accuracies({"GRU": [0.97, 0.98], "most frequent class": [0.24]})).__name__
    'Picture'
    """
    with rows(results, "model", "accuracy", 0.45, 0.25) as (figure, ax):
        for row, values in enumerate(map(numbers, results.values())):
            mean = float(np.mean(values))
            dots_at(ax, row, values, mean, alpha=0.55, markersize=7)
            spread = f" ({min(values):.1%} to {max(values):.1%})" if len(values) > 1 else ""
            words_at(ax, row, f"{mean:.1%}{spread}")
        ax.set_xlim(lowest, None)
        ax.set_xlabel(what)
        ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return figure


def dots(results: dict[str, Sequence[float]], *, x: str, log: bool = False, at: float | None = None) -> Picture:
    """Many values of several kinds: a row for each kind, a dot for each value, a stroke at their median.

    Args:
        results: name -> values, finite, and above 0 where the axis is logarithmic.
        x: what the axis counts, with its unit.
        log: a logarithmic axis.
        at: where a dotted line stands, such as at 1 for "no change".

    >>> type(dots({"carry": [0.9, 0.5], "reset": [1.1]}, x="share", at=1)).__name__
    'Picture'
    """
    with rows(results, "row", "value", 0.42, 0.2) as (figure, ax):
        for row, values in enumerate(map(numbers, results.values())):
            middle = float(np.median(values))
            dots_at(ax, row, values, middle, alpha=0.3, markersize=6)
            words_at(ax, row, f"{middle:.2g}")
        if log:
            ax.set_xscale("log")
        if at is not None:
            ax.axvline(at, color=TEXT, linewidth=0.8, linestyle=":")
        ax.set_xlabel(x)
    return figure


def solved(results: dict[str, Sequence[int | None]], *, limit: int, unit: str = "updates") -> Picture:
    """When each run had solved its task: a row for each model, a dot for each seed, hollow at the limit for "never".

    Args:
        results: name -> of each run, the update at which it was solved, or None: :attr:`gru.History.solved`.
        limit: how many updates a run had.
        unit: what is counted.

    >>> type(solved({"chrono": [235, 260], "default": [None, 410]}, limit=500)).__name__
    'Picture'
    """
    check_named("results", results)
    if late := [value for values in results.values() for value in values if value is not None and value > limit]:
        raise ValueError(f"limit: expected at least {late[0]}, at which a run was solved, got {limit}")
    with rows(results, "model", "run", 0.42, 0.3) as (figure, ax):
        dot = {"color": TEXT, "markersize": 6, "linestyle": "none", "clip_on": False}
        for row, values in enumerate(results.values()):
            done = sorted(value for value in values if value is not None)
            never = len(values) - len(done)
            ax.plot(done, [row] * len(done), "o", alpha=0.6, markeredgewidth=0, **dot)
            # Those that never were lie side by side above each other, so that one sees how many they are.
            ax.plot(
                [limit] * never, row + 0.11 * (np.arange(never) - (never - 1) / 2), "o", markerfacecolor="none", **dot
            )
            words_at(
                ax, row, f"{len(done)} of {len(values)}" + (f", {done[0]} to {done[-1]}" if len(done) > 1 else ""), 1.04
            )
        ax.axvline(limit, color=TEXT, linewidth=0.6, linestyle=":")
        ax.set_xlim(0, limit)
        ax.set_xlabel(f"{unit} until solved; hollow: not within {limit}")
    return figure


def _columns(
    lengths: Tensor | Sequence[int] | None, names: Sequence[str] | None, T: int, B: int
) -> tuple[list[int], list[str]]:
    """Lengths and titles of B sequences."""
    expected = f"{B} integers from 1 to {T}"
    found = [T] * B if lengths is None else _whole("lengths", lengths, expected, 1, T)
    names = [""] * B if names is None else list(names)
    if len(found) != B:
        raise ValueError(f"lengths: expected {expected}, got {lengths}")
    if len(names) != B:
        raise ValueError(f"names: expected {B}, got {len(names)}")
    return found, names


def _whole(name: str, value: int | Tensor | Sequence[int], expected: str, low: int, high: int) -> list[int]:
    """One whole number or several, at least one, as a list; raise ValueError unless all lie from low to high."""
    found = np.atleast_1d(array(value) if isinstance(value, Tensor) else value)
    if found.dtype.kind not in "iu" or found.ndim > 1 or not found.size or found.min() < low or found.max() > high:
        raise ValueError(f"{name}: expected {expected}, got {value}")
    return found.tolist()


def _three_axes(name: str, tensor: Tensor) -> tuple[int, int, int]:
    _arguments.is_tensor(name, tensor)
    if tensor.dim() != 3 or 0 in tensor.shape:
        raise ValueError(f"{name}: expected shape (T, B, features), got {_arguments.shape(tensor)}")
    return tuple(tensor.shape)
