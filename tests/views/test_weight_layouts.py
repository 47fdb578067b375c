"""WeightLayouts: how frameworks lay weights out, what mistakes cost, and the page with the same numbers."""

import pytest
import torch
import traitlets
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from views.conftest import FRAME

import gru
from gru import views
from gru.views._modules import bundle
from gru.views._weights import run
from gru.views.weight_layouts import FRAMEWORKS

ROUNDING = 1e-12


def lab(**traits):
    return views.WeightLayouts(**traits)


def states_of(view, after):
    """What is wanted: h (T, H) of the weights in one of the two cells."""
    return run(view._x, view.weights._replace(reset_after=after)).h


def states(x, step, H):
    """h (T, H) of any step(x_t, h) -> h."""
    h, found = x.new_zeros(H), []
    for x_t in x:
        h = step(x_t, h)
        found.append(h)
    return torch.stack(found)


# Layouts: each framework's own equations on the arrays give the states that are wanted


def linen(p, x, h):
    """flax.linen.GRUCell: six layers with names."""
    r = torch.sigmoid(x @ p["ir/kernel"] + p["ir/bias"] + h @ p["hr/kernel"])
    z = torch.sigmoid(x @ p["iz/kernel"] + p["iz/bias"] + h @ p["hz/kernel"])
    n = torch.tanh(x @ p["in/kernel"] + p["in/bias"] + r * (h @ p["hn/kernel"] + p["hn/bias"]))
    return (1 - z) * n + z * h


def equinox(p, x, h):
    from_x, from_h = (p["weight_ih"] @ x + p["bias"]).chunk(3), (p["weight_hh"] @ h).chunk(3)
    r, z = torch.sigmoid(from_x[0] + from_h[0]), torch.sigmoid(from_x[1] + from_h[1])
    n = torch.tanh(from_x[2] + r * (from_h[2] + p["bias_n"]))
    return n + z * (h - n)


def tf1(p, x, h):
    r, u = torch.sigmoid(torch.cat((x, h)) @ p["gates/kernel"] + p["gates/bias"]).chunk(2)
    c = torch.tanh(torch.cat((x, r * h)) @ p["candidate/kernel"] + p["candidate/bias"])
    return u * h + (1 - u) * c


def keras(p, x, h):
    """keras.layers.GRUCell: columns of z, r, h; two rows of biases where the reset comes after."""
    after = p["bias"].dim() == 2
    b_x, b_h = p["bias"] if after else (p["bias"], torch.zeros_like(p["bias"]))
    from_x = (x @ p["kernel"] + b_x).chunk(3)
    U = p["recurrent_kernel"].chunk(3, 1)
    z = torch.sigmoid(from_x[0] + h @ U[0] + b_h.chunk(3)[0])
    r = torch.sigmoid(from_x[1] + h @ U[1] + b_h.chunk(3)[1])
    n = torch.tanh(from_x[2] + (r * (h @ U[2] + b_h.chunk(3)[2]) if after else (r * h) @ U[2]))
    return z * h + (1 - z) * n


STEPS = {"flax": linen, "equinox": equinox, "tf1": tf1, "keras": keras}


@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_arrays_give_the_states_in_the_framework(framework, after):
    view = lab(framework=framework, reset_after=after)
    arrays, x = view.arrays, view._x
    if framework == "pytorch":
        layer = nn.GRU(3, 8).double()
        layer.load_state_dict(arrays)
        found = layer(x)[0].detach()
    elif framework == "onnx":
        found = gru.convert.from_onnx(**arrays, linear_before_reset=int(after))(x[:, None])[0].squeeze(1).detach()
    else:
        found = states(x, lambda x_t, h: STEPS[framework](arrays, x_t, h), 8)
    wanted = states_of(view, after)
    if framework in ("keras", "onnx") or after == (framework != "tf1"):
        torch.testing.assert_close(found, wanted, atol=ROUNDING, rtol=0)
        assert view.mistakes["layout"] < ROUNDING
    else:  # the framework has only the other variant, and the view says by how much it is off
        assert (found - wanted).abs().max().item() == pytest.approx(view.mistakes["layout"])
        assert view.mistakes["layout"] == pytest.approx(
            (states_of(view, True) - states_of(view, False)).abs().max().item()
        )
        assert list(view.mistakes) == ["layout"]


