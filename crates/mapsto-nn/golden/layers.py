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


def write(entry, x, layer, names=None):
    x = x if not x.is_floating_point() else torch.round(x, decimals=8)
    state = {}
    if isinstance(layer, nn.Module):
        layer.eval()
        with torch.no_grad():
            for name, p in layer.named_parameters():
                p.copy_(torch.round(torch.randn_like(p), decimals=8))
                state[name if names is None else names[name]] = shown(p)
            for name, b in layer.named_buffers():
                if b.is_floating_point():
                    b.copy_(torch.round(b if names else torch.rand_like(b) + 0.5, decimals=8))
                    state[name if names is None else names[name]] = shown(b)
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

# Convolutions of all kinds.
torch.manual_seed(12)
volumes, images, sequences = torch.randn(2, 2, 3, 4, 3), torch.randn(2, 4, 4, 5), torch.randn(2, 4, 6)
write({"conv3d": 3, "kernel": 2}, volumes, nn.Conv3d(2, 3, 2))
write({"conv3d": 4, "kernel": [2, 1, 3], "stride": [2, 1, 1], "padding": [1, 0, 2], "dilation": [1, 2, 1], "groups": 2, "bias": False}, volumes,
      nn.Conv3d(2, 4, (2, 1, 3), stride=(2, 1, 1), padding=(1, 0, 2), dilation=(1, 2, 1), groups=2, bias=False))
write({"conv3d": 2, "kernel": [2, 3, 1], "padding": "same", "padding_mode": "circular"}, volumes,
      nn.Conv3d(2, 2, (2, 3, 1), padding="same", padding_mode="circular"))
write({"conv1d": 3, "kernel": 4, "padding": "same", "dilation": 3}, sequences, nn.Conv1d(4, 3, 4, padding="same", dilation=3))
write({"conv1d": 3, "kernel": 4, "padding": "valid"}, sequences, nn.Conv1d(4, 3, 4, padding="valid"))
write({"conv2d": 2, "kernel": [2, 3], "padding": "same"}, images, nn.Conv2d(4, 2, (2, 3), padding="same"))
for mode in ["reflect", "replicate", "circular"]:
    write({"conv2d": 2, "kernel": 3, "padding": [2, 3], "stride": 2, "padding_mode": mode}, images,
          nn.Conv2d(4, 2, 3, padding=(2, 3), stride=2, padding_mode=mode))
    write({"conv1d": 2, "kernel": 4, "padding": "same", "padding_mode": mode}, sequences, nn.Conv1d(4, 2, 4, padding="same", padding_mode=mode))
write({"conv3d": 2, "kernel": 3, "padding": 2, "padding_mode": "reflect"}, volumes, nn.Conv3d(2, 2, 3, padding=2, padding_mode="reflect"))
write({"conv_transpose1d": 3, "kernel": 3, "stride": 2, "padding": 1, "output_padding": 1}, sequences,
      nn.ConvTranspose1d(4, 3, 3, stride=2, padding=1, output_padding=1))
write({"conv_transpose1d": 2, "kernel": 2, "stride": 2, "dilation": 4, "output_padding": 3, "groups": 2}, sequences,
      nn.ConvTranspose1d(4, 2, 2, stride=2, dilation=4, output_padding=3, groups=2))
write({"conv_transpose3d": 2, "kernel": [3, 2, 2], "stride": [2, 1, 3], "padding": [1, 0, 1], "output_padding": [1, 0, 2]}, volumes,
      nn.ConvTranspose3d(2, 2, (3, 2, 2), stride=(2, 1, 3), padding=(1, 0, 1), output_padding=(1, 0, 2)))
write({"conv_transpose3d": 4, "kernel": 2, "dilation": [2, 1, 1], "groups": 2, "bias": False}, volumes,
      nn.ConvTranspose3d(2, 4, 2, dilation=(2, 1, 1), groups=2, bias=False))
