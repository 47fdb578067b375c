r"""The same run with gates, candidates or states changed by hand, and everything after them computed anew.

An edit holds a quantity at a value where it says, and what depends on it follows: an edited r leads to another n, an
edited z or n to another h, an edited h to other gates at the next step.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from gru import _arguments
from gru.cells import class_of, has_own_forward
from gru.equations import Gates, Weights, candidate, step
from gru.formula import FormulaCell
from gru.inspect.record import eval_mode, other_methods, record, recording
from gru.inspect.recurrences import count_of, find, gates_function
from gru.inspect.run import Run, Sweep, run_sweep
from gru.inspect.trace import Trace, trace_of
from gru.layer import Packed

Index = int | slice | Sequence[int] | Tensor | None


@dataclass(frozen=True, eq=False)
class Edit:
    """Hold a quantity of one recurrence at a value.

    Args:
        quantity: "r", "z", "n", or "h", the state after a step; z as the cell itself has it, keeping or writing.
        value: a number, or a tensor that broadcasts to (steps, samples, units), those that are named.
        steps, units, samples: which: a number, a slice, several numbers or a mask; None: all of them. Steps count from
            0, where their inputs stand, as a Trace does.
        recurrence: which of the module's, counted as ``Trace.names`` does.

    >>> Edit("z", 1.0, steps=slice(3, 6), units=[0, 2])
    Edit(quantity='z', value=1.0, steps=slice(3, 6, None), units=[0, 2], samples=None, recurrence=0)
    """

    quantity: str
    value: float | Tensor
    steps: Index = None
    units: Index = None
    samples: Index = None
    recurrence: int = 0

    def __post_init__(self) -> None:
        if self.quantity not in ("r", "z", "n", "h"):
            raise ValueError(f"quantity: expected one of r, z, n, h, got {self.quantity!r}")
        if not isinstance(self.value, Tensor):
            _arguments.number("value", self.value)

    def write(self, held: Tensor, values: Tensor) -> None:
        """Put the value into ``values`` (T, B, H), and True into ``held`` where it stands."""
        places = zip(("steps", "samples", "units"), (self.steps, self.samples, self.units), values.shape, strict=True)
        where = torch.meshgrid(*(_numbers(*place) for place in places), indexing="ij")
        value = torch.as_tensor(self.value, dtype=values.dtype, device=values.device).detach()
        try:
            values[where] = value.expand(where[0].shape)
        except RuntimeError:
            expected = f"a number or a tensor that broadcasts to (steps, samples, units) = {tuple(where[0].shape)}"
            raise ValueError(f"value: expected {expected}, got {_arguments.shape(value)}") from None
        held[where] = True


def _numbers(name: str, index: Index, size: int) -> Tensor:
    """The numbers that an index means, of 0 to size - 1."""
    if isinstance(index, bool):  # torch would take it for a mask of all
        raise TypeError(f"{name}: expected numbers, a slice or a mask, got {index}")
    if isinstance(index, Sequence | Tensor):  # a tensor may lie where the module does
        index = index.cpu() if isinstance(index, Tensor) else list(index)
    try:
        return torch.arange(size)[slice(None) if index is None else index].reshape(-1)
    except (IndexError, TypeError, RuntimeError, ValueError):
        raise IndexError(f"{name}: expected numbers from 0 to {size - 1}, got {index!r}") from None


def replay(
    module: nn.Module, x: Tensor | PackedSequence, h0: Tensor | None = None, *, edits: Sequence[Edit], **kwargs
) -> tuple[object, Trace]:
    """Run a module with some of its gates, candidates or states held at values, and see what follows from it.

    Args:
        module, x, h0, **kwargs: as :func:`gru.trace` takes them.
        edits: what to hold, a list of :class:`Edit`; where two meet, the later one counts. None: the module's own run.

    Returns:
        the outputs, and the Trace of the run with its edits: of a cell its states (T, B, H), of a layer its output
        sequence, of a model whatever it returns. Without edits the outputs are the module's own, bit for bit.

    Raises:
        TypeError: edits is not a list of Edit; or it holds something other than h in a cell whose state is not a mean,
            or that has several states.
        LookupError: r is to be held in a cell whose equations are not known.
        IndexError, ValueError: an edit names what is not there. Else as :func:`gru.trace`.

    >>> import torch, gru
    >>> layer, x = gru.GRU(4, 5), torch.randn(7, 3, 4)
    >>> outputs, trace = gru.replay(layer, x, edits=[gru.Edit("z", 1.0, steps=slice(2, None))])  # from step 2 on: keep
    >>> torch.equal(outputs[-1], outputs[1]), torch.allclose(outputs[:2], layer(x)[0][:2], atol=1e-6)
    (True, True)
    """
    if not isinstance(edits, Sequence) or not all(isinstance(edit, Edit) for edit in edits):
        raise TypeError(f"edits: expected a list of gru.Edit, got {edits!r}")
    runs, (inner, (first, *_)) = record(module, x, h0, kwargs).runs, find(module)
    is_alone = first.module is inner
    if not (edits or (is_alone and first.is_cell)):
        with torch.no_grad(), eval_mode(inner):
            outputs = inner(*((x,) if h0 is None else (x, h0)), **kwargs)
        return outputs[0] if is_alone else outputs, trace_of(runs)
    for edit in edits:
        _arguments.item("recurrence", edit.recurrence, runs)
    editors = [_Editor(run, [edit for edit in edits if edit.recurrence == k]) for k, run in enumerate(runs)]
    in_cells = [one for one in editors if one.held and not isinstance(one.run.module, nn.RNNBase)]
    with torch.no_grad(), ExitStack() as stack:
        for editor in in_cells:
            stack.enter_context(other_methods(editor.run.module, editor.methods()))
        recorder = stack.enter_context(recording(module))
        for tape in recorder.tapes:
            if isinstance(tape.module, nn.RNNBase):
                own = [editor for editor in editors if editor.run.module is tape.module]
                tape.engines = [editor.sweep if editor.held else run_sweep for editor in own]
            else:
                tape.is_plain &= not is_alone  # a cell is stepped through: its outputs are its own bits
                tape.asks = all(editor.run.module is not tape.module for editor in in_cells)  # each call is a step
        found = recorder.run(x, h0, kwargs)
    for editor in in_cells:
        if editor.steps != len(editor.run.before):
            expected = f"a forward that calls gates, where edits act, at each of its {len(editor.run.before)} steps"
            raise TypeError(f"{editor.run.name}: expected {expected}, got {editor.steps} calls")
        editor.check_states(found.runs[editors.index(editor)])
    return found.outputs, trace_of(found.runs)


class _Editor:
    """What is held in one recurrence, and how far its run has come."""

    def __init__(self, run: Run, edits: list[Edit]) -> None:
        self.run, self.steps, self.order = run, 0, None  # the last of a packed batch's samples
        self.held: dict[str, tuple[Tensor, Tensor]] = {}  # by quantity: where (T, B, H), and at what value
        for edit in edits:
            if edit.quantity != "h":
                run.check_mixes()
                if count_of(run.module) > 1:  # the others may depend on it, too
                    expected = f"edits of h alone in a cell with states {', '.join(run.module.states)}"
                    raise TypeError(f"{run.name}: expected {expected}, got one of {edit.quantity}")
            if edit.quantity == "r" and run.weights is None:
                raise LookupError(f"{run.name}: r cannot be held, since it is not known how n follows; hold n instead")
            nothing = torch.zeros_like(run.before, dtype=torch.bool), torch.zeros_like(run.before)
            edit.write(*self.held.setdefault(edit.quantity, nothing))
        self.held = {name: tuple(map(run.in_order_of_input, both)) for name, both in self.held.items()}

    def hold(self, name: str, quantity: Tensor) -> Tensor:
        """A quantity (B, H) of the step at hand, held where it should be."""
        if name not in self.held:
            return quantity
        if self.steps >= len(self.run.before):
            raise RuntimeError(f"{self.run.name}: expected {self.steps} steps, as without edits, but it took more")
        place = self.steps if self.order is None else (self.steps, self.order)
        held, values = (steps[place].view(quantity.shape) for steps in self.held[name])
        return torch.where(held, values, quantity)

    def check_states(self, run: Run) -> None:
        """Raise TypeError unless the states of a run are what they are held at."""
        where, values = self.held.get("h", (None, None))
        if where is not None and not torch.allclose(run.states[1:][where], values[where], equal_nan=True):
            expected = "a forward that gives the state as gates has it, where edits act"
            raise TypeError(f"{self.run.name}: expected {expected}, got another one")

    def step(self, gates: Gates, x: Tensor, h: Tensor) -> Gates:
        """One step with its edits, z as the cell has it, from the gates of one without."""
        r = self.hold("r", gates.r)
        n = gates.n if "r" not in self.held else candidate(x, h, r, self.run.weights)
        n, z, after = self.hold("n", n), self.hold("z", gates.z), gates.h
        if self.held.keys() & {"r", "z", "n"}:
            after = (1 - z) * n + z * h if self.run.z_keeps else (1 - z) * h + z * n
        after = self.hold("h", after)
        self.steps += 1
        return Gates(r, z, n, after)

    def sweep(self, x: Tensor, h0: Tensor, weights: Weights, first_block: int, packed: Packed | None) -> Sweep:
        """All steps of a layer's call, as a sweep of the recorder takes them."""
        self.order = None if packed is None else packed.packed.sorted_indices
        steps, h = [], h0
        for x_t in x:
            steps.append(self.step(step(x_t, h, weights), x_t, h))
            h = steps[-1].h
        r, z, n, h = (torch.stack(field) for field in zip(*steps, strict=True))
        gates = torch.cat((r, z, n), -1)  # as bptt.forward keeps them, without q or p
        return Sweep(weights, x, torch.cat((h0.unsqueeze(0), h)), gates, h, packed)

    def methods(self) -> dict[str, Callable]:
        """What stands in the place of a cell's methods; a forward of the user's own calls gates itself."""
        cell, own = self.run.module, has_own_forward(self.run.module)
        has_gates = isinstance(cell, nn.GRUCell) or hasattr(cell, "gates")
        if count_of(cell) > 1 or not has_gates or (own and self.held.keys() == {"h"}):
            return {"forward": self.first_held(cell.forward)}
        gates_of = gates_function(cell)

        def gates(x: Tensor, h: Tensor) -> Gates:
            return self.step(gates_of(x, h), x, h)

        is_known = (class_of(cell) is not None and not own) or (
            isinstance(cell, FormulaCell) and hasattr(cell, "gates")
        )
        forward = {"forward": lambda x, h=None: cell.gates(x, h).h} if is_known else {}
        return {"gates": gates, **forward}

    def first_held(self, forward: Callable) -> Callable:
        """A forward with the new state that it gives held, of several the first: where that is not what gates give."""
        cell = self.run.module

        def held(x: Tensor, h: object = None) -> object:
            if hasattr(cell, "gates"):
                cell.gates(x, h)  # for the record
            states = forward(x, h)
            first = self.hold("h", states[0] if count_of(cell) > 1 else states)
            self.steps += 1
            return (first, *states[1:]) if count_of(cell) > 1 else first

        return held
