"""GateExplorer as Python sees it: what it reads from any model, its traits, and its refusals."""

import html
import json
import re

import pytest
import torch
import traitlets
from torch import nn
from views.models import KINDS, LENGTHS, TRACED, D, Wrapped, explorer, sequences

import gru
from gru import views
from gru.views import View


@pytest.mark.parametrize("kind", KINDS)
def test_trace_is_that_of_the_module(kind):
    view = explorer(kind)
    x, _ = sequences(batch_first=kind.startswith("wrapped"))
    for i, steps in enumerate(LENGTHS):
        view.sequence = i
        one = x[i : i + 1, :steps] if kind.startswith("wrapped") else x[:steps, i : i + 1]
        expected = gru.trace(view._module, one.to(next(view._module.parameters()).dtype))
        for layer in range(len(view._data["parts"])):
            view.layer = layer
            for name in ("x", "r", "z", "n", "h"):
                field = getattr(expected, name)
                field = field[layer] if isinstance(field, list) else field
                torch.testing.assert_close(getattr(view.trace, name), field[:, 0], atol=2e-6, rtol=0)
    assert bool(view._data["reason"]) == (kind in TRACED)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in TRACED])
def test_bias_is_added_to_the_update_gate(kind):
    view = explorer(kind)
    before, writes = view.trace.z, view._data["parts"][0]["convention"] == "writes"
    assert writes == (kind == "reset before, z writes")
    view.sequence, view.step, view.update_bias = 0, 0, 1.5
    moved, first = torch.logit(view.trace.z[0]), torch.logit(before[0])
    # The first step of the first layer has no past, so that its z moves by the bias alone.
    torch.testing.assert_close(moved - first, torch.full_like(first, -1.5 if writes else 1.5), atol=1e-4, rtol=0)


@pytest.mark.parametrize(("kind", "keeps"), [("reset after", "keeps"), ("elman", "keeps"), ("own cell", "keeps")])
def test_convention_is_read_from_the_numbers(kind, keeps):
    assert explorer(kind)._data["parts"][0]["convention"] == keeps


def test_convention_of_a_cell_that_neither_keeps_nor_writes():
    class Sum(nn.Module):
        hidden_size = 2

        def gates(self, x, h):
            return gru.Gates(x.sigmoid(), x.sigmoid(), x.tanh(), h + x)

    view = views.GateExplorer(Sum(), torch.randn(5, 1, 2))
    assert view._data["parts"][0]["convention"] is None


def test_probabilities_are_the_models():
    view = explorer("classifier, two layers")
    x, lengths = sequences()
    answers = view._module.eval()(x, lengths).softmax(-1)
    for i in range(len(LENGTHS)):
        view.sequence = i
        torch.testing.assert_close(view.probabilities[-1], answers[i])
    assert explorer("reset after").probabilities is None


def test_sequences_come_as_a_list_too():
    x, lengths = sequences()
    module = gru.GRU(D, 4)
    padded = views.GateExplorer(module, x, lengths=lengths)
    listed = views.GateExplorer(module, [x[:steps, i] for i, steps in enumerate(LENGTHS)])
    assert padded._data == listed._data


def test_padding_may_hold_anything():
    x, lengths = sequences()
    x[LENGTHS[1] :, 1] = torch.nan
    view = explorer("classifier")
    assert views.GateExplorer(view._module, x, lengths=lengths)._data == view._data


def test_the_first_view_is_after_the_last_step_and_a_sequence_keeps_its_place():
    view = explorer("classifier")
    assert view.step == LENGTHS[0] - 1
    view.sequence = 1
    assert view.step == LENGTHS[1] - 1
    view.sequence, view.step = 0, 2
    view.sequence = 1
    assert view.step == 2
    view.sequence = 2
    assert view.step == 0


def test_the_page_may_set_sequence_and_step_at_once():
    view = explorer("classifier", sequence=2)
    view.set_state({"sequence": 0, "step": 5, "update_bias": 2.5})
    assert (view.sequence, view.step, view.update_bias) == (0, 5, 2.5)


def test_a_change_of_layer_keeps_the_unit_in_range():
    view = explorer("two in a row", unit=4)
    view.layer = 1
    assert view.unit == 2


