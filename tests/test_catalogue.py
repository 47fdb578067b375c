"""The catalogue's formulas are the mistakes that the checks make on purpose, number by number."""

import pytest
import torch

import gru
from gru.checks import MISTAKES
from gru.checks._catalogue import formulas
from gru.checks._steps import Change, Part, Parts, every_change, how, step

B, D, H = 4, 3, 5

# What no text of equations can hold: everything about a class, its call and its layer; which matrix or which of its
# columns meets what, since a text's own matrices are whatever it says they are; what mixes rows or sums over units.
NOT_IN_A_FORMULA = {"h_before_x", "weight_transposed", "weight_reshaped", "layer_mixed_up"}
NOT_IN_A_FORMULA |= {"batch_mean", "first_row", "reset_softmax", "update_softmax"}


def parts(place, role):
    draw = torch.Generator().manual_seed(1)

    def normal(*shape):
        return torch.randn(*shape, generator=draw, dtype=torch.double)

    after = place == "after"
    three = [Part(normal(H, D), normal(H, H), normal(H), normal(H) if after else None) for _ in range(3)]
    return Parts(*three, after, role == "writes")


def cell_of(text, own, change):
    """The text's cell with these weights; the one bias of a gate is the sum of two, as far as both are added."""
    cell = gru.FormulaCell(text, D, H, dtype=torch.double)
    switches = how(change)
    given = {}
    for gate, part in zip("rzn", own, strict=False):
        given |= {f"W_{gate}": part.W, f"U_{gate}": part.U}
        reads = getattr(switches, f"{gate}_reads")
        both = part.b_i
        if not own.beside:
            both = switches.bias_i * part.b_i * ("x" in reads) + switches.bias_h * part.b_h * ("h" in reads)
        given |= {"b_in": part.b_i, "b_hn": part.b_h} if gate == "n" else {f"b_{gate}": both}
    with torch.no_grad():
        for name, parameter in cell.named_parameters():
            parameter.copy_(given[name])
    return cell


CASES = [
    (change, place, role)
    for place in ("after", "before")
    for role in ("keeps", "writes")
    for change in [Change("", {}), *every_change(parts(place, role))]
    if formulas(change.name, place, role)
]


@pytest.mark.parametrize(("change", "place", "role"), CASES, ids=lambda one: getattr(one, "name", one))
def test_a_formula_computes_what_the_check_does(change, place, role):
    own = parts(place, role)
    found = formulas(change.name, place, role)
    texts = [text for text, says in found if says == change.detail or not says]
    if not texts or change.detail in ("The input's.", "The state's.", "The state's, in the candidate."):
        pytest.skip("of this mistake the catalogue has another form")
    draw = torch.Generator().manual_seed(2)
    x, h = (torch.randn(B, size, generator=draw, dtype=torch.double) for size in (D, H))
    expected = step(own, x, h, how(change))
    gaps = [(cell_of(text, own, change)(x, h) - expected).abs().max().item() for text in texts]
    assert min(gaps) < 1e-12, dict(zip(texts, gaps, strict=True))


def test_every_entry_that_a_formula_can_hold_has_one():
    for place in ("after", "before"):
        for role in ("keeps", "writes"):
            for change in every_change(parts(place, role)):
                assert formulas(change.name, place, role) or change.name in NOT_IN_A_FORMULA | {"bias_twice"}, change
    tried = {change.name for change, *_ in CASES} - {""}
    assert tried == {name for name in MISTAKES if any(formulas(name, place, "keeps") for place in ("after", "before"))}
    assert len(tried) >= 30
