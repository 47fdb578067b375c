r"""MemoryDial: the update gate's bias as a dial, how long a bit can be read with it, and how long a model keeps one.

Glossary
    T, S, D, H       steps, sequences, input size, hidden size
    part             one layer and direction of the model; a cell is one part
    keep, k          the share of the state that a step keeps, and the bias on it: keep = sigmoid(k);
                     k = b where z keeps, k = -b where z writes
    level            a share of the bit, from 0 to 1
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
import traitlets
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from gru.equations import step
from gru.inspect.recurrences import step_function
from gru.views._base import View
from gru.views._data import (
    TOLERANCE,
    Entry,
    Part,
    convention_of,
    encode,
    parts_of,
    place,
    read_sequences,
    run_part,
    trace_each,
    with_bias,
)

BIAS_LIMIT = 6.0
NOISE = (0.01, 0.5)
STEPS = (10, 1000)
BIT = 0.5  # a unit of the state is +1/2 or -1/2 as the bit is 1 or 0
FLOOR = 1e-12  # what counts as nothing: so small a share has no logarithm worth drawing


class Memory(NamedTuple):
    """What a part keeps, as measured: for t = 0..T, and the share that its steps keep on average."""

    whole: Tensor  # (T+1,) what is left of the bit
    carry: Tensor | None  # (T+1,) what the carry path alone would leave; None where z neither keeps nor writes
    keep: float | None


STATE = ("update_bias", "z_keeps", "noise", "steps", "step", "log", "layer", "compare", "_data")


class MemoryDial(View, module="memory_dial", state=STATE):
    r"""A bit written at t = 0, and how long it can be read: what the update gate's bias promises, what a model does.

    The dial draws the leaky average h_t = keep * h_{t-1}. Of a bit written at t = 0, keep^t is left::

        z keeps:   z = sigmoid(b),  keep = z,      k = b          tau = -1 / ln keep      time constant: 1/e is left
        z writes:  z = sigmoid(b),  keep = 1 - z,  k = -b         tau ln 2                half-life
                                                                  1 / (1 - keep) = 1 + e^k    rule of thumb for tau

    The rule is too long by more than half a step and less than one: 1 + u - 1 / ln(1 + 1/u) with u = e^k.

    Given a model, the view measures beside it how much of a bit each of its parts keeps. Every sequence i is run twice,
    with the part's own inputs, from h_0 = +s_i/2 and from h_0 = -s_i/2, where s_i (H) is a fixed pattern of signs::

        whole_t^2 = mean over i of |h_t(+) - h_t(-)|^2 / |h_0(+) - h_0(-)|^2
        carry_t^2 = mean over i and units of (keep_1 * ... * keep_t)^2          along the sequence as the model runs it

    So 1 means that the two runs are as far apart as at the start, 0 that nothing tells which bit was written. For small
    differences whole_t^2 is an estimate of ``|dh_t/dh_0|^2 / H`` in the Frobenius norm: the mean over all directions.
    Where every gate is the same constant and no other path matters, whole, carry and keep^t are one curve. A sequence
    counts in the mean as long as it lasts.

    The dial begins at the bias that gives the model's mean keep, to one decimal. Turned from there, it shifts every
    update-gate bias of the part by as much, and the page runs the experiment again. Where the equations of
    :mod:`gru.equations` do not reproduce the part (a cell of your own), the measured curve stays as Python found it.

    Args:
        module: a cell, a layer, or a model, as :func:`gru.trace` takes it, on any device; None for the dial alone.
        x: sequences, as the module reads a batch of them, (T, S, D), or (S, T, D) where it is ``batch_first``; a
            single one (T, D); or a list of (T_i, D). A page carries all of them, so choose a few.
        lengths: valid steps of each sequence of a padded batch (S,); all where None.
        update_bias, z_keeps, noise, steps, step, log, layer, compare: what to show first; Reset leads back to it.
        **traits: also the keywords of the model's forward, such as ``text_lengths``; of a tensor with one entry per
            sequence, each sequence gets its own.

    Traits, in step with the page both ways:
        update_bias (float, -6 to 6): b.
        z_keeps (bool): whether z keeps the state or writes the candidate.
        noise (float, 0.01 to 0.5): a bit can be read while more than this is left.
        steps (int, 10 to 1000): how far the drawing goes, and T_max of chrono initialisation, which the dial marks.
        step (int, 0 to steps): where the cursor reads.
        log (bool): whether the upright axis is logarithmic.
        layer (int): the part that is measured.
        compare (bool): whether the noise, the rules of thumb and what was measured are drawn too.

    Raises:
        TypeError: an unknown keyword; module is not a torch module or has no recurrence; x without module, or
            the reverse.
        ValueError: sequences or lengths that do not fit; NaN or infinity.
        TraitError: a trait outside its range.

    Source: time constant and chrono initialisation, k = ln U(1, T_max - 1), Tallec and Ollivier, *Can recurrent neural
    networks warp time?* (2018).

    >>> import torch, gru
    >>> dial = MemoryDial(update_bias=2.0)
    >>> round(dial.half_life, 2), round(dial.time_constant, 2), round(dial.rule_of_thumb, 2), dial.readable_steps
    (5.46, 7.88, 8.39, 18)
    >>> MemoryDial(gru.GRU(4, 5), torch.zeros(7, 2, 4)).measured.whole.shape
    torch.Size([8])
    """

    update_bias = traitlets.Float(2.0).tag(sync=True)
    z_keeps = traitlets.Bool(True).tag(sync=True)
    noise = traitlets.Float(0.1).tag(sync=True)
    steps = traitlets.Int(40).tag(sync=True)
    step = traitlets.Int(10).tag(sync=True)
    log = traitlets.Bool(False).tag(sync=True)
    layer = traitlets.Int(0).tag(sync=True)
    compare = traitlets.Bool(False).tag(sync=True)
    _data = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        module: nn.Module | None = None,
        x: Tensor | Sequence[Tensor] | None = None,
        *,
        lengths: Tensor | Sequence[int] | None = None,
        **traits: Any,
    ) -> None:
        if module is not None and not isinstance(module, nn.Module):
            raise TypeError(f"module: expected a torch.nn.Module, got {type(module).__name__}")
        if (module is None) != (x is None):
            raise TypeError("x: expected with a module, and a module with x; MemoryDial() shows the dial alone")
        self._module, self._parts = module, []
        self._keywords = self._keywords_of(module, traits)
        if module is not None:
            self._inputs = read_sequences(module, x, lengths)
        data = self._read()
        if module is not None:
            self._suit(traits, data)
        if "steps" in traits and traits["steps"] in range(STEPS[1] + 1):
            traits.setdefault("step", traits["steps"] // 4)
        start = {name: traits.get(name, getattr(type(self), name).default_value) for name in self.state[:-1]}
        super().__init__(_data={**data, "start": start}, **traits)

    def _suit(self, traits: dict[str, Any], data: dict[str, Any]) -> None:
        """Where the dial stands at first, and how far the drawing goes, as it suits the part that is shown."""
        layer = traits.get("layer", 0)
        i = layer if layer in range(len(self._parts)) else 0
        part, longest, found = data["parts"][i], max(data["lengths"]), self._fixed[i]
        traits.setdefault("z_keeps", part["convention"] != "writes")
        k = part["bias"]
        if k is not None:
            traits.setdefault("update_bias", k if traits["z_keeps"] else 0.0 - k)
        if not part["reason"]:
            found = self._experiment(i, 0.0)
        # Far enough to see both fade, not so far that they hug the upright axis.
        faded = [] if k is None else [math.log(10) / math.log1p(math.exp(-k))]
        faded.append((found and crossing(found.whole.tolist(), 0.1)) or longest)
        traits.setdefault("steps", max(STEPS[0], min(longest, STEPS[1], round(2 * max(faded)))))

    def refresh(self) -> None:
        """Measure the module again, after more training, say."""
        self._data = {**self._read(), "start": self._data["start"]}

    # What the dial promises

    @property
    def keep(self) -> float:
        """The share of the state that a step keeps: z where z keeps, 1 - z where it writes."""
        return 1 / (1 + math.exp(-self._k))

    @property
    def time_constant(self) -> float:
        """tau = -1 / ln keep: steps until 1/e is left."""
        return 1 / math.log1p(math.exp(-self._k))

    @property
    def half_life(self) -> float:
        """tau ln 2: steps until half is left."""
        return self.time_constant * math.log(2)

    @property
    def rule_of_thumb(self) -> float:
        """1 / (1 - keep) = 1 + e^k, in steps."""
        return 1 + math.exp(self._k)

    @property
    def readable_steps(self) -> int:
        """The last step after which more than the noise is left."""
        return math.floor(-self.time_constant * math.log(self.noise) + 1e-9)

    @property
    def curve(self) -> Tensor:
        """keep^t for t = 0..steps."""
        return torch.exp(-torch.arange(self.steps + 1, device="cpu") / self.time_constant)

    # What the model does

    @property
    def measured(self) -> Memory | None:
        """What the part keeps as drawn now, on the module's device; None where nothing was measured."""
        if not self._parts:
            return None
        shown = self._data["parts"][self.layer]
        if shown["reason"]:
            return self._fixed[self.layer]
        return self._experiment(self.layer, self._k - shown["bias"])

    @property
    def measured_half_life(self) -> float | None:
        """Steps until the whole falls below a half; None where it does not, or nothing was measured."""
        return self._measured_until(0.5)

    @property
    def measured_time_constant(self) -> float | None:
        """Steps until it falls below 1/e."""
        return self._measured_until(1 / math.e)

    @property
    def measured_readable_steps(self) -> int | None:
        """The last step before it first falls below the noise; None where it does not."""
        found = self._measured_until(self.noise)
        return None if found is None else math.floor(found + 1e-9)

    def describe(self) -> str:
        beside = f", and what {self._data['parts'][self.layer]['name']} keeps of it" if self._parts else ""
        return (
            "Interactive view: a dial for the update gate's bias, and the curve of how much of a bit is left after "
            f"t steps{beside}. It needs JavaScript, or a running kernel."
        )

    @property
    def _k(self) -> float:
        return self.update_bias if self.z_keeps else -self.update_bias

    def _measured_until(self, level: float) -> float | None:
        measured = self.measured
        return None if measured is None else crossing(measured.whole.tolist(), level)

    # Reading the module

    def _read(self) -> dict[str, Any]:
        """Trace every sequence, find what each part keeps, and put together what the page needs."""
        if self._module is None:
            return {"parts": [], "lengths": [], "bit": BIT, "place": ""}
        names = [f"sequence {i + 1}" for i in range(len(self._inputs))]
        traces = trace_each(self._module, self._inputs, names, self._keywords)
        self._parts = parts_of(self._module, len(traces[0]))
        # What is run is in the order in which its steps are taken.
        self._traces = [[entries[i].as_taken(part.reverse) for entries in traces] for i, part in enumerate(self._parts)]
        draw = torch.Generator().manual_seed(0)
        self._signs, self._fixed, data = [], [], []
        for i, (part, entries) in enumerate(zip(self._parts, self._traces, strict=True)):
            H = entries[0].h.shape[-1]
            signs = 2.0 * torch.randint(2, (len(entries), H), generator=draw, device="cpu") - 1
            self._signs.append(signs.to(entries[0].h))
            convention = convention_of(entries)
            reason = self._reason(part, entries)
            self._fixed.append(self._traced(i, convention) if reason else None)
            z = torch.cat([entry.z for entry in entries])
            bias = None if convention is None else _nearest_bias((z if convention == "keeps" else 1 - z).mean().item())
            data.append(
                {
                    "name": part.name,
                    "hidden_size": H,
                    "convention": convention,
                    "bias": bias,
                    "reason": reason,
                    "weights": None if reason else {k: encode(v) for k, v in part.own()._asdict().items()},
                    "x": None if reason else [encode(entry.x) for entry in entries],
                    "signs": None if reason else [encode(sign) for sign in signs],
                    "measured": self._fixed[i] and {k: encode(v) for k, v in self._fixed[i]._asdict().items()},
                }
            )
        lengths = [len(entry.h) for entry in self._traces[0]]
        return {"parts": data, "lengths": lengths, "bit": BIT, "place": place(traces[0][0].h.device)}

    @torch.no_grad()
    def _reason(self, part: Part, entries: list[Entry]) -> str:
        """Why the page cannot run a part with another bias; empty if it can."""
        if part.inner is None:
            return "Some part of this model is never called: which one this is cannot be told, and nothing is measured."
        stays = "its memory was measured as it is, and the dial does not turn it."
        if part.own is None:
            return f"{part.name} brings equations of its own: {stays}"
        for entry in entries:
            if (run_part(entry.x, part.own(), 0.0, False)[3] - entry.h).abs().max() > TOLERANCE:
                return f"The GRU's equations alone, from h = 0, do not give what {part.name} does: {stays}"
        return ""

    @torch.no_grad()
    def _experiment(self, i: int, bias: float) -> Memory:
        """What part i keeps with a bias on every update gate, by its equations."""
        part, entries = self._parts[i], self._traces[i]
        weights = with_bias(part.own(), bias)
        whole = memory(lambda x, h: step(x, h, weights).h, [entry.x for entry in entries], self._signs[i])
        keeps = [run_part(entry.x, weights, 0.0, False)[1] for entry in entries]
        return Memory(whole, carry(keeps), torch.cat(keeps).mean().item())

    @torch.no_grad()
    def _traced(self, i: int, convention: str | None) -> Memory | None:
        """What part i keeps as it is, by the module itself."""
        part, entries = self._parts[i], self._traces[i]
        if part.inner is None:
            return None
        weights = None if part.own is None else part.own()
        forward = step_function(part.inner) if weights is None else lambda x, h: step(x, h, weights).h
        whole = memory(forward, [entry.x for entry in entries], self._signs[i])
        if convention is None:
            return Memory(whole, None, None)
        keeps = [entry.z if convention == "keeps" else 1 - entry.z for entry in entries]
        return Memory(whole, carry(keeps), torch.cat(keeps).mean().item())

    # Traits: where they may go

    @traitlets.validate("update_bias", "noise", "steps", "step", "layer")
    def _in_range(self, proposal: dict[str, Any]) -> Any:
        name, value = proposal["trait"].name, proposal["value"]
        ranges = {
            "update_bias": (-BIAS_LIMIT, BIAS_LIMIT),
            "noise": NOISE,
            "steps": STEPS,
            "step": (0, self.steps if self.steps in range(STEPS[0], STEPS[1] + 1) else STEPS[1]),
            "layer": (0, max(0, len(self._parts) - 1)),
        }
        low, high = ranges[name]
        if not low <= value <= high:
            raise traitlets.TraitError(f"{name}: expected {low:g} to {high:g}, got {value}")
        return value

    @traitlets.observe("layer")
    def _keep_model(self, change: dict[str, Any]) -> None:
        """A dial that stands where the model is goes to where the next part is."""
        if not isinstance(change["old"], int):  # the view is being made
            return
        old, new = (self._data["parts"][i]["bias"] for i in (change["old"], change["new"]))
        if old is not None and new is not None and self._k == old:
            self.update_bias = new if self.z_keeps else 0.0 - new

    @traitlets.observe("steps")
    def _keep_step(self, change: dict[str, Any]) -> None:
        self.step = min(self.step, change["new"])


