"""Fixed points, Lyapunov exponents and all steps at once, against plain loops and finite differences in float64."""

from __future__ import annotations

import math

import pytest
import torch
from own_cells import HalfTorch, Twice
from torch import nn

import gru
from gru.inspect import dynamics

D, H = 3, 4


def double(cell: nn.Module, scale: float = 1.0, seed: int = 0) -> nn.Module:
    g = torch.Generator().manual_seed(seed)
    cell = cell.double()
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.copy_(scale * torch.randn(parameter.shape, dtype=torch.float64, generator=g))
    return cell


def random(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


class Own(nn.Module):
    """A recurrence of one's own, by autograd alone."""

    def __init__(self) -> None:
        super().__init__()
        self.input_size, self.hidden_size = D, H
        self.linear = nn.Linear(D + H, H)

    def gates(self, x, h):
        n = torch.tanh(self.linear(torch.cat((x, h), -1)))
        return gru.Gates(torch.ones_like(n), torch.full_like(n, 0.5), n, 0.5 * n + 0.5 * h)


CELLS = [gru.ResetAfterCell, gru.ResetBeforeCell, gru.ElmanCell, nn.GRUCell]


@pytest.mark.parametrize("make", [*CELLS, lambda *_: Own()])
def test_fixed_points_rest_and_their_jacobians_are_autograds(make):
    cell, x = double(make(D, H), scale=1.5), random(D)
    points = gru.fixed_points(cell, x, random(20, H))
    assert len(points) >= 1
    forward = (lambda x, h: cell.gates(x, h).h) if isinstance(cell, Own) else cell
    again = forward(x.expand(len(points), -1), points.h)
    assert (again - points.h).abs().max() <= 1e-10
    for h, J, values, vectors, stable in zip(
        points.h, points.jacobians, points.eigenvalues, points.eigenvectors, points.stable, strict=True
    ):
        expected = torch.func.jacrev(lambda h: forward(x.unsqueeze(0), h.unsqueeze(0))[0])(h).detach()
        torch.testing.assert_close(J, expected, rtol=0, atol=1e-9)
        torch.testing.assert_close(J.to(vectors.dtype) @ vectors, vectors * values, rtol=0, atol=1e-9)
        assert (values.abs().diff() <= 1e-12).all()
        assert stable == (values.abs() < 1).all()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("make", CELLS)
def test_every_rest_that_iterating_reaches_is_among_them(make, seed):
    cell, x, starts = double(make(D, H), scale=2.0, seed=seed), random(D, seed=seed), random(12, H, seed=seed + 1)
    points = gru.fixed_points(cell, x, starts)
    h = starts
    with torch.no_grad():
        for _ in range(100):
            before = h
            for _ in range(50):
                h = cell(x.expand(len(h), -1), h)
            if (h - before).abs().max() <= 1e-14:  # nothing moves any more
                break
        rests = h[(cell(x.expand(len(h), -1), h) - h).abs().amax(1) <= 1e-12]
    for rest in rests:
        assert (points.h - rest).abs().amax(1).min() < 1e-6
    gaps = torch.cdist(points.h, points.h, p=math.inf) + torch.eye(len(points)).double()
    assert gaps.min() > 1e-6  # each once


def test_a_switch_has_two_wells_and_a_saddle_between():
    cell = gru.ElmanCell(1, 1, bias=False).double()
    with torch.no_grad():
        cell.weight_hh[:] = 2.0
    points = gru.fixed_points(cell, torch.zeros(1), torch.tensor([[-2.0], [0.01], [2.0]]))
    assert points.stable.tolist() == [True, True, False]
    h = 1.0
    for _ in range(200):
        h = math.tanh(2 * h)
    torch.testing.assert_close(
        points.h[:2].sort(0).values.flatten(), torch.tensor([-h, h], dtype=torch.float64), rtol=0, atol=1e-9
    )
    assert points.h[2].abs() <= 1e-10
    assert points.eigenvalues[2].real == pytest.approx(2.0)


def test_where_everything_is_kept_every_start_rests():
    cell = double(gru.ResetAfterCell(D, H))
    with torch.no_grad():
        cell.input_update.bias[:] = 1000.0
    starts = random(5, H)
    points = gru.fixed_points(cell, random(D), starts)
    assert torch.equal(points.h.sort(0).values, starts.sort(0).values)


def test_a_recurrence_inside_a_model_and_single_precision():
    model = gru.GRUClassifier(D, H, 2, num_layers=2)
    points = gru.fixed_points(model, torch.zeros(H), random(4, H), recurrence=1)
    assert points.h.dtype == torch.float64
    with pytest.raises(IndexError, match="recurrence: expected 0 to 1, got 2"):
        gru.fixed_points(model, torch.zeros(H), random(4, H), recurrence=2)


def test_a_cell_without_gates_is_a_map_as_well():
    elman, cell = gru.ElmanCell(D, H).double(), gru.FormulaCell("h = tanh(W @ x + U @ h + b)", D, H).double()
    with torch.no_grad():
        for own, its in zip((cell.W, cell.U, cell.b), (elman.weight_ih, elman.weight_hh, elman.bias_ih), strict=True):
            own.copy_(its)
        elman.bias_hh.zero_()
    x, starts = random(7, 2, D), random(5, H)
    for one, other in (
        [gru.fixed_points(each, x[0, 0], starts).h for each in (cell, elman)],
        [gru.solve(each, x).states for each in (cell, elman)],
        [gru.lyapunov(each, x) for each in (cell, elman)],
    ):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-9)