def test_refresh_reads_the_module_again():
    view = explorer("classifier")
    before = view.trace.h
    with torch.no_grad():
        view._module.gru.weight_ih_l0.mul_(2)
    assert torch.equal(view.trace.x, explorer("classifier").trace.x)
    sent = view._data
    view.refresh()
    assert view._data["parts"] != sent["parts"]
    assert not torch.allclose(view.trace.h, before)


def test_the_module_is_left_as_it_was():
    module = gru.GRUClassifier(D, 5, 4, dropout=0.5).train()
    views.GateExplorer(module, sequences()[0])
    assert module.training
    assert module.gru.training
    assert all(parameter.grad is None for parameter in module.parameters())


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("sequence", 3, "sequence: expected 0 to 2, got 3"),
        ("sequence", -1, "sequence: expected 0 to 2, got -1"),
        ("step", 7, "step: expected 0 to 6, got 7"),
        ("unit", 5, "unit: expected 0 to 4, got 5"),
        ("layer", 1, "layer: expected 0 to 0, got 1"),
        ("update_bias", 6.5, "update_bias: expected -6 to 6, got 6.5"),
        ("update_bias", float("nan"), "update_bias: expected -6 to 6, got nan"),
        ("step", 1.5, "step"),
    ],
)
def test_traits_stay_in_range(name, value, message):
    view = explorer("classifier")
    before = getattr(view, name)
    with pytest.raises(traitlets.TraitError, match=message):
        setattr(view, name, value)
    assert getattr(view, name) == before
    with pytest.raises(traitlets.TraitError, match=message):
        explorer("classifier", **{name: value})


def test_no_bias_where_python_only_traced():
    with pytest.raises(
        traitlets.TraitError, match=r"update_bias: expected 0, got 1.*OwnCell brings equations of its own"
    ):
        explorer("own cell").update_bias = 1


