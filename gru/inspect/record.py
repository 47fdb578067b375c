r"""One run of a module, and what every recurrence in it read and computed: everything in :mod:`gru.inspect` reads this.

A recurrence is one layer and direction of a module, or a cell. While a recording lasts, methods of the module's parts
are replaced, on the instances alone::

    gru.GRU, nn.GRU     runs on an engine that keeps what it computes: see run_layers
    a cell              notes what its ``forward`` (or ``gates``, where a model calls that) read and gave

Hooks that make weights or inputs run before ``forward``, so they take part; what hooks do to an output is the model's
doing, as is whatever it does to a state between two calls. Parameters get no gradients. What replaces a method stands
until the recording ends, because activation checkpointing calls a forward again while autograd runs; what is called
after the run is not recorded.

Glossary
    T, B, D, H    time, batch, input size, hidden size
    sweep         one call of an engine: all steps of one recurrence that the call took
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import accumulate, pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear
from torch.nn.utils.rnn import PackedSequence
from torch.utils._pytree import tree_leaves, tree_map

from gru import _arguments, bptt
from gru.cells import ElmanCell, cell_weights, check_step, class_of, has_plain_linears, keeps_equations
from gru.equations import Gates, Weights, elman, step
from gru.layer import GRU, Packed, layout_of, run_layers, suffixes_of, weights_of


class Elman(NamedTuple):
    """The weights of an ElmanCell."""

    weight_ih: Tensor  # (H, D)
    weight_hh: Tensor  # (H, H)
    bias_ih: Tensor | None  # (H)
    bias_hh: Tensor | None  # (H)


Known = Weights | Elman  # a recurrence whose equations are known


def known_weights(cell: nn.Module) -> Known:
    """What a cell of a known class computes with."""
    if isinstance(cell, ElmanCell):
        return Elman(cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh)
    return cell_weights(cell)


# ---- which recurrences a module has


class Recurrence(NamedTuple):
    """A recurrent module inside another: its dotted name ("" for the whole), and the module; a cell or a layer."""

    name: str
    module: nn.Module
    is_cell: bool


def recurrences(module: nn.Module) -> list[Recurrence]:
    """The cells and layers inside a module, in the order of its children.

    These are our cells and layer, ``torch.nn.GRU`` and ``GRUCell``, and any module whose class has ``gates(x, h)``.
    What lies inside such a one belongs to it, and one that is used under two names is listed once.

    >>> from torch import nn
    >>> model = nn.ModuleDict({"encoder": nn.GRU(4, 5), "head": nn.Linear(5, 2)})
    >>> [(found.name, found.is_cell) for found in recurrences(model)]
    [('encoder', False)]
    """
    if not isinstance(module, nn.Module):
        raise TypeError(f"module: expected a torch.nn.Module, got {type(module).__name__}")
    found: dict[int, Recurrence] = {}
    for one in _search(module, ""):
        found.setdefault(id(one.module), one)
    return list(found.values())


def _search(module: nn.Module, name: str) -> Iterator[Recurrence]:
    gates = getattr(type(module), "gates", None)
    if isinstance(module, GRU | nn.GRU):
        yield Recurrence(name, module, is_cell=False)
    elif isinstance(module, nn.GRUCell) or inspect.isroutine(gates) or isinstance(gates, property):
        yield Recurrence(name, module, is_cell=True)
    else:
        for child_name, child in module.named_children():
            names = (name, "" if child_name == "_orig_mod" else child_name)  # the latter is torch.compile's
            yield from _search(child, ".".join(filter(None, names)))


def find(module: nn.Module) -> tuple[nn.Module, list[Recurrence]]:
    """A module, out of what torch.compile or DistributedDataParallel wrapped around it, and what recurs in it."""
    while True:
        if hasattr(module, "_orig_mod"):
            module = module._orig_mod
        elif isinstance(module, nn.parallel.DistributedDataParallel):
            module = module.module  # its own forward would wait for a backward pass
        else:
            break
    found = recurrences(module)
    if not found:
        raise TypeError(
            "module: expected a cell, gru.GRU, torch.nn.GRU or GRUCell, a cell of your own with a method gates(x, h), "
            f"or a model that contains one, got {type(module).__name__}, which contains none"
        )
    return module, found


def gates_function(cell: nn.Module) -> Callable[..., Gates]:
    """A function (x, h) -> Gates for any cell that :func:`recurrences` finds."""
    if isinstance(cell, nn.GRUCell) and not hasattr(cell, "gates"):
        return lambda x, h: step(x, check_step(cell, x, h), cell_weights(cell))

    return lambda *arguments: as_gates(cell, cell.gates(*arguments))


def as_gates(cell: nn.Module, found: object) -> Gates | None:
    """What a cell's ``gates`` gave, in the order r, z, n, h."""
    try:
        return None if found is None else Gates(found.r, found.z, found.n, found.h)
    except AttributeError:
        name, got = type(cell).__name__, type(found).__name__
        raise TypeError(f"{name}.gates: expected a result with fields r, z, n, h, got {got}") from None


