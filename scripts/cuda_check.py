#!/usr/bin/env python3
"""Checks the programs for CUDA on a GPU and times them beside PyTorch; scripts/cuda_check.sh calls it.

In turn: the contract and the golden numbers on the GPU; 200 steps beside the CPU's; 05_imdb_lstm on both;
compute-sanitizer on the contract, where that tool is found; the step of benches/lstm.rs beside PyTorch's. What failed
does not stop the rest. Tables, numbers and logs are written to a folder as they come.
"""
import argparse
import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time

import cuda_bench

ROOT = pathlib.Path(__file__).resolve().parent.parent
GOLDEN = ["recurrent", "sequences", "layers", "losses", "imports"]
# The parts with their programs.
PARTS = {
    "contract": ["tests/backends"],
    "cuts": ["tests/backends"],
    "golden": ["tests/golden"],
    "devices": ["tests/backends"],
    "train": ["examples/05_imdb_lstm"],
    "sanitizer": ["tests/backends"],
    "bench": ["benches/lstm"],
}
# How recurrent networks can be computed; by itself the library takes the way that should be faster.
WAYS = ["steps", "beside", "resident"]
LIBRARIES = ["libcublas.so.13", "libcublasLt.so.13", "libcurand.so.10", "libcudart.so.13", "libnvrtc.so.13"]
SYSTEM = pathlib.Path("/usr/local")


def site():
    """The folder of the Python packages with PyTorch among them, if there is one."""
    torch = importlib.util.find_spec("torch")
    return pathlib.Path(torch.origin).parent.parent if torch and torch.origin else None


def library_folders(named):
    """Folders with CUDA's libraries: the one that was named, PyTorch's, the system's, the environment's."""
    found = [named] if named else []
    found += [site() / "nvidia" / "cu13" / "lib", *sorted(site().glob("nvidia/*/lib"))] if site() else []
    found += sorted(SYSTEM.glob("cuda*/lib64"), reverse=True)
    found += map(pathlib.Path, filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(":")))
    return [folder for folder in dict.fromkeys(found) if folder.is_dir()]


def find_sanitizer(named):
    """compute-sanitizer: the one that was named, on the path, the system's, a package's."""
    found = [named, shutil.which("compute-sanitizer"), *sorted(SYSTEM.glob("cuda*/bin/compute-sanitizer"))]
    found += [site() / "nvidia" / "cu13" / "bin" / "compute-sanitizer"] if site() else []
    return next((str(path) for path in found if path and pathlib.Path(path).is_file()), None)


def printed_by(*command):
    """What a command prints; nothing if it fails or is not there."""
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def machine(programs, folders):
    """What there is: the device, its driver, versions, libraries."""
    query = "--query-gpu=name,memory.total,compute_cap,clocks.max.sm,driver_version"
    device = printed_by("nvidia-smi", query, "--format=csv,noheader")
    versions = "import torch; print(torch.__version__, 'with cuDNN', torch.backends.cudnn.version())"
    built = programs / "built-from.txt"
    found = {
        "device": device or "nvidia-smi tells none",
        "Python": sys.version.split()[0],
        "PyTorch": (site() and printed_by(sys.executable, "-c", versions)) or "none",
        "programs": built.read_text().strip() if built.exists() else "of an unknown version",
    }
    for library in LIBRARIES:
        found[library] = next((str(folder) for folder in folders if (folder / library).exists()), "left to the system")
    driver = re.search(r"(\d+)\.[\d.]+$", device)
    if driver and int(driver[1]) < 580:
        found["driver"] = f"{driver[0]} is too old: programs for CUDA 13 want 580 or newer"
    return found


