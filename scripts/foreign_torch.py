"""PyTorch's own lists of modules and optimisers with their inputs: `module_db`, `optim_db`. See foreign.py."""

import inspect
import random
import warnings

import numpy as np
import torch
from torch.testing._internal.common_modules import module_db
from torch.testing._internal.common_optimizers import optim_db

from foreign_common import SEED, Suite, plain, rng_for, seed_of, words

TORCH = f"torch {torch.__version__.split('+')[0]}"

# What tests/foreign can run, whole or in part. Of all other modules the file holds names.
ACTIVATIONS = """CELU ELU GELU GLU Hardswish Hardtanh LeakyReLU LogSigmoid LogSoftmax Mish PReLU ReLU ReLU6 SELU SiLU
    Sigmoid Softmax Softmin Softplus Softsign Tanh Tanhshrink""".split()
LAYERS = "BatchNorm1d Embedding LayerNorm Linear MultiheadAttention RMSNorm".split()
RECURRENT = "GRU GRUCell LSTM LSTMCell RNN RNNCell".split()
LOSSES = """BCELoss BCEWithLogitsLoss CrossEntropyLoss GaussianNLLLoss HuberLoss KLDivLoss L1Loss LinearCrossEntropyLoss
    MSELoss MultiMarginLoss NLLLoss PoissonNLLLoss SmoothL1Loss""".split()
KINDS = {f"nn.{name}": kind for kind, names in
         [("activation", ACTIVATIONS), ("layer", LAYERS), ("recurrent", RECURRENT), ("loss", LOSSES)] for name in names}
TARGETS = {"target", "var"}  # what no gradient is asked for


def leaves(prefix, value):
    """The tensors in tuples within tuples, by their places."""
    if isinstance(value, torch.Tensor):
        yield prefix, value
    elif isinstance(value, (tuple, list)):
        for i, item in enumerate(value):
            yield from leaves(f"{prefix}.{i}", item)


