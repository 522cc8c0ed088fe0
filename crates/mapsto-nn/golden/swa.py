"""Writes swa.jsonl: PyTorch's stochastic weight averaging: rates of SWALR, and a training with AveragedModel and update_bn.

A line of kind `swalr` for each setting: the rates of the epochs from the first average on. A line of kind `training`: a network of a
linear layer, a batch norm and a linear layer, its weights and batches, and after each epoch the averaged weights with the
statistics that `update_bn` gives them.

    pip install torch && python crates/mapsto-nn/golden/swa.py > crates/mapsto-nn/golden/swa.jsonl
"""
import json
import warnings
import torch
from torch.optim.swa_utils import SWALR, AveragedModel, update_bn

warnings.filterwarnings("ignore")


def flat(t):
    return [float(f"{x:.9g}") for x in t.detach().double().flatten().tolist()]


for base, swa_lr, anneal, linear in [(0.1, 0.02, 5, False), (0.1, 0.02, 5, True), (0.01, 0.05, 3, False), (0.1, 0.02, 0, False), (0.1, 0.02, 1, True)]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], base)
    scheduler = SWALR(optimizer, swa_lr=swa_lr, anneal_epochs=anneal, anneal_strategy="linear" if linear else "cos")
    optimizer.param_groups[0]["lr"] = base
    rates = [base]
    for _ in range(8):
        optimizer.step()
        scheduler.step()
        rates.append(optimizer.param_groups[0]["lr"])
    setting = {"base": base, "swa_lr": swa_lr, "anneal": anneal, "linear": int(linear)}
    print(json.dumps({"kind": "swalr", "setting": setting, "numbers": rates if anneal else [swa_lr] + rates[1:]}))

torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 1))
start = [flat(t) for n, t in net.state_dict().items() if "num_batches" not in n]
x, y = torch.randn(4, 8, 3), torch.randn(4, 8, 1)
optimizer, averaged = torch.optim.SGD(net.parameters(), 0.1), AveragedModel(net)
epochs = []
for epoch in range(1, 6):
    for i in range(4):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(net(x[i]), y[i]).backward()
        optimizer.step()
    if epoch >= 2:
        averaged.update_parameters(net)
        update_bn(list(x), averaged)
        epochs.append([flat(t) for n, t in averaged.module.state_dict().items() if "num_batches" not in n])
print(json.dumps({"kind": "training", "x": flat(x), "y": flat(y), "start": start, "epochs": epochs}))
