"""Suites of others: what PyTorch, ONNX, Keras and scikit-learn test themselves with, recorded for the tests of this library.

    python scripts/foreign.py            writes the safetensors files of tests/foreign
    python scripts/foreign.py --check    records everything again and compares with the files (exit 1 if they differ)
    python scripts/foreign.py NAME...    only these of the files, such as torch_modules or keras

Packages (Python 3.11 or later; other versions have other tests, so that disabled.toml may need a look):

    pip install numpy==2.4.6 torch==2.15.0 keras==3.15.1 scikit-learn==1.9.1 safetensors==0.8.0 onnx==1.23.2 \\
        pytest==9.2.0 expecttest==0.3.0

- `torch_modules`, `torch_optimizers` (foreign_torch.py): PyTorch's `module_db` and `optim_db`, the lists by which it tests
  every module and every optimiser; values, and gradients for random gradients from above, in float64.
- `onnx_nodes` (foreign_onnx.py): what ONNX's generators make for single nodes, in their own float32.
- `keras_losses`, `keras_metrics`, `keras_recurrent` (foreign_keras.py): Keras' own tests (they are in its wheel), run by pytest
  while a recorder listens; what they asked for is computed once more in float64.
- `sklearn_metrics` (foreign_sklearn.py): scikit-learn's own tests of metrics, in the same way, in their own float64.

All of it is on the CPU and seeded. tests/foreign/README.md says what is in the files, disabled.toml there what is not run.
"""

import argparse
import os
import sys

sys.dont_write_bytecode = True  # of the modules beside this script
os.environ["CUDA_VISIBLE_DEVICES"] = ""

from foreign_common import CHECK, CHECK_SINGLE


def torch_modules():
    import foreign_torch

    return [foreign_torch.modules()]


def torch_optimizers():
    import foreign_torch

    return [foreign_torch.optimizers()]


def onnx_nodes():
    import foreign_onnx

    return [foreign_onnx.nodes()]


def sklearn_metrics():
    import foreign_sklearn

    return [foreign_sklearn.sklearn_tests()]


def keras():
    import foreign_keras

    return foreign_keras.keras_tests()


# Keras comes last: its float64 is a setting of the whole process.
SUITES = {f.__name__: f for f in (torch_modules, torch_optimizers, onnx_nodes, sklearn_metrics, keras)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the files instead of writing them")
    parser.add_argument("names", nargs="*", choices=[[], *SUITES], help="files to make, all by default")
    args = parser.parse_args()
    different = []
    for name in SUITES:
        if args.names and name not in args.names:
            continue
        for suite in SUITES[name]():
            if args.check:
                lines = suite.differences()
                different += [f"{suite.name}: {line}" for line in lines]
                print(f"{suite.name}: {suite}, {'differs' if lines else 'the same'}")
            else:
                suite.save()
                print(f"{suite.name}: {suite}, {suite.path.stat().st_size / 1e6:.1f} MB")
    for line in different[:50]:
        print(line)
    if different:
        sys.exit(f"{len(different)} differences above {CHECK} ({CHECK_SINGLE} in single precision)")


if __name__ == "__main__":
    main()
