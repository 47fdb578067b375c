"""The walk of tensors: chunks of steps forward and backward, a few operators of torch for each step.

It runs on any device, and wherever a state is too large or too special for the compiled walk (:mod:`gru._walk`). The
equations, symbols and layouts are those of :mod:`gru.bptt`.

Why it is fast. The gates of a step lie side by side, (B, 4H), in the order q, r, z, n or p, r, z, n: the input product
writes the last three blocks, the recurrent product adds to the first three, and nothing is copied. That leaves five
operations per step forward (reset after) or six (reset before), and backward three or six. Time is cut into chunks that
stay in the processor's cache. On a CPU, tanh(a) = 2 sigmoid(2a) - 1 is one operation more and takes a third of the time
of PyTorch's tanh or less, for states of some thousand numbers. For small ones it is the slower of the two, twice as
slow for 64 numbers, level near ``SMALL``, and is left out. Its error is that of one rounding near 1, 1e-7 in float32
and 1e-16 in float64, whatever the size of a: here candidates far below 1e-6 need float64.
"""

from functools import partial

import torch
from torch import Tensor

from gru.equations import Weights

CHUNK_BYTES = 2**20  # of gates; what a core's cache holds beside the weights
CHUNK_STEPS = 32  # at most: a chunk's views are made once and serve all chunks, so few of them where steps are small
SMALL = 512  # numbers in a state below which one call of tanh is cheaper than two calls that take its place


