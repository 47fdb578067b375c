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
from torch.nn.utils.rnn import PackedSequence

from gru import _check, bptt
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


def keeps_equations(module: nn.Module) -> bool:
    """Whether a cell or a layer computes what its class, here or in torch.nn, computes.

    Not so if a subclass or the object itself puts another method in the place of that class's, or if one of a cell's
    linear layers was replaced or has hooks that may change what it gives.
    """
    if _class_of(module) is None or any(_replaced(module, name) for name in ("forward", "gates", "_gates", "weights")):
        return False
    linears = [part for name, part in module.named_children() if name != "parametrizations"]
    return all(type(part).forward is nn.Linear.forward and not part._forward_hooks for part in linears)


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
    if isinstance(module, nn.GRUCell):
        return Weights(module.weight_ih, module.weight_hh, module.bias_ih, module.bias_hh, reset_after=True)
    return module.weights()


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
            with bptt.recording() as walks:
                output = _forward(module, x, h0)
            found = _read_layer(parts[0], Call(x, h0, h0, output, None, False, walks, 0))
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

    A model's own loop may write the next step into the tensors of a cell's call, so what these held is kept as well.
    """

    x: Tensor | PackedSequence
    h: Tensor | None  # the state before, the tensor itself
    before: Tensor | None  # and what it held
    output: object  # of a layer what its forward gave, of a cell what hooks made of it
    after: Tensor | None  # of a cell: what the state in it held
    altered: bool  # of a cell: whether hooks changed what its forward gave
    walks: list[bptt.Walk]  # of a layer: one a layer and direction, where they were recorded
    number: int  # among all calls of all parts

    @property
    def state(self) -> Tensor:
        """The state in a cell's output, the tensor itself."""
        return state_of(self.output)


def state_of(output: object) -> Tensor:
    """The state in what a cell gave; a cell of the user's own may give more than that."""
    if isinstance(output, Tensor):
        return output
    return output.h if hasattr(output, "h") else output[0]


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
def listening(parts: list[Recurrence], record: bool) -> Iterator[dict[str, list[Call]]]:
    """Collect the calls of each part by name, and if asked the walks of its layers; the hooks are gone afterwards.

    A torch.nn.GRU then runs on :mod:`gru.bptt` as well, which knows the states of every layer, and the gates. With
    gradients enabled, a cell then gets a state that requires one, zeros if it was given none. What other threads call
    meanwhile is not ours to note.
    """
    calls: dict[str, list[Call]] = {part.name: [] for part in parts}
    undo = []
    # Compiled parts run as they were written: what a compiler made of them calls no hooks and leaves no walk.
    with torch.compiler.set_stance("force_eager"), bptt.recording() if record else nullcontext([]) as walks:
        try:
            for part in parts:
                undo += _listen(part, calls, walks, record)
            yield calls
        finally:
            for step_back in undo:
                step_back()


def _listen(part: Recurrence, calls: dict[str, list[Call]], walks: list[bptt.Walk], record: bool) -> list[Callable]:
    """Hook one part; what undoes it."""
    module, signature = part.module, inspect.signature(part.module.forward)
    first = 0  # where the walks of the call at hand begin
    made = None  # what the part's own forward gave in it
    thread = get_ident()

    def begin(module, args, kwargs):
        nonlocal first
        if get_ident() != thread:
            return None
        first = len(walks)
        if record and part.is_cell and torch.is_grad_enabled():
            bound = signature.bind(*args, **kwargs)
            x, state = next(iter(bound.arguments.values())), list(signature.parameters)[1]
            h = bound.arguments.get(state)
            if h is None and hasattr(module, "hidden_size"):
                h = x.new_zeros(*x.shape[:-1], module.hidden_size)
            if h is not None and not h.requires_grad:
                bound.arguments[state] = h.detach().requires_grad_()
            return bound.args, bound.kwargs
        return None

    def keep(module, args, output):
        nonlocal made
        if get_ident() != thread:
            return None
        made = output
        if not part.is_cell and not (record and torch.is_grad_enabled()):
            output = _copied(output[0]), output[1]  # hooks and models may write into what a layer gave
        return output

    def note(module, args, kwargs, output):
        if get_ident() != thread:
            return
        x, *rest = signature.bind(*args, **kwargs).arguments.values()
        h, number = rest[0] if rest else None, sum(map(len, calls.values()))
        if part.is_cell:
            before, after = None if h is None else h.clone(), state_of(output).clone()
            call = Call(x.clone(), h, before, output, after, output is not made, [], number)
        else:
            call = Call(x, h, h, made, None, False, walks[first:], number)
        calls[part.name].append(call)

    undo = [
        module.register_forward_pre_hook(begin, with_kwargs=True).remove,
        module.register_forward_hook(keep, prepend=True).remove,
        module.register_forward_hook(note, with_kwargs=True).remove,
    ]
    if record and type(module).forward is nn.GRU.forward and "forward" not in vars(module):
        module.forward = partial(_forward, module)
        undo.append(partial(delattr, module, "forward"))
    return undo


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
    return x, r, z, n, torch.stack([torch.atleast_2d(call.after) for call in calls])


