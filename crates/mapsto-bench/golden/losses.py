"""Writes losses.txt: what PyTorch computes in the benchmarks, to which mapsto's runs are held.

For each training benchmark the losses before each of the first 21 steps, the last being the loss after 20 steps; for
each inference the scores (of ResNet-18 the first 20 of each image, of at most two images). On stderr, how far PyTorch
in f32 is from itself in f64.

    pip install torch && python crates/mapsto-bench/golden/losses.py > crates/mapsto-bench/golden/losses.txt
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "benches" / "peers"))
import torch
import formula
import torch_nets as nets

STEPS = 21


def losses(name, dtype):
    model, loss, xs, y, opt = nets.training(name, dtype=dtype)
    if dtype == torch.float64 and y.is_floating_point():
        y = y.double()
    out = []
    for step in range(STEPS):
        value = loss(model(xs[step % len(xs)]), y)
        opt.zero_grad()
        value.backward()
        opt.step()
        out.append(value.item())
    return out


def write(name, values, exact):
    worst = max(abs(a - b) for a, b in zip(values, exact))
    print(f"{name}: {worst:.1e} from f64", file=sys.stderr)
    print(name, *(f"{v:.7f}" for v in values), flush=True)


for name in sys.argv[1:] or ["W1", "W2", "W3", "W4", "W5"]:
    write(name, losses(name, torch.float32), losses(name, torch.float64))
if not sys.argv[1:]:
    with torch.no_grad():
        both = []
        for dtype in (torch.float32, torch.float64):
            mlp = nets.fill(nets.mlp()).to(dtype)
            both.append(mlp(torch.from_numpy(formula.pictures(0, 1)).to(dtype)).flatten().tolist())
        write("W2b1", *both)
        both = []
        for dtype in (torch.float32, torch.float64):
            resnet = nets.fill(nets.ResNet18()).to(dtype).eval()
            both.append(resnet(nets.images(2).to(dtype))[:, :20].flatten().tolist())
        write("W6", *both)