X, L = sequences()
MODEL = gru.GRUClassifier(D, 5, 4)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: views.GateExplorer(MODEL, X, colour=1),
            TypeError,
            "GateExplorer: unknown keyword 'colour'; it takes ",
        ),
        (lambda: views.GateExplorer(MODEL, X, updatebias=1), TypeError, "'updatebias'; did you mean update_bias?"),
        (lambda: views.GateExplorer("model", X), TypeError, "module: expected a torch.nn.Module, got str"),
        (lambda: views.GateExplorer(nn.Linear(D, 2), X), TypeError, "module: expected a cell"),
        (lambda: views.GateExplorer(MODEL, X[0, 0]), ValueError, r"x: expected shape \(T, B, D\).* got \(3,\)"),
        (
            lambda: views.GateExplorer(MODEL, X[:0]),
            ValueError,
            r"x: expected shape \(T, B, D\) with T >= 1.* got \(0, 3, 3\)",
        ),
        (lambda: views.GateExplorer(MODEL, None), TypeError, r"x: expected a padded tensor or a list.*got NoneType"),
        (
            lambda: views.GateExplorer(MODEL, X, lengths=[1.5, 2, 3]),
            TypeError,
            "lengths: expected a whole number, got 1.5",
        ),
        (lambda: views.GateExplorer(MODEL, []), ValueError, "x: expected at least one sequence"),
        (lambda: views.GateExplorer(MODEL, [X[:, 0], "no"]), ValueError, r"x\[1\]: expected a tensor .* got str"),
        (lambda: views.GateExplorer(MODEL, [X[:0, 0]]), ValueError, r"x\[0\]: expected .* got \(0, 3\)"),
        (
            lambda: views.GateExplorer(MODEL, X, lengths=[1, 2]),
            ValueError,
            "lengths: expected 3, one per sequence, got 2",
        ),
        (lambda: views.GateExplorer(MODEL, X, lengths=[1, 2, 8]), ValueError, "lengths: expected 1 to 7, got 8"),
        (lambda: views.GateExplorer(MODEL, X, lengths=[1, 0, 7]), ValueError, "lengths: expected 1 to 7, got 0"),
        (lambda: views.GateExplorer(MODEL, [X[:, 0]], lengths=[7]), ValueError, "lengths: expected none with a list"),
        (lambda: views.GateExplorer(MODEL, X, names=["a"]), ValueError, "names: expected 3, got 1"),
        (lambda: views.GateExplorer(MODEL, X, targets=3), TypeError, "targets: expected a list of 3 classes, one per"),
        (
            lambda: views.GateExplorer(MODEL, X, targets=[0, 0.5, 1]),
            TypeError,
            "targets: expected a whole number, got 0.5",
        ),
        (lambda: views.GateExplorer(MODEL, X, step_names=7), TypeError, "step_names: expected a list of names, or one"),
        (
            lambda: views.GateExplorer(MODEL, X, sequence=1.5),
            traitlets.TraitError,
            "'sequence' trait of a GateExplorer",
        ),
        (
            lambda: views.GateExplorer(MODEL, X.to_sparse()),
            RuntimeError,
            "x: expected a dense Tensor, got torch.sparse",
        ),
        (lambda: views.GateExplorer(MODEL, X, class_names=["a"]), ValueError, "class_names: expected 4, got 1"),
        (lambda: views.GateExplorer(MODEL, X, targets=[0, 1, 4]), ValueError, "targets: expected 0 to 3, got 4"),
        (lambda: views.GateExplorer(MODEL, X, targets=[0]), ValueError, "targets: expected 3, one per sequence, got 1"),
        (
            lambda: views.GateExplorer(MODEL.gru, X, targets=[0, 1, 2]),
            ValueError,
            "targets: expected none without a head",
        ),
        (
            lambda: views.GateExplorer(MODEL.gru, X, head=MODEL),
            TypeError,
            "head: expected a torch.nn.Linear, got GRUClas",
        ),
        (
            lambda: views.GateExplorer(MODEL.gru, X, head=nn.Linear(5, 1)),
            ValueError,
            "head: expected at least 2 classes",
        ),
        (
            lambda: views.GateExplorer(MODEL.gru, X, head=nn.Linear(6, 2)),
            ValueError,
            r"head: expected a Linear\(5, C\)",
        ),
        (lambda: views.GateExplorer(MODEL, X * torch.nan), ValueError, "x: expected finite numbers.*'sequence 1'"),
        (lambda: views.GateExplorer(MODEL, X[..., :2]), (ValueError, RuntimeError), "Expected 3, got 2"),
    ],
)
def test_what_does_not_fit_is_named(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_batch_first_models_read_their_own_order():
    x, lengths = sequences(batch_first=True)
    view = views.GateExplorer(Wrapped(), x, lengths=lengths)
    assert [one["steps"] for one in view._data["sequences"]] == list(LENGTHS)
    assert view.trace.x.shape == (LENGTHS[0], 6)


def test_html_carries_the_state_and_nothing_can_break_out():
    hostile = '</script><script>alert(1)</script><!-- <img src=x onerror="alert(2)"> \u2028 \'"&'
    view = explorer("classifier", names=[hostile, "b", "c"], class_names=[hostile, "b", "c", "d"])
    text = view.to_html()
    assert text.count("<script") == text.count("</script>") == 1
    assert "<img" not in text
    assert "<!--" not in text
    state = json.loads(re.search(r'<script type="application/json">(.*?)</script>', text, re.DOTALL)[1])
    assert state == {name: getattr(view, name) for name in view.state}
    assert state["_data"]["sequences"][0]["name"] == hostile
    assert html.escape(hostile) in text


def test_both_hosts_get_their_form():
    view = explorer("classifier")
    data, _ = view._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == view.model_id
    assert data["text/html"] == view.to_html()
    assert data["text/plain"].startswith(view.describe())


def test_a_page_is_built_the_same_every_time():
    first, second = (re.sub(r'data-widget="\d+"', "", explorer("classifier").to_html()) for _ in range(2))
    assert first == second


def test_a_page_carries_only_what_its_view_needs():
    x = torch.randn(29, 12, 12)
    view = views.GateExplorer(gru.GRUClassifier(12, 32, 9), x)
    numbers = 3 * 32 * (12 + 32 + 2) + 9 * 33 + x.numel()
    assert len(view.to_html()) < 4 / 3 * 4 * numbers + 2500


def test_subclasses_of_a_view_need_nothing_more():
    class Mine(views.GateExplorer):
        pass

    view = Mine(gru.GRU(D, 2), sequences()[0])
    view.add_traits(note=traitlets.Unicode("mine").tag(sync=True))
    assert view.note == "mine"
    assert "gate-explorer" in view.to_html()
    assert View.modules.count("gate_explorer") == 1


@pytest.mark.cuda
def test_any_device():
    view = explorer("classifier")
    there = views.GateExplorer(view._module.cuda(), sequences()[0].cuda(), lengths=sequences()[1])
    there.update_bias = view.update_bias = 2.0
    assert there.trace.h.is_cuda
    assert not there._data["reason"]


def test_where_it_was_computed():
    view = explorer("classifier")
    assert view._data["device"] == "the CPU"
    assert 0 < view._data["apart"] < 1e-6  # float32 against the double precision of the page
    assert explorer("own cell")._data["apart"] is None
    moved = []
    view.observe(lambda change: moved.append(change["new"]["device"]), "_data")
    with torch.no_grad():
        view._module.gru.weight_hh_l0.add_(0.1)
    assert view.to("cpu") is view
    assert moved == ["the CPU"]


@pytest.mark.cuda
def test_traced_again_on_another_device():
    view = explorer("wrapped")  # its head is none of the module's own parts to the view
    name, device = next(iter(gru.available_devices().items()))
    with torch.no_grad():
        before = view.probabilities
    view.to(device)
    assert view.trace.h.is_cuda
    assert view._data["device"] == name == torch.cuda.get_device_name(0)
    assert view._data["apart"] < 1e-2
    assert torch.allclose(view.probabilities.cpu(), before, atol=1e-2)
    view.to("cpu")
    assert view._data["device"] == "the CPU"
    assert torch.equal(view.probabilities, before)


class Pooling(nn.Module):
    """A model with something between its states and its answer."""

    def __init__(self):
        super().__init__()
        self.rnn, self.norm, self.fc = nn.GRU(4, 8, batch_first=True), nn.LayerNorm(8), nn.Linear(8, 3)

    def forward(self, x):
        return self.fc(self.norm(self.rnn(x)[0].mean(1)))


def test_a_head_that_is_not_what_the_model_answers_with_is_refused():
    torch.manual_seed(0)
    model, x = Pooling(), torch.randn(3, 20, 4)
    with pytest.raises(ValueError, match=r"head: expected the layer that the model answers with"):
        views.GateExplorer(model, x, head=model.fc)
    assert views.GateExplorer(model, x).probabilities is None
    classifier = gru.GRUClassifier(4, 8, 3)
    view = views.GateExplorer(classifier, torch.randn(20, 2, 4), head=classifier.head)
    assert view.probabilities.shape == (20, 3)


class Demanding(nn.Module):
    """A model whose forward wants the lengths, under a name of its own."""

    def __init__(self):
        super().__init__()
        self.embedding, self.rnn, self.fc = nn.Embedding(30, 6), nn.GRU(6, 8), nn.Linear(8, 2)

    def forward(self, text, text_lengths):
        packed = nn.utils.rnn.pack_padded_sequence(self.embedding(text), text_lengths, enforce_sorted=False)
        return self.fc(self.rnn(packed)[1][-1])


def test_keywords_of_the_model_s_forward():
    model, text, lengths = Demanding(), torch.randint(1, 30, (11, 4)), torch.tensor([11, 4, 7, 2])
    view = views.GateExplorer(model, text, text_lengths=lengths, sequence=1, head=model.fc)
    assert view.trace.h.shape == (4, 8)
    assert view.step == 3
    torch.testing.assert_close(view.probabilities[-1], model(text, lengths).softmax(-1)[1], rtol=0, atol=1e-5)
    assert views.MemoryDial(model, text, text_lengths=lengths).measured is not None
    own = views.GateExplorer(
        model, text, lengths=lengths, sequence=1, head=model.fc
    )  # under the view's own name for them
    assert torch.equal(own.trace.h, view.trace.h)
    assert torch.equal(own.probabilities, view.probabilities)
    sequences = [text[:length, i] for i, length in enumerate(lengths)]
    assert views.GradientLoom(model, sequences, loss=lambda logits: logits.sum()).flow.norms.shape == (12, 1)
    with pytest.raises(TypeError, match=r"unknown keyword 'xyz'; it takes module, x, lengths, names, .*head, sequence"):
        views.GateExplorer(gru.GRU(3, 4), torch.randn(5, 2, 3), xyz=1)
