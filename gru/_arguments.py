"""Argument checks shared by cells, layer and trace.

Each message names the argument, what was expected and what came. Where PyTorch has a sentence for the same mistake,
that sentence opens the message, and the class is PyTorch's. One exception: PyTorch meets a list or None where a tensor
belongs with an AttributeError about ``.dim``; here it is a TypeError.
"""

from collections.abc import Sequence
from numbers import Integral
from typing import NoReturn, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")


def shape(tensor: Tensor) -> str:
    """A tensor's shape as one writes it: ``(2, 3)``."""
    return str(tuple(tensor.shape))


def is_tensor(name: str, value: object, expected: str = "a Tensor") -> None:
    """Raise TypeError unless ``value`` is a tensor."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{name}: expected {expected}, got {type(value).__name__}")


def is_dense(name: str, value: object, expected: str = "a Tensor") -> None:
    """Raise TypeError unless ``value`` is a tensor; for a sparse one RuntimeError, as PyTorch's layers do."""
    is_tensor(name, value, expected)
    if value.layout is not torch.strided and not value.is_nested:
        raise RuntimeError(f"{name}: expected a dense Tensor, got {value.layout}; {name}.to_dense() gives one")


def size(name: str, value: object) -> None:
    """Raise unless ``value`` is a positive int: TypeError for the type, ValueError for the value."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} should be of type int, got: {type(value).__name__}")
    if value <= 0:
        raise ValueError(f"{name} must be greater than zero, got: {value}")


def number(name: str, value: object) -> float:
    """A number of any kind, also NumPy's or a tensor of one, as a float; raise TypeError unless it is one."""
    try:
        if not isinstance(value, str | bytes | bool):
            return float(value)
    except (TypeError, ValueError, RuntimeError):
        pass
    raise TypeError(f"{name}: expected a number, got {value!r}")


def whole_number(name: str, value: object) -> None:
    """Raise TypeError unless ``value`` is an integer, of Python or NumPy, and no bool."""
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"{name}: expected a whole number, got {value!r}")


def generator(seed: object) -> torch.Generator:
    """Random numbers on the CPU, whatever the default device; raise TypeError unless ``seed`` is an integer."""
    within("seed", seed, -(2**63), 2**64 - 1, error=ValueError)
    return torch.Generator("cpu").manual_seed(int(seed))


def within(
    name: str, value: object, low: int, high: int, meaning: str = "", error: type[Exception] = IndexError
) -> None:
    """Raise TypeError unless ``value`` is an integer, ``error`` unless it lies from ``low`` to ``high``."""
    whole_number(name, value)
    if not low <= value <= high:
        raise error(f"{name}: expected {low} to {high}{meaning}, got {value}")


def item(name: str, index: object, values: Sequence[T]) -> T:
    """The value that ``index`` counts from 0; raise TypeError unless it is an integer, IndexError if there is none."""
    within(name, index, 0, len(values) - 1)
    return values[index]


def chosen(name: str, index: object, values: Sequence[T]) -> list[T]:
    """What an index of a list stands for: one value, or those of a slice; raise TypeError or IndexError otherwise."""
    if isinstance(index, slice):
        return list(values[index])
    index = index.item() if isinstance(index, Tensor) and index.dim() == 0 else index
    within(name, index, -len(values), len(values) - 1)
    return [values[index]]


def flag(name: str, value: object) -> None:
    """Raise TypeError unless ``value`` is a bool."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} should be of type bool, got: {type(value).__name__}")


def autocasting(tensor: Tensor) -> bool:
    """Whether autocast minds this tensor's dtype, so that it need not be that of the weights."""
    device = tensor.device.type
    return (
        tensor.dtype in (torch.float32, torch.float16, torch.bfloat16)
        and torch.amp.is_autocast_available(device)
        and torch.is_autocast_enabled(device)
    )


def same_device(name: str, tensor: Tensor, weight: Tensor, sentence: str) -> None:
    """Raise RuntimeError unless the tensor lies where the weights lie."""
    if tensor.device != weight.device:
        refuse(RuntimeError, sentence, name, f"device {weight.device}", tensor.device)


def refuse(error: type[Exception], sentence: str, name: str, expected: object, got: object) -> NoReturn:
    """Raise ``error``: PyTorch's sentence, then the argument, what was expected and what came."""
    raise error(f"{sentence} ({name}: expected {expected}, got {got})")