# ---- what was recorded


@dataclass(frozen=True, eq=False)
class Sweep:
    """One call of an engine, in the order in which its steps were taken; a packed batch has its longest sample first.

    ``gates`` are r, z, n side by side (T, B, 3H), z keeping; where gradients are enabled (T, B, 4H), with q or p of
    :mod:`gru.bptt` before them. ``output`` (T, B, H) is what to differentiate a loss with respect to: the states as
    everything but the recurrence itself reads them.
    """

    weights: Known
    x: Tensor  # (T, B, D)
    states: Tensor  # (T+1, B, H), h_0 first
    gates: Tensor | None
    output: Tensor
    packed: Packed | None = None

    def restored(self, steps: Tensor) -> Tensor:
        """Steps (T, B, ..) or states (T+1, B, ..) with the samples in the order they came, zero past their ends."""
        if self.packed is None:
            return steps
        valid = self.packed.valid
        if len(steps) > len(valid):
            valid = torch.cat((torch.ones_like(valid[:1]), valid))
        return self.packed.restore(steps.masked_fill(~valid.unsqueeze(-1), 0))


@dataclass(frozen=True, eq=False)
class Run:
    """What one recurrence read and computed, step after step in the order in which the steps were taken.

    Several calls follow each other in time. Of a packed batch the samples stand in the order in which they came, zero
    past their ends. Nothing here requires a gradient but ``outputs``.
    """

    name: str  # such as "encoder.l0_reverse"; of a bare cell its class
    module: nn.Module  # the cell or layer
    weights: Known | None  # what the states were computed with; z keeps in them. None: by equations not known here
    x: Tensor  # (T, B, D)
    states: Tensor  # (T+1, B, H), h_0 first
    before: Tensor  # (T, B, H): what each step read; states[:-1], but where the model changed, cut or restarted it
    outputs: list[Tensor]  # what to differentiate with respect to: of each sweep its own; of a cell's calls h_0 to h_T
    sweeps: list[Sweep] = field(default_factory=list)  # one per call of a layer; none of a cell in a loop
    others: tuple[Tensor, ...] = ()  # what each step read of further states, such as c of an LSTM, (T, B, H) each
    seen: tuple[Tensor, Tensor, Tensor] | None = None  # r, z, n of a cell that called its gates at every step
    lengths: Tensor | None = None  # (B,) of a packed batch
    reverse: bool = False
    starts: list[int] = field(default_factory=list)  # the steps, after the first, that read nothing of the one before
    changed: bool = False  # whether a model changes the state between two steps, as by scaling it

    @cached_property
    def blocks(self) -> Tensor | None:
        """The gates as :mod:`gru.bptt` keeps them, (T, B, 4H) or without the first block; None of other equations."""
        if not isinstance(self.weights, Weights):
            return None
        if self.sweeps:
            return joined([sweep.restored(sweep.gates) for sweep in self.sweeps])
        # Every state is known, so all steps are one step of a large batch.
        x, before = self.x.flatten(0, 1).unsqueeze(0), self.before.flatten(0, 1)
        return bptt.forward(x, before, self.weights, keep=True)[1][0].unflatten(0, self.x.shape[:2])

    @cached_property
    def gates(self) -> tuple[Tensor, Tensor, Tensor] | tuple[None, None, None]:
        """r, z, n (T, B, H) with z as the cell itself has it; None where a cell has no such gates."""
        h = self.states[1:]
        if isinstance(self.weights, Elman):
            return torch.ones_like(h), torch.zeros_like(h), h
        if self.blocks is not None:
            *_, r, z, n = self.blocks.unflatten(2, (-1, h.shape[2])).unbind(2)
            return r, z if getattr(self.module, "z_keeps", True) else 1 - z, n
        if self.seen is not None:
            return self.seen
        if not (isinstance(self.module, nn.GRUCell) or hasattr(self.module, "gates")):
            return None, None, None
        states = [steps.flatten(0, 1) for steps in (self.before, *self.others)]
        with torch.no_grad():
            found = gates_function(self.module)(self.x.flatten(0, 1), tuple(states) if self.others else states[0])
        return tuple(gate.unflatten(0, self.x.shape[:2]) for gate in found[:3])

    @cached_property
    def z_keeps(self) -> bool | None:
        """Whether h' = (1 - z) n + z h, or else (1 - z) h + z n; None where it is neither."""
        said = True if isinstance(self.module, nn.RNNBase | nn.GRUCell) else getattr(self.module, "z_keeps", None)
        if said is not None:
            return said
        _, z, n = self.gates
        if z is None:
            return None
        keeps, writes = (((1 - a) * n + a * self.before - self.states[1:]).abs().amax() for a in (z, 1 - z))
        return None if min(keeps, writes) > tolerance(n) else bool(keeps <= writes)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        """One more step of this recurrence: the state after h (B, H)."""
        if isinstance(self.weights, Elman):
            return elman(x, h, *self.weights)
        return gates_function(self.module)(x, h).h if self.weights is None else step(x, h, self.weights).h

    def in_order_of_input(self, steps: Tensor) -> Tensor:
        """Steps (T, B, ..) where their inputs stand: the reverse direction begins at a sequence's end."""
        if not self.reverse:
            return steps
        if self.lengths is None:
            return steps.flip(0)
        t = torch.arange(len(steps), device=steps.device).unsqueeze(1)
        return steps[torch.where(t < self.lengths, self.lengths - 1 - t, t), torch.arange(len(self.lengths))]


