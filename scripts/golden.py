"""Golden numbers: what PyTorch, Keras 3 and scikit-learn compute, written down for the tests of this library.

    python scripts/golden.py            writes the safetensors files of tests/golden
    python scripts/golden.py --check    computes everything again and compares with the files (exit 1 if they differ)

This script holds dense layers, losses, optimizers and metrics, and runs the others: golden_layers.py, golden_losses.py,
golden_recurrent.py, golden_models.py, golden_sequences.py, golden_structures.py, golden_tagging.py, golden_texts.py and golden_weights.py; golden_common.py is
what all share.

Packages (Python 3.11 or later; later versions should do, `--check` tells):

    pip install numpy==2.4.6 torch==2.15.0 keras==3.15.1 scikit-learn==1.9.1 safetensors==0.8.0 pytorch-crf==0.7.2 seqeval==1.2.2 networkx==3.6.1 sacrebleu==2.6.0

Keras runs on its PyTorch backend, everything in float64 on the CPU (see `use_float64`). Each file carries, under the
metadata key `cases`, a JSON array of {"name", "kind", "from", "args"}; `args` holds all that is needed to rebuild a
case, and the tensors of a case are called `<name>/<what>`. tests/golden/README.md lists kinds, args and tensors.

The frameworks' numbers are not taken on trust: wherever that is cheap, a few lines of NumPy compute the documented
formula from nothing but `args` and the stored tensors, and the script stops unless both agree. This shows that the
numbers are truly double precision, and that `args` is complete.
"""

import argparse
import math
import sys

sys.dont_write_bytecode = True  # of the modules beside this script

from golden_common import (FOLDER, KERAS, SEED, TORCH, Group, agree, differences, leaf, one_hot, rng_for, save, softmax,
                           use_float64)

import keras
import numpy as np
import sklearn
import sklearn.metrics
import torch
import torch.nn.functional as F

from golden_layers import add_more_layers
from golden_losses import add_more_losses
from golden_models import models
from golden_recurrent import recurrent
from golden_sequences import sequences
from golden_structures import spans, trees
from golden_tagging import tagging
from golden_texts import texts
from golden_weights import imports, keras_weights, torch_state_dict

SKLEARN = f"scikit-learn {sklearn.__version__}"


def log_softmax(x):
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


# --------------------------------------------------------------------------------------------------------------- layers


# Scale and alpha of SELU.
SELU = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


def activations():
    """(suffix of the case name, source, args, function of the framework, formula in NumPy, kinks to stay away from)."""
    a, erf = keras.activations, np.vectorize(math.erf)
    gelu_tanh = lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    plain = lambda name: {"activation": name}
    return [
        ("linear", KERAS, plain("linear"), a.linear, lambda x: x, []),
        ("sigmoid", KERAS, plain("sigmoid"), a.sigmoid, lambda x: 1 / (1 + np.exp(-x)), []),
        # Keras 3: relu6(x + 3) / 6. Keras 1 and 2 (and Theano before them): clip(0.2 x + 0.5, 0, 1).
        ("hard_sigmoid", KERAS, plain("hard_sigmoid"), a.hard_sigmoid, lambda x: np.clip(x + 3, 0, 6) / 6, [-3, 3]),
        ("hard_sigmoid_keras1", TORCH, plain("hard_sigmoid_keras1"), lambda x: torch.clamp(0.2 * x + 0.5, 0, 1),
         lambda x: np.clip(0.2 * x + 0.5, 0, 1), [-2.5, 2.5]),
        ("tanh", KERAS, plain("tanh"), a.tanh, np.tanh, []),
        ("relu", KERAS, plain("relu"), a.relu, lambda x: np.maximum(x, 0), [0]),
        ("leaky_relu_0.2", KERAS, plain("leaky_relu") | {"negative_slope": 0.2},
         lambda x: a.leaky_relu(x, negative_slope=0.2), lambda x: np.where(x > 0, x, 0.2 * x), [0]),
        ("leaky_relu_0.01", TORCH, plain("leaky_relu") | {"negative_slope": 0.01},
         lambda x: F.leaky_relu(x, 0.01), lambda x: np.where(x > 0, x, 0.01 * x), [0]),
        ("elu_1.0", KERAS, plain("elu") | {"alpha": 1.0},
         lambda x: a.elu(x, alpha=1.0), lambda x: np.where(x > 0, x, np.expm1(x)), [0]),
        ("elu_0.5", KERAS, plain("elu") | {"alpha": 0.5},
         lambda x: a.elu(x, alpha=0.5), lambda x: np.where(x > 0, x, 0.5 * np.expm1(x)), [0]),
        ("gelu_exact", KERAS, plain("gelu") | {"approximate": False},
         lambda x: a.gelu(x, approximate=False), lambda x: 0.5 * x * (1 + erf(x / math.sqrt(2))), []),
        ("gelu_tanh", KERAS, plain("gelu") | {"approximate": True},
         lambda x: a.gelu(x, approximate=True), gelu_tanh, []),
        ("silu", KERAS, plain("silu"), a.silu, lambda x: x / (1 + np.exp(-x)), []),
        # PyTorch returns x itself above 20: the inputs have no value between 20 and 30, where that would be visible.
        ("softplus", KERAS, plain("softplus"), a.softplus, lambda x: np.logaddexp(x, 0), []),
        ("selu", KERAS, plain("selu"), a.selu,
         lambda x: SELU[0] * np.where(x > 0, x, SELU[1] * np.expm1(x)), [0]),
        ("celu_1.0", KERAS, plain("celu") | {"alpha": 1.0},
         lambda x: a.celu(x, alpha=1.0), lambda x: np.where(x > 0, x, np.expm1(x)), [0]),
        ("celu_0.5", TORCH, plain("celu") | {"alpha": 0.5},
         lambda x: F.celu(x, alpha=0.5), lambda x: np.where(x > 0, x, 0.5 * np.expm1(x / 0.5)), [0]),
        ("mish", TORCH, plain("mish"), F.mish, lambda x: x * np.tanh(np.logaddexp(x, 0)), []),
        ("hard_swish", TORCH, plain("hard_swish"), F.hardswish, lambda x: x * np.clip(x + 3, 0, 6) / 6, [-3, 3]),
        ("softsign", KERAS, plain("softsign"), a.softsign, lambda x: x / (1 + np.abs(x)), []),
        ("relu6", KERAS, plain("relu6"), a.relu6, lambda x: np.clip(x, 0, 6), [0, 6]),
        ("log_sigmoid", TORCH, plain("log_sigmoid"), F.logsigmoid, lambda x: -np.logaddexp(-x, 0), []),
        ("softmax", KERAS, plain("softmax") | {"axis": -1}, a.softmax, softmax, []),
        ("log_softmax", KERAS, plain("log_softmax") | {"axis": -1}, a.log_softmax, log_softmax, []),
    ]


def add_activations(group):
    for name, source, args, function, formula, kinks in activations():
        name = f"activation_{name}"
        rng = rng_for(name)
        x = 2 * rng.normal(size=(5, 7))
        x[:, :2] = [[30, -30], [5, -5], [0.01, -0.01], [0.001, 30], [-30, 0.5]]
        assert all(np.abs(x - kink).min() > 5e-4 for kink in kinks), f"{name}: an input lies on a kink"
        x, grad_output = leaf(x), torch.tensor(rng.normal(size=(5, 7)))
        output = function(x)
        grad_input, = torch.autograd.grad(output, x, grad_output)
        agree(name, output, formula(x.detach().numpy()))
        group.add(name, "activation", source, args, input=x, output=output, grad_output=grad_output,
                  grad_input=grad_input)