write({"depthwise_conv1d": True, "kernel": 3, "stride": 2, "depth_multiplier": 2}, sequences, nn.Conv1d(4, 8, 3, stride=2, groups=4))
write({"depthwise_conv2d": True, "kernel": [3, 2], "padding": "same", "bias": False}, images,
      nn.Conv2d(4, 4, (3, 2), padding="same", groups=4, bias=False))


def separable(conv, inputs, outputs, kernel, multiplier=1, bias=True, **options):
    parts = nn.Sequential()
    parts.add_module("depthwise", conv(inputs, inputs * multiplier, kernel, groups=inputs, bias=False, **options))
    parts.add_module("pointwise", conv(inputs * multiplier, outputs, 1, bias=bias))
    return parts


write({"separable_conv1d": 3, "kernel": 3, "padding": 1}, sequences, separable(nn.Conv1d, 4, 3, 3, padding=1))
write({"separable_conv2d": 3, "kernel": [2, 3], "stride": 2, "depth_multiplier": 2, "bias": False}, images,
      separable(nn.Conv2d, 4, 3, (2, 3), 2, False, stride=2))
write({"batch_norm3d": True, "eps": 0.1}, volumes, nn.BatchNorm3d(2, eps=0.1))
lengths = {"parametrizations.weight.original0": "g", "parametrizations.weight.original1": "layer.weight", "bias": "layer.bias"}
weight_norm, spectral_norm = nn.utils.parametrizations.weight_norm, nn.utils.parametrizations.spectral_norm
write({"weight_norm": {"conv1d": 3, "kernel": 2}}, sequences, weight_norm(nn.Conv1d(4, 3, 2)), lengths)
write({"weight_norm": {"conv_transpose2d": 3, "kernel": 2}, "dim": 1}, images, weight_norm(nn.ConvTranspose2d(4, 3, 2), dim=1), lengths)
write({"weight_norm": {"linear": 3}}, rows, weight_norm(nn.Linear(4, 3)), lengths)
vectors = {"parametrizations.weight.original": "layer.weight", "bias": "layer.bias", "parametrizations.weight.0._u": "u",
           "parametrizations.weight.0._v": "v"}