class Record(NamedTuple):
    """What one run of a module gave, and its recurrences: in the order of the module's children, layer, direction."""

    outputs: object  # of a cell its states (T, B, H), of a layer its output sequence, else what the model returned
    last: Tensor  # the last state of the recurrence that was called last; of a layer its top's, in both directions
    runs: list[Run]


def record(module: nn.Module, x: object, h0: Tensor | None = None, kwargs: dict | None = None) -> Record:
    """Run a module once, as ``eval()`` would and without gradients; for the arguments see :func:`gru.trace`."""
    with torch.no_grad(), recording(module) as recorder:
        found = recorder.run(x, h0, kwargs or {})
        for run in found.runs:
            run.gates  # noqa: B018  while the module is in eval mode
    return found


def joined(steps: Sequence[Tensor]) -> Tensor:
    """One tensor along time; of a single one, which is the rule, no copy."""
    return steps[0] if len(steps) == 1 else torch.cat(list(steps))


def tolerance(like: Tensor) -> float:
    """How far two ways to compute one step may differ in a tensor's precision."""
    cast = _arguments.autocasting(like)
    dtype = torch.get_autocast_dtype(like.device.type) if cast else like.dtype
    return torch.finfo(dtype).eps ** 0.75


# ---- the recorder


@contextmanager
def recording(module: nn.Module, hold_inputs: bool = False) -> Iterator["Recorder"]:
    """A module in eval mode whose recurrences record; afterwards it is as it was, whatever happened.

    With gradients enabled a loss can be differentiated with respect to what each run lists as ``outputs``. With
    ``hold_inputs`` no gradient flows through what the cells read.
    """
    recorder = Recorder(module, hold_inputs)
    # Compiled parts run as they were written.
    with torch.compiler.set_stance("force_eager"), eval_mode(recorder.module):
        try:
            for tape in recorder.tapes:
                tape.start()
            yield recorder
        finally:
            for tape in recorder.tapes:
                tape.stop()


