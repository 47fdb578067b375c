r"""One step of each recurrence, as the papers write it: pure functions of tensors.

Sources
    the unit        Cho et al. 2014, EMNLP, doi 10.3115/v1/D14-1179 (arXiv 1406.1078, whose versions differ)
    reset before    Cho et al. 2014, arXiv 1406.1078 v3; Chung et al. 2014, arXiv 1412.3555
    reset after     Cho et al. 2014, arXiv 1406.1078 v1 and v2; cuDNN; torch.nn.GRUCell
    elman           Elman 1990, Cognitive Science 14(2); torch.nn.RNNCell

Glossary
    B, D, H     batch, input size, hidden size; every function also takes more leading axes than B
    x (B, D)    input            h (B, H)   state
    r (B, H)    reset gate       z (B, H)   update gate: it *keeps*, z = 1 copies the old state
    n (B, H)    candidate, the papers' h-tilde
    W (3H, D), U (3H, H), b_i (3H), b_h (3H)    weight_ih, weight_hh, bias_ih, bias_hh: PyTorch's layout,
                the rows of r, then z, then n

Where this differs from the papers: they have one bias a gate or none, PyTorch and cuDNN have two. In both reset
gate and update gate the two only ever meet as a sum. In the candidate of "reset after" they do not: r scales b_hn.
Chung et al. let z *write*, h' = (1 - z) * h + z * n, which is the same recurrence with z's weights and biases negated.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import linear


class Gates(NamedTuple):
    """What one step computes: reset gate r, update gate z, candidate n, new state h, each (B, H)."""

    r: Tensor
    z: Tensor
    n: Tensor
    h: Tensor


class Weights(NamedTuple):
    """One recurrence in PyTorch's layout: rows of r, z, n; z keeps. ``reset_after`` names the variant."""

    weight_ih: Tensor  # (3H, D)
    weight_hh: Tensor  # (3H, H)
    bias_ih: Tensor | None  # (3H)
    bias_hh: Tensor | None  # (3H)
    reset_after: bool

    def check(self, input_size: int, hidden_size: int) -> None:
        """Raise RuntimeError unless the four fit these sizes and each other: the compiled walk reads bare memory."""
        rows, (W, U, b, c, _) = 3 * hidden_size, self
        dtype, on_cpu, matrices, bias = W.dtype, W.is_cpu, ((rows, input_size), (rows, hidden_size)), (rows,)
        if not (  # written out, because every run passes here
            W.shape == matrices[0]
            and U.shape == matrices[1]
            and U.dtype is dtype
            and U.is_cpu is on_cpu
            and (b is None or (b.shape == bias and b.dtype is dtype and b.is_cpu is on_cpu))
            and (c is None or (c.shape == bias and c.dtype is dtype and c.is_cpu is on_cpu))
        ):
            of_each = zip(self._fields, self, (*matrices, bias, bias), strict=False)
            expected = ", ".join(f"{name} {shape}" for name, tensor, shape in of_each if tensor is not None)
            of_each = zip(self._fields, self[:4], strict=False)
            got = (f"{name} {tuple(t.shape)} {t.dtype} on {t.device}" for name, t in of_each if t is not None)
            raise RuntimeError(f"weights: expected {expected} of one dtype on one device, got {', '.join(got)}")

    def z_first(self) -> "Weights":
        """The rows of z before those of r, as Keras and ONNX have them: its own inverse."""

        def swap(blocks: Tensor | None) -> Tensor | None:
            if blocks is None:
                return None
            first, second, n = blocks.chunk(3)
            return torch.cat((second, first, n))

        return Weights(*map(swap, self[:4]), self.reset_after)


def reset_after(
    x: Tensor,
    h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor | None = None,
    bias_hh: Tensor | None = None,
) -> Gates:
    r"""One step of the GRU whose reset gate acts *after* the recurrent product; what ``torch.nn.GRUCell`` computes.

    ::

        r  = sigmoid(W_r x + b_ir + U_r h + b_hr)
        z  = sigmoid(W_z x + b_iz + U_z h + b_hz)
        n  = tanh(W_n x + b_in + r * (U_n h + b_hn))
        h' = (1 - z) * n + z * h

    Args:
        x: input (B, D).
        h: state (B, H).
        weight_ih, weight_hh, bias_ih, bias_hh: W (3H, D), U (3H, H), b_i and b_h (3H) or None; rows of r, z, n.

    Returns:
        Gates(r, z, n, h'), each (B, H).

    Source: Cho et al. 2014, arXiv 1406.1078 v1.

    >>> import torch
    >>> x, h = torch.ones(1, 2), torch.ones(1, 1)
    >>> W, U = torch.zeros(3, 2), torch.tensor([[0.0], [0.0], [1.0]])
    >>> gates = reset_after(x, h, W, U)        # r = z = 1/2, n = tanh(r * h)
    >>> torch.equal(gates.n, torch.tanh(torch.tensor([[0.5]])))
    True
    """
    from_x = linear(x, weight_ih, bias_ih)  # (B, 3H)
    from_h = linear(h, weight_hh, bias_hh)  # (B, 3H)
    x_r, x_z, x_n = from_x.chunk(3, -1)  # (B, H) each
    h_r, h_z, h_n = from_h.chunk(3, -1)
    r = torch.sigmoid(x_r + h_r)  # (B, H)
    z = torch.sigmoid(x_z + h_z)  # (B, H)
    n = torch.tanh(x_n + r * h_n)  # (B, H)
    return Gates(r, z, n, (1 - z) * n + z * h)


