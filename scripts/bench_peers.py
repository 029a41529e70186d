#!/usr/bin/env python3
"""Runs elman and its peers in turn and writes benches/RESULTS.md; scripts/bench_peers.sh calls it, having installed the peers.

A round is one process of each contestant for each workload; a process prints the median of five blocks of 0.15 seconds at
least. A ratio is the median over the rounds of elman's time over the fastest peer's time in the same round. A peer that takes
over twice the fastest peer's time in the first round is not run again.

A floor is what the machine needs at least: multiplications and additions over the best rate of matrix products, and the bytes
that the optimiser must move over the best rate of a pass over so many parameters, both measured between the rounds. Neither
activations nor dropout nor anything else is counted, and what padding there is costs nothing.

    product of [m, k] and [k, n]     2 m k n operations
    LSTM, a step of a text           forward 2 products of [1, 128] and [128, 512], backward 4
    Elman network on frozen vectors  forward [1, 200] and [200, 128], [1, 128] and [128, 128]; backward the first once, the
                                     second twice
    reuters_mlp, a text              [1, 58] and [58, 512] (the words that occur) forward and backward, and thrice
                                     [1, 512] and [512, 46]
    Adam                             28 bytes a parameter; an embedding's rows 24, as their gradient holds few rows; lazily
                                     only those that occur. RMSProp: 20 bytes a parameter
"""
import argparse
import dataclasses
import datetime
import functools
import json
import math
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
COLUMNS = {
    "elman": "elman",
    "torch": "PyTorch",
    "torch_fused": "PyTorch, fused Adam",
    "torch_sparse": "PyTorch, SparseAdam",
    "keras_jax": "Keras on JAX",
    "burn": "burn",
    "candle": "candle",
}
WORKLOADS = ["reuters_mlp", "imdb_full", "imdb_masked", "tweets_elman", "single", "long_lstm", "vocabulary", "start_up"]


@dataclasses.dataclass(frozen=True)
class Job:
    """A contestant's program with its arguments; `way` is what the table says of it beside the time."""

    contestant: str
    arguments: tuple
    way: str = ""


@dataclasses.dataclass
class Row:
    """A line of the table: elman's job and the peers', which of the things that they time, and what the floor is made of."""

    workload: str
    title: str
    what: str
    jobs: list
    operations: float = 0
    # (parameters, bytes) of what the optimiser passes over
    passes: list = dataclasses.field(default_factory=list)
    memory: bool = False


LSTM = 2 * 128 * 512
LSTM_PARAMETERS = 2 * 128 * 512 + 512 + 129
ELMAN_FORWARD, ELMAN_BACKWARD = 2 * (200 + 128) * 128, 2 * (200 + 2 * 128) * 128
ELMAN_PARAMETERS = (200 + 128 + 1) * 128 + 3 * 129
REUTERS = 2 * 2 * 58 * 512 + 3 * 2 * 512 * 46
REUTERS_PARAMETERS = 1001 * 512 + 513 * 46


def occurring(words, draws):
    """How many words occur among so many: the rank's logarithm is uniform."""
    chances = (math.log1p(1 / word) / math.log(words) for word in range(1, words))
    return sum(-math.expm1(draws * math.log1p(-min(chance, 0.999999))) for chance in chances)


def adam(table, others):
    """What Adam passes over: an embedding's numbers and the other parameters."""
    return [(table, 24 * table), (others, 28 * others)]


