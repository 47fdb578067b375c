"""The layer against torch.nn.GRU, values and every gradient; its second variant against a plain loop of steps."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pack_sequence, pad_packed_sequence

import gru

EXACT = {"rtol": 0, "atol": 1e-10}


def twins(*args, seed: int = 0, **options) -> tuple[gru.GRU, nn.GRU]:
    """Our layer and torch's, from the same seed."""
    torch.manual_seed(seed)
    mine = gru.GRU(*args, **options)
    torch.manual_seed(seed)
    return mine, nn.GRU(*args, **options)


def assert_same_run(mine, theirs, x, h0):
    """Outputs, last states, and the gradients of a random weighing of both, to parameters, input and initial state."""

    def run(layer):
        out, h_n = layer(x) if h0 is None else layer(x, h0)
        data = out.data if isinstance(out, PackedSequence) else out
        generator = torch.Generator().manual_seed(5)
        loss = sum((t * torch.randn(t.shape, generator=generator, dtype=t.dtype)).sum() for t in (data, h_n))
        leaf = x.data if isinstance(x, PackedSequence) else x
        wanted = [t for t in (leaf, h0) if t is not None]
        return out, h_n, torch.autograd.grad(loss, (*wanted, *layer.parameters()))

    (out, h_n, grads), (out_ref, h_ref, grads_ref) = run(mine), run(theirs)
    assert type(out) is type(out_ref)
    if isinstance(out, PackedSequence):
        for a, b in zip(out[1:], out_ref[1:], strict=True):
            assert (a is None and b is None) or torch.equal(a, b)
        out, out_ref = out.data, out_ref.data
    assert out.shape == out_ref.shape
    assert h_n.shape == h_ref.shape
    torch.testing.assert_close(out, out_ref, **EXACT)
    torch.testing.assert_close(h_n, h_ref, **EXACT)
    for a, b in zip(grads, grads_ref, strict=True):
        torch.testing.assert_close(a, b, **EXACT)


options = st.fixed_dictionaries(
    {
        "num_layers": st.integers(1, 3),
        "bias": st.booleans(),
        "batch_first": st.booleans(),
        "bidirectional": st.booleans(),
    }
)


@settings(max_examples=50, deadline=None)
@given(
    T=st.integers(1, 6),
    B=st.none() | st.integers(0, 4),
    D=st.integers(1, 4),
    H=st.integers(1, 4),
    options=options,
    with_h0=st.booleans(),
    seed=st.integers(0, 99),
)
def test_dense_input_as_torch(T, B, D, H, options, with_h0, seed):
    mine, theirs = twins(D, H, seed=seed, dtype=torch.float64, **options)
    lead = (T,) if B is None else (B, T) if options["batch_first"] else (T, B)
    x = torch.randn(*lead, D, dtype=torch.float64, requires_grad=True)
    rows = options["num_layers"] * (1 + options["bidirectional"])
    state = (rows, H) if B is None else (rows, B, H)
    h0 = torch.randn(*state, dtype=torch.float64, requires_grad=True) if with_h0 else None
    assert_same_run(mine, theirs, x, h0)


@settings(max_examples=50, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    D=st.integers(1, 3),
    H=st.integers(1, 4),
    options=options,
    enforce_sorted=st.booleans(),
    with_h0=st.booleans(),
    seed=st.integers(0, 99),
)
def test_packed_input_as_torch(lengths, D, H, options, enforce_sorted, with_h0, seed):
    mine, theirs = twins(D, H, seed=seed, dtype=torch.float64, **options)
    if enforce_sorted:
        lengths = sorted(lengths, reverse=True)
    x = pack_sequence([torch.randn(k, D, dtype=torch.float64) for k in lengths], enforce_sorted)
    x.data.requires_grad_()
    rows = options["num_layers"] * (1 + options["bidirectional"])
    h0 = torch.randn(rows, len(lengths), H, dtype=torch.float64, requires_grad=True) if with_h0 else None
    assert_same_run(mine, theirs, x, h0)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("bias", [True, False])
