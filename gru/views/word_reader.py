"""WordReader: type a word, and see after each letter what a GRU thinks of it, and what its gates do.

Glossary
    T, D, H, C    letters, letters of the alphabet with the "other" one, hidden size, classes
"""

import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

import torch
import traitlets
from torch import Tensor, nn

from gru import _arguments
from gru.inspect.replay import Edit, replay
from gru.models import GRUClassifier, GRUForecaster
from gru.views._base import Number, View
from gru.views._data import (
    as_read_by,
    check_edits,
    check_encode,
    check_weights,
    convention_of,
    device_of,
    encode,
    labels_of,
    parts_of,
    trace_each,
)
from gru.writers import GRUWriter

STATE = ("text", "step", "unit", "edits", "quantity", "language", "temperature", "seed", "play", "_data")
LONGEST = 80  # letters that are read


class WordReader(View, module="word_reader", state=STATE):
    """A model of letters at work on what is typed: its guess after every letter, its gates, what would change it.

    The page computes all of it, so it answers without a kernel, to any text in any script. A letter that the alphabet
    does not have is read as "other". For a model of your own with another input, give ``encode``: then Python reads
    every text that is typed, and a page without a kernel shows the first one alone.

    Args:
        module: a :class:`gru.GRUClassifier` of one layer that reads letters as vectors with one 1.
        letters: its alphabet, each once; the last of its D inputs is "other".
        class_names: what to call the C classes.
        writer: a :class:`gru.writers.GRUWriter` on the same letters, with the classes as conditions; it goes on from
            what was typed. None: nothing is written.
        text: what stands there first.
        encode: text -> the model's input (T, 1, D), instead of letters.
        step_names: text -> what to call its T steps, with encode; the letters of the text if they are T, else numbers.
        step, unit, edits, quantity, language, temperature, seed, play: what to show first; play: the word is read once,
            letter by letter.

    Traits, in step with the page both ways:
        text (str); step and unit (int, from 0), the letter and the unit that are looked at; edits (list), cells that
        are held as :func:`gru.replay` holds them, [quantity, 0, step, unit, value] each; quantity ("r", "z", "n", "h"),
        which one the slider holds; language (int), temperature (float, 0.1 to 2) and seed (int) of the writer; play.

    Raises:
        TypeError: an unknown keyword; module or writer is not such a model; neither letters nor encode is given.
        ValueError: letters or class_names that do not fit the model.

    >>> import torch, gru
    >>> model = gru.GRUClassifier(input_size=4, hidden_size=5, num_classes=2)
    >>> view = WordReader(model, letters="abc", class_names=["one", "other"], text="cab!")
    >>> view.probabilities.shape
    torch.Size([4, 2])
    """

    text = traitlets.Unicode("").tag(sync=True)
    step = traitlets.Int(0, min=0).tag(sync=True)
    unit = traitlets.Int(0, min=0).tag(sync=True)
    edits = traitlets.List(traitlets.List()).tag(sync=True)
    quantity = traitlets.Enum(["r", "z", "n", "h"], "z").tag(sync=True)
    language = traitlets.Int(0, min=0).tag(sync=True)
    temperature = Number(0.6, min=0.1, max=2.0).tag(sync=True)
    seed = traitlets.Int(0, min=0).tag(sync=True)
    play = traitlets.Bool(False).tag(sync=True)
    _data = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        module: nn.Module,
        letters: str | None = None,
        *,
        class_names: Sequence[str],
        writer: GRUWriter | None = None,
        encode: Callable[[str], Tensor] | None = None,
        step_names: Callable[[str], Sequence[str]] | None = None,
        **traits: Any,
    ) -> None:
        if not isinstance(module, GRUClassifier):
            raise TypeError(f"module: expected a GRUClassifier, got {type(module).__name__}")
        if (letters is None) == (encode is None):
            raise TypeError("letters: expected either letters or encode, got " + ("both" if encode else "neither"))
        check_encode(encode)
        self._module, self._letters, self._writer = module, letters, writer
        self._encode, self._step_names = encode, step_names
        self._class_names = labels_of("class_names", class_names, module.head.out_features, "class")
        self._check()
        text = traits.get("text", "")
        traits.setdefault("step", max(0, len(plain(text)) - 1))
        super().__init__(_data=self._read(text), **traits)

    def refresh(self) -> None:
        """Read the models again, after more training, say."""
        self._data = self._read(self.text)

    @property
    def probabilities(self) -> Tensor:
        """Class probabilities after each letter (T, C), on the module's device."""
        x = self._inputs(self.text)
        edits = [Edit(name, value, int(t), int(unit)) for name, _, t, unit, value in self.edits if t < len(x)]
        if not edits:
            return self._beliefs(x)
        layer, head = self._module.gru, self._module.head
        x = as_read_by(layer, x)
        _, trace = replay(layer, x.transpose(0, 1) if layer.batch_first else x, edits=edits)
        with torch.no_grad():
            return torch.softmax(head(trace.h[:, 0]), -1)

    def describe(self) -> str:
        return (
            f"Interactive view: a word, {self.text!r}, read letter by letter: what the model takes it for after each "
            "of them, and its gates. It needs JavaScript, or a running kernel."
        )

    def _check(self) -> None:
        D, C = self._module.gru.input_size, self._module.head.out_features
        if self._module.gru.bidirectional:
            raise ValueError("module: expected one direction, got two: the backward one has no guess before the end")
        if self._letters is None:
            if self._writer is not None:
                raise TypeError("writer: expected None with encode, got one: what it writes could not be read")
            return
        if self._module.gru.num_layers != 1:
            raise ValueError(f"module: expected one layer, got {self._module.gru.num_layers}")
        check_letters(self._letters, D)
        if self._writer is not None:
            if not isinstance(self._writer, GRUWriter):
                raise TypeError(f"writer: expected a GRUWriter, got {type(self._writer).__name__}")
            if (self._writer.letters, self._writer.conditions) != (D, C):
                got = (self._writer.letters, self._writer.conditions)
                raise ValueError(f"writer: expected {D} letters and {C} conditions, got {got[0]} and {got[1]}")

    def _inputs(self, text: str) -> Tensor:
        if self._encode is not None:
            x = self._encode(text)
            _arguments.is_tensor("encode", x)
            return x
        place = {letter: i for i, letter in enumerate(self._letters)}
        ids = [place.get(letter, len(self._letters)) for letter in plain(text)]
        return torch.eye(len(self._letters) + 1, device="cpu")[ids].unsqueeze(1)  # (T, 1, D)

    @torch.no_grad()
    def _beliefs(self, x: Tensor) -> Tensor:
        weight = self._module.head.weight
        if not len(x):
            return weight.new_zeros(0, len(weight))
        x = x.to(weight.device, weight.dtype)
        states, _ = self._module.gru(x.transpose(0, 1) if self._module.batch_first else x)
        return torch.softmax(self._module.head(states.squeeze(0 if self._module.batch_first else 1)), -1)

    def _read(self, text: str) -> dict[str, Any]:
        data = {"class_names": self._class_names, "letters": self._letters, "device": device_of(self._module)}
        if self._encode is not None:
            return data | {"reader": None, "writer": None, "traced": self._traced(text)}
        return data | {
            "reader": packed(self._module),
            "writer": self._writer and packed(self._writer),
            "traced": None,
        }

    def _traced(self, text: str) -> dict[str, Any]:
        """What Python computes of a text with ``encode``."""
        x = self._inputs(text) if text else torch.zeros(0, 1, self._module.gru.input_size, device="cpu")
        if x.dim() != 3 or x.shape[1] != 1:
            raise ValueError(f"encode: expected a result of shape (T, 1, D), got {tuple(x.shape)}")
        if not len(x):
            return {"text": text, "names": [], "beliefs": encode(x), **{k: encode(x) for k in "rznh"}}
        names = list(
            self._step_names(text) if self._step_names else text if len(text) == len(x) else range(1, len(x) + 1)
        )
        if len(names) != len(x):
            raise ValueError(f"step_names: expected {len(x)}, one per step, got {len(names)}")
        ((entry, *_),) = trace_each(self._module, [x.squeeze(1)], [text], {})
        part = parts_of(self._module, 1)[0] if self._module.gru.num_layers == 1 else None
        if part is not None and convention_of([entry]) is None:
            raise ValueError("module: expected a GRU, got a layer of another kind")
        fields = {k: encode(getattr(entry, k)) for k in "rznh"}
        return {"text": text, "names": [str(name) for name in names], "beliefs": encode(self._beliefs(x)), **fields}

    @traitlets.validate("edits")
    def _can_be_held(self, proposal: dict[str, Any]) -> list:
        if proposal["value"] and self._encode is not None:
            raise traitlets.TraitError("edits: expected none with encode: Python reads the text")
        return check_edits(proposal["value"], 1)

    @traitlets.observe("text")
    def _read_again(self, change: dict[str, Any]) -> None:
        if getattr(self, "_encode", None) is not None and self._data:
            self._data = self._read(change["new"])


