"""Golden numbers of the other layers of sequences: normalisation, attention, pooling, embedding. See golden.py.

Options and sizes are drawn from a seed. The weights are leaves of the graph, put into PyTorch's modules by
`functional_call` and into Keras' layers by `stateless_call`, so that the gradients come in the layout of the files.
"""

import warnings

from golden_common import KERAS, TORCH, Group, agree, agree_slopes, leaf, named, numpy, rng_for, softmax

import keras
import numpy as np
import torch
from torch.func import functional_call

CASES = 5  # of each kind and framework
warnings.filterwarnings("ignore", "You are using a softmax over axis")  # of length 1: meant so


def pick(rng, *options):
    return options[rng.integers(len(options))]


def size(rng, low, high):
    return int(rng.integers(low, high + 1))


def draw_mask(rng, batch, time):
    """0 and 1 [batch, time], with a valid step in each row."""
    mask = (rng.random((batch, time)) < 0.6).astype(np.int64)
    mask[np.arange(batch), rng.integers(time, size=batch)] = 1
    return mask


def as_bool(mask):
    return None if mask is None else torch.tensor(mask != 0)


def add(group, name, kind, source, args, rng, arrays, run, formula, **fixed):
    """Computes a case. `arrays` are what has a gradient; `run` takes them as leaves, `formula` as NumPy arrays; both
    give a dict with `output`, from whose elements a random gradient comes, and what else there is to compare."""
    arrays = {what: array for what, array in arrays.items() if array is not None}
    fixed = {what: array for what, array in fixed.items() if array is not None}
    leaves = {what: leaf(array) for what, array in arrays.items()}
    outputs = run(leaves)
    grad_output = rng.normal(size=outputs["output"].shape)
    grads = torch.autograd.grad(outputs["output"], list(leaves.values()), torch.tensor(grad_output))
    for what, expected in formula(arrays).items():
        agree(f"{name}/{what}", outputs[what], expected)
    tensors = arrays | {named(what): numpy(grad) for what, grad in zip(leaves, grads)}
    agree_slopes(name, rng, formula, tensors, {"output": grad_output})
    group.add(name, kind, source, args, **tensors, **fixed, **outputs, grad_output=grad_output)


def stateless(layer, leaves, names, inputs, states=(), **options):
    """The output of a Keras layer whose trainable variables are the `leaves` called `names`, as many as it has."""
    names = [name for name in names if name in leaves]
    assert len(names) == len(layer.trainable_variables)
    assert all(leaves[name].shape == tuple(v.shape) for name, v in zip(names, layer.trainable_variables))
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    return layer.stateless_call([leaves[name] for name in names], list(states), *inputs, **options)


# -------------------------------------------------------------------------------------------------------- normalisation


def normalised(x, axes, epsilon, gamma, beta):
    mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    return (x - mean) / np.sqrt(variance + epsilon) * gamma + beta


def add_layer_norms(group):
    for framework in ("torch", "keras"):
        for number in range(CASES):
            name = f"layer_norm_{framework}_{number}"
            rng = rng_for(name)
            shape = [size(rng, 1, 4), size(rng, 2, 5), size(rng, 2, 6)][pick(rng, 0, 0, 1):]
            axes = [-2, -1] if len(shape) == 3 and pick(rng, False, True) else [-1]
            args = {"axes": axes, "epsilon": pick(rng, 1e-5, 1e-3), "scale": pick(rng, True, True, False)}
            # PyTorch's module has no shift without a scale
            args["center"] = pick(rng, True, True, False) and (framework == "keras" or args["scale"])
            normal = shape[len(shape) - len(axes):]
            arrays = {"input": 2 * rng.normal(size=shape) + rng.normal(),
                      "gamma": 1 + 0.5 * rng.normal(size=normal) if args["scale"] else None,
                      "beta": rng.normal(size=normal) if args["center"] else None}

            def by_torch(t):
                module = torch.nn.LayerNorm(normal, args["epsilon"], args["scale"], args["center"])
                parameters = {own: t[what] for own, what in (("weight", "gamma"), ("bias", "beta")) if what in t}
                assert parameters.keys() == dict(module.named_parameters()).keys()
                return {"output": functional_call(module, parameters, t["input"])}

            def by_keras(t):
                axis = axes if len(axes) > 1 else -1
                layer = keras.layers.LayerNormalization(axis, args["epsilon"], args["center"], args["scale"])
                layer.build(tuple(shape))
                return {"output": stateless(layer, t, ("gamma", "beta"), t["input"])[0]}

            formula = lambda t: {"output": normalised(t["input"], tuple(axes), args["epsilon"], t.get("gamma", 1),
                                                      t.get("beta", 0))}
            run, source = (by_torch, TORCH) if framework == "torch" else (by_keras, KERAS)
            add(group, name, "layer_norm", source, args, rng, arrays, run, formula)


