"""Losses beyond cross-entropies, hinges and squares, for golden.py: likelihoods, divergences, margins, similarities."""

import math

import keras
import numpy as np
import torch
import torch.nn.functional as F

from golden_common import KERAS, TORCH, agree, leaf, one_hot, rng_for, softmax


def add(group, name, kind, source, args, function, formula, targets, predictions, **extra):
    """`function(predictions, targets)` on tensors gives the loss, a scalar; `formula` the same in NumPy."""
    y = leaf(predictions)
    value = function(y, torch.tensor(targets))
    grad, = torch.autograd.grad(value, y)
    agree(name, value, formula(predictions, targets))
    group.add(name, kind, source, {"weights": None, "reduction": "mean"} | args, targets=targets,
              predictions=predictions, value=value, grad=grad, **extra)


def log_softmax(x):
    return np.log(softmax(x))


def add_nll(group):
    classes = 5
    for shape, which in (((6,), ""), ((2, 3), "_steps")):
        for ignore in (None, -100):
            for weighted in (False, True):
                name = f"nll_torch{which}" + ("_ignore" if ignore else "") + ("_class_weight" if weighted else "")
                rng = rng_for(name)
                y, targets = log_softmax(2 * rng.normal(size=(*shape, classes))), rng.integers(classes, size=shape)
                if ignore:
                    targets.flat[[1, 4]] = ignore
                # Numbers that an f32 holds, as weights are in the library.
                weight = rng.uniform(0.2, 2, classes).astype(np.float32).astype(np.float64) if weighted else None

                def function(y, t):
                    options = {} if ignore is None else {"ignore_index": ignore}
                    return F.nll_loss(y.reshape(-1, classes), t.reshape(-1),
                                      None if weight is None else torch.tensor(weight), **options)

                def formula(y, t):
                    y, t = y.reshape(-1, classes), t.reshape(-1)
                    y, t = y[t != ignore], t[t != ignore]
                    w = np.ones(classes) if weight is None else weight
                    return -(w[t] * y[np.arange(len(t)), t]).sum() / w[t].sum()

                args = {"ignore_class": ignore, "weights": "class" if weighted else None}
                args["reduction"] = "weighted_mean" if weighted else "mean_valid" if ignore else "mean"
                add(group, name, "nll", TORCH, args, function, formula, targets, y, class_weight=weight)


def add_kl(group):
    epsilon, classes = keras.config.epsilon(), 5
    for which in ("", "_clipped", "_one_hot"):
        name = f"kl_divergence_keras{which}"
        rng = rng_for(name)
        y, targets = softmax(2 * rng.normal(size=(6, classes))), softmax(rng.normal(size=(6, classes)))
        if which == "_one_hot":
            targets = one_hot(rng.integers(classes, size=6), classes)
        if which == "_clipped":
            y[0], targets[1] = [0.0, 0.25, 0.25, 1e-9, 0.5], [0.0, 1.0, 0.0, 0.0, 0.0]

        def formula(y, t):
            y, t = np.clip(y, epsilon, 1), np.clip(t, epsilon, 1)
            return (t * np.log(t / y)).sum(-1).mean()

        function = lambda y, t: keras.losses.KLDivergence()(t, y)
        add(group, name, "kl_divergence", KERAS, {"log": False, "clip_epsilon": epsilon}, function, formula, targets, y)
    for which in ("", "_one_hot"):
        name = f"kl_divergence_torch{which}"
        rng = rng_for(name)
        y, targets = log_softmax(2 * rng.normal(size=(6, classes))), softmax(rng.normal(size=(6, classes)))
        if which:
            targets = one_hot(rng.integers(classes, size=6), classes)
        formula = lambda y, t: (t * (np.log(np.where(t > 0, t, 1)) - y)).sum(-1).mean()
        function = lambda y, t: F.kl_div(y, t, reduction="batchmean")
        add(group, name, "kl_divergence", TORCH, {"log": True, "clip_epsilon": None}, function, formula, targets, y)


def add_multi_margin(group):
    classes = 5
    for p in (1, 2):
        for margin in (1.0, 0.4):
            name = f"multi_margin_torch_{p}_{margin}"
            rng = rng_for(name)
            y, targets = rng.normal(size=(6, classes)), rng.integers(classes, size=6)
            own = lambda y, t: y[np.arange(len(t)), t][:, None]
            near = np.abs(margin - own(y, targets) + y)
            assert near[near != margin].min() > 1e-3

            def formula(y, t):
                each = np.maximum(0, margin - own(y, t) + y) ** p * (1 - one_hot(t, classes))
                return each.sum(-1).mean() / classes

            function = lambda y, t: F.multi_margin_loss(y, t, p=p, margin=margin)
            add(group, name, "multi_margin", TORCH, {"p": p, "margin": margin}, function, formula, targets, y)


