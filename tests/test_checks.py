"""The checks find every mistake of the catalogue by name, in classes as a learner would write them, and only it."""

import ast
import random
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import gru
from gru import checks
from gru.checks import MISTAKES, Report, _candidate, _steps

check_cell, check_layer = partial(checks.check_cell, hints=3), partial(checks.check_layer, hints=3)

sigmoid, tanh, cat = torch.sigmoid, torch.tanh, torch.cat


class Six(nn.Module):
    """The layers of reset_after, and its three lines, so that a test writes only the line that is wrong."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        for gate in ("reset", "update", "candidate"):
            setattr(self, f"input_{gate}", nn.Linear(input_size, hidden_size))
            setattr(self, f"hidden_{gate}", nn.Linear(hidden_size, hidden_size))

    def r(self, x, h):
        return sigmoid(self.input_reset(x) + self.hidden_reset(h))

    def z(self, x, h):
        return sigmoid(self.input_update(x) + self.hidden_update(h))

    def n(self, x, h, r):
        return tanh(self.input_candidate(x) + r * self.hidden_candidate(h))

    def new(self, n, h, z):
        return (1 - z) * n + z * h

    def forward(self, x, h):
        return self.new(self.n(x, h, self.r(x, h)), h, self.z(x, h))


class Three(nn.Module):
    """The layers of reset_before, likewise."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.reset_gate = nn.Linear(input_size + hidden_size, hidden_size)
        self.update_gate = nn.Linear(input_size + hidden_size, hidden_size)
        self.hidden_transform = nn.Linear(input_size + hidden_size, hidden_size)

    def r(self, x, h):
        return sigmoid(self.reset_gate(cat((x, h), 1)))

    def z(self, x, h):
        return sigmoid(self.update_gate(cat((x, h), 1)))

    def n(self, x, h, r):
        return tanh(self.hidden_transform(cat((x, r * h), 1)))

    def new(self, n, h, z):
        return (1 - z) * h + z * n

    def forward(self, x, h):
        return self.new(self.n(x, h, self.r(x, h)), h, self.z(x, h))


