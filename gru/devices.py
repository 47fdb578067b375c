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


def available_devices() -> dict[str, torch.device]:
    """Every device that PyTorch can use here by its name, the fastest first: the options of a Dropdown.

    >>> available_devices()["CPU"]
    device(type='cpu')
    """
    found = [torch.device("cuda", i) for i in range(torch.cuda.device_count())]
    found += [torch.device("mps", 0)] * torch.backends.mps.is_available()
    names = [device_name(device) for device in found]
    # Devices of one make are told apart by their number.
    numbered = [
        f"{name} ({device})" if names.count(name) > 1 else name for name, device in zip(names, found, strict=True)
    ]
    return dict(zip([*numbered, "CPU"], [*found, torch.device("cpu")], strict=True))


def device_name(device: torch.device) -> str:
    """What a device is called: "CPU", or as its maker calls it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return "Apple GPU" if device.type == "mps" else device.type.upper()