def rows(threads):
    """All lines of the table."""

    def peer(names, workload, batch, *extra, way=""):
        return [Job(name, (workload, batch, threads, *extra), way) for name in names]

    def own(*arguments, way=""):
        return [Job("elman", (*arguments, "--threads", threads), way)]

    torches, others = ["torch", "torch_fused"], ["keras_jax", "burn", "candle"]
    for batch in [32, 512]:
        peers = peer([*torches, *others], "reuters", batch)
        for rows_are, flag in [("bags", []), ("dense rows", ["--dense"])]:
            jobs = own("reuters_mlp", "--batch", batch, *flag) + peers
            title = f"`reuters_mlp`, elman on {rows_are}, batch {batch}"
            passed = [(REUTERS_PARAMETERS, 28 * REUTERS_PARAMETERS)]
            memory = batch == 32 and not flag
            yield Row("reuters_mlp", f"{title}, step", "train", jobs, batch * REUTERS, passed, memory)
            steps = math.ceil(8982 / batch)
            passed = [(REUTERS_PARAMETERS, 28 * REUTERS_PARAMETERS * steps)]
            yield Row("reuters_mlp", f"{title}, epoch of 8982", "epoch", jobs, 8982 * REUTERS, passed)

    def imdb(workload, length, names, batch):
        operations = batch * length * LSTM
        masked = ["--masked"] if length < 80 else []
        jobs = own("imdb_lstm", *masked, "--batch", batch, *(["--only", "infer"] if batch == 1 else []))
        for name in names:
            jobs += peer(torches if batch > 1 else ["torch"], name, batch, way=name.removeprefix("imdb_") if masked else "")
        jobs += peer(others, "imdb_masked" if masked else "imdb_full", batch)
        title = f"`imdb_lstm`, {'masked' if masked else 'full texts'}, batch {batch}"
        if batch > 1:
            passed = adam(20_000 * 128, LSTM_PARAMETERS)
            yield Row(workload, f"{title}, step", "train", jobs, 6 * operations, passed, bool(masked))
        yield Row(workload, f"{title}, inference", "infer", jobs, 2 * operations)

    ways = ["imdb_packed", "imdb_gathered"]
    for batch in [32, 256]:
        yield from imdb("imdb_full", 80, ["imdb_full"], batch)
    for batch in [32, 256]:
        yield from imdb("imdb_masked", 50, ways, batch)

    def tweets(workload, batch):
        operations = batch * 18.5
        jobs = own("tweets_elman", "--batch", batch, *(["--only", "infer"] if batch == 1 else []))
        for way in ["packed", "gathered"]:
            jobs += peer(["torch"], f"tweets_{way}", batch, way=way)
        jobs += peer(others, "tweets", batch)
        title = f"`tweets_elman`, masked, batch {batch}"
        if batch > 1:
            passed = [(ELMAN_PARAMETERS, 20 * ELMAN_PARAMETERS)]
            yield Row(workload, f"{title}, step", "train", jobs, operations * (ELMAN_FORWARD + ELMAN_BACKWARD), passed)
        yield Row(workload, f"{title}, inference", "infer", jobs, operations * ELMAN_FORWARD)

    yield from tweets("tweets_elman", 32)
    yield from imdb("single", 80, ["imdb_full"], 1)
    yield from imdb("single", 50, ways, 1)
    yield from tweets("single", 1)

    for steps in [80, 320, 1280]:
        jobs = own("long_lstm", "--steps", steps) + peer(["torch", *others], "long", 32, steps)
        title = f"LSTM of {steps} steps, forward and backward, batch 32"
        yield Row("long_lstm", title, "train", jobs, 6 * 32 * steps * LSTM, memory=True)

    for words in [2_000, 20_000, 200_000]:
        peers = peer(["torch_fused", *others], "vocabulary", 32, words)
        title = f"`imdb_lstm`, masked, batch 32, {words} words, step"
        arguments = ["imdb_lstm", "--masked", "--words", words, "--only", "train"]
        exact = adam(words * 128, LSTM_PARAMETERS)
        operations = 6 * 32 * 50 * LSTM
        yield Row("vocabulary", title, "train", own(*arguments) + peers, operations, exact, words == 200_000)
        lazy = adam(int(occurring(words, 32 * 50)) * 128, LSTM_PARAMETERS)
        jobs = own(*arguments, "--lazy") + peers + peer(["torch_sparse"], "vocabulary", 32, words)
        yield Row("vocabulary", f"{title}, lazy Adam", "train", jobs, operations, lazy, words == 200_000)

    jobs = own("start_up") + peer(["torch", *others], "start_up", 32)
    yield Row("start_up", "start of the process to the end of the first step of `imdb_lstm`", "start_up", jobs)


