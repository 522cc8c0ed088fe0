"""Writes folds.txt: held-out samples of scikit-learn's folds and intervals of SciPy's Student's t.

Each line: scheme count gap | labels (or the number of samples) | held-out samples of each fold, `;` between | training samples.
"""
import numpy as np
from scipy import stats
from sklearn.model_selection import KFold, StratifiedKFold, TimeSeriesSplit

rng = np.random.default_rng(0)
out = []
words = lambda xs: " ".join(str(int(x)) for x in xs)
for n in (7, 10, 23, 60):
    for k in (2, 3, 5):
        labels = rng.integers(0, 3, n)
        for name, gap, made in [("plain", 0, KFold(k)), ("stratified", 0, StratifiedKFold(k))] + [
            ("forward", gap, TimeSeriesSplit(k, gap=gap)) for gap in (0, 1)
        ]:
            if name == "stratified" and max(np.bincount(labels)) < k:
                continue
            try:
                parts = list(made.split(np.zeros((n, 1)), labels))
            except ValueError:
                continue
            if any(len(train) == 0 for train, _ in parts):
                continue
            out.append("|".join([f"{name} {k} {gap}", words(labels), ";".join(words(t) for _, t in parts), ";".join(words(t) for t, _ in parts)]))
for freedom in (1, 2, 3, 4, 9, 10, 29, 99, 1000):
    for p in (0.025, 0.6, 0.975, 0.995):
        out.append(f"t {freedom} {p} {stats.t.ppf(p, freedom)!r}".replace("np.float64(", "").replace(")", ""))
open(__file__.replace(".py", ".txt"), "w").write("\n".join(out) + "\n")