def add_batch_norms(group):
    for which in ("training", "masked", "inference"):
        for number in range(CASES):
            name = f"batch_norm_{which}_{number}"
            rng = rng_for(name)
            shape = [size(rng, 2, 5), size(rng, 2, 5), size(rng, 1, 6)]
            if which != "masked" and pick(rng, False, True):
                del shape[1]
            features, training = shape[-1], which != "inference"
            args = {"momentum": 0.99, "epsilon": 1e-3, "training": training, "scale": pick(rng, True, True, False),
                    "center": pick(rng, True, True, False)}
            arrays = {"input": 2 * rng.normal(size=shape) + rng.normal(),
                      "gamma": 1 + 0.5 * rng.normal(size=features) if args["scale"] else None,
                      "beta": rng.normal(size=features) if args["center"] else None}
            mask = draw_mask(rng, *shape[:2]) if which == "masked" else None
            mean, variance = rng.normal(size=features), rng.uniform(0.5, 2, features)
            updated = {}

            def run(t):
                layer = keras.layers.BatchNormalization(-1, args["momentum"], args["epsilon"], args["center"],
                                                        args["scale"])
                layer.build(tuple(shape))
                # With a mask, Keras divides by the number of valid steps + keras.config.epsilon(): here by the number.
                epsilon = keras.config.epsilon()
                keras.config.set_epsilon(0.0)
                states = [torch.tensor(mean), torch.tensor(variance)]
                options = {} if mask is None else {"mask": as_bool(mask)}
                output, (new_mean, new_variance) = stateless(layer, t, ("gamma", "beta"), t["input"], states,
                                                             training=training, **options)
                keras.config.set_epsilon(epsilon)
                if training:
                    updated.update(new_moving_mean=new_mean, new_moving_variance=new_variance)
                else:
                    agree(name, new_mean, mean)
                return {"output": output, **updated}

            def formula(t):
                x = t["input"].reshape(-1, features)
                valid = x if mask is None else x[mask.reshape(-1) != 0]
                m, v = (valid.mean(0), valid.var(0)) if training else (mean, variance)
                y = (t["input"] - m) / np.sqrt(v + args["epsilon"]) * t.get("gamma", 1) + t.get("beta", 0)
                keep = args["momentum"]
                new = {"new_moving_mean": keep * mean + (1 - keep) * m,
                       "new_moving_variance": keep * variance + (1 - keep) * v}
                return {"output": y} | (new if training else {})

            add(group, name, "batch_norm", KERAS, args, rng, arrays, run, formula, mask=mask, moving_mean=mean,
                moving_variance=variance)


# ------------------------------------------------------------------------------------------------------------ attention


def attended(scores, value, value_mask, causal):
    """The values [batch, (heads,) time, ...] weighted by the softmax of the scores over what may be seen."""
    batch, steps = scores.shape[0], scores.shape[-2:]
    seen = np.ones((batch, *steps), bool)
    if value_mask is not None:
        seen &= value_mask[:, None] != 0
    if causal:
        seen &= np.tril(np.ones(steps, bool))
    seen = seen if scores.ndim == 3 else seen[:, None]
    return softmax(np.where(seen, scores, -np.inf)) @ value