def check_drive(cell: nn.Module, x: Tensor, h0: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Check what a bare cell is to step through: x as (T, B, D), and h0 as (B, H), None if the cell knows best."""
    _check.is_tensor("x", x)
    if x.dim() not in (2, 3):
        raise ValueError(f"x: expected shape (T, B, D) or (T, D), got {_check.shape(x)}")
    if not len(x):
        raise RuntimeError(f"x: expected at least one step, got shape {_check.shape(x)}")
    single = x.dim() == 2
    if h0 is not None:
        _check.is_tensor("h0", h0, "a Tensor or None")
        expected = (*x.shape[1:-1], getattr(cell, "hidden_size", h0.shape[-1] if h0.dim() else "H"))
        if tuple(h0.shape) != expected:
            raise RuntimeError(f"h0: expected shape {expected} for this x and cell, got {_check.shape(h0)}")
    if single:
        x, h0 = x.unsqueeze(1), None if h0 is None else h0.unsqueeze(0)
    if h0 is None and hasattr(cell, "hidden_size"):
        h0 = x.new_zeros(x.shape[1], cell.hidden_size)
    return x, h0


def call_along(cell: nn.Module, x: Tensor, h: Tensor | None) -> list[Tensor]:
    """The states after each step of x (T, B, D), by calls of the cell itself."""
    states = []
    for x_t in x.unbind(0):
        h = state_of(cell(x_t) if h is None else cell(x_t, h))
        states.append(h)
    return states


def _drive_cell(part: Recurrence, x: Tensor, h0: Tensor | None) -> Entry:
    """Step a cell through x, keeping everything: the one loop that a bare cell needs."""
    cell = part.module
    x, h = check_drive(cell, x, h0)
    if runs_by_calls(cell):
        with listening([part], record=False) as calls:
            call_along(cell, x, h)
        return _read_cell(cell, calls[part.name])
    gates_of, steps = gates_function(cell), []
    for x_t in x.unbind(0):
        steps.append(gates_of(x_t) if h is None else gates_of(x_t, h))
        h = steps[-1].h
    return x, *(torch.stack(field) for field in zip(*steps, strict=True))


def gates_function(cell: nn.Module):
    """A function (x, h) -> Gates for any cell that :func:`recurrences` finds."""
    if isinstance(cell, nn.GRUCell) and not hasattr(cell, "gates"):
        weights = weights_of(cell)
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
    if not keeps_equations(layer):
        name = type(layer).__name__
        raise TypeError(f"{part.name or name}: expected the forward of a GRU, got one of {name}'s own")
    rows, h0 = layout.enter(call.x), layout.enter_state(call.h)
    entries = []
    for k in range(layer.num_layers):
        steps = layout.spread(rows)  # (T, B, D)
        ways = [(weights_of(layer, k, bool(reverse)), h0[k * directions + reverse]) for reverse in range(directions)]
        known = k == layer.num_layers - 1
        if known and not (torch.is_grad_enabled() and isinstance(layer, nn.GRU)):
            runs = layout.spread(layout.enter(call.output[0])).chunk(directions, -1)  # (T, B, H) each
        else:
            runs = [sweep(steps, h, weights, layout, bool(way))[0] for way, (weights, h) in enumerate(ways)]
        for way, (states, (weights, h)) in enumerate(zip(runs, ways, strict=True)):
            entries.append(_gates_along(steps, h, states, weights, layout, bool(way)))
        rows = layout.collect(torch.cat(tuple(runs), -1))
    return entries


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
