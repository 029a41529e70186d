"""Keras 3's side of the workloads, on JAX: keras_peer.py keras_jax WORKLOAD BATCH THREADS [EXTRA].

A step is `train_on_batch`, an epoch `fit`, an inference `predict_on_batch`. Masks are Keras' own (`mask_zero`): the state
is carried through the padding. At batch 1 only inference is timed.
"""
import argparse
import itertools
import os

os.environ["KERAS_BACKEND"] = "jax"
import jax
import keras
import numpy as np
from harness import arguments, bags, report, texts
from keras import layers


def reuters(options):
    n, batch = 8982, options.batch
    x, y = bags(n, 1000, 46)
    y = keras.utils.to_categorical(y, 46)
    model = keras.Sequential(
        [keras.Input((1000,)), layers.Dense(512, "relu"), layers.Dropout(0.5), layers.Dense(46, "softmax")]
    )
    model.compile("adam", "categorical_crossentropy")
    at = itertools.cycle(range(0, n - batch + 1, batch))

    def step():
        i = next(at)
        model.train_on_batch(x[i : i + batch], y[i : i + batch])

    report(options, "train", step)
    report(options, "epoch", lambda: model.fit(x, y, batch_size=batch, verbose=0))


def run(options, model, data):
    """Times training steps and inferences, each with the next of the batches."""
    batches = itertools.cycle(list(data))
    if options.batch > 1:
        report(options, "train", lambda: model.train_on_batch(*next(batches)))
    if options.workload != "vocabulary":
        report(options, "infer", lambda: model.predict_on_batch(next(batches)[0]))


def imdb_model(words, masked):
    model = keras.Sequential(
        [
            keras.Input((80,), dtype="int32"),
            layers.Embedding(words, 128, mask_zero=masked),
            layers.Dropout(0.2),
            layers.LSTM(128),
            layers.Dense(1, "sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy")
    return model


def imdb_data(options, shortest, words, count=8):
    for ids, _, y in texts(options.batch, shortest, 80, words, 2, count):
        yield ids.astype("int32"), y.astype("float32")[:, None]


def imdb(options, words, masked):
    run(options, imdb_model(words, masked), imdb_data(options, 20 if masked else 80, words))


def tweets(options):
    words, dim = 50_000, 200
    model = keras.Sequential(
        [
            keras.Input((32,), dtype="int32"),
            layers.Embedding(words, dim, mask_zero=True, trainable=False),
            layers.SimpleRNN(128),
            layers.Dense(3, "softmax"),
        ]
    )
    model.layers[0].set_weights([(np.random.default_rng(3).standard_normal((words, dim)) * 0.4).astype("float32")])
    model.compile("rmsprop", "categorical_crossentropy")
    data = texts(options.batch, 5, 32, words, 3)
    run(options, model, [(ids.astype("int32"), keras.utils.to_categorical(y, 3)) for ids, _, y in data])


def long(options):
    x = jax.numpy.asarray(np.random.default_rng(4).standard_normal((options.batch, options.extra, 128)).astype("float32"))
    lstm = layers.LSTM(128)
    lstm.build(x.shape)
    fixed = [variable.value for variable in lstm.non_trainable_variables]
    trained = [variable.value for variable in lstm.trainable_variables]
    gradients = jax.jit(jax.grad(lambda x, w: lstm.stateless_call(w, fixed, x)[0].sum(), argnums=(0, 1)))
    report(options, "train", lambda: jax.block_until_ready(gradients(x, trained)))


def start_up(options):
    (batch,) = imdb_data(options, 20, 20_000, count=1)
    loss = imdb_model(20_000, True).train_on_batch(*batch)
    print(f'{{"loss": {float(loss)}}}', flush=True)


WORKLOADS = {
    "reuters": reuters,
    "imdb_full": lambda options: imdb(options, 20_000, False),
    "imdb_masked": lambda options: imdb(options, 20_000, True),
    "tweets": tweets,
    "long": long,
    "vocabulary": lambda options: imdb(options, options.extra, True),
    "start_up": start_up,
}


def main():
    options = arguments(argparse.ArgumentParser(description=__doc__.splitlines()[0]))
    keras.utils.set_random_seed(0)
    WORKLOADS[options.workload](options)


if __name__ == "__main__":
    main()