class Flat(nn.Module):
    """PyTorch's own names, with matrix products as a learner writes them."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.weight_ih = nn.Parameter(torch.randn(3 * hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.randn(3 * hidden_size, hidden_size))
        self.bias_ih = nn.Parameter(torch.randn(3 * hidden_size))
        self.bias_hh = nn.Parameter(torch.randn(3 * hidden_size))

    def forward(self, x, h):
        i_r, i_z, i_n = (x @ self.weight_ih.T + self.bias_ih).chunk(3, 1)
        h_r, h_z, h_n = (h @ self.weight_hh.T + self.bias_hh).chunk(3, 1)
        z = sigmoid(i_z + h_z)
        return (1 - z) * tanh(i_n + sigmoid(i_r + h_r) * h_n) + z * h


class FlatBefore(Flat):
    def forward(self, x, h):
        H = h.shape[1]
        i_r, i_z, i_n = (x @ self.weight_ih.T + self.bias_ih).chunk(3, 1)
        h_r, h_z = (h @ self.weight_hh[: 2 * H].T + self.bias_hh[: 2 * H]).chunk(2, 1)
        z, r = sigmoid(i_z + h_z), sigmoid(i_r + h_r)
        return (1 - z) * tanh(i_n + (r * h) @ self.weight_hh[2 * H :].T + self.bias_hh[2 * H :]) + z * h


class Wrapped(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.inner = Six(input_size, hidden_size)

    def forward(self, x, h):
        return self.inner(x, h)


def variant_of(base: type) -> str:
    return "reset_before" if issubclass(base, Three | FlatBefore) else "reset_after"


@pytest.mark.parametrize(
    ("cell", "variant"),
    [
        (Six, "reset_after"),
        (Flat, "reset_after"),
        (Wrapped, "reset_after"),
        (gru.ResetAfterCell, "reset_after"),
        (nn.GRUCell, "reset_after"),
        (Three, "reset_before"),
        (FlatBefore, "reset_before"),
        (gru.ResetBeforeCell, "reset_before"),
    ],
)
def test_right_cells_pass(cell, variant):
    report = check_cell(cell, variant)
    assert report.passed
    assert report.found == []
    assert report
    assert "right" in report.message


def test_the_step_without_changes_is_that_of_the_equations():
    draw = _candidate.Draw(0)
    x, h = draw((4, 3)), draw((4, 5))
    for cell in (gru.ResetAfterCell(3, 5).double(), gru.ResetBeforeCell(3, 5).double()):
        after = isinstance(cell, gru.ResetAfterCell)
        layout = _candidate.layouts("reset_after" if after else "reset_before")[0]
        parts = layout.parts(dict(cell.named_parameters()))
        torch.testing.assert_close(_steps.step(parts, x, h), cell(x, h), rtol=0, atol=1e-12)
    for after in (True, False):
        layer = gru.GRU(3, 5, reset_after=after).double()
        parts = _candidate.layouts("reset_after" if after else "reset_before")[2].parts(dict(layer.named_parameters()))
        expected = gru.equations.step(x, h, layer.weights()).h
        torch.testing.assert_close(_steps.step(parts, x, h), expected, rtol=0, atol=1e-12)


LAYOUTS = [layout for variant in _candidate.VARIANTS for layout in _candidate.layouts(variant)[:2]]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: f"{layout.variant}-{len(layout.shapes)}")
def test_no_two_mistakes_are_the_same_on_the_inputs_of_the_check(layout):
    inputs, weights = _candidate.Draw(1), _candidate.Draw(2)
    x, h = inputs((4, 3)), inputs((4, 5))
    parts = layout.parts({name: weights(shape) for name, shape in layout.shapes.items()})
    single = _steps.every_change(parts)
    every = [(), *((change,) for change in single), *_steps.combinations(single)]
    states = torch.stack([_steps.step(parts, x, h, _steps.how(*changes)).flatten() for changes in every])
    apart = torch.cdist(states, states, p=float("inf")).fill_diagonal_(1)
    own = apart[: len(single) + 1, : len(single) + 1]
    assert own[own > 0].min() > 0.01
    same = {single[i - 1].name for i, j in (own == 0).nonzero().tolist()}
    assert same == {"update_gate_in_candidate", "reset_gate_in_blend", "layer_mixed_up"}  # a gate is its layer
    # Pairs may be the same function (an unused gate hides what is wrong with it), but none is nearly the same.
    assert apart[apart > 1e-9].min() > 1e-4


# name in the catalogue, the class that is right but for one line, and that line
WRONG_STEP = [
    # r
    ("reset_sigmoid_missing", Six, {"r": lambda s, x, h: s.input_reset(x) + s.hidden_reset(h)}),
    ("reset_sigmoid_missing", Three, {"r": lambda s, x, h: s.reset_gate(cat((x, h), 1))}),
    ("reset_tanh", Six, {"r": lambda s, x, h: tanh(s.input_reset(x) + s.hidden_reset(h))}),
    ("reset_inverted", Three, {"r": lambda s, x, h: 1 - sigmoid(s.reset_gate(cat((x, h), 1)))}),
    ("reset_inverted", Six, {"n": lambda s, x, h, r: tanh(s.input_candidate(x) + (1 - r) * s.hidden_candidate(h))}),
    # z
    ("update_sigmoid_missing", Six, {"z": lambda s, x, h: s.input_update(x) + s.hidden_update(h)}),
    ("update_tanh", Six, {"z": lambda s, x, h: tanh(s.input_update(x) + s.hidden_update(h))}),
    ("update_tanh", Three, {"z": lambda s, x, h: tanh(s.update_gate(cat((x, h), 1)))}),
    (
        "update_reads_reset_state",
        Three,
        {"z": lambda s, x, h: sigmoid(s.update_gate(cat((x, s.r(x, h) * h), 1)))},
    ),
    # n
    ("reset_before_product", Six, {"n": lambda s, x, h, r: tanh(s.input_candidate(x) + s.hidden_candidate(r * h))}),
    (
        "reset_after_product",
        Three,
        {"n": lambda s, x, h, r: tanh(_side(s.hidden_transform, x, h) + r * _rest(s.hidden_transform, x, h))},
    ),
    (
        "reset_after_product",
        FlatBefore,
        {"forward": Flat.forward},
    ),
    (
        "bias_outside_reset",
        Six,
        {
            "n": lambda s, x, h, r: tanh(
                s.input_candidate(x) + r * (h @ s.hidden_candidate.weight.T) + s.hidden_candidate.bias
            )
        },
    ),
    ("reset_gate_unused", Six, {"n": lambda s, x, h, r: tanh(s.input_candidate(x) + s.hidden_candidate(h))}),
    ("reset_gate_unused", Three, {"n": lambda s, x, h, r: tanh(s.hidden_transform(cat((x, h), 1)))}),
    ("reset_on_everything", Six, {"n": lambda s, x, h, r: tanh(r * (s.input_candidate(x) + s.hidden_candidate(h)))}),
    ("reset_on_everything", Three, {"n": lambda s, x, h, r: tanh(r * s.hidden_transform(cat((x, h), 1)))}),
    ("reset_on_input", Six, {"n": lambda s, x, h, r: tanh(r * s.input_candidate(x) + s.hidden_candidate(h))}),
    ("reset_on_candidate", Six, {"n": lambda s, x, h, r: r * tanh(s.input_candidate(x) + s.hidden_candidate(h))}),
    ("candidate_tanh_missing", Six, {"n": lambda s, x, h, r: s.input_candidate(x) + r * s.hidden_candidate(h)}),
    ("candidate_tanh_missing", Three, {"n": lambda s, x, h, r: s.hidden_transform(cat((x, r * h), 1))}),
    ("candidate_sigmoid", Six, {"n": lambda s, x, h, r: sigmoid(s.input_candidate(x) + r * s.hidden_candidate(h))}),
    ("candidate_relu", Three, {"n": lambda s, x, h, r: torch.relu(s.hidden_transform(cat((x, r * h), 1)))}),
    ("update_gate_in_candidate", Six, {"forward": lambda s, x, h: s.new(s.n(x, h, s.z(x, h)), h, s.z(x, h))}),
    # h'
    ("z_swapped", Six, {"new": lambda s, n, h, z: z * n + (1 - z) * h}),
    ("z_swapped", Three, {"new": lambda s, n, h, z: z * h + (1 - z) * n}),
    ("gates_swapped", Six, {"forward": lambda s, x, h: s.new(s.n(x, h, s.z(x, h)), h, s.r(x, h))}),
    ("gates_swapped", Three, {"forward": lambda s, x, h: s.new(s.n(x, h, s.z(x, h)), h, s.r(x, h))}),
    ("reset_gate_in_blend", Six, {"forward": lambda s, x, h: s.new(s.n(x, h, s.r(x, h)), h, s.r(x, h))}),
    ("reset_state_carried", Three, {"forward": lambda s, x, h: s.new(s.n(x, h, r := s.r(x, h)), r * h, s.z(x, h))}),
    ("update_gate_unused", Six, {"new": lambda s, n, h, z: n}),
    ("update_gate_unused", Three, {"new": lambda s, n, h, z: n}),
    ("state_unchanged", Six, {"new": lambda s, n, h, z: h}),
    ("old_state_forgotten", Six, {"new": lambda s, n, h, z: (1 - z) * n}),
    ("old_state_forgotten", Three, {"new": lambda s, n, h, z: z * n}),
    ("candidate_forgotten", Six, {"new": lambda s, n, h, z: z * h}),
    ("complement_missing", Six, {"new": lambda s, n, h, z: n + z * h}),
    ("complement_missing", Three, {"new": lambda s, n, h, z: h + z * n}),
    ("second_tanh", Six, {"new": lambda s, n, h, z: tanh((1 - z) * n + z * h)}),
    # what is read
    ("input_forgotten", Six, {"n": lambda s, x, h, r: tanh(r * s.hidden_candidate(h))}),
    ("input_forgotten", Six, {"r": lambda s, x, h: sigmoid(s.hidden_reset(h))}),
    ("state_forgotten", Six, {"z": lambda s, x, h: sigmoid(s.input_update(x))}),
    ("state_forgotten", Six, {"n": lambda s, x, h, r: tanh(s.input_candidate(x))}),
    ("h_before_x", Three, {"n": lambda s, x, h, r: tanh(s.hidden_transform(cat((r * h, x), 1)))}),
    (
        "h_before_x",
        Three,
        {
            "r": lambda s, x, h: sigmoid(s.reset_gate(cat((h, x), 1))),
            "z": lambda s, x, h: sigmoid(s.update_gate(cat((h, x), 1))),
            "n": lambda s, x, h, r: tanh(s.hidden_transform(cat((r * h, x), 1))),
        },
    ),
    (
        "hidden_bias_missing",
        Six,
        {"n": lambda s, x, h, r: tanh(s.input_candidate(x) + r * (h @ s.hidden_candidate.weight.T))},
    ),
]


def _side(layer, x, h):
    return x @ layer.weight[:, : x.shape[1]].T + layer.bias


def _rest(layer, x, h):
    return h @ layer.weight[:, x.shape[1] :].T


def flat_with(bias_i: int, bias_h: int):
    """Flat, with each bias added so many times."""

    def forward(self, x, h):
        i_r, i_z, i_n = (x @ self.weight_ih.T + bias_i * self.bias_ih).chunk(3, 1)
        h_r, h_z, h_n = (h @ self.weight_hh.T + bias_h * self.bias_hh).chunk(3, 1)
        z = sigmoid(i_z + h_z)
        return (1 - z) * tanh(i_n + sigmoid(i_r + h_r) * h_n) + z * h

    return forward


WRONG_STEP += [
    ("bias_missing", Flat, {"forward": flat_with(0, 0)}),
    ("input_bias_missing", Flat, {"forward": flat_with(0, 1)}),
    ("hidden_bias_missing", Flat, {"forward": flat_with(1, 0)}),
    ("bias_twice", Flat, {"forward": flat_with(1, 2)}),
    ("bias_twice", Flat, {"forward": flat_with(2, 1)}),
]


def act(name, function):
    """The same wrong gate in both classes."""
    gate, layer = ("r", "reset") if name.startswith("reset") else ("z", "update")
    six = {gate: lambda s, x, h: function(getattr(s, f"input_{layer}")(x) + getattr(s, f"hidden_{layer}")(h))}
    return [
        (name, Six, six),
        (name, Three, {gate: lambda s, x, h: function(getattr(s, f"{layer}_gate")(cat((x, h), 1)))}),
    ]


def flat_reading(W=lambda w: w.T, U=lambda w: w.T, order=(0, 1, 2), h_order=(0, 1, 2)):
    """Flat, whose matrices are read so, and whose blocks are taken in this order."""

    def forward(self, x, h):
        i = (x @ W(self.weight_ih) + self.bias_ih).chunk(3, 1)
        s = (h @ U(self.weight_hh) + self.bias_hh).chunk(3, 1)
        (i_r, i_z, i_n), (h_r, h_z, h_n) = [i[k] for k in order], [s[k] for k in h_order]
        z = sigmoid(i_z + h_z)
        return (1 - z) * tanh(i_n + sigmoid(i_r + h_r) * h_n) + z * h

    return {"forward": forward}


def _reshaping(layer, x, h):
    return cat((x, h), 1) @ layer.weight.view(layer.weight.shape[::-1]) + layer.bias


def _interleaving(self, x, h):
    i_r, i_z, i_n = (x @ self.weight_ih.T + self.bias_ih).view(len(x), -1, 3).unbind(2)
    h_r, h_z, h_n = (h @ self.weight_hh.T + self.bias_hh).view(len(x), -1, 3).unbind(2)
    z = sigmoid(i_z + h_z)
    return (1 - z) * tanh(i_n + sigmoid(i_r + h_r) * h_n) + z * h


def _mean(a):
    return a.mean(0, keepdim=True).expand_as(a)


for gate in ("reset", "update"):
    WRONG_STEP += [
        *act(f"{gate}_softmax", lambda a: a.softmax(1)),
        *act(f"{gate}_softmax", lambda a: a.softmax(0)),
        *act(f"{gate}_sigmoid_twice", lambda a: sigmoid(sigmoid(a))),
        *act(f"{gate}_hard_sigmoid", nn.functional.hardsigmoid),
        *act(f"{gate}_hard_sigmoid", lambda a: (0.2 * a + 0.5).clamp(0, 1)),
    ]
WRONG_STEP += [
    ("reset_twice", Six, {"n": lambda s, x, h, r: tanh(s.input_candidate(x) + r * s.hidden_candidate(r * h))}),
    ("reset_twice", Six, {"n": lambda s, x, h, r: tanh(s.input_candidate(x) + r * r * s.hidden_candidate(h))}),
    ("reset_twice", Three, {"n": lambda s, x, h, r: Three.n(s, x, r * h, r)}),
    ("same_gate_twice", Six, {"new": lambda s, n, h, z: z * n + z * h}),
    ("same_gate_twice", Six, {"new": lambda s, n, h, z: (1 - z) * (n + h)}),
    ("same_gate_twice", Three, {"new": lambda s, n, h, z: z * n + z * h}),
    ("gates_uncoupled", Six, {"forward": lambda s, x, h: s.z(x, h) * h + (r := s.r(x, h)) * s.n(x, h, r)}),
    ("gates_uncoupled", Three, {"forward": lambda s, x, h: (1 - (r := s.r(x, h))) * h + s.z(x, h) * s.n(x, h, r)}),
    ("weight_transposed", Six, {"n": lambda s, x, h, r: tanh(
        s.input_candidate(x) + r * (h @ s.hidden_candidate.weight + s.hidden_candidate.bias))}),
    ("weight_transposed", Six, {"z": lambda s, x, h: sigmoid(
        s.input_update(x) + h @ s.hidden_update.weight + s.hidden_update.bias)}),
    ("weight_reshaped", Six, {"n": lambda s, x, h, r: tanh(
        x @ s.input_candidate.weight.reshape(x.shape[1], -1) + s.input_candidate.bias + r * s.hidden_candidate(h))}),
    ("weight_reshaped", Flat, flat_reading(W=lambda w: w.reshape(w.shape[::-1]))),
    ("weight_reshaped", Flat, flat_reading(U=lambda w: w.reshape(w.shape[::-1]))),
    ("weight_reshaped", Three, {
        "r": lambda s, x, h: sigmoid(_reshaping(s.reset_gate, x, h)),
        "z": lambda s, x, h: sigmoid(_reshaping(s.update_gate, x, h)),
        "n": lambda s, x, h, r: tanh(_reshaping(s.hidden_transform, x, r * h)),
    }),
    ("weight_reshaped", Flat, {"forward": _interleaving}),
    ("layer_mixed_up", Flat, flat_reading(order=(2, 1, 0), h_order=(2, 1, 0))),
    ("layer_mixed_up", Flat, flat_reading(order=(1, 0, 2))),
    ("layer_mixed_up", Six, {"z": lambda s, x, h: sigmoid(s.input_update(x) + s.hidden_reset(h))}),
    ("layer_mixed_up", Three, {"n": lambda s, x, h, r: tanh(s.update_gate(cat((x, r * h), 1)))}),
    ("batch_mean", Six, {"r": lambda s, x, h: _mean(Six.r(s, x, h))}),
    ("batch_mean", Three, {"n": lambda s, x, h, r: Three.n(s, x, h, r).mean(0)}),
    ("batch_mean", Six, {"forward": lambda s, x, h: _mean(Six.forward(s, x, h))}),
    ("first_row", Six, {"forward": lambda s, x, h: Six.forward(s, x, h[:1].expand_as(h))}),
    ("first_row", Three, {"forward": lambda s, x, h: Three.forward(s, x[:1].expand_as(x), h)}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "base", "lines"), WRONG_STEP, ids=[f"{n}-{b.__name__}" for n, b, _ in WRONG_STEP])
def test_a_wrong_line_is_found_by_name_and_nothing_else(name, base, lines):
    report = check_cell(type("Cell", (base,), lines), variant_of(base))
    assert report.found == [name], report
    assert not report.passed
    assert not report
    assert MISTAKES[name] in report.message
    assert "this one change" in report.message


class _Prints(Six):
    def forward(self, x, h):
        print("shape of h:", h.shape)
        return super().forward(x, h)


class _InPlace(Six):
    def forward(self, x, h):
        new = super().forward(x, h)
        h *= 0
        h += new
        return h


class _Remembers(Six):
    def forward(self, x, h):
        h = getattr(self, "last", h)
        self.last = super().forward(x, h).detach()
        return self.last


class _Drops(Six):
    def forward(self, x, h):
        return nn.functional.dropout(super().forward(x, h), 0.5)


class _Lower(Six):
    def forward(self, x, h):
        return super().forward(x.float().double(), h)


class _NoSuper(nn.Module):
    def __init__(self, input_size, hidden_size):
        self.input_reset = nn.Linear(input_size, hidden_size)


class _Plain:
    def __init__(self, input_size, hidden_size):
        pass


class _Transposed(Six):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.input_reset = nn.Linear(hidden_size, input_size)


class _Shared(Six):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.hidden_update = self.hidden_reset


class _Extra(Six):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.out = nn.Linear(hidden_size, 2)
        self.register_buffer("state", torch.zeros(1))


class _NoBias(Six):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.hidden_reset = nn.Linear(hidden_size, hidden_size, bias=False)


class _Two(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.first, self.second = Six(input_size, hidden_size), Six(input_size, hidden_size)


class _Saved(Six):
    def forward(self, x, h):
        r = self.r(x, h)
        n = self.n(x, h, r)
        new = self.new(n, h, self.z(x, h))
        with torch.no_grad():
            r.zero_()
        return new


# name, class, what the message must say too
WRONG_MANNERS = [
    ("prints", _Prints, "shape of h: torch.Size([4, 5])"),
    ("modifies_input", _InPlace, "Changed by the call: h."),
    ("depends_on_chance", _Drops, "random"),
    ("precision_lost", _Lower, "look for .float()"),
    ("not_a_module", _Plain, "torch.nn.Module"),
    ("constructor_raises", _NoSuper, "super().__init__()"),
    ("wrong_parameter_shape", _Transposed, "input_reset.weight: expected shape (5, 3), got (3, 5)."),
    ("shared_parameters", _Shared, "hidden_update.weight, hidden_update.bias"),
    ("extra_parameters", _Extra, "Extra: out.weight, out.bias, state."),
    ("missing_parameters", _NoBias, "Missing: hidden_reset.bias. There, but not expected: nothing."),
    ("missing_parameters", Three, 'variant="reset_before"'),
    ("several_recurrences", _Two, "self.first and self.second"),
    ("raises", type("C", (Six,), {"forward": lambda s, x, h: s.input_reset(h)}), "mat1 and mat2"),
    ("raises", type("C", (Six,), {"forward": lambda s, x, h: s.reset(x)}), "has no attribute 'reset', at line"),
    ("returns_nothing", type("C", (Six,), {"forward": lambda s, x, h: None}), "return"),
    ("returns_nothing", type("C", (Six,), {"forward": lambda s, x, h: ()}), "return"),
    ("returns_no_tensor", type("C", (Six,), {"forward": lambda s, x, h: {"h": h}}), "got dict"),
    ("returns_tuple", type("C", (Six,), {"forward": lambda s, x, h: (h2 := Six.forward(s, x, h), h2)}), "2 entries"),
    ("returns_tuple", type("C", (gru.ResetAfterCell,), {"forward": gru.ResetAfterCell.gates}), "4 entries"),
    ("wrong_shape", type("C", (Six,), {"forward": lambda s, x, h: Six.forward(s, x, h)[None]}), "got (1, 4, 5)"),
    ("wrong_dtype", type("C", (Six,), {"forward": lambda s, x, h: Six.forward(s, x, h).float()}), "torch.float32"),
    ("returns_nan", type("C", (Six,), {"forward": lambda s, x, h: Six.forward(s, x, h) / 0}), "20 of 20"),
    ("gradient_cut", type("C", (Six,), {"r": lambda s, x, h: Six.r(s, x, h).detach()}), "No gradient reaches input_re"),
    ("gradient_cut", type("C", (Six,), {"new": lambda s, n, h, z: Six.new(s, n, h.data, z)}), "A wrong gradient"),
    ("gradient_cut", type("C", (Six,), {"forward": torch.no_grad()(lambda s, x, h: Six.forward(s, x, h))}), "x, h"),
    ("backward_raises", _Saved, "modified by an inplace operation"),
]


@pytest.mark.parametrize(
    ("name", "cell", "words"), WRONG_MANNERS, ids=[f"{n}-{i}" for i, (n, *_) in enumerate(WRONG_MANNERS)]
)
def test_a_cell_that_lacks_something_else_is_told_so(name, cell, words, capsys):
    report = check_cell(cell)
    assert report.found == [name], report
    assert words in report.message
    assert MISTAKES[name] in report.message
    assert capsys.readouterr().out == ""


def test_a_state_kept_between_calls_is_found():
    assert "depends_on_earlier_calls" in check_cell(_Remembers).found


# One size, one call: right there, and wrong elsewhere


class _Batch(Six):
    """Keeps what fits the first batch it meets."""

    def forward(self, x, h):
        if not hasattr(self, "ones"):
            self.ones = torch.ones_like(h)
        return super().forward(x, h * self.ones)


def _only(right, base=Six):
    """A cell that forgets its state wherever ``right`` of the sizes (B, D, H) does not hold."""

    def forward(self, x, h):
        return base.forward(self, x, h if right(*x.shape, h.shape[1]) else 0 * h)

    return type("Only", (base,), {"forward": forward})


def _h_of_five(self, x, h):
    return Six.forward(self, x, h.reshape(-1, 5))


WRONG_ELSEWHERE = [
    ("batch_of_one", type("C", (Six,), {"forward": lambda s, x, h: Six.forward(s, x, h).squeeze()}), "got (5,)"),
    ("batch_of_one", type("C", (Six,), {"forward": lambda s, x, h: Six.forward(s, x, h).squeeze(0)}), "B = 1"),
    ("sizes_assumed", type("C", (Six,), {"forward": lambda s, x, h: Six.forward(s, x, h.view(4, -1)) if len(x) > 1
        else Six.forward(s, x, h)}), "With B = 7"),
    ("sizes_assumed", type("C", (Six,), {"forward": _h_of_five}), "With H = 2"),
    ("sizes_assumed", type("C", (Six,), {"forward": lambda s, x, h: Six.forward(s, x[:, :3], h)}), "With D = 8"),
    ("sizes_assumed", _only(lambda B, D, H: D != H or D == 1), "With D = 4, H = 4"),
    ("sizes_assumed", _only(lambda B, D, H: H < 10), "H = 17"),
    ("sizes_assumed", _only(lambda B, D, H: B < 64), "With B = 65, D = 40, H = 65"),
    ("sizes_assumed", _only(lambda B, D, H: H <= 64), "With B = 65, D = 40, H = 65"),
    ("sizes_assumed", _only(lambda B, D, H: B == 4), "With B = 1"),
    ("sizes_assumed", _only(lambda B, D, H: D > 1), "With B = 3, D = 1, H = 1: h'"),
    ("sizes_assumed", type("C", (Six,), {"new": lambda s, n, h, z: Six.new(s, n, h.detach() if len(h) == 2 else h, z)}),
        "A wrong gradient"),
    ("depends_on_earlier_calls", _Batch, "After a call with inputs of other sizes"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "cell", "words"), WRONG_ELSEWHERE, ids=range(len(WRONG_ELSEWHERE)))
def test_a_cell_that_is_right_for_some_sizes_only_does_not_pass(name, cell, words):
    report = check_cell(cell, variant_of(cell))
    assert report.found == [name], report
    assert words in report.message


# Right for the usual numbers, and wrong for others


def _clamped(self, x, h):
    return Six.forward(self, x, h.clamp(-3, 3))


def _first_step_whole(self, x, h):
    return Six.forward(self, x, h) if h.any() else Six.n(self, x, h, Six.r(self, x, h))


def _forgets(limit):
    return lambda self, x, h: Six.forward(self, x, torch.where(h.abs() < limit, h, 0 * h))


WRONG_IN_A_RANGE = [
    ("range_assumed", type("C", (Six,), {"forward": _clamped}), "With inputs and states ten times as large: h'"),
    ("range_assumed", type("C", (Six,), {"forward": _forgets(3.0)}), "ten times"),
    ("range_assumed", type("C", (Six,), {"forward": _forgets(100.0)}), "a thousand times"),
    ("range_assumed", type("C", (Six,), {"forward": lambda s, x, h: Six.forward(s, x.clamp(-4, 4), h)}), "ten times"),
    ("range_assumed", type("C", (Six,), {"forward": _first_step_whole}), "With a state of zeros"),
    ("range_assumed", type("C", (Three,), {"new": lambda s, n, h, z: Three.new(s, n, h, z).clamp(-9, 9)}), "With "),
]  # fmt: skip


@pytest.mark.parametrize(("name", "cell", "words"), WRONG_IN_A_RANGE, ids=range(len(WRONG_IN_A_RANGE)))
def test_a_cell_that_is_right_for_some_numbers_only_does_not_pass(name, cell, words):
    report = check_cell(cell, variant_of(cell))
    assert report.found == [name], report
    assert words in report.message


def test_a_layer_that_is_right_for_some_numbers_only_does_not_pass():
    report = check_layer(type("L", (Layer,), {"sweep": lambda s, x, h: Layer.sweep(s, x, h.clamp(-3, 3))}))
    assert report.found == ["range_assumed"], report
    assert "With inputs and states ten times as large: with h0" in report.message


class _Exponentials(Six):
    """Right, with sigmoid and tanh as the formulas that overflow first."""

    def r(self, x, h):
        a = self.input_reset(x) + self.hidden_reset(h)
        return torch.exp(a) / (1 + torch.exp(a))

    def z(self, x, h):
        return 1 / (1 + torch.exp(-self.input_update(x) - self.hidden_update(h)))

    def n(self, x, h, r):
        a = self.input_candidate(x) + r * self.hidden_candidate(h)
        return (torch.exp(a) - torch.exp(-a)) / (torch.exp(a) + torch.exp(-a))

    def new(self, n, h, z):
        return n + z * (h - n)


def test_large_numbers_keep_right_cells_right():
    assert check_cell(_Exponentials)
    assert check_cell(type("C", (Six,), {"forward": lambda s, x, h: torch.nan_to_num(Six.forward(s, x, h))}))


def test_a_cell_that_is_wrong_in_eval_mode_does_not_pass():
    report = check_cell(type("C", (Six,), {"new": lambda s, n, h, z: Six.new(s, n, h if s.training else 0 * h, z)}))
    assert not report.passed
    assert "In eval mode it is not right: h' differs" in report.message


# What stands in the seed of this project, as it was


class GRUCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super(GRUCell, self).__init__()  # noqa: UP008
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.reset_gate = nn.Linear(input_size + hidden_size, hidden_size)
        self.update_gate = nn.Linear(input_size + hidden_size, hidden_size)
        self.hidden_transform = nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, input, hidden):
        print("Input Shape:", input.shape)
        print("Hidden Shape:", hidden.shape)
        combined = torch.cat((input, hidden), dim=1)
        reset_gate = torch.sigmoid(self.reset_gate(combined))
        update_gate = torch.sigmoid(self.update_gate(combined))
        combined = torch.cat((input, reset_gate * hidden), dim=1)
        hidden_transform = torch.tanh(self.hidden_transform(combined))
        next_hidden = (1 - update_gate) * hidden + update_gate * hidden_transform
        output = torch.tanh(next_hidden)
        return next_hidden, output


def test_the_first_cell_as_it_was_is_diagnosed():
    report = check_cell(GRUCell, "reset_before")
    assert report.found == ["prints", "returns_tuple", "second_tanh"]
    assert "Input Shape: torch.Size([4, 3])" in report.message
    swapped = type("Swapped", (GRUCell,), {"forward": lambda s, x, h: GRUCell.forward(s, x, h)[::-1]})
    assert check_cell(swapped, "reset_before").found == ["prints", "returns_tuple", "second_tanh"]


class _OwnNames(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        for gate in "abc":
            setattr(self, f"x_{gate}", nn.Linear(input_size, hidden_size))
            setattr(self, f"h_{gate}", nn.Linear(hidden_size, hidden_size))

    def forward(self, x, h):
        z = sigmoid(self.x_b(x) + self.h_b(h))
        n = tanh(self.x_c(x) + sigmoid(self.x_a(x) + self.h_a(h)) * self.h_c(h))
        return (1 - z) * n + z * h


class _Fused(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.i2h = nn.Linear(input_size, 3 * hidden_size)
        self.h2h = nn.Linear(hidden_size, 3 * hidden_size)

    def forward(self, x, h):
        (i_r, i_z, i_n), (h_r, h_z, h_n) = self.i2h(x).chunk(3, 1), self.h2h(h).chunk(3, 1)
        z = sigmoid(i_z + h_z)
        return (1 - z) * tanh(i_n + sigmoid(i_r + h_r) * h_n) + z * h


class _HalfFused(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gates = nn.Linear(input_size + hidden_size, 2 * hidden_size)
        self.hidden_transform = nn.Linear(input_size + hidden_size, hidden_size)


def test_own_names_and_a_fused_layer_get_a_hint_that_works():
    def named(base, names):
        def build(self, input_size, hidden_size):
            base.__init__(self, input_size, hidden_size)
            for name, own in names.items():
                of, *path = own.split(".")
                setattr(self, name, getattr(getattr(self, of), path[0]) if path else getattr(self, of))

        return type("Named", (base,), {"__init__": build})

    report = checks.check_cell(_OwnNames)
    assert report.found == ["missing_parameters"]
    assert "self.input_reset = self.x_a" in report.message
    gates = zip("abc", ("reset", "update", "candidate"), strict=True)
    names = {f"{kind}_{gate}": f"{x}_{own}" for own, gate in gates for kind, x in (("input", "x"), ("hidden", "h"))}
    assert check_cell(named(_OwnNames, names)).passed

    message = checks.check_cell(_Fused).message
    names = dict(re.findall(r"self\.(weight_\w+|bias_\w+) = self\.([\w.]+\w)", message))
    assert names == {"weight_ih": "i2h.weight", "weight_hh": "h2h.weight", "bias_ih": "i2h.bias", "bias_hh": "h2h.bias"}
    assert "r, z, n" in message
    assert check_cell(named(_Fused, names)).passed

    assert "one layer per gate" in checks.check_cell(_HalfFused, "reset_before").message


# Pairs


def line(name: str, base: type) -> dict:
    return next(lines for n, b, lines in WRONG_STEP if n == name and b is base)


@pytest.mark.parametrize(
    ("first", "second", "base"),
    [
        ("z_swapped", "reset_before_product", Six),
        ("reset_sigmoid_missing", "update_sigmoid_missing", Six),
        ("z_swapped", "candidate_tanh_missing", Three),
        ("update_tanh", "reset_gate_unused", Three),
        ("second_tanh", "bias_outside_reset", Six),
        ("complement_missing", "reset_on_everything", Three),
        ("z_swapped", "update_softmax", Six),
        ("z_swapped", "weight_transposed", Six),
    ],
)
def test_two_wrong_lines_are_found_together(first, second, base):
    report = check_cell(type("Cell", (base,), line(first, base) | line(second, base)), variant_of(base))
    assert set(report.found) == {first, second}, report
    assert "these 2 changes together" in report.message


@pytest.mark.parametrize("kind", ["softmax", "hard_sigmoid", "sigmoid_twice"])
def test_the_same_wrong_activation_in_both_gates_is_found(kind):
    lines = line(f"reset_{kind}", Six) | line(f"update_{kind}", Six)
    report = check_cell(type("Cell", (Six,), lines))
    assert set(report.found) == {f"reset_{kind}", f"update_{kind}"}, report


def test_a_cell_without_any_nonlinearity_is_found():
    lines = (
        line("reset_sigmoid_missing", Six) | line("update_sigmoid_missing", Six) | line("candidate_tanh_missing", Six)
    )
    report = check_cell(type("Cell", (Six,), lines))
    assert report.found == ["reset_sigmoid_missing", "update_sigmoid_missing", "candidate_tanh_missing"]


def test_the_same_mistake_in_two_places_is_one_finding():
    lines = {"r": lambda s, x, h: sigmoid(s.hidden_reset(h)), "z": lambda s, x, h: sigmoid(s.hidden_update(h))}
    report = check_cell(type("Cell", (Six,), lines))
    assert report.found == ["input_forgotten"]
    assert "The reset gate does not read x. The update gate does not read x." in report.message


def test_what_cannot_be_told_apart_is_said():
    lines = {
        "n": lambda s, x, h, r: tanh(s.input_candidate(x) + s.hidden_candidate(h)),
        "forward": lambda s, x, h: s.new(s.n(x, h, s.z(x, h)), h, s.r(x, h)),
    }
    report = check_cell(type("Cell", (Six,), lines))
    assert "The same numbers also come from" in report.message
    assert "reset_gate_in_blend" in report.message
    report = check_cell(type("Cell", (Six,), {"z": Six.r}))
    assert report.found == ["reset_gate_in_blend"]
    assert "The same numbers also come from layer_mixed_up" in report.message


def test_a_wrong_line_and_bad_manners_are_found_together():
    def forward(self, x, h):
        print("z")
        z = self.z(x, h.detach())
        return z * self.n(x, h, self.r(x, h)) + (1 - z) * h

    report = check_cell(type("Cell", (Six,), {"forward": forward}))
    assert report.found == ["prints", "z_swapped", "gradient_cut"]


# What is said where nothing in the catalogue fits


@pytest.mark.parametrize(
    ("lines", "suspect", "words"),
    [
        ({"z": lambda s, x, h: Six.z(s, x, h) ** 2}, "the line that computes z:", "z itself"),
        ({"r": lambda s, x, h: Six.r(s, x, h) ** 3}, "the line that computes r:", "so r, or where it acts"),
        (
            {"n": lambda s, x, h, r: Six.n(s, x, h, r) ** 3},
            "the line that computes n:",
            "the candidate, or its share, is the first suspect",
        ),
        (
            {"new": lambda s, n, h, z: (1 - z) * n + z * h**2},
            "the line that computes the new state:",
            "how the new state",
        ),
        (
            {"n": lambda s, x, h, r: n.roll(1, 0) if (n := Six.n(s, x, h, r)).dim() else n},
            "the line that computes n:",
            "one sample's state depends on the other samples",
        ),
        (
            {"z": lambda s, x, h: sigmoid(2 * s.input_update(x))},
            "the line that computes z:",
            "does not depend on hidden_update.weight, hidden_update.bias",
        ),
    ],
)
def test_an_unknown_mistake_gets_a_lead_and_no_name(lines, suspect, words):
    report = check_cell(type("Cell", (Six,), lines))
    assert not report.passed
    assert report.found == []
    assert suspect in report.message
    assert words in report.message
    assert "no mistake or pair of mistakes in the catalogue" in report.message


@pytest.mark.parametrize(
    ("lines", "suspects", "innocent"),
    [
        ({"z": lambda s, x, h: 0.9 * Six.z(s, x, h)}, "z:", "n:"),
        ({"z": lambda s, x, h: Six.z(s, x, h).clamp(0.3, 0.6)}, "z:", "n:"),
        ({"z": lambda s, x, h: sigmoid(s.input_update(x) * s.hidden_update(h))}, "z:", "n:"),
        ({"new": lambda s, n, h, z: (1 - z) ** 2 * n + z**2 * h}, "the new state:", "n:"),
        ({"new": lambda s, n, h, z: 0.5 * n + 0.7 * h}, "the new state:", "n:"),
        ({"new": lambda s, n, h, z: Six.new(s, n, h, z) + 0.1 * h}, "the new state:", "n:"),
        ({"r": lambda s, x, h: 2 * Six.r(s, x, h)}, "r:", "z:"),
        ({"r": lambda s, x, h: torch.exp(Six.r(s, x, h))}, "r:", "z:"),
        ({"n": lambda s, x, h, r: torch.cos(s.input_candidate(x) + r * s.hidden_candidate(h))}, "n:", "z:"),
        ({"n": lambda s, x, h, r: tanh(3 * s.input_candidate(x) + r * s.hidden_candidate(h))}, "n:", "z:"),
    ],
)
def test_a_lead_names_the_faulty_line_and_none_that_is_right(lines, suspects, innocent):
    report = check_cell(type("Cell", (Six,), lines))
    assert report.found == []
    computes = [text.split("computes ")[1] for text in report.message.split("\n") if "Look at the line" in text]
    assert any(text.startswith(suspects) for text in computes), report
    assert not any(text.startswith(innocent) for text in computes), report


def test_a_lead_minds_that_z_writes():
    lines = {"n": lambda s, x, h, r: Three.n(s, x, h, r) ** 3}
    message = check_cell(type("Cell", (Three,), lines), "reset_before").message
    assert "update gate at 'keep all' (z = 0): agrees" in message
    assert "update gate at 'write all' (z = 1), so h' = n: differs" in message
    assert "the candidate, or its share, is the first suspect" in message


def test_the_message_names_the_equation_and_the_line():
    message = check_cell(type("Cell", (Three,), line("z_swapped", Three)), "reset_before").message
    assert "Look at the line that computes the new state:  h' = (1 - z) * h + z * n" in message
    message = check_cell(type("Cell", (Six,), {"forward": lambda s, x, h: s.input_reset(h)})).message
    assert "lambda s, x, h: s.input_reset(h)" in message
    assert "(The check uses B = 4, D = 3, H = 5.)" in message


# Layers


class Layer(nn.Module):
    """A right layer around a learner's cell; tests change one of its methods."""

    cell_class: type = Six

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.cell = self.cell_class(input_size, hidden_size)

    def start(self, x, h0):
        return x.new_zeros(x.shape[1], self.hidden_size) if h0 is None else h0

    def sweep(self, x, h):
        out = []
        for x_t in x:
            h = self.cell(x_t, h)
            out.append(h)
        return torch.stack(out)

    def last(self, out, lengths):
        return out[-1] if lengths is None else out[lengths - 1, torch.arange(out.shape[1])]

    def forward(self, x, h0=None, lengths=None):
        out = self.sweep(x, self.start(x, h0))
        return out, self.last(out, lengths)


