"""Golden numbers of recurrent layers: configurations drawn from a seed, computed by PyTorch and Keras 3. See golden.py.

All weights are in the layout of Keras: `kernel` [in, gates · units], `recurrent_kernel` [units, gates · units], `bias`
[gates · units]; gates i, f, c, o (LSTM) and z, r, h (GRU). A masked step carries the state over, and its output is the
state: the formula below says so in NumPy, and every case is held against it, the gradients against its slope.
"""

import collections

from golden_common import KERAS, TORCH, Group, agree, agree_slopes, leaf, named, numpy, rng_for

import keras
import numpy as np
import torch

TORCH_CASES, KERAS_CASES = 60, 80
GATES = {"elman": 1, "gru": 3, "lstm": 4}
sigmoid = lambda x: 1 / (1 + np.exp(-x))
ACTIVATIONS = {"tanh": np.tanh, "sigmoid": sigmoid, "relu": lambda x: np.maximum(x, 0), "linear": lambda x: x,
               "hard_sigmoid": lambda x: np.clip(x + 3, 0, 6) / 6}
KINKS = {"relu": [0], "hard_sigmoid": [-3, 3]}
MARGIN = 1e-4  # no number that goes into an activation lies closer to one of its kinks

# -------------------------------------------------------------------------------------------------------- drawing cases


def pick(rng, *options):
    return options[rng.integers(len(options))]


def draw_common(rng, cell):
    deep = pick(rng, 1, 1, 1, 2)
    return {"cell": cell, "features": int(rng.integers(1, 7)), "units": int(rng.integers(1, 8)), "layers": deep,
            "use_bias": pick(rng, True, True, True, False), "bidirectional": pick(rng, False, True), "merge": None,
            "reverse": False, "return_sequences": pick(rng, False, True), "return_state": pick(rng, False, True),
            "initial_state": pick(rng, False, True), "mask": None, "all_masked_rows": False}


def draw_torch(rng):
    args = draw_common(rng, pick(rng, "elman", "lstm", "gru"))
    args["layers"] = pick(rng, 1, 1, 2, 3)
    args["merge"] = "concat" if args["bidirectional"] else None
    args["activation"] = pick(rng, "tanh", "relu") if args["cell"] == "elman" else "tanh"
    args["mask"] = pick(rng, None, "right")
    if args["cell"] != "elman":
        args["recurrent_activation"] = "sigmoid"
    if args["cell"] == "gru":
        args["reset_after"] = True
    return args


def draw_keras(rng):
    args = draw_common(rng, pick(rng, "elman", "lstm", "gru"))
    args["merge"] = pick(rng, "concat", "sum", "mul", "ave") if args["bidirectional"] else None
    args["reverse"] = not args["bidirectional"] and pick(rng, False, True)
    args["activation"] = pick(rng, "tanh", "tanh", *ACTIVATIONS)
    args["mask"] = pick(rng, None, "left", "right", "holes")
    args["all_masked_rows"] = args["mask"] is not None and pick(rng, False, True)
    if args["cell"] != "elman":
        args["recurrent_activation"] = pick(rng, "sigmoid", "sigmoid", *ACTIVATIONS)
    if args["cell"] == "gru":
        args["reset_after"] = pick(rng, False, True)
    return args


def draw_mask(rng, args, batch, time):
    """0 and 1 [batch, time]: some of it masked, as `mask` and `all_masked_rows` say; other rows have valid steps."""
    while True:
        if args["mask"] == "holes":
            mask = (rng.random((batch, time)) < 0.6).astype(np.int64)
        else:
            mask = (np.arange(time) < rng.integers(1, time + 1, (batch, 1))).astype(np.int64)
            mask = mask[:, ::-1].copy() if args["mask"] == "left" else mask
        hole = any("0" in "".join(map(str, row)).strip("0") for row in mask)
        if (mask.sum(1) > 0).all() and not mask.all() and hole == (args["mask"] == "holes"):
            break
    if args["all_masked_rows"]:
        mask[rng.integers(batch)] = 0
    return mask


