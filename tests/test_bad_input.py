"""Mistakes: the error class is PyTorch's, and the message names argument, expectation and what came."""

import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

import gru

CELLS = [gru.ElmanCell, gru.ResetBeforeCell, gru.ResetAfterCell]


def zeros(*shape, **options) -> torch.Tensor:
    return torch.zeros(*shape, **options)


def packed(*shape, lengths=(5, 2), **options):
    return pack_padded_sequence(zeros(*shape, **options), list(lengths), enforce_sorted=False)


def raised(function, *args, **kwargs) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which class it is, is what is asked
        function(*args, **kwargs)
    return caught.value


# arguments of a layer (3 -> 4); what the message must end with; whether PyTorch's own is repeated whole
LAYER_MISTAKES = {
    "rank 1": ((zeros(3),), "(input: expected shape (T, B, 3) or (T, 3), got (3,))", True),
    "rank 4": ((zeros(1, 1, 1, 3),), "(input: expected shape (T, B, 3) or (T, 3), got (1, 1, 1, 3))", True),
    "input size": ((zeros(5, 2, 7),), "(input: expected 3 features, got shape (5, 2, 7))", True),
    "single input size": ((zeros(5, 7),), "(input: expected 3 features, got shape (5, 7))", True),
    "no step": ((zeros(0, 2, 3),), "(input: expected at least one step, got shape (0, 2, 3))", True),
    "no step, single": ((zeros(0, 3),), "(input: expected at least one step, got shape (0, 3))", True),
    "dtype": ((zeros(5, 2, 3).double(),), "(input: expected torch.float32, got torch.float64)", True),
    "integers": ((zeros(5, 2, 3).long(),), "(input: expected torch.float32, got torch.int64)", True),
    "device": ((zeros(5, 2, 3, device="meta"),), "(input: expected device cpu, got meta)", True),
    "hx batch": ((zeros(5, 2, 3), zeros(1, 3, 4)), "(hx: expected (1, 2, 4), got (1, 3, 4))", True),
    "hx size": ((zeros(5, 2, 3), zeros(1, 2, 5)), "(hx: expected (1, 2, 4), got (1, 2, 5))", True),
    "hx layers": ((zeros(5, 2, 3), zeros(2, 2, 4)), "(hx: expected (1, 2, 4), got (2, 2, 4))", True),
    "hx rank": ((zeros(5, 2, 3), zeros(2, 4)), "(hx: expected 3 axes, got shape (2, 4))", True),
    "hx rank, single": ((zeros(5, 3), zeros(1, 1, 4)), "(hx: expected 2 axes, got shape (1, 1, 4))", True),
    "hx size, single": ((zeros(5, 3), zeros(1, 5)), "(hx: expected (1, 4), got (1, 5))", True),
    "hx dtype": ((zeros(5, 2, 3), zeros(1, 2, 4).double()), "(hx: expected torch.float32, got torch.float64)", False),
    "hx device": ((zeros(5, 2, 3), zeros(1, 2, 4, device="meta")), "(hx: expected device cpu, got meta)", True),
    "sparse": (
        (zeros(5, 2, 3).to_sparse(),),
        "input: expected a dense Tensor, got torch.sparse_coo; input.to_dense() gives one",
        False,
    ),
    "sparse, single": (
        (zeros(5, 3).to_sparse(),),
        "input: expected a dense Tensor, got torch.sparse_coo; input.to_dense() gives one",
        False,
    ),
    "sparse hx": (
        (zeros(5, 2, 3), zeros(1, 2, 4).to_sparse()),
        "hx: expected a dense Tensor, got torch.sparse_coo; hx.to_dense() gives one",
        False,
    ),
    "packed size": ((packed(5, 2, 7),), "(input: expected 3 features, got shape (7, 7))", True),
    "packed dtype": ((packed(5, 2, 3).double(),), "(input: expected torch.float32, got torch.float64)", True),
    "packed rank": ((packed(5, 2, 3, 1),), "(input: expected data (N, 3), got (7, 3, 1))", True),
    "packed hx": ((packed(5, 2, 3), zeros(1, 2, 5)), "(hx: expected (1, 2, 4), got (1, 2, 5))", True),
}


@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("mistake", LAYER_MISTAKES)
def test_the_layer_says_what_torch_says_and_names_the_argument(mistake, reset_after):
    args, words, repeats = LAYER_MISTAKES[mistake]
    error, reference = raised(gru.GRU(3, 4, reset_after=reset_after), *args), raised(nn.GRU(3, 4), *args)
    assert type(error) is type(reference)
    assert str(error).endswith(words)
    if repeats:
        assert str(reference) in str(error)


