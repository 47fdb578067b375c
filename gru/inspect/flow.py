r"""Gradient flow: how a loss reaches every earlier state, and by which of a step's four paths.

Sources
    vanishing and exploding gradients    Bengio et al. 1994; Pascanu et al. 2013, arXiv 1211.5063
    the walk                             :mod:`gru.bptt`, which holds its equations

Glossary
    T, B, H                  time, batch, hidden size
    g_t (B, H)               dL/dh_t, t = 0..T; h_0 is the state before the first step
    J_t (B, H, H)            one step's Jacobian dh_t/dh_{t-1}: row i, column j is d(h_t)_i / d(h_{t-1})_j
    c = (1 - z) * (1 - n^2)  what a change before the candidate's tanh does to h'
    q = U_n h + b_hn

With z that keeps, a step has four paths, and J is their sum::

                 reset after                              reset before
    carry        diag(z)                                  diag(z)
    candidate    diag(c * r) U_n                          diag(c) U_n diag(r)
    update       diag((h - n) * z * (1 - z)) U_z          diag((h - n) * z * (1 - z)) U_z
    reset        diag(c * q * r * (1 - r)) U_r            diag(c) U_n diag(h * r * (1 - r)) U_r

Where z writes (ResetBeforeCell) the roles stay: carry is what passes straight on, there diag(1 - z).
An ElmanCell, h' = tanh(W x + U h + b), is a GRU with r = 1 and z = 0; its single path is "candidate", diag(1 - h'^2) U.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from gru import bptt
from gru.cells import ElmanCell, check_step
from gru.equations import Weights, step
from gru.inspect.record import record, recording
from gru.inspect.recurrences import known_weights
from gru.inspect.run import PerRecurrence, Run, Sweep, asking, joined, one_or_list

PATHS = ("carry", "candidate", "update", "reset")


class Flow(PerRecurrence):
    """How the loss reaches the states: of one recurrence, or a list for several; ``flow[k]`` is that of one of them.

    Args:
        entries: one per recurrence, as :func:`gradient_flow` makes them.
    """

    @property
    def lengths(self) -> Tensor | list[Tensor | None] | None:
        """Of a packed input (B,), else None."""
        return self._each(lambda entry: entry.lengths)

    @property
    def grads(self) -> Tensor | list[Tensor]:
        """dL/dh_t for t = 0..T, (T+1, B, H)."""
        return self._each(lambda entry: entry.grads)

    @property
    def norms(self) -> Tensor | list[Tensor]:
        """The length of each sample's dL/dh_t, (T+1, B)."""
        return self._each(lambda entry: entry.grads.flatten(2).norm(dim=-1))

    @property
    def paths(self) -> dict[str, Tensor] | list[dict[str, Tensor]]:
        """What reaches h_t, t = 0..T-1, through step t: "carry", "candidate", "update" and "reset", each (T, B, H).

        Of an ElmanCell there is "candidate" alone. Their sum, and what the loss sends straight into h_t, is dL/dh_t.

        Raises:
            LookupError: the equations of a cell are not known, or a model changes the state between two steps; grads
                and norms are there all the same.
        """
        return self._each(_Entry.known_paths)


class _Entry(NamedTuple):
    """One recurrence: its name, its lengths, dL/dh_t (T+1, B, H), and the paths, or why there are none."""

    name: str
    lengths: Tensor | None
    grads: Tensor
    paths: dict[str, Tensor] | str

    def known_paths(self) -> dict[str, Tensor]:
        if isinstance(self.paths, str):
            raise LookupError(f"paths: not available for {self.paths}; grads and norms are there")
        return self.paths

    def __str__(self) -> str:
        T, B, *sizes = self.grads.shape
        first, last = (f"{self.grads[t].norm().item():.3g}" for t in (0, -1))
        known = "no known paths" if isinstance(self.paths, str) else "paths " + ", ".join(self.paths)
        H = " x ".join(map(str, sizes))
        return f"{self.name}: T={T - 1}, B={B}, H={H}; |dL/dh_0| {first}, |dL/dh_T| {last}; {known}"