write({"spectral_norm": {"linear": 3}}, rows, spectral_norm(nn.Linear(4, 3)), vectors)
write({"spectral_norm": {"conv2d": 3, "kernel": 2}}, images, spectral_norm(nn.Conv2d(4, 3, 2)), vectors)
write({"spectral_norm": {"conv_transpose1d": 3, "kernel": 2}}, sequences, spectral_norm(nn.ConvTranspose1d(4, 3, 2)), vectors)
volumes = torch.randn(2, 2, 3, 4, 5)
write({"max_pool1d": 3, "stride": 2, "padding": 1}, sequences, nn.MaxPool1d(3, 2, 1))
write({"max_pool1d": 2, "stride": 3, "dilation": 2, "ceil_mode": True}, sequences, nn.MaxPool1d(2, 3, dilation=2, ceil_mode=True))
write({"max_pool2d": 2}, images, nn.MaxPool2d(2))
write({"max_pool2d": [2, 3], "stride": [1, 2], "dilation": [2, 1], "padding": [1, 0], "ceil_mode": True}, images, nn.MaxPool2d((2, 3), (1, 2), (1, 0), (2, 1), ceil_mode=True))
write({"max_pool3d": 2, "stride": [1, 2, 2], "padding": 1}, volumes, nn.MaxPool3d(2, (1, 2, 2), 1))
write({"avg_pool1d": 3, "stride": 2, "padding": 1}, sequences, nn.AvgPool1d(3, 2, 1))
write({"avg_pool1d": 3, "stride": 2, "padding": 1, "count_include_pad": False, "ceil_mode": True}, sequences, nn.AvgPool1d(3, 2, 1, True, False))
write({"avg_pool2d": [2, 3], "stride": 1, "padding": 1}, images, nn.AvgPool2d((2, 3), 1, 1))
write({"avg_pool2d": 2, "padding": 1, "divisor_override": 3, "ceil_mode": True}, images, nn.AvgPool2d(2, padding=1, ceil_mode=True, divisor_override=3))
write({"avg_pool3d": 2, "padding": 1, "ceil_mode": True}, volumes, nn.AvgPool3d(2, padding=1, ceil_mode=True))
write({"avg_pool3d": [1, 2, 3], "stride": 1, "padding": [0, 1, 1], "count_include_pad": False}, volumes, nn.AvgPool3d((1, 2, 3), 1, (0, 1, 1), count_include_pad=False))
write({"lp_pool1d": 3, "stride": 2, "ceil_mode": True}, sequences, nn.LPPool1d(2, 3, 2, True))
write({"lp_pool2d": 2, "stride": 1, "p": 4.0}, images, nn.LPPool2d(4, 2, 1))
write({"lp_pool3d": [1, 2, 2]}, volumes, nn.LPPool3d(2, (1, 2, 2)))
write({"adaptive_max_pool1d": 4}, sequences, nn.AdaptiveMaxPool1d(4))
write({"adaptive_max_pool2d": [2, 3]}, images, nn.AdaptiveMaxPool2d((2, 3)))
write({"adaptive_max_pool3d": [2, 3, 3]}, volumes, nn.AdaptiveMaxPool3d((2, 3, 3)))
write({"adaptive_avg_pool1d": 4}, sequences, nn.AdaptiveAvgPool1d(4))
write({"adaptive_avg_pool2d": [2, 3]}, images, nn.AdaptiveAvgPool2d((2, 3)))
write({"adaptive_avg_pool3d": [2, 3, 3]}, volumes, nn.AdaptiveAvgPool3d((2, 3, 3)))
write({"pad1d": [2, 3], "mode": "reflect"}, sequences, nn.ReflectionPad1d((2, 3)))
write({"pad1d": [6, 1], "mode": "circular"}, sequences, nn.CircularPad1d((6, 1)))
write({"pad3d": [1, 0, 2, 1, 3, 4]}, volumes, nn.ZeroPad3d((3, 4, 2, 1, 1, 0)))
write({"pad3d": [1, 2, 3, 1, 4, 0], "mode": "reflect"}, volumes, nn.ReflectionPad3d((4, 0, 3, 1, 1, 2)))
write({"pad3d": [1, 2, 3, 5, 4, 0], "mode": "replicate"}, volumes, nn.ReplicationPad3d((4, 0, 3, 5, 1, 2)))
large = torch.randn(1, 2, 4, 6)
write({"pixel_unshuffle": 2}, large, nn.PixelUnshuffle(2))
write({"channel_shuffle": 2}, images, nn.ChannelShuffle(2))
write({"unfold": [2, 3], "stride": [2, 1], "padding": 1, "dilation": [1, 2]}, images, nn.Unfold((2, 3), (1, 2), 1, (2, 1)))
write({"fold": [3, 4], "kernel": 2, "padding": [1, 0], "stride": [2, 1]}, torch.randn(2, 8, 6), nn.Fold((3, 4), 2, padding=(1, 0), stride=(2, 1)))
write({"upsample": 1.7}, sequences, nn.Upsample(scale_factor=1.7))
write({"upsample": 0.6, "mode": "nearest-exact"}, images, nn.Upsample(scale_factor=0.6, mode="nearest-exact"))
write({"upsample": 2, "mode": "linear"}, sequences, nn.Upsample(scale_factor=2, mode="linear"))
write({"upsample": 1.5, "mode": "trilinear", "align_corners": True}, volumes, nn.Upsample(scale_factor=1.5, mode="trilinear", align_corners=True))
write({"upsample": True, "size": [5, 3], "mode": "bicubic"}, images, nn.Upsample((5, 3), mode="bicubic"))
write({"upsample": 2.4, "mode": "bicubic", "align_corners": True}, images, nn.Upsample(scale_factor=2.4, mode="bicubic", align_corners=True))
write({"upsample": True, "size": [4], "mode": "area"}, sequences, lambda x: F.interpolate(x, 4, mode="area"))
write({"upsample": True, "size": [2, 3], "mode": "bicubic", "antialias": True}, large, lambda x: F.interpolate(x, (2, 3), mode="bicubic", antialias=True))
write({"upsample": 0.4, "mode": "bilinear", "antialias": True}, large, lambda x: F.interpolate(x, scale_factor=0.4, mode="bilinear", antialias=True))
# From here on with a seed of their own, so that lines above may be added.
bags = torch.tensor([[0, 1, 2], [1, 1, 4], [1, 1, 1]])
for mode in ["mean", "sum", "max"]:
    write({"embedding_bag": 6, "size": 3, "mode": mode, "padding": 1}, bags, nn.EmbeddingBag(6, 3, mode=mode, padding_idx=1))
