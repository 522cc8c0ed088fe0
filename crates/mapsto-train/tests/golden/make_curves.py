"""Writes curves.txt: what scikit-learn says of curves and of reports of labels, for tests/curves.rs.

Run with Python 3, NumPy and scikit-learn:  python make_curves.py > curves.txt
Numbers are f64 in the shortest decimal form that reads back as the same bits. Curves of precision and recall are turned round, so that they begin
at the highest threshold.
"""
import numpy as np
import sklearn
from sklearn import metrics as m
from sklearn.calibration import calibration_curve

rng = np.random.default_rng(13)
print(f"# scikit-learn {sklearn.__version__}, numpy {np.__version__}")


def put(name, values):
    print(name, " ".join(repr(float(v)) for v in np.ravel(values)))


for n, digits in [(12, 3), (60, 1), (200, 2), (80, 6)]:
    truth = (rng.random(n) < 0.4).astype(int)
    scores = np.round(rng.normal(size=n) + truth, digits)
    print("curve")
    put("truth", truth)
    put("scores", scores)
    fpr, tpr, at = m.roc_curve(truth, scores)
    put("fpr", fpr), put("tpr", tpr), put("at", at)
    put("auc", m.roc_auc_score(truth, scores))
    precision, recall, at = m.precision_recall_curve(truth, scores, drop_intermediate=True)
    put("precision", precision[::-1]), put("recall", recall[::-1]), put("pr_at", [np.inf, *at[::-1]])
    put("ap", m.average_precision_score(truth, scores))

confidence = np.round(0.5 + 0.5 * rng.random(300) ** 0.5, 3)
right = (rng.random(300) < confidence**1.5).astype(int)
accuracy, mean = calibration_curve(right, confidence, n_bins=15, strategy="uniform")
print("reliability")
put("right", right), put("confidence", confidence), put("accuracy", accuracy), put("mean", mean)

for k in (2, 4):
    truth = (rng.random((25, k)) < np.linspace(0.6, 0.1, k)).astype(int)
    given = (0.6 * rng.random((25, k)) + 0.4 * truth > 0.5).astype(int)
    names = ["big", "red, round", "a label with a long name", "never"][:k]
    truth[:, 3:] = 0
    print("report", k)
    put("truth", truth), put("given", given)
    report = m.classification_report(truth, given, target_names=names, zero_division=0)
    print(report.replace("\n", "|"))
    numbers = m.classification_report(truth, given, target_names=names, zero_division=0, output_dict=True)
    put("numbers", [[row[c] for c in ("precision", "recall", "f1-score", "support")] for row in numbers.values()])
