"""Writes grad_scaler.jsonl: how torch.amp.GradScaler moves its scale, and which steps it leaves out.

A line for each setting; each step is the factor of the weight in the loss (null is infinite), and then the scale, the finite steps since
it last moved, and the weight, which SGD moves at a rate of 0.25.

    pip install torch && python crates/mapsto-nn/golden/grad_scaler.py > crates/mapsto-nn/golden/grad_scaler.jsonl
"""
import json
import math
import torch

inf = math.inf
for settings, factors in [
    ((65536.0, 2.0, 0.5, 3), [1, 1, 1, 1, inf, 1, 1, 1, 1, inf, inf, 1, 1, 1] * 2),
    ((1.0, 3.0, 0.25, 2), [0.5, inf, inf, 1, 1, 2, 1, 1, 1, inf] * 3),
    ((2.0**120, 16.0, 0.5, 1), [2.0**-130, 2.0**-130, 2.0**-130, 1, 1, 1, 2.0**-130, 2.0**-130] * 3),
    ((2.0**-100, 2.0, 0.5, 2), [inf, 1, inf, inf, inf, 1, 1] * 3),
    ((65536.0, 2.0, 0.5, 2000), [1] * 12 + [inf]),
]:
    init, growth, backoff, interval = settings
    scaler = torch.amp.GradScaler("cpu", init_scale=init, growth_factor=growth, backoff_factor=backoff, growth_interval=interval)
    w = torch.ones(1, requires_grad=True)
    opt = torch.optim.SGD([w], lr=0.25)
    steps = []
    for factor in factors:
        opt.zero_grad()
        scaler.scale((w * factor).sum()).backward()
        scaler.step(opt)
        scaler.update()
        steps.append([None if factor == inf else factor, scaler.get_scale(), scaler._growth_tracker.item(), w.item()])
    print(json.dumps(dict(init_scale=init, growth_factor=growth, backoff_factor=backoff, growth_interval=interval, steps=steps)))
