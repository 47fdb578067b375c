r"""One short training loop for the whole book: minibatches, Adam or another optimizer, a progress bar, and a record.

Randomness (the order of the batches, dropout) comes from ``seed`` alone; the global random state is left as it was.

Glossary
    T, N, D, C    time, sequences, input size, classes
    epoch         one pass over all the data
    update        one step of the optimizer, on one batch
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice, repeat

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss
from torch.optim import Optimizer

from gru import _arguments
from gru._batches import Batch, Reader, Stream, Tensors, batches_of, validation_of
from gru._progress import progress_bar
from gru.history import RECENT, History
from gru.layer import is_batch_first


def fit(
    model: nn.Module,
    data: Tensor | Iterable,
    targets: Tensor | None = None,
    *,
    lengths: Tensor | None = None,
    epochs: int | None = None,
    updates: int | None = None,
    until: float | Callable[[History], bool] | None = None,
    batch_size: int = 32,
    optimizer: Optimizer | Callable[..., Optimizer] = torch.optim.AdamW,
    lr: float | None = None,
    weight_decay: float | None = None,
    clip: float | None = 1.0,
    seed: int = 0,
    device: torch.device | str | None = None,
    loss: Callable[[Tensor, Tensor], Tensor] | None = None,
    validation: tuple[Tensor, ...] | Iterable | None = None,
    batch_first: bool | None = None,
    progress: bool = True,
) -> History:
    """Train a model in place, and leave it in evaluation mode.

    Args:
        model: any module that answers ``model(data)``, or ``model(data, lengths)`` if lengths are given; by name where
            one argument of forward is called ``lengths`` or so, such as ``text_lengths``.
        data: all of it in tensors: sequences (T, N, D) or token ids (T, N), or with N first for a model that reads
            ``batch_first``; anything else has N first. Or batches, each (data, targets) or (data, targets, lengths) as
            the model reads them: a DataLoader, a list, or an iterator such as :func:`gru.tasks.latch`, which may be
            endless. (Samples that a DataLoader stacks by itself have N first; a model that reads time first gets them
            turned.)
        targets: with tensors, what each of the N sequences should give: classes as integers (N,), or values (N, ...).
            Or what each step should give: then their first two axes are those of the data.
        lengths: with tensors, valid steps of each sequence (N,), see :class:`gru.GRUClassifier`. Targets per step
            beyond them do not count.
        epochs: how often to see all of it; 50 if None.
        updates: steps of the optimizer, in place of epochs; the history then has an entry for each. Always counted with
            an iterator, 1000 if None; training ends before that where the iterator does.
        until: stop when this holds, a function of the history so far, or a number: the accuracy to reach or, where
            targets are values, the loss to get down to, in the last epoch (of ``validation`` if there is one) or in the
            mean of the last 20 updates. ``history.solved`` says when it held.
        batch_size: sequences in one update, where the data is in tensors.
        optimizer: one over the model's parameters, or a function that makes one of them, such as ``torch.optim.SGD``.
        lr, weight_decay: what the optimizer is made with, if given. AdamW's are 1e-3 and 0 here.
        clip: the gradient's norm is scaled down to this where it is larger; None leaves it.
        seed: of the order of the batches and of dropout.
        device: where to train; the model is moved there and stays there. Where the model is, if None.
        loss: (answers, targets) -> scalar, a mean; by default cross entropy for classes, else the mean squared error.
            Classes come to it as answers (M, C) and targets (M,), also those of steps.
        validation: (data, targets) or (data, targets, lengths), or batches of these, to look at after every epoch.
        batch_first: whether the model reads N first; found in the model, or in the modules in it, if None.
        progress: show a bar. In a terminal it is text; in a notebook one line of results is left of it.

    Returns:
        a :class:`History`. Ctrl-C ends training: the model keeps what it has learned, the history has every entry that
        was finished, and ``interrupted`` is set.

    Raises:
        TypeError: model is not a module or does not answer with a tensor; an argument is not the tensor it should be.
        ValueError: a shape, a dtype or an option does not fit, or a valid step of the data is not finite.
        RuntimeError: the loss is no longer finite.

    Source: Kingma and Ba 2015 (Adam); Loshchilov and Hutter 2019 (AdamW); Pascanu et al. 2013 (clipping).

    >>> import torch, gru
    >>> model = gru.GRUClassifier(3, 8, 2)
    >>> x, y = torch.randn(5, 20, 3), torch.arange(20) % 2
    >>> gru.fit(model, x, y, epochs=3, progress=False).epochs
    3
    >>> model = gru.GRUClassifier(8, 16, 8)
    >>> history = gru.fit(model, gru.tasks.latch(T=5, batch_size=32), until=0.99, lr=1e-2, progress=False)
    >>> history.solved < 200
    True
    """
    parameter = _parameter_of(model)
    _check_options(batch_size, lr, weight_decay, clip, seed, until, batch_first, loss)
    unit, count = _how_long(data, epochs, updates)
    device = parameter.device if device is None else torch.device(device)
    reader = Reader(is_batch_first(model) if batch_first is None else batch_first, parameter.dtype, device)
    order = _arguments.generator(seed)  # not dropout's, so that the batches are the same without it
    source = batches_of((data, targets, lengths), reader, int(batch_size), order)
    held_out = None
    if validation is not None:
        if unit == "update":
            raise ValueError("validation: expected None with updates; it is looked at after every epoch")
        held_out = validation_of(validation, source, reader, int(batch_size))
    model.to(device)
    learner = _Learner(model, _optimizer(optimizer, model, lr, weight_decay), clip, loss, probe=batch_first is None)

    history, start = History(unit=unit), time.perf_counter()
    with _seeded(int(seed), device), progress_bar(count, unit, progress) as bar:
        try:
            for batches in _rounds(source, unit, count):
                row = learner.learn(batches)
                _check_finite(row["loss"], f"{unit} {len(history.loss) + 1}")
                if held_out is not None:
                    row |= learner.look(held_out)
                history._append(row)
                bar.set_postfix_str(str(history).partition(", ")[2], refresh=False)
                bar.update()
                if until is not None and _reached(until, history):
                    history.solved = len(history.loss)
                    break
        except KeyboardInterrupt:
            history._drop_half()
            history.interrupted = True
        finally:
            model.eval()
        history.seconds = time.perf_counter() - start
        bar.finish(str(history))
    return history


class _Learner:
    """Learns from batches, and looks at what that brought."""

    def __init__(
        self, model: nn.Module, optimizer: Optimizer, clip: float | None, loss: Callable | None, probe: bool
    ) -> None:
        self.model, self.optimizer, self.clip, self.loss = model, optimizer, clip, loss
        self.probe, self.begun = probe, False  # whether to try out which axis is that of the sequences, at the start

    def learn(self, batches: Iterable[Batch]) -> dict[str, float]:
        """One update for each batch; the means of loss and accuracy, as the model stood before each."""
        self.model.train()
        score = _Score()
        for batch in batches:
            if not self.begun:
                self._check(batch)
            score.add(*self._update(batch))
        return score.means("")

    def _check(self, batch: Batch) -> None:
        batch.check_takes_lengths(self.model)
        if self.probe:
            batch.check_axis(self.model)
        self.begun = True

    def _update(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        computed = []  # once for most optimizers; L-BFGS tries several steps

        def closure() -> Tensor:
            self.optimizer.zero_grad()
            computed.append(self._loss(batch))
            if not computed[-1][0].requires_grad:
                expected = "a value that some parameter's gradient can change"
                raise ValueError(f"loss: expected {expected}, got one that needs none")
            computed[-1][0].backward()
            if self.clip is not None:
                nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
            return computed[-1][0]

        self.optimizer.step(closure)
        return computed[0]

    @torch.no_grad()
    def look(self, batches: Iterable[Batch]) -> dict[str, float]:
        """Loss and accuracy of the model as it is."""
        self.model.eval()
        score = _Score()
        for batch in batches:
            score.add(*self._loss(batch))
        return score.means("validation_")

    def _loss(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        answers, wanted = batch.answers(self.model)
        loss = self.loss or (cross_entropy if batch.classes else _squared_error)
        value = loss(answers, wanted)
        if not isinstance(value, Tensor) or value.numel() != 1:
            got = f"shape {_arguments.shape(value)}" if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(f"loss: expected a scalar tensor, got {got}")
        return value, answers, wanted


def _squared_error(answers: Tensor, wanted: Tensor) -> Tensor:
    """The mean squared error, of answers and targets that belong to each other: PyTorch's would broadcast."""
    if answers.shape != wanted.shape:
        expected, got = (f"({', '.join(map(str, ('N', *tensor.shape[1:])))})" for tensor in (answers, wanted))
        raise ValueError(f"targets: expected shape {expected}, that of the answers, got {got}")
    return mse_loss(answers, wanted)