class Before(Layer):
    cell_class = Three


class Own(Six):
    """The layer is the cell too; its outputs behind the end are zero, its h_n is (1, B, H)."""

    def forward(self, x, h0=None, lengths=None):
        h = x.new_zeros(x.shape[1], self.input_reset.out_features) if h0 is None else h0
        out = []
        for t, x_t in enumerate(x):
            new = Six.forward(self, x_t, h)
            if lengths is not None:
                valid = (t < lengths)[:, None]
                h = torch.where(valid, new, h)
                new = torch.where(valid, new, 0.0)
            else:
                h = new
            out.append(new)
        return torch.stack(out), h[None]


class TorchInside(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gru = nn.GRU(input_size, hidden_size)

    def forward(self, x, h0=None, lengths=None):
        h0 = None if h0 is None else h0[None]
        if lengths is None:
            return self.gru(x, h0)
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
        out, h_n = self.gru(packed, h0)
        return nn.utils.rnn.pad_packed_sequence(out)[0], h_n


class GRUBefore(gru.GRU):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size, reset_after=False)


@pytest.mark.parametrize(
    ("layer", "variant", "lengths"),
    [
        (Layer, "reset_after", True),
        (Before, "reset_before", True),
        (Own, "reset_after", True),
        (TorchInside, "reset_after", None),
        (nn.GRU, "reset_after", None),
        (gru.GRU, "reset_after", False),
        (GRUBefore, "reset_before", None),
    ],
)
def test_right_layers_pass(layer, variant, lengths):
    report = check_layer(layer, variant, lengths=lengths)
    assert report.passed, report
    assert report.found == []
    untested = "Sequences of different lengths were not tested: forward takes no lengths." in report.message
    assert untested is (layer in (nn.GRU, gru.GRU, GRUBefore))


