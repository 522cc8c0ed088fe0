"""Writes momenta.jsonl: the momenta of PyTorch's OneCycleLR and CyclicLR, and the weights of an optimizer that follows them.

A line for each setting, with the entries of a training file, for a training of 60 steps in epochs of 10. The gradient of the weights
`[1, -2]` is their product with `[1, 3]`.

    pip install torch && python crates/mapsto-nn/golden/momenta.py > crates/mapsto-nn/golden/momenta.jsonl
"""
import json
import warnings
import torch
from torch.optim.lr_scheduler import CyclicLR, OneCycleLR

warnings.filterwarnings("ignore")
STEPS, BASE = 60, 0.05
SGD = ({"sgd": BASE, "momentum": 0.9}, lambda p: torch.optim.SGD(p, BASE, momentum=0.9))
ADAM = ({"adam": BASE}, lambda p: torch.optim.Adam(p, BASE))


def write(entry, optimizer, make):
    weights = torch.nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))
    opt = optimizer[1]([weights])
    scheduler = make(opt)
    momenta, course = [], []
    for step in range(STEPS):
        group = opt.param_groups[0]
        momenta.append(group["betas"][0] if "betas" in group else group["momentum"])
        weights.grad = weights.detach() * torch.tensor([1.0, 3.0], dtype=torch.float64)
        opt.step()
        course += [float(f"{x:.12g}") for x in weights.tolist()]
        if step + 1 < STEPS:
            scheduler.step()
    print(json.dumps({"entry": entry, "optimizer": optimizer[0], "momenta": [round(m, 15) for m in momenta], "weights": course}))


for optimizer in [SGD, ADAM]:
    write({"one_cycle": True, "cycle_momentum": True}, optimizer, lambda o: OneCycleLR(o, BASE, STEPS))
    write({"one_cycle": True, "rise": 0.4, "cycle_momentum": True, "base_momentum": 0.7, "max_momentum": 0.9}, optimizer,
          lambda o: OneCycleLR(o, BASE, STEPS, pct_start=0.4, base_momentum=0.7, max_momentum=0.9))
    write({"cyclic": 2, "decay": 0.5, "cycle_momentum": True, "base_momentum": 0.75, "max_momentum": 0.95}, optimizer,
          lambda o: CyclicLR(o, 0.1 * BASE, BASE, 10, mode="triangular2", base_momentum=0.75, max_momentum=0.95))
