"""The gated recurrent unit, explained and exact.

>>> import torch, gru
>>> layer = gru.GRU(input_size=12, hidden_size=32)
>>> outputs, h_n = layer(torch.zeros(29, 1, 12))
>>> gru.trace(layer, torch.zeros(29, 1, 12)).z.shape
torch.Size([29, 1, 32])

Submodules such as ``gru.views``, ``gru.plots`` and ``gru.datasets`` load when they are first named, so that
``import gru`` brings neither matplotlib nor ipywidgets.
"""

import importlib
import pkgutil

from gru import equations
from gru.cells import ElmanCell, ResetAfterCell, ResetBeforeCell
from gru.devices import available_devices, best_device
from gru.equations import Gates, Weights
from gru.formula import FormulaCell, FormulaClassifier
from gru.history import History
from gru.init import init_chrono_, init_orthogonal_
from gru.inspect.automaton import Automaton, automaton
from gru.inspect.dynamics import FixedPoints, Solution, fixed_points, lyapunov, solve
from gru.inspect.flow import Flow, gradient_flow, jacobian_norms, step_jacobian
from gru.inspect.ledger import Ledger, ledger
from gru.inspect.recurrences import Recurrence, recurrences
from gru.inspect.replay import Edit, replay
from gru.inspect.trace import Trace, trace
from gru.layer import GRU, weights_of
from gru.models import GRUClassifier, GRUForecaster
from gru.training import fit

__version__ = "0.1.0"

__all__ = [
    "GRU",
    "Automaton",
    "Edit",
    "ElmanCell",
    "FixedPoints",
    "Flow",
    "FormulaCell",
    "FormulaClassifier",
    "GRUClassifier",
    "GRUForecaster",
    "Gates",
    "History",
    "Ledger",
    "Recurrence",
    "ResetAfterCell",
    "ResetBeforeCell",
    "Solution",
    "Trace",
    "Weights",
    "automaton",
    "available_devices",
    "best_device",
    "equations",
    "fit",
    "fixed_points",
    "gradient_flow",
    "init_chrono_",
    "init_orthogonal_",
    "jacobian_norms",
    "ledger",
    "lyapunov",
    "recurrences",
    "replay",
    "solve",
    "step_jacobian",
    "trace",
    "weights_of",
]


_SUBMODULES = {found.name for found in pkgutil.iter_modules(__path__) if not found.name.startswith("_")}


def __getattr__(name: str):
    """Load a submodule when it is first named."""
    if name in _SUBMODULES:
        return importlib.import_module(f"gru.{name}")
    raise AttributeError(f"module 'gru' has no attribute '{name}'")


def __dir__() -> list[str]:
    """What is here, loaded or not: for completion."""
    return [*{*globals(), *_SUBMODULES}]
