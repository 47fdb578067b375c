"""Figures: what is drawn is what was given, and it reads on any page."""

import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

import gru
from gru import plots
from gru._figure import ramp
from gru.history import History
from gru.palette import COLOURS, NEUTRAL


def images(figure):
    """The heat maps of a figure, (features, T) each, without colour bars."""
    return [np.asarray(ax.images[0].get_array()) for ax in figure.axes if ax.images and ax.get_label() != "<colorbar>"]


@pytest.fixture(scope="module")
def trace():
    torch.manual_seed(0)
    return gru.trace(gru.GRU(3, 8), torch.randn(10, 4, 3))


def figures(trace):
    history = History([1.0, 0.5], [0.25, 0.5], [0.75, 0.625], [0.125, 0.25], 1.25)
    yield plots.sequences(torch.randn(9, 2, 12), [9, 5], ["a", "b"], feature="coefficient")
    yield plots.gates(trace, [0, 2], [10, 3, 5, 2], ["a", "b"])
    yield plots.confusion(torch.tensor([0, 1, 1]), torch.tensor([0, 1, 0]), what="speaker")
    yield plots.training([history, history])
    yield plots.accuracies({"GRU": [0.97, 0.98], "majority": [0.24]})
    yield plots.dots({"carry": [0.9, 0.5], "reset": [1.1]}, x="steps", at=1)
    yield plots.solved({"GRU": [97, None], "LSTM": [24]}, limit=200)
    yield plots.curves({"one": [1.0, 0.5, 0.25], "runs": torch.rand(3, 4)}, x="steps", y="what is left", log=True)


def test_svg_is_the_same_twice_and_transparent(trace):
    for figure in figures(trace):
        svg = figure._repr_svg_()
        assert svg == figure._repr_svg_()
        assert "<dc:date>" not in svg
        assert figure.get_facecolor()[3] == 0
        assert all(ax.get_facecolor()[3] == 0 for ax in figure.axes)


def test_every_axis_is_named(trace):
    for figure in figures(trace):
        named = "".join(ax.get_xlabel() + ax.get_ylabel() for ax in figure.axes)
        assert re.search("steps?|model names|epoch|accuracy|updates", named)


def test_gates_draw_the_trace(trace):
    drawn = images(plots.gates(trace, [0, 2], [10, 3, 5, 2]))
    assert len(drawn) == 8
    order = trace.h[-1, 0].argsort()
    for row, letter in enumerate("rznh"):
        for column, (sequence, length) in enumerate([(0, 10), (2, 5)]):
            expected = getattr(trace, letter)[:length, sequence, order].T.numpy()
            np.testing.assert_array_equal(drawn[2 * row + column], expected)
    assert (np.diff(drawn[6][:, -1]) >= 0).all()  # the highest state at the top


def test_sequences_draw_valid_steps_only():
    x = torch.arange(24.0).view(4, 2, 3)
    drawn = images(plots.sequences(x, [4, 2]))
    np.testing.assert_array_equal(drawn[0], x[:, 0].T.numpy())
    np.testing.assert_array_equal(drawn[1], x[:2, 1].T.numpy())


def test_confusion_counts():
    figure = plots.confusion(torch.tensor([0, 1, 1, 2, 1]), torch.tensor([0, 1, 0, 2, 1]), ["a", "b", "c"])
    ax = figure.axes[0]
    counts = {(int(text.get_position()[1]), int(text.get_position()[0])): text.get_text() for text in ax.texts}
    assert counts == {(0, 0): "1", (0, 1): "1", (1, 1): "2", (2, 2): "1"}
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b", "c"]
    logits = torch.eye(3)[torch.tensor([0, 1, 1, 2, 1])]
    again = plots.confusion(logits, torch.tensor([0, 1, 0, 2, 1]), ["a", "b", "c"])
    np.testing.assert_array_equal(images(figure)[0], images(again)[0])


def test_curves_stand_where_they_are_told():
    ax = plots.curves({"a": [1.0, 2.0, 3.0]}, x="steps", y="b", start=5, by=0.5).axes[0]
    assert ax.lines[0].get_xdata().tolist() == [5, 5.5, 6]


