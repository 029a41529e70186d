"""What the golden scripts share: cases and their files, random streams, float64 in Keras. See golden.py."""

import json
import os
import zlib
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
import safetensors
import torch
from safetensors.numpy import save_file

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "golden"
SEED = 20240607
AGREE = 1e-10  # how closely a framework and the NumPy formula must agree
CHECK = 1e-12  # how closely a second run must agree with the files

KERAS = f"keras {keras.__version__}"
TORCH = f"torch {torch.__version__.split('+')[0]}"


class Group:
    """The cases of one file and their tensors."""

    def __init__(self):
        self.cases, self.tensors = {}, {}

    def add(self, name, kind, source, args, **tensors):
        assert name not in self.cases, f"{name} occurs twice"
        self.cases[name] = {"name": name, "kind": kind, "from": source, "args": args}
        for what, value in tensors.items():
            if value is None:
                continue
            value = value.detach().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
            value = np.atleast_1d(np.ascontiguousarray(value))  # a single number has shape [1]
            assert value.dtype in (np.float64, np.int64), f"{name}/{what} is {value.dtype}"
            assert np.all(np.isfinite(value)), f"{name}/{what} is not finite"
            self.tensors[f"{name}/{what}"] = value

    def sorted_cases(self):
        return [self.cases[name] for name in sorted(self.cases)]

    def metadata(self):
        return {"cases": json.dumps(self.sorted_cases(), sort_keys=True)}

    def __str__(self):
        return f"{len(self.cases)} cases"


class Weights:
    """The weights of a model under their own names, in float32 and nothing else: a file as users have them."""

    def __init__(self, tensors):
        self.cases, self.tensors = {}, {name: np.ascontiguousarray(value) for name, value in tensors.items()}
        assert all(value.dtype == np.float32 for value in self.tensors.values())

    def metadata(self):
        return None

    def __str__(self):
        return f"{len(self.tensors)} weights"


def rng_for(name):
    """Each case draws from its own stream, so that a new case leaves the numbers of all others as they are."""
    return np.random.default_rng([SEED, zlib.crc32(name.encode())])


def numpy(value):
    return value.detach().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)


def agree(name, framework, formula):
    np.testing.assert_allclose(numpy(framework), formula, rtol=AGREE, atol=AGREE, err_msg=name)


def named(what):
    """The name of the gradient of `what`: `grad_x` of `x`, `a/grad_x` of `a/x`."""
    folder, slash, last = what.rpartition("/")
    return f"{folder}{slash}grad_{last}"


def agree_slopes(name, rng, formula, tensors, upstream):
    """Holds the gradients in `tensors` against the slope of the NumPy formula, a function of a dict of arrays: along
    one random direction in the space of all arrays that have a gradient, its outputs, weighted with those of
    `upstream`, must change as the gradients say."""
    arrays = {what: numpy(value) for what, value in tensors.items()}
    direction = {what: rng.normal(size=array.shape) for what, array in arrays.items() if named(what) in arrays}
    assert direction
    expected = sum((arrays[named(what)] * d).sum() for what, d in direction.items())

    def value(step):
        outputs = formula(arrays | {what: arrays[what] + step * d for what, d in direction.items()})
        return sum((outputs[what] * weight).sum() for what, weight in upstream.items())

    h = 1e-5
    slope = (8 * (value(h) - value(-h)) - (value(2 * h) - value(-2 * h))) / (12 * h)
    size = sum(np.abs(arrays[named(what)]).sum() for what in direction)
    assert abs(slope - expected) < 1e-8 * max(1, size), f"{name}: gradients say {expected}, the formula {slope}"


def leaf(array):
    return torch.tensor(array, dtype=torch.float64, requires_grad=True)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def one_hot(labels, classes):
    return np.eye(classes)[labels]


def save(path, group):
    FOLDER.mkdir(parents=True, exist_ok=True)
    save_file(group.tensors, path, group.metadata())


def differences(path, group):
    """What differs between a file and freshly computed numbers, one line each. Versions (`from`) may differ."""
    with safetensors.safe_open(path, "numpy") as file:
        cases = json.loads((file.metadata() or {}).get("cases", "[]"))
        stored = {key: file.get_tensor(key) for key in file.keys()}
    unversioned = lambda case: {key: value for key, value in case.items() if key != "from"}
    old = {case["name"]: unversioned(case) for case in cases}
    new = json.loads(json.dumps({name: unversioned(case) for name, case in group.cases.items()}))
    lines = [f"case {name}" for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
    for name in sorted(stored.keys() | group.tensors.keys()):
        a, b = stored.get(name), group.tensors.get(name)
        if a is None or b is None or a.dtype != b.dtype or a.shape != b.shape:
            lines.append(f"tensor {name}: missing, or of another shape or type")
        elif np.any(np.abs(a - b) > CHECK * np.maximum(1, np.abs(a))):
            lines.append(f"tensor {name}: differs by {np.abs(a - b).max():.1e}")
    return lines


def use_float64():
    """On all backends but TensorFlow, Keras' type promotion turns float64 into float32 even where floatx is float64, as
    JAX does by default: `ops.matmul` of two float64 matrices is computed in float32. This table is what does it."""
    from keras.src.backend.common import dtypes

    dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    torch.set_default_dtype(torch.float64)
