r"""One step of the GRU with switches: every mistake in the catalogue that changes numbers is one setting of them.

A switch is a field of :class:`How`. A mistake moves one or a few switches; two mistakes that move different switches
can be made at once, so pairs need no functions of their own. With all switches at their defaults the step is the
reference (a test holds it to :mod:`gru.equations`).

Glossary
    r, z, n, h, x    as in :mod:`gru.equations`; "keep" is what the old state is multiplied with: z where z keeps,
                     1 - z where it writes
    part             the tensors of one of r, z, n: W (H, D), U (H, H), b_i and b_h (H)
    beside           x and h lie side by side in one Linear(D + H, H) with one bias
"""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import linear


class Part(NamedTuple):
    """What belongs to one of r, z, n. Where x and h lie beside each other there is one bias, b_i."""

    W: Tensor  # (H, D)
    U: Tensor  # (H, H)
    b_i: Tensor  # (H)
    b_h: Tensor | None  # (H)


class Parts(NamedTuple):
    """The tensors of a candidate, by gate, and how its reference is written."""

    r: Part
    z: Part
    n: Part
    reset_after: bool
    z_writes: bool

    @property
    def beside(self) -> bool:
        return self.n.b_h is None


class How(NamedTuple):
    """The switches. The defaults are right."""

    r_reads: str = "xh"  # or "x", "h"
    z_reads: str = "xh"
    n_reads: str = "xh"
    gate_order: str = "xh"  # or "hx": the state stands first, while the weights expect the input first
    n_order: str = "xh"
    r_act: str = "sigmoid"  # or "none", "tanh"
    z_act: str = "sigmoid"
    n_act: str = "tanh"  # or "none", "sigmoid", "relu"
    bias_i: int = 1  # how often it is added
    bias_h: int = 1
    bias_hn: int = 1
    place: str = ""  # where the reset acts; "" is where the variant has it
    reset_by: str = "r"  # or "1-r", "z"
    z_state: str = "h"  # or "r*h"
    blend_by: str = "z"  # or "1-z", "r"
    blend: str = "both"  # or "new", "old", "new part", "old part", "n + old part", "new part + h"
    carried: str = "h"  # or "r*h"
    out: str = "none"  # or "tanh"


class Change(NamedTuple):
    """One mistake as a setting of the switches."""

    name: str
    switches: dict[str, str | int]
    detail: str = ""


ACT = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu, "none": lambda a: a}


def step(parts: Parts, x: Tensor, h: Tensor, how: How | None = None) -> Tensor:
    """The new state (..., H) that a step with these switches computes from x (..., D) and h (..., H)."""
    how = how or How()

    def from_x(part: Part, reads: str) -> Tensor | float:
        return linear(x, part.W, how.bias_i * part.b_i) if "x" in reads else 0.0

    def bias_of_h(part: Part, reads: str) -> Tensor | None:
        if parts.beside:  # the layer's one bias is counted with x, as long as x is there
            return None if "x" in reads else how.bias_i * part.b_i
        return how.bias_h * (how.bias_hn if part is parts.n else 1) * part.b_h

    def from_h(part: Part, reads: str, state: Tensor) -> Tensor | float:
        return linear(state, part.U, bias_of_h(part, reads)) if "h" in reads else 0.0

    def both(part: Part, reads: str, state: Tensor, order: str) -> Tensor:
        if order == "hx":
            side_by_side = torch.cat((state, x), -1)  # (..., H + D), met by weights for D + H
            return linear(side_by_side, torch.cat((part.W, part.U), 1), how.bias_i * part.b_i)
        return from_x(part, reads) + from_h(part, reads, state)

    r = ACT[how.r_act](both(parts.r, how.r_reads, h, how.gate_order))  # (..., H)
    z_state = r * h if how.z_state == "r*h" else h
    z = ACT[how.z_act](both(parts.z, how.z_reads, z_state, how.gate_order))  # (..., H)

    s = {"r": r, "1-r": 1 - r, "z": z}[how.reset_by]
    part, reads = parts.n, how.n_reads
    place = how.place or ("after" if parts.reset_after else "before")
    if place == "before":
        a = both(part, reads, s * h, how.n_order)
    elif place == "after":
        a = from_x(part, reads) + s * from_h(part, reads, h)
    elif place == "after, with its bias":
        a = linear(x, part.W) + s * linear(h, part.U, part.b_i)
    elif place == "bias outside":
        a = from_x(part, reads) + s * linear(h, part.U) + bias_of_h(part, reads)
    elif place == "input":
        a = s * from_x(part, reads) + from_h(part, reads, h)
    else:  # "unused", "everything", "candidate"
        a = both(part, reads, h, how.n_order)
    n = ACT[how.n_act](s * a if place == "everything" else a)  # (..., H)
    if place == "candidate":
        n = s * n

    gate = {"z": z, "1-z": 1 - z, "r": r}[how.blend_by]
    keep = 1 - gate if parts.z_writes else gate
    old = r * h if how.carried == "r*h" else h
    new = {
        "both": (1 - keep) * n + keep * old,
        "new": n,
        "old": old,
        "new part": (1 - keep) * n,
        "old part": keep * old,
        "n + old part": n + keep * old,
        "new part + h": (1 - keep) * n + old,
    }[how.blend]
    return ACT[how.out](new)


