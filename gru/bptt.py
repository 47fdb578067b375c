r"""Backpropagation through time by hand: the layer's fast path, and the walk that :mod:`gru.inspect.flow` reads.

:func:`run` computes what :func:`loop` computes, the plain recurrence, and differentiates it by the equations below
instead of recording every operation of every step. A test holds the two together, values and gradients.

Sources
    backpropagation through time    Werbos 1990, Proceedings of the IEEE 78(10); for the GRU, Cho et al. 2014
    one product for all gates       Appleyard et al. 2016, arXiv 1604.01946

Glossary
    T, B, D, H        time, batch, input size, hidden size; everything is time-major
    r, z, n           reset gate, update gate (it keeps), candidate
    q = U_n h + b_hn  what r scales where reset acts after     p = r * h    what U_n reads where it acts before
    g_t (B, H)        dL/dh_t, all of it                       e_t          what the loss sends straight into h_t
    d_r, d_z, d_n     dL/d(what the sigmoid of r and z and the tanh of n take)      d_q, d_p    dL/dq, dL/dp

Forward, z keeps, h = h_{t-1}::

    r, z = sigmoid(W x + b + U h)
    n    = tanh(W_n x + b_in + r * q)            reset after
    n    = tanh(W_n x + b_in + U_n p + b_hn)     reset before
    h_t  = n + z * (h - n)

Backward, g = g_t. Every d is a coefficient, known for all steps before the walk starts, times g; but where reset
acts before, d_r waits for d_p::

    c   = (1 - z) * (1 - n^2)
    d_n = c * g                                  both
    d_z = (h - n) * z * (1 - z) * g              both
    d_q = c * r * g                              reset after
    d_r = c * r * q * (1 - r) * g                reset after
    d_p = U_n^T d_n                              reset before
    d_r = h * r * (1 - r) * d_p                  reset before

    g_{t-1} = e_{t-1} + z * g + U_r^T d_r + U_z^T d_z + U_n^T d_q          reset after
    g_{t-1} = e_{t-1} + z * g + U_r^T d_r + U_z^T d_z + r * d_p            reset before

    dL/dW = sum over t of d x^T        dL/dU = sum over t of d h^T, in U_n's rows d_q h^T or d_n p^T
    dL/db = sum over t of d

Two engines walk, and :func:`run` chooses. On a CPU all but wide states go to one call of compiled C for all steps
(:mod:`gru._walk`), where that could be built; :func:`engine` says whether. Everything else goes step by step through
operators of torch (:mod:`gru._tensors`).
"""

import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor
from torch.autograd import forward_ad

from gru import _arguments, _memory, _tensors, _walk
from gru._walk import engine as engine  # gru.bptt.engine() says which walk runs
from gru.equations import Weights, step


def loop(x: Tensor, h0: Tensor, weights: Weights) -> Tensor:
    """The reference: one call of the equations a step, differentiated by autograd.

    Args:
        x: inputs (T, B, D).
        h0: the state before the first step (B, H).
        weights: of either variant.

    Returns:
        the state after every step (T, B, H).
    """
    h, states = h0, []
    for x_t in x.unbind(0):
        h = step(x_t, h, weights).h
        states.append(h)
    return torch.stack(states)


def run(x: Tensor, h0: Tensor, weights: Weights) -> Tensor:
    """The state after every step (T, B, H): what :func:`loop` computes, faster, and differentiable.

    Args:
        x: inputs (T, B, D).
        h0: the state before the first step (B, H).
        weights: of either variant.

    Raises:
        RuntimeError: the sizes, dtypes or devices do not fit each other.

    Gradients of any order reach x, h0 and all weights; from the second order on they are computed by :func:`loop`. On
    CUDA, "reset after" takes cuDNN, whose second derivatives PyTorch does not offer: there use
    ``torch.backends.cudnn.flags(enabled=False)``. While a model is exported, transformed by ``torch.func`` or
    differentiated forward, the plain loop runs, because those must see every operation.

    >>> import torch
    >>> from gru.equations import Weights
    >>> g = torch.Generator().manual_seed(0)
    >>> x, h0, W, U = (torch.randn(*s, generator=g) for s in [(7, 3, 4), (3, 5), (15, 4), (15, 5)])
    >>> weights = Weights(W, U, None, None, reset_after=False)
    >>> torch.allclose(run(x, h0, weights), loop(x, h0, weights), atol=1e-6)
    True
    """
    _check(x, h0, weights)
    return run_unchecked(x, h0, weights)


