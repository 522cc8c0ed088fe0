"""Writes elsewhere.txt anew: what operations and activations are called in PyTorch and in Keras.

Names that are the same there are found in the packages; those that differ stand below. A `-` says that there is none. An operation that
the tables below do not know and that the packages do not have gets a `?`, which the test of the pages refuses: write its name here.

    pip install torch keras && python tests/elsewhere.py
"""
import glob
import os
import re
import sys

os.environ["KERAS_BACKEND"] = "torch"
import torch
import torch.nn.functional as F

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def keras_names():
    """From the files of the package, which need not be imported."""
    places = sys.argv[1:] or [p + "/keras" for p in sys.path if os.path.isdir(p + "/keras")]
    found = set()
    for path in glob.glob(places[0] + "/**/*.py", recursive=True) if places else []:
        found |= set(re.findall(r'"keras\.ops\.([a-z_0-9]+)"', open(path).read()))
    return found


TORCH = {
    "and": "logical_and", "or": "logical_or", "xor": "logical_xor", "not": "logical_not", "attention": "F.scaled_dot_product_attention",
    "attention_weights": "-", "dirichlet_path": "-", "gamma_path": "-", "avg_pool2d_with": "F.avg_pool2d", "batch_norm_with": "F.batch_norm",
    "bce": "F.binary_cross_entropy", "bce_with_logits": "F.binary_cross_entropy_with_logits", "choose": "where", "conv2d_then": "-",
    "gelu_tanh": "F.gelu(approximate='tanh')", "gru": "nn.GRU", "gru_along": "nn.GRU of packed sequences", "is_inf": "isinf",
    "is_nan": "isnan", "is_finite": "isfinite", "linear_relu": "-", "log_sigmoid": "F.logsigmoid", "lstm": "nn.LSTM",
    "lstm_along": "nn.LSTM of packed sequences", "mse": "F.mse_loss", "powt": "pow", "recip": "reciprocal", "rnn": "nn.RNN",
    "rnn_along": "nn.RNN of packed sequences", "rnn_relu": "nn.RNN(nonlinearity='relu')", "rnn_relu_along": "nn.RNN of packed sequences",
    "slice": "narrow", "to_device": "Tensor.to", "window": "F.unfold", "window_transpose": "F.fold", "ctc_loss": "F.ctc_loss",
    "cross_entropy": "F.cross_entropy", "softmin": "F.softmin", "hardsigmoid": "F.hardsigmoid", "unfold": "Tensor.unfold",
    "index": "x[..]", "roi_align": "torchvision.ops.roi_align", "nms": "torchvision.ops.nms", "box_iou": "torchvision.ops.box_iou",
    "affine_grid2d": "F.affine_grid", "affine_grid3d": "F.affine_grid", "index_put_accumulate": "index_put(accumulate=True)",
    "quantiles": "quantile", "combinations_with_replacement": "combinations(with_replacement=True)", "sample_places": "-", "max_pool2d_with": "F.max_pool2d",
}
KERAS = {
    "acos": "arccos", "acosh": "arccosh", "asin": "arcsin", "asinh": "arcsinh", "atan": "arctan", "atan2": "arctan2", "atanh": "arctanh",
    "adaptive_avg_pool2d": "adaptive_average_pool", "adaptive_max_pool2d": "adaptive_max_pool", "avg_pool2d": "average_pool",
    "avg_pool2d_with": "average_pool", "max_pool2d": "max_pool", "max_pool2d_with": "max_pool", "conv2d": "conv", "conv1d": "conv",
    "conv3d": "conv", "conv_transpose1d": "conv_transpose", "conv_transpose2d": "conv_transpose", "conv_transpose3d": "conv_transpose",
    "and": "logical_and", "or": "logical_or", "xor": "logical_xor", "not": "logical_not", "attention": "dot_product_attention",
    "batch_norm": "moments and batch_normalization", "batch_norm_with": "batch_normalization", "bce": "binary_crossentropy",
    "bce_with_logits": "binary_crossentropy(from_logits=True)", "broadcast_tensors": "broadcast_to", "bucketize": "searchsorted",
    "cat": "concatenate", "choose": "where", "chunk": "split", "clamp": "clip", "cross_entropy": "sparse_categorical_crossentropy",
    "cross_entropy_with": "sparse_categorical_crossentropy", "div": "divide", "embedding": "take", "eq": "equal", "expand": "broadcast_to",
    "flatten": "ravel", "gather": "take_along_axis", "take_along_dim": "take_along_axis", "ge": "greater_equal", "gt": "greater",
    "gelu_tanh": "gelu(approximate=True)", "hardshrink": "hard_shrink", "hardsigmoid": "hard_sigmoid", "hardswish": "hard_swish",
    "hardtanh": "hard_tanh", "softshrink": "soft_shrink", "tanhshrink": "tanh_shrink", "index": "get_item", "index_select": "take",
    "index_put": "scatter_update", "is_inf": "isinf", "is_nan": "isnan", "is_finite": "isfinite", "layer_norm": "layer_normalization",
    "rms_norm": "rms_normalization", "le": "less_equal", "lt": "less", "ne": "not_equal", "movedim": "moveaxis", "mul": "multiply",
    "neg": "negative", "permute": "transpose", "pow": "power", "powt": "power", "recip": "reciprocal", "remainder": "mod",
    "repeat_interleave": "repeat", "repeat": "tile", "scatter": "-", "scatter_add": "-", "select": "-", "unfold": "-", "sub": "subtract", "to": "cast", "topk": "top_k",
    "unsqueeze": "expand_dims", "swap": "swapaxes", "matmul": "matmul", "pixel_shuffle": "depth_to_space", "inverse": "inv",
    "avg_pool1d": "average_pool", "avg_pool3d": "average_pool", "max_pool1d": "max_pool", "max_pool3d": "max_pool",
    "adaptive_avg_pool1d": "adaptive_average_pool", "adaptive_avg_pool3d": "adaptive_average_pool",
    "adaptive_max_pool1d": "adaptive_max_pool", "adaptive_max_pool3d": "adaptive_max_pool", "pixel_unshuffle": "space_to_depth",
    "scaled_dot_product_attention": "dot_product_attention", "t": "transpose", "log_sigmoid": "log_sigmoid", "window": "unfold", "window_transpose": "fold", "interpolate": "image.resize",
    "hann_window": "hanning", "hamming_window": "hamming", "blackman_window": "blackman", "kaiser_window": "kaiser",
    "bartlett_window": "bartlett", "split": "split", "detach": "stop_gradient",
}


