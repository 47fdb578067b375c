"""The trained models of the chapters: what is stored is what was reached, training again finds it, damage is named."""

import json
import re

import numpy as np
import pytest
import torch

from gru.datasets import Series, co2, fill_gaps
from gru.recipes import SEEDS, _loop, _weights, forecast, names, numbers

EVERY = ["forecast_el_nino", "forecast_co2", "name_reader", "name_writer", "numbers_attention", "numbers_plain"]


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", EVERY)
def test_five_seeds_with_script_and_figures(name):
    card = json.loads((_weights.WEIGHTS / f"{name}.json").read_text())
    assert card["script"] == "scripts/train_weights.py"
    assert card["seeds"] == [*SEEDS]
    assert all(len(values) == len(SEEDS) for values in card["figures"].values())
    assert (_weights.WEIGHTS / f"{name}.npz").stat().st_size < 500_000


@pytest.mark.parametrize("name", ["el_nino", "co2"])
def test_the_stored_forecasters_reach_their_figures(name):
    reached = [forecast.skill(forecast.load(name, seed), forecast.prepared(name)) for seed in SEEDS]
    assert reached == pytest.approx(_weights.figures(f"forecast_{name}")["skill"], abs=1e-4)


def test_the_stored_readers_and_writers_reach_their_figures():
    reached = [names.accuracy(names.load_reader(seed), names.data().test) for seed in SEEDS]
    assert reached == pytest.approx(_weights.figures("name_reader")["accuracy"], abs=2e-3)
    bits = [names.bits_per_letter(names.load_writer(seed), names.data().test) for seed in SEEDS]
    assert bits == pytest.approx(_weights.figures("name_writer")["bits"], abs=1e-3)


@pytest.mark.parametrize(("name", "attention"), [("numbers_attention", True), ("numbers_plain", False)])
def test_a_stored_model_of_the_numbers_reaches_its_figure(name, attention):
    reached = numbers.exact(numbers.load(3, attention), numbers.part("test"))
    assert reached == pytest.approx(_weights.figures(name)["exact"][3], abs=2e-3)


def test_the_numbers_are_drawn_by_length_and_stand_in_one_split_each():
    split = numbers.data()._asdict()
    for name, counts in numbers.BY_LENGTH.items():
        found = [sum(len(str(number)) == digits for number in split[name]) for digits in (1, 2, 3, 4)]
        assert found == [*counts]
    every = split["train"] + split["validation"] + split["test"]
    assert len(set(every)) == len(every) == 1400
    assert split["test"] != sorted(split["test"])
    assert 0 in split["train"]
    assert 97 in split["test"]


def test_siebenundneunzig_is_read_and_its_lines_cross():
    """What AlignmentView opens with: its 9 is said last, and no model has met the number."""
    word = "siebenundneunzig"
    for seed in SEEDS:
        model = numbers.load(seed)
        symbols, looks = model.write(numbers.alphabet().one_hot([word], other=True), torch.tensor([len(word)]), 3)
        assert symbols[:, 0].tolist() == [9, 7, model.END]
        nine, seven = looks[:2, 0].argmax(1).tolist()
        assert seven < word.index("neun") <= nine


def test_training_again_finds_the_stored_figure():
    again = _weights.rounded(forecast.train("el_nino", 0))
    stored = _weights.figures("forecast_el_nino")["skill"][0]
    assert forecast.skill(again, forecast.prepared("el_nino")) == pytest.approx(stored, abs=0.01)
    untrained = forecast.build("el_nino", 0)
    assert forecast.skill(untrained, forecast.prepared("el_nino")) < stored - 0.1


def test_another_seed_is_another_model():
    first, second = (forecast.load("el_nino", seed).head.weight for seed in (0, 1))
    assert not torch.allclose(first, second)


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """The El Nino weights in a folder of their own, where they may be changed."""
    for ending in ("npz", "sha256"):
        file = _weights.WEIGHTS / f"forecast_el_nino.{ending}"
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def load(folder, seed=0, name="el_nino"):
    return _weights.load("forecast_el_nino", forecast.build(name, seed), seed, folder)


def test_damaged_weights_say_how(stored):
    path = stored / "forecast_el_nino.npz"
    content = path.read_bytes()
    path.write_bytes(content[:2000])
    with pytest.raises(
        ValueError, match=r"forecast_el_nino.npz is damaged: expected a NumPy archive of weights, got 2000"
    ):
        load(stored)
    with np.load(_weights.WEIGHTS / path.name) as arrays:
        changed = dict(arrays)
    changed["0/head.bias"] = changed["0/head.bias"] + np.float16(1)
    np.savez(path, **changed)
    with pytest.raises(ValueError, match=r"is damaged: checksum: expected SHA-256"):
        load(stored)
    changed["0/head.bias"][3] = np.nan
    np.savez(path, **changed)
    with pytest.raises(ValueError, match=r"is damaged: 0/head.bias: expected finite numbers"):
        load(stored)


def test_foreign_weights_say_what_they_are(stored):
    with pytest.raises(ValueError, match=re.escape("expected weights of seed 7, got those of [0, 1, 2, 3, 4]")):
        load(stored, seed=7)
    with pytest.raises(ValueError, match=r"forecast_el_nino.npz holds another model: gru.bias_hh_l0: expected shape"):
        load(stored, name="co2")
    with pytest.raises(FileNotFoundError):
        load(stored / "nowhere")


def test_no_window_reaches_into_another_part():
    for name in forecast.PLANS:
        data = forecast.prepared(name)
        years = [day.year for day in data.series.dates]
        for part, (low, high) in {
            "train": (0, data.plan.validation),
            "validation": (data.plan.validation, data.plan.test),
            "test": (data.plan.test, 9999),
        }.items():
            ends = data.parts[part].ends
            assert all(low <= years[end + 1] and years[end + data.plan.horizon] < high for end in ends)
            end = ends[5]
            torch.testing.assert_close(data.parts[part].wanted[5], data.values[end + 1 : end + 1 + data.plan.horizon])
            torch.testing.assert_close(data.parts[part].raw[-1, 5], data.values[end])


def test_scaling_sees_the_training_part_alone():
    series = co2()
    values = fill_gaps(series.values)
    later = values.clone()
    later[-500:] *= 3
    for relative in (True, False):
        plan = forecast.PLANS["co2"]._replace(relative=relative)
        one, other = (forecast.prepare(series, some, plan) for some in (values, later))
        assert (one.center, one.scale) == (other.center, other.scale)
        seen = forecast.prepare(series, later, plan, known=slice(None))
        assert seen.scale != one.scale


def test_scaled_and_back():
    for name in forecast.PLANS:
        data = forecast.prepared(name)
        part = data.parts["test"]
        torch.testing.assert_close(forecast.in_units(data, part, part.y), part.wanted, rtol=1e-5, atol=1e-3)
        assert isinstance(data.series, Series)


def test_batches_are_all_words_once_and_about_as_long():
    lengths = torch.randint(1, 40, (1000,), generator=torch.Generator().manual_seed(0))
    some = list(_loop.batches(lengths, 32, torch.Generator().manual_seed(1)))
    assert sorted(torch.cat(some).tolist()) == list(range(1000))
    spread = sum((lengths[batch].max() - lengths[batch].min()).item() for batch in some) / len(some)
    assert spread < 10
    again = list(_loop.batches(lengths, 32, torch.Generator().manual_seed(1)))
    assert all(torch.equal(a, b) for a, b in zip(some, again, strict=True))
