r"""One run of a module, and what every recurrence in it read and computed: everything in :mod:`gru.inspect` reads this.

A recurrence is one layer and direction of a module, or a cell. While a recording lasts, methods of the module's cells
and layers are replaced, on the instances alone::

    gru.GRU, nn.GRU     runs on an engine that keeps what it computes: see gru.layer.run_layers
    a cell              notes what its ``forward``, or ``gates`` where a model calls that, read and gave

Hooks that make weights or inputs run before ``forward``, so they take part; what a hook does to an output is the
model's doing, as is whatever it does to a state between two calls. Parameters get no gradients. What replaces a method
stands until the recording ends, because activation checkpointing calls a forward again while autograd runs; what is
called after the run is not recorded.

Symbols, and what a Run and a Sweep hold: :mod:`gru.inspect.run`.
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cache, partial
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from torch.utils._pytree import tree_leaves, tree_map

from gru import _arguments, bptt
from gru.cells import cell_weights, check_step, class_of, has_plain_linears, keeps_equations
from gru.equations import Gates, Weights, step
from gru.inspect.recurrences import as_gates, count_of, find, gates_function
from gru.inspect.run import Link, Run, Sweep, asking, detached, run_of_sweeps, run_sweep, tolerance
from gru.layer import GRU, layout_of, run_layers, suffixes_of, weights_of


class Record(NamedTuple):
    """What one run of a module gave, and its recurrences: in the order of the module's children, layer, direction."""

    outputs: object  # of a cell its states (T, B, H), of a layer its output sequence, else what the model returned
    last: Tensor  # the last state of the recurrence that was called last; of a layer its top's, in both directions
    runs: list[Run]


def record(module: nn.Module, x: object, h0: Tensor | None = None, kwargs: dict | None = None) -> Record:
    """Run a module once, as ``eval()`` would and without gradients; for the arguments see :func:`gru.trace`."""
    with torch.no_grad(), recording(module) as recorder:
        return recorder.run(x, h0, kwargs or {})


@contextmanager
def recording(module: nn.Module, hold_inputs: bool = False) -> Iterator["Recorder"]:
    """A module in eval mode whose recurrences record; afterwards it is as it was, whatever happened.

    With gradients enabled a loss can be differentiated with respect to what each run lists as ``outputs``. With
    ``hold_inputs`` no gradient flows through what the cells read.
    """
    recorder = Recorder(module, hold_inputs)
    with ExitStack() as stack:
        if recorder.is_model or recorder.module._compiled_call_impl is not None:
            stack.enter_context(torch.compiler.set_stance("force_eager"))  # as it is written, not as it is compiled
        stack.enter_context(eval_mode(recorder.module))
        stack.callback(recorder.tapes.clear)  # they refer to the recorder: no circle is to keep large tensors alive
        for tape in recorder.tapes:
            stack.enter_context(other_methods(tape.module, tape.methods()))
        yield recorder


@contextmanager
def eval_mode(module: nn.Module) -> Iterator[None]:
    """Every part in eval mode, and afterwards in the mode it had."""
    training = [part for part in module.modules() if part.training]
    try:
        if training:
            module.eval()
        yield
    finally:
        for part in training:
            part.training = True


@contextmanager
def other_methods(module: nn.Module, methods: dict[str, Callable]) -> Iterator[None]:
    """A module with other methods, on the instance alone."""
    namespace = vars(module)
    before = {name: namespace[name] for name in methods if name in namespace}
    namespace.update(methods)
    try:
        yield
    finally:
        for name in methods:
            del namespace[name]
        namespace.update(before)


