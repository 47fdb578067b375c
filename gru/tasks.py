"""Synthetic tasks that measure memory, as endless seeded batches.

Each function returns an iterator of :class:`Batch`; ``next(...)`` takes one. Numbers are drawn on the CPU and
then moved, so that a seed means the same batches on every device.

Sources: latch: Bengio, Simard and Frasconi (1994). Adding: Hochreiter and Schmidhuber (1997), in the form
of Arjovsky, Shah and Bengio (2016), as is copy.

Glossary: T time, B batch.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from gru import _arguments


class Batch(NamedTuple):
    """Inputs and what a model should answer."""

    x: Tensor  # (T, B, D), in PyTorch's default dtype
    y: Tensor  # (B,) classes, (B, 1) values or (T, B) classes: see each task


def latch(
    T: int, batch_size: int, *, symbols: int = 8, noise: float = 0.0, seed: int = 0, device: torch.device | None = None
) -> Iterator[Batch]:
    """Remember the first symbol until the end.

    x (T, B, symbols) is one-hot at t = 0 and Gaussian noise of standard deviation ``noise`` afterwards;
    y (B,) is the symbol. Guessing is right once in ``symbols``.

    Args:
        T: steps; B is ``batch_size``.
        batch_size: sequences in a batch.
        symbols: how many there are.
        noise: standard deviation of what follows the symbol.
        seed: of the random numbers; the same seed gives the same batches on every device.
        device: where the batches lie; the CPU where None.

    >>> batch = next(latch(T=20, batch_size=4))
    >>> batch.x.shape, bool((batch.x[0].argmax(-1) == batch.y).all())
    (torch.Size([20, 4, 8]), True)
    """
    _at_least(1, T=T, batch_size=batch_size)
    _at_least(2, symbols=symbols)
    noise = _arguments.number("noise", noise)
    if not 0 <= noise < math.inf:
        raise ValueError(f"noise: expected a finite standard deviation of 0 or more, got {noise}")
    draw = _arguments.generator(seed)

    def batches() -> Iterator[Batch]:
        while True:
            y = torch.randint(symbols, (batch_size,), generator=draw, device="cpu")
            x = noise * torch.randn(T, batch_size, symbols, generator=draw, device="cpu")
            x[0] = torch.nn.functional.one_hot(y, symbols)
            yield Batch(x.to(device), y.to(device))

    return batches()


def adding(T: int, batch_size: int, *, seed: int = 0, device: torch.device | None = None) -> Iterator[Batch]:
    """Add the two marked numbers.

    x (T, B, 2) holds a number from U(0, 1) and a mark, which is 1 once in the first half and once in the second;
    y (B, 1) is the sum of the two marked numbers. Answering 1 always has a mean squared error of 1/6.

    Args:
        T: steps, at least 2; B is ``batch_size``.
        batch_size: sequences in a batch.
        seed: of the random numbers; the same seed gives the same batches on every device.
        device: where the batches lie; the CPU where None.

    >>> x, y = next(adding(T=10, batch_size=3))
    >>> torch.allclose((x[..., 0] * x[..., 1]).sum(0), y[:, 0])
    True
    """
    _at_least(2, T=T)
    _at_least(1, batch_size=batch_size)
    draw = _arguments.generator(seed)

    def batches() -> Iterator[Batch]:
        half, each = T // 2, torch.arange(batch_size, device="cpu")
        while True:
            numbers = torch.rand(T, batch_size, generator=draw, device="cpu")
            first = torch.randint(half, (batch_size,), generator=draw, device="cpu")
            second = torch.randint(half, T, (batch_size,), generator=draw, device="cpu")
            marks = torch.zeros(T, batch_size, device="cpu")
            marks[first, each] = marks[second, each] = 1.0
            y = numbers[first, each] + numbers[second, each]
            yield Batch(torch.stack((numbers, marks), dim=-1).to(device), y[:, None].to(device))

    return batches()


def copy(
    T: int, batch_size: int, *, length: int = 10, symbols: int = 8, seed: int = 0, device: torch.device | None = None
) -> Iterator[Batch]:
    """Repeat a word after a delay of ``T`` steps.

    x (T + 2 length, B, symbols + 2) is one-hot: ``length`` symbols, T - 1 blanks, the sign to speak, ``length``
    blanks. y (T + 2 length, B) is blank until the last ``length`` steps and the word then. Class ``symbols`` is the
    blank, ``symbols + 1`` the sign. A model without memory can do no better than a mean cross-entropy of
    length ln(symbols) / (T + 2 length).

    Args:
        T: steps between the word and its repetition; B is ``batch_size``.
        batch_size: sequences in a batch.
        length: of the word.
        symbols: how many there are to make words of.
        seed: of the random numbers; the same seed gives the same batches on every device.
        device: where the batches lie; the CPU where None.

    >>> x, y = next(copy(T=5, batch_size=2, length=3))
    >>> x.shape, bool((y[-3:] == x[:3].argmax(-1)).all())
    (torch.Size([11, 2, 10]), True)
    """
    _at_least(1, T=T, batch_size=batch_size, length=length)
    _at_least(2, symbols=symbols)
    blank, speak = symbols, symbols + 1
    draw = _arguments.generator(seed)

    def batches() -> Iterator[Batch]:
        while True:
            word = torch.randint(symbols, (length, batch_size), generator=draw, device="cpu")
            said = torch.full((T + 2 * length, batch_size), blank, device="cpu")
            y = said.clone()
            said[:length] = word
            said[length + T - 1] = speak
            y[-length:] = word
            x = torch.nn.functional.one_hot(said, symbols + 2).to(torch.get_default_dtype())
            yield Batch(x.to(device), y.to(device))

    return batches()


def _at_least(least: int, **arguments: int) -> None:
    for name, value in arguments.items():
        _arguments.whole_number(name, value)
        if value < least:
            raise ValueError(f"{name}: expected {least} or more, got {value}")
