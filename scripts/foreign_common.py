"""What the scripts of foreign.py share: a suite's cases and their file. Reading tests/foreign/README.md helps."""

import json
import math
import os
import zlib
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"

import numpy as np
import safetensors
import torch
from safetensors.numpy import save_file

torch.set_num_threads(1)  # small products, and sums in one order
FOLDER = Path(__file__).resolve().parent.parent / "tests" / "foreign"
SEED = 20240607
CHECK = 1e-9  # how closely a second run must agree with the files, in double precision
CHECK_SINGLE = 1e-5  # and in single precision


def seed_of(name):
    """Each case draws from its own stream, so that a new case leaves the numbers of all others as they are."""
    return (SEED + zlib.crc32(name.encode())) % 2**32


def rng_for(name):
    return np.random.default_rng([SEED, zlib.crc32(name.encode())])


def plain(value):
    """What JSON can hold: numbers that it has no word for as text, classes and functions by their names."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (bool, str, type(None))):
        return value
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, torch.Tensor) and value.numel() == 1:
        return plain(value.item())
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    return getattr(value, "__name__", type(value).__name__)


def words(options):
    """Options as a label that patterns can be written for: `bias=false proj_size=2`."""
    return " ".join(f"{key}={json.dumps(plain(value))}" for key, value in options.items())


def array(value):
    """F64, F32 and I64 are all that a file holds; a single number has shape [1]."""
    value = value.detach().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
    if value.dtype == bool or np.issubdtype(value.dtype, np.integer):
        value = value.astype(np.int64)
    elif value.dtype == np.float16:
        value = value.astype(np.float32)
    assert value.dtype in (np.float64, np.float32, np.int64), value.dtype
    return np.atleast_1d(np.ascontiguousarray(value))


class Suite:
    """The cases of one file: those that are recorded with all their numbers, and those of which the name is all there is,
    because the library has nothing to run them with."""

    def __init__(self, name):
        self.name, self.cases, self.others, self.tensors, self.contents = name, {}, {}, {}, set()

    def add(self, name, kind, source, args, tensors, label=""):
        assert name not in self.cases and name not in self.others, f"{name} occurs twice"
        args = plain(args)
        assert json.loads(json.dumps(args, allow_nan=False)) == args, name
        self.cases[name] = {"name": name, "kind": kind, "from": source, "label": label, "args": args}
        for what, value in tensors.items():
            if value is not None:
                self.tensors[f"{name}/{what}"] = array(value)

    def is_new(self, options, tensors):
        """Whether options and numbers have not been seen before: tests repeat each other."""
        text = json.dumps(plain(options), sort_keys=True)
        for key in sorted(tensors):
            if tensors[key] is not None:
                value = array(tensors[key])
                text += f" {key} {value.shape} {value.dtype} {zlib.crc32(value.tobytes())}"
        new = text not in self.contents
        self.contents.add(text)
        return new

    def list(self, name, label=""):
        assert name not in self.cases and name not in self.others, f"{name} occurs twice"
        self.others[name] = label

    def metadata(self):
        cases = [self.cases[name] for name in sorted(self.cases)]
        others = [f"{name} {label}".strip() for name, label in sorted(self.others.items())]
        return {"cases": json.dumps(cases, sort_keys=True), "others": json.dumps(others)}

    def __str__(self):
        return f"{len(self.cases)} cases, {len(self.others)} names"

    @property
    def path(self):
        return FOLDER / f"{self.name}.safetensors"

    def save(self):
        FOLDER.mkdir(parents=True, exist_ok=True)
        save_file({key: self.tensors[key] for key in sorted(self.tensors)}, self.path, self.metadata())

    def differences(self):
        """What differs between the file and freshly computed numbers, one line each. Versions (`from`) may differ."""
        with safetensors.safe_open(self.path, "numpy") as file:
            metadata = file.metadata()
            stored = {key: file.get_tensor(key) for key in file.keys()}
        unversioned = lambda case: {key: value for key, value in case.items() if key != "from"}
        old = {case["name"]: unversioned(case) for case in json.loads(metadata["cases"])}
        new = {name: unversioned(case) for name, case in self.cases.items()}
        lines = [f"case {name}" for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
        others = set(json.loads(metadata["others"])) ^ set(json.loads(self.metadata()["others"]))
        lines += [f"name {name}" for name in sorted(others)]
        for name in sorted(stored.keys() | self.tensors.keys()):
            a, b = stored.get(name), self.tensors.get(name)
            if a is None or b is None or a.dtype != b.dtype or a.shape != b.shape:
                lines.append(f"tensor {name}: missing, or of another shape or type")
                continue
            close = CHECK_SINGLE if a.dtype == np.float32 else CHECK
            if not np.allclose(a, b, rtol=close, atol=close, equal_nan=True):
                lines.append(f"tensor {name}: differs")
        return lines