def reset_before(
    x: Tensor,
    h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor | None = None,
    bias_hh: Tensor | None = None,
) -> Gates:
    r"""One step of the GRU whose reset gate acts *before* the recurrent product.

    ::

        r  = sigmoid(W_r x + b_ir + U_r h + b_hr)
        z  = sigmoid(W_z x + b_iz + U_z h + b_hz)
        n  = tanh(W_n x + b_in + U_n (r * h) + b_hn)
        h' = (1 - z) * n + z * h

    Args:
        x: input (B, D).
        h: state (B, H).
        weight_ih, weight_hh, bias_ih, bias_hh: W (3H, D), U (3H, H), b_i and b_h (3H) or None; rows of r, z, n.

    Returns:
        Gates(r, z, n, h'), each (B, H).

    Source: Cho et al. 2014, arXiv 1406.1078 v3; Chung et al. 2014, arXiv 1412.3555 (where z writes).

    With one unit and b_hn = 0 the two variants are the same function; with more units they are not:

    >>> import torch
    >>> def gap(H):
    ...     g = torch.Generator().manual_seed(0)
    ...     x, h, W, U = (torch.randn(*s, generator=g).double() for s in [(4, 2), (4, H), (3 * H, 2), (3 * H, H)])
    ...     return (reset_before(x, h, W, U).h - reset_after(x, h, W, U).h).abs().max().item()
    >>> gap(1) < 1e-12, gap(8) > 0.01
    (True, True)
    """
    hidden_size = h.shape[-1]
    split = [2 * hidden_size, hidden_size]
    u_rz, u_n = weight_hh.split(split)  # (2H, H), (H, H)
    b_rz, b_n = (None, None) if bias_hh is None else bias_hh.split(split)
    x_rz, x_n = linear(x, weight_ih, bias_ih).split(split, -1)  # (B, 2H), (B, H)
    r, z = torch.sigmoid(x_rz + linear(h, u_rz, b_rz)).chunk(2, -1)  # (B, H) each
    n = torch.tanh(x_n + linear(r * h, u_n, b_n))  # (B, H)
    return Gates(r, z, n, (1 - z) * n + z * h)


def step(x: Tensor, h: Tensor, weights: Weights) -> Gates:
    """One step of the variant that ``weights.reset_after`` names: see :func:`reset_after`, :func:`reset_before`.

    Args:
        x: input (B, D).
        h: state (B, H).
        weights: in PyTorch's layout.

    >>> import torch
    >>> W, U = torch.zeros(6, 3), torch.zeros(6, 2)
    >>> step(torch.ones(1, 3), torch.ones(1, 2), Weights(W, U, None, None, reset_after=True)).h
    tensor([[0.5000, 0.5000]])
    """
    variant = reset_after if weights.reset_after else reset_before
    return variant(x, h, *weights[:4])


def candidate(x: Tensor, h: Tensor, r: Tensor, weights: Weights) -> Tensor:
    """The candidate n (B, H) of a step whose reset gate is given.

    Args:
        x: input (B, D).
        h: state (B, H).
        r: reset gate (B, H).
        weights: of either variant.

    >>> import torch
    >>> x, h, W, U = torch.ones(1, 2), torch.ones(1, 3), torch.ones(9, 2), torch.ones(9, 3)
    >>> weights = Weights(W, U, None, None, reset_after=False)
    >>> gates = step(x, h, weights)
    >>> torch.equal(candidate(x, h, gates.r, weights), gates.n)
    True
    """
    W, U, b_i, b_h = (None if tensor is None else tensor.chunk(3)[2] for tensor in weights[:4])
    from_h = r * linear(h, U, b_h) if weights.reset_after else linear(r * h, U, b_h)
    return torch.tanh(linear(x, W, b_i) + from_h)


def elman(
    x: Tensor,
    h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor | None = None,
    bias_hh: Tensor | None = None,
) -> Tensor:
    r"""One step of the plain tanh recurrence: ``h' = tanh(W x + b_i + U h + b_h)``.

    It is a GRU with r = 1 *and* z = 0 (z keeps).

    Args:
        x: input (B, D).
        h: state (B, H).
        weight_ih, weight_hh, bias_ih, bias_hh: W (H, D), U (H, H), b_i and b_h (H) or None.

    Returns:
        the new state (B, H).

    Source: Elman 1990; ``torch.nn.RNNCell``.

    >>> import torch
    >>> elman(torch.zeros(1, 3), torch.zeros(1, 2), torch.ones(2, 3), torch.ones(2, 2))
    tensor([[0., 0.]])
    """
    return torch.tanh(linear(x, weight_ih, bias_ih) + linear(h, weight_hh, bias_hh))  # (B, H)
