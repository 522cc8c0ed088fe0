"""Writes transformers.jsonl: attention, transformers and their parts in PyTorch, with all gradients, in f64.

A line for each case: what it is, or the entry of a model file; the inputs and masks (1 where a key is seen); the weights by the
names that they have here; the output, and the gradients of its products with cos(0), cos(1), .. at every input and weight.

    pip install torch && python crates/mapsto-nn/golden/transformers.py > crates/mapsto-nn/golden/transformers.jsonl
"""
import json
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(5)


def rounded(x):
    return torch.round(x.detach(), decimals=6)


def shown(x):
    x = x.detach()
    return {"shape": list(x.shape), "values": [round(v, 12) for v in x.double().flatten().tolist()]}


def ours(name):
    """The name that a weight of PyTorch's has here."""
    for theirs, here in [("in_proj_weight", "qkv.weight"), ("in_proj_bias", "qkv.bias"), ("out_proj", "out"), ("q_proj_weight", "qkv.weight"),
                         ("k_proj_weight", "k.weight"), ("v_proj_weight", "v.weight"), ("linear1", "feed_forward.linear1"), ("linear2", "feed_forward.linear2")]:
        name = name.replace(theirs, here)
    return name


def write(case, inputs, masks, state, run):
    """`case` is an entry or a name; `state` maps our names to leaves."""
    inputs = {name: rounded(x).requires_grad_() for name, x in inputs.items()}
    y = run(**inputs)
    (y * torch.cos(torch.arange(y.numel()).double()).reshape(y.shape)).sum().backward()
    line = {"case": case} if isinstance(case, str) and case.startswith("of ") else {"entry": case}
    line["inputs"] = {name: shown(x) for name, x in inputs.items()}
    line["masks"] = {name: shown(m) for name, m in masks.items()}
    line["state"] = {name: shown(p) for name, p in state.items()}
    line["output"] = shown(y)
    grads = {**{name: x.grad for name, x in inputs.items()}, **{name: p.grad for name, p in state.items()}}
    line["gradients"] = {name: shown(g) for name, g in grads.items()}
    print(json.dumps(line))


def drawn(layer):
    """The layer's weights drawn anew, by our names."""
    layer.eval()
    with torch.no_grad():
        for p in layer.parameters():
            p.copy_(rounded(torch.randn_like(p) * 0.7))
    return {ours(name): p for name, p in layer.named_parameters()}


def leaf(*shape):
    return rounded(torch.randn(*shape) * 0.7).requires_grad_()


b, t, s, size, heads = 2, 3, 4, 4, 2
x, memory = torch.randn(b, t, size), torch.randn(b, s, size)
causal = torch.ones(t, t).tril().bool()
there = torch.tensor([[True, True, True], [True, True, False]])
kept = torch.tensor([[True, True, False, True], [True, False, False, False]])
float_mask = rounded(torch.randn(t, s))

mha = lambda **o: nn.MultiheadAttention(size, heads, batch_first=True, **o)
layer = mha()
write({"attention": heads}, {"x": x}, {}, drawn(layer), lambda x: layer(x, x, x)[0])
layer = mha(bias=False)
write({"attention": heads, "bias": False, "causal": True}, {"x": x}, {}, drawn(layer), lambda x: layer(x, x, x, attn_mask=~causal)[0])
layer = mha()
write("of itself", {"x": x}, {"mask": causal, "keys": there}, drawn(layer),
      lambda x: layer(x, x, x, attn_mask=~causal, key_padding_mask=~there)[0])
layer = mha()
write("of a memory", {"x": x, "memory": memory}, {"mask": float_mask, "keys": kept}, drawn(layer),
      lambda x, memory: layer(x, memory, memory, attn_mask=float_mask, key_padding_mask=torch.zeros(b, s).masked_fill(~kept, -torch.inf))[0])
layer = mha()
write("of weights", {"x": x, "memory": memory}, {"mask": float_mask}, {n: p for n, p in drawn(layer).items()},
      lambda x, memory: layer(x, memory, memory, attn_mask=float_mask)[1] + 0 * sum(p.sum() for p in layer.parameters()))

