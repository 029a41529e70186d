"""Golden numbers of taggers: conditional random fields by pytorch-crf, connectionist temporal classification by PyTorch. See golden.py.

pytorch-crf takes masks whose first step counts, and steps left out between others are neighbours of these. Here they are passed over, so it
is given each sequence by itself, without the steps that do not count. What is forbidden scores -1e4 there: in double precision its
probability is 0.
"""

import warnings

from golden_common import TORCH, Group, agree, agree_slopes, leaf, numpy, rng_for

import numpy as np
import torch
import torch.nn.functional as F
import torchcrf
from importlib.metadata import version
from torch.func import functional_call

SOURCE = f"pytorch-crf {version('pytorch-crf')}"
FORBIDDEN = -1e4
warnings.filterwarnings("ignore", "where received a uint8 condition tensor")  # of pytorch-crf's own making


def log_sum_exp(x, axis):
    most = x.max(axis, keepdims=True)
    return (most + np.log(np.exp(x - most).sum(axis, keepdims=True))).squeeze(axis)


def formula(t, mask, tags, closed):
    """The negative log-likelihood of each sequence, by the forward algorithm."""
    transitions = np.where(closed, FORBIDDEN, t["transitions"])
    each = []
    for scores, counts, given in zip(t["scores"], mask, tags):
        scores, given = scores[counts == 1], given[counts == 1]
        if not len(scores):
            each.append(0.0)
            continue
        alpha = t["start"] + scores[0]
        for of_step in scores[1:]:
            alpha = log_sum_exp(alpha[:, None] + transitions, 0) + of_step
        score = t["start"][given[0]] + scores[np.arange(len(given)), given].sum() + t["end"][given[-1]]
        score += transitions[given[:-1], given[1:]].sum()
        each.append(log_sum_exp(alpha + t["end"], 0) - score)
    return {"each": np.array(each)}


def by_torch(module, t, mask, tags, closed):
    """The same, and the best paths, by pytorch-crf."""
    transitions = torch.where(torch.tensor(closed), FORBIDDEN, t["transitions"])
    module.load_state_dict({"start_transitions": t["start"].detach(), "end_transitions": t["end"].detach(),
                            "transitions": transitions.detach()})
    weights = {"start_transitions": t["start"], "end_transitions": t["end"], "transitions": transitions}
    each, paths = [], np.full(tags.shape, -1)
    for row, counts in enumerate(mask == 1):
        if not counts.any():
            each.append(torch.zeros(()) * t["scores"].sum())
            continue
        scores = t["scores"][row][torch.tensor(counts)][None]
        given = torch.tensor(tags[row][counts])[None]
        each.append(-functional_call(module, weights, (scores, given), {"reduction": "none"})[0])
        paths[row, counts] = module.decode(scores)[0]
    return torch.stack(each), paths


def masks(rng, kind, batch, time):
    lengths = rng.integers(1, time + 1, batch)
    steps = np.arange(time)
    return {
        "all": np.ones((batch, time), int),
        "right": (steps < lengths[:, None]).astype(int),
        "left": (steps >= time - lengths[:, None]).astype(int),
        # The last sequence has no step.
        "holes": np.concatenate([(rng.random((batch - 1, time)) < 0.6).astype(int), np.zeros((1, time), int)]),
    }[kind]