def directions(args):
    return ["forward", "backward"] if args["bidirectional"] else ["forward"]


def prefixes(args):
    return [f"layer{layer}/{direction}/" for layer in range(args["layers"]) for direction in directions(args)]


def states_of(args):
    return ["h", "c"] if args["cell"] == "lstm" else ["h"]


def draw_numbers(rng, args):
    """Input, mask, weights and initial states, in the library's layout and under the names of the file."""
    masked = args["mask"] is not None
    batch, time = int(rng.integers(2 if masked else 1, 6)), int(rng.integers(4 if masked else 1, 10))
    units, gates, tensors = args["units"], GATES[args["cell"]], {}
    tensors["input"] = rng.normal(size=(batch, time, args["features"]))
    if masked:
        tensors["mask"] = draw_mask(rng, args, batch, time)
    for prefix in prefixes(args):
        inputs = args["features"]
        if not prefix.startswith("layer0"):
            inputs = units * (2 if args["merge"] == "concat" else 1)
        tensors[f"{prefix}kernel"] = rng.normal(size=(inputs, gates * units)) / np.sqrt(inputs)
        tensors[f"{prefix}recurrent_kernel"] = rng.normal(size=(units, gates * units)) * 0.8 / np.sqrt(units)
        if args["use_bias"]:
            tensors[f"{prefix}bias"] = 0.5 * rng.normal(size=gates * units)
            if args.get("reset_after"):
                tensors[f"{prefix}recurrent_bias"] = 0.5 * rng.normal(size=gates * units)
        if args["initial_state"]:
            for state in states_of(args):
                tensors[f"{prefix}initial_{state}"] = rng.normal(size=(batch, units))
    return tensors


# ---------------------------------------------------------------------------------------------------------- the formula


def step(args, w, x, h, c, margins):
    """One step: the next h and c. `margins` takes the distances from the activations' kinks."""

    def applied(which, x):
        margins.extend(np.abs(x - kink).min() for kink in KINKS.get(args[which], []))
        return ACTIVATIONS[args[which]](x)

    gates = GATES[args["cell"]]
    x = np.split(x @ w["kernel"] + w.get("bias", 0), gates, -1)
    u = np.split(w["recurrent_kernel"], gates, -1)
    if args["cell"] == "elman":
        return applied("activation", x[0] + h @ u[0]), c
    if args["cell"] == "lstm":
        i, f, o = (applied("recurrent_activation", x[k] + h @ u[k]) for k in (0, 1, 3))
        c = f * c + i * applied("activation", x[2] + h @ u[2])
        return o * applied("activation", c), c
    b = np.split(w.get("recurrent_bias", np.zeros(gates * args["units"])), gates)
    z, r = (applied("recurrent_activation", x[k] + h @ u[k] + b[k]) for k in (0, 1))
    inner = r * (h @ u[2] + b[2]) if args["reset_after"] else (r * h) @ u[2]
    return z * h + (1 - z) * applied("activation", x[2] + inner), c


def formula(args, tensors, margins=None):
    """`output` and the last states of all layers; a masked step's output is the state it carries over."""
    x, outputs, margins = tensors["input"], {}, [] if margins is None else margins
    batch, time = x.shape[:2]
    mask = tensors.get("mask", np.ones((batch, time)))
    for layer in range(args["layers"]):
        sequences, lasts = [], []
        for direction in directions(args):
            prefix = f"layer{layer}/{direction}/"
            w = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
            h, c = (w.get(f"initial_{state}", np.zeros((batch, args["units"]))) for state in "hc")
            sequence, steps = [None] * time, range(time)
            for t in reversed(steps) if args["reverse"] or direction == "backward" else steps:
                new, valid = step(args, w, x[:, t], h, c, margins), mask[:, t, None] != 0
                h, c = np.where(valid, new[0], h), np.where(valid, new[1], c)
                sequence[t] = h
            sequences.append(np.stack(sequence, 1))
            lasts.append(h)
            if args["return_state"]:
                outputs |= {f"{prefix}state_{state}": value for state, value in zip(states_of(args), (h, c))}
        x, last = merged(args, sequences), merged(args, lasts)
    return outputs | {"output": x if args["return_sequences"] else last}


