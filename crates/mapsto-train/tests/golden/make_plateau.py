"""Writes plateau.txt: learning rates that PyTorch's ReduceLROnPlateau sets, for a value of a formula by epoch.

    pip install torch && python crates/mapsto-train/tests/golden/make_plateau.py > crates/mapsto-train/tests/golden/plateau.txt
"""
import math
import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

for mode in ["min", "max"]:
    for factor, patience, threshold, kind, cooldown, min_lr in [
        (0.1, 10, 1e-4, "rel", 0, 0.0),
        (0.5, 2, 1e-4, "rel", 0, 0.01),
        (0.5, 0, 0.1, "abs", 3, 0.0),
        (0.3, 3, 0.05, "rel", 2, 0.0),
        (0.7, 1, 0.0, "abs", 1, 0.1),
        (0.01, 1, 0.2, "rel", 0, 0.0),
    ]:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.5)
        plateau = ReduceLROnPlateau(optimizer, mode, factor, patience, threshold, kind, cooldown, min_lr)
        rates = []
        for t in range(40):
            plateau.step(2 + math.sin(0.7 * t) + 3 / (1 + t))
            rates.append(optimizer.param_groups[0]["lr"])
        print(mode, factor, patience, threshold, kind, cooldown, min_lr, ":", *rates)