def step_jacobian(cell: nn.Module, x: Tensor, h: Tensor | None) -> dict[str, Tensor]:
    """The Jacobian dh'/dh of one step, in its four paths.

    Args:
        cell: ResetBeforeCell, ResetAfterCell, ElmanCell, torch.nn.GRUCell, or the first layer of a gru.GRU or
            torch.nn.GRU.
        x: input (B, D) or (D,).
        h: state (B, H) or (H,); zeros where None.

    Returns:
        "carry", "candidate", "update" and "reset", each (B, H, H), or (H, H) for a single sample; for an ElmanCell
        "candidate" alone. Their sum is dh'/dh; row i, column j is dh'_i/dh_j. For the equations see
        :mod:`gru.inspect.flow`. Gradients flow through.

    Raises:
        TypeError: another kind of module; ``torch.func.jacrev(cell, 1)(x, h)`` gives the whole of one sample's.
        TypeError, ValueError, RuntimeError: x or h do not fit, as a cell says.

    Source: derived in the module's text; equal to autograd and to finite differences.

    >>> import torch, gru
    >>> cell, x, h = gru.ResetAfterCell(4, 5).double(), torch.ones(4).double(), torch.zeros(5).double()
    >>> paths = gru.step_jacobian(cell, x, h)
    >>> torch.allclose(sum(paths.values()), torch.func.jacrev(cell, 1)(x, h))
    True
    """
    weights = known_weights(cell)
    if weights is None:
        raise TypeError(
            "cell: expected ResetBeforeCell, ResetAfterCell, ElmanCell, torch.nn.GRUCell, gru.GRU or torch.nn.GRU, got "
            f"{type(cell).__name__}, whose equations are not known; for one sample there is "
            "torch.func.jacrev(cell, 1)(x, h)"
        )
    h = check_step(cell, x, h)
    if any(part._forward_pre_hooks or part._forward_hooks for part in cell.modules()):
        x = _read_behind_hooks(cell, x, h)
        weights = known_weights(cell)
    paths = _step_paths(weights, h, *step(x, h, weights)[:3])
    if isinstance(cell, ElmanCell):
        return {"candidate": paths["candidate"]}
    return paths | {"carry": torch.diag_embed(paths["carry"])}


def _read_behind_hooks(cell: nn.Module, x: Tensor, h: Tensor) -> Tensor:
    """Call a module that has hooks, which may make its weights anew; x as its step reads it."""
    is_layer = isinstance(cell, nn.RNNBase)
    time = 1 if is_layer and cell.batch_first and x.dim() == 2 else 0
    outputs, _, (run, *_) = record(cell, x.unsqueeze(time), None if is_layer else h)
    given = torch.zeros_like(run.before[0]) if is_layer else torch.atleast_2d(h)
    alone = not is_layer or (cell.num_layers == 1 and not cell.bidirectional)
    seen = outputs.reshape(run.states[1].shape) if alone else run.states[1]
    if run.weights is None or not torch.equal(seen, run.states[1]) or not torch.equal(given, run.before[0]):
        raise TypeError(f"cell: expected no hook that changes the state, got one in this {type(cell).__name__}")
    return run.x[0].reshape(x.shape)


def _step_paths(weights: Weights, h: Tensor, r: Tensor, z: Tensor, n: Tensor) -> dict[str, Tensor]:
    """The paths of steps from h (..., H), z keeping: the diagonal (..., H) of carry, the others (..., H, H)."""
    U_r, U_z, U_n = weights.weight_hh.chunk(3)
    c = ((1 - z) * (1 - n.square())).unsqueeze(-1)
    if weights.reset_after:
        q = linear(h, U_n, None if weights.bias_hh is None else weights.bias_hh.chunk(3)[2])
        candidate, reset = c * r.unsqueeze(-1) * U_n, c * (q * r * (1 - r)).unsqueeze(-1) * U_r
    else:
        from_p = c * U_n  # dh'/d(r * h)
        candidate, reset = from_p * r.unsqueeze(-2), from_p @ ((h * r * (1 - r)).unsqueeze(-1) * U_r)
    return {"carry": z, "candidate": candidate, "update": ((h - n) * z * (1 - z)).unsqueeze(-1) * U_z, "reset": reset}


