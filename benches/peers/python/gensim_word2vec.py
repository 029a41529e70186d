"""Trains word2vec by gensim on a tokenised file, a sentence a line, and prints what scripts/bench_word2vec.py asks for as JSON."""
import argparse
import json
import time

from gensim.models import Word2Vec
from gensim.models.word2vec import FAST_VERSION, LineSentence

parser = argparse.ArgumentParser()
parser.add_argument("data")
parser.add_argument("--model", choices=["skip-gram", "cbow"], default="skip-gram")
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--epochs", type=int, default=5)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--pairs", nargs="*", default=[])
options = parser.parse_args()

# What the example does by default: 100 dimensions, window 5, 5 negatives, sample 0.001, rate 0.025 to 0.0001.
model = Word2Vec(vector_size=100, window=5, negative=5, min_count=5, sample=1e-3, alpha=0.025, min_alpha=0.0001,
                 sg=int(options.model == "skip-gram"), workers=options.threads, seed=options.seed)
sentences = LineSentence(options.data)
model.build_vocab(sentences)
wall, computed = time.perf_counter(), time.process_time()
model.train(sentences, total_examples=model.corpus_count, total_words=model.corpus_total_words, epochs=options.epochs)
wall, computed = time.perf_counter() - wall, time.process_time() - computed
words = model.corpus_total_words * options.epochs
correlations = {path.rsplit("/", 1)[-1]: float(model.wv.evaluate_word_pairs(path)[1][0]) for path in options.pairs}
print(json.dumps({"words_per_second": words / wall, "words_per_cpu_second": words / computed, "vocabulary": len(model.wv),
                  "compiled": FAST_VERSION, "pairs": correlations}))
