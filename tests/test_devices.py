"""Devices and their names."""

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.utils.rnn import pack_sequence
from torch.testing import assert_close
from views.models import SMALL

import gru
from gru import tasks, views

# Views that show something without a model of the reader's.
ALONE = [
    views.CellAnatomy,
    views.GatePuzzle,
    views.GradientLoom,
    views.JacobianPlane,
    views.MemoryDial,
    views.ParallelNewton,
    views.PhasePlane,
    views.VanishingLab,
    views.VariantLab,
    views.WeightLayouts,
    views.Workbench,
]


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


def test_what_lies_on_the_cpu_is_looked_into_there():
    """Models that were made before someone chose the default device, and the data that comes with the package."""
    layer, cell, model = gru.GRU(3, 4), gru.ResetBeforeCell(3, 4), gru.GRUClassifier(3, 4, 2)
    x, lengths, start = torch.randn(6, 2, 3), torch.tensor([4, 6]), torch.zeros(1, 4)
    packed = pack_sequence([torch.randn(2, 3), torch.randn(4, 3)], enforce_sorted=False)
    writer = gru.writers.GRUWriter(5, 4)
    with torch.device("meta"):
        for tensor in (
            gru.ledger(model, x, lengths).written,
            gru.lyapunov(layer, packed),
            gru.solve(layer, packed).states,
            gru.fixed_points(layer, x[0, 0], start).h,
            gru.convert.to_torch(gru.ResetAfterCell(3, 4, device="cpu")).weight_ih,
            gru.convert.from_torch(nn.GRUCell(3, 4, device="cpu")).input_reset.weight,
            gru.convert.cell_from_layer(gru.convert.layer_from_cell(cell)).reset_gate.weight,
            gru.convert.from_onnx(**gru.convert.to_onnx(layer)).weight_ih_l0,
            gru.convert.from_flax(gru.convert.to_flax(layer)).weight_ih_l0,
            gru.datasets.japanese_vowels().train.x,
            gru.datasets.el_nino().values,
            gru.datasets.co2().values,
        ):
            assert tensor.device.type == "cpu"
        assert len(gru.datasets.names().train) > len(gru.datasets.number_words().test) > 0
        assert {part.device.type for part in gru.datasets.Alphabet("abc").ids(["ab", "c"])} == {"cpu"}
        assert writer.write(start=[1], longest=3)[0] == 1


@pytest.mark.parametrize("name", SMALL)
def test_a_view_computes_for_the_page_on_the_cpu(name):
    """What it shows does not depend on the default device; its model may lie anywhere."""
    view = SMALL[name]()
    expected = view.describe()
    with torch.device("meta"):
        if hasattr(view, "refresh"):
            view.refresh()
        assert view.describe() == expected
        assert view.to_html()


@pytest.mark.parametrize("view", ALONE)
def test_a_view_without_a_model_is_the_same_on_every_default_device(view):
    expected = view().describe()
    with torch.device("meta"):
        fresh = view()
        assert fresh.describe() == expected
        assert fresh.to_html()
