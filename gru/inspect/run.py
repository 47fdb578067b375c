r"""What one recurrence read and computed during one run of a module: what :mod:`gru.inspect.record` leaves.

Glossary
    T, B, D, H    time, batch, input size, hidden size
    sweep         one call of an engine: all steps of one recurrence that the call took
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from gru import _arguments, bptt
from gru.equations import Weights
from gru.layer import Packed


@dataclass(frozen=True, eq=False)
class Sweep:
    """One call of an engine, in the order in which its steps were taken; a packed batch has its longest sample first.

    ``gates`` are r, z, n side by side (T, B, 3H), z keeping; where gradients are enabled (T, B, 4H), with q or p of
    :mod:`gru.bptt` before them. ``output`` (T, B, H) is what to differentiate a loss with respect to: the states as
    everything but the recurrence itself reads them.
    """

    weights: Weights
    x: Tensor  # (T, B, D)
    states: Tensor  # (T+1, B, H), h_0 first
    gates: Tensor
    output: Tensor
    packed: Packed | None = None

    def restored(self, steps: Tensor) -> Tensor:
        """Steps (T, B, ..) or states (T+1, B, ..) with the samples in the order they came, zero past their ends."""
        if self.packed is None:
            return steps
        valid = self.packed.valid
        if len(steps) > len(valid):
            valid = torch.cat((torch.ones_like(valid[:1]), valid))
        return self.packed.restore(steps.masked_fill(~valid.unsqueeze(-1), 0))


class Link(NamedTuple):
    """Between two calls of a recurrence."""

    step: int  # the first of the second call
    output: Tensor  # what the first call gave
    received: Tensor | None  # the state that the second was given, the tensor itself; None: it began anew


@dataclass(frozen=True, eq=False)
class Run:
    """What one recurrence read and computed, in the order in which the steps were taken, calls one after the other.

    Of a packed batch the samples stand in the order in which they came, zero past their ends. Nothing here requires a
    gradient but ``outputs``.
    """

    name: str  # such as "encoder.l0_reverse"; of a bare cell its class
    module: nn.Module  # the cell or layer
    weights: Weights | None  # what the states were computed with; z keeps in them. None: by equations not known here
    x: Tensor  # (T, B, D)
    states: Tensor  # (T+1, B, H), h_0 first
    before: Tensor  # (T, B, H): what each step read; states[:-1], but where the model changed, cut or restarted it
    outputs: list[Tensor]  # what to differentiate with respect to: of each sweep its own; of a cell's calls h_0 to h_T
    sweeps: Sequence[Sweep] = ()  # one per call of a layer; none of a cell in a loop
    own_gates: tuple[Tensor, ...] | None = None  # r, z, n of a cell whose equations are not known
    lengths: Tensor | None = None  # (B,) of a packed batch
    reverse: bool = False
    links: Sequence[Link] = ()  # between its calls, one after the other

    @cached_property
    def as_one_step(self) -> Sweep:
        """All calls of a cell as one step of a large batch (1, TB, ..): the state before each is known."""
        return run_sweep(self.x.flatten(0, 1).unsqueeze(0), self.before.flatten(0, 1), self.weights, first_block=0)

    @cached_property
    def blocks(self) -> Tensor:
        """The gates as :mod:`gru.bptt` keeps them, (T, B, 4H) or without the first block, z keeping."""
        if self.sweeps:
            return joined([sweep.restored(sweep.gates) for sweep in self.sweeps])
        return self.as_one_step.gates[0].unflatten(0, self.x.shape[:2])

    @property
    def gates(self) -> tuple[Tensor, ...] | tuple[None, None, None]:
        """r, z, n (T, B, H) with z as the cell itself has it; None where a cell has no such gates."""
        if self.weights is None:
            return self.own_gates or (None, None, None)
        blocks = self.blocks
        *_, r, z, n = blocks.chunk(blocks.shape[2] // self.states.shape[2], 2)
        return r, z if getattr(type(self.module), "z_keeps", True) else 1 - z, n

    @cached_property
    def z_keeps(self) -> bool | None:
        """Whether h' = (1 - z) n + z h, or else (1 - z) h + z n; None where it is neither."""
        says = getattr(self.module, "z_keeps", True)  # where both fit; what a class says, a subclass may change
        if self.weights is not None:
            return says
        _, z, n = self.gates
        if z is None:
            return None
        gaps = (((1 - a) * n + a * self.before - self.states[1:]).abs() for a in ((z, 1 - z) if says else (1 - z, z)))
        as_said, other = (float(gap.max()) if gap.numel() else 0.0 for gap in gaps)
        return says if as_said <= tolerance(n) else not says if other <= tolerance(n) else None

    def check_mixes(self) -> None:
        """Raise TypeError unless a new state is a mean of the old one and n: else it is no sum over steps.

        Raise ValueError where NaN or infinity hides what it is.
        """
        if self.z_keeps is None:
            _, z, n = self.gates
            if z is not None and not all(values.isfinite().all() for values in (z, n, self.states)):
                expected = "finite z, n and h, which tell how a new state is made"
                raise ValueError(f"{self.name}: expected {expected}, got NaN or infinity among them")
            raise TypeError(
                f"{self.name}: expected a cell whose new state is (1 - z) n + z h, or (1 - z) h + z n, got "
                f"{type(self.module).__name__}; there is no ledger of it, and in a replay only h can be held"
            )

    @property
    def by_input(self) -> dict[str, Tensor | None]:
        """x, r, z, n and the states h after each step, all (T, B, ..), where their inputs stand."""
        steps = zip("xrznh", (self.x, *self.gates, self.states[1:]), strict=True)
        return {name: None if value is None else self.in_order_of_input(value) for name, value in steps}

    def in_order_of_input(self, steps: Tensor) -> Tensor:
        """Steps (T, B, ..) where their inputs stand: the reverse direction begins at a sequence's end."""
        if not self.reverse:
            return steps
        if self.lengths is None:
            return steps.flip(0)
        t = torch.arange(len(steps), device=steps.device).unsqueeze(1)
        return steps[torch.where(t < self.lengths, self.lengths - 1 - t, t), torch.arange(len(self.lengths))]


