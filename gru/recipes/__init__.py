"""The trained models of the chapters on real data: how each is built and trained, and its weights for five seeds.

Training all of them takes longer than a chapter may. So ``scripts/train_weights.py`` trained them once, with these very
functions, and ``gru/datasets/weights`` keeps what came out; a chapter loads all seeds and trains one before your eyes.

    forecast    how a series goes on: El Nino, CO2
    names       in which language a name is written, and names that a GRU writes
    numbers     numbers in words, read by an encoder and a decoder
"""

SEEDS = range(5)
