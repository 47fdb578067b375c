"""What the check of a cell and that of a layer have in common: the order of the questions, and the report."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from gru.checks import _compare as compare
from gru.checks._candidate import (
    CALM,
    FIRST,
    LARGE,
    OTHER_RANGES,
    OTHER_SIZES,
    USUAL,
    Candidate,
    Draw,
    Range,
    Sizes,
    build,
    extra_names,
    seed_everything,
    told,
)
from gru.checks._catalogue import CATALOGUE, LINES
from gru.checks._report import Finding, Halt, Report


class Check(ABC):
    """One check of one class: what was found, and what is known beside it, in the order it came up.

    A subclass calls its candidate, and knows what the numbers can mean. An *explanation*, whatever a subclass makes of
    it, is a run of the reference, with mistakes made on purpose, that gives the candidate's numbers.
    """

    axes: str  # the sizes that its inputs have, of B, D, H and T
    right: str  # what the report says where nothing was found

    def __init__(self, candidate_class: type, variant: str) -> None:
        self.candidate_class, self.variant = candidate_class, variant
        self.found: list[Finding] = []
        self.known: list[str] = []  # how the findings are known, or what is known where there are none
        self.notes: list[str] = []  # what was not tested
        self.equations: tuple[str, ...] = ()

    # What a subclass knows

    @abstractmethod
    def call_first(self, candidate: Candidate) -> Tensor:
        """The numbers to explain, from a call whose result is looked at closely."""

    @abstractmethod
    def call_again(self, candidate: Candidate, seed: int) -> Tensor:
        """The numbers of another call, after the global random states are seeded so."""

    @abstractmethod
    def explain(self) -> Any | None:
        """The explanation of ``self.got``, or None."""

    @abstractmethod
    def tell(self, explanation: Any) -> None:
        """Make findings of an explanation."""

    @abstractmethod
    def tell_leads(self) -> None:
        """Say what is known of numbers that nothing explains."""

    @abstractmethod
    def inputs(self) -> dict[str, Tensor]:
        """What the candidate is given, by name."""

    @abstractmethod
    def outputs(
        self, candidate: Candidate, leaves: dict[str, Tensor], inputs: dict[str, Tensor], explanation: Any
    ) -> tuple[list[Tensor], list[Tensor]]:
        """What the candidate makes of these inputs, and what the explanation does, whose parameters are ``leaves``."""

    @abstractmethod
    def compare_at(self, candidate: Candidate, sizes: Sizes, numbers: Range = USUAL) -> str:
        """What is wrong where the inputs have these sizes and numbers, in words; "" where the candidate is right."""

    @abstractmethod
    def in_single(self, candidate: Candidate) -> list[Tensor]:
        """What the candidate makes of the inputs in single precision."""

    def name_cut(self, got: dict[str, Tensor], inputs: dict[str, Tensor], explanation: Any) -> Finding | None:
        """A name for these wrong gradients that says more than "cut", if one is known."""
        return None

    # The questions, in order

    def new(self, sizes: Sizes = FIRST, numbers: Range = USUAL) -> Candidate:
        """A fresh instance, for the same sizes and numbers always with the same weights."""
        seed_everything(0)
        return build(self.candidate_class, self.variant, Draw(2, numbers.weights), sizes)

    def has(self, name: str) -> bool:
        """Whether a mistake of this name was found."""
        return any(finding.name == name for finding in self.found)

    def run(self) -> None:
        """Raises: Halt: nothing more can be learned."""
        candidate = self.new()
        self.equations = candidate.layout.equations
        if extra := extra_names(candidate):
            self.found.append(Finding("extra_parameters", f"Extra: {', '.join(extra)}."))
        with torch.no_grad():
            self.got = self.call_first(candidate)
            again = self.new()
            self.found += compare.repeats(lambda seed: self.call_again(again, seed))
            if self.has("depends_on_chance"):
                return
            explanation = self.explain()
            if explanation is not None:
                self.tell(explanation)
        if explanation is not None:
            self.compare_gradients(explanation)
            if not self.found:
                self.compare_sizes(OTHER_SIZES)
            if not self.found:
                self.compare_ranges()
            if not self.found:
                self.compare_sizes([LARGE], CALM)
                self.compare_in_eval_mode()
                self.compare_in_single()
        elif not self.has("depends_on_earlier_calls"):
            self.tell_leads()

    def compare_gradients(self, explanation: Any) -> None:
        """Whether the gradient is that of the run that explains the numbers."""
        candidate = self.new()
        leaves = candidate.leaves()
        inputs = {name: tensor.clone().requires_grad_() for name, tensor in self.inputs().items()}
        try:
            outputs, right = self.outputs(candidate, leaves, inputs, explanation)
            got = compare.gradients(outputs, inputs | candidate.parameters)
        except Exception as error:
            if not self.found:  # else that is what raises
                failed = Finding("backward_raises", told(error, self.candidate_class))
                self.found.append(error.finding if isinstance(error, Halt) else failed)
            return
        if wrong := compare.gradient_cut(got, compare.gradients(right, inputs | leaves)):
            self.found.append(self.name_cut(got, inputs, explanation) or wrong)

    def compare_sizes(self, others: Iterable[Sizes], numbers: Range = USUAL) -> None:
        """Whether what is right for the first sizes is so for others, in a fresh instance and in one called before."""
        used = self.new()
        self.wrong_at(used, FIRST)
        for sizes in others:
            before, now = FIRST._asdict(), sizes._asdict()
            changed = [f"{axis} = {now[axis]}" for axis in self.axes if now[axis] != before[axis]]
            if not changed:
                continue
            if wrong := self.wrong_at(None, sizes, numbers):
                one = changed == ["B = 1"] and not self.wrong_at(None, FIRST._replace(B=7))
                name = "batch_of_one" if one else "sizes_assumed"
                self.found.append(Finding(name, f"With {', '.join(changed)}: {wrong}"))
                return
            same_weights = (sizes.D, sizes.H) == (FIRST.D, FIRST.H)
            if same_weights and (wrong := self.wrong_at(used, sizes)):
                self.found.append(
                    Finding("depends_on_earlier_calls", f"After a call with inputs of other sizes: {wrong}")
                )
                return

    def compare_ranges(self) -> None:
        """Whether what is right for the usual numbers is so for others."""
        for numbers in OTHER_RANGES:
            if wrong := self.wrong_at(None, FIRST, numbers):
                self.found.append(Finding("range_assumed", f"With {numbers.words}: {wrong}"))
                return

    def compare_in_eval_mode(self) -> None:
        """Whether an instance in eval mode computes the same, and the same again."""
        candidate = self.new()
        candidate.module.eval()
        first, again = self.wrong_at(candidate, FIRST), self.wrong_at(candidate, FIRST)
        if first:
            self.known.append(f"In eval mode it is not right: {first}")
        elif again:
            self.found.append(Finding("depends_on_earlier_calls", f"In eval mode, called again: {again}"))

    def compare_in_single(self) -> None:
        """Whether an instance in single precision, as models are trained, answers in that."""
        candidate = self.new()
        candidate.module.float()
        try:
            with torch.no_grad():
                dtypes = {result.dtype for result in self.in_single(candidate)} - {torch.float32}
            wrong = f"expected torch.float32, got {dtypes.pop()}." if dtypes else ""
        except Halt as halt:
            wrong = halt.finding.detail
        if wrong:
            self.found.append(Finding("wrong_dtype", f"With weights and inputs of torch.float32: {wrong}"))

    def wrong_at(self, candidate: Candidate | None, sizes: Sizes, numbers: Range = USUAL) -> str:
        """What a candidate, by default a fresh one, gets wrong at these; an error is wrong as well."""
        try:
            return self.compare_at(self.new(sizes, numbers) if candidate is None else candidate, sizes, numbers)
        except Halt as halt:
            return halt.finding.detail or CATALOGUE[halt.finding.name].sentence
        except Exception as error:  # of the backward pass
            return told(error, self.candidate_class)

    # The report

    def report(self, hints: int | None) -> Report:
        """What was found, as far as the level of hints goes."""
        name = self.candidate_class.__name__
        names = list(dict.fromkeys(finding.name for finding in self.found))
        if not names and not self.known:
            return Report(True, [], "\n".join([f"{name}: {self.right}", *self.notes]))
        first = f"{name}: not yet."
        where, what, right = (self.lines(names, level) for level in (1, 2, 3))
        if hints is None:
            said = {line.strip() for line in where}
            further = [("What is wrong", [line for line in what if line.strip() not in said])]
            further += [("What it should be", [line for line in right if line not in what])]
            folded = tuple((title, "\n".join(lines)) for title, lines in further if lines)
            return Report(False, names, "\n".join([first, *where, *self.notes]), folded)
        if names and hints > 1:
            first += f" Found: {', '.join(names)}."
        return Report(False, names, "\n".join([first, *(where, what, right)[hints - 1], *self.notes]))

    def lines(self, names: list[str], level: int) -> list[str]:
        """What is said of each mistake at a level of hints, then how it is known, or the leads where none is."""
        lines = []
        for name in names:
            entry = CATALOGUE[name]
            if level == 1 and entry.where:
                lines.append(f"Look at {entry.where}.")
                continue
            details = [finding.detail for finding in self.found if finding.name == name and finding.detail]
            lines.append(" ".join([f"{name}: {entry.sentence}", *dict.fromkeys(details)]))
            if entry.equation is not None and self.equations:
                lines.append(self.look_at(entry.equation))
        if level == 1 and names:
            lines = list(dict.fromkeys(lines))
        else:
            lines += self.known
        if level < 3:  # without the equation
            lines = [f"{line.partition(':  ')[0]}." if ":  " in line else line for line in lines]
        return lines

    def look_at(self, equation: int) -> str:
        """The line of code that an equation belongs to, and the equation as it should be."""
        return f"    Look at the line that computes {LINES[equation]}:  {self.equations[equation]}"