def sweeping(keep):
    """A sweep that stacks what ``keep(cell, x_t, h)`` gives: (what goes into out, the next state)."""

    def sweep(self, x, h):
        out = []
        for x_t in x:
            entry, h = keep(self.cell, x_t, h)
            out.append(entry)
        return torch.stack(out)

    return sweep


def overwriting(self, x, h0=None, lengths=None):
    h = torch.zeros(x.shape[1], 5, dtype=x.dtype)
    if h0 is not None:
        h += h0
    out = []
    for x_t in x:
        h[:] = self.cell(x_t, h.clone())
        out.append(h)
    return torch.stack(out), h


def shifted(self, x, h0=None, lengths=None):
    h, out = self.start(x, h0), []
    for x_t in x:
        out.append(h)
        h = self.cell(x_t, h)
    return torch.stack(out), h


def writes_h0(self, x, h):
    out = []
    for x_t in x:
        with torch.no_grad():
            new = self.cell(x_t, h)
            h.copy_(new)
        out.append(new)
    return torch.stack(out)


def batch_first(self, x, h0=None, lengths=None):
    h = x.new_zeros(x.shape[0], 5) if h0 is None else h0
    out = []
    for t in range(x.shape[1]):
        h = self.cell(x[:, t], h)
        out.append(h)
    return torch.stack(out, 1), h