def test_bad_points():
    cell = gru.ResetAfterCell(D, H)
    with pytest.raises(ValueError, match=r"x: expected one constant input, shape \(3,\), got \(4,\)"):
        gru.fixed_points(cell, torch.zeros(4), random(4, H))
    with pytest.raises(ValueError, match=r"starts: expected states of shape \(K, 4\), got \(4, 3\)"):
        gru.fixed_points(cell, torch.zeros(D), random(4, 3))
    with pytest.raises(TypeError, match="starts: expected a Tensor, got list"):
        gru.fixed_points(cell, torch.zeros(D), [[0.0] * H])


@pytest.mark.parametrize("make", CELLS)
def test_lyapunov_is_the_growth_of_the_whole_jacobian(make):
    """The exponents' sum is the mean log |det J|, and the largest is what a difference does."""
    cell, x, T = double(make(D, H)), random(60, 2, D), 60
    exponents = gru.lyapunov(cell, x)
    assert exponents.shape == (2, H)
    assert (exponents.diff(dim=1) <= 0).all()
    for b in range(2):
        h, product, volume = torch.zeros(H).double(), torch.eye(H).double(), 0.0
        for x_t in x[:, b]:
            J = torch.func.jacrev(lambda h, x_t=x_t: cell(x_t, h))(h).detach()
            volume += torch.linalg.slogdet(J).logabsdet.item()
            product = J @ product
            h = cell(x_t, h).detach()
        assert exponents[b].sum().item() == pytest.approx(volume / T, abs=1e-9)
        largest = torch.linalg.matrix_norm(product, 2).log().item() / T
        assert exponents[b, 0].item() == pytest.approx(largest, abs=0.1)


def test_lyapunov_of_a_constant_carry():
    cell = double(gru.ResetAfterCell(D, H), scale=0.0)
    with torch.no_grad():
        cell.input_update.bias[:] = 2.0
    z = 1 / (1 + math.exp(-2.0))
    exponents = gru.lyapunov(cell, random(50, D), count=2)
    torch.testing.assert_close(exponents, torch.full((2,), math.log(z), dtype=torch.float64), rtol=0, atol=1e-12)


def test_lyapunov_of_a_packed_batch_counts_each_to_its_end():
    layer, x = gru.GRU(D, H).double(), random(20, 2, D)
    packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor([7, 20]), enforce_sorted=False)
    exponents = gru.lyapunov(layer, packed, count=3)
    torch.testing.assert_close(exponents[0], gru.lyapunov(layer, x[:7, :1], count=3), rtol=0, atol=1e-9)
    torch.testing.assert_close(exponents[1], gru.lyapunov(layer, x[:, 1:], count=3), rtol=0, atol=1e-9)
    with pytest.raises(ValueError, match="count: expected 1 to 4, the number of units, got 5"):
        gru.lyapunov(layer, x, count=5)


@pytest.mark.parametrize("T", [1, 2, 3, 7, 64, 101])
@pytest.mark.parametrize("make", [*CELLS, lambda *_: Own()])
def test_all_steps_at_once_are_the_loops(make, T):
    cell, x, h0 = double(make(D, H)), random(T, 2, D), random(2, H, seed=3)
    solution = gru.solve(cell, x, h0)
    torch.testing.assert_close(solution.states, gru.trace(cell, x, h0).h, rtol=0, atol=1e-9)
    assert solution.states.shape == (T, 2, H)
    assert len(solution.residuals) == solution.iterations + 1
    assert solution.residuals[-1] <= 1e-10
    assert solution.iterations <= T


