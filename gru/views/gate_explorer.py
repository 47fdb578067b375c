"""GateExplorer: r, z, n and h of a model at every step, what it would answer, and what a bias on z does to it all.

Glossary
    T, B, D, H, C    time, batch, input size, hidden size, classes
    part             one layer and direction of the model; a cell is one part
    keeps, writes    what z does: h' = (1-z) n + z h, or h' = (1-z) h + z n
"""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
import traitlets
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from gru import _arguments
from gru.inspect.record import eval_mode
from gru.inspect.trace import Trace
from gru.models import GRUClassifier
from gru.views._base import View
from gru.views._data import (
    TOLERANCE,
    Entry,
    Part,
    apart,
    as_read_by,
    batches_of_one,
    check_edits,
    convention_of,
    counted,
    device_of,
    encode,
    labels_of,
    parts_of,
    read_sequences,
    run_stack,
    step_names_of,
    trace_each,
    why_not_here,
)

BIAS_LIMIT = 6.0

STATE = ("sequence", "step", "unit", "layer", "update_bias", "edits", "quantity", "compact", "play", "_data")


class GateExplorer(View, module="gate_explorer", state=STATE):
    """The gates of a trained model at work, and what happens to them when every update gate is biased.

    ::

        z = sigmoid(W_z x + U_z h + b_z + update_bias)        more bias, longer memory; negated where z writes

    Over one axis of time: the input; heat maps of r, z, n and h; the four quantities of one unit; the class
    probabilities that the model's head would give after every step. Rows of the maps are ordered by the last state of
    the model as trained. The page computes all of it, so it also answers on a built page, without a kernel.
    It takes any model that :func:`gru.trace` takes. Where the equations of :mod:`gru.equations` do not reproduce what
    the model does (a cell of your own), the view shows what Python traced, and its slider is off and says why.

    Args:
        module: a cell, a layer, ``torch.nn.GRU`` or ``GRUCell``, or a model that contains some, on any device.
        x: sequences, as the module reads a batch of them, (T, B, D), or (B, T, D) where it is ``batch_first``; a
            single one (T, D); or a list of (T_i, D). A page carries all of them, so choose a few.
        lengths: valid steps of each sequence of a padded batch (B,); all where None. Each sequence is read alone, and
            a model whose forward demands lengths gets its own.
        names: what to call each sequence.
        step_names: what stands below the steps, letters or months, say: one list for all sequences, or one for each.
        targets: the true class of each, from 0 to C - 1.
        class_names: what to call each class.
        head: Linear(H, C) from the last layer's state to class scores. That of a GRUClassifier is found by itself.
        sequence, step, unit, layer, update_bias, edits, quantity: what to show first; by default the first sequence
            after its last step.
        compact: only x, z, h, the probabilities and the slider.
        play: play the sequence once, in about three seconds, when a reader first has it in sight; not where less motion
            is asked for.
        **traits: also the keywords of the model's forward, such as ``text_lengths``; of a tensor with one entry per
            sequence, each sequence gets its own.

    Traits, in step with the page both ways. They count from 0, as Python does; the page counts from 1, as equations do:
        sequence, step, unit, layer (int); update_bias (float, -6 to 6); compact, play (bool).
        edits (list): cells of the sequence shown that are held, as :func:`gru.replay` holds them: [quantity, layer,
        step, unit, value] each, z as the cell means it. quantity ("r", "z", "n", "h"): which one the slider holds.

    Raises:
        TypeError: an unknown keyword; module is not a torch module or has no recurrence; a head that is not a Linear.
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
    edits = traitlets.List(traitlets.List()).tag(sync=True)
    quantity = traitlets.Enum(["r", "z", "n", "h"], "z").tag(sync=True)
    play = traitlets.Bool(False).tag(sync=True)
    _data = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        module: nn.Module,
        x: Tensor | Sequence[Tensor],
        *,
        lengths: Tensor | Sequence[int] | None = None,
        names: Sequence[str] | None = None,
        step_names: Sequence[str] | Sequence[Sequence[str]] | None = None,
        targets: Tensor | Sequence[int] | None = None,
        class_names: Sequence[str] | None = None,
        head: nn.Linear | None = None,
        **traits: Any,
    ) -> None:
        if not isinstance(module, nn.Module):
            raise TypeError(f"module: expected a torch.nn.Module, got {type(module).__name__}")
        self._module = module
        self._head, self._head_is_given = _head_of(module, head), head is not None
        self._inputs = read_sequences(module, x, lengths)
        self._keywords = self._keywords_of(module, traits)
        count = len(self._inputs)
        self._names = labels_of("names", names, count, "sequence")
        self._step_names = step_names_of(step_names, [len(x) for x in self._inputs])
        if self._head is None and (class_names is not None or targets is not None):
            given = "class_names" if class_names is not None else "targets"
            raise ValueError(f"{given}: expected none without a head; give head=, a torch.nn.Linear(H, C)")
        classes = self._head.out_features if self._head is not None else 0
        self._class_names = labels_of("class_names", class_names, classes, "class")
        self._targets = _classes(targets, count, classes)
        data = self._read()
        if "step" not in traits and traits.get("sequence", 0) in range(count):
            traits["step"] = data["sequences"][traits.get("sequence", 0)]["steps"] - 1
        super().__init__(_data=data, **traits)
        self._shown = True

    def refresh(self) -> None:
        """Read the module again, after more training, say."""
        self._data = self._read()

    @property
    def trace(self) -> Trace:
        """What is drawn now, x (T, D) and r, z, n, h (T, H), on the module's device."""
        part = self._parts[self.layer]
        if self._data["reason"]:
            return self._as_trace(*self._traces[self.sequence][self.layer][:6])
        runs, inputs, _ = self._stack(self.update_bias)
        r, z, n, h = runs[self.layer]
        z = 1 - z if self._conventions[self.layer] == "writes" else z
        return self._as_trace(inputs[part.layer], r, z, n, h, torch.zeros_like(h[0]))

    def _as_trace(self, *fields: Tensor) -> Trace:
        return Trace(*fields, names=[self._parts[self.layer].name])

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
            f"Interactive view: reset gate, update gate, candidate and state of {counted(units, 'unit')} at every step "
            f"of {self._names[self.sequence]}. It needs JavaScript, or a running kernel."
        )

    # Reading the module

    def _read(self) -> dict[str, Any]:
        """Trace every sequence, see whether the equations give the same, and put together what the page needs."""
        self._traces = trace_each(self._module, self._inputs, self._names, self._keywords)
        self._parts = parts_of(self._module, len(self._traces[0]))
        self._conventions = [convention_of(entries) for _, entries in self._by_part()]
        reason = self._reason()
        if self._head is not None:
            width = _top(self._parts, self._traces[0]).shape[-1]
            if self._head.in_features != width:
                raise ValueError(f"head: expected a Linear({width}, C), for the last layer's state, got {self._head}")
            if self._head_is_given:
                self._expect_its_answer()
        return {
            "reason": reason,
            "device": device_of(self._module),
            "apart": None if reason else apart(self._parts, self._traces),
            "parts": [
                {
                    "name": part.name,
                    "layer": part.layer,
                    "reverse": part.reverse,
                    "hidden_size": entries[0].h.shape[-1],
                    "convention": convention,
                    "weights": None if reason else {k: encode(v) for k, v in part.weights()._asdict().items()},
                }
                for (part, entries), convention in zip(self._by_part(), self._conventions, strict=True)
            ],
            "sequences": [
                {
                    "name": name,
                    "steps": len(entries[0].h),
                    "target": target,
                    "step_names": step_names,
                    "x": encode(entries[0].x),
                    "traced": [{k: encode(getattr(entry, k)) for k in "rznh"} for entry in entries] if reason else None,
                    "probabilities": self._traced_beliefs(entries) if reason else None,
                }
                for name, step_names, target, entries in zip(
                    self._names, self._step_names, self._targets, self._traces, strict=True
                )
            ],
            "head": None if self._head is None else {k: encode(getattr(self._head, k)) for k in ("weight", "bias")},
            "class_names": self._class_names,
        }

    def _by_part(self) -> list[tuple[Part, list[Entry]]]:
        return [(part, [entries[i] for entries in self._traces]) for i, part in enumerate(self._parts)]

    def _reason(self) -> str:
        why = why_not_here(self._parts, self._traces)
        return why and f"{why}: you see what Python traced, and the bias is off."

    def _stack(self, bias: float) -> tuple[list[tuple[Tensor, ...]], list[Tensor], Tensor]:
        x = as_read_by(self._module, self._traces[self.sequence][0].x)  # it may have been moved since
        return run_stack(x, self._parts, bias, [self._as_keeping(*edit) for edit in self.edits])

    def _as_keeping(self, quantity: str, layer: int, step: int, unit: int, value: float) -> tuple:
        """An edit whose z keeps."""
        writes = quantity == "z" and self._conventions[layer] == "writes"
        return quantity, layer, step, unit, 1 - value if writes else value

    @torch.no_grad()
    def _beliefs(self, top: Tensor) -> Tensor:
        return torch.softmax(self._head(as_read_by(self._head, top)), -1)  # (T, C)

    @torch.no_grad()
    def _expect_its_answer(self) -> None:
        """Refuse a head where something stands between the last state and it: the view would not show the answer."""
        with eval_mode(self._module):
            called = [self._module(x, **own) for x, own in batches_of_one(self._module, self._inputs, self._keywords)]
        for output, entries in zip(called, self._traces, strict=True):
            found = [one.reshape(1, -1) for one in tree_leaves(output) if isinstance(one, Tensor)]
            found = [one.to("cpu", torch.float32) for one in found if one.shape[1] == self._head.out_features]
            tops = [_top(self._parts, entries)[-1:], _ends(self._parts, entries)]
            heads = [self._beliefs(top).to("cpu", torch.float32) for top in tops]
            near = [(a - b).abs().max() < TOLERANCE for one in found for a in (one.softmax(1), one) for b in heads]
            if found and not any(near):
                raise ValueError(
                    f"head: expected the layer that the model answers with, on its last state, got {self._head}, from "
                    "which its answer differs: something stands between; without head the view shows the gates alone"
                )

    def _traced_beliefs(self, entries: list[Entry]) -> str | None:
        return None if self._head is None else encode(self._beliefs(_top(self._parts, entries)))

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

    @traitlets.validate("edits")
    def _can_be_held(self, proposal: dict[str, Any]) -> list:
        if proposal["value"] and self._data["reason"]:
            raise traitlets.TraitError(f"edits: expected none. {self._data['reason']}")
        return check_edits(proposal["value"], len(self._data["parts"]))

    @traitlets.observe("sequence")
    def _keep_step(self, change: dict[str, Any]) -> None:
        """After the last step of one sequence comes the last step of the next."""
        steps = [sequence["steps"] for sequence in self._data["sequences"]]
        last = steps[change["new"]] - 1
        if isinstance(change["old"], int) and change["old"] != change["new"] and getattr(self, "_shown", False):
            self.edits = []  # they were of another sequence
        was_last = isinstance(change["old"], int) and self.step == steps[change["old"]] - 1
        self.step = last if was_last else min(self.step, last)

    @traitlets.observe("layer")
    def _keep_unit(self, change: dict[str, Any]) -> None:
        self.unit = min(self.unit, self._data["parts"][change["new"]]["hidden_size"] - 1)


