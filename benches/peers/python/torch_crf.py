"""pytorch-crf's and PyTorch's side of benches/tagging.rs: torch_crf.py loss|path|heads|step|ctc [--masked] [--packed] [--threads N] [--batch 32 --steps 50 --tags 20]."""
import argparse
import json
import warnings

import torch
import torch.nn.functional as F
import torchcrf

from torch_language import timed
from torch_parser import LABELS, Heads, step

warnings.filterwarnings("ignore", "where received a uint8 condition tensor")

WORD = 1024
TIME, CLASSES, MOST = 200, 80, 30


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["loss", "path", "heads", "step", "ctc"])
    parser.add_argument("--masked", action="store_true")
    parser.add_argument("--packed", action="store_true", help="step: recurrent layers read packed sequences")
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
    parser_of = Heads(WORD)
    ones = torch.ones(batch, 1, dtype=torch.bool)
    there = torch.cat([ones, mask.T if options.masked else torch.ones(batch, steps, dtype=torch.bool)], 1)
    classes = torch.randint(LABELS, (batch, steps))

    def heads():
        words.grad = None
        parser_of.zero_grad()
        each = F.cross_entropy(parser_of(words, there).flatten(0, 1), classes.flatten(), reduction="none", label_smoothing=0.03)
        (each * there[:, 1:].flatten()).sum().div(there[:, 1:].sum()).backward()

    logits = torch.randn(batch, TIME, CLASSES).requires_grad_()
    spelled = torch.randint(1, CLASSES, (batch, MOST))
    there, counts = torch.full((batch,), TIME), torch.full((batch,), MOST)
    if options.masked:
        there, counts = torch.randint(TIME // 2, TIME + 1, (batch,)), torch.randint(MOST // 2, MOST + 1, (batch,))

    def ctc():
        logits.grad = None
        F.ctc_loss(logits.log_softmax(-1).transpose(0, 1), spelled, there, counts, reduction="sum").backward()

    calls = {"loss": loss, "path": path, "heads": heads, "ctc": ctc}
    call = calls.get(options.what) or step(batch, steps, options.masked, options.packed)
    median, least, greatest, cpu = timed(call)
    line = {"peer": "torch", "workload": "tagging", "what": options.what, "masked": options.masked}
    line |= {"threads": options.threads, "median_ms": median, "min_ms": least, "max_ms": greatest, "cpu_ms": cpu}
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
