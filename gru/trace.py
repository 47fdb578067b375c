r"""The gates of any recurrence at every step: r, z, n and h of a cell, a layer, or a whole model.

One call to :func:`trace` runs the module once. A layer's gates are those that the run itself computed. Where only the
states are known (a cell in a model's own loop, or gradients are asked for), all gates follow at once: step t needs x_t
and h_{t-1}, both at hand, so one call of the equations over (T, B) replaces a second loop.

Glossary
    x (T, B, D)    what the recurrence reads at each step
    r, z, n (T, B, H)    reset gate, update gate, candidate
    h (T, B, H)    the state *after* each step; r[t], z[t], n[t] lead from h[t-1] to h[t]
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from threading import get_ident
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.rnn import PackedSequence
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm
from torch.utils._pytree import tree_leaves

from gru import _arguments, bptt
from gru.cells import ElmanCell, ResetAfterCell, ResetBeforeCell, check_step
from gru.equations import Gates, Weights, step
from gru.layer import GRU, Dense, Packed, layer_weights, layout_of, run_layers, sweep


class Trace(NamedTuple):
    """Inputs (T, B, D) and gates (T, B, H) at every step; lists, one entry a layer and direction, where several."""

    x: Tensor | list[Tensor]
    r: Tensor | list[Tensor]
    z: Tensor | list[Tensor]
    n: Tensor | list[Tensor]
    h: Tensor | list[Tensor]


class Recurrence(NamedTuple):
    """A recurrent part of a module: its dotted name ("" for the module itself), and the part; a cell or a layer."""

    name: str
    module: nn.Module
    is_cell: bool


def recurrences(module: nn.Module) -> list[Recurrence]:
    """The recurrent parts of a module, in the order of its children.

    These are our cells and layer, ``torch.nn.GRU`` and ``GRUCell``, and any module whose class has a method
    ``gates(x, h)``. What lies inside such a part belongs to it, and a part used under two names is listed once.

    >>> from torch import nn
    >>> model = nn.ModuleDict({"encoder": nn.GRU(4, 5), "head": nn.Linear(5, 2)})
    >>> [(part.name, part.is_cell) for part in recurrences(model)]
    [('encoder', False)]
    """
    if not isinstance(module, nn.Module):
        raise TypeError(f"module: expected a torch.nn.Module, got {type(module).__name__}")
    found: dict[int, Recurrence] = {}
    for part in _search(module, ""):
        found.setdefault(id(part.module), part)
    return list(found.values())


def _search(part: nn.Module, name: str) -> Iterator[Recurrence]:
    if isinstance(part, (GRU, nn.GRU)):
        yield Recurrence(name, part, is_cell=False)
    elif isinstance(part, nn.GRUCell) or inspect.isroutine(getattr(type(part), "gates", None)):
        yield Recurrence(name, part, is_cell=True)
    else:
        for child_name, child in part.named_children():
            names = (name, "" if child_name == "_orig_mod" else child_name)  # the latter is torch.compile's
            yield from _search(child, ".".join(filter(None, names)))


# What a cell's equations are made of, by name; other parts of a subclass do not matter.
LINEARS = {
    ResetBeforeCell: ("reset_gate", "update_gate", "hidden_transform"),
    ResetAfterCell: tuple(f"{of}_{gate}" for of in ("input", "hidden") for gate in ("reset", "update", "candidate")),
}
# Hooks that make a weight anew from other parameters and change nothing else.
MAKES_WEIGHTS = (BasePruningMethod, WeightNorm, SpectralNorm)


def keeps_equations(module: nn.Module) -> bool:
    """Whether a cell or a layer computes what its class, here or in torch.nn, computes.

    Not so if a subclass or the object itself puts another method in the place of that class's, or if one of a cell's
    linear layers was replaced or has hooks that may change what it reads or gives.
    """
    known = _class_of(module)
    if known is None or any(_replaced(module, name) for name in ("forward", "gates", "_gates", "weights")):
        return False
    linears = [getattr(module, name) for name in LINEARS.get(known, ())]
    return all(
        type(linear).forward is nn.Linear.forward
        and not linear._forward_hooks
        and all(isinstance(hook, MAKES_WEIGHTS) for hook in linear._forward_pre_hooks.values())
        for linear in linears
    )


def runs_by_calls(part: nn.Module) -> bool:
    """Whether only a call of a cell or layer tells its states: hooks take part, or a subclass has its own forward.

    A cell with its own ``gates`` is not such a one, for that method is what is asked, unless it has hooks itself.
    """
    known = _class_of(part) is not None
    if known and _replaced(part, "forward") and not _replaced(part, "gates"):
        return True
    return any(inner._forward_pre_hooks or inner._forward_hooks for inner in (part.modules() if known else [part]))


def _class_of(module: nn.Module) -> type[nn.Module] | None:
    """Which class whose equations are known a module is of; None for a cell of the user's own."""
    known = (ElmanCell, ResetBeforeCell, ResetAfterCell, nn.GRUCell, GRU, nn.GRU)
    return next((one for one in known if isinstance(module, one)), None)


