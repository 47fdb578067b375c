"""Training on words of many lengths: batches of words that are about as long, a learning rate that falls to zero."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from tqdm import tqdm

from gru import _arguments


def train(
    model: nn.Module,
    loss: Callable[[Tensor], Tensor],
    lengths: Tensor,
    *,
    epochs: int,
    batch_size: int,
    lr: float,
    seed: int,
    progress: bool = False,
) -> list[float]:
    """Train in place with Adam, and leave the model in evaluation mode.

    Args:
        model: whose parameters are trained.
        loss: the numbers of some words (B,) -> a scalar.
        lengths: of all words (N,).
        epochs, batch_size, lr: as in :func:`gru.fit`; the rate falls in a straight line to zero.
        seed: of the order.
        progress: show a bar.

    Returns:
        the mean loss of every epoch.
    """
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    steps = epochs * -(-len(lengths) // batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: max(0.0, 1 - step / steps))
    draw = _arguments.generator(seed)
    model.train()
    losses = []
    for _ in tqdm(range(epochs), desc="epochs", disable=not progress):
        total = 0.0
        for batch in batches(lengths, batch_size, draw):
            value = loss(batch)
            optimizer.zero_grad()
            value.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += value.item() * len(batch)
        losses.append(total / len(lengths))
    model.eval()
    return losses


def batches(lengths: Tensor, batch_size: int, draw: torch.Generator, pool: int = 16) -> Iterator[Tensor]:
    """All words once, in random order, but sorted by length within every ``pool`` batches: little padding is read."""
    order = torch.randperm(len(lengths), generator=draw)
    chunks = []
    for some in order.split(pool * batch_size):
        chunks += some[lengths[some].argsort(stable=True)].split(batch_size)
    for place in torch.randperm(len(chunks), generator=draw).tolist():
        yield chunks[place]