@contextmanager
def eval_mode(module: nn.Module) -> Iterator[None]:
    """Every part in eval mode, and afterwards in the mode it had."""
    training = [part for part in module.modules() if part.training]
    try:
        module.eval()
        yield
    finally:
        for part in training:
            part.training = True


class Recorder:
    """Runs a module once and reads its recurrences: what :func:`recording` gives."""

    def __init__(self, module: nn.Module, hold_inputs: bool) -> None:
        self.module, found = find(module)
        self.is_model = found[0].module is not self.module
        self.hold_inputs, self.is_open, self.last = hold_inputs, True, None
        self.first_block = 0 if torch.is_grad_enabled() else 1  # of the gates that are kept: q or p serves a walk alone
        self.tapes = [(_CellTape if one.is_cell else _LayerTape)(self, one.name, one.module) for one in found]

    def run(self, x: object, h0: Tensor | None, kwargs: dict) -> Record:
        if not self.is_model and kwargs:
            kind, names = type(self.module).__name__, ", ".join(kwargs)
            raise TypeError(f"{names}: expected x and h0 alone, since {kind} is not a model with keywords of its own")
        if isinstance(self.tapes[0], _CellTape) and not self.is_model:
            outputs = self.tapes[0].drive(x, h0)
        else:
            outputs = self.module(*((x,) if h0 is None else (x, h0)), **kwargs)
            outputs = outputs if self.is_model else outputs[0]
        self.is_open = False
        called = [tape for tape in self.tapes if tape.calls]
        if not called:
            names = ", ".join(tape.name for tape in self.tapes)
            raise RuntimeError(f"module: expected its forward to call {names}, but it called none of them")
        return Record(outputs, self.last, [run for tape in called for run in tape.runs()])


class _Tape:
    """The calls of one cell or layer, and the methods that stand in its methods' place."""

    def __init__(self, recorder: Recorder, name: str, module: nn.Module) -> None:
        self.recorder, self.name, self.module = recorder, name, module
        self.kind = type(module).__name__
        self.calls, self.replaced = [], {}

    def replace(self, name: str, method: Callable) -> None:
        self.replaced[name] = vars(self.module).get(name)
        vars(self.module)[name] = method

    def stop(self) -> None:
        for name, before in self.replaced.items():
            if before is None:
                del vars(self.module)[name]
            else:
                vars(self.module)[name] = before

    @contextmanager
    def lining_up(self, inputs: list[Tensor]) -> Iterator[None]:
        """Where calls cannot stand one after the other, say that their batches differ."""
        try:
            yield
        except RuntimeError as error:
            shapes = [tuple(x.shape) for x in inputs]
            if len({shape[-2:-1] for shape in shapes}) > 1:
                raise ValueError(
                    f"{self.name}: expected the same batch at every call, to line them up in time, got inputs of "
                    f"shapes {', '.join(map(str, shapes))}"
                ) from error
            raise


# ---- layers


class _LayerCall(NamedTuple):
    received: Tensor | None  # the state before, the tensor itself
    before: Tensor | None  # and what it held
    after: Tensor  # what the state after held, all layers and directions of it
    sweeps: list[Sweep]


