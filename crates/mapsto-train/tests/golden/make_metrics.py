"""Writes metrics.txt: what scikit-learn says of some seeded predictions, for tests/metrics.rs.

Run with Python 3, NumPy and scikit-learn:  python make_metrics.py > metrics.txt
Each case is a block: a header, the scores as f64 bits in hex, the targets, then name and value of each metric.
"""
import warnings
import numpy as np
import sklearn
from sklearn import metrics as m

warnings.filterwarnings("ignore")
print(f"# scikit-learn {sklearn.__version__}, numpy {np.__version__}")


def bits(a):
    return " ".join(f"{v:016x}" for v in np.asarray(a, dtype=np.float64).ravel().view(np.uint64))


def classes(name, y, t):
    n, k = y.shape
    p = y.argmax(1)
    print(f"case {name} {n} {k}")
    print("y", bits(y))
    print("t", " ".join(map(str, t)))
    out = {"accuracy": m.accuracy_score(t, p)}
    for top in (2, 3):
        if top < k:
            out[f"top_k {top}"] = m.top_k_accuracy_score(t, y, k=top, labels=range(k))
    for kind, f in (("precision", m.precision_score), ("recall", m.recall_score), ("f1", m.f1_score)):
        for average in ("macro", "micro", "weighted"):
            out[f"{kind} {average}"] = f(t, p, average=average, zero_division=0)
        out[f"{kind} 1"] = f(t, p, labels=[1], average="macro", zero_division=0)
    for key, value in out.items():
        print("metric", key, float(value).hex())
    print("confusion", " ".join(map(str, m.confusion_matrix(t, p, labels=range(k)).ravel())))


def threshold(name, y, t, at):
    p = (y >= at).astype(int)
    print(f"case {name} {len(y)} 1 {at}")
    print("y", bits(y))
    print("t", " ".join(map(str, t)))
    print("metric accuracy", float(m.accuracy_score(t, p)).hex())
    for kind, f in (("precision", m.precision_score), ("recall", m.recall_score), ("f1", m.f1_score)):
        print(f"metric {kind} 1", float(f(t, p, zero_division=0)).hex())


def regression(name, y, t):
    print(f"case {name} {len(y)} 0")
    print("y", bits(y))
    print("t", bits(t))
    print("metric mae", float(m.mean_absolute_error(t, y)).hex())
    print("metric rmse", float(m.root_mean_squared_error(t, y)).hex())


g = np.random.default_rng(7)
t = g.integers(0, 10, 500)
y = g.normal(size=(500, 10)) + 1.5 * np.eye(10)[t]
classes("ten", y, t)
t = g.integers(0, 3, 57)
classes("ties", g.integers(0, 3, (57, 3)).astype(float), t)  # many equal scores
t = np.where(g.random(100) < 0.95, 0, 2)  # class 1 rare or absent, 3 and 4 never
y = g.normal(size=(100, 5)) * [1, 1, 1, 0, 0] - [0, 0, 0, 9, 9]
classes("absent", y, t)
classes("one", np.array([[0.0, 1.0]]), np.array([0]))
t = g.integers(0, 2, 200)
threshold("logits", g.normal(size=200) + t - 0.5, t, 0.0)
threshold("never", -g.random(20), g.integers(0, 2, 20), 0.0)  # no positive prediction
t = g.normal(size=300) * 10.0 ** g.integers(-3, 6, 300)
regression("wide", t + g.normal(size=300), t)
