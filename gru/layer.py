r"""The GRU over sequences: stacked, bidirectional, packed; a drop-in for ``torch.nn.GRU`` with both variants.

Sources
    interface, parameter names, initial values, errors    torch.nn.GRU (torch/nn/modules/rnn.py)
    equations                                             :mod:`gru.equations`, which holds their sources

Glossary
    T, B, D, H      time, batch, input size, hidden size
    rows            what passes from layer to layer: (T, B, D), or (N, D) when packed, N the sum of all lengths
    steps           what time stepping sees: always a dense (T, B, D) that runs forward in time

Where this differs from torch.nn.GRU: ``reset_after=False`` is offered; with unsorted packed sequences, too, the
initial state must have the batch size of the input (PyTorch drops what is too much); a list in place of a tensor is a
TypeError; on a CPU in float32 candidates are exact to 1e-7 absolute rather than relative (see :mod:`gru.bptt`); it is
not a subclass of torch.nn.GRU, so that torch.fx does not treat it as a known leaf, and what only knows torch's own
class is refused (see :mod:`gru._tools`).
"""

from collections.abc import Callable, Sequence
from numbers import Integral

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout
from torch.nn.utils.rnn import PackedSequence

from gru import _arguments, _onnx, _tools, bptt
from gru.cells import ResetAfterCell, ResetBeforeCell, cell_weights, keeps_equations
from gru.equations import Weights

_NESTED = "torch.nn.utils.rnn.pack_sequence(list(input.unbind()), enforce_sorted=False) gives a PackedSequence"

Engine = Callable[[Tensor, Tensor, Weights], Tensor]  # of one layer in one direction: see run_layers