class Runner:
    """Runs programs and keeps what they print: by job and by what is timed, a list over the rounds."""

    def __init__(self, scratch, threads, programs):
        self.scratch, self.threads, self.programs, self.lines = scratch, threads, programs, {}
        env = dict.fromkeys(["OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"], str(threads))
        self.env = os.environ | env | {"TF_CPP_MIN_LOG_LEVEL": "3"}
        # What is compiled once need not be compiled again, except where the start is timed.
        cache = {"JAX_COMPILATION_CACHE_DIR": str(scratch / "jax"), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
        self.cached = self.env | cache | {"JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1"}

    def command(self, job):
        arguments = [str(argument) for argument in job.arguments]
        name = [] if job.contestant == "elman" else [job.contestant]
        return [*self.programs[job.contestant], *name, *arguments]

    def popen(self, command, env):
        cores = sorted(os.sched_getaffinity(0))[: self.threads]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, env=env, preexec_fn=lambda: os.sched_setaffinity(0, cores), **streams)

    def run(self, job, timed):
        """Runs a job once; `timed`: until it prints, and the time is taken from outside."""
        start = time.perf_counter()
        process = self.popen(self.command(job), self.env if timed else self.cached)
        if timed:
            process.stdout.readline()
            passed = (time.perf_counter() - start) * 1e3
        try:
            output, errors = process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            process.kill()
            output, errors = process.communicate()
        if process.returncode != 0:
            last = (errors.strip().splitlines() or ["it took too long"])[-1]
            print(f"  {' '.join(self.command(job))}: {last}", file=sys.stderr)
            return
        lines = [{"what": "start_up", "median_ms": passed}] if timed else map(json.loads, output.splitlines())
        for line in lines:
            self.lines.setdefault((job, line["what"]), []).append(line)

    def times(self, row, job):
        return [line["median_ms"] for line in self.lines.get((job, row.what), [])]


def fastest(runner, row, at):
    """The time of the row's fastest peer in a round (of those that were run in it)."""
    times = [runner.times(row, job)[at : at + 1] for job in row.jobs if job.contestant != "elman"]
    return min((time for each in times for time in each), default=None)


def measure(runner, table, rounds, limits):
    """Runs all jobs, and gives after each round the best that the machine's limits were measured at so far."""
    best, slow = {}, set()
    for at in range(rounds):
        machine = json.loads(runner.popen([*limits, str(runner.threads)], runner.env).communicate()[0])
        keep = {"gflops": machine["gflops"]} | {int(n): rate for n, rate in machine["pass_gbs"].items()}
        best = {name: max(rate, best.get(name, 0)) for name, rate in keep.items()}
        for workload in dict.fromkeys(row.workload for row in table):
            print(f"round {at + 1} of {rounds}: {workload}", flush=True)
            jobs = list(dict.fromkeys(job for row in table if row.workload == workload for job in row.jobs))
            # Each second round in the opposite order.
            for job in jobs[:: 1 if at % 2 == 0 else -1]:
                if job not in slow:
                    runner.run(job, workload == "start_up")
        if at == 0:
            slow = too_slow(runner, table)
        yield best


def too_slow(runner, table):
    """The jobs that take over twice the fastest peer's time wherever they take part."""
    keep, jobs = set(), set()
    for row in table:
        for job in row.jobs:
            times, least = runner.times(row, job), fastest(runner, row, 0)
            jobs.add(job)
            if job.contestant == "elman" or row.workload == "start_up" or times and times[0] <= 2 * least:
                keep.add(job)
    return jobs - keep


def floor(row, best):
    """Milliseconds that the machine needs at least; 0 where none is known."""
    milliseconds = row.operations / best["gflops"] / 1e6
    for parameters, size in row.passes:
        measured = [n for n in best if n != "gflops"]
        nearest = min(measured, key=lambda n: abs(math.log(n / max(parameters, 1))))
        milliseconds += size / best[nearest] / 1e6
    return milliseconds


def number(x):
    """Three digits, no exponent."""
    return f"{x:.{max(0, 2 - math.floor(math.log10(x)))}f}" if x > 0 else "0"


def best_job(runner, row, contestant):
    """A contestant's fastest way to run a row: its median, the job."""
    jobs = [(runner.times(row, job), job) for job in row.jobs if job.contestant == contestant]
    return min(((statistics.median(times), job) for times, job in jobs if times), key=lambda each: each[0], default=None)