def _replaced(module: nn.Module, method: str) -> bool:
    """Whether a module's method is another than that of the known class."""
    own = getattr(type(module), method, None)
    return method in vars(module) or own is not getattr(_class_of(module), method, None)


def weights_of(module: nn.Module, layer: int = 0, reverse: bool = False) -> Weights:
    """The weights of a recurrence in PyTorch's layout (rows of r, z, n; z keeps), gradients flowing to its parameters.

    Args:
        module: ResetBeforeCell, ResetAfterCell, gru.GRU, torch.nn.GRU or torch.nn.GRUCell.
        layer, reverse: which layer and direction of a GRU; a cell has layer 0 alone.

    Raises:
        TypeError: another kind of module, or a cell that does not compute what its class does: see
            :func:`keeps_equations`.
        IndexError, ValueError: there is no such layer or direction.

    >>> import torch
    >>> weights_of(torch.nn.GRUCell(4, 5)).weight_ih.shape
    torch.Size([15, 4])
    """
    if isinstance(module, GRU):
        return module.weights(layer, reverse)
    if isinstance(module, nn.GRU):
        return layer_weights(module, layer, reverse, reset_after=True)
    if not isinstance(module, (ResetBeforeCell, ResetAfterCell, nn.GRUCell)):
        raise TypeError(
            "module: expected ResetBeforeCell, ResetAfterCell, gru.GRU, torch.nn.GRU or torch.nn.GRUCell, "
            f"got {type(module).__name__}"
        )
    if not keeps_equations(module):
        raise TypeError(
            f"module: expected a cell with the equations of its class, got {type(module).__name__}, which "
            "has a method or a layer of its own, or hooks in it"
        )
    if layer != 0:
        raise IndexError(f"layer: expected 0 for a cell, got {layer}")
    if reverse:
        raise ValueError("reverse: expected False for a cell, got True")
    return _weights_of_cell(module)


def _weights_of_cell(cell: nn.Module) -> Weights:
    if isinstance(cell, nn.GRUCell):
        return Weights(cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh, reset_after=True)
    return cell.weights()


def trace(
    module: nn.Module, x: Tensor | PackedSequence, h0: Tensor | None = None, *, grad: bool = False, **kwargs
) -> Trace:
    """r, z, n and h at every step of a cell, a layer, or the recurrences inside a model.

    Args:
        module: a cell (ours, ``torch.nn.GRUCell``, or your own with a method ``gates(x, h)`` whose result has fields
            r, z, n, h), a layer (``gru.GRU``, ``torch.nn.GRU``), or a model that contains some.
        x: what the module reads. For a cell (T, B, D), or (T, D) for one sequence; else whatever its forward takes.
        h0: the initial state, as the module takes it: (B, H) for a cell, (layers * directions, B, H) for a layer; for
            a model its second argument. Left out where None.
        grad: whether the trace keeps its graph, so that gradients reach parameters, x and h0. Off by default: a trace
            is for reading, and a graph over all steps is large.
        **kwargs: go to the model's forward, such as ``lengths``.

    Returns:
        Trace(x, r, z, n, h), time-major whatever ``batch_first`` says, on the module's device; B = 1 for a single
        sequence. h[t] is the state after step t. One recurrence gives tensors; several (stacked, two directions, or
        several parts) give lists, in the order of :func:`recurrences`, then layer, then direction. The reverse
        direction's entries stand where its input stands, so its run begins at h[T-1]. A packed input gives zeros where
        a sequence has ended. z is the cell's own: that of ResetBeforeCell writes. An ElmanCell has r = 1 and z = 0.
        Where a model calls a part several times, the calls follow each other in time. Where hooks or a subclass's
        forward change a cell's state, h is the changed one, and r, z, n are those that lead to it by the equations.

    The module is traced as ``eval()`` would run it, without dropout, and is left as it was, whatever happens. So do not
    trace a module that another thread is training: meanwhile it would train without dropout.

    Raises:
        TypeError: the module contains no recurrence, or x is no tensor.
        ValueError, RuntimeError: x or h0 do not fit, as the module itself says; the forward never called a recurrence.

    >>> import torch, gru
    >>> seen = gru.trace(gru.GRU(4, 5), torch.zeros(7, 3, 4))
    >>> seen.x.shape, seen.z.shape
    (torch.Size([7, 3, 4]), torch.Size([7, 3, 5]))
    """
    module, parts = find_parts(module)
    whole = parts[0].module is module
    if whole and kwargs:
        raise TypeError(
            f"trace: {', '.join(kwargs)} would go to a model's forward, but {type(module).__name__} is no model"
        )
    with torch.set_grad_enabled(grad), as_in_eval(module):
        if whole and parts[0].is_cell:
            found = [_drive_cell(parts[0], x, h0)]
        elif whole and not grad and not runs_by_calls(module):  # as a call would, without the care that hooks need
            with bptt.recording(copies=False) as walks:
                output = _forward(module, x, h0)
            found = _read_layer(parts[0], Call(x, h0, h0, output, None, None, False, walks, 0))
        else:
            arguments = (x,) if h0 is None else (x, h0)
            with listening(parts, record=not grad) as calls:
                module(*arguments, **kwargs)
            found = [entry for part in parts for entry in _read_calls(part, calls[part.name])]
    if not found:
        names = ", ".join(part.name for part in parts)
        raise RuntimeError(f"module: expected its forward to call {names}, but it called none of them")
    return Trace(*found[0]) if len(found) == 1 else Trace(*(list(field) for field in zip(*found, strict=True)))