def add_poisson(group):
    def stirling(t):
        safe = np.where(t > 1, t, 1)
        return np.where(t > 1, safe * np.log(safe) - safe + 0.5 * np.log(2 * math.pi * safe), 0)

    for source, log, full, epsilon in (
        (KERAS, False, False, keras.config.epsilon()),
        (TORCH, False, False, 1e-8),
        (TORCH, False, True, 0.01),
        (TORCH, True, False, 1e-8),
        (TORCH, True, True, 1e-8),
    ):
        name = f"poisson_{source.split()[0]}" + ("_log" if log else "") + ("_full" if full else "")
        rng = rng_for(name)
        y, targets = rng.normal(size=(6, 3)), rng.poisson(2.0, size=(6, 3)).astype(np.float64)
        y = y if log else np.exp(y)
        targets[0] = [0.0, 1.0, 4.0]
        assert {0.0, 1.0} < set(targets.flat) and targets.max() > 2

        def formula(y, t):
            each = np.exp(y) - t * y if log else y - t * np.log(y + epsilon)
            return (each + stirling(t) if full else each).mean()

        def function(y, t):
            if source == KERAS:
                return keras.losses.Poisson()(t, y)
            return F.poisson_nll_loss(y, t, log_input=log, full=full, eps=epsilon)

        args = {"log": log, "full": full, "epsilon": epsilon}
        add(group, name, "poisson", source, args, function, formula, targets, y)


def add_gaussian(group):
    """The predictions are means and variances side by side."""
    for full, which in ((False, ""), (True, "_full"), (False, "_clamped")):
        name = f"gaussian_nll_torch{which}"
        rng = rng_for(name)
        targets, mean, variance = rng.normal(size=(6, 3)), rng.normal(size=(6, 3)), rng.uniform(0.2, 3, (6, 3))
        epsilon = 1e-6
        if which == "_clamped":
            epsilon = 0.5
            assert (variance < epsilon).any()

        def formula(y, t):
            v = np.maximum(y[:, 3:], epsilon)
            return (0.5 * (np.log(v) + (y[:, :3] - t) ** 2 / v) + (0.5 * math.log(2 * math.pi) if full else 0)).mean()

        function = lambda y, t: F.gaussian_nll_loss(y[:, :3], t, y[:, 3:], full=full, eps=epsilon)
        add(group, name, "gaussian_nll", TORCH, {"full": full, "epsilon": epsilon}, function, formula, targets,
            np.concatenate([mean, variance], -1))


def add_similarities(group):
    for shape in ((6, 4), (2, 3, 4)):
        name = f"cosine_similarity_keras_rank{len(shape)}"
        rng = rng_for(name)
        unit = lambda x: x / np.sqrt((x**2).sum(-1, keepdims=True))
        add(group, name, "cosine_similarity", KERAS, {}, lambda y, t: keras.losses.CosineSimilarity()(t, y),
            lambda y, t: -(unit(y) * unit(t)).sum(-1).mean(), rng.normal(size=shape), rng.normal(size=shape))
    rng = rng_for("log_cosh")
    targets, y = rng.normal(size=(6, 3)), 2 * rng.normal(size=(6, 3))
    # PyTorch's softplus, which Keras used here, returns x itself above 20: none of -2 (y - targets) is between 20 and 36.
    y[0] = targets[0] + [1e-3, -9.0, 12.0]
    add(group, "log_cosh_keras", "log_cosh", KERAS, {}, lambda y, t: keras.losses.LogCosh()(t, y),
        lambda y, t: np.log(np.cosh(y - t)).mean(), targets, y)


def add_pos_weight(group):
    """The arguments are those of the other cases of binary cross-entropy, and `pos_weight`."""
    for weights, which in (([3.0], "one"), ([0.5, 2.0, 7.0, 1.0], "each")):
        name = f"bce_torch_logits_pos_weight_{which}"
        rng = rng_for(name)
        y, targets = 2 * rng.normal(size=(6, 4)), (rng.random((6, 4)) < 0.5).astype(np.float64)
        targets[0] = rng.random(4)

        def formula(y, t):
            return (np.array(weights) * t * np.log1p(np.exp(-y)) + (1 - t) * np.log1p(np.exp(y))).mean()

        function = lambda y, t: F.binary_cross_entropy_with_logits(y, t, pos_weight=torch.tensor(weights))
        args = {"from_logits": True, "label_smoothing": 0.0, "clip_epsilon": None, "renormalise": False,
                "ignore_class": None, "note": None, "pos_weight": weights}
        add(group, name, "binary_crossentropy", TORCH, args, function, formula, targets, y)


def add_more_losses(group):
    add_nll(group)
    add_kl(group)
    add_multi_margin(group)
    add_poisson(group)
    add_gaussian(group)
    add_similarities(group)
    add_pos_weight(group)