class _LayerTape(_Tape):
    def __init__(self, recorder: Recorder, name: str, module: nn.Module) -> None:
        super().__init__(recorder, name, module)
        self.sweep = _sweep  # what runs one recurrence: replay puts one in its place that minds its edits

    def start(self) -> None:
        if isinstance(self.module, GRU):
            self.replace("_run", self.run)
        elif type(self.module).forward is nn.GRU.forward and "forward" not in vars(self.module):
            self.replace("forward", self.run)
        else:
            self.replace("forward", partial(self.run_beside, self.module.forward))

    def run(self, input: Tensor | PackedSequence, hx: Tensor | None = None):
        names = ("input", "hx") if self.recorder.is_model else ("x", "h0")
        packed = None
        if isinstance(input, PackedSequence):
            packed = layout_of(self.module, input, hx, names)
        sweeps = []

        def engine(x: Tensor, h0: Tensor, weights: Weights) -> Tensor:
            if not bptt.is_plain(x, h0):
                raise RuntimeError(f"{self.name or self.kind}: expected no transform of torch.func around it, got one")
            sweeps.append(self.sweep(x, h0, weights, self.recorder.first_block, packed))
            return sweeps[-1].output.clone()  # the module may write into what it gets

        outputs, h_n = run_layers(self.module, input, hx, partial(weights_of, self.module), engine, names)
        if self.recorder.is_open:
            before = None if hx is None else hx.detach().clone()
            self.calls.append(_LayerCall(hx, before, h_n.detach().clone(), sweeps))
            self.recorder.last = h_n[-2 if self.module.bidirectional else -1 :].clone()
        return outputs, h_n

    def run_beside(self, own: Callable, *args, **kwargs):
        """A forward of the user's own, where it gives what the equations give."""
        bound = inspect.signature(own).bind(*args, **kwargs)
        output, ours = own(*args, **kwargs), self.run(*list(bound.arguments.values())[:2])
        data = [_data(one) for one in ours]
        found = [_data(one) for one in tree_leaves(output, is_leaf=lambda one: isinstance(one, PackedSequence))]
        same = [[_near(a, b) for b in data] for a in found if isinstance(a, Tensor)]
        if same == [[True, False], [False, True]] or (len(same) == 2 and same[0][0] and same[1][1]):
            return ours
        if torch.is_grad_enabled() or not any(map(any, same)):
            raise TypeError(
                f"{self.name or self.kind}: expected a forward that computes what a GRU's does, got one of "
                f"{self.kind}'s own; let it build on gru.GRU, which records what its own forward reads"
            )
        return output

    def runs(self) -> list[Run]:
        ends = list(accumulate(len(call.sweeps[0].x) for call in self.calls))
        links = [
            (end, [sweep.output for sweep in one.sweeps], one.after, other.received, other.before)
            for end, (one, other) in zip(ends, pairwise(self.calls), strict=False)
        ]
        starts, changed = _breaks(links)
        suffixes = suffixes_of(self.module)
        with self.lining_up([call.sweeps[0].x for call in self.calls]):
            found = []
            for k, suffix in enumerate(suffixes):
                sweeps = [call.sweeps[k] for call in self.calls]
                states = [sweep.restored(sweep.states) for sweep in sweeps]
                packed = sweeps[0].packed if len(sweeps) == 1 else None
                found.append(
                    Run(
                        name=f"{self.name}.{suffix}" if self.name else suffix,
                        module=self.module,
                        weights=sweeps[-1].weights,
                        x=joined([sweep.restored(sweep.x) for sweep in sweeps]).detach(),
                        states=joined([states[0], *(later[1:] for later in states[1:])]),
                        before=joined([one[:-1] for one in states]),
                        outputs=[sweep.output for sweep in sweeps],
                        sweeps=sweeps,
                        lengths=None if packed is None else packed.restore(packed.end.unsqueeze(0) + 1)[0],
                        reverse=suffix.endswith("_reverse"),
                        starts=starts,
                        changed=changed,
                    )
                )
        return found