def find_parts(module: nn.Module) -> tuple[nn.Module, list[Recurrence]]:
    """The module, out of what torch.compile wrapped around it, and its recurrent parts; TypeError if there is none."""
    module = getattr(module, "_orig_mod", module)  # what torch.compile wrapped: its hooks do not run
    parts = recurrences(module)
    if not parts:
        raise TypeError(
            "module: expected a cell, gru.GRU, torch.nn.GRU or GRUCell, a cell of your own with a method gates(x, h), "
            f"or a model that contains one, got {type(module).__name__}, which contains none"
        )
    return module, parts


# One entry of a trace: x (T, B, D), then r, z, n, h, each (T, B, H).
Entry = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


class Call(NamedTuple):
    """What a recurrent part was given and gave back, once.

    A model may write into the tensors of a call, so what the states held is kept as well.
    """

    x: Tensor | PackedSequence
    h: Tensor | None  # the state before, the tensor itself
    before: Tensor | None  # and what it held
    output: object  # of a layer, what its own forward gave
    state: Tensor | None  # the state after, the tensor itself: of a cell what hooks made of it, of a layer its h_n
    after: Tensor | None  # and what it held
    altered: bool  # whether hooks changed what its own forward gave
    walks: list[bptt.Walk]  # of a layer: one a layer and direction, where they were recorded
    number: int  # among all calls of all parts


def _state_in(output: object, cell: nn.Module, x: Tensor, h: Tensor | None) -> Tensor | None:
    """The state in what a cell gave; None if it is not among it."""
    if isinstance(output, Tensor):
        return output if h is None or output.shape == h.shape else None
    if isinstance(getattr(output, "h", None), Tensor):
        return output.h
    tensors = [one for one in tree_leaves(output) if isinstance(one, Tensor)]
    with torch.no_grad():  # such as an answer and the state: which of them is it?
        state = gates_function(cell)(*((x,) if h is None else (x, h))).h
    return next((one for one in tensors if one.shape == state.shape and torch.allclose(one, state)), None)


