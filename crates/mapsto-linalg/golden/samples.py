"""Writes samples.jsonl: the samples of PyTorch's own database of operations (`op_db`) for linear algebra, with results, gradients of
`Σ y · wave` and second derivatives `Σ gradients · wave`.

    pip install torch numpy expecttest && python crates/mapsto-linalg/golden/samples.py > crates/mapsto-linalg/golden/samples.jsonl

Where PyTorch lets signs fall as they do, they are chosen here as mapsto does: of each singular vector or eigenvector the first of its largest
numbers is positive, and so is the diagonal of R. Inputs that must be symmetric are made so first.
"""
import json
import warnings

import torch
from torch.testing._internal.common_methods_invocations import op_db

warnings.filterwarnings("ignore")
L = torch.linalg
MOST_SAMPLES, MOST_ELEMENTS = 8, 130


def sym(x):
    return (x + x.mT) / 2


def signs(u):
    """Of each column, the sign of the first of its largest numbers."""
    if u.numel() == 0:
        return u.detach().new_ones(*u.shape[:-2], 1, u.shape[-1])
    size = u.detach().abs()
    first = (size >= size.amax(-2, keepdim=True) * (1 - 1e-6)).to(torch.int64).argmax(-2, keepdim=True)
    return u.detach().gather(-2, first).sign()


def eigh(x):
    w, v = L.eigh(sym(x))
    return w, v * signs(v)


def svd(x):
    u, s, vh = L.svd(x, full_matrices=False)
    t = signs(u)
    return u * t, s, vh * t.mT


def qr(x):
    q, r = L.qr(x)
    t = r.detach().diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2)
    return q * t, r * t.mT


def eig(x):
    """By the real parts, then the imaginary parts; the first of the largest numbers of each vector is real and positive."""
    w, v = L.eig(x)
    if w.numel() == 0:
        return torch.view_as_real(w), torch.view_as_real(v)
    flat = w.detach().reshape(-1, w.shape[-1])
    order = [sorted(range(len(row)), key=lambda i: (round(row[i].real.item(), 8), row[i].imag.item())) for row in flat]
    order = torch.tensor(order, dtype=torch.int64).reshape(w.shape)
    w, v = w.gather(-1, order), v.gather(-1, order.unsqueeze(-2).expand(v.shape))
    size = v.detach().abs()
    k = (size >= size.amax(-2, keepdim=True) * (1 - 1e-6)).to(torch.int64).argmax(-2, keepdim=True)
    largest = v.gather(-2, k)
    v = v * largest.conj() / largest.abs()
    return torch.view_as_real(w), torch.view_as_real(v.resolve_conj())


def lstsq(a, b, **kwargs):
    return L.lstsq(a, b, driver="gelsd" if not a.requires_grad else None)[0]


# The name here, the call in PyTorch, and the options that mapsto has.
CALLS = {
    "linalg.inv": (L.inv, []),
    "linalg.solve": (L.solve, ["left"]),
    "linalg.solve_triangular": (L.solve_triangular, ["upper", "left", "unitriangular"]),
    "linalg.det": (L.det, []),
    "linalg.slogdet": (lambda x: L.slogdet(x)[1], []),
    "linalg.cholesky": (lambda x: L.cholesky(sym(x)), []),
    "cholesky_solve": (lambda b, l: torch.cholesky_solve(b, l.tril()), []),
    "cholesky_inverse": (lambda l: torch.cholesky_inverse(l.tril()), []),
    "linalg.householder_product": (L.householder_product, []),
    "linalg.tensorinv": (L.tensorinv, ["ind"]),
    "linalg.tensorsolve": (L.tensorsolve, []),
    "linalg.qr": (qr, []),
    "linalg.lu": (lambda x: L.lu(x)[1:], []),
    "linalg.eig": (eig, []),
    "linalg.eigvals": (lambda x: eig(x)[0], []),
    "linalg.eigh": (eigh, []),
    "linalg.eigvalsh": (lambda x: L.eigvalsh(sym(x)), []),
    "linalg.svd": (svd, []),
    "linalg.svdvals": (L.svdvals, []),
    "linalg.pinv": (L.pinv, []),
    "linalg.lstsq": (lstsq, []),
    "linalg.matrix_rank": (L.matrix_rank, []),
    "linalg.matrix_power": (L.matrix_power, ["n"]),
    "matrix_exp": (L.matrix_exp, []),
    "linalg.matrix_norm": (L.matrix_norm, ["ord"]),
    "linalg.cond": (L.cond, ["p"]),
    "linalg.multi_dot": (lambda *xs: L.multi_dot(xs), []),
    "linalg.vander": (L.vander, ["N"]),
    "linalg.cross": (L.cross, ["dim"]),
}
POSITIONAL = {"linalg.matrix_power": "n", "linalg.matrix_norm": "ord", "linalg.cond": "p"}
SQUARE_SECOND = ["linalg.det", "linalg.slogdet"]


