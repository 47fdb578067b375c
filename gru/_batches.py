r"""What :func:`gru.fit` learns from, as checked batches on one device: tensors, a DataLoader, or a stream of batches.

Glossary
    T, N, D, C    time, sequences, input size, classes
    per step      targets that belong to the steps of a sequence, not to the sequence: they begin with the data's axes
"""

import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from torch.utils.data import DataLoader, Dataset, default_collate

from gru import _arguments
from gru.models import check_lengths


@dataclass(frozen=True)
class Reader:
    """How a model reads its data: with which axis first, in which dtype, and where."""

    batch_first: bool
    dtype: torch.dtype
    device: torch.device

    def axis(self, data: Tensor | PackedSequence, lengths: Tensor | None) -> int:
        """The axis of the sequences: 1 in what has time, (T, N, D) or ids (T, N), unless the model reads (N, T, D)."""
        if isinstance(data, PackedSequence) or self.batch_first:
            return 0
        ids = data.dim() == 2 and (lengths is not None or not data.is_floating_point())
        return int(data.dim() == 3 or ids)


@dataclass(frozen=True)
class Batch:
    """Data, targets and lengths that fit to each other; ``name`` opens the messages about them."""

    data: Tensor | PackedSequence
    targets: Tensor  # int64 where they are classes
    lengths: Tensor | None
    axis: int  # of the sequences, in the data and in targets per step
    name: str = ""
    highest: int = -1  # the highest class, known before the device is asked

    @property
    def classes(self) -> bool:
        """Whether the targets are classes; else they are values."""
        return not self.targets.is_floating_point()

    @property
    def per_step(self) -> bool:
        """Whether each step has its target. Values (N, K) belong to sequences, so those of steps have three axes."""
        same = isinstance(self.data, Tensor) and self.targets.shape[:2] == self.data.shape[:2]
        return same and self.targets.dim() >= (2 if self.classes else 3)

    @property
    def target_axis(self) -> int:
        """The axis of the sequences in the targets."""
        return self.axis if self.per_step else 0

    @property
    def valid(self) -> Tensor | None:
        """Which steps are not padding: bool, (T, N) or (N, T) as the data; None without lengths."""
        if self.lengths is None:
            return None
        steps = torch.arange(self.data.shape[1 - self.axis], device=self.lengths.device)
        valid = steps < self.lengths.unsqueeze(1)  # (N, T)
        return valid.T if self.axis else valid

    def __len__(self) -> int:
        return self.targets.shape[self.target_axis]

    def to(self, device: torch.device) -> "Batch":
        """The same batch on a device."""
        lengths = None if self.lengths is None else self.lengths.to(device)
        return replace(self, data=self.data.to(device), targets=self.targets.to(device), lengths=lengths)

    def some(self, which: Tensor) -> "Batch":
        """Some of the sequences, by their numbers."""
        which = which.to(self.targets.device)
        data = self.data.index_select(self.axis, which)
        targets = self.targets.index_select(self.target_axis, which)
        return replace(self, data=data, targets=targets, lengths=None if self.lengths is None else self.lengths[which])

    def answers(self, model: nn.Module) -> tuple[Tensor, Tensor]:
        """What the model answers and what is wanted, without padding; for classes always (M, C) and (M,)."""
        args, kwargs = self.arguments(model)
        answers = model(*args, **kwargs)
        _arguments.is_tensor("model", answers, "answers in one Tensor")
        wanted, valid = self.targets, self.valid if self.per_step else None
        if valid is not None and answers.dim() >= 2:
            # A model that unpacks answers only as many steps as the longest sequence of the batch has.
            time, steps = 1 - self.axis, int(self.lengths.max())
            if answers.shape[time] == steps:
                wanted, valid = wanted.narrow(time, 0, steps), valid.narrow(time, 0, steps)
        expected = (*wanted.shape, "C") if self.classes else (wanted.shape[0], "...")
        got = answers.shape[:-1] if self.classes else answers.shape[:1]
        if got != (wanted.shape if self.classes else wanted.shape[:1]):
            self._refuse(answers, expected)
        # A class too many is an error on the CPU, but on CUDA it breaks the process.
        if self.classes and self.highest >= answers.shape[-1]:
            raise ValueError(f"{self.name}targets: expected classes 0 to {answers.shape[-1] - 1}, got {self.highest}")
        if valid is not None and answers.shape[:2] == valid.shape:
            answers, wanted = answers[valid], wanted[valid]
        return (answers.flatten(0, -2), wanted.flatten()) if self.classes else (answers, wanted)

    def arguments(self, model: nn.Module) -> tuple[tuple, dict[str, Tensor]]:
        """What the model is called with: lengths by name where one argument is called so, else second."""
        if self.lengths is None:
            return (self.data,), {}
        names = [*inspect.signature(model.forward).parameters][1:]
        named = [name for name in names if name.endswith("lengths")]
        return ((self.data,), {named[0]: self.lengths}) if len(named) == 1 else ((self.data, self.lengths), {})

    def check_takes_lengths(self, model: nn.Module) -> None:
        """Raise TypeError if there are lengths and the model's forward has no place for them."""
        signature = inspect.signature(model.forward)
        try:
            args, kwargs = self.arguments(model)
            signature.bind(*args, **kwargs)
        except TypeError:
            lengths = "given" if self.lengths is None else "None"
            takes = f"{type(model).__name__}.forward{signature}"
            raise TypeError(f"{self.name}lengths: expected {lengths}, for the model has {takes}") from None

    @torch.no_grad()
    def check_axis(self, model: nn.Module) -> None:
        """Where N = T no shape tells a wrong axis: ask the model with one sequence less."""
        data = self.data
        if isinstance(data, Tensor) and data.dim() >= 2 and 1 < len(self) == data.shape[1 - self.axis]:
            training = model.training
            self.some(torch.arange(len(self) - 1, device="cpu")).answers(model.eval())
            model.train(training)

    def _refuse(self, answers: Tensor, expected: tuple) -> None:
        first, other = ("(T, N, ...)", True) if self.axis else ("(N, T, ...)", False)
        raise ValueError(
            f"{self.name}data: expected answers of shape ({', '.join(map(str, expected))}), one for each target, got "
            f"{_arguments.shape(answers)}. The data was taken as {first}: for a model that reads it otherwise give "
            f"batch_first={other}"
        )