def packed_badly(self, x, h0=None, lengths=None):
    out, h_n = Layer.forward(self, x, h0, lengths)
    return out, h_n if lengths is None else out[(lengths - 2).clamp(0), torch.arange(4)]


WRONG_LAYER = [
    ("last_batch_row", {"last": lambda s, out, lengths: out[:, -1]}),
    ("last_batch_row", {"last": lambda s, out, lengths: out[-1, -1]}),
    ("last_batch_row", {"last": lambda s, out, lengths: out[-1][-1:]}),
    ("batch_and_time_swapped", {"forward": batch_first}),
    (
        "batch_and_time_swapped",
        {"forward": lambda s, x, h0=None: ((p := Layer.forward(s, x, h0))[0].transpose(0, 1), p[1])},
    ),
    ("state_not_carried", {"sweep": sweeping(lambda cell, x_t, h: (cell(x_t, h), h))}),
    ("h0_ignored", {"start": lambda s, x, h0: Layer.start(s, x, None)}),
    ("h0_required", {"start": lambda s, x, h0: h0 + 0}),
    ("h0_required", {"forward": lambda s, x, h0: Layer.forward(s, x, h0)}),
    ("start_not_zero", {"start": lambda s, x, h0: x.new_ones(x.shape[1], 5) if h0 is None else h0}),
    ("one_step_only", {"sweep": lambda s, x, h: s.cell(x[0], h)[None]}),
    ("one_step_only", {"forward": lambda s, x, h0=None: (h := s.cell(x[-1], s.start(x, h0)), h)}),
    ("only_last_output", {"forward": lambda s, x, h0=None: (h := Layer.forward(s, x, h0)[1], h)}),
    ("padding_read", {"last": lambda s, out, lengths: out[-1]}),
    ("lengths_wrong", {"forward": packed_badly}),
    ("h_n_shape", {"last": lambda s, out, lengths: out[-1].unsqueeze(1)}),
    ("h_n_shape", {"last": lambda s, out, lengths: out[-1].T}),
    ("h_n_wrong", {"last": lambda s, out, lengths: out[0]}),
    ("h_n_wrong", {"last": lambda s, out, lengths: out[-2]}),
    ("h_n_wrong", {"last": lambda s, out, lengths: out}),
    ("h_n_wrong", {"last": lambda s, out, lengths: 0 * out[-1]}),
    ("outputs_shifted", {"forward": shifted}),
    ("reversed_in_time", {"sweep": lambda s, x, h: Layer.sweep(s, x.flip(0), h)}),
    ("reversed_in_time", {"sweep": lambda s, x, h: Layer.sweep(s, x.flip(0), h).flip(0), "last": lambda s, o, _: o[0]}),
    ("reversed_in_time", {"sweep": lambda s, x, h: Layer.sweep(s, x, h).flip(0), "last": lambda s, o, _: o[0]}),
    ("outputs_overwritten", {"forward": overwriting}),
    ("outputs_squashed", {"forward": lambda s, x, h0=None: ((p := Layer.forward(s, x, h0))[0].tanh(), p[1])}),
    ("detached_between_steps", {"sweep": sweeping(lambda cell, x_t, h: (h := cell(x_t, h), h.detach()))}),
    ("detached_between_steps", {"sweep": sweeping(lambda cell, x_t, h: (h := cell(x_t, h.detach()), h))}),
    ("gradient_cut", {"last": lambda s, out, lengths: Layer.last(s, out, lengths).detach()}),
    ("result_not_a_pair", {"forward": lambda s, x, h0=None: Layer.forward(s, x, h0)[0]}),
    ("result_not_a_pair", {"forward": lambda s, x, h0=None: (*Layer.forward(s, x, h0), None)}),
    ("result_order_swapped", {"forward": lambda s, x, h0=None: Layer.forward(s, x, h0)[::-1]}),
    ("returns_nothing", {"forward": lambda s, x, h0=None: None}),
    ("raises", {"forward": lambda s, x, h0=None: s.nothing(x)}),
    ("prints", {"start": lambda s, x, h0: print("start") or Layer.start(s, x, h0)}),
    ("depends_on_chance", {"sweep": lambda s, x, h: Layer.sweep(s, x, h + torch.randn_like(h))}),
    ("wrong_dtype", {"sweep": lambda s, x, h: Layer.sweep(s, x, h).float()}),
    # mistakes in the step show in the layer
    ("z_swapped", {"cell_class": type("C", (Six,), line("z_swapped", Six))}),
    ("reset_before_product", {"cell_class": type("C", (Six,), line("reset_before_product", Six))}),
    ("candidate_tanh_missing", {"cell_class": type("C", (Six,), line("candidate_tanh_missing", Six))}),
    ("extra_parameters", {"cell_class": _Extra}),
    ("several_recurrences", {"cell_class": _Two}),
    ("missing_parameters", {"cell_class": Three}),
]


