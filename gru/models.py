r"""Models that read a whole sequence and then answer: a GRU, and a linear head on the state after its last step.

::

    h_1 ... h_T = GRU(x_1 ... x_T)
    answer      = W h_length + b         length <= T: sequences of a batch may differ in length

With two directions the head reads where each of them ends, the forward one after step ``length`` and the backward one
after step 1. (What the layer puts out for the last step holds a backward state that has read that step alone.)

Sequences of different lengths share a tensor by padding at their end. A state that has read padding is no longer what
the sequence left behind, so each sample is read after its last *valid* step, and no number in the padding has any
influence.

Glossary
    T, B, D, H    time, batch, input size, hidden size
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch._C import _functorch
from torch.nn.functional import dropout, mse_loss
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from gru import _arguments, forecasting
from gru.layer import GRU


class _LastState(nn.Module):
    """A GRU and a linear head on each sample's last valid state."""

    def __init__(
        self, input_size: int, hidden_size: int, answers: int, batch_first: bool, dropout: float, **options
    ) -> None:
        super().__init__()
        dropout = _arguments.number("dropout", dropout)
        if not 0 <= dropout <= 1:
            raise ValueError(f"dropout: expected a probability, 0 to 1, got {dropout}")
        layers = options["num_layers"]
        between = dropout if isinstance(layers, int) and layers > 1 else 0.0  # with one layer there is no between
        self.gru = GRU(input_size, hidden_size, batch_first=batch_first, dropout=between, **options)
        ends = 1 + self.gru.bidirectional
        self.head = nn.Linear(ends * hidden_size, answers, device=options["device"], dtype=options["dtype"])
        self.batch_first = batch_first
        self.dropout = dropout

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Answer for each sequence.

        Args:
            x: sequences (T, B, D), or (B, T, D) if batch_first, padded at the end.
            lengths: integers (B,), 1 to T: the valid steps of each sequence, on any device; T for all where None.

        Returns:
            answers (B, what the head gives).

        Raises:
            TypeError: x is not a tensor; lengths are not integers.
            ValueError: x has not three axes; lengths has the wrong shape or a value out of range.
            ValueError, RuntimeError: x has the wrong number of features, dtype or device, as in ``torch.nn.GRU``.
        """
        last = self.last_state(x, lengths)  # (B, H), or (B, 2H) with two directions
        return self.head(dropout(last, self.dropout, self.training))

    def last_state(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The top layer's state after the last valid step (B, H), with two directions beside the backward one after the
        first (B, 2H). For x, lengths and errors see :meth:`forward`.
        """
        packed = isinstance(x, PackedSequence)
        _arguments.is_tensor("x", x, "a padded Tensor, with lengths" if packed else "a Tensor")
        if x.is_nested:
            raise TypeError(
                "x: expected a padded Tensor, with lengths, got a NestedTensor; x.to_padded_tensor(0.0) pads"
            )
        if x.dim() != 3:
            expected = f"({'B, T' if self.batch_first else 'T, B'}, {self.gru.input_size})"
            raise ValueError(f"x: expected shape {expected}, got {_arguments.shape(x)}")
        time, batch = (1, 0) if self.batch_first else (0, 1)
        if lengths is not None:
            lengths = check_lengths(lengths, x.shape[time], x.shape[batch])
        return self._both_ends(x, lengths) if self.gru.bidirectional else self._end(x, lengths)

    def _end(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        time, batch = (1, 0) if self.batch_first else (0, 1)
        if lengths is None:
            return self.gru(x)[0].select(time, -1)
        lengths = lengths.to(x.device, torch.int64)
        valid = torch.arange(x.shape[time], device=x.device) < lengths.unsqueeze(1)  # (B, T)
        valid = valid if self.batch_first else valid.T
        # Later steps never reach earlier states, but NaN in padding would reach the gradient as 0 * NaN.
        states, _ = self.gru(x.masked_fill(~valid.unsqueeze(2), 0))
        samples = torch.arange(x.shape[batch], device=x.device)
        return states[samples, lengths - 1] if self.batch_first else states[lengths - 1, samples]

    def _both_ends(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        # The backward direction would begin in the padding, so it must not be there at all.
        if lengths is not None and len(lengths):  # of no sequences nothing can be packed
            if _batched(lengths):
                raise NotImplementedError("lengths: expected None for two directions under torch.func.vmap")
            x = pack_padded_sequence(x, lengths.cpu(), batch_first=self.batch_first, enforce_sorted=False)
        _, h_n = self.gru(x)  # (layers * 2, B, H)
        return torch.cat((h_n[-2], h_n[-1]), 1)


class GRUClassifier(_LastState):
    """Tell which class a sequence belongs to.

    Args:
        input_size, hidden_size, num_classes: D, H and how many classes there are.
        num_layers, bias, bidirectional, reset_after, device, dtype: as in :class:`gru.GRU`.
        batch_first: x is (B, T, D) rather than (T, B, D).
        dropout: probability that a state is zeroed on its way to the next layer and to the head, in training only.

    Parts: ``gru`` (a :class:`gru.GRU`) and ``head`` (a ``Linear(H, num_classes)``, or ``Linear(2H, ...)`` where it
    reads both directions, forward first).

    ``model(x, lengths=None)`` gives logits (B, num_classes).

    >>> import torch, gru
    >>> model = gru.GRUClassifier(input_size=12, hidden_size=32, num_classes=9)
    >>> model(torch.zeros(29, 4, 12), lengths=torch.tensor([29, 7, 12, 20])).shape
    torch.Size([4, 9])
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_classes: int,
        *,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        reset_after: bool = True,
        device=None,
        dtype=None,
    ) -> None:
        _arguments.size("num_classes", num_classes)
        options = {"num_layers": num_layers, "bias": bias, "reset_after": reset_after, "device": device, "dtype": dtype}
        options["bidirectional"] = bidirectional
        super().__init__(input_size, hidden_size, num_classes, batch_first, dropout, **options)


class LayerClassifier(nn.Module):
    """Any recurrent layer, and a linear head on its state after the last step: what the chapters compare layers in.

    Args:
        layer: a module that gives its states first, ``layer(x)[0]`` of shape (T, B, H) or (B, T, H) as its
            ``batch_first`` says, and has ``hidden_size``: ``torch.nn.RNN`` and ``LSTM``, :class:`gru.GRU`.
        num_classes: C, how many classes there are; or how many values, for a task with values.

    Parts: ``layer`` and ``head`` (a ``Linear(H, C)``), which starts on the layer's device in its dtype. ``model(x)``
    gives answers (B, C).

    Raises:
        TypeError: layer is not such a module.
        ValueError: num_classes is not 1 or more, or the layer reads both directions, which do not end at one step.

    >>> import torch
    >>> LayerClassifier(torch.nn.RNN(8, 32), 4)(torch.zeros(20, 3, 8)).shape
    torch.Size([3, 4])
    """

    def __init__(self, layer: nn.Module, num_classes: int) -> None:
        super().__init__()
        if not isinstance(layer, nn.Module) or not hasattr(layer, "hidden_size"):
            raise TypeError(f"layer: expected a recurrent layer with a hidden_size, got {type(layer).__name__}")
        if getattr(layer, "bidirectional", False):
            raise ValueError("layer: expected one direction, got a layer that reads both")
        _arguments.size("num_classes", num_classes)
        like = next(layer.parameters(), torch.empty(0))
        self.layer = layer
        self.head = nn.Linear(layer.hidden_size, num_classes, device=like.device, dtype=like.dtype)
        self.batch_first = bool(getattr(layer, "batch_first", False))

    def forward(self, x: Tensor) -> Tensor:
        """Answers (B, C) to sequences x, as the layer takes them."""
        states = self.layer(x)[0]
        return self.head(states.select(1 if self.batch_first else 0, -1))


class GRUForecaster(_LastState):
    """Say how a sequence goes on: its next ``horizon`` values at once, or quantiles of each.

    Args:
        input_size, hidden_size: D, H.
        horizon: how many values are forecast.
        quantiles: Q of them, rising, an odd number, such as (0.05, 0.25, 0.5, 0.75, 0.95); None: one value per step.
        covariates: how many more numbers are known at each step, such as the month; the GRU reads D + covariates.
        num_layers, bias, batch_first, dropout, reset_after, device, dtype: as in :class:`GRUClassifier`.

    Parts: ``gru`` (a :class:`gru.GRU`) and ``head`` (a ``Linear(H, horizon)``, or ``Linear(H, horizon * Q)``).

    ``model(x, lengths=None, covariates=None)`` gives values (B, horizon), or (B, horizon, Q): the head's numbers in
    rising order, so that quantiles never cross. Covariates are the last columns of x, or come apart. Train quantiles
    with ``gru.fit(model, x, y, loss=model.loss)``.

    >>> import torch, gru
    >>> model = gru.GRUForecaster(input_size=1, hidden_size=16, horizon=24)
    >>> model(torch.zeros(168, 8, 1)).shape
    torch.Size([8, 24])
    >>> model = gru.GRUForecaster(1, 16, 24, quantiles=(0.1, 0.5, 0.9), covariates=2)
    >>> model(torch.zeros(168, 8, 1), covariates=torch.zeros(168, 8, 2)).shape
    torch.Size([8, 24, 3])
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        horizon: int,
        *,
        quantiles: Sequence[float] | None = None,
        covariates: int = 0,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        reset_after: bool = True,
        device=None,
        dtype=None,
    ) -> None:
        _arguments.size("horizon", horizon)
        _arguments.size("input_size", input_size)
        if covariates != 0:
            _arguments.size("covariates", covariates)
        levels = forecasting.check_quantiles(quantiles)
        options = {"num_layers": num_layers, "bias": bias, "reset_after": reset_after, "device": device, "dtype": dtype}
        answers = horizon * max(1, len(levels))
        super().__init__(input_size + covariates, hidden_size, answers, batch_first, dropout, **options)
        self.horizon, self.quantiles, self.covariates = horizon, levels, covariates

    def forward(self, x: Tensor, lengths: Tensor | None = None, covariates: Tensor | None = None) -> Tensor:
        """Forecast each sequence.

        Args:
            x, lengths: as in :meth:`GRUClassifier.forward`.
            covariates: (T, B, K), or (B, T, K) if batch_first, where x does not hold them already.

        Returns:
            values (B, horizon), or (B, horizon, Q) in rising order.

        Raises:
            TypeError, ValueError, RuntimeError: as in :meth:`GRUClassifier.forward`, and for covariates likewise.
        """
        if covariates is not None:
            x = torch.cat([x, self._check_covariates(x, covariates)], -1)
        answers = super().forward(x, lengths)  # (B, horizon * Q)
        if not self.quantiles:
            return answers
        return answers.unflatten(1, (self.horizon, len(self.quantiles))).sort(-1).values

    def loss(self, answers: Tensor, wanted: Tensor) -> Tensor:
        """What to train with: the pinball loss of the quantiles; without them, the mean squared error.

        Args:
            answers: what the model gave.
            wanted: the values that came (B, horizon).
        """
        _arguments.is_tensor("wanted", wanted)
        if self.quantiles:
            return forecasting.pinball_loss(answers, wanted, self.quantiles)
        if answers.shape != wanted.shape:  # mse_loss would broadcast
            expected = f"{_arguments.shape(answers)}, that of the answers"
            raise ValueError(f"wanted: expected shape {expected}, got {_arguments.shape(wanted)}")
        return mse_loss(answers, wanted)

    @torch.no_grad()
    def compare(self, x: Tensor, wanted: Tensor, *, season: int | None = None) -> forecasting.Comparison:
        """The model beside "nothing changes" and "the same as last season": errors, skill, and what its bands covered.

        Args:
            x: sequences of one length, as the model reads them; the first column is the series, in units of ``wanted``.
            wanted: the values that came (B, horizon).
            season: the steps of a season; None leaves that baseline out.

        Returns:
            a :class:`gru.forecasting.Comparison`; ``print`` shows it as a table.

        >>> import torch, gru
        >>> model = gru.GRUForecaster(1, 4, horizon=2)
        >>> model.compare(torch.randn(12, 5, 1), torch.randn(5, 2), season=12).skill.shape
        torch.Size([2])
        """
        was_training = self.training
        self.eval()
        try:
            forecast = self(x)
        finally:
            self.train(was_training)
        time_first = x.transpose(0, 1) if self.batch_first else x
        return forecasting.compare(forecast, time_first, wanted, season, self.quantiles)

    def _check_covariates(self, x: Tensor, covariates: Tensor) -> Tensor:
        _arguments.is_tensor("x", x)
        _arguments.is_tensor("covariates", covariates)
        expected = (*x.shape[:-1], self.covariates)
        if covariates.shape != expected:
            raise ValueError(f"covariates: expected shape {expected}, got {_arguments.shape(covariates)}")
        return covariates


def check_lengths(lengths: Tensor, T: int, B: int) -> Tensor:
    """lengths itself if it is B integers from 1 to T; otherwise an error that says what was expected and what came.

    Raises:
        TypeError: lengths is not a tensor of integers.
        ValueError: it has the wrong shape, or a value below 1 or above T.
        RuntimeError: it lies on the meta device.
    """
    _arguments.is_tensor("lengths", lengths, "a Tensor of integers")
    if lengths.dtype == torch.bool or lengths.is_floating_point() or lengths.is_complex():
        raise TypeError(f"lengths: expected integers, got {lengths.dtype}")
    if lengths.shape != (B,):
        raise ValueError(f"lengths: expected shape ({B},), one for each sequence, got {_arguments.shape(lengths)}")
    if lengths.is_meta:
        raise RuntimeError("lengths: expected numbers that can be read, got a tensor on device meta, which has none")
    # An exported or traced graph cannot look at values, nor can torch.func.vmap.
    if B and not (torch.compiler.is_exporting() or torch.jit.is_tracing() or _batched(lengths)):
        low, high = torch.stack(lengths.aminmax()).tolist()
        if low < 1 or high > T:
            raise ValueError(f"lengths: expected 1 to {T}, the steps of x, got {low if low < 1 else high}")
    return lengths


def _batched(tensor: Tensor) -> bool:
    """Whether a tensor stands for many, under torch.func.vmap: it has no values to look at."""
    if torch.compiler.is_dynamo_compiling():  # it warns of what it cannot trace
        return False
    while _functorch.is_functorch_wrapped_tensor(tensor):
        if _functorch.is_batchedtensor(tensor):
            return True
        tensor = _functorch.get_unwrapped(tensor)
    return False
