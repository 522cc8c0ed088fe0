"""PyTorch's side of `mapsto-bench ops`: makes the operands of a cell and times samples, as its lines on stdin say.

`make EXPRESSION BACKWARD DTYPE;LAYOUT;VALUES;SHAPE ..`, separated by tabs, is answered by `ok SHAPE` or `no REASON`; `time`
by the microseconds of a call, the mean of a sample of at least 2 ms.
"""
import protocol  # sets the number of threads, before torch reads it

import gc
import sys
import time

import torch
import torch.nn.functional as F  # noqa: F401, used by expressions

torch.set_num_threads(protocol.THREADS)
DTYPES = {
    "f32": torch.float32, "f64": torch.float64, "f16": torch.float16, "bf16": torch.bfloat16,
    "i64": torch.int64, "i32": torch.int32, "u8": torch.uint8, "bool": torch.bool,
}


def elements(shape, values, dtype):
    if values == "bits" or dtype == torch.bool:
        return torch.randint(0, 2, shape) == 1
    if values.isdigit():
        return torch.randint(0, int(values), shape)
    if not dtype.is_floating_point:
        return torch.randint(1, 6, shape).to(dtype)
    if values == "positive":
        return (torch.rand(shape) + 0.5).to(dtype)
    if values == "unit":
        return (torch.rand(shape) * 0.9 + 0.05).to(dtype)
    return torch.randn(shape).to(dtype)


def operand(text):
    dtype, layout, values, shape = text.split(";")
    dtype, shape = DTYPES[dtype], [int(n) for n in shape.split(",") if n]
    stored = list(shape)
    if layout == "rows":
        return elements(stored, values, dtype)
    if layout == "transposed":
        stored[-1], stored[-2] = stored[-2], stored[-1]
        return elements(stored, values, dtype).transpose(-1, -2)
    if layout == "sliced":
        stored[-1] += 3
        return elements(stored, values, dtype)[..., 1:shape[-1] + 1]
    if layout == "broadcast":
        stored[0] = 1
        return elements(stored, values, dtype).expand(shape)
    n, c, h, w = shape
    return elements([n, h, w, c], values, dtype).permute(0, 3, 1, 2)


def make(expression, backward, operands):
    """The work of a cell as a function, and its result."""
    backward = backward == "true"
    free = [not o.split(";")[2].isdigit() and o.split(";")[2] != "bits" for o in operands]
    xs = [operand(o) for o in operands]
    wrt = []
    if backward:
        xs = [x.detach().requires_grad_() if f else x for x, f in zip(xs, free)]
        wrt = [x for x, f in zip(xs, free) if f]
    names = ", ".join("abcdefgh"[: len(xs)])
    run = eval(f"lambda {names}: {expression}", globals())  # the expressions of our own list of cases

    def forward():
        with torch.no_grad():
            return run(*xs)

    y = run(*xs)
    if not backward:
        return forward, y
    g = torch.ones_like(y)
    return (lambda: torch.autograd.grad(run(*xs), wrt, g, allow_unused=True)), y


def calls_of(work):
    """How many calls a sample of 2 ms has."""
    calls = 1
    while True:
        start = time.perf_counter()
        for _ in range(calls):
            work()
        took = time.perf_counter() - start
        if took > 0.002 or calls >= 4096:
            return max(1, min(4096, int(calls * 0.002 / max(took, 1e-9)) + 1))
        calls *= 4


def main():
    work, calls = None, 1
    gc.disable()
    print("ready", flush=True)
    for line in sys.stdin:
        what, *rest = line.rstrip("\n").split("\t")
        if what == "make":
            work = None
            try:
                work, y = make(rest[0], rest[1], rest[2:])
                work()
                calls = calls_of(work)
                print("ok", ",".join(str(n) for n in y.shape), flush=True)
            except Exception as e:  # whatever this version cannot do is said, not timed
                work = None
                print("no", " ".join(str(e).split())[:120], flush=True)
        else:
            start = time.perf_counter()
            for _ in range(calls):
                work()
            print((time.perf_counter() - start) * 1e6 / calls, flush=True)


main()
