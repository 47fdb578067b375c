"""How fast the layer is beside what one would take instead: their time divided by ours. Above 1 ours is faster.

    python benchmarks/bench_peers.py [--rounds 15] [--shapes 0 1 2 ...] [--wall]

torch.nn.GRU, a jitted `jax.lax.scan` and ONNX Runtime (inference alone) run the same layer (reset after, the same
weights, float32), in turn, round by round, in one process on one core. Each number is the median of the rounds'
ratios, with the quartiles in brackets. The clock is the processor time of the whole process, so that other work on the
machine counts less; --wall takes the clock on the wall, for a machine that does nothing else.

JAX and ONNX Runtime are not needed for anything else here: what is not installed is left out, and that is said.
"""

from __future__ import annotations

import argparse
import io
import logging
import os
import time
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING

if hasattr(os, "sched_setaffinity"):  # one core for every library's threads; before the libraries start theirs
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import bench_layer
import torch
from bench_layer import inference, ratios, table, training
from torch import nn

import gru

if TYPE_CHECKING:
    from collections.abc import Callable

SHAPES = [(1, 1, 16, 16), (2, 1, 16, 16), (10, 1, 16, 16), *bench_layer.SHAPES]  # T, B, D, H


def jax_ways(layer: nn.GRU, x: torch.Tensor, grad: torch.Tensor) -> tuple[Callable[[], object], Callable[[], object]]:
    """Training and inference of the layer as a scan; the input's product is one for all steps, outside it."""
    import jax
    from jax import numpy as jnp

    def run(weights, x):
        W, U, b, c = weights

        def step(h, inputs):
            i_r, i_z, i_n = jnp.split(inputs, 3, axis=-1)
            h_r, h_z, h_n = jnp.split(h @ U.T + c, 3, axis=-1)
            r, z = jax.nn.sigmoid(i_r + h_r), jax.nn.sigmoid(i_z + h_z)
            n = jnp.tanh(i_n + r * h_n)
            h = (1 - z) * n + z * h
            return h, h

        return jax.lax.scan(step, jnp.zeros((x.shape[1], U.shape[1]), x.dtype), x @ W.T + b)[1]

    def back(weights, x, grad):
        _, pull = jax.vjp(run, weights, x)
        return pull(grad)

    weights = tuple(jnp.asarray(weight.detach().numpy()) for weight in layer.parameters())
    theirs, grad = jnp.asarray(x.numpy()), jnp.asarray(grad.numpy())
    run, back = jax.jit(run), jax.jit(back)
    agree("JAX", layer, x, torch.from_numpy(jax.device_get(run(weights, theirs)).copy()))
    return (
        lambda: jax.block_until_ready(back(weights, theirs, grad)),
        lambda: jax.block_until_ready(run(weights, theirs)),
    )


def onnx_way(layer: nn.GRU, x: torch.Tensor) -> Callable[[], object]:
    """The layer as one GRU operator."""
    import onnxruntime

    file = io.BytesIO()
    logging.disable()  # the exporter is chatty
    with warnings.catch_warnings(action="ignore"):
        torch.onnx.export(gru.convert.from_torch(layer), (x,), file, verbose=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file.getvalue(), options, providers=["CPUExecutionProvider"])
    inputs = {session.get_inputs()[0].name: x.numpy()}
    agree("ONNX Runtime", layer, x, torch.from_numpy(session.run(None, inputs)[0]))
    return lambda: session.run(None, inputs)


def agree(name: str, layer: nn.GRU, x: torch.Tensor, states: torch.Tensor) -> None:
    with torch.no_grad():
        difference = (layer(x)[0] - states).abs().max().item()
    assert difference < 1e-4, f"{name} computes something else: {difference}"


def measure(shape: tuple[int, int, int, int], rounds: int, clock: Callable[[], float]) -> list[str]:
    T, B, D, H = shape
    x, grad = torch.randn(T, B, D), torch.randn(T, B, H)
    theirs = nn.GRU(D, H)
    ours = gru.convert.from_torch(theirs)
    train = {"torch": training(theirs, x, grad), "ours": training(ours, x, grad)}
    run = {"torch": inference(theirs, x), "ours": inference(ours, x)}
    with suppress(ImportError):
        train["jax"], run["jax"] = jax_ways(theirs, x, grad)
    with suppress(ImportError):
        run["onnx"] = onnx_way(theirs, x)
    found = [", ".join(map(str, shape))]
    for ways, names in ((train, ("torch", "jax")), (run, ("torch", "jax", "onnx"))):
        for name in names:
            pair = {name: ways[name], "ours": ways["ours"]} if name in ways else None
            found.append(ratios(pair, rounds, clock)["ours"] if pair else "not installed")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--shapes", type=int, nargs="+", default=range(len(SHAPES)), choices=range(len(SHAPES)))
    parser.add_argument("--wall", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    clock = time.perf_counter if asked.wall else time.process_time
    print(
        f"torch {torch.__version__}, gru's walk: {gru.bptt.engine()}, one core, median of {asked.rounds} (quartiles)\n"
    )
    rows = [measure(SHAPES[k], asked.rounds, clock) for k in asked.shapes]
    names = ["training: torch", "JAX", "inference: torch", "JAX", "ONNX Runtime"]
    table(["T, B, D, H", *names], rows)


if __name__ == "__main__":
    main()