class Recorder:
    """Runs a module once and reads its recurrences: what :func:`recording` gives."""

    def __init__(self, module: nn.Module, hold_inputs: bool) -> None:
        self.module, found = find(module)
        self.is_model, self.hold_inputs = found[0].module is not self.module, hold_inputs
        self.first_block = 0 if torch.is_grad_enabled() else 1  # of the gates that are kept: q or p serves a walk alone
        self.is_open, self.last = True, None
        self.tapes = [(_CellTape if one.is_cell else _LayerTape)(self, one.name, one.module) for one in found]

    def run(self, x: object, h0: Tensor | None, kwargs: dict) -> Record:
        if not self.is_model and kwargs:
            names, kind = ", ".join(kwargs), type(self.module).__name__
            raise TypeError(f"{names}: expected x and h0 alone, since {kind} is not a model with keywords of its own")
        if not self.is_model and isinstance(self.tapes[0], _CellTape):
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
        self.recorder, self.module = recorder, module
        self.name, self.title = name, name or type(module).__name__
        self.calls = []

    def check_batches(self, inputs: Sequence[Tensor]) -> None:
        """Calls stand one after the other in time, so their batches must be the same."""
        if len({x.shape[-2] for x in inputs}) > 1:
            shapes = ", ".join(str(tuple(x.shape)) for x in inputs)
            expected = "the same batch at every call, to line them up in time"
            raise ValueError(f"{self.name}: expected {expected}, got inputs of shapes {shapes}")


# ---- layers


class _LayerTape(_Tape):
    def __init__(self, recorder: Recorder, name: str, module: nn.Module) -> None:
        super().__init__(recorder, name, module)
        self.engines = [run_sweep] * len(suffixes_of(module))  # replay puts others here, that mind its edits

    def methods(self) -> dict[str, Callable]:
        own = type(self.module).forward not in (GRU.forward, nn.GRU.forward) or "forward" in vars(self.module)
        # Nobody but the caller sees what a layer gives that is not inside anything: it needs no copies.
        self.is_alone = not (own or self.recorder.is_model or self.module._forward_hooks or torch.is_grad_enabled())
        if isinstance(self.module, GRU):
            return {"_run": self.run}
        return {"forward": partial(self.run_beside, self.module.forward) if own else self.run}

    def run(self, input: Tensor | PackedSequence, hx: Tensor | None = None) -> tuple:
        names = ("input", "hx") if self.recorder.is_model else ("x", "h0")
        packed = layout_of(self.module, input, hx, names) if isinstance(input, PackedSequence) else None
        alone = self.is_alone
        sweeps = []

        def engine(x: Tensor, h0: Tensor, weights: Weights) -> Tensor:
            if not bptt.is_plain(x, h0):
                raise RuntimeError(f"{self.title}: expected no transform of torch.func around it, got one")
            sweeps.append(self.engines[len(sweeps)](x, h0, weights, self.recorder.first_block, packed))
            output = sweeps[-1].output
            return output if alone else output.clone()  # a model may write into what it gets

        outputs, h_n = run_layers(self.module, input, hx, partial(weights_of, self.module), engine, names)
        if self.recorder.is_open:
            self.calls.append((hx, sweeps))
            self.recorder.last = (h_n if alone else h_n.clone())[-2 if self.module.bidirectional else -1 :]
        return outputs, h_n

    def run_beside(self, own: Callable, *args, **kwargs) -> tuple:
        """A forward of the user's own, where it gives what nn.GRU's would."""
        given = inspect.signature(own).bind(*args, **kwargs).arguments.values()
        output, ours = own(*args, **kwargs), self.run(*list(given)[:2])
        if not _agree(output, ours):
            raise TypeError(
                f"{self.title}: expected a forward that computes what a GRU's does, got one of "
                f"{type(self.module).__name__}'s own; let it build on gru.GRU, which records what that reads"
            )
        return ours

    def runs(self) -> list[Run]:
        given, sweeps = zip(*self.calls, strict=True)  # hx of each call, and its sweeps, one per layer and direction
        self.check_batches([of_call[0].x for of_call in sweeps])
        runs = []
        for k, suffix in enumerate(suffixes_of(self.module)):
            name = f"{self.name}.{suffix}" if self.name else suffix
            received, own = [None if hx is None else hx[k] for hx in given], [of_call[k] for of_call in sweeps]
            runs.append(run_of_sweeps(name, self.module, own, received, suffix.endswith("_reverse")))
        return runs


def _agree(*outputs: object) -> bool:
    """Whether two calls gave the same tensors, but for rounding."""
    a, b = ([leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor)] for output in outputs)
    pairs = zip(a, b, strict=False)
    near = (x.shape == y.shape and torch.allclose(x, y, rtol=1e-3, atol=1e-4, equal_nan=True) for x, y in pairs)
    return len(a) == len(b) and all(near)


# ---- cells


class _CellCall(NamedTuple):
    x: Tensor  # what it held
    received: Tensor | None  # the state before, the tensor itself
    read: Tensor  # what the step read in its place
    before: Tensor  # and what that held
    state: Tensor  # h after the step
    gates: Gates | None


