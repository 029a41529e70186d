"""Golden numbers of small models of text by Keras 3, from indices to loss and gradients. See golden.py."""

import itertools

from golden_common import KERAS, Group, agree, agree_slopes, named, numpy, one_hot, rng_for, softmax
from golden_recurrent import GATES, formula, sigmoid

import keras
import numpy as np
import torch


def add_model(group, name, cell, bidirectional, labels):
    """Embedding(mask_zero) -> recurrent layer -> Dense in small, by Keras, from indices to loss and gradients.

    Without `labels`, it judges reviews: one sigmoid for each, binary crossentropy, padded on the left. Otherwise it
    gives each step one of so many labels: logits, sparse categorical crossentropy, the mean of the valid steps, padded
    on the right."""
    rng = rng_for(name)
    batch, time, words, dimension, units = 5, 7, 11, 4, 3
    mask = np.arange(time) >= np.array([[0], [3], [5], [1], [6]])
    mask = mask[:, ::-1].copy() if labels else mask
    indices = rng.integers(1, words, (batch, time)) * mask
    k = keras.layers
    embedding = k.Embedding(words, dimension, mask_zero=True)
    options = {"return_sequences": bool(labels)} | ({} if cell == "elman" else {"use_cudnn": False})
    layer = {"elman": k.SimpleRNN, "gru": k.GRU, "lstm": k.LSTM}[cell](units, **options)
    layer = k.Bidirectional(layer) if bidirectional else layer
    model = keras.Sequential([embedding, layer, k.Dense(labels or 1, activation=None if labels else "sigmoid")])
    model.build((batch, time))
    model.set_weights([0.5 * rng.normal(size=w.shape) for w in model.get_weights()])
    predictions = model(torch.tensor(indices))  # the mask comes along
    if labels:
        targets = rng.integers(labels, size=(batch, time))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(torch.tensor(targets), predictions)
    else:
        targets = np.array([[1.0], [0.0], [0.0], [1.0], [1.0]])
        loss = keras.losses.BinaryCrossentropy()(torch.tensor(targets), predictions)
    variables = {"embeddings": embedding.embeddings, "output_kernel": model.layers[-1].kernel,
                 "output_bias": model.layers[-1].bias}
    for direction, one in zip(("forward", "backward"),
                              (layer.forward_layer, layer.backward_layer) if bidirectional else (layer,)):
        variables |= {f"layer0/{direction}/{variable.name}": variable for variable in one.cell.trainable_variables}
    grads = torch.autograd.grad(loss, [variable.value for variable in variables.values()])

    tensors = {}
    for (what, variable), grad in zip(variables.items(), grads):
        value, grad = numpy(variable.value), numpy(grad)
        parts = [(what, value, grad)]
        if cell == "gru" and value.ndim == 2 and what.endswith("/bias"):
            parts = [(what, value[0], grad[0]), (what.replace("bias", "recurrent_bias"), value[1], grad[1])]
        for part, value, grad in parts:
            tensors |= {part: value, named(part): grad}
    args = {"cell": cell, "units": units, "features": dimension, "layers": 1, "use_bias": True, "activation": "tanh",
            "bidirectional": bidirectional, "merge": "concat" if bidirectional else None, "reverse": False,
            "return_sequences": bool(labels), "return_state": False, "words": words}
    args |= {} if cell == "elman" else {"recurrent_activation": "sigmoid"}
    args |= {"reset_after": True} if cell == "gru" else {}
    args |= ({"mask": "right", "labels": labels, "loss": "sparse_categorical_crossentropy", "from_logits": True,
              "reduction": "mean_valid"} if labels else
             {"mask": "left", "loss": "binary_crossentropy", "from_logits": False,
              "clip_epsilon": keras.config.epsilon(), "reduction": "mean"})

    def value(t):
        inner = t | {"input": t["embeddings"][indices], "mask": mask}
        y = formula(args, inner)["output"]
        if not labels:
            p = sigmoid(y @ t["output_kernel"] + t["output_bias"])
            return {"predictions": p, "loss": -np.where(targets == 1, np.log(p), np.log(1 - p)).mean()}
        y = (y * mask[..., None] if bidirectional else y) @ t["output_kernel"] + t["output_bias"]
        return {"predictions": y, "loss": -np.log((softmax(y) * one_hot(targets, labels)).sum(-1))[mask].mean()}

    for what, found in (("predictions", predictions), ("loss", loss)):
        agree(f"{name}/{what}", found, value(tensors)[what])
    agree_slopes(name, rng, value, tensors, {"loss": np.ones(1)})
    assert np.all(tensors["grad_embeddings"][0] == 0)
    predictions = numpy(predictions) * mask[..., None] if labels else predictions  # those of valid steps
    group.add(name, "tagger" if labels else "classifier", KERAS, args, indices=indices, targets=targets,
              predictions=predictions, loss=loss, **tensors)


def models():
    group = Group()
    for cell, bidirectional in itertools.product(GATES, (False, True)):
        name = f"{'bidirectional_' if bidirectional else ''}{cell}"
        add_model(group, f"classifier_{name}", cell, bidirectional, None)
        add_model(group, f"tagger_{name}", cell, bidirectional, 4)
    return group
