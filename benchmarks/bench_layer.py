"""How fast the layer is, as ratios: what the other way takes, divided by what ours takes. Above 1 is faster.

    python benchmarks/bench_layer.py [layer] [rest] [--rounds 15] [--threads 1 2] [--shapes 0 1 2 3 4] [--cpu-clock]

layer      `gru.GRU` of both variants against `torch.nn.GRU`, inference, and training: forward, and backward into all
           parameters and the input. Beside it the ratio that was asked for, and the one that could be had if the
           matrix products were all there is to do
rest       training against the plain cell's loop; all dh_T/dh_t in closed form against one backward pass an output;
           what tracing adds to a forward, and gradient flow to a forward and backward

The ways are run in turn, round by round, in one process, and each number is the median of the rounds' ratios, with the
quartiles in brackets. Other work on the machine makes the numbers worse and the quartiles wide; with --cpu-clock, time
that other processes took is not counted, which is right for one thread only.
"""

import argparse
import platform
import time
from collections.abc import Callable
from contextlib import suppress
from statistics import quantiles

import torch
from torch import nn

import gru
from gru.inspect.flow import state_jacobians

SHAPES = [
    (100, 1, 16, 16),
    (100, 32, 32, 64),
    (200, 64, 64, 128),
    (500, 32, 128, 256),
    (50, 128, 28, 512),
]  # T, B, D, H
# What was asked for, by threads: training and inference for each shape.
FLOORS = {
    1: {"training": (3.3, 1.7, 1.35, 1.35, 1.05), "inference": (1.3, 1.3, 1.3, 1.3, 1.08)},
    2: {"training": (3.3, 1.8, 1.25, 1.25, 1.1), "inference": (1.3, 1.0, 1.0, 1.15, 1.0)},
}
SHORTEST = 0.005  # seconds: what is shorter is repeated within a round


def ratios(ways: dict[str, Callable[[], object]], rounds: int, clock: Callable[[], float]) -> dict[str, str]:
    """The first way's time over each other way's: median and quartiles of the rounds."""
    start = clock()
    next(iter(ways.values()))()
    repeats = max(1, int(SHORTEST / max(clock() - start, 1e-9)))
    for way in ways.values():
        way()
    times = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            start = clock()
            for _ in range(repeats):
                way()
            times[name].append(clock() - start)
    first, *others = ways
    found = {}
    for name in others:
        of_rounds = [a / b for a, b in zip(times[first], times[name], strict=True)]
        low, median, high = quantiles(of_rounds, n=4)
        digits = 0 if median >= 20 else 2
        found[name] = f"{median:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"
    return found


def inference(layer: nn.Module, x: torch.Tensor) -> Callable[[], object]:
    def way():
        with torch.no_grad():
            layer(x)

    return way


def training(layer: nn.Module, x: torch.Tensor, grad: torch.Tensor) -> Callable[[], object]:
    x = x.clone().requires_grad_()
    return lambda: torch.autograd.grad(layer(x)[0], [x, *layer.parameters()], grad)


def bare_products(layer: nn.GRU, x: torch.Tensor, back: bool) -> Callable[[], object]:
    """The matrix products of the run, and of the way back, and nothing else."""
    W, U = layer.weight_ih_l0.detach(), layer.weight_hh_l0.detach()
    (T, B, _), H = x.shape, layer.hidden_size
    rows, gates, h = x.flatten(0, 1), x.new_empty(T * B, 3 * H), torch.randn(B, H)
    W_t, U_t, step, state = W.t().contiguous(), U.t().contiguous(), x.new_empty(B, 3 * H), x.new_empty(B, H)
    states, grad_x = torch.randn(T * B, H), torch.empty_like(rows)

    @torch.inference_mode()
    def way():
        torch.mm(rows, W_t, out=gates)
        for _ in range(T):
            torch.mm(h, U_t, out=step)
        if back:
            for _ in range(T):
                torch.mm(step, U, out=state)
            torch.mm(gates, W, out=grad_x)
            torch.mm(gates.t(), rows)
            torch.mm(gates.t(), states)

    return way


def table(header: list[str], rows: list[list[object]]) -> None:
    print("| " + " | ".join(header) + " |")
    print("| " + " | ".join("---" for _ in header) + " |")
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |")
    print(flush=True)


def measure_layer(shapes: list[int], threads: int, rounds: int, clock: Callable[[], float]) -> None:
    for what in ("training", "inference"):
        print(f"\n{what}, {threads} thread{'s' * (threads > 1)}: torch.nn.GRU's time over that of gru.GRU\n")
        found = []
        for k in shapes:
            T, B, D, H = SHAPES[k]
            x, grad = torch.randn(T, B, D), torch.randn(T, B, H)
            theirs = nn.GRU(D, H)
            ways = {"torch": theirs, "after": gru.GRU(D, H), "before": gru.GRU(D, H, reset_after=False)}
            run = (lambda layer, x=x: inference(layer, x)) if what == "inference" else None
            run = run or (lambda layer, x=x, grad=grad: training(layer, x, grad))
            ways = {name: run(layer) for name, layer in ways.items()}
            ways["bare"] = bare_products(theirs, x, back=what == "training")
            got = ratios(ways, rounds, clock)
            floor = FLOORS.get(threads, {}).get(what, ["-"] * len(SHAPES))[k]
            found.append([f"{T}, {B}, {D}, {H}", got["after"], got["before"], floor, got["bare"]])
        table(["T, B, D, H", "reset after", "reset before", "asked for", "bare products allow"], found)