class _CellTape(_Tape):
    def __init__(self, recorder: Recorder, name: str, module: nn.Module) -> None:
        super().__init__(recorder, name, module)
        self.asks = True  # the cell, beside the model's calls: for gates that its forward does not call, for its start
        self.is_plain, self.count = keeps_equations(module), count_of(module)
        self.signature_of = cache(inspect.signature)  # of forward and gates
        self.inside, self.gates, self.places = False, None, []  # a call: its gates, and where its output has the states

    def methods(self) -> dict[str, Callable]:
        own = {name: getattr(self.module, name) for name in ("forward", "gates") if hasattr(self.module, name)}
        return {name: partial(self.call, method) for name, method in own.items()}

    def call(self, method: Callable, *args, **kwargs) -> object:
        if self.inside:  # a forward that calls gates, as a rule
            self.gates = method(*args, **kwargs)
            return self.gates
        self.inside = True
        try:
            bound = self.signature_of(method).bind_partial(*args, **kwargs)
            of_x, of_h = list(bound.signature.parameters)[:2]
            x, received = bound.arguments[of_x], bound.arguments.get(of_h)
            read = self.zeros(method, x) if received is None else received
            if torch.is_grad_enabled():
                read = tree_map(asking, read)
            before = tree_leaves(read)[0].detach().clone()  # the model may use the same tensors again
            bound.arguments |= {of_x: x.detach() if self.recorder.hold_inputs else x, of_h: read}
            self.gates = None
            output = method(*bound.args, **bound.kwargs)
            gates = self.gates_at(method, output, x, read)
            states = self.states_in(output, x, read)
            kept = [*map(asking, states)] if torch.is_grad_enabled() else states  # made of x alone, say
            if self.recorder.is_open:
                first, h = tree_leaves(received)[0], tree_leaves(read)[0]
                self.calls.append(_CellCall(x.detach().clone(), first, h, before, kept[0], gates))
                self.recorder.last = kept[0]
            # The model may write into what it gets.
            pairs = [*zip(states, kept, strict=True)]
            return tree_map(lambda leaf: next((h.clone() for state, h in pairs if leaf is state), leaf), output)
        finally:
            self.inside = False

    def gates_at(self, method: Callable, output: object, x: Tensor, read: object) -> Gates | None:
        """The gates of a call whose equations are not known: as it computed them, or by asking the cell."""
        if self.is_plain or not (isinstance(self.module, nn.GRUCell) or hasattr(self.module, "gates")):
            return None
        found = output if method.__name__ == "gates" else self.gates
        if found is None and not self.asks:
            return None
        with torch.no_grad():
            found = gates_function(self.module)(x, read) if found is None else as_gates(self.module, found)
        return Gates(*(torch.atleast_2d(gate.detach()) for gate in found))

    def zeros(self, method: Callable, x: Tensor) -> object:
        """The states of a cell that is called without; one that starts from others is refused."""
        cell, zeros, fits = self.module, None, True
        with torch.no_grad(), suppress(TypeError):  # of a cell that cannot start by itself
            if hasattr(cell, "hidden_size"):
                h = x.new_zeros(*x.shape[:-1], cell.hidden_size)
            else:
                h = torch.zeros_like(as_gates(cell, cell.gates(x)).h)
            zeros = h if self.count == 1 else (h,) * self.count
            fits = class_of(cell) is not None or not self.asks or _agree(method(x), method(x, zeros))
        if zeros is None or not fits:
            raise TypeError(f"{self.title}: expected its first state as an argument, if it is not zero, got None")
        return zeros

    def states_in(self, output: object, x: Tensor, read: object) -> list[Tensor]:
        """The state among what a cell gave, or the states where it has several."""
        leaves, shape = _leaves(output), tree_leaves(read)[0].shape
        self.places = [k for k, one in enumerate(leaves) if isinstance(one, Tensor) and one.shape == shape]
        if len(self.places) > self.count:  # such as an answer as wide as the state: which of them is it?
            with torch.no_grad():
                h = gates_function(self.module)(x, read).h
            self.places = [k for k in self.places if _agree(leaves[k], h)]
        self.places = self.places[: self.count]
        if not self.places:
            raise TypeError(f"{self.title}: expected its forward to give the state, or the state among other tensors")
        return [leaves[k] for k in self.places]

    def drive(self, x: Tensor, h0: Tensor | None) -> Tensor:
        """Step a bare cell through x: its states (T, B, H), as a loop over its calls has them."""
        cell = self.module
        x, h = _check_drive(cell, x, h0)
        is_hooked = any(part._forward_pre_hooks or part._forward_hooks for part in cell.modules())
        if self.is_plain and not is_hooked:
            h = check_step(cell, x[0], h)
            self.calls = [run_sweep(x.detach(), h.detach(), cell_weights(cell), self.recorder.first_block)]
            states = self.calls[0].output.clone()
            self.recorder.last = states[-1]
            return states
        own_gates = class_of(cell) is None and inspect.isfunction(getattr(type(cell), "gates", None))
        one_step, states = cell.gates if own_gates and not is_hooked else cell, []
        for x_t in x.unbind(0):
            output = _leaves(one_step(x_t) if h is None else one_step(x_t, h))
            states.append(output[self.places[0]])
            h = tuple(output[k] for k in self.places) if self.count > 1 else states[-1]
        return torch.stack(states)

    def runs(self) -> list[Run]:
        if isinstance(self.calls[0], Sweep):
            return [run_of_sweeps(self.title, self.module, self.calls, [None])]
        calls = self.calls
        self.check_batches([torch.atleast_2d(call.x) for call in calls])
        x, before, after = (
            torch.stack([torch.atleast_2d(getattr(call, name).detach()) for call in calls])
            for name in ("x", "before", "state")
        )
        weights = _weights_that_give(after, self.module, x, before)
        own = None
        if weights is None and all(call.gates for call in calls):
            own = tuple(torch.stack(gate) for gate in zip(*(call.gates[:3] for call in calls), strict=True))
        links = [Link(t, one.state, other.received) for t, (one, other) in enumerate(pairwise(calls), start=1)]
        outputs = [calls[0].read, *(call.state for call in calls)]
        states = torch.cat((before[:1], after))
        return [Run(self.title, self.module, weights, x, states, before, outputs, own_gates=own, links=links)]


