r"""One step of the GRU with switches: every mistake in the catalogue that changes numbers is one setting of them.

A switch is a field of :class:`How`. A mistake moves one or a few switches; two mistakes that move different switches
can be made at once, so pairs need no functions of their own. With all switches at their defaults the step is the
reference (a test holds it to :mod:`gru.equations`).

Glossary
    r, z, n, h, x    as in :mod:`gru.equations`; "keep" is what the old state is multiplied with: z where z keeps,
                     1 - z where it writes
    part             the tensors of one of r, z, n: W (H, D), U (H, H), b_i and b_h (H)
    beside           x and h lie side by side in one Linear(D + H, H) with one bias
    rare             a mistake that is tried alone, and not in pairs
"""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import hardsigmoid, linear


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
    r_act: str = "sigmoid"  # or another of ACT
    z_act: str = "sigmoid"
    n_act: str = "tanh"  # or "none", "sigmoid", "relu"
    bias_i: int = 1  # how often it is added
    bias_h: int = 1
    bias_hn: int = 1
    weights: str = ""  # which weights stand where; "" is where they belong
    rows: str = ""  # such as "x mean": what every row gets instead of its own
    place: str = ""  # where the reset acts; "" is where the variant has it
    reset_by: str = "r"  # or "1-r", "z"
    z_state: str = "h"  # or "r*h"
    blend_by: str = "z"  # or "1-z", "r"
    blend: str = "both"  # or "new", "old", "new part", "old part", "n + old part", "new part + h", ...
    carried: str = "h"  # or "r*h"
    out: str = "none"  # or "tanh"


class Change(NamedTuple):
    """One mistake as a setting of the switches."""

    name: str
    switches: dict[str, str | int]
    detail: str = ""
    rare: bool = False


ACT = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "none": lambda a: a,
    "sigmoid twice": lambda a: a.sigmoid().sigmoid(),
    "softmax": lambda a: a.softmax(-1),
    "softmax over the batch": lambda a: a.softmax(-2),
    "hard sigmoid": hardsigmoid,  # relu6(a + 3) / 6
    "hard sigmoid of Keras": lambda a: (0.2 * a + 0.5).clamp(0, 1),  # before version 3
}
ROWS = {"mean": lambda a: a.mean(-2, keepdim=True).expand_as(a), "first": lambda a: a[..., :1, :].expand_as(a)}


def step(parts: Parts, x: Tensor, h: Tensor, how: How | None = None) -> Tensor:
    """The new state (..., H) that a step with these switches computes from x (..., D) and h (..., H)."""
    how = how or How()
    parts = rearranged(parts, how.weights)

    def rows(name: str, tensor: Tensor) -> Tensor:
        what, _, which = how.rows.partition(" ")
        return ROWS[which](tensor) if name in what.split("+") else tensor

    x, h = rows("x", x), rows("h", h)

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

    r = rows("r", ACT[how.r_act](both(parts.r, how.r_reads, h, how.gate_order)))  # (..., H)
    z_state = r * h if how.z_state == "r*h" else h
    z = rows("z", ACT[how.z_act](both(parts.z, how.z_reads, z_state, how.gate_order)))  # (..., H)

    s = {"r": r, "1-r": 1 - r, "z": z}[how.reset_by]
    part, reads = parts.n, how.n_reads
    place = how.place or ("after" if parts.reset_after else "before")
    if place in ("before", "twice before"):
        a = both(part, reads, (s if place == "before" else s * s) * h, how.n_order)
    elif place in ("after", "twice after", "before and after"):
        state = s * h if place == "before and after" else h
        a = from_x(part, reads) + (s * s if place == "twice after" else s) * from_h(part, reads, state)
    elif place == "after, with its bias":
        a = linear(x, part.W) + s * linear(h, part.U, part.b_i)
    elif place == "bias outside":
        a = from_x(part, reads) + s * linear(h, part.U) + bias_of_h(part, reads)
    elif place == "input":
        a = s * from_x(part, reads) + from_h(part, reads, h)
    else:  # "unused", "everything", "candidate"
        a = both(part, reads, h, how.n_order)
    n = ACT[how.n_act](s * a if place == "everything" else a)  # (..., H)
    n = rows("n", s * n if place == "candidate" else n)
    return rows("h'", ACT[how.out](blended(r, z, n, h, how, parts.z_writes)))


