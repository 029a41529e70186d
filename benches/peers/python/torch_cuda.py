#!/usr/bin/env python3
"""PyTorch's side of benches/lstm.rs: the same step with cuDNN on a GPU, the same options, rule of timing and lines.

float32 is exact only where TF32 is off, and both are settings of the process; bf16 is autocast.
"""
import argparse
import itertools
import json
import statistics
import sys
import time

import torch
from torch import nn

DIM, BATCHES = 128, 4


class Network(nn.Module):
    """An embedding, an LSTM whose last output counts, a linear layer that gives logits."""

    def __init__(self, vocabulary, units):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, DIM)
        self.lstm = nn.LSTM(DIM, units, batch_first=True)
        self.head = nn.Linear(units, 1)

    def forward(self, ids):
        _, (state, _) = self.lstm(self.embedding(ids))
        return self.head(state[0])[:, 0]


def timed(blocks, seconds, call):
    """Milliseconds a call, taken as benches/common/device.rs does; a call is told whether it is its block's last."""

    def block(calls):
        start = time.perf_counter()
        for at in range(calls):
            call(at == calls - 1)
        return time.perf_counter() - start

    block(2)
    calls = 1
    passed = block(calls)
    while passed < seconds / 2:
        calls *= 2
        passed = block(calls)
    calls = max(1, int(calls * seconds / passed))
    times = [block(calls) * 1e3 / calls for _ in range(max(blocks, 1))]
    return {"median_ms": statistics.median(times), "min_ms": min(times), "max_ms": max(times)}


def measure(options, units, steps, batch, precision):
    """Times the step; gives that and the last loss."""
    if precision not in ("f32", "tf32", "bf16"):
        raise ValueError(f"--precision {precision}: expected f32, tf32 or bf16")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
    device = torch.device(options.device)
    cuda = device.type == "cuda"
    torch.manual_seed(0)
    model = Network(options.vocabulary, units).to(device)
    loss = nn.BCEWithLogitsLoss()
    adam = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    host = []
    for _ in range(BATCHES):
        ids, labels = torch.randint(options.vocabulary, (batch, steps)), torch.randint(2, (batch,)).float()
        host.append((ids.pin_memory(), labels.pin_memory()) if cuda else (ids, labels))
    batches, last_loss = itertools.cycle(host), None

    def step(last):
        nonlocal last_loss
        ids, labels = (part.to(device, non_blocking=True) for part in next(batches))
        adam.zero_grad()
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            value = loss(model(ids), labels)
        value.backward()
        adam.step()
        if last:
            last_loss = value.detach()
            if cuda:
                torch.cuda.synchronize()

    return timed(options.blocks, options.seconds, step) | {"loss": last_loss.item()}


def report(options, units, steps, batch, precision):
    """Prints the line of a point: with the error, such as too little memory, where there is one."""
    line = {"peer": "torch", "workload": "lstm", "what": "train", "device": options.device, "precision": precision}
    line |= {"units": units, "steps": steps, "batch": batch}
    try:
        line |= measure(options, units, steps, batch, precision)
    except (RuntimeError, ValueError) as error:  # what torch raises for too little memory is a RuntimeError
        line["error"] = (str(error).splitlines() or [type(error).__name__])[0]
    print(json.dumps(line), flush=True)
    # What this point took shall not be missing in the next, here or in another process.
    if options.device.startswith("cuda"):
        torch.cuda.empty_cache()


def main():
    def numbers(text):
        return [int(part) for part in text.split(",")]

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda:0", help="cpu or cuda:N")
    parser.add_argument("--precision", default="f32", choices=["f32", "tf32", "bf16"])
    parser.add_argument("--units", type=numbers, default=[128, 512, 1024])
    parser.add_argument("--steps", type=numbers, default=[80, 320])
    parser.add_argument("--batch", type=numbers, default=[32, 256, 1024])
    parser.add_argument("--ask", action="store_true", help="read points from stdin: UNITS STEPS BATCH PRECISION")
    parser.add_argument("--vocabulary", type=int, default=20_000)
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.ask:
        for line in sys.stdin:
            units, steps, batch, precision = line.split()
            report(options, int(units), int(steps), int(batch), precision)
        return
    for units, steps, batch in itertools.product(options.units, options.steps, options.batch):
        report(options, units, steps, batch, options.precision)


if __name__ == "__main__":
    main()
