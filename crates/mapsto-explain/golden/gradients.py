"""Writes gradients.jsonl: what captum attributes to the inputs of small networks, in f64.

A line for each network and method: the network's name, the method by our name, the class of each sample, whether baselines are zeros,
one or three, and the attributions. Weights, inputs and baselines follow formulas, which tests/gradients.rs computes too.

    pip install torch captum && python crates/mapsto-explain/golden/gradients.py > crates/mapsto-explain/golden/gradients.jsonl
"""
import json
import sys
import warnings
import torch
import torch.nn as nn
import torch.nn.functional as F
from captum.attr import (DeepLift, DeepLiftShap, Deconvolution, GuidedBackprop, InputXGradient, IntegratedGradients, LayerGradCam,
                         Saliency)

warnings.filterwarnings("ignore")
torch.set_default_dtype(torch.float64)
# captum rounds the weights of its integral to 32 bits, by `.float()`; here they keep their digits.
torch.Tensor.float = torch.Tensor.double


def by_formula(shape, k, scale):
    n = torch.Size(shape).numel()
    return (scale * torch.cos(0.7 * torch.arange(n) + k)).reshape(shape)


def filled(net):
    with torch.no_grad():
        for k, p in enumerate(net.parameters()):
            fan = p[0].numel() if p.dim() > 1 else 100
            p.copy_(by_formula(p.shape, k + 1, 2 / fan ** 0.5))
    return net


NETS = {
    "mlp": (lambda: nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 6), nn.Tanh(), nn.Linear(6, 3)), [4, 5]),
    "smooth": (lambda: nn.Sequential(nn.Linear(5, 7), nn.Sigmoid(), nn.Linear(7, 6), nn.Softplus(), nn.Linear(6, 3)), [4, 5]),
    "cnn": (lambda: nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 5, 3), nn.ReLU(),
                                  nn.Flatten(), nn.Linear(20, 3)), [3, 2, 8, 8]),
    "cnn_elu": (lambda: nn.Sequential(nn.Conv2d(1, 3, 3), nn.ELU(), nn.Conv2d(3, 4, 3, stride=2), nn.Softplus(), nn.AvgPool2d(2),
                                      nn.Flatten(), nn.Linear(4, 3)), [2, 1, 8, 8]),
}


def write(name, method, classes, baseline, values):
    values = [float(f"{v:.12e}") for v in values.detach().flatten().tolist()]
    line = {"net": name, "method": method, "classes": classes, "baseline": baseline, "values": values}
    sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")


for name, (make, shape) in NETS.items():
    x = by_formula(shape, 0.3, 1.5)
    classes = [(2 * i + 1) % 3 for i in range(shape[0])]
    target = torch.tensor(classes)
    one, three = by_formula([1] + shape[1:], 0.9, 0.5), by_formula([3] + shape[1:], 2.2, 0.5)
    net = lambda: filled(make())
    write(name, "saliency", classes, "zeros", Saliency(net()).attribute(x, target=target))
    write(name, "input-x-gradient", classes, "zeros", InputXGradient(net()).attribute(x, target=target))
    write(name, "guided-backprop", classes, "zeros", GuidedBackprop(net()).attribute(x, target=target))
    write(name, "deconvolution", classes, "zeros", Deconvolution(net()).attribute(x, target=target))
    write(name, "integrated-gradients", classes, "zeros", IntegratedGradients(net()).attribute(x, target=target, n_steps=50))
    write(name, "integrated-gradients", classes, "one",
          IntegratedGradients(net()).attribute(x, baselines=one, target=target, n_steps=50))
    # Where pooled maxima of input and baseline stand in different places, captum 0.9 does not add up to the difference of the scores, which
    # DeepLIFT promises (`cnn`: 0.0547 and not 0.0385): such lines are left out, and tests/properties.rs tests what ours adds up to.
    lift = {"zeros": (torch.zeros_like(one), DeepLift(net()).attribute(x, target=target)),
            "one": (one, DeepLift(net()).attribute(x, baselines=one.expand(shape).contiguous(), target=target)),
            "three": (three, DeepLiftShap(net()).attribute(x, baselines=three, target=target))}
    for baseline, (b, found) in lift.items():
        f = lambda x: net()(x).detach()
        gap = found.flatten(1).sum(1) - (f(x) - f(b).mean(0)).gather(1, target[:, None])[:, 0]
        if gap.abs().max() < 1e-9:
            write(name, "deep-lift", classes, baseline, found)
    if len(shape) == 4:
        model = net()
        layers = list(model)
        last = layers[max(i for i, m in enumerate(layers) if isinstance(m, nn.Conv2d)) + 1]  # the activation behind it
        maps = LayerGradCam(model, last).attribute(x, target=target, relu_attributions=True)
        maps = F.interpolate(maps, size=shape[2:], mode="bilinear", align_corners=False)
        write(name, "grad-cam", classes, "zeros", maps.expand(shape))
