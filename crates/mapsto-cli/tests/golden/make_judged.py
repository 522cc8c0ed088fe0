"""Writes judged.csv and judged.json: scores with targets of four kinds, and what scikit-learn and NumPy say of them, for tests/cli/curves.rs.

Run with Python 3, NumPy and scikit-learn in this folder:  python make_judged.py
The models of the test give the scores as they are, so what `mapsto eval` says can be compared number by number.
"""
import json

import numpy as np
from sklearn import metrics as m
from sklearn.calibration import calibration_curve

rng = np.random.default_rng(5)
n = 90
kinds = np.array(["ash", "birch, red", "elm"])
kind = rng.integers(0, 3, n)
s = np.round((rng.normal(size=(n, 3)) + 1.5 * np.eye(3)[kind]) * 256) / 256
spam = (s[:, 0] + rng.normal(size=n) > 0.5).astype(int)
labels = (s + rng.normal(size=(n, 3)) > [0.0, 0.5, 1.0]).astype(int)
number = np.round((2 * s[:, 0] + rng.normal(size=n)) * 64) / 64

with open("judged.csv", "w") as f:
    f.write("s0,s1,s2,kind,spam,a,b,c,number\n")
    for i in range(n):
        row = [*map(repr, map(float, s[i])), f'"{kinds[kind[i]]}"', ["ham", "spam"][spam[i]], *map(str, labels[i]), repr(float(number[i]))]
        f.write(",".join(row) + "\n")


def floats(a):
    return [float(v) if np.isfinite(v) else None for v in np.ravel(a)]


def curves(name, truth, scores, read=lambda v: v):
    fpr, tpr, at = m.roc_curve(truth, scores)
    precision, recall, pr_at = m.precision_recall_curve(truth, scores, drop_intermediate=True)
    at = [None, *floats(read(at[1:]))]
    return {
        "name": name, "auc": m.roc_auc_score(truth, scores), "fpr": floats(fpr), "tpr": floats(tpr), "thresholds": at,
        "average_precision": m.average_precision_score(truth, scores), "recall": floats(recall[::-1]), "precision": floats(precision[::-1]),
    }


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


p = np.exp(s) / np.exp(s).sum(1, keepdims=True)
given = s.argmax(1)
accuracy, confidence = calibration_curve(given == kind, p.max(1), n_bins=15)
binary = np.stack([np.zeros(n), s[:, 0]], 1).argmax(1)
off = s[:, 0] - number
out = {
    "classes": {
        "report": m.classification_report(kind, given, target_names=kinds),
        "curves": [curves(str(kinds[c]), kind == c, p[:, c]) for c in range(3)],
        "macro roc auc": m.roc_auc_score(kind, p, multi_class="ovr"),
        "macro average precision": m.average_precision_score(np.eye(3)[kind], p),
        "log loss": m.log_loss(kind, p), "mcc": m.matthews_corrcoef(kind, given),
        "confidence": floats(confidence), "accuracy": floats(accuracy),
        "confusion": m.confusion_matrix(kind, given).tolist(),
    },
    "two": {
        "report": m.classification_report(spam, binary, target_names=["ham", "spam"]),
        "curves": [curves("spam", spam, s[:, 0], sigmoid)],
        "macro roc auc": m.roc_auc_score(spam, s[:, 0]),
        "average precision of class 1": m.average_precision_score(spam, s[:, 0]),
    },
    "labels": {
        "report": m.classification_report(labels, (s >= 0).astype(int), target_names=["a", "b", "c"], zero_division=0),
        "curves": [curves("abc"[c], labels[:, c], s[:, c], sigmoid) for c in range(3)],
        "macro roc auc": m.roc_auc_score(labels, s, average="macro"),
        "macro average precision": m.average_precision_score(labels, s, average="macro"),
        "ndcg": m.ndcg_score(labels, s), "ndcg@2": m.ndcg_score(labels, s, k=2),
    },
    "numbers": {
        "mae": m.mean_absolute_error(number, s[:, 0]), "r2": m.r2_score(number, s[:, 0]),
        "rmse": m.root_mean_squared_error(number, s[:, 0]),
        "mean": float(off.mean()), "std": float(off.std()),
        "quantiles": floats(np.percentile(off, [0, 5, 25, 50, 75, 95, 100])),
        "points": [floats(pair) for pair in np.stack([number, s[:, 0]], 1)],
    },
}
with open("judged.json", "w") as f:
    json.dump(out, f, separators=(",", ":"), default=float)
    f.write("\n")