class _Score:
    """Loss and right answers so far, kept on the device: a GPU is waited for once an entry, not once a batch."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.count = 0

    def add(self, value: Tensor, answers: Tensor, wanted: Tensor) -> None:
        count = wanted.numel()
        sums = {"loss": value.detach().to(torch.promote_types(value.dtype, torch.float32)) * count}
        if not wanted.is_floating_point():
            sums["accuracy"] = (answers.detach().argmax(-1) == wanted).sum().to(sums["loss"].dtype)
        self.sums = {name: self.sums.get(name, 0) + value for name, value in sums.items()}
        self.count += count

    def means(self, prefix: str) -> dict[str, float]:
        if not self.count:
            raise ValueError(f"{prefix.replace('_', ' ')}data: expected at least one batch, got none")
        means = (torch.stack([*self.sums.values()]) / self.count).tolist()
        return {prefix + name: mean for name, mean in zip(self.sums, means, strict=True)}


def _how_long(data: object, epochs: int | None, updates: int | None) -> tuple[str, int]:
    """What is counted, "epoch" or "update", and how many of them there are to be at most."""
    endless = isinstance(data, Iterator)
    if epochs is not None and (endless or updates is not None):
        why = "an iterator, which has no epochs: give updates" if endless else "updates"
        raise ValueError(f"epochs: expected None with {why}, got {epochs}")
    unit, count = ("update", updates) if endless or updates is not None else ("epoch", epochs)
    count = {"epoch": 50, "update": 1000}[unit] if count is None else count
    _arguments.whole_number(f"{unit}s", count)
    if count < 1:
        raise ValueError(f"{unit}s: expected an integer of 1 or more, got {count!r}")
    return unit, count


def _rounds(source: Tensors | Stream, unit: str, count: int) -> Iterator[Iterable[Batch]]:
    """The batches of every entry of the history: all of them for an epoch, one for an update."""
    return repeat(source, count) if unit == "epoch" else ([batch] for batch in islice(_endless(source), count))


def _endless(source: Tensors | Stream) -> Iterator[Batch]:
    """Pass after pass; one pass of what can be read only once."""
    while True:
        batch = None
        for batch in source:
            yield batch
        if batch is None:
            raise ValueError("data: expected at least one batch, got none")
        if isinstance(source, Stream) and isinstance(source.batches, Iterator):
            return


def _reached(until: float | Callable, history: History) -> bool:
    """Whether to stop here."""
    if callable(until):
        return bool(until(history))
    if history.unit == "update" and len(history.loss) < RECENT:
        return False
    prefix = "validation_" if history.validation_loss else ""
    if history.accuracy:
        return history.recent(f"{prefix}accuracy") >= until
    return history.recent(f"{prefix}loss") <= until


def _optimizer(given, model: nn.Module, lr: float | None, weight_decay: float | None) -> Optimizer:
    """The optimizer that was given, or what the given function makes."""
    options = {name: value for name, value in (("lr", lr), ("weight_decay", weight_decay)) if value is not None}
    if isinstance(given, Optimizer):
        for name, value in options.items():
            raise ValueError(f"{name}: expected None with an optimizer that has its own, got {value}")
        own = {id(parameter) for parameter in model.parameters()}
        if not any(id(parameter) in own for group in given.param_groups for parameter in group["params"]):
            raise ValueError("optimizer: expected one over the model's parameters, got one over none of them")
        return given
    if given is torch.optim.AdamW:
        options = {"lr": 1e-3, "weight_decay": 0.0} | options
    made = given(model.parameters(), **options) if callable(given) else given
    if not isinstance(made, Optimizer):
        expected = "a torch.optim.Optimizer, or a function of the parameters that makes one"
        raise TypeError(f"optimizer: expected {expected}, got {type(made).__name__}")
    return made


def _check_finite(loss: float, where: str) -> None:
    if not math.isfinite(loss):
        raise RuntimeError(f"loss: expected a finite number, got {loss} in {where}; try a smaller lr")


def _parameter_of(model: nn.Module) -> nn.Parameter:
    """The first parameter of a model, which tells its dtype and its device."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"model: expected a torch.nn.Module, got {type(model).__name__}")
    parameter = next(model.parameters(), None)
    if parameter is None:
        raise ValueError(f"model: expected a module with parameters, got {type(model).__name__} without any")
    return parameter


