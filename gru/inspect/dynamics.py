r"""A recurrence as a dynamical system: its rests, how fast runs part, and all of its steps solved at once.

With its input held, a recurrence is a map F from state to state. What it does in the long run is written in the points
that F does not move; how long it remembers, in whether small differences grow or shrink along a run. All is computed
in float64, whatever the module's dtype: in float32 the tolerances would mean nothing.

Glossary
    T, B, D, H    time, batch, input size, hidden size; K starts, N fixed points
    F(x, h)       one step of the recurrence; J = dF/dh, row i, column j is dF_i/dh_j
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gru import _arguments
from gru.equations import Weights, step
from gru.inspect.flow import step_whole
from gru.inspect.record import record
from gru.inspect.recurrences import count_of, recurrence_at, step_function
from gru.inspect.run import Run

ROUNDS = 60  # of Newton at most; where it converges, ten are plenty
STEPS = 2**12  # of the map from each start at most, before Newton takes over
SAME = 1e-5  # results nearer than this in every unit count as one point


@dataclass(frozen=True, eq=False)
class FixedPoints:
    """Points that a recurrence with constant input does not move, the stable ones first.

    ``h`` (N, H) are the points, ``jacobians`` (N, H, H) those of F there. ``eigenvalues`` (N, H) are complex, the
    largest in magnitude first, with ``eigenvectors`` (N, H, H) in columns. ``stable`` (N,) says whether all of them are
    smaller than 1 in magnitude: then what is near comes nearer.
    """

    h: Tensor
    jacobians: Tensor
    eigenvalues: Tensor
    eigenvectors: Tensor
    stable: Tensor

    def __len__(self) -> int:
        return len(self.h)


class Solution(NamedTuple):
    """The states (T, B, H), how many iterations it took, and the largest error of a step before each and at the end."""

    states: Tensor
    iterations: int
    residuals: list[float]


def _maps(module: nn.Module, weights: Weights | None) -> tuple[Callable, Callable]:
    """F (N, H) and J (N, H, H), of x (N, D) and h (N, H): by known weights, or the cell's own step and autograd."""
    if weights is not None:
        weights = Weights(*(None if one is None else one.detach().double() for one in weights[:4]), weights.reset_after)
        return lambda x, h: step(x, h, weights).h, lambda x, h: step_whole(weights, h, *step(x, h, weights)[:3])
    if (count := count_of(module)) > 1:
        raise TypeError(f"module: expected a recurrence with one state, got {type(module).__name__} with {count}")
    forward = step_function(copy.deepcopy(module).double().requires_grad_(False).eval())
    of_one = torch.func.jacrev(lambda x, h: forward(x.unsqueeze(0), h.unsqueeze(0)).squeeze(0), 1)
    return forward, torch.func.vmap(of_one)