class GRU(_tools.NotTorchs, nn.RNNBase):
    r"""A gated recurrent unit over sequences, everything ``torch.nn.GRU`` takes and returns.

    Layer by layer and step by step, with z that keeps::

        r  = sigmoid(W_ir x + b_ir + W_hr h + b_hr)
        z  = sigmoid(W_iz x + b_iz + W_hz h + b_hz)
        n  = tanh(W_in x + b_in + r * (W_hn h + b_hn))        reset_after=True, what torch.nn.GRU computes
        n  = tanh(W_in x + b_in + W_hn (r * h) + b_hn)        reset_after=False
        h' = (1 - z) * n + z * h

    Args:
        input_size: D, the number of features of the input.
        hidden_size: H, the number of units.
        num_layers: how many layers are stacked, each reading the states of the one below.
        bias: whether there are biases b_i and b_h.
        batch_first: input and output are (B, T, features) rather than (T, B, features); states are not affected.
        dropout: probability that a state is zeroed on its way to the next layer, in training only.
        bidirectional: a second run reads each sequence from its end; its states stand beside the first run's.
        device, dtype: of the parameters.
        reset_after: the variant.

    Parameters: weight_ih_l{k} (3H, D or what the layer below gives), weight_hh_l{k} (3H, H), bias_ih_l{k} and
    bias_hh_l{k} (3H), rows of r, z, n; with ``_reverse`` at the end for the second direction. Names, order and, for
    the same seed, initial values are those of ``torch.nn.GRU``, and state dicts load both ways. The two variants share
    all of it, so a state dict does not tell which one it belongs to.

    Raises:
        ValueError, TypeError: as ``torch.nn.GRU`` does, for options out of range or of the wrong type.

    Source: torch.nn.GRU; Cho et al. 2014, EMNLP, doi 10.3115/v1/D14-1179: arXiv 1406.1078, v1 (reset after) and v3
    (reset before).

    >>> import torch, gru
    >>> layer = gru.GRU(4, 5, num_layers=2)
    >>> outputs, h_n = layer(torch.zeros(7, 3, 4))
    >>> outputs.shape, h_n.shape
    (torch.Size([7, 3, 5]), torch.Size([2, 3, 5]))
    >>> reference = torch.nn.GRU(4, 5, num_layers=2)
    >>> reference.load_state_dict(layer.state_dict())
    <All keys matched successfully>
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device=None,
        dtype=None,
        *,
        reset_after: bool = True,
        **unknown,
    ) -> None:
        if "proj_size" in unknown:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        if unknown:
            raise TypeError(f"GRU.__init__() got an unexpected keyword argument '{next(iter(unknown))}'")
        if not isinstance(num_layers, Integral):
            raise TypeError(f"num_layers should be of type int, got: {type(num_layers).__name__}")
        _arguments.flag("reset_after", reset_after)
        super().__init__(
            "GRU",
            input_size,
            hidden_size,
            num_layers=num_layers,
            bias=bias,
            batch_first=batch_first,
            dropout=dropout,
            bidirectional=bidirectional,
            device=device,
            dtype=dtype,
        )
        self.reset_after = reset_after

    def weights(self, layer: int = 0, reverse: bool = False) -> Weights:
        """The parameters of one layer and direction, themselves and not copies.

        Raises:
            IndexError: there is no such layer.
            ValueError: reverse is asked of a layer that runs in one direction.

        >>> import gru
        >>> gru.GRU(4, 5).weights().weight_ih.shape
        torch.Size([15, 4])
        """
        return layer_weights(self, layer, reverse, self.reset_after)

    def forward(
        self, input: Tensor | PackedSequence, hx: Tensor | None = None
    ) -> tuple[Tensor | PackedSequence, Tensor]:
        """Run over whole sequences.

        Args:
            input: (T, B, D), or (B, T, D) if batch_first, or (T, D) for a single sequence, or a PackedSequence.
            hx: initial states (layers * directions, B, H), without B for a single sequence; zeros where None.

        Returns:
            outputs: the last layer's state after every step, (T, B, H), laid out as the input; 2H if bidirectional.
            h_n: the state after the last valid step of each layer and direction, shaped as hx.

        Raises:
            TypeError: input or hx is not a tensor.
            ValueError: input has the wrong number of axes or the wrong dtype.
            RuntimeError: a size, hx's axes or dtype, or a device does not fit; a tensor is sparse; there is no step.
        """
        return self._run(input, hx)

    def _run(self, input, hx=None):
        if torch.jit.is_tracing():  # torch's operator takes any number of steps, where a recorded loop has one
            if not self.reset_after:
                raise NotImplementedError(_tools.NO_OPERATOR)
            return nn.GRU.forward(self, input, hx)
        return run_layers(self, input, hx, self.weights)

    def extra_repr(self) -> str:
        return super().extra_repr() + ("" if self.reset_after else ", reset_after=False")


def run_layers(
    module: nn.RNNBase,
    input: Tensor | PackedSequence,
    hx: Tensor | None,
    weights_of: Callable[[int, bool], Weights],
    engine: Engine = bptt.run_unchecked,
    names: tuple[str, str] = ("input", "hx"),
) -> tuple[Tensor | PackedSequence, Tensor]:
    """Layer by layer, each in its directions: the forward of anything with the options of ``torch.nn.GRU``.

    Args:
        module: where the options stand.
        input, hx: as ``torch.nn.GRU`` takes them; ``names`` is what errors call them.
        weights_of: from a layer and whether it is the reverse direction to its weights.
        engine: runs one layer in one direction, (x (T, B, D), h0 (B, H), weights) -> states (T, B, H).
    """
    layout = layout_of(module, input, hx, names)
    rows, h0 = layout.enter(input), layout.enter_state(hx)
    directions = 2 if module.bidirectional else 1
    last = []  # states after the last valid step, (B, H) each
    for layer in range(module.num_layers):
        if layer and module.dropout:
            rows = dropout(rows, module.dropout, module.training)
        steps = layout.spread(rows)  # (T, B, D)
        runs = []  # states of each direction, (T, B, H)
        for reverse in range(directions):
            h = h0[layer * directions + reverse]  # (B, H)
            states, end = sweep(steps, h, weights_of(layer, bool(reverse)), layout, bool(reverse), engine)
            runs.append(states)
            last.append(end)
        rows = layout.collect(torch.cat(runs, -1) if module.bidirectional else runs[0])
    return layout.leave(rows), layout.leave_state(torch.stack(last))


def sweep(
    x: Tensor, h0: Tensor, weights: Weights, layout: "Dense | Packed", reverse: bool, engine: Engine
) -> tuple[Tensor, Tensor]:
    """One layer in one direction: states (T, B, H) in the order of the input, and those after the last valid step."""
    weights.check(x.shape[-1], h0.shape[-1])
    run = _onnx.operator if _onnx.exporting(x) else engine
    x, dtype = layout.reverse(x) if reverse else x, weights.weight_ih.dtype
    if h0.dtype is x.dtype is dtype:
        states = run(x, h0, weights)
    else:
        # Autocast: computed in the dtype of the weights, given back in that of the state, or in float32 where the state
        # is of the half precision that is not autocast's; as torch.nn.GRU does.
        given = torch.promote_types(h0.dtype, torch.get_autocast_dtype(h0.device.type))
        states = run(x.to(dtype), h0.to(dtype), weights).to(given)
    return layout.reverse(states) if reverse else states, layout.last(states)


def places_of(layer: nn.RNNBase) -> list[tuple[int, bool]]:
    """Its layers and directions, in their order: (0, False), (0, True) for the reverse one, (1, False), ..."""
    directions = (False, True) if layer.bidirectional else (False,)
    return [(k, reverse) for k in range(layer.num_layers) for reverse in directions]


def suffixes_of(layer: nn.RNNBase) -> list[str]:
    """How the parameters of each layer and direction end: ``l0``, ``l0_reverse``, ``l1``, ..."""
    return [f"l{k}_reverse" if reverse else f"l{k}" for k, reverse in places_of(layer)]


def layer_weights(module: nn.RNNBase, layer: int, reverse: bool, reset_after: bool) -> Weights:
    """The parameters of one layer and direction of anything that names them as ``torch.nn.GRU`` does."""
    if not 0 <= layer < module.num_layers:
        raise IndexError(f"layer: expected 0 to {module.num_layers - 1}, got {layer}")
    if reverse and not module.bidirectional:
        raise ValueError("reverse: expected False for a layer with one direction, got True")
    suffix = f"_l{layer}_reverse" if reverse else f"_l{layer}"
    found = [_parameter(module, kind + suffix) for kind in Weights._fields[:4]]  # no such biases where bias=False
    return Weights(*found, reset_after)


def is_batch_first(model: nn.Module) -> bool:
    """Whether a model reads (N, T, ...): its own ``batch_first`` says so, or else that of any module in it."""
    own = getattr(model, "batch_first", None)
    if isinstance(own, bool):
        return own
    return any(getattr(module, "batch_first", False) is True for module in model.modules())


def _parameter(module: nn.Module, name: str) -> Tensor | None:
    """``getattr(module, name, None)``, without the detour on which nn.Module looks for its parameters."""
    found = module._parameters.get(name)
    return getattr(module, name, None) if found is None else found


def weights_of(module: nn.Module, layer: int = 0, reverse: bool = False) -> Weights:
    """The weights of a recurrence in PyTorch's layout (rows of r, z, n; z keeps), gradients flowing to its parameters.

    Args:
        module: ResetBeforeCell, ResetAfterCell, gru.GRU, torch.nn.GRU or torch.nn.GRUCell.
        layer, reverse: which layer and direction of a GRU; a cell has layer 0 alone.

    Raises:
        TypeError: another kind of module, or a cell with a method or a linear layer of its own, or with hooks in it.
        IndexError, ValueError: there is no such layer or direction.

    >>> import torch
    >>> weights_of(torch.nn.GRUCell(4, 5)).weight_ih.shape
    torch.Size([15, 4])
    """
    if isinstance(module, GRU):
        return module.weights(layer, reverse)
    if isinstance(module, nn.GRU):
        return layer_weights(module, layer, reverse, reset_after=True)
    name = type(module).__name__
    if not isinstance(module, ResetBeforeCell | ResetAfterCell | nn.GRUCell):
        known = "ResetBeforeCell, ResetAfterCell, gru.GRU, torch.nn.GRU or torch.nn.GRUCell"
        raise TypeError(f"module: expected {known}, got {name}")
    if not keeps_equations(module):
        has = "which has a method or a layer of its own, or hooks in it"
        raise TypeError(f"module: expected a cell with the equations of its class, got {name}, {has}")
    if layer != 0:
        raise IndexError(f"layer: expected 0 for a cell, got {layer}")
    if reverse:
        raise ValueError("reverse: expected False for a cell, got True")
    return cell_weights(module)


class Dense:
    """Sequences of one length: rows are the steps themselves."""

    def __init__(self, module: nn.RNNBase, input: Tensor) -> None:
        self.single = input.dim() == 2  # one sequence, no batch axis
        self.batch_first = module.batch_first and not self.single
        T, B = (input.shape[0], 1) if self.single else input.shape[:2]
        self.length, self.batch_size = (B, T) if self.batch_first else (T, B)
        self.zeros = input.new_zeros(self.batch_size, module.hidden_size)  # one state that starts all layers
        self.recurrences = _recurrences(module)

    def enter(self, input: Tensor) -> Tensor:
        """What came, as rows (T, B, D)."""
        return input.unsqueeze(1) if self.single else input.transpose(0, 1) if self.batch_first else input

    def leave(self, rows: Tensor) -> Tensor:
        """Rows, laid out as what came."""
        return rows.squeeze(1) if self.single else rows.transpose(0, 1) if self.batch_first else rows

    def enter_state(self, hx: Tensor | None) -> Sequence[Tensor]:
        """Initial states (B, H), one per layer and direction."""
        return [self.zeros] * self.recurrences if hx is None else (hx.unsqueeze(1) if self.single else hx).unbind(0)

    def leave_state(self, h_n: Tensor) -> Tensor:
        """Last states, laid out as the initial ones came."""
        return h_n.squeeze(1) if self.single else h_n

    def spread(self, rows: Tensor) -> Tensor:
        """Rows as steps (T, B, D)."""
        return rows

    def collect(self, steps: Tensor) -> Tensor:
        """Steps as rows."""
        return steps

    def reverse(self, steps: Tensor) -> Tensor:
        """Each sequence from its end."""
        return steps.flip(0)

    def last(self, states: Tensor) -> Tensor:
        """The state after the last valid step (B, H)."""
        return states[-1]

    def restore(self, steps: Tensor) -> Tensor:
        """Steps (T, B, H) with the samples in the order in which they came."""
        return steps


class Packed:
    """A PackedSequence: rows are its data (N, D); steps are padded with zeros at each sample's end, longest first."""

    def __init__(self, module: nn.RNNBase, input: PackedSequence) -> None:
        self.packed = input
        sizes = input.batch_sizes  # (T): how many samples still run at each step; on the CPU
        self.length, self.batch_size = len(sizes), int(sizes[0])
        device = input.data.device
        sample = torch.arange(self.batch_size, device="cpu")  # (B)
        valid = sample < sizes.unsqueeze(1)  # (T, B)
        end = valid.sum(0) - 1  # (B)
        time = torch.arange(self.length, device="cpu").unsqueeze(1)  # (T, 1)
        self.sample, self.valid, self.end = sample.to(device), valid.to(device), end.to(device)
        self.place = valid.flatten().nonzero().squeeze(1).to(device)  # (N): where each row lies among T * B
        self.mirror = torch.where(valid, end - time, time).to(device)  # (T, B): its own inverse; padding stays
        self.zeros = input.data.new_zeros(self.batch_size, module.hidden_size)
        self.recurrences = _recurrences(module)

    def enter(self, input: PackedSequence) -> Tensor:
        """What came, as rows (N, D)."""
        return input.data

    def leave(self, rows: Tensor) -> PackedSequence:
        """Rows, packed as what came."""
        return PackedSequence(rows, self.packed.batch_sizes, self.packed.sorted_indices, self.packed.unsorted_indices)

    def enter_state(self, hx: Tensor | None) -> Sequence[Tensor]:
        """Initial states (B, H), one per layer and direction, longest sequence first."""
        if hx is None:
            return [self.zeros] * self.recurrences
        order = self.packed.sorted_indices
        return (hx if order is None else hx.index_select(1, order)).unbind(0)

    def leave_state(self, h_n: Tensor) -> Tensor:
        """Last states, in the order of the initial ones."""
        return self.restore(h_n)

    def spread(self, rows: Tensor) -> Tensor:
        """Rows as steps (T, B, D), zero where a sequence has ended."""
        steps = rows.new_zeros(self.length * self.batch_size, rows.shape[-1])
        return steps.index_copy(0, self.place, rows).unflatten(0, (self.length, self.batch_size))

    def collect(self, steps: Tensor) -> Tensor:
        """Steps as rows (N, H)."""
        return steps.flatten(0, 1).index_select(0, self.place)

    def reverse(self, steps: Tensor) -> Tensor:
        """Each sequence from its own end."""
        return steps[self.mirror, self.sample]

    def last(self, states: Tensor) -> Tensor:
        """The state after the last valid step (B, H)."""
        return states[self.end, self.sample]

    def restore(self, steps: Tensor) -> Tensor:
        """Steps (T, B, H) with the samples in the order in which they came."""
        order = self.packed.unsorted_indices
        return steps if order is None else steps.index_select(1, order)


