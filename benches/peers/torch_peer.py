"""The benchmarks in PyTorch: python torch_peer.py W1|W2|W2epoch|W2b1|W3|W4|W5|W5high|W5bf16|W6b1|W6b16|W7 [VARIANT]

eager        as a user writes it (W6 and W2b1 under no_grad)
fused        optimizers with fused=True; inference under inference_mode
compile      torch.compile of network and loss, fused optimizers
compile_cl   likewise, images in the channels-last layout
freeze_cl    inference only: likewise, with weights folded into the code
high         W5high: W5 with set_float32_matmul_precision("high"), fused optimizer
bf16         W5bf16: W5 under autocast to bf16, fused optimizer
medium       W5bf16: W5 with set_float32_matmul_precision("medium"), fused optimizer
"""
import sys

import protocol
import torch
import torch.nn.functional as F

import formula
import torch_nets as nets

torch.set_num_threads(protocol.THREADS)
workload, variant = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "eager"
peer = f"torch-{variant}"
compiled, channels_last = variant.startswith(("compile", "freeze")), variant.endswith("_cl")
if variant.startswith("freeze"):
    import torch._inductor.config

    torch._inductor.config.freezing = True


def last(x):
    return x.contiguous(memory_format=torch.channels_last) if channels_last and x.dim() == 4 else x


def train():
    name = workload.removesuffix("bf16").removesuffix("high")
    if variant in ("high", "medium"):
        torch.set_float32_matmul_precision(variant)
    model, loss, xs, y, opt = nets.training(name, fused=None if variant == "eager" else True)
    if channels_last:
        model.to(memory_format=torch.channels_last)
    xs = [last(x) for x in xs]
    forward = lambda x: loss(model(x), y)
    if compiled:
        forward = torch.compile(forward)
    steps = 0

    def step():
        nonlocal steps
        x = xs[steps % len(xs)]
        steps += 1
        with torch.autocast("cpu", torch.bfloat16, enabled=variant == "bf16"):
            value = forward(x)
        opt.zero_grad(set_to_none=True)
        value.backward()
        opt.step()
        return value

    coarse = variant in ("bf16", "medium")
    protocol.training(peer, workload, step, lambda v: v.item(), tolerance=0.05 if coarse else 2e-3, like=name)


def epoch():
    x, y = torch.from_numpy(formula.pictures(0, 60_000)), torch.from_numpy(formula.labels(60_000, 10))
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=64, shuffle=True)
    model = nets.fill(nets.mlp())
    opt = torch.optim.Adam(model.parameters(), 1e-3, fused=None if variant == "eager" else True)

    def run():
        for x, y in loader:
            value = F.cross_entropy(model(x), y)
            opt.zero_grad()
            value.backward()
            opt.step()
            last = value.item()
        return last

    if not protocol.first(peer, workload, run):
        assert run() < 0.1
        protocol.report(peer, workload, *protocol.time_steps(run, lambda v: v))


def answer():
    if workload == "W2b1":
        model, x = nets.fill(nets.mlp()), torch.from_numpy(formula.pictures(0, 1))
    else:
        model, x = nets.fill(nets.ResNet18()), last(nets.images(int(workload[3:])))
    model = model.eval()
    if channels_last:
        model.to(memory_format=torch.channels_last)
    run = torch.compile(model) if compiled else model
    with torch.inference_mode() if variant == "fused" else torch.no_grad():
        protocol.inference(peer, workload, lambda: run(x), lambda y: y.flatten()[:10].tolist())


def product(m, k, n):
    a, b = torch.from_numpy(formula.batch(0, (m, k))), torch.from_numpy(formula.batch(1, (k, n)))
    c = torch.empty(m, n)
    return lambda: torch.mm(a, b, out=c), lambda c: c


if workload == "W7":
    protocol.products(peer, product)
elif workload == "W2epoch":
    epoch()
elif workload in ("W1", "W2", "W3", "W4", "W5", "W5high", "W5bf16"):
    train()
else:
    answer()
