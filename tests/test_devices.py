"""Devices and their names."""

import torch

import gru


def test_the_fastest_comes_first():
    devices = gru.available_devices()
    first = next(iter(devices.values()))
    assert first.type == gru.best_device().type
    assert devices["CPU"] == torch.device("cpu")
    # A parameter that was moved there is on this very device: a Dropdown can begin with it.
    assert torch.zeros(1, device=first).device == first


def test_devices_of_one_make_are_told_apart(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: ["Big", "Small", "Big"][device.index])
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert [(name, str(device)) for name, device in gru.available_devices().items()] == [
        ("Big (cuda:0)", "cuda:0"),
        ("Small", "cuda:1"),
        ("Big (cuda:2)", "cuda:2"),
        ("Apple GPU", "mps:0"),
        ("CPU", "cpu"),
    ]
