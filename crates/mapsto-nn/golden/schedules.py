"""Writes schedules.jsonl: learning rates of PyTorch's schedules, or of the formulas of Keras and of papers, by the step.

A line for each setting, with the entry of a training file, for a training of 100 steps in epochs of 10, and the rates of
all steps for an optimizer's own rate of 0.5.

    pip install torch && python crates/mapsto-nn/golden/schedules.py > crates/mapsto-nn/golden/schedules.jsonl
"""
import json
import math
import torch
import torch.optim.lr_scheduler as schedulers

BASE, STEPS, EPOCH = 0.5, 100, 10


def write(entry, rates):
    print(json.dumps({"entry": entry, "rates": [round(rate, 15) for rate in rates]}))


def by_torch(entry, make):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], BASE)
    scheduler = make(optimizer)
    rates = []
    for step in range(STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step + 1 < STEPS:
            scheduler.step()
    write(entry, rates)


def by_formula(entry, rate):
    write(entry, [BASE * rate(t) for t in range(STEPS)])


by_torch("constant", lambda o: schedulers.ConstantLR(o, 1.0, 0))
by_torch({"step_decay": 0.3, "every": 2.5}, lambda o: schedulers.StepLR(o, 25, 0.3))
by_torch({"exponential_decay": 0.8}, lambda o: schedulers.ExponentialLR(o, 0.8 ** (1 / EPOCH)))
by_torch({"cosine": True, "floor": 0.1}, lambda o: schedulers.CosineAnnealingLR(o, STEPS, 0.1 * BASE))
by_formula({"linear_warmup": 2}, lambda t: min((t + 1) / 20, 1))
by_torch({"polynomial": 1.0}, lambda o: schedulers.LinearLR(o, 1.0, 0.0, STEPS))
by_torch({"polynomial": 2.5}, lambda o: schedulers.PolynomialLR(o, STEPS, 2.5))
by_formula({"polynomial": 2.0, "floor": 0.2}, lambda t: 0.2 + 0.8 * (1 - t / STEPS) ** 2)
by_torch({"cosine_restarts": 1.5, "mult": 2, "floor": 0.1}, lambda o: schedulers.CosineAnnealingWarmRestarts(o, 15, 2, 0.1 * BASE))
by_torch({"cosine_restarts": 2}, lambda o: schedulers.CosineAnnealingWarmRestarts(o, 20))
by_torch("one_cycle", lambda o: schedulers.OneCycleLR(o, BASE, STEPS))
by_torch({"one_cycle": True, "rise": 0.4, "div_factor": 10.0, "final_div_factor": 50.0},
         lambda o: schedulers.OneCycleLR(o, BASE, STEPS, pct_start=0.4, div_factor=10, final_div_factor=50))
# A rise that is shorter than a step, or there is none: the first step is on the way down.
by_torch({"one_cycle": True, "rise": 0.006}, lambda o: schedulers.OneCycleLR(o, BASE, STEPS, pct_start=0.006))
by_torch({"one_cycle": True, "rise": 0.0}, lambda o: schedulers.OneCycleLR(o, BASE, STEPS, pct_start=0.0))
by_torch({"one_cycle": True, "rise": 1.0}, lambda o: schedulers.OneCycleLR(o, BASE, STEPS, pct_start=1.0))
by_torch({"cyclic": 2}, lambda o: schedulers.CyclicLR(o, 0.1 * BASE, BASE, 10))
by_torch({"cyclic": 3, "floor": 0.2, "decay": 0.5}, lambda o: schedulers.CyclicLR(o, 0.2 * BASE, BASE, 15, mode="triangular2"))
by_formula({"inverse_time": 0.5}, lambda t: 1 / (1 + 0.5 * t / EPOCH))
by_formula({"inverse_sqrt": 2}, lambda t: math.sqrt(20) * min((t + 1) ** -0.5, (t + 1) * 20**-1.5))
by_formula({"warmup_stable_decay": 2, "decay": 3, "floor": 0.1},
           lambda t: (t + 1) / 20 if t < 20 else 1 if t <= 70 else 0.1 + 0.9 * (STEPS - t) / 30)
by_torch({"multi_step": [2, 4.5, 7], "factor": 0.3}, lambda o: schedulers.MultiStepLR(o, [20, 45, 70], 0.3))
