#!/usr/bin/env python3
"""Times a language model of characters (benches/language.rs) beside PyTorch's own loop, in turn, and prints ratios.

    scripts/bench_language.py --python VENV/bin/python [--rounds 5] [--what generate,train] [--units 128,512] [--threads 1,2]

`--python` is one that has torch. A round is one process of each; of both the best number of threads counts. A ratio is elman's time
over PyTorch's of the same round, below 1 where elman is faster: the median over the rounds, the least and the greatest. Beside it that
of the time that was computed, with one thread, which a busy machine changes less.
"""
import argparse
import json
import statistics
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent


def built():
    command = ["cargo", "build", "--release", "--bench", "language", "--message-format=json"]
    lines = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    messages = (json.loads(line) for line in lines if line.startswith("{"))
    return [message["executable"] for message in messages if message.get("executable")][-1]


def run(command, what, units, threads):
    command = [*command, what, "--units", str(units), "--threads", str(threads)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def spread(ratios):
    return f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    numbers = lambda text: [int(number) for number in text.split(",")]
    parser.add_argument("--python", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--what", default="generate,train")
    parser.add_argument("--units", type=numbers, default=[128, 512])
    parser.add_argument("--threads", type=numbers, default=[1, 2])
    options = parser.parse_args()
    peers = [[built()], [options.python, str(ROOT / "benches/peers/python/torch_language.py")]]
    for what in options.what.split(","):
        for units in options.units:
            wall, computed, own = [], [], []
            for _ in range(options.rounds):
                times = [[run(peer, what, units, threads) for threads in options.threads] for peer in peers]
                best = [min(line["median_ms"] for line in lines) for lines in times]
                wall.append(best[0] / best[1])
                own.append(best[0])
                alone = [[line["cpu_ms"] for line in lines if line["threads"] == 1] for lines in times]
                computed += [elman / torch for elman, torch in zip(*alone)]
            line = f"{what}, LSTM {units}: {statistics.median(own):.4f} ms, ratio {spread(wall)}"
            print(line + (f", computed {spread(computed)}" if computed else ""), flush=True)


if __name__ == "__main__":
    main()