def test_same_names_initial_values_and_state_dicts_both_ways(bias, bidirectional):
    mine, theirs = twins(3, 4, 2, bias, bidirectional=bidirectional, seed=7)
    for (name, a), (other, b) in zip(mine.named_parameters(), theirs.named_parameters(), strict=True):
        assert name == other
        assert torch.equal(a, b)
    mine.load_state_dict(nn.GRU(3, 4, 2, bias, bidirectional=bidirectional).state_dict())
    theirs.load_state_dict(mine.state_dict())
    x = torch.randn(5, 2, 3)
    torch.testing.assert_close(mine(x)[0], theirs(x)[0])


def test_dropout_draws_what_torch_draws_and_only_in_training():
    mine, theirs = twins(3, 4, 3, dropout=0.5, dtype=torch.float64)
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    packed = pack_padded_sequence(x, [5, 3])
    for entry in (x, packed):
        results = []
        for layer in (mine, theirs):
            torch.manual_seed(1)
            out = layer(entry)[0]
            results.append(out.data if isinstance(out, PackedSequence) else out)
        torch.testing.assert_close(*results, **EXACT)
    assert not torch.equal(mine(x)[0], mine(x)[0])
    mine.eval()
    theirs.eval()
    torch.testing.assert_close(mine(x)[0], theirs(x)[0], **EXACT)
    with pytest.warns(UserWarning, match="dropout option adds dropout after all but last recurrent layer"):
        gru.GRU(3, 4, dropout=0.5)


@pytest.mark.parametrize("reset_after", [True, False])
def test_each_variant_is_its_cell_in_a_loop(reset_after):
    cell = (gru.ResetAfterCell if reset_after else gru.ResetBeforeCell)(3, 4).double()
    layer = gru.GRU(3, 4, dtype=torch.float64, reset_after=reset_after)
    weights = cell.weights()
    with torch.no_grad():
        for name, value in weights._asdict().items():
            if name != "reset_after":
                getattr(layer, f"{name}_l0").copy_(torch.zeros(12) if value is None else value)
    x, h = torch.randn(6, 2, 3, dtype=torch.float64), torch.randn(2, 4, dtype=torch.float64)
    out, h_n = layer(x, h.unsqueeze(0))
    for t in range(6):
        h = cell(x[t], h)
        torch.testing.assert_close(out[t], h, **EXACT)
    torch.testing.assert_close(h_n[0], h, **EXACT)
    assert layer.weights().reset_after is reset_after


def reference_run(layer: gru.GRU, sequence: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """One sequence (T, D) through every layer and direction, step by step, with no layout to get wrong."""
    last = []
    for k in range(layer.num_layers):
        runs = []
        for reverse in (False, True) if layer.bidirectional else (False,):
            h, states = torch.zeros(1, layer.hidden_size, dtype=sequence.dtype), []
            for x_t in sequence.flip(0) if reverse else sequence:
                h = gru.equations.reset_before(x_t[None], h, *layer.weights(k, reverse)[:4]).h
                states.append(h[0])
            last.append(h[0])
            runs.append(torch.stack(states[::-1] if reverse else states))
        sequence = torch.cat(runs, -1)
    return sequence, torch.stack(last)


@settings(max_examples=30, deadline=None)
@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4), options=options, seed=st.integers(0, 99))
def test_reset_before_on_packed_sequences_is_each_sequence_alone(lengths, options, seed):
    torch.manual_seed(seed)
    layer = gru.GRU(3, 4, dtype=torch.float64, reset_after=False, **options)
    sequences = [torch.randn(k, 3, dtype=torch.float64) for k in lengths]
    out, h_n = layer(pack_sequence(sequences, enforce_sorted=False))
    padded, counts = pad_packed_sequence(out)
    assert counts.tolist() == lengths
    for b, sequence in enumerate(sequences):
        states, last = reference_run(layer, sequence)
        torch.testing.assert_close(padded[: lengths[b], b], states, **EXACT)
        torch.testing.assert_close(h_n[:, b], last, **EXACT)


