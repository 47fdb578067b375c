"""Weights in files: float16 in one .npz for all seeds of a model; beside it a checksum, and the figures it reached."""

import io
import json
from pathlib import Path

import numpy as np
import torch
from torch import nn

from gru.datasets import _file

WEIGHTS = _file.DATA.parent / "weights"
SCRIPT = "scripts/train_weights.py"


def save(name: str, models: dict[int, nn.Module], figures: dict[str, list[float]]) -> None:
    """Write the weights of some seeds, and what they reach with the weights as they are written."""
    arrays = {
        f"{seed}/{key}": value.detach().cpu().numpy().astype(np.float16)
        for seed, model in models.items()
        for key, value in model.state_dict().items()
    }
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    WEIGHTS.mkdir(exist_ok=True)
    _file.write(WEIGHTS / f"{name}.npz", content.getvalue())
    card = {"script": SCRIPT, "torch": torch.__version__, "seeds": [*models], "figures": figures}
    (WEIGHTS / f"{name}.json").write_text(json.dumps(card, indent=2) + "\n")


def load(name: str, model: nn.Module, seed: int, folder: Path = WEIGHTS) -> nn.Module:
    """Give a model the weights of one seed, and return it in evaluation mode.

    Raises:
        ValueError: the file is damaged, has no such seed, or holds another model.
    """

    def parse(content: bytes) -> dict[str, torch.Tensor]:
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                seeds = sorted({int(key.partition("/")[0]) for key in arrays})
                mine = {key.partition("/")[2]: arrays[key] for key in arrays if key.startswith(f"{seed}/")}
        except Exception as error:  # a broken archive fails in many ways, from zipfile to zlib
            raise ValueError(f"expected a NumPy archive of weights, got {len(content)} bytes ({error})") from error
        if not mine:
            raise ValueError(f"expected weights of seed {seed}, got those of {seeds}")
        for key, value in mine.items():
            if not np.isfinite(value).all():
                raise ValueError(f"{seed}/{key}: expected finite numbers, got NaN or infinity")
        return {key: torch.from_numpy(value.astype(np.float32)) for key, value in mine.items()}

    state = _file.read(folder / f"{name}.npz", parse, SCRIPT)
    expected = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    found = {key: tuple(value.shape) for key, value in state.items()}
    if found != expected:
        wrong = sorted(key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key))[0]
        raise ValueError(
            f"{name}.npz holds another model: {wrong}: expected shape {expected.get(wrong)}, got {found.get(wrong)}"
        )
    model.load_state_dict(state)
    return model.eval()


def figures(name: str) -> dict[str, list[float]]:
    """What each seed reached when its weights were written."""
    return json.loads((WEIGHTS / f"{name}.json").read_text())["figures"]


def rounded(model: nn.Module) -> nn.Module:
    """The model with its weights as a file keeps them: rounded to float16."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.half().float())
    return model.eval()