def fixed_points(
    module: nn.Module, x: Tensor, starts: Tensor, *, recurrence: int = 0, tolerance: float = 1e-10
) -> FixedPoints:
    r"""Where a recurrence comes to rest while its input stays the same: the points with h = F(x, h).

    From every start the map is run until it rests, and Newton's method on h - F(x, h) goes on from where it ended; from
    the start itself it finds what no run reaches, saddles and sources. Results within 1e-5 of each other are one point.

    Args:
        module: a cell, a layer or a model, as :func:`gru.trace` takes it.
        x: the input of that recurrence, (D,).
        starts: states to search from (K, H), such as ``trace.h.flatten(0, 1)``; what none leads to is not found.
        recurrence: which of the module's recurrences, counted as ``Trace.names`` does.
        tolerance: largest \|F(x, h) - h\| in any unit.

    Returns:
        :class:`FixedPoints`, in float64 on the module's device; none where nothing rests. Where everything is kept,
        every start rests, and is one of them. A gated run from 0 stays within -1 and 1, but Newton's method finds rests
        farther out as well, up to about 1e5, where a state has too few digits for the tolerance.

    Raises:
        TypeError, ValueError, IndexError: an argument does not fit, or the cell has several states.

    Source: Sussillo and Barak 2013, Neural Computation 25(3); here with Newton's method.

    >>> import torch, gru
    >>> cell = gru.ElmanCell(1, 1, bias=False)                  # h' = tanh(2 h): rests at 0 and at +-0.9575
    >>> _ = torch.nn.init.constant_(cell.weight_hh, 2.0)
    >>> points = gru.fixed_points(cell, torch.zeros(1), torch.tensor([[-1.0], [0.1], [1.0]]))
    >>> sorted(points.h.flatten().round(decimals=4).abs().tolist()), points.stable.tolist()
    ([0.0, 0.9575, 0.9575], [True, True, False])
    """
    _arguments.is_tensor("x", x)
    _arguments.is_tensor("starts", starts)
    tolerance = _arguments.number("tolerance", tolerance)
    part, weights = recurrence_at(module, recurrence)
    F, J = _maps(part, weights)
    D, H = (getattr(part, size, None) for size in ("input_size", "hidden_size"))
    if weights is not None:
        D, H = weights.weight_ih.shape[1], weights.weight_hh.shape[1]
    if x.dim() != 1 or D not in (None, len(x)):
        raise ValueError(f"x: expected one constant input, shape ({D or 'D'},), got {_arguments.shape(x)}")
    if starts.dim() != 2 or H not in (None, starts.shape[1]) or not len(starts):
        raise ValueError(f"starts: expected states of shape (K, {H or 'H'}), got {_arguments.shape(starts)}")
    with torch.no_grad():
        starts = starts.detach().to(next(part.parameters(), starts).device, torch.float64)
        x = x.detach().to(starts)
        h = _rests(F, J, x, starts, tolerance)
        jacobians = J(x.expand(len(h), -1), h)  # (N, H, H)
        values, vectors = torch.linalg.eig(jacobians)
        order = values.abs().argsort(1, descending=True)  # (N, H)
        values, vectors = values.gather(1, order), vectors.gather(2, order.unsqueeze(1).expand_as(vectors))
        stable = (values.abs() < 1).all(1)
        order = (~stable).argsort(stable=True)
    return FixedPoints(*(field[order] for field in (h, jacobians, values, vectors, stable)))


def _rests(F: Callable, J: Callable, x: Tensor, starts: Tensor, tolerance: float) -> Tensor:
    """The points (N, H) to which the map, and Newton's method from there and from starts (K, H), lead, each once."""
    h, moving = starts.clone(), torch.arange(len(starts), device=starts.device)
    for _ in range(STEPS):  # until the map moves none of them
        before = h[moving]
        h[moving] = F(x.expand(len(moving), -1), before)
        moving = moving[(h[moving] - before).abs().amax(1) > tolerance * 1e-3]  # what overflows becomes NaN, and stops
        if not len(moving):
            break
    h = torch.cat((h, starts))  # (2K, H)
    x, identity = x.expand(len(h), -1), torch.eye(h.shape[1], dtype=h.dtype, device=h.device)
    gap, length = F(x, h) - h, torch.ones_like(h[:, :1])  # (2K, H), and of the step (2K, 1)
    for _ in range(ROUNDS):  # of Newton's method on F(x, h) - h; where a step does not help, a shorter one is tried
        # The pseudoinverse takes the shortest way where a continuum of points rests and the matrix is singular.
        slope = (identity - J(x, h)).nan_to_num(0, 0, 0)  # (2K, H, H); with infinity in one matrix pinv refuses all
        towards = (torch.linalg.pinv(slope) @ gap.unsqueeze(2)).squeeze(2)  # (2K, H)
        tried = h + length * towards
        left = F(x, tried) - tried
        nearer = left.norm(dim=1, keepdim=True) < gap.norm(dim=1, keepdim=True)  # (2K, 1)
        h, gap = torch.where(nearer, tried, h), torch.where(nearer, left, gap)
        length = torch.where(nearer, (2 * length).clamp(max=1), length / 4)
        if (gap.abs().amax(1) <= tolerance * 1e-3).all():
            break
    h = h[gap.abs().amax(1) <= tolerance]  # NaN is not a rest
    points = h[:1]
    for point in h[1:]:
        if (points - point).abs().amax(1).min() > SAME:
            points = torch.cat((points, point.unsqueeze(0)))
    return points


