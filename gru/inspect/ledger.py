r"""The ledger: what each step wrote that is still in memory, so that a state is an exact sum over its authors.

Glossary
    T, B, H, C    time, batch, hidden size, outputs of a head
"""

import inspect

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from gru import _arguments
from gru.inspect.record import record
from gru.inspect.recurrences import find
from gru.inspect.run import PerRecurrence, Run


class Ledger(PerRecurrence):
    """Who wrote the last valid state: of one recurrence, or a list for several; ``ledger[k]`` is that of one of them.

    Args:
        entries: one per recurrence, as :func:`ledger` makes them.

    Steps count in the order in which they are taken, so in the reverse direction step 1 reads the last input.
    """

    @property
    def written(self) -> Tensor | list[Tensor]:
        """What is in the last valid state from h_0 (index 0) and from each step (1 to T): (T+1, B, H)."""
        return self._each(_Entry.at)

    def at(self, t: int) -> Tensor | list[Tensor]:
        """The same of the state after t steps, (t+1, B, H), t = 0 to T; after a sequence's end, of its last state.

        Raises:
            TypeError, IndexError: t is not a number of steps that were taken.
        """
        _arguments.within("t", t, 0, min(len(entry.keep) for entry in self._entries), ", the number of steps")
        return self._each(lambda entry: entry.at(t))

    def of(self, head: nn.Linear) -> Tensor:
        """Every step's share of what a linear layer makes of the last valid state, (T+1, B, C).
        Their sum, plus ``head.bias``, is ``head(state)``.

        Args:
            head: reads the state of the last recurrence, or of the last two side by side where they are two directions.
                Then its columns are split, and the shares of both directions stand where their inputs stand.

        Raises:
            TypeError, ValueError: head is not a Linear, or its number of inputs is not the size of the state.
        """
        if not isinstance(head, nn.Linear):
            raise TypeError(f"head: expected a torch.nn.Linear, got {type(head).__name__}")
        top = self._entries[-2:] if self._entries[-1].run.reverse else self._entries[-1:]
        sizes = [entry.keep.shape[2] for entry in top]
        if head.in_features != sum(sizes):
            raise ValueError(f"head: expected {sum(sizes)} inputs, the size of the last state, got {head.in_features}")
        written = [entry.at() for entry in top]
        if len(top) > 1:
            written[1][1:] = top[1].run.in_order_of_input(written[1][1:])
        columns = head.weight.detach().split(sizes, 1)  # (C, H) each
        return sum(one @ weight.t().to(one) for one, weight in zip(written, columns, strict=True))


class _Entry:
    """One recurrence: what each step keeps (T, B, H), z or 1 - z; and what h_0 and each step bring (T+1, B, H)."""

    def __init__(self, run: Run, lengths: Tensor | None) -> None:
        self.run, self.name = run, run.name
        run.check_mixes()
        _, z, n = run.gates
        keep = z if run.z_keeps else 1 - z
        self.keep, self.brings = keep, torch.cat((run.states[:1], (1 - keep) * n))
        before, after = run.before.nan_to_num(), run.states[:-1].nan_to_num()  # NaN is not another state
        if not torch.equal(before, after):  # a model may start anew, for some samples or units, no more
            changed = before != after
            if run.before[changed].any():
                expected = "a state that only the recurrence changes, or that a model sets to zero"
                raise LookupError(f"{run.name}: expected {expected}; this model changes it between two steps")
            self.keep = keep.masked_fill(changed, 0)
        if lengths is not None:  # past the end of a sequence nothing changes
            ended = torch.arange(len(keep), device=keep.device).unsqueeze(1) >= lengths  # (T, B)
            self.keep = self.keep.masked_fill(ended.unsqueeze(-1), 1)
            self.brings[1:][ended] = 0

    def __str__(self) -> str:
        return "{}: T={}, B={}, H={}".format(self.name, *self.keep.shape)

    def at(self, t: int | None = None) -> Tensor:
        """(t+1, B, H): what each brought, times all that was kept of it since; to the end where None."""
        left = torch.cat((self.keep[:t], torch.ones_like(self.brings[:1])))  # (t+1, B, H), kept at steps s+1 to t
        return self.brings[: len(left)] * left.flip(0).cumprod(0).flip(0)


def ledger(module: nn.Module, x: Tensor | PackedSequence, h0: Tensor | None = None, **kwargs) -> Ledger:
    """Who wrote what is in memory at the end of a run: the last state as an exact sum over steps::

        h_T = (prod z) h_0 + sum over t of (prod over k > t of z_k) (1 - z_t) n_t

    No baseline, no sampling, no linearisation: it holds for either variant, whatever r and z depend on. But they and n
    read the input *and* the state, so an input also acts through the gates of later steps. The ledger says who wrote
    what is there (credit), not what would be there without an input (cause): for that, :func:`gru.replay` the run.

    Args:
        module, x, h0, **kwargs: as :func:`gru.trace` takes them.

    Returns:
        a :class:`Ledger`: ``written`` (T+1, B, H), ``at(t)`` and ``of(head)``, on the module's device. The samples of a
        packed input, or of a model given ``lengths``, end at their own last step, with zeros past it; but a decoder
        that takes steps of its own is read at its end.

    Raises:
        TypeError: a cell's new state is not a mean of its old one and its candidate.
        LookupError: the model itself changes the state between two steps. Else as :func:`gru.trace`.

    Source: the recurrence, written out; for LSTMs the same sum is in Murdoch and Szlam 2017, arXiv 1702.02540.

    >>> import torch, gru
    >>> layer, head, x = gru.GRU(4, 5), torch.nn.Linear(5, 2), torch.randn(7, 3, 4)
    >>> ledger, h = gru.ledger(layer, x), layer(x)[1][0]
    >>> ledger.written.shape, torch.allclose(ledger.written.sum(0), h, atol=1e-6)
    (torch.Size([8, 3, 5]), True)
    >>> torch.allclose(ledger.of(head).sum(0) + head.bias, head(h), atol=1e-6)
    True
    """
    runs = record(module, x, h0, kwargs).runs
    second = [*inspect.signature(find(module)[0].forward).parameters][1:2]
    lengths = kwargs.get("lengths", h0 if second == ["lengths"] else None)  # where the model reads its states
    return Ledger([_Entry(run, _ends_by(lengths, run, x)) for run in runs])


def _ends_by(lengths: object, run: Run, x: object) -> Tensor | None:
    """The lengths of a recurrence: those given where it steps through x, perhaps as far as the longest goes."""
    if lengths is None or run.lengths is not None:
        return run.lengths
    lengths, (steps, batch) = torch.as_tensor(lengths, device=run.before.device), run.before.shape[:2]
    through = not isinstance(x, Tensor) or sorted(x.shape[:2]) == sorted((steps, batch))
    return lengths if through or steps == int(lengths.max()) else None
