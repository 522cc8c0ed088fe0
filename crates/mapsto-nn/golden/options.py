"""Writes options.jsonl: what layers of PyTorch with options that few use make of inputs and weights, in training and in inference, in f64.

A line for each setting: the entry of a model file, the input, the weights and states by the names that they have in both; of a step of
training the output, the gradients of the sum of all outputs times cos 0, cos 1, .. at the input and at each weight, and the states after
it; and the output in inference after that. Where there is a learning rate, SGD takes a step after each input.

    pip install torch && python crates/mapsto-nn/golden/options.py > crates/mapsto-nn/golden/options.jsonl
"""
import json
import torch
import torch.nn as nn

torch.set_default_dtype(torch.float64)


def shown(x):
    return {"shape": list(x.shape), "values": [float(f"{v:.12g}") for v in x.detach().double().flatten().tolist()]}


def write(entry, layer, *xs, lr=0.0):
    """`xs` are inputs of one shape, trained on one after the other; the gradients are those of the last."""
    seed = sum(map(ord, json.dumps(entry)))
    torch.manual_seed(seed)
    with torch.no_grad():
        for p in layer.parameters():
            p.copy_(torch.round(torch.randn_like(p), decimals=6))
        if getattr(layer, "padding_idx", None) is not None:
            layer.weight[layer.padding_idx] = 0
        for b in layer.buffers():
            if b.is_floating_point():
                b.copy_(torch.round(torch.rand_like(b) + 0.5, decimals=6))
    counts = getattr(layer, "momentum", 0.1) is None
    states = {n: b for n, b in layer.named_buffers() if counts or n != "num_batches_tracked"}
    state = {n: shown(p) for n, p in [*layer.named_parameters(), *states.items()]}
    ids = not xs[0].is_floating_point()
    xs = [x if ids else torch.round(x, decimals=6).requires_grad_() for x in xs]
    line = {"entry": entry, "ids": ids, "inputs": [shown(x) for x in xs], "state": state}
    layer.train()
    for x in xs:
        layer.zero_grad()
        y = layer(x)
        y = y[0] if isinstance(y, tuple) else y
        (y * torch.arange(y.numel()).cos().reshape(y.shape)).sum().backward()
        with torch.no_grad():
            for p in layer.parameters():
                p -= lr * p.grad
    line["lr"] = lr
    line["output"] = shown(y)
    line["gradients"] = {**({} if ids else {"": shown(xs[-1].grad)}), **{n: shown(p.grad) for n, p in layer.named_parameters()}}
    line["after"] = {n: shown(p) for n, p in [*layer.named_parameters(), *states.items()]}
    layer.eval()
    with torch.no_grad():
        y = layer(xs[0])
    line["inference"] = shown(y[0] if isinstance(y, tuple) else y)
    print(json.dumps(line))


torch.manual_seed(31)
rows = lambda *shape: torch.randn(shape) * 2 + 1
shapes = [(1, (4, 3)), (1, (2, 2, 3)), (2, (2, 2, 2, 2)), (3, (2, 2, 1, 2, 2))]
for i, (entry, options) in enumerate([({}, {}), ({"affine": False}, {"affine": False}), ({"bias": False}, {"bias": False}),
                                      ({"track_running_stats": False}, {"track_running_stats": False}),
                                      ({"affine": False, "track_running_stats": False, "eps": 0.1},) * 2,
                                      ({"cumulative": True}, {"momentum": None}), ({"momentum": 0.3}, {"momentum": 0.3})]):
    for d, shape in [shapes[0], shapes[1 + i % 3]]:
        layer = [nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d][d - 1](shape[1], **options)
        write({f"batch_norm{d}d": True, **entry}, layer, rows(*shape), rows(*shape))
for options in [{}, {"affine": False}, {"bias": False}, {"affine": False, "eps": 0.1}]:
    write({"group_norm": 2, **options}, nn.GroupNorm(2, 4, **options), rows(2, 4, 3))
    write({"group_norm": 1, **options}, nn.GroupNorm(1, 4, **options), rows(2, 4, 1, 2))
for options in [{}, {"affine": True}, {"affine": True, "bias": False}, {"track_running_stats": True},
                {"affine": True, "track_running_stats": True, "momentum": 0.3, "eps": 0.1}]:
    write({"instance_norm": True, **options}, nn.InstanceNorm1d(3, **options), rows(2, 3, 4), rows(2, 3, 4))
    write({"instance_norm": True, **options}, nn.InstanceNorm2d(2, **options), rows(3, 2, 2, 2), rows(3, 2, 2, 2))
for axes, shape in [(1, (3, 4)), (2, (2, 2, 3)), (3, (2, 2, 1, 3))]:
    for entry, options in [({}, {}), ({"affine": False}, {"elementwise_affine": False}), ({"bias": False}, {"bias": False})]:
        write({"layer_norm": True, "axes": axes, **entry}, nn.LayerNorm(shape[len(shape) - axes:], **options), rows(*shape))
        if "bias" not in options:
            write({"rms_norm": True, "axes": axes, **entry}, nn.RMSNorm(shape[len(shape) - axes:], eps=1e-6, **options), rows(*shape))
ids = lambda *shape: torch.randint(0, 6, shape)
for options in [{"max_norm": 1.0}, {"max_norm": 0.7, "norm_type": 1.0}, {"max_norm": 1.3, "norm_type": 3.5, "scale_grad_by_freq": True},
                {"scale_grad_by_freq": True}]:
    write({"embedding": 6, "size": 3, **options}, nn.Embedding(6, 3, **options), *(ids(2, 4) for _ in range(4)), lr=0.1)
    for mode in ["mean", "sum", "max"]:
        if mode != "max" or "scale_grad_by_freq" not in options:
            write({"embedding_bag": 6, "size": 3, "mode": mode, **options}, nn.EmbeddingBag(6, 3, mode=mode, **options),
                  *(ids(2, 4) for _ in range(3)), lr=0.1)
write({"embedding": 6, "size": 3, "padding": 2, "max_norm": 0.5, "scale_grad_by_freq": True},
      nn.Embedding(6, 3, padding_idx=2, max_norm=0.5, scale_grad_by_freq=True), *(ids(3, 4) for _ in range(3)), lr=0.1)