def run_sweep(x: Tensor, h0: Tensor, weights: Weights, first_block: int, packed: Packed | None = None) -> Sweep:
    """All steps of one recurrence; parameters get no gradient, but x and h0 do where they ask for one."""
    weights.check(x.shape[-1], h0.shape[-1])
    weights = detached(weights)
    states, gates = bptt.forward(x, h0, weights, keep=True, first_block=first_block)
    grad = torch.is_grad_enabled()
    if grad and (x.requires_grad or h0.requires_grad):
        output = _Passing.apply(x, h0, (weights, states, gates))
    else:
        output = states[1:].detach().requires_grad_(grad)
    return Sweep(weights, x.detach(), states, gates, output, packed)


def run_of_sweeps(
    name: str, module: nn.Module, sweeps: list[Sweep], received: Sequence[Tensor | None], reverse: bool = False
) -> Run:
    """What one recurrence did in all its sweeps, each of which was given a state, or None."""
    states = [sweep.restored(sweep.states) for sweep in sweeps]
    first_steps = accumulate(len(sweep.x) for sweep in sweeps)
    packed = sweeps[0].packed if len(sweeps) == 1 else None
    return Run(
        name,
        module,
        weights=sweeps[-1].weights,
        x=joined([sweep.restored(sweep.x) for sweep in sweeps]),
        states=joined([states[0], *(later[1:] for later in states[1:])]),
        before=joined([one[:-1] for one in states]),
        outputs=[sweep.output for sweep in sweeps],
        sweeps=sweeps,
        lengths=None if packed is None else packed.restore(packed.end.unsqueeze(0) + 1)[0],
        reverse=reverse,
        links=[
            Link(t, sweep.output, state) for t, sweep, state in zip(first_steps, sweeps, received[1:], strict=False)
        ],
    )


def detached(weights: Weights) -> Weights:
    """The same numbers, through which no gradient flows."""
    return Weights(*(None if tensor is None else tensor.detach() for tensor in weights[:4]), weights.reset_after)


def asking(state: Tensor) -> Tensor:
    """A state to differentiate with respect to; what a model ran under no_grad is out of a loss's reach."""
    return state if state.requires_grad else state.detach().requires_grad_()


class _Passing(torch.autograd.Function):
    """The states of a sweep, and the way of their gradients back to its x and h0."""

    @staticmethod
    def forward(ctx, x, h0, kept):
        ctx.x, ctx.kept = x.detach(), kept
        return kept[1][1:]

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_states):
        needed = (*ctx.needs_input_grad[:2], False, False, False, False)
        weights, states, gates = ctx.kept
        return *bptt.backward(ctx.x, weights, states, gates, grad_states, needed)[:2], None


def joined(steps: Sequence[Tensor]) -> Tensor:
    """One tensor along time; of a single one, which is the rule, no copy."""
    return steps[0] if len(steps) == 1 else torch.cat(list(steps))


def one_or_list(values: list) -> object:
    """What is given for each recurrence: of a single one the value itself."""
    return values[0] if len(values) == 1 else values


class PerRecurrence:
    """What was found out about each recurrence of a module: of one it gives the value itself, of several a list.

    ``self[k]`` is what was found out about recurrence k alone.
    """

    def __init__(self, entries: Sequence) -> None:
        self._entries = list(entries)

    @property
    def names(self) -> list[str]:
        """Of the recurrences, such as ``gru.l0`` and ``gru.l0_reverse``."""
        return [entry.name for entry in self._entries]

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, k: int | slice) -> Self:
        return type(self)(_arguments.chosen("k", k, self._entries))

    def __repr__(self) -> str:
        start = f"{type(self).__name__}("
        return start + f"\n{' ' * len(start)}".join(map(str, self._entries)) + ")"

    def _each(self, read: Callable[[object], object]) -> object:
        return one_or_list([read(entry) for entry in self._entries])


def tolerance(like: Tensor) -> float:
    """How far two ways to compute one step may differ in a tensor's precision."""
    cast = _arguments.autocasting(like)
    return torch.finfo(torch.get_autocast_dtype(like.device.type) if cast else like.dtype).eps ** 0.75
