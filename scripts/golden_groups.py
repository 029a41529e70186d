"""PyTorch's param_groups over a few steps, printed as the arrays of tests/library/optim/groups.rs.

    python scripts/golden_groups.py
"""

import torch

torch.set_default_dtype(torch.float64)

# The model of the test: name, first values. The gradient of step t (from 1) of weight i is sin(t + i) + w.
PARAMS = {"table.embeddings": [0.5, -1.0], "dense.kernel": [1.0, 2.0], "dense.bias": [-0.5, 0.25], "head.kernel": [1.5]}
# The rate is 0.1 and the decay 0.2 unless a group says otherwise.
GROUPS = {
    "table.embeddings": {"lr": 0.1 * 0.25, "weight_decay": 0.0},
    "dense.kernel": {},
    "dense.bias": {"weight_decay": 0.0},
    "head.kernel": {"weight_decay": 0.5, "lr": 0.1 * 2.0},
}


def steps(make):
    params = {name: torch.tensor(first, requires_grad=True) for name, first in PARAMS.items()}
    optimizer = make([{"params": [params[name]], **options} for name, options in GROUPS.items()])
    for t in range(1, 6):
        for param in params.values():
            param.grad = torch.sin(torch.arange(len(param)) + float(t)) + param.detach()
        optimizer.step()
    return [x for param in params.values() for x in param.tolist()]


for name, make in {
    "AdamW": lambda groups: torch.optim.AdamW(groups, lr=0.1, weight_decay=0.2, eps=1e-8),
    "NAdam": lambda groups: torch.optim.NAdam(
        groups, lr=0.1, weight_decay=0.2, eps=1e-8, momentum_decay=0.004, decoupled_weight_decay=True),
    "RAdam": lambda groups: torch.optim.RAdam(groups, lr=0.1, weight_decay=0.2, eps=1e-8, decoupled_weight_decay=True),
}.items():
    print(name, [f"{x:.15f}" for x in steps(make)])
