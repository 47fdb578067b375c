r"""One short training loop for the whole book: Adam, minibatches, a progress bar, and a record of what happened.

Randomness (the order of the batches, dropout) comes from ``seed`` alone; the global random state is left as it was.

Glossary
    T, N, D    time, sequences, input size
"""

import html
import io
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss
from tqdm import tqdm

from gru import _arguments
from gru.models import check_lengths


@dataclass
class History:
    """What happened in training: one entry for each finished epoch."""

    loss: list[float] = field(default_factory=list)  # mean over the epoch, while the model changes
    accuracy: list[float] = field(default_factory=list)  # 0 to 1, likewise; empty where targets are no classes
    validation_loss: list[float] = field(default_factory=list)  # after the epoch; empty without validation
    validation_accuracy: list[float] = field(default_factory=list)
    seconds: float = 0.0  # in all
    interrupted: bool = False  # stopped by Ctrl-C before the last epoch was done

    @property
    def epochs(self) -> int:
        """How many epochs were finished."""
        return len(self.loss)

    def __str__(self) -> str:
        parts = [f"{self.epochs} epochs in {self.seconds:.1f} s" + (", interrupted" if self.interrupted else "")]
        for name in ("loss", "accuracy", "validation_loss", "validation_accuracy"):
            if values := getattr(self, name):
                parts.append(f"{name.replace('_', ' ')} {values[-1]:{'.1%' if 'accuracy' in name else '.4f'}}")
        return ", ".join(parts)


def fit(
    model: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    *,
    lengths: Tensor | None = None,
    epochs: int = 50,
    batch_size: int = 32,
    lr: float = 1e-3,
    weight_decay: float = 0.0,
    clip: float | None = 1.0,
    seed: int = 0,
    device: torch.device | str | None = None,
    loss: Callable[[Tensor, Tensor], Tensor] | None = None,
    validation: tuple[Tensor, ...] | None = None,
    progress: bool = True,
) -> History:
    """Train a model in place, and leave it in evaluation mode.

    Args:
        model: any module that answers ``model(inputs)``, or ``model(inputs, lengths)`` if lengths are given.
        inputs: sequences (T, N, D), or (N, T, D) for a model whose ``batch_first`` is true; anything else has N first.
        targets: what each of the N sequences should give: classes as integers (N,), or values (N, ...).
        lengths: valid steps of each sequence (N,), see :class:`gru.GRUClassifier`.
        epochs: how often to see all of it.
        batch_size: sequences in one step of Adam.
        lr, weight_decay: learning rate of Adam, and its decoupled weight decay (AdamW).
        clip: the gradient's norm is scaled down to this where it is larger; None leaves it.
        seed: of the order of the batches and of dropout.
        device: where to train; the model is moved there and stays there. Where the model is, if None.
        loss: (answers, targets) -> scalar, a mean; by default cross entropy for classes, else the mean squared error.
        validation: (inputs, targets) or (inputs, targets, lengths), to look at after every epoch.
        progress: show a bar. In a terminal it is text; in a notebook one line of results is left of it.

    Returns:
        a :class:`History`. Ctrl-C ends training: the model keeps what it has learned, the history has every epoch that
        was finished, and ``interrupted`` is set.

    Raises:
        TypeError: model is no module or does not answer with a tensor; an argument is not the tensor it should be.
        ValueError: a shape, a dtype or an option does not fit, or a valid step of the data is not finite.
        RuntimeError: the loss is no longer finite.

    Source: Kingma and Ba 2015 (Adam); Loshchilov and Hutter 2019 (AdamW); Pascanu et al. 2013 (clipping).

    >>> import torch, gru
    >>> model = gru.GRUClassifier(3, 8, 2)
    >>> x, y = torch.randn(5, 20, 3), torch.arange(20) % 2
    >>> gru.fit(model, x, y, epochs=3, progress=False).epochs
    3
    """
    _check_options(epochs=epochs, batch_size=batch_size, lr=lr, weight_decay=weight_decay, clip=clip, seed=seed)
    if not isinstance(model, nn.Module):
        raise TypeError(f"model: expected a torch.nn.Module, got {type(model).__name__}")
    parameter = next(model.parameters(), None)
    if parameter is None:
        raise ValueError(f"model: expected a module with parameters, got {type(model).__name__} without any")
    device = parameter.device if device is None else torch.device(device)
    batch_first = bool(getattr(model, "batch_first", False))
    data = _Data("", (inputs, targets, lengths), batch_first, parameter.dtype, device)
    held_out = None
    if validation is not None:
        if not isinstance(validation, tuple) or len(validation) != (2 if lengths is None else 3):
            expected = "(inputs, targets)" if lengths is None else "(inputs, targets, lengths), as in training"
            got = f"{len(validation)} parts" if isinstance(validation, tuple) else type(validation).__name__
            raise ValueError(f"validation: expected the tuple {expected}, got {got}")
        held_out = _Data("validation ", (*validation, None)[:3], batch_first, parameter.dtype, device)
    loss = loss or (cross_entropy if data.classes else _squared_error)
    model.to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=weight_decay)

    order = torch.Generator("cpu").manual_seed(seed)  # not dropout's, so that the batches are the same without it
    rows: list[dict[str, float]] = []  # one a finished epoch, appended whole: Ctrl-C never leaves half of one
    interrupted, start = False, time.perf_counter()
    with _seeded(seed, device), _bar(epochs, progress) as bar:
        try:
            for epoch in range(1, epochs + 1):
                model.train()
                score = _Score(data)
                for batch in torch.randperm(len(data), generator=order, device="cpu").split(batch_size):
                    answers, wanted = data.answers(model, batch)
                    value = loss(answers, wanted)
                    optimizer.zero_grad()
                    value.backward()
                    if clip is not None:
                        nn.utils.clip_grad_norm_(model.parameters(), clip)
                    optimizer.step()
                    score.add(value, answers, wanted)
                row = score.means("")
                if not math.isfinite(row["loss"]):
                    raise RuntimeError(
                        f"loss: expected a finite number, got {row['loss']} in epoch {epoch}; try a smaller lr"
                    )
                if held_out is not None:
                    row |= _evaluate(model, held_out, loss, batch_size)
                rows.append(row)
                bar.set_postfix_str(_summary(row), refresh=False)
                bar.update()
        except KeyboardInterrupt:
            interrupted = True
        finally:
            model.eval()
        columns = {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}
        history = History(**columns, seconds=time.perf_counter() - start, interrupted=interrupted)
        bar.finish(str(history))
    return history


