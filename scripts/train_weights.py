"""Train the models of the chapters on real data and write gru/datasets/weights. Kept so that anyone can do it again.

    python scripts/train_weights.py                          all of them, five seeds each, one after the other
    python scripts/train_weights.py forecast_el_nino         some of them
    python scripts/train_weights.py --processes 8            side by side

Each training takes one thread. The figures beside the weights are those of the rounded weights on the test split.
"""

import argparse
import multiprocessing
import time

import torch

from gru.recipes import SEEDS, _weights, forecast, names, numbers


def models() -> dict:
    """Name -> (train(seed), figures {name: of(model)})."""
    found = {}
    for series in forecast.PLANS:
        found[f"forecast_{series}"] = (
            lambda seed, series=series: forecast.train(series, seed),
            {"skill": lambda model, series=series: forecast.skill(model, forecast.prepared(series))},
        )
    found["name_reader"] = (names.train_reader, {"accuracy": lambda model: names.accuracy(model, names.data().test)})
    found["name_writer"] = (names.train_writer, {"bits": lambda model: names.bits_per_letter(model, names.data().test)})
    for name, attention in (("numbers_attention", True), ("numbers_plain", False)):
        found[name] = (
            lambda seed, attention=attention: numbers.train(seed, attention),
            {"exact": lambda model: numbers.exact(model, numbers.part("test"))},
        )
    return found


def one(job: tuple[str, int]) -> tuple[str, int, dict, dict]:
    """One model of one seed: its rounded weights, and its figures."""
    torch.set_num_threads(1)
    name, seed = job
    start = time.perf_counter()
    train, measures = models()[name]
    model = _weights.rounded(train(seed))
    reached = {what: of(model) for what, of in measures.items()}
    print(f"{name}, seed {seed}: {reached}, {time.perf_counter() - start:.0f} s", flush=True)
    return name, seed, {key: value.numpy() for key, value in model.state_dict().items()}, reached


class Stored(torch.nn.Module):
    """Weights without a model, for _weights.save."""

    def __init__(self, state: dict) -> None:
        super().__init__()
        self.state = state

    def state_dict(self) -> dict:
        return {key: torch.from_numpy(value) for key, value in self.state.items()}


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("names", nargs="*", help="which models; all where none is named")
    arguments.add_argument("--processes", type=int, default=1, help="how many are trained side by side")
    options = arguments.parse_args()
    wanted = options.names or [*models()]
    jobs = [(name, seed) for name in wanted for seed in SEEDS]
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        results = pool.map(one, jobs, chunksize=1)
    for name in wanted:
        mine = [(seed, state, reached) for other, seed, state, reached in results if other == name]
        reached = {what: [one[what] for *_, one in mine] for what in mine[0][2]}
        _weights.save(name, {seed: Stored(state) for seed, state, _ in mine}, reached)
