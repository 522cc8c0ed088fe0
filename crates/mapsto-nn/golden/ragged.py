"""Writes ragged.jsonl: what recurrent layers of PyTorch make of packed sequences of different lengths, in f64.

A line for each layer: its name, depth and directions, the padded input, the lengths, the first state, the weights by the names that they
have in both; the padded output, the last state, and the gradients of the sum of `cos(i)` times each number of both.

    pip install torch && python crates/mapsto-nn/golden/ragged.py > crates/mapsto-nn/golden/ragged.jsonl
"""
import json
import torch
import torch.nn as nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

torch.set_default_dtype(torch.float64)
torch.manual_seed(13)


def shown(x, decimals=10):
    return {"shape": list(x.shape), "values": [round(v, decimals) for v in x.detach().flatten().tolist()]}


def weighed(x):
    return (x.flatten() * torch.arange(x.numel(), dtype=x.dtype).cos()).sum()


def write(name, layer, lengths, steps):
    depth, directions = layer.num_layers, 2 if layer.bidirectional else 1
    state = {}
    with torch.no_grad():
        for key, p in layer.named_parameters():
            p.copy_(torch.round(torch.randn_like(p) / 2, decimals=6))
            state[key] = shown(p)
    x = torch.round(torch.randn(len(lengths), steps, layer.input_size), decimals=6).requires_grad_()
    parts = 2 if name == "lstm" else 1
    first = [torch.round(torch.randn(depth * directions, len(lengths), size), decimals=6).requires_grad_()
             for size in [layer.proj_size or layer.hidden_size, layer.hidden_size][:parts]]
    packed = pack_padded_sequence(x, torch.tensor(lengths), batch_first=True, enforce_sorted=False)
    y, last = layer(packed, tuple(first) if parts == 2 else first[0])
    y, _ = pad_packed_sequence(y, batch_first=True, total_length=steps)
    last = list(last) if parts == 2 else [last]
    (weighed(y) + sum(weighed(s) for s in last)).backward()
    print(json.dumps({
        "layer": name, "depth": depth, **({"proj_size": layer.proj_size} if layer.proj_size else {}), "directions": directions, "lengths": lengths, "input": shown(x), "first": [shown(s) for s in first],
        "state": state, "output": shown(y), "last": [shown(s) for s in last], "of_input": shown(x.grad),
        "of_first": [shown(s.grad) for s in first], "of_state": {key: shown(p.grad) for key, p in layer.named_parameters()},
    }))


write("lstm", nn.LSTM(3, 4, batch_first=True), [2, 5, 1, 5], 5)
write("lstm", nn.LSTM(3, 2, 2, bidirectional=True, batch_first=True), [4, 1, 6, 3, 2, 6, 5, 1, 4, 2], 7)
write("gru", nn.GRU(3, 4, batch_first=True), [2, 5, 1, 5], 5)
write("gru", nn.GRU(3, 2, 2, bidirectional=True, batch_first=True), [4, 1, 6, 3, 2, 6, 5, 1, 4, 2], 7)
write("rnn", nn.RNN(3, 2, 2, bidirectional=True, batch_first=True), [3, 1, 6, 6, 2], 6)
write("rnn_relu", nn.RNN(3, 4, nonlinearity="relu", bias=False, bidirectional=True, batch_first=True), [2, 5, 3], 5)
write("lstm", nn.LSTM(3, 4, proj_size=2, batch_first=True), [2, 5, 1, 5], 5)
write("lstm", nn.LSTM(3, 3, 2, proj_size=2, bidirectional=True, batch_first=True), [4, 1, 6, 3, 2, 6], 7)
