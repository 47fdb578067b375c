"""Diagnosing a layer: which way of running through time, with which change of a step, gives the candidate's numbers."""

import inspect
from collections.abc import Callable, Iterator
from itertools import islice, product
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gru.checks import _compare as compare
from gru.checks._base import Check
from gru.checks._candidate import SIZES, USUAL, B, Candidate, D, Draw, H, Range, Sizes, T, seed_everything
from gru.checks._cell import Changes
from gru.checks._report import Finding, Halt
from gru.checks._steps import Parts, combinations, every_change, how, step

Step = Callable[[Tensor, Tensor], Tensor]  # x (B, D), h (B, H) -> h' (B, H)
LENGTHS = (4, T, 1, 3)  # in no order, one of them whole


class Way(NamedTuple):
    """One way of running through time: its name in the catalogue ("" where right), and what it gives."""

    name: str
    out: Tensor  # (T, B, H) where right
    last: Tensor  # (B, H): the state that h_n should be


class Explained(NamedTuple):
    """A step with changes, and a way through time, that give the candidate's outputs."""

    changes: Changes
    way: int  # index among ways()
    from_zeros: bool  # although h0 was given


def changed_step(parts: Parts, changes: Changes = ()) -> Step:
    """The reference's step with these changes made."""
    switches = how(*changes)
    return lambda x, h: step(parts, x, h, switches)


def sweep(x: Tensor, h: Tensor, one: Step, detach_from: int | None = None) -> Tensor:
    """The states (T, B, H) after every step; each step from ``detach_from`` on, if given, gets a detached state."""
    states = []
    for t, x_t in enumerate(x):
        h = one(x_t, h if detach_from is None or t < detach_from else h.detach())
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
    yield Way("outputs_squashed", states.tanh(), last)
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
    """Whether it is worth running all ways with this step: the first step of one of them is found in ``out``."""
    if out.shape != (T, B, H) or compare.equal(out, out[:1].expand(T, B, H)):
        return True
    first = one(x[[0, -1]], h0.expand(2, B, H))  # the first step forwards, the first step backwards
    nearest = (out[:, None] - first).abs().amax((-1, -2)).min()
    return bool(nearest <= compare.SINGLE) or compare.equal(out[:, 0], one(x[:, 0], x.new_zeros(T, H)), compare.SINGLE)