def operations():
    """The methods that say their shape or their name in ONNX, as the page of operations finds them."""
    names = {"softmin", "hardtanh", "threshold", "rrelu", "softmax", "log_softmax"}
    for path in glob.glob(ROOT + "/crates/*/src/ops/*.rs"):
        text, of_tensor = "", False
        for line in open(path).read().split("#[cfg(test)]\nmod tests")[0].split("\n"):
            if line and not line.startswith((" ", "///")) and line != "}":
                of_tensor = line.startswith(("impl Tensor", "pub fn "))
            line = line.strip()
            if line.startswith("///"):
                text += line[3:] + "\n"
            elif line.startswith("pub fn ") and of_tensor:
                if "* Shape:" in text or "* ONNX:" in text:
                    names.add(re.match(r"pub fn (\w+)", line)[1])
                text = ""
            elif not line.startswith("#["):
                text = ""
    return names


def in_torch(name):
    if hasattr(F, name) and not hasattr(torch.Tensor, name):
        return "F." + name
    for module, place in [(torch, "torch."), (F, "F."), (torch.Tensor, "Tensor."), (torch.special, "special."), (torch.linalg, "linalg."), (torch.fft, "fft.")]:
        if hasattr(module, name):
            return place + name
    return None


def named(name, known, find):
    if name.endswith("_with_indices"):
        of_values = named(name.removesuffix("_with_indices"), known, find)
        return of_values and known is TORCH and of_values + "(return_indices=True)"
    stem = re.sub(r"_(with|along|of)$", "", name)
    return known.get(name) or find(name) or known.get(stem) or find(stem)


keras = keras_names()
classes = {name.lower(): "nn." + name for name in dir(torch.nn) if name[0].isupper()}
# What is called `unfold` here is the method of a tensor; the class is that of images.
classes["window"], classes["windowtranspose"] = classes.pop("unfold"), classes["fold"]
old = {}
path = ROOT + "/tests/elsewhere.txt"
if os.path.exists(path):
    old = {row.split(" | ")[0]: row for row in open(path).read().splitlines() if " | " in row and "?" not in row}
rows = dict(old)
for name in operations() - set(old):
    there = named(name, TORCH, in_torch) or "?"
    of_class = classes.get(name.replace("_", ""), "-")
    there = "torch." + there if there in TORCH.values() and hasattr(torch, there) else there
    of_keras = named(name, KERAS, lambda n: n if n in keras else None) or "-"
    if of_class not in ("-", there):
        there += ", " + of_class
    rows[name] = f"{name} | {there} | {of_keras}"
with open(path, "w") as file:
    file.write("# name | PyTorch | keras.ops; `-`: there is none. Operations, activations, and layers that do not say it themselves. ")
    file.write("Rows that stand here are kept by elsewhere.py.\n")
    file.writelines(rows[name] + "\n" for name in sorted(rows))
print(len(rows), "rows;", [name for name in rows if "?" in rows[name]])
