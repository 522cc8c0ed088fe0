"""Reading a table of a million rows and twenty columns: mapsto beside pandas and polars, each in a process of its own.

    cargo build --release -p mapsto-bench
    python benches/reading.py FOLDER target/release/mapsto-bench

FOLDER gets the table (207 MB) unless it is there. Each reader runs three times, in turn; what is printed is the median of the
seconds that reading takes, the most memory that the process held (the peak of its resident set), and the ratio to pandas. mapsto
reads each cell to see what its column holds, and once more for its number; pandas and polars make a frame.
"""

import os
import pathlib
import statistics
import subprocess
import sys
import time

TARGET = "k3"


def make(path):
    import numpy as np
    import pandas as pd

    r, n = np.random.default_rng(0), 300_000
    columns = {f"f{i}": r.normal(size=n).round(4) for i in range(10)}
    columns |= {f"g{i}": r.normal(size=n) for i in range(6)} | {f"k{i}": r.integers(0, 1000, n) for i in range(4)}
    pd.concat([pd.DataFrame(columns)] * 4)[:1_000_000].to_csv(path, index=False)


def read(how, path):
    """Reads in this process and says what was found."""
    if how == "pandas":
        import pandas as reader
    else:
        import polars as reader
    start = time.perf_counter()
    frame = reader.read_csv(path)
    seconds = time.perf_counter() - start
    inputs = frame.drop(columns=TARGET) if how == "pandas" else frame.drop(TARGET)
    print(f"{how} {seconds:.3f} {len(frame)} {inputs.shape[1]} {float(inputs.to_numpy().sum()):.3f}")


def measured(command):
    """Seconds, and the most memory in MB, of one process."""
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    said = child.stdout.read().split()
    _, status, usage = os.wait4(child.pid, 0)
    assert status == 0, command
    return float(said[1]), usage.ru_maxrss / 1024, said[2:]


def main():
    if sys.argv[1] == "--read":
        return read(sys.argv[2], sys.argv[3])
    path, program = pathlib.Path(sys.argv[1]) / "million.csv", sys.argv[2]
    if not path.is_file():
        make(path)
    commands = {"mapsto": [program, "table", path, TARGET]}
    commands |= {how: [sys.executable, __file__, "--read", how, path] for how in ("pandas", "polars")}
    runs = {how: [] for how in commands}
    for _ in range(3):
        for how, command in commands.items():
            runs[how].append(measured(command))
    found = {how: (statistics.median(r[0] for r in each), max(r[1] for r in each)) for how, each in runs.items()}
    sizes = {tuple(each[0][2][:2]) for each in runs.values()}
    assert len(sizes) == 1, f"they read different tables: {sizes}"
    sums = [float(each[0][2][2]) for each in runs.values()]
    assert max(sums) - min(sums) <= 1e-9 * max(map(abs, sums)), f"they read different numbers: {sums}"
    print("| reader | seconds | times as fast as pandas | peak MB |\n|---|---|---|---|")
    for how, (seconds, memory) in found.items():
        print(f"| {how} | {seconds:.2f} | {found['pandas'][0] / seconds:.2f} | {memory:.0f} |")


if __name__ == "__main__":
    main()
