"""Writes samples of PyTorch's database of operations: inputs, options, results, gradients of both orders, and inputs that must
be refused. `modules.py` does the same for modules.

    pip install torch numpy expecttest hypothesis pyyaml
    python tests/opinfo/write.py [--all]

writes `samples.jsonl`, a line for each sample, and `samples.safetensors`, the tensors that the lines name; and the same of
convolutions and of pools, whose samples are larger, to `samples_conv.*` and `samples_pool.*`. The names of such files after the script choose among them. `--all` keeps every
sample rather than one of each kind, for a run by hand: `cargo test -p mapsto-tests --test opinfo` takes whatever lies here.
"""

import json
import math
import os
import struct
import sys
import warnings

import numpy as np
import torch
from torch.testing._internal.common_methods_invocations import op_db

warnings.filterwarnings("ignore")
HERE = os.path.dirname(os.path.abspath(__file__))
ALL = "--all" in sys.argv
DTYPES = {torch.float64: "F64", torch.float32: "F32", torch.int64: "I64", torch.bool: "BOOL", torch.uint8: "U8"}
MOST_SAMPLES, MOST_ELEMENTS = (10**9, 10**6) if ALL else (10, 420)

# Operations of PyTorch that mapsto has under some name. The runner says which sample is of an option that it lacks.
NAMES = """
abs acos acosh add all amax amin any argmax argmin argsort asin asinh atan atanh bmm cat ceil chunk clamp cos cosh cumsum digamma
div eq erf erfc erfinv exp exp2 expand expm1 flatten flip floor frac gather ge gt index_add index_select isinf isnan le lgamma log
log10 log1p log2 log_softmax logical_and logical_not logical_or logical_xor logit logsumexp lt masked_fill matmul max maximum mean
min minimum mm mul mv nan_to_num narrow ne neg 
nn.functional.binary_cross_entropy nn.functional.binary_cross_entropy_with_logits nn.functional.celu
nn.functional.conv2d nn.functional.cross_entropy nn.functional.elu nn.functional.embedding nn.functional.gelu
nn.functional.hardshrink nn.functional.hardsigmoid nn.functional.hardswish nn.functional.hardtanh nn.functional.huber_loss
nn.functional.l1_loss nn.functional.layer_norm nn.functional.leaky_relu nn.functional.linear nn.functional.logsigmoid
nn.functional.mish nn.functional.mse_loss nn.functional.one_hot nn.functional.pad nn.functional.relu
nn.functional.relu6 nn.functional.scaled_dot_product_attention nn.functional.selu nn.functional.silu nn.functional.smooth_l1_loss
nn.functional.softplus nn.functional.softshrink nn.functional.softsign nn.functional.tanhshrink permute polygamma positive pow
prod reciprocal reshape round rsqrt scatter_add select sigmoid sign sin sinc sinh softmax sort split split_with_sizes sqrt square
squeeze stack std sub sum t tan tanh topk transpose true_divide trunc unbind unsqueeze var view where __radd__ __rsub__ __rmul__
__rdiv__ __rpow__ atan2 remainder fmod floor_divide hypot logaddexp xlogy copysign heaviside isclose bitwise_and bitwise_or
bitwise_xor bitwise_left_shift bitwise_right_shift lerp addcmul addcdiv cumprod cummax cummin logcumsumexp diff median mode quantile
nansum nanmean count_nonzero aminmax diagonal trace diag tril triu repeat tile repeat_interleave roll rot90 movedim take_along_dim
index_fill scatter scatter_reduce masked_select nonzero bincount unfold outer kron cdist nn.functional.normalize
nn.functional.cosine_similarity
""".split()