def same_numbers(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors hold the same numbers, NaN included; those without numbers do."""
    if a.is_meta or isinstance(a, FakeTensor):
        return a.shape == b.shape
    return torch.equal(a.nan_to_num(), b.nan_to_num())


@contextmanager
def as_in_eval(module: nn.Module) -> Iterator[None]:
    """Every part in eval mode, and afterwards in the mode it had."""
    training = [part for part in module.modules() if part.training]
    if training:
        module.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True


@contextmanager
def listening(parts: list[Recurrence], record: bool, hold_inputs: bool = False) -> Iterator[dict[str, list[Call]]]:
    """Collect the calls of each part by name, and if asked the walks of its layers; the hooks are gone afterwards.

    A torch.nn.GRU then runs on :mod:`gru.bptt` as well, which knows the states of every layer, and the gates. With
    gradients enabled, a cell then gets a state that requires one, zeros if it was given none, and, if asked, inputs
    through which no gradient flows. What other threads call meanwhile is not ours to note.
    """
    calls: dict[str, list[Call]] = {part.name: [] for part in parts}
    undo = []
    # Compiled parts run as they were written: what a compiler made of them calls no hooks and leaves no walk.
    with torch.compiler.set_stance("force_eager"), bptt.recording() if record else nullcontext([]) as walks:
        try:
            for part in parts:
                undo += _listen(part, calls, walks, record, hold_inputs)
            yield calls
        finally:
            for step_back in undo:
                step_back()


def _listen(
    part: Recurrence, calls: dict[str, list[Call]], walks: list[bptt.Walk], record: bool, hold_inputs: bool
) -> list[Callable]:
    """Hook one part; what undoes it."""
    module, signature = part.module, inspect.signature(part.module.forward)
    names = list(signature.parameters)
    thread = get_ident()
    hooked = bool(module._forward_hooks)  # by others, which may change what its forward gave
    first = 0  # where the walks of the call at hand begin
    made = None  # what its forward gave
    held = None  # and the state in it, before other hooks

    def given(args, kwargs) -> tuple[inspect.BoundArguments, Tensor | PackedSequence, Tensor | None]:
        bound = signature.bind(*args, **kwargs)
        h = bound.arguments.get(names[1]) if len(names) > 1 else None
        return bound, next(iter(bound.arguments.values())), h if isinstance(h, Tensor) else None

    def begin(module, args, kwargs):
        nonlocal first
        if get_ident() != thread:
            return None
        first = len(walks)
        if not (record and part.is_cell and torch.is_grad_enabled()):
            return None
        bound, x, h = given(args, kwargs)
        if hold_inputs:
            bound.arguments[names[0]] = x.detach()
        if h is None and hasattr(module, "hidden_size"):
            h = x.new_zeros(*x.shape[:-1], module.hidden_size)
        if h is not None:
            bound.arguments[names[1]] = h if h.requires_grad else h.detach().requires_grad_()
        return bound.args, bound.kwargs

    def keep(module, args, kwargs, output):
        nonlocal made, held
        if get_ident() != thread:
            return
        made = output
        if part.is_cell:
            if hooked:
                held = _state_in(output, module, *given(args, kwargs)[1:])
                held = None if held is None else held.clone()
        elif _is_layers(output):
            made = (output[0] if record else _copied(output[0])), output[1].clone()

    def note(module, args, kwargs, output):
        if get_ident() != thread:
            return None
        _, x, h = given(args, kwargs)
        before, number = None if h is None else h.clone(), sum(map(len, calls.values()))
        if not part.is_cell:
            altered = hooked and not (_is_layers(output) and _same_output(made, output))
            state = made[1] if _is_layers(made) else None
            calls[part.name].append(Call(x, h, before, made, state, state, altered, walks[first:], number))
            return None
        state = _state_in(output, module, x, h)
        after = None if state is None else state.clone()
        altered = hooked and (held is None or after is None or not same_numbers(held, after))
        calls[part.name].append(Call(x.clone(), h, before, output, state, after, altered, [], number))
        # The model may write into what it gets, but not into the state that a loss is differentiated by.
        return output.clone() if record and output is state and torch.is_grad_enabled() else None

    undo = [
        module.register_forward_pre_hook(begin, with_kwargs=True).remove,
        module.register_forward_hook(keep, with_kwargs=True, prepend=True).remove,
        module.register_forward_hook(note, with_kwargs=True).remove,
    ]
    if record and type(module).forward is nn.GRU.forward and "forward" not in vars(module):
        module.forward = partial(_forward, module)
        undo.append(partial(delattr, module, "forward"))
    return undo


def _is_layers(output: object) -> bool:
    """Whether this is what a layer gives, and no subclass's own."""
    return (
        isinstance(output, tuple)
        and len(output) == 2
        and isinstance(output[0], Tensor | PackedSequence)
        and isinstance(output[1], Tensor)
    )


def _same_output(a: tuple, b: tuple) -> bool:
    (a, a_n), (b, b_n) = a, b
    a, b = (one.data if isinstance(one, PackedSequence) else one for one in (a, b))
    return a.shape == b.shape and same_numbers(a, b) and same_numbers(a_n, b_n)


def _copied(states: Tensor | PackedSequence) -> Tensor | PackedSequence:
    if isinstance(states, Tensor):
        return states.clone()
    return PackedSequence(states.data.clone(), states.batch_sizes, states.sorted_indices, states.unsorted_indices)


def _forward(layer: nn.GRU, input: Tensor | PackedSequence, hx: Tensor | None = None):
    return run_layers(layer, input, hx, partial(weights_of, layer))


def _read_calls(part: Recurrence, calls: list[Call]) -> list[Entry]:
    """The entries of one part, its calls one after the other; none where it was not called."""
    if not calls:
        return []
    with lining_up(part, calls):
        if part.is_cell:
            return [_read_cell(part.module, calls)]
        runs = [_read_layer(part, call) for call in calls]  # one list of entries a call
        return [tuple(joined(field) for field in zip(*entries, strict=True)) for entries in zip(*runs, strict=True)]


def joined(parts: Sequence[Tensor]) -> Tensor:
    """One tensor along time; of a single part, which is the rule, no copy."""
    return parts[0] if len(parts) == 1 else torch.cat(parts)


@contextmanager
def lining_up(part: Recurrence, calls: list[Call]) -> Iterator[None]:
    """Where calls of one part cannot stand one after the other, say that their batches differ."""
    try:
        yield
    except RuntimeError as error:
        shapes = [tuple(call.x.shape) for call in calls if isinstance(call.x, Tensor)]
        if len({shape[-2:] for shape in shapes}) > 1:
            raise ValueError(
                f"{part.name}: expected the same batch at every call, to line them up in time, got inputs of shapes "
                f"{', '.join(map(str, shapes))}"
            ) from error
        raise


def _read_cell(cell: nn.Module, calls: list[Call]) -> Entry:
    """The gates of all calls of a cell in a model's own loop at once, as one large batch (T * B)."""
    x = torch.stack([torch.atleast_2d(call.x) for call in calls])  # (T, B, D)
    width = next(
        (call.before.shape[-1] for call in calls if call.before is not None), getattr(cell, "hidden_size", None)
    )
    none = x.new_zeros(x.shape[1], width or 0)
    # (T, B, H) before each step
    h = torch.stack([none if call.before is None else torch.atleast_2d(call.before) for call in calls])
    gates = gates_function(cell)(x.flatten(0, 1), h.flatten(0, 1))
    r, z, n = (field.unflatten(0, x.shape[:2]) for field in gates[:3])
    h = gates.h.unflatten(0, x.shape[:2])
    if _class_of(cell) is not None or any(
        call.altered for call in calls
    ):  # of an own cell, gates says what the state is
        h = torch.stack([h[t] if call.after is None else torch.atleast_2d(call.after) for t, call in enumerate(calls)])
    return x, r, z, n, h


def check_drive(cell: nn.Module, x: Tensor, h0: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Check what a bare cell is to step through: x as (T, B, D), and h0 as (B, H), None if the cell knows best."""
    _arguments.is_tensor("x", x)
    if x.dim() not in (2, 3):
        raise ValueError(f"x: expected shape (T, B, D) or (T, D), got {_arguments.shape(x)}")
    if not len(x):
        raise RuntimeError(f"x: expected at least one step, got shape {_arguments.shape(x)}")
    single = x.dim() == 2
    if h0 is not None:
        _arguments.is_tensor("h0", h0, "a Tensor or None")
        expected = (*x.shape[1:-1], getattr(cell, "hidden_size", h0.shape[-1] if h0.dim() else "H"))
        if tuple(h0.shape) != expected:
            raise RuntimeError(f"h0: expected shape {expected} for this x and cell, got {_arguments.shape(h0)}")
    if single:
        x, h0 = x.unsqueeze(1), None if h0 is None else h0.unsqueeze(0)
    if h0 is None and hasattr(cell, "hidden_size"):
        h0 = x.new_zeros(x.shape[1], cell.hidden_size)
    return x, h0


def call_along(part: Recurrence, x: Tensor, h: Tensor | None, **options: bool) -> list[Call]:
    """Step a bare cell through x (T, B, D) by calls of the cell itself, with the options of :func:`listening`."""
    with listening([part], **options) as calls:
        for x_t in x.unbind(0):
            part.module(x_t) if h is None else part.module(x_t, h)
            h = calls[part.name][-1].state
            if h is None:
                name = type(part.module).__name__
                raise TypeError(f"{name}: expected its forward to give the state, or the state among other tensors")
    return calls[part.name]


def _drive_cell(part: Recurrence, x: Tensor, h0: Tensor | None) -> Entry:
    """Step a cell through x, keeping everything: the one loop that a bare cell needs."""
    cell = part.module
    x, h = check_drive(cell, x, h0)
    if runs_by_calls(cell):
        return _read_cell(cell, call_along(part, x, h, record=False))
    gates_of, steps = gates_function(cell), []
    for x_t in x.unbind(0):
        steps.append(gates_of(x_t) if h is None else gates_of(x_t, h))
        h = steps[-1].h
    return x, *(torch.stack(field) for field in zip(*steps, strict=True))


def gates_function(cell: nn.Module):
    """A function (x, h) -> Gates for any cell that :func:`recurrences` finds."""
    if isinstance(cell, nn.GRUCell) and not hasattr(cell, "gates"):
        weights = _weights_of_cell(cell)
        return lambda x, h: step(x, check_step(cell, x, h), weights)

    def gates_of(*arguments: Tensor) -> Gates:
        gates = cell.gates(*arguments)
        try:
            return Gates(gates.r, gates.z, gates.n, gates.h)
        except AttributeError:
            name = type(cell).__name__
            raise TypeError(
                f"{name}.gates: expected a result with fields r, z, n, h, got {type(gates).__name__}"
            ) from None

    return gates_of


def _read_layer(part: Recurrence, call: Call) -> list[Entry]:
    """The entries of a layer, one a layer and direction.

    Where the call left no walks, its output holds the last layer's states; those of the layers below are nowhere to be
    seen and are stepped through again. (cuDNN refuses to go back through a run in eval mode, so with gradients the
    states of a torch.nn.GRU are computed here.)
    """
    layer: GRU | nn.GRU = part.module
    layout = layout_of(layer, call.x, call.h)
    directions = 2 if layer.bidirectional else 1
    if call.walks:
        return [_entry_of(walk, layout, bool(k % directions)) for k, walk in enumerate(call.walks)]
    if not _is_layers(call.output):
        raise TypeError(_own_forward(part))
    own = _replaced(layer, "forward")
    rows, h0 = layout.enter(call.x), layout.enter_state(call.h)
    entries = []
    for k in range(layer.num_layers):
        steps = layout.spread(rows)  # (T, B, D)
        ways = [(weights_of(layer, k, bool(reverse)), h0[k * directions + reverse]) for reverse in range(directions)]
        known = k == layer.num_layers - 1
        given = layout.spread(layout.enter(call.output[0])).chunk(directions, -1) if known else ()  # (T, B, H) each
        if known and not own and not (torch.is_grad_enabled() and isinstance(layer, nn.GRU)):
            runs = given
        else:
            runs = [sweep(steps, h, weights, layout, bool(way))[0] for way, (weights, h) in enumerate(ways)]
        if own and any(
            not torch.allclose(one, run, rtol=1e-3, atol=1e-4) for one, run in zip(given, runs, strict=False)
        ):
            raise TypeError(_own_forward(part))
        for way, (states, (weights, h)) in enumerate(zip(runs, ways, strict=True)):
            entries.append(_gates_along(steps, h, states, weights, layout, bool(way)))
        rows = layout.collect(torch.cat(tuple(runs), -1))
    return entries


def _own_forward(part: Recurrence) -> str:
    name = type(part.module).__name__
    return f"{part.name or name}: expected a forward that computes what a GRU's does, got one of {name}'s own"


def _entry_of(walk: bptt.Walk, layout: Dense | Packed, reverse: bool) -> Entry:
    """What a run kept, in the order of the input."""
    r, z, n = walk.gates.unflatten(2, (3, walk.states.shape[2])).unbind(2)
    return _entry(walk.x, r, z, n, walk.states[1:], layout=layout, reverse=reverse)


def _gates_along(x: Tensor, h0: Tensor, h: Tensor, weights: Weights, layout: Dense | Packed, reverse: bool) -> Entry:
    """All gates at once: step t reads x[t] and h[t-1], and every h is known. x and h in the order of the input."""
    if reverse:
        x, h = layout.reverse(x), layout.reverse(h)
    r, z, n, _ = step(x, torch.cat((h0.unsqueeze(0), h[:-1])), weights)
    return _entry(x, r, z, n, h, layout=layout, reverse=reverse)


def _entry(*fields: Tensor, layout: Dense | Packed, reverse: bool) -> Entry:
    """From the order of the run to that of the input, zero where a sequence has ended."""
    fields = [layout.reverse(field) if reverse else field for field in fields]
    return tuple(layout.restore(layout.spread(layout.collect(field))) for field in fields)
