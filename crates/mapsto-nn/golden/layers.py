"""Writes layers.jsonl: what layers of PyTorch make of inputs and weights, in f64.

A line for each setting: the entry of a model file, the input (numbers or ids), the weights by the names that they have in
both, and the output, in inference.

    pip install torch && python crates/mapsto-nn/golden/layers.py > crates/mapsto-nn/golden/layers.jsonl
"""
import json
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(11)


def shown(x):
    return {"shape": list(x.shape), "values": [round(v, 8) for v in x.detach().flatten().tolist()]}


def write(entry, x, layer):
    x = x if not x.is_floating_point() else torch.round(x, decimals=8)
    state = {}
    if isinstance(layer, nn.Module):
        layer.eval()
        with torch.no_grad():
            for name, p in layer.named_parameters():
                p.copy_(torch.round(torch.randn_like(p), decimals=8))
                state[name] = shown(p)
    with torch.no_grad():
        y = layer(x)
    y = y[0] if isinstance(y, tuple) else y
    output = {"shape": list(y.shape), "values": [round(v, 10) for v in y.flatten().tolist()]}
    print(json.dumps({"entry": entry, "ids": not x.is_floating_point(), "input": shown(x), "state": state, "output": output}))


images, rows, sequences = torch.randn(2, 4, 3, 5), torch.randn(3, 4), torch.randn(2, 4, 6)
write({"linear": 3}, rows, nn.Linear(4, 3))
write({"conv2d": 2, "kernel": 3, "padding": 1}, images, nn.Conv2d(4, 2, 3, padding=1))
write({"layer_norm": True}, rows, nn.LayerNorm(4))
write({"embedding": 6, "size": 3}, torch.tensor([[0, 5, 2], [1, 1, 4]]), nn.Embedding(6, 3))
write({"group_norm": 2}, images, nn.GroupNorm(2, 4))
write({"group_norm": 1, "eps": 0.1}, rows, nn.GroupNorm(1, 4, eps=0.1))
write("instance_norm", images, nn.InstanceNorm2d(4))
write({"instance_norm": True, "affine": True, "eps": 0.1}, sequences, nn.InstanceNorm1d(4, affine=True, eps=0.1))
write("rms_norm", rows, nn.RMSNorm(4, eps=1e-6))
write({"local_response_norm": 3}, images, nn.LocalResponseNorm(3))
write({"local_response_norm": 2, "alpha": 0.5, "beta": 0.6, "k": 2.0}, images, nn.LocalResponseNorm(2, 0.5, 0.6, 2.0))
write({"upsample": 2}, images, nn.Upsample(scale_factor=2))
write({"upsample": 3, "mode": "bilinear"}, images, nn.Upsample(scale_factor=3, mode="bilinear"))
write({"pixel_shuffle": 2}, images, nn.PixelShuffle(2))
write({"pad2d": [1, 0, 2, 3]}, images, nn.ZeroPad2d((2, 3, 1, 0)))
write({"pad2d": [1, 0, 2, 3], "mode": "constant", "value": -1.5}, images, nn.ConstantPad2d((2, 3, 1, 0), -1.5))
write({"pad2d": [1, 2, 4, 3], "mode": "reflect"}, images, nn.ReflectionPad2d((4, 3, 1, 2)))
write({"pad2d": [1, 4, 2, 7], "mode": "replicate"}, images, nn.ReplicationPad2d((2, 7, 1, 4)))
write({"pad2d": [3, 2, 1, 5], "mode": "circular"}, images, nn.CircularPad2d((1, 5, 3, 2)))
write("global_avg_pool", images, lambda x: x.mean((2, 3)))
write("global_max_pool", images, lambda x: x.amax((2, 3)))
write({"conv1d": 6, "kernel": 3, "stride": 2, "padding": 2}, sequences, nn.Conv1d(4, 6, 3, stride=2, padding=2))
write({"conv1d": 6, "kernel": 2, "dilation": 3, "groups": 2, "bias": False}, sequences, nn.Conv1d(4, 6, 2, dilation=3, groups=2, bias=False))
write({"conv_transpose2d": 3, "kernel": 3}, images, nn.ConvTranspose2d(4, 3, 3))
write({"conv_transpose2d": 6, "kernel": [3, 2], "stride": [2, 3], "padding": [1, 0], "output_padding": [1, 2], "groups": 2}, images,
      nn.ConvTranspose2d(4, 6, (3, 2), stride=(2, 3), padding=(1, 0), output_padding=(1, 2), groups=2))
