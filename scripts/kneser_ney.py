#!/usr/bin/env python3
"""What a text costs a count of n-grams, to stand beside `08_language_model`: interpolated Kneser-Ney smoothing, one discount for each
order (Kneser and Ney, 1995; Chen and Goodman, 1999).

    kneser_ney.py TRAIN TEST [--level word|char] [--order 5] [--max-words 10000] [--min-count 2]

The tokens are those of the example's `--level`, cut here by a regular expression: both print how many there are, to be compared. Words
that are not known are one, `<unk>`, in training and test. As there, every token of the test but the first counts, and the one
before the first is not known.
"""

import argparse
import gzip
import math
import re
from collections import Counter, defaultdict
from pathlib import Path

WORD = re.compile(r"\n|\w+(?:['\u2019]\w+)*|([^\w\s])\1*")


def tokens(path: Path, level: str) -> list[str]:
    opened = gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")
    with opened as file:
        text = file.read().removesuffix("\n")
    return list(text) if level == "char" else [found[0] for found in WORD.finditer(text)]


class KneserNey:
    """Tables of all orders: how often, or behind how many others, a token follows a context."""

    def __init__(self, text: list[str], order: int, words: int):
        self.order, self.uniform = order, 1 / words
        self.counts: list[dict[tuple, Counter]] = [defaultdict(Counter) for _ in range(order)]
        for at in range(len(text)):
            for n in range(order):
                # The longest context is counted as it is; a text's beginning has no longer one.
                if n <= at and (n == order - 1 or n == at):
                    self.counts[n][tuple(text[at - n : at])][text[at]] += 1
        # Of shorter ones it counts how many tokens stood before them.
        for n in range(order - 2, -1, -1):
            for context, follows in self.counts[n + 1].items():
                for token in follows:
                    self.counts[n][context[1:]][token] += 1
        self.discounts = [self.discount(n) for n in range(order)]
        self.sums = [{context: follows.total() for context, follows in table.items()} for table in self.counts]

    def discount(self, n: int) -> float:
        of = Counter(count for follows in self.counts[n].values() for count in follows.values())
        return of[1] / (of[1] + 2 * of[2]) if of[1] and of[2] else 0.5

    def probability(self, context: tuple, token: str) -> float:
        p = self.uniform
        for n in range(min(len(context), self.order - 1) + 1):
            here = context[len(context) - n :]
            follows = self.counts[n].get(here)
            if not follows:
                break
            discount, total = self.discounts[n], self.sums[n][here]
            p = max(follows[token] - discount, 0) / total + discount * len(follows) / total * p
        return p


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--level", choices=["word", "char"], default="word")
    parser.add_argument("--order", type=int, default=5)
    parser.add_argument("--max-words", type=int, default=10_000)
    parser.add_argument("--min-count", type=int, default=2)
    args = parser.parse_args()
    train, test = tokens(args.train, args.level), tokens(args.test, args.level)
    if args.level == "word":
        # Padding and unknown words count among the most that are known, as in the example.
        common = Counter(train).most_common(args.max_words - 2)
        known = {word for word, count in common if count >= args.min_count}
    else:
        known = set(train)
    train = [token if token in known else "<unk>" for token in train]
    test = [token if token in known else "<unk>" for token in test]
    model = KneserNey(train, args.order, len(known) + 1)
    nats = -sum(
        math.log(model.probability(tuple(test[max(0, at - args.order + 1) : at]), test[at])) for at in range(1, len(test))
    ) / (len(test) - 1)
    unknown = test.count("<unk>")
    print(f"{len(train)} {args.level}s to train on, {len(known)} known; {len(test)} to test, {unknown} of them unknown")
    print(f"{nats:.4f} nats a {args.level}, {nats / math.log(2):.4f} bits, perplexity {math.exp(nats):.3f}")


if __name__ == "__main__":
    main()