def plain(text: str) -> str:
    """What is read of a text: small letters, composed; js/words.js does the same."""
    if not isinstance(text, str):
        raise TypeError(f"text: expected a str, got {type(text).__name__}")
    return unicodedata.normalize("NFC", text).lower().replace("i\u0307", "i")[:LONGEST]


def check_letters(letters: str, D: int) -> None:
    """Raise TypeError or ValueError unless these are the alphabet of a model with D inputs, of which "other" is one."""
    if not isinstance(letters, Sequence):
        raise TypeError(f"letters: expected a str, got {type(letters).__name__}")
    if len(set(letters)) != len(letters) or len(letters) != D - 1:
        raise ValueError(f"letters: expected {D - 1} different ones, D less the other, got {len(letters)}")
    if never := [letter for letter in letters if plain(letter) != letter]:
        raise ValueError(f"letters: expected small letters, as a text is read, got {never[0]!r}")


def packed(model: GRUClassifier | GRUForecaster | GRUWriter) -> dict[str, Any]:
    """A layer and its head for the page."""
    check_weights(model)
    return {
        "hidden_size": model.gru.hidden_size,
        "weights": {name: encode(value, short=True) for name, value in model.gru.weights()._asdict().items()},
        "head": {"weight": encode(model.head.weight, short=True), "bias": encode(model.head.bias, short=True)},
    }
