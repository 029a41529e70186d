"""pytorch-crf's and PyTorch's side of benches/tagging.rs: torch_crf.py loss|path|heads [--masked] [--threads N] [--batch 32 --steps 50 --tags 20]."""
import argparse
import json
import warnings

import torch
import torch.nn.functional as F
import torchcrf
from torch import nn

from torch_language import timed

warnings.filterwarnings("ignore", "where received a uint8 condition tensor")

WORD, LABELS, ARCS, UNITS = 1024, 40, 512, 128


class Parser(nn.Module):
    """Heads and labels as in Biaffine; what cannot be scores -1e4, as the smoothing reaches it here."""

    def __init__(self):
        super().__init__()
        self.root = nn.Parameter(torch.randn(WORD) * 0.05)
        self.dependents, self.heads = nn.Linear(WORD, ARCS + UNITS), nn.Linear(WORD, ARCS + UNITS)
        self.arcs = nn.Linear(ARCS, ARCS + 1, bias=False)
        self.labels = nn.Linear(UNITS, LABELS * (UNITS + 1))

    def forward(self, x, there):
        batch, time, _ = x.shape
        f = lambda y: F.leaky_relu(y, 0.1).split([ARCS, UNITS], -1)
        arc, label = f(self.dependents(x))
        to_arc, to_label = f(self.heads(torch.cat([self.root.expand(batch, 1, -1), x], 1)))
        one = torch.ones(batch, time, 1)
        arcs = torch.cat([arc, one], -1) @ self.arcs(to_arc).transpose(1, 2)
        arcs = arcs.masked_fill(~there[:, None], -1e4).log_softmax(-1)
        to_label = self.labels(to_label).view(batch, (time + 1) * LABELS, UNITS + 1)
        labels = (torch.cat([label, one], -1) @ to_label.transpose(1, 2)).view(batch, time, time + 1, LABELS)
        return (labels.log_softmax(-1) + arcs[..., None]).flatten(2)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["loss", "path", "heads"])
    parser.add_argument("--masked", action="store_true")
    for what, default in (("threads", 2), ("batch", 32), ("steps", 50), ("tags", 20)):
        parser.add_argument(f"--{what}", type=int, default=default)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    batch, steps, tags = options.batch, options.steps, options.tags
    # Time first is what it computes with: it need not turn anything.
    scores = (torch.rand(steps, batch, tags) * 4 - 2).requires_grad_()
    labels = torch.randint(tags, (steps, batch))
    lengths = torch.randint(steps // 2, steps + 1, (batch,))
    mask = (torch.arange(steps)[:, None] < lengths) if options.masked else None
    field = torchcrf.CRF(tags)

    def loss():
        scores.grad = None
        field.zero_grad()
        (-field(scores, labels, mask=mask)).backward()

    def path():
        with torch.inference_mode():
            field.decode(scores, mask=mask)

    words = torch.randn(batch, steps, WORD).requires_grad_()
    parser_of = Parser()
    ones = torch.ones(batch, 1, dtype=torch.bool)
    there = torch.cat([ones, mask.T if options.masked else torch.ones(batch, steps, dtype=torch.bool)], 1)
    classes = torch.randint(LABELS, (batch, steps))

    def heads():
        words.grad = None
        parser_of.zero_grad()
        each = F.cross_entropy(parser_of(words, there).flatten(0, 1), classes.flatten(), reduction="none", label_smoothing=0.03)
        (each * there[:, 1:].flatten()).sum().div(there[:, 1:].sum()).backward()

    median, least, greatest, cpu = timed({"loss": loss, "path": path, "heads": heads}[options.what])
    line = {"peer": "torch", "workload": "tagging", "what": options.what, "masked": options.masked}
    line |= {"threads": options.threads, "median_ms": median, "min_ms": least, "max_ms": greatest, "cpu_ms": cpu}
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
