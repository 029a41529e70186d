#!/usr/bin/env python3
"""Trains word vectors by examples/10_word2vec and by gensim on the same file, in turn, and prints words a second and correlations.

    scripts/bench_word2vec.py --python VENV/bin/python --data FILE [--rounds 5] [--models skip-gram,cbow] [--threads 1,2]
        [--epochs 5] [--pairs wordsim353.tsv simlex999.txt]

`--python` is one that has gensim; `FILE` holds a sentence a line, words apart by spaces. A round is one process of each, with a seed of
its own, held to as many cores as it has threads. A ratio is elman's words a second over gensim's of the same round, above 1 where elman
is faster: the median over the rounds, the least and the greatest. Beside it that of words a second that was computed, which a busy
machine changes less; elman's there includes the counting of words, gensim's does not.
"""
import argparse
import json
import os
import statistics
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def built():
    subprocess.run(["cargo", "build", "--release", "--example", "10_word2vec"], cwd=ROOT, check=True)
    return str(ROOT / "target/release/examples/10_word2vec")


def run(command, threads):
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    cores = sorted(os.sched_getaffinity(0))[:threads]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True,
                               preexec_fn=lambda: os.sched_setaffinity(0, cores))
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, command
    return json.loads(output[output.index("{"):]), usage.ru_utime + usage.ru_stime


def elman(program, options, model, threads, seed):
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "train", "--data", options.data, "--output", f"{folder}/vectors.bin", "--model", model]
        command += ["--threads", str(threads), "--epochs", str(options.epochs), "--seed", str(seed), "--json", "-"]
        found, computed = run(command + (["--pairs", *options.pairs] if options.pairs else []), threads)
    found["words_per_cpu_second"] = found["words"] * options.epochs / computed
    found["pairs"] = {name: pair["spearman"] for name, pair in found["pairs"].items()}
    return found


def gensim(options, model, threads, seed):
    command = [options.python, str(ROOT / "benches/peers/python/gensim_word2vec.py"), options.data, "--model", model]
    command += ["--threads", str(threads), "--epochs", str(options.epochs), "--seed", str(seed)]
    return run(command + (["--pairs", *options.pairs] if options.pairs else []), threads)[0]


def spread(ratios):
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--models", default="skip-gram,cbow")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--pairs", nargs="*", default=[])
    options = parser.parse_args()
    program = built()
    for model in options.models.split(","):
        for threads in map(int, options.threads.split(",")):
            rounds = [(elman(program, options, model, threads, seed), gensim(options, model, threads, seed))
                      for seed in range(options.rounds)]
            median = lambda which, key: statistics.median(pair[which][key] for pair in rounds)
            ratio = lambda key: spread([ours[key] / theirs[key] for ours, theirs in rounds])
            print(f"{model}, {threads} threads: {median(0, 'words_per_second'):.0f} words a second, gensim "
                  f"{median(1, 'words_per_second'):.0f}, ratio {ratio('words_per_second')}, computed "
                  f"{ratio('words_per_cpu_second')}", flush=True)
            for name in rounds[0][1]["pairs"]:
                own, other = [[pair[which]["pairs"][name] for pair in rounds] for which in (0, 1)]
                print(f"  {name}: {statistics.median(own):.3f}, gensim {statistics.median(other):.3f}", flush=True)


if __name__ == "__main__":
    main()