def test_dots_write_the_median_and_draw_every_value():
    figure = plots.dots({"carry": [0.1, 0.4, 0.2], "reset": [2.0]}, x="share", log=True, at=1)
    ax = figure.axes[0]
    assert [line.get_xdata().tolist() for line in ax.lines if line.get_marker() == "o"] == [[0.1, 0.4, 0.2], [2.0]]
    assert [text.get_text() for text in ax.texts] == ["0.2", "2"]
    assert ax.get_xscale() == "log"


def test_solved_draws_a_dot_for_each_run_hollow_at_never():
    figure = plots.solved({"chrono": [40, 30, 50], "default": [None, 90, None], "zero": [None]}, limit=100)
    ax = figure.axes[0]
    dots = [(line.get_xdata().tolist(), line.get_markerfacecolor()) for line in ax.lines if line.get_marker() == "o"]
    filled = [at for at, face in dots if face != "none"]
    hollow = [at for at, face in dots if face == "none"]
    assert filled == [[30, 40, 50], [90], []]
    assert hollow == [[], [100, 100], [100]]
    assert [text.get_text() for text in ax.texts] == ["3 of 3, 30 to 50", "1 of 3", "0 of 1"]


def test_accuracies_write_mean_and_range():
    figure = plots.accuracies({"GRU": [0.96, 0.98], "majority": [0.24]})
    assert [text.get_text() for text in figure.axes[0].texts] == ["97.0% (96.0% to 98.0%)", "24.0%"]


@pytest.mark.parametrize("letter", ["r", "z", "n", "h", "x"])
def test_maps_are_the_ramps_of_the_views(letter):
    """Darker and darker away from 0; the colours at the ends are those of gru/palette.py."""
    drawn = ramp(letter)
    grey = drawn(np.linspace(0.5 if letter in "nh" else 0, 1, 50))[:, :3] @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(grey) < 0).all()
    assert to_hex(drawn(1.0)) == (NEUTRAL["ink"] if letter == "x" else COLOURS[letter]).light
    assert to_hex(drawn(0.0)) == NEUTRAL["below" if letter in "nh" else "ground"].light


