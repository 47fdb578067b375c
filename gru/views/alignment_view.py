"""AlignmentView: a word above, what an encoder and decoder make of it below, and where each symbol looked.

Glossary
    T, K    letters of the word, symbols of the answer
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
import traitlets
from torch import Tensor

from gru import _arguments
from gru.equations import Weights
from gru.views._base import View
from gru.views._data import check_encode, check_weights, device_of, encode, labels_of
from gru.views.word_reader import check_letters, plain
from gru.writers import EncoderDecoder

STATE = ("text", "step", "matrix", "play", "_data")
LONGEST, MOST = 60, 8  # letters that are read, symbols that are written


class AlignmentView(View, module="alignment_view", state=STATE):
    """Where a decoder looks while it writes: a line from each symbol of the answer to the letters it was fetched from.

    The page computes all of it, for any text that is typed. A letter that is not in the alphabet is read as "other".
    For a model of your own with another input, give ``encode``: then Python reads each text, and a page without a
    kernel shows the first one alone, and says so.

    Args:
        module: a :class:`gru.writers.EncoderDecoder` with attention; without encode it reads letters as vectors with
            one 1.
        letters: its alphabet, each once; the last of its D inputs is "other".
        encode: text -> the model's input (T, 1, D), instead of letters.
        step_names: text -> what to call its T steps, with encode; the letters of the text if they are T, else numbers.
        symbols: what its A answers are called, such as "0" to "9".
        examples: words to offer on buttons.
        text: what stands there first; by default the first example.
        step, matrix, play: what to show first; matrix: all weights as a table instead of lines; play: the answer is
            written once, symbol by symbol.

    Traits, in step with the page both ways:
        text (str); step (int, from 0), the symbol that is looked at; matrix (bool); play (bool).

    Raises:
        TypeError: an unknown keyword; module is not an EncoderDecoder; neither letters nor encode is given, or both.
        ValueError: it has no attention; letters or symbols do not fit it; a result of encode is not (T, 1, D), or
            step_names are not T.

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
        letters: str | None = None,
        *,
        symbols: Sequence[str],
        examples: Sequence[str] = (),
        encode: Callable[[str], Tensor] | None = None,
        step_names: Callable[[str], Sequence[str]] | None = None,
        **traits: Any,
    ) -> None:
        if not isinstance(module, EncoderDecoder):
            raise TypeError(f"module: expected an EncoderDecoder, got {type(module).__name__}")
        if module.attention is None:
            raise ValueError("module: expected an EncoderDecoder with attention, got one without")
        if (letters is None) == (encode is None):
            raise TypeError("letters: expected either letters or encode, got " + ("both" if encode else "neither"))
        check_encode(encode)
        if letters is not None:
            check_letters(letters, module.encoder.input_size)
        self._module, self._letters = module, letters
        self._encode, self._step_names = encode, step_names
        self._symbols, self._examples = (
            labels_of("symbols", symbols, module.answers, "symbol"),
            list(map(str, examples)),
        )
        traits.setdefault("text", self._examples[0] if self._examples else "")
        super().__init__(_data=self._read(traits["text"]), **traits)

    def refresh(self) -> None:
        """Read the model again, after more training, say."""
        self._data = self._read(self.text)

    @traitlets.observe("text")
    def _read_again(self, change: dict[str, Any]) -> None:
        if getattr(self, "_encode", None) is not None and self._data:
            self._data = self._read(change["new"])

    @property
    def answer(self) -> tuple[list[str], Tensor]:
        """The symbols of the answer, END left out, and where each of them looked (K, T)."""
        symbols, looks, _ = self._write(self._inputs(self.text))
        return [self._symbols[i] for i in symbols], looks

    def _inputs(self, text: str) -> Tensor:
        """What the model reads of a text (T, 1, D)."""
        D, weight = self._module.encoder.input_size, self._module.head.weight
        if self._encode is None:
            place = {letter: i for i, letter in enumerate(self._letters)}
            ids = [place.get(letter, len(self._letters)) for letter in plain(text)[:LONGEST]]
            return torch.eye(D, device="cpu")[ids].unsqueeze(1).to(weight.device, weight.dtype)
        x = self._encode(text) if text else torch.zeros(0, 1, D, device="cpu")
        _arguments.is_tensor("encode", x)
        if x.dim() != 3 or tuple(x.shape[1:]) != (1, D):
            raise ValueError(f"encode: expected a result of shape (T, 1, {D}), got {_arguments.shape(x)}")
        return x.to(weight.device, weight.dtype)

    @torch.no_grad()
    def _write(self, x: Tensor) -> tuple[list[int], Tensor, list[float]]:
        """The answer, END left out: its symbols, where each looked (K, T), and how likely each was."""
        if not len(x):
            return [], x.new_zeros(0, 0), []
        lengths = torch.tensor([len(x)], device="cpu")
        symbols, looks = self._module.write(x, lengths, MOST)
        symbols = symbols[: int((symbols[:, 0] != self._module.END).sum())]
        chances = torch.softmax(self._module(x, lengths, symbols)[0], -1)[:-1].gather(2, symbols.unsqueeze(2))
        return symbols[:, 0].tolist(), looks[: len(symbols), 0], chances.flatten().tolist()

    def describe(self) -> str:
        return (
            f"Interactive view: {self.text!r}, what an encoder and a decoder make of it, {''.join(self.answer[0])!r}, "
            "and where the decoder looks. It needs JavaScript, or a running kernel."
        )

    def _read(self, text: str) -> dict[str, Any]:
        module = self._module
        shared = {
            "letters": self._letters,
            "symbols": self._symbols,
            "examples": self._examples,
            "device": device_of(module),
        }
        if self._encode is not None:
            return shared | {"model": None, "traced": self._traced(text)}
        check_weights(module)
        directions = [module.encoder.weights(0, reverse) for reverse in (False, True)]
        layers = {"bridge": module.bridge, "head": module.head, "query": module.query}
        model = {
            "encoder": [_cell(weights) for weights in directions],
            "decoder": _cell(module.decoder.weights()),
            **{name: {"weight": _short(layer.weight), "bias": _short(layer.bias)} for name, layer in layers.items()},
            "key": _short(module.key.weight),
            "score": _short(module.score.weight),
        }
        return shared | {"model": model, "traced": None}

    def _traced(self, text: str) -> dict[str, Any]:
        """What Python computes of a text with ``encode``."""
        x = self._inputs(text)
        T = len(x)
        names = list(self._step_names(text) if self._step_names else text if len(text) == T else range(1, T + 1))
        if len(names) != T:
            raise ValueError(f"step_names: expected {T}, one per step, got {len(names)}")
        symbols, looks, chances = self._write(x)
        names = [str(name) for name in names]
        return {"text": text, "names": names, "symbols": symbols, "looks": looks.tolist(), "chances": chances}


_short = partial(encode, short=True)


def _cell(weights: Weights) -> dict[str, Any]:
    return {name: _short(value) for name, value in weights._asdict().items()}
