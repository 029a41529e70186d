"""What the benchmarks against PyTorch share: timing in blocks, building, rounds in turns, the table."""
import json
import math
import os
import pathlib
import statistics
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def blocks(step):
    """Prints the median milliseconds of nine blocks of a quarter of a second at least."""
    start, calls = time.perf_counter(), 0
    while calls < 4 or time.perf_counter() - start < 0.5:
        before = time.perf_counter()
        step()
        last = time.perf_counter() - before
        calls += 1
    per_block, times = max(1, math.ceil(0.25 / last)), []
    for _ in range(9):
        before = time.perf_counter()
        for _ in range(per_block):
            step()
        times.append((time.perf_counter() - before) * 1e3 / per_block)
    print(json.dumps({"median_ms": statistics.median(times)}))


def built(bench):
    """Builds a benchmark and gives its program."""
    build = ["cargo", "bench", "--bench", bench, "--no-run", "--message-format=json", "--quiet"]
    lines = subprocess.run(build, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    messages = [json.loads(line) for line in lines]
    return next(m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == bench)


def rounds(contestants, count, threads):
    """Times each contestant (a name and a command) once a round, one after the other."""
    env = dict(os.environ, OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads))
    times = {name: [] for name in contestants}
    for _ in range(count):
        for name, command in contestants.items():
            output = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
            times[name].append(json.loads(output.splitlines()[-1])["median_ms"])
    return times


def table(times, base):
    """Prints medians, spreads and the medians of each round's ratio to `base`."""
    for name, each in times.items():
        ratio = statistics.median(a / b for a, b in zip(each, times[base]))
        spread = f"{min(each):.2f} to {max(each):.2f}"
        print(f"{name:34} {statistics.median(each):8.3f}  ({spread})  {ratio:5.2f}x")