class Tensors:
    """All the data in one batch on the model's device; each pass takes parts of it, in a new order if there is one."""

    def __init__(self, whole: Batch, batch_size: int, order: torch.Generator | None = None) -> None:
        self.whole, self.batch_size, self.order = whole, batch_size, order

    def __iter__(self) -> Iterator[Batch]:
        N = len(self.whole)
        shuffled = self.order is not None
        order = torch.randperm(N, generator=self.order, device="cpu") if shuffled else torch.arange(N, device="cpu")
        return map(self.whole.some, order.split(self.batch_size))


class Stream:
    """Batches (data, targets) or (data, targets, lengths) from an iterable, each as the model reads it.

    One exception: a DataLoader that stacks its samples by itself puts the sequences first. A model that reads time
    first gets them in its order.
    """

    def __init__(self, name: str, batches: Iterable, reader: Reader) -> None:
        self.name, self.batches, self.reader = name, batches, reader
        self.stacks = isinstance(batches, DataLoader) and batches.collate_fn is default_collate

    def __iter__(self) -> Iterator[Batch]:
        for parts in self.batches:
            if not isinstance(parts, tuple | list) or len(parts) not in (2, 3):
                got = f"{len(parts)} parts" if isinstance(parts, tuple | list) else type(parts).__name__
                expected = "batches (data, targets) or (data, targets, lengths)"
                raise ValueError(f"{self.name}data: expected {expected}, got {got}")
            data, targets, lengths = (*parts, None)[:3]
            if self.stacks and isinstance(data, Tensor) and self.reader.axis(data, lengths) == 1:
                stacked = checked(self.name, data, targets, lengths, replace(self.reader, batch_first=True))
                data = data.transpose(0, 1)
                targets = targets.transpose(0, 1) if stacked.per_step else targets
            yield checked(self.name, data, targets, lengths, self.reader).to(self.reader.device)


def batches_of(parts: tuple, reader: Reader, batch_size: int, order: torch.Generator) -> Tensors | Stream:
    """What (data, targets, lengths) give: all of it in tensors, or batches that bring their own targets and lengths."""
    data, targets, lengths = parts
    batches = isinstance(data, DataLoader | Iterator)
    if not batches and targets is None and not isinstance(data, Tensor | PackedSequence | np.ndarray | Dataset):
        batches = isinstance(data, Iterable)
    if batches:
        for name, value in (("targets", targets), ("lengths", lengths)):
            if value is not None:
                got = type(value).__name__
                raise ValueError(f"{name}: expected None with batches, which bring their own, got {got}")
        return Stream("", data, reader)
    if not isinstance(data, Tensor):
        hint = "; pad it, and give lengths" if isinstance(data, PackedSequence) else ""
        hint = "; a DataLoader makes batches of its samples" if isinstance(data, Dataset) else hint
        expected = "a Tensor, a DataLoader or an iterator of batches"
        raise TypeError(f"data: expected {expected}, got {type(data).__name__}{hint}")
    return Tensors(checked("", *parts, reader).to(reader.device), batch_size, order)