@torch.no_grad()
def memory(cell: Callable[[Tensor, Tensor], Tensor], xs: Sequence[Tensor], signs: Tensor, bit: float = BIT) -> Tensor:
    r"""What is left of a bit after t steps: run every sequence from +bit s and from -bit s, and compare.

    ::

        whole_t = sqrt(mean over i of |h_t(+) - h_t(-)|^2 / |h_0(+) - h_0(-)|^2)        1 at t = 0

    Args:
        cell: (x (S, D), h (S, H)) -> h' (S, H), one step of any recurrence.
        xs: S sequences (T_i, D), in the order in which they are read; one counts in the mean as long as it lasts.
        signs: (S, H) of +1 and -1; bit: how far from 0 the states start.

    Returns:
        (T+1,), T the longest sequence's steps.

    Raises:
        ValueError: the runs leave the finite numbers.

    >>> import torch
    >>> memory(lambda x, h: 0.5 * h, [torch.zeros(3, 1)], torch.ones(1, 2))
    tensor([1.0000, 0.5000, 0.2500, 0.1250])
    """
    x, S = pad_sequence(list(xs)), len(xs)  # (T, S, D)
    lasts = _lasts(xs).to(signs)  # (T, S)
    h = torch.cat((bit * signs, -bit * signs))  # (2S, H)
    first, left = (h[:S] - h[S:]).square().sum(-1), []
    for x_t in x:
        h = cell(torch.cat((x_t, x_t)), h)
        left.append((h[:S] - h[S:]).square().sum(-1) / first)
    whole = ((torch.stack(left) * lasts).sum(-1) / lasts.sum(-1)).sqrt()
    if not whole.isfinite().all():
        raise ValueError("h: expected finite numbers when a bit is written into the state, got NaN or infinity")
    return torch.cat((whole.new_ones(1), whole))


