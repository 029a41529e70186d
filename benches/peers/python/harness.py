"""What the Python peers share: timing by the rule of benches/common, and data of the shapes of benches/workloads.rs."""
import json
import pathlib
import statistics
import time

import numpy as np


def peak_memory():
    """The most memory that the process has had so far, in megabytes."""
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def report(options, what, call):
    """Prints the median, least and greatest milliseconds of five blocks of 0.15 seconds at least, after a warm-up."""
    start, calls = time.perf_counter(), 0
    while True:
        call()
        calls += 1
        passed = time.perf_counter() - start
        if calls >= 3 and passed > 0.3 or calls >= 2 and passed > 4:
            break
    start, blocks = time.perf_counter(), []
    while not blocks or len(blocks) < 5 and time.perf_counter() - start < 1.5:
        before, calls = time.perf_counter(), 0
        while calls == 0 or time.perf_counter() - before < 0.15:
            call()
            calls += 1
        blocks.append((time.perf_counter() - before) * 1e3 / calls)
    line = {"peer": options.peer, "workload": options.workload, "what": what, "batch": options.batch, "threads": options.threads}
    line |= {"median_ms": statistics.median(blocks), "min_ms": min(blocks), "max_ms": max(blocks), "rss_mb": peak_memory()}
    print(json.dumps(line), flush=True)


def arguments(parser):
    """The arguments that all peers take, and the batches that a workload goes round."""
    parser.add_argument("peer")
    parser.add_argument("workload")
    parser.add_argument("batch", type=int)
    parser.add_argument("threads", type=int)
    parser.add_argument("extra", type=int, nargs="?", default=0, help="long: steps; vocabulary: words")
    return parser.parse_args()


def bags(rows, words, topics):
    """Dense rows with a 1 for each of about 60 words, and labels."""
    rng = np.random.default_rng(1)
    x = np.zeros((rows, words), "float32")
    x[np.arange(rows)[:, None], rng.integers(0, words, (rows, 60))] = 1
    return x, rng.integers(0, topics, rows)


def texts(batch, shortest, steps, words, classes, count=8):
    """Batches of texts padded on the right with 0, whose words are as frequent as words are; lengths; labels."""
    rng = np.random.default_rng(2)
    for _ in range(count):
        ids = np.clip(np.exp(rng.random((batch, steps)) * np.log(words)).astype("int64"), 1, words - 1)
        lengths = rng.integers(shortest, steps + 1, batch)
        ids[np.arange(steps)[None, :] >= lengths[:, None]] = 0
        yield ids, lengths, rng.integers(0, classes, batch)