def wave(t):
    return torch.cos(0.37 * torch.arange(t.numel(), dtype=torch.float64) + 1).reshape(t.shape)


def whole(t):
    return [list(t.shape), t.detach().reshape(-1).tolist()]


def short(t):
    return [list(t.shape), [float(f"{v:.12g}") for v in (t.detach() + torch.zeros(t.shape, dtype=torch.float64)).reshape(-1).tolist()]]


def line(name, call, inputs, options):
    xs = [x.detach().clone().contiguous().requires_grad_(True) for x in inputs]
    ys = call(*xs, **options)
    ys = [ys] if isinstance(ys, torch.Tensor) else list(ys)
    out = {"op": name.removeprefix("linalg."), "options": {k: v if not isinstance(v, float) else str(v) for k, v in options.items()}}
    out |= {"x": [whole(x) for x in xs], "y": [short(y) for y in ys]}
    if any(not torch.isfinite(y).all() for y in ys):
        return False
    ys = [y for y in ys if y.requires_grad]
    if ys and all(x.numel() for x in xs):
        g = torch.autograd.grad(sum((y * wave(y)).sum() for y in ys), xs, create_graph=True, allow_unused=True)
        if all(v is not None and torch.isfinite(v).all() for v in g):
            out["g"] = [short(v) for v in g]
            regular = name not in SQUARE_SECOND or bool((L.cond(xs[0]) < 1e6).all())
            if regular and any(v.requires_grad for v in g):
                h = torch.autograd.grad(sum((v * wave(v)).sum() for v in g), xs, allow_unused=True)
                h = [torch.zeros_like(x) if v is None else v for x, v in zip(xs, h)]
                if all(torch.isfinite(v).all() for v in h):
                    out["h"] = [short(v) for v in h]
    print(json.dumps(out, allow_nan=False))
    return True


for op in sorted((o for o in op_db if o.name in CALLS), key=lambda o: (o.name, o.variant_test_name)):
    call, names = CALLS[op.name]
    if op.variant_test_name in ("hermitian", "grad_oriented"):
        continue
    torch.manual_seed(1)
    seen = set()
    for sample in op.sample_inputs("cpu", torch.float64, requires_grad=False):
        args = list(sample.input) if isinstance(sample.input, (list, tuple)) else [sample.input]
        args += list(sample.args)
        options = dict(sample.kwargs)
        if op.name in POSITIONAL and len(args) > 1:
            options[POSITIONAL[op.name]] = args.pop(1)
        if op.name == "linalg.matrix_norm" and args[1:] in ([(-2, -1), False], []):
            args = args[:1]
        if op.name == "linalg.lu" and options.pop("pivot", True) is False:
            continue
        if op.name in ("linalg.pinv", "linalg.matrix_rank") and len(args) > 1:
            continue
        if op.name == "linalg.svd" or op.name == "linalg.qr" or op.name == "linalg.lstsq":
            options = {}
        if op.name == "linalg.eigh" or op.name == "linalg.eigvalsh":
            options.pop("UPLO", None)
        if op.name in ("linalg.cholesky", "cholesky_solve", "cholesky_inverse"):
            if options.pop("upper", False):
                continue
        options = {k: v for k, v in options.items() if v is not None}
        tensors = all(isinstance(a, torch.Tensor) and a.dtype == torch.float64 and a.dim() <= 5 for a in args)
        key = str(([(a.dim(), 0 in a.shape, a.shape[-1:] == a.shape[-2:-1]) for a in args if isinstance(a, torch.Tensor)], sorted(options.items(), key=str)))
        if not tensors or set(options) - set(names) or key in seen or len(seen) >= MOST_SAMPLES:
            continue
        if sum(a.numel() for a in args) > MOST_ELEMENTS or any(a.dim() == 0 for a in args):
            continue
        if line(op.name, call, args, options):
            seen.add(key)
