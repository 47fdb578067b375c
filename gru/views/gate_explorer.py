"""GateExplorer: r, z, n and h of a model at every step, what it would answer, and what a bias on z does to it all.

Glossary
    T, B, D, H, C    time, batch, input size, hidden size, classes
    part             one layer and direction of the model; a cell is one part
    keeps, writes    what z does: h' = (1-z) n + z h, or h' = (1-z) h + z n
"""

import base64
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import torch
import traitlets
from torch import Tensor, nn

from gru.equations import Weights, step
from gru.models import GRUClassifier
from gru.trace import Trace, recurrences, trace, weights_of
from gru.views._base import View

BIAS_LIMIT = 6.0
# The page computes only where the equations give what the module did. Room for cuDNN's TF32, three digits a product.
TOLERANCE = 1e-2


class Part(NamedTuple):
    """One layer and direction, and how it can be stepped through."""

    name: str
    layer: int
    reverse: bool
    weights: Callable[[], Weights] | None  # None: only the module itself can step


STATE = ("sequence", "step", "unit", "layer", "update_bias", "compact", "_data")


class GateExplorer(View, module="gate_explorer", state=STATE):
    """The gates of a trained model at work, and what happens to them when every update gate is biased.

    ::

        z = sigmoid(W_z x + U_z h + b_z + update_bias)        more bias, longer memory; negated where z writes

    Heat maps of r, z, n and h over time; the four quantities of one unit; the class probabilities that the model's head
    would give after every step. The page computes all of it, so it also answers on a built page, without a kernel.
    It takes any model that :func:`gru.trace` takes. Where the equations of :mod:`gru.equations` do not reproduce what
    the model does (a cell of your own), the view shows what Python traced, and its slider is off and says why.

    Args:
        module: a cell, a layer, ``torch.nn.GRU`` or ``GRUCell``, or a model that contains some, on any device.
        x: sequences, as the module reads a batch of them, (T, B, D), or (B, T, D) where it is ``batch_first``; or a
            list of (T_i, D). A page carries all of them, so choose a few.
        lengths: valid steps of each sequence of a padded batch (B,); all where None.
        names: what to call each sequence.
        targets: the true class of each, from 0 to C - 1.
        class_names: what to call each class.
        head: Linear(H, C) from the last layer's state to class scores. That of a GRUClassifier is found by itself.
        sequence, step, unit, layer, update_bias: what to show first; by default the first sequence after its last step.
        compact: only z, h, the probabilities and the slider.

    Traits, in step with the page both ways. They count from 0, as Python does; the page counts from 1, as equations do:
        sequence, step, unit, layer (int); update_bias (float, -6 to 6); compact (bool).

    Raises:
        TypeError: an unknown keyword; module is no torch module or has no recurrence; a head that is no Linear.
        ValueError: sequences, lengths, names, targets, classes or head that do not fit each other; NaN or infinity.
        TraitError: a trait outside its range.

    >>> import torch, gru
    >>> model = gru.GRUClassifier(input_size=3, hidden_size=4, num_classes=2)
    >>> view = GateExplorer(model, torch.zeros(6, 2, 3), lengths=[6, 5], class_names=["low", "high"])
    >>> view.step, view.probabilities.shape
    (5, torch.Size([6, 2]))
    """

    sequence = traitlets.Int(0).tag(sync=True)
    step = traitlets.Int(0).tag(sync=True)
    unit = traitlets.Int(0).tag(sync=True)
    layer = traitlets.Int(0).tag(sync=True)
    update_bias = traitlets.Float(0.0).tag(sync=True)
    compact = traitlets.Bool(False).tag(sync=True)
    _data = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        module: nn.Module,
        x: Tensor | Sequence[Tensor],
        *,
        lengths: Tensor | Sequence[int] | None = None,
        names: Sequence[str] | None = None,
        targets: Tensor | Sequence[int] | None = None,
        class_names: Sequence[str] | None = None,
        head: nn.Linear | None = None,
        **traits: Any,
    ) -> None:
        if not isinstance(module, nn.Module):
            raise TypeError(f"module: expected a torch.nn.Module, got {type(module).__name__}")
        self._module = module
        self._head = _head_of(module, head)
        self._inputs = _sequences(x, lengths, _is_batch_first(module))
        count = len(self._inputs)
        self._names = _labels("names", names, count, "sequence")
        if self._head is None and (class_names is not None or targets is not None):
            given = "class_names" if class_names is not None else "targets"
            raise ValueError(f"{given}: expected none without a head; give head=, a torch.nn.Linear(H, C)")
        classes = self._head.out_features if self._head is not None else 0
        self._class_names = _labels("class_names", class_names, classes, "class")
        self._targets = _classes(targets, count, classes)
        data = self._read()
        if "step" not in traits and 0 <= traits.get("sequence", 0) < count:
            traits["step"] = len(self._inputs[traits.get("sequence", 0)]) - 1
        super().__init__(_data=data, **traits)

    def refresh(self) -> None:
        """Read the module again, after more training, say."""
        self._data = self._read()

    @property
    def trace(self) -> Trace:
        """What is drawn now, x (T, D) and r, z, n, h (T, H), on the module's device."""
        part = self._parts[self.layer]
        if self._data["reason"]:
            return self._traces[self.sequence][self.layer]
        runs, inputs, _ = self._stack(self.update_bias)
        r, z, n, h = runs[self.layer]
        return Trace(inputs[part.layer], r, 1 - z if self._conventions[self.layer] == "writes" else z, n, h)

    @property
    def probabilities(self) -> Tensor | None:
        """Class probabilities after each step (T, C), as drawn now; None without a head."""
        if self._head is None:
            return None
        if self._data["reason"]:
            return self._beliefs(_top(self._parts, self._traces[self.sequence]))
        return self._beliefs(self._stack(self.update_bias)[2])

    def describe(self) -> str:
        units = self._data["parts"][self.layer]["hidden_size"]
        return (
            f"Interactive view: reset gate, update gate, candidate and state of {units} units at every step of "
            f"{self._names[self.sequence]}. It needs JavaScript, or a running kernel."
        )

    # Reading the module

    def _read(self) -> dict[str, Any]:
        """Trace every sequence, see whether the equations give the same, and put together what the page needs."""
        # Traced as a batch of one each, so that no padding can matter to any model.
        batch_axis = 0 if _is_batch_first(self._module) else 1
        inputs = [_as_read_by(self._module, x).unsqueeze(batch_axis) for x in self._inputs]
        self._traces = [_entries(trace(self._module, x)) for x in inputs]
        for i, entries in enumerate(self._traces):
            for entry in entries:
                for name, field in entry._asdict().items():
                    if not field.isfinite().all():
                        raise ValueError(f"{name}: expected finite numbers, got NaN or infinity in {self._names[i]!r}")
        self._parts = _parts(self._module, len(self._traces[0]))
        self._conventions = [_convention(part, entries) for part, entries in self._by_part()]
        reason = self._reason()
        if self._head is not None:
            width = _top(self._parts, self._traces[0]).shape[-1]
            if self._head.in_features != width:
                raise ValueError(f"head: expected a Linear({width}, C), for the last layer's state, got {self._head}")
        return {
            "reason": reason,
            "parts": [
                {
                    "name": part.name,
                    "layer": part.layer,
                    "reverse": part.reverse,
                    "hidden_size": entries[0].h.shape[-1],
                    "convention": convention,
                    "weights": None if reason else {k: _encode(v) for k, v in part.weights()._asdict().items()},
                }
                for (part, entries), convention in zip(self._by_part(), self._conventions, strict=True)
            ],
            "sequences": [
                {
                    "name": name,
                    "steps": len(entries[0].h),
                    "target": target,
                    "x": None if reason else _encode(entries[0].x),
                    "traced": [{k: _encode(getattr(entry, k)) for k in "rznh"} for entry in entries]
                    if reason
                    else None,
                    "probabilities": self._traced_beliefs(entries) if reason else None,
                }
                for name, target, entries in zip(self._names, self._targets, self._traces, strict=True)
            ],
            "head": None if self._head is None else {k: _encode(getattr(self._head, k)) for k in ("weight", "bias")},
            "class_names": self._class_names,
        }

    def _by_part(self) -> list[tuple[Part, list[Trace]]]:
        return [(part, [entries[i] for entries in self._traces]) for i, part in enumerate(self._parts)]

    def _reason(self) -> str:
        """Why the page cannot compute what the module does; empty if it can."""
        if foreign := [part for part in self._parts if part.weights is None]:
            return f"{foreign[0].name} brings equations of its own: you see what Python traced, and the bias is off."
        for i, entries in enumerate(self._traces):
            runs, _, _ = self._stack(0.0, i)
            for (_, _, _, h), entry in zip(runs, entries, strict=True):
                if (h - entry.h).abs().max() > TOLERANCE:
                    return (
                        "The GRU's equations alone, from h = 0, do not give what this model does: "
                        "you see what Python traced, and the bias is off."
                    )
        return ""

    @torch.no_grad()
    def _stack(self, bias: float, sequence: int | None = None) -> tuple[list[tuple[Tensor, ...]], list[Tensor], Tensor]:
        """(r, z, n, h) of every part with z keeping, the input of every layer, and the last layer's states (T, ..)."""
        x = self._traces[self.sequence if sequence is None else sequence][0].x  # (T, D)
        runs, inputs = [], []
        for layer in range(1 + self._parts[-1].layer):
            inputs.append(x)
            here = [part for part in self._parts if part.layer == layer]
            new = [_run(x, part.weights(), bias, part.reverse) for part in here]
            runs += new
            x = torch.cat([h for *_, h in new], -1)
        return runs, inputs, x

    @torch.no_grad()
    def _beliefs(self, top: Tensor) -> Tensor:
        return torch.softmax(self._head(top), -1)  # (T, C)

    def _traced_beliefs(self, entries: list[Trace]) -> str | None:
        return None if self._head is None else _encode(self._beliefs(_top(self._parts, entries)))

    # Traits: where they may go, and how they follow each other

    @traitlets.validate("sequence", "step", "unit", "layer", "update_bias")
    def _in_range(self, proposal: dict[str, Any]) -> Any:
        name, value = proposal["trait"].name, proposal["value"]
        if name == "update_bias":
            if not -BIAS_LIMIT <= value <= BIAS_LIMIT:
                raise traitlets.TraitError(f"update_bias: expected -6 to 6, got {value}")
            if value and self._data["reason"]:
                raise traitlets.TraitError(f"update_bias: expected 0, got {value}. {self._data['reason']}")
            return value
        parts, sequences = self._data["parts"], self._data["sequences"]
        counts = {
            "sequence": lambda: len(sequences),
            "layer": lambda: len(parts),
            "step": lambda: sequences[self.sequence]["steps"] if self.sequence in range(len(sequences)) else 1 + value,
            "unit": lambda: parts[self.layer]["hidden_size"] if self.layer in range(len(parts)) else 1 + value,
        }
        count = counts[name]()
        if not 0 <= value < count:
            raise traitlets.TraitError(f"{name}: expected 0 to {count - 1}, got {value}")
        return value

    @traitlets.observe("sequence")
    def _keep_step(self, change: dict[str, Any]) -> None:
        """After the last step of one sequence comes the last step of the next."""
        steps = [sequence["steps"] for sequence in self._data["sequences"]]
        last = steps[change["new"]] - 1
        was_last = isinstance(change["old"], int) and self.step == steps[change["old"]] - 1
        self.step = last if was_last else min(self.step, last)

    @traitlets.observe("layer")
    def _keep_unit(self, change: dict[str, Any]) -> None:
        self.unit = min(self.unit, self._data["parts"][change["new"]]["hidden_size"] - 1)


