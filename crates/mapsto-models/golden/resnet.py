"""Writes resnet.txt: what PyTorch makes of a small residual network, for the test of resnet.rs.

Five losses of training by SGD 0.02 on four images, then the scores of two images in inference. Weights and images are
given by formulas: element i of the p-th parameter is sin(0.37 i + p) times 1/sqrt(fan_in) for a weight of two or more
axes, otherwise 1 + 0.2 sin for a scale and 0.2 sin for a shift; element j of image i is cos((0.11 + 0.3 i) j).

    pip install torch && python crates/mapsto-models/golden/resnet.py > crates/mapsto-models/golden/resnet.txt
"""
import math
import torch
import torch.nn as nn
import torch.nn.functional as F


torch.set_default_dtype(torch.float64)  # in f32 the batch norms of so few values lose four digits


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        changes = stride != 1 or inputs != outputs
        around = [nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)]
        self.downsample = nn.Sequential(*around) if changes else nn.Identity()

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + self.downsample(x))


class ResNet(nn.Module):
    def __init__(self, blocks, width, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        for i, count in enumerate(blocks):
            outputs = width << i
            stage = [Block(width if i == 0 else outputs // 2, outputs, 1 if i == 0 else 2)]
            stage += [Block(outputs, outputs, 1) for _ in range(count - 1)]
            setattr(self, f"layer{i + 1}", nn.Sequential(*stage))
        self.fc = nn.Linear(width << 3, classes)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


def fill(model):
    for p, (name, w) in enumerate(model.named_parameters()):
        s = torch.sin(0.37 * torch.arange(w.numel(), dtype=torch.float64) + p)
        if w.dim() > 1:
            s = s / math.sqrt(math.prod(w.shape[1:]))
        else:
            s = 0.2 * s + (1 if name.endswith("weight") else 0)
        w.data = s.view(w.shape)


def images(n):
    i = torch.arange(n, dtype=torch.float64)[:, None]
    j = torch.arange(3 * 64 * 80, dtype=torch.float64)
    return torch.cos((0.11 + 0.3 * i) * j).view(n, 3, 64, 80)


model = ResNet([1, 2, 1, 1], 4, 5)
fill(model)
opt = torch.optim.SGD(model.parameters(), 0.02)
y = torch.tensor([3, 0, 2, 4])
losses = []
for _ in range(5):
    loss = F.cross_entropy(model(images(4)), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
    losses.append(f"{loss.item():.9f}")
print("losses", *losses)
model.eval()
with torch.no_grad():
    print("logits", *(f"{v:.9f}" for v in model(images(2)).flatten().tolist()))
