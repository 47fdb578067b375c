r"""VowelPlayer: speech from its LPC cepstrum, seen as a spectral envelope over time, and heard.

Sources
    LPC cepstrum          Atal 1974, Journal of the Acoustical Society of America 55(6)
    minimum phase         Oppenheim and Schafer, Discrete-Time Signal Processing, on the complex cepstrum

Glossary
    c (12)      the cepstrum of one step     omega = 2 pi f / rate
    H           the filter that the vocal tract is; its envelope is |H(f)|
    hop         samples from one step to the next, at ``rate`` samples per second
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import traitlets
from torch import Tensor

from gru import _arguments
from gru.views._base import View
from gru.views._data import check_finite, counted, labels_of

RATE, HOP = 10_000, 64  # Kudo et al. 1999: 10 kHz, a frame every 6.4 ms
TAPS = 256  # of the filter; by then its response has died away
SLOWER, PITCH = (1, 16), (70, 250)
STATE = ("utterance", "step", "slower", "pitch", "_data")


class VowelPlayer(View, module="vowel_player", state=STATE):
    r"""The spectral envelope of utterances given as LPC cepstra, and a player that makes them audible.

    ::

        ln |H(f)| = sum over n of c_n cos(n omega)              in decibels: 20 log10 |H|
        h_0 = 1,  m h_m = sum over n of n c_n h_{m-n}           the filter's response, m = 1, 2, ..

    What is heard is a pulse train of the given pitch through H, whose cepstrum moves from step to step. Only the
    envelope comes from the recording. Its pitch, its loudness and its noise are not in the twelve numbers: the pitch is
    yours, every pulse is equally loud.

    Args:
        x: cepstra (T, B, 12), as ``gru.datasets.japanese_vowels()`` has them, not standardised.
        lengths: valid steps of each (B,); T where None.
        names: what to call each utterance.
        utterance, step, slower, pitch: what to show first; Reset leads back to it.

    Traits, in step with the page both ways:
        utterance, step (int): what is shown, both from 0 on.
        slower (int, 1 to 16): how many times slower than it was spoken.
        pitch (int, 70 to 250): of the voice, in hertz.

    Raises:
        TypeError: x is not a tensor, or an unknown keyword.
        ValueError: x is not (T, B, N), or lengths or names that do not fit it.
        TraitError: a trait outside its range.

    >>> from gru import datasets
    >>> x, lengths, speaker = datasets.japanese_vowels().test
    >>> player = VowelPlayer(x[:, :2], lengths[:2])
    >>> player.peaks[:2]
    [810, 2480]
    """

    utterance = traitlets.Int(0, min=0).tag(sync=True)
    step = traitlets.Int(0, min=0).tag(sync=True)
    slower = traitlets.Int(8, min=SLOWER[0], max=SLOWER[1]).tag(sync=True)
    pitch = traitlets.Int(120, min=PITCH[0], max=PITCH[1]).tag(sync=True)
    _data = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        x: Tensor,
        lengths: Tensor | Sequence[int] | None = None,
        *,
        names: Sequence[str] | None = None,
        **traits: Any,
    ) -> None:
        _arguments.is_tensor("x", x)
        if x.dim() != 3 or 0 in x.shape[:2]:
            raise ValueError(f"x: expected cepstra (T, B, N), got {_arguments.shape(x)}")
        T, B, _ = x.shape
        steps = [T] * B if lengths is None else [int(length) for length in lengths]
        if len(steps) != B or not all(1 <= length <= T for length in steps):
            raise ValueError(f"lengths: expected {B} numbers from 1 to {T}, got {steps}")
        check_finite("x", x)
        names = labels_of("names", names, B, "utterance")
        self._cepstra = [x[:length, i].detach().cpu().double() for i, length in enumerate(steps)]
        numbers = [np.round(one.flatten().numpy(), 5).tolist() for one in self._cepstra]
        super().__init__(_data={"cepstra": numbers, "order": x.shape[2], "names": names}, **traits)

    @property
    def cepstra(self) -> Tensor:
        """Of the utterance that is shown: (steps, N), in double precision."""
        return self._cepstra[self.utterance]

    @property
    def peaks(self) -> list[int]:
        """Frequencies at which the envelope of the step shown has a maximum, in hertz, to the next 10."""
        frequencies = torch.arange(0, RATE // 2 + 1, 10, device="cpu")
        curve = envelope(self.cepstra[self.step], frequencies)
        inside = (curve[1:-1] > curve[:-2]) & (curve[1:-1] >= curve[2:])
        return frequencies[1:-1][inside].tolist()

    @property
    def sound(self) -> np.ndarray:
        """What the player plays, at 10,000 samples per second, between -1 and 1: (steps * 64 * slower,)."""
        frames = self.cepstra.numpy()
        frame = HOP * self.slower
        samples = np.zeros(len(frames) * frame + TAPS)
        period = RATE / self.pitch
        for k in range(math.ceil(len(frames) * frame / period)):
            at = math.floor(k * period)
            place = min(max(at / frame - 0.5, 0), len(frames) - 1)  # a frame's numbers hold in its middle
            low = min(math.floor(place), max(len(frames) - 2, 0))
            share = place - low
            cepstrum = (1 - share) * frames[low] + share * frames[min(low + 1, len(frames) - 1)]
            pulse = response(cepstrum)
            samples[at : at + TAPS] += pulse / np.sqrt(np.square(pulse).sum())
        samples = samples[: len(frames) * frame]
        return 0.8 * samples / np.abs(samples).max()

    @traitlets.validate("utterance", "step")
    def _in_range(self, proposal: dict[str, Any]) -> int:
        name, value = proposal["trait"].name, proposal["value"]
        high = len(self._cepstra) - 1 if name == "utterance" else max(map(len, self._cepstra)) - 1
        if value > high:
            raise traitlets.TraitError(f"{name}: expected 0 to {high}, got {value}")
        return value

    @traitlets.observe("utterance")
    def _keep_step(self, change: dict[str, Any]) -> None:
        self.step = min(self.step, len(self.cepstra) - 1)

    def describe(self) -> str:
        return (
            f"Interactive view: the spectral envelope of {counted(len(self._cepstra), 'utterance')} over time, and a "
            f"player for them; {self._data['names'][self.utterance]} first, {counted(len(self.cepstra), 'step')} long. "
            "It needs JavaScript, or a running kernel."
        )


def envelope(cepstrum: Tensor, frequencies: Tensor) -> Tensor:
    """20 log10 |H| in decibels (..., F) of cepstra (..., N) at frequencies (F,) in hertz.

    >>> envelope(torch.zeros(12), torch.tensor([0.0, 1000.0])).tolist()
    [0.0, 0.0]
    """
    n = torch.arange(1, cepstrum.shape[-1] + 1, dtype=torch.float64, device="cpu")
    waves = torch.cos(2 * math.pi / RATE * frequencies.double().unsqueeze(0) * n.unsqueeze(1))  # (N, F)
    return 20 / math.log(10) * (cepstrum.double() @ waves)


def response(cepstrum: np.ndarray) -> np.ndarray:
    """The filter's answer to one pulse (256,), of minimum phase, from a cepstrum (N,).

    >>> response(np.array([0.5]))[:3].round(4).tolist()
    [1.0, 0.5, 0.125]
    """
    N = len(cepstrum)
    weighted = np.arange(1, N + 1) * cepstrum
    h = np.zeros(N + TAPS)  # N zeros before the first sample
    h[N] = 1
    for m in range(1, TAPS):
        h[N + m] = weighted @ h[N + m - 1 : m - 1 : -1] / m
    return h[N:]