class LayerCheck(Check):
    """The check of a layer."""

    axes = "BDHT"
    right = "right. Every state and every gradient agree with the reference, in float64 on seeded inputs."

    def __init__(self, layer_class: type, variant: str, lengths: bool | None) -> None:
        super().__init__(layer_class, variant)
        self.lengths = lengths
        draw = Draw(1)
        self.x = draw((T, B, D))
        self.h0: Tensor | None = draw((B, H))  # None once the layer has refused it
        self.refused: Finding | None = None
        self.zeros = torch.zeros_like(self.h0)
        self.state_axes = 2  # of h0 as the layer takes it
        self.swapped = False  # (h_n, out)
        self.h_n: Tensor | None = None

    # Calling it

    def call_first(self, candidate: Candidate) -> Tensor:
        out, self.h_n = self.pair(self.with_h0_or_without(candidate))
        return compare.as_float64("out", out, self.found)

    def with_h0_or_without(self, candidate: Candidate) -> Any:
        """What the layer returns, given h0 (B, H); if it refuses that, h0 (1, B, H); if that as well, none."""
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
            return result
        x = self.x.clone()
        try:
            result = self.new().call(x)
        except Halt:
            raise failed from None
        self.found += compare.writes({"x": (self.x, x)})
        self.h0, self.refused = None, failed.finding
        return result

    def call_again(self, candidate: Candidate, seed: int) -> Tensor:
        return self.call(candidate, self.x, self.h0, seed=seed)[0]

    def call(
        self, candidate: Candidate, x: Tensor, h0: Tensor | None, lengths: Tensor | None = None, *, seed: int = 0
    ) -> tuple[Tensor, Tensor | None]:
        """out, and h_n if there is one, from fresh copies of the arguments."""
        seed_everything(seed)
        given = () if h0 is None else (h0.clone() if self.state_axes == 2 else h0.clone()[None],)
        if lengths is None:
            return self.parts_of(candidate.call(x.clone(), *given))
        return self.parts_of(candidate.call(x.clone(), *given, lengths=lengths.clone(), when="With lengths given:"))

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

    def inputs(self) -> dict[str, Tensor]:
        return {"x": self.x} | ({} if self.h0 is None else {"h0": self.h0})

    def outputs(
        self, candidate: Candidate, leaves: dict[str, Tensor], inputs: dict[str, Tensor], explanation: Explained
    ) -> tuple[list[Tensor], list[Tensor]]:
        x, h0 = inputs["x"], inputs.get("h0")
        way = self.way(explanation, candidate.layout.parts(leaves), x, h0)
        out, h_n = self.call(candidate, x, h0)
        # h_n counts where it is known to be the last state; else a wrong h_n would look like a wrong gradient.
        if h_n is None or h_n.numel() != B * H or not compare.equal(h_n.reshape(B, H), way.last, compare.SINGLE):
            return [out], [way.out]
        return [out, h_n.reshape(B, H)], [way.out, way.last]

    def compare_at(self, candidate: Candidate, sizes: Sizes, numbers: Range = USUAL) -> str:
        draw, leaves = Draw(3), candidate.leaves()
        x = (numbers.x * draw((sizes.T, sizes.B, sizes.D))).requires_grad_()
        one = changed_step(candidate.layout.parts(leaves))
        for h0 in (
            None,
            (numbers.h * draw((sizes.B, sizes.H))).requires_grad_(),
        ):  # first without, so that a kept state shows later
            inputs = {"x": x} | ({} if h0 is None else {"h0": h0})
            states = sweep(x, x.new_zeros(sizes.B, sizes.H) if h0 is None else h0, one)
            given = "with h0" if h0 is not None else "without h0"
            out, h_n = self.call(candidate, x, h0)
            h_n = expect_state(h_n, states)
            wrong = compare.difference(f"{given}, out", out, states) or compare.difference(
                f"{given}, h_n", h_n, states[-1]
            )
            if not wrong:
                got = compare.gradients([out, h_n], inputs | candidate.parameters)
                cut = compare.gradient_cut(got, compare.gradients([states, states[-1]], inputs | leaves))
                wrong = cut.detail if cut else ""
            if not wrong and self.tests_lengths():
                wrong = self.compare_lengths_at(candidate, x, h0, states)
            if wrong:
                return wrong
        return ""

    def in_single(self, candidate: Candidate) -> list[Tensor]:
        x, given = self.x.float(), [None] if self.h0 is None else [None, self.h0.float()]
        return [result for h0 in given for result in self.call(candidate, x, h0) if result is not None]

    def compare_lengths_at(self, candidate: Candidate, x: Tensor, h0: Tensor | None, states: Tensor) -> str:
        """What is wrong with lengths, the longest of which may end before x does."""
        steps, batch, _ = states.shape
        lengths = 1 + 5 * torch.arange(batch) % steps  # (B), in no order
        if batch > 1:
            lengths[-1] = steps
        longest = int(lengths.max())
        valid = torch.arange(longest)[:, None] < lengths  # (longest, B)
        out, h_n = self.call(candidate, x, h0, lengths)
        if len(out) < longest:
            return f"with lengths, out: expected {steps} steps, got {len(out)}."
        return compare.difference(
            "with lengths, the valid part of out", out[:longest][valid], states[:longest][valid]
        ) or (
            compare.difference(
                "with lengths, h_n",
                expect_state(h_n, states),
                states[lengths - 1, torch.arange(batch)],
            )
        )

    def tests_lengths(self) -> bool:
        """Whether sequences of different lengths are tested."""
        takes = inspect.signature(self.new().module.forward).parameters
        accepted = "lengths" in takes or any(p.kind is p.VAR_KEYWORD for p in takes.values())
        return accepted if self.lengths is None else self.lengths

    # What its numbers mean

    def explain(self) -> Explained | None:
        explanation = self.explain_out(self.got)
        if explanation or self.h0 is None or self.state_axes == 3:
            return explanation
        # A layer that reads h0[0] takes (B, H) without an error, and means (1, B, H).
        self.state_axes = 3
        try:
            out, h_n = self.call(self.new(), self.x, self.h0)
            if out.dtype == torch.float64 and (explanation := self.explain_out(out)):
                self.got, self.h_n = out, h_n
                return explanation
        except Halt:
            pass  # what was found with (B, H) stands
        self.state_axes = 2
        return None

    def explain_out(self, out: Tensor) -> Explained | None:
        """The first step and way that give these outputs: as few changes as possible, the right way before others."""
        parts = self.new().parts()
        single = every_change(parts)
        starts = [(self.zeros, False)] if self.h0 is None else [(self.h0, False), (self.zeros, True)]
        for changes in [(), *((change,) for change in single)]:
            one = changed_step(parts, changes)
            for start, from_zeros in starts:
                if changes and not plausible(out, self.x, start, one):
                    continue
                for index, way in enumerate(ways(self.x, start, one)):
                    if compare.equal(out, way.out, compare.SINGLE):
                        return Explained(changes, index, from_zeros)
        if out.shape != (T, B, H):
            return None
        for changes in combinations(single):  # several changes of a step: each step from the layer's own last output
            one = changed_step(parts, changes)
            if compare.equal(out[1:], one(self.x[1:], out[:-1]), compare.SINGLE):
                for start, from_zeros in starts:
                    if compare.equal(out[0], one(self.x[0], start), compare.SINGLE):
                        return Explained(changes, 0, from_zeros)
        return None

    def way(self, explanation: Explained, parts: Parts, x: Tensor, h0: Tensor | None) -> Way:
        """The run that an explanation stands for."""
        start = self.zeros if h0 is None or explanation.from_zeros else h0
        return next(islice(ways(x, start, changed_step(parts, explanation.changes)), explanation.way, None))

    def tell(self, explanation: Explained) -> None:
        """Findings in the outputs; then h_n, the call without h0, and lengths."""
        parts = self.new().parts()
        way = self.way(explanation, parts, self.x, self.h0)
        self.found += compare.precision(self.got, way.out, self.found)
        self.found += [Finding(change.name, change.detail) for change in explanation.changes]
        if explanation.changes:
            self.known.append(compare.source_of(explanation.changes, "every state"))
        if way.name:
            self.found.append(Finding(way.name))
        if explanation.from_zeros:
            self.found.append(Finding("h0_ignored"))
        if self.refused is not None and way.name != "batch_and_time_swapped":
            self.found.append(self.refused)
        if self.h_n is not None:
            h_n = compare.as_float64("h_n", self.h_n, self.found)
            self.found += last_state(h_n, way.last, self.got)
        if self.h0 is not None:
            self.without_h0(explanation, parts)
        if not self.tests_lengths():
            self.notes.append("Sequences of different lengths were not tested: forward takes no lengths.")
        elif self.found:
            self.notes.append("Sequences of different lengths were not tested yet.")
        else:
            self.with_lengths(parts)

    def without_h0(self, explanation: Explained, parts: Parts) -> None:
        """Whether a run without h0 starts from zeros, the first time and whatever was called before."""
        used = self.new()
        try:
            first, _ = self.call(self.new(), self.x, None)
            self.call(used, self.x, self.h0)
            later = [self.call(used, self.x, None)[0] for _ in range(2)]
        except Halt as halt:
            self.found.append(Finding("h0_required", halt.finding.detail))
            return
        if not compare.equal(first, self.way(explanation, parts, self.x, None).out, compare.SINGLE):
            self.found.append(Finding("start_not_zero"))
        elif not all(compare.equal(out, first) for out in later):
            self.found.append(
                Finding(
                    "depends_on_earlier_calls",
                    "Without h0 it should start from zeros; called again, it starts from somewhere else.",
                )
            )

    def with_lengths(self, parts: Parts) -> None:
        """The last valid state of each sequence, and that padding changes nothing."""
        lengths = torch.tensor(LENGTHS)
        valid = torch.arange(T)[:, None] < lengths  # (T, B)
        results = []
        for padding in (3.0, -2.0):
            x = torch.where(valid[..., None], self.x, padding)
            out, h_n = self.call(self.new(), x, self.h0, lengths)
            compare.expect_shape("out with lengths", out, (T, B, H))
            h_n = h_n.reshape(B, H) if h_n is not None and h_n.numel() == B * H else None
            if h_n is None:
                raise Halt("h_n_shape", f"With lengths, expected ({B}, {H}). {SIZES}")
            results.append((out[valid], h_n))
        states = sweep(self.x, self.zeros if self.h0 is None else self.h0, changed_step(parts))  # (T, B, H)
        right = (states[valid], states[lengths - 1, torch.arange(B)])
        agree = [
            [compare.equal(g, e, compare.SINGLE) for g, e in zip(result, right, strict=True)] for result in results
        ]
        if all(map(all, agree)):
            return
        outs, lasts = map(all, zip(*agree, strict=True))
        wrong = ["The outputs of valid steps"] * (not outs) + ["h_n"] * (not lasts)
        same = all(compare.equal(*two) for two in zip(*results, strict=True))
        self.found.append(Finding("lengths_wrong" if same else "padding_read", f"Wrong: {' and '.join(wrong)}."))

    def name_cut(self, got: dict[str, Tensor], inputs: dict[str, Tensor], explanation: Explained) -> Finding | None:
        """Whether the gradient is that of a run whose state is detached before, or after, each step."""
        if explanation.way != 0 or self.h0 is None:
            return None
        start = self.zeros if explanation.from_zeros else inputs["h0"]
        candidate = self.new()
        for detach_from, with_last in product((0, 1), (True, False)):  # what detaches each step may detach h_n as well
            leaves = candidate.leaves()
            one = changed_step(candidate.layout.parts(leaves), explanation.changes)
            states = sweep(inputs["x"], start, one, detach_from)
            detached = compare.gradients([states, states[-1]] if with_last else [states], inputs | leaves)
            if not compare.gradient_cut(got, detached):
                return Finding("detached_between_steps")
        return None

    def tell_leads(self) -> None:
        out = self.got
        self.known.append("No mistake in the catalogue gives these outputs. What is known:")
        if out.shape != (T, B, H):
            self.known.append(f"    out has shape {tuple(out.shape)}, expected {(T, B, H)}. {SIZES}")
            return
        one = changed_step(self.new().parts())
        right = sweep(self.x, self.zeros if self.h0 is None else self.h0, one)
        agree = [t for t in range(T) if compare.equal(out[t], right[t])]
        if not agree:
            self.known.append("    no step agrees with the reference, not even the first")
        else:
            self.known.append(f"    these steps agree with the reference: {', '.join(map(str, agree))} of 0 to {T - 1}")
        after = one(self.x[1:], out[:-1])
        parting = [t for t in range(1, T) if not compare.equal(out[t], after[t - 1])]
        if not parting:
            lead = "each later step follows from your own step before it: look at the state you start from"
        elif self.h_n is not None and compare.equal(self.h_n.reshape(-1), right[-1].reshape(-1)):
            lead = "h_n agrees with the reference, so your steps are right: look at what you put into out"
        elif len(parting) < T - 1:
            lead = f"of your steps, these do not follow from the one before: {', '.join(map(str, parting))}; others do"
        else:
            lead = "steps do not follow from your own step before them: check the step alone with check_cell"
        self.known.append(f"    {lead}")


def expect_state(h_n: Tensor | None, states: Tensor) -> Tensor:
    """h_n as (B, H), whose sizes are those of ``states`` (T, B, H).

    Raises:
        Halt: it is missing, or neither (B, H) nor (1, B, H).
    """
    h_n = compare.expect_tensor("h_n", h_n)
    shape = tuple(states.shape[1:])
    if tuple(h_n.shape) not in (shape, (1, *shape)):
        raise Halt("h_n_shape", f"h_n: expected shape {shape} or {(1, *shape)}, got {tuple(h_n.shape)}.")
    return h_n.reshape(shape)


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
