"""The equations: which gate is which, their limits, and their agreement with finite differences."""

import pytest
import torch

from gru import equations
from gru.equations import Weights

DOUBLE = {"dtype": torch.float64}
VARIANTS = [equations.reset_after, equations.reset_before]


def draw(*shapes: tuple[int, ...], seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, **DOUBLE) for shape in shapes]


def weights(D: int = 3, H: int = 4, seed: int = 1) -> list[torch.Tensor]:
    return draw((3 * H, D), (3 * H, H), (3 * H,), (3 * H,), seed=seed)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_gates_match_the_formulas_written_out_unit_by_unit(variant):
    (x, h), (W, U, b_i, b_h), H = draw((2, 3), (2, 4)), weights(), 4

    def affine(gate: str, state, sample: int, unit: int, with_x=True, with_h=True):
        row = "rzn".index(gate) * H + unit
        total = 0.0
        if with_x:
            total += sum(W[row, j] * x[sample, j] for j in range(3)) + b_i[row]
        if with_h:
            total += sum(U[row, j] * state[j] for j in range(H)) + b_h[row]
        return total

    got = variant(x, h, W, U, b_i, b_h)
    for b in range(2):
        r = [torch.sigmoid(affine("r", h[b], b, i)) for i in range(H)]
        z = [torch.sigmoid(affine("z", h[b], b, i)) for i in range(H)]
        reset_state = [r[i] * h[b, i] for i in range(H)]
        for i in range(H):
            if variant is equations.reset_after:
                inside = affine("n", None, b, i, with_h=False) + r[i] * affine("n", h[b], b, i, with_x=False)
            else:
                inside = affine("n", reset_state, b, i)
            n = torch.tanh(inside)
            expected = (r[i], z[i], n, (1 - z[i]) * n + z[i] * h[b, i])
            for name, value in zip("rznh", expected, strict=True):
                torch.testing.assert_close(getattr(got, name)[b, i], value, rtol=0, atol=1e-12)


def pinned(gate: str, value: float, H: int = 4) -> torch.Tensor:
    """A bias that drives one gate, and no other, to 0 or 1."""
    bias = torch.zeros(3 * H, **DOUBLE)
    bias["rzn".index(gate) * H :][:H] = 1e3 if value else -1e3
    return bias


@pytest.mark.parametrize("variant", VARIANTS)
def test_z_of_one_keeps_the_state_and_z_of_zero_takes_the_candidate(variant):
    (x, h), (W, U, _, b_h) = draw((2, 3), (2, 4)), weights()
    kept = variant(x, h, W, U, pinned("z", 1), b_h)
    assert torch.equal(kept.z, torch.ones_like(h))
    assert torch.equal(kept.h, h)
    taken = variant(x, h, W, U, pinned("z", 0), b_h)
    assert torch.equal(taken.h, taken.n)
    assert not torch.allclose(taken.n, h)


@pytest.mark.parametrize("variant", VARIANTS)
def test_r_of_zero_forgets_the_state_in_the_candidate_alone(variant):
    (x, h, other), (W, U, _, _) = draw((2, 3), (2, 4), (2, 4)), weights()
    one, two = (variant(x, state, W, U, pinned("r", 0)) for state in (h, other))
    assert torch.equal(one.r, torch.zeros_like(h))
    assert torch.equal(one.n, two.n)
    torch.testing.assert_close(one.n, torch.tanh(x @ W[8:].T))
    assert not torch.allclose(one.z, two.z)


def test_r_of_one_and_z_of_zero_is_the_tanh_recurrence():
    (x, h), (W, U, _, b_h) = draw((2, 3), (2, 4)), weights()
    bias = pinned("r", 1) + pinned("z", 0)
    expected = equations.elman(x, h, W[8:], U[8:], bias[8:], b_h[8:])
    for variant in VARIANTS:
        torch.testing.assert_close(variant(x, h, W, U, bias, b_h).h, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("H", "same"), [(1, True), (8, False)])
def test_the_variants_are_one_function_only_for_one_unit_without_its_bias(H, same):
    (x, h), (W, U, b_i, b_h) = draw((5, 3), (5, H)), weights(H=H)
    b_h[2 * H :] = 0
    gap = (equations.reset_after(x, h, W, U, b_i, b_h).h - equations.reset_before(x, h, W, U, b_i, b_h).h).abs().max()
    assert gap < 1e-12 if same else gap > 0.01


def test_one_unit_with_a_bias_inside_the_reset_tells_the_variants_apart():
    (x, h), W = draw((5, 3), (5, 1)), weights(H=1)
    assert not torch.allclose(equations.reset_after(x, h, *W).h, equations.reset_before(x, h, *W).h)


@pytest.mark.parametrize("variant", VARIANTS)
def test_negating_z_s_weights_turns_keeping_into_writing(variant):
    (x, h), (W, U, b_i, b_h) = draw((2, 3), (2, 4)), weights()
    sign = torch.ones(12, **DOUBLE)
    sign[4:8] = -1
    keeps = variant(x, h, W, U, b_i, b_h)
    writes = variant(x, h, sign[:, None] * W, sign[:, None] * U, sign * b_i, sign * b_h)
    torch.testing.assert_close(writes.z, 1 - keeps.z)
    torch.testing.assert_close(keeps.h, writes.z * keeps.n + (1 - writes.z) * h)


def test_the_biases_of_r_and_z_merge_and_those_of_the_candidate_do_not():
    (x, h), (W, U, b_i, b_h) = draw((2, 3), (2, 4)), weights()
    whole = equations.reset_after(x, h, W, U, b_i, b_h).h
    keep = torch.arange(12) < 8
    merged = torch.where(keep, b_i + b_h, b_i), torch.where(keep, 0.0, b_h)
    torch.testing.assert_close(equations.reset_after(x, h, W, U, *merged).h, whole)
    assert not torch.allclose(equations.reset_after(x, h, W, U, b_i + b_h).h, whole)
    torch.testing.assert_close(  # reset before: all three merge
        equations.reset_before(x, h, W, U, b_i + b_h).h, equations.reset_before(x, h, W, U, b_i, b_h).h
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_gradients_agree_with_finite_differences(variant):
    arguments = [t.requires_grad_() for t in (*draw((2, 3), (2, 4)), *weights())]
    assert torch.autograd.gradcheck(lambda *a: tuple(variant(*a)), arguments)


def test_elman_gradients_agree_with_finite_differences():
    arguments = [t.requires_grad_() for t in draw((2, 3), (2, 4), (4, 3), (4, 4), (4,), (4,))]
    assert torch.autograd.gradcheck(equations.elman, arguments)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("without", [(2,), (3,), (2, 3)])
def test_a_missing_bias_is_a_bias_of_zero(variant, without):
    (x, h), W = draw((2, 3), (2, 4)), weights()
    missing = [None if i in without else w for i, w in enumerate(W)]
    zero = [torch.zeros_like(w) if i in without else w for i, w in enumerate(W)]
    for a, b in zip(variant(x, h, *missing), variant(x, h, *zero), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-14)


@pytest.mark.parametrize("variant", VARIANTS)
def test_step_takes_the_variant_from_the_weights_and_any_leading_axes(variant):
    (x, h), W = draw((7, 2, 3), (7, 2, 4)), weights()
    got = equations.step(x, h, Weights(*W, reset_after=variant is equations.reset_after))
    for t in range(7):
        for a, b in zip(got, variant(x[t], h[t], *W), strict=True):
            torch.testing.assert_close(a[t], b, rtol=0, atol=1e-14)
