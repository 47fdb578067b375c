r"""VanishingLab: how fast the gradient vanishes in a tanh RNN and in a GRU, side by side.

Glossary
    T, D, H      steps, input size, hidden size
    rho          spectral radius: the largest absolute value of an eigenvalue
    distance k   of two states: from h_{T-k} to h_T
"""

from typing import Any

import numpy as np
import torch
import traitlets
from torch import Tensor, nn

from gru.cells import ElmanCell
from gru.inspect.flow import jacobian_norms
from gru.layer import GRU
from gru.views._base import Number, View

INPUT_SIZE = 8
STEPS = (10, 200)
STATE = ("spectral_radius", "steps", "update_bias", "seed", "distance", "play", "hidden_size")


class VanishingLab(View, module="vanishing_lab", state=STATE):
    r"""A tanh RNN and a GRU with random weights, and the spectral norm of dh_T/dh_t at every distance T - t.

    ::

        x_t ~ N(0, 1), D = 8     W ~ N(0, 1/D)     U ~ N(0, 1), scaled to the spectral radius rho     no biases but b_z
        tanh RNN    h_t = tanh(W x_t + U h_{t-1})
        GRU         resets after the product, z keeps; each of its three U's has the spectral radius rho

    The tanh RNN's gradient has the bound sigma^k, where sigma is the largest singular value of U: below 1 it must
    vanish; above 1 it can explode, and need not (Pascanu et al. 2013, arXiv 1211.5063). All is computed in the page,
    from the same seeded numbers as here.

    Args:
        hidden_size: H, 2 to 64.
        spectral_radius, steps, update_bias, seed, distance: what to show first; Reset leads back to it.
        play: sweep the bias from 0 to 4 once, in three seconds, when a reader first has the view in sight; where less
            motion is wanted, the bias is 4 at once.

    Traits, in step with the page both ways:
        spectral_radius (float, 0.5 to 2): rho.
        steps (int, 10 to 200): T.
        update_bias (float, -2 to 6): b_z of every unit of the GRU.
        seed (int, 0 to 99): of weights and inputs.
        distance (int, 1 to 200): where the cursor reads; no farther than ``steps``.
        hidden_size (int): H.
        play (bool).

    Raises:
        TypeError: an unknown keyword.
        TraitError: a trait outside its range.

    >>> lab = VanishingLab(steps=20, hidden_size=8)
    >>> {name: tuple(norms.shape) for name, norms in lab.norms.items()}
    {'tanh RNN': (20,), 'GRU': (20,)}
    """

    spectral_radius = Number(1.0, min=0.5, max=2.0).tag(sync=True)
    steps = traitlets.Int(60, min=STEPS[0], max=STEPS[1]).tag(sync=True)
    update_bias = Number(0.0, min=-2.0, max=6.0).tag(sync=True)
    seed = traitlets.Int(0, min=0, max=99).tag(sync=True)
    distance = traitlets.Int(20, min=1, max=STEPS[1]).tag(sync=True)
    hidden_size = traitlets.Int(24, min=2, max=64).tag(sync=True)
    play = traitlets.Bool(False).tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        if traits.get("steps") in range(STEPS[0], STEPS[1] + 1):
            traits.setdefault("distance", max(1, traits["steps"] // 3))
        super().__init__(**traits)

    @property
    def x(self) -> Tensor:
        """The inputs (T, 1, D), in double precision."""
        return self._drawn()["x"][: self.steps].unsqueeze(1)

    @property
    def rnn(self) -> ElmanCell:
        """The tanh RNN of the drawing, in double precision."""
        drawn = self._drawn()
        return _with(ElmanCell(INPUT_SIZE, self.hidden_size, device="cpu"), drawn["W"], drawn["U"])

    @property
    def gru(self) -> GRU:
        """The GRU of the drawing, in double precision."""
        drawn, H = self._drawn(), self.hidden_size
        layer = _with(GRU(INPUT_SIZE, H, device="cpu"), drawn["W3"], drawn["U3"])
        with torch.no_grad():
            layer.bias_ih_l0[H : 2 * H] = self.update_bias
        return layer

    @property
    def norms(self) -> dict[str, Tensor]:
        """The spectral norm of dh_T/dh_t at distances 1 to T, (T,), of both."""
        x = self.x
        return {name: jacobian_norms(module, x).flip(0) for name, module in (("tanh RNN", self.rnn), ("GRU", self.gru))}

    @property
    def decay(self) -> dict[str, float]:
        """What a step leaves in both: the factor that, repeated over the farther half, gives what the end has."""
        half = self.steps // 2
        return {
            name: ((norms[-1].log() - norms[half - 1].log()) / (self.steps - half)).exp().item()
            for name, norms in self.norms.items()
        }

    def describe(self) -> str:
        return (
            f"Interactive view: how the gradient vanishes over {self.steps} steps in a tanh RNN and in a GRU of "
            f"{self.hidden_size} units under a bias on its update gate, and the eigenvalues that tell why. "
            "It needs JavaScript, or a running kernel."
        )

    def _drawn(self) -> dict[str, Tensor]:
        """Inputs and weights, in the order in which the page draws them."""
        H, D = self.hidden_size, INPUT_SIZE
        shapes = {"x": (STEPS[1], D), "W": (H, D), "U": (H, H), "W3": (3 * H, D), "U3": (3 * H, H)}
        numbers = normal(self.seed, sum(rows * columns for rows, columns in shapes.values()))
        drawn, at = {}, 0
        for name, (rows, columns) in shapes.items():
            drawn[name] = torch.from_numpy(numbers[at : at + rows * columns].copy()).view(rows, columns)
            at += rows * columns
            if name.startswith("W"):
                drawn[name] /= D**0.5
            elif name.startswith("U"):
                for U in drawn[name].split(H):  # one per gate
                    U *= self.spectral_radius / torch.linalg.eigvals(U).abs().max()
        return drawn


def normal(seed: int, count: int) -> np.ndarray:
    """Normal numbers from a seed, float64, the same as ``normal`` in js/random.js.

    mulberry32 (Tommy Ettinger, public domain) for uniform ones, Box and Muller's transform of two at a time.

    >>> normal(3, 2).round(6).tolist()
    [0.786385, 0.194878]
    """
    pairs = -(-count // 2)
    with np.errstate(over="ignore"):  # 32-bit arithmetic that wraps around is what is meant
        state = np.uint32(seed) + np.arange(1, 2 * pairs + 1, dtype=np.uint32) * np.uint32(0x6D2B79F5)
        t = (state ^ (state >> np.uint32(15))) * (state | np.uint32(1))
        t ^= t + (t ^ (t >> np.uint32(7))) * (t | np.uint32(61))
        uniform = ((t ^ (t >> np.uint32(14))).astype(np.float64) + 0.5) / 2**32
    radius, angle = np.sqrt(-2 * np.log(uniform[::2])), 2 * np.pi * uniform[1::2]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).ravel()[:count]


def _with(module: nn.Module, W: Tensor, U: Tensor) -> nn.Module:
    """The module with these weights and no biases."""
    with torch.no_grad():
        for name, parameter in module.double().named_parameters():
            parameter.copy_(W if "weight_ih" in name else U if "weight_hh" in name else torch.zeros_like(parameter))
    return module.requires_grad_(False)
