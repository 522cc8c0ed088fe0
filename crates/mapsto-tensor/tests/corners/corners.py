"""What PyTorch makes of functions of one number at the corners of f64: values and gradients.

Run: python corners.py > corners.jsonl
"""

import json
import math

import torch
import torch.nn.functional as F

POINTS = [0.0, 5e-324, 1e-310, 1e-160, 1e-20, 0.5, 1.0, 2.0, 3.0, 6.0, 20.0, 170.0, 800.0, 1e20, 1e160, 1e300, math.inf]
POINTS += [-x for x in POINTS] + [math.nan, -0.5, -1.5, -2.5]

# The name of the operation here, and PyTorch's function.
CALLS = {name: getattr(torch, name) for name in """
abs acos acosh asin asinh atan atanh ceil cos cosh digamma erf erfc erfinv exp exp2 expm1 floor frac i0 lgamma log log10 log1p log2
neg relu reciprocal round rsqrt sigmoid sign sin sinc sinh sqrt square tan tanh trunc
""".split()}
CALLS |= {name: getattr(torch.special, name) for name in "entr erfcx i0e i1 i1e log_ndtr ndtr ndtri".split()}
CALLS |= {name: getattr(F, name) for name in "celu elu gelu hardshrink hardsigmoid hardswish hardtanh mish relu6 selu silu softplus softshrink softsign tanhshrink".split()}
CALLS |= {"log_sigmoid": F.logsigmoid, "recip": torch.reciprocal}
for name in ["reciprocal"]:
    del CALLS[name]


def number(v):
    return float(f"{v:.13g}") if math.isfinite(v) else str(v)


print(json.dumps({"points": [number(x) for x in POINTS]}))
for name in sorted(CALLS):
    x = torch.tensor(POINTS, dtype=torch.float64, requires_grad=True)
    y = CALLS[name](x)
    (g,) = torch.autograd.grad(y.sum(), x) if y.requires_grad else (torch.zeros_like(x),)
    print(json.dumps({"op": name, "y": [number(v) for v in y.tolist()], "g": [number(v) for v in g.tolist()]}))