def add_dense(group):
    in_features, units = 7, 3
    formulas = {"linear": lambda x: x, "tanh": np.tanh, "relu": lambda x: np.maximum(x, 0), "softmax": softmax}
    torch_functions = {"linear": lambda x: x, "tanh": torch.tanh, "relu": torch.relu,
                       "softmax": lambda x: torch.softmax(x, -1)}
    for framework in ("keras", "torch"):
        for rank, shape in ((2, (5, in_features)), (3, (2, 3, in_features))):
            for activation in formulas:
                for use_bias in (True, False):
                    if not use_bias and activation in ("tanh", "softmax"):
                        continue  # enough cases
                    name = f"dense_{framework}_{activation}_rank{rank}" + ("" if use_bias else "_nobias")
                    rng = rng_for(name)
                    x, kernel = leaf(rng.normal(size=shape)), leaf(0.5 * rng.normal(size=(in_features, units)))
                    bias = leaf(rng.normal(size=units)) if use_bias else None
                    grad_output = torch.tensor(rng.normal(size=(*shape[:-1], units)))
                    if framework == "keras":
                        layer = keras.layers.Dense(units, activation=activation, use_bias=use_bias)
                        layer.build(shape)
                        layer.set_weights([w.detach().numpy() for w in (kernel, bias) if w is not None])
                        weights, output = [v.value for v in layer.trainable_variables], layer(x)
                    else:
                        layer = torch.nn.Linear(in_features, units, bias=use_bias, dtype=torch.float64)
                        with torch.no_grad():
                            layer.weight.copy_(kernel.T)  # PyTorch keeps [out, in]; all files hold [in, out]
                            if use_bias:
                                layer.bias.copy_(bias)
                        weights, output = list(layer.parameters()), torch_functions[activation](layer(x))
                    grads = list(torch.autograd.grad(output, [x, *weights], grad_output))
                    if framework == "torch":
                        grads[1] = grads[1].T
                    pre = x.detach().numpy() @ kernel.detach().numpy()
                    pre = pre + bias.detach().numpy() if use_bias else pre
                    assert np.abs(pre).min() > 1e-3
                    agree(name, output, formulas[activation](pre))
                    args = {"activation": activation, "use_bias": use_bias, "in_features": in_features, "units": units}
                    group.add(name, "dense", KERAS if framework == "keras" else TORCH, args, input=x, kernel=kernel,
                              bias=bias, output=output, grad_output=grad_output, grad_input=grads[0],
                              grad_kernel=grads[1], grad_bias=grads[2] if use_bias else None)


def add_dropout(group):
    for rate in (0.3, 0.5):
        name = f"dropout_{rate}"
        rng = rng_for(name)
        x, grad_output = leaf(rng.normal(size=(5, 7))), torch.tensor(rng.normal(size=(5, 7)))
        mask = (rng.random((5, 7)) >= rate).astype(np.float64)
        output = x * torch.tensor(mask) / (1 - rate)
        grad_input, = torch.autograd.grad(output, x, grad_output)
        own = F.dropout(x, rate)  # PyTorch's own layer, whose mask nobody can choose, follows the same formula
        agree(name, own, (x * (own != 0) / (1 - rate)).detach().numpy())
        group.add(name, "dropout", TORCH, {"rate": rate}, input=x, mask=mask, output=output, grad_output=grad_output,
                  grad_input=grad_input)


def add_regularizers_and_constraints(group):
    r, c = keras.regularizers, keras.constraints
    for kind, args, regularizer in (
        ("l1", {"l1": 0.03, "l2": 0.0}, r.L1(0.03)),
        ("l2", {"l1": 0.0, "l2": 0.02}, r.L2(0.02)),
        ("l1_l2", {"l1": 0.03, "l2": 0.02}, r.L1L2(l1=0.03, l2=0.02)),
    ):
        w = leaf(rng_for(kind).normal(size=(4, 3)))
        value = regularizer(w)
        grad, = torch.autograd.grad(value, w)
        array = w.detach().numpy()
        agree(kind, value, args["l1"] * np.abs(array).sum() + args["l2"] * (array**2).sum())  # no factor 1/2
        group.add(f"regularizer_{kind}", "regularizer", KERAS, args, weights=w, value=value, grad=grad)

    epsilon, norm = keras.config.epsilon(), lambda w: np.sqrt((w**2).sum(0, keepdims=True))
    for kind, args, constraint, formula in (
        # The clipped norm over (epsilon + norm): columns below the limit shrink too, by norm / (epsilon + norm).
        ("max_norm", {"max_value": 1.5, "axis": 0, "epsilon": epsilon}, c.MaxNorm(1.5, axis=0),
         lambda w: w * np.clip(norm(w), 0, 1.5) / (epsilon + norm(w))),
        ("non_neg", {}, c.NonNeg(), lambda w: np.maximum(w, 0)),
        ("unit_norm", {"axis": 0, "epsilon": epsilon}, c.UnitNorm(axis=0), lambda w: w / (epsilon + norm(w))),
    ):
        w = rng_for(kind).normal(size=(5, 4))
        w *= np.array([0.5, 1.2, 1.8, 2.5]) / norm(w)  # two columns below the limit, two above
        output = constraint(torch.tensor(w))
        agree(kind, output, formula(w))
        group.add(f"constraint_{kind}", "constraint", KERAS, {"constraint": kind, **args}, weights=w, output=output)


def add_mlp(group):
    """The classifier of newswire topics in small: 11 -> 6 (relu) -> 4 (softmax), sparse categorical crossentropy."""
    batch, sizes, name = 5, (11, 6, 4), "mlp"
    rng = rng_for(name)
    x, labels = leaf((rng.random((batch, sizes[0])) < 0.4).astype(np.float64)), np.array([2, 0, 3, 1, 2])
    hidden = keras.layers.Dense(sizes[1], activation="relu")
    output = keras.layers.Dense(sizes[2], activation="softmax")
    for layer, inputs, units in ((hidden, *sizes[:2]), (output, *sizes[1:])):
        layer.build((batch, inputs))
        layer.set_weights([0.5 * rng.normal(size=(inputs, units)), 0.1 * rng.normal(size=units)])
    predictions = output(hidden(x))
    loss = keras.losses.SparseCategoricalCrossentropy()(torch.tensor(labels), predictions)
    weights = {f"{which}_{what}": getattr(layer, what).value
               for which, layer in (("hidden", hidden), ("output", output)) for what in ("kernel", "bias")}
    grads = torch.autograd.grad(loss, [x, *weights.values()])
    w = {key: value.detach().numpy() for key, value in weights.items()}
    h = np.maximum(x.detach().numpy() @ w["hidden_kernel"] + w["hidden_bias"], 0)
    p = softmax(h @ w["output_kernel"] + w["output_bias"])
    agree(name, loss, -np.log(p[np.arange(batch), labels]).mean())
    args = {"sizes": list(sizes), "activations": ["relu", "softmax"], "loss": "sparse_categorical_crossentropy",
            "from_logits": False, "clip_epsilon": keras.config.epsilon(), "reduction": "mean"}
    group.add(name, "mlp", KERAS, args, input=x, labels=labels, predictions=predictions, loss=loss, **weights,
              **{f"grad_{key}": grad for key, grad in zip(["input", *weights], grads)})


def layers():
    group = Group()
    add_activations(group)
    add_dense(group)
    add_dropout(group)
    add_regularizers_and_constraints(group)
    add_mlp(group)
    add_more_layers(group)
    return group


# --------------------------------------------------------------------------------------------------------------- losses
#
# From probabilities, Keras computes (with eps = 1e-7, the same on its PyTorch, JAX and NumPy backends):
#
#   binary:               p' = clip(p, eps, 1 - eps)               l = -t log p' - (1 - t) log(1 - p')
#   (sparse) categorical: p' = clip(p / sum(p), eps, 1 - eps)      l = -sum(t log p')
#
# The gradient runs through the clipping (zero where p, or p / sum(p), lies outside [eps, 1 - eps]) and, in the
# categorical forms, through the division by the sum. Label smoothing s acts on the targets: binary t (1 - s) + s / 2,
# categorical t (1 - s) + s / classes. Logits are not clipped. PyTorch's forms from probabilities neither clip nor
# divide. Keras' other backends stray: NumPy clips sigmoid(logits) in the binary form; TensorFlow's sparse form
# clips first and divides by the sum afterwards, and TensorFlow goes back to the logits where it sees the softmax.
#
# args["reduction"]: "mean"          sum(w l) / number of l, with w = 1 unless there is a tensor `sample_weight`
#                    "mean_valid"    sum(w l) / number of l whose label is not `ignore_class`, over those l alone
#                    "weighted_mean" sum(w[t] l) / sum(w[t]), with w = `class_weight`; label smoothing s makes it
#                                    sum((1 - s) w[t] l - s / classes * sum_c w[c] log p[c]) / sum(w[t])


def crossentropy_args(**changes):
    return {"from_logits": False, "label_smoothing": 0.0, "clip_epsilon": None, "renormalise": False,
            "ignore_class": None, "weights": None, "reduction": "mean", "note": None} | changes