def add_attentions(group):
    """Keras' Attention (query · key) and AdditiveAttention (the sum of tanh(query + key))."""
    for kind in ("attention", "additive_attention"):
        for number in range(2 * CASES):
            name = f"{kind}_{number}"
            rng = rng_for(name)
            batch, queries, values, width = size(rng, 1, 4), size(rng, 1, 6), size(rng, 1, 6), size(rng, 1, 5)
            args = {"use_scale": pick(rng, False, True), "causal": pick(rng, False, False, True)}
            key = pick(rng, False, True)  # without a key, the value is the key
            masks = pick(rng, "query value", "value", "query value") if number % 4 else ""
            query_mask = draw_mask(rng, batch, queries) if "query" in masks else None
            value_mask = draw_mask(rng, batch, values) if "value" in masks else None
            if args["causal"] and value_mask is not None:
                value_mask[:, 0] = 1  # all steps see something
            width_of_scale = () if kind == "attention" else width
            arrays = {"query": rng.normal(size=(batch, queries, width)),
                      "value": rng.normal(size=(batch, values, size(rng, 1, 5) if key else width)),
                      "key": rng.normal(size=(batch, values, width)) if key else None,
                      "scale": np.atleast_1d(rng.normal(size=width_of_scale))[0 if kind == "attention" else slice(None)]
                      if args["use_scale"] else None}

            def run(t):
                layer = (keras.layers.Attention if kind == "attention" else keras.layers.AdditiveAttention)(
                    use_scale=args["use_scale"])
                inputs = [t[what] for what in ("query", "value", "key") if what in t]
                layer.build([x.shape for x in inputs])
                mask = [as_bool(query_mask), as_bool(value_mask)] if masks else None
                options = {"use_causal_mask": args["causal"]}
                return {"output": stateless(layer, t, ("scale",), (inputs,), layer.non_trainable_variables, mask=mask,
                                            **options)[0]}

            def formula(t):
                q, v, k = t["query"], t["value"], t.get("key", t["value"])
                scale = t.get("scale", 1.0)
                scores = (q @ k.swapaxes(1, 2) * scale if kind == "attention"
                          else (np.tanh(q[:, :, None] + k[:, None]) * scale).sum(-1))
                output = attended(scores, v, value_mask, args["causal"])
                return {"output": output * (1 if query_mask is None else query_mask[..., None])}

            add(group, name, kind, KERAS, args, rng, arrays, run, formula, query_mask=query_mask,
                value_mask=value_mask)


def add_multi_head_attentions(group):
    parts = ("query", "key", "value", "attention_output")
    for framework in ("torch", "keras"):
        for number in range(CASES):
            name = f"multi_head_attention_{framework}_{number}"
            rng = rng_for(name)
            heads, key_dim, batch, queries = size(rng, 1, 3), size(rng, 1, 3), size(rng, 1, 4), size(rng, 1, 5)
            itself = pick(rng, False, True)  # self-attention
            values = queries if itself else size(rng, 1, 5)
            width = heads * key_dim if framework == "torch" else size(rng, 1, 5)
            value_dim = key_dim if framework == "torch" else size(rng, 1, 3)
            value_width = width if framework == "torch" or itself else size(rng, 1, 5)
            args = {"heads": heads, "key_dim": key_dim, "value_dim": value_dim,
                    "use_bias": pick(rng, True, True, False), "causal": pick(rng, False, True),
                    "self_attention": itself}
            value_mask = draw_mask(rng, batch, values) if pick(rng, False, True, True) else None
            if args["causal"] and value_mask is not None:
                value_mask[:, 0] = 1
            arrays = {"query": rng.normal(size=(batch, queries, width)),
                      "value": None if itself else rng.normal(size=(batch, values, value_width))}
            for part, inputs, outputs in zip(parts, (width, value_width, value_width), (key_dim, key_dim, value_dim)):
                arrays[f"{part}/kernel"] = rng.normal(size=(inputs, heads, outputs)) / np.sqrt(inputs)
                arrays[f"{part}/bias"] = rng.normal(size=(heads, outputs)) if args["use_bias"] else None
            arrays["attention_output/kernel"] = rng.normal(size=(heads, value_dim, width)) / np.sqrt(heads * value_dim)
            arrays["attention_output/bias"] = rng.normal(size=width) if args["use_bias"] else None

            def by_torch(t):
                module = torch.nn.MultiheadAttention(width, heads, bias=args["use_bias"], batch_first=True)
                weight = lambda part: t[f"{part}/kernel"].reshape(width, width).T  # PyTorch keeps [out, in]
                parameters = {"in_proj_weight": torch.cat([weight(part) for part in parts[:3]]),
                              "out_proj.weight": weight("attention_output")}
                if args["use_bias"]:
                    parameters["in_proj_bias"] = torch.cat([t[f"{part}/bias"].reshape(-1) for part in parts[:3]])
                    parameters["out_proj.bias"] = t["attention_output/bias"]
                assert parameters.keys() == dict(module.named_parameters()).keys()
                value = t.get("value", t["query"])
                ignored = None if value_mask is None else ~as_bool(value_mask)  # true: not seen
                later = ~torch.ones(queries, values, dtype=torch.bool).tril() if args["causal"] else None
                output, _ = functional_call(module, parameters, (t["query"], value, value),
                                            {"key_padding_mask": ignored, "attn_mask": later, "need_weights": False})
                return {"output": output}

            def by_keras(t):
                layer = keras.layers.MultiHeadAttention(heads, key_dim, value_dim, use_bias=args["use_bias"])
                value = t.get("value", t["query"])
                layer.build(tuple(t["query"].shape), tuple(value.shape))
                names = [f"{part}/{what}" for part in parts for what in ("kernel", "bias")]
                found = [variable.path.split("/", 1)[1] for variable in layer.trainable_variables]
                assert found == [each for each in names if each in t], found
                options = {"value_mask": as_bool(value_mask), "use_causal_mask": args["causal"]}
                return {"output": stateless(layer, t, names, (t["query"], value), layer.non_trainable_variables,
                                            **options)[0]}

            def formula(t):
                value = t.get("value", t["query"])
                q, k, v = (np.einsum("bti,iho->bhto", x, t[f"{part}/kernel"])
                           + (t[f"{part}/bias"][:, None] if args["use_bias"] else 0)
                           for part, x in zip(parts, (t["query"], value, value)))
                mixed = attended(q @ k.swapaxes(2, 3) / np.sqrt(key_dim), v, value_mask, args["causal"])
                output = np.einsum("bhtv,hvo->bto", mixed, t["attention_output/kernel"])
                return {"output": output + t.get("attention_output/bias", 0)}

            run, source = (by_torch, TORCH) if framework == "torch" else (by_keras, KERAS)
            add(group, name, "multi_head_attention", source, args, rng, arrays, run, formula, value_mask=value_mask)


