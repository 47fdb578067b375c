"""What the views read from a reader's model: sequences, traces, parts, weights, and their form for the page.

Glossary
    T, B, D, H       time, batch, input size, hidden size
    part             one layer and direction of the model; a cell is one part
    keeps, writes    what z does: h' = (1-z) n + z h, or h' = (1-z) h + z n
"""

import base64
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from numbers import Real
from typing import Any, NamedTuple

import torch
import traitlets
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from gru import _arguments
from gru.devices import device_name
from gru.equations import Gates, Weights, candidate, step
from gru.inspect.record import record
from gru.inspect.recurrences import find, recurrences
from gru.inspect.run import Run
from gru.layer import is_batch_first, places_of, weights_of

# The page computes only where the equations give what the module did. Room for cuDNN's TF32, three digits a product.
TOLERANCE = 1e-2


class Entry(NamedTuple):
    """What one sequence did in one part: x (T, D), then r, z, n, h (T, H) each, and the state before its first step."""

    x: Tensor
    r: Tensor
    z: Tensor
    n: Tensor
    h: Tensor
    h0: Tensor  # (H)
    z_keeps: bool | None  # None: h is not such a blend of n and the state before

    def as_taken(self, reverse: bool) -> "Entry":
        """With its steps in the order in which a part takes them."""
        return Entry(*(field.flip(0) for field in self[:5]), *self[5:]) if reverse else self


class Part(NamedTuple):
    """One layer and direction, and how it can be stepped through."""

    name: str
    layer: int
    reverse: bool
    weights: Callable[[], Weights] | None  # None: only the module itself can step, or nobody knows what leads to what
    own: Callable[[], Weights] | None = None  # its weights, whatever leads to it
    inner: nn.Module | None = None  # the cell or layer


def read_sequences(
    module: nn.Module, x: Tensor | Sequence[Tensor], lengths: Tensor | Sequence[int] | None
) -> list[Tensor]:
    """A list of sequences (T_i, ..), without padding, out of what a view of a module was given."""
    if isinstance(x, PackedSequence) or (isinstance(x, Tensor) and x.is_nested):
        kind, hint = ("NestedTensor", "list(x.unbind())")
        if isinstance(x, PackedSequence):
            kind, hint = "PackedSequence", "torch.nn.utils.rnn.unpack_sequence(x)"
        raise TypeError(f"x: expected a padded tensor or a list of (T_i, D), got a {kind}; {hint} gives a list")
    if isinstance(x, Tensor):
        _arguments.is_dense("x", x)
        time = 1 if is_batch_first(module) else 0
        shape = "(B, T, D)" if time else "(T, B, D)"
        x = x.unsqueeze(1 - time) if _is_single(module, x) else x
        if x.dim() < 2 or not x.shape[time]:
            raise ValueError(f"x: expected shape {shape} with T >= 1, or a list of (T_i, D), got {tuple(x.shape)}")
        sequences = list(x.detach().unbind(1 - time))
        steps = [x.shape[time]] * len(sequences) if lengths is None else lengths
        if not isinstance(steps, Iterable) or (isinstance(steps, Tensor) and steps.dim() != 1):
            raise TypeError(f"lengths: expected {len(sequences)} integers, one per sequence, got {lengths!r}")
        steps = list(map(_number, steps))
        if len(steps) != len(sequences):
            raise ValueError(f"lengths: expected {len(sequences)}, one per sequence, got {len(steps)}")
        for length in steps:
            _arguments.within("lengths", length, 1, x.shape[time], error=ValueError)
        sequences = [sequence[:length] for sequence, length in zip(sequences, steps, strict=True)]
    else:
        if lengths is not None:
            raise ValueError("lengths: expected none with a list of sequences, each of which has its own length")
        if not isinstance(x, Iterable):
            raise TypeError(f"x: expected a padded tensor or a list of (T_i, D), got {type(x).__name__}")
        sequences = list(x)
        for i, sequence in enumerate(sequences):
            if not isinstance(sequence, Tensor) or sequence.dim() < 1 or not len(sequence):
                got = tuple(sequence.shape) if isinstance(sequence, Tensor) else type(sequence).__name__
                raise ValueError(f"x[{i}]: expected a tensor (T_i, D) with at least one step, got {got}")
        sequences = [sequence.detach() for sequence in sequences]
    if not sequences:
        raise ValueError("x: expected at least one sequence, got none")
    return sequences


