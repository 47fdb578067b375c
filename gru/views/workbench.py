"""Workbench: a reader writes a recurrent cell as equations, is told what it is, trains it in the page, looks inside.

Glossary
    T, B, D, H    steps, batch, input size, units
    C             classes; 0 where a number is asked for
"""

from typing import Any

import torch
import traitlets

from gru.formula import FormulaCell, FormulaClassifier
from gru.history import History
from gru.views._base import Number, View
from gru.views._data import check_weights, counted

# D and C of each task, as js/bench_tasks.js has them; a test holds the two together.
TASKS = {"latch": (8, 8), "adding": (2, 0), "copy": (6, 6), "parity": (2, 2), "since": (3, 2), "counting": (2, 6)}

GRU = """\
r = sigmoid(W_r @ x + U_r @ h + b_r)              # reset gate
z = sigmoid(W_z @ x + U_z @ h + b_z)              # update gate
n = tanh(W_n @ x + b_in + r * (U_n @ h + b_hn))   # candidate
h = (1 - z) * n + z * h                           # z keeps"""
TANH = "h = tanh(W @ x + U @ h + b)"

SETTINGS = ("task", "steps", "units", "batch", "lr", "epsilon", "clip", "gate", "recurrent", "seed")
STATE = ("text", *SETTINGS, "curve", "update", "sequence", "step", "play", "_data")


class Workbench(View, module="workbench", state=STATE):
    r"""Write a recurrent cell as equations, train it where it stands, and watch loss, gates and gradients.

    The language is that of :class:`gru.FormulaCell`. The page reads the equations while they are typed, says under each
    line what it sets or what is wrong, and in a sentence what the cell is: by seeded numbers against the catalogue of
    :mod:`gru.checks`. It lists what is learned, and names what nothing sets, which lines do nothing, and a cell that
    remembers nothing. *Train* then teaches it a task, in double precision, with Adam, in slices of a frame; the same
    seed gives the same curve in the same browser. Nothing of it needs a kernel.

    Args:
        cell: a :class:`gru.FormulaCell` to begin from, with its weights; its input size must be the task's.
        text: equations to begin from instead; a tanh RNN where neither is given.
        against: equations of a cell that learns beside it, as a grey line; by default a GRU beside the tanh RNN, and
            nothing beside a cell of yours. "" for nothing.
        task: "latch", "adding", "copy", "parity", "since" or "counting".
        steps, units, batch, lr, epsilon, clip, gate, recurrent, seed: how it is trained; Reset leads back to them.
        play: press Train once, when a reader first has it in sight; not where less motion is asked for.

    Traits, in step with the page both ways:
        text (str); task (str); steps (int, 2 to 100), units (int, 1 to 64), batch (int, 1 to 64), seed (int, 0 to 99);
        lr, epsilon, clip (float; no clipping at 0);
        gate (str): where the update gate's bias starts, "torch", "zero", "one" or "chrono";
        recurrent (str): how U starts, "uniform", "orthogonal" or "identity";
        curve (str): "loss" or "right"; update (int): the moment that is looked at, -1 for the newest;
        sequence, step (int): where it is looked inside; play (bool).

    What was learned by the last pause, of a live view: :attr:`module` and :attr:`history`.

    Raises:
        TypeError: an unknown keyword; cell is not a FormulaCell.
        ValueError: both cell and text; a cell whose input size is not the task's.
        TraitError: a trait outside its range.

    >>> bench = Workbench(text="h = tanh(W @ x + U @ h)", task="latch", steps=20)
    >>> bench.units, bench.history.loss
    (16, [])
    """

    text = traitlets.Unicode(TANH).tag(sync=True)
    task = traitlets.Enum(list(TASKS), "adding").tag(sync=True)
    steps = traitlets.Int(20, min=2, max=100).tag(sync=True)
    units = traitlets.Int(16, min=1, max=64).tag(sync=True)
    batch = traitlets.Int(16, min=1, max=64).tag(sync=True)
    lr = Number(0.01, min=1e-6, max=10.0).tag(sync=True)
    epsilon = Number(1e-8, min=0.0, max=1.0).tag(sync=True)
    clip = Number(1.0, min=0.0, max=1e6).tag(sync=True)
    gate = traitlets.Enum(["torch", "zero", "one", "chrono"], "torch").tag(sync=True)
    recurrent = traitlets.Enum(["uniform", "orthogonal", "identity"], "uniform").tag(sync=True)
    seed = traitlets.Int(0, min=0, max=99).tag(sync=True)
    curve = traitlets.Enum(["loss", "right"], "loss").tag(sync=True)
    update = traitlets.Int(-1, min=-1).tag(sync=True)
    sequence = traitlets.Int(0, min=0, max=7).tag(sync=True)
    step = traitlets.Int(0, min=0).tag(sync=True)
    play = traitlets.Bool(False).tag(sync=True)
    _data = traitlets.Dict().tag(sync=True)
    _trained = traitlets.Dict().tag(sync=True)  # what the page tells when it pauses

    def __init__(self, cell: FormulaCell | None = None, *, against: str | None = None, **traits: Any) -> None:
        weights = None
        if cell is not None:
            if not isinstance(cell, FormulaCell):
                raise TypeError(f"cell: expected a gru.FormulaCell or None, got {type(cell).__name__}")
            if "text" in traits:
                raise ValueError("text: expected none with a cell, which has its own")
            task = traits.get("task", "adding")
            if task in TASKS and TASKS[task][0] != cell.input_size:
                raise ValueError(f"cell: expected input size {TASKS[task][0]} for {task}, got {cell.input_size}")
            traits |= {"text": cell.text, "units": cell.hidden_size}
            check_weights(cell)
            named = cell.state_dict().items()
            weights = {name: value.detach().double().cpu().flatten().tolist() for name, value in named}
        if against is None:
            against = GRU if "text" not in traits else ""
        traits.setdefault("step", max(0, traits.get("steps", 20) - 1))
        super().__init__(_data={"against": against, "weights": weights}, **traits)

    @property
    def module(self) -> FormulaClassifier:
        """The trained cell with its head, in double precision: logits (B, C), or the sum asked for, (B, 1).

        Raises:
            LookupError: nothing has been trained yet.
        """
        found = self._trained
        if not found:
            raise LookupError(
                "module: expected a trained cell, but nothing has been trained yet; press Train, then Pause"
            )
        D, C = TASKS[found["task"]]
        cell = FormulaCell(found["text"], D, found["units"], device="cpu", dtype=torch.double)
        module = FormulaClassifier(cell, C or 1)
        own = {**{f"cell.{name}": one for name, one in cell.named_parameters()}, "head.weight": module.head.weight}
        own["head.bias"] = module.head.bias
        with torch.no_grad():
            for name, parameter in own.items():
                values = torch.tensor(found["weights"][name.removeprefix("cell.")], dtype=torch.double, device="cpu")
                parameter.copy_(values.view(parameter.shape))
        return module.eval()

    @property
    def history(self) -> History:
        """Loss and share right of every update of the last run that was told of; empty before there is one."""
        found = self._trained
        columns = {"loss": found.get("loss", []), "accuracy": found.get("right", [])}
        return History(**columns, seconds=found.get("seconds", 0.0), unit="update")

    def describe(self) -> str:
        shown = self.text if len(self.text) < 400 else f"{self.text[:400]} ..."
        return (
            f"Interactive view: a recurrent cell of {counted(self.units, 'unit')}, written as equations ({shown}), and "
            f"how it learns the task {self.task} over {self.steps} steps. It needs JavaScript."
        )
