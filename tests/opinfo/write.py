"""Writes samples of PyTorch's database of operations: inputs, options, results, gradients of both orders, and inputs that must
be refused. `modules.py` does the same for modules.

    pip install torch numpy expecttest hypothesis pyyaml
    python tests/opinfo/write.py [--all]

writes `samples.jsonl`, a line for each sample, and `samples.safetensors`, the tensors that the lines name; and the same of the other
families, to `samples_special.*` and its like (`FILES` below). The names of such files after the script choose among them. `--all`
keeps every sample rather than the smallest one of each kind, for a run by hand: `cargo test -p mapsto-tests --test opinfo` takes
whatever lies here. `--into FOLDER` writes to another folder.
"""

import json
import math
import os
import random
import struct
import sys
import warnings

import numpy as np
import torch
from torch.testing._internal.common_methods_invocations import op_db

warnings.filterwarnings("ignore")
HERE = os.path.dirname(os.path.abspath(__file__))
if "--into" in sys.argv:
    HERE = sys.argv[sys.argv.index("--into") + 1]
ALL = "--all" in sys.argv
DTYPES = {torch.float64: "F64", torch.float32: "F32", torch.int64: "I64", torch.bool: "BOOL", torch.uint8: "U8"}
MOST_SAMPLES, MOST_ELEMENTS = (10**9, 10**6) if ALL else (8, 150)

