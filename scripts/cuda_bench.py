"""The benchmark of scripts/cuda_check.py: benches/lstm.rs and benches/peers/python/torch_cuda.py, asked in turn."""
import json
import statistics
import subprocess
import threading

# elman's time over PyTorch's, at most. There is no goal for bf16.
GOAL, GOAL_AT_32 = 1.0, 0.7
KEYS = ("units", "steps", "batch", "precision")
NOTE = f"""
Milliseconds a training step, medians over the rounds. Ratio: elman's time over PyTorch's, the median of the rounds'
own; the goal is {GOAL_AT_32} at most with batches of 32 and {GOAL} with others."""


class Contestant:
    """A program that is asked for one point after the other. It is started again when it has died."""

    def __init__(self, command, env, log, patience):
        self.command, self.env, self.log, self.patience, self.process = command, env, log, patience, None

    def ask(self, row):
        """The line of a point; with an error, should the program die or take too long."""
        if self.process is None:
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self.log, "text": True}
            self.process = subprocess.Popen(self.command, env=self.env, **pipes)
        impatience = threading.Timer(self.patience, self.process.kill)
        impatience.start()
        try:
            self.process.stdin.write(f"{row['units']} {row['steps']} {row['batch']} {row['precision']}\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        impatience.cancel()
        found = json.loads(line) if line else {"error": f"it died, or took over {self.patience} s"}
        if "error" in found:
            print(f"  {self.command[0]}: {found['error']}", flush=True)
        if not line:
            self.end()
        return found

    def end(self):
        """Lets the program end, which it does when there is nothing more to read; by force if need be."""
        process, self.process = self.process, None
        if process:
            try:
                process.communicate(timeout=20)
            except (BrokenPipeError, subprocess.TimeoutExpired):
                process.kill()
                process.wait()


def table(points, precisions, names):
    """A row for each point and precision, with an empty list for each contestant; lines come into it as they are measured."""
    rows = [dict(zip(KEYS, (*point, precision))) for precision in precisions for point in points]
    return [row | {name: [] for name in names} for row in rows]


def others(row):
    """What is measured besides elman and PyTorch."""
    return [name for name in row if name not in (*KEYS, "elman", "torch")]


def heads(rows):
    """The columns' heads."""
    more = [f"{name} ms" for name in others(rows[0])]
    return ["units", "T", "batch", "precision", "elman ms", *more, "PyTorch ms", "ratio", "least to greatest", "floor ms", "goal met"]


def measure(rows, peers, rounds, say):
    """Asks all peers for all points in each round, in the opposite order each second time; calls `say` after each."""
    for at in range(rounds):
        for row in rows:
            for name in list(peers)[:: 1 if at % 2 == 0 else -1]:
                row[name].append(peers[name].ask(row))
            say(at, row)
    for peer in peers.values():
        peer.end()


def times(row, name):
    """Milliseconds of each round; None where there was an error."""
    return [line.get("median_ms") for line in row[name]]


def ratios(row):
    """elman's time over PyTorch's, of each round in which both have one."""
    return [own / other for own, other in zip(times(row, "elman"), times(row, "torch")) if own and other]


def met(row):
    """Whether the goal is met; None where there is none, or nothing to tell it by."""
    if row["precision"] == "bf16" or not ratios(row):
        return None
    return statistics.median(ratios(row)) <= (GOAL_AT_32 if row["batch"] == 32 else GOAL)


def summary(row):
    """A row's cells."""

    def median(name):
        known = [each for each in times(row, name) if each]
        return f"{statistics.median(known):.3f}" if known else "error" if row[name] else ""

    both, floors = ratios(row), [line["floor_ms"] for line in row["elman"] if "floor_ms" in line]
    cells = [str(row[key]) for key in KEYS] + [median(name) for name in ("elman", *others(row), "torch")]
    cells += [f"{statistics.median(both):.2f}", f"{min(both):.2f} to {max(both):.2f}"] if both else ["", ""]
    return [*cells, f"{floors[0]:.3f}" if floors else "", {True: "yes", False: "**no**", None: ""}[met(row)]]
