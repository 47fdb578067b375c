"""AlignmentView: a word above, what an encoder and decoder make of it below, and where each symbol looked.

Glossary
    T, K    letters of the word, symbols of the answer
"""

from collections.abc import Sequence
from typing import Any

import torch
import traitlets
from torch import Tensor

from gru.views._base import View
from gru.views._data import device_of
from gru.views.word_reader import half
from gru.writers import EncoderDecoder

STATE = ("text", "step", "matrix", "play", "_data")
LONGEST, MOST = 60, 8  # letters that are read, symbols that are written


class AlignmentView(View, module="alignment_view", state=STATE):
    """Where a decoder looks while it writes: a line from each symbol of the answer to the letters it was fetched from.

    The page computes all of it, for any text that is typed. A letter that is not in the alphabet is read as "other".

    Args:
        module: a :class:`gru.writers.EncoderDecoder` with attention that reads letters as vectors with one 1.
        letters: its alphabet, each once; the last of its D inputs is "other".
        symbols: what its A answers are called, such as "0" to "9".
        examples: words to offer on buttons.
        text: what stands there first; by default the first example.
        step, matrix, play: what to show first; matrix: all weights as a table instead of lines; play: the answer is
            written once, symbol by symbol.

    Traits, in step with the page both ways:
        text (str); step (int, from 0), the symbol that is looked at; matrix (bool); play (bool).

    Raises:
        TypeError: an unknown keyword; module is not an EncoderDecoder.
        ValueError: it has no attention; letters or symbols do not fit it.

    >>> import torch, gru
    >>> model = gru.writers.EncoderDecoder(4, 2, 3, 5, attention=4)
    >>> view = AlignmentView(model, letters="abc", symbols="01", examples=["cab"])
    >>> symbols, attention = view.answer
    >>> attention.shape[1]
    3
    """

    text = traitlets.Unicode("").tag(sync=True)
    step = traitlets.Int(0, min=0).tag(sync=True)
    matrix = traitlets.Bool(False).tag(sync=True)
    play = traitlets.Bool(False).tag(sync=True)
    _data = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        module: EncoderDecoder,
        letters: str,
        *,
        symbols: Sequence[str],
        examples: Sequence[str] = (),
        **traits: Any,
    ) -> None:
        if not isinstance(module, EncoderDecoder):
            raise TypeError(f"module: expected an EncoderDecoder, got {type(module).__name__}")
        if module.attention is None:
            raise ValueError("module: expected an EncoderDecoder with attention, got one without")
        D = module.encoder.input_size
        if len(set(letters)) != len(letters) or len(letters) != D - 1:
            raise ValueError(f"letters: expected {D - 1} different ones, D less the other, got {len(letters)}")
        if len(symbols) != module.answers:
            raise ValueError(f"symbols: expected {module.answers}, got {len(symbols)}")
        self._module, self._letters = module, letters
        self._symbols, self._examples = [str(one) for one in symbols], [str(one) for one in examples]
        traits.setdefault("text", self._examples[0] if self._examples else "")
        super().__init__(_data=self._read(), **traits)

    def refresh(self) -> None:
        """Read the model again, after more training, say."""
        self._data = self._read()

    @property
    def answer(self) -> tuple[list[str], Tensor]:
        """The symbols of the answer, END left out, and where each of them looked (K, T)."""
        place = {letter: i for i, letter in enumerate(self._letters)}
        ids = [place.get(letter, len(self._letters)) for letter in self.text.lower()[:LONGEST]]
        weight = self._module.head.weight
        if not ids:
            return [], weight.new_zeros(0, 0)
        x = torch.eye(len(self._letters) + 1)[ids].unsqueeze(1).to(weight.device, weight.dtype)
        symbols, looks = self._module.write(x, torch.tensor([len(ids)]), MOST)
        count = int((symbols[:, 0] != self._module.END).sum())
        return [self._symbols[i] for i in symbols[:count, 0]], looks[:count, 0]

    def describe(self) -> str:
        return (
            f"Interactive view: {self.text!r}, what an encoder and a decoder make of it, {''.join(self.answer[0])!r}, "
            "and where the decoder looks. It needs JavaScript, or a running kernel."
        )

    def _read(self) -> dict[str, Any]:
        module = self._module
        directions = [module.encoder.weights(0, reverse) for reverse in (False, True)]
        layers = {"bridge": module.bridge, "head": module.head, "query": module.query}
        return {
            "letters": self._letters,
            "symbols": self._symbols,
            "examples": self._examples,
            "device": device_of(module),
            "encoder": [_cell(weights) for weights in directions],
            "decoder": _cell(module.decoder.weights()),
            **{name: {"weight": half(layer.weight), "bias": half(layer.bias)} for name, layer in layers.items()},
            "key": half(module.key.weight),
            "score": half(module.score.weight),
        }


def _cell(weights) -> dict[str, Any]:
    return {name: half(value) if isinstance(value, Tensor) else value for name, value in weights._asdict().items()}