@pytest.mark.parametrize("samples", [1, 3])
def test_an_initial_state_for_another_batch_is_refused_though_torch_takes_it(samples):
    """With unsorted packed sequences PyTorch picks rows of hx before it counts them: one too many goes unseen."""
    with pytest.raises(RuntimeError, match=re.escape(f"hx: expected (1, 2, 4), got (1, {samples}, 4)")):
        gru.GRU(3, 4)(packed(5, 2, 3, lengths=(2, 5)), zeros(1, samples, 4))


@pytest.mark.parametrize("value", [None, [[1.0, 2.0, 3.0]], "x"])
def test_what_is_no_tensor_is_a_type_error(value):
    kind = type(value).__name__
    with pytest.raises(TypeError, match=rf"^input: expected a Tensor or PackedSequence, got {kind}$"):
        gru.GRU(3, 4)(value)
    for cell_class in CELLS:
        with pytest.raises(TypeError, match=rf"^x: expected a Tensor, got {kind}$"):
            cell_class(3, 4)(value)
    with pytest.raises(TypeError, match=rf"^x: expected a Tensor, got {kind}$"):
        gru.trace(gru.ResetAfterCell(3, 4), value)
    with pytest.raises(TypeError, match=r"^hx: expected a Tensor or None, got list$"):
        gru.GRU(3, 4)(zeros(5, 2, 3), [0.0])
    with pytest.raises(TypeError, match=r"^h: expected a Tensor or None, got list$"):
        gru.ResetAfterCell(3, 4)(zeros(2, 3), [0.0])


# options of the layer; whether PyTorch's message is repeated
OPTION_MISTAKES = [
    (((0, 4), {}), True),
    (((3, 0), {}), True),
    (((-3, 4), {}), True),
    (((3.0, 4), {}), True),
    (((3, "4"), {}), True),
    (((3, 4, 0), {}), True),
    (((3, 4, -1), {}), True),
    (((3, 4, 1.5), {}), False),
    (((3, 4), {"bias": 1}), True),
    (((3, 4), {"batch_first": 1}), True),
    (((3, 4), {"num_layers": 2, "dropout": 1.5}), True),
    (((3, 4), {"num_layers": 2, "dropout": -0.1}), True),
    (((3, 4), {"num_layers": 2, "dropout": True}), True),
    (((3, 4), {"num_layers": 2, "dropout": "much"}), True),
    (((3, 4), {"proj_size": 2}), True),
    (((3, 4), {"dtype": torch.int64}), True),
    (((3, 4), {"nonsense": 2}), False),
    (((3,), {}), False),
]


@pytest.mark.parametrize(("options", "repeats"), OPTION_MISTAKES, ids=str)
def test_wrong_options_of_the_layer(options, repeats):
    args, kwargs = options
    error, reference = raised(gru.GRU, *args, **kwargs), raised(nn.GRU, *args, **kwargs)
    assert type(error) is type(reference)
    if repeats:
        assert str(reference) in str(error)


def test_options_of_our_own():
    with pytest.raises(TypeError, match=r"reset_after should be of type bool, got: str"):
        gru.GRU(3, 4, reset_after="before")
    with pytest.raises(TypeError, match=r"num_layers should be of type int, got: float"):
        gru.GRU(3, 4, 1.5)
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'nonsense'"):
        gru.GRU(3, 4, nonsense=2)


# arguments of a cell (3 -> 4), and what the message must say
CELL_MISTAKES = {
    "rank 0": ((torch.tensor(0.0),), "(x: expected shape (B, 3) or (3,), got ())"),
    "rank 3": ((zeros(5, 2, 3),), "(x: expected shape (B, 3) or (3,), got (5, 2, 3))"),
    "input size": ((zeros(2, 7),), "(x: expected shape (B, 3) or (3,), got (2, 7))"),
    "h rank": ((zeros(2, 3), zeros(1, 2, 4)), "(h: expected shape (B, 4) or (4,), got (1, 2, 4))"),
    "h size": ((zeros(2, 3), zeros(2, 5)), "(h: expected shape (2, 4), got (2, 5))"),
    "h batch": ((zeros(2, 3), zeros(3, 4)), "(h: expected shape (2, 4), got (3, 4))"),
    "h without batch": ((zeros(2, 3), zeros(4)), "(h: expected shape (2, 4), got (4,))"),
    "h with batch": ((zeros(3), zeros(1, 4)), "(h: expected shape (4,), got (1, 4))"),
    "dtype": ((zeros(2, 3).double(),), "(x: expected torch.float32, got torch.float64)"),
    "integers": ((zeros(2, 3).long(),), "(x: expected torch.float32, got torch.int64)"),
    "h dtype": ((zeros(2, 3), zeros(2, 4).double()), "(h: expected torch.float32, got torch.float64)"),
    "device": ((zeros(2, 3, device="meta"),), "(x: expected device cpu, got meta)"),
    "h device": ((zeros(2, 3), zeros(2, 4, device="meta")), "(h: expected device cpu, got meta)"),
}


