"""Weights as PyTorch and Keras 3 name and lay them out, and what the models they come from compute. See golden.py.

The weights are float32, as users have them. Inputs and outputs are computed in float64 from these rounded weights, so
that they can be compared as closely as all other golden numbers.
"""

from golden_common import KERAS, TORCH, Group, Weights, agree, numpy, rng_for
from golden_recurrent import formula

import functools

import keras
import numpy as np
import torch

WORDS, DIMENSION, UNITS = 11, 5, {"lstm": 4, "gru": 3, "rnn": 4, "linear": 2}


def float32(rng, shape):
    """Numbers of float32, in float64."""
    return (0.5 * rng.normal(size=shape)).astype(np.float32).astype(np.float64)


class TorchModel(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(WORDS, DIMENSION, padding_idx=0)
        self.lstm = torch.nn.LSTM(DIMENSION, UNITS["lstm"], num_layers=2, bidirectional=True, batch_first=True)
        self.gru = torch.nn.GRU(2 * UNITS["lstm"], UNITS["gru"], batch_first=True)
        self.rnn = torch.nn.RNN(UNITS["gru"], UNITS["rnn"], batch_first=True)
        self.linear = torch.nn.Linear(UNITS["rnn"], UNITS["linear"])


@functools.cache
def torch_model():
    model, rng = TorchModel(), rng_for("torch_state_dict")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.tensor(float32(rng, parameter.shape)))
        model.embedding.weight[0] = 0  # the row of the padding
    return model


@functools.cache
def keras_model():
    k, rng = keras.layers, rng_for("keras_weights")
    model = keras.Sequential([
        k.Embedding(WORDS, DIMENSION, name="embedding"),
        k.Bidirectional(k.LSTM(UNITS["lstm"], return_sequences=True, name="lstm"), name="bidirectional"),
        k.GRU(UNITS["gru"], return_sequences=True, name="gru"),
        k.SimpleRNN(UNITS["rnn"], return_sequences=True, name="simple_rnn"),
        k.Dense(UNITS["linear"], activation="softmax", name="dense"),
    ], name="model")
    model.build((None, None))
    model.set_weights([float32(rng, w.shape) for w in model.get_weights()])
    return model


def torch_state_dict():
    """What `safetensors.torch.save_file(model.state_dict(), path)` writes."""
    return Weights({name: numpy(value).astype(np.float32) for name, value in torch_model().state_dict().items()})


def keras_weights():
    """What the export in tests/golden/README.md writes."""
    return Weights({v.path: numpy(v.value).astype(np.float32) for v in keras_model().weights})


def recurrent_args(cell, units, layers=1, bidirectional=False):
    args = {"cell": cell, "units": units, "layers": layers, "bidirectional": bidirectional,
            "merge": "concat" if bidirectional else None, "reverse": False, "return_sequences": True,
            "return_state": False, "activation": "tanh"}
    return args | ({"reset_after": True} if cell == "gru" else {}) | (
        {} if cell == "elman" else {"recurrent_activation": "sigmoid"})


def imports():
    """Each layer of the two models, one case each: its input and output."""
    group, indices = Group(), rng_for("imports").integers(WORDS, size=(3, 6))
    model, x = torch_model(), torch.tensor(indices)
    weights = {name: numpy(value) for name, value in model.named_parameters()}
    for name, options in (
        ("embedding", {"words": WORDS, "dimension": DIMENSION, "padding_index": 0}),
        ("lstm", recurrent_args("lstm", UNITS["lstm"], layers=2, bidirectional=True)),
        ("gru", recurrent_args("gru", UNITS["gru"])),
        ("rnn", recurrent_args("elman", UNITS["rnn"])),
        ("linear", {"units": UNITS["linear"], "activation": "linear"}),
    ):
        y = getattr(model, name)(x)
        y = y[0] if isinstance(y, tuple) else y
        if name == "rnn":
            own = {"kernel": weights["rnn.weight_ih_l0"].T, "recurrent_kernel": weights["rnn.weight_hh_l0"].T,
                   "bias": weights["rnn.bias_ih_l0"] + weights["rnn.bias_hh_l0"]}
            expected = formula(options, {"input": numpy(x)} | {f"layer0/forward/{k}": w for k, w in own.items()})
            agree(name, y, expected["output"])
        args = {"file": "torch_state_dict", "prefix": f"{name}.", **options}
        group.add(f"torch_{name}", name, TORCH, args, input=x, output=y)
        x = y

    model, x = keras_model(), torch.tensor(indices)
    for layer, kind, options in zip(model.layers, ("embedding", "lstm", "gru", "rnn", "linear"), (
        {"words": WORDS, "dimension": DIMENSION, "padding_index": None},
        recurrent_args("lstm", UNITS["lstm"], bidirectional=True),
        recurrent_args("gru", UNITS["gru"]),
        recurrent_args("elman", UNITS["rnn"]),
        {"units": UNITS["linear"], "activation": "softmax"},
    ), strict=True):
        y = layer(x)
        if kind == "lstm":
            own = {f"layer0/{direction}/{v.name}": numpy(v.value) for direction, one in
                   (("forward", layer.forward_layer), ("backward", layer.backward_layer)) for v in one.cell.weights}
            agree(kind, y, formula(options, {"input": numpy(x)} | own)["output"])
        args = {"file": "keras_weights", "prefix": f"model/{layer.name}/", **options}
        group.add(f"keras_{layer.name}", kind, KERAS, args, input=x, output=y)
        x = y
    assert np.array_equal(numpy(model(torch.tensor(indices))), numpy(x))
    return group
