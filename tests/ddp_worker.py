"""One of the processes that tests/test_compat.py starts with torchrun: DistributedDataParallel around gru.GRU.

Each process sees its own share of the batch; the gradients that come out must be those of the whole batch in one
process, and an optimiser's step must leave the same parameters everywhere.
"""

import torch
import torch.distributed as dist
from torch import Tensor, nn

import gru

EXACT = {"rtol": 0, "atol": 1e-12}


def loss(outputs: Tensor, h_n: Tensor) -> Tensor:
    """A mean over samples, so that the mean over processes is the mean over the batch."""
    return outputs.square().mean() + h_n.sin().mean()


def check(variant: str) -> None:
    rank, world = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(rank)  # different starting values: DistributedDataParallel hands out those of process 0
    layer = gru.GRU(3, 4, 2, bidirectional=True, dtype=torch.float64, reset_after=variant == "reset_after")
    parallel = nn.parallel.DistributedDataParallel(layer)
    whole = gru.GRU(3, 4, 2, bidirectional=True, dtype=torch.float64, reset_after=layer.reset_after)
    whole.load_state_dict(layer.state_dict())

    x = torch.randn(6, 4 * world, 3, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    loss(*whole(x)).backward()
    for _ in range(2):  # the second time the buckets of gradients have been arranged anew
        parallel.zero_grad()
        loss(*parallel(x.chunk(world, dim=1)[rank])).backward()
        for ours, theirs in zip(layer.parameters(), whole.parameters(), strict=True):
            torch.testing.assert_close(ours.grad, theirs.grad, **EXACT)

    torch.optim.SGD(parallel.parameters(), lr=0.1).step()
    flat = nn.utils.parameters_to_vector(layer.parameters()).detach()
    everywhere = [torch.empty_like(flat) for _ in range(world)]
    dist.all_gather(everywhere, flat)
    assert all(torch.equal(flat, other) for other in everywhere)
    # One write: where output is not buffered, print's own line end would be a second, and the two processes mix.
    print(f"{variant}: process {rank} of {world} agrees\n", end="", flush=True)


if __name__ == "__main__":
    dist.init_process_group("gloo")
    for variant in ("reset_after", "reset_before"):
        check(variant)
    dist.destroy_process_group()