def _is_batch_first(module: nn.Module) -> bool:
    return any(
        getattr(part, "batch_first", False) for part in (module, *(found.module for found in recurrences(module)))
    )


def _head_of(module: nn.Module, head: nn.Linear | None) -> nn.Linear | None:
    if head is None:
        return module.head if isinstance(module, GRUClassifier) else None
    if not isinstance(head, nn.Linear):
        raise TypeError(f"head: expected a torch.nn.Linear, got {type(head).__name__}")
    if head.out_features < 2:
        raise ValueError(f"head: expected at least 2 classes, got {head}")
    return head


def _sequences(x: Tensor | Sequence[Tensor], lengths: Tensor | Sequence[int] | None, batch_first: bool) -> list[Tensor]:
    """A list of sequences (T_i, ..), without padding."""
    if isinstance(x, Tensor):
        shape = "(B, T, D)" if batch_first else "(T, B, D)"
        if x.dim() < 2:
            raise ValueError(f"x: expected shape {shape} or a list of (T_i, D), got {tuple(x.shape)}")
        sequences = list(x.detach().unbind(0 if batch_first else 1))
        steps = [len(sequence) for sequence in sequences] if lengths is None else [int(length) for length in lengths]
        if len(steps) != len(sequences):
            raise ValueError(f"lengths: expected {len(sequences)}, one a sequence, got {len(steps)}")
        if bad := [length for length in steps if not 1 <= length <= x.shape[1 if batch_first else 0]]:
            raise ValueError(f"lengths: expected 1 to {x.shape[1 if batch_first else 0]}, got {bad[0]}")
        sequences = [sequence[:length] for sequence, length in zip(sequences, steps, strict=True)]
    else:
        if lengths is not None:
            raise ValueError("lengths: expected none with a list of sequences, each of which has its own length")
        sequences = list(x)
        for i, sequence in enumerate(sequences):
            if not isinstance(sequence, Tensor) or sequence.dim() < 1 or not len(sequence):
                got = tuple(sequence.shape) if isinstance(sequence, Tensor) else type(sequence).__name__
                raise ValueError(f"x[{i}]: expected a tensor (T_i, D) with at least one step, got {got}")
        sequences = [sequence.detach() for sequence in sequences]
    if not sequences:
        raise ValueError("x: expected at least one sequence, got none")
    return sequences


