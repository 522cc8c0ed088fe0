"""The gradient of each sample's loss in PyTorch: `vmap` of `grad`, and a loop over samples. Beside `mapsto-bench each`.

    python benches/peers/each_peer.py [SECONDS]
"""
import statistics
import sys
import time

import torch
from torch import nn
from torch.func import functional_call, grad, vmap

torch.set_num_threads(2)
torch.manual_seed(5)
SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0


class Last(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.out = nn.LSTM(32, 64, batch_first=True), nn.Linear(64, 10)

    def forward(self, x):
        return self.out(self.lstm(x)[0][:, -1])


def block():
    layer = nn.TransformerEncoderLayer(64, 4, 256, 0.0, "gelu", batch_first=True, norm_first=True)
    return nn.Sequential(layer, nn.Flatten(), nn.Linear(64 * 32, 10))


NETS = {
    "mlp": (nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10)), (64, 784)),
    "cnn": (
        nn.Sequential(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(800, 10)),
        (64, 1, 28, 28),
    ),
    "lstm": (Last(), (64, 32, 32)),
    "transformer": (block(), (32, 32, 64)),
}


def measured(step):
    step()
    samples, start = [], time.perf_counter()
    while len(samples) < 3 or time.perf_counter() - start < SECONDS:
        began = time.perf_counter()
        step()
        samples.append((time.perf_counter() - began) * 1e3)
    return f"{statistics.median(samples):.5f} {min(samples):.5f}"


for name, (net, shape) in NETS.items():
    x = torch.randn(shape)
    params = {k: p.detach() for k, p in net.named_parameters()}

    def loss(params, x):
        return -functional_call(net, params, (x[None],)).log_softmax(-1)[0, 3]

    each = vmap(grad(loss), in_dims=(None, 0))

    def loop():
        for i in range(len(x)):
            net.zero_grad()
            (-net(x[i : i + 1]).log_softmax(-1)[0, 3]).backward()

    try:
        print("torch", f"each/{name}", measured(lambda: each(params, x)), flush=True)
    except RuntimeError as reason:
        print("torch", f"each/{name}", "none:", str(reason).splitlines()[0], flush=True)
    print("torch", f"each/{name}/loop", measured(loop), flush=True)