def blended(r: Tensor, z: Tensor, n: Tensor, h: Tensor, how: How, z_writes: bool) -> Tensor:
    """The new state (..., H), from the gates, the candidate and the old state."""
    gate = {"z": z, "1-z": 1 - z, "r": r}[how.blend_by]
    keep = 1 - gate if z_writes else gate
    old = r * h if how.carried == "r*h" else h
    return {
        "both": lambda: (1 - keep) * n + keep * old,
        "new": lambda: n,
        "old": lambda: old,
        "new part": lambda: (1 - keep) * n,
        "old part": lambda: keep * old,
        "n + old part": lambda: n + keep * old,
        "new part + h": lambda: (1 - keep) * n + old,
        "both by k": lambda: keep * (n + old),
        "both by 1-k": lambda: (1 - keep) * (n + old),
        "n by r": lambda: r * n + keep * old,
        "n by 1-r": lambda: (1 - r) * n + keep * old,
        "h by r": lambda: (1 - keep) * n + r * old,
        "h by 1-r": lambda: (1 - keep) * n + (1 - r) * old,
    }[how.blend]()


def rearranged(parts: Parts, weights: str) -> Parts:
    """The parts with weights transposed, reshaped, or in another's place: "U of rz transposed", "W for nrz", ..."""
    three = list(parts[:3])
    words = weights.split()
    if not words:
        return parts
    if words[-1] == "transposed":
        three = [
            part._replace(U=part.U.T) if gate in words[2] else part for gate, part in zip("rzn", three, strict=True)
        ]
    elif words[-1] == "reshaped":  # the layer's whole weight, to the shape that x or h can be multiplied with
        three = [
            part._replace(**_reshaped(part, parts.beside)) if gate in words[2] else part
            for gate, part in zip("rzn", three, strict=True)
        ]
    elif words[-1] == "interleaved":  # row 3i + k is taken for row i of gate k
        every = [torch.cat([getattr(part, field) for part in three]) for field in Part._fields]  # (3H, ...) each
        three = [Part(*(whole[k::3] for whole in every)) for k in range(3)]
    elif words[-1] == "stacked":  # one matrix for all gates, reshaped so
        whole = torch.cat([getattr(part, words[0]) for part in three])  # (3H, D) or (3H, H)
        blocks = whole.reshape(whole.shape[::-1]).T.chunk(3)
        three = [part._replace(**{words[0]: block}) for part, block in zip(three, blocks, strict=True)]
    else:
        fields = {"x's": ("W", "b_i"), "h's": ("U", "b_h"), "all": Part._fields}[words[0]]
        sources = ["rzn".index(gate) for gate in words[-1]]
        three = [
            part._replace(**{field: getattr(parts[k], field) for field in fields})
            for part, k in zip(three, sources, strict=True)
        ]
    return parts._replace(r=three[0], z=three[1], n=three[2])


def _reshaped(part: Part, beside: bool) -> dict[str, Tensor]:
    if not beside:
        return {"W": part.W.reshape(part.W.shape[::-1]).T}
    whole = torch.cat((part.W, part.U), 1)  # (H, D + H)
    W, U = whole.reshape(whole.shape[::-1]).T.split((part.W.shape[1], part.U.shape[1]), 1)
    return {"W": W, "U": U}


def every_change(parts: Parts) -> list[Change]:
    """Every mistake in one step that a candidate with these parts can make.

    No two are the same function, but that a gate which has the other's layer is that other gate.
    """
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
    return [*_changes_of_all(), *own, *_rare_changes(parts)]


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