images, rows, sequences = torch.randn(2, 4, 3, 5), torch.randn(3, 4), torch.randn(2, 4, 6)
write("softmax2d", images, nn.Softmax2d())
write({"softplus": 2.0}, x, nn.Softplus(2.0))
write({"hardtanh": True, "min": -2.0, "max": 0.5}, x, nn.Hardtanh(-2.0, 0.5))
write("identity", rows, nn.Identity())
write({"reshape": [2, -1]}, rows, nn.Unflatten(1, (2, -1)))
write({"unflatten": [3, 2], "axis": 2}, sequences, nn.Unflatten(2, (3, 2)))
write({"permute": [3, 1, 2]}, images, lambda x: x.permute(0, 3, 1, 2))
write({"repeat_vector": 3}, rows, lambda x: x.unsqueeze(1).repeat(1, 3, 1))
write({"cropping": [1, 0, 0, 2]}, images, lambda x: F.pad(x, (0, -2, -1, 0)))

class Merged(nn.GRU):
    def __init__(self, merge, *args):
        super().__init__(*args, bidirectional=True, batch_first=True)
        self.merge = merge

    def forward(self, x):
        return self.merge(*super().forward(x)[0].chunk(2, -1))


write({"gru": 3, "bidirectional": True, "merge": "sum"}, steps, Merged(torch.add, 4, 3))
write({"gru": 3, "bidirectional": True, "merge": "mul"}, steps, Merged(torch.mul, 4, 3))
write({"gru": 3, "bidirectional": True, "merge": "ave"}, steps, Merged(lambda a, b: (a + b) / 2, 4, 3))
write("unit_normalization", rows, lambda x: F.normalize(x, dim=-1))


class Categories(nn.Module):
    """Vectors of ids in the last columns, with the first vector of a column for ids that it does not have."""

    def __init__(self, counts, size):
        super().__init__()
        self.counts, self.weight = counts, nn.Parameter(torch.zeros(sum(counts), size))

    def forward(self, x):
        k, before, parts = len(self.counts), 0, [x[..., : x.shape[-1] - len(self.counts)]]
        for i, n in enumerate(self.counts):
            ids = x[..., x.shape[-1] - k + i].floor().long()
            parts.append(self.weight[torch.where((ids >= 0) & (ids < n), ids, 0) + before])
            before += n
        return torch.cat(parts, -1)


columns = torch.tensor([[0.5, 2.0, 0.0], [-1.5, 4.0, 2.0], [2.5, 7.0, 1.0], [0.25, -1.0, 3.0]])
write({"category_embedding": [5, 3], "size": 2}, columns, Categories([5, 3], 2))
write({"category_embedding": [5, 3, 4], "size": 3}, columns, Categories([5, 3, 4], 3))
write({"rescaling": 2.5}, rows, lambda x: 2.5 * x)
write({"rescaling": [0.5, -2.0, 3.0, 1.0], "offset": [1.0, 0.0, -0.5, 2.0]}, rows,
      lambda x: x * torch.tensor([0.5, -2.0, 3.0, 1.0]) + torch.tensor([1.0, 0.0, -0.5, 2.0]))

# Keras' layers that PyTorch does not have, by their formulas.
torch.manual_seed(12)


class ByFormula(nn.Module):
    def __init__(self, f, **shapes):
        super().__init__()
        self.f = f
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(torch.zeros(shape)))

    def forward(self, x):
        return self.f(x, **dict(self.named_parameters()))