@pytest.mark.parametrize(("name", "methods"), WRONG_LAYER, ids=[f"{n}-{i}" for i, (n, _) in enumerate(WRONG_LAYER)])
def test_a_wrong_layer_is_found_by_name_and_nothing_else(name, methods):
    report = check_layer(type("MyLayer", (Layer,), methods))
    assert report.found == [name], report
    assert MISTAKES[name] in report.message


def test_a_layer_that_writes_into_h0_is_found():
    assert check_layer(type("MyLayer", (Layer,), {"sweep": writes_h0})).found[0] == "modifies_input"


def test_a_layer_with_two_mistakes():
    two = {"z": lambda s, x, h: tanh(s.input_update(x) + s.hidden_update(h)), **line("reset_before_product", Six)}
    cell = type("C", (Six,), two)
    assert set(check_layer(type("L", (Layer,), {"cell_class": cell})).found) == {"update_tanh", "reset_before_product"}
    z = type("C", (Six,), line("z_swapped", Six))
    both = {"cell_class": z, "forward": shifted}
    assert set(check_layer(type("L", (Layer,), both)).found) == {"z_swapped", "outputs_shifted"}
    both = {"cell_class": z, "forward": batch_first}
    assert set(check_layer(type("L", (Layer,), both)).found) == {"z_swapped", "batch_and_time_swapped"}
    both = {"last": lambda s, out, lengths: out[:, -1], "start": lambda s, x, h0: Layer.start(s, x, None)}
    assert set(check_layer(type("L", (Layer,), both)).found) == {"h0_ignored", "last_batch_row"}


