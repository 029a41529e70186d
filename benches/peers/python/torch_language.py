"""PyTorch's side of benches/language.rs: torch_language.py generate|train [--units 128,512] [--threads N].

Generates as programs do: the embedding, `nn.LSTM` with its state handed on, the dense layer, a draw by `multinomial`; in
inference mode. A training step is that of `nn.LSTM` with the fused Adam.
"""
import argparse
import itertools
import json
import statistics
import time

import torch
from torch import nn

CHARACTERS, DIM, BATCH, BATCHES, TEXT = 65, 64, (64, 128), 4, 200


def timed(call):
    """The median, least and greatest milliseconds a call, by the rule of benches/common; those that all threads computed."""
    cpu, all_calls = time.process_time(), 0
    start, calls = time.perf_counter(), 0
    while True:
        call()
        calls += 1
        all_calls += 1
        passed = time.perf_counter() - start
        if calls >= 3 and passed > 0.3 or calls >= 2 and passed > 4:
            break
    start, blocks = time.perf_counter(), []
    while not blocks or len(blocks) < 5 and time.perf_counter() - start < 1.5:
        before, calls = time.perf_counter(), 0
        while calls == 0 or time.perf_counter() - before < 0.15:
            call()
            calls += 1
        all_calls += calls
        blocks.append((time.perf_counter() - before) * 1e3 / calls)
    cpu = (time.process_time() - cpu) * 1e3 / all_calls
    return statistics.median(blocks), min(blocks), max(blocks), cpu


class Model(nn.Module):
    def __init__(self, units):
        super().__init__()
        self.embedding = nn.Embedding(CHARACTERS, DIM)
        self.lstm = nn.LSTM(DIM, units, batch_first=True)
        self.dense = nn.Linear(units, CHARACTERS)

    def forward(self, tokens, state=None):
        y, state = self.lstm(self.embedding(tokens), state)
        return self.dense(y), state


def generate(units):
    model = Model(units).eval()
    text, state = [0], None
    token = torch.zeros(1, 1, dtype=torch.long)

    def call():
        nonlocal token, state
        for _ in range(TEXT):
            logits, state = model(token, state)
            token = torch.multinomial(torch.softmax(logits[0], -1), 1)
            text.append(token.item())

    with torch.inference_mode():
        return [t / TEXT for t in timed(call)]


def train(units):
    model = Model(units)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    loss = nn.CrossEntropyLoss()
    rows = torch.randint(0, CHARACTERS, (BATCHES, BATCH[0], BATCH[1] + 1))
    at = itertools.cycle(range(BATCHES))

    def call():
        batch = rows[next(at)]
        optimizer.zero_grad()
        logits, _ = model(batch[:, :-1])
        loss(logits.flatten(0, 1), batch[:, 1:].flatten()).backward()
        optimizer.step()

    return timed(call)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["generate", "train"])
    parser.add_argument("--units", default="128,512")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for units in map(int, options.units.split(",")):
        median, least, greatest, cpu = (generate if options.what == "generate" else train)(units)
        line = {"peer": "torch", "workload": "language", "what": options.what, "units": units, "threads": options.threads}
        line |= {"median_ms": median, "min_ms": least, "max_ms": greatest, "cpu_ms": cpu, "a_second": 1e3 / median}
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
