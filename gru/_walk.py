"""The compiled walk: loads what the installation made of walk.c, if it made anything, and calls it.

A compiler is optional. Without one, or where the build failed, :mod:`gru.bptt` walks with tensors and is only slower.
:func:`engine` says which it is and why.
"""

import ctypes
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from gru.equations import Weights

TYPES = {torch.float32: "float", torch.float64: "double"}
PLAIN = {Tensor, nn.Parameter, type(None)}
# Where the compiled walk is the faster one (see `make bench`): it runs on one thread, while torch's library shares the
# large products of wide states between all it may use; and each call lays out the weights anew, which must be earned.
WIDEST = 512  # units, where torch has one thread
SHARED = 128  # units, where it has more
LIGHT = 2**14  # weights that are laid out in no time
BUSY = 4  # otherwise there are steps times samples, times this, at least as many as units
VERSION = 1  # what walk_version() of walk.c says


@cache
def _library() -> ctypes.CDLL | str:
    """The compiled functions, or why there are none."""
    built = sorted(Path(__file__).parent.glob("_compiled.*.so")) + sorted(Path(__file__).parent.glob("_compiled.*.pyd"))
    if not built:
        return "it was not built when gru was installed: that takes a C compiler, such as gcc"
    try:
        library = ctypes.CDLL(str(built[0]))
        if library.walk_version() != VERSION:
            raise OSError("compiled for another version or another processor")
        size, whole, pointer = ctypes.c_long, ctypes.c_int, ctypes.c_void_p
        for of in TYPES.values():
            getattr(library, f"walk_forward_{of}").argtypes = [*[size] * 4, whole, *[pointer] * 8, size]
            getattr(library, f"walk_backward_{of}").argtypes = [*[size] * 3, whole, *[pointer] * 5]
            getattr(library, f"walk_gradients_{of}").argtypes = [*[size] * 4, whole, *[pointer] * 12]
    except (OSError, AttributeError) as error:
        return f"{built[0].name} cannot be used, so install gru anew: {error}"
    return library


def engine() -> str:
    """Which walk runs on a CPU, unless states are wide (:func:`suits`), and why.

    >>> engine().split(":")[0] in ("compiled", "tensors")
    True
    """
    library = _library()
    return f"tensors: {library}" if isinstance(library, str) else f"compiled: {Path(library._name).name}"


def suits(x: Tensor, h: Tensor, weights: Weights) -> bool:
    """Whether the compiled walk can take these tensors, h one state or many (..., B, H), and is the faster one."""
    (T, B, D), H = x.shape, h.shape[-1]
    return (
        x.dtype in TYPES
        and x.is_cpu
        and (H <= SHARED or (H <= WIDEST and torch.get_num_threads() == 1))
        and (3 * H * (D + H) <= LIGHT or BUSY * T * B >= H)
        and T * B > 0
        and not isinstance(_library(), str)
        # A mode or a subclass has to see the single operations.
        and {type(x), type(h), *map(type, weights[:4])} <= PLAIN
        and torch._C._len_torch_dispatch_stack() == 0
        and torch._C._len_torch_function_stack() == 0
    )


def forward(x: Tensor, h0: Tensor, weights: Weights, states: Tensor, gates: Tensor | None, first_block: int) -> None:
    """All steps: fills states (T, B, H) after each step.

    Unless gates is None it fills gates (T, B, (4 - first_block) H), too, and states (T+1, B, H) have h0 first.
    """
    (T, B, D), H = x.shape, h0.shape[1]
    read = [None if tensor is None else tensor.contiguous() for tensor in (x, h0, *weights[:4])]
    call = getattr(_library(), f"walk_forward_{TYPES[x.dtype]}")
    pointers = [None if tensor is None else tensor.data_ptr() for tensor in (*read, states, gates)]
    if gates is not None:
        pointers[-2] += B * H * states.itemsize  # the C function leaves h0 before what it is given
    if call(T, B, D, H, weights.reset_after, *pointers, first_block):
        raise MemoryError(f"no memory for a walk of {B} sequences with {H} units")


def gradients(
    x: Tensor, weights: Weights, states: Tensor, gates: Tensor, grad_states: Tensor, needed: tuple[bool, ...]
) -> list[Tensor | None]:
    """What :func:`gru.bptt.backward` gives, by one call."""
    (T, B, D), H = x.shape, states.shape[2]
    W, U, _, _, after = weights
    sizes = ((T, B, D), (B, H), (3 * H, D), (3 * H, H), (3 * H,), (3 * H,))
    found = [x.new_empty(size) if asked else None for size, asked in zip(sizes, needed, strict=False)]
    read = [tensor.contiguous() for tensor in (x, W, U, states, gates, grad_states)]
    call = getattr(_library(), f"walk_gradients_{TYPES[x.dtype]}")
    pointers = [None if tensor is None else tensor.data_ptr() for tensor in (*read, *found)]
    if call(T, B, D, H, after, *pointers):
        raise MemoryError(f"no memory for a walk of {B} sequences with {H} units")
    return found


def backward(
    weights: Weights, states: Tensor, gates: Tensor, grad_states: Tensor, grads: Tensor, deltas: Tensor
) -> None:
    """What :func:`gru.bptt.walk_back` gives, left in grads and deltas, by one call."""
    T, B, H = grad_states.shape
    grads[0], grads[1:] = 0, grad_states
    tensors = (weights.weight_hh.contiguous(), states.contiguous(), gates.contiguous(), grads, deltas)
    call = getattr(_library(), f"walk_backward_{TYPES[states.dtype]}")
    if call(T, B, H, weights.reset_after, *(tensor.data_ptr() for tensor in tensors)):
        raise MemoryError(f"no memory for a walk of {B} sequences with {H} units")