def run_unchecked(x: Tensor, h0: Tensor, weights: Weights) -> Tensor:
    """:func:`run` of what is known to fit, as it is to a layer."""
    if torch.compiler.is_exporting() or torch.jit.is_tracing():
        return loop(x, h0, weights)
    if torch.compiler.is_compiling():
        return _compiled(x, h0, *weights)[0][1:]
    if not is_plain():
        with _in_one_dtype(x):
            return loop(x, h0, weights)
    if x.is_cuda and weights.reset_after:
        return _cudnn(x, h0, weights)
    tensors = (x, h0, *weights[:4])
    if torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in tensors):
        return ByHand.apply(*tensors, weights.reset_after)
    return forward(x, h0, weights)[0]


def _check(x: Tensor, h0: Tensor, weights: Weights) -> None:
    """Raise RuntimeError unless all of them fit each other: the compiled walk reads bare memory."""
    W, sizes, of_state = weights.weight_ih, x.shape, h0.shape
    if not (
        len(sizes) == 3
        and len(of_state) == 2
        and sizes[1] == of_state[0]
        and x.dtype is h0.dtype is W.dtype
        and x.is_cpu is h0.is_cpu is W.is_cpu
    ):
        expected = "x (T, B, D) and h0 (B, H), of one dtype and on one device with the weights"
        got = ", ".join(f"{_arguments.shape(one)} {one.dtype} on {one.device}" for one in (x, h0, W))
        raise RuntimeError(f"x, h0: expected {expected}, got {got}")
    weights.check(sizes[2], of_state[1])


def is_plain(*tensors: Tensor) -> bool:
    """Whether tensors are what they seem, and nobody has to see the single operations.

    Not so inside a transform of ``torch.func``, under forward-mode differentiation, where a tensor stands for several
    losses at once (``is_grads_batched=True``), or under a dispatch mode such as ``FlopCounterMode``, which counts the
    products that it knows and not those written into a buffer.
    """
    transformed = torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0
    watched = torch._C._len_torch_dispatch_stack() > 0
    return not (transformed or watched or any(map(torch._C._functorch.is_legacy_batchedtensor, tensors)))


def _in_one_dtype(x: Tensor) -> AbstractContextManager:
    """Where autocast would have :func:`loop` compute in another dtype than :func:`forward` does, it is off."""
    return torch.autocast(x.device.type, enabled=False) if _arguments.autocasting(x) else nullcontext()


def _cudnn(x: Tensor, h0: Tensor, weights: Weights) -> Tensor:
    """PyTorch's own kernels: what ``torch.nn.GRU`` calls."""
    W, U, b_i, b_h, _ = weights
    flat = [W, U]
    if b_i is not None or b_h is not None:
        flat += [W.new_zeros(len(W)) if b is None else b for b in (b_i, b_h)]
    with warnings.catch_warnings():  # it would rather have the weights in one block; they are small beside the gates
        warnings.filterwarnings("ignore", message=".*single contiguous chunk of memory")
        biases, layers, no_dropout, one_way, time_major = len(flat) == 4, 1, 0.0, False, False
        train = torch.is_grad_enabled()  # cuDNN's word for "gradients may be asked for"
        h0 = h0.unsqueeze(0).contiguous()
        return torch._VF.gru(x, h0, flat, biases, layers, no_dropout, train, one_way, time_major)[0]


class ByHand(torch.autograd.Function):
    """Either variant over all steps, with the backward walk written out. See the module's equations."""

    @staticmethod
    def forward(ctx, x, h0, weight_ih, weight_hh, bias_ih, bias_hh, after):
        states, gates = forward(x, h0, Weights(weight_ih, weight_hh, bias_ih, bias_hh, after), keep=True)
        ctx.save_for_backward(x, h0, weight_ih, weight_hh, bias_ih, bias_hh, states, gates)
        ctx.after = after
        return states.narrow_copy(0, 1, len(x))  # the caller may write into what it gets, as it may with torch.nn.GRU

    @staticmethod
    def backward(ctx, grad_states):
        *inputs, states, gates = ctx.saved_tensors
        if torch.is_grad_enabled() or not is_plain(grad_states):  # the former is create_graph=True
            return *_gradients_by_loop(inputs, ctx.after, ctx.needs_input_grad, grad_states), None
        x, _, *tensors = inputs
        return *backward(x, Weights(*tensors, ctx.after), states, gates, grad_states, ctx.needs_input_grad), None


