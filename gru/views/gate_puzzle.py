r"""GatePuzzle: one or two units of a GRU, their weights as sliders, and a wish that they are to fulfil.

Glossary
    letters     A, B and C, one at every step, one-hot
    sequence    one to four letters: 120 of them, the shorter first, each length in the order of the alphabet
    wish        an automaton: a state, the next one for every letter, and the answer in each (puzzles.json)
    h           the state, from 0; with one unit (1,), with two (2,). The answer is read from the first
"""

import itertools
import json
from pathlib import Path
from typing import Any

import torch
import traitlets
from torch import Tensor, nn

from gru.views._base import Number, View

LETTERS = "ABC"
LONGEST = 4
SEQUENCES = tuple("".join(one) for T in range(1, LONGEST + 1) for one in itertools.product(LETTERS, repeat=T))
WISHES: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("puzzles.json").read_text("utf-8"))["wishes"]
MOST = 6.0
# r open, z half open, and an A that is heard: something happens, and not enough.
START = [4.0, 4, 4, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 4, 4, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]


class GatePuzzle(View, module="gate_puzzle", state=("wish", "units", "unit", "weights", "sequence", "hints")):
    r"""One or two units of a GRU, their weights as sliders, and a wish that every short sequence is to fulfil.

    .. math::

        r = \sigma(W_r x + U_r h) \qquad z = \sigma(W_z x + U_z h) \qquad
        n = \tanh(W_n x + r \odot U_n h) \qquad h' = (1 - z) \odot n + z \odot h

    x is a letter, one-hot, so that W has a weight for each letter and a bias would say nothing new; the recurrent bias
    of the candidate is 0. The answer is read from the first unit: 1 where h > 1/2, and for the wish that counts, how
    many of 1/4, 1/2 and 3/4 lie below h. There are 120 sequences of one to four letters.

    Args:
        wish: "hold", "last", "forget", "count", "toggle" or "before".
        units: 1 or 2.
        weights: 30 numbers from -6 to 6: of each unit those of r, z and n, of each the weights of A, B, C and of the
            states of unit 1 and 2. With one unit the second's have no effect. By default r is open and z half open.

    Traits, in step with the page both ways:
        wish (str), units (int), weights (list of 30 floats);
        unit (int): whose weights the sliders show, from 0;
        sequence (int): the one that is looked at, from 0 to 119;
        hints (int): how many have been asked for.

    Raises:
        TypeError: an unknown keyword.
        TraitError: another wish; weights that are not 30 numbers from -6 to 6.

    Source: the equations are those of ``torch.nn.GRUCell``, to which :attr:`cell` leads.

    >>> puzzle = GatePuzzle(wish="toggle")
    >>> puzzle.right
    51
    >>> puzzle.reveal()
    >>> puzzle.right, puzzle.given[SEQUENCES.index("AABA")]
    (120, 1)
    """

    wish = traitlets.Enum(list(WISHES), "hold").tag(sync=True)
    units = traitlets.Int(1, min=1, max=2).tag(sync=True)
    unit = traitlets.Int(0, min=0, max=1).tag(sync=True)
    weights = traitlets.List(Number(min=-MOST, max=MOST), START, minlen=30, maxlen=30).tag(sync=True)
    sequence = traitlets.Int(SEQUENCES.index("ABCA"), min=0, max=len(SEQUENCES) - 1).tag(sync=True)
    hints = traitlets.Int(0, min=0, max=2).tag(sync=True)

    def reveal(self) -> None:
        """Set the units and weights of a solution of this wish."""
        self.units, self.weights = WISHES[self.wish]["units"], [float(one) for one in WISHES[self.wish]["weights"]]

    @property
    def cell(self) -> nn.GRUCell:
        """The units as a ``torch.nn.GRUCell(3, units)``, in double precision."""
        H = self.units
        cell = nn.GRUCell(len(LETTERS), H, device="cpu", dtype=torch.double)
        table = torch.tensor(self.weights, dtype=torch.double, device="cpu").view(2, 3, 5)  # of 3 letters and 2 states
        rows = table[:H].transpose(0, 1).reshape(3 * H, 5)
        with torch.no_grad():
            cell.weight_ih.copy_(rows[:, :3])
            cell.weight_hh.copy_(rows[:, 3 : 3 + H])
            cell.bias_ih.zero_()
            cell.bias_hh.zero_()
        return cell

    @property
    def states(self) -> Tensor:
        """What the units hold after each of the 120 sequences, (120, units)."""
        cell, letters = self.cell, torch.eye(len(LETTERS), dtype=torch.double, device="cpu")
        h, found = torch.zeros(1, self.units, dtype=torch.double, device="cpu"), []
        with torch.no_grad():
            for _ in range(LONGEST):  # every sequence goes on with every letter
                h = cell(letters.repeat(len(h), 1), h.repeat_interleave(len(LETTERS), 0))
                found.append(h)
        return torch.cat(found)

    @property
    def wanted(self) -> list[int]:
        """The answer that the wish asks for after each sequence."""
        wish, found = WISHES[self.wish], []
        for letters in SEQUENCES:
            state = 0
            for letter in letters:
                state = wish["next"][letter][state]
            found.append(wish["answers"][state])
        return found

    @property
    def given(self) -> list[int]:
        """The answer that is read from the first unit after each sequence."""
        levels = max(WISHES[self.wish]["answers"])
        cuts = torch.arange(1, levels + 1, device="cpu") / (levels + 1)  # 1/2; 1/4, 1/2 and 3/4
        return (self.states[:, :1] > cuts).sum(1).tolist()

    @property
    def right(self) -> int:
        """How many of the 120 sequences are answered as wanted."""
        return sum(one == other for one, other in zip(self.given, self.wanted, strict=True))

    def describe(self) -> str:
        return (
            f"Interactive view: {self.units} unit{'s' * (self.units > 1)} of a GRU with weights on sliders and a wish, "
            f'"{WISHES[self.wish]["title"]}": {self.right} of {len(SEQUENCES)} short sequences are answered right. '
            "It needs JavaScript."
        )
