"""PyTorch's side of the workloads: torch_peer.py PEER WORKLOAD BATCH THREADS [EXTRA].

Peers: `torch` (Adam as it comes), `torch_fused` (Adam(fused=True)), `torch_sparse` (a sparse gradient of the embedding and
SparseAdam, the rest as torch_fused). Masked workloads run in two ways: `..._packed` by pack_padded_sequence, `..._gathered`
over all steps with the output at each text's last step taken. At batch 1 only inference is timed.
"""
import argparse
import itertools

import torch
import torch.nn.functional as F
from harness import arguments, bags, report, texts
from torch import nn


def optimizers(options, model):
    """Adam in the peer's way."""
    fused = None if options.peer == "torch" else True
    if options.peer != "torch_sparse":
        return [torch.optim.Adam(model.parameters(), 1e-3, fused=fused)]
    rest = [parameter for name, parameter in model.named_parameters() if name != "embedding.weight"]
    return [torch.optim.SparseAdam([model.embedding.weight], 1e-3), torch.optim.Adam(rest, 1e-3, fused=fused)]


def train(optimizers, loss):
    """A training step."""
    for optimizer in optimizers:
        optimizer.zero_grad()
    value = loss()
    value.backward()
    for optimizer in optimizers:
        optimizer.step()
    return value


def reuters(options):
    n, batch = 8982, options.batch
    x, y = map(torch.from_numpy, bags(n, 1000, 46))
    model = nn.Sequential(nn.Linear(1000, 512), nn.ReLU(), nn.Dropout(0.5), nn.Linear(512, 46))
    adam = optimizers(options, model)

    def step(i):
        train(adam, lambda: F.cross_entropy(model(x[i : i + batch]), y[i : i + batch]))

    at = itertools.cycle(range(0, n - batch + 1, batch))
    report(options, "train", lambda: step(next(at)))
    report(options, "epoch", lambda: [step(i) for i in range(0, n, batch)])


class Recurrent(nn.Module):
    """An embedding, a recurrent layer, a linear one; `way` says how texts of different lengths are run."""

    def __init__(self, embedding, dropout, recurrent, outputs, way):
        super().__init__()
        self.embedding, self.dropout, self.recurrent = embedding, nn.Dropout(dropout), recurrent
        self.head, self.way = nn.Linear(128, outputs), way

    def forward(self, ids, lengths):
        x = self.dropout(self.embedding(ids))
        if self.way == "packed":
            x = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        outputs, state = self.recurrent(x)
        if self.way == "gathered":
            return self.head(outputs[torch.arange(len(ids)), lengths - 1])
        return self.head((state[0] if isinstance(state, tuple) else state)[0])


def imdb_model(options, words, way):
    embedding = nn.Embedding(words, 128, sparse=options.peer == "torch_sparse")
    return Recurrent(embedding, 0.2, nn.LSTM(128, 128, batch_first=True), 1, way)


def imdb_loss(model, ids, lengths, y):
    return F.binary_cross_entropy_with_logits(model(ids, lengths)[:, 0], y.float())


def run(options, model, optimizers, loss, activation, data):
    """Times training steps and inferences, each with the next of the batches."""
    data = [tuple(map(torch.from_numpy, each)) for each in data]
    batches = itertools.cycle(data)
    if options.batch > 1:
        report(options, "train", lambda: train(optimizers, lambda: loss(model, *next(batches))))
    model.eval()

    def infer():
        ids, lengths, _ = next(batches)
        with torch.inference_mode():
            activation(model(ids, lengths))

    if options.workload != "vocabulary":
        report(options, "infer", infer)


def imdb(options, words, shortest, way):
    model = imdb_model(options, words, way)
    data = texts(options.batch, shortest, 80, words, 2)
    run(options, model, optimizers(options, model), imdb_loss, torch.sigmoid, data)


def tweets(options, way):
    table = nn.Embedding.from_pretrained(torch.randn(50_000, 200) * 0.4, freeze=True)
    model = Recurrent(table, 0.0, nn.RNN(200, 128, batch_first=True), 3, way)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    rule = torch.optim.RMSprop(trained, 1e-3, alpha=0.9)

    def loss(model, ids, lengths, y):
        return F.cross_entropy(model(ids, lengths), y)

    run(options, model, [rule], loss, lambda y: y.softmax(1), texts(options.batch, 5, 32, 50_000, 3))


def long(options):
    x = torch.randn(options.batch, options.extra, 128, requires_grad=True)
    lstm = nn.LSTM(128, 128, batch_first=True)

    def step():
        x.grad = None
        lstm.zero_grad()
        lstm(x)[1][0].sum().backward()

    report(options, "train", step)


def start_up(options):
    model = imdb_model(options, 20_000, "packed")
    (batch,) = texts(options.batch, 20, 80, 20_000, 2, count=1)
    ids, lengths, y = map(torch.from_numpy, batch)
    loss = train(optimizers(options, model), lambda: imdb_loss(model, ids, lengths, y))
    print(f'{{"loss": {loss.item()}}}', flush=True)


WORKLOADS = {
    "reuters": reuters,
    "imdb_full": lambda options: imdb(options, 20_000, 80, "full"),
    "imdb_packed": lambda options: imdb(options, 20_000, 20, "packed"),
    "imdb_gathered": lambda options: imdb(options, 20_000, 20, "gathered"),
    "tweets_packed": lambda options: tweets(options, "packed"),
    "tweets_gathered": lambda options: tweets(options, "gathered"),
    "long": long,
    "vocabulary": lambda options: imdb(options, options.extra, 20, "gathered"),
    "start_up": start_up,
}


def main():
    options = arguments(argparse.ArgumentParser(description=__doc__.splitlines()[0]))
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    WORKLOADS[options.workload](options)


if __name__ == "__main__":
    main()
