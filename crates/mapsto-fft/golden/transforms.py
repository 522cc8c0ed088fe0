"""Writes transforms.jsonl: the samples of PyTorch's own database of operations (`op_db`) for the transforms, and some of `torch.stft`, with
results, gradients of `Σ y · wave` and second derivatives `Σ gradients · wave`. Complex numbers are pairs, as `torch.view_as_real` shows them.

    pip install torch numpy expecttest && python crates/mapsto-fft/golden/transforms.py > crates/mapsto-fft/golden/transforms.jsonl
"""
import itertools
import json
import warnings

import torch
from torch.testing._internal.common_methods_invocations import op_db

warnings.filterwarnings("ignore")
NAMES = ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft", "fft2", "ifft2", "rfft2", "irfft2", "hfft2", "ihfft2",
         "fftn", "ifftn", "rfftn", "irfftn", "hfftn", "ihfftn"]
MOST_SAMPLES, MOST_ELEMENTS = 10, 64


def real(t):
    return torch.view_as_real(t.resolve_conj()) if t.is_complex() else t


def wave(t):
    return torch.cos(0.37 * torch.arange(t.numel(), dtype=torch.float64) + 1).reshape(t.shape)


def numbers(t):
    return [list(t.shape), [float(f"{v:.12g}") for v in t.detach().reshape(-1).tolist()]]


def line(op, call, x, kwargs):
    x = x.detach().clone().requires_grad_(True)
    y = real(call(x))
    (g,) = torch.autograd.grad((y * wave(y)).sum(), x, create_graph=True)
    # A transform is linear: the second derivative is taken of the sum of its squares.
    (q,) = torch.autograd.grad((y * y).sum(), x, create_graph=True)
    (h,) = torch.autograd.grad((real(q) * wave(real(q))).sum(), x)
    of = {"x": real(x), "y": y, "g": real(g), "h": real(h)}
    print(json.dumps({"op": op, "complex": int(x.is_complex()), **kwargs, **{k: numbers(v) for k, v in of.items()}}))


def transforms():
    for op in sorted((o for o in op_db if o.name.removeprefix("fft.") in NAMES and o.name.startswith("fft.")), key=lambda o: o.name):
        for dtype in [torch.float64, torch.complex128]:
            if not op.supports_dtype(dtype, "cpu"):
                continue
            torch.manual_seed(1)
            seen = set()
            for sample in op.sample_inputs("cpu", dtype, requires_grad=False):
                x, kwargs = sample.input, {k: v for k, v in sample.kwargs.items() if v is not None}
                # As small as they can be with the same number of axes: a signal of some numbers shows all that a long one does.
                x = x[tuple(slice(0, [7, 5, 3, 2][x.dim() - 1]) for _ in range(x.dim()))].contiguous()
                key = str((x.dim(), sorted(kwargs)))
                if x.dim() == 0 or sample.args or x.numel() > MOST_ELEMENTS or len(seen) >= MOST_SAMPLES or key in seen:
                    continue
                if isinstance(kwargs.get("n"), int):
                    kwargs["n"] = min(kwargs["n"], 9)
                if isinstance(kwargs.get("s"), (list, tuple)):
                    kwargs["s"] = [min(n, 4 + i) for i, n in enumerate(kwargs["s"])]
                if "dim" in kwargs and not isinstance(kwargs["dim"], int):
                    kwargs["dim"] = list(kwargs["dim"])
                seen.add(key)
                line(op.name.removeprefix("fft."), lambda x: op.op(x, **kwargs), x, kwargs)


def short_time():
    torch.manual_seed(2)
    for center, pad_mode, normalized, onesided, win in itertools.product(
        [1, 0], ["reflect", "constant"], [0, 1], [1, 0], [8, 6]
    ):
        if not center and pad_mode == "constant":
            continue
        how = {"n_fft": 8, "hop": 3, "win_length": win, "center": center, "pad_mode": pad_mode, "normalized": normalized, "onesided": onesided}
        window = torch.hamming_window(win, periodic=True, dtype=torch.float64)
        given = dict(hop_length=3, win_length=win, window=window, center=bool(center), normalized=bool(normalized), onesided=bool(onesided))
        x = torch.randn(2, 17, dtype=torch.float64)
        line("stft", lambda x: torch.stft(x, 8, pad_mode=pad_mode, return_complex=True, **given), x, how)
        if pad_mode == "reflect" and (center or win == 8):
            z = torch.randn(2, 5 if onesided else 8, 4, dtype=torch.complex128)
            if onesided:
                z.imag[:, [0, 4]] = 0
            line("istft", lambda z: torch.istft(z, 8, **given), z, how)


transforms()
short_time()