CONVOLUTIONS = """
nn.functional.conv1d nn.functional.conv3d nn.functional.conv_transpose1d nn.functional.conv_transpose2d nn.functional.conv_transpose3d
""".split()
POOLS = """
nn.functional.avg_pool1d nn.functional.avg_pool2d nn.functional.avg_pool3d nn.functional.max_pool1d nn.functional.max_pool2d
nn.functional.max_pool3d nn.functional.adaptive_avg_pool1d nn.functional.adaptive_avg_pool2d nn.functional.adaptive_avg_pool3d
nn.functional.adaptive_max_pool1d nn.functional.adaptive_max_pool2d nn.functional.adaptive_max_pool3d
""".split()
# Of each file the operations, the dtypes of their samples, and the most elements of one.
EVERY_DTYPE = (torch.float64, torch.int64, torch.bool)
FILES = {
    "samples": (NAMES, EVERY_DTYPE, MOST_ELEMENTS),
    "samples_pool": (POOLS, (torch.float64,), MOST_ELEMENTS),
    "samples_conv": (CONVOLUTIONS, (torch.float64,), max(MOST_ELEMENTS, 1200)),
}


class Skip(Exception):
    """A sample that no file can hold, such as one of complex numbers."""


def wave(shape):
    """The gradient that arrives: of element k `cos(0.37 k + 1)`."""
    count = math.prod(shape)
    return torch.cos(0.37 * torch.arange(count, dtype=torch.float64) + 1).reshape(shape)


