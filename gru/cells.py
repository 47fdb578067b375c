"""The cells as modules: one step each, written with the layers that a first reading of the equations suggests.

Three cells, one interface: ``cell(x, h=None) -> h'`` and ``cell.gates(x, h=None) -> Gates(r, z, n, h')``. Input x is
(B, D) or (D,), state h is (B, H) or (H,) and starts at zero; all parameters start at U(-1/sqrt(H), 1/sqrt(H)).

    ===============  ============  =============  ========  ==========================
    cell             reset acts    z              biases    equals
    ===============  ============  =============  ========  ==========================
    ElmanCell        -             -              2H        torch.nn.RNNCell
    ResetBeforeCell  before U_n    writes         3H        Chung et al. 2014; Haiku
    ResetAfterCell   after U_n     keeps          6H        torch.nn.GRUCell
    ===============  ============  =============  ========  ==========================

Symbols and sources: see :mod:`gru.equations`.
"""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from gru import _arguments, _tools
from gru.equations import Gates, Weights, elman

SATURATED = 1e3  # sigmoid of it is 1, and of its negative 0, to the last digit of every dtype


def check_step(cell: nn.Module, x: Tensor, h: Tensor | None) -> Tensor:
    """Check what a cell is given for one step, and return the state to start from: h, or zeros."""
    name, D, H = type(cell).__name__, cell.input_size, cell.hidden_size
    weight = next(cell.parameters(), x)
    _arguments.is_tensor("x", x)
    if x.is_nested:
        raise TypeError(
            f"x: expected one step, a Tensor (B, {D}) or ({D},), got a NestedTensor; gru.GRU reads sequences"
        )
    if x.dim() not in (1, 2):
        sentence = f"{name}: Expected input to be 1D or 2D, got {x.dim()}D instead"
        _arguments.refuse(ValueError, sentence, "x", f"shape (B, {D}) or ({D},)", _arguments.shape(x))
    if h is not None:
        _arguments.is_tensor("h", h, "a Tensor or None")
        if h.dim() not in (1, 2):
            sentence = f"{name}: Expected hidden to be 1D or 2D, got {h.dim()}D instead"
            _arguments.refuse(ValueError, sentence, "h", f"shape (B, {H}) or ({H},)", _arguments.shape(h))
    if x.shape[-1] != D:
        sentence = f"input has inconsistent input_size: got {x.shape[-1]} expected {D}"
        _arguments.refuse(RuntimeError, sentence, "x", f"shape (B, {D}) or ({D},)", _arguments.shape(x))
    if h is None:
        h = x.new_zeros(*x.shape[:-1], H)
    elif h.shape != (*x.shape[:-1], H):
        expected = (*x.shape[:-1], H)
        sentence = f"{name}: hidden has inconsistent batch or hidden_size"
        _arguments.refuse(RuntimeError, sentence, "h", f"shape {expected}", _arguments.shape(h))
    for argument, tensor in (("x", x), ("h", h)):
        _arguments.same_device(
            argument, tensor, weight, f"{name}: input, hidden and parameters lie on different devices"
        )
        if tensor.dtype != weight.dtype and not _arguments.autocasting(tensor):
            sentence = f"{name}: input, hidden and parameters must have the same dtype"
            _arguments.refuse(RuntimeError, sentence, argument, weight.dtype, tensor.dtype)
    return h


