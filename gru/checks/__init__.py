"""Exercise checks that tell a learner which mistake they made, not only that something differs.

:func:`check_cell` gives a learner's class seeded weights and inputs in float64 and compares what it computes with the
reference, and, where it differs, with the reference into which a mistake was built on purpose: every mistake of
:data:`MISTAKES` that changes numbers, and pairs of the frequent ones. Where it agrees, other sizes are tried, and an
instance that was called before. Where none fits, the report says what is known and does
not guess.
:func:`check_layer` does the same for a layer that runs over whole sequences.

Sources: the mistakes are those that people made in public, such as z and 1 - z swapped (pytorch#20129), the reset
before or after the product (pytorch#8153, pytorch#99531), a missing nonlinearity (pytorch/tutorials#647).

Symbols and shapes: see :mod:`gru.equations`.
"""

from collections.abc import Iterable
from typing import Any

from gru.checks import _compare as compare
from gru.checks._base import Check
from gru.checks._candidate import forbidden_in, modules_called, seed_everything, sheltered
from gru.checks._catalogue import MISTAKES
from gru.checks._cell import CellCheck
from gru.checks._layer import LayerCheck
from gru.checks._report import Finding, Halt, Report

__all__ = ["MISTAKES", "Report", "check_cell", "check_layer"]


def check_cell(
    cell_class: type, variant: str = "reset_after", *, hints: int | None = None, forbid: Iterable[type] | type = ()
) -> Report:
    r"""Check a learner's GRU cell: its values, its gradients, and its manners.

    ::

        variant        parameters, with bias                              equations
        reset_after    input_reset, hidden_reset, input_update,           those of gru.ResetAfterCell, z keeps
                       hidden_update, input_candidate, hidden_candidate
        reset_before   reset_gate, update_gate, hidden_transform          those of gru.ResetBeforeCell, z writes

    Either variant may also have weight_ih, weight_hh, bias_ih and bias_hh, as ``torch.nn.GRUCell``; z keeps then.

    Args:
        cell_class: a subclass of ``torch.nn.Module``, built as ``cell_class(input_size, hidden_size)`` and called as
            ``cell(x, h)`` with x (B, D) and h (B, H); it returns the new state (B, H). Its parameters have the names
            above, in the cell itself or in one module inside it, so that the reference's weights can be copied in.
        variant: "reset_after" or "reset_before".
        hints: how much the message says. 1: where to look. 2: what is wrong. 3: and what it should be. None: as 1, and
            a notebook holds the rest folded. ``found`` names the mistake at every level.
        forbid: classes that the candidate may not derive from, hold or call, such as ``torch.nn.GRUCell``.

    Returns:
        a Report; its ``require()`` raises an AssertionError unless the candidate passed. What passes was right at all
        sizes tried, a batch of one among them, and with numbers a thousand times as large, whatever was called before.
        An error inside the class is a finding and is not raised. What the class prints is caught and named; the global
        random states are put back. The check runs on the CPU.

    Raises:
        TypeError: ``cell_class``, or something in ``forbid``, is not a class.
        ValueError: there is no such variant, or no such level of hints.

    >>> import torch, gru
    >>> class Cell(gru.ResetAfterCell):
    ...     def forward(self, x, h):
    ...         r, z, n, _ = self.gates(x, h)
    ...         return z * n + (1 - z) * h
    >>> gru.checks.check_cell(Cell).found
    ['z_swapped']
    >>> bool(gru.checks.check_cell(gru.ResetBeforeCell, "reset_before"))
    True
    """
    compare.expect_arguments(cell_class, variant, "cell_class")
    return _run(CellCheck, cell_class, variant, hints=hints, forbid=compare.expect_options(hints, forbid))


def check_layer(
    layer_class: type,
    variant: str = "reset_after",
    *,
    lengths: bool | None = None,
    hints: int | None = None,
    forbid: Iterable[type] | type = (),
) -> Report:
    """Check a learner's GRU layer, which runs over whole sequences.

    Args:
        layer_class: a subclass of ``torch.nn.Module``, built as ``layer_class(input_size, hidden_size)`` and called as
            ``layer(x)``, ``layer(x, h0)`` and ``layer(x, h0, lengths=lengths)``, with x (T, B, D), h0 (B, H) and
            lengths (B) of dtype int64, in no order. It returns (out, h_n): the state after every step (T, B, H), and
            that after the last valid step, (B, H) or (1, B, H). A layer that wants h0 as (1, B, H) gets it so.
            Exactly one module, the layer or one inside it, has parameters that are named as for :func:`check_cell`,
            or as in ``torch.nn.GRU``: weight_ih_l0 and so on, z keeps.
        variant: "reset_after" or "reset_before".
        lengths: whether sequences of different lengths are tested. By default they are if forward takes ``lengths``;
            what out holds behind the end of a sequence is left free.
        hints, forbid: as for :func:`check_cell`.

    Returns:
        a Report, as :func:`check_cell` gives it; mistakes inside a step are found as well.

    Raises:
        TypeError: ``layer_class``, or something in ``forbid``, is not a class, or ``lengths`` is not a bool.
        ValueError: there is no such variant, or no such level of hints.

    >>> import torch, gru
    >>> gru.checks.check_layer(torch.nn.GRU).passed
    True
    >>> class Backwards(gru.GRU):
    ...     def forward(self, x, h0=None):
    ...         return super().forward(x.flip(0), h0)
    >>> gru.checks.check_layer(Backwards).found
    ['reversed_in_time']
    """
    compare.expect_arguments(layer_class, variant, "layer_class")
    if lengths is not None and not isinstance(lengths, bool):
        raise TypeError(f"lengths: expected True, False or None, got {type(lengths).__name__}")
    forbidden = compare.expect_options(hints, forbid)
    return _run(LayerCheck, layer_class, variant, lengths, hints=hints, forbid=forbidden)


def _run(check_class: type[Check], *arguments: Any, hints: int | None, forbid: tuple[type, ...]) -> Report:
    """Run a check under shelter and put its report together."""
    with sheltered() as printed:
        check = check_class(*arguments)
        seed_everything(0)
        forbidden = forbidden_in(check.candidate_class, forbid) if forbid else []
        with modules_called(forbid) as called:
            try:
                check.run()
            except Halt as halt:
                check.found.append(halt.finding)
    if not forbidden:
        forbidden = [f"{name} is called." for name in dict.fromkeys(called)]
    check.found[:0] = [Finding("forbidden_class", " ".join(forbidden))] if forbidden else []
    if text := printed.getvalue().strip():
        check.found.insert(0, Finding("prints", f"The first line: {text.splitlines()[0][:80]}"))
    return check.report(hints)