def step_whole(weights: Weights, h: Tensor, r: Tensor, z: Tensor, n: Tensor) -> Tensor:
    """The sum of a step's paths (..., H, H), from h (..., H) and the step's gates, z keeping; without autograd."""
    paths = _step_paths(weights, h, r, z, n)
    whole = paths["candidate"]
    whole += paths["update"]
    whole += paths["reset"]
    whole.diagonal(dim1=-2, dim2=-1).add_(paths["carry"])
    return whole


def gradient_flow(
    module: nn.Module, x: Tensor, h0: Tensor | None = None, loss: Callable[[object], Tensor] | None = None, **kwargs
) -> Flow:
    """How a loss reaches every state, and through which paths, by one walk back through time.

    Args:
        module, x, h0, **kwargs: as :func:`gru.trace` takes them.
        loss: takes the module's outputs to a scalar: of a cell its states (T, B, H), of a layer its output sequence
            (what its forward returns first), of a model whatever it returns. Where None, the loss is the sum of the
            last state: of a cell or of a layer's top, both directions of it; in a model, of the part called last. That
            state has read any padding there is, unless the input is packed.

    Returns:
        a :class:`Flow`: grads (T+1, B, H), norms (T+1, B) and paths (T, B, H) each, or lists of these, one entry a
        layer and direction. t counts the steps in the order in which they are taken, so in the reverse direction h_0 is
        the state before the *last* input. Padding of a packed input gets zeros. B = 1 for a single sequence.

    The module runs as :func:`gru.trace` runs it; parameters get no gradients. Layers are walked through by
    :mod:`gru.bptt`; a cell in a model's own loop, or one whose equations are not known, is differentiated by autograd.

    Raises:
        ValueError: the loss is not a scalar, or does not depend on the states. Else as :func:`gru.trace`.

    >>> import torch, gru
    >>> layer = gru.GRU(4, 5)
    >>> flow = gru.gradient_flow(layer, torch.ones(7, 3, 4), loss=lambda outputs: outputs[-1].square().sum())
    >>> flow.grads.shape, flow.norms.shape, list(flow.paths)
    (torch.Size([8, 3, 5]), torch.Size([8, 3]), ['carry', 'candidate', 'update', 'reset'])
    >>> torch.allclose(sum(flow.paths.values()), flow.grads[:-1])        # this loss reads no state but the last
    True
    """
    if not (loss is None or callable(loss)):
        raise TypeError(f"loss: expected a function of the module's outputs or None, got {type(loss).__name__}")
    with torch.inference_mode(False), torch.enable_grad(), recording(module) as recorder:
        outputs, last, runs = recorder.run(x, h0, kwargs)
        breaks = [_breaks(run) for run in runs]
        value = last.sum() if loss is None else loss(outputs)
        if not isinstance(value, Tensor) or value.numel() != 1:
            got = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(f"loss: expected a scalar tensor, got {got}")
        wrt = [asking(output) for run in runs for output in run.outputs]
        found = torch.autograd.grad(value.sum(), wrt, allow_unused=True) if value.requires_grad else [None]
        if all(gradient is None for gradient in found):
            raise ValueError("loss: expected a value that depends on the states, got one that does not")
    into = iter([torch.zeros_like(state) if grad is None else grad for grad, state in zip(found, wrt, strict=True)])
    return Flow([_entry(run, [next(into) for _ in run.outputs], *own) for run, own in zip(runs, breaks, strict=True)])


def _breaks(run: Run) -> tuple[list[int], bool]:
    """The steps that read nothing of the state before, and whether a model changes a state between two steps."""
    starts, changed = [], False
    for t, output, received in run.links:
        if received is None or not received.requires_grad:  # it starts anew, or cuts the graph
            starts.append(t)
        elif not torch.equal(run.before[t].nan_to_num(), run.states[t].nan_to_num()):
            found = torch.autograd.grad(received.sum(), asking(output), retain_graph=True, allow_unused=True)
            starts += [t] if found[0] is None else []
            changed |= found[0] is not None
    return starts, changed