steps, film = torch.randn(2, 3, 4), torch.randn(2, 3, 2, 4, 5)
write({"einsum_dense": "bti,ihd->bthd", "sizes": [2, 3], "bias": "hd"}, steps,
      ByFormula(lambda x, weight, bias: torch.einsum("bti,ihd->bthd", x, weight) + bias, weight=(4, 2, 3), bias=(2, 3)))
write({"einsum_dense": "bti,tio->bto", "sizes": [2], "bias": "t"}, steps,
      ByFormula(lambda x, weight, bias: torch.einsum("bti,tio->bto", x, weight) + bias[:, None], weight=(3, 4, 2), bias=(3,)))
among = lambda scores, x: scores.softmax(-1) @ x
write("additive_attention", steps,
      ByFormula(lambda x, scale: among((scale * torch.tanh(x[:, :, None] + x[:, None])).sum(-1), x), scale=(4,)))
write({"additive_attention": True, "scale": False}, steps, lambda x: among(torch.tanh(x[:, :, None] + x[:, None]).sum(-1), x))
write("luong_attention", steps, lambda x: among(x @ x.mT, x))
write({"luong_attention": True, "scale": True}, steps, ByFormula(lambda x, scale: among(scale * (x @ x.mT), x), scale=(1,)))


def conv_lstm(conv, same, last, **options):
    def f(x, weight_ih, weight_hh, bias=None):
        h = c = None
        all = []
        for x_t in x.unbind(1):
            z = conv(x_t, weight_ih, bias, **options)
            z = z if h is None else z + conv(F.pad(h, same), weight_hh)
            i, g_f, g, o = z.chunk(4, 1)
            c = i.sigmoid() * g.tanh() + (0 if c is None else g_f.sigmoid() * c)
            h = o.sigmoid() * c.tanh()
            all.append(h)
        return h if last else torch.stack(all, 1)
    return f


# The state is padded as Keras pads it: what is odd stands at the end.
write({"conv_lstm1d": 3, "kernel": 3, "stride": 2, "padding": 1}, torch.randn(2, 3, 2, 6),
      ByFormula(conv_lstm(F.conv1d, (1, 1), False, stride=2, padding=1), weight_ih=(12, 2, 3), weight_hh=(12, 3, 3), bias=(12,)))
write({"conv_lstm2d": 2, "kernel": [2, 3], "dilation": [1, 2], "bias": False}, film,
      ByFormula(conv_lstm(F.conv2d, (1, 1, 0, 1), False, dilation=(1, 2)), weight_ih=(8, 2, 2, 3), weight_hh=(8, 2, 2, 3)))
write({"conv_lstm2d": 2, "kernel": 3, "padding": "same", "last": True}, film,
      ByFormula(conv_lstm(F.conv2d, (1, 1, 1, 1), True, padding=1), weight_ih=(8, 2, 3, 3), weight_hh=(8, 2, 3, 3), bias=(8,)))
write({"conv_lstm3d": 1, "kernel": 2}, torch.randn(1, 2, 1, 3, 2, 3),
      ByFormula(conv_lstm(F.conv3d, (0, 1, 0, 1, 0, 1), False), weight_ih=(4, 1, 2, 2, 2), weight_hh=(4, 1, 2, 2, 2), bias=(4,)))


class Normalized(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.register_buffer("mean", torch.zeros(d))
        self.register_buffer("variance", torch.zeros(d))

    def forward(self, x):
        return (x - self.mean) / self.variance.sqrt()


write("normalization", rows, Normalized(4))
for join, f in [("multiply", lambda a, b: a * b), ("average", lambda a, b: (a + b) / 2), ("maximum", torch.maximum), ("minimum", torch.minimum),
                ("subtract", torch.sub), ("add", torch.add)]:
    write({"parallel": [["tanh"], ["silu"]], "join": join}, rows, lambda x: f(torch.tanh(x), F.silu(x)))
write({"parallel": [["tanh"], ["silu"]]}, rows, lambda x: torch.cat([torch.tanh(x), F.silu(x)], -1))
