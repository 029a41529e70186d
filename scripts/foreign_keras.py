"""Keras' tests of losses, metrics and recurrent layers, recorded while they run and computed once more in double precision.

The tests run in single precision; a case is what they asked for, and its numbers are those that the same Keras gives for
the same question in float64, which must be near those that the test saw. See foreign.py."""

from pathlib import Path

import keras
import numpy as np
import torch
from keras.src import backend
from keras.src.layers.layer import Layer
from keras.src.losses.loss import Loss
from keras.src.metrics.metric import Metric

from foreign_common import Suite, plain, rng_for, seed_of, words
from foreign_pytest import Recorder, run, short
from golden_common import use_float64

KERAS = f"keras {keras.__version__}"
SOURCE = Path(keras.__file__).parent / "src"

# What tests/foreign can run, whole or in part. Of all others the file holds the names of the calls.
LOSSES = set("""BinaryCrossentropy CategoricalCrossentropy CategoricalHinge CosineSimilarity Hinge Huber KLDivergence LogCosh
    MeanAbsoluteError MeanSquaredError Poisson SparseCategoricalCrossentropy SquaredHinge""".split())
METRICS = set("""BinaryAccuracy CategoricalAccuracy F1Score FBetaScore MeanAbsoluteError MeanSquaredError Precision Recall
    SparseCategoricalAccuracy SparseTopKCategoricalAccuracy TopKCategoricalAccuracy Accuracy""".split())
LAYERS = {"SimpleRNN", "LSTM", "GRU", "Bidirectional"}
DRAWS = {"dropout", "recurrent_dropout", "noise_shape"}
MOST_NUMBERS = 3_000


class NotRecorded(Exception):
    pass


def numbers(value):
    """Numbers as they were given, or nothing."""
    if value is None:
        return None
    if isinstance(value, (list, tuple)) and any(hasattr(item, "shape") for item in value):
        return [numbers(item) for item in value]
    try:
        found = backend.convert_to_numpy(value) if backend.is_tensor(value) else np.asarray(value)
    except Exception as error:
        raise NotRecorded(f"of {type(value).__name__}") from error
    if found.dtype.kind not in "fiub" or found.size > MOST_NUMBERS:
        raise NotRecorded(f"of {found.size} {found.dtype}" if found.dtype.kind in "fiub" else f"of {found.dtype}")
    return found.copy()


def double(value):
    if isinstance(value, list):
        return [double(item) for item in value]
    return value.astype(np.float64) if value is not None and value.dtype.kind == "f" else value


class Keras(Recorder):
    def __init__(self):
        super().__init__()
        self.updates = {}

    def seeded(self, seed):
        keras.utils.set_random_seed(seed)

    def record(self, what, cls, config, tensors, label=""):
        """Takes the numbers of one call; of what is not numbers the reason is told."""
        try:
            taken = {key: numbers(value) for key, value in tensors().items()}
        except NotRecorded as reason:
            taken = str(reason)
        self.calls.append((self.test, what, cls, config, taken, label))

    def losses(self):
        def record(test, args, kwargs, result):
            loss, y_true, y_pred, weight = [*args, *[None] * (4 - len(args))]
            weight = kwargs.get("sample_weight", weight)
            y_true, y_pred = kwargs.get("y_true", y_true), kwargs.get("y_pred", y_pred)
            tensors = lambda: {"targets": y_true, "predictions": y_pred, "sample_weight": weight,
                               "mask": backend.get_keras_mask(y_pred), "seen": result}
            self.record("loss", type(loss), loss.get_config, tensors)

        Loss.__call__ = self.wrapped(Loss.__call__, record)

    def metrics(self):
        def update(test, args, kwargs, result):
            metric, y_true, y_pred, weight = [*args, *[None] * (4 - len(args))]
            self.updates.setdefault(id(metric), []).append((kwargs.get("y_true", y_true), kwargs.get("y_pred", y_pred),
                                                            kwargs.get("sample_weight", weight)))

        def reset(test, args, kwargs, result):
            self.updates.pop(id(args[0]), None)

        def result(test, args, kwargs, result):
            metric, updates = args[0], list(self.updates.get(id(args[0]), []))
            if not updates:
                return
            names = ["targets", "predictions", "sample_weight"]
            tensors = lambda: {f"{what}.{i}": value for i, parts in enumerate(updates)
                               for what, value in zip(names, parts)} | {"seen": result}
            self.record("metric", type(metric), metric.get_config, tensors)

        def subclasses(cls):
            return [cls] + [found for sub in cls.__subclasses__() for found in subclasses(sub)]

        for cls in dict.fromkeys(subclasses(Metric)):
            for method, listener in [("update_state", update), ("result", result), ("reset_state", reset)]:
                if method in vars(cls):
                    setattr(cls, method, self.wrapped(vars(cls)[method], listener))

    def layers(self):
        call, seen = Layer.__call__, set()

        def recorded(layer, *args, **kwargs):
            symbolic = any(isinstance(value, keras.KerasTensor) for value in torch.utils._pytree.tree_leaves((args, kwargs)))
            if not self.test or self.depth or type(layer).__name__ not in LAYERS or symbolic or type(layer).__module__.endswith("_test"):
                return call(layer, *args, **kwargs)
            self.depth += 1
            try:
                # The weights as they are before what this call may do to them.
                if not layer.built:
                    with torch.no_grad():
                        call(layer, *args, **kwargs)
                before = [(v.path, backend.convert_to_numpy(v.value).copy()) for v in layer.weights]
                masks = [backend.get_keras_mask(x) for x in torch.utils._pytree.tree_leaves(args)]
                result = call(layer, *args, **kwargs)
                config = layer.get_config
                flags = {key: value for key, value in kwargs.items() if isinstance(value, (bool, str, type(None)))}
                given = {key: value for key, value in kwargs.items() if key not in flags}
                tensors = lambda: ({f"in.{i}": x for i, x in enumerate(args)} | {f"in.{key}": x for key, x in given.items()}
                                   | {f"mask.{i}": x for i, x in enumerate(masks)}
                                   | {f"weight.{i}": x for i, (_, x) in enumerate(before)}
                                   | {"seen": result})
                shapes = str([getattr(x, "shape", x) for x in torch.utils._pytree.tree_leaves((args, given))])
                # A training calls a layer again and again: once is enough.
                key = (self.test, type(layer), str(plain(config_of(config))), shapes, str(flags))
                if key not in seen:
                    seen.add(key)
                    self.record("layer", type(layer), config, tensors, flags)
            finally:
                self.depth -= 1
            return result

        Layer.__call__ = recorded