def test_where_runs_part_it_still_ends_within_t_iterations():
    cell, x = double(gru.ElmanCell(D, 32), scale=2.0), random(150, 1, D)
    solution = gru.solve(cell, x)
    assert gru.lyapunov(cell, x, count=1) > 0
    assert 10 < solution.iterations <= 150
    assert solution.residuals[-1] <= 1e-10


def test_layers_and_directions():
    layer, x = gru.GRU(D, H, num_layers=2, bidirectional=True).double(), random(30, 2, D)
    outputs = layer(x)[0].detach()
    for k, direction in ((2, slice(0, H)), (3, slice(H, None))):
        states = gru.solve(layer, x, recurrence=k).states
        expected = outputs[:, :, direction]
        torch.testing.assert_close(states, expected.flip(0) if k == 3 else expected, rtol=0, atol=1e-9)
    with pytest.raises(IndexError, match="recurrence: expected 0 to 3, got 4"):
        gru.solve(layer, x, recurrence=4)


@pytest.mark.parametrize("T", [1, 2, 5, 8, 13])
def test_the_scan_is_the_loop(T):
    A, b = random(T, 2, H, H), random(T, 2, H, 1, seed=2)
    d, expected = torch.zeros(2, H, 1).double(), []
    for A_t, b_t in zip(A, b, strict=True):
        d = A_t @ d + b_t
        expected.append(d)
    torch.testing.assert_close(dynamics._linear_recurrence(A, b), torch.stack(expected), rtol=1e-9, atol=1e-9)


def test_what_runs_off_to_infinity_rests_nowhere():
    """A run that overflows, or a start that is no state, is no rest; what the other starts lead to is found."""
    cell = gru.FormulaCell("h = exp(h)", D, H)
    assert len(gru.fixed_points(cell, torch.zeros(D), torch.ones(2, H))) == 0
    cell, starts = double(gru.ResetAfterCell(D, H), scale=0.5), random(4, H)
    expected = gru.fixed_points(cell, random(D), starts)
    starts = torch.cat((torch.full((1, H), math.nan), torch.full((1, H), math.inf), starts))
    torch.testing.assert_close(gru.fixed_points(cell, random(D), starts).h, expected.h, rtol=0, atol=1e-9)


def test_all_steps_at_once_of_packed_sequences_end_where_these_end():
    packed = nn.utils.rnn.pack_sequence([random(2, D), random(6, D, seed=2), random(4, D, seed=3)], False)
    layer = double(gru.GRU(D, H, bidirectional=True))
    for recurrence in (0, 1):
        states = gru.solve(layer, packed, recurrence=recurrence).states
        for k, length in enumerate((2, 6, 4)):
            h = gru.trace(layer, packed)[recurrence].h[:length, k]
            torch.testing.assert_close(states[:length, k], h.flip(0) if recurrence else h, rtol=0, atol=1e-9)
            assert not states[length:, k].any()


def test_a_batch_of_none_has_no_exponents():
    assert gru.lyapunov(gru.GRU(D, H), torch.zeros(5, 0, D)).shape == (0, H)


@pytest.mark.parametrize("tolerance", ["1e-3", None])
def test_a_tolerance_is_a_number(tolerance):
    layer, words = gru.GRU(D, H), rf"^tolerance: expected a number, got {tolerance!r}$"
    with pytest.raises(TypeError, match=words):
        gru.solve(layer, torch.zeros(3, 1, D), tolerance=tolerance)
    with pytest.raises(TypeError, match=words):
        gru.fixed_points(layer, torch.zeros(D), torch.zeros(1, H), tolerance=tolerance)


def test_solve_of_an_empty_batch():
    found = gru.solve(gru.GRU(D, H), torch.randn(5, 0, D))
    assert found.states.shape == (5, 0, H)
    assert (found.iterations, found.residuals) == (0, [0.0])


@pytest.mark.parametrize("kind", [Twice, HalfTorch])
def test_a_subclass_s_own_forward_is_the_map(kind):
    cell, x = kind(D, H).double(), random(6, 1, D)
    states = gru.trace(cell, x).h
    torch.testing.assert_close(gru.solve(cell, x).states, states, rtol=0, atol=1e-9)
    last = torch.autograd.functional.jacobian(lambda h: cell(x[-1], h), states[-2])[0, :, 0]  # (H, H)
    found = gru.lyapunov(cell, x[-1:], states[-2])
    torch.testing.assert_close(found.sum(), torch.linalg.det(last).abs().log())
    rests = gru.fixed_points(cell, x[0, 0], torch.zeros(1, H).double()).h
    torch.testing.assert_close(cell(x[0].expand(len(rests), D), rests), rests)