def _sweep(x: Tensor, h0: Tensor, weights: Known, first_block: int, packed: Packed | None = None) -> Sweep:
    """All steps of one recurrence; parameters get no gradient, but x and h0 do where they ask for one."""
    weights = type(weights)(*(value.detach() if isinstance(value, Tensor) else value for value in weights))
    grad = torch.is_grad_enabled()
    if isinstance(weights, Elman):
        states, gates = _elman_states(x.detach(), h0.detach(), weights), None
    else:
        states, gates = bptt.forward(x, h0, weights, keep=True, first_block=first_block)
    if grad and isinstance(weights, Weights) and (x.requires_grad or h0.requires_grad):
        output = _Passing.apply(x, h0, (weights, states, gates))
    else:
        output = states[1:].detach().requires_grad_(grad)
    return Sweep(weights, x, states, gates, output, packed)


class _Passing(torch.autograd.Function):
    """The states of a sweep, and the way of their gradients back to its x and h0."""

    @staticmethod
    def forward(ctx, x, h0, kept):
        ctx.x, ctx.kept = x.detach(), kept
        return kept[1][1:]

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_states):
        needed = (*ctx.needs_input_grad[:2], False, False, False, False)
        weights, states, gates = ctx.kept
        return *bptt.backward(ctx.x, weights, states, gates, grad_states, needed)[:2], None


def _elman_states(x: Tensor, h0: Tensor, weights: Elman) -> Tensor:
    """(T+1, B, H), h_0 first."""
    W, U, b_i, b_h = weights
    states = torch.cat((h0.unsqueeze(0), linear(x, W, b_i)))
    if b_h is not None:
        states[1:] += b_h
    with torch.inference_mode():
        U_t, (h, *later) = U.t().contiguous(), states.unbind(0)
        for state in later:
            h = state.addmm_(h, U_t).tanh_()
    return states


def _data(value: object) -> object:
    return value.data if isinstance(value, PackedSequence) else value


def _leaves(output: object) -> list[object]:
    """What may be a state in what a cell gave."""
    return [output.h] if isinstance(getattr(output, "h", None), Tensor) else tree_leaves(output)