def own(value):
    """A copy of all tensors, as leaves of a graph of their own where they can be."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone().requires_grad_(value.is_floating_point())
    if isinstance(value, (tuple, list)):
        return type(value)(own(item) for item in value)
    return value


def bound(function, args, kwargs, skip_self):
    """All arguments by their names, those that were given and those by default."""
    signature = inspect.signature(function)
    got = signature.bind(*([None] if skip_self else []), *args, **kwargs)
    given = set(got.arguments)
    got.apply_defaults()
    named = {}
    for key, value in got.arguments.items():
        if key == "self":
            continue
        if signature.parameters[key].kind == inspect.Parameter.VAR_KEYWORD:
            named.update({name: (item, True) for name, item in value.items()})
        elif signature.parameters[key].kind == inspect.Parameter.VAR_POSITIONAL:
            named.update({f"{key}{i}": (item, True) for i, item in enumerate(value)})
        else:
            named[key] = (value, key in given)
    return named


def module_case(suite, name, info, kind, item, training):
    constructor, forward = item.constructor_input, item.forward_input
    options = bound(info.module_cls.__init__, constructor.args, constructor.kwargs, True)
    # RNN, GRU and LSTM hand their options on by position and by name.
    options = {key: value for key, value in options.items() if key not in ("device", "dtype")}
    is_tensor = lambda value: isinstance(value, torch.Tensor)
    said = {key: value for key, (value, given) in options.items() if given and not is_tensor(value)}
    inputs = bound(info.module_cls.forward, forward.args, forward.kwargs, True)
    flags = {key: value for key, (value, given) in inputs.items() if given and not list(leaves("", value))}
    label = " ".join(filter(None, [item.desc.strip("_ ").replace(" ", "_"), words(said), words(flags)]))
    label += " train" if training else " eval"
    if kind is None:
        return suite.list(name, label)

    torch.manual_seed(seed_of(name))
    module = info.module_cls(*constructor.args, **constructor.kwargs).to(torch.float64)
    module.train(training)
    with torch.no_grad():
        # Biases that PyTorch starts at 0, and scales that it starts at 1, would hide mistakes.
        for parameter in module.parameters():
            parameter.copy_(parameter + 0.1 * torch.randn(parameter.shape))
    tensors = {f"param.{key}": value.detach().clone() for key, value in module.named_parameters()}
    # A loss keeps its weights as buffers of the options' names.
    of_options = {key for key, (value, _) in options.items() if is_tensor(value)}
    tensors |= {f"buffer.{key}": value.clone() for key, value in module.named_buffers() if key not in of_options}
    tensors |= {f"option.{key}": value for key, (value, _) in options.items() if is_tensor(value)}
    args = {key: value for key, (value, _) in options.items() if not is_tensor(value)}
    given = {key: own(value) for key, (value, _) in inputs.items()}
    args["forward"] = {key: value for key, value in given.items() if not list(leaves("", value))}
    args["training"] = training
    into = dict(pair for key, value in given.items() for pair in leaves(f"in.{key}", value))

    output = module(**given)
    out = dict(leaves("out", output))
    rng, above = rng_for(name), {}
    for key, value in out.items():
        # The library's attention gives no weights out, so that no gradient can come from there.
        if value.requires_grad and (info.name, key) != ("nn.MultiheadAttention", "out.1"):
            above[key] = torch.tensor(rng.normal(size=tuple(value.shape)))
    if above:
        torch.autograd.backward([out[key] for key in above], list(above.values()))
    tensors |= {key: value.detach() for key, value in into.items()}
    tensors |= {key: value.detach() for key, value in out.items()}
    tensors |= {f"above.{key}": value for key, value in above.items()}
    tensors |= {f"grad.{key}": value.grad for key, value in into.items()
                if value.grad is not None and key.split(".")[1] not in TARGETS}
    tensors |= {f"grad.param.{key}": value.grad for key, value in module.named_parameters() if value.grad is not None}
    if training:
        tensors |= {f"after.{key}": value for key, value in module.named_buffers() if key not in of_options}
    # Into how many chunks the work is cut makes no other numbers: of cases that differ in no more, one is enough.
    shapes = [(key, value.shape, value.dtype) for key, value in tensors.items() if not key.startswith("above")]
    if info.name == "nn.LinearCrossEntropyLoss" and not suite.is_new([said | {"options": None}, str(shapes)], {}):
        return suite.list(name, f"{label} as another")
    if not suite.is_new([info.name, args], tensors):
        return suite.list(name, f"{label} as another")
    suite.add(name, kind, TORCH, {"module": info.name} | args, tensors, label)


def modules():
    suite = Suite("torch_modules")
    warnings.simplefilter("ignore")  # of what becomes of options in later versions
    for info in sorted(module_db, key=lambda info: info.name):
        kind, number = KINDS.get(info.name), 0
        for training in [True, False] if info.train_and_eval_differ else [True]:
            torch.manual_seed(SEED), random.seed(SEED), np.random.seed(SEED)
            items = info.module_inputs_func(info, device="cpu", dtype=torch.float64, requires_grad=True, training=training)
            for item in items:
                module_case(suite, f"{info.name}/{number:03}", info, kind, item, training)
                number += 1
    return suite


STEPS = 10
FLAGS = {"foreach", "fused", "capturable", "differentiable"}  # how, not what


def optimizers():
    suite = Suite("torch_optimizers")
    torch.set_default_dtype(torch.float64)  # of NAdam's running product of momenta
    for info in sorted(optim_db, key=lambda info: info.optim_cls.__name__):
        optimizer_name = info.optim_cls.__name__
        for number, item in enumerate(info.optim_inputs_func(device="cpu")):
            name = f"{optimizer_name}/{number:02}"
            label = " ".join(filter(None, [item.desc.replace(" ", "_"), words(item.kwargs)]))
            if optimizer_name in ("LBFGS", "SparseAdam"):  # a closure; gradients of rows
                suite.list(name, label)
                continue
            rng = rng_for(name)
            shapes = {"matrix": [4, 3], "vector": [3]}
            if optimizer_name == "Muon":  # matrices only
                del shapes["vector"]
            initial = {what: rng.normal(size=shape) for what, shape in shapes.items()}
            gradients = {what: rng.normal(size=[STEPS] + shape) for what, shape in shapes.items()}
            params = {what: torch.nn.Parameter(torch.tensor(value)) for what, value in initial.items()}
            optimizer = info.optim_cls(list(params.values()), **item.kwargs)
            steps = {what: [] for what in shapes}
            for step in range(STEPS):
                for what, param in params.items():
                    param.grad = torch.tensor(gradients[what][step])
                optimizer.step()
                for what, param in params.items():
                    steps[what].append(param.detach().numpy().copy())
            options = {key: value for key, value in optimizer.defaults.items() if key not in FLAGS}
            tensors = {f"{what}_{key}": value for what in shapes for key, value in
                       [("initial", initial[what]), ("gradients", gradients[what]), ("steps", np.stack(steps[what]))]}
            suite.add(name, "optimizer", TORCH, {"optimizer": optimizer_name} | plain(options), tensors, label)
    torch.set_default_dtype(torch.float32)
    return suite