def _head_of(module: nn.Module, head: nn.Linear | None) -> nn.Linear | None:
    if head is None:
        return module.head if isinstance(module, GRUClassifier) else None
    if not isinstance(head, nn.Linear):
        raise TypeError(f"head: expected a torch.nn.Linear, got {type(head).__name__}")
    if head.out_features < 2:
        raise ValueError(f"head: expected at least 2 classes, got {head}")
    return head


def _classes(targets: Tensor | Sequence[int] | None, count: int, classes: int) -> list[int | None]:
    if targets is None:
        return [None] * count
    if not isinstance(targets, Iterable):
        raise TypeError(f"targets: expected a list of {count} classes, one per sequence, got {type(targets).__name__}")
    numbers = [target.item() if isinstance(target, Tensor) else target for target in targets]
    if len(numbers) != count:
        raise ValueError(f"targets: expected {count}, one per sequence, got {len(numbers)}")
    for number in numbers:
        _arguments.within("targets", number, 0, classes - 1, error=ValueError)
    return list(map(int, numbers))


def _top(parts: list[Part], entries: list[Entry]) -> Tensor:
    """The last layer's states, directions side by side."""
    last = [entry.h for part, entry in zip(parts, entries, strict=True) if part.layer == parts[-1].layer]
    return torch.cat(last, -1)  # (T, H) or (T, 2H)


def _ends(parts: list[Part], entries: list[Entry]) -> Tensor:
    """The last layer's states after each direction's last step, side by side (1, H) or (1, 2H)."""
    last = [
        entry.h[0 if part.reverse else -1]
        for part, entry in zip(parts, entries, strict=True)
        if part.layer == parts[-1].layer
    ]
    return torch.cat(last, -1).unsqueeze(0)