def _near(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(a, b, rtol=1e-3, atol=1e-4, equal_nan=True)


def _breaks(links: list[tuple]) -> tuple[list[int], bool]:
    """Which steps read nothing of the state before them, and whether one reads a changed version of it.

    Args:
        links: for each call but the first: its first step, what the call before gave to differentiate with respect to,
            what its state held, the state that the call received, and what that held.
    """
    starts, changed = [], False
    for first, outputs, after, received, before in links:
        same = received is not None and before.shape == after.shape and _equal(before, after)
        outputs = [output for output in outputs if output.requires_grad]
        if received is None or (outputs and not _depends(received, outputs, same)):
            starts.append(first)
        elif not same:
            changed = True
    return starts, changed


def _depends(state: Tensor, outputs: list[Tensor], same: bool) -> bool:
    """Whether a state was computed from earlier ones, by autograd; one that is the same only has to have a graph."""
    if same or not state.requires_grad:
        return state.requires_grad
    return any(g is not None for g in torch.autograd.grad(state.sum(), outputs, retain_graph=True, allow_unused=True))


def _equal(a: Tensor, b: Tensor) -> bool:
    return torch.equal(a.nan_to_num(), b.nan_to_num())


# ---- cells


class _CellCall(NamedTuple):
    x: Tensor  # what it held
    received: Tensor | None  # the state before, the tensor itself
    read: tuple[Tensor, ...]  # what the step read in its place; h, and further states
    before: tuple[Tensor, ...]  # and what they held
    state: Tensor  # h after the step
    gates: Gates | None  # where it called gates


class _CellTape(_Tape):
    def start(self) -> None:
        cell = self.module
        self.is_hooked = any(part._forward_pre_hooks or part._forward_hooks for part in cell.modules())
        self.is_plain = keeps_equations(cell)
        self.count = len(getattr(cell, "states", "h"))
        self.depth, self.gates, self.places = 0, None, []  # of the call at hand: its gates, and where its states are
        for name in ("forward", "gates"):
            if hasattr(cell, name):
                method = getattr(cell, name)
                self.replace(name, partial(self.call, method, inspect.signature(method)))

    def call(self, method: Callable, signature: inspect.Signature, *args, **kwargs):
        if self.depth:  # a forward that calls gates, as a rule
            self.gates = method(*args, **kwargs)
            return self.gates
        self.depth, self.gates = 1, None
        try:
            bound = signature.bind(*args, **kwargs)
            of_x, of_h = list(signature.parameters)[:2]
            x, received = bound.arguments[of_x], bound.arguments.get(of_h)
            read = received if isinstance(received, tuple | list) else (received,)
            if received is None:
                read = self.first_states(method, x)
            if torch.is_grad_enabled():
                read = tuple(h if h.requires_grad else h.detach().requires_grad_() for h in read)
            bound.arguments[of_x] = x.detach() if self.recorder.hold_inputs else x
            bound.arguments[of_h] = tuple(read) if len(read) > 1 else read[0]
            before = tuple(h.detach().clone() for h in read)  # the model may use the same tensors again
            output = method(*bound.args, **bound.kwargs)
            gates = as_gates(self.module, output if method.__name__ == "gates" else self.gates)
            states = self.states_in(output, x, read)
            if self.recorder.is_open:
                first = received[0] if isinstance(received, tuple | list) else received
                self.calls.append(_CellCall(x.detach().clone(), first, read, before, states[0], gates))
                self.recorder.last = states[0]
            # The model may write into what it gets.
            return tree_map(lambda leaf: leaf.clone() if any(leaf is h for h in states) else leaf, output)
        finally:
            self.depth = 0

    def first_states(self, method: Callable, x: Tensor) -> tuple[Tensor, ...]:
        """Zeros, where a cell is called without a state; one that starts from others is refused."""
        own = None
        if class_of(self.module) is None:
            with torch.no_grad(), suppress(TypeError):  # of a cell that cannot start by itself
                own = self.states_in(method(x), x, ())[0]
        if own is None:
            return (x.new_zeros(*x.shape[:-1], self.module.hidden_size),) * self.count
        zeros = (torch.zeros_like(own),) * self.count
        with torch.no_grad():
            ours = self.states_in(method(x, zeros if self.count > 1 else zeros[0]), x, zeros)[0]
        if not _near(own, ours):
            raise TypeError(
                f"{self.name or self.kind}: expected the state of the first step as an argument, since this cell "
                "starts from one of its own, got None"
            )
        return zeros

    def states_in(self, output: object, x: Tensor, read: Sequence[Tensor]) -> list[Tensor]:
        """The state among what a cell gave, or the states where it has several."""
        leaves = _leaves(output)
        self.places = [
            k for k, one in enumerate(leaves) if isinstance(one, Tensor) and (not read or one.shape == read[0].shape)
        ]
        if len(self.places) > 1 and self.count == 1 and read:  # such as an answer as wide as it: which of them is it?
            with torch.no_grad():
                h = gates_function(self.module)(x, read[0]).h
            self.places = [k for k in self.places if _near(leaves[k], h)]
        self.places = self.places[: self.count]
        if not self.places:
            raise TypeError(
                f"{self.name or self.kind}: expected its forward to give the state, or the state among other tensors"
            )
        return [leaves[k] for k in self.places]

    def drive(self, x: Tensor, h0: Tensor | None) -> Tensor:
        """Step a bare cell through x: its states (T, B, H), as a loop over its calls has them."""
        cell = self.module
        x, h = check_drive(cell, x, h0)
        if self.is_plain and not self.is_hooked:
            h = check_step(cell, x[0], h)
            self.calls = [_sweep(x.detach(), h.detach(), known_weights(cell), self.recorder.first_block)]
            states = self.calls[0].output.clone()
            self.recorder.last = states[-1]
            return states
        own_gates = class_of(cell) is None and inspect.isroutine(getattr(type(cell), "gates", None))
        step_of, states = cell.gates if own_gates and not self.is_hooked else cell, []
        for x_t in x.unbind(0):
            output = _leaves(step_of(x_t) if h is None else step_of(x_t, h))
            h = tuple(output[k] for k in self.places) if self.count > 1 else output[self.places[0]]
            states.append(output[self.places[0]])
        return torch.stack(states)

    def runs(self) -> list[Run]:
        name = self.name or self.kind
        if isinstance(self.calls[0], Sweep):
            (sweep,) = self.calls
            fields = {"x": sweep.x, "states": sweep.states, "before": sweep.states[:-1]}
            return [Run(name, self.module, sweep.weights, **fields, outputs=[sweep.output], sweeps=[sweep])]
        links = [
            (t, [one.state], one.state.detach(), other.received, other.before[0])
            for t, (one, other) in enumerate(pairwise(self.calls), start=1)
        ]
        starts, changed = _breaks(links)
        with self.lining_up([call.x for call in self.calls]):
            x = torch.stack([torch.atleast_2d(call.x) for call in self.calls])
            before, *others = (
                torch.stack([torch.atleast_2d(h) for h in steps])
                for steps in zip(*(call.before for call in self.calls), strict=True)
            )
            after = torch.stack([torch.atleast_2d(call.state.detach()) for call in self.calls])
        weights = _weights_that_give(after, self.module, x, before)
        states = torch.cat((before[:1], after))
        outputs = [self.calls[0].read[0], *(call.state for call in self.calls)]
        gates = [call.gates for call in self.calls]
        seen = None
        if weights is None and all(gates):
            r, z, n, _ = zip(*gates, strict=True)
            seen = tuple(torch.stack([torch.atleast_2d(one.detach()) for one in gate]) for gate in (r, z, n))
        options = {"others": tuple(others), "seen": seen, "starts": starts, "changed": changed}
        return [Run(name, self.module, weights, x, states, before, outputs, **options)]


def _weights_that_give(after: Tensor, cell: nn.Module, x: Tensor, before: Tensor) -> Known | None:
    """The weights of a cell of a known class, where its equations lead from the states before to those after."""
    if class_of(cell) is None or not has_plain_linears(cell):
        return None
    weights = known_weights(cell)
    weights = type(weights)(*(value.detach() if isinstance(value, Tensor) else value for value in weights))
    with torch.no_grad():
        h = elman(x, before, *weights) if isinstance(weights, Elman) else step(x, before, weights).h
    near = tolerance(h) * max(1.0, float(h.detach().abs().nan_to_num().amax())) if h.numel() else 0.0
    return weights if torch.allclose(h, after.to(h), rtol=0, atol=near, equal_nan=True) else None


def check_drive(cell: nn.Module, x: Tensor, h0: object) -> tuple[Tensor, object]:
    """Check what a bare cell is to step through: x as (T, B, D), and h0 as (B, H), None if the cell knows best."""
    _arguments.is_tensor("x", x)
    if x.dim() < 2 or (class_of(cell) is not None and x.dim() > 3):
        raise ValueError(f"x: expected shape (T, B, D) or (T, D), got {_arguments.shape(x)}")
    if not len(x):
        raise RuntimeError(f"x: expected at least one step, got shape {_arguments.shape(x)}")
    single, count = x.dim() == 2, len(getattr(cell, "states", "h"))
    several = isinstance(h0, tuple | list)
    for h in h0 if several else [] if h0 is None else [h0]:
        _arguments.is_tensor("h0", h, "a Tensor or None")
        expected = (*x.shape[1:-1], getattr(cell, "hidden_size", h.shape[-1] if h.dim() else "H"))
        if x.dim() < 4 and tuple(h.shape) != expected:
            raise RuntimeError(f"h0: expected shape {expected} for this x and cell, got {_arguments.shape(h)}")
    if single:
        x = x.unsqueeze(1)
        h0 = tuple(h.unsqueeze(0) for h in h0) if several else None if h0 is None else h0.unsqueeze(0)
    if h0 is None and x.dim() == 3 and hasattr(cell, "hidden_size"):
        zeros = x.new_zeros(x.shape[1], cell.hidden_size)
        h0 = zeros if count == 1 else (zeros,) * count
    return x, tuple(h0) if several else h0
