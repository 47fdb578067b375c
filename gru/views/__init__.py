"""Live views: one Python class and one ES module each, alive in a notebook and on a built page.

>>> import torch, gru
>>> from gru import views
>>> view = views.GateExplorer(gru.GRU(4, 5), torch.zeros(7, 2, 4))
>>> view.update_bias = 2.0
>>> view.trace.z.shape
torch.Size([7, 5])
"""

from gru.views._base import View, offline, page_script
from gru.views.alignment_view import AlignmentView
from gru.views.automaton_reader import AutomatonReader
from gru.views.cell_anatomy import CellAnatomy
from gru.views.forecast_lab import ForecastLab
from gru.views.gate_explorer import GateExplorer
from gru.views.gate_puzzle import GatePuzzle
from gru.views.gradient_loom import GradientLoom
from gru.views.jacobian_plane import JacobianPlane
from gru.views.memory_dial import MemoryDial
from gru.views.memory_ledger import MemoryLedger
from gru.views.parallel_newton import ParallelNewton
from gru.views.phase_plane import PhasePlane
from gru.views.vanishing_lab import VanishingLab
from gru.views.variant_lab import VariantLab
from gru.views.vowel_player import VowelPlayer
from gru.views.weight_layouts import WeightLayouts
from gru.views.word_reader import WordReader
from gru.views.workbench import Workbench

__all__ = [
    "AlignmentView",
    "AutomatonReader",
    "CellAnatomy",
    "ForecastLab",
    "GateExplorer",
    "GatePuzzle",
    "GradientLoom",
    "JacobianPlane",
    "MemoryDial",
    "MemoryLedger",
    "ParallelNewton",
    "PhasePlane",
    "VanishingLab",
    "VariantLab",
    "View",
    "VowelPlayer",
    "WeightLayouts",
    "WordReader",
    "Workbench",
    "offline",
    "page_script",
]
