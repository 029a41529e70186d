#!/usr/bin/env python3
"""Sets elman's reuters_mlp beside PyTorch's, in turns on one machine, and prints medians and ratios.

    python3 scripts/bench_reuters.py [--rounds 5] [--threads 2] [--batch 32]

Needs PyTorch (pip install torch numpy); builds elman's benchmark by itself. A round is one process of each contestant, one
after the other; a process prints the median of nine blocks of a quarter of a second at least. PyTorch is sensitive
to anything else that runs: use an idle machine.
"""
import argparse
import sys

import bench_common

SAMPLES, WORDS, WORDS_PER_TEXT, TOPICS = 8982, 1000, 60, 46


def torch_step(threads, batch, fused):
    """The contestant: eager PyTorch on dense rows, as its users write it."""
    import numpy as np
    import torch
    from torch import nn
    import torch.nn.functional as F

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    rng = np.random.default_rng(1)
    x = np.zeros((SAMPLES, WORDS), "float32")
    x[np.arange(SAMPLES)[:, None], rng.integers(0, WORDS, (SAMPLES, WORDS_PER_TEXT))] = 1
    x, y = torch.from_numpy(x), torch.from_numpy(rng.integers(0, TOPICS, SAMPLES))
    model = nn.Sequential(nn.Linear(WORDS, 512), nn.ReLU(), nn.Dropout(0.5), nn.Linear(512, TOPICS))
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True if fused else None)
    at = 0

    def step():
        nonlocal at
        optimizer.zero_grad()
        F.cross_entropy(model(x[at : at + batch]), y[at : at + batch]).backward()
        optimizer.step()
        at = at + batch if at + 2 * batch <= SAMPLES else 0

    bench_common.blocks(step)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--torch", choices=["eager", "fused"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    threads, batch = options.threads, options.batch
    if options.torch:
        return torch_step(threads, batch, options.torch == "fused")

    bench = bench_common.built("reuters_mlp")
    own = [bench, "--threads", str(threads), "--batch", str(batch)]
    peer = [sys.executable, __file__, "--threads", str(threads), "--batch", str(batch), "--torch"]
    contestants = {
        "PyTorch eager, Adam": peer + ["eager"],
        "PyTorch eager, fused Adam": peer + ["fused"],
        "elman candle, bags": own,
        "elman candle, dense rows": own + ["--dense"],
        "elman reference, bags": own + ["--backend", "reference"],
    }
    times = bench_common.rounds(contestants, options.rounds, threads)
    print(f"reuters_mlp, train step, batch {batch}, {threads} threads, {options.rounds} rounds: ms, ratio to PyTorch eager")
    bench_common.table(times, "PyTorch eager, Adam")


if __name__ == "__main__":
    main()