def _gradients_by_loop(inputs, after, needed, grad_states):
    create_graph = torch.is_grad_enabled()
    asked = [k for k in range(6) if needed[k]]
    with torch.enable_grad(), _in_one_dtype(inputs[0]):
        # Aliases, so that a gradient does not also count the paths by which one input depends on another.
        inputs = [None if tensor is None else tensor.view_as(tensor) for tensor in inputs]
        x, h0, *tensors = inputs
        states = loop(x, h0, Weights(*tensors, after))
        found = torch.autograd.grad(states, [inputs[k] for k in asked], grad_states, create_graph=create_graph)
    gradients = dict(zip(asked, found, strict=True))
    return [gradients.get(k) for k in range(6)]


def _steps_per_chunk(x: Tensor, hidden_size: int) -> int:
    """Steps whose gates fit a chunk of the walk of tensors; then as few as make the same number of chunks."""
    T, B, _ = x.shape
    if x.device.type != "cpu":
        return T
    fitting = _tensors.CHUNK_BYTES // max(1, 4 * B * hidden_size * x.element_size())
    chunks = -(-T // max(1, min(fitting, _tensors.CHUNK_STEPS)))
    return -(-T // chunks)


def forward(
    x: Tensor, h0: Tensor, weights: Weights, keep: bool = False, first_block: int = 0
) -> tuple[Tensor, Tensor | None]:
    """All steps, without autograd.

    Returns:
        (states (T, B, H), None); or, to be kept for the way back, (states (T+1, B, H) with h0 first, gates (T, B, 4H)),
        of the gates' blocks those from ``first_block`` on.
    """
    (T, B, _), H = x.shape, h0.shape[1]
    states = _memory.new_empty(x, T + keep, B, H)
    gates = _memory.new_empty(x, T, B, (4 - first_block) * H) if keep else None
    if _walk.suits(x, h0, weights):
        _walk.forward(x, h0, weights, states, gates, first_block)
        return states, gates
    if keep:
        states[0] = h0.detach()
    C = _steps_per_chunk(x, H)
    with torch.inference_mode():
        h = states.unbind(0) if keep else (h0, *states.unbind(0))
        fast = x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64) and B * H >= _tensors.SMALL
        chunk = x.new_empty(C, B, 4 * H)
        kernel, kept = _tensors.Forward(chunk, weights, fast), chunk[:, :, first_block * H :]
        parts = gates.split(C) if keep else ()
        for k, t0 in enumerate(range(0, T, C)):
            t1 = min(t0 + C, T)
            kernel(x[t0:t1], h[t0 : t1 + 1])
            if keep:
                parts[k].copy_(kept[: t1 - t0])
    return states, gates


def backward(
    x: Tensor,
    weights: Weights,
    states: Tensor,
    gates: Tensor,
    grad_states: Tensor,
    needed: tuple[bool, ...] = (True,) * 6,
) -> list[Tensor | None]:
    """The gradients, without autograd.

    Args:
        x: inputs (T, B, D).
        weights: as they went forward.
        states, gates: what :func:`forward` kept.
        grad_states: e, what the loss sends straight into the state after each step (T, B, H).
        needed: which gradients are asked for, in the order of the result.

    Returns:
        gradients of x, h0, weight_ih, weight_hh, bias_ih, bias_hh; None where not needed.
    """
    if _walk.suits(x, states, weights):
        return _walk.gradients(x, weights, states, gates, grad_states, needed)
    H = states.shape[2]
    W, U, _, _, after = weights
    for_x, for_h0, for_W, for_U, for_b_i, for_b_h = needed[:6]
    grad_x, grad_h0 = x.new_empty(x.shape) if for_x else None, None
    grad_W, grad_U, grad_b = None, None, None  # (3H, D); (3H, H), rows of q, r, z or r, z, n; (4H), q (or p), r, z, n
    for t0, t1, grads, deltas in _chunks_back(x, weights, states, gates, grad_states):
        d, h = deltas.flatten(0, 1), states[t0:t1].flatten(0, 1)  # (cB, 4H), (cB, H)
        if for_x:
            torch.mm(d[:, H:], W, out=grad_x[t0:t1].flatten(0, 1))
        if for_h0 and t0 == 0:
            grad_h0 = grads[0].clone()
        if for_W:
            grad_W = _plus_product(grad_W, d[:, H:].t(), x[t0:t1].flatten(0, 1))
        if for_U and after:
            grad_U = _plus_product(grad_U, d[:, : 3 * H].t(), h)
        elif for_U:
            p = gates[t0:t1, :, :H].flatten(0, 1)  # (cB, H)
            grad_U = U.new_zeros(U.shape) if grad_U is None else grad_U
            grad_U[: 2 * H].addmm_(d[:, H : 3 * H].t(), h)
            grad_U[2 * H :].addmm_(d[:, 3 * H :].t(), p)
        if for_b_i or for_b_h:
            grad_b = d.sum(0) if grad_b is None else grad_b.add_(d.sum(0))
    if for_U and after:
        grad_U = torch.cat((grad_U[H:], grad_U[:H]))  # rows of r, z, n
    grad_b_i = grad_b[H:].clone() if for_b_i else None
    grad_b_h = torch.cat((grad_b[H : 3 * H], grad_b[:H] if after else grad_b[3 * H :])) if for_b_h else None
    return [grad_x, grad_h0, grad_W, grad_U, grad_b_i, grad_b_h]


def walk_back(x: Tensor, weights: Weights, states: Tensor, gates: Tensor, grad_states: Tensor) -> tuple[Tensor, Tensor]:
    """The walk alone: dL/dh_t for t = 0..T (T+1, B, H), and d_q (or d_p), d_r, d_z, d_n of each step (T, B, 4H).

    The arguments are those of :func:`backward`.
    """
    grads, deltas = _memory.new_empty(x, *states.shape), _memory.new_empty(x, *gates.shape)
    if _walk.suits(x, states, weights):
        _walk.backward(weights, states, gates, grad_states, grads, deltas)
        return grads, deltas
    for t0, t1, *found in _chunks_back(x, weights, states, gates, grad_states):
        grads[t0 : t1 + 1], deltas[t0:t1] = found
    return grads, deltas


def _chunks_back(
    x: Tensor, weights: Weights, states: Tensor, gates: Tensor, grad_states: Tensor
) -> Iterator[tuple[int, int, Tensor, Tensor]]:
    """The last chunk first: its steps t0..t1-1, dL/dh (c+1, B, H) and deltas (c, B, 4H), in memory that all share."""
    C = _steps_per_chunk(x, states.shape[2])
    kernel = _tensors.Backward(gates.new_empty(C, *gates.shape[1:]), weights.weight_hh, weights.reset_after)
    g, later = kernel.grads, 0  # dL/dh at the chunk's end, by the chunk after this one
    for t0 in range((len(x) - 1) // C * C, -1, -C):
        t1 = min(t0 + C, len(x))
        c = t1 - t0
        g[0], g[1 : c + 1] = 0, grad_states[t0:t1]
        g[c] += later
        kernel(states[t0:t1], gates[t0:t1])
        later = g[0].clone()
        yield t0, t1, g[: c + 1], kernel.deltas[:c]


def _plus_product(total: Tensor | None, a: Tensor, b: Tensor) -> Tensor:
    """total + a b, in the place of total; of the first chunk the product itself."""
    return a @ b if total is None else total.addmm_(a, b)


# What torch.compile sees: one operator forward and one backward, rather than every operation of every step.


@torch.library.custom_op("gru::recurrence", mutates_args=())
def _compiled(
    x: Tensor, h0: Tensor, W: Tensor, U: Tensor, b_i: Tensor | None, b_h: Tensor | None, after: bool
) -> tuple[Tensor, Tensor]:
    return forward(x, h0, Weights(W, U, b_i, b_h, after), keep=True)


@_compiled.register_fake
def _(x, h0, W, U, b_i, b_h, after):
    (T, B, _), H = x.shape, h0.shape[1]
    return x.new_empty(T + 1, B, H), x.new_empty(T, B, 4 * H)


@torch.library.custom_op("gru::recurrence_backward", mutates_args=())
def _compiled_backward(
    x: Tensor, W: Tensor, U: Tensor, after: bool, states: Tensor, gates: Tensor, grad_states: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    return tuple(backward(x, Weights(W, U, None, None, after), states, gates, grad_states))


@_compiled_backward.register_fake
def _(x, W, U, after, states, gates, grad_states):
    b = W.new_empty(W.shape[0])
    return (
        x.new_empty(x.shape),  # not empty_like: x may lie in another order (batch first), the gradient does not
        states.new_empty(states.shape[1:]),
        W.new_empty(W.shape),
        U.new_empty(U.shape),
        b,
        b.clone(),
    )


def _compiled_setup(ctx, inputs, output):
    x, _, W, U, b_i, b_h, ctx.after = inputs
    ctx.biases = b_i is not None, b_h is not None
    ctx.save_for_backward(x, W, U, *output)


def _compiled_gradients(ctx, grad_states, _):
    x, W, U, states, gates = ctx.saved_tensors
    *found, b_i, b_h = _compiled_backward(x, W, U, ctx.after, states, gates, grad_states[1:])
    return *found, *(b if there else None for b, there in zip((b_i, b_h), ctx.biases, strict=True)), None


_compiled.register_autograd(_compiled_gradients, setup_context=_compiled_setup)