def config_of(config):
    try:
        return config()
    except Exception:
        return {}


def in_double(config):
    """The same options in float64, in layers within layers too."""
    if isinstance(config, dict):
        return {key: "float64" if key == "dtype" else in_double(value) for key, value in config.items()}
    return [in_double(item) for item in config] if isinstance(config, list) else config


def slim(config):
    """Without what makes no numbers here."""
    if isinstance(config, dict):
        skip = ("name", "dtype", "trainable", "registered_name", "build_config", "module", "seed")
        return {key: slim(value) for key, value in config.items() if key not in skip and "initializer" not in key
                and not (value is None and key.endswith(("regularizer", "constraint")))}
    return [slim(item) for item in config] if isinstance(config, list) else config


def built(cls, config):
    return cls.from_config(in_double(config))


def said(cls, config):
    """The options that are not the default, where that can be asked."""
    try:
        default = (cls(units=1) if cls.__name__ in LAYERS else cls()).get_config()
    except Exception:
        default = {}
    skip = {"name", "dtype", "trainable", "fn", "build_config"}
    return {key: value for key, value in plain(config).items() if key not in skip and plain(default).get(key, "?") != value
            and "initializer" not in key and not isinstance(value, dict)}


def leaf(value):
    return torch.tensor(value, requires_grad=True) if value is not None and value.dtype == np.float64 else value


def near(name, seen, found):
    for a, b in zip(torch.utils._pytree.tree_leaves(seen), torch.utils._pytree.tree_leaves(found)):
        a, b = np.asarray(a, dtype=np.float64), np.asarray(backend.convert_to_numpy(b), dtype=np.float64)
        assert np.allclose(a, b, rtol=0.03, atol=2e-3, equal_nan=True), f"{name}: the test saw {a}, in float64 it is {b}"


def loss_case(name, cls, config, given):
    loss = built(cls, config)
    tensors = {key: double(value) for key, value in given.items() if value is not None and key != "seen"}
    predictions = leaf(tensors["predictions"].astype(np.float64))
    tensors["predictions"] = predictions.detach().numpy()
    if "mask" in tensors:
        backend.set_keras_mask(predictions, torch.tensor(tensors["mask"]))
    value = loss(tensors["targets"], predictions, sample_weight=tensors.get("sample_weight"))
    near(name, given["seen"], value)
    if value.requires_grad:
        value.sum().backward()
        tensors["grad"] = predictions.grad
    return {"class": cls.__name__, "config": config}, tensors | {"value": value}


def metric_case(name, cls, config, given):
    metric = built(cls, config)
    tensors = {key: double(value) for key, value in given.items() if value is not None and key != "seen"}
    updates = sum(key.startswith("targets") for key in tensors)
    for i in range(updates):
        metric.update_state(*[tensors.get(f"{what}.{i}") for what in ("targets", "predictions", "sample_weight")])
    value = metric.result()
    near(name, given["seen"], value)
    return {"class": cls.__name__, "config": config, "updates": updates}, tensors | {"value": value}