class _Data:
    """Inputs, targets and lengths, checked and on the device."""

    def __init__(
        self,
        name: str,
        parts: tuple[Tensor, Tensor, Tensor | None],
        batch_first: bool,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        inputs, targets, lengths = parts
        _arguments.is_tensor(f"{name}inputs", inputs)
        _arguments.is_tensor(f"{name}targets", targets)
        if inputs.dim() == 0:
            raise ValueError(f"{name}inputs: expected sequences (T, N, D) or samples (N, ...), got a single number")
        self.axis = 1 if inputs.dim() == 3 and not batch_first else 0  # the axis of the N sequences
        self.classes = not targets.is_floating_point()  # targets name classes, rather than values
        N = inputs.shape[self.axis]
        if N == 0:
            raise ValueError(f"{name}inputs: expected at least one sequence, got shape {_arguments.shape(inputs)}")
        if inputs.is_floating_point() and inputs.dtype != dtype:
            raise ValueError(f"{name}inputs: expected {dtype}, as the model's parameters, got {inputs.dtype}")
        expected = f"({N},)" if self.classes else f"({N}, ...)"
        if targets.dim() == 0 or len(targets) != N or (self.classes and targets.dim() != 1):
            raise ValueError(
                f"{name}targets: expected shape {expected}, one for each sequence, got {_arguments.shape(targets)}"
            )
        if self.classes and targets.min() < 0:
            raise ValueError(f"{name}targets: expected classes from 0 on, got {targets.min()}")
        if not self.classes and targets.dtype != dtype:
            raise ValueError(
                f"{name}targets: expected integers or {dtype}, as the model's parameters, got {targets.dtype}"
            )
        valid = None
        if lengths is not None:
            if inputs.dim() != 3:
                raise ValueError(
                    f"{name}lengths: expected None for inputs without time, of shape {_arguments.shape(inputs)}"
                )
            T = inputs.shape[1 - self.axis]
            check_lengths(lengths, T, N)
            valid = torch.arange(T, device="cpu") < lengths.cpu().unsqueeze(1)  # (N, T)
            valid = valid.T if self.axis else valid
        _finite(f"{name}inputs", inputs, valid, self.axis)
        _finite(f"{name}targets", targets, None, 0)
        self.name = name
        self.inputs = inputs.to(device)
        self.targets = targets.to(device, torch.int64 if self.classes else dtype)
        self.lengths = None if lengths is None else lengths.to(device)
        self.highest = int(targets.max()) if self.classes else -1

    def __len__(self) -> int:
        return len(self.targets)

    def answers(self, model: nn.Module, batch: Tensor) -> tuple[Tensor, Tensor]:
        """What the model answers to some of the sequences, and what is wanted."""
        batch = batch.to(self.targets.device)
        more = () if self.lengths is None else (self.lengths[batch],)
        answers = model(self.inputs.index_select(self.axis, batch), *more)
        _arguments.is_tensor("model", answers, "answers in one Tensor")
        # A class too many is an error on the CPU, but on CUDA it breaks the process.
        if self.classes and self.highest >= answers.shape[-1]:
            raise ValueError(f"{self.name}targets: expected classes 0 to {answers.shape[-1] - 1}, got {self.highest}")
        return answers, self.targets[batch]


def _squared_error(answers: Tensor, wanted: Tensor) -> Tensor:
    """The mean squared error, of answers and targets that belong to each other: PyTorch's would broadcast."""
    if answers.shape != wanted.shape:
        expected, got = (f"({', '.join(map(str, ('N', *tensor.shape[1:])))})" for tensor in (answers, wanted))
        raise ValueError(f"targets: expected shape {expected}, that of the answers, got {got}")
    return mse_loss(answers, wanted)


class _Score:
    """Loss and right answers so far, kept on the device: a GPU is waited for once an epoch, not once a batch."""

    def __init__(self, data: _Data) -> None:
        self.data = data
        self.loss = torch.zeros((), device=data.targets.device)
        self.right = torch.zeros((), device=data.targets.device)

    def add(self, value: Tensor, answers: Tensor, wanted: Tensor) -> None:
        self.loss += value.detach() * len(wanted)
        if self.data.classes:
            self.right += (answers.detach().argmax(-1) == wanted).sum()

    def means(self, prefix: str) -> dict[str, float]:
        names = ["loss", "accuracy"] if self.data.classes else ["loss"]
        means = (torch.stack((self.loss, self.right)) / len(self.data)).tolist()
        return {prefix + name: mean for name, mean in zip(names, means, strict=False)}


@torch.no_grad()
def _evaluate(model: nn.Module, data: _Data, loss: Callable, batch_size: int) -> dict[str, float]:
    """Loss and accuracy of the model as it is."""
    model.eval()
    score = _Score(data)
    for batch in torch.arange(len(data), device="cpu").split(batch_size):
        answers, wanted = data.answers(model, batch)
        score.add(loss(answers, wanted), answers, wanted)
    return score.means("validation_")


def _summary(row: dict[str, float]) -> str:
    """One epoch in words."""
    return ", ".join(
        f"{name.replace('_', ' ')} {value:{'.1%' if 'accuracy' in name else '.4f'}}" for name, value in row.items()
    )


def _finite(name: str, values: Tensor, valid: Tensor | None, axis: int) -> None:
    """Raise ValueError if a number is not finite, and say where; padding is not looked at."""
    bad = ~torch.isfinite(values)
    if valid is not None:
        bad &= valid.to(values.device).unsqueeze(2)
    if bad.any():
        place = bad.nonzero()[0].tolist()
        value = values[tuple(place)].item()
        where = f"sequence {place[axis]}" + (f", step {place[1 - axis]}" if values.dim() == 3 else "")
        raise ValueError(f"{name}: expected finite numbers, got {value} in {where}")


def _check_options(*, epochs, batch_size, lr, weight_decay, clip, seed) -> None:
    _arguments.whole_number("seed", seed)
    for name, value in (("epochs", epochs), ("batch_size", batch_size)):
        _arguments.whole_number(name, value)
        if value < 1:
            raise ValueError(f"{name}: expected an integer of 1 or more, got {value!r}")
    for name, value in (("lr", lr), ("clip", 1.0 if clip is None else clip)):
        if not 0 < _arguments.number(name, value) < math.inf:
            raise ValueError(f"{name}: expected a number above 0, got {value}")
    if not 0 <= _arguments.number("weight_decay", weight_decay) < math.inf:
        raise ValueError(f"weight_decay: expected a number of 0 or more, got {weight_decay}")


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


def _bar(epochs: int, progress: bool) -> "_Bar":
    """A progress bar for where we are."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    in_notebook = progress and hasattr(shell, "kernel")
    return (_NotebookBar if in_notebook else _Bar)(total=epochs, desc="epochs", unit="epoch", disable=not progress)


class _Bar(tqdm):
    """tqdm's bar in a terminal."""

    def finish(self, text: str) -> None:
        """Leave the bar as it is, with what came out."""
        if not self.disable:
            self.set_postfix_str(text.partition(", ")[2])


class _NotebookBar(_Bar):
    """tqdm's bar in a notebook, as an HTML <progress> and in the end as a line of text.

    tqdm's own notebook bar is a widget: it is gone once the kernel is, and so a built page would show a hole.
    """

    monitor_interval = 0  # no thread that draws in between

    def __init__(self, **options) -> None:
        from IPython.display import DisplayHandle

        self.handle, self.shown = DisplayHandle(), False
        super().__init__(file=io.StringIO(), **options)

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        """Called by tqdm whenever the bar is to be drawn."""
        label = self.format_dict | {
            "ncols": None,
            "bar_format": "{n_fmt} of {total_fmt} epochs, {remaining} left{postfix}",
        }
        text = html.escape(self.format_meter(**label))
        bar = f'<progress max="{self.total}" value="{self.n}" aria-label="Training"></progress> {text}'
        self._show({"text/html": bar, "text/plain": text})

    def finish(self, text: str) -> None:
        self._show({"text/plain": text})
        self.display = lambda *_, **__: None  # nothing is drawn over it

    def _show(self, bundle: dict[str, str]) -> None:
        (self.handle.update if self.shown else self.handle.display)(bundle, raw=True)
        self.shown = True