def every_change(parts: Parts) -> list[Change]:
    """Every mistake in one step that a candidate with these parts can make; no two of them are the same function."""
    own = _changes_of_three() if parts.beside else _changes_of_six()
    after = Change("reset_after_product", {"place": "after"})
    if parts.reset_after:
        own += [
            Change("reset_before_product", {"place": "before"}),
            Change("bias_outside_reset", {"place": "bias outside"}),
        ]
    elif parts.beside:
        own += [after, Change("reset_after_product", {"place": "after, with its bias"})]
    else:
        own += [after, Change("reset_after_product", {"place": "bias outside"})]
    return [*_changes_of_all(), *own]


def _changes_of_all() -> list[Change]:
    every = {"r_reads", "z_reads", "n_reads"}
    found = [
        Change("z_swapped", {"blend_by": "1-z"}),
        Change("gates_swapped", {"reset_by": "z", "blend_by": "r"}),
        Change("update_gate_in_candidate", {"reset_by": "z"}),
        Change("reset_gate_in_blend", {"blend_by": "r"}),
        Change("reset_inverted", {"reset_by": "1-r"}),
        Change("reset_gate_unused", {"place": "unused"}),
        Change("reset_on_everything", {"place": "everything"}),
        Change("reset_on_candidate", {"place": "candidate"}),
        Change("reset_state_carried", {"carried": "r*h"}),
        Change("update_reads_reset_state", {"z_state": "r*h"}),
        Change("update_gate_unused", {"blend": "new"}),
        Change("state_unchanged", {"blend": "old"}),
        Change("old_state_forgotten", {"blend": "new part"}),
        Change("candidate_forgotten", {"blend": "old part"}),
        Change("complement_missing", {"blend": "n + old part"}, "n is added whole."),
        Change("complement_missing", {"blend": "new part + h"}, "h is added whole."),
        Change("second_tanh", {"out": "tanh"}),
        Change("candidate_tanh_missing", {"n_act": "none"}),
        Change("candidate_sigmoid", {"n_act": "sigmoid"}),
        Change("candidate_relu", {"n_act": "relu"}),
        Change("reset_sigmoid_missing", {"r_act": "none"}),
        Change("reset_tanh", {"r_act": "tanh"}),
        Change("update_sigmoid_missing", {"z_act": "none"}),
        Change("update_tanh", {"z_act": "tanh"}),
        Change("input_forgotten", dict.fromkeys(every, "h"), "None of r, z and n reads x."),
        Change("state_forgotten", dict.fromkeys(every, "x"), "None of r, z and n reads h."),
    ]
    for gate, word in (("r", "The reset gate"), ("z", "The update gate"), ("n", "The candidate")):
        found.append(Change("input_forgotten", {f"{gate}_reads": "h"}, f"{word} does not read x."))
        found.append(Change("state_forgotten", {f"{gate}_reads": "x"}, f"{word} does not read h."))
    return found


def _changes_of_three() -> list[Change]:
    """Where x and h lie side by side in one layer with one bias."""
    return [
        Change("bias_missing", {"bias_i": 0}),
        Change("bias_twice", {"bias_i": 2}),
        Change("h_before_x", {"gate_order": "hx", "n_order": "hx"}, "In the gates and in the candidate."),
        Change("h_before_x", {"gate_order": "hx"}, "In the gates."),
        Change("h_before_x", {"n_order": "hx"}, "In the candidate."),
    ]


def _changes_of_six() -> list[Change]:
    """Where x and h have a layer and a bias each."""
    return [
        Change("bias_missing", {"bias_i": 0, "bias_h": 0}),
        Change("input_bias_missing", {"bias_i": 0}),
        Change("hidden_bias_missing", {"bias_h": 0}, "In r, z and n."),
        Change("hidden_bias_missing", {"bias_hn": 0}, "In the candidate."),
        Change("bias_twice", {"bias_i": 2}, "The input's."),
        Change("bias_twice", {"bias_h": 2}, "The state's."),
        Change("bias_twice", {"bias_hn": 2}, "The state's, in the candidate."),
        Change("reset_on_input", {"place": "input"}),
    ]


def how(*changes: Change) -> How:
    """The switches with these changes made."""
    return How()._replace(**{switch: value for change in changes for switch, value in change.switches.items()})


def combinations(single: list[Change]) -> Iterator[tuple[Change, ...]]:
    """Two changes that move different switches; and three, where all three nonlinearities are wrong."""
    for first, second in itertools.combinations(single, 2):
        if not first.switches.keys() & second.switches.keys():
            yield first, second
    wrong = [[change for change in single if change.switches.keys() == {f"{k}_act"}] for k in "rzn"]
    yield from itertools.product(*wrong)