class _Cell(nn.Module):
    """What the cells share: sizes, initial values, checks, and a state that starts at zero.

    What z does, and which linear layers compute the gates, each cell says here and nowhere else.
    """

    z_keeps: ClassVar[bool] = True  # h' = (1 - z) * n + z * h; where not, z writes: h' = (1 - z) * h + z * n

    def __init__(self, input_size: int, hidden_size: int, bias: bool) -> None:
        super().__init__()
        _arguments.size("input_size", input_size)
        _arguments.size("hidden_size", hidden_size)
        _arguments.flag("bias", bias)
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias

    def reset_parameters(self) -> None:
        """Draw every parameter anew from U(-1/sqrt(H), 1/sqrt(H))."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def linears(self) -> dict[str, tuple[nn.Linear, ...]]:
        """The linear layers of r, z and n: for each the one that reads x, then the one that reads h, or one for both.

        A layer for both reads x and h side by side, so the last H columns of a gate's last layer are its U. Empty for
        a cell that is not made of linear layers.

        >>> import gru
        >>> reads_x, reads_h = gru.ResetAfterCell(4, 5).linears()["z"]
        >>> reads_h
        Linear(in_features=5, out_features=5, bias=True)
        """
        return {}

    def gates(self, x: Tensor, h: Tensor | None = None) -> Gates:
        """One step with everything it computes: Gates(r, z, n, h'), each (B, H), or (H,) for a single sample.

        Arguments x and h, and errors, are those of :meth:`forward`.
        """
        return self._gates(x, check_step(self, x, h))

    def forward(self, x: Tensor, h: Tensor | None = None) -> Tensor:
        """One step.

        Args:
            x: input (B, D) or (D,).
            h: state (B, H) or (H,); zeros where None.

        Returns:
            the new state h' (B, H) or (H,).

        Raises:
            TypeError: x or h is not a tensor.
            ValueError: x or h has the wrong number of axes.
            RuntimeError: a size, dtype or device does not fit.
        """
        return self.gates(x, h).h

    def _gates(self, x: Tensor, h: Tensor) -> Gates:
        raise NotImplementedError

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")


class ElmanCell(_Cell):
    """The plain tanh recurrence, ``h' = tanh(W x + b_i + U h + b_h)``: what the gates are there to improve.

    Parameters have the names, order and initial values of ``torch.nn.RNNCell``: weight_ih (H, D), weight_hh (H, H),
    bias_ih and bias_hh (H); state dicts load both ways.

    Args:
        input_size, hidden_size: D and H.
        bias: whether there are biases.
        device, dtype: of the parameters.

    Source: Elman 1990, Cognitive Science 14(2).

    >>> import torch, gru
    >>> cell = gru.ElmanCell(4, 5)
    >>> cell(torch.zeros(2, 4)).shape
    torch.Size([2, 5])
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, *, device=None, dtype=None) -> None:
        super().__init__(input_size, hidden_size, bias)
        options = {"device": device, "dtype": dtype}
        self.weight_ih = nn.Parameter(torch.empty(hidden_size, input_size, **options))
        self.weight_hh = nn.Parameter(torch.empty(hidden_size, hidden_size, **options))
        self.bias_ih = nn.Parameter(torch.empty(hidden_size, **options)) if bias else None
        self.bias_hh = nn.Parameter(torch.empty(hidden_size, **options)) if bias else None
        self.reset_parameters()

    def _gates(self, x: Tensor, h: Tensor) -> Gates:
        # A tanh recurrence is a GRU with r = 1 and z = 0, so this cell can stand wherever gates are read.
        n = elman(x, h, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)  # (B, H)
        return Gates(torch.ones_like(n), torch.zeros_like(n), n, n)

    def weights(self) -> Weights:
        """The same recurrence as a GRU in PyTorch's layout: biases shut its gates at r = 1 and z = 0, exactly.

        >>> import torch, gru
        >>> cell, x, h = gru.ElmanCell(4, 5), torch.randn(2, 4), torch.randn(2, 5)
        >>> torch.allclose(gru.equations.step(x, h, cell.weights()).h, cell(x, h), atol=1e-6)
        True
        """
        W, U, b_i, b_h = self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh
        H = self.hidden_size
        shut = W.new_full((H,), SATURATED)
        b_i, b_h = (W.new_zeros(H) if b is None else b for b in (b_i, b_h))
        W, U = (torch.cat((M.new_zeros(2 * H, M.shape[1]), M)) for M in (W, U))  # (3H, D), (3H, H)
        return Weights(W, U, torch.cat((shut, -shut, b_i)), torch.cat((0 * shut, 0 * shut, b_h)), reset_after=True)