def _blocks(buffer: Tensor) -> list[Tensor]:
    """The four blocks (C, B, H) of a buffer (C, B, 4H)."""
    return list(buffer.unflatten(2, (4, buffer.shape[2] // 4)).unbind(2))


class Forward:
    """One chunk of steps forward, in a buffer that serves every chunk. q is p where reset acts before."""

    def __init__(self, gates: Tensor, weights: Weights, fast: bool) -> None:
        W, U, b_i, b_h, self.after = weights
        H = U.shape[1]
        b_i, b_h = (U.new_zeros(3 * H) if b is None else b for b in (b_i, b_h))
        U_rz, U_n, b_n = U[: 2 * H], U[2 * H :], b_i[2 * H :]
        if not self.after:
            b_n = b_n + b_h[2 * H :]
        if fast:  # the candidate's block then holds twice what tanh takes
            W, b_n = torch.cat((W[: 2 * H], 2 * W[2 * H :])), 2 * b_n
            U_n = U_n if self.after else 2 * U_n
        self.W = W.t()  # (D, 3H)
        self.bias = torch.cat((b_h[2 * H :], b_i[: 2 * H] + b_h[: 2 * H], b_n))  # (4H)
        if self.after:
            self.U = torch.cat((U_n, U_rz)).t().contiguous()  # (H, 3H): q, r, z
        else:
            self.U_n, self.U_rz = U_n.t().contiguous(), U_rz.t().contiguous()
        minus_one = gates.new_full((), -1.0)
        self.tanh_of_sum_ = partial(_fast_tanh_of_sum_, minus_one) if fast else _tanh_of_sum_
        self.tanh_ = partial(_fast_tanh_, minus_one) if fast else torch.Tensor.tanh_
        self.rows = gates.flatten(0, 1)  # (CB, 4H)
        self.q, self.r, self.z, self.n = (block.unbind(0) for block in _blocks(gates))
        self.rz = gates[:, :, H : 3 * H].unbind(0)
        self.qrz = gates[:, :, : 3 * H].unbind(0) if self.after else ()

    def __call__(self, x: Tensor, h: tuple[Tensor, ...]) -> None:
        """Inputs (c, B, D); the states h_{t0}, known, to h_{t1}, to be written."""
        x = x.flatten(0, 1)  # (cB, D)
        rows = self.rows[: len(x)]
        rows.copy_(self.bias)
        rows[:, h[0].shape[1] :].addmm_(x, self.W)
        self._reset_after(h) if self.after else self._reset_before(h)

    def _reset_after(self, h: tuple[Tensor, ...]) -> None:
        U, tanh_of_sum_, lerp = self.U, self.tanh_of_sum_, torch.lerp
        views = (self.qrz, self.rz, self.q, self.r, self.z, self.n)  # of a whole chunk; h may be shorter
        for h_t, h_next, qrz, rz, q, r, z, n in zip(h, h[1:], *views, strict=False):
            qrz.addmm_(h_t, U)
            rz.sigmoid_()
            tanh_of_sum_(n, q, r)
            lerp(n, h_t, z, out=h_next)

    def _reset_before(self, h: tuple[Tensor, ...]) -> None:
        U_n, U_rz, tanh_, lerp, mul = self.U_n, self.U_rz, self.tanh_, torch.lerp, torch.mul
        views = (self.rz, self.q, self.r, self.z, self.n)
        for h_t, h_next, rz, p, r, z, n in zip(h, h[1:], *views, strict=False):
            rz.addmm_(h_t, U_rz)
            rz.sigmoid_()
            mul(r, h_t, out=p)
            n.addmm_(p, U_n)
            tanh_(n)
            lerp(n, h_t, z, out=h_next)


def _tanh_of_sum_(a: Tensor, b: Tensor, c: Tensor) -> None:
    """tanh(a + b * c), in the place of a."""
    a.addcmul_(b, c).tanh_()


def _fast_tanh_(minus_one: Tensor, a: Tensor) -> None:
    """tanh(a / 2) = 2 sigmoid(a) - 1, in the place of a."""
    torch.add(minus_one, a.sigmoid_(), alpha=2, out=a)


def _fast_tanh_of_sum_(minus_one: Tensor, a: Tensor, b: Tensor, c: Tensor) -> None:
    """tanh(a / 2 + b * c), in the place of a."""
    torch.add(minus_one, a.addcmul_(b, c, value=2).sigmoid_(), alpha=2, out=a)


class Backward:
    """One chunk of steps backward. ``deltas`` (C, B, 4H) first holds coefficients; the walk scales each by its g."""

    def __init__(self, deltas: Tensor, U: Tensor, after: bool) -> None:
        C, B, _ = deltas.shape
        H = U.shape[1]
        self.after, self.deltas = after, deltas
        self.one = deltas.new_ones(())
        self.grads = deltas.new_empty(C + 1, B, H)  # filled by the caller with e, and dL/dh at the chunk's end
        self.z = deltas.new_empty(C, B, H)
        self.g_t, self.z_t = self.grads.unbind(0), self.z.unbind(0)
        self.wide_g_t = self.grads.unsqueeze(2).unbind(0)  # (B, 1, H): beside several blocks
        blocks = deltas.unflatten(2, (4, H))  # (C, B, 4, H)
        if after:
            self.U = torch.cat((U[2 * H :], U[: 2 * H]))  # (3H, H): rows of q, r, z
            self.d_t = blocks.unbind(0)
            self.d_qrz_t = deltas[:, :, : 3 * H].unbind(0)
        else:
            self.U_rz, self.U_n = U[: 2 * H], U[2 * H :]
            self.r, self.dr_dp = deltas.new_empty(C, B, H), deltas.new_empty(C, B, H)
            self.r_t, self.dr_dp_t = self.r.unbind(0), self.dr_dp.unbind(0)
            self.d_zn_t, self.d_rz_t = blocks[:, :, 2:].unbind(0), deltas[:, :, H : 3 * H].unbind(0)
            self.d_p_t, self.d_r_t, _, self.d_n_t = (block.unbind(0) for block in blocks.unbind(2))

    def __call__(self, h: Tensor, gates: Tensor) -> None:
        """States before each step (c, B, H) and gates (c, B, 4H)."""
        with torch.inference_mode():
            self._prepare(h, gates)
            self._reset_after(len(h)) if self.after else self._reset_before(len(h))

    def _prepare(self, h: Tensor, gates: Tensor) -> None:
        """The coefficients of each step, in the place of its deltas."""
        c = len(h)
        q, r, z, n = _blocks(gates)
        to_q, to_r, to_z, to_n = _blocks(self.deltas[:c])
        z = self.z[:c].copy_(z)  # side by side in memory for the walk
        torch.addcmul(self.one, n, n, value=-1, out=to_n)  # 1 - n^2
        to_n.addcmul_(to_n, z, value=-1)  # times 1 - z
        torch.sub(h, n, out=to_z).mul_(z)
        to_z.addcmul_(to_z, z, value=-1)
        if self.after:
            torch.mul(to_n, r, out=to_q)
            torch.mul(to_q, q, out=to_r)
            to_r.addcmul_(to_r, r, value=-1)
        else:
            self.r[:c] = r
            dr_dp = torch.mul(h, r, out=self.dr_dp[:c])
            dr_dp.addcmul_(dr_dp, r, value=-1)

    def _reset_after(self, c: int) -> None:
        U, g_t = self.U, self.g_t
        for t in range(c - 1, -1, -1):
            self.d_t[t].mul_(self.wide_g_t[t + 1])
            g_t[t].addcmul_(g_t[t + 1], self.z_t[t]).addmm_(self.d_qrz_t[t], U)

    def _reset_before(self, c: int) -> None:
        U_rz, U_n, g_t = self.U_rz, self.U_n, self.g_t
        for t in range(c - 1, -1, -1):
            d_p = self.d_p_t[t]
            self.d_zn_t[t].mul_(self.wide_g_t[t + 1])
            torch.mm(self.d_n_t[t], U_n, out=d_p)
            torch.mul(d_p, self.dr_dp_t[t], out=self.d_r_t[t])
            g_t[t].addcmul_(g_t[t + 1], self.z_t[t]).addcmul_(d_p, self.r_t[t]).addmm_(self.d_rz_t[t], U_rz)