@torch.no_grad()
def _entry(run: Run, into: list[Tensor], starts: list[int], changed: bool) -> _Entry:
    """The flow of one recurrence, from the gradients with respect to its outputs."""
    missing, deltas = _no_paths(run, changed), None
    if not run.sweeps:  # autograd went back through the loop: of h_0 to h_T it gave the whole
        grads = torch.stack([torch.atleast_2d(grad) for grad in into])  # (T+1, B, H)
        if not missing:
            deltas = _walk(run.as_one_step, grads[1:].flatten(0, 1).unsqueeze(0))[1][0].unflatten(0, run.x.shape[:2])
    elif run.lengths is None and any(sweep.packed for sweep in run.sweeps):
        raise ValueError(f"{run.name}: expected one call with a packed input, got {len(run.sweeps)}")
    else:
        (first, *later), deltas = zip(*map(_walk, run.sweeps, into), strict=True)
        grads, deltas = joined([first, *(one[1:] for one in later)]), joined(deltas)
    paths = missing or _paths(run, grads[1:], deltas)
    for path in () if missing else paths.values():
        path[starts] = 0  # what such a step reads is not the state before it
    return _Entry(run.name, run.lengths, grads, paths)


def _walk(sweep: Sweep, straight: Tensor) -> tuple[Tensor, Tensor]:
    """dL/dh_t (T+1, B, H) and the walk's deltas (T, B, 4H), from what the loss sends straight into each state."""
    grads, deltas = bptt.walk_back(sweep.x, sweep.weights, sweep.states, sweep.gates, straight)
    return sweep.restored(grads), sweep.restored(deltas)


def _no_paths(run: Run, changed: bool) -> str | None:
    """Why there are no paths, if so."""
    if run.weights is None:
        known = "gru's cells and GRU, torch.nn.GRU and torch.nn.GRUCell"
        return f"{type(run.module).__name__}, because its equations are not known here, as those of {known} are"
    return f"{run.name}, because the model changes its state between two steps" if changed else None


def _paths(run: Run, grads: Tensor, deltas: Tensor) -> dict[str, Tensor]:
    """What reaches each state through the step that follows (T, B, H), from what reaches the step's result."""
    U_r, U_z, U_n = run.weights.weight_hh.chunk(3)
    _, r, z, _ = run.blocks.chunk(4, -1)
    d_q, d_r, d_z, _ = deltas.chunk(4, -1)  # d_q is d_p where reset acts before
    candidate = d_q @ U_n if run.weights.reset_after else r * d_q
    if isinstance(run.module, ElmanCell):
        return {"candidate": candidate}
    return {"carry": z * grads, "candidate": candidate, "update": d_z @ U_z, "reset": d_r @ U_r}


def jacobian_norms(module: nn.Module, x: Tensor, h0: Tensor | None = None, **kwargs) -> Tensor | list[Tensor]:
    """The spectral norm of dh_T/dh_t for t = 0..T-1: by how much a change of h_t can at most change h_T.

    Args:
        module, x, h0, **kwargs: as :func:`gradient_flow` takes them.

    Returns:
        norms (T,); of several recurrences a list, one entry per layer and direction, each with its own inputs held
        fixed. For a batch it is the largest of its samples', which is the norm of the whole batch's Jacobian. What has
        grown beyond the dtype, or comes from NaN, is infinite or NaN.

    A step that starts anew, or from a detached state, ends the reach of h_T: the norms before it are 0.

    Raises:
        LookupError: the model changes the state of a layer between two of its calls. Else as :func:`gradient_flow`.

    >>> import torch, gru
    >>> gru.jacobian_norms(gru.ElmanCell(4, 5), torch.ones(7, 3, 4)).shape
    torch.Size([7])
    """
    parts_of_each = _jacobians(module, x, h0, kwargs)
    return one_or_list([joined([_largest_norm(part) for part in parts][::-1]) for parts in parts_of_each])


def _largest_norm(jacobians: Tensor) -> Tensor:
    """The largest spectral norm in each batch (C, B, H, H); 0 of an empty one."""
    if jacobians.shape[1] == 0:
        return jacobians.new_zeros(len(jacobians))
    wide = jacobians.float() if jacobians.dtype.itemsize < 4 else jacobians  # there is no SVD in half precision
    if wide.sum().isfinite():
        return torch.linalg.matrix_norm(wide, ord=2).amax(-1).to(jacobians.dtype)
    finite = wide.isfinite().all(-1).all(-1)  # (C, B): the SVD of others fails
    norms = torch.linalg.matrix_norm(wide.where(finite[..., None, None], 0), ord=2)
    return norms.where(finite, wide.abs().amax((-2, -1))).amax(-1).to(jacobians.dtype)


