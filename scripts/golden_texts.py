"""Golden numbers of translations: BLEU and chrF of corpora by sacrebleu. See golden.py."""

import math
from collections import Counter

from golden_common import Group, agree, rng_for

import numpy as np
import sacrebleu
from sacrebleu.metrics import BLEU, CHRF

SACREBLEU = f"sacrebleu {sacrebleu.__version__}"
WORDS = "the a cat cats sat on mat . , ! of one two été größe дом дома 猫 naïve x y zz e\u0301 don't".split()


def sentence(rng, least, most):
    return [WORDS[i] for i in rng.integers(len(WORDS), size=rng.integers(least, most + 1))]


def near(rng, words):
    """The words with some left out, some others, some exchanged."""
    words = [w if rng.random() < 0.75 else WORDS[rng.integers(len(WORDS))] for w in words if rng.random() < 0.9]
    for i in range(len(words) - 1):
        if rng.random() < 0.15:
            words[i], words[i + 1] = words[i + 1], words[i]
    return words


def pieces(tokens, n):
    return Counter(tuple(tokens[i:i + n]) for i in range(len(tokens) - n + 1))


def bleu_formula(texts, references):
    shares = []
    for n in range(1, 5):
        pairs = [(pieces(t.split(), n), pieces(r.split(), n)) for t, r in zip(texts, references)]
        right, all = sum(sum((a & b).values()) for a, b in pairs), sum(sum(a.values()) for a, _ in pairs)
        shares.append(right / all if all else 0.0)
    lengths = [sum(len(text.split()) for text in side) for side in (texts, references)]
    if 0.0 in shares:
        return 0.0
    return 100 * min(1.0, math.exp(1 - lengths[1] / lengths[0])) * math.prod(shares) ** 0.25


def corpora():
    for name, count, least, most in (("one", 1, 8, 20), ("some", 12, 0, 9), ("many", 200, 1, 30)):
        rng = rng_for(f"texts_{name}")
        references = [sentence(rng, least, most) for _ in range(count)]
        texts = [near(rng, words) for words in references]
        yield name, [" ".join(words) for words in texts], [" ".join(words) for words in references]
    long = "the cat sat on the mat . the cat sat on the mat ."
    yield "same", [long], [long]
    yield "too_long", [long + " and on"], [long]
    yield "too_short", ["the cat sat on the"], [long]
    yield "nothing", [""], [long]
    yield "nothing_asked", [long], [""]
    yield "nothing_of_some", ["", "the cat sat on the mat", ""], ["a b c d", "the cat sat on the mat", ""]
    yield "short", ["the cat sat"], ["the cat sat"]
    yield "no_match", ["a b c d e f"], ["u v w x y z"]
    yield "no_pair", ["a x b y c z"], ["a u b v c w"]
    yield "case", ["The Cat sat on THE mat"], ["the cat sat on the mat"]
    yield "spaces", ["the\u00a0cat  sat\ton\u2003the\u001cmat \u0085 ."], [" the cat sat on the mat . "]
    yield "repeated", ["the the the the the the the"], ["the cat the mat the the"]


def texts():
    group = Group()
    for name, found, references in corpora():
        bleu = BLEU(tokenize="none", smooth_method="none", force=True).corpus_score(found, [references])
        chrf = CHRF().corpus_score(found, [references])
        agree(name, np.array(bleu.score), bleu_formula(found, references))
        group.add(name, "texts", SACREBLEU, {"texts": found, "references": references}, bleu=bleu.score, chrf=chrf.score,
                  precisions=np.array(bleu.precisions) / 100, brevity_penalty=bleu.bp,
                  lengths=np.array([bleu.sys_len, bleu.ref_len]))
    return group
