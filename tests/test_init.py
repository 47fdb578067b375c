"""Starting values: the distribution they promise, in every place that holds a gate's bias or a recurrent matrix."""

import math

import pytest
import torch
from torch.nn.utils import parametrizations, parametrize, prune

import gru

CELLS = [gru.ResetBeforeCell, gru.ResetAfterCell, torch.nn.GRUCell]
LAYERS = [gru.GRU, torch.nn.GRU]
RECURRENT = [*CELLS, *LAYERS, gru.ElmanCell, torch.nn.RNN, torch.nn.RNNCell]


def update_gate(module, weights):
    """z at x = 0, h = 0: what the bias alone does; as a gate that keeps."""
    zero = torch.zeros(1, module.hidden_size, dtype=torch.float64)
    return gru.equations.step(torch.zeros(1, module.input_size, dtype=torch.float64), zero, weights).z


@pytest.mark.parametrize("module_class", CELLS + LAYERS)
def test_chrono_spreads_the_time_constants(module_class):
    T_max = 50
    module = module_class(3, 400).double()
    assert gru.init_chrono_(module, T_max, generator=torch.Generator().manual_seed(0)) is module
    z = update_gate(module, gru.weights_of(module))
    u = 1 / (1 - z) - 1  # uniform on (1, T_max - 1), whether z keeps or writes
    assert u.min() >= 1
    assert u.max() <= T_max - 1
    assert u.mean().item() == pytest.approx(T_max / 2, rel=0.1)
    assert u.std().item() == pytest.approx((T_max - 2) / math.sqrt(12), rel=0.1)


def test_chrono_negates_where_z_writes():
    cell = gru.init_chrono_(gru.ResetBeforeCell(2, 8), 50)
    assert (cell.update_gate.bias <= 0).all()
    assert (gru.init_chrono_(gru.ResetAfterCell(2, 8), 50).input_update.bias >= 0).all()


def test_chrono_reaches_every_layer_of_a_model_and_nothing_else():
    model = torch.nn.ModuleDict({"a": gru.GRU(2, 4, num_layers=2, bidirectional=True), "b": torch.nn.Linear(4, 4)})
    before = {name: value.clone() for name, value in model.state_dict().items()}
    gru.init_chrono_(model, 30)
    for name, value in model.state_dict().items():
        z = slice(4, 8)
        if "bias_ih" in name or "bias_hh" in name:
            assert (value[z] > 0).all() if "bias_ih" in name else not value[z].any()
            value, before[name] = value.clone(), before[name]
            value[z] = before[name][z]
        assert torch.equal(value, before[name]), name


def test_chrono_names_what_it_cannot_do():
    with pytest.raises(ValueError, match="T_max: expected a finite number of more than 2 steps, got 2"):
        gru.init_chrono_(gru.GRU(2, 3), 2)
    with pytest.raises(ValueError, match="T_max: expected a finite number of more than 2 steps, got inf"):
        gru.init_chrono_(gru.GRU(2, 3), float("inf"))
    with pytest.raises(ValueError, match="module: expected GRUs with biases"):
        gru.init_chrono_(gru.GRU(2, 3, bias=False), 20)
    model = torch.nn.Sequential(gru.GRU(2, 3), gru.GRU(3, 3, bias=False))
    before = model[0].bias_ih_l0.clone()
    with pytest.raises(ValueError, match="module: expected GRUs with biases"):
        gru.init_chrono_(model, 20)
    assert torch.equal(model[0].bias_ih_l0, before), "nothing is changed where not all can be"
    with pytest.raises(TypeError, match="module: expected a GRU or a model that contains one, got Linear"):
        gru.init_chrono_(torch.nn.Linear(2, 3), 20)


@pytest.mark.parametrize("module_class", RECURRENT)
def test_orthogonal_keeps_lengths(module_class):
    module = module_class(3, 6).double()
    others = {name: p.clone() for name, p in module.named_parameters()}
    assert gru.init_orthogonal_(module, gain=1.5) is module
    changed = [name for name, p in module.named_parameters() if not torch.equal(p, others[name])]
    assert all("weight" in name and "ih" not in name and "input_" not in name for name in changed)
    if isinstance(module, gru.ElmanCell | torch.nn.RNN | torch.nn.RNNCell):
        blocks = [p for name, p in module.named_parameters() if name in changed]
        assert len(blocks) == 1
    else:
        blocks = gru.weights_of(module).weight_hh.chunk(3)
    for block in blocks:
        torch.testing.assert_close(
            block.T @ block, 1.5**2 * torch.eye(6, dtype=torch.float64), rtol=0, atol=1e-5
        )  # drawn in single precision
    if isinstance(module, gru.ResetBeforeCell):
        name = "reset_gate.weight"
        assert torch.equal(module.reset_gate.weight[:, :3], others[name][:, :3])