def _as_read_by(module: nn.Module, x: Tensor) -> Tensor:
    """x on the module's device and, unless it counts something, in its dtype."""
    weight = next(module.parameters(), x)
    return x.to(weight.device, weight.dtype if x.is_floating_point() else x.dtype)


def _labels(argument: str, given: Iterable[str] | None, count: int, noun: str) -> list[str]:
    labels = [f"{noun} {i + 1}" for i in range(count)] if given is None else [str(label) for label in given]
    if len(labels) != count:
        raise ValueError(f"{argument}: expected {count}, got {len(labels)}")
    return labels


def _classes(targets: Tensor | Sequence[int] | None, count: int, classes: int) -> list[int | None]:
    if targets is None:
        return [None] * count
    numbers = [int(target) for target in targets]
    if len(numbers) != count:
        raise ValueError(f"targets: expected {count}, one a sequence, got {len(numbers)}")
    if bad := [number for number in numbers if not 0 <= number < classes]:
        raise ValueError(f"targets: expected 0 to {classes - 1}, got {bad[0]}")
    return numbers


def _entries(found: Trace) -> list[Trace]:
    """One Trace of (T, ..) a part, the batch of one taken out."""
    fields = found if isinstance(found.h, list) else [[field] for field in found]
    return [Trace(*(field.detach().squeeze(1) for field in entry)) for entry in zip(*fields, strict=True)]