class ResetBeforeCell(_tools.NotScriptable, _Cell):
    r"""The GRU of Chung et al. 2014: reset *before* the recurrent product, and z *writes*.

    ::

        r  = sigmoid(reset_gate([x, h]))
        z  = sigmoid(update_gate([x, h]))
        n  = tanh(hidden_transform([x, r * h]))
        h' = (1 - z) * h + z * n

    Each of the three layers is a ``Linear(D + H, H)`` on the input and the state side by side, so there are
    3 (DH + H^2 + H) parameters. Mind the sign of z: most libraries let it keep.

    Args:
        input_size, hidden_size: D and H.
        bias: whether there are biases.
        device, dtype: of the parameters.

    Source: Chung et al. 2014, arXiv 1412.3555, equations 5 to 8.

    >>> import gru
    >>> cell = gru.ResetBeforeCell(4, 5)
    >>> sum(p.numel() for p in cell.parameters())
    150
    """

    z_keeps = False

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, *, device=None, dtype=None) -> None:
        super().__init__(input_size, hidden_size, bias)
        options = {"bias": bias, "device": device, "dtype": dtype}
        self.reset_gate = nn.Linear(input_size + hidden_size, hidden_size, **options)
        self.update_gate = nn.Linear(input_size + hidden_size, hidden_size, **options)
        self.hidden_transform = nn.Linear(input_size + hidden_size, hidden_size, **options)
        self.reset_parameters()

    def linears(self) -> dict[str, tuple[nn.Linear, ...]]:
        return {"r": (self.reset_gate,), "z": (self.update_gate,), "n": (self.hidden_transform,)}

    def _gates(self, x: Tensor, h: Tensor) -> Gates:
        _arguments.is_dense("x", x)  # cat takes no sparse tensor beside a dense one
        _arguments.is_dense("h", h)
        both = torch.cat((x, h), dim=-1)  # (B, D + H)
        r = torch.sigmoid(self.reset_gate(both))  # (B, H)
        z = torch.sigmoid(self.update_gate(both))  # (B, H)
        n = torch.tanh(self.hidden_transform(torch.cat((x, r * h), dim=-1)))  # (B, H)
        return Gates(r, z, n, (1 - z) * h + z * n)

    def weights(self) -> Weights:
        """The same recurrence in PyTorch's layout, where z keeps: z's rows are negated. Gradients flow through.

        >>> import torch, gru
        >>> cell, x, h = gru.ResetBeforeCell(4, 5), torch.randn(2, 4), torch.randn(2, 5)
        >>> torch.allclose(gru.equations.step(x, h, cell.weights()).h, cell(x, h), atol=1e-6)
        True
        """
        (r,), (z,), (n,) = self.linears().values()
        weight = torch.cat((r.weight, -z.weight, n.weight))  # (3H, D + H)
        bias = torch.cat((r.bias, -z.bias, n.bias)) if self.bias else None  # (3H)
        W, U = weight.split((self.input_size, self.hidden_size), dim=1)  # (3H, D), (3H, H)
        return Weights(W, U, bias, None, reset_after=False)