def layer_case(name, cls, config, given, flags):
    layer = built(cls, config)
    given = {key: value for key, value in given.items() if value is not None}
    inputs = {key[3:]: [leaf(double(x)) for x in value] if isinstance(value, list) else leaf(double(value))
              for key, value in given.items() if key.startswith("in.")}
    args = [inputs[key] for key in sorted(inputs) if key.isdigit()]
    masks = {int(key[5:]): value for key, value in given.items() if key.startswith("mask.")}
    for i, tensor in enumerate(torch.utils._pytree.tree_leaves(args)):
        if i in masks and isinstance(tensor, torch.Tensor):
            backend.set_keras_mask(tensor, torch.tensor(masks[i]))
    kwargs = {key: value for key, value in inputs.items() if not key.isdigit()} | flags
    with torch.no_grad():
        layer(*args, **kwargs)
    weights = [double(given[f"weight.{i}"]) for i in range(len(layer.weights))]
    layer.set_weights(weights)
    if hasattr(layer, "reset_states") and config.get("stateful"):
        layer.reset_states()
    output = layer(*args, **kwargs)
    near(name, given["seen"], output)
    places = {key: value for key, value in places_of("in", inputs)}
    outputs = dict(places_of("out", output))
    tensors = {key: value.detach() if isinstance(value, torch.Tensor) else value for key, value in places.items()}
    tensors |= {f"mask.{i}": value for i, value in masks.items()}
    names = [v.path for v in layer.weights]
    assert len(set(names)) == len(names), names
    tensors |= {f"weight.{what}": value for what, value in zip(names, weights)}
    tensors |= {key: value.detach() for key, value in outputs.items()}
    rng = rng_for(name)
    above = {key: torch.tensor(rng.normal(size=tuple(value.shape))) for key, value in outputs.items() if value.requires_grad}
    if above:
        for v in layer.weights:
            v.value.grad = None
        torch.autograd.backward([outputs[key] for key in above], list(above.values()))
        tensors |= {f"above.{key}": value for key, value in above.items()}
        tensors |= {f"grad.{key}": value.grad for key, value in places.items()
                    if isinstance(value, torch.Tensor) and value.grad is not None}
        tensors |= {f"grad.weight.{what}": v.value.grad for what, v in zip(names, layer.weights) if v.value.grad is not None}
    after = [backend.convert_to_numpy(v.value) for v in layer.weights]
    tensors |= {f"after.{what}": b for what, a, b in zip(names, weights, after) if not np.array_equal(a, b)}
    return {"class": cls.__name__, "config": config, "flags": flags}, tensors


def places_of(prefix, value):
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places_of(f"{prefix}.{key}", item)
    elif isinstance(value, (list, tuple)):
        for i, item in enumerate(value):
            yield from places_of(f"{prefix}.{i}", item)
    elif value is not None:
        yield prefix, value


def draws(config, flags):
    """Whether random numbers decide: then there is nothing to compare."""
    inner = [value.get("config", {}) for value in config.values() if isinstance(value, dict)]
    return flags.get("training") is True and any(options.get(key) for options in [config, *inner] for key in DRAWS)


def recorded(recorder, only=None):
    paths = {
        "losses": [SOURCE / "losses" / "losses_test.py", SOURCE / "losses" / "loss_test.py"],
        "metrics": sorted((SOURCE / "metrics").glob("*_test.py")),
        "layers": [SOURCE / "layers" / "rnn" / f"{name}_test.py" for name in ("simple_rnn", "lstm", "gru", "bidirectional")],
    }
    for what, files in paths.items():
        if only and what != only:
            continue
        method = getattr(recorder, what)
        method()
        run(files, recorder)
    return recorder.calls


def keras_tests(only=None):
    calls = recorded(Keras(), only)
    use_float64()
    suites = {"loss": Suite("keras_losses"), "metric": Suite("keras_metrics"), "layer": Suite("keras_recurrent")}
    known = {"loss": LOSSES, "metric": METRICS, "layer": LAYERS}
    counts = {}
    for test, what, cls, get_config, given, flags in calls:
        suite, config = suites[what], config_of(get_config)
        base = f"{cls.__name__}/{short(test)}"
        number = counts[what, base] = counts.get((what, base), -1) + 1
        name = base if number == 0 else f"{base}.{number}"
        label = " ".join(filter(None, [words(said(cls, config)), words(flags or {})]))
        if cls.__name__ not in known[what] or isinstance(given, str):
            suite.list(name, f"{label} {given}" if isinstance(given, str) else label)
            continue
        # Random numbers, or what calls before have left behind.
        if what == "layer" and (draws(config, flags) or "'stateful': True" in str(plain(config))):
            suite.list(name, f"{label} draws or stateful")
            continue
        keras.utils.set_random_seed(seed_of(name))
        try:
            if what == "layer":
                args, tensors = layer_case(name, cls, config, given, flags)
            else:
                args, tensors = (loss_case if what == "loss" else metric_case)(name, cls, config, given)
        except AssertionError:
            raise
        except Exception as error:
            suite.list(name, f"{label} not rebuilt: {type(error).__name__}")
            continue
        args = plain(args)
        args["config"] = slim(args["config"])
        if suite.is_new(args, tensors):
            suite.add(name, what, KERAS, args, tensors, label)
    return list(suites.values())
