"""How far draws of the gamma and the Dirichlet distribution move with their concentrations, in PyTorch, in f64.

Run: python draws.py > draws.jsonl
"""

import json

import torch

torch.set_default_dtype(torch.float64)
torch.manual_seed(3)

a = torch.tensor([0.05, 0.3, 0.8, 1.0, 2.5, 7.0, 20.0, 300.0]).repeat(8)
x = torch._standard_gamma(a)
x, a = x[x > 1e-20], a[x > 1e-20]
print(json.dumps({"op": "gamma_slope", "x": [a.tolist(), x.tolist()], "y": torch._standard_gamma_grad(a, x).tolist()}))

a = torch.tensor([[0.3, 0.8, 1.5], [1.0, 1.0, 1.0], [2.5, 7.0, 0.5], [20.0, 30.0, 4.0], [300.0, 100.0, 200.0]]).repeat(6, 1)
x = torch._sample_dirichlet(a)
total = a.sum(-1, keepdim=True).expand_as(a)
y = torch._dirichlet_grad(x, a, total)
print(json.dumps({"op": "dirichlet_slope", "x": [v.flatten().tolist() for v in (a, x, total)], "y": y.flatten().tolist()}))
