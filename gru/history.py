"""A record of what happened in training, as :func:`gru.fit` and the workbench keep it."""

import math
from dataclasses import dataclass, field

RECENT = 20  # updates: one batch alone says little


@dataclass
class History:
    """What happened in training: one entry for each finished epoch, or for each update where these are counted."""

    loss: list[float] = field(default_factory=list)  # mean over the epoch, while the model changes
    accuracy: list[float] = field(default_factory=list)  # 0 to 1, likewise; empty where targets are not classes
    validation_loss: list[float] = field(default_factory=list)  # after the epoch; empty without validation
    validation_accuracy: list[float] = field(default_factory=list)
    seconds: float = 0.0  # in all
    interrupted: bool = False  # stopped by Ctrl-C before the last epoch was done
    unit: str = "epoch"  # what an entry stands for: "epoch" or "update"
    solved: int | None = None  # the epoch or update, counted from 1, after which ``until`` held

    @property
    def epochs(self) -> int:
        """How many epochs were finished; 0 where updates are counted."""
        return len(self.loss) if self.unit == "epoch" else 0

    def recent(self, name: str = "accuracy") -> float:
        """A column's last value, or its mean over the last 20 where these are updates; NaN if it is empty.

        Args:
            name: of the column: "loss", "accuracy", "validation_loss" or "validation_accuracy".

        Returns:
            the mean, a float.
        """
        values = getattr(self, name)[-1 if self.unit == "epoch" else -RECENT :]
        return sum(values) / len(values) if values else math.nan

    def __str__(self) -> str:
        n = len(self.loss)
        parts = [f"{n} {self.unit}{'s' * (n != 1)} in {self.seconds:.1f} s"]
        parts[0] += ", interrupted" * self.interrupted + ", solved" * (self.solved is not None)
        for name in _COLUMNS:
            if getattr(self, name):
                parts.append(f"{name.replace('_', ' ')} {self.recent(name):{'.1%' if 'accuracy' in name else '.4f'}}")
        return ", ".join(parts)

    def _append(self, row: dict[str, float]) -> None:
        for name, value in row.items():
            getattr(self, name).append(value)

    def _drop_half(self) -> None:
        """Ctrl-C may come in the middle of a row."""
        columns = [values for name in _COLUMNS if (values := getattr(self, name))]
        for values in columns:
            del values[min(map(len, columns)) :]


_COLUMNS = ("loss", "accuracy", "validation_loss", "validation_accuracy")
