#!/usr/bin/env python3
"""Sets elman's reuters_mlp beside PyTorch's, in turns on one machine, and prints medians and ratios.

    python3 scripts/bench_reuters.py [--rounds 5] [--threads 2] [--batch 32]

Needs PyTorch (pip install torch numpy); builds elman's benchmark by itself. A round is one process of each contestant, one
after the other; a process prints the median of nine blocks of a quarter of a second at least. PyTorch is sensitive
to anything else that runs: use an idle machine.
"""
import argparse
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
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

    start, calls = time.perf_counter(), 0
    while calls < 4 or time.perf_counter() - start < 0.5:
        before = time.perf_counter()
        step()
        last = time.perf_counter() - before
        calls += 1
    per_block, blocks = max(1, math.ceil(0.25 / last)), []
    for _ in range(9):
        before = time.perf_counter()
        for _ in range(per_block):
            step()
        blocks.append((time.perf_counter() - before) * 1e3 / per_block)
    print(json.dumps({"median_ms": statistics.median(blocks)}))


def median_ms(command, threads):
    env = dict(os.environ, OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads))
    output = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
    return json.loads(output.splitlines()[-1])["median_ms"]


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

    build = ["cargo", "bench", "--bench", "reuters_mlp", "--no-run", "--message-format=json", "--quiet"]
    lines = subprocess.run(build, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    built = [json.loads(line) for line in lines]
    bench = next(m["executable"] for m in built if m.get("executable") and m["target"]["name"] == "reuters_mlp")
    own = [bench, "--threads", str(threads), "--batch", str(batch)]
    peer = [sys.executable, __file__, "--threads", str(threads), "--batch", str(batch), "--torch"]
    contestants = {
        "PyTorch eager, Adam": peer + ["eager"],
        "PyTorch eager, fused Adam": peer + ["fused"],
        "elman candle, bags": own,
        "elman candle, dense rows": own + ["--dense"],
        "elman reference, bags": own + ["--backend", "reference"],
    }
    times = {name: [] for name in contestants}
    for _ in range(options.rounds):
        for name, command in contestants.items():
            times[name].append(median_ms(command, threads))
    base = times["PyTorch eager, Adam"]
    print(f"reuters_mlp, train step, batch {batch}, {threads} threads, {options.rounds} rounds: ms, ratio to PyTorch eager")
    for name, each in times.items():
        ratio = statistics.median(a / b for a, b in zip(each, base))
        spread = f"{min(each):.2f} to {max(each):.2f}"
        print(f"{name:27} {statistics.median(each):7.3f}  ({spread})  {ratio:5.2f}x")


if __name__ == "__main__":
    main()