def carry(keeps: Sequence[Tensor]) -> Tensor:
    """What the carry path alone leaves after t steps (T+1,): products of what each step keeps, S tensors (T_i, H)."""
    lasts = _lasts(keeps).double()  # (T, S)
    products = pad_sequence([keep.to("cpu", torch.double) for keep in keeps]).square().cumprod(0).mean(-1)  # (T, S)
    left = ((products * lasts).sum(-1) / lasts.sum(-1)).sqrt()
    return torch.cat((left.new_ones(1), left)).to(keeps[0])


def crossing(values: Sequence[float], level: float) -> float | None:
    """Where values at 0, 1, 2, ... first fall below a level, their logarithms joined by lines; None where they do not.

    >>> round(crossing([1.0, 0.5, 0.25, 0.125], 0.2), 3)  # of 2^-t: log2(5)
    2.322
    """
    for t in range(1, len(values)):
        if values[t] < level:
            before, after = (math.log(max(value, FLOOR)) for value in values[t - 1 : t + 1])
            return t - 1 + (before - math.log(level)) / (before - after)
    return None


def _lasts(sequences: Sequence[Tensor]) -> Tensor:
    """Whether a sequence has a step t: (T, S), on the CPU."""
    lengths = torch.tensor([len(sequence) for sequence in sequences], device="cpu")
    return torch.arange(int(lengths.max()), device="cpu").unsqueeze(-1) < lengths


def _nearest_bias(keep: float) -> float:
    """The bias on the dial whose sigmoid is nearest to what is kept."""
    keep = min(max(keep, 1e-9), 1 - 1e-9)
    return max(-BIAS_LIMIT, min(BIAS_LIMIT, round(math.log(keep / (1 - keep)), 1))) + 0.0  # no -0.0