def tagging():
    group = Group()
    for kind in ("all", "right", "left", "holes"):
        for forbids in (False, True):
            name = f"crf_{kind}" + ("_forbidden" if forbids else "")
            rng = rng_for(name)
            batch, time, tags = int(rng.integers(2, 6)), int(rng.integers(3, 9)), int(rng.integers(2, 7))
            shapes = {"scores": (batch, time, tags), "start": (tags,), "transitions": (tags, tags), "end": (tags,)}
            leaves = {what: leaf(rng.normal(size=shape)) for what, shape in shapes.items()}
            mask, given = masks(rng, kind, batch, time), rng.integers(tags, size=(batch, time))
            closed = np.zeros((tags, tags), bool)
            if forbids:
                # Not those that go to a tag from itself or the one before, of which the given tags are made.
                closed = rng.random((tags, tags)) < 0.4
                closed[np.arange(tags), np.arange(tags)] = False
                closed[np.arange(tags), (np.arange(tags) + 1) % tags] = False
                given = np.cumsum(rng.integers(2, size=(batch, time)) * mask, 1) % tags
            each, paths = by_torch(torchcrf.CRF(tags, batch_first=True), leaves, mask, given, closed)
            of = lambda t: formula(t, mask, given, closed)
            agree(name, each, of({what: numpy(value) for what, value in leaves.items()})["each"])
            grad_output = rng.normal(size=batch)
            grads = torch.autograd.grad(each, list(leaves.values()), torch.tensor(grad_output))
            tensors = dict(leaves) | {f"grad_{what}": grad for what, grad in zip(leaves, grads)}
            agree_slopes(name, rng, of, tensors, {"each": grad_output})
            means = {"token_mean": each.sum() / mask.sum(), "mean": each.sum() / mask.any(1).sum()}
            group.add(name, "crf", SOURCE, {"forbidden": np.argwhere(closed).tolist()}, **tensors, tags=given, mask=mask,
                      each=each, grad_output=grad_output, path=paths, **means)
    add_transcripts(group)
    return group


def alignments(t, lengths, labels, counts, blank):
    """The negative log-likelihood of each sequence's labels, by the forward algorithm over blanks and labels."""
    each = []
    for logits, length, row, count in zip(t["logits"], lengths, labels, counts):
        x = logits[:length] - log_sum_exp(logits[:length], -1)[:, None]
        states = [blank]
        for label in row[:count]:
            states += [label, blank]
        skips = [i > 1 and states[i] != blank and states[i] != states[i - 2] for i in range(len(states))]
        alpha = np.where(np.arange(len(states)) == 0, 0.0, -np.inf)
        for step in x:
            from_one, from_two = np.r_[-np.inf, alpha][:-1], np.r_[-np.inf, -np.inf, alpha][:-2]
            alpha = np.logaddexp(np.logaddexp(alpha, from_one), np.where(skips, from_two, -np.inf)) + step[states]
        each.append(-np.logaddexp.reduce(alpha[-2:]))
    return {"each": np.array(each)}


def add_transcripts(group):
    """By `ctc_loss` behind `log_softmax`, with gradients at the logits."""
    for name, time, classes, most, blank, scale in (("ctc", 12, 5, 4, 0, 1), ("ctc_last_blank", 9, 4, 3, 3, 1),
                                                    ("ctc_empty", 5, 3, 0, 0, 1), ("ctc_repeats", 15, 3, 5, 1, 1),
                                                    ("ctc_many", 10, 1100, 4, 7, 1), ("ctc_extreme", 12, 5, 4, 0, 40)):
        rng = rng_for(name)
        batch = 4
        logits = leaf(rng.normal(size=(batch, time, classes)) * scale)
        counts = rng.integers(0, most + 1, batch)
        counts[0] = most
        labels = rng.integers(classes - 1, size=(batch, max(most, 1)))
        labels += labels >= blank
        repeats = [int((row[1:count] == row[: count - 1]).sum()) for row, count in zip(labels, np.maximum(counts, 1))]
        lengths = np.array([rng.integers(max(need, 1), time + 1) for need in counts + repeats])
        lengths[1] = time
        # Time first; its gradient is right behind a softmax alone.
        each = F.ctc_loss(logits.log_softmax(-1).transpose(0, 1), torch.tensor(labels), torch.tensor(lengths),
                          torch.tensor(counts), blank=blank, reduction="none")
        of = lambda t: alignments(t, lengths, labels, counts, blank)
        agree(name, each, of({"logits": numpy(logits)})["each"])
        grad_output = rng.normal(size=batch)
        (grad,) = torch.autograd.grad(each, [logits], torch.tensor(grad_output))
        tensors = {"logits": logits, "grad_logits": grad}
        agree_slopes(name, rng, of, tensors, {"each": grad_output})
        group.add(name, "ctc", TORCH, {"blank": blank}, **tensors, lengths=lengths, labels=labels, counts=counts, each=each,
                  grad_output=grad_output)
