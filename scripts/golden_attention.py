"""Golden numbers of attention under masks of pairs: for each query the keys that it sees, and numbers that are added to
scores. See golden.py and golden_sequences.py.

Numbers that are added may be -inf, which the files do not hold: it stands where `open` is 0.
"""

from golden_common import KERAS, TORCH, leaf, named, numpy, agree, agree_slopes, rng_for
from golden_sequences import as_bool, draw_mask, pick, size, stateless

import keras
import numpy as np
import torch
from torch.func import functional_call

CASES = 8  # of each kind and framework
PARTS = ("query", "key", "value", "attention_output")


def safe_softmax(scores, seen):
    """Over what is seen; 0 where nothing is."""
    scores = np.where(seen, scores, -np.inf)
    top = np.where(seen.any(-1), scores.max(-1, initial=-np.inf), 0)[..., None]
    e = np.where(seen, np.exp(np.where(seen, scores, 0) - top), 0)
    total = e.sum(-1, keepdims=True)
    return np.divide(e, total, out=np.zeros_like(e), where=total > 0)


def draw_pairs(rng, shape):
    """0 and 1; some queries see nothing."""
    pairs = (rng.random(shape) < 0.6).astype(np.int64)
    if pick(rng, False, True):
        pairs[..., 0, :] = 0
    return pairs


def add(group, name, kind, source, args, rng, arrays, run, formula, **fixed):
    arrays = {what: array for what, array in arrays.items() if array is not None}
    leaves = {what: leaf(array) for what, array in arrays.items()}
    output = run(leaves)
    assert torch.isfinite(output).all(), f"{name}: a query that sees nothing"
    grad_output = rng.normal(size=output.shape)
    grads = torch.autograd.grad(output, list(leaves.values()), torch.tensor(grad_output))
    agree(f"{name}/output", output, formula(arrays)["output"])
    tensors = arrays | {named(what): numpy(grad) for what, grad in zip(leaves, grads)}
    agree_slopes(name, rng, formula, tensors, {"output": grad_output})
    group.add(name, kind, source, args, **tensors, **fixed, output=output, grad_output=grad_output)


def draw_masks(rng, sizes, number):
    """What is seen, what is added, and where that is finite; at least one of the first two, whatever else."""
    batch, heads, queries, keys = sizes
    shapes = ((queries, keys), (batch, 1, queries, keys), (batch, heads, queries, keys))
    which = number % 4  # a mask; numbers; numbers with -inf; all of it
    mask = draw_pairs(rng, shapes[rng.integers(3)]) if which in (0, 3) else None
    shape = shapes[rng.integers(3)]
    bias = rng.normal(size=shape) if which else None
    open_ = draw_pairs(rng, shape) if which > 1 else None
    return mask, bias, open_


def seen_and_added(sizes, mask, bias, open_, causal, value_mask=None):
    seen = np.ones(sizes, bool)
    for part in (mask, open_):
        if part is not None:
            seen &= part != 0
    if causal:
        seen &= np.tril(np.ones(sizes[2:], bool))
    if value_mask is not None:
        seen &= value_mask[:, None, None] != 0
    return seen, np.zeros(sizes) if bias is None else bias


def in_torch(t, mask, open_, causal, sizes, inverted):
    """One mask for PyTorch: flags if nothing is added, else numbers with -inf. `inverted`: true hides, as in modules."""
    seen = torch.tensor(seen_and_added(sizes, mask, None, open_, causal)[0])
    if "bias" not in t:
        return ~seen if inverted else seen
    return torch.where(seen, t["bias"].expand(sizes), -torch.inf)


def add_products(group):
    """`torch.nn.functional.scaled_dot_product_attention`."""
    for number in range(2 * CASES):
        name = f"scaled_dot_product_attention_{number}"
        rng = rng_for(name)
        sizes = batch, heads, queries, keys = size(rng, 1, 3), size(rng, 1, 3), size(rng, 2, 5), size(rng, 2, 6)
        width = size(rng, 1, 5)
        mask, bias, open_ = draw_masks(rng, sizes, number)
        args = {"scale": pick(rng, None, 0.3), "causal": number % 3 == 2}
        arrays = {"query": rng.normal(size=(batch, heads, queries, width)),
                  "key": rng.normal(size=(batch, heads, keys, width)),
                  "value": rng.normal(size=(batch, heads, keys, size(rng, 1, 5))), "bias": bias}

        def run(t):
            masked = in_torch(t, mask, open_, args["causal"], sizes, False)
            return torch.nn.functional.scaled_dot_product_attention(t["query"], t["key"], t["value"], masked,
                                                                    scale=args["scale"])

        def formula(t):
            seen, added = seen_and_added(sizes, mask, t.get("bias"), open_, args["causal"])
            scale = args["scale"] or 1 / np.sqrt(width)
            return {"output": safe_softmax(t["query"] @ t["key"].swapaxes(2, 3) * scale + added, seen) @ t["value"]}

        fixed = {what: array for what, array in (("mask", mask), ("open", open_)) if array is not None}
        add(group, name, "scaled_dot_product_attention", TORCH, args, rng, arrays, run, formula, **fixed)