# ------------------------------------------------------------------------------------------------ pooling and embedding


def add_poolings(group):
    for kind in ("global_average_pooling", "global_max_pooling"):
        for number in range(CASES):
            name = f"{kind}_{number}"
            rng = rng_for(name)
            x = rng.normal(size=(size(rng, 1, 5), size(rng, 1, 9), size(rng, 1, 6)))
            mask = draw_mask(rng, *x.shape[:2]) if kind == "global_average_pooling" and number % 5 else None
            gaps = np.diff(np.sort(x, 1), axis=1)
            assert not gaps.size or gaps.min() > 1e-4, f"{name}: a tie"

            def run(t):
                if kind == "global_max_pooling":  # which knows no mask
                    return {"output": keras.layers.GlobalMaxPooling1D()(t["input"])}
                return {"output": keras.layers.GlobalAveragePooling1D()(t["input"], mask=as_bool(mask))}

            def formula(t):
                if kind == "global_max_pooling":
                    return {"output": t["input"].max(1)}
                weights = np.ones(x.shape[:2]) if mask is None else mask
                return {"output": (t["input"] * weights[..., None]).sum(1) / weights.sum(1)[:, None]}

            add(group, name, kind, KERAS, {}, rng, {"input": x}, run, formula, mask=mask)


def add_embeddings(group):
    for framework in ("torch", "keras"):
        for number in range(CASES):
            name = f"embedding_{framework}_{number}"
            rng = rng_for(name)
            words, dimension = size(rng, 3, 9), size(rng, 1, 5)
            shape = (size(rng, 1, 4), size(rng, 1, 7))
            padding = pick(rng, 0, size(rng, 0, words - 1), None) if framework == "torch" else None
            args = {"words": words, "dimension": dimension, "padding_index": padding,
                    "mask_zero": framework == "keras" and pick(rng, False, True)}
            indices, table = rng.integers(words, size=shape), rng.normal(size=(words, dimension))
            indices.flat[0] = 0 if padding is None else padding
            indices.flat[-1] = words - 1
            mask = None

            def by_torch(t):
                module = torch.nn.Embedding(words, dimension, padding)
                return {"output": functional_call(module, {"weight": t["embeddings"]}, torch.tensor(indices))}

            layer = keras.layers.Embedding(words, dimension, mask_zero=args["mask_zero"])
            if args["mask_zero"]:
                mask = layer.compute_mask(torch.tensor(indices)).numpy().astype(np.int64)
                assert np.array_equal(mask, indices != 0)

            def by_keras(t):
                layer.build()
                return {"output": stateless(layer, t, ("embeddings",), torch.tensor(indices))[0]}

            def formula(t):
                rows = t["embeddings"][indices]  # the row of the padding learns nothing: it counts as a constant
                return {"output": np.where((indices == padding)[..., None], table[indices], rows)
                        if padding is not None else rows}

            run, source = (by_torch, TORCH) if framework == "torch" else (by_keras, KERAS)
            add(group, name, "embedding", source, args, rng, {"embeddings": table}, run, formula, indices=indices,
                mask=mask)


def sequences():
    from golden_attention import add_masked_attentions  # which takes some of what is above

    group = Group()
    add_layer_norms(group)
    add_batch_norms(group)
    add_attentions(group)
    add_multi_head_attentions(group)
    add_masked_attentions(group)
    add_poolings(group)
    add_embeddings(group)
    return group