@pytest.mark.parametrize("cell_class", CELLS)
@pytest.mark.parametrize("mistake", CELL_MISTAKES)
def test_the_cells_raise_torch_s_class_and_name_the_argument(cell_class, mistake):
    args, words = CELL_MISTAKES[mistake]
    error, reference = raised(cell_class(3, 4), *args), raised(nn.GRUCell(3, 4), *args)
    assert type(error) is type(reference)
    assert str(error).endswith(words)
    assert str(raised(cell_class(3, 4).gates, *args)) == str(error)
    if "rank" in mistake or mistake == "input size":
        assert str(reference).replace("GRUCell", cell_class.__name__) in str(error)


def test_sparse_tensors_where_they_cannot_be_taken():
    sparse, cell = zeros(2, 3).to_sparse(), gru.ResetBeforeCell(3, 4)
    for args, name in (((sparse,), "x"), ((zeros(2, 3), zeros(2, 4).to_sparse()), "h")):
        with pytest.raises(RuntimeError, match=rf"^{name}: expected a dense Tensor, got torch.sparse_coo"):
            cell(*args)
    for args, name in (((sparse,), "x"), ((zeros(2, 3), zeros(4).to_sparse()), "h0")):
        with pytest.raises(RuntimeError, match=rf"^{name}: expected a dense Tensor, got torch.sparse_coo"):
            gru.trace(gru.ResetAfterCell(3, 4), *args)


@pytest.mark.parametrize("model", [gru.GRUClassifier(3, 4, 2), gru.FormulaClassifier(gru.ResetAfterCell(3, 4), 2)])
def test_lengths_without_numbers_are_refused_by_name(model):
    with pytest.raises(RuntimeError, match=r"^lengths: expected numbers that can be read, got a tensor on device meta"):
        model(zeros(5, 2, 3), torch.ones(2, dtype=torch.int64, device="meta"))


@pytest.mark.parametrize("cell_class", CELLS)
def test_wrong_options_of_the_cells(cell_class):
    for args, error in (((0, 4), ValueError), ((3, -1), ValueError), ((3.0, 4), TypeError), ((3, "4"), TypeError)):
        assert type(raised(cell_class, *args)) is type(raised(nn.GRU, *args)) is error
    with pytest.raises(TypeError, match=r"bias should be of type bool, got: int"):
        cell_class(3, 4, bias=1)
    with pytest.raises(TypeError, match=r"hidden_size should be of type int, got: bool"):
        cell_class(3, True)


def test_what_torch_takes_is_taken():
    """An empty batch has an answer, NaN has one (NaN), and neither is a mistake of the caller's for PyTorch."""
    for reset_after in (True, False):
        layer = gru.GRU(3, 4, np.int64(2), bidirectional=True, reset_after=reset_after)
        out, h_n = layer(zeros(5, 0, 3))
        assert out.shape == (5, 0, 8)
        assert h_n.shape == (4, 0, 4)
        assert gru.trace(layer, zeros(5, 0, 3)).z[3].shape == (5, 0, 4)
        x = zeros(5, 2, 3)
        x[2, 1, 0] = float("nan")
        out = gru.GRU(3, 4, reset_after=reset_after)(x)[0]
        assert out[2:, 1].isnan().all()
        assert out[:, 0].isfinite().all()


@pytest.mark.parametrize("module", [gru.ResetBeforeCell(3, 4), gru.ResetAfterCell(3, 4), nn.GRUCell(3, 4)])
def test_trace_of_a_cell_names_the_argument(module):
    for args, error, words in (
        ((zeros(3),), ValueError, "x: expected shape (T, B, D) or (T, D), got (3,)"),
        ((zeros(0, 2, 3),), RuntimeError, "x: expected at least one step, got shape (0, 2, 3)"),
        ((zeros(5, 2, 7),), RuntimeError, "x: expected shape (B, 3) or (3,), got (2, 7)"),
        ((zeros(5, 2, 3).double(),), RuntimeError, "x: expected torch.float32, got torch.float64"),
        (
            (zeros(5, 2, 3), zeros(1, 2, 4)),
            RuntimeError,
            "h0: expected shape (2, 4) for this x and cell, got (1, 2, 4)",
        ),
        ((zeros(5, 2, 3), zeros(3, 4)), RuntimeError, "h0: expected shape (2, 4) for this x and cell, got (3, 4)"),
    ):
        with pytest.raises(error, match=re.escape(words)):
            gru.trace(module, *args)


def test_trace_of_a_layer_raises_what_the_layer_raises():
    for layer in (gru.GRU(3, 4), nn.GRU(3, 4), gru.GRU(3, 4, 2), nn.GRU(3, 4, 2)):
        for args in ((zeros(5, 2, 7),), (zeros(0, 2, 3),), (zeros(3),), (zeros(5, 2, 3), zeros(9, 2, 4))):
            assert type(raised(gru.trace, layer, *args)) is type(raised(layer, *args))