def test_training_names_its_lines_where_they_end():
    ax = plots.training(History(loss=[1.0, 0.5], validation_loss=[0.9, 0.8])).axes[0]
    assert ax.get_legend() is None
    heights = {text.get_text(): text.get_position()[1] for text in ax.texts}
    assert heights["validation"] > heights["training"]


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return np.dot(linear, [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize(("page", "least"), [("#ffffff", 4.5), ("#111111", 3.9)])
def test_text_reads_on_light_and_dark(page, least):
    light, dark = sorted((luminance(plots.TEXT), luminance(page)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= least


def test_pyplot_stays_out():
    code = "import sys, gru.plots; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_number_of_numpys_chooses_a_sequence(trace):
    assert np.array_equal(images(plots.gates(trace, np.int64(2)))[0], images(plots.gates(trace, 2))[0])


def test_what_is_counted_in_whole_numbers_has_no_ticks_between_them():
    blocks = plots.curves({"a": range(1, 21)}, x="blocks", y="loss", start=1).axes[0]
    halves = plots.curves({"a": range(5)}, x="bias", y="steps", by=0.5).axes[0]
    epochs = plots.training(History(loss=[1.0, 0.5, 0.2])).axes[0]
    assert all(tick == int(tick) for ax in (blocks, epochs) for tick in ax.get_xticks())
    assert any(tick != int(tick) for tick in halves.get_xticks())


def test_long_names_below_a_table_do_not_run_into_each_other():
    names = ["English", "German", "Finnish", "Hungarian", "Turkish", "Italian", "Polish", "Swahili", "Basque", "Welsh"]
    figure = plots.confusion(torch.arange(10), torch.arange(10), names)
    figure.draw_without_rendering()
    labels = figure.axes[0].get_xticklabels()
    assert {label.get_rotation() for label in labels} == {45.0}
    ends = [label.get_window_extent().x1 for label in labels]
    assert np.diff(ends).min() > 20  # as far apart as the columns
    short = plots.confusion(torch.arange(3), torch.arange(3), ["1", "2", "3"]).axes[0]
    assert {label.get_rotation() for label in short.get_xticklabels()} == {0.0}


def test_classes_are_whole_numbers():
    with pytest.raises(TypeError, match=r"^targets: expected classes as integers, got torch.float32$"):
        plots.confusion(torch.tensor([0, 1]), torch.tensor([0.0, 1.0]))


def test_small_integers_do_not_overflow():
    """20 times 20 is more than a byte holds."""
    classes = torch.arange(20, dtype=torch.uint8)
    (ax,) = plots.confusion(classes, classes).axes
    assert sorted(text.get_position() for text in ax.texts) == [(k, k) for k in range(20)]


def test_tensors_are_drawn_as_lists_are(trace):
    values = torch.tensor([0.5, 0.25], requires_grad=True)
    for draw in (plots.accuracies, lambda results: plots.dots(results, x="share")):
        (one,), (other,) = draw({"a": values}).axes, draw({"a": values.tolist()}).axes
        assert [text.get_text() for text in one.texts] == [text.get_text() for text in other.texts]
        np.testing.assert_array_equal(one.lines[0].get_xdata(), other.lines[0].get_xdata())
    one, other = plots.gates(trace, torch.tensor(2)), plots.gates(trace, 2)
    np.testing.assert_array_equal(one.axes[0].images[0].get_array(), other.axes[0].images[0].get_array())


def test_what_is_drawn_is_of_the_right_kind():
    for draw, message in [
        (lambda: plots.gates(gru.GRU(3, 4)), "trace: expected what gru.trace gives, got GRU"),
        (lambda: plots.curves([1.0, 2.0], x="x", y="y"), "lines: expected a dict from names to values, got list"),
        (lambda: plots.dots([1.0, 2.0], x="x"), "results: expected a dict from names to values, got list"),
        (lambda: plots.confusion([0, 1], torch.tensor([0, 1])), "answers: expected a Tensor, got list"),
        (lambda: plots.solved([5], limit=9), "results: expected a dict from names to values, got list"),
        (lambda: plots.accuracies({"GRU": 0.9}), "results: expected a list of values for 'GRU', got 0.9"),
        (lambda: plots.training(None), "histories: expected a History, as gru.fit returns it, or a list of them, got"),
        (lambda: plots.training([0.5, 0.4]), "histories: expected a History, as gru.fit returns it, or a list of them"),
        (lambda: plots.forecast([1.0], [2.0], x="x", y="y"), "lines: expected a dict from names to values, got list"),
    ]:
        with pytest.raises(TypeError, match=re.escape(message)):
            draw()


def test_half_precision_is_drawn():
    layer, x = gru.GRU(3, 4).bfloat16(), torch.randn(5, 2, 3).bfloat16()
    plots.gates(gru.trace(layer, x))
    plots.curves({"norm": gru.gradient_flow(layer, x).norms[:, 0]}, x="step", y="norm")


def test_errors(trace):

    def forecast(bands=(), past=(1, 2), lines=None):
        return plots.forecast(past, lines or {}, bands, x="months", y="°C")

    stacked = gru.trace(gru.GRU(3, 8, num_layers=2), torch.randn(10, 4, 3))
    formula = gru.trace(gru.FormulaCell("h = tanh(W @ x + U @ h)", 3, 8), torch.randn(10, 4, 3))
    right, wrong = torch.tensor([0, 1]), torch.tensor([0, -100])
    cases = [
        (lambda: plots.gates(stacked), "trace: expected one layer, got 2"),
        (lambda: plots.gates(formula), "trace: expected one with gates r, z and n, got FormulaCell, which has none"),
        (lambda: plots.confusion(wrong, right), "answers: expected classes from 0 on, got -100"),
        (lambda: plots.confusion(right, wrong), "targets: expected classes from 0 on, got -100"),
        (lambda: plots.gates(trace, 4), "sequence: expected numbers from 0 to 3, got 4"),
        (lambda: plots.gates(trace, 0.5), "sequence: expected numbers from 0 to 3, got 0.5"),
        (lambda: plots.gates(trace, []), "sequence: expected numbers from 0 to 3, got []"),
        (lambda: plots.gates(trace, 0, 7), "lengths: expected 4 integers from 1 to 10, got 7"),
        (
            lambda: plots.gates(trace, 0, [9.5, 1, 1, 1]),
            "lengths: expected 4 integers from 1 to 10, got [9.5, 1, 1, 1]",
        ),
        (lambda: plots.confusion(torch.tensor(1), torch.tensor(1)), "answers: expected a class for each of 1 targets"),
        (lambda: plots.gates(trace, 0, [11, 1, 1, 1]), "lengths: expected 4 integers from 1 to 10"),
        (lambda: plots.gates(trace, 0, names=["a", "b"]), "names: expected 1, got 2"),
        (lambda: plots.sequences(torch.zeros(3, 2)), "x: expected shape (T, B, features), got (3, 2)"),
        (lambda: plots.confusion(torch.tensor([0]), torch.tensor([0, 1])), "answers: expected a class for each of 2"),
        (lambda: plots.confusion(torch.tensor([2]), torch.tensor([0]), ["a"]), "names: expected one for each class, 3"),
        (lambda: plots.training([History()]), "histories: expected at least one"),
        (lambda: forecast(past=[]), "past: expected values up to now (T,), at least one, got shape (0,)"),
        (lambda: forecast(lines={"a": [[1, 2]]}), "lines: expected values (K,) for 'a', got shape (1, 2)"),
        (lambda: forecast([([0, 1], [2, 3]), ([1, 2], [2])]), "bands[1]: expected a pair of (K,), low and high, got"),
        (lambda: forecast([[1, 2]]), "bands[0]: expected a pair of (K,), low and high, got shapes [(), ()]"),
        (lambda: plots.accuracies({}), "results: expected at least one model"),
        (lambda: plots.dots({"a": []}, x="share"), "results: expected at least one row"),
        (lambda: plots.solved({}, limit=9), "results: expected at least one model"),
        (lambda: plots.solved({"a": [12]}, limit=9), "limit: expected at least 12"),
    ]
    for draw, message in cases:
        with pytest.raises(ValueError, match=re.escape(message)):
            draw()


def test_curves_draw_every_run_and_their_mean():
    runs = torch.tensor([[1.0, 0.1, 0.01], [1.0, 0.4, 0.16]])
    for log, mean in ((False, runs.mean(0)), (True, runs.log().mean(0).exp())):
        (ax,) = plots.curves({"a": runs, "b": [3.0, 2.0]}, x="steps", y="norm", start=5, log=log).axes
        first, second, thick, other, *pieces = ax.lines
        np.testing.assert_allclose(first.get_xydata(), [[5, 1], [6, 0.1], [7, 0.01]], rtol=1e-6)
        np.testing.assert_allclose(second.get_ydata(), runs[1], rtol=1e-6)
        np.testing.assert_allclose(thick.get_ydata(), mean, rtol=1e-6)
        np.testing.assert_allclose(other.get_ydata(), [3, 2])
        assert thick.get_linestyle() != other.get_linestyle()
        assert [text.get_text() for text in ax.texts] == ["a", "b"]
        assert [piece.get_linestyle() for piece in pieces] == [thick.get_linestyle(), other.get_linestyle()]


def test_names_of_curves_do_not_touch():
    figure = plots.curves({name: [0.0, 1.0] for name in "abcde"}, x="steps", y="norm")
    (ax,) = figure.axes
    heights = sorted(text.get_window_extent().y0 for text in ax.texts)
    assert min(np.diff(heights)) > 10


def test_curves_refuse_what_they_cannot_draw():
    with pytest.raises(ValueError, match="lines: expected at least one"):
        plots.curves({}, x="steps", y="norm")
    with pytest.raises(ValueError, match=r"lines: expected \(T,\) or \(runs, T\) for 'a'"):
        plots.curves({"a": np.zeros((2, 2, 2))}, x="steps", y="norm")


def test_forecast_draws_past_lines_and_bands_from_now_on():
    figure = plots.forecast(
        [1.0, 2.0, 3.0], {"model": [4.0, 5.0], "what came": [3.5, 6.0]}, [([3, 4], [5, 6])], x="months", y="°C"
    )
    (ax,) = figure.axes
    past, model, came, seam, *_ = ax.lines
    assert past.get_xydata().tolist() == [[-2, 1], [-1, 2], [0, 3]]
    assert model.get_xydata().tolist() == [[0, 3], [1, 4], [2, 5]]
    assert came.get_ydata().tolist() == [3, 3.5, 6]
    assert set(seam.get_xdata()) == {0}
    (band,) = ax.collections
    assert band.get_datalim(ax.transData).y1 == 6
    assert {text.get_text() for text in ax.texts} == {"model", "what came"}
