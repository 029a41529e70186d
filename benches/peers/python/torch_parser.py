"""PyTorch's side of a parser in benches/tagging.rs: its heads and labels, and a training step of the whole tagger and parser."""
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

WORDS, LETTERS, TAGS, LABELS, ARCS, UNITS, BATCHES = 10_000, 80, 17, 40, 512, 128, 8


class Heads(nn.Module):
    """Heads and labels as in Biaffine; what cannot be scores -1e4, as the smoothing reaches it here."""

    def __init__(self, word, dropout=0.0):
        super().__init__()
        self.dropout = dropout
        self.root = nn.Parameter(torch.randn(word) * 0.05)
        self.dependents, self.heads = nn.Linear(word, ARCS + UNITS), nn.Linear(word, ARCS + UNITS)
        self.arcs = nn.Linear(ARCS, ARCS + 1, bias=False)
        self.labels = nn.Linear(UNITS, LABELS * (UNITS + 1))

    def side(self, y):
        y = F.leaky_relu(y, 0.1)
        if self.dropout:
            y = y * F.dropout(torch.ones(y.shape[0], 1, y.shape[2]), self.dropout)
        return y.split([ARCS, UNITS], -1)

    def forward(self, x, there):
        batch, time, _ = x.shape
        arc, label = self.side(self.dependents(x))
        to_arc, to_label = self.side(self.heads(torch.cat([self.root.expand(batch, 1, -1), x], 1)))
        one = torch.ones(batch, time, 1)
        arcs = torch.cat([arc, one], -1) @ self.arcs(to_arc).transpose(1, 2)
        arcs = arcs.masked_fill(~there[:, None], -1e4).log_softmax(-1)
        to_label = self.labels(to_label).view(batch, (time + 1) * LABELS, UNITS + 1)
        labels = (torch.cat([label, one], -1) @ to_label.transpose(1, 2)).view(batch, time, time + 1, LABELS)
        return (labels.log_softmax(-1) + arcs[..., None]).flatten(2)


class Both(nn.Module):
    """A recurrent layer in both directions over sequences of these lengths (None: all are whole), packed or gathered: the second direction
    reads each sequence turned around, which on a CPU is often faster than packing."""

    def __init__(self, cell, inputs, units, packed):
        super().__init__()
        self.packed = packed
        if packed:
            self.both = cell(inputs, units, batch_first=True, bidirectional=True)
        else:
            self.ahead, self.back = (cell(inputs, units, batch_first=True) for _ in range(2))

    def forward(self, x, lengths, last=False):
        state = lambda h: h[0] if isinstance(h, tuple) else h
        if self.packed:
            if lengths is None:
                y, h = self.both(x)
            else:
                y, h = self.both(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
            if last:
                return state(h).transpose(0, 1).flatten(1)
            return y if lengths is None else pad_packed_sequence(y, batch_first=True, total_length=x.shape[1])[0]
        steps = torch.arange(x.shape[1])
        lengths = torch.full((len(x),), x.shape[1]) if lengths is None else lengths
        turned = torch.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)
        turn = lambda y: y.gather(1, turned[..., None].expand(-1, -1, y.shape[2]))
        ahead, back = self.ahead(x)[0], self.back(turn(x))[0]
        if last:
            at = (lengths - 1)[:, None, None].expand(-1, 1, ahead.shape[2])
            return torch.cat([ahead.gather(1, at), back.gather(1, at)], -1)[:, 0]
        return torch.cat([ahead, turn(back)], -1)


class Tagger(nn.Module):
    """Words and their letters, two recurrent layers, tags, heads with labels: examples/09_tagger's network."""

    def __init__(self, packed):
        super().__init__()
        self.words, self.letters = nn.Embedding(WORDS, 128), nn.Embedding(LETTERS, 64)
        self.spell = Both(nn.GRU, 64, 64, packed)
        self.layers = nn.ModuleList([Both(nn.LSTM, 256, 200, packed), Both(nn.LSTM, 400, 200, packed)])
        self.tags, self.heads = nn.Linear(400, TAGS), Heads(400, 0.5)

    def forward(self, words, lengths, letters, spelled, place, there):
        spelling = self.spell(F.dropout(self.letters(letters), 0.5), spelled, last=True)[place]
        words = torch.where(torch.rand(words.shape) < 0.2, 1, words)
        x = F.dropout(torch.cat([self.words(words), spelling], -1), 0.5)
        for layer in self.layers:
            x = F.dropout(layer(x, lengths), 0.5)
        return self.tags(x), self.heads(x, there)


def data(batch, steps, masked):
    """Words as frequent as words are (the rank's logarithm is uniform), a word's letters always the same."""
    spelling = [torch.randint(LETTERS, (int(torch.randint(3, 11, ())),)) for _ in range(WORDS)]
    for _ in range(BATCHES):
        lengths = torch.randint(steps // 2, steps + 1, (batch,)) if masked else None
        time = int(lengths.max()) if masked else steps
        words = (WORDS ** torch.rand(batch, time)).long().clamp(max=WORDS - 1)
        there = torch.arange(time) < lengths[:, None] if masked else torch.ones(batch, time, dtype=torch.bool)
        distinct, place = words.masked_fill(~there, 0).unique(return_inverse=True)
        letters = [spelling[word] for word in distinct]
        spelled = torch.tensor([len(word) for word in letters])
        letters = nn.utils.rnn.pad_sequence(letters, batch_first=True)
        there_too = torch.cat([torch.ones(batch, 1, dtype=torch.bool), there], 1)
        classes = torch.randint(TAGS, (batch, time)), torch.randint(LABELS, (batch, time))
        yield (words, lengths, letters, spelled, place, there_too), there, classes


def step(batch, steps, masked, packed):
    """A call that is one training step on the next of some batches."""
    model, batches, at = Tagger(packed), list(data(batch, steps, masked)), 0
    adam = torch.optim.Adam(model.parameters(), 0.002, betas=(0.9, 0.99), fused=True)

    def call():
        nonlocal at
        at = (at + 1) % BATCHES
        inputs, there, classes = batches[at]
        adam.zero_grad()
        loss = 0.0
        for found, gold in zip(model(*inputs), classes):
            each = F.cross_entropy(found.flatten(0, 1), gold.flatten(), reduction="none", label_smoothing=0.03)
            loss = loss + (each * there.flatten()).sum().div(there.sum())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        adam.step()

    return call
