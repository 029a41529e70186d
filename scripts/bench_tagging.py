#!/usr/bin/env python3
"""Times a conditional random field, a parser's heads and labels, the training step of a whole tagger and parser and connectionist
temporal classification (benches/tagging.rs) beside pytorch-crf and PyTorch, in turn, and prints ratios.

    scripts/bench_tagging.py --python VENV/bin/python [--rounds 5] [--what loss,path,heads,step,ctc] [--threads 1,2]

`--python` is one that has torch and pytorch-crf. A round is one process of each for each number of threads; of both the best number counts,
and of PyTorch's step the better of packed and gathered sequences (sentences of 20 words, or 10 to 20). A ratio is the peer's time over
elman's of the same round, above 1 where elman is faster: the median over the rounds, the least and the greatest; of the best of five
blocks, and of the time that was computed with one thread, which a busy machine changes less.
"""
import argparse
import json
import statistics
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent


def built():
    command = ["cargo", "build", "--release", "--bench", "tagging", "--message-format=json"]
    lines = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    messages = (json.loads(line) for line in lines if line.startswith("{"))
    return [message["executable"] for message in messages if message.get("executable")][-1]


def run(command, what, masked, threads):
    command = [*command, what, "--threads", str(threads), *(["--masked"] if masked else [])]
    ways = [[]]
    if what == "step":
        command += ["--steps", "20"]
        ways = [[], ["--packed"]] if "torch_crf.py" in command[1] else ways
    lines = [subprocess.run(command + way, check=True, stdout=subprocess.PIPE, text=True).stdout for way in ways]
    return min(map(json.loads, lines), key=lambda line: line["min_ms"])


def spread(ratios):
    return f"{statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--what", default="loss,path,heads,step,ctc")
    parser.add_argument("--threads", type=lambda text: [int(number) for number in text.split(",")], default=[1, 2])
    options = parser.parse_args()
    peers = [[built()], [options.python, str(ROOT / "benches/peers/python/torch_crf.py")]]
    for what in options.what.split(","):
        for masked in (False, True):
            wall, computed, own = [], [], []
            for _ in range(options.rounds):
                times = [[run(peer, what, masked, threads) for threads in options.threads] for peer in peers]
                best = [min(line["min_ms"] for line in lines) for lines in times]
                wall.append(best[1] / best[0])
                own.append(best[0])
                alone = [[line["cpu_ms"] for line in lines if line["threads"] == 1] for lines in times]
                computed += [torch / elman for elman, torch in zip(*alone)]
            line = f"{what}{', masked' if masked else ''}: {statistics.median(own):.4f} ms, {spread(wall)} times as fast"
            print(line + (f", computed {spread(computed)}" if computed else ""), flush=True)


if __name__ == "__main__":
    main()