# Keys and values of other features: three matrices, and one bias that is cut in three.
layer = mha(kdim=3, vdim=5)
state = drawn(layer)
bias = state.pop("qkv.bias")
parts = [bias[i * size:(i + 1) * size].detach().clone().requires_grad_() for i in range(3)]
layer.in_proj_bias = None
state = {"qkv.weight": state["qkv.weight"], "qkv.bias": parts[0], "k.weight": state["k.weight"], "k.bias": parts[1], "v.weight": state["v.weight"],
         "v.bias": parts[2], **{n: p for n, p in state.items() if n.startswith("out")}}


def separate(x, keys, values):
    return F.multi_head_attention_forward(
        x.transpose(0, 1), keys.transpose(0, 1), values.transpose(0, 1), size, heads, None, torch.cat(parts), None, None, False, 0.0,
        layer.out_proj.weight, layer.out_proj.bias, training=False, use_separate_proj_weight=True, q_proj_weight=layer.q_proj_weight,
        k_proj_weight=layer.k_proj_weight, v_proj_weight=layer.v_proj_weight)[0].transpose(0, 1)


write("of others", {"x": x, "keys": torch.randn(b, s, 3), "values": torch.randn(b, s, 5)}, {}, state, separate)


def rotated(x, base=10000.0, interleaved=False):
    """Llama's in complex numbers (interleaved), and Hugging Face's with halves."""
    n, d = x.shape[-2:]
    angles = torch.outer(torch.arange(n).double(), base ** (-torch.arange(0, d, 2).double() / d))
    if interleaved:
        z = torch.view_as_complex(x.reshape(*x.shape[:-1], d // 2, 2)) * torch.polar(torch.ones_like(angles), angles)
        return torch.view_as_real(z).reshape(x.shape)
    cos, sin = torch.cat((angles, angles), -1).cos(), torch.cat((angles, angles), -1).sin()
    half = torch.cat((-x[..., d // 2:], x[..., : d // 2]), -1)
    return x * cos + half * sin


wide = torch.randn(b, t, 8)
write("rotary_embedding", {"x": wide}, {}, {}, rotated)
write({"rotary_embedding": True, "base": 50.0, "interleaved": True}, {"x": wide}, {}, {}, lambda x: rotated(x, 50.0, True))
write({"rotary_embedding": True, "fraction": 0.5}, {"x": wide}, {}, {}, lambda x: torch.cat((rotated(x[..., :4]), x[..., 4:]), -1))


def sinusoids(x):
    n, d = x.shape[-2:]
    angles = torch.outer(torch.arange(n).double(), 10000.0 ** (-torch.arange(0, d, 2).double() / d))
    pe = torch.zeros(n, d)
    pe[:, 0::2], pe[:, 1::2] = torch.sin(angles), torch.cos(angles)[:, : d // 2]
    return x + pe


write("sinusoidal_embedding", {"x": torch.randn(2, 4, 5)}, {}, {}, sinusoids)


def grouped(options, heads, kv, causal=False, norm=False, turn=None, bias=None):
    d = 8 // heads
    state = {"qkv.weight": leaf((heads + 2 * kv) * d, 8), "qkv.bias": leaf((heads + 2 * kv) * d), "out.weight": leaf(8, 8), "out.bias": leaf(8)}
    if norm:
        state |= {"q_norm.weight": leaf(d), "k_norm.weight": leaf(d)}

    def run(x):
        q, k, v = F.linear(x, state["qkv.weight"], state["qkv.bias"]).split([heads * d, kv * d, kv * d], -1)
        q, k, v = (z.unflatten(-1, (-1, d)).transpose(1, 2) for z in (q, k, v))
        if norm:
            q, k = F.rms_norm(q, (d,), state["q_norm.weight"], 1e-6), F.rms_norm(k, (d,), state["k_norm.weight"], 1e-6)
        if turn:
            q, k = turn(q), turn(k)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, is_causal=causal, enable_gqa=True)
        return F.linear(y.transpose(1, 2).flatten(2), state["out.weight"], state["out.bias"])

    write({"attention": heads, **options}, {"x": wide}, {}, state, run)


grouped({"kv_heads": 2, "causal": True}, 4, 2, causal=True)
grouped({"kv_heads": 1, "qk_norm": True}, 2, 1, norm=True)
grouped({"rotary": 1.0, "rotary_base": 100.0}, 2, 2, turn=lambda z: rotated(z, 100.0))
at = torch.arange(t)
distance = (at.unsqueeze(0) - at.unsqueeze(1)).abs().double()
grouped({"alibi": True}, 4, 4, bias=-torch.tensor([0.25, 0.0625, 0.015625, 0.00390625]).reshape(4, 1, 1) * distance)
grouped({"window": 2}, 4, 4, bias=distance < 2)

encoder = lambda **o: nn.TransformerEncoderLayer(size, heads, 3, batch_first=True, **o)
layer = encoder()
write({"transformer_encoder_layer": heads, "hidden": 3}, {"x": x}, {}, drawn(layer), lambda x: layer(x))
layer = encoder(norm_first=True, activation="gelu", bias=False)
write({"transformer_encoder_layer": heads, "hidden": 3, "norm_first": True, "activation": "gelu", "bias": False}, {"x": x}, {}, drawn(layer), lambda x: layer(x))
layer = nn.TransformerEncoder(encoder(activation=torch.tanh), 2, norm=nn.LayerNorm(size), enable_nested_tensor=False)
write({"transformer_encoder": 2, "heads": heads, "hidden": 3, "activation": "tanh", "final_norm": True}, {"x": x}, {}, drawn(layer), lambda x: layer(x))
layer = nn.TransformerEncoder(encoder(), 1, enable_nested_tensor=False)
write("of an encoder", {"x": x}, {"mask": causal, "keys": there}, drawn(layer), lambda x: layer(x, mask=~causal, src_key_padding_mask=~there))

for norm_first in [False, True]:
    layer = nn.TransformerDecoderLayer(size, heads, 3, batch_first=True, norm_first=norm_first)
    write("of a decoder layer" if not norm_first else "of a decoder layer, norm first", {"x": x, "memory": memory}, {"mask": causal, "keys": kept}, drawn(layer),
          lambda x, memory: layer(x, memory, tgt_mask=~causal, memory_key_padding_mask=~kept))

layer = nn.Transformer(size, heads, 1, 2, 3, batch_first=True)
write("of a transformer", {"x": memory, "y": x}, {"mask": causal, "keys": kept}, drawn(layer),
      lambda x, y: layer(x, y, tgt_mask=~causal, src_key_padding_mask=~kept, memory_key_padding_mask=~kept))

state = {"linear1.weight": leaf(10, 4), "linear1.bias": leaf(10), "linear2.weight": leaf(4, 5), "linear2.bias": leaf(4)}


def swiglu(x):
    gate, up = F.linear(x, state["linear1.weight"], state["linear1.bias"]).chunk(2, -1)
    return F.linear(F.silu(gate) * up, state["linear2.weight"], state["linear2.bias"])


write({"feed_forward": 5, "activation": "silu", "gated": True}, {"x": x}, {}, state, swiglu)

sdpa = F.scaled_dot_product_attention
qkv = lambda *shapes: {name: torch.randn(*shape) for name, shape in zip("qkv", shapes)}
write("of scaled products, grouped", qkv((1, 4, 3, 4), (1, 2, 5, 4), (1, 2, 5, 3)), {}, {}, lambda q, k, v: sdpa(q, k, v, scale=0.3, enable_gqa=True))
write("of scaled products, causal", qkv((2, 3, 4), (2, 5, 4), (2, 5, 2)), {}, {}, lambda q, k, v: sdpa(q, k, v, is_causal=True))
added = rounded(torch.randn(3, 5))
write("of scaled products, added", qkv((2, 3, 4), (2, 5, 4), (2, 5, 2)), {"mask": added}, {}, lambda q, k, v: sdpa(q, k, v, attn_mask=added))
# The second query sees nothing.
hidden = torch.tensor([[True, False, True, True], [False] * 4, [False, True, False, False]])
write("of scaled products, hidden", qkv((1, 2, 2, 3, 4), (2, 1, 2, 4, 4), (2, 2, 2, 4, 3)), {"mask": hidden}, {}, lambda q, k, v: sdpa(q, k, v, attn_mask=hidden))

# Keys and values that every query sees besides.
for options in [{"bias_kv": True}, {"zero_attn": True}, {"bias_kv": True, "zero_attn": True, "bias": False}, {"bias_kv": True, "causal": True}]:
    layer = nn.MultiheadAttention(size, heads, batch_first=True, bias=options.get("bias", True), add_bias_kv="bias_kv" in options,
                                  add_zero_attn="zero_attn" in options)
    masked = {"attn_mask": ~causal} if "causal" in options else {}
    write({"attention": heads, **options}, {"x": x}, {}, drawn(layer), lambda x: layer(x, x, x, **masked)[0])