class ResetAfterCell(_tools.NotScriptable, _Cell):
    r"""The GRU of cuDNN and PyTorch: reset *after* the recurrent product, and z *keeps*. Equals ``torch.nn.GRUCell``.

    ::

        r  = sigmoid(input_reset(x) + hidden_reset(h))
        z  = sigmoid(input_update(x) + hidden_update(h))
        n  = tanh(input_candidate(x) + r * hidden_candidate(h))
        h' = (1 - z) * n + z * h

    The input layers are ``Linear(D, H)``, the hidden ones ``Linear(H, H)``, each with its own bias: 3 (DH + H^2 + 2H)
    parameters. The bias of hidden_candidate lies inside the reset, so it cannot merge with that of input_candidate.

    Args:
        input_size, hidden_size: D and H.
        bias: whether there are biases.
        device, dtype: of the parameters.

    Source: Cho et al. 2014, arXiv 1406.1078 v1; torch.nn.GRUCell.

    >>> import gru
    >>> cell = gru.ResetAfterCell(4, 5)
    >>> sum(p.numel() for p in cell.parameters())
    165
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, *, device=None, dtype=None) -> None:
        super().__init__(input_size, hidden_size, bias)
        options = {"bias": bias, "device": device, "dtype": dtype}
        self.input_reset = nn.Linear(input_size, hidden_size, **options)
        self.hidden_reset = nn.Linear(hidden_size, hidden_size, **options)
        self.input_update = nn.Linear(input_size, hidden_size, **options)
        self.hidden_update = nn.Linear(hidden_size, hidden_size, **options)
        self.input_candidate = nn.Linear(input_size, hidden_size, **options)
        self.hidden_candidate = nn.Linear(hidden_size, hidden_size, **options)
        self.reset_parameters()

    def linears(self) -> dict[str, tuple[nn.Linear, ...]]:
        return {
            "r": (self.input_reset, self.hidden_reset),
            "z": (self.input_update, self.hidden_update),
            "n": (self.input_candidate, self.hidden_candidate),
        }

    def _gates(self, x: Tensor, h: Tensor) -> Gates:
        r = torch.sigmoid(self.input_reset(x) + self.hidden_reset(h))  # (B, H)
        z = torch.sigmoid(self.input_update(x) + self.hidden_update(h))  # (B, H)
        n = torch.tanh(self.input_candidate(x) + r * self.hidden_candidate(h))  # (B, H)
        return Gates(r, z, n, (1 - z) * n + z * h)

    def weights(self) -> Weights:
        """The parameters in PyTorch's layout, rows of r, z, n. Gradients flow through.

        >>> import torch, gru
        >>> cell, x, h = gru.ResetAfterCell(4, 5), torch.randn(2, 4), torch.randn(2, 5)
        >>> torch.allclose(gru.equations.step(x, h, cell.weights()).h, cell(x, h), atol=1e-6)
        True
        """
        from_x, from_h = zip(*self.linears().values(), strict=True)
        W, U = (torch.cat([layer.weight for layer in layers]) for layers in (from_x, from_h))  # (3H, D), (3H, H)
        if not self.bias:
            return Weights(W, U, None, None, reset_after=True)
        b_i, b_h = (torch.cat([layer.bias for layer in layers]) for layers in (from_x, from_h))  # (3H) each
        return Weights(W, U, b_i, b_h, reset_after=True)


MAKES_WEIGHTS = (BasePruningMethod, WeightNorm, SpectralNorm)  # pre-hooks that do that and nothing else


def class_of(cell: nn.Module) -> type[nn.Module] | None:
    """Which class whose equations are known a cell is of, here or ``torch.nn.GRUCell``; None for one of another's."""
    known = (ElmanCell, ResetBeforeCell, ResetAfterCell, nn.GRUCell)
    return next((one for one in known if isinstance(cell, one)), None)


def has_own_forward(cell: nn.Module) -> bool:
    """Whether a cell of a known class has another forward than that class, so that gates need not give its state."""
    known = class_of(cell)
    return known is not None and ("forward" in vars(cell) or type(cell).forward is not known.forward)


def has_plain_linears(cell: nn.Module) -> bool:
    """Whether a cell's linear layers are what they were made as, without hooks but those that make weights."""
    linears = [linear for layers in cell.linears().values() for linear in layers] if isinstance(cell, _Cell) else []
    return all(
        isinstance(linear, nn.Linear)
        and type(linear).forward is nn.Linear.forward
        and not linear._forward_hooks
        and all(isinstance(hook, MAKES_WEIGHTS) for hook in linear._forward_pre_hooks.values())
        for linear in linears
    )


def keeps_equations(cell: nn.Module) -> bool:
    """Whether a cell computes what its class, here or in ``torch.nn``, computes.

    Not so if a subclass or the object itself puts another method in the place of that class's, or if one of its linear
    layers was replaced or has hooks that may change what it reads or gives. Other parts of a subclass do not matter.
    """
    known = class_of(cell)
    methods = ("forward", "gates", "_gates", "linears", "weights")
    return (
        known is not None
        and not any(
            name in vars(cell) or getattr(type(cell), name, None) is not getattr(known, name, None) for name in methods
        )
        and has_plain_linears(cell)
    )


def cell_weights(cell: nn.Module) -> Weights:
    """The weights of a cell of a known class, whatever else it computes."""
    if isinstance(cell, nn.GRUCell):
        return Weights(cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh, reset_after=True)
    return cell.weights()
