"""Diagnosing one step: which change of the equations gives the candidate's numbers, and if none does, what is known."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from gru.checks import _compare as compare
from gru.checks._base import Check
from gru.checks._candidate import USUAL, B, Candidate, D, Draw, H, Range, Sizes, seed_everything
from gru.checks._report import Finding, Halt
from gru.checks._steps import Change, Part, Parts, combinations, every_change, how, step

Changes = tuple[Change, ...]


def explain(parts: Parts, x: Tensor, h: Tensor, got: Tensor) -> list[Changes]:
    """All sets of changes that give these numbers, of the smallest size; empty where none does.

    To single precision, so that a lower precision does not hide a mistake; mistakes are further apart than that.
    """
    single = every_change(parts)

    def fits(candidates: Iterable[Changes]) -> list[Changes]:
        return [
            changes for changes in candidates if compare.equal(got, step(parts, x, h, how(*changes)), compare.SINGLE)
        ]

    return fits([()]) or fits((change,) for change in single) or fits(combinations(single))


class CellCheck(Check):
    """The check of a cell. An explanation is a list of sets of changes, each of which gives the numbers."""

    axes = "BDH"
    right = "right. The new state and every gradient agree with the reference, in float64 on seeded inputs."

    def __init__(self, cell_class: type, variant: str) -> None:
        super().__init__(cell_class, variant)
        draw = Draw(1)
        self.x, self.h = draw((B, D)), draw((B, H))
        self.place = 0  # of the state, where a tuple comes back

    # Calling it

    def call_first(self, candidate: Candidate) -> Tensor:
        x, h = self.x.clone(), self.h.clone()
        seed_everything(0)
        result = candidate.call(x, h)
        self.found += compare.writes({"x": (self.x, x), "h": (self.h, h)})
        if isinstance(result, tuple | list):
            result = self.from_tuple(result, step(candidate.parts(), self.x, self.h))
        result = compare.expect_tensor("h'", result)
        compare.expect_shape("h'", result, (B, H))
        return compare.as_float64("h'", result, self.found)

    def from_tuple(self, result: tuple[Any, ...] | list[Any], expected: Tensor) -> Any:
        """The one that is the new state; where none is for certain, the first that could be."""
        if not result:
            raise Halt("returns_nothing")
        self.found.append(Finding("returns_tuple", f"It has {len(result)} entries."))
        fitting = [i for i, e in enumerate(result) if isinstance(e, Tensor) and e.shape == expected.shape]
        right = [i for i in fitting if compare.equal(result[i], expected, compare.SINGLE)]
        self.place = next(iter([*right, *fitting, 0]))
        state = result[self.place]
        for i in fitting:
            if i != self.place and compare.equal(result[i], torch.tanh(state)):
                self.found.append(Finding("second_tanh", f"It is entry {i} of what the cell returns."))
        return state

    def call_again(self, candidate: Candidate, seed: int, x: Tensor | None = None, h: Tensor | None = None) -> Tensor:
        seed_everything(seed)
        x, h = (self.x if x is None else x), (self.h if h is None else h)
        result = candidate.call(x.clone(), h.clone())
        if isinstance(result, tuple | list) and len(result) > self.place:
            result = result[self.place]
        if not isinstance(result, Tensor):
            raise Halt("depends_on_earlier_calls", f"A later call returned {type(result).__name__}.")
        return result

    def inputs(self) -> dict[str, Tensor]:
        return {"x": self.x, "h": self.h}

    def outputs(
        self, candidate: Candidate, leaves: dict[str, Tensor], inputs: dict[str, Tensor], explanation: list[Changes]
    ) -> tuple[list[Tensor], list[Tensor]]:
        x, h = inputs.values()
        right = step(candidate.layout.parts(leaves), x, h, how(*explanation[0]))
        return [self.call_again(candidate, 0, x, h)], [right]

    def compare_at(self, candidate: Candidate, sizes: Sizes, numbers: Range = USUAL) -> str:
        draw, leaves = Draw(3), candidate.leaves()
        inputs = {
            "x": (numbers.x * draw((sizes.B, sizes.D))).requires_grad_(),
            "h": (numbers.h * draw((sizes.B, sizes.H))).requires_grad_(),
        }
        (got,), (right,) = self.outputs(candidate, leaves, inputs, [()])
        if wrong := compare.difference("h'", got, right):
            return wrong
        gradients = compare.gradients([got], inputs | candidate.parameters)
        cut = compare.gradient_cut(gradients, compare.gradients([right], inputs | leaves))
        return cut.detail if cut else ""

    def in_single(self, candidate: Candidate) -> list[Tensor]:
        return [self.call_again(candidate, 0, self.x.float(), self.h.float())]

    # What its numbers mean

    def explain(self) -> list[Changes] | None:
        return explain(self.new().parts(), self.x, self.h, self.got) or None

    def tell(self, explanation: list[Changes]) -> None:
        changes, *others = explanation
        expected = step(self.new().parts(), self.x, self.h, how(*changes))
        self.found += compare.precision(self.got, expected, self.found)
        self.found += [Finding(change.name, change.detail) for change in changes]
        if changes:
            words = [" with ".join(change.name for change in other) for other in others]
            self.known.append(compare.source_of(changes, "the new state", words))

    def tell_leads(self) -> None:
        gap = float((self.got - step(self.new().parts(), self.x, self.h)).abs().max())
        self.known.append(
            f"The new state differs from the reference by up to {gap:.2g}, and no mistake or pair of mistakes in the "
            "catalogue gives these numbers. What is known:"
        )
        keeps, writes = ("z = 0", "z = 1") if self.new().layout.z_writes else ("z = 1", "z = 0")
        limits = {
            "keep": (f"update gate at 'keep all' ({keeps})", {"z": 1}),
            "write": (f"update gate at 'write all' ({writes}), so h' = n", {"z": 0}),
            "r = 0": ("the same and the reset gate at r = 0, so n sees x alone", {"z": 0, "r": 0}),
            "r = 1": ("the same and the reset gate at r = 1, so n sees all of h", {"z": 0, "r": 1}),
        }
        holds = {limit: self.at_limit(gates) for limit, (_, gates) in limits.items()}
        holds |= {"z = 1/2": self.without("z"), "r = 1/2": self.without("r"), "n = 0": self.without("n")}
        holds["n of x"] = self.without("n", fields=("U", "b_h"))
        holds["n = 0, h = 0"] = self.without("n", 0 * self.h)
        for limit, (words, _) in limits.items():
            self.known.append(f"    {words}: {'agrees' if holds[limit] else 'differs'}")
        self.known += [f"    {sentence}" for sentence in self.dependence()]
        self.known += self.where(holds)

    def at_limit(self, gates: dict[str, int]) -> bool:
        """Whether candidate and reference agree while biases of +-60 hold gates fully open or shut."""
        candidate = self.new()
        with torch.no_grad():
            parts = candidate.layout.parts(candidate.parameters)
            for gate, value in gates.items():
                # z = 1 here means keep.
                on = value != (gate == "z" and parts.z_writes)
                getattr(parts, gate).b_i.fill_(60.0 if on else -60.0)
            try:
                got = self.call_again(candidate, 0)
            except Halt:
                return False
            return compare.equal(got, step(candidate.parts(), self.x, self.h))

    def without(self, gate: str, h: Tensor | None = None, fields: tuple[str, ...] = Part._fields) -> bool:
        """Whether candidate and reference agree while the parameters of one of r, z, n, or some of them, are 0."""
        candidate = self.new()
        h = self.h if h is None else h
        with torch.no_grad():
            part = getattr(candidate.layout.parts(candidate.parameters), gate)
            for field in fields:
                if (tensor := getattr(part, field)) is not None:
                    tensor.zero_()
            try:
                got = self.call_again(candidate, 0, self.x, h)
            except Halt:
                return False
            return compare.equal(got, step(candidate.parts(), self.x, h))

    def dependence(self) -> list[str]:
        """What the new state does not depend on but should, and whether samples mix."""
        candidate, sentences = self.new(), []
        x, h = self.x.clone().requires_grad_(), self.h.clone().requires_grad_()
        try:
            result = self.call_again(candidate, 0, x, h)
            got = compare.gradients([result], {"x": x, "h": h, **candidate.parameters})
            unused = [name for name, gradient in got.items() if not gradient.any()]
            if unused:
                sentences.append(f"the new state does not depend on {', '.join(unused)}")
            others = self.x.clone(), self.h.clone()
            for tensor in others:
                tensor[1:] += 1
            if not compare.equal(self.call_again(self.new(), 0, *others)[0], self.call_again(self.new(), 0)[0]):
                sentences.append("one sample's state depends on the other samples: look for a wrong dim or axis")
        except Exception:  # the value is known already; only this lead is lost
            sentences.append("its gradient could not be taken")
        return sentences

    def where(self, holds: dict[str, bool]) -> list[str]:
        """Which lines can be at fault, given where the numbers agree: a line is named only if nothing clears it."""
        r, z, n, new = map(self.look_at, range(4))
        if not holds["n = 0, h = 0"]:
            words = "With the candidate's parameters and h at 0 the new state should be 0, and is not"
            return [n, f"{words}: the candidate is the first suspect, unless the new state adds something of its own."]
        if not holds["n = 0"]:  # z and h's share are all that is left there
            if holds["keep"] and holds["write"]:
                return [
                    z,
                    new,
                    "n and the shares of the new state agree at both ends of z, so z itself is the first suspect.",
                ]
            if holds["write"]:
                return [new, z, "The candidate agrees, so z, or how the new state uses it, is the first suspect."]
            words = "With the candidate's parameters at 0 the new state should be the old state's share"
            return [new, z, f"{words}, and is not: z, or how the new state uses it, is at fault, whatever else is."]
        if holds["r = 1/2"] or (holds["r = 0"] and holds["r = 1"]):
            words = (
                "Where r is held fixed the candidate agrees"
                if holds["r = 0"]
                else "With r's parameters at 0 all agrees"
            )
            return [r, n, f"{words}, so r, or where it acts, is the first suspect."]
        if holds["n of x"]:
            return [
                r,
                n,
                "The candidate agrees where it reads x alone, so r, or what it does with h, is the first suspect.",
            ]
        return [n, "The old state is carried as it should be, so the candidate, or its share, is the first suspect."]