def test_seeds_fix_the_values():
    def make(seed):
        generator = torch.Generator().manual_seed(seed)
        layer = gru.init_chrono_(gru.GRU(2, 4), 20, generator=generator)
        return gru.init_orthogonal_(layer, generator=generator)

    a, b, c = make(1), make(1), make(2)
    assert torch.equal(a.weight_hh_l0, b.weight_hh_l0)
    assert not torch.equal(a.weight_hh_l0, c.weight_hh_l0)
    z = slice(4, 8)
    assert torch.equal(a.bias_ih_l0[z], b.bias_ih_l0[z])
    assert not torch.equal(a.bias_ih_l0[z], c.bias_ih_l0[z])


def test_orthogonal_names_what_it_cannot_do():
    with pytest.raises(TypeError, match="module: expected a recurrent network"):
        gru.init_orthogonal_(torch.nn.Linear(2, 3))


@pytest.mark.parametrize("module_class", RECURRENT)
def test_a_parametrized_matrix_takes_the_value(module_class):
    module = module_class(3, 6)
    for part in list(module.modules()):
        for name in [name for name in part._parameters if "weight" in name]:
            parametrizations.weight_norm(part, name)
    gru.init_orthogonal_(module, gain=1.5)
    if isinstance(module, gru.ElmanCell | torch.nn.RNNCell):
        blocks = [module.weight_hh]
    elif isinstance(module, torch.nn.RNN):
        blocks = [module.weight_hh_l0]
    else:
        blocks = gru.weights_of(module).weight_hh.chunk(3)
    for block in blocks:
        torch.testing.assert_close(block.T @ block, 1.5**2 * torch.eye(6))


class Halved(torch.nn.Module):
    def forward(self, value):
        return value / 2

    def right_inverse(self, value):
        return 2 * value


@pytest.mark.parametrize("module_class", CELLS + LAYERS)
def test_a_parametrized_bias_takes_the_value(module_class):
    module = module_class(3, 400).double()
    for part in list(module.modules()):
        for name in [name for name in part._parameters if "bias" in name]:
            parametrize.register_parametrization(part, name, Halved())
    gru.init_chrono_(module, 50)
    u = 1 / (1 - update_gate(module, gru.weights_of(module))) - 1
    assert u.min() >= 1
    assert u.mean().item() == pytest.approx(25, rel=0.1)


def test_what_a_hook_computes_anew_is_refused_and_nothing_is_changed():
    model = torch.nn.Sequential(gru.GRU(2, 3), gru.GRU(3, 3))
    prune.l1_unstructured(model[1], "weight_hh_l0", 0.3)
    prune.l1_unstructured(model[1], "bias_ih_l0", 0.3)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(ValueError, match="module: expected weight_hh_l0 to be a parameter, got a tensor that a hook"):
        gru.init_orthogonal_(model)
    with pytest.raises(ValueError, match="module: expected bias_ih_l0 to be a parameter, got a tensor that a hook"):
        gru.init_chrono_(model, 20)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


def test_arguments_of_the_wrong_kind_are_named():
    layer = gru.GRU(2, 3)
    with pytest.raises(TypeError, match="T_max: expected a number, got '10'"):
        gru.init_chrono_(layer, "10")
    with pytest.raises(TypeError, match=r"module: expected a torch\.nn\.Module, got int"):
        gru.init_chrono_(3, 10)
    with pytest.raises(TypeError, match="gain: expected a number, got 'a'"):
        gru.init_orthogonal_(layer, "a")
    with pytest.raises(ValueError, match="gain: expected a finite number, got nan"):
        gru.init_orthogonal_(layer, math.nan)
    gru.init_chrono_(layer, torch.tensor(10))  # such as lengths.max()


def test_orthogonal_where_models_start_in_half_precision():
    torch.set_default_dtype(torch.bfloat16)
    try:
        U = gru.init_orthogonal_(gru.GRU(2, 8)).weight_hh_l0[:8].float()
    finally:
        torch.set_default_dtype(torch.float32)
    torch.testing.assert_close(U @ U.T, torch.eye(8), rtol=0, atol=0.05)