def plain(value, tensors):
    """A value as JSON can hold it; tensors are named by their place in the list."""
    if isinstance(value, torch.Tensor):
        if value.dtype not in DTYPES or value.layout != torch.strided or value.dim() > 8:
            raise Skip
        tensors.append(value)
        return {"t": len(tensors) - 1}
    if isinstance(value, (list, tuple)):
        return [plain(v, tensors) for v in value]
    if isinstance(value, bool) or value is None or isinstance(value, (int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"f": str(value)}
    raise Skip


def kind(args, kwargs, tensors):
    """Samples of one kind differ in their numbers and sizes only."""
    def of(value):
        if isinstance(value, dict) and "t" in value:
            t = tensors[value["t"]]
            return f"t{t.dim()}{'e' if t.numel() == 0 else ''}{'1' if 1 in t.shape else ''}"
        return "[" + ",".join(map(of, value)) + "]" if isinstance(value, list) else str(value)
    return str([of(a) for a in args]) + str({k: of(v) for k, v in kwargs.items()})


def flat(y):
    ys = [y] if isinstance(y, torch.Tensor) else list(y)
    if not all(isinstance(t, torch.Tensor) and t.dtype in DTYPES for t in ys):
        raise Skip
    return ys


class Writer:
    def __init__(self, file, most=MOST_ELEMENTS):
        self.file, self.most = file, most
        self.lines, self.tensors, self.count = [], {}, 0

    def put(self, name, tensor):
        self.tensors[name] = np.array(tensor.detach().numpy(force=True), order="C")

    def add(self, line, inputs, outputs=(), first=(), second=()):
        key = f"{self.count}"
        self.count += 1
        for what, tensors in [("x", inputs), ("y", outputs), ("g", first), ("h", second)]:
            for i, t in enumerate(tensors):
                if t is not None:
                    self.put(f"{key}.{what}{i}", t)
        self.lines.append(json.dumps({"id": key, **line, "outputs": len(outputs)}, allow_nan=False))

    def write(self):
        with open(os.path.join(HERE, f"{self.file}.jsonl"), "w") as f:
            f.write("\n".join(self.lines) + "\n")
        codes = {"float64": "F64", "float32": "F32", "int64": "I64", "bool": "BOOL", "uint8": "U8"}
        header, data, at = {}, [], 0
        for name, t in self.tensors.items():
            raw = t.tobytes()
            span = [at, at + len(raw)]
            header[name] = {"dtype": codes[str(t.dtype)], "shape": list(t.shape), "data_offsets": span}
            data.append(raw)
            at += len(raw)
        head = json.dumps(header, separators=(",", ":")).encode()
        head += b" " * (-len(head) % 8)
        with open(os.path.join(HERE, f"{self.file}.safetensors"), "wb") as f:
            f.write(struct.pack("<Q", len(head)) + head + b"".join(data))
        return sum(os.path.getsize(os.path.join(HERE, f"{self.file}.{end}")) for end in ("jsonl", "safetensors"))


def derivatives(op, sample, inputs, rebuild):
    """The gradients of `Σ y · wave` at every input that it is defined at, and those of `Σ gradients · wave`; `None` where there is none."""
    leaves = [x.detach().clone().requires_grad_(x.requires_grad) for x in inputs]
    wanted = [x for x in leaves if x.requires_grad]
    ys = [y for y in flat(rebuild(leaves)) if y.requires_grad]
    if not wanted or not ys:
        return [None] * len(leaves), [None] * len(leaves)
    again = op.supports_gradgrad
    first = torch.autograd.grad(ys, wanted, [wave(y.shape) for y in ys], create_graph=again, allow_unused=True)
    held = dict(zip(map(id, wanted), first))
    second = [None] * len(leaves)
    on = [g for g in first if g is not None and g.requires_grad] if again else []
    if on:
        try:
            found = torch.autograd.grad(on, wanted, [wave(g.shape) for g in on], allow_unused=True)
        except RuntimeError as e:  # some kernels of PyTorch have no second derivative
            if "not implemented" not in str(e):
                raise
            return [held.get(id(x)) for x in leaves], second
        found = [torch.zeros_like(x) if h is None else h for x, h in zip(wanted, found)]
        of = dict(zip(map(id, wanted), found))
        second = [of.get(id(x)) for x in leaves]
    return [held.get(id(x)) for x in leaves], second


def fill(value, tensors):
    """The opposite of `plain`."""
    if isinstance(value, dict):
        return tensors[value["t"]] if "t" in value else float(value["f"])
    return [fill(v, tensors) for v in value] if isinstance(value, list) else value


def samples_of(op, dtype, writer):
    seen, kept = set(), 0
    torch.manual_seed(1)
    differentiable = dtype == torch.float64 and op.supports_autograd
    for sample in op.sample_inputs("cpu", dtype, requires_grad=differentiable):
        try:
            tensors = []
            args = [plain(a, tensors) for a in (sample.input, *sample.args)]
            kwargs = {k: plain(v, tensors) for k, v in sample.kwargs.items()}
            here = kind(args, kwargs, tensors)
            if (here in seen and not ALL) or kept >= MOST_SAMPLES or sum(t.numel() for t in tensors) > writer.most:
                continue

            def rebuild(leaves):
                call = fill(args, leaves)
                return op.op(call[0], *call[1:], **{k: fill(v, leaves) for k, v in kwargs.items()})

            ys = flat(rebuild([t.detach() for t in tensors]))
            if sum(y.numel() for y in ys) > 2 * writer.most:
                continue
            line = {"op": op.name, "variant": op.variant_test_name, "args": args, "kwargs": kwargs}
            first = second = ()
            if differentiable:
                first, second = derivatives(op, sample, tensors, rebuild)
            writer.add(line, tensors, ys, first, second)
            seen.add(here)
            kept += 1
        except (Skip, NotImplementedError):
            continue


def refusals_of(op, writer):
    if op.error_inputs_func is None:
        return
    kept = 0
    try:
        found = list(op.error_inputs("cpu"))
    except Exception:  # some need a device that is not here
        return
    for error in found:
        sample = error.sample_input
        try:
            tensors = []
            args = [plain(a, tensors) for a in (sample.input, *sample.args)]
            kwargs = {k: plain(v, tensors) for k, v in sample.kwargs.items()}
        except Skip:
            continue
        if kept < MOST_SAMPLES and sum(t.numel() for t in tensors) <= writer.most:
            line = {"op": op.name, "variant": op.variant_test_name, "args": args, "kwargs": kwargs}
            writer.add({**line, "refused": str(error.error_regex)[:120]}, tensors)
            kept += 1


def main(file):
    names, dtypes, most = FILES[file]
    writer = Writer(file, most)
    for op in sorted((o for o in op_db if o.name in names), key=lambda o: (o.name, o.variant_test_name)):
        if op.name == "polygamma" and not ALL and op.variant_test_name[-1] not in "02":
            continue  # five orders, of which two are enough
        for dtype in dtypes:
            if op.supports_dtype(dtype, "cpu"):
                samples_of(op, dtype, writer)
        refusals_of(op, writer)
    size = writer.write()
    print(f"{file}: {writer.count} samples of {len(names)} operations, {size / 1e6:.1f} MB, torch {torch.__version__}")


if __name__ == "__main__":
    for file in [name for name in sys.argv[1:] if name in FILES] or FILES:
        main(file)