def loop_of(cell: nn.Module, x: torch.Tensor, grad: torch.Tensor) -> Callable[[], object]:
    x = x.clone().requires_grad_()

    def way():
        h, states = x.new_zeros(x.shape[1], cell.hidden_size), []
        for x_t in x:
            h = cell(x_t, h)
            states.append(h)
        torch.autograd.grad(torch.stack(states), [x, *cell.parameters()], grad)

    return way


def one_backward_an_output(cell: nn.Module, x: torch.Tensor) -> None:
    """All dh_T/dh_t by autograd."""
    states = [torch.zeros(x.shape[1], cell.hidden_size, requires_grad=True)]
    for x_t in x:
        states.append(cell(x_t, states[-1]))
    for unit in states[-1].unbind(-1):
        torch.autograd.grad(unit.sum(), states[:-1], retain_graph=True)


def flow_of(layer: nn.Module, x: torch.Tensor, grad: torch.Tensor) -> Callable[[], object]:
    return lambda: gru.gradient_flow(layer, x, loss=lambda outputs: (outputs * grad).sum()).paths


def measure_rest(threads: int, rounds: int, clock: Callable[[], float]) -> None:
    plural = "s" * (threads > 1)
    print(f"\nTraining, {threads} thread{plural}: the plain cell's loop over gru.GRU (asked for: 3 up to H = 256)\n")
    found = []
    for T, B, D, H in [*SHAPES[:4], (100, 1, 16, 64), (100, 1, 16, 256), (100, 8, 16, 128)]:
        x, grad, row = torch.randn(T, B, D), torch.randn(T, B, H), [f"{T}, {B}, {D}, {H}"]
        for cell, after in ((gru.ResetAfterCell(D, H), True), (gru.ResetBeforeCell(D, H), False)):
            layer = gru.GRU(D, H, reset_after=after)
            ways = {"loop": loop_of(cell, x, grad), "layer": training(layer, x, grad)}
            row.append(ratios(ways, rounds, clock)["layer"])
        found.append(row)
    table(["T, B, D, H", "reset after", "reset before"], found)

    T, B, D, H = 100, 1, 16, 32
    print(f"dh_T/dh_t for all t, T = {T}, H = {H}: one backward pass an output, over closed form (asked for: 80)\n")
    found, x = [], torch.randn(T, B, D)
    for cell in (gru.ResetAfterCell(D, H), gru.ResetBeforeCell(D, H), gru.ElmanCell(D, H)):
        ways = {
            "autograd": lambda cell=cell: one_backward_an_output(cell, x),
            "jacobians": lambda cell=cell: state_jacobians(cell, x),
            "norms": lambda cell=cell: gru.jacobian_norms(cell, x),
        }
        got = ratios(ways, rounds, clock)
        found.append([type(cell).__name__, got["jacobians"], got["norms"]])
    table(["cell", "the Jacobians", "and their norms"], found)

    print("What reading costs: the time with it over the time without, of the same gru.GRU\n")
    print("(asked for: tracing at most 1.12 of a forward, 1.05 at the large sizes; gradient flow at most 1.10)\n")
    found = []
    for T, B, D, H in SHAPES[:4]:
        x, grad, row = torch.randn(T, B, D), torch.randn(T, B, H), [f"{T}, {B}, {D}, {H}"]
        for after in (True, False):
            layer = gru.GRU(D, H, reset_after=after)
            traced = {"trace": lambda layer=layer, x=x: gru.trace(layer, x), "forward": inference(layer, x)}
            flowing = {"flow": flow_of(layer, x, grad), "training": training(layer, x, grad)}
            row += [ratios(traced, rounds, clock)["forward"], ratios(flowing, rounds, clock)["training"]]
        found.append(row)
    table(["T, B, D, H", "trace, after", "flow, after", "trace, before", "flow, before"], found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=["layer", "rest", []], default=["layer", "rest"])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--shapes", type=int, nargs="+", default=range(len(SHAPES)), choices=range(len(SHAPES)))
    parser.add_argument("--cpu-clock", action="store_true")
    asked = parser.parse_args()
    clock = time.thread_time if asked.cpu_clock else time.perf_counter
    processor = platform.processor() or platform.machine()
    with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as lines:
        processor = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), processor)
    print(f"torch {torch.__version__}, {processor}, median of {asked.rounds} rounds (quartiles)")
    for threads in asked.threads:
        torch.set_num_threads(threads)
        if "layer" in asked.parts:
            measure_layer(list(asked.shapes), threads, asked.rounds, clock)
    torch.set_num_threads(1)
    if "rest" in asked.parts:
        measure_rest(1, asked.rounds, clock)


if __name__ == "__main__":
    main()
