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

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear
from torch.nn.utils.rnn import PackedSequence
from torch.utils._pytree import tree_map

from gru import bptt
from gru.cells import ElmanCell, check_step
from gru.equations import Weights, elman, step
from gru.layer import Packed, layout_of, suffixes_of
from gru.trace import (
    Call,
    Recurrence,
    as_in_eval,
    call_along,
    check_drive,
    find_parts,
    gates_function,
    joined,
    keeps_equations,
    lining_up,
    listening,
    runs_by_calls,
    same_numbers,
    weights_of,
)

PATHS = ("carry", "candidate", "update", "reset")


class Flow:
    """How the loss reaches the states of one recurrence, or of several.

    Args:
        entries: one a recurrence, as :func:`gradient_flow` makes them.

    With one recurrence ``grads``, ``norms`` and ``paths`` are as their texts say. With several each is a list, one
    entry a layer and direction, and ``flow[k]`` is the Flow of one of them.
    """

    def __init__(self, entries: "Sequence[_Entry]") -> None:
        self._entries = list(entries)

    @property
    def names(self) -> list[str]:
        """Of the recurrences, such as ``gru.l0`` and ``gru.l0_reverse``."""
        return [entry.name for entry in self._entries]

    @property
    def grads(self) -> Tensor | list[Tensor]:
        """dL/dh_t for t = 0..T, (T+1, B, H)."""
        return self._field(lambda entry: entry.grads)

    @property
    def norms(self) -> Tensor | list[Tensor]:
        """The length of each sample's dL/dh_t, (T+1, B)."""
        return self._field(lambda entry: entry.grads.norm(dim=-1))

    @property
    def paths(self) -> dict[str, Tensor] | list[dict[str, Tensor]]:
        """What reaches h_t, t = 0..T-1, through step t: "carry", "candidate", "update" and "reset", each (T, B, H).

        Of an ElmanCell there is "candidate" alone. Their sum, and what the loss sends straight into h_t, is dL/dh_t.

        Raises:
            LookupError: the equations of a cell are not known, or a model changes the state between two steps; grads
                and norms are there all the same.
        """
        return self._field(_Entry.known_paths)

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, k: int | slice) -> "Flow":
        found = self._entries[k]
        return Flow(found if isinstance(k, slice) else [found])

    def __repr__(self) -> str:
        return "Flow(" + ("\n     ".join(map(str, self._entries))) + ")"

    def _field(self, read: "Callable[[_Entry], object]"):
        found = [read(entry) for entry in self._entries]
        return found[0] if len(found) == 1 else found


class _Entry:
    """One recurrence: its name, dL/dh_t (T+1, B, H), and the paths, or why there are none."""

    def __init__(self, name: str, grads: Tensor, paths: dict[str, Tensor] | str) -> None:
        self.name, self.grads, self.paths = name, grads, paths

    def known_paths(self) -> dict[str, Tensor]:
        if isinstance(self.paths, str):
            raise LookupError(f"paths: not available for {self.paths}; grads and norms are there")
        return self.paths

    def __str__(self) -> str:
        T, B, H = self.grads.shape
        first, last = ("?" if self.grads.is_meta else f"{self.grads[t].norm().item():.3g}" for t in (0, -1))
        known = "no known paths" if isinstance(self.paths, str) else "paths " + ", ".join(self.paths)
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
        "candidate" alone. Their sum is dh'/dh; row i, column j is dh'_i/dh_j. For the equations see :mod:`gru.flow`.
        Gradients flow through.

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
    if _known(cell) is None:
        raise TypeError(
            "cell: expected ResetBeforeCell, ResetAfterCell, ElmanCell, torch.nn.GRUCell, gru.GRU or torch.nn.GRU, got "
            f"{type(cell).__name__}, whose equations are not known; for one sample there is "
            "torch.func.jacrev(cell, 1)(x, h)"
        )
    h = check_step(cell, x, h)
    if runs_by_calls(cell):
        x, h = _after_hooks(cell, x, h)
    return _step_paths(_known(cell), x, h)


