"""pytorch-crf's side of benches/tagging.rs: torch_crf.py loss|path [--masked] [--threads N] [--batch 32 --steps 50 --tags 20]."""
import argparse
import json
import warnings

import torch
import torchcrf

from torch_language import timed

warnings.filterwarnings("ignore", "where received a uint8 condition tensor")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["loss", "path"])
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

    median, least, greatest, cpu = timed(loss if options.what == "loss" else path)
    line = {"peer": "pytorch-crf", "workload": "tagging", "what": options.what, "masked": options.masked}
    line |= {"threads": options.threads, "median_ms": median, "min_ms": least, "max_ms": greatest, "cpu_ms": cpu}
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