def layout_of(
    module: nn.RNNBase, input: Tensor | PackedSequence, hx: Tensor | None, names: tuple[str, str] = ("input", "hx")
) -> Dense | Packed:
    """Check what a layer was given, in PyTorch's order and words, and say how its sequences lie."""
    of_input, of_state = names
    packed = isinstance(input, PackedSequence)
    weight, D = _parameter(module, "weight_ih_l0"), module.input_size
    if not packed:
        _arguments.is_dense(of_input, input, "a Tensor or PackedSequence")
        if input.is_nested:
            raise TypeError(f"{of_input}: expected a Tensor or PackedSequence, got a NestedTensor; {_NESTED}")
        if input.dim() not in (2, 3):
            expected = f"shape {'(B, T, ' if module.batch_first else '(T, B, '}{D}) or (T, {D})"
            sentence = f"GRU: Expected input to be 2D or 3D, got {input.dim()}D instead"
            _arguments.refuse(ValueError, sentence, of_input, expected, _arguments.shape(input))
    if hx is not None:
        _arguments.is_dense(of_state, hx, "a Tensor or None")
        if not packed and hx.dim() != input.dim():
            batched = "batched 3-D" if input.dim() == 3 else "unbatched 2-D"
            sentence = f"For {batched} input, hx should also be {input.dim()}-D but got {hx.dim()}-D tensor"
            _arguments.refuse(RuntimeError, sentence, of_state, f"{input.dim()} axes", f"shape {_arguments.shape(hx)}")
    data = input.data if packed else input
    if data.dtype != weight.dtype and not _arguments.autocasting(data):
        raise ValueError(
            f"RNN input dtype ({data.dtype}) does not match weight dtype ({weight.dtype}). "
            f"Convert input: input.to({weight.dtype}), or convert model: model.to({data.dtype}) "
            f"({of_input}: expected {weight.dtype}, got {data.dtype})"
        )
    if packed and data.dim() != 2:
        _arguments.refuse(
            RuntimeError,
            f"input must have 2 dimensions, got {data.dim()}",
            of_input,
            f"data (N, {D})",
            _arguments.shape(data),
        )
    if data.shape[-1] != D:
        sentence = f"input.size(-1) must be equal to input_size. Expected {D}, got {data.shape[-1]}"
        _arguments.refuse(RuntimeError, sentence, of_input, f"{D} features", f"shape {_arguments.shape(data)}")
    layout = Packed(module, input) if packed else Dense(module, input)
    if hx is not None:
        expected = (layout.recurrences, layout.batch_size, module.hidden_size)
        got = list(hx.shape) if packed or not layout.single else [hx.shape[0], 1, hx.shape[1]]
        if tuple(got) != expected:
            own = (expected[0], expected[2]) if not packed and layout.single else expected
            _arguments.refuse(
                RuntimeError, f"Expected hidden size {expected}, got {got}", of_state, own, _arguments.shape(hx)
            )
        if hx.device != data.device:
            sentence = _elsewhere("hidden", data, hx)
            _arguments.refuse(RuntimeError, sentence, of_state, f"device {data.device}", hx.device)
        if hx.dtype != weight.dtype and not _arguments.autocasting(hx):
            sentence = "hx and the parameters must have the same dtype"
            _arguments.refuse(RuntimeError, sentence, of_state, weight.dtype, hx.dtype)
    if data.device != weight.device:
        sentence = _elsewhere("parameter", data, weight)
        _arguments.refuse(RuntimeError, sentence, of_input, f"device {weight.device}", data.device)
    if layout.length == 0:
        sentence = "Expected sequence length to be larger than 0 in RNN"
        _arguments.refuse(RuntimeError, sentence, of_input, "at least one step", f"shape {_arguments.shape(data)}")
    return layout


def _elsewhere(what: str, input: Tensor, other: Tensor) -> str:
    """PyTorch's sentence about tensors on two devices."""
    return (
        f"Input and {what} tensors are not at the same device, "
        f"found input tensor at {input.device} and {what} tensor at {other.device}"
    )


def _recurrences(module: nn.RNNBase) -> int:
    return module.num_layers * (2 if module.bidirectional else 1)