def _after_hooks(cell: nn.Module, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """Call a module that has hooks, which may make its weights anew; x and h as its step reads them."""
    part = Recurrence("cell", cell, not isinstance(cell, nn.RNNBase))
    with as_in_eval(cell), listening([part], record=False) as calls:
        cell(x, h) if part.is_cell else cell(x.unsqueeze(-2))
    (call,) = calls["cell"]
    if call.altered or (part.is_cell and not same_numbers(call.before, h)):
        name = type(cell).__name__
        raise TypeError(f"cell: expected no hook that changes the state, got one in this {name}")
    return (call.x, call.h) if part.is_cell else (call.x.squeeze(-2), h)


class Elman(NamedTuple):
    """The weights of an ElmanCell."""

    weight_ih: Tensor  # (H, D)
    weight_hh: Tensor  # (H, H)
    bias_ih: Tensor | None  # (H)
    bias_hh: Tensor | None  # (H)


Known = Weights | Elman  # a recurrence whose equations are known


def _known(module: nn.Module) -> Known | None:
    """What a cell, or a GRU's first layer, computes with; None for a cell of the user's own."""
    if not keeps_equations(module):
        return None
    if isinstance(module, ElmanCell):
        return Elman(module.weight_ih, module.weight_hh, module.bias_ih, module.bias_hh)
    return weights_of(module)


def _detached(known: Known | None) -> Known | None:
    return known and type(known)(*(tensor.detach() if isinstance(tensor, Tensor) else tensor for tensor in known))


def _step_paths(known: Known, x: Tensor, h: Tensor) -> dict[str, Tensor]:
    """The paths of one step, (..., H, H), from x (..., D) and h (..., H): the table in the module's text."""
    z, others = _carry_and_others(known, x, h)
    return others if z is None else {"carry": torch.diag_embed(z), **others}


def _step_whole(known: Known, x: Tensor, h: Tensor) -> Tensor:
    """Their sum, without autograd."""
    z, others = _carry_and_others(known, x, h)
    whole, *rest = others.values()
    for path in rest:
        whole += path
    if z is not None:
        whole.diagonal(dim1=-2, dim2=-1).add_(z)
    return whole


def _carry_and_others(known: Known, x: Tensor, h: Tensor) -> tuple[Tensor | None, dict[str, Tensor]]:
    """The carry path's diagonal (..., H), and the other paths (..., H, H)."""

    def scale(rows: Tensor, matrix: Tensor) -> Tensor:
        return rows.unsqueeze(-1) * matrix

    if isinstance(known, Elman):
        return None, {"candidate": scale(1 - elman(x, h, *known).square(), known.weight_hh)}
    r, z, n, _ = step(x, h, known)
    U_r, U_z, U_n = known.weight_hh.chunk(3)
    c = (1 - z) * (1 - n.square())
    if known.reset_after:
        b_hn = None if known.bias_hh is None else known.bias_hh.chunk(3)[2]
        q = linear(h, U_n, b_hn)
        candidate, reset = scale(c * r, U_n), scale(c * q * r * (1 - r), U_r)
    else:
        from_p = scale(c, U_n)  # dh'/d(r * h)
        candidate, reset = from_p * r.unsqueeze(-2), from_p @ scale(h * r * (1 - r), U_r)
    return z, {"candidate": candidate, "update": scale((h - n) * z * (1 - z), U_z), "reset": reset}


def gradient_flow(
    module: nn.Module,
    x: Tensor,
    h0: Tensor | None = None,
    loss: Callable[[object], Tensor] | None = None,
    **kwargs,
) -> Flow:
    """How a loss reaches every state, and through which paths, by one walk back through time.

    Args:
        module: a cell, a layer, or a model that contains some, as :func:`gru.trace` takes it.
        x: what the module reads; for a cell (T, B, D), or (T, D) for one sequence.
        h0: the initial state, as the module takes it: (B, H) for a cell, (layers * directions, B, H) for a layer; a
            model's second argument. Zeros where None.
        loss: takes the module's outputs to a scalar: of a cell its states (T, B, H), of a layer its output sequence
            (what its forward returns first), of a model whatever it returns. Where None, the loss is the sum of the
            last state: of a cell or of a layer's top, both directions of it; in a model, of the part called last. That
            state has read any padding there is, unless the input is packed.
        **kwargs: go to a model's forward, such as ``lengths``.

    Returns:
        a :class:`Flow`: grads (T+1, B, H), norms (T+1, B) and paths (T, B, H) each, or lists of these, one entry a
        layer and direction. t counts the steps in the order in which they are taken, so in the reverse direction h_0 is
        the state before the *last* input. Padding of a packed input gets zeros. B = 1 for a single sequence.

    The module runs as ``eval()`` would run it, without dropout, and is left as it was. Parameters get no gradients. The
    layers' gradients come from :mod:`gru.bptt`'s walk. A cell in a model's own loop, or one whose equations are not
    known, is differentiated by autograd, all steps in one pass.

    Raises:
        TypeError: the module contains no recurrence, or x is no tensor.
        ValueError: the loss is no scalar, or does not depend on the states.
        ValueError, RuntimeError: x or h0 do not fit, as the module itself says.

    >>> import torch, gru
    >>> layer = gru.GRU(4, 5)
    >>> flow = gru.gradient_flow(layer, torch.ones(7, 3, 4), loss=lambda outputs: outputs[-1].square().sum())
    >>> flow.grads.shape, flow.norms.shape, list(flow.paths)
    (torch.Size([8, 3, 5]), torch.Size([8, 3]), ['carry', 'candidate', 'update', 'reset'])
    >>> torch.allclose(sum(flow.paths.values()), flow.grads[:-1])        # this loss reads no state but the last
    True
    """
    module, parts = find_parts(module)
    if not (loss is None or callable(loss)):
        raise TypeError(f"loss: expected a function of the module's outputs or None, got {type(loss).__name__}")
    with as_in_eval(module), torch.inference_mode(False), torch.enable_grad():
        x, h0, kwargs = _for_autograd((x, h0, kwargs))
        outputs, last_state, visits = _visit(module, parts, x, h0, kwargs)
        if loss is None and last_state is None:
            raise TypeError("loss: expected a function of the outputs, for the forward gives no last state, got None")
        value = last_state.sum() if loss is None else loss(outputs)
        if not isinstance(value, Tensor) or value.numel() != 1:
            got = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(f"loss: expected a scalar tensor, got {got}")
        if not value.requires_grad:
            raise ValueError("loss: expected a value that depends on the states, got one that does not")
        # What a model runs under no_grad is out of the loss's reach.
        met = [tensor for visit in visits for tensor in visit.met if tensor.requires_grad]
        found = torch.autograd.grad(value.sum(), met, allow_unused=True) if met else ()
        if all(gradient is None for gradient in found):
            raise ValueError("loss: expected a value that depends on the states, got one that does not")
    reached = iter(found)
    grads = [[next(reached) if tensor.requires_grad else None for tensor in visit.met] for visit in visits]
    return Flow([visit.entry(own) for visit, own in zip(visits, grads, strict=True)])


def jacobian_norms(module: nn.Module, x: Tensor, h0: Tensor | None = None, **kwargs) -> Tensor | list[Tensor]:
    """The spectral norm of dh_T/dh_t for t = 0..T-1: by how much a change of h_t can at most change h_T.

    Args:
        module, x, h0, **kwargs: as :func:`gradient_flow` takes them.

    Returns:
        norms (T,); of several recurrences a list, one entry a layer and direction, each with its own inputs held
        fixed. For a batch it is the largest of its samples', which is the norm of the whole batch's Jacobian.

    A step that starts anew, or from a detached state, ends the reach of h_T: the norms before it are 0.

    Raises:
        LookupError: the model changes the state of a layer between two of its calls. Else as :func:`gradient_flow`.

    >>> import torch, gru
    >>> gru.jacobian_norms(gru.ElmanCell(4, 5), torch.ones(7, 3, 4)).shape
    torch.Size([7])
    """
    found = []
    for jacobians in _jacobians(module, x, h0, kwargs):
        norms = [_largest_norm(part) for part in jacobians]
        found.append(joined(norms[::-1]))
    return found[0] if len(found) == 1 else found


def _largest_norm(jacobians: Tensor) -> Tensor:
    """The largest spectral norm in each batch (C, B, H, H); 0 of an empty one."""
    if jacobians.shape[1] == 0:
        return jacobians.new_zeros(len(jacobians))
    wide = jacobians.float() if jacobians.dtype.itemsize < 4 else jacobians  # there is no SVD in half precision
    return torch.linalg.matrix_norm(wide, ord=2).amax(-1).to(jacobians.dtype)


def state_jacobians(module: nn.Module, x: Tensor, h0: Tensor | None = None, **kwargs) -> Tensor | list[Tensor]:
    """dh_T/dh_t for t = 0..T-1, in closed form: (T, B, H, H), row i, column j is d(h_T)_i / d(h_t)_j.

    For arguments and errors see :func:`jacobian_norms`. It takes T B H^2 numbers of memory and T B H^3 operations.

    >>> import torch, gru
    >>> cell, x = gru.ResetAfterCell(4, 5).double(), torch.ones(1, 3, 4).double()
    >>> one_step = gru.step_jacobian(cell, x[0], torch.zeros(3, 5).double())
    >>> torch.allclose(state_jacobians(cell, x)[0], sum(one_step.values()))
    True
    """
    found = [joined(list(jacobians)[::-1]) for jacobians in _jacobians(module, x, h0, kwargs)]
    return found[0] if len(found) == 1 else found


@dataclass
class _Visit:
    """One recurrence of a module's forward: all its steps, in the order in which they were taken.

    ``met`` is what to differentiate a loss with respect to. Of what runs on a walk that is h_0, and the walk keeps the
    rest; of a cell in a loop, h_0 and the state after each step.
    """

    name: str
    kind: str  # the part's class
    known: Known | None
    x: Tensor  # (T, B, D)
    before: Tensor  # (T, B, H): the state before each step
    met: list[Tensor]
    walks: list[bptt.Walk] = field(default_factory=list)  # one a call; none of a cell in a loop
    packed: Packed | None = None
    starts: list[int] = field(default_factory=list)  # the steps, after the first, that read a state of their own
    changed: bool = False  # whether a model changes the state between two steps

    def entry(self, grads: list[Tensor | None]) -> _Entry:
        """The flow, from the gradients with respect to ``met``."""
        if self.walks:
            grads = [torch.zeros_like(walk.states) if walk.grads is None else walk.grads for walk in self.walks]
            grads = joined([grads[0], *(later[1:] for later in grads[1:])])  # (T+1, B, H)
        else:
            rows = zip(grads, self.met, strict=True)
            rows = [torch.zeros_like(tensor) if grad is None else grad for grad, tensor in rows]
            grads = torch.stack([torch.atleast_2d(row) for row in rows])
        missing = self._no_paths()
        paths = {} if missing else self._paths(grads[1:])
        for path in paths.values():
            path[self.starts] = 0  # what such a step reads is not the state before it
        if self.packed is not None:
            grads = self.packed.restore(grads)
            paths = {name: self.packed.restore(path) for name, path in paths.items()}
        return _Entry(self.name, grads, missing or paths)

    def _no_paths(self) -> str | None:
        """Why there are no paths, if so."""
        if self.known is None:
            known = "gru's cells and GRU, torch.nn.GRU and torch.nn.GRUCell"
            return f"{self.kind}, because its equations are not known here, as those of {known} are"
        if self.changed:
            return f"{self.name}, because the model changes its state between two steps"
        return None

    @torch.no_grad()
    def _paths(self, grads: Tensor) -> dict[str, Tensor]:
        """What reaches each state through the step that follows, (T, B, H), from what reaches the step's result."""
        if isinstance(self.known, Elman):
            slopes = 1 - elman(self.x, self.before, *self.known).square()
            return {"candidate": (slopes * grads) @ self.known.weight_hh}
        if all(walk.deltas is not None for walk in self.walks) and self.walks:
            gates, deltas = (joined([getattr(walk, name) for walk in self.walks]) for name in ("gates", "deltas"))
        else:
            gates, deltas = _deltas_at_once(self.known, self.x, self.before, grads)
        U_r, U_z, U_n = self.known.weight_hh.chunk(3)
        _, r, z, _ = gates.chunk(4, -1)
        d_q, d_r, d_z, _ = deltas.chunk(4, -1)  # d_q is d_p where reset acts before
        candidate = d_q @ U_n if self.known.reset_after else r * d_q
        return {"carry": z * grads, "candidate": candidate, "update": d_z @ U_z, "reset": d_r @ U_r}

    def jacobians(self) -> Iterator[Tensor]:
        """dh_T/dh_t for all t, in parts (C, B, H, H) along time, the latest first."""
        if self.known is not None and not self.changed:
            return self._jacobians_in_closed_form()
        if self.walks:
            raise LookupError(f"dh_T/dh_t: not available for {self._no_paths()}")
        return self._jacobians_by_autograd()

    def _jacobians_in_closed_form(self) -> Iterator[Tensor]:
        T, B, H = self.before.shape
        eye = torch.eye(H, dtype=self.before.dtype, device=self.before.device)
        product = eye.expand(B, H, H)
        C = max(1, NUMBERS_AT_ONCE // max(1, B * H * H))
        first = self.starts[-1] + 1 if self.starts else 0  # of the states that h_T depends on
        for t1 in range(T, first, -C):
            t0 = max(first, t1 - C)
            steps = _step_whole(self.known, self.x[t0:t1], self.before[t0:t1])  # (C, B, H, H)
            if self.packed is not None:  # past its end a state stays as it is
                steps = torch.where(self.packed.valid[t0:t1, :, None, None], steps, eye)
            products = torch.empty_like(steps)
            with torch.inference_mode():
                for jacobian, place in zip(reversed(steps.unbind(0)), reversed(products.unbind(0)), strict=True):
                    product = torch.bmm(product, jacobian, out=place)
            product = products[0]
            yield products if self.packed is None else self.packed.restore(products)
        if first:
            yield product.new_zeros(first, B, H, H)

    def _jacobians_by_autograd(self) -> Iterator[Tensor]:
        *earlier, last = self.met
        rows = []
        for unit in torch.atleast_2d(last).unbind(-1):
            met = [state for state in earlier if state.requires_grad and unit.requires_grad]
            found = iter(torch.autograd.grad(unit.sum(), met, retain_graph=True, materialize_grads=True) if met else ())
            rows.append(
                [
                    next(found) if state.requires_grad and unit.requires_grad else torch.zeros_like(state)
                    for state in earlier
                ]
            )
        for states in reversed(list(zip(*rows, strict=True))):
            yield torch.stack([torch.atleast_2d(row) for row in states], dim=-2).unsqueeze(0)


NUMBERS_AT_ONCE = 2**24  # in Jacobians held at a time: 64 MB of float32


def _for_autograd(value: object) -> object:
    """A copy of what was made under ``torch.inference_mode``, which autograd cannot keep."""
    if isinstance(value, PackedSequence):
        return PackedSequence(_for_autograd(value.data), *value[1:])
    if isinstance(value, Tensor):
        return value.clone() if value.is_inference() else value
    return tree_map(_for_autograd, value) if isinstance(value, tuple | list | dict) else value


def _visit(
    module: nn.Module,
    parts: list[Recurrence],
    x: Tensor,
    h0: Tensor | None,
    kwargs: dict,
    hold_inputs: bool = False,
) -> tuple[object, Tensor | None, list[_Visit]]:
    """Run the module: what a loss reads, the last state, and a visit for each recurrence."""
    whole = parts[0].module is module
    if whole and kwargs:
        raise TypeError(
            f"module: {', '.join(kwargs)} would go to a model's forward, but {type(module).__name__} is no model"
        )
    if whole and parts[0].is_cell:
        visit, states = _drive(parts[0], *check_drive(module, x, h0), hold_inputs)
        return states, states[-1], [visit]
    with listening(parts, record=True, hold_inputs=hold_inputs) as calls:
        outputs = module(*((x,) if h0 is None else (x, h0)), **kwargs)
    visits = [visit for part in parts if calls[part.name] for visit in _read(part, calls[part.name])]
    if not visits:
        raise RuntimeError(f"module: expected its forward to call {', '.join(part.name for part in parts)}")
    part, call = max(((part, call) for part in parts for call in calls[part.name]), key=lambda pair: pair[1].number)
    last = call.state
    if not part.is_cell and last is not None:
        last = last[-2 if part.module.bidirectional else -1 :]
    return outputs[0] if whole else outputs, last, visits


def _read(part: Recurrence, calls: list[Call]) -> list[_Visit]:
    """The visits of one part, its calls one after the other."""
    kind = type(part.module).__name__
    name = part.name or kind
    with lining_up(part, calls):
        if part.is_cell:
            if any(call.state is None for call in calls):
                raise TypeError(f"{name}: expected its forward to give the state, or the state among other tensors")
            x = torch.stack([torch.atleast_2d(call.x) for call in calls]).detach()
            none = torch.zeros_like(calls[0].state)
            states = [none if call.before is None else call.before for call in calls]
            before = torch.stack([torch.atleast_2d(state) for state in states]).detach()
            met = [none if calls[0].h is None else calls[0].h, *(call.state for call in calls)]
            known = None if any(call.altered for call in calls) else _detached(_known(part.module))
            starts, changed = _breaks(calls)
            return [_Visit(name, kind, known, x, before, met, starts=starts, changed=changed)]
        suffixes = suffixes_of(part.module)
        if any(len(call.walks) != len(suffixes) for call in calls):
            raise TypeError(f"{name}: expected the forward of torch.nn.GRU, got one of {kind}'s own")
        packed = None
        if isinstance(calls[0].x, PackedSequence):
            if len(calls) > 1:
                raise ValueError(f"{name}: expected one call with a packed input, got {len(calls)}")
            packed = layout_of(part.module, calls[0].x, None)
        starts, changed = _breaks(calls)
        begins = [0, *accumulate(len(call.walks[0].x) for call in calls)]  # of each call, in steps
        starts = [begins[k] for k in starts]
        visits = []
        for k, suffix in enumerate(suffixes):
            walks = [call.walks[k] for call in calls]
            x = joined([walk.x for walk in walks]).detach()
            before = joined([walk.states[:-1] for walk in walks])
            met = [walk.h0 for walk in walks]
            own = f"{part.name}.{suffix}" if part.name else suffix
            visits.append(_Visit(own, kind, walks[0].weights, x, before, met, walks, packed, starts, changed))
        return visits


def _breaks(calls: list[Call]) -> tuple[list[int], bool]:
    """Which calls start from a state of their own, and whether one reads a changed version of the state before."""
    starts, changed = [], False
    for k, (earlier, later) in enumerate(pairwise(calls), start=1):
        if later.before is None or (earlier.state is not None and earlier.state.requires_grad and later.h.is_leaf):
            starts.append(k)
        elif earlier.after is None or not same_numbers(later.before, earlier.after):
            changed = True
    return starts, changed


def _drive(part: Recurrence, x: Tensor, h0: Tensor | None, hold_inputs: bool) -> tuple[_Visit, Tensor]:
    """Step a bare cell through x (T, B, D): its visit, and its states (T, B, H)."""
    cell = part.module
    known, kind = _known(cell), type(cell).__name__
    if known is None and h0 is None:
        raise ValueError(f"h0: expected a state (B, H), since {kind} has no attribute hidden_size, got None")
    if runs_by_calls(cell):
        calls = call_along(part, x, h0, record=True, hold_inputs=hold_inputs)
        return _read(part, calls)[0], torch.stack([call.state for call in calls])
    if known is None:
        gates_of, met = gates_function(cell), [h0 if h0.requires_grad else h0.detach().requires_grad_()]
        for x_t in x.unbind(0):
            met.append(gates_of(x_t, met[-1]).h)
        before = torch.stack(met[:-1]).detach()
        return _Visit(kind, kind, None, x, before, met), torch.stack(met[1:])
    check_step(cell, x[0], h0)
    if isinstance(known, Elman):
        walk = bptt.Walk(_detached(known), x.detach(), h0.detach().requires_grad_())
        states = _ElmanWalk.apply(walk.h0, walk)
    else:
        with bptt.recording() as walks:
            states = bptt.run(x, h0, known)
        (walk,) = walks
    return _Visit(kind, kind, walk.weights, walk.x.detach(), walk.states[:-1], [walk.h0], [walk]), states


class _ElmanWalk(torch.autograd.Function):
    """An ElmanCell over all steps: g_{t-1} = e_{t-1} + U^T ((1 - h_t^2) * g_t)."""

    @staticmethod
    def forward(ctx, h0, walk):
        W, U, b_i, b_h = walk.weights
        states = torch.cat((h0.unsqueeze(0), linear(walk.x, W, b_i)))  # (T+1, B, H)
        if b_h is not None:
            states[1:] += b_h
        with torch.inference_mode():
            U_t, (h, *later) = U.t().contiguous(), states.unbind(0)
            for state in later:
                h = state.addmm_(h, U_t).tanh_()
        ctx.walk, walk.states = walk, states
        return states[1:].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_states):
        walk = ctx.walk
        walk.grads = torch.cat((torch.zeros_like(grad_states[:1]), grad_states))
        with torch.inference_mode():
            slopes, grads = (1 - walk.states[1:].square()).unbind(0), walk.grads.unbind(0)
            for t in range(len(slopes), 0, -1):
                grads[t - 1].addmm_(slopes[t - 1] * grads[t], walk.weights.weight_hh)
        return walk.grads[0].clone(), None


def _deltas_at_once(weights: Weights, x: Tensor, before: Tensor, grads: Tensor) -> tuple[Tensor, Tensor]:
    """Gates and deltas (T, B, 4H) of steps whose states and gradients are known: as one step of a batch of T * B."""
    shape = before.shape[:2]
    x, before, grads = x.flatten(0, 1).unsqueeze(0), before.flatten(0, 1), grads.flatten(0, 1).unsqueeze(0)
    states, gates = bptt.forward(x, before, weights, keep=True)
    walk = bptt.Walk(weights, x, before)
    bptt.backward(x, weights, states, gates, grads, (False,) * 6, walk)
    return gates[0].unflatten(0, shape), walk.deltas[0].unflatten(0, shape)


def _jacobians(module: nn.Module, x: Tensor, h0: Tensor | None, kwargs: dict) -> list[Iterator[Tensor]]:
    module, parts = find_parts(module)
    # A cell alone whose equations are known needs no autograd; of one in a model's loop that shows afterwards.
    alone = parts[0].module is module and keeps_equations(module) and not runs_by_calls(module)
    by_autograd = any(part.is_cell for part in parts) and not alone
    with as_in_eval(module), torch.inference_mode(False), torch.set_grad_enabled(by_autograd):
        x, h0, kwargs = _for_autograd((x, h0, kwargs))
        visits = _visit(module, parts, x, h0, kwargs, hold_inputs=True)[2]
        return [visit.jacobians() for visit in visits]
