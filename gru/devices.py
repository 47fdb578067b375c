"""Where to compute."""

import torch


def best_device() -> torch.device:
    """The fastest device that PyTorch can use here: CUDA, else Apple's Metal, else the CPU.

    >>> best_device().type in ("cuda", "mps", "cpu")
    True
    """
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")
