"""What the figures of :mod:`gru.plots` are made of: one style, heat maps, lines named at their ends, rows of dots."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from gru.palette import COLOURS, NEUTRAL

TEXT = "#737373"  # contrast 4.7 : 1 on white, 4 : 1 on JupyterLab's dark #111
LINES = ["-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (1, 3))]  # told apart without colour
STYLE = {
    "text.color": TEXT,
    "axes.labelcolor": TEXT,
    "axes.edgecolor": TEXT,
    "axes.titlecolor": TEXT,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "xtick.color": TEXT,
    "ytick.color": TEXT,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "font.size": 11,
    "axes.titlesize": 11,
    "svg.hashsalt": "gru",  # the same figure is the same file
}


class Picture(Figure):
    """A figure that shows itself in a notebook, as SVG."""

    def _repr_svg_(self) -> str:
        file = io.StringIO()
        with matplotlib.rc_context(STYLE):
            self.draw_without_rendering()  # settles the layout, which would else creep from drawing to drawing
            self.set_layout_engine("none")
            self.savefig(file, format="svg", bbox_inches="tight", metadata={"Date": None})
        return file.getvalue()


def ramp(letter: str) -> LinearSegmentedColormap:
    """The ramp of a quantity in the live views: from ground to hue, or around 0, from grey through ground to hue."""
    hue = NEUTRAL["ink"] if letter == "x" else COLOURS[letter]
    stops = [NEUTRAL["below"]] * (letter in "nh") + [NEUTRAL["ground"], hue]
    return LinearSegmentedColormap.from_list(letter, [stop.light for stop in stops])


def heat(ax: Axes, values: np.ndarray, letter: str, limits: tuple[float, float]) -> matplotlib.image.AxesImage:
    """One heat map of (T, features): time to the right from step 1, the first feature at the bottom."""
    low, high = limits
    options = {"vmin": low, "vmax": high, "interpolation": "nearest", "aspect": "auto", "origin": "lower"}
    T, D = values.shape
    ax.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True, min_n_ticks=1))
    ax.spines[:].set_visible(False)
    return ax.imshow(values.T, cmap=ramp(letter), extent=(0.5, T + 0.5, -0.5, D - 0.5), **options)


def name_ends(ax: Axes, ends: list[tuple[float, float, str, dict[str, Any]]]) -> None:
    """Write each name after a piece of its line, right of the axes, as high as that ends, clear of the others."""
    ax.figure.draw_without_rendering()  # only then is the layout, and with it the height of a point, known
    point = ax.figure.dpi / 72
    height, gap, piece = ax.bbox.height, 15 * point, 22 * point / ax.bbox.width
    wanted = sorted((ax.transData.transform(end[:2])[1] - ax.bbox.y0, k) for k, end in enumerate(ends))
    places: list[float] = []
    for place, _ in wanted:
        places.append(max(place, places[-1] + gap if places else 0))
    for k in reversed(range(len(places))):
        places[k] = min(places[k], places[k + 1] - gap if k + 1 < len(places) else height)
    for place, (_, k) in zip(places, wanted, strict=True):
        *_, name, line = ends[k]
        at = [place / height] * 2
        ax.add_artist(Line2D([1.02, 1.02 + piece], at, linewidth=2, transform=ax.transAxes, clip_on=False, **line))
        ax.text(1.04 + piece, at[0], name, va="center", transform=ax.transAxes)


@contextmanager
def rows(
    results: dict[str, Sequence], kind: str, value: str, height: float, margin: float
) -> Iterator[tuple[Picture, Axes]]:
    """A figure with a row for each name, the first at the top; ``kind`` and ``value`` are what errors call them."""
    check_named("results", results)
    for name, values in results.items():
        if not hasattr(values, "__len__"):
            raise TypeError(f"results: expected a list of values for {name!r}, got {values!r}")
    if not results or not all(len(values) for values in results.values()):
        raise ValueError(f"results: expected at least one {kind}, each with at least one {value}")
    with matplotlib.rc_context(STYLE):
        figure = Picture(figsize=(5.8, 0.8 + height * len(results)), layout="constrained")
        ax = figure.subplots()
        yield figure, ax
        ax.set_yticks(range(len(results)), list(results))
        ax.invert_yaxis()
        ax.margins(y=margin)
        ax.spines["left"].set_visible(False)
        ax.tick_params(axis="y", length=0)


def check_named(argument: str, values: object) -> None:
    """Raise TypeError unless these are values by their names."""
    if not isinstance(values, Mapping):
        raise TypeError(f"{argument}: expected a dict from names to values, got {type(values).__name__}")


def dots_at(ax: Axes, row: int, values: Sequence[float], middle: float, **look: float) -> None:
    """A dot for each value, and a stroke at their middle."""
    ax.plot(values, [row] * len(values), "o", color=TEXT, markeredgewidth=0, **look)
    ax.plot([middle, middle], [row - 0.28, row + 0.28], color=TEXT, linewidth=2)


def words_at(ax: Axes, row: int, words: str, at: float = 1.02) -> None:
    """What a row comes to, right of the axes."""
    ax.text(at, row, words, va="center", transform=ax.get_yaxis_transform())


def numbers(values: Tensor | Sequence[float]) -> np.ndarray:
    return array(values).astype(float) if isinstance(values, Tensor) else np.asarray(values, dtype=float)


def array(tensor: Tensor) -> np.ndarray:
    tensor = tensor.float() if tensor.dtype is torch.bfloat16 else tensor  # which NumPy does not have
    return tensor.detach().cpu().numpy()