def test_what_each_mistake_is():
    view = lab(framework="onnx")
    x, right, wanted = view._x, view.arrays, states_of(view, True)

    def error(reset_after=1, **wrong):
        layer = gru.convert.from_onnx(**{**right, **wrong}, linear_before_reset=reset_after)
        return (layer(x[:, None])[0].squeeze(1) - wanted).abs().max().item()

    W, R, B = right["W"], right["R"], right["B"]
    swap = torch.arange(24).view(3, 8)[[1, 0, 2]].flatten()
    sign = torch.cat((-torch.ones(8), torch.ones(16)))  # rows of z, r, h
    merged = torch.cat((B[:, :16], B[:, 16:24] + B[:, 40:], B[:, 24:40], torch.zeros(1, 8)), 1)
    assert view.mistakes == {
        "layout": pytest.approx(0, abs=ROUNDING),
        "variant": pytest.approx(error(reset_after=0)),
        "order": pytest.approx(error(W=W[:, swap], R=R[:, swap], B=B[:, torch.cat((swap, 24 + swap))])),
        "sign": pytest.approx(error(W=W * sign[:, None], R=R * sign[:, None], B=B * sign.repeat(2))),
        "recurrent": pytest.approx(error(R=torch.cat([block.T for block in R[0].chunk(3)])[None])),
        "kernel": None,
        "merged": pytest.approx(error(B=merged)),
        "dropped": pytest.approx(error(B=torch.cat((B[:, :24], torch.zeros(1, 24)), 1))),
    }
    assert min(value for name, value in view.mistakes.items() if value and name != "layout") > 0.05


def test_a_square_kernel_is_not_refused():
    assert views.WeightLayouts(gru.GRU(3, 3)).mistakes["kernel"] > 0.001
    assert views.WeightLayouts(gru.GRU(3, 4)).mistakes["kernel"] is None


def test_refresh_reads_the_module_again():
    module = gru.GRU(3, 4)
    view = views.WeightLayouts(module, framework="keras")
    with torch.no_grad():
        module.weight_hh_l0.mul_(2)
    view.refresh()
    torch.testing.assert_close(view.weights.weight_hh, module.weight_hh_l0.double())


def test_another_framework_is_refused():
    with pytest.raises(traitlets.TraitError, match="chainer"):
        lab(framework="chainer")


# The page


@pytest.fixture(scope="module")
def module_page(browser):
    page = browser.new_page()
    page.add_script_tag(content=bundle("gru", "layouts"))
    yield page
    page.close()


COMPUTE = """({ data, framework, reset_after }) => {
  const names = ["x", "weight_ih", "weight_hh", "bias_ih", "bias_hh"];
  const { x, ...given } = Object.fromEntries(names.map((name) => [name, $gru.decode(data[name])]));
  const weights = { ...given, reset_after };
  const { variants, layout } = $layouts.FRAMEWORKS[framework];
  const reads = variants.includes(reset_after) ? reset_after : variants[0];
  const filled = $layouts.fill(weights, layout(reads));
  return {
    arrays: filled.map(({ shape, values }, i) => [layout(reads)[i].name, shape, [...values]]),
    mistakes: $layouts.mistakes(framework, weights, x, $gru.forward(x, weights).h).map((one) => [one.name, one.error]),
  };
}"""