def time_line(runner, row, columns, best, rounds):
    """The table's line of times, and the ratio to the fastest peer."""
    least = floor(row, best)
    cells = [row.title + ", ms", number(least) if least else ""]
    medians = {}
    for contestant in columns:
        found = best_job(runner, row, contestant)
        if found is None:
            cells.append("")
            continue
        medians[contestant], job = found
        notes = [f"{number(medians[contestant] / least)}×"] if least else []
        notes += [job.way] if job.way else []
        once = "°" if len(runner.times(row, job)) < rounds else ""
        cells.append(f"{number(medians[contestant])}{once}" + (f" ({', '.join(notes)})" if notes else ""))
    peers = {contestant: median for contestant, median in medians.items() if contestant != "elman"}
    own = [runner.times(row, job) for job in row.jobs if job.contestant == "elman"][0]
    against = [fastest(runner, row, at) for at in range(len(own))]
    ratios = [time / other for time, other in zip(own, against) if other]
    if not ratios:
        return [*cells, ""]
    spread = f", {min(ratios):.2f} to {max(ratios):.2f}" if len(ratios) > 1 else ""
    first = COLUMNS[min(peers, key=peers.get)]
    return [*cells, f"**{statistics.median(ratios):.2f}** ({first}{spread})"]


def memory_line(runner, row, columns):
    """The table's line of peak memory, each contestant in its fastest way."""
    cells = [f"{row.title}: peak memory, MB", ""]
    peaks = {}
    for contestant in columns:
        if found := best_job(runner, row, contestant):
            peaks[contestant] = statistics.median(line["rss_mb"] for line in runner.lines[found[1], row.what])
        cells.append(number(peaks[contestant]) if contestant in peaks else "")
    return [*cells, share(peaks)]


def share(sizes):
    """elman's over the least of the peers'."""
    peers = {contestant: size for contestant, size in sizes.items() if contestant != "elman"}
    if "elman" not in sizes or not peers:
        return ""
    first = min(peers, key=peers.get)
    return f"**{sizes['elman'] / peers[first]:.2f}** ({COLUMNS[first]})"


INSTALLED = """
import importlib.metadata as m, re, sys
seen, todo, size = set(), sys.argv[1:], 0
while todo:
    name = re.sub(r"[-_.]+", "-", todo.pop()).lower()
    try:
        package = m.distribution(name)
    except m.PackageNotFoundError:
        continue
    if name not in seen:
        seen.add(name)
        paths = [path.locate() for path in package.files or []]
        size += sum(path.stat().st_size for path in paths if path.is_file())
        todo += [re.match(r"[\\w.-]+", need)[0] for need in package.requires or [] if "extra ==" not in need]
print(size)
"""


def size_line(runner, columns):
    """The table's line of programs' sizes without symbols; of a Python peer, what its packages take on the disk."""
    sizes, python = {}, runner.scratch / "venv" / "bin" / "python"
    for contestant in columns:
        program = pathlib.Path(runner.programs[contestant][0])
        if program == python:
            packages = ["keras", "jax"] if contestant == "keras_jax" else ["torch"]
            size = subprocess.run([python, "-c", INSTALLED, *packages], capture_output=True, text=True, check=True).stdout
            sizes[contestant] = int(size)
        else:
            stripped = runner.scratch / f"{contestant}-stripped"
            if shutil.which("strip") is None or subprocess.run(["strip", "-o", stripped, program]).returncode != 0:
                stripped = program
            sizes[contestant] = stripped.stat().st_size
    cells = [number(sizes[contestant] / 1e6) for contestant in columns]
    return ["size of the program (Python: of the packages), MB", "", *cells, share(sizes)]