def lyapunov(
    module: nn.Module, x: Tensor, h0: Tensor | None = None, count: int | None = None, *, recurrence: int = 0, **kwargs
) -> Tensor:
    r"""Lyapunov exponents along a run: the mean growth per step, in the logarithm, of small differences in the state.

    The largest exponent says how fast two runs that differ a little draw together (negative) or part (positive): a
    difference d becomes about d exp(exponent t) after t steps, and with an exponent of -1/tau a memory has time
    constant tau. The sum of the first k is the growth of volumes in k dimensions. Along the run::

        Q_t R_t = J_t Q_{t-1}          Q_0 = identity, J_t = dh_t/dh_{t-1}
        exponent_i = mean over t of log |(R_t)_ii|

    Args:
        module, x, h0, **kwargs: as :func:`gru.trace` takes them.
        count: how many, the largest first; all H where None.
        recurrence: which of the module's recurrences, counted as ``Trace.names`` does.

    Returns:
        exponents per step, float64: (count,), or (B, count) where B > 1; of a packed sequence up to its own end.

    Raises:
        ValueError, IndexError: count or recurrence is out of range. Else as :func:`gru.trace`.

    Source: Benettin et al. 1980, Meccanica 15.

    >>> import torch, gru
    >>> cell = gru.ElmanCell(1, 1, bias=False)                  # h' = tanh(h / 2): near 0 differences halve
    >>> _ = torch.nn.init.constant_(cell.weight_hh, 0.5)
    >>> gru.lyapunov(cell, torch.zeros(100, 1)).exp()
    tensor([0.5000], dtype=torch.float64)
    """
    run = _arguments.item("recurrence", recurrence, record(module, x, h0, kwargs).runs)
    T, B, H = run.before.shape
    count = H if count is None else count
    _arguments.within("count", count, 1, H, ", the number of units", ValueError)
    _, jacobian = _maps(run.module, run.weights)
    ended = _ended(run)  # (T, B, 1)
    with torch.no_grad():
        Q = torch.eye(H, count, dtype=torch.float64, device=run.before.device).expand(B, -1, -1)  # (B, H, count)
        growth = Q.new_zeros(B, count)
        for t in range(T):
            Q, R = torch.linalg.qr(jacobian(run.x[t].double(), run.before[t].double()) @ Q)
            growth += R.diagonal(dim1=1, dim2=2).abs().log().masked_fill(ended[t], 0)
        exponents = (growth / (~ended).sum(0)).sort(1, descending=True).values
    return exponents[0] if B == 1 else exponents