def test_lengths_can_be_demanded():
    takes_none = type("L", (Layer,), {"forward": lambda s, x, h0=None: Layer.forward(s, x, h0)})
    assert check_layer(takes_none)
    report = check_layer(takes_none, lengths=True)
    assert report.found == ["raises"]
    assert "With lengths given:" in report.message


def test_an_unknown_layer_gets_a_lead():
    report = check_layer(type("L", (Layer,), {"start": lambda s, x, h0: Layer.start(s, x, h0) + 1}))
    assert report.found == []
    assert not report.passed
    assert "look at the state you start from" in report.message
    report = check_layer(type("L", (Layer,), {"sweep": sweeping(lambda cell, x_t, h: (h := cell(x_t, h**2), h))}))
    assert report.found == []
    assert "check_cell" in report.message


@pytest.mark.parametrize(
    ("forward", "words"),
    [
        (lambda s, x, h0=None: ((p := Layer.forward(s, x, h0))[0] + 1, p[1]), "h_n agrees with the reference, so your"),
        (
            lambda s, x, h0=None: Layer.forward(s, torch.cat((x[:3], x[2:3], x[4:])), h0),
            "of your steps, these do not follow from the one before: 3; others do",
        ),
    ],
)
def test_a_layer_whose_steps_are_right_is_not_sent_to_its_cell(forward, words):
    report = check_layer(type("L", (Layer,), {"forward": forward}))
    assert report.found == []
    assert words in report.message
    assert "check_cell" not in report.message


def goes_on(self, x, h0=None):
    h0 = getattr(self, "kept", None) if h0 is None else h0
    out, h = Layer.forward(self, x, h0)
    self.kept = h.detach()
    return out, h


def goes_on_where_it_fits(self, x, h0=None, lengths=None):
    kept = getattr(self, "kept", None)
    if h0 is None and kept is not None and len(kept) == x.shape[1]:
        h0 = kept
    out, h = Layer.forward(self, x, h0, lengths)
    self.kept = h.detach()
    return out, h


def goes_on_in_eval_mode(self, x, h0=None):
    h0 = getattr(self, "kept", None) if h0 is None else h0
    out, h = Layer.forward(self, x, h0)
    if not self.training:
        self.kept = h.detach()
    return out, h


def keeps_its_zeros(self, x, h0=None):
    if not hasattr(self, "zeros"):
        self.zeros = x.new_zeros(x.shape[1], self.hidden_size)
    return Layer.forward(self, x, self.zeros if h0 is None else h0)


def truncated(self, x, h):
    out = []
    for t, x_t in enumerate(x):
        h = self.cell(x_t, h.detach() if t == 10 else h)
        out.append(h)
    return torch.stack(out)


def rows_in_order(self, out, lengths):
    return Layer.last(self, out, lengths if lengths is None or out.shape[1] > 1 else None)


LAYERS_WRONG_ELSEWHERE = [
    ("depends_on_earlier_calls", {"forward": goes_on}, "Without h0"),
    ("depends_on_earlier_calls", {"forward": goes_on_where_it_fits}, "Without h0"),
    ("depends_on_earlier_calls", {"forward": goes_on_in_eval_mode}, "In eval mode, called again: without h0"),
    ("depends_on_earlier_calls", {"forward": keeps_its_zeros}, "After a call with inputs of other sizes"),
    ("sizes_assumed", {"start": lambda s, x, h0: x.new_zeros(x.shape[1], 5) if h0 is None else h0}, "With H = 2"),
    ("sizes_assumed", {"start": lambda s, x, h0: x.new_zeros(4, s.hidden_size) if h0 is None else h0}, "(1, 5)"),
    ("sizes_assumed", {"sweep": lambda s, x, h: Layer.sweep(s, x[:6], h)}, "With T = 13"),
    ("sizes_assumed", {"sweep": truncated}, "With T = 13"),
    ("sizes_assumed", {"sweep": lambda s, x, h: Layer.sweep(s, x[:32], h)}, "T = 40"),
    ("sizes_assumed", {"sweep": lambda s, x, h: Layer.sweep(s, x, h) * min(1, len(x) - 1)}, "With T = 1"),
    ("batch_of_one", {"last": lambda s, out, lengths: Layer.last(s, out, lengths).squeeze()}, "h_n: expected"),
    ("batch_of_one", {"sweep": lambda s, x, h: Layer.sweep(s, x, h).squeeze(1)}, "With B = 1"),
    ("batch_of_one", {"last": rows_in_order}, "with lengths, h_n"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "methods", "words"), LAYERS_WRONG_ELSEWHERE, ids=range(len(LAYERS_WRONG_ELSEWHERE)))
def test_a_layer_that_is_right_for_some_sizes_or_calls_only_does_not_pass(name, methods, words):
    report = check_layer(type("MyLayer", (Layer,), methods))
    assert name in report.found, report
    assert len(report.found) == 1, report
    assert words in report.message


def test_a_layer_that_takes_the_first_of_h0_gets_three_axes():
    assert check_layer(
        type("L", (Layer,), {"start": lambda s, x, h0: Layer.start(s, x, None) if h0 is None else h0[0]})
    )


ODD = [
    None,
    3,
    "h",
    (),
    [None],
    (None, None),
    ((), ()),
    {"a": 1},
    np.zeros((4, 5)),
    torch.tensor(1.0),
    torch.zeros(0),
    torch.zeros(4, 5, dtype=torch.bool),
    torch.zeros(6, 4, 5, dtype=torch.int64),
    torch.zeros(4, 5, dtype=torch.complex64),
    torch.full((6, 4, 5), torch.nan),
    (torch.zeros(6, 4, 5), 3),
    (torch.zeros(6, 4, 5), torch.tensor(1)),
    (torch.zeros(0), torch.zeros(0)),
    (torch.zeros(6, 4, 5).double(), torch.zeros(6, 4, 5).double()),
    (torch.zeros(2, 6, 4, 5), torch.zeros(4, 5)),
]


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
@pytest.mark.parametrize("when", ["always", "first", "later"])
def test_whatever_is_returned_the_check_answers(odd, when):
    """Every odd result gives a report that does not pass, and never an error of the check itself."""

    def answering(base):
        class Class(base):
            calls = 0

            def forward(self, x, *args, **kwargs):
                self.calls += 1
                as_asked = when == "always" or (when == "first") == (self.calls == 1)
                return odd if as_asked else super().forward(x, *args, **kwargs)

        return Class

    for report in (check_cell(answering(Six)), check_layer(answering(Layer))):
        assert not report.passed
        assert set(report.found) <= set(MISTAKES)


# The catalogue, the report, and what a check leaves behind


def test_every_entry_of_the_catalogue_is_tried():
    tried = {name for name, *_ in WRONG_STEP + WRONG_MANNERS + WRONG_ELSEWHERE + WRONG_IN_A_RANGE + WRONG_LAYER}
    assert set(MISTAKES) == tried | {"forbidden_class"}  # it has a test of its own
    assert all(sentence.endswith(".") and len(sentence) < 140 for sentence in MISTAKES.values())


def test_a_check_leaves_random_states_and_modes_as_they_were():
    class Noisy(Six):
        def __init__(self, input_size, hidden_size):
            super().__init__(input_size, hidden_size)
            torch.manual_seed(random.randrange(9) + np.random.randint(9))

    def numbers():
        return torch.rand(2).tolist(), random.random(), np.random.rand()

    torch.manual_seed(3), random.seed(3), np.random.seed(3)
    expected = numbers()
    torch.manual_seed(3), random.seed(3), np.random.seed(3)
    assert check_cell(Noisy)
    assert check_layer(type("L", (Layer,), {"cell_class": Noisy}))
    assert numbers() == expected


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_check_gives_the_same_under_any_mode(mode):
    with mode():
        assert check_cell(Six)
        assert check_layer(Layer)
    assert check_cell(Six) == check_cell(Six)


