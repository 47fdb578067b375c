r"""The gates of any recurrence at every step: r, z, n and h of a cell, a layer, or a whole model.

Glossary
    x (T, B, D)    what the recurrence reads at each step
    r, z, n (T, B, H)    reset gate, update gate, candidate
    h (T, B, H)    the state *after* each step; r[t], z[t], n[t] lead from h[t-1] to h[t], and from h0 to h[0]
"""

from dataclasses import dataclass, fields

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from gru import _arguments
from gru.inspect.record import record
from gru.inspect.run import Run, one_or_list


@dataclass(frozen=True, eq=False)
class Trace:
    """Inputs (T, B, D), gates and states (T, B, H) at every step; lists, one entry per recurrence, where several.

    ``h0`` (B, H) is the state before the first step: in the reverse direction, which begins at a sequence's end, before
    its last input. ``lengths`` (B,) are those of a packed input, else None; a list where recurrences differ in them.
    r, z and n are None for a cell that has no such gates. ``trace[k]`` is the Trace of recurrence k.
    """

    x: Tensor | list[Tensor]
    r: Tensor | list[Tensor]
    z: Tensor | list[Tensor]
    n: Tensor | list[Tensor]
    h: Tensor | list[Tensor]
    h0: Tensor | list[Tensor]
    names: list[str]
    lengths: Tensor | list[Tensor | None] | None = None

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, k: int | slice) -> "Trace":
        names = _arguments.chosen("k", k, self.names)
        if len(self) == 1 and names:
            return self
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        lists = {key: value for key, value in values.items() if isinstance(value, list)}
        own = {key: one_or_list(_arguments.chosen("k", k, value)) for key, value in lists.items()}
        return Trace(**values | own | {"names": names})


def trace_of(runs: list[Run]) -> Trace:
    """The trace of what was recorded: ``trace_of(record(module, x).runs)`` is ``trace(module, x)``."""
    entries = [run.by_input | {"h0": run.states[0]} for run in runs]
    lengths = [None if run.lengths is None else run.lengths.tolist() for run in runs]
    return Trace(
        **{name: one_or_list([entry[name] for entry in entries]) for name in entries[0]},
        names=[run.name for run in runs],
        lengths=runs[0].lengths if all(one == lengths[0] for one in lengths) else [run.lengths for run in runs],
    )


def trace(module: nn.Module, x: Tensor | PackedSequence, h0: Tensor | None = None, **kwargs) -> Trace:
    """r, z, n and h at every step of a cell, a layer, or the recurrences inside a model.

    Args:
        module: a cell (ours, ``torch.nn.GRUCell``, or your own with a method ``gates(x, h)`` whose result has fields
            r, z, n, h), a layer (``gru.GRU``, ``torch.nn.GRU``), or a model that contains some.
        x: what the module reads. For a cell (T, B, D), or (T, D) for one sequence; else whatever its forward takes.
        h0: the initial state, as the module takes it: (B, H) for a cell, (layers * directions, B, H) for a layer; for
            a model its second argument. Left out where None.
        **kwargs: go to the model's forward, such as ``lengths``.

    Returns:
        a :class:`Trace`, time-major whatever ``batch_first`` says, on the module's device, without gradients; B = 1 for
        a single sequence. One recurrence gives tensors; several (stacked, two directions, or several cells and layers)
        give lists, in the order of :func:`recurrences`, then layer, then direction. The reverse direction's entries
        stand where its input stands, so its run begins at h[T-1]. A packed input gives zeros past a sequence's end.
        z is the cell's own: that of ResetBeforeCell writes. An ElmanCell has r = 1 and z = 0. Where a model calls a
        cell or layer several times, the calls follow each other in time.

    States are those that the recurrence itself computed; what a model or a hook makes of them afterwards does not show.
    The module is traced as ``eval()`` would run it, without dropout, and is left as it was, whatever happens. While it
    is traced its methods are replaced, so no other thread should use it meanwhile.

    Raises:
        TypeError: the module contains no recurrence; x is not a tensor; keywords for a module that is not a model.
        ValueError, RuntimeError: x or h0 do not fit, as the module itself says; the forward never called a recurrence.

    >>> import torch, gru
    >>> seen = gru.trace(gru.GRU(4, 5), torch.zeros(7, 3, 4))
    >>> seen.x.shape, seen.z.shape, seen.names
    (torch.Size([7, 3, 4]), torch.Size([7, 3, 5]), ['l0'])
    """
    return trace_of(record(module, x, h0, kwargs).runs)
