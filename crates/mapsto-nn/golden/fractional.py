"""Writes fractional.jsonl: fractional max pooling of PyTorch with given draws, in f64, with the gradient of the sum of squares.

    pip install torch && python crates/mapsto-nn/golden/fractional.py > crates/mapsto-nn/golden/fractional.jsonl
"""
import json
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(5)


def shown(x):
    return {"shape": list(x.shape), "values": [round(v, 6) for v in x.detach().flatten().tolist()]}


for shape, kernel, windows in [
    ((2, 2, 5, 6), (2, 3), (3, 2)), ((1, 3, 7, 7), (2, 2), (4, 5)), ((1, 1, 6, 4), (3, 1), (4, 4)), ((1, 2, 4, 4), (2, 2), (1, 1)),
    ((1, 2, 9, 5), (2, 2), (6, 4)), ((1, 1, 8, 8), (3, 3), (6, 2)), ((1, 2, 4, 4, 5), (2, 2, 2), (2, 2, 3)),
    ((1, 1, 5, 5, 5), (1, 2, 3), (4, 2, 2)), ((2, 1, 5, 3, 4), (2, 1, 1), (3, 2, 3)), ((1, 1, 6, 3, 4), (3, 2, 2), (2, 1, 2)),
]:
    x = torch.round(torch.randn(shape), decimals=3).requires_grad_()
    u = torch.round(torch.rand(shape[0], shape[1], len(kernel)), decimals=3)
    f = F.fractional_max_pool2d if len(kernel) == 2 else F.fractional_max_pool3d
    # Draws for images begin with that of the width, those for volumes with that of the depth.
    y = f(x, kernel, output_size=windows, _random_samples=u.flip(-1) if len(kernel) == 2 else u)
    y.square().sum().backward()
    print(json.dumps({"kernel": kernel, "windows": windows, "x": shown(x), "u": shown(u), "y": shown(y), "dx": shown(x.grad)}))
