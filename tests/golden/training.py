"""Writes training.txt: the losses of PyTorch over 20 training steps, for the networks and optimizers of parity.rs.

Weights and inputs are given by formulas, so that both sides start from the same numbers without a file of weights:
element i of the p-th parameter is sin(0.37 i + p) · 0.5, divided by the square root of its fan-in where it has one.

    pip install torch && python tests/golden/training.py > tests/golden/training.txt
"""
import math
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_num_threads(1)


def fill(model):
    for p, w in enumerate(model.parameters()):
        fan = math.prod(w.shape[1:]) if w.dim() > 1 else 1
        i = torch.arange(w.numel(), dtype=torch.float64)
        w.data = (torch.sin(0.37 * i + p) * 0.5 / math.sqrt(fan)).to(torch.float32).view(w.shape)


def wave(shape, step):
    i = torch.arange(math.prod(shape), dtype=torch.float64)
    return torch.cos(0.11 * i + step).to(torch.float32).view(shape)


def mlp():
    return nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3))


def cnn():
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, stride=2, groups=2), nn.GELU(), nn.AvgPool2d(2),
        nn.Flatten(), nn.LayerNorm(6), nn.Linear(6, 3))


class Sequences(nn.Module):
    """A recurrent net, of whose states one is read: of the last step, or the last of each direction."""

    def __init__(self, net, read):
        super().__init__()
        self.net, self.head, self.read = net, nn.Linear(8, 3), read

    def forward(self, x):
        y, state = self.net(x)
        h = state[0] if isinstance(state, tuple) else state
        return self.head(y[:, -1] if self.read == "step" else torch.cat((h[-2], h[-1]), 1))


class Block(nn.Module):
    """The parameters in the order in which mapsto's block holds them."""

    def __init__(self):
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(8), nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm2, self.up, self.down = nn.LayerNorm(8), nn.Linear(8, 32), nn.Linear(32, 8)

    def forward(self, x):
        t, z = x.shape[1], self.norm1(x)
        later = torch.ones(t, t, dtype=torch.bool).triu(1)
        x = x + self.attention(z, z, z, attn_mask=later, need_weights=False)[0]
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Mean(nn.Module):
    def forward(self, x):
        return x.mean(1)


def losses(name, model, shape, optimizer, loss):
    fill(model)
    opt = optimizer(model.parameters())
    y = torch.tensor([(i * 7 + 3) % 3 for i in range(shape[0])])
    out = []
    for step in range(20):
        value = loss(model(wave(shape, step)), y)
        opt.zero_grad()
        value.backward()
        opt.step()
        out.append(f"{value.item():.7f}")
    print(name, *out)


O = torch.optim
ce = F.cross_entropy
losses("mlp_sgd", mlp(), (16, 12), lambda p: O.SGD(p, 0.1), ce)
losses("mlp_momentum", mlp(), (16, 12), lambda p: O.SGD(p, 0.05, momentum=0.9, weight_decay=0.01), ce)
losses("mlp_nesterov", mlp(), (16, 12), lambda p: O.SGD(p, 0.05, momentum=0.9, nesterov=True), ce)
losses("mlp_rmsprop", mlp(), (16, 12), lambda p: O.RMSprop(p, 0.01), ce)
losses("mlp_adagrad", mlp(), (16, 12), lambda p: O.Adagrad(p, 0.05), ce)
losses("mlp_adam", mlp(), (16, 12), lambda p: O.Adam(p, 0.01), ce)
losses("mlp_adamw", mlp(), (16, 12), lambda p: O.AdamW(p, 0.01, weight_decay=0.1), ce)
losses("mlp_smoothed", mlp(), (16, 12), lambda p: O.Adam(p, 0.01), lambda x, y: ce(x, y, label_smoothing=0.1))
losses("mlp_weighted", mlp(), (16, 12), lambda p: O.Adam(p, 0.01), lambda x, y: ce(x, y, weight=torch.tensor([0.2, 1.0, 3.0])))
losses("mlp_ignoring", mlp(), (16, 12), lambda p: O.Adam(p, 0.01), lambda x, y: ce(x, y, ignore_index=2))
losses("mlp_mse", mlp(), (16, 12), lambda p: O.Adam(p, 0.01), lambda x, y: F.mse_loss(x, F.one_hot(y, 3).float()))
losses("mlp_huber", mlp(), (16, 12), lambda p: O.Adam(p, 0.01), lambda x, y: F.huber_loss(x, F.one_hot(y, 3).float()))
losses("mlp_bce", mlp(), (16, 12), lambda p: O.Adam(p, 0.01), lambda x, y: F.binary_cross_entropy_with_logits(x, F.one_hot(y, 3).float()))
losses("cnn_adam", cnn(), (8, 2, 12, 12), lambda p: O.Adam(p, 0.01), ce)
losses("cnn_sgd", cnn(), (8, 2, 12, 12), lambda p: O.SGD(p, 0.05, momentum=0.9), ce)
both = dict(num_layers=2, bidirectional=True, batch_first=True)
losses("lstm_adam", Sequences(nn.LSTM(5, 4, **both), "step"), (8, 7, 5), lambda p: O.Adam(p, 0.01), ce)
losses("lstm_last", Sequences(nn.LSTM(5, 4, **both), "last"), (8, 7, 5), lambda p: O.SGD(p, 0.1), ce)
losses("gru_adam", Sequences(nn.GRU(5, 4, **both), "step"), (8, 7, 5), lambda p: O.Adam(p, 0.01), ce)
losses("gru_last", Sequences(nn.GRU(5, 4, **both), "last"), (8, 7, 5), lambda p: O.SGD(p, 0.1), ce)
losses("transformer_adamw", nn.Sequential(Block(), Mean(), nn.Linear(8, 3)), (6, 5, 8), lambda p: O.AdamW(p, 0.01, weight_decay=0.1), ce)