class Report:
    """What was found out, written anew whenever something is added."""

    def __init__(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.found = folder, {"machine": {}, "checks": [], "bench": []}

    def check(self, name, result, ok, start):
        """Adds a check; `ok` is None for one that was left out."""
        outcome = {True: "pass", False: "FAIL", None: "skipped"}[ok]
        seconds = round(time.perf_counter() - start, 1)
        self.found["checks"].append({"check": name, "outcome": outcome, "result": result, "seconds": seconds})
        self.write()
        print(f"{outcome:8} {name}: {result} ({seconds} s)", flush=True)

    def write(self):
        for name, text in [("check.json", json.dumps(self.found, indent=1)), ("check.md", self.tables())]:
            partial = self.folder / f"{name}.partial"
            partial.write_text(text + "\n")
            partial.replace(self.folder / name)

    def tables(self):
        lines = [f"* {what}: {value}" for what, value in self.found["machine"].items()]
        lines += ["", "| check | | | seconds |", "| --- | --- | --- | ---: |"]
        lines += [f"| {c['check']} | {c['outcome']} | {c['result']} | {c['seconds']} |" for c in self.found["checks"]]
        if self.found["bench"]:
            heads = cuda_bench.heads(self.found["bench"])
            lines += ["", "| " + " | ".join(heads) + " |", "|" + " ---: |" * len(heads)]
            lines += ["| " + " | ".join(cuda_bench.summary(row)) + " |" for row in self.found["bench"]]
            lines += [cuda_bench.NOTE]
        return "\n".join(lines)


class Checks:
    """The parts, each by its name."""

    def __init__(self, options, programs, folders, report):
        self.options, self.programs, self.report = options, programs, report
        # The tests find their files where cargo says that the package is.
        self.env = os.environ | {"CARGO_MANIFEST_DIR": str(ROOT), "LD_LIBRARY_PATH": ":".join(map(str, folders))}

    def program(self, name):
        return str(self.programs / name)

    def run(self, log, *command):
        """Runs a command, its output in a log. How it failed, if it did, and what it printed."""
        path = self.report.folder / f"{log}.log"
        begin = path.stat().st_size if path.exists() else 0
        with path.open("ab") as file:
            try:
                streams = {"stdout": file, "stderr": subprocess.STDOUT, "stdin": subprocess.DEVNULL}
                done = subprocess.run(command, cwd=ROOT, env=self.env, timeout=self.options.timeout, **streams)
                failure = f"status {done.returncode}" if done.returncode else ""
            except subprocess.TimeoutExpired:
                failure = f"it took over {self.options.timeout} s"
            except OSError as error:
                failure = error.strerror
            file.write(f"\n{' '.join(command)}: {failure or 'done'}\n".encode())
        printed = path.read_bytes()[begin:].decode(errors="replace").strip()
        if failure:
            print("\n".join(printed.splitlines()[-30:]), flush=True)
        return failure, printed

    def tests(self, check, log, *command):
        """Runs a program of tests. That none ran is a failure too: a program built without CUDA has none of these."""
        start = time.perf_counter()
        failure, printed = self.run(log, *command)
        counts = re.search(r"test result: \w+\. (\d+) passed; (\d+) failed", printed)
        errors = re.search(r"ERROR SUMMARY: (\d+) errors?", printed)
        said = [f"{counts[1]} passed, {counts[2]} failed"] if counts else []
        said += [f"{errors[1]} errors"] if errors else []
        said += re.findall(r"cuda in \w+: \S+ apart in the mean, \S+ at step \d+", printed)
        if failure and not counts:
            # The log's last line is the one about the command itself.
            last = [line for line in printed.splitlines() if line][-2:][0]
            said += [failure, last.replace("|", "/")[:200]]
        ok = not failure and counts is not None and counts[1] != "0" and (errors is None or errors[1] == "0")
        self.report.check(check, "; ".join(said) or "it ran no tests", ok, start)

    def contract(self):
        program, tests = self.program("tests/backends"), self.options.filter
        self.tests("contract", "contract", program, tests)
        for way in WAYS:
            command = ["env", f"ELMAN_RECURRENT={way}", program, f"{tests}::recurrent", f"{tests}::projected"]
            self.tests(f"contract, recurrent networks, {way}", "contract", *command)

    def cuts(self):
        for way in WAYS:
            command = ["env", "ELMAN_LARGE=1", f"ELMAN_RECURRENT={way}", self.program("tests/backends")]
            self.tests(f"recurrent networks of many sizes, {way}", "cuts", *command, "recurrent_cuts::on_cuda")

    def golden(self):
        for name in GOLDEN:
            self.tests(f"golden numbers, {name}", "golden", self.program("tests/golden"), f"{name}::on_cuda")

    def devices(self):
        devices = [self.program("tests/backends"), "devices::on_cuda", "--nocapture", "--test-threads", "1"]
        self.tests("200 steps beside the CPU's", "devices", *devices)

    def train(self):
        start, data, found = time.perf_counter(), self.options.data, {}
        if data is None and "ELMAN_DATA" in os.environ:
            data = pathlib.Path(os.environ["ELMAN_DATA"]) / "imdb"
        real = data is not None and (data / "train.tsv.gz").exists()
        for device in ["cpu", self.options.device]:
            results = self.report.folder / "train.json"
            command = [self.program("examples/05_imdb_lstm"), "--device", device, "--json", str(results)]
            command += ["--data", str(data)] if real else []
            if not self.run("train", *command, "--epochs", str(self.options.epochs))[0]:
                found[device] = json.loads(results.read_text())
                results.unlink()
        best = {device: each["best_metrics"]["accuracy"] for device, each in found.items()}
        said = [f"{name} {best[name]:.4f}, {each['seconds_per_epoch']:.2f} s an epoch" for name, each in found.items()]
        # Two trainings that differ in rounding alone end as far apart as two seeds: by some thousandths.
        ok = "cpu" in best and self.options.device in best and best[self.options.device] >= best["cpu"] - 0.01
        name = f"05_imdb_lstm, {'' if real else 'made-up reviews, '}{self.options.epochs} epochs, test accuracy"
        self.report.check(name, "; ".join(said) or "no results", ok, start)

    def sanitizer(self):
        tool = find_sanitizer(self.options.sanitizer)
        if tool is None:
            return self.report.check("compute-sanitizer", "not found", None, time.perf_counter())
        contract = [self.program("tests/backends"), self.options.filter, "--test-threads", "1"]
        resident = ["env", "ELMAN_RECURRENT=resident", self.program("tests/backends"), "recurrent_cuts::on_cuda_in_f32"]
        for name, program in [("memcheck", contract), ("racecheck", resident), ("synccheck", resident)]:
            follow = ["--target-processes", "all", "--error-exitcode", "86"]
            self.tests(f"compute-sanitizer, {name}", "sanitizer", tool, "--tool", name, *follow, *program)

    def bench(self):
        start, options = time.perf_counter(), self.options
        peers = {"elman": [self.program("benches/lstm")]}
        # What the other ways take, to see whether the library chooses well.
        peers |= {f"elman, {way}": ["env", f"ELMAN_RECURRENT={way}", *peers["elman"]] for way in options.ways}
        rows = self.report.found["bench"] = cuda_bench.table(options.points, options.precisions, [*peers, "torch"])
        asked = ["--ask", "--device", options.device]
        asked += ["--seconds", str(options.seconds), "--blocks", str(options.blocks)]
        if site():
            peers["torch"] = [sys.executable, str(ROOT / "benches" / "peers" / "python" / "torch_cuda.py")]

        def say(at, row):
            self.report.write()
            print(f"round {at + 1} of {options.rounds}: " + " | ".join(cuda_bench.summary(row)), flush=True)

        with (self.report.folder / "bench.log").open("ab") as log:
            contestant = cuda_bench.Contestant
            peers = {name: contestant([*peer, *asked], self.env, log, options.timeout) for name, peer in peers.items()}
            cuda_bench.measure(rows, peers, options.rounds, say)
        goals = [cuda_bench.met(row) for row in rows if cuda_bench.met(row) is not None]
        said = f"{sum(goals)} of {len(goals)} goals met" if "torch" in peers else "there is no PyTorch to compare with"
        failures = {name: sum(cuda_bench.times(row, name).count(None) for row in rows) for name in peers}
        said += "".join(f"; {name} failed {count} times" for name, count in failures.items() if count)
        self.report.check("benchmark", said, not any(failures.values()), start)


def unpack(archive, names, folder):
    """Takes these programs out of an archive."""
    with tarfile.open(archive, "r:*") as file:
        for member in file:
            if member.isfile() and member.name in names:
                file.extract(member, folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))


