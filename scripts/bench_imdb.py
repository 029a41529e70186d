#!/usr/bin/env python3
"""Sets a train step of elman's imdb_lstm beside PyTorch's, in turns on one machine, and prints medians and ratios.

    python3 scripts/bench_imdb.py [--rounds 5] [--threads 2] [--batch 32] [--steps 80] [--words 20000]

Needs PyTorch (pip install torch numpy); builds elman's benchmark by itself. A round is one process of each contestant, one
after the other; a process prints the median of nine blocks of a quarter of a second at least. PyTorch is sensitive
to anything else that runs: use an idle machine. Full-length texts, no dropout on either side; the masked rows are
elman's alone, as PyTorch runs all steps whatever is padding.
"""
import argparse
import sys

import bench_common

UNITS = 128


def torch_step(options):
    """The contestant: PyTorch's embedding, its LSTM (one operation over the whole sequence), a linear layer."""
    import numpy as np
    import torch
    from torch import nn
    import torch.nn.functional as F

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    rng = np.random.default_rng(1)
    shape = (8, options.batch, options.steps)
    ranks = np.exp(rng.random(shape) * np.log(options.words - 1)).astype("int64")
    x = torch.from_numpy(np.clip(ranks, 1, options.words - 1))
    y = torch.from_numpy(rng.integers(0, 2, shape[:2]).astype("float32"))
    sparse = options.torch == "sparse"
    embedding = nn.Embedding(options.words, UNITS, sparse=sparse)
    lstm, head = nn.LSTM(UNITS, UNITS, batch_first=True), nn.Linear(UNITS, 1)
    dense = [*lstm.parameters(), *head.parameters()]
    if sparse:
        optimizers = [torch.optim.SparseAdam(embedding.parameters(), 1e-3), torch.optim.Adam(dense, 1e-3, fused=True)]
    else:
        fused = True if options.torch == "fused" else None
        optimizers = [torch.optim.Adam([*embedding.parameters(), *dense], 1e-3, fused=fused)]
    at = 0

    def step():
        nonlocal at
        for optimizer in optimizers:
            optimizer.zero_grad()
        outputs, _ = lstm(embedding(x[at]))
        F.binary_cross_entropy_with_logits(head(outputs[:, -1]).squeeze(1), y[at]).backward()
        for optimizer in optimizers:
            optimizer.step()
        at = (at + 1) % 8

    bench_common.blocks(step)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--words", type=int, default=20_000)
    parser.add_argument("--torch", choices=["eager", "fused", "sparse"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.torch:
        return torch_step(options)

    bench = bench_common.built("imdb_lstm")
    names = ["threads", "batch", "steps", "words"]
    settings = [part for name in names for part in (f"--{name}", str(getattr(options, name)))]
    peer = [sys.executable, __file__, *settings, "--torch"]
    contestants = {
        "PyTorch, Adam": peer + ["eager"],
        "PyTorch, fused Adam": peer + ["fused"],
        "PyTorch, SparseAdam for the table": peer + ["sparse"],
        "elman candle": [bench, *settings],
        "elman candle, lazy": [bench, *settings, "--lazy"],
        "elman candle, masked": [bench, *settings, "--masked"],
        "elman reference": [bench, *settings, "--backend", "reference"],
    }
    times = bench_common.rounds(contestants, options.rounds, options.threads)
    what = f"batch {options.batch}, {options.steps} steps, {options.words} words, {options.threads} threads"
    print(f"imdb_lstm, train step, {what}, {options.rounds} rounds: ms, ratio to PyTorch with fused Adam")
    bench_common.table(times, "PyTorch, fused Adam")


if __name__ == "__main__":
    main()