def _is_single(module: nn.Module, x: Tensor) -> bool:
    """Whether x is one sequence (T, D): two axes are else a batch of what a model counts or widens itself."""
    if x.dim() != 2 or not x.is_floating_point():
        return False
    inner, (first, *_) = find(module)
    return first.module is inner or getattr(first.module, "input_size", None) == x.shape[1]


def _number(value: object) -> object:
    """The number in a tensor; what is not a tensor stays."""
    return value.item() if isinstance(value, Tensor) else value


def as_read_by(module: nn.Module, x: Tensor) -> Tensor:
    """x on the module's device and, unless it counts something, in its dtype."""
    weight = next(module.parameters(), x)
    return x.to(weight.device, weight.dtype if x.is_floating_point() else x.dtype)


def device_of(module: nn.Module) -> str:
    """Where a module computes, in words: "the CPU", or the name of the CUDA device."""
    return place(next((parameter.device for parameter in module.parameters()), torch.device("cpu")))


def entry_of(run: Run) -> Entry:
    """What a recurrence did, the batch of one taken out, its steps where their inputs stand."""
    if run.gates[0] is None:
        raise TypeError(f"module: expected a recurrence with gates r, z and n, got {run.name}, which has none")
    fields = (field.squeeze(1) for field in run.by_input.values())
    return Entry(*fields, run.states[0, 0], run.z_keeps)


def parts_of(module: nn.Module, count: int) -> list[Part]:
    """The parts of a module, in the order of its trace; with several recurrences nobody knows what leads to what."""
    found = recurrences(module)
    parts = []
    for i, recurrence in enumerate(found):
        inner = recurrence.module
        places = [(0, False)] if recurrence.is_cell else places_of(inner)
        for layer, reverse in places:
            words = [recurrence.name] if len(found) > 1 else []
            words += [f"layer {layer + 1}"] if places[-1][0] else []
            words += ["backward" if reverse else "forward"] if places[-1][1] else []
            name = ", ".join(word for word in words if word) or type(inner).__name__
            own = _weights(inner, layer, reverse)
            alone = len(found) == 1
            known = own if alone and not inner._forward_hooks else None  # a hook may change what the equations give
            parts.append(Part(name, layer if alone else i, reverse, known, own, inner))
    if len(parts) != count:  # some part was never called: its name cannot be told from the others'
        return [Part(f"recurrence {i + 1}", i, False, None) for i in range(count)]
    return parts


def _weights(inner: nn.Module, layer: int, reverse: bool) -> Callable[[], Weights] | None:
    def read() -> Weights:
        return weights_of(inner, layer, reverse)

    if inner._forward_hooks and not isinstance(inner, nn.RNNBase):  # a cell reads again what they make of its state
        return None
    try:
        read()
    except TypeError:
        return None
    return read


def convention_of(entries: list[Entry]) -> str | None:
    """What z does in a part, as the recorder knows it: "keeps", "writes", or None if it is neither."""
    known = {entry.z_keeps for entry in entries}
    return {True: "keeps", False: "writes", None: None}[known.pop() if len(known) == 1 else None]


def batches_of_one(
    module: nn.Module, inputs: list[Tensor], keywords: dict[str, Any]
) -> Iterator[tuple[Tensor, dict[str, Any]]]:
    """What to call a module with for each sequence, so that no padding can matter to any model.

    Of a keyword of its forward that is a tensor with one entry per sequence, each gets its own. Lengths that its
    forward demands, and that are not among the keywords, are those of the sequences.
    """
    batch_axis = 0 if is_batch_first(module) else 1
    forward = inspect.signature(module.forward).parameters
    demanded = [name for name, one in forward.items() if name.endswith("lengths") and one.default is one.empty]
    for i, x in enumerate(inputs):
        own = {
            name: value[i : i + 1] if isinstance(value, Tensor) and value.shape[:1] == (len(inputs),) else value
            for name, value in keywords.items()
        }
        own = {name: torch.tensor([len(x)], device="cpu") for name in demanded} | own
        yield as_read_by(module, x).unsqueeze(batch_axis), own


