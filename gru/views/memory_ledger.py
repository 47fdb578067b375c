"""MemoryLedger: who wrote what is in memory after every letter, month or sound, and what is left of it.

Glossary
    T, D, H, C    steps, input size, hidden size, answers of the head
    author        a step, as the one who wrote something into the state
    account       what is split among authors: all units, one unit, or the score of one answer
"""

import re
from collections.abc import Sequence
from typing import Any

import torch
import traitlets
from torch import Tensor, nn

from gru.inspect.ledger import Ledger, ledger
from gru.inspect.replay import Edit, replay
from gru.models import GRUClassifier, GRUForecaster
from gru.views._base import View
from gru.views._data import as_read_by, check_finite, device_of, labels_of, read_sequences
from gru.views.word_reader import check_letters, packed, plain

STATE = ("text", "sequence", "step", "follow", "account", "unit", "held", "play", "_data")
LONGEST = 80  # steps that are read
ALL, ONE = -2, -1  # accounts besides the answers'


class MemoryLedger(View, module="memory_ledger", state=STATE):
    r"""The state of a GRU as a sum over its authors, drawn as bands that run through time.

    ::

        h_T = (z_1 ... z_T) h_0  +  sum over t of (z_{t+1} ... z_T) (1 - z_t) n_t

    Above every step stands the state as a signed stack. Each band bears the letter that wrote it; it runs to the right
    and narrows by z at each step, and the newest enters next to zero, above and below. Choose an answer, and the stack
    is the account of its score. Follow one letter, hold its z at another value, and everything to the right flows anew,
    as with :func:`gru.replay`. The page computes it all: any word that is typed, without a kernel.

    Args:
        module: a :class:`gru.GRUClassifier` or :class:`gru.GRUForecaster` of one layer.
        letters: the alphabet of a model that reads words, each letter once; the last of its D inputs is "other".
        x: instead of letters, sequences: (T, B, D) as the module reads them, (T, D) for one, or a list of (T_i, D);
            80 steps are read. If D is 1, readers can type numbers of their own.
        names, step_names: of the sequences, and of their steps, one list for all of them.
        class_names: what to call the C answers.
        text, sequence, step, follow, account, unit, held, play: what to show first.

    Traits, in step with the page both ways; they count from 0:
        text (str): the word, or the reader's own numbers; sequence (int). step (int): after which step to look.
        follow (int): the author that is followed. account (int): -2 all units, -1 one unit, c the score of answer c.
        unit (int). held (list of [step, value]): z of all units held at a value. play (bool).

    Raises:
        TypeError: an unknown keyword; module is not such a model; neither letters nor x is given.
        ValueError: letters, x or names that do not fit the model.

    >>> import torch, gru
    >>> model = gru.GRUClassifier(input_size=4, hidden_size=5, num_classes=2)
    >>> view = MemoryLedger(model, letters="abc", class_names=["one", "other"], text="cab!")
    >>> view.written.shape, torch.allclose(view.written.sum(0), view.state_now)
    (torch.Size([5, 5]), True)
    """

    text = traitlets.Unicode("").tag(sync=True)
    sequence = traitlets.Int(0, min=0).tag(sync=True)
    step = traitlets.Int(0, min=0).tag(sync=True)
    follow = traitlets.Int(0, min=0).tag(sync=True)
    account = traitlets.Int(ALL, min=ALL).tag(sync=True)
    unit = traitlets.Int(0, min=0).tag(sync=True)
    held = traitlets.List(traitlets.List(traitlets.Float(), minlen=2, maxlen=2)).tag(sync=True)
    play = traitlets.Bool(False).tag(sync=True)
    _data = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        module: nn.Module,
        letters: str | None = None,
        *,
        x: Tensor | Sequence[Tensor] | None = None,
        names: Sequence[str] | None = None,
        step_names: Sequence[str] | None = None,
        class_names: Sequence[str] | None = None,
        **traits: Any,
    ) -> None:
        if not isinstance(module, GRUClassifier | GRUForecaster):
            raise TypeError(f"module: expected a GRUClassifier or a GRUForecaster, got {type(module).__name__}")
        if (letters is None) == (x is None):
            raise TypeError(f"letters: expected either letters or x, got {'neither' if x is None else 'both'}")
        self._module, self._letters = module, letters
        self._inputs = [] if x is None else [one[:LONGEST] for one in read_sequences(module, x, None)]
        count, answers = len(self._inputs), module.head.out_features
        self._names = labels_of("names", names, count, "sequence")
        self._class_names = labels_of("class_names", class_names, answers, "answer")
        self._step_names = None if step_names is None else [str(name) for name in step_names]
        self._check()
        data = self._read()
        steps = len(plain(traits.get("text", ""))) if letters is not None else len(self._inputs[0])
        super().__init__(_data=data, **({"step": max(0, steps - 1)} | traits))

    def refresh(self) -> None:
        """Read the model again, after more training, say."""
        self._data = self._read()

    @property
    def written(self) -> Tensor:
        """What is in the state after the step shown from the start and from each step so far: (step + 2, H)."""
        return self._ledger()[0]

    @property
    def scores(self) -> Tensor:
        """The same of every answer's score, without the head's bias: (step + 2, C)."""
        return self.written @ self._module.head.weight.detach().t().to(self.written)

    @property
    def state_now(self) -> Tensor:
        """The state after the step shown (H,)."""
        return self._ledger()[1]

    def describe(self) -> str:
        what = repr(self.text) if self._letters is not None else self._names[self.sequence]
        return (
            f"Interactive view: who wrote what is in memory while a GRU reads {what}: a stack of bands, one per step, "
            "each narrower as the gates forget. It needs JavaScript, or a running kernel."
        )

    def _ledger(self) -> tuple[Tensor, Tensor]:
        x = self._input()[: self.step + 1]  # (t, 1, D)
        edits = [Edit("z", value, steps=int(step)) for step, value in self.held if int(step) < len(x)]
        layer = self._module.gru
        x = x.transpose(0, 1) if layer.batch_first else x
        _, trace = replay(layer, x, edits=edits)
        if not edits:
            found: Ledger = ledger(layer, x)
            return found.written[:, 0], trace.h[-1, 0]
        brings = torch.cat((trace.h0.view(1, -1), (1 - trace.z[:, 0]) * trace.n[:, 0]))  # (t+1, H)
        left = torch.cat((trace.z[:, 0], torch.ones_like(brings[:1])))
        return brings * left.flip(0).cumprod(0).flip(0), trace.h[-1, 0]

    def _input(self) -> Tensor:
        """What the model reads (T, 1, D)."""
        if self._letters is not None:
            place = {letter: i for i, letter in enumerate(self._letters)}
            ids = [place.get(letter, len(self._letters)) for letter in plain(self.text)]
            x = torch.eye(len(self._letters) + 1, device="cpu")[ids]
        else:
            own = _numbers(self.text) if self._inputs[0].shape[1] == 1 else []
            x = torch.tensor(own, device="cpu").unsqueeze(1) if own else self._inputs[self.sequence]
        return as_read_by(self._module, x.unsqueeze(1))

    def _check(self) -> None:
        layer = self._module.gru
        if layer.num_layers != 1 or layer.bidirectional:
            raise ValueError(f"module: expected one layer and one direction, got {layer}")
        if self._letters is not None:
            check_letters(self._letters, layer.input_size)
        for i, x in enumerate(self._inputs):
            if x.dim() != 2 or x.shape[1] != layer.input_size:
                raise ValueError(f"x[{i}]: expected shape (T, {layer.input_size}), got {tuple(x.shape)}")
            check_finite(f"x[{i}]", x)
        longest = max(map(len, self._inputs), default=0)
        if self._step_names is not None and len(self._step_names) < longest:
            raise ValueError(f"step_names: expected {longest}, got {len(self._step_names)}")

    def _read(self) -> dict[str, Any]:
        return packed(self._module) | {
            "letters": self._letters,
            "class_names": self._class_names,
            "classes": isinstance(self._module, GRUClassifier),
            "sequences": [
                {"name": name, "names": self._step_names and self._step_names[: len(x)], "x": x.float().tolist()}
                for name, x in zip(self._names, self._inputs, strict=True)
            ],
            "device": device_of(self._module),
        }

    @traitlets.validate("held")
    def _in_range(self, proposal: dict[str, Any]) -> list[list[float]]:
        for step, value in proposal["value"]:
            if step < 0 or step != int(step) or not 0 <= value <= 1:
                raise traitlets.TraitError(f"held: expected [step, value] with value from 0 to 1, got {[step, value]}")
        return proposal["value"]

    @traitlets.validate("sequence", "account", "unit")
    def _exists(self, proposal: dict[str, Any]) -> int:
        name, value = proposal["trait"].name, proposal["value"]
        high = {
            "sequence": max(0, len(self._inputs) - 1),
            "account": len(self._class_names) - 1,
            "unit": self._module.gru.hidden_size - 1,
        }[name]
        if value > high:
            raise traitlets.TraitError(f"{name}: expected at most {high}, got {value}")
        return value


def _numbers(text: str) -> list[float]:
    """The numbers that stand in a text, none where anything else does; js/memory_ledger.js does the same."""
    words = re.split(r"[\s;]+", text.strip())
    good = all(re.fullmatch(r"[+-]?\d{1,6}(\.\d{0,9})?", word, re.ASCII) for word in words)
    return [float(word) for word in words[:LONGEST]] if good else []
