"""The networks of the benchmarks in PyTorch, from the weights of formula.py."""
import torch
import torch.nn as nn
import torch.nn.functional as F

import formula


def fill(model):
    """Gives every parameter and state, in their order, the values of the formula."""
    tensors = [(name, t) for name, t in model.state_dict().items() if t.is_floating_point()]
    for p, (name, t) in enumerate(tensors):
        value = formula.weight(p, name.split(".")[-1], tuple(t.shape))
        t.copy_(torch.from_numpy(value))
    return model


def xor_net():
    return nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1), nn.Sigmoid())


def mlp():
    return nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


def cnn():
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(3136, 128), nn.ReLU(), nn.Linear(128, 10))


class LstmNet(nn.Module):
    """Ids to two classes by the last hidden state of an LSTM."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(10000, 128)
        self.lstm = nn.LSTM(128, 256, batch_first=True)
        self.head = nn.Linear(256, 2)

    def forward(self, ids):
        _, (h, _) = self.lstm(self.embedding(ids))
        return self.head(h[-1])


class GptBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width, bias=False)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.norm2 = nn.LayerNorm(width, bias=False)
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down = nn.Linear(4 * width, width, bias=False)

    def forward(self, x):
        b, t, d = x.shape
        heads = [z.view(b, t, self.heads, d // self.heads).transpose(1, 2) for z in self.qkv(self.norm1(x)).chunk(3, -1)]
        a = F.scaled_dot_product_attention(*heads, is_causal=True)
        x = x + self.out(a.transpose(1, 2).reshape(b, t, d))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Gpt(nn.Module):
    """A language model over 65 characters: learned positions, six blocks, the embedding as the head."""

    def __init__(self, vocabulary=65, context=256, width=384, heads=6, depth=6):
        super().__init__()
        self.token = nn.Embedding(vocabulary, width)
        self.position = nn.Embedding(context, width)
        self.blocks = nn.ModuleList(GptBlock(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width, bias=False)

    def forward(self, ids):
        x = self.token(ids) + self.position.weight[: ids.shape[1]]
        for block in self.blocks:
            x = block(x)
        return F.linear(self.norm(x), self.token.weight)


class BasicBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            around = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample = nn.Sequential(around, nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet18(nn.Module):
    def __init__(self, classes=1000):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(BasicBlock(64, 64, 1), BasicBlock(64, 64, 1))
        self.layer2 = nn.Sequential(BasicBlock(64, 128, 2), BasicBlock(128, 128, 1))
        self.layer3 = nn.Sequential(BasicBlock(128, 256, 2), BasicBlock(256, 256, 1))
        self.layer4 = nn.Sequential(BasicBlock(256, 512, 2), BasicBlock(512, 512, 1))
        self.fc = nn.Linear(512, classes)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


def images(n):
    """The input of the ResNet benchmarks."""
    return torch.from_numpy(formula.batch(0, (n, 3, 224, 224)))


def training(name, fused=None, dtype=torch.float32):
    """A training benchmark: (model, loss of outputs and targets, batches in turn, targets, optimizer)."""
    pictures = lambda *shape: [numbers(formula.pictures(k, 64)).view(shape).to(dtype) for k in range(8)]
    numbers = lambda a: torch.from_numpy(a)
    made = lambda net: fill(net).to(dtype)
    if name == "W1":
        model = made(xor_net())
        x = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=dtype)
        y = torch.tensor([[0], [1], [1], [0]], dtype=dtype)
        return model, F.binary_cross_entropy, [x], y, torch.optim.SGD(model.parameters(), 0.5, fused=fused)
    if name == "W5":
        model = made(Gpt())
        opt = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=0.1, fused=fused)
        x, y = numbers(formula.ids(2048, 65)).view(8, 256), numbers(formula.labels(2048, 65))
        return model, lambda out, y: F.cross_entropy(out.view(-1, 65), y), [x], y, opt
    model, xs, y = {
        "W2": lambda: (mlp(), pictures(64, 784), formula.labels(64, 10)),
        "W3": lambda: (cnn(), pictures(64, 1, 28, 28), formula.labels(64, 10)),
        "W4": lambda: (LstmNet(), [numbers(formula.ids(2048, 10000)).view(32, 64)], formula.labels(32, 2)),
    }[name]()
    model = made(model)
    return model, F.cross_entropy, xs, numbers(y), torch.optim.Adam(model.parameters(), 1e-3, fused=fused)