def formula_of_loss(kind, args, targets, y, sample_weight, class_weight):
    """The loss by its documented formula, computed in NumPy from what the file stores."""
    s = args.get("label_smoothing", 0.0)
    if kind == "binary_crossentropy":
        t = targets * (1 - s) + s / 2
        if args["from_logits"]:
            each = np.maximum(y, 0) - y * t + np.log1p(np.exp(-np.abs(y)))
        else:
            p = np.clip(y, args["clip_epsilon"] or 0, 1 - (args["clip_epsilon"] or 0))
            each = -t * np.log(p) - (1 - t) * np.log(1 - p)
        each = each.mean(-1)
    elif kind in ("categorical_crossentropy", "sparse_categorical_crossentropy"):
        if args["from_logits"]:
            log_p = log_softmax(y)
        else:
            p = y / y.sum(-1, keepdims=True) if args["renormalise"] else y
            log_p = np.log(np.clip(p, args["clip_epsilon"] or 0, 1 - (args["clip_epsilon"] or 0)))
        classes = y.shape[-1]
        sparse = kind.startswith("sparse")
        valid = targets != args["ignore_class"] if sparse else np.ones(targets.shape[:-1], bool)
        t = one_hot(np.where(valid, targets, 0), classes) if sparse else targets
        each = -((t * (1 - s) + s / classes) * log_p).sum(-1)
        if args["reduction"] == "weighted_mean":
            w = (t * class_weight).sum(-1)
            each = -(1 - s) * w * (t * log_p).sum(-1) - s / classes * (class_weight * log_p).sum(-1)
            return each[valid].sum() / w[valid].sum()
        if args["reduction"] == "mean_valid":
            return (each * (1 if sample_weight is None else sample_weight))[valid].sum() / valid.sum()
    elif kind in ("hinge", "squared_hinge"):
        t = 2 * targets - 1 if args["targets"] == "0/1" else targets
        each = (np.maximum(1 - t * y, 0) ** (2 if kind == "squared_hinge" else 1)).mean(-1)
    elif kind == "categorical_hinge":
        # The maximum runs over all classes, the true one counting as 0: the strongest rival is never below 0.
        each = np.maximum(((1 - targets) * y).max(-1) - (targets * y).sum(-1) + 1, 0)
    else:
        e, delta = np.abs(y - targets), args.get("delta")
        each = {"mse": lambda: e**2, "mae": lambda: e,
                "huber": lambda: np.where(e <= delta, e**2 / 2, delta * e - delta**2 / 2)}[kind]().mean(-1)
    return (each if sample_weight is None else each * sample_weight).mean()


def add_loss(group, name, kind, source, args, function, targets, predictions, sample_weight=None, class_weight=None):
    """`function(targets, predictions, sample_weight)` on tensors gives the loss, a scalar."""
    y = leaf(predictions)
    value = function(torch.tensor(targets), y, None if sample_weight is None else torch.tensor(sample_weight))
    grad, = torch.autograd.grad(value, y)
    agree(name, value, formula_of_loss(kind, args, targets, predictions, sample_weight, class_weight))
    group.add(name, kind, source, args, targets=targets, predictions=predictions, sample_weight=sample_weight,
              class_weight=class_weight, value=value, grad=grad)


EXTREMES = [-200.0, -60.0, 60.0, 200.0]


def add_binary_crossentropy(group):
    eps, kind = keras.config.epsilon(), "binary_crossentropy"

    def keras_case(name, targets, predictions, sample_weight=None, class_weight=None, **changes):
        args = crossentropy_args(clip_epsilon=None if changes.get("from_logits") else eps, **changes)
        loss = keras.losses.BinaryCrossentropy(args["from_logits"], args["label_smoothing"])
        add_loss(group, name, kind, KERAS, args, loss, targets, predictions, sample_weight, class_weight)

    for shape in ((6, 1), (6, 4)):
        for from_logits in (False, True):
            for smoothing in (0.0, 0.1):
                name = f"bce_keras_{'logits' if from_logits else 'probs'}_{shape[1]}" + ("_smooth" if smoothing else "")
                rng = rng_for(name)
                y = 2 * rng.normal(size=shape) if from_logits else rng.uniform(0.05, 0.95, shape)
                targets = rng.permutation(np.arange(y.size) % 2).reshape(shape).astype(np.float64)
                keras_case(name, targets, y, from_logits=from_logits, label_smoothing=smoothing)

    t = np.array([[0.0, 1.0, 0.0, 1.0], [1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 1.0, 0.0]])
    y = np.array([[0.0, 1.0, 1.0, 0.0], [0.3, 0.6, 1.0, 0.0], [1e-9, 1e-9, 1 - 1e-9, 0.4]])
    keras_case("bce_keras_probs_clipped", t, y, note="probabilities 0, 1 and beyond the clipping bounds")
    y, t = np.array([EXTREMES, EXTREMES]), np.array([[0.0] * 4, [1.0] * 4])
    keras_case("bce_keras_logits_extreme", t, y, from_logits=True, note="logits of +-60 and +-200")

    for from_logits in (False, True):
        form, function = (("logits", F.binary_cross_entropy_with_logits) if from_logits
                          else ("probs", F.binary_cross_entropy))
        name = f"bce_torch_{form}_4"
        rng = rng_for(name)
        y = 2 * rng.normal(size=(6, 4)) if from_logits else rng.uniform(0.05, 0.95, (6, 4))
        targets = (rng.random((6, 4)) < 0.5).astype(np.float64)
        args = crossentropy_args(from_logits=from_logits)
        add_loss(group, name, kind, TORCH, args, lambda t, y, w, f=function: f(y, t), targets, y)

    rng = rng_for("bce_weights")
    y, targets = rng.uniform(0.05, 0.95, (6, 1)), np.array([[0.0], [1.0], [1.0], [0.0], [1.0], [0.0]])
    keras_case("bce_keras_probs_sample_weight", targets, y, rng.uniform(0.2, 2, 6), weights="sample")
    y = 2 * rng.normal(size=(6, 4))
    targets = (rng.random((6, 4)) < 0.5).astype(np.float64)
    keras_case("bce_keras_logits_sample_weight", targets, y, rng.uniform(0.2, 2, 6), weights="sample", from_logits=True)
    y, targets, class_weight = rng.uniform(0.05, 0.95, (6, 1)), np.array([[0.0], [1.0]] * 3), np.array([0.4, 2.5])
    keras_case("bce_keras_probs_class_weight", targets, y, class_weight[targets[:, 0].astype(int)], class_weight,
               weights="class")


def add_categorical_crossentropy(group):
    eps, kind, classes = keras.config.epsilon(), "categorical_crossentropy", 5

    def keras_case(name, targets, predictions, sample_weight=None, **changes):
        from_logits = changes.get("from_logits", False)
        args = crossentropy_args(clip_epsilon=None if from_logits else eps, renormalise=not from_logits, **changes)
        loss = keras.losses.CategoricalCrossentropy(from_logits, args["label_smoothing"])
        add_loss(group, name, kind, KERAS, args, loss, targets, predictions, sample_weight)

    def torch_case(name, targets, logits, **changes):
        args = crossentropy_args(from_logits=True, **changes)
        function = lambda t, y, w: F.cross_entropy(y, t, label_smoothing=args["label_smoothing"])
        add_loss(group, name, kind, TORCH, args, function, targets, logits)

    for smoothing in (0.0, 0.1):
        suffix = "_smooth" if smoothing else ""
        for name in (f"cce_keras_probs{suffix}", f"cce_keras_logits{suffix}", f"cce_torch_logits{suffix}"):
            rng = rng_for(name)
            logits = 2 * rng.normal(size=(6, classes))
            targets = one_hot(rng.integers(classes, size=6), classes)
            if "torch" in name:
                torch_case(name, targets, logits, label_smoothing=smoothing)
            else:
                from_logits = "logits" in name
                keras_case(name, targets, logits if from_logits else softmax(logits), from_logits=from_logits,
                           label_smoothing=smoothing)

    rng = rng_for("cce_special")
    soft = softmax(rng.normal(size=(6, classes)))
    keras_case("cce_keras_logits_soft_targets", soft, rng.normal(size=(6, classes)), from_logits=True,
               note="targets are distributions, not one-hot")
    torch_case("cce_torch_logits_soft_targets", soft, rng.normal(size=(6, classes)),
               note="targets are distributions, not one-hot")
    keras_case("cce_keras_probs_unnormalised", one_hot(np.array([0, 2, 4]), classes), rng.uniform(0.1, 2, (3, classes)),
               note="rows do not sum to 1: Keras divides by the sum")
    y = np.array([[1.0, 0, 0, 0, 0], [0, 1.0, 0, 0, 0], [0.5, 0.5, 0, 0, 0], [0.5, 0.25, 0.25, 0, 0]])
    keras_case("cce_keras_probs_clipped", one_hot(np.array([0, 0, 1, 4]), classes), y,
               note="probabilities of exactly 0 and 1")
    keras_case("cce_keras_probs_sample_weight", one_hot(np.array([0, 2, 4, 1]), classes),
               softmax(rng.normal(size=(4, classes))), rng.uniform(0.2, 2, 4), weights="sample")
    y = np.array([[*EXTREMES, 0.0], [*EXTREMES[::-1], 1.0], [0.0, *EXTREMES], [200.0, 199.0, 60.0, -60.0, -200.0]])
    keras_case("cce_keras_logits_extreme", one_hot(np.array([0, 0, 4, 1]), classes), y, from_logits=True,
               note="logits of +-60 and +-200")
    torch_case("cce_torch_logits_extreme", one_hot(np.array([3, 1, 4, 0]), classes), y, note="logits of +-60 and +-200")