def trace_each(
    module: nn.Module, inputs: list[Tensor], names: list[str], keywords: dict[str, Any]
) -> list[list[Entry]]:
    """The entries of every sequence, each traced alone."""
    runs = [record(module, x, None, own).runs for x, own in batches_of_one(module, inputs, keywords)]
    traces = [[entry_of(run) for run in one] for one in runs]
    for sequence_name, entries in zip(names, traces, strict=True):
        for entry in entries:
            for name, field in zip(Entry._fields, entry[:6], strict=False):
                if not field.isfinite().all():
                    raise ValueError(f"{name}: expected finite numbers, got NaN or infinity in {sequence_name!r}")
    return traces


def why_not_here(parts: list[Part], traces: list[list[Entry]]) -> str:
    """Why the page cannot compute what the module does, a clause without its full stop; empty if it can."""
    if foreign := [part for part in parts if part.weights is None]:
        return f"{foreign[0].name} brings equations of its own"
    if apart(parts, traces) > TOLERANCE:
        return "The GRU's equations alone, from h = 0, do not give what this model does"
    return ""


def apart(parts: list[Part], traces: list[list[Entry]]) -> float:
    """How far, at most, the page's states are from those that the module computed, wherever it did.

    The page computes in double precision with what :func:`encode` leaves of the weights and inputs.
    """
    here = [part._replace(weights=lambda part=part: Weights(*map(as_in_page, part.weights()))) for part in parts]
    gaps = [
        (h - as_in_page(entry.h)).abs().max().item()
        for entries in traces
        for (_, _, _, h), entry in zip(run_stack(as_in_page(entries[0].x), here)[0], entries, strict=True)
    ]
    return max(gaps)


def as_in_page(value: Tensor | bool | None) -> Tensor | bool | None:
    """What the page makes of a tensor that :func:`encode` sends."""
    return value.detach().to("cpu", torch.float32).double() if isinstance(value, Tensor) else value


@torch.no_grad()
def run_stack(
    x: Tensor, parts: list[Part], bias: float = 0.0, edits: Sequence[Sequence] = ()
) -> tuple[list[tuple[Tensor, ...]], list[Tensor], Tensor]:
    """(r, z, n, h) of every part with z keeping, the input of every layer, and the last layer's states (T, ..).

    ``edits`` are cells held at values, [quantity, part, step, unit, value] each, with z that keeps.
    """
    runs, inputs = [], []
    for layer in range(1 + parts[-1].layer):
        inputs.append(x)
        here = [part for part in parts if part.layer == layer]
        new = []
        for part in here:
            own = [edit for edit in edits if edit[1] == len(runs) + len(new)]
            new.append(run_part(x, part.weights(), bias, part.reverse, own))
        runs += new
        x = torch.cat([h for *_, h in new], -1)
    return runs, inputs, x


def run_part(
    x: Tensor, weights: Weights, bias: float, reverse: bool, edits: Sequence[Sequence] = ()
) -> tuple[Tensor, ...]:
    """r, z, n, h (T, H) of one layer and direction from h = 0, with a bias on every update gate and cells held."""
    weights = with_bias(weights, bias)
    held = {(quantity, int(step), int(unit)): value for quantity, _, step, unit, value in edits}

    def told(quantity: str, t: int, values: Tensor) -> Tensor:
        """A quantity (H,) of step t, as computed but where it is held."""
        values = values.clone()
        for (name, at, unit), value in held.items():
            if (name, at) == (quantity, t) and unit < len(values):
                values[unit] = value
        return values

    h, steps = x.new_zeros(weights.weight_hh.shape[1]), []
    for t in reversed(range(len(x))) if reverse else range(len(x)):
        gates = step(x[t], h, weights)
        if any(at == t for _, at, _ in held):
            r, z = told("r", t, gates.r), told("z", t, gates.z)
            n = told("n", t, candidate(x[t], h, r, weights))
            gates = Gates(r, z, n, told("h", t, (1 - z) * n + z * h))
        steps.append(gates)
        h = gates.h
    fields = [torch.stack(field) for field in zip(*steps, strict=True)]
    return tuple(field.flip(0) if reverse else field for field in fields)


