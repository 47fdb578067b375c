"""Which recurrences a module has: our cells and layer, PyTorch's, and any cell with a method ``gates(x, h)``."""

import inspect
from collections.abc import Callable, Iterator
from typing import NamedTuple

from torch import Tensor, nn

from gru import _arguments
from gru.cells import cell_weights, check_step, has_own_forward, keeps_equations
from gru.equations import Gates, Weights, step
from gru.formula import FormulaCell
from gru.layer import GRU, places_of, weights_of


class Recurrence(NamedTuple):
    """A cell or a layer inside a module, and its dotted name ("" for the module itself)."""

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
    elif isinstance(module, nn.GRUCell) or inspect.isroutine(gates):
        yield Recurrence(name, module, is_cell=True)
    else:
        for child_name, child in module.named_children():
            names = (name, "" if child_name == "_orig_mod" else child_name)  # the latter is torch.compile's
            yield from _search(child, ".".join(filter(None, names)))


def find(module: nn.Module) -> tuple[nn.Module, list[Recurrence]]:
    """A module, out of what torch.compile or DistributedDataParallel wrapped around it, and what recurs in it."""
    if isinstance(module, nn.parallel.DistributedDataParallel):
        return find(module.module)  # its own forward would wait for a backward pass
    if isinstance(module, nn.Module) and "_orig_mod" in module._modules:
        return find(module._orig_mod)
    found = recurrences(module)
    if not found:
        raise TypeError(
            "module: expected a cell, gru.GRU, torch.nn.GRU or GRUCell, a cell of your own with a method gates(x, h), "
            f"or a model that contains one, got {type(module).__name__}, which contains none"
        )
    return module, found


def recurrence_at(module: nn.Module, index: int) -> tuple[nn.Module, Weights | None]:
    """The cell or layer of one recurrence, counted as a Trace counts them, and its weights where they are known."""
    _, found = find(module)
    places = [(one.module, *place) for one in found for place in ([()] if one.is_cell else places_of(one.module))]
    part, *place = _arguments.item("recurrence", index, places)
    return part, known_weights(part, *place)


def known_weights(module: nn.Module, layer: int = 0, reverse: bool = False) -> Weights | None:
    """What a cell, or a layer and direction of a GRU, computes with; None where its equations are its own."""
    if isinstance(module, nn.RNNBase):
        return weights_of(module, layer, reverse) if module.mode == "GRU" else None
    return cell_weights(module) if keeps_equations(module) else None


def count_of(cell: nn.Module) -> int:
    """How many states a cell has, of which h is the first."""
    return len(cell.states) if isinstance(cell, FormulaCell) else 1


def gates_function(cell: nn.Module) -> Callable[..., Gates]:
    """A function (x, h) -> Gates for any cell that :func:`recurrences` finds."""
    if isinstance(cell, nn.GRUCell) and not hasattr(cell, "gates"):
        return lambda x, h: step(x, check_step(cell, x, h), cell_weights(cell))
    own = cell.gates
    return lambda x, h: as_gates(cell, own(x, h))


def step_function(cell: nn.Module) -> Callable[[Tensor, Tensor], Tensor]:
    """A function (x, h) -> h' for any cell with one state that :func:`recurrences` finds."""
    if not has_own_forward(cell) and (isinstance(cell, nn.GRUCell) or hasattr(cell, "gates")):
        gates_of = gates_function(cell)
        return lambda x, h: gates_of(x, h).h
    return cell  # or a FormulaCell whose text sets no gates


def as_gates(cell: nn.Module, found: object) -> Gates:
    """What a cell's ``gates`` gave, in the order r, z, n, h."""
    name = f"{type(cell).__name__}.gates"
    try:
        gates = Gates(found.r, found.z, found.n, found.h)
    except AttributeError:
        raise TypeError(f"{name}: expected a result with fields r, z, n, h, got {type(found).__name__}") from None
    for field, value in zip("hrzn", (gates.h, *gates[:3]), strict=True):
        _arguments.is_tensor(f"{name}, {field}", value)
        if value.shape != gates.h.shape:
            expected, got = _arguments.shape(gates.h), _arguments.shape(value)
            raise ValueError(f"{name}, {field}: expected shape {expected}, as h has, got {got}")
    return gates
