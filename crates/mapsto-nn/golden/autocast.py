"""Writes autocast.jsonl: the dtype of what each operation gives under PyTorch's autocast to bfloat16.

A line for each operation by its name here: the dtypes of its operands, the dtype of the result on the CPU, and in which list of its
dispatcher (ATen/autocast_mode.h, which the package brings) the operation stands for GPUs: "low", "f32", "widest" or none.

    pip install torch && python crates/mapsto-nn/golden/autocast.py > crates/mapsto-nn/golden/autocast.jsonl
"""
import json
import pathlib
import re
import torch
import torch.nn.functional as F

text = (pathlib.Path(torch.__file__).parent / "include/ATen/autocast_mode.h").read_text()
lists = {}
for name, macro in [("low", "AT_FORALL_LOWER_PRECISION_FP"), ("f32", "AT_FORALL_FP32"), ("f32", "AT_FORALL_FP32_SET_OPT_DTYPE"),
                    ("f32", "AT_FORALL_DIFFERENT_REDISPATCH_SIGNATURE"), ("widest", "AT_FORALL_PROMOTE")]:
    body = re.search(r"#define " + macro + r"\(_\)(.*?)\n\n", text, re.S).group(1)
    for op in re.findall(r"_\((?:ADD_NS\()?(\w+)", body):
        lists.setdefault(op, name)

torch.manual_seed(1)
short = {torch.float32: "f32", torch.bfloat16: "bf16"}
a, b = torch.rand(3, 3) * 0.5 + 0.2, torch.rand(3, 3) * 0.5 + 0.2
image, kernel = torch.rand(2, 3, 4, 4), torch.rand(3, 3, 3, 3)
heads = torch.rand(1, 2, 3, 4)
sequence = torch.rand(2, 3, 4)
ids = torch.tensor([0, 2, 1])

one = {
    "matmul": lambda x: x @ b.to(x.dtype), "exp": torch.exp, "expm1": torch.expm1, "log": torch.log, "log2": torch.log2, "log10": torch.log10, "log1p": torch.log1p,
    "recip": torch.reciprocal, "rsqrt": torch.rsqrt, "sinh": torch.sinh, "cosh": torch.cosh, "tan": torch.tan, "asin": torch.asin,
    "acos": torch.acos, "erfinv": torch.erfinv, "softplus": F.softplus, "pow": lambda x: x ** 1.5, "square": torch.square, "powt": lambda x: torch.pow(x, x), "softmax": lambda x: x.softmax(-1),
    "log_softmax": lambda x: x.log_softmax(-1), "logsumexp": lambda x: x.logsumexp(-1), "sum": torch.sum, "prod": torch.prod,
    "cumsum": lambda x: x.cumsum(0), "cumprod": lambda x: x.cumprod(0), "norm": lambda x: torch.linalg.vector_norm(x), "mean": torch.mean,
    "max": torch.amax, "var": torch.var, "relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "gelu": F.gelu, "silu": F.silu,
    "sin": torch.sin, "sqrt": torch.sqrt, "abs": torch.abs, "erf": torch.erf, "dropout": lambda x: F.dropout(x, 0.5), "t": torch.t,
    "layer_norm": lambda x: F.layer_norm(x, (3,), torch.ones(3), torch.zeros(3)),
    "batch_norm": lambda x: F.batch_norm(x, None, None, torch.ones(3), torch.zeros(3), True),
    "rms_norm": lambda x: F.rms_norm(x, (3,), torch.ones(3)),
    "cross_entropy": lambda x: F.cross_entropy(x, ids), "mse": lambda x: F.mse_loss(x, b), "mae": lambda x: F.l1_loss(x, b),
    "huber": lambda x: F.huber_loss(x, b), "smooth_l1": lambda x: F.smooth_l1_loss(x, b),
    "bce_with_logits": lambda x: F.binary_cross_entropy_with_logits(x, b), "kl_div": lambda x: F.kl_div(x.log_softmax(-1), b.softmax(-1)),
    "cosine_similarity": lambda x: F.cosine_similarity(x, b.to(x.dtype)), "cdist": lambda x: torch.cdist(x, b.to(x.dtype)),
    "linear": lambda x: F.linear(x, b.to(x.dtype), torch.zeros(3)), "einsum": lambda x: torch.einsum("ij,jk->ik", x, b.to(x.dtype)),
    "embedding": lambda x: F.embedding(ids, x),
}
stands_for = {"recip": "reciprocal", "powt": "pow", "max": "amax", "mse": "mse_loss", "mae": "l1_loss", "huber": "huber_loss", "smooth_l1": "smooth_l1_loss",
              "cross_entropy": "nll_loss", "bce_with_logits": "binary_cross_entropy_with_logits", "norm": "linalg_vector_norm", "attention": "scaled_dot_product_attention", "choose": "where"}


def write(op, operands, y):
    print(json.dumps({"op": op, "operands": [short[t] for t in operands], "cpu": short[y.dtype], "gpu": lists.get(stands_for.get(op, op))}))


with torch.autocast("cpu", torch.bfloat16):
    for op, f in one.items():
        for dtype in short:
            try:
                y = f(a.to(dtype))
            except RuntimeError as e:  # what the CPU has no kernel for
                raise SystemExit(f"{op} of {dtype}: {e}")
            write(op, [dtype], y)
    two = {"add": torch.add, "mul": torch.mul, "sub": torch.sub, "div": torch.div, "maximum": torch.maximum, "atan2": torch.atan2, "matmul": torch.matmul,
           "cat": lambda x, y: torch.cat([x, y]), "stack": lambda x, y: torch.stack([x, y]), "choose": lambda x, y: torch.where(a > 0.4, x, y)}
    for op, f in two.items():
        for da in short:
            for db in short:
                write(op, [da, db], f(a.to(da), b.to(db)))
    for da in short:
        write("conv2d", [da], F.conv2d(image.to(da), kernel, torch.zeros(3)))
        write("conv_transpose2d", [da], F.conv_transpose2d(image.to(da), kernel, torch.zeros(3)))
        write("attention", [da], F.scaled_dot_product_attention(heads.to(da), heads.to(da), heads.to(da)))
        write("avg_pool2d", [da], F.avg_pool2d(image.to(da), 2))
        write("max_pool2d", [da], F.max_pool2d(image.to(da), 2))
    write("lstm", [torch.float32], torch.nn.LSTM(4, 3, batch_first=True)(sequence)[0])
    write("gru", [torch.float32], torch.nn.GRU(4, 3, batch_first=True)(sequence)[0])
    write("rnn", [torch.float32], torch.nn.RNN(4, 3, batch_first=True)(sequence)[0])
