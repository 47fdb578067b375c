"""Comparisons and their findings: are numbers equal, do they repeat, does the gradient flow, is it a tensor at all."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from gru.checks._candidate import SIZES, VARIANTS, Draw
from gru.checks._report import Finding, Halt
from gru.checks._steps import Change

EXACT = 1e-9  # float64 on a few numbers: right code agrees to 1e-15, and two mistakes differ by 1e-2 and more
SINGLE = 1e-5  # where something was computed in float32


def expect_arguments(candidate: object, variant: object, argument: str) -> None:
    """Raise unless the candidate is a class and the variant one of two."""
    if not isinstance(candidate, type):
        raise TypeError(f"{argument}: expected a class, got {type(candidate).__name__}; pass MyClass, not MyClass(...)")
    if variant not in VARIANTS:
        raise ValueError(f"variant: expected 'reset_after' or 'reset_before', got {variant!r}")


def expect_options(hints: object, forbid: object) -> tuple[type, ...]:
    """The forbidden classes; raise unless the hints are a level and every forbidden thing is a class."""
    if hints is not None and (isinstance(hints, bool) or hints not in (1, 2, 3)):
        raise ValueError(f"hints: expected 1, 2, 3 or None, got {hints!r}")
    classes = (forbid,) if isinstance(forbid, type) else forbid
    if not isinstance(classes, Iterable):
        raise TypeError(f"forbid: expected classes, got {type(forbid).__name__}")
    classes = tuple(classes)
    for one in classes:
        if not isinstance(one, type):
            raise TypeError(f"forbid: expected classes, got {one!r}")
    return classes


def numbers(tensor: Tensor) -> Tensor:
    """The tensor in double precision, whatever its dtype."""
    return tensor.detach().to(torch.complex128 if tensor.is_complex() else torch.float64)


def equal(got: Tensor, expected: Tensor, tolerance: float = EXACT) -> bool:
    """Whether shape and numbers agree."""
    return got.shape == expected.shape and bool(((numbers(got) - numbers(expected)).abs() <= tolerance).all())


def difference(name: str, got: Tensor, expected: Tensor, tolerance: float = EXACT) -> str:
    """How a result differs from what was expected, in words; "" where it agrees."""
    if got.shape != expected.shape:
        return f"{name}: expected shape {tuple(expected.shape)}, got {tuple(got.shape)}."
    if equal(got, expected, tolerance):
        return ""
    return f"{name} differs by up to {float((numbers(got) - numbers(expected)).abs().max()):.2g}."


def as_float64(name: str, got: Tensor, found: list[Finding]) -> Tensor:
    """A result to compare in float64; another dtype is a finding.

    Raises:
        Halt: there are NaN or infinities, or the numbers are complex.
    """
    if got.is_complex():
        raise Halt("wrong_dtype", f"{name}: expected torch.float64, as the inputs are, got {got.dtype}.")
    if got.dtype != torch.float64:
        found.append(Finding("wrong_dtype", f"{name}: expected torch.float64, as the inputs are, got {got.dtype}."))
        got = got.double()
    if not got.isfinite().all():
        raise Halt("returns_nan", f"{name}: {int((~got.isfinite()).sum())} of {got.numel()} numbers.")
    return got


def precision(got: Tensor, expected: Tensor, found: list[Finding]) -> list[Finding]:
    """A finding where right numbers are right to single precision only, unless their dtype says so already."""
    gap = float((got - expected).abs().max())
    if gap <= EXACT or any(finding.name == "wrong_dtype" for finding in found):
        return []
    return [Finding("precision_lost", f"It agrees to {gap:.0e} only: look for .float() or float32.")]


def writes(given: dict[str, tuple[Tensor, Tensor]]) -> list[Finding]:
    """A finding where one of the tensors given is no longer the one it was (before, after)."""
    changed = [name for name, (before, after) in given.items() if not torch.equal(before, after)]
    return [Finding("modifies_input", f"Changed by the call: {', '.join(changed)}.")] if changed else []


def repeats(call: Callable[[int], Tensor]) -> list[Finding]:
    """A finding where the same call does not give the same numbers; ``call`` takes the seed of the global draws."""
    first = call(0)
    if not _same(first, call(0)):
        return [Finding("depends_on_earlier_calls")]
    return [] if _same(first, call(1)) else [Finding("depends_on_chance")]


def _same(first: Tensor, second: Tensor) -> bool:
    pair = [numbers(tensor).nan_to_num() for tensor in (first, second)]
    return equal(*pair)


def gradients(outputs: Sequence[Tensor], inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The gradient of a seeded weighting of the outputs, by name; zeros where none arrives."""
    draw = Draw(7)
    loss = sum((output * draw(tuple(output.shape))).sum() for output in outputs)
    open_inputs = {name: tensor for name, tensor in inputs.items() if tensor.requires_grad}
    arrived: Iterable[Tensor | None] = [None] * len(open_inputs)
    if isinstance(loss, Tensor) and loss.requires_grad:
        arrived = torch.autograd.grad(loss, list(open_inputs.values()), allow_unused=True)
    by_name = dict(zip(open_inputs, arrived, strict=True))
    return {n: g if (g := by_name.get(n)) is not None else torch.zeros_like(t) for n, t in inputs.items()}


def gradient_cut(got: dict[str, Tensor], expected: dict[str, Tensor]) -> Finding | None:
    """A finding that names every input and parameter whose gradient is not what the equations give."""
    wrong = [name for name in expected if not equal(got[name], expected[name], 10 * SINGLE)]
    none = [name for name in wrong if not got[name].any()]
    other = [name for name in wrong if name not in none]
    sentences = [f"No gradient reaches {', '.join(none)}."] if none else []
    sentences += [f"A wrong gradient reaches {', '.join(other)}: part of it is cut."] if other else []
    return Finding("gradient_cut", " ".join(sentences)) if wrong else None


def source_of(changes: Sequence[Change], what: str, others: Sequence[str] = ()) -> str:
    """How a mistake in the equations is known, and what else would look the same."""
    words = "this one change" if len(changes) == 1 else f"these {len(changes)} changes together"
    known = f"On seeded inputs {what} is what the reference gives with {words}."
    return known + (f" The same numbers also come from {'; from '.join(others)}." if others else "")


def expect_tensor(name: str, value: Any) -> Tensor:
    """The value, if it is a tensor.

    Raises:
        Halt: it is None or something else.
    """
    if value is None:
        raise Halt("returns_nothing")
    if not isinstance(value, Tensor):
        raise Halt("returns_no_tensor", f"{name}: expected a Tensor, got {type(value).__name__}.")
    return value


def expect_shape(name: str, value: Tensor, shape: tuple[int, ...]) -> None:
    """Raises: Halt: the shape is another one."""
    if tuple(value.shape) != shape:
        raise Halt("wrong_shape", f"{name}: expected {shape}, got {tuple(value.shape)}. {SIZES}")