def state_jacobians(module: nn.Module, x: Tensor, h0: Tensor | None = None, **kwargs) -> Tensor | list[Tensor]:
    """dh_T/dh_t for t = 0..T-1, in closed form: (T, B, H, H), row i, column j is d(h_T)_i / d(h_t)_j.

    For arguments and errors see :func:`jacobian_norms`. It takes T B H^2 numbers of memory and T B H^3 operations.

    >>> import torch, gru
    >>> cell, x = gru.ResetAfterCell(4, 5).double(), torch.ones(1, 3, 4).double()
    >>> one_step = gru.step_jacobian(cell, x[0], torch.zeros(3, 5).double())
    >>> torch.allclose(state_jacobians(cell, x)[0], sum(one_step.values()))
    True
    """
    return one_or_list([joined(list(parts)[::-1]) for parts in _jacobians(module, x, h0, kwargs)])


def _jacobians(module: nn.Module, x: Tensor, h0: Tensor | None, kwargs: dict) -> list[Iterator[Tensor]]:
    """Of each recurrence dh_T/dh_t for all t, in parts (C, B, H, H) along time, the latest first."""
    with torch.inference_mode(False), torch.enable_grad(), recording(module, hold_inputs=True) as recorder:
        return [_jacobians_of(run, *_breaks(run)) for run in recorder.run(x, h0, kwargs).runs]


def _jacobians_of(run: Run, starts: list[int], changed: bool) -> Iterator[Tensor]:
    if run.weights is not None and not changed:
        return _in_closed_form(run, starts)
    if run.sweeps:
        raise LookupError(f"dh_T/dh_t: not available for {_no_paths(run, changed)}")
    return _by_autograd(run)


@torch.no_grad()
def _in_closed_form(run: Run, starts: list[int]) -> Iterator[Tensor]:
    T, B, H = run.before.shape
    eye = torch.eye(H, dtype=run.before.dtype, device=run.before.device)
    product = eye.expand(B, H, H)
    C = max(1, NUMBERS_AT_ONCE // max(1, B * H * H))
    first = starts[-1] + 1 if starts else 0  # of the states that h_T depends on
    for t1 in range(T, first, -C):
        t0 = max(first, t1 - C)
        steps = _step_jacobians(run, t0, t1)
        products = torch.empty_like(steps)
        with torch.inference_mode():
            for jacobian, place in zip(reversed(steps.unbind(0)), reversed(products.unbind(0)), strict=True):
                product = torch.bmm(product, jacobian, out=place)
        product = products[0]
        yield products
    if first:
        yield product.new_zeros(first, B, H, H)


def _step_jacobians(run: Run, t0: int, t1: int) -> Tensor:
    """dh_{t+1}/dh_t for t = t0..t1-1, (t1-t0, B, H, H); past the end of its sequence a state stays as it is."""
    gates = run.blocks[t0:t1].chunk(4, 2)[1:]
    if isinstance(run.module, ElmanCell):
        steps = (1 - gates[2].square()).unsqueeze(-1) * run.weights.weight_hh.chunk(3)[2]
    else:
        steps = step_whole(run.weights, run.before[t0:t1], *gates)
    if run.lengths is not None:
        ended = torch.arange(t0, t1, device=steps.device).unsqueeze(1) >= run.lengths  # (t1-t0, B)
        steps = torch.where(ended[..., None, None], torch.eye(steps.shape[-1]).to(steps), steps)
    return steps


def _by_autograd(run: Run) -> Iterator[Tensor]:
    *earlier, last = map(asking, run.outputs)
    rows = [
        torch.autograd.grad(unit.sum(), earlier, retain_graph=True, materialize_grads=True)
        for unit in torch.atleast_2d(last).flatten(1).unbind(-1)
    ]
    for of_state in reversed(list(zip(*rows, strict=True))):
        yield torch.stack([torch.atleast_2d(row).flatten(1) for row in of_state], dim=-2).unsqueeze(0)


NUMBERS_AT_ONCE = 2**24  # in Jacobians held at a time: 64 MB of float32
