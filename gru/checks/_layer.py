"""Diagnosing a layer: which way of running through time, with which change of a step, gives the candidate's numbers."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gru.checks import _compare as compare
from gru.checks._candidate import SIZES, B, Candidate, D, Draw, H, T, build, extra_names, seed_everything
from gru.checks._cell import Made
from gru.checks._report import Finding, Halt
from gru.checks._steps import changes, combinations, how, step

Step = Callable[[Tensor, Tensor], Tensor]  # x (B, D), h (B, H) -> h' (B, H)
LENGTHS = (4, T, 1, 3)  # in no order, one of them whole


class Way(NamedTuple):
    """One way of running through time: its name in the catalogue ("" where right), and what it gives."""

    name: str
    out: Tensor  # (T, B, H) where right
    last: Tensor  # (B, H): the state that h_n should be


class Explained(NamedTuple):
    """A step with changes, and a way through time, that give the candidate's outputs."""

    made: Made
    way: int  # index among ways()
    from_zeros: bool  # although h0 was given


def sweep(x: Tensor, h: Tensor, one: Step, detach_from: int = T) -> Tensor:
    """The states (T, B, H) after every step; each step from ``detach_from`` on gets a detached state."""
    states = []
    for t, x_t in enumerate(x):
        h = one(x_t, h.detach() if t >= detach_from else h)
        states.append(h)
    return torch.stack(states)


def ways(x: Tensor, h0: Tensor, one: Step) -> Iterator[Way]:
    """The right way first, then every mistake that changes what out holds."""
    states = sweep(x, h0, one)
    last = states[-1]
    yield Way("", states, last)
    alone = one(x, h0.expand(T, B, H))
    yield Way("state_not_carried", alone, alone[-1])
    yield Way("outputs_shifted", torch.cat((h0[None], states[:-1])), last)
    yield Way("outputs_overwritten", last.expand(T, B, H), last)
    backwards = sweep(x.flip(0), h0, one)
    yield Way("reversed_in_time", backwards, backwards[-1])
    yield Way("reversed_in_time", backwards.flip(0), backwards[-1])
    yield Way("reversed_in_time", states.flip(0), last)
    for t in (0, T - 1):
        only = one(x[t], h0)
        yield Way("one_step_only", only, only)
        yield Way("one_step_only", only[None], only)
    yield Way("only_last_output", last, last)
    yield Way("only_last_output", last[None], last)
    yield Way("last_batch_row", states[:, -1], last)
    yield Way("last_batch_row", states[-1, -1], last)
    yield Way("batch_and_time_swapped", states.transpose(0, 1), last)
    if not h0.any():  # such a layer takes no h0 (B, H)
        across = sweep(x.transpose(0, 1), h0.new_zeros(T, H), one)  # (B, T, H)
        yield Way("batch_and_time_swapped", across, across[-1])
        yield Way("batch_and_time_swapped", across.transpose(0, 1), across[-1])


def plausible(out: Tensor, x: Tensor, h0: Tensor, one: Step) -> bool:
    """Whether it is worth to run all ways with this step: the first step of one of them is found in ``out``."""
    if out.shape != (T, B, H) or compare.equal(out, out[:1].expand(T, B, H)):
        return True
    first = one(x[[0, -1]], h0.expand(2, B, H))  # the first step forwards, the first step backwards
    nearest = (out[:, None] - first).abs().amax((-1, -2)).min()
    return bool(nearest <= compare.SINGLE) or compare.equal(out[:, 0], one(x[:, 0], x.new_zeros(T, H)), compare.SINGLE)


