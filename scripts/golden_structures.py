"""Golden numbers of what is found in sequences: spans beside seqeval, trees beside networkx. See golden.py."""

import itertools
import warnings
from importlib.metadata import version

import networkx
import numpy as np
from seqeval.metrics import sequence_labeling
from seqeval.scheme import IOB1, IOB2, IOBES, Entities

from attachment import attachment
from golden_common import Group, rng_for

SEQEVAL = f"seqeval {version('seqeval')}"
NETWORKX = f"networkx {networkx.__version__}"

# A tag in four bits, 0 for none: a sequence of up to twelve is a number that float64 holds.
LONGEST = 12
KINDS = ["a", "b-c", "_"]


def packed(numbers, bits):
    return sum(int(number) << (bits * place) for place, number in enumerate(numbers))


def sequences_of_tags(rng, tags, count):
    """Half of them any tags, half such that spans are long; predictions that are often right."""
    pairs = []
    for number in range(count):
        length = int(rng.integers(1, LONGEST + 1))
        few = rng.choice(len(tags), size=int(rng.integers(1, 5)))
        draw = lambda: [int(rng.choice(few)) if number % 2 else int(rng.integers(len(tags))) for _ in range(length)]
        target = draw()
        predicted = [drawn if rng.random() < 0.2 else there for there, drawn in zip(target, draw())]
        pairs.append((target, predicted))
    return pairs


def measures(targets, predicted, mode, scheme):
    """Precision, recall, F1 of all kinds together and their means over the kinds, as seqeval says."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        score = {"y_true": targets, "y_pred": predicted, "mode": mode, "scheme": scheme}
        functions = [sequence_labeling.precision_score, sequence_labeling.recall_score, sequence_labeling.f1_score]
        return [[function(**score, average=average) for function in functions] for average in ("micro", "macro")]


def span_case(group, name, letters, count, scheme):
    rng = rng_for(name)
    bare = [letter for letter in letters]
    tags = ["O"] + [f"{letter}-{kind}" for letter in letters for kind in KINDS[:2]] + bare
    assert len(tags) < 16
    pairs = sequences_of_tags(rng, tags, count)
    names = lambda sequence: [tags[tag] for tag in sequence]
    counts = []
    for target, predicted in pairs:
        found = []
        for sequence in (names(target), names(predicted)):
            if scheme is None:
                found.append(set(sequence_labeling.get_entities(sequence)))
            else:
                entities = itertools.chain(*Entities([sequence], scheme).entities)
                found.append({(entity.tag, entity.start, entity.end) for entity in entities})
        there, predictions = found
        of = lambda spans, kind: sum(span[0] == kind for span in spans)
        counts.append(packed([of(spans, kind) for kind in KINDS for spans in (there & predictions, predictions, there)], 5))
    mode = None if scheme is None else "strict"
    every = [[names(sequence) for sequence in side] for side in zip(*pairs)]
    micro, macro = measures(*every, mode, scheme)
    pack = lambda sequences: np.array([packed([tag + 1 for tag in sequence], 4) for sequence in sequences])
    targets, predicted = (pack(side) for side in zip(*pairs))
    assert max(targets.max(), predicted.max(), max(counts)) < 2**53
    args = {"tags": tags, "kinds": KINDS, "scheme": None if scheme is None else scheme.__name__}
    group.add(name, "spans", SEQEVAL, args, targets=targets, predicted=predicted, counts=np.array(counts),
              micro=np.array(micro), macro=np.array(macro))


def spans():
    group = Group()
    span_case(group, "any", "BIES", 10_000, None)
    for scheme, letters in ((IOB1, "BI"), (IOB2, "BI"), (IOBES, "BIES")):
        span_case(group, f"strict_{scheme.__name__}", letters, 1_500, scheme)
    return group


def best_tree(scores):
    """Heads of the best tree with one root, of scores [word, head]."""
    words = len(scores)
    graph = networkx.DiGraph()
    for word in range(1, words + 1):
        for head in range(words + 1):
            if head != word:
                # So much less than all the rest together that no tree has two.
                graph.add_edge(head, word, weight=float(scores[word - 1, head]) - (1e4 if head == 0 else 0))
    tree = networkx.maximum_spanning_arborescence(graph)
    heads = np.zeros(words, dtype=np.int64)
    for head, word in tree.edges:
        heads[word - 1] = head
    assert (heads == 0).sum() == 1
    return heads


def trees():
    group = Group()
    for words, kind in itertools.product([1, 2, 3, 4, 6, 9, 14, 20, 30], ["plain", "roots", "rings"]):
        name = f"tree_{words}_{kind}"
        rng = rng_for(name)
        scores = rng.normal(size=(words, words + 1))
        if kind == "roots":
            # Every word would rather be the root.
            scores[:, 0] += 3
        if kind == "rings":
            # Words like their neighbours best, so that there are rings within rings.
            places = np.arange(1, words + 1)
            scores[:, 1:] -= np.abs(places[:, None] - places[None]) * 0.7
        scores = scores.astype(np.float32).astype(np.float64)
        heads = best_tree(scores)
        total = scores[np.arange(words), heads].sum()
        group.add(name, "tree", NETWORKX, {"words": words}, scores=scores, heads=heads, total=total)
    labels = ["nsubj", "nsubj:pass", "obj", "root", "obl", "obl:tmod", "punct", "nsub"]
    for name, count in (("attachment_one", 1), ("attachment_many", 60)):
        rng = rng_for(name)
        lengths = rng.integers(1, 12, size=count)
        draw = lambda: ([int(rng.integers(n + 1)) for n in lengths for _ in range(n)], rng.integers(len(labels), size=lengths.sum()))
        (heads, relations), (others, other_relations) = draw(), draw()
        keep = lambda old, new: np.where(rng.random(len(old)) < 0.7, old, new)
        found_heads, found_relations = keep(heads, others), keep(relations, other_relations)
        parts = lambda array: np.split(np.asarray(array), np.cumsum(lengths)[:-1])
        named = lambda array: [[labels[label] for label in part] for part in parts(array)]
        words, right_heads, right_labels = attachment(list(zip(parts(heads), named(relations))),
                                                      list(zip(parts(found_heads), named(found_relations))))
        group.add(name, "attachment", "scripts/attachment.py", {"labels": labels}, lengths=lengths,
                  heads=np.array(heads), relations=relations, found_heads=found_heads, found_relations=found_relations,
                  value=np.array([right_heads / words, right_labels / words]))
    return group