# Operations of PyTorch that mapsto has under some name, by families. The runner says which sample is of an option that it lacks.
NUMBERS = """
abs acos acosh add addcdiv addcmul all amax amin aminmax any argmax argmin asin asinh atan atan2 atanh bitwise_and
bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor bmm bool ceil clamp clamp_max clamp_min clone contiguous
copysign corrcoef cos cosh count_nonzero cov cummax cummin cumprod cumsum cumulative_trapezoid diff div double einsum eq erf erfc
erfinv exp exp2 expm1 float floor floor_divide fmod frac ge gt heaviside hypot isclose isinf isnan kron le lerp linalg.vector_norm
log log10 log1p log2 logaddexp logcumsumexp logical_and logical_not logical_or logical_xor logit logsumexp long lt matmul max
maximum mean min minimum mm mul mv nan_to_num nanmean nansum ne neg norm outer positive pow prod reciprocal remainder round rsqrt
rsub sgn sign sin sinc sinh sqrt square std sub sum tan tanh trapezoid trapz true_divide trunc var xlogy __radd__ __rdiv__
__rmul__ __rpow__ __rsub__ __rand__ __ror__ __rxor__ __rmod__
""".split()
SPECIAL = """
digamma fmax fmin float_power frexp gcd i0 igamma igammac lcm ldexp lgamma logaddexp2 mvlgamma nextafter polygamma signbit
special.entr special.erfcx special.i0e special.i1 special.i1e special.log_ndtr special.ndtr special.ndtri special.polygamma
special.xlog1py special.zeta
""".split()
PLACES = """
arange argsort argwhere atleast_1d atleast_2d atleast_3d bincount block_diag broadcast_tensors broadcast_to bucketize
cartesian_prod cat chunk column_stack combinations diag diag_embed diagonal dstack expand expand_as eye flatten flip fliplr flipud
full full_like gather histogram hstack index_add index_copy index_fill index_put index_reduce index_select isin kthvalue
linalg.diagonal linspace mT masked_fill masked_scatter masked_select median meshgrid mode movedim msort nanmedian nanquantile
narrow nonzero ones ones_like permute quantile ravel repeat repeat_interleave reshape reshape_as roll rot90 scatter scatter_add
scatter_reduce searchsorted select select_scatter slice_scatter sort split split_with_sizes squeeze stack t take take_along_dim
tensor_split tile topk trace transpose tril tril_indices triu triu_indices unbind unflatten unfold unique unique_consecutive
unsqueeze view view_as vstack where zeros zeros_like
""".split()
IMAGES = [f"nn.functional.{name}" for name in """
channel_shuffle grid_sample interpolate max_unpool1d max_unpool2d max_unpool3d pad pixel_shuffle pixel_unshuffle unfold
upsample_bilinear upsample_nearest
""".split()] + ["grid_sampler_2d", "grid_sampler_3d"]
NETWORKS = [f"nn.functional.{name}" for name in """
batch_norm binary_cross_entropy binary_cross_entropy_with_logits celu cosine_embedding_loss cosine_similarity
cross_entropy ctc_loss elu embedding gaussian_nll_loss gelu glu hardshrink hardsigmoid hardswish hardtanh
hinge_embedding_loss huber_loss kl_div l1_loss layer_norm leaky_relu linear local_response_norm logsigmoid
margin_ranking_loss mish mse_loss multi_margin_loss multilabel_margin_loss multilabel_soft_margin_loss nll_loss normalize one_hot
pairwise_distance poisson_nll_loss relu relu6 rrelu scaled_dot_product_attention selu silu smooth_l1_loss
soft_margin_loss softmin softplus softshrink softsign tanhshrink threshold triplet_margin_loss
""".split()] + ["cdist", "log_softmax", "sigmoid", "softmax"]
CONVOLUTIONS = [f"nn.functional.conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3)]
POOLS = [f"nn.functional.{kind}_pool{n}d" for kind in ("avg", "max", "adaptive_avg", "adaptive_max") for n in (1, 2, 3)]
# What mapsto has and no sample can hold: results that random numbers decide, whose distributions are proven where they are drawn;
# layers with parameters of their own, which `modules.py` compares; and arguments that are slices, functions or dtypes.
RANDOM = """
bernoulli cauchy exponential geometric log_normal multinomial nn.functional.alpha_dropout nn.functional.dropout
nn.functional.dropout2d nn.functional.dropout3d normal rand_like randint randint_like randn randn_like uniform
""".split()
LAYERS = [f"nn.functional.{name}" for name in """
bilinear embedding_bag group_norm instance_norm multi_head_attention_forward prelu rms_norm
""".split()]
ELSEWHERE = ["__getitem__", "nn.functional.triplet_margin_with_distance_loss", "to"]
# An operation all of whose samples are larger has those of up to so many elements.
LARGE = {"nn.functional.ctc_loss": 4000}
# Of each file the operations, the dtypes of their samples, and the most elements of one.
EVERY_DTYPE = (torch.float64, torch.int64, torch.bool)
FILES = {
    "samples": (NUMBERS, EVERY_DTYPE, MOST_ELEMENTS),
    "samples_special": (SPECIAL, EVERY_DTYPE[:2], MOST_ELEMENTS),
    "samples_places": (PLACES, EVERY_DTYPE, 80 if not ALL else MOST_ELEMENTS),
    "samples_networks": (NETWORKS, EVERY_DTYPE[:2], MOST_ELEMENTS),
    "samples_images": (IMAGES, EVERY_DTYPE[:1], max(MOST_ELEMENTS, 300)),
    "samples_pool": (POOLS, EVERY_DTYPE[:1], max(MOST_ELEMENTS, 300)),
    "samples_conv": (CONVOLUTIONS, EVERY_DTYPE[:1], max(MOST_ELEMENTS, 1200)),
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
    if isinstance(value, torch.dtype):
        if value not in DTYPES:
            raise Skip
        return {"dtype": DTYPES[value]}
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
    ys = [y.long() if isinstance(y, torch.Tensor) and y.dtype == torch.int32 else y for y in ys]
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
        if "dtype" in value:
            return next(dtype for dtype, name in DTYPES.items() if name == value["dtype"])
        return tensors[value["t"]] if "t" in value else float(value["f"])
    return [fill(v, tensors) for v in value] if isinstance(value, list) else value


def call_of(sample):
    """The arguments of a call as a line holds them, and its tensors."""
    tensors = []
    args = [plain(a, tensors) for a in (sample.input, *sample.args)]
    # Where a result lies is no question of ours.
    of = {k: v for k, v in sample.kwargs.items() if k not in ("device", "layout", "requires_grad", "memory_format")}
    return args, {k: plain(v, tensors) for k, v in of.items()}, tensors


def chosen(samples, most):
    """Of each kind the smallest sample that is not too large, in their order; with `--all` every one."""
    found = {}
    for place, sample in enumerate(samples):
        try:
            args, kwargs, tensors = call_of(sample)
        except Skip:
            continue
        size = sum(t.numel() for t in tensors)
        here = place if ALL else kind(args, kwargs, tensors)
        if size <= most and (here not in found or size < found[here][0]):
            found[here] = (size, place, sample, args, kwargs, tensors)
    kinds = sorted(found.values(), key=lambda f: f[1])
    if len(kinds) > MOST_SAMPLES:  # some of all parts of the list
        kinds = [kinds[i] for i in sorted(random.Random(1).sample(range(len(kinds)), MOST_SAMPLES))]
    return [rest for _, _, *rest in kinds]


def signs(t):
    return torch.where(t < 0, -torch.ones_like(t), torch.ones_like(t))


def lists(t):
    """In each row different ids, and -1 behind a number of them that grows from row to row."""
    if t.dim() == 0:
        return t
    rows = t.reshape(-1, t.shape[-1])
    kept = [(torch.arange(rows.shape[1]) * 2 + i) % rows.shape[1] for i in range(len(rows))]
    return torch.stack([row.masked_fill(torch.arange(len(row)) > i % len(row), -1) for i, row in enumerate(kept)]).reshape(t.shape)


# Samples of random numbers where an operation is one of signs, probabilities or weights, which are checked here: the tensor at that
# place becomes what it stands for. At the number of a quantile PyTorch has a derivative, and here it is a plain number.
LOG_P = lambda t: t.log_softmax(min(1, t.dim() - 1))
FITTED = {
    "ldexp": {1: torch.round},
    "nanquantile": {1: torch.clone},
    "quantile": {1: torch.clone},
    "nn.functional.cosine_embedding_loss": {2: signs},
    "nn.functional.cross_entropy": {1: lambda t: t.softmax(1) if t.is_floating_point() and t.dim() > 1 else t, 2: torch.abs},
    "nn.functional.hinge_embedding_loss": {1: signs},
    "nn.functional.kl_div": {0: LOG_P, 1: lambda t: t.softmax(-1)},
    "nn.functional.margin_ranking_loss": {2: signs},
    "nn.functional.multilabel_margin_loss": {1: lists},
    "nn.functional.multilabel_soft_margin_loss": {1: lambda t: (t > 0).to(t.dtype)},
    "nn.functional.nll_loss": {0: LOG_P, 2: torch.abs},
    "nn.functional.soft_margin_loss": {1: signs},
}


def fitted(op, tensors):
    fit = FITTED.get(op.name, {})
    of = lambda i, t: fit[i](t.detach()).requires_grad_(i == 0 and t.requires_grad) if i in fit else t
    return [of(i, t) for i, t in enumerate(tensors)]


def samples_of(op, dtype, writer):
    most = writer.most
    torch.manual_seed(1)
    differentiable = dtype == torch.float64 and op.supports_autograd
    samples = list(op.sample_inputs("cpu", dtype, requires_grad=differentiable))
    found = chosen(samples, most)
    if differentiable and not any(t.dim() > 0 and t.numel() > 0 for _, _, _, tensors in found for t in tensors):
        most = max(most, LARGE.get(op.name, 420))
        found = chosen(samples, most)
    for sample, args, kwargs, tensors in found:
        try:
            tensors = fitted(op, tensors)

            def rebuild(leaves):
                call = fill(args, leaves)
                return op.op(call[0], *call[1:], **{k: fill(v, leaves) for k, v in kwargs.items()})

            ys = flat(rebuild([t.detach() for t in tensors]))
            if sum(y.numel() for y in ys) > 2 * most:
                continue
            line = {"op": op.name, "variant": op.variant_test_name, "args": args, "kwargs": kwargs}
            first = second = ()
            if differentiable:
                first, second = derivatives(op, sample, tensors, rebuild)
            writer.add(line, tensors, ys, first, second)
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
            args, kwargs, tensors = call_of(sample)
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
        if op.name.endswith("polygamma") and not ALL and op.variant_test_name[-1] not in "02":
            continue  # five orders, of which two are enough
        for dtype in dtypes:
            if op.supports_dtype(dtype, "cpu"):
                samples_of(op, dtype, writer)
        refusals_of(op, writer)
    size = writer.write()
    print(f"{file}: {writer.count} samples of {len(names)} operations, {size / 1e6:.1f} MB, torch {torch.__version__}")


def names():
    """How many names of the database are here."""
    every = {op.name for op in op_db}
    here = {name for of, _, _ in FILES.values() for name in of}
    without = {*RANDOM, *LAYERS, *ELSEWHERE}
    for name in sorted((here | without) - every):
        print(f"PyTorch has no operation `{name}`")
    print(f"{len(here)} of {len(every)} names have samples here, and mapsto has {len(without - here)} besides that no sample holds")


if __name__ == "__main__":
    for file in [name for name in sys.argv[1:] if name in FILES] or FILES:
        main(file)
    names()
