"""Japanese Vowels: who of nine speakers says "ae"?

Nine men said the two Japanese vowels /ae/ in a row. Every utterance is 7 to 29 steps long; every step holds 12 LPC
cepstrum coefficients, which describe the shape of the vocal tract at that moment. 270 utterances (30 a speaker) are
for training, 370 for testing. A class is a speaker.

The file ``data/japanese_vowels.npz`` holds the original numbers and nothing else. The original writes six decimals; the
file holds the float32 that is nearest, so that rounding to six decimals gives every original number back.
Its arrays, for ``train`` and for ``test``:

    ==============  ============  =======  =====================================
    array           shape         dtype    content
    ==============  ============  =======  =====================================
    NAME_steps      (steps, 12)   float32  the utterances, one after the other
    NAME_lengths    (N,)          int64    steps of each utterance, 7 to 29
    NAME_speaker    (N,)          int64    who speaks, 0 to 8
    ==============  ============  =======  =====================================

``scripts/vendor_japanese_vowels.py`` made the file; ``data/japanese_vowels.md`` names its source and licence and
``data/japanese_vowels.sha256`` its checksum.

Source: Kudo, Toyama and Shimbo (1999), UCI Machine Learning Repository, doi 10.24432/C5NS47, CC BY 4.0; the paper is
"Multidimensional curve classification using passing-through regions", Pattern Recognition Letters 20(11-13).

Glossary: T time (29, the longest utterance), N utterances, D = 12 coefficients.
"""

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from gru.datasets import _file

FILE = _file.DATA / "japanese_vowels.npz"
T_MIN, T_MAX, D, SPEAKERS = 7, 29, 12, 9
COUNTS = {"train": [30] * SPEAKERS, "test": [31, 35, 88, 44, 29, 24, 40, 50, 29]}  # utterances of each speaker


class Utterances(NamedTuple):
    """Utterances of different lengths, padded at the end with zeros to T = 29 steps."""

    x: Tensor  # (T, N, D) float32
    lengths: Tensor  # (N,) int64: x[t, i] is speech for t < lengths[i], padding after it
    speaker: Tensor  # (N,) int64, 0 to 8


class JapaneseVowels(NamedTuple):
    """The two parts as the authors split them, and what people call the classes."""

    train: Utterances  # N = 270
    test: Utterances  # N = 370
    speakers: list[str]  # "1" to "9": the name of class 0 to 8


def japanese_vowels() -> JapaneseVowels:
    """Utterances of nine speakers; the task is to hear who speaks.

    Returns:
        train and test as :class:`Utterances` on the CPU, and the names of the speakers.

    Raises:
        ValueError: the data file is damaged; the message says in what way.
        FileNotFoundError: it is missing.

    >>> data = japanese_vowels()
    >>> data.train.x.shape, data.test.x.shape
    (torch.Size([29, 270, 12]), torch.Size([29, 370, 12]))
    >>> data.test.speaker.bincount().tolist()
    [31, 35, 88, 44, 29, 24, 40, 50, 29]
    """
    return read(FILE)


def read(path: Path, checksum: str | None = None) -> JapaneseVowels:
    """Read and check one data file; ``checksum`` (SHA-256) is by default the one in the ``.sha256`` file beside it."""

    def parse(content: bytes) -> JapaneseVowels:
        return JapaneseVowels(*(_part(content, name) for name in COUNTS), [str(1 + k) for k in range(SPEAKERS)])

    return _file.read(path, parse, "scripts/vendor_japanese_vowels.py", checksum)


def _part(content: bytes, name: str) -> Utterances:
    """The training or the test part, checked."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            steps, lengths, speaker = (arrays[f"{name}_{part}"] for part in ("steps", "lengths", "speaker"))
    except KeyError as error:
        raise ValueError(f"expected {name}_steps, {name}_lengths and {name}_speaker; {error.args[0]}") from error
    except Exception as error:  # a broken archive fails in many ways, from zipfile to zlib
        raise ValueError(
            f"expected a NumPy archive of {len(COUNTS)} x 3 arrays, got {len(content)} bytes ({error})"
        ) from error

    N = sum(COUNTS[name])
    for part, array in (("lengths", lengths), ("speaker", speaker)):
        if array.shape != (N,) or array.dtype != np.int64:
            raise ValueError(f"{name}_{part}: expected int64 of shape ({N},), got {array.dtype} of shape {array.shape}")
    if lengths.min() < T_MIN or lengths.max() > T_MAX:
        raise ValueError(f"{name}_lengths: expected {T_MIN} to {T_MAX}, got {lengths.min()} to {lengths.max()}")
    if speaker.min() < 0 or speaker.max() >= SPEAKERS:
        raise ValueError(f"{name}_speaker: expected 0 to {SPEAKERS - 1}, got {speaker.min()} to {speaker.max()}")
    counts = np.bincount(speaker, minlength=SPEAKERS).tolist()
    if counts != COUNTS[name]:
        raise ValueError(f"{name}_speaker: expected {COUNTS[name]} utterances of each speaker, got {counts}")
    if steps.shape != (lengths.sum(), D) or steps.dtype != np.float32:
        expected = f"float32 of shape ({lengths.sum()}, {D})"
        raise ValueError(f"{name}_steps: expected {expected}, got {steps.dtype} of shape {steps.shape}")
    if not np.isfinite(steps).all():
        step, coefficient = np.argwhere(~np.isfinite(steps))[0]
        value = steps[step, coefficient]
        raise ValueError(
            f"{name}_steps: expected finite numbers, got {value} at step {step}, coefficient {coefficient}"
        )

    utterances = torch.from_numpy(steps).split(lengths.tolist())  # N x (length, D)
    x = torch.zeros(T_MAX, N, D, device="cpu")
    padded = pad_sequence(utterances)  # (longest, N, D); the longest training utterance has 26 steps
    x[: len(padded)] = padded
    return Utterances(x, torch.from_numpy(lengths), torch.from_numpy(speaker))