def validation_of(given: Any, source: Tensors | Stream, reader: Reader, batch_size: int) -> Tensors | Stream:
    """Batches of what is looked at after every epoch."""
    parts = (2, 3)
    if isinstance(source, Tensors):
        parts = (2,) if source.whole.lengths is None else (3,)
    if isinstance(given, tuple) and len(given) in parts:
        return Tensors(checked("validation ", *(*given, None)[:3], reader).to(reader.device), batch_size)
    if isinstance(given, DataLoader | list):
        return Stream("validation ", given, reader)
    expected = "the tuple (data, targets, lengths), as in training" if 3 in parts else "the tuple (data, targets)"
    got = f"{len(given)} parts" if isinstance(given, tuple) else type(given).__name__
    raise ValueError(f"validation: expected {expected}, or a DataLoader, got {got}")


def checked(name: str, data: Any, targets: Any, lengths: Any, reader: Reader) -> Batch:
    """A batch of these, where they lie; or an error that says which of them is wrong, and how."""
    values = data.data if isinstance(data, PackedSequence) else data
    _arguments.is_dense(f"{name}data", values)
    _arguments.is_tensor(f"{name}targets", targets)
    if values.is_nested:
        raise TypeError(f"{name}data: expected a padded Tensor, with lengths, got a NestedTensor")
    if values.dim() == 0:
        raise ValueError(f"{name}data: expected sequences (T, N, D) or samples (N, ...), got a single number")
    if values.is_floating_point() and values.dtype != reader.dtype:
        raise ValueError(f"{name}data: expected {reader.dtype}, as the model's parameters, got {values.dtype}")
    if targets.is_complex() or (targets.is_floating_point() and targets.dtype != reader.dtype):
        expected = f"integers or {reader.dtype}, as the model's parameters"
        raise ValueError(f"{name}targets: expected {expected}, got {targets.dtype}")
    if not targets.is_floating_point():
        targets = targets.to(torch.int64)
    batch = Batch(data, targets, lengths, reader.axis(data, lengths), name)
    _check_sizes(batch)
    _check_numbers(batch, values)
    return replace(batch, highest=int(_counted(batch).max()) if batch.classes else -1)


def _counted(batch: Batch) -> Tensor:
    """The targets that count: those per step without padding."""
    if batch.lengths is None or not batch.per_step:
        return batch.targets
    return batch.targets[batch.valid.to(batch.targets.device)]


def _check_sizes(batch: Batch) -> None:
    """As many targets and lengths as sequences."""
    data, targets, name, packed = batch.data, batch.targets, batch.name, isinstance(batch.data, PackedSequence)
    N = int(data.batch_sizes[0]) if packed else data.shape[batch.axis]
    if N == 0:
        raise ValueError(f"{name}data: expected at least one sequence, got shape {_arguments.shape(data)}")
    if targets.dim() == 0 or len(batch) != N or (batch.classes and targets.dim() > 1 and not batch.per_step):
        timed = not packed and data.dim() >= 2
        if timed and targets.dim() == 1 and len(targets) == data.shape[1 - batch.axis]:
            read = "(T, N, ...)" if batch.axis else "(N, T, ...)"
            raise ValueError(
                f"{name}data: expected shape {read} with N = {len(targets)}, one sequence for each target, got "
                f"{_arguments.shape(data)}; for a model that reads it otherwise give batch_first={bool(batch.axis)}"
            )
        expected = f"({N},)" if batch.classes else f"({N}, ...)"
        raise ValueError(
            f"{name}targets: expected shape {expected}, one for each sequence, got {_arguments.shape(targets)}"
        )
    if batch.lengths is not None:
        if packed or data.dim() < 2:
            got = "a PackedSequence" if packed else f"shape {_arguments.shape(data)}"
            raise ValueError(f"{name}lengths: expected None for data without an axis of time, {got}")
        check_lengths(batch.lengths, data.shape[1 - batch.axis], N)


def _check_numbers(batch: Batch, values: Tensor) -> None:
    """Finite numbers in all valid steps, and no class below 0."""
    if batch.classes and (lowest := _counted(batch).min()) < 0:
        raise ValueError(f"{batch.name}targets: expected classes from 0 on, got {lowest}")
    valid = batch.valid
    for name, numbers in (("data", values), ("targets", batch.targets)):
        bad = ~torch.isfinite(numbers)
        minds = valid is not None and (name == "data" or batch.per_step)
        if minds:
            bad &= valid.to(bad.device).reshape(*valid.shape, *[1] * (bad.dim() - 2))
        if bad.any():
            place = bad.nonzero()[0].tolist()
            value = numbers[tuple(place)].item()
            axis = batch.axis if name == "data" or batch.per_step else 0
            timed = numbers.dim() > 1 and (minds or batch.axis == 1 or numbers.dim() == 3)
            where = f"sequence {place[axis]}" + (f", step {place[1 - axis]}" if timed else "")
            raise ValueError(f"{batch.name}{name}: expected finite numbers, got {value} in {where}")