def same_numbers(page, view):
    traits = {"framework": view.framework, "reset_after": view.reset_after}
    found = page.evaluate(COMPUTE, {"data": view._data, **traits})
    arrays = {name: (tuple(shape), values) for name, shape, values in found["arrays"]}
    # Where the framework has only the other variant, the page fills what comes nearest, as Python does.
    assert {name: shape for name, (shape, _) in arrays.items()} == {k: tuple(v.shape) for k, v in view.arrays.items()}
    for name, array in view.arrays.items():
        values = torch.tensor(arrays[name][1], dtype=torch.double).view(array.shape)
        torch.testing.assert_close(values, array, atol=1e-9, rtol=0)
    assert dict(found["mistakes"]) == {
        name: None if error is None else pytest.approx(error, abs=1e-9) for name, error in view.mistakes.items()
    }
    assert [name for name, _ in found["mistakes"]] == list(view.mistakes)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    D=st.integers(1, 4),
    H=st.integers(1, 6),
    T=st.integers(1, 12),
    kind=st.sampled_from(["after", "before", "no bias", "z writes"]),
    framework=st.sampled_from(FRAMEWORKS),
    after=st.booleans(),
)
def test_page_computes_what_python_computes(module_page, seed, D, H, T, kind, framework, after):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = {
            "after": lambda: gru.GRU(D, H),
            "before": lambda: gru.GRU(D, H, reset_after=False),
            "no bias": lambda: gru.GRU(D, H, bias=False),
            "z writes": lambda: gru.ResetBeforeCell(D, H),
        }[kind]()
        x = torch.randn(T, D)
    same_numbers(module_page, views.WeightLayouts(module, x, framework=framework, reset_after=after))


@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_page_computes_what_python_computes_for_every_framework(module_page, framework, after):
    same_numbers(module_page, lab(framework=framework, reset_after=after))


@pytest.fixture
def opened(open_views):
    def opened(view, **options):
        page = open_views(view, **options)
        return page, page.locator(".gru-view")

    return opened


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_card_opens_a_framework(opened, framework):
    view = lab(framework=framework)
    page, root = opened(lab(framework="keras" if framework == "pytorch" else "pytorch"))
    name = {"pytorch": "PyTorch", "keras": "Keras", "onnx": "ONNX", "tf1": "TF1"}.get(framework, framework.title())
    root.locator(f"input[value={framework}]").check()
    page.evaluate(FRAME)
    assert root.locator(".gru-card.gru-chosen b").inner_text() == name
    assert root.locator(".gru-array code").all_inner_texts() == list(view.arrays)
    shapes = root.locator(".gru-array .gru-note").all_inner_texts()
    assert shapes == [str(tuple(array.shape)) for array in view.arrays.values()]
    errors = [error for label, error in view.mistakes.items() if framework == "tf1" or label != "layout"]
    items = root.locator(".gru-errors li").all_inner_texts()
    assert len(items) == len(errors)
    for item, error in zip(items, errors, strict=True):
        assert ("refused" in item) if error is None else item.endswith(f"{error:.2f}"), item
    assert name in root.locator(".gru-says").inner_text()


def test_tf1_takes_weights_for_the_reset_before(opened):
    page, root = opened(lab(framework="tf1"))
    assert "TF1 resets before the product only, so it cannot compute" in root.locator(".gru-says").inner_text()
    page.get_by_role("radio", name="reset before").check()
    page.evaluate(FRAME)
    assert "cannot" not in root.locator(".gru-says").inner_text()
    rights = root.locator(".gru-right").all_inner_texts()
    assert [text.startswith("off by") for text in rights] == [True, False, False, False, True, True]


def test_every_framework_draws_its_blocks_in_its_order(opened):
    _, root = opened(lab())
    seconds = [card.locator(".gru-blocks").nth(1).locator("text") for card in root.locator(".gru-card").all()]
    letters = ["".join(text.all_text_contents()) for text in seconds]
    assert letters == ["rzn", "zrh", "zrh", "ru", "r", "rzn"]


def test_errors_stand_on_a_linear_axis(opened):
    view = lab()
    _, root = opened(view)
    bars = root.locator(".gru-track i").evaluate_all(
        "(all) => all.map((one) => one.offsetWidth / one.parentElement.offsetWidth)"
    )
    errors = [error for name, error in view.mistakes.items() if error is not None and name != "layout"]
    assert bars == pytest.approx(errors, abs=0.01)
    assert root.locator(".gru-error-axis span").all_inner_texts() == ["0", "0.25", "0.5", "0.75", "1"]