def test_what_a_candidate_does_to_the_modes_of_torch_ends_with_its_call():
    """Gradients turned off for good would be missing from the reference as well, and so would agree."""

    def silenced(self, *given):
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        return super(type(self), self).forward(*given)

    for check, base in ((check_cell, Six), (check_layer, Layer)):
        assert check(type("C", (base,), {"forward": silenced})).found == ["gradient_cut"]
        assert torch.is_grad_enabled()
        assert torch.get_default_dtype() == torch.float32


def test_a_layer_that_is_not_there_before_its_first_call_is_missing():
    class Lazy(Six):
        def __init__(self, input_size, hidden_size):
            super().__init__(input_size, hidden_size)
            self.input_reset = nn.LazyLinear(hidden_size)

    report = check_cell(Lazy, hints=2)
    assert report.found == ["missing_parameters"]
    assert "input_reset.weight, input_reset.bias." in report.message


def test_another_default_device_is_not_in_the_way():
    with torch.device("meta"):
        assert check_cell(Six)
        assert check_layer(Layer)
        assert torch.empty(1).is_meta


def test_arguments_that_make_no_sense_are_refused():
    with pytest.raises(TypeError, match=r"cell_class: expected a class, got Six; pass MyClass, not MyClass\(\.\.\.\)"):
        check_cell(Six(3, 5))
    with pytest.raises(TypeError, match="layer_class: expected a class, got function"):
        check_layer(shifted)
    for check, cls in ((check_cell, Six), (check_layer, Layer)):
        with pytest.raises(ValueError, match="variant: expected 'reset_after' or 'reset_before', got 'reset'"):
            check(cls, "reset")
    with pytest.raises(TypeError, match="lengths: expected True, False or None, got list"):
        check_layer(Layer, lengths=[3, 2])


def test_an_interrupt_is_not_a_finding():
    def interrupted(self, x, h):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_cell(type("C", (Six,), {"forward": interrupted}))


def test_the_report_reads_well_as_text_and_as_html():
    def forward(self, x, h):
        raise ValueError("<script>alert(1)</script> & more")

    report = check_cell(type("C", (Six,), {"forward": forward}))
    passed, found, message = report
    assert (passed, found) == (False, ["raises"])
    assert repr(report).startswith("Report(passed=False)\nC: not yet. Found: raises.")
    assert message in repr(report)
    html = report._repr_html_()
    assert "<script" not in html
    swapped = check_cell(type("Cell", (Three,), line("z_swapped", Three)), "reset_before")._repr_html_()
    assert "monospace);'>h&#x27; = (1 - z) * h + z * n</span>" in swapped
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in html
    assert "#" not in html.split("<strong>")[0], "a fixed colour would not follow the page"
    assert Report(True, [], "fine")._repr_html_().count("✓") == 1


SWAPPED = type("Cell", (Six,), {"new": lambda s, n, h, z: z * n + (1 - z) * h})


def test_hints_say_where_then_what_then_what_it_should_be():
    where, what, right = "the line that computes the new state", MISTAKES["z_swapped"], "h' = (1 - z) * n + z * h"
    held = [[word in checks.check_cell(SWAPPED, hints=k).message for word in (where, what, right)] for k in (1, 2, 3)]
    assert held == [[True, False, False], [True, True, False], [True, True, True]]
    assert all(checks.check_cell(SWAPPED, hints=k).found == ["z_swapped"] for k in (None, 1, 2, 3))
    assert "z_swapped" not in checks.check_cell(SWAPPED, hints=1).message
    default = checks.check_cell(SWAPPED)
    assert default.message == checks.check_cell(SWAPPED, hints=1).message
    assert "z_swapped" not in repr(default) + repr(checks.check_cell(SWAPPED, hints=1))
    assert repr(default).endswith("(hints=2 says what is wrong, hints=3 also what it should be.)")
    assert "hints=" not in repr(checks.check_cell(SWAPPED, hints=1)) + repr(checks.check_cell(Six))
    shown, what_is_wrong, what_it_should_be = default._repr_html_().split("<details")
    assert where in shown
    assert "places" not in shown
    assert "have changed places" in what_is_wrong
    assert "(1 - z) * n" not in what_is_wrong
    assert "h&#x27; = (1 - z) * n + z * h" in what_it_should_be


def test_hints_for_a_layer_and_for_what_no_equation_holds():
    cell = type("Cell", (Six,), {"r": lambda s, x, h: sigmoid(s.hidden_reset(h))})
    layer = type("L", (Layer,), {"start": lambda s, x, h0: Layer.start(s, x, None)})
    for report, where, what in (
        (checks.check_cell(cell), "Look at what the layers of r, z and n are given.", "The input x is not read"),
        (checks.check_layer(layer), "Look at the loop over time", "h0 is ignored"),
    ):
        assert where in report.message
        assert what not in report.message
        assert what in report.folded[0][1]
    # What raises is no riddle.
    raising = type("C", (Six,), {"forward": lambda s, x, h: s.reset(x)})
    assert "has no attribute 'reset'" in checks.check_cell(raising, hints=1).message
    # A lead stays a lead, and shows the equation at the last level alone.
    squared = type("C", (Six,), {"z": lambda s, x, h: Six.z(s, x, h) ** 2})
    held = ["sigmoid(input_update(x)" in checks.check_cell(squared, hints=k).message for k in (1, 2, 3)]
    assert held == [False, False, True]


def test_require_raises_the_message():
    assert checks.check_cell(Six).require() is None
    report = checks.check_cell(SWAPPED, hints=2)
    with pytest.raises(AssertionError) as error:
        report.require()
    assert str(error.value) == report.message


class _Hidden(nn.Module):
    """Computes with a cell that it holds in a list, where no module sees it."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.held = [nn.GRUCell(input_size, hidden_size)]
        for name, parameter in self.held[0].named_parameters():
            self.register_parameter(name, parameter)

    def forward(self, x, h):
        return self.held[0].to(x.dtype)(x, h)


@pytest.mark.parametrize(
    ("check", "candidate", "forbid", "words"),
    [
        ("check_cell", nn.GRUCell, nn.GRUCell, "GRUCell is a base class."),
        ("check_cell", _Hidden, (nn.GRUCell,), "GRUCell is called."),
        ("check_cell", Wrapped, [Six, nn.GRU], "self.inner is a Six."),
        ("check_layer", TorchInside, (nn.RNNBase,), "self.gru is a RNNBase."),
    ],
)
def test_a_forbidden_class_is_found(check, candidate, forbid, words):
    report = getattr(checks, check)(candidate, forbid=forbid)
    assert not report.passed
    assert report.found == ["forbidden_class"], report
    assert words in report.message
    assert getattr(checks, check)(candidate).passed
    assert getattr(checks, check)(candidate, forbid=(nn.LSTM,)).passed


def test_options_that_make_no_sense_are_refused():
    for wrong in (0, 4, "1", True):
        with pytest.raises(ValueError, match="hints: expected 1, 2, 3 or None, got"):
            checks.check_cell(Six, hints=wrong)
    for wrong in (3, [Six(3, 5)], "GRU"):
        with pytest.raises(TypeError, match="forbid: expected classes, got"):
            checks.check_layer(Layer, forbid=wrong)


def test_the_checks_take_names_from_the_cells_and_nothing_else_from_the_package():
    folder = Path(_steps.__file__).parent
    modules = {
        node.module
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gru")
    }
    others = {module for module in modules if not module.startswith("gru.checks")}
    assert others == {"gru.cells"}, "what is compared with must not be what is checked"


class _Double(Six):
    """Right in double precision alone, as one makes it who takes the check's dtype for granted."""

    def forward(self, x, h):
        return super().forward(x, h).double()


class _DoubleStart(Layer):
    def start(self, x, h0):
        return torch.zeros(x.shape[1], self.hidden_size, dtype=torch.float64) if h0 is None else h0


@pytest.mark.parametrize(
    ("check", "candidate", "words"),
    [("check_cell", _Double, "got torch.float64"), ("check_layer", _DoubleStart, "got Double and Float")],
)
def test_what_works_in_double_precision_alone_is_not_right(check, candidate, words):
    report = getattr(checks, check)(candidate, hints=2)
    assert report.found == ["wrong_dtype"], report
    assert "With weights and inputs of torch.float32" in report.message
    assert words in report.message