def with_bias(weights: Weights, bias: float) -> Weights:
    """The weights with a bias on every update gate: more of it is a longer memory."""
    H = weights.weight_hh.shape[1]
    on_z = weights.weight_hh.new_zeros(3 * H)
    on_z[H : 2 * H] = bias
    return weights._replace(bias_ih=on_z if weights.bias_ih is None else weights.bias_ih + on_z)


def check_finite(name: str, value: Tensor) -> None:
    """Raise ValueError unless all numbers are finite: no drawing has a place for others."""
    if not value.isfinite().all():
        raise ValueError(f"{name}: expected finite numbers, got NaN or infinity")


def check_weights(module: nn.Module) -> None:
    """Raise ValueError unless all weights are finite, as they are not where training has broken a model."""
    for name, weight in module.named_parameters():
        check_finite(name, weight)


def labels_of(argument: str, given: Iterable[str] | None, count: int, noun: str) -> list[str]:
    """Names that a reader gave, or "sequence 1" and so on."""
    if not isinstance(given, Iterable | None):
        raise TypeError(f"{argument}: expected a list of {count} names, got {type(given).__name__}")
    labels = [f"{noun} {i + 1}" for i in range(count)] if given is None else [str(label) for label in given]
    if len(labels) != count:
        raise ValueError(f"{argument}: expected {count}, got {len(labels)}")
    return labels


def counted(count: int, noun: str) -> str:
    """A number and what it counts: "1 unit", "2 units"."""
    return f"{count} {noun}{'s' * (count != 1)}"


def step_names_of(given: Sequence[str] | Sequence[Sequence[str]] | None, steps: list[int]) -> list[list[str] | None]:
    """What stands below the steps of each sequence; given once, it is cut to every sequence's length."""
    if given is None:
        return [None] * len(steps)
    if not isinstance(given, Iterable):
        raise TypeError(f"step_names: expected a list of names, or one per sequence, got {type(given).__name__}")
    rows = [row if isinstance(row, Sequence) and not isinstance(row, str) else None for row in given]
    rows = [list(given)] * len(steps) if None in rows else [list(row) for row in rows]
    if len(rows) != len(steps):
        raise ValueError(f"step_names: expected {len(steps)} lists, one per sequence, got {len(rows)}")
    for row, count in zip(rows, steps, strict=True):
        if len(row) < count:
            raise ValueError(f"step_names: expected {count}, one per step, got {len(row)}")
    return [[str(name) for name in row[:count]] for row, count in zip(rows, steps, strict=True)]


def encode(value: Tensor | bool | None, short: bool = False) -> str | bool | None:
    """Little-endian float32 in base64; what is not a tensor stays.

    ``short``: float16 behind a full stop where it holds the same numbers, as it does of the weights that are stored.
    """
    if not isinstance(value, Tensor):
        return value
    value = value.detach()
    short = short and torch.equal(value, value.half().to(value))
    numbers = value.to("cpu", torch.float16 if short else torch.float32).contiguous().numpy()
    return "." * short + base64.b64encode(numbers.astype("<f2" if short else "<f4").tobytes()).decode("ascii")


def place(device: torch.device) -> str:
    """Where numbers were computed, in words: "the CPU", or the name of the CUDA device."""
    name = device_name(device)
    return name if device.type == "cuda" else f"the {name}"


def check_encode(encode: object) -> None:
    """Raise TypeError unless this is a function, or None."""
    if not (encode is None or callable(encode)):
        raise TypeError(f"encode: expected a function, got {type(encode).__name__}")


def check_edits(edits: list, count: int) -> list:
    """Edits of a view: [quantity, recurrence, step, unit, value] each, of ``count`` recurrences.

    Raises:
        traitlets.TraitError: an entry that is not one.
    """
    for edit in edits:
        good = len(edit) == 5 and edit[0] in ("r", "z", "n", "h") and all(isinstance(one, Real) for one in edit[1:])
        good = good and 0 <= edit[1] < count and min(edit[2:4]) >= 0
        if not good or not (0 if edit[0] in "rz" else -1) <= edit[4] <= 1:
            raise traitlets.TraitError(
                f"edits: expected [quantity, recurrence, step, unit, value], values of gates from 0 to 1 and others "
                f"from -1 to 1, got {edit!r}"
            )
    return edits
