#!/usr/bin/env python3
"""UAS and LAS of predicted trees, as CoNLL 2018 counts them, where the words are given.

    python scripts/attachment.py GOLD.conllu PREDICTED.conllu      plain or .gz

Every word counts, punctuation too; of a label only what stands before `:` (Zeman and others, 2018). With the same words on
both sides precision, recall and F1 of the shared task are one number, the share of the words. Needs nothing but Python.
"""

import gzip
import sys


def sentences(path):
    """(forms, heads, labels) of each sentence's words, ranges and empty nodes left out."""
    opened = gzip.open if path.endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8", newline="\n") as file:
        words = []
        for line in list(file) + [""]:
            columns = line.rstrip("\r\n").split("\t")
            if len(columns) == 10 and columns[0].isdigit():
                words.append((columns[1], int(columns[6]), columns[7]))
            elif columns == [""] and words:
                yield tuple(zip(*words))
                words = []


def attachment(gold, predicted):
    """Words, words with the right head, and those with the right label as well, of two lists of (heads, labels)."""
    words = right_heads = right_labels = 0
    for (heads, labels), (found_heads, found_labels) in zip(gold, predicted, strict=True):
        assert len(heads) == len(labels) == len(found_heads) == len(found_labels)
        for head, label, found_head, found_label in zip(heads, labels, found_heads, found_labels):
            words += 1
            if head == found_head:
                right_heads += 1
                if label.partition(":")[0] == found_label.partition(":")[0]:
                    right_labels += 1
    return words, right_heads, right_labels


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    gold, predicted = (list(sentences(path)) for path in sys.argv[1:])
    if [forms for forms, *_ in gold] != [forms for forms, *_ in predicted]:
        sys.exit("the files have not the same words")
    words, heads, labels = attachment([rest for _, *rest in gold], [rest for _, *rest in predicted])
    print(f"{words} words, UAS {heads / words:.6f}, LAS {labels / words:.6f}")


if __name__ == "__main__":
    main()
