r"""GradientLoom: the gradient flowing back through a sequence as four threads: carry, candidate, update, reset.

Glossary
    T, S, D, H       steps, sequences, input size, hidden size
    part             one layer and direction of the model; a cell is one part. Its steps are counted as it takes them
    g_t (H)          dL/dh_t, t = 0..T; h_0 is the state before the first step
    thread           one of the four paths by which g_t comes back through step t + 1, see :mod:`gru.inspect.flow`
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import traitlets
from torch import Tensor, nn

from gru.cells import ElmanCell
from gru.equations import Weights, step
from gru.inspect.flow import PATHS, Flow, gradient_flow, step_jacobian
from gru.inspect.recurrences import step_function
from gru.layer import GRU
from gru.views._base import View
from gru.views._data import (
    TOLERANCE,
    Entry,
    Part,
    as_in_page,
    batches_of_one,
    device_of,
    encode,
    labels_of,
    parts_of,
    read_sequences,
    step_names_of,
    trace_each,
)

STATE = ("sequence", "layer", "step", "loss_step", "loss_unit", "unit", "muted", "log", "_data")


class GradientLoom(View, module="gradient_loom", state=STATE):
    """The gradient of a loss, on its way back through the sequence: four threads that flow to the left.

    ::

        L = h_s[k]  or the sum of h_s over its units, s = loss_step
        g_{t-1} = carry + candidate + update + reset          through step t: see gru.inspect.flow

    For one unit, a thread's part is its share of that unit's gradient, with its sign. For all units it is the thread's
    part along g, ``<thread, g> / |g|``, and the four add up to the length ``|g|``. Both are drawn on logarithmic
    scales; a thread that is hollow works against the whole. A muted thread carries nothing on, at any step, and
    everything before it is computed anew; the others are drawn on the scale that they had, so that less is thinner. A
    layer of a stack is shown with its own inputs held fixed and with the loss on its own state. Beside it is a tanh
    RNN: the same layer without its gates, r = 1 and z = 0, with the same loss.

    Args:
        module: a cell, a layer, or a model, as :func:`gru.trace` takes it, on any device; None for a small
            GRU of the view's own.
        x: sequences, as the module reads a batch of them, (T, S, D), or (S, T, D) where it is ``batch_first``; a
            single one (T, D); or a list of (T_i, D). A page carries all of them, so choose a few.
        lengths: valid steps of each sequence of a padded batch (S,); all where None.
        names: what to call each sequence.
        step_names: what stands below the steps, such as letters or months: a list, or one list per sequence.
        loss: takes the module's outputs to a scalar, as :func:`gru.gradient_flow` takes it, of one sequence at a time
            (B = 1). The gradient is then that of this loss, in every layer, and ``loss_step`` and ``loss_unit`` rest.
        sequence, layer, step, loss_step, loss_unit, unit, muted, log: what to show first; Reset leads back to it.
        **traits: also the keywords of the model's forward, such as ``text_lengths``; of a tensor with one entry per
            sequence, each sequence gets its own.

    Traits, in step with the page both ways:
        sequence, layer (int).
        loss_step (int, 1 to T): the state that the loss reads; at first the last.
        loss_unit (int): the unit that the loss reads, counted from 0; -1 for the sum of all.
        step (int, 0 to T): the state at the cursor; at first 0, where the gradient has gone all the way back.
        unit (int): the unit whose gradient is drawn; -1 for all.
        muted (list): names of muted threads.
        log (bool): whether the scale is logarithmic.

    An ElmanCell has one thread, "candidate". Of a cell whose equations are not known there is the whole gradient alone,
    by the Jacobian of each step, and no threads.

    Raises:
        TypeError: an unknown keyword; module is not a torch module or has no recurrence; x without module, or
            the reverse; a loss that is not a function, or that has no module, or that comes with ``loss_step`` or
            ``loss_unit``.
        ValueError: sequences, lengths or names that do not fit each other; NaN or infinity; a recurrence that is never
            called, or whose state the model changes between two steps; a loss that is not a scalar or that does not
            depend on the states.
        TraitError: a trait outside its range.

    >>> import torch, gru
    >>> loom = GradientLoom(gru.GRU(3, 4), torch.zeros(6, 1, 3), loss_step=5)
    >>> loom.flow.grads.shape, sorted(loom.flow.paths)
    (torch.Size([6, 1, 4]), ['candidate', 'carry', 'reset', 'update'])
    """

    sequence = traitlets.Int(0).tag(sync=True)
    layer = traitlets.Int(0).tag(sync=True)
    step = traitlets.Int(0).tag(sync=True)
    loss_step = traitlets.Int(1).tag(sync=True)
    loss_unit = traitlets.Int(-1).tag(sync=True)
    unit = traitlets.Int(-1).tag(sync=True)
    muted = traitlets.List(traitlets.Enum(PATHS)).tag(sync=True)
    log = traitlets.Bool(True).tag(sync=True)
    _data = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        module: nn.Module | None = None,
        x: Tensor | Sequence[Tensor] | None = None,
        *,
        lengths: Tensor | Sequence[int] | None = None,
        names: Sequence[str] | None = None,
        step_names: Sequence[str] | Sequence[Sequence[str]] | None = None,
        loss: Callable[[object], Tensor] | None = None,
        **traits: Any,
    ) -> None:
        if (module is None) != (x is None):
            raise TypeError("x: expected with a module, and a module with x; GradientLoom() shows a model of its own")
        self._own = module is None
        self._loss = _checked(loss, module, traits)
        if module is None:
            module, x = _example()
        if not isinstance(module, nn.Module):
            raise TypeError(f"module: expected a torch.nn.Module, got {type(module).__name__}")
        self._module = module
        self._inputs = read_sequences(module, x, lengths)
        self._keywords = self._keywords_of(module, traits)
        count = len(self._inputs)
        self._names = labels_of("names", names, count, "sequence")
        self._step_names = step_names_of(step_names, [len(x) for x in self._inputs])
        data = self._read()
        shown = traits.get("sequence", 0)
        T = len(self._inputs[shown if shown in range(count) else 0])
        traits.setdefault("loss_step", T)
        super().__init__(_data=data, **traits)

    def refresh(self) -> None:
        """Read the model again, after more training, say."""
        self._data = self._read()

    @property
    def flow(self) -> Flow:
        """What is drawn now with no thread muted: grads (s+1, 1, H) and paths (s, 1, H), s = loss_step.

        Later states get no gradient and are left out. With a ``loss`` of your own s = T. On the module's device.
        """
        if self._loss is not None:
            return self._flows(self.sequence)[self.layer]
        part, entry = self._parts[self.layer], self._traces[self.sequence][self.layer]
        x, h0 = entry.x[: self.loss_step].unsqueeze(1), entry.h0

        def loss(states: Tensor) -> Tensor:
            last = states[-1, 0]
            return last.sum() if self.loss_unit < 0 else last[self.loss_unit]

        if part.own is None:
            return gradient_flow(part.inner, x, h0.unsqueeze(0), loss)
        return gradient_flow(_as_layer(part.own()), x, h0.expand(1, 1, -1).contiguous(), loss)

    def describe(self) -> str:
        part = self._parts[self.layer]
        paths = ", in its four paths: carry, candidate, update and reset" if part.own is not None else ""
        return (
            f"Interactive view: how the gradient of a state of {part.name} flows back through "
            f"{self._names[self.sequence]}{paths}. It needs JavaScript, or a running kernel."
        )

    # Reading the module

    def _read(self) -> dict[str, Any]:
        """Trace every sequence, and put together what the page needs to walk back through it."""
        traces = trace_each(self._module, self._inputs, self._names, self._keywords)
        self._parts = parts_of(self._module, len(traces[0]))
        if any(part.inner is None for part in self._parts):
            raise ValueError("module: expected every recurrence in it to be called once for a sequence")
        self._traces = [
            [entry.as_taken(part.reverse) for part, entry in zip(self._parts, entries, strict=True)]
            for entries in traces
        ]
        self._apart = []
        parts = [self._read_part(i, part) for i, part in enumerate(self._parts)]
        return {
            "parts": parts,
            "names": self._names,
            "steps": [len(x) for x in self._inputs],
            "step_names": self._step_names,
            "loss": self._loss is not None,
            "device": "" if self._own else device_of(self._module),
            "apart": max(self._apart) if self._apart else None,
        }

    def _read_part(self, i: int, part: Part) -> dict[str, Any]:
        """One layer and direction, and what it did in every sequence."""
        entries = [entries[i] for entries in self._traces]
        if part.own is not None:
            self._apart += [_apart(part, entry) for entry in entries]
            if max(self._apart) > TOLERANCE:
                raise ValueError(
                    f"module: expected {part.name} to follow the GRU's equations, it is {max(self._apart):.2g} off"
                )
        jacobians = [None if part.own is not None else _jacobians(part, entry) for entry in entries]
        sent = [None] * len(entries)
        if self._loss is not None:
            sent = [_sent(self._flows(s)[i], jacobian) for s, jacobian in enumerate(jacobians)]
        return {
            "name": part.name,
            "hidden_size": entries[0].h.shape[-1],
            "weights": None if part.own is None else {k: encode(v) for k, v in part.own()._asdict().items()},
            "single": isinstance(part.inner, ElmanCell),
            "reverse": part.reverse,
            "runs": [
                {"x": encode(entry.x), "h0": encode(entry.h0), "jacobians": encode(jacobian), "sent": encode(own)}
                for entry, jacobian, own in zip(entries, jacobians, sent, strict=True)
            ],
        }

    def _flows(self, s: int) -> Flow:
        """How the loss reaches every recurrence in one sequence."""
        x, own = list(batches_of_one(self._module, self._inputs, self._keywords))[s]
        return gradient_flow(self._module, x, loss=self._loss, **own)

    # Traits: where they may go, and how they follow each other

    @traitlets.validate("sequence", "layer", "step", "loss_step", "loss_unit", "unit")
    def _in_range(self, proposal: dict[str, Any]) -> int:
        name, value = proposal["trait"].name, proposal["value"]
        T = self._data["steps"][self.sequence] if self.sequence in range(len(self._inputs)) else value
        H = self._data["parts"][self.layer]["hidden_size"] if self.layer in range(len(self._parts)) else value + 1
        low, high = {
            "sequence": (0, len(self._inputs) - 1),
            "layer": (0, len(self._parts) - 1),
            "step": (0, T),
            "loss_step": (1, T),
            "loss_unit": (-1, H - 1),
            "unit": (-1, H - 1),
        }[name]
        if not low <= value <= high:
            raise traitlets.TraitError(f"{name}: expected {low} to {high}, got {value}")
        return value

    @traitlets.validate("muted")
    def _in_order_of_paths(self, proposal: dict[str, Any]) -> list[str]:
        return [path for path in PATHS if path in proposal["value"]]

    @traitlets.observe("sequence")
    def _keep_steps(self, change: dict[str, Any]) -> None:
        """After the end of one sequence comes the end of the next."""
        T, before = self._data["steps"][change["new"]], change["old"]
        at_end = isinstance(before, int) and self.loss_step == self._data["steps"][before]
        self.loss_step = T if at_end else min(self.loss_step, T)
        self.step = min(self.step, T)

    @traitlets.observe("layer")
    def _keep_units(self, change: dict[str, Any]) -> None:
        last = self._data["parts"][change["new"]]["hidden_size"] - 1
        self.unit, self.loss_unit = min(self.unit, last), min(self.loss_unit, last)


def _example() -> tuple[nn.Module, Tensor]:
    """A GRU of which all four paths carry something, and noise for it to read: always the same.

    U_n has a spectral radius of about one: without its gates the layer is an ordinary tanh RNN, which vanishes.
    """
    draw = torch.Generator().manual_seed(0)
    layer = nn.utils.skip_init(GRU, 4, 16)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.uniform_(-0.8, 0.8, generator=draw)
        layer.bias_ih_l0[16:32] += 1  # lean towards keeping
        layer.weight_hh_l0[:32] *= 1.5
        layer.weight_hh_l0[32:] *= 0.6
    return layer, torch.randn(30, 1, 4, generator=draw, device="cpu")


def _checked(loss: object, module: object, traits: dict[str, Any]) -> Callable[[object], Tensor] | None:
    """A loss of the reader's own, and nothing that contradicts it."""
    if loss is None:
        return None
    if not callable(loss):
        raise TypeError(f"loss: expected a function of the module's outputs or None, got {type(loss).__name__}")
    if module is None:
        raise TypeError("loss: expected with a module; GradientLoom() shows a model of its own")
    if given := [name for name in ("loss_step", "loss_unit") if name in traits]:
        raise TypeError(f"{given[0]}: expected none with a loss of your own, got {traits[given[0]]!r}")
    return loss


