"""Starting values that decide what a recurrent network can learn to remember.

Sources: chrono initialisation: Tallec and Ollivier, *Can recurrent neural networks warp time?* (2018).
Orthogonal recurrent matrices: Saxe, McClelland and Ganguli (2014); Arjovsky, Shah and Bengio (2016) for why a
recurrent matrix should keep lengths.

Both functions change a module in place, as ``torch.nn.init`` does, and return it. They reach every recurrent
part of a model: the cells and the layer of this package, ``torch.nn.GRU`` and ``torch.nn.GRUCell``.
"""

import math
from collections.abc import Iterator
from typing import TypeVar

import torch
from torch import Tensor, nn

from gru.cells import ElmanCell, ResetAfterCell, ResetBeforeCell
from gru.layer import GRU, suffixes_of

M = TypeVar("M", bound=nn.Module)


@torch.no_grad()
def init_chrono_(module: M, T_max: float, *, generator: torch.Generator | None = None) -> M:
    """Give every unit a memory of its own length, between 1 and ``T_max - 1`` steps.

    b_z = ln(u) with u ~ U(1, T_max - 1), where z keeps; the negative of it where z writes
    (:class:`gru.ResetBeforeCell`). With no other input to the gate a unit then forgets with the time constant
    1 / (1 - sigmoid(b_z)) = 1 + u. Where there are two biases for z, the recurrent one becomes 0.

    Args:
        module: a GRU cell or layer, or a model that contains some.
        T_max: the longest dependency expected, in steps; more than 2.
        generator: where the random numbers come from; PyTorch's own where None.

    Returns:
        the module, changed in place.

    Raises:
        ValueError: if ``T_max`` is not more than 2 and finite, or a GRU in ``module`` has no bias.
        TypeError: if there is no GRU in ``module``.

    >>> import gru
    >>> layer = gru.init_chrono_(gru.GRU(4, 32), T_max=100)
    >>> b_z = layer.bias_ih_l0[32:64]
    >>> bool((b_z >= 0).all() and (b_z <= 4.6).all())  # ln 99 = 4.595
    True
    """
    if not 2 < T_max < math.inf:
        raise ValueError(f"T_max: expected a finite number of more than 2 steps, got {T_max}")
    found = [biases for part in module.modules() for biases in _update_biases(part)]  # before anything is changed
    if not found:
        raise TypeError(f"module: expected a GRU or a model that contains one, got {type(module).__name__}")
    for bias, merged, sign in found:
        u = torch.empty(bias.shape, device="cpu").uniform_(1, T_max - 1, generator=generator)
        bias.copy_(sign * u.log())
        if merged is not None:
            merged.zero_()
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
        TypeError: if there is no recurrent part in ``module``.

    >>> import torch, gru
    >>> U_n = gru.init_orthogonal_(gru.GRU(4, 8)).weight_hh_l0[16:]
    >>> torch.allclose(U_n @ U_n.T, torch.eye(8), atol=1e-5)
    True
    """
    found = False
    for part in module.modules():
        for matrix in _recurrent_matrices(part):
            found = True
            for block in matrix.split(matrix.shape[1]):  # one (H, H) block a gate
                # Drawn on the CPU in single precision at least, which every device and dtype can then take.
                block.copy_(nn.init.orthogonal_(torch.empty(block.shape, device="cpu"), gain, generator=generator))
    if not found:
        raise TypeError(
            f"module: expected a recurrent network or a model that contains one, got {type(module).__name__}"
        )
    return module


def _update_biases(part: nn.Module) -> Iterator[tuple[Tensor, Tensor | None, int]]:
    """z's bias a layer, the second one it is added to if there is one, and 1 if z keeps or -1 if it writes."""
    if isinstance(part, GRU | nn.GRU | nn.GRUCell | ResetAfterCell | ResetBeforeCell) and not _has_bias(part):
        raise ValueError(f"module: expected GRUs with biases, got {part}")
    if isinstance(part, GRU | nn.GRU):
        for suffix in suffixes_of(part):
            yield *(getattr(part, f"bias_{of}_{suffix}").chunk(3)[1] for of in ("ih", "hh")), 1
    elif isinstance(part, nn.GRUCell):
        yield part.bias_ih.chunk(3)[1], part.bias_hh.chunk(3)[1], 1
    elif isinstance(part, ResetAfterCell):
        yield part.input_update.bias, part.hidden_update.bias, 1
    elif isinstance(part, ResetBeforeCell):
        yield part.update_gate.bias, None, -1


def _recurrent_matrices(part: nn.Module) -> Iterator[Tensor]:
    if isinstance(part, GRU | nn.GRU | nn.RNN):
        yield from (getattr(part, f"weight_hh_{suffix}") for suffix in suffixes_of(part))
    elif isinstance(part, nn.GRUCell | nn.RNNCell | ElmanCell):
        yield part.weight_hh
    elif isinstance(part, ResetAfterCell):
        yield from (part.hidden_reset.weight, part.hidden_update.weight, part.hidden_candidate.weight)
    elif isinstance(part, ResetBeforeCell):
        for linear in (part.reset_gate, part.update_gate, part.hidden_transform):
            yield linear.weight[:, part.input_size :]


def _has_bias(part: nn.Module) -> bool:
    return any(name.split(".")[-1].startswith("bias") for name, _ in part.named_parameters())