def _rare_changes(parts: Parts) -> list[Change]:
    """What is tried alone."""
    found = []
    for gate, word in (("r", "reset"), ("z", "update")):
        acts = {
            "softmax": (f"{word}_softmax", "Over the units."),
            "softmax over the batch": (f"{word}_softmax", "Over the batch."),
            "sigmoid twice": (f"{word}_sigmoid_twice", ""),
            "hard sigmoid": (f"{word}_hard_sigmoid", "It is torch's, relu6(a + 3) / 6."),
            "hard sigmoid of Keras": (f"{word}_hard_sigmoid", "It is that of Keras before version 3, 0.2 a + 0.5."),
        }
        found += [Change(name, {f"{gate}_act": act}, detail, True) for act, (name, detail) in acts.items()]
    blends = [
        ("same_gate_twice", "both by k", "It is the old state's share."),
        ("same_gate_twice", "both by 1-k", "It is the candidate's share."),
        ("gates_uncoupled", "n by r", "The candidate is multiplied by r."),
        ("gates_uncoupled", "n by 1-r", "The candidate is multiplied by 1 - r."),
        ("gates_uncoupled", "h by r", "The old state is multiplied by r."),
        ("gates_uncoupled", "h by 1-r", "The old state is multiplied by 1 - r."),
    ]
    found += [Change(name, {"blend": blend}, detail, True) for name, blend, detail in blends]
    twice = [("before and after", "Once before the product and once after it.")]
    twice += (
        [("twice after", "Both times after it.")] if parts.reset_after else [("twice before", "Both times before it.")]
    )
    found += [Change("reset_twice", {"place": place}, detail, True) for place, detail in twice]
    for which, name in (("mean", "batch_mean"), ("first", "first_row")):
        for what in ("x", "h", "x+h", "r", "z", "r+z", "n", "h'"):
            if (what, which) == ("x+h", "first"):  # which is that of the new state
                continue
            words = "the new state" if what == "h'" else what.replace("+", " and ")
            found.append(Change(name, {"rows": f"{what} {which}"}, f"It is that of {words}.", True))
    return found + _weights_elsewhere(parts)


def _weights_elsewhere(parts: Parts) -> list[Change]:
    found = []
    for gates in ("r", "z", "n", "rz", "rzn"):
        where = f"In {', '.join(gates)}."
        found.append(Change("weight_transposed", {"weights": f"U of {gates} transposed"}, where, True))
        # Of W, or of W and U beside it: a square matrix keeps its shape.
        found.append(Change("weight_reshaped", {"weights": f"W of {gates} reshaped"}, where, True))
    if not parts.beside:
        detail = "It is the result for all gates, to (B, H, 3) where (B, 3, H) was meant."
        found.append(Change("weight_reshaped", {"weights": "all interleaved"}, detail, True))
        for kind in "WU":
            found.append(
                Change("weight_reshaped", {"weights": f"{kind} stacked"}, "Before it is cut for the gates.", True)
            )
    orders = [order for order in map("".join, itertools.product("rzn", repeat=3)) if order not in ("rzn", "zrn")]
    for whose, word in (("all", ""), ("x's", " of x"), ("h's", " of h")):
        if whose != "all" and parts.beside:
            continue
        for order in [*orders, *(["zrn"] if whose != "all" else [])]:
            moved = [
                f"{gate} has that of {source}" for gate, source in zip("rzn", order, strict=True) if gate != source
            ]
            if len(moved) < 3 or len(set(order)) == 3:
                found.append(
                    Change(
                        "layer_mixed_up", {"weights": f"{whose} {order}"}, f"The layer{word}: {', '.join(moved)}.", True
                    )
                )
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
    """Two changes that move different switches, and three where all three nonlinearities are wrong.

    A rare one is tried beside a swapped z, and beside a wrong activation in the other gate.
    """
    gates = [[change for change in single if change.switches.keys() == {f"{k}_act"}] for k in "rz"]
    yield from (pair for pair in itertools.product(*gates) if any(change.rare for change in pair))
    swapped = next(change for change in single if change.name == "z_swapped")  # of all mistakes the most frequent
    yield from ((swapped, change) for change in single if change.rare)
    single = [change for change in single if not change.rare]
    for first, second in itertools.combinations(single, 2):
        if not first.switches.keys() & second.switches.keys():
            yield first, second
    wrong = [[change for change in single if change.switches.keys() == {f"{k}_act"}] for k in "rzn"]
    yield from itertools.product(*wrong)