def _as_layer(weights: Weights) -> GRU:
    """A one-layer GRU with these weights."""
    W, U, b_i, b_h, reset_after = weights
    like = {"device": W.device, "dtype": W.dtype}
    layer = nn.utils.skip_init(GRU, W.shape[1], U.shape[1], bias=b_i is not None, reset_after=reset_after, **like)
    with torch.no_grad():
        for parameter, value in zip(layer.parameters(), (W, U, b_i, b_h), strict=False):
            parameter.copy_(torch.zeros_like(parameter) if value is None else value)
    return layer


def _sent(flow: Flow, jacobians: Tensor | None) -> Tensor:
    """What the loss sends straight into h_1..h_T (T, H): all that does not come back through the step that follows."""
    grads = flow.grads[:, 0]  # (T+1, H)
    if jacobians is None:
        back = sum(flow.paths.values())[:, 0]
    else:
        back = torch.einsum("tij,ti->tj", jacobians.to(grads), grads[1:])
    sent = grads.clone()
    sent[:-1] -= back
    noise = 1e3 * torch.finfo(grads.dtype).eps * grads.abs().amax(-1, keepdim=True)
    return sent.where(sent.abs() > noise, 0)[1:]


@torch.no_grad()
def _apart(part: Part, entry: Entry) -> float:
    """How far, at most, the page's states are from those that the module computed."""
    x, start, h = (as_in_page(tensor) for tensor in (entry.x, entry.h0, entry.h))
    weights = Weights(*map(as_in_page, part.own()))
    states = []
    for x_t in x:
        start = step(x_t, start, weights).h
        states.append(start)
    return (torch.stack(states) - h).abs().max().item()


def _jacobians(part: Part, entry: Entry) -> Tensor:
    """dh_t/dh_{t-1} of every step (T, H, H), of a cell that has no four paths."""
    before = torch.cat([entry.h0.unsqueeze(0), entry.h[:-1]])
    forward = step_function(part.inner)

    def next_state(x: Tensor, h: Tensor) -> Tensor:
        return forward(x.unsqueeze(0), h.unsqueeze(0)).squeeze(0)

    with torch.no_grad():
        off = max((next_state(*pair) - h).abs().max() for *pair, h in zip(entry.x, before, entry.h, strict=True))
    if off > TOLERANCE:
        raise ValueError(f"module: expected each step of {part.name} to read the state before it, got another")
    if isinstance(part.inner, ElmanCell):
        return step_jacobian(part.inner, entry.x, before)["candidate"].detach()
    pairs = zip(entry.x, before, strict=True)
    jacobian = torch.autograd.functional.jacobian
    return torch.stack([jacobian(lambda h, x=x: next_state(x, h), h) for x, h in pairs])