class LayerCheck:
    """One check of one layer class: findings, and what is known beside them, in the order they are made."""

    def __init__(self, layer_class: type, variant: str, lengths: bool | None) -> None:
        self.candidate_class, self.variant, self.lengths = layer_class, variant, lengths
        self.found: list[Finding] = []
        self.known: list[str] = []
        self.notes: list[str] = []
        self.equations: tuple[str, ...] = ()
        draw = Draw(1)
        self.x, self.h0 = draw((T, B, D)), draw((B, H))
        self.zeros = torch.zeros_like(self.h0)
        self.state_axes = 2  # of h0 as the layer takes it
        self.swapped = False  # (h_n, out)

    def new(self) -> Candidate:
        """A fresh instance, always with the same weights."""
        seed_everything(0)
        return build(self.candidate_class, self.variant, Draw(2))

    def run(self) -> None:
        """Raises: Halt: nothing more can be learned."""
        candidate = self.new()
        self.equations = candidate.layout.equations
        if extra := extra_names(candidate):
            self.found.append(Finding("extra_parameters", f"Extra: {', '.join(extra)}."))
        with torch.no_grad():
            h0, result = self.first_call(candidate)
            out, h_n = self.pair(result)
            out = compare.as_float64("out", out, self.found)
            again = self.new()
            self.found += compare.repeats(lambda seed: self.outputs(again, seed, h0))
            if any(finding.name == "depends_on_chance" for finding in self.found):
                return
            explained = self.explain(out, h0)
            if not explained and h0 is not None and self.state_axes == 2:
                # A layer that reads h0[0] takes (B, H) without an error, and means (1, B, H).
                out, h_n, explained = self.with_three_axes(h0) or (out, h_n, None)
            if explained:
                way = self.way(explained, h0, self.new().parts(), self.x)
                self.found += compare.precision(float((out - way.out).abs().max()), self.found)
                self.tell(explained, out, h_n, h0)
            elif not any(finding.name == "depends_on_earlier_calls" for finding in self.found):
                self.leads(out, h0)
        if explained:
            self.flow(explained, h0)

    # Calling it

    def first_call(self, candidate: Candidate) -> tuple[Tensor | None, Any]:
        """The initial state that the layer can be given, and what it returns then.

        Tried in this order: h0 (B, H), h0 (1, B, H), none.
        """
        failed: Halt | None = None
        for axes in (2, 3):
            x, h0 = self.x.clone(), self.h0.clone()
            given = h0 if axes == 2 else h0[None]
            try:
                result = candidate.call(x, given, when="With h0 given:")
            except Halt as halt:
                failed = failed or halt
                continue
            self.state_axes = axes
            self.found += compare.writes({"x": (self.x, x), "h0": (self.h0, h0)})
            return self.h0, result
        candidate = self.new()
        x = self.x.clone()
        try:
            result = candidate.call(x)
        except Halt:
            raise failed from None
        self.found += compare.writes({"x": (self.x, x)})
        self.failed_with_h0 = failed.finding
        return None, result

    def with_three_axes(self, h0: Tensor) -> tuple[Tensor, Tensor | None, Explained] | None:
        """What the layer gives for h0 (1, B, H), if that is explained."""
        self.state_axes = 3
        try:
            out, h_n = self.parts_of(self.call(self.new(), 0, self.x, h0))
            if out.dtype == torch.float64 and (explained := self.explain(out, h0)):
                return out, h_n, explained
        except Halt:
            pass  # what was found with (B, H) stands
        self.state_axes = 2
        return None

    def call(self, candidate: Candidate, seed: int, x: Tensor, h0: Tensor | None, lengths: Tensor | None = None) -> Any:
        seed_everything(seed)
        given = () if h0 is None else (h0.clone() if self.state_axes == 2 else h0.clone()[None],)
        if lengths is None:
            return candidate.call(x.clone(), *given)
        return candidate.call(x.clone(), *given, lengths=lengths.clone(), when="With lengths given:")

    def outputs(self, candidate: Candidate, seed: int, h0: Tensor | None) -> Tensor:
        return self.parts_of(self.call(candidate, seed, self.x, h0))[0]

    def pair(self, result: Any) -> tuple[Tensor, Tensor | None]:
        """(out, h_n) of the first call, with findings where they do not come so."""
        if result is None or (isinstance(result, tuple | list) and not result):
            raise Halt("returns_nothing")
        if not isinstance(result, tuple | list):
            self.found.append(Finding("result_not_a_pair", f"It returned {_named(result)}."))
        elif len(result) != 2:
            self.found.append(Finding("result_not_a_pair", f"It returned {len(result)} things."))
        elif all(isinstance(e, Tensor) for e in result) and result[1].shape == (T, B, H) != result[0].shape:
            self.found.append(Finding("result_order_swapped"))
            self.swapped = True
        return self.parts_of(result)

    def parts_of(self, result: Any) -> tuple[Tensor, Tensor | None]:
        """out, and h_n if there is one, checked to be tensors."""
        if not isinstance(result, tuple | list):
            return compare.expect_tensor("out", result), None
        entries = list(result[:2])
        if not entries:
            raise Halt("returns_nothing")
        if self.swapped:
            entries.reverse()
        out = compare.expect_tensor("out", entries[0])
        return out, compare.expect_tensor("h_n", entries[1]) if len(entries) == 2 else None

    # Finding out what it computes

    def explain(self, out: Tensor, h0: Tensor | None) -> Explained | None:
        """The first step and way that give these outputs: as few changes as possible, the right way before others."""
        parts = self.new().parts()
        single = changes(parts)
        starts = [(self.zeros, False)] if h0 is None else [(h0, False), (self.zeros, True)]
        for made in [(), *((change,) for change in single)]:
            one = self.one(parts, made)
            for start, from_zeros in starts:
                if made and not plausible(out, self.x, start, one):
                    continue
                for index, way in enumerate(ways(self.x, start, one)):
                    if compare.equal(out, way.out, compare.SINGLE):
                        return Explained(made, index, from_zeros)
        if out.shape != (T, B, H):
            return None
        for made in combinations(single):  # several changes of a step: each step from the layer's own last output
            one = self.one(parts, made)
            if compare.equal(out[1:], one(self.x[1:], out[:-1]), compare.SINGLE):
                for start, from_zeros in starts:
                    if compare.equal(out[0], one(self.x[0], start), compare.SINGLE):
                        return Explained(made, 0, from_zeros)
        return None

    def one(self, parts: Any, made: Made) -> Step:
        switches = how(*made)
        return lambda x, h: step(parts, x, h, switches)

    def way(self, explained: Explained, h0: Tensor | None, parts: Any, x: Tensor) -> Way:
        start = self.zeros if h0 is None or explained.from_zeros else h0
        for index, way in enumerate(ways(x, start, self.one(parts, explained.made))):
            if index == explained.way:
                return way
        raise AssertionError(explained)

    def tell(self, explained: Explained, out: Tensor, h_n: Tensor | None, h0: Tensor | None) -> None:
        """Findings for a known explanation; then h_n, the call without h0, and lengths."""
        parts = self.new().parts()
        way = self.way(explained, h0, parts, self.x)
        self.found += [Finding(change.name, change.detail) for change in explained.made]
        if explained.made:
            self.known.append(compare.source_of(explained.made, "every state", []))
        if way.name:
            self.found.append(Finding(way.name))
        if explained.from_zeros:
            self.found.append(Finding("h0_ignored"))
        if h0 is None and way.name != "batch_and_time_swapped":
            self.found.append(self.failed_with_h0)
        if h_n is not None:
            h_n = compare.as_float64("h_n", h_n, self.found)
            self.found += last_state(h_n, way.last, out)
        if h0 is not None:
            self.without_h0(explained, parts)
        takes = inspect.signature(self.new().module.forward).parameters
        accepted = "lengths" in takes or any(p.kind is p.VAR_KEYWORD for p in takes.values())
        if self.lengths or (self.lengths is None and accepted):
            if not self.found:
                self.with_lengths(parts, h0)
            else:
                self.notes.append("Sequences of different lengths were not tested yet.")
        else:
            self.notes.append("Sequences of different lengths were not tested: forward takes no lengths.")

    def without_h0(self, explained: Explained, parts: Any) -> None:
        try:
            out = self.outputs(self.new(), 0, None)
        except Halt as halt:
            self.found.append(Finding("h0_required", halt.finding.detail))
            return
        if not compare.equal(out, self.way(explained, None, parts, self.x).out, compare.SINGLE):
            self.found.append(Finding("start_not_zero"))

    def with_lengths(self, parts: Any, h0: Tensor | None) -> None:
        """The last valid state of each sequence, and that padding changes nothing."""
        lengths = torch.tensor(LENGTHS)
        valid = torch.arange(T)[:, None] < lengths  # (T, B)
        results = []
        for padding in (3.0, -2.0):
            x = torch.where(valid[..., None], self.x, padding)
            out, h_n = self.parts_of(self.call(self.new(), 0, x, h0, lengths))
            compare.expect_shape("out with lengths", out, (T, B, H))
            h_n = h_n.reshape(B, H) if h_n is not None and h_n.numel() == B * H else None
            if h_n is None:
                raise Halt("h_n_shape", f"With lengths, expected ({B}, {H}). {SIZES}")
            results.append((out[valid], h_n))
        states = sweep(self.x, self.zeros if h0 is None else h0, self.one(parts, ()))  # (T, B, H)
        right = (states[valid], states[lengths - 1, torch.arange(B)])
        agree = [
            [compare.equal(g, e, compare.SINGLE) for g, e in zip(result, right, strict=True)] for result in results
        ]
        if all(map(all, agree)):
            return
        which = ["The outputs of valid steps"] * (not all(a for a, _ in agree)) + ["h_n"] * (
            not all(b for _, b in agree)
        )
        same = all(compare.equal(*two) for two in zip(*results, strict=True))
        self.found.append(Finding("lengths_wrong" if same else "padding_read", f"Wrong: {' and '.join(which)}."))

    def flow(self, explained: Explained, h0: Tensor | None) -> None:
        """Whether the gradient is that of the run that explains the numbers; if not, whether steps are detached."""
        candidate = self.new()
        x = self.x.clone().requires_grad_()
        start = None if h0 is None else self.h0.clone().requires_grad_()
        inputs = {"x": x} | ({"h0": start} if start is not None else {})
        leaves = candidate.leaves()
        parts = candidate.layout.parts(leaves)
        mistaken = bool(self.found)

        def taken(*outputs: Tensor, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
            return compare.gradients(outputs, inputs | tensors)

        way = self.way(explained, start, parts, x)
        try:
            out, h_n = self.parts_of(self.call(candidate, 0, x, start))
            # h_n counts where it is known to be the last state; else a wrong h_n would look like a wrong gradient.
            both = (
                h_n is not None and h_n.numel() == B * H and compare.equal(h_n.reshape(B, H), way.last, compare.SINGLE)
            )
            got = taken(out, *([h_n.reshape(B, H)] if both else []), tensors=candidate.parameters)
        except Exception as error:
            if not mistaken:
                halted = isinstance(error, Halt)
                self.found.append(error.finding if halted else compare.backward_failed(error, candidate))
            return
        expected = taken(way.out, *([way.last] if both else []), tensors=leaves)
        wrong = compare.compare_gradients(got, expected)
        if wrong and not way.name and start is not None and self.is_detached(explained, got, x, start, candidate, both):
            wrong = [Finding("detached_between_steps")]
        self.found += wrong

    def is_detached(
        self, explained: Explained, got: dict[str, Tensor], x: Tensor, h0: Tensor, candidate: Candidate, both: bool
    ) -> bool:
        """Whether the gradient is that of a run whose state is detached before, or after, each step."""
        start = self.zeros if explained.from_zeros else h0
        for detach_from in (0, 1):
            for with_last in {both, False}:  # a layer that detaches after each step may return h_n detached
                leaves = candidate.leaves()
                parts = candidate.layout.parts(leaves)
                states = sweep(x, start, self.one(parts, explained.made), detach_from)
                outputs = [states, states[-1]] if with_last else [states]
                broken = compare.gradients(outputs, {"x": x, "h0": h0, **leaves})
                if not compare.compare_gradients(got, broken):
                    return True
        return False

    def leads(self, out: Tensor, h0: Tensor | None) -> None:
        """What is known of a layer that no entry explains."""
        self.known.append("No mistake in the catalogue gives these outputs. What is known:")
        if out.shape != (T, B, H):
            self.known.append(f"    out has shape {tuple(out.shape)}, expected {(T, B, H)}. {SIZES}")
            return
        start = self.zeros if h0 is None else h0
        one = self.one(self.new().parts(), ())
        right = sweep(self.x, start, one)
        agree = [t for t in range(T) if compare.equal(out[t], right[t])]
        if not agree:
            self.known.append("    no step agrees with the reference, not even the first")
        else:
            self.known.append(f"    these steps agree with the reference: {', '.join(map(str, agree))} of 0 to {T - 1}")
        own = one(self.x[1:], out[:-1])
        if compare.equal(out[1:], own):
            self.known.append(
                "    each later step follows from your own step before it: look at the state you start from"
            )
        else:
            self.known.append(
                "    steps do not follow from your own step before them: check the step alone with check_cell"
            )


def last_state(h_n: Tensor, last: Tensor, out: Tensor) -> list[Finding]:
    """A finding where h_n is not ``last`` (B, H) or (1, B, H), with what it is, if that can be seen."""

    def same(expected: Tensor) -> bool:
        return h_n.numel() == expected.numel() and compare.equal(h_n.reshape(expected.shape), expected, compare.SINGLE)

    if same(last):
        fits = h_n.shape in (last.shape, (1, *last.shape))
        expected = f"expected {tuple(last.shape)} or {(1, *last.shape)}, got {tuple(h_n.shape)}. {SIZES}"
        return [] if fits else [Finding("h_n_shape", expected)]
    if same(last[-1]) or (out.dim() == 3 and same(out[:, -1])):
        return [Finding("last_batch_row", "It is what h_n holds.")]
    if same(last.T):
        return [Finding("h_n_shape", f"It is transposed: expected {tuple(last.shape)}, got {tuple(h_n.shape)}.")]
    known = "It is zero everywhere." if not h_n.any() else ""
    if out.dim() == 3:
        for t, words in ((0, "It is the first entry of out."), (-2, "It is the entry of out before the last.")):
            known = words if len(out) > 2 and same(out[t]) else known
    known = "It is all of out." if same(out) else known
    return [Finding("h_n_wrong", f"{known} Its shape is {tuple(h_n.shape)}.".strip())]


def _named(value: Any) -> str:
    return f"one tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