def add_heads(group):
    """`torch.nn.MultiheadAttention` with `attn_mask` and `key_padding_mask`, Keras' with `attention_mask`."""
    for framework in ("torch", "keras"):
        for number in range(CASES):
            name = f"masked_multi_head_attention_{framework}_{number}"
            rng = rng_for(name)
            heads, key_dim, batch, queries = size(rng, 1, 3), size(rng, 1, 3), size(rng, 1, 3), size(rng, 2, 5)
            itself = number % 2 == 0
            keys = queries if itself else size(rng, 2, 6)
            sizes = batch, heads, queries, keys
            width = heads * key_dim
            args = {"heads": heads, "key_dim": key_dim, "value_dim": key_dim, "use_bias": True,
                    "causal": number % 3 == 1, "self_attention": itself}
            if framework == "torch":
                mask, bias, open_ = draw_masks(rng, sizes, number)
            else:  # Keras takes flags, and of a query that sees nothing it makes a mean of what it should not see
                mask, bias, open_ = (rng.random((batch, queries, keys)) < 0.6).astype(np.int64), None, None
                mask[..., 0] = 1
            value_mask = draw_mask(rng, batch, keys) if number % 4 > 1 else None
            if value_mask is not None and framework == "keras":
                value_mask[:, 0] = 1
            arrays = {"query": rng.normal(size=(batch, queries, width)),
                      "value": None if itself else rng.normal(size=(batch, keys, width)), "bias": bias}
            for part in PARTS[:3]:
                arrays[f"{part}/kernel"] = rng.normal(size=(width, heads, key_dim)) / np.sqrt(width)
                arrays[f"{part}/bias"] = rng.normal(size=(heads, key_dim))
            arrays["attention_output/kernel"] = rng.normal(size=(heads, key_dim, width)) / np.sqrt(width)
            arrays["attention_output/bias"] = rng.normal(size=width)

            def by_torch(t):
                module = torch.nn.MultiheadAttention(width, heads, batch_first=True)
                weight = lambda part: t[f"{part}/kernel"].reshape(width, width).T  # PyTorch keeps [out, in]
                parameters = {"in_proj_weight": torch.cat([weight(part) for part in PARTS[:3]]),
                              "in_proj_bias": torch.cat([t[f"{part}/bias"].reshape(-1) for part in PARTS[:3]]),
                              "out_proj.weight": weight("attention_output"), "out_proj.bias": t["attention_output/bias"]}
                assert parameters.keys() == dict(module.named_parameters()).keys()
                value = t.get("value", t["query"])
                masked = in_torch(t, mask, open_, args["causal"], sizes, True).reshape(-1, queries, keys)
                ignored = None if value_mask is None else ~as_bool(value_mask)
                if ignored is not None and masked.is_floating_point():  # both masks of one type
                    ignored = torch.where(ignored, -torch.inf, 0.0)
                output, _ = functional_call(module, parameters, (t["query"], value, value),
                                            {"key_padding_mask": ignored, "attn_mask": masked, "need_weights": False})
                return output

            def by_keras(t):
                layer = keras.layers.MultiHeadAttention(heads, key_dim)
                value = t.get("value", t["query"])
                layer.build(tuple(t["query"].shape), tuple(value.shape))
                names = [f"{part}/{what}" for part in PARTS for what in ("kernel", "bias")]
                options = {"value_mask": as_bool(value_mask), "attention_mask": as_bool(mask),
                           "use_causal_mask": args["causal"]}
                return stateless(layer, t, names, (t["query"], value), layer.non_trainable_variables, **options)[0]

            def formula(t):
                value = t.get("value", t["query"])
                q, k, v = (np.einsum("bti,iho->bhto", x, t[f"{part}/kernel"]) + t[f"{part}/bias"][:, None]
                           for part, x in zip(PARTS, (t["query"], value, value)))
                pairs = mask if mask is None or mask.ndim != 3 else mask[:, None]
                seen, added = seen_and_added(sizes, pairs, t.get("bias"), open_, args["causal"], value_mask)
                mixed = safe_softmax(q @ k.swapaxes(2, 3) / np.sqrt(key_dim) + added, seen) @ v
                output = np.einsum("bhtv,hvo->bto", mixed, t["attention_output/kernel"])
                return {"output": output + t["attention_output/bias"]}

            run, source = (by_torch, TORCH) if framework == "torch" else (by_keras, KERAS)
            masks = (("mask", mask), ("open", open_), ("value_mask", value_mask))
            fixed = {what: array for what, array in masks if array is not None}
            add(group, name, "masked_multi_head_attention", source, args, rng, arrays, run, formula, **fixed)


def add_masked_attentions(group):
    add_products(group)
    add_heads(group)