def add_sparse_categorical_crossentropy(group):
    eps, kind, classes = keras.config.epsilon(), "sparse_categorical_crossentropy", 5

    def keras_case(name, targets, predictions, sample_weight=None, class_weight=None, **changes):
        from_logits = changes.get("from_logits", False)
        args = crossentropy_args(clip_epsilon=None if from_logits else eps, renormalise=not from_logits, **changes)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits, ignore_class=args["ignore_class"])
        add_loss(group, name, kind, KERAS, args, loss, targets, predictions, sample_weight, class_weight)

    def torch_case(name, targets, predictions, class_weight=None, **changes):
        args = crossentropy_args(**changes)
        options = {"weight": None if class_weight is None else torch.tensor(class_weight)}
        if args["ignore_class"] is not None:
            options["ignore_index"] = args["ignore_class"]

        def function(t, y, w):
            y, t = y.reshape(-1, classes), t.reshape(-1)
            if args["from_logits"]:
                return F.cross_entropy(y, t, label_smoothing=args["label_smoothing"], **options)
            return F.nll_loss(torch.log(y), t, **options)

        add_loss(group, name, kind, TORCH, args, function, targets, predictions, None, class_weight)

    for shape, which in (((6,), ""), ((2, 3), "_steps")):
        for form in ("probs", "logits"):
            for framework, case, ignore in (("keras", keras_case, -1), ("torch", torch_case, -100)):
                name = f"scce_{framework}_{form}{which}"
                rng = rng_for(name)
                logits, targets = 2 * rng.normal(size=(*shape, classes)), rng.integers(classes, size=shape)
                y, changes = (logits, {"from_logits": True}) if form == "logits" else (softmax(logits), {})
                case(name, targets, y, **changes)
                targets = targets.copy()
                targets.flat[[1, 4]] = ignore
                case(f"{name}_ignore", targets, y, ignore_class=ignore, reduction="mean_valid", **changes)

    rng = rng_for("scce_special")
    y, targets = 2 * rng.normal(size=(6, classes)), np.array([0, 3, 2, 2, 4, 1])
    keras_case("scce_keras_logits_ignore_2", targets, y, from_logits=True, ignore_class=2, reduction="mean_valid",
               note="the ignored class is one of the classes")
    weights = rng.uniform(0.2, 2, 6)
    keras_case("scce_keras_logits_ignore_2_sample_weight", targets, y, weights, from_logits=True, ignore_class=2,
               reduction="mean_valid", weights="sample", note="divided by the number of valid labels, not their weight")
    keras_case("scce_keras_logits_sample_weight", targets, y, weights, from_logits=True, weights="sample")
    keras_case("scce_keras_probs_sample_weight", targets, softmax(y), weights, weights="sample")
    keras_case("scce_keras_logits_steps_sample_weight", targets.reshape(2, 3), y.reshape(2, 3, classes),
               weights.reshape(2, 3), from_logits=True, weights="sample")
    class_weight = np.array([0.5, 1.5, 2.0, 0.7, 1.1])
    for form, p, from_logits in (("logits", y, True), ("probs", softmax(y), False)):
        keras_case(f"scce_keras_{form}_class_weight", targets, p, class_weight[targets], class_weight,
                   from_logits=from_logits, weights="class")
    common = {"from_logits": True, "reduction": "weighted_mean", "weights": "class"}
    torch_case("scce_torch_logits_class_weight", targets, y, class_weight, **common)
    torch_case("scce_torch_logits_class_weight_smooth", targets, y, class_weight, label_smoothing=0.1, **common)
    torch_case("scce_torch_logits_class_weight_ignore_2", targets, y, class_weight, ignore_class=2, **common)
    torch_case("scce_torch_logits_smooth", targets, y, from_logits=True, label_smoothing=0.1)

    y = np.array([[*EXTREMES, 0.0], [*EXTREMES[::-1], 1.0], [0.0, *EXTREMES], [200.0, 199.0, 60.0, -60.0, -200.0]])
    for framework, case in (("keras", keras_case), ("torch", torch_case)):
        case(f"scce_{framework}_logits_extreme", np.array([0, 0, 4, 1]), y, from_logits=True,
             note="logits of +-60 and +-200")
    y = np.array([[1.0, 0, 0, 0, 0], [0, 1.0, 0, 0, 0], [0.5, 0.5, 0, 0, 0], [0.5, 0.25, 0.25, 0, 0]])
    keras_case("scce_keras_probs_clipped", np.array([0, 0, 1, 4]), y, note="probabilities of exactly 0 and 1")
    keras_case("scce_keras_probs_unnormalised", np.array([0, 2, 4]), rng.uniform(0.1, 2, (3, classes)),
               note="rows do not sum to 1: Keras divides by the sum")


def add_margin_and_regression_losses(group):
    k = keras.losses
    for kind, loss in (("hinge", k.Hinge()), ("squared_hinge", k.SquaredHinge())):
        for label, low in (("-1/+1", -1.0), ("0/1", 0.0)):  # Keras turns 0/1 targets into -1/+1
            for weighted in (False, True):
                name = f"{kind}_keras_{'signs' if low else 'bits'}" + ("_sample_weight" if weighted else "")
                rng = rng_for(name)
                targets, y = np.where(rng.random((6, 3)) < 0.5, low, 1.0), rng.normal(size=(6, 3))
                signs = np.where(targets > 0, 1, -1)
                assert np.abs(1 - signs * y).min() > 1e-3 and (signs * y > 1).any() and (targets < 1).any()
                args = {"targets": label, "weights": "sample" if weighted else None, "reduction": "mean"}
                add_loss(group, name, kind, KERAS, args, loss, targets, y, rng.uniform(0.2, 2, 6) if weighted else None)

    rng = rng_for("categorical_hinge")
    targets, y = one_hot(np.array([0, 2, 3, 1, 2, 0]), 4), 1.5 * rng.normal(size=(6, 4))
    y[1], y[2] = [-0.7, -0.3, 0.4, -1.2], [0.2, -1.0, 0.3, 3.1]
    args = {"weights": None, "reduction": "mean", "note": "row 1: all rivals negative; row 2: loss of zero"}
    add_loss(group, "categorical_hinge_keras", "categorical_hinge", KERAS, args, k.CategoricalHinge(), targets, y)

    for kind, source, args, loss in (
        ("mse", KERAS, {}, k.MeanSquaredError()),
        ("mse", TORCH, {}, lambda t, y, w: F.mse_loss(y, t)),
        ("mae", KERAS, {}, k.MeanAbsoluteError()),
        ("mae", TORCH, {}, lambda t, y, w: F.l1_loss(y, t)),
        ("huber", KERAS, {"delta": 1.0}, k.Huber(delta=1.0)),
        ("huber", KERAS, {"delta": 0.5}, k.Huber(delta=0.5)),
        ("huber", TORCH, {"delta": 0.5}, lambda t, y, w: F.huber_loss(y, t, delta=0.5)),
    ):
        for weighted in (False, True):
            if weighted and source == TORCH:
                continue
            parts = [kind, source.split()[0], *map(str, args.values()), *(["sample_weight"] if weighted else [])]
            name = "_".join(parts)
            rng = rng_for(name)
            targets, y = rng.normal(size=(6, 3)), rng.normal(size=(6, 3))
            error = np.abs(targets - y)
            assert error.min() > 1e-3 and np.abs(error - args.get("delta", error - 1)).min() > 1e-3
            options = {**args, "weights": "sample" if weighted else None, "reduction": "mean"}
            add_loss(group, name, kind, source, options, loss, targets, y, rng.uniform(0.2, 2, 6) if weighted else None)