def built(*benches):
    """Builds benchmarks and gives their programs."""
    names = [part for bench in benches for part in ("--bench", bench)]
    build = ["cargo", "bench", *names, "--no-run", "--message-format=json", "--quiet"]
    lines = subprocess.run(build, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    messages = [json.loads(line) for line in lines]
    found = {m["target"]["name"]: m["executable"] for m in messages if m.get("executable")}
    return [found[bench] for bench in benches]


def output(*command):
    """What a command prints, or nothing if it fails."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def versions(peers, python):
    """elman's and the peers' versions."""
    changed = " with changes" if output("git", "status", "--porcelain", "--", "src", "backends", "Cargo.lock") else ""
    yield f"elman {output('git', 'rev-parse', '--short=10', 'HEAD')}{changed}"
    yield " ".join(output("rustc", "--version").split()[:2])
    wanted = ["torch"] * any("torch" in peer for peer in peers) + ["keras", "jax"] * ("keras_jax" in peers)
    for package in wanted:
        yield f"{package} {output(python, '-c', f'import importlib.metadata as m; print(m.version({package!r}))')}"
    for peer, package in [("burn", "burn"), ("candle", "candle-core")]:
        if peer in peers:
            lock = (ROOT / "benches" / "peers" / peer / "Cargo.lock").read_text().splitlines()
            version = lock[lock.index(f'name = "{package}"') + 1].split('"')[1]
            yield f"{package} {version}"


def machine():
    """The processor, how many of its cores, the system."""
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{model}, {len(os.sched_getaffinity(0))} cores; {platform.system()} {platform.release()}"


def document(runner, table, options, best, rounds):
    """RESULTS.md after so many rounds."""
    columns = ["elman", *options.peers]
    rates = ", ".join(f"{rate:.0f} GB/s with {n / 1e6:.2g} million" for n, rate in best.items() if n != "gflops")
    lines = [
        "# elman beside its peers",
        "",
        "Written by `scripts/bench_peers.sh`; `scripts/bench_peers.py` says how times are taken and floors computed.",
        "",
        f"* Machine: {machine()}; {options.threads} threads; {datetime.date.today()}; rounds: {rounds}.",
        f"* Versions: {', '.join(versions(options.peers, runner.scratch / 'venv' / 'bin' / 'python'))}.",
        f"* Limits: {best['gflops']:.0f} GFLOP/s in `f32` products; passes over an optimiser's parameters at {rates}.",
        "* Times are medians, beside them how many times the floor they are. Ratio: elman's time over the fastest peer's, below 1",
        "  where elman is faster; its spread over the rounds. °: twice the fastest peer's time in the first round, so not run again.",
        "* *Packed*: `pack_padded_sequence`; *gathered*: all steps run, the output at each text's last one taken. Keras carries the",
        "  state through padding; burn and candle run all steps and take the last output by a one-hot product.",
        "",
    ]
    heads = ["Workload", "Floor", *(COLUMNS[contestant] for contestant in columns), "Ratio"]
    lines += ["| " + " | ".join(heads) + " |", "| --- |" + " ---: |" * (len(heads) - 1)]
    body = [time_line(runner, row, columns, best, rounds) for row in table]
    body += [memory_line(runner, row, columns) for row in table if row.memory]
    body.append(size_line(runner, columns))
    lines += ["| " + " | ".join(cells) + " |" for cells in body]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = functools.partial(str.split, sep=",")
    parser.add_argument("--scratch", type=lambda path: pathlib.Path(path).resolve(), required=True, help="where the peers are")
    parser.add_argument("--peers", type=names, default=[name for name in COLUMNS if name != "elman"])
    parser.add_argument("--workloads", type=names, default=WORKLOADS, help=",".join(WORKLOADS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "benches" / "RESULTS.md")
    options = parser.parse_args()
    if unknown := [name for name in options.peers if name not in COLUMNS] + [w for w in options.workloads if w not in WORKLOADS]:
        parser.error(f"unknown: {', '.join(unknown)}")

    workloads, limits = built("workloads", "limits")
    python = [str(options.scratch / "venv" / "bin" / "python")]
    folder = ROOT / "benches" / "peers" / "python"
    programs = {"elman": [workloads], "keras_jax": [*python, str(folder / "keras_peer.py")]}
    programs |= {name: [*python, str(folder / "torch_peer.py")] for name in ["torch", "torch_fused", "torch_sparse"]}
    programs |= {name: [str(options.scratch / name / "release" / f"{name}-peer")] for name in ["burn", "candle"]}
    runner = Runner(options.scratch, options.threads, programs)
    table = [row for row in rows(options.threads) if row.workload in options.workloads]
    for row in table:
        row.jobs = [job for job in row.jobs if job.contestant in ["elman", *options.peers]]
    partial = options.output.with_name(options.output.name + ".partial")
    for at, best in enumerate(measure(runner, table, options.rounds, [limits])):
        # Written whole after each round, so that an interruption leaves what was measured.
        partial.write_text(document(runner, table, options, best, at + 1))
        partial.replace(options.output)
    print(f"wrote {options.output}")


if __name__ == "__main__":
    main()