def _leaves(output: object) -> list[object]:
    """What may be a state in what a cell gave."""
    return [output.h] if isinstance(getattr(output, "h", None), Tensor) else tree_leaves(output)


def _weights_that_give(after: Tensor, cell: nn.Module, x: Tensor, before: Tensor) -> Weights | None:
    """The weights of a cell of a known class, where its equations lead from the states before to those after."""
    if class_of(cell) is None or not has_plain_linears(cell):
        return None
    weights = detached(cell_weights(cell))
    with torch.no_grad():
        h = step(x, before, weights).h
    scale = max(1.0, float(h.abs().nan_to_num().amax())) if h.numel() else 1.0
    return weights if torch.allclose(h, after.to(h), rtol=0, atol=scale * tolerance(h), equal_nan=True) else None


def _check_drive(cell: nn.Module, x: Tensor, h0: object) -> tuple[Tensor, object]:
    """What a bare cell is to step through: x as (T, B, D), and h0 as (B, H), None if the cell knows best."""
    _arguments.is_dense("x", x)
    if x.dim() < 2 or (x.dim() > 3 and class_of(cell) is not None):
        raise ValueError(f"x: expected shape (T, B, D) or (T, D), got {_arguments.shape(x)}")
    if not len(x):
        raise RuntimeError(f"x: expected at least one step, got shape {_arguments.shape(x)}")
    H = getattr(cell, "hidden_size", None) if x.dim() < 4 else None
    expected = (*x.shape[1:-1], H)
    for h in [] if h0 is None else tree_leaves(h0):
        _arguments.is_dense("h0", h, "a Tensor or None")
        if H is not None and tuple(h.shape) != expected:
            raise RuntimeError(f"h0: expected shape {expected} for this x and cell, got {_arguments.shape(h)}")
    if h0 is None and H is not None:
        h0 = x.new_zeros(expected)
        h0 = h0 if count_of(cell) == 1 else (h0,) * count_of(cell)
    if x.dim() > 2:
        return x, h0
    return x.unsqueeze(1), None if h0 is None else tree_map(lambda h: h.unsqueeze(0), h0)
