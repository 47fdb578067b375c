"""Starting values that decide what a recurrent network can learn to remember.

Sources: chrono initialisation: Tallec and Ollivier, *Can recurrent neural networks warp time?* (2018).
Orthogonal recurrent matrices: Saxe, McClelland and Ganguli (2014); Arjovsky, Shah and Bengio (2016) for why a
recurrent matrix should keep lengths.

Both functions change a module in place, as ``torch.nn.init`` does, and return it. They reach every recurrent
part of a model: the cells and the layer of this package, ``torch.nn.GRU`` and ``torch.nn.GRUCell``. A parametrized
tensor is assigned to, as its parametrization allows.
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from gru import _arguments
from gru.cells import ElmanCell, _Cell
from gru.layer import GRU, suffixes_of

M = TypeVar("M", bound=nn.Module)


@torch.no_grad()
def init_chrono_(module: M, T_max: float, *, generator: torch.Generator | None = None) -> M:
    """Give every unit a memory of its own length, between 2 and ``T_max`` steps.

    b_z = ln(u) with u ~ U(1, T_max - 1), where z keeps; the negative of it where z writes
    (:class:`gru.ResetBeforeCell`). With no other input to the gate, z = sigmoid(ln u) and 1 / (1 - z) = 1 + u: the rule
    of thumb for a memory in steps, half a step to a step more than the time constant -1 / ln z. Where there are two
    biases for z, the recurrent one becomes 0.

    Args:
        module: a GRU cell or layer, or a model that contains some.
        T_max: the longest dependency expected, in steps; more than 2.
        generator: where the random numbers come from; PyTorch's own where None.

    Returns:
        the module, changed in place.

    Raises:
        ValueError: if ``T_max`` is not more than 2 and finite, or a GRU in ``module`` has no bias, or one that a hook
            computes (pruning), so that a value written into it would not last.
        TypeError: if there is no GRU in ``module``, or ``T_max`` is not a number.

    >>> import gru
    >>> layer = gru.init_chrono_(gru.GRU(4, 32), T_max=100)
    >>> b_z = layer.bias_ih_l0[32:64]
    >>> bool((b_z >= 0).all() and (b_z <= 4.6).all())  # ln 99 = 4.595
    True
    """
    T_max = _arguments.number("T_max", T_max)
    if not 2 < T_max < math.inf:
        raise ValueError(f"T_max: expected a finite number of more than 2 steps, got {T_max}")
    found = _find(module, _update_biases, "a GRU")
    for bias, merged, sign in found:
        u = torch.empty(bias.read().shape, device="cpu").uniform_(1, T_max - 1, generator=generator)
        bias.write(sign * u.log())
        if merged is not None:
            merged.write(0.0)
    return module


@torch.no_grad()
def init_orthogonal_(module: M, gain: float = 1.0, *, generator: torch.Generator | None = None) -> M:
    """Make each gate's recurrent matrix U (H, H) ``gain`` times a random orthogonal one.

    All its singular values are then ``gain``; other parameters stay. :class:`gru.ElmanCell` and
    ``torch.nn.RNN`` are reached as well.

    Args:
        module: a cell or layer, or a model that contains some.
        gain: the singular value of all.
        generator: where the random numbers come from; PyTorch's own where None.

    Returns:
        the module, changed in place.

    Raises:
        TypeError: if there is no recurrent part in ``module``, or ``gain`` is not a number.
        ValueError: if ``gain`` is not finite, or a hook computes a recurrent matrix (pruning), so that a value written
            into it would not last.

    >>> import torch, gru
    >>> U_n = gru.init_orthogonal_(gru.GRU(4, 8)).weight_hh_l0[16:]
    >>> torch.allclose(U_n @ U_n.T, torch.eye(8), atol=1e-5)
    True
    """
    gain = _arguments.number("gain", gain)
    if not math.isfinite(gain):
        raise ValueError(f"gain: expected a finite number, got {gain}")
    dtype = torch.promote_types(torch.get_default_dtype(), torch.float32)
    for matrix in _find(module, _recurrent_matrices, "a recurrent network"):
        rows, H = matrix.read().shape
        # One (H, H) block a gate, drawn on the CPU in single precision at least, which every device and dtype can take.
        blocks = [torch.empty(H, H, dtype=dtype, device="cpu") for _ in range(rows // H)]
        matrix.write(torch.cat([nn.init.orthogonal_(block, gain, generator=generator) for block in blocks]))
    return module


class _Region(NamedTuple):
    """A part of one parameter of a module, which may be parametrized."""

    owner: nn.Module
    name: str
    index: tuple[slice, ...]

    def read(self) -> Tensor:
        return getattr(self.owner, self.name)[self.index]

    def write(self, values: Tensor | float) -> None:
        whole = getattr(self.owner, self.name).detach().clone()
        whole[self.index] = values if isinstance(values, float) else values.to(whole)
        if parametrize.is_parametrized(self.owner, self.name):
            setattr(self.owner, self.name, whole)
        else:
            getattr(self.owner, self.name).copy_(whole)


def _find(module: nn.Module, search: Callable[[nn.Module], Iterator], what: str) -> list:
    """What a search yields for all parts of a module, checked before anything is changed."""
    if not isinstance(module, nn.Module):
        raise TypeError(f"module: expected a torch.nn.Module, got {type(module).__name__}")
    found = [one for part in module.modules() for one in search(part)]
    if not found:
        raise TypeError(f"module: expected {what} or a model that contains one, got {type(module).__name__}")
    return found


def _region(owner: nn.Module, name: str, *index: slice) -> _Region:
    if name not in owner._parameters and not parametrize.is_parametrized(owner, name):
        raise ValueError(
            f"module: expected {name} to be a parameter, got a tensor that a hook computes anew, as pruning does"
        )
    return _Region(owner, name, index or (slice(None),))


def _update_biases(part: nn.Module) -> Iterator[tuple[_Region, _Region | None, int]]:
    """z's bias a layer, the second one it is added to if there is one, and 1 if z keeps or -1 if it writes."""
    if not isinstance(part, GRU | nn.GRU | nn.GRUCell) and not _linears(part):
        return
    if not part.bias:
        raise ValueError(f"module: expected GRUs with biases, got {part}")
    z = slice(part.hidden_size, 2 * part.hidden_size)
    if isinstance(part, GRU | nn.GRU):
        for suffix in suffixes_of(part):
            yield _region(part, f"bias_ih_{suffix}", z), _region(part, f"bias_hh_{suffix}", z), 1
    elif isinstance(part, nn.GRUCell):
        yield _region(part, "bias_ih", z), _region(part, "bias_hh", z), 1
    else:
        bias, *merged = [_region(linear, "bias") for linear in _linears(part)["z"]]
        yield bias, merged[0] if merged else None, 1 if part.z_keeps else -1


def _recurrent_matrices(part: nn.Module) -> Iterator[_Region]:
    if isinstance(part, GRU | nn.GRU | nn.RNN):
        yield from (_region(part, f"weight_hh_{suffix}") for suffix in suffixes_of(part))
    elif isinstance(part, nn.GRUCell | nn.RNNCell | ElmanCell):
        yield _region(part, "weight_hh")
    else:  # U is what the last layer of each gate does to the state, which stands last in what it reads
        for *_, linear in _linears(part).values():
            yield _region(linear, "weight", slice(None), slice(-part.hidden_size, None))


def _linears(part: nn.Module) -> dict[str, tuple[nn.Linear, ...]]:
    """The linear layers of each gate, where a part is a cell made of some."""
    return part.linears() if isinstance(part, _Cell) else {}