def _parts(module: nn.Module, count: int) -> list[Part]:
    """The parts of a module, in the order of its trace; with several recurrences nobody knows what leads to what."""
    found = recurrences(module)
    parts = []
    for i, recurrence in enumerate(found):
        inner, layers = recurrence.module, getattr(recurrence.module, "num_layers", 1)
        ways = 2 if getattr(inner, "bidirectional", False) else 1
        for layer in range(layers):
            for reverse in (False, True)[:ways]:
                words = [recurrence.name] if len(found) > 1 else []
                words += [f"layer {layer + 1}"] if layers > 1 else []
                words += ["backward" if reverse else "forward"] if ways > 1 else []
                name = ", ".join(word for word in words if word) or type(inner).__name__
                weights = _weights(inner, layer, reverse) if len(found) == 1 else None
                parts.append(Part(name, layer if len(found) == 1 else i, reverse, weights))
    if len(parts) != count:  # some part was never called: its name cannot be told from the others'
        return [Part(f"recurrence {i + 1}", i, False, None) for i in range(count)]
    return parts


def _weights(inner: nn.Module, layer: int, reverse: bool) -> Callable[[], Weights] | None:
    def read() -> Weights:
        return weights_of(inner, layer, reverse)

    try:
        read()
    except TypeError:
        return None
    return read


def _convention(part: Part, entries: list[Trace]) -> str | None:
    """What z does in a part, told from its numbers: "keeps", "writes", or None if it is neither."""

    def gap(weight_of_past: Callable[[Tensor], Tensor]) -> float:
        gaps = []
        for _, _, z, n, h in entries:
            states = h.flip(0) if part.reverse else h
            past = torch.cat((torch.zeros_like(h[:1]), states[:-1]))
            past = past.flip(0) if part.reverse else past
            share = weight_of_past(z)
            gaps.append((share * past + (1 - share) * n - h)[1:].abs().max().item() if len(h) > 1 else 0.0)
        return max(gaps)

    keeps, writes = gap(lambda z: z), gap(lambda z: 1 - z)
    if min(keeps, writes) > TOLERANCE:
        return None
    return "keeps" if keeps <= writes else "writes"


def _top(parts: list[Part], entries: list[Trace]) -> Tensor:
    """The last layer's states, directions side by side."""
    last = [entry.h for part, entry in zip(parts, entries, strict=True) if part.layer == parts[-1].layer]
    return torch.cat(last, -1)  # (T, H) or (T, 2H)


def _run(x: Tensor, weights: Weights, bias: float, reverse: bool) -> tuple[Tensor, ...]:
    """r, z, n, h (T, H) of one layer and direction from h = 0, with a bias on every update gate."""
    H = weights.weight_hh.shape[1]
    on_z = x.new_zeros(3 * H)
    on_z[H : 2 * H] = bias
    weights = weights._replace(bias_ih=on_z if weights.bias_ih is None else weights.bias_ih + on_z)
    h, steps = x.new_zeros(H), []
    for x_t in x.flip(0) if reverse else x:
        steps.append(step(x_t, h, weights))
        h = steps[-1].h
    fields = [torch.stack(field) for field in zip(*steps, strict=True)]
    return tuple(field.flip(0) if reverse else field for field in fields)


def _encode(value: Tensor | bool | None) -> str | bool | None:
    """Little-endian float32 in base64; what is no tensor stays."""
    if not isinstance(value, Tensor):
        return value
    numbers = value.detach().to("cpu", torch.float32).contiguous().numpy().astype("<f4")
    return base64.b64encode(numbers.tobytes()).decode("ascii")