def parse():
    def names(known):
        def read(text):
            if unknown := [name for name in text.split(",") if name not in known]:
                raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: there is {', '.join(known)}")
            return text.split(",")

        return read

    def points(text):
        found = [tuple(map(int, point.split("x"))) for point in text.split(",")]
        if any(len(point) != 3 for point in found):
            raise argparse.ArgumentTypeError(f"{text}: expected UNITSxSTEPSxBATCH,...")
        return found

    every = [(units, steps, batch) for units in (128, 512, 1024) for steps in (80, 320) for batch in (32, 256, 1024)]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add, path = parser.add_argument, lambda text: pathlib.Path(text).resolve()
    add("--programs", type=path, default=ROOT / "target" / "cuda" / "programs", help="what scripts/cuda.sh built")
    add("--archive", type=path, help="the same in one file")
    add("--libraries", type=path, help="folder of CUDA's libraries [PyTorch's, the system's]")
    add("--sanitizer", type=path, help="compute-sanitizer [on the path, the system's, beside PyTorch]")
    add("--data", type=path, help="05_imdb_lstm's reviews [$ELMAN_DATA/imdb, else made up]")
    add("--out", type=path, default=ROOT / "target" / "cuda" / "check", help="folder of tables, numbers, logs")
    add("--only", type=names(PARTS), default=list(PARTS), help=",".join(PARTS))
    add("--filter", default="candle_cuda", help="tests of the contract that are run")
    add("--device", default="cuda:0", help="where 05_imdb_lstm and the benchmark run; the tests run on cuda:0")
    add("--epochs", type=int, default=3, help="of 05_imdb_lstm")
    add("--points", type=points, default=every, help="of the benchmark: UNITSxSTEPSxBATCH,...")
    known = ["f32", "tf32", "bf16"]
    add("--precisions", type=names(known), default=known[:2], help="of the benchmark: f32,tf32,bf16")
    add("--ways", type=names(WAYS), default=[], help=f"the benchmark times these too: {','.join(WAYS)}")
    add("--rounds", type=int, default=5)
    add("--blocks", type=int, default=5, help="how often a point is timed in a round")
    add("--seconds", type=float, default=0.1, help="how long each time")
    add("--timeout", type=float, default=600, help="seconds that a program, or a point, may take")
    return parser.parse_args()


def main():
    options = parse()
    report = Report(options.out)
    with tempfile.TemporaryDirectory() as scratch:
        if options.archive:
            options.programs = pathlib.Path(scratch)
            wanted = {name for part in options.only for name in PARTS[part]}
            unpack(options.archive, {*wanted, "built-from.txt"}, scratch)
        folders = library_folders(options.libraries)
        report.found["machine"] = machine(options.programs, folders)
        for what, value in report.found["machine"].items():
            print(f"{what}: {value}", flush=True)
        checks = Checks(options, options.programs, folders, report)
        for part in options.only:
            start = time.perf_counter()
            try:
                getattr(checks, part)()
            except Exception as error:  # whatever it is, the other parts go on
                report.check(part, f"{type(error).__name__}: {error}", False, start)
    print(f"\n{report.tables()}\n\nwritten to {options.out}")
    sys.exit(1 if any(check["outcome"] == "FAIL" for check in report.found["checks"]) else 0)


if __name__ == "__main__":
    main()
