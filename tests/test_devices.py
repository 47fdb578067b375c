"""Devices and their names."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.utils.rnn import pack_sequence
from torch.testing import assert_close

import gru
from gru import tasks


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


def test_another_default_device_changes_nothing(monkeypatch):
    """Whatever is drawn or counted on the CPU says so; "meta" stands in for the GPU that someone made the default."""
    layer = gru.GRU(3, 4)
    packed = pack_sequence([torch.randn(2, 3), torch.randn(4, 3)], enforce_sorted=False)
    expected = layer(packed)[0].data
    data = torch.randn(6, 8, 3), torch.arange(8) % 2
    model = gru.GRUClassifier(3, 4, 2)
    with torch.device("meta"):
        assert_close(layer(packed)[0].data, expected)  # a default device is a mode, under which the compiled walk rests
        for task in (tasks.latch, tasks.adding, tasks.copy):
            assert {part.device.type for part in next(task(5, 2, device="cpu"))} == {"cpu"}
        gru.init_orthogonal_(gru.init_chrono_(layer, 10))
        gru.fit(model, *data, lengths=torch.full((8,), 6, device="cpu"), epochs=1, progress=False)
    assert layer.weight_hh_l0.device.type == "cpu"


@pytest.mark.parametrize("hidden_size", [4, 64])
def test_tensors_without_numbers(hidden_size):
    """What a compiler or a planner sends through to learn shapes: as torch.nn.GRU lets it."""
    with FakeTensorMode():
        assert gru.GRU(3, hidden_size)(torch.randn(5, 16, 3))[0].shape == (5, 16, hidden_size)
    packed = pack_sequence([torch.randn(4, 3), torch.randn(2, 3)]).to("meta")
    assert gru.GRU(3, hidden_size, device="meta")(packed)[0].data.shape == (6, hidden_size)