def losses():
    group = Group()
    add_binary_crossentropy(group)
    add_categorical_crossentropy(group)
    add_sparse_categorical_crossentropy(group)
    add_margin_and_regression_losses(group)
    add_more_losses(group)
    return group


# ----------------------------------------------------------------------------------------------------------- optimizers

STEPS, SCHEDULE_STEPS = 10, 20

# Schedules: (case name, source, args). The first step has number 0.
SCHEDULES = [
    ("exponential", KERAS, {"schedule": "exponential_decay", "initial_learning_rate": 0.1, "decay_steps": 5,
                            "decay_rate": 0.7, "staircase": False}),
    ("exponential_staircase", KERAS, {"schedule": "exponential_decay", "initial_learning_rate": 0.1, "decay_steps": 4,
                                      "decay_rate": 0.7, "staircase": True}),
    ("inverse_time", KERAS, {"schedule": "inverse_time_decay", "initial_learning_rate": 0.1, "decay_steps": 3,
                             "decay_rate": 0.5, "staircase": False}),
    ("inverse_time_staircase", KERAS, {"schedule": "inverse_time_decay", "initial_learning_rate": 0.1, "decay_steps": 3,
                                       "decay_rate": 0.5, "staircase": True}),
    ("piecewise", KERAS, {"schedule": "piecewise_constant", "boundaries": [3, 7, 12],
                          "values": [0.1, 0.05, 0.02, 0.01]}),
    ("polynomial", KERAS, {"schedule": "polynomial_decay", "initial_learning_rate": 0.1, "end_learning_rate": 0.01,
                           "decay_steps": 15, "power": 2.0}),
    ("cosine", KERAS, {"schedule": "cosine_decay", "initial_learning_rate": 0.1, "decay_steps": 15, "alpha": 0.1,
                       "warmup_target": None, "warmup_steps": 0}),
    ("cosine_warmup", KERAS, {"schedule": "cosine_decay", "initial_learning_rate": 0.01, "decay_steps": 12,
                              "alpha": 0.1, "warmup_target": 0.1, "warmup_steps": 4}),
    ("step", TORCH, {"schedule": "step", "initial_learning_rate": 0.1, "step_size": 4, "gamma": 0.5}),
    ("torch_exponential", TORCH, {"schedule": "exponential", "initial_learning_rate": 0.1, "gamma": 0.9}),
    ("cosine_annealing", TORCH, {"schedule": "cosine_annealing", "initial_learning_rate": 0.1, "t_max": 22,
                                 "eta_min": 0.01}),
    ("linear", TORCH, {"schedule": "linear", "initial_learning_rate": 0.1, "start_factor": 0.2, "end_factor": 1.0,
                       "total_iters": 6}),
]


KERAS_SCHEDULES = {
    "exponential_decay": keras.optimizers.schedules.ExponentialDecay,
    "inverse_time_decay": keras.optimizers.schedules.InverseTimeDecay,
    "piecewise_constant": keras.optimizers.schedules.PiecewiseConstantDecay,
    "polynomial_decay": keras.optimizers.schedules.PolynomialDecay,
    "cosine_decay": keras.optimizers.schedules.CosineDecay,
}


def keras_schedule(args):
    options = dict(args)
    return KERAS_SCHEDULES[options.pop("schedule")](**options)


def torch_schedule(optimizer, a):
    s = torch.optim.lr_scheduler
    match a["schedule"]:
        case "step":
            return s.StepLR(optimizer, a["step_size"], a["gamma"])
        case "exponential":
            return s.ExponentialLR(optimizer, a["gamma"])
        case "cosine_annealing":
            return s.CosineAnnealingLR(optimizer, a["t_max"], a["eta_min"])
        case "linear":
            return s.LinearLR(optimizer, a["start_factor"], a["end_factor"], a["total_iters"])


