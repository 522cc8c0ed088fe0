"""One protocol for every timing, that of crates/mapsto-bench/src/timing.rs.

Warm up for BENCH_WARM seconds (1), then samples of at least 20 ms for BENCH_SECS seconds (5); a line
`PEER WORKLOAD MEDIAN_MS MIN_MS` a workload on stdout, the peak memory on stderr. With BENCH_FIRST=1, only how long after
the program's start the first step was done. THREADS (2) is the number of threads.
"""
import os
import pathlib
import sys
import time

THREADS = int(os.environ.get("THREADS", 2))
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = str(THREADS)
GOLDEN = pathlib.Path(__file__).parents[2] / "crates" / "mapsto-bench" / "golden" / "losses.txt"
SIZES = [(64, 64, 64), (256, 256, 256), (512, 512, 512), (1024, 1024, 1024), (2048, 2048, 2048), (64, 784, 64)]


def time_steps(step, wait):
    """(median, minimum) in ms of `step()`, whose results are asynchronous until `wait` has seen the last."""
    budget, warm = (float(os.environ.get(n, d)) for n, d in (("BENCH_SECS", 5), ("BENCH_WARM", 1)))
    start, steps = time.perf_counter(), 0
    while steps < 3 or time.perf_counter() - start < warm:
        wait(step())
        steps += 1
    per = (time.perf_counter() - start) / steps
    together = max(1, int(0.02 / per) + 1)
    samples, start = [], time.perf_counter()
    while len(samples) < 5 or time.perf_counter() - start < budget:
        begin = time.perf_counter()
        for _ in range(together):
            last = step()
        wait(last)
        samples.append((time.perf_counter() - begin) * 1e3 / together)
    samples.sort()
    return samples[len(samples) // 2], samples[0]


def report(peer, workload, median, minimum, more=""):
    print(f"{peer} {workload} {median:.5f} {minimum:.5f}{more}", flush=True)
    print(f"# {peer} {workload} peak memory {peak_mb():.1f} MB", file=sys.stderr)


def training(peer, workload, step, value, many=None, tolerance=2e-3, like=None):
    """Times training steps. `step()` trains once and `value` of its result waits for the loss as a number.

    The losses of the first 21 steps must be PyTorch's to `tolerance`: then it is the same work. `many`, a pair of a
    function and the steps it does, is timed in place of `step`. `like` is the workload whose losses they are, if another.
    """
    if first(peer, workload, lambda: value(step())):
        return
    losses = [value(step()) for _ in range(21)]
    expected = golden(like or workload)
    worst = max(abs(a - b) for a, b in zip(losses, expected))
    print(f"# {peer} {workload} loss {losses[20]:.6f} after 20 steps, {worst:.1e} from the golden ones", file=sys.stderr)
    if not worst < tolerance:
        sys.exit(f"{peer} {workload}: another loss than PyTorch's: {losses} instead of {expected}")
    run, steps = many or (step, 1)
    median, minimum = time_steps(run, value)
    report(peer, workload, median / steps, minimum / steps)


def inference(peer, workload, run, scores):
    """Times answers. `scores` of the result of `run()` waits for the first scores as numbers, which must be PyTorch's."""
    if first(peer, workload, lambda: scores(run())):
        return
    expected = golden("W6" if workload.startswith("W6") else workload)[:10]
    worst = max(abs(a - b) for a, b in zip(scores(run()), expected))
    if not worst < 1e-3:
        sys.exit(f"{peer} {workload}: other scores than PyTorch's: {scores(run())[:10]} instead of {expected}")
    report(peer, workload, *time_steps(run, scores))


def products(peer, prepare):
    """Times W7: `prepare(m, k, n)` gives a function that multiplies and one that waits for its result."""
    for m, k, n in SIZES:
        run, wait = prepare(m, k, n)
        median, minimum = time_steps(run, wait)
        flops = 2e-6 * m * k * n
        more = f" GFLOP/s {flops / median:.1f} {flops / minimum:.1f}"
        report(peer, f"W7_{m}x{k}x{n}", median, minimum, more)


def golden(workload):
    for line in GOLDEN.read_text().splitlines():
        name, *numbers = line.split()
        if name == workload:
            return [float(v) for v in numbers]
    sys.exit(f"{GOLDEN} has no line {workload}")


def first(peer, workload, step):
    """With BENCH_FIRST, does one step and says when it was done."""
    if not os.environ.get("BENCH_FIRST"):
        return False
    step()
    print(f"{peer} {workload} first_step_ms {age_ms():.0f} rss_MB {peak_mb():.1f}", flush=True)
    return True


def age_ms():
    """Milliseconds since the process was started, to the system's ticks of 10 ms."""
    started = int(pathlib.Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
    now = float(pathlib.Path("/proc/uptime").read_text().split()[0])
    return (now - started / os.sysconf("SC_CLK_TCK")) * 1e3


def peak_mb():
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0