write({"conv_transpose2d": 2, "kernel": 2, "stride": 2, "dilation": 2, "bias": False}, images,
      nn.ConvTranspose2d(4, 2, 2, stride=2, dilation=2, bias=False))
steps = torch.randn(2, 5, 4)
write({"rnn": 3}, steps, nn.RNN(4, 3, batch_first=True))
write({"rnn": 3, "layers": 2, "bidirectional": True}, steps, nn.RNN(4, 3, 2, bidirectional=True, batch_first=True))
write({"rnn_relu": 3, "bias": False}, steps, nn.RNN(4, 3, nonlinearity="relu", bias=False, batch_first=True))
write({"lstm": 3}, steps, nn.LSTM(4, 3, batch_first=True))
write({"gru": 3}, steps, nn.GRU(4, 3, batch_first=True))
write("prelu", images, nn.PReLU(4))
write({"prelu": 0.25, "shared": True}, rows, nn.PReLU())
write("glu", rows, nn.GLU())
bags = torch.tensor([[0, 5, 2], [1, 1, 4]])
for mode in ["mean", "sum", "max"]:
    write({"embedding_bag": 6, "size": 3, "mode": mode}, bags, nn.EmbeddingBag(6, 3, mode=mode))
x = torch.linspace(-7, 7, 57).reshape(3, 19)
write("relu", x, nn.ReLU())
write({"leaky_relu": 0.2}, x, nn.LeakyReLU(0.2))
write({"elu": 0.7}, x, nn.ELU(0.7))
write("gelu", x, nn.GELU())
write("gelu_tanh", x, nn.GELU(approximate="tanh"))
write("silu", x, nn.SiLU())
write("sigmoid", x, nn.Sigmoid())
write("tanh", x, nn.Tanh())
write("softplus", x, F.softplus)
write("softmax", x, nn.Softmax(-1))
write("log_softmax", x, nn.LogSoftmax(-1))
write("relu6", x, nn.ReLU6())
write("hardtanh", x, nn.Hardtanh())
write("hardsigmoid", x, nn.Hardsigmoid())
write("hardswish", x, nn.Hardswish())
write("mish", x, nn.Mish())
write("softsign", x, nn.Softsign())
write("tanhshrink", x, nn.Tanhshrink())
write("log_sigmoid", x, nn.LogSigmoid())
write("selu", x, nn.SELU())
write("softmin", x, nn.Softmin(-1))
write({"softshrink": 0.75}, x, nn.Softshrink(0.75))
write({"hardshrink": 0.75}, x, nn.Hardshrink(0.75))
write({"celu": 0.7}, x, nn.CELU(0.7))
write({"threshold": 0.3, "value": -2.0}, x, nn.Threshold(0.3, -2.0))
write({"rrelu": True, "lower": 0.1, "upper": 0.3}, x, nn.RReLU(0.1, 0.3))


class Merged(nn.GRU):
    def __init__(self, merge, *args):
        super().__init__(*args, bidirectional=True, batch_first=True)
        self.merge = merge

    def forward(self, x):
        return self.merge(*super().forward(x)[0].chunk(2, -1))


write({"gru": 3, "bidirectional": True, "merge": "sum"}, steps, Merged(torch.add, 4, 3))
write({"gru": 3, "bidirectional": True, "merge": "mul"}, steps, Merged(torch.mul, 4, 3))
write({"gru": 3, "bidirectional": True, "merge": "ave"}, steps, Merged(lambda a, b: (a + b) / 2, 4, 3))