def merged(args, both):
    match args["merge"]:
        case None:
            return both[0]
        case "concat":
            return np.concatenate(both, -1)
        case "mul":
            return both[0] * both[1]
        case merge:
            return (both[0] + both[1]) / (2 if merge == "ave" else 1)


# ------------------------------------------------------------------------------------------------------- the frameworks


def torch_order(args, weight):
    """The gates of a weight of this library in PyTorch's order, and back: GRU r, z, n; nothing else differs."""
    if args["cell"] != "gru":
        return weight
    z, r, h = np.split(weight, 3, -1)
    return np.concatenate([r, z, h], -1)


def run_torch(args, tensors, upstream):
    """Outputs, and the gradients of what `upstream` draws for them, by nn.RNN, nn.LSTM or nn.GRU."""
    options = {"num_layers": args["layers"], "bias": args["use_bias"], "batch_first": True,
               "bidirectional": args["bidirectional"]}
    if args["cell"] == "elman":
        options["nonlinearity"] = args["activation"]
    module = {"elman": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[args["cell"]](
        args["features"], args["units"], **options)
    parameters = {}  # name in the file -> PyTorch's parameter
    for prefix in prefixes(args):
        layer, direction = prefix.split("/")[:2]
        suffix = "_l" + layer.removeprefix("layer") + ("_reverse" if direction == "backward" else "")
        parameters[f"{prefix}kernel"] = getattr(module, f"weight_ih{suffix}")
        parameters[f"{prefix}recurrent_kernel"] = getattr(module, f"weight_hh{suffix}")
        if args["use_bias"]:
            parameters[f"{prefix}bias"] = getattr(module, f"bias_ih{suffix}")
            parameters[f"{prefix}recurrent_bias"] = getattr(module, f"bias_hh{suffix}")
    with torch.no_grad():
        for name, parameter in parameters.items():
            if name in tensors:
                parameter.copy_(torch.tensor(torch_order(args, tensors[name]).T))
            else:  # PyTorch adds two biases, where one does: a part of it goes into the second
                part = 0.3 * tensors[name.replace("recurrent_bias", "bias")]
                parameter.copy_(torch.tensor(part))
                parameters[name.replace("recurrent_bias", "bias")].sub_(torch.tensor(part))

    x, initial = leaf(tensors["input"]), {name: leaf(value) for name, value in tensors.items() if "/initial_" in name}
    stacked = [torch.stack([initial[f"{prefix}initial_{state}"] for prefix in prefixes(args)])
               for state in states_of(args) if args["initial_state"]]
    state = None if not stacked else tuple(stacked) if args["cell"] == "lstm" else stacked[0]
    packed = x
    if "mask" in tensors:
        lengths = torch.tensor(tensors["mask"].sum(1))
        packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    sequence, last = module(packed, state)
    if "mask" in tensors:
        sequence, _ = torch.nn.utils.rnn.pad_packed_sequence(sequence, batch_first=True, total_length=x.shape[1])
    last = last if args["cell"] == "lstm" else (last,)  # each [layers · directions, batch, units]
    outputs = {"output": sequence if args["return_sequences"]
               else torch.cat(list(last[0][-len(directions(args)):]), -1)}
    if args["return_state"]:
        for k, prefix in enumerate(prefixes(args)):
            outputs |= {f"{prefix}state_{state}": values[k] for state, values in zip(states_of(args), last)}

    grads = backward(outputs, upstream(outputs), {"input": x} | parameters | initial)
    for name in parameters:
        if name not in tensors:
            agree(name, grads.pop(name), grads[name.replace("recurrent_bias", "bias")])  # the same gradient for both
        else:
            grads[name] = torch_order(args, grads[name].T)
    return outputs, grads


def exact_hard_sigmoid(x):
    """Keras uses PyTorch's, whose gradient has a slope of 1/6 rounded to float32, in double precision too."""
    return torch.clamp(x + 3, 0, 6) / 6


def keras_layer(args, last):
    options = {"activation": args["activation"], "use_bias": args["use_bias"], "go_backwards": args["reverse"],
               "return_sequences": args["return_sequences"] or not last, "return_state": args["return_state"]}
    if args["cell"] != "elman":
        options |= {"recurrent_activation": args["recurrent_activation"], "use_cudnn": False}
    if args["cell"] == "gru":
        options["reset_after"] = args["reset_after"]
    k = keras.layers
    layer = {"elman": k.SimpleRNN, "lstm": k.LSTM, "gru": k.GRU}[args["cell"]](args["units"], **options)
    return k.Bidirectional(layer, merge_mode=args["merge"]) if args["bidirectional"] else layer


def run_keras(args, tensors, upstream):
    """The same by SimpleRNN, LSTM or GRU, Bidirectional or alone; layers are stacked one call after the other."""
    x, initial = leaf(tensors["input"]), {name: leaf(value) for name, value in tensors.items() if "/initial_" in name}
    mask = torch.tensor(tensors["mask"] != 0) if "mask" in tensors else None
    output, outputs, parameters = x, {}, {}
    for number in range(args["layers"]):
        layer = keras_layer(args, number == args["layers"] - 1)
        layer.build(output.shape)
        own = [f"layer{number}/{direction}/" for direction in directions(args)]
        for prefix, one in zip(own, [layer.forward_layer, layer.backward_layer] if len(own) == 2 else [layer]):
            for which in ("activation", "recurrent_activation"):
                if args.get(which) == "hard_sigmoid":
                    setattr(one.cell, which, exact_hard_sigmoid)
            values = [tensors[f"{prefix}kernel"], tensors[f"{prefix}recurrent_kernel"]]
            if args["use_bias"]:
                both = f"{prefix}recurrent_bias" in tensors
                values.append(np.stack([tensors[f"{prefix}bias"], tensors[f"{prefix}recurrent_bias"]]) if both
                              else tensors[f"{prefix}bias"])
            one.cell.set_weights(values)
            parameters |= {f"{prefix}{variable.name}": variable.value for variable in one.cell.trainable_variables}
        states = [initial[f"{prefix}initial_{state}"] for prefix in own for state in states_of(args)
                  if args["initial_state"]]
        output = layer(output, mask=mask, initial_state=states or None)
        if args["return_state"]:
            output, *lasts = output
            names = [f"{prefix}state_{state}" for prefix in own for state in states_of(args)]
            outputs |= dict(zip(names, lasts, strict=True))
        if args["reverse"] and output.ndim == 3:
            output = output.flip(1)  # Keras gives the last step first; here outputs stand at their own steps
    outputs["output"] = output

    grads = backward(outputs, upstream(outputs), {"input": x} | parameters | initial)
    for name, grad in list(grads.items()):
        if name.endswith("bias") and grad.ndim == 2:  # the two of a GRU with reset_after
            grads[name], grads[name.replace("bias", "recurrent_bias")] = grad
    return outputs, grads


def backward(outputs, upstream, inputs):
    """The gradients with respect to `inputs`; of nothing, where an input does not matter, they are zero."""
    grads = torch.autograd.grad(list(outputs.values()), list(inputs.values()),
                                [torch.tensor(upstream[name]) for name in outputs], allow_unused=True)
    return {name: np.zeros(value.shape) if grad is None else numpy(grad)
            for (name, value), grad in zip(inputs.items(), grads)}


# ------------------------------------------------------------------------------------------------------------ the cases


def comparable(args, tensors):
    """Where the framework's output is that of this library: 1, [batch, time] or, of last outputs, [batch].

    PyTorch gives 0 for steps that packing left out, and Keras' Bidirectional for masked steps. Keras alone gives 0 for
    masked steps before the first valid one, also where the state that the library carries over is not zero."""
    mask = tensors["mask"]
    if args["return_sequences"]:
        if args["bidirectional"] or args["framework"] == "torch":
            return mask
        if not args["initial_state"]:
            return np.ones_like(mask)
        ordered = mask[:, ::-1] if args["reverse"] else mask
        seen = (np.cumsum(ordered, 1) > 0).astype(np.int64)
        return seen[:, ::-1].copy() if args["reverse"] else seen
    if args["framework"] == "torch" or not args["initial_state"]:
        return np.ones(len(mask), np.int64)
    return mask.max(1)


def add_case(group, name, framework):
    rng = rng_for(name)
    for attempt in range(1000):
        if attempt % 100 == 0:  # first, or no numbers suit: the cell of an LSTM with two relus is 0 most of the time
            args = (draw_torch if framework == "torch" else draw_keras)(rng)
            if args["layers"] > 1 or args["bidirectional"]:
                args["units"] = min(args["units"], 4)
        tensors, margins = draw_numbers(rng, args), []
        with np.errstate(over="ignore", invalid="ignore"):
            expected = formula(args, tensors, margins)
        if not (min(margins, default=1) > MARGIN and all(np.all(np.abs(value) < 20) for value in expected.values())):
            continue  # too near a kink, or grown beyond bounds, as happens without tanh
        compared = comparable(args | {"framework": framework}, tensors) if "mask" in tensors else None

        def upstream(outputs):
            drawn = {what: rng.normal(size=value.shape) for what, value in sorted(outputs.items())}
            if compared is not None:
                drawn["output"] *= compared[..., None]
            return drawn

        drawn = {}
        keep = lambda outputs: drawn.update(upstream(outputs)) or drawn
        outputs, grads = (run_torch if framework == "torch" else run_keras)(args, tensors, keep)
        alive = all(np.abs(grads[f"{prefix}kernel"]).max() > 1e-3 for prefix in prefixes(args))
        if alive and all(np.abs(grad).max() < 500 for grad in grads.values()):
            break  # with relu a layer may be dead
    else:
        raise AssertionError(f"{name}: no good numbers")

    outputs = {what: numpy(value) for what, value in outputs.items()}
    assert outputs.keys() == expected.keys()
    for what, value in outputs.items():
        seen = compared[..., None] if what == "output" and compared is not None else 1
        assert np.all(value * (1 - seen) == 0)
        agree(f"{name}/{what}", value, expected[what] * seen)
    assert grads.keys() == tensors.keys() - {"mask"}
    tensors |= {named(what): grad for what, grad in grads.items()}
    agree_slopes(name, rng, lambda t: formula(args, t), tensors, drawn)
    if compared is not None and not compared.all():
        tensors["output_mask"] = compared
    tensors |= outputs | {named(what): value for what, value in drawn.items()}
    group.add(name, "recurrent", KERAS if framework == "keras" else TORCH, args, **tensors)


def counted(group):
    """How often each option was drawn, by framework."""
    counts = collections.Counter()
    for case in group.cases.values():
        for key, value in case["args"].items():
            counts[case["from"].split()[0], key, str(value)] += 1
    return counts


def recurrent():
    group = Group()
    x = torch.linspace(-4, 4, 33)
    agree("hard_sigmoid", keras.activations.hard_sigmoid(x), exact_hard_sigmoid(x))
    for framework, count in (("torch", TORCH_CASES), ("keras", KERAS_CASES)):
        for number in range(count):
            add_case(group, f"{framework}_{number:02}", framework)

    counts = counted(group)
    for key, values in (("cell", GATES), ("activation", ACTIVATIONS), ("recurrent_activation", ACTIVATIONS),
                        ("merge", ("concat", "sum", "mul", "ave")), ("mask", (None, "left", "right", "holes")),
                        ("reset_after", (True, False)), ("layers", (1, 2))):
        assert all(counts["keras", key, str(value)] >= 3 for value in values), f"too few of a {key}"
    assert all(counts["torch", "layers", str(layers)] >= 5 for layers in (1, 2, 3))
    return group