def rates_of_schedule(args):
    """The learning rates of the first twenty steps, as the framework computes them."""
    if args["schedule"] in KERAS_SCHEDULES:
        schedule = keras_schedule(args)
        return np.array([float(schedule(torch.tensor(step))) for step in range(SCHEDULE_STEPS)])
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=args["initial_learning_rate"])
    scheduler, rates = torch_schedule(optimizer, args), []
    for _ in range(SCHEDULE_STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return np.array(rates)


def formula_of_schedule(a, step):
    first = a.get("initial_learning_rate")
    if a["schedule"] in ("exponential_decay", "inverse_time_decay"):
        p = step // a["decay_steps"] if a["staircase"] else step / a["decay_steps"]
        decay = a["decay_rate"]
        return first * decay**p if a["schedule"] == "exponential_decay" else first / (1 + decay * p)
    match a["schedule"]:
        case "piecewise_constant":  # a boundary still belongs to the value before it
            return a["values"][sum(step > boundary for boundary in a["boundaries"])]
        case "polynomial_decay":
            end, p = a["end_learning_rate"], min(step, a["decay_steps"]) / a["decay_steps"]
            return (first - end) * (1 - p) ** a["power"] + end
        case "cosine_decay":
            warm, top = a["warmup_steps"], first if a["warmup_target"] is None else a["warmup_target"]
            if step < warm:
                return first + (top - first) * step / warm
            cosine = (1 + math.cos(math.pi * min(step - warm, a["decay_steps"]) / a["decay_steps"])) / 2
            return top * ((1 - a["alpha"]) * cosine + a["alpha"])
        case "step":
            return first * a["gamma"] ** (step // a["step_size"])
        case "exponential":
            return first * a["gamma"] ** step
        case "cosine_annealing":
            return a["eta_min"] + (first - a["eta_min"]) * (1 + math.cos(math.pi * step / a["t_max"])) / 2
        case "linear":
            part = min(step, a["total_iters"]) / a["total_iters"]
            return first * (a["start_factor"] + (a["end_factor"] - a["start_factor"]) * part)


# What all optimizers have in common, then what each adds, with the frameworks' conventions. `rate_placement` says
# whether the velocity of momentum already holds the learning rate (v = m v - rate g, Keras) or not (v = m v + g,
# PyTorch), which tells once the rate changes. With accumulation, each update takes the mean of `accumulation_steps`
# gradients; the t of 1 - beta^t counts updates, while a schedule counts gradients (Keras' "real" iterations).
COMMON = {"learning_rate": 0.05, "schedule": None, "weight_decay": 0.0, "weight_decay_mode": None, "clip": None,
          "accumulation_steps": 1}
INSIDE, OUTSIDE, UNCORRECTED = "inside_sqrt", "outside_sqrt", "outside_sqrt_uncorrected"
OWN = {
    ("keras", "sgd"): {"momentum": 0.0, "nesterov": False, "rate_placement": "in_velocity"},
    ("torch", "sgd"): {"momentum": 0.0, "nesterov": False, "rate_placement": "outside_velocity"},
    ("keras", "adagrad"): {"initial_accumulator": 0.1, "epsilon": 1e-7, "epsilon_placement": INSIDE},
    ("torch", "adagrad"): {"initial_accumulator": 0.0, "epsilon": 1e-10, "epsilon_placement": OUTSIDE},
    ("keras", "adadelta"): {"learning_rate": 1.0, "rho": 0.95, "epsilon": 1e-7, "epsilon_placement": INSIDE},
    ("torch", "adadelta"): {"learning_rate": 1.0, "rho": 0.9, "epsilon": 1e-6, "epsilon_placement": INSIDE},
    ("keras", "rmsprop"): {"rho": 0.9, "momentum": 0.0, "centered": False, "epsilon": 1e-7,
                           "epsilon_placement": INSIDE, "rate_placement": "in_velocity"},
    ("torch", "rmsprop"): {"rho": 0.99, "momentum": 0.0, "centered": False, "epsilon": 1e-8,
                           "epsilon_placement": OUTSIDE, "rate_placement": "outside_velocity"},
    ("keras", "adam"): {"beta_1": 0.9, "beta_2": 0.999, "amsgrad": False, "epsilon": 1e-7,
                        "epsilon_placement": UNCORRECTED},
    ("torch", "adam"): {"beta_1": 0.9, "beta_2": 0.999, "amsgrad": False, "epsilon": 1e-8,
                        "epsilon_placement": OUTSIDE},
    ("keras", "nadam"): {"beta_1": 0.9, "beta_2": 0.999, "momentum_decay": 1.0, "epsilon": 1e-7,
                         "epsilon_placement": OUTSIDE},
    ("torch", "nadam"): {"beta_1": 0.9, "beta_2": 0.999, "momentum_decay": 0.004, "epsilon": 1e-8,
                         "epsilon_placement": OUTSIDE},
    ("keras", "adamax"): {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7, "epsilon_placement": "outside_maximum"},
    ("torch", "adamax"): {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8, "epsilon_placement": "inside_maximum"},
}
OWN["torch", "radam"] = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8, "epsilon_placement": UNCORRECTED}
DECOUPLED = {"weight_decay": 0.01, "weight_decay_mode": "decoupled"}  # parameter *= 1 - rate * decay, before the update
COUPLED = {"weight_decay": 0.01, "weight_decay_mode": "coupled"}  # gradient += decay * parameter, after clipping
for framework in ("keras", "torch"):
    OWN[framework, "adamw"] = OWN[framework, "adam"] | DECOUPLED

LARGE = {"epsilon": 0.01}  # an epsilon large enough for its placement to matter
CLIP_VALUE = {"clip": {"by": "value", "limit": 0.8, "epsilon": 0.0}}
CLIP_NORM = {"clip": {"by": "norm", "limit": 2.5, "epsilon": 0.0}}  # each parameter's own norm
CLIP_GLOBAL = {"clip": {"by": "global_norm", "limit": 3.5, "epsilon": 0.0}}  # factor min(1, limit / (norm + epsilon))
CLIP_GLOBAL_TORCH = {"clip": {"by": "global_norm", "limit": 3.5, "epsilon": 1e-6}}
MOMENTUM, NESTEROV = {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}


def schedule_named(name):
    return {"schedule": next(args for key, _, args in SCHEDULES if key == name), "learning_rate": None}


# (frameworks, kind, suffix of the case name, changes to the defaults above)
OPTIMIZERS = [
    ("keras torch", "sgd", "", {}),
    ("keras torch", "sgd", "momentum", MOMENTUM),
    ("keras torch", "sgd", "nesterov", NESTEROV),
    ("keras", "sgd", "weight_decay", DECOUPLED | MOMENTUM),
    ("keras", "sgd", "plain_weight_decay", DECOUPLED),
    ("torch", "sgd", "dampening", MOMENTUM | {"dampening": 0.3}),
    ("torch", "sgd", "weight_decay", COUPLED | MOMENTUM),
    ("keras torch", "adagrad", "", {}),
    ("keras torch", "adagrad", "large_epsilon", LARGE),
    ("torch", "adagrad", "weight_decay", COUPLED),
    ("keras torch", "adadelta", "", {}),
    ("keras torch", "rmsprop", "", {}),
    ("keras torch", "rmsprop", "large_epsilon", LARGE),
    ("keras torch", "rmsprop", "momentum", MOMENTUM),
    ("keras torch", "rmsprop", "centered", {"centered": True}),
    ("keras torch", "adam", "", {}),
    ("keras torch", "adam", "large_epsilon", LARGE),
    ("keras torch", "adam", "amsgrad", {"amsgrad": True, "beta_2": 0.9}),
    ("keras", "adam", "weight_decay", DECOUPLED),
    ("torch", "adam", "weight_decay", COUPLED),
    ("keras torch", "adamw", "", {}),
    ("keras torch", "nadam", "", {}),
    ("keras torch", "nadam", "large_epsilon", LARGE),
    ("torch", "nadam", "weight_decay", DECOUPLED),
    ("keras torch", "adamax", "", {}),
    ("keras torch", "adamax", "large_epsilon", LARGE),
    ("keras", "adamax", "weight_decay", DECOUPLED),
    ("keras", "nadam", "weight_decay", DECOUPLED),
    # Five steps without a division, then five with one; with these betas it never divides.
    ("torch", "radam", "", {}),
    ("torch", "radam", "never", {"beta_2": 0.6}),
    ("torch", "radam", "large_epsilon", LARGE),
    ("torch", "radam", "weight_decay", COUPLED),
    ("torch", "radam", "decoupled", DECOUPLED | {"beta_2": 0.9}),
    ("keras", "sgd", "exponential", schedule_named("exponential") | MOMENTUM),
    ("keras", "sgd", "inverse_time", schedule_named("inverse_time")),
    ("keras", "rmsprop", "piecewise", schedule_named("piecewise") | MOMENTUM),
    ("keras", "adam", "cosine_warmup", schedule_named("cosine_warmup")),
    ("keras", "adamw", "cosine_warmup", schedule_named("cosine_warmup")),
    ("torch", "sgd", "step", schedule_named("step") | MOMENTUM),
    ("torch", "adam", "cosine_annealing", schedule_named("cosine_annealing")),
    ("torch", "adamw", "linear", schedule_named("linear")),
    ("torch", "rmsprop", "step", schedule_named("step") | MOMENTUM),
    ("keras torch", "sgd", "clip_value", CLIP_VALUE),
    ("keras", "sgd", "clip_norm", CLIP_NORM),
    ("keras", "sgd", "clip_global_norm", CLIP_GLOBAL),
    ("torch", "sgd", "clip_global_norm", CLIP_GLOBAL_TORCH),
    ("keras", "adam", "clip_global_norm", CLIP_GLOBAL),
    ("torch", "adam", "clip_global_norm", CLIP_GLOBAL_TORCH),
    ("keras torch", "sgd", "accumulation", {"accumulation_steps": 2} | MOMENTUM),
    ("keras torch", "adam", "accumulation", {"accumulation_steps": 2}),
    ("keras", "sgd", "accumulation_exponential", {"accumulation_steps": 2} | schedule_named("exponential")),
]


def run_keras(kind, a, initial, gradients):
    """The parameters after each step, by the Keras optimizer that `kind` and the args `a` describe."""
    k, clip = keras.optimizers, a["clip"]
    options = {"learning_rate": keras_schedule(a["schedule"]) if a["schedule"] else a["learning_rate"],
               "weight_decay": a["weight_decay"] or None}
    if a["accumulation_steps"] > 1:
        options["gradient_accumulation_steps"] = a["accumulation_steps"]
    if clip:
        names = {"value": "clipvalue", "norm": "clipnorm", "global_norm": "global_clipnorm"}
        options[names[clip["by"]]] = clip["limit"]
    for key in ("momentum", "nesterov", "rho", "centered", "beta_1", "beta_2", "amsgrad", "epsilon"):
        if key in a:
            options[key] = a[key]
    if "initial_accumulator" in a:
        options["initial_accumulator_value"] = a["initial_accumulator"]
    optimizer = {"sgd": k.SGD, "adagrad": k.Adagrad, "adadelta": k.Adadelta, "rmsprop": k.RMSprop, "adam": k.Adam,
                 "adamw": k.AdamW, "nadam": k.Nadam, "adamax": k.Adamax}[kind](**options)
    variables = [keras.Variable(value) for value in initial]
    optimizer.build(variables)
    history = [[] for _ in initial]
    for step in range(STEPS):
        optimizer.apply([torch.tensor(gradient[step]) for gradient in gradients], variables)
        for kept, variable in zip(history, variables):
            kept.append(variable.value.detach().numpy().copy())
    return [np.stack(kept) for kept in history]


def torch_optimizer(kind, a, parameters):
    o, rate = torch.optim, a["learning_rate"] if a["schedule"] is None else a["schedule"]["initial_learning_rate"]
    common = {"lr": rate, "weight_decay": a["weight_decay"]}
    if "epsilon" in a:
        common["eps"] = a["epsilon"]
    if "beta_1" in a:
        common["betas"] = (a["beta_1"], a["beta_2"])
    match kind:
        case "sgd":
            return o.SGD(parameters, momentum=a["momentum"], nesterov=a["nesterov"], dampening=a.get("dampening", 0),
                         **common)
        case "adagrad":
            return o.Adagrad(parameters, initial_accumulator_value=a["initial_accumulator"], **common)
        case "adadelta":
            return o.Adadelta(parameters, rho=a["rho"], **common)
        case "rmsprop":
            return o.RMSprop(parameters, alpha=a["rho"], momentum=a["momentum"], centered=a["centered"], **common)
        case "adam":
            return o.Adam(parameters, amsgrad=a["amsgrad"], **common)
        case "adamw":
            return o.AdamW(parameters, amsgrad=a["amsgrad"], **common)
        case "nadam":
            return o.NAdam(parameters, momentum_decay=a["momentum_decay"],
                           decoupled_weight_decay=a["weight_decay_mode"] == "decoupled", **common)
        case "adamax":
            return o.Adamax(parameters, **common)
        case "radam":
            return o.RAdam(parameters, decoupled_weight_decay=a["weight_decay_mode"] == "decoupled", **common)


def run_torch(kind, a, initial, gradients):
    parameters = [leaf(value) for value in initial]
    optimizer = torch_optimizer(kind, a, parameters)
    scheduler = torch_schedule(optimizer, a["schedule"]) if a["schedule"] else None
    history = [[] for _ in initial]
    for step in range(STEPS):
        for parameter, gradient in zip(parameters, gradients):
            part = torch.tensor(gradient[step]) / a["accumulation_steps"]
            parameter.grad = part if parameter.grad is None else parameter.grad + part
        if (step + 1) % a["accumulation_steps"] == 0:
            if a["clip"] and a["clip"]["by"] == "value":
                torch.nn.utils.clip_grad_value_(parameters, a["clip"]["limit"])
            elif a["clip"]:
                torch.nn.utils.clip_grad_norm_(parameters, a["clip"]["limit"])
            optimizer.step()
            optimizer.zero_grad()
        if scheduler:
            scheduler.step()
        for kept, parameter in zip(history, parameters):
            kept.append(parameter.detach().numpy().copy())
    return [np.stack(kept) for kept in history]


def formula_of_update(kind, a, t, rate, p, g, s):
    """One update of parameter `p` with gradient `g`; `s` is the parameter's state, `t` counts from 1."""
    epsilon, placement = a.get("epsilon"), a.get("epsilon_placement")
    root = lambda v: np.sqrt(v + epsilon) if placement == INSIDE else np.sqrt(v) + epsilon

    def average(key, factor, value):
        s[key] = factor * s.get(key, 0.0) + (1 - factor) * value
        return s[key]

    def moved(direction):
        """`p` moved against `direction`, by way of a velocity where there is momentum."""
        momentum = a["momentum"]
        if momentum == 0:
            return p - rate * direction
        inside = a["rate_placement"] == "in_velocity"
        counted = 1 if "v" not in s else 1 - a.get("dampening", 0.0)
        s["v"] = momentum * s.get("v", 0.0) + (rate if inside else 1) * counted * direction
        step = momentum * s["v"] + (rate if inside else 1) * direction if a.get("nesterov") else s["v"]
        return p - (1 if inside else rate) * step

    if a["weight_decay_mode"] == "decoupled":
        p = p * (1 - rate * a["weight_decay"])
    elif a["weight_decay_mode"] == "coupled":
        g = g + a["weight_decay"] * p
    match kind:
        case "sgd":
            return moved(g)
        case "adagrad":
            s["sum"] = s.get("sum", a["initial_accumulator"]) + g**2
            return p - rate * g / root(s["sum"])
        case "adadelta":
            step = np.sqrt(s.get("x", 0.0) + epsilon) / np.sqrt(average("g", a["rho"], g**2) + epsilon) * g
            average("x", a["rho"], step**2)
            return p - rate * step
        case "rmsprop":
            variance = average("square", a["rho"], g**2)
            if a["centered"]:
                variance = variance - average("mean", a["rho"], g) ** 2
            return moved(g / root(variance))
    b1, b2 = a["beta_1"], a["beta_2"]
    m = average("m", b1, g)
    if kind == "adamax":
        if placement == "inside_maximum":
            s["u"] = np.maximum(b2 * s.get("u", 0.0), np.abs(g) + epsilon)
            return p - rate / (1 - b1**t) * m / s["u"]
        s["u"] = np.maximum(b2 * s.get("u", 0.0), np.abs(g))
        return p - rate / (1 - b1**t) * m / (s["u"] + epsilon)
    v = average("v", b2, g**2)
    if a.get("amsgrad"):
        v = s["max"] = np.maximum(s.get("max", 0.0), v)
    if kind == "nadam":
        mu, mu_next = (b1 * (1 - 0.5 * 0.96 ** (i * a["momentum_decay"])) for i in (t, t + 1))
        product = s["product"] = s.get("product", 1.0) * mu
        m_hat = mu_next * m / (1 - product * mu_next) + (1 - mu) * g / (1 - product)
        return p - rate * m_hat / (np.sqrt(v / (1 - b2**t)) + epsilon)
    if kind == "radam":
        # How many gradients v is a mean of: in the end, and by now.
        whole = 2 / (1 - b2) - 1
        now = whole - 2 * t * b2**t / (1 - b2**t)
        if now <= 5:
            return p - rate / (1 - b1**t) * m
        rate = rate * math.sqrt((now - 4) * (now - 2) * whole / ((whole - 4) * (whole - 2) * now))
    if placement == UNCORRECTED:
        return p - rate * math.sqrt(1 - b2**t) / (1 - b1**t) * m / (np.sqrt(v) + epsilon)
    return p - rate / (1 - b1**t) * m / (np.sqrt(v / (1 - b2**t)) + epsilon)


def formula_of_clipping(clip, gradients):
    """The clipped gradients, and how many of the limits (per element, parameter or step) were exceeded."""
    if clip["by"] == "value":
        limit = clip["limit"]
        return [np.clip(g, -limit, limit) for g in gradients], [x for g in gradients for x in (np.abs(g) > limit).flat]
    norms = [np.sqrt((g**2).sum()) for g in gradients]
    if clip["by"] == "global_norm":
        norms = [math.sqrt(sum(norm**2 for norm in norms))] * len(gradients)
    factors = [min(1.0, clip["limit"] / (norm + clip["epsilon"])) for norm in norms]
    return [g * factor for g, factor in zip(gradients, factors)], [factor < 1 for factor in factors]


def formula_of_training(kind, a, initial, gradients):
    parameters, states = list(initial), [{} for _ in initial]
    history, pending, exceeded = [[] for _ in initial], [], []
    every, updates = a["accumulation_steps"], 0
    for step in range(STEPS):
        pending.append([gradient[step] for gradient in gradients])
        if len(pending) == every:
            mean, pending, updates = [sum(parts) / every for parts in zip(*pending)], [], updates + 1
            if a["clip"]:
                mean, flags = formula_of_clipping(a["clip"], mean)
                exceeded += flags
            rate = formula_of_schedule(a["schedule"], step) if a["schedule"] else a["learning_rate"]
            parameters = [formula_of_update(kind, a, updates, rate, p, g, s)
                          for p, g, s in zip(parameters, mean, states)]
        for kept, parameter in zip(history, parameters):
            kept.append(parameter)
    assert not a["clip"] or (any(exceeded) and not all(exceeded)), "the clipping limit should divide the gradients"
    return [np.stack(kept) for kept in history]


def optimizers():
    group = Group()
    for name, source, args in SCHEDULES:
        rates = rates_of_schedule(args)
        agree(name, rates, [formula_of_schedule(args, step) for step in range(SCHEDULE_STEPS)])
        group.add(f"schedule_{name}", "schedule", source, args, learning_rates=rates)
    for frameworks, kind, suffix, changes in OPTIMIZERS:
        for framework in frameworks.split():
            name = "_".join(filter(None, [framework, kind, suffix]))
            args = COMMON | OWN[framework, kind] | changes
            rng = rng_for(name)
            initial = [rng.normal(size=(4, 3)), rng.normal(size=3)]
            scale = rng.uniform(0.3, 2, STEPS)  # small and large gradients
            gradients = [rng.normal(size=(STEPS, 4, 3)) * scale[:, None, None],
                         rng.normal(size=(STEPS, 3)) * scale[:, None]]
            results = (run_keras if framework == "keras" else run_torch)(kind, args, initial, gradients)
            for result, formula in zip(results, formula_of_training(kind, args, initial, gradients)):
                agree(name, result, formula)
            group.add(name, kind, KERAS if framework == "keras" else TORCH, args, matrix_initial=initial[0],
                      vector_initial=initial[1], matrix_gradients=gradients[0], vector_gradients=gradients[1],
                      matrix_steps=results[0], vector_steps=results[1],
                      learning_rates=rates_of_schedule(args["schedule"]) if args["schedule"] else None)
    return group


# -------------------------------------------------------------------------------------------------------------- metrics


def distinct(array):
    """The array, once sure that no two numbers in it, nor one and the threshold, are close enough to swap places."""
    assert np.diff(np.sort(np.append(array, 0.5))).min() > 1e-6
    return array


def metrics():
    group = Group()
    m, samples, classes = keras.metrics, 31, 5

    def keras_case(name, kind, args, metric, targets, predictions):
        metric.update_state(torch.tensor(targets), torch.tensor(predictions))
        value = np.float64(metric.result().item())
        group.add(name, kind, KERAS, args, targets=targets, predictions=predictions, value=value)
        return value

    for columns in (1, 4):
        name = f"binary_accuracy_{columns}"
        rng = rng_for(name)
        p = distinct(rng.random((samples, columns)))
        targets = (rng.random(p.shape) < 0.3 + 0.4 * p).astype(np.float64)
        value = keras_case(name, "binary_accuracy", {"threshold": 0.5}, m.BinaryAccuracy(threshold=0.5), targets, p)
        agree(name, value, ((p > 0.5) == targets).mean())

    rng = rng_for("multiclass")
    logits, labels = rng.normal(size=(samples, classes)), rng.integers(classes, size=samples)
    logits[np.arange(samples), labels] += 1.0
    p = distinct(softmax(logits))
    hit = lambda k: (np.argsort(-p, -1)[:, :k] == labels[:, None]).any(-1).mean()
    for name, kind, args, metric, targets, formula in (
        ("categorical_accuracy", "categorical_accuracy", {}, m.CategoricalAccuracy(), one_hot(labels, classes), hit(1)),
        ("sparse_categorical_accuracy", "sparse_categorical_accuracy", {}, m.SparseCategoricalAccuracy(),
         labels, hit(1)),
        ("top_3_accuracy", "top_k_categorical_accuracy", {"k": 3}, m.TopKCategoricalAccuracy(k=3),
         one_hot(labels, classes), hit(3)),
        ("sparse_top_3_accuracy", "sparse_top_k_categorical_accuracy", {"k": 3}, m.SparseTopKCategoricalAccuracy(k=3),
         labels, hit(3)),
    ):
        agree(name, keras_case(name, kind, args, metric, targets, p), formula)
    steps = (2, 3)
    keras_case("sparse_categorical_accuracy_steps", "sparse_categorical_accuracy", {}, m.SparseCategoricalAccuracy(),
               labels[:6].reshape(steps), p[:6].reshape(*steps, classes))

    # In the second set class 3 is never predicted and class 4 never occurs: 0 / 0 counts as 0.
    predicted = p.argmax(-1)
    rare = np.array([0, 1, 2, 3, 0, 1, 2, 3, 0]), np.array([0, 1, 2, 0, 1, 1, 4, 2, 0])
    for suffix, (true, guess) in (("", (labels, predicted)), ("_zero_division", rare)):
        for average in ("macro", "micro", "weighted", "per_class"):
            option = {"average": None if average == "per_class" else average, "zero_division": 0.0}
            numbers = sklearn.metrics.precision_recall_fscore_support(true, guess, labels=range(classes), **option)
            for kind, value in zip(("precision", "recall", "f1"), numbers):
                args = {"average": average, "classes": classes, "zero_division": 0.0}
                group.add(f"{kind}_{average}{suffix}", kind, SKLEARN, args, targets=true, predicted=guess,
                          value=np.asarray(value, np.float64))
        matrix = sklearn.metrics.confusion_matrix(true, guess, labels=range(classes)).astype(np.int64)
        group.add(f"confusion_matrix{suffix}", "confusion_matrix", SKLEARN,
                  {"classes": classes, "rows": "targets", "columns": "predicted"}, targets=true, predicted=guess,
                  value=matrix)

    for name, ties in (("roc_auc", False), ("roc_auc_ties", True)):
        rng = rng_for(name)
        scores = rng.random(samples)
        targets = (rng.random(samples) < 0.2 + 0.6 * scores).astype(np.int64)
        scores = np.round(8 * scores) / 8 if ties else distinct(scores)
        value = sklearn.metrics.roc_auc_score(targets, scores)
        above = scores[targets == 1][:, None] - scores[targets == 0]
        agree(name, value, ((above > 0) + 0.5 * (above == 0)).mean())  # the share of pairs in order, a tie counting 1/2
        group.add(name, "roc_auc", SKLEARN, {"ties": ties}, targets=targets, scores=scores, value=np.float64(value))
    averages(group)
    return group


def averages(group):
    """What scikit-learn alone has: weighted rows, several labels a row, AUC of several classes; a number an average."""
    sk, samples, classes = sklearn.metrics, 40, 4
    three, four = ("macro", "micro", "weighted"), ("macro", "micro", "weighted", "samples")

    def measures(true, guess, averages, **option):
        of = lambda average: sk.precision_recall_fscore_support(
            true, guess, average=average, zero_division=0.0, **option)[:3]
        return np.concatenate([of(average) for average in averages])

    for number in range(3):
        rng = rng_for(f"averages_{number}")
        weights = np.round(rng.random(samples) * 8) / 4  # some rows weigh nothing
        p = distinct(softmax(rng.normal(size=(samples, classes)) * 2))
        labels = np.where(rng.random(samples) < 0.6, p.argmax(-1), rng.integers(classes, size=samples))
        chosen = distinct(rng.random((samples, classes)))
        many = (rng.random(chosen.shape) < 0.1 + 0.6 * chosen).astype(np.int64)
        many[:3], chosen[:3] = 0, chosen[:3] * 0.4  # rows without a label, true or predicted
        yes = (chosen > 0.5).astype(np.int64)
        auc = lambda true, scores, averages, **option: np.array(
            [sk.roc_auc_score(true, scores, average=average, **option) for average in averages])
        for weighing, option in (("", {}), ("_rows", {"sample_weight": weights})):
            rows = {"weights": weights} if option else {}
            one = {"targets": labels, "predictions": p, **rows}
            several = {"targets": many.astype(np.float64), "predictions": chosen, **rows}
            cases = [
                ("one_class", three, one, measures(labels, p.argmax(-1), three, **option)),
                ("multilabel", four, several, measures(many, yes, four, **option)),
                ("auc_ovr", three, one, auc(labels, p, three, multi_class="ovr", **option)),
                ("auc_labels", three, several, auc(many, chosen, three, **option)),
                ("exact_match", (), several, np.array([np.average((yes == many).mean(-1), **rows),
                                                       sk.accuracy_score(many, yes, **option)])),
                ("confusion_rows", (), one,
                 sk.confusion_matrix(labels, p.argmax(-1), labels=range(classes), **option).astype(np.float64)),
            ]
            if not option:  # it has no pairs of weighted rows
                two = ("macro", "weighted")
                cases.append(("auc_ovo", two, one, auc(labels, p, two, multi_class="ovo")))
            for kind, averages, arrays, value in cases:
                args = {"averages": list(averages)} if averages else {}
                group.add(f"{kind}{weighing}_{number}", kind, SKLEARN, args, **arrays, value=value)


# ----------------------------------------------------------------------------------------------------------------- main


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare with the files on disk instead of writing them")
    check = parser.parse_args().check

    use_float64()
    torch.set_num_threads(1)
    torch.manual_seed(SEED)

    different = False
    for make in (layers, losses, optimizers, metrics, recurrent, models, sequences, tagging, torch_state_dict,
                 keras_weights, imports, spans, trees, texts):
        group, path = make(), FOLDER / f"{make.__name__}.safetensors"
        if check:
            lines = differences(path, group)
            different |= bool(lines)
            print(f"{path.name}: {group}, {'as on disk' if not lines else 'different:'}")
            print("".join(f"  {line}\n" for line in lines), end="")
        else:
            save(path, group)
            print(f"{path.name}: {group}, {path.stat().st_size / 1000:.0f} kB")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