def solve(
    module: nn.Module, x: Tensor, h0: Tensor | None = None, *, recurrence: int = 0, tolerance: float = 1e-10, **kwargs
) -> Solution:
    r"""All states of a run at once, by Newton's method, instead of one after the other.

    The run is the solution of T equations, h_t = F(x_t, h_{t-1}). Each iteration evaluates F and J at all steps of the
    last guess at once and solves the linear recurrence that is left, by a scan of log T rounds::

        d_t = J_t d_{t-1} + F(x_t, h_{t-1}) - h_t          d_0 = 0
        h_t <- h_t + d_t

    After k iterations the first k states are exact, so T iterations always suffice; where differences shrink along the
    run a few do. It pays on hardware with many cores: the dense Jacobians cost T H^3 operations for each iteration.

    Args:
        module, x, h0, **kwargs: as :func:`gru.trace` takes them; a run says what the recurrence reads, no more.
        recurrence: which of the module's recurrences, counted as ``Trace.names`` does.
        tolerance: largest \|h_t - F(x_t, h_{t-1})\| in any unit.

    Returns:
        :class:`Solution`: states (T, B, H) in float64 and in the order in which the steps are taken, zero past the end
        of a packed sequence, the number of iterations, and the residual before the first and after each.

    Raises:
        LookupError: the model changes or restarts the state between two steps. Else as :func:`gru.trace`.

    Source: Lim et al. 2024 (DEER), arXiv 2309.12252.

    >>> import torch, gru
    >>> layer, x = gru.GRU(4, 5).double(), torch.ones(100, 3, 4).double()
    >>> solution = gru.solve(layer, x)
    >>> torch.allclose(solution.states, layer(x)[0], rtol=0, atol=1e-9), solution.iterations < 10
    (True, True)
    """
    tolerance = _arguments.number("tolerance", tolerance)
    run = _arguments.item("recurrence", recurrence, record(module, x, h0, kwargs).runs)
    if not torch.equal(run.before.nan_to_num(), run.states[:-1].nan_to_num()):
        raise LookupError(f"{run.name}: expected a state that goes from step to step unchanged; this model changes it")
    F, J = _maps(run.module, run.weights)
    T, B, H = run.before.shape
    inputs, first = run.x.double().flatten(0, 1), run.states[:1].double()
    # A gated state is a mean of candidates and the state it began with: no guess need leave this box.
    bound = max(1.0, _largest(first)) if run.weights is not None else torch.inf
    with torch.no_grad():
        states, residuals, ended = first.new_zeros(T, B, H), [], _ended(run)
        while True:
            before = torch.cat((first, states[:-1])).flatten(0, 1)  # (TB, H)
            after = F(inputs, before).unflatten(0, (T, B)).masked_fill(ended, 0)
            gap = (after - states).unsqueeze(-1)  # (T, B, H, 1)
            residuals.append(_largest(gap))
            if residuals[-1] <= tolerance or len(residuals) > T:
                return Solution(states, len(residuals) - 1, residuals)
            moves = _linear_recurrence(J(inputs, before).unflatten(0, (T, B)), gap).squeeze(-1)
            moved = (states + moves).clamp(-bound, bound).masked_fill(ended, 0)
            states = torch.where(moved.isfinite(), moved, after)  # products of Jacobians overflow where runs part


def _largest(numbers: Tensor) -> float:
    """The largest size of any of these; 0 of an empty batch."""
    return float(numbers.abs().max()) if numbers.numel() else 0.0


def _ended(run: Run) -> Tensor:
    """Which steps were not taken (T, B, 1): of a packed sequence those past its own end."""
    T, B, _ = run.before.shape
    steps = torch.arange(T, device=run.before.device).view(T, 1, 1)
    return steps.expand(T, B, 1) >= T if run.lengths is None else steps >= run.lengths.unsqueeze(1)


def _linear_recurrence(A: Tensor, b: Tensor) -> Tensor:
    """d_t = A_t d_{t-1} + b_t with d_0 = 0, for A (T, B, H, H) and b (T, B, H, 1): (T, B, H, 1), in log T rounds.

    Steps 2k-1 and 2k are joined into one, the recurrence of half the length is solved, and gives every second d.
    """
    T = len(b)
    if T == 1:
        return b
    even, odd = slice(1, None, 2), slice(0, T - T % 2, 2)  # the second and the first of each pair
    d = torch.empty_like(b)
    d[even] = _linear_recurrence(A[even] @ A[odd], A[even] @ b[odd] + b[even])
    d[0] = b[0]
    d[2::2] = A[2::2] @ d[1 : T - 1 : 2] + b[2::2]
    return d
