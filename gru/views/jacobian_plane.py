r"""JacobianPlane: what one 2 x 2 Jacobian does to a circle, and what its powers do.

Glossary
    J              the matrix, rows (a, b) and (c, d)
    sigma_1, _2    singular values: the longest and the shortest vector that J makes of one of length 1
    lambda_1, _2   eigenvalues; rho, the larger of their absolute values, is the spectral radius
    k              how many times J is applied
"""

from typing import Any

import torch
import traitlets
from torch import Tensor

from gru.views._base import Number, View

ENTRY = Number(min=-2.0, max=2.0)
POWERS = 20
STATE = ("matrix", "power")


class JacobianPlane(View, module="jacobian_plane", state=STATE):
    r"""A 2 x 2 matrix that can be dragged: the ellipse that it makes of a circle, its singular values and eigenvalues.

    ::

        J = U diag(sigma_1, sigma_2) V^T     |J^k| <= sigma_1^k          spectral norm: how far J^k stretches at most
        J v = lambda v                       |J^k|^(1/k) -> rho          as k grows

    So the largest singular value bounds every single step, and the spectral radius decides the long run. The view draws
    the circle's image under J^k, and says of its longest and shortest direction what has become of it; beside it
    ``|J^k|`` between the bound and rho^k, and the least that J^k stretches, for k = 1 to 20. The matrix that it begins
    with keeps one direction (lambda = 1) and halves the other.

    Args:
        matrix: J, a (2, 2) tensor or its four entries row by row, each from -2 to 2.
        power: k, what to show first; Reset leads back to both.

    Traits, in step with the page both ways:
        matrix (list of 4 floats): a, b, c, d.
        power (int, 1 to 20): k.

    Raises:
        TypeError: an unknown keyword, or a matrix without numbers.
        TraitError: a matrix that is not four numbers from -2 to 2, or a power outside its range.

    Source: Golub and Van Loan, Matrix Computations, sections 2.4 and 7.3.

    >>> plane = JacobianPlane(matrix=[0.5, 1.5, 0.0, 0.5])
    >>> plane.norms[:2].round(decimals=2).tolist(), plane.spectral_radius
    ([1.65, 1.54], 0.5)
    """

    matrix = traitlets.List(ENTRY, minlen=4, maxlen=4).tag(sync=True)
    power = traitlets.Int(1, min=1, max=POWERS).tag(sync=True)

    def __init__(self, matrix: Tensor | list[float] = (0.9, 0.2, 0.2, 0.6), **traits: Any) -> None:
        try:
            entries = torch.as_tensor(matrix, dtype=torch.float64, device="cpu").flatten().tolist()
        except (TypeError, ValueError, RuntimeError):
            raise TypeError(f"matrix: expected a tensor (2, 2) or four numbers, got {matrix!r}") from None
        super().__init__(matrix=entries, **traits)

    @property
    def jacobian(self) -> Tensor:
        """J (2, 2), in double precision."""
        return torch.tensor(self.matrix, dtype=torch.float64, device="cpu").view(2, 2)

    @property
    def singular_values(self) -> Tensor:
        """sigma_1 and sigma_2 (2,), the larger first."""
        return torch.linalg.svdvals(self.jacobian)

    @property
    def eigenvalues(self) -> Tensor:
        """lambda_1 and lambda_2 (2,), complex."""
        return torch.linalg.eigvals(self.jacobian)

    @property
    def spectral_radius(self) -> float:
        """rho, the larger absolute value of an eigenvalue."""
        return self.eigenvalues.abs().max().item()

    @property
    def norms(self) -> Tensor:
        """The spectral norm of J^k for k = 1 to 20: (20,)."""
        powers = [torch.linalg.matrix_power(self.jacobian, k) for k in range(1, POWERS + 1)]
        return torch.linalg.matrix_norm(torch.stack(powers), 2)

    def describe(self) -> str:
        (a, b), (c, d) = self.jacobian.tolist()
        largest, smallest = self.singular_values.tolist()
        return (
            f"Interactive view: the matrix with rows ({a:g}, {b:g}) and ({c:g}, {d:g}), the ellipse that it makes of a "
            f"circle, its singular values {largest:.2f} and {smallest:.2f}, its spectral radius "
            f"{self.spectral_radius:.2f}, and its powers. It needs JavaScript, or a running kernel."
        )