def _check_options(batch_size, lr, weight_decay, clip, seed, until, batch_first, loss) -> None:
    _arguments.whole_number("seed", seed)
    _arguments.whole_number("batch_size", batch_size)
    if batch_size < 1:
        raise ValueError(f"batch_size: expected an integer of 1 or more, got {batch_size!r}")
    for name, value in (("lr", lr), ("clip", clip)):
        if value is not None and not 0 < _arguments.number(name, value) < math.inf:
            raise ValueError(f"{name}: expected a number above 0, got {value}")
    if weight_decay is not None and not 0 <= _arguments.number("weight_decay", weight_decay) < math.inf:
        raise ValueError(f"weight_decay: expected a number of 0 or more, got {weight_decay}")
    if until is not None and not callable(until):
        _arguments.number("until", until)
    if batch_first is not None:
        _arguments.flag("batch_first", batch_first)
    if not (loss is None or callable(loss)):
        raise TypeError(f"loss: expected a function of answers and targets or None, got {type(loss).__name__}")


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed what dropout draws from on the CPU and on this device, and put everything back at the end."""
    cuda = [device] if device.type == "cuda" else []
    metal = torch.mps.get_rng_state() if device.type == "mps" else None
    with torch.random.fork_rng(devices=cuda):
        torch.default_generator.manual_seed(seed)
        if cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        if metal is not None:
            torch.mps.manual_seed(seed)
        try:
            yield
        finally:
            if metal is not None:
                torch.mps.set_rng_state(metal)
