"""Layers beyond the dense ones, for golden.py: PReLU, GLU, RMS normalisation, frozen statistics of batch normalisation."""

import keras
import numpy as np
import torch
import torch.nn.functional as F

from golden_common import KERAS, TORCH, agree, leaf, rng_for


def add(group, name, kind, source, args, function, formula, shape, weights, constants=()):
    """`function(x, *weights, *constants)` on tensors is the layer, `formula` the same in NumPy."""
    rng = rng_for(name)
    x, weights = leaf(rng.normal(size=shape)), {what: leaf(value(rng)) for what, value in weights.items()}
    constants = {what: torch.tensor(value(rng)) for what, value in dict(constants).items()}
    assert np.abs(x.detach().numpy()).min() > 1e-3
    output = function(x, *weights.values(), *constants.values())
    grad_output = torch.tensor(rng.normal(size=output.shape))
    grads = torch.autograd.grad(output, [x, *weights.values()], grad_output)
    agree(name, output, formula(*(t.detach().numpy() for t in (x, *weights.values(), *constants.values()))))
    group.add(name, kind, source, args, input=x, output=output, grad_output=grad_output, grad_input=grads[0],
              **weights, **constants, **{f"grad_{what}": grad for what, grad in zip(weights, grads[1:])})


def keras_layer(layer, shape):
    """The layer as a function of its input and its weights, trained or not."""
    layer.build(shape)

    def function(x, *weights):
        return layer.stateless_call([w for w in weights], [], x)[0]

    return function


def add_prelu(group):
    formula = lambda x, alpha: np.where(x > 0, x, alpha * x)
    for shape, shared in (((5, 4), []), ((3, 4, 6), []), ((3, 4, 6), [1]), ((3, 4, 6), [1, 2])):
        name = "prelu_keras" + "".join(f"_{size}" for size in shape) + "".join(f"_shared{axis}" for axis in shared)
        layer = keras.layers.PReLU(shared_axes=shared or None)
        of_alpha = [1 if axis in shared else size for axis, size in enumerate(shape)][1:]
        add(group, name, "prelu", KERAS, {"shared_axes": shared}, keras_layer(layer, shape), formula, shape,
            {"alpha": lambda rng: rng.uniform(-0.2, 0.6, of_alpha)})
    # PyTorch's only slope; the file has it in the shape that it has here.
    add(group, "prelu_torch", "prelu", TORCH, {"shared_axes": [1]}, lambda x, alpha: F.prelu(x, alpha), formula, (5, 4),
        {"alpha": lambda rng: rng.uniform(-0.2, 0.6, 1)})


def add_glu(group):
    def formula(x):
        a, b = np.split(x, 2, -1)
        return a / (1 + np.exp(-b))

    for shape in ((5, 6), (2, 3, 8)):
        add(group, f"glu_torch_rank{len(shape)}", "glu", TORCH, {}, lambda x: F.glu(x, -1), formula, shape, {})


def add_rms_norm(group):
    for source, shape, epsilon in ((KERAS, (5, 4), 1e-6), (KERAS, (2, 3, 7), 0.1), (TORCH, (5, 4), 1e-5)):
        name = f"rms_norm_{source.split()[0]}_rank{len(shape)}"
        formula = lambda x, gamma: x / np.sqrt((x**2).mean(-1, keepdims=True) + epsilon) * gamma
        function = keras_layer(keras.layers.RMSNormalization(epsilon=epsilon), shape) if source == KERAS else (
            lambda x, gamma: F.rms_norm(x, (shape[-1],), gamma, epsilon))
        add(group, name, "rms_norm", source, {"epsilon": epsilon}, function, formula, shape,
            {"gamma": lambda rng: rng.normal(size=shape[-1])})


def add_frozen_batch_norm(group):
    """Keras' layer with `trainable = False`, called for training: its scale and shift are none of its trainable weights, but
    they have gradients."""
    epsilon = 1e-3
    formula = lambda x, gamma, beta, mean, variance: (x - mean) / np.sqrt(variance + epsilon) * gamma + beta
    for shape in ((5, 4), (2, 3, 4)):
        layer = keras.layers.BatchNormalization(epsilon=epsilon, trainable=False)
        layer.build(shape)

        def function(x, *weights):
            output, kept = layer.stateless_call([], list(weights), x, training=True)
            agree("frozen statistics", kept[2], weights[2].numpy())
            agree("frozen statistics", kept[3], weights[3].numpy())
            return output

        size = shape[-1]
        add(group, f"frozen_batch_norm_keras_rank{len(shape)}", "frozen_batch_norm", KERAS, {"epsilon": epsilon}, function,
            formula, shape, {"gamma": lambda rng: rng.normal(size=size), "beta": lambda rng: rng.normal(size=size)},
            {"moving_mean": lambda rng: rng.normal(size=size), "moving_variance": lambda rng: rng.uniform(0.2, 3, size)})


def add_more_layers(group):
    add_prelu(group)
    add_glu(group)
    add_rms_norm(group)
    add_frozen_batch_norm(group)