@pytest.mark.parametrize("reset_after", [True, False])
def test_gradients_agree_with_finite_differences(reset_after):
    torch.manual_seed(0)
    layer = gru.GRU(2, 3, 2, bidirectional=True, dtype=torch.float64, reset_after=reset_after)
    names = [name for name, _ in layer.named_parameters()]
    x = torch.randn(3, 2, 2, dtype=torch.float64, requires_grad=True)
    h0 = torch.randn(4, 2, 3, dtype=torch.float64, requires_grad=True)

    def run(x, h0, *parameters):
        return torch.func.functional_call(layer, dict(zip(names, parameters, strict=True)), (x, h0))

    assert torch.autograd.gradcheck(run, (x, h0, *layer.parameters()))


def test_what_lies_in_the_padding_does_not_matter():
    layer = gru.GRU(3, 4, bidirectional=True, reset_after=False)
    x = torch.randn(6, 2, 3)
    spoilt = x.clone()
    spoilt[3:, 1] = float("nan")
    outs = []
    for entry in (x, spoilt):
        layer.zero_grad()
        out, h_n = layer(pack_padded_sequence(entry, [6, 3]))
        out.data.sum().backward()
        outs.append((out.data.detach(), h_n.detach(), *(p.grad.clone() for p in layer.parameters())))
    for a, b in zip(*outs, strict=True):
        assert a.isfinite().all()
        assert torch.equal(a, b)


def test_parameters_may_be_replaced():
    layer, other = gru.GRU(3, 4), gru.GRU(3, 4)
    x = torch.randn(5, 2, 3)
    torch.testing.assert_close(torch.func.functional_call(layer, dict(other.named_parameters()), (x,))[0], other(x)[0])
    nn.utils.parametrizations.orthogonal(layer, "weight_hh_l0")
    U = layer.weights().weight_hh
    torch.testing.assert_close(U.T @ U, torch.eye(4), rtol=0, atol=1e-5)
    layer(x)[0].sum().backward()


@pytest.mark.parametrize(("bias", "count"), [(True, 165), (False, 135)])
def test_parameter_counts(bias, count):
    assert sum(p.numel() for p in gru.GRU(4, 5, bias=bias).parameters()) == count


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_runs_on_cuda_as_torch():
    mine, theirs = twins(3, 4, 2, bidirectional=True, dtype=torch.float64, device="cuda")
    x = pack_sequence([torch.randn(k, 3, dtype=torch.float64, device="cuda") for k in (2, 5, 3)], enforce_sorted=False)
    torch.testing.assert_close(mine(x)[0].data, theirs(x)[0].data, **EXACT)
    torch.testing.assert_close(mine(x)[1], theirs(x)[1], **EXACT)


@pytest.mark.parametrize(
    ("name", "change", "got"),
    [
        ("weight_hh_l0", lambda weight: weight[:5], r"weight_hh \(5, 4\)"),
        ("weight_hh_l0", lambda weight: weight.t(), r"weight_hh \(4, 12\)"),
        ("weight_hh_l0", lambda weight: weight.double(), r"weight_hh \(12, 4\) torch.float64"),
        ("bias_hh_l0", lambda bias: bias[:3], r"bias_hh \(3,\)"),
        ("bias_ih_l0", lambda bias: bias.to("meta"), r"bias_ih \(12,\) torch.float32 on meta"),
    ],
)
def test_weights_that_do_not_fit_each_other_are_never_read(name, change, got):
    """The compiled walk would read past their ends, or their bytes as other numbers."""
    x = torch.randn(6, 2, 3)
    for layer in (gru.GRU(3, 4), nn.GRU(3, 4)):
        setattr(layer, name, nn.Parameter(change(getattr(layer, name).detach())))
        with pytest.raises(RuntimeError, match=rf"weights: expected weight_ih \(12, 3\), .*got .*{got}"):
            (layer if isinstance(layer, gru.GRU) else lambda x, own=layer: gru.trace(own, x))(x)
