"""Writes every_metric.txt: what scikit-learn, torchmetrics and SciPy say of seeded predictions, for tests/every_metric.rs.

Run with Python 3, NumPy, SciPy, scikit-learn, torch and torchmetrics:  python make_every_metric.py > every_metric.txt
A case is a block: `case NAME WIDTH KIND`, the scores, the targets, then `metric VALUE ENTRY`, the entry as JSON. WIDTH is the
number of outputs of a sample (0 for a list of numbers), KIND says what targets are: ids, or numbers of the outputs' shape.
Numbers are f64 in the shortest decimal form that reads back as the same bits.
"""
import json
import warnings

import numpy as np
import scipy
import sklearn
import torch
import torchmetrics
import torchmetrics.functional as tm
from scipy import stats
from scipy.special import expit, log_softmax, softmax
from sklearn import metrics as m

warnings.filterwarnings("ignore")
torch.set_default_dtype(torch.float64)
print(f"# scikit-learn {sklearn.__version__}, torchmetrics {torchmetrics.__version__}, scipy {scipy.__version__}, numpy {np.__version__}")
T = torch.from_numpy


def case(name, y, t, kind):
    print(f"case {name} {y.shape[1] if y.ndim == 2 else 0} {kind}")
    print("y", " ".join(repr(float(v)) for v in y.ravel()))
    print("t", " ".join(str(int(v)) if float(v).is_integer() else repr(float(v)) for v in np.asarray(t).ravel()))


def say(value, name, main=None, **options):
    entry = {name: True if main is None else main, **options}
    print("metric", repr(float(value)), json.dumps(entry))


AVERAGES = ("macro", "micro", "weighted")


def of_classes(t, p, classes, **options):
    """Metrics of decided classes."""
    for average in AVERAGES:
        say(m.precision_score(t, p, average=average, zero_division=0), "precision", average, **options)
        say(m.recall_score(t, p, average=average, zero_division=0), "recall", average, **options)
        say(m.f1_score(t, p, average=average, zero_division=0), "f1", average, **options)
        say(m.fbeta_score(t, p, beta=2, average=average, zero_division=0), "fbeta", average, beta=2.0, **options)
        say(m.fbeta_score(t, p, beta=0.5, average=average, zero_division=0), "fbeta", average, beta=0.5, **options)
        say(m.jaccard_score(t, p, average=average, zero_division=0), "jaccard", average, **options)
    say(m.fbeta_score(t, p, beta=2, labels=[1], average="macro", zero_division=0), "fbeta", 1, beta=2.0, **options)
    say(m.jaccard_score(t, p, labels=[1], average="macro", zero_division=0), "jaccard", 1, **options)
    met = [c for c in classes if (t == c).any() or (p == c).any()]
    negatives = [m.recall_score(t != c, p != c, zero_division=0) for c in met]
    say(np.mean(negatives), "specificity", "macro", **options)
    say(np.average(negatives, weights=[(t == c).sum() for c in met]), "specificity", "weighted", **options)
    hot = lambda a: np.concatenate([a != c for c in classes])
    say(m.recall_score(hot(t), hot(p)), "specificity", "micro", **options)
    say(m.recall_score(t != 1, p != 1, zero_division=0), "specificity", 1, **options)
    say(m.accuracy_score(t, p), "accuracy", **options)
    say(m.balanced_accuracy_score(t, p), "balanced_accuracy", **options)
    say(m.matthews_corrcoef(t, p), "mcc", **options)
    for weights in (None, "linear", "quadratic"):
        kappa = m.cohen_kappa_score(t, p, labels=list(classes), weights=weights)
        say(kappa, "cohen_kappa", weights=weights or "none", **options)
    say(m.hamming_loss(t, p), "hamming", **options)


def ece(p, t, bins):
    """Guo et al. 2017, equation 3, with bins ((m - 1) / M, m / M]."""
    confidence, right = p.max(1), p.argmax(1) == t
    bin = np.clip(np.ceil(confidence * bins).astype(int), 1, bins)
    return sum(abs(right[bin == b].sum() - confidence[bin == b].sum()) for b in range(1, bins + 1)) / len(t)


def classes(name, y, t, outputs="logits"):
    n, k = y.shape
    p = {"logits": softmax, "probabilities": lambda y, axis: y, "log_probabilities": lambda y, axis: np.exp(y)}[outputs](y, axis=1)
    all = list(range(k))
    case(name, y, t, "ids")
    of_classes(t, y.argmax(1), range(k))
    for top in (2, 3):
        if top < k:
            say(m.top_k_accuracy_score(t, y, k=top, labels=all), "top_k", top)
            say(m.top_k_accuracy_score(t, y, k=top, labels=all), "hit_rate", top)
    say(m.log_loss(t, p, labels=all), "log_loss", outputs=outputs)
    say(m.brier_score_loss(t, p[:, 1]) if k == 2 else m.brier_score_loss(t, p, labels=all), "brier", outputs=outputs)
    say(np.exp(m.log_loss(t, p, labels=all)), "perplexity", outputs=outputs)
    if outputs == "logits":
        mean = tm.text.perplexity(T(y[None]), T(t[None]))
        assert abs(float(mean) - np.exp(m.log_loss(t, p, labels=all))) < 1e-9 * float(mean)
    for bins in (15, 7):
        value = ece(p, t, bins)
        other = tm.classification.multiclass_calibration_error(T(p), T(t), num_classes=k, n_bins=bins)
        assert abs(value - float(other)) < 1e-6, (value, other)
        say(value, "ece", outputs=outputs, bins=bins)
    if len(set(t)) < k:
        return
    if k == 2:
        say(m.roc_auc_score(t, p[:, 1]), "roc_auc", outputs=outputs)
        say(m.average_precision_score(t, p[:, 1]), "average_precision", outputs=outputs)
        say(m.average_precision_score(t == 0, p[:, 0]), "average_precision", 0, outputs=outputs)
        return
    for average in AVERAGES:
        say(m.roc_auc_score(t, p, multi_class="ovr", average=average), "roc_auc", average, outputs=outputs)
        say(m.average_precision_score(t, p, average=average), "average_precision", average, outputs=outputs)
    for average in ("macro", "weighted"):
        say(m.roc_auc_score(t, p, multi_class="ovo", average=average), "roc_auc", average, multi_class="ovo", outputs=outputs)
    for c in all:
        say(m.roc_auc_score(t == c, p[:, c]), "roc_auc", c, outputs=outputs)
        say(m.average_precision_score(t == c, p[:, c]), "average_precision", c, outputs=outputs)


def single(name, y, t, at, outputs):
    """One number a sample."""
    p = expit(y) if outputs == "logits" else y
    case(name, y, t, "numbers")
    of_classes(t, (y >= at).astype(int), range(2), threshold=at)
    say(m.log_loss(t, p, labels=[0, 1]), "log_loss", outputs=outputs)
    say(m.brier_score_loss(t, p, pos_label=1), "brier", outputs=outputs)
    say(ece(np.stack([1 - p, p], 1), t, 15), "ece", outputs=outputs)
    say(np.exp(m.log_loss(t, p, labels=[0, 1])), "perplexity", outputs=outputs)
    if len(set(t)) == 2:
        say(m.roc_auc_score(t, p), "roc_auc", outputs=outputs)
    say(m.average_precision_score(t, p), "average_precision", outputs=outputs)


def labels(name, y, t, at):
    p = (y >= at).astype(int)
    case(name, y, t, "numbers")
    options = dict(threshold=at, multilabel=True)
    for average in AVERAGES:
        say(m.precision_score(t, p, average=average, zero_division=0), "precision", average, **options)
        say(m.recall_score(t, p, average=average, zero_division=0), "recall", average, **options)
        say(m.f1_score(t, p, average=average, zero_division=0), "f1", average, **options)
        say(m.fbeta_score(t, p, beta=2, average=average, zero_division=0), "fbeta", average, beta=2.0, **options)
        say(m.jaccard_score(t, p, average=average, zero_division=0), "jaccard", average, **options)
        say(m.average_precision_score(t, y, average=average), "average_precision", average, multilabel=True)
        if t.sum(0).min() > 0:
            say(m.roc_auc_score(t, y, average=average), "roc_auc", average, multilabel=True)
    say(np.mean([m.recall_score(1 - t[:, c], 1 - p[:, c], zero_division=0) for c in range(t.shape[1])]), "specificity", "macro", **options)
    say(m.recall_score(1 - t.ravel(), 1 - p.ravel(), zero_division=0), "specificity", "micro", **options)
    say(m.hamming_loss(t, p), "hamming", **options)
    say(m.accuracy_score(t, p), "accuracy", **options)


def regression(name, y, t):
    case(name, y, t, "numbers")
    each = lambda f: np.mean([f(a, b) for a, b in zip(np.atleast_2d(y.T), np.atleast_2d(t.T))])
    say(m.mean_squared_error(t, y), "mse")
    say(m.root_mean_squared_error(t.ravel(), y.ravel()), "rmse")
    say(m.mean_absolute_error(t, y), "mae")
    say(m.median_absolute_error(t, y), "median_ae")
    say(m.max_error(t.ravel(), y.ravel()), "max_error")
    say(m.mean_absolute_percentage_error(t, y), "mape")
    say(np.mean(2 * np.abs(y - t) / (np.abs(y) + np.abs(t))), "smape")
    assert abs(float(tm.symmetric_mean_absolute_percentage_error(T(y), T(t))) - np.mean(2 * np.abs(y - t) / (np.abs(y) + np.abs(t)))) < 1e-5
    say(m.r2_score(t, y), "r2")
    say(m.explained_variance_score(t, y), "explained_variance")
    say(each(lambda a, b: stats.pearsonr(a, b)[0]), "pearson")
    say(each(lambda a, b: stats.spearmanr(a, b)[0]), "spearman")
    if min(y.min(), t.min()) > -1:
        say(m.mean_squared_log_error(t, y), "msle")
    for delta in (1.0, 0.25):
        say(torch.nn.functional.huber_loss(T(y), T(t), delta=delta), "huber", delta)


def ranking(name, y, t):
    case(name, y, t, "numbers")
    rows = range(len(y))

    def mean(f, exact, **options):
        """The exact mean over rows, once torchmetrics, which computes in f32, says the same to its precision."""
        ranked = [t[i][np.argsort(-y[i])] > 0 for i in rows]
        value = np.mean([exact(row) for row in ranked])
        other = np.mean([float(f(T(y[i]), T(t[i]) > 0, **options)) for i in rows])
        assert abs(value - other) < 1e-6, (f, value, other)
        return value

    say(m.ndcg_score(t, y), "ndcg")
    for k in (1, 3):
        say(m.ndcg_score(t, y, k=k), "ndcg", k)
        if len(np.unique(y[0])) == y.shape[1]:
            say(mean(tm.retrieval.retrieval_recall, lambda r: r[:k].sum() / max(r.sum(), 1), top_k=k), "recall_at_k", k)
            say(mean(tm.retrieval.retrieval_hit_rate, lambda r: r[:k].any(), top_k=k), "hit_rate", k)
    if len(np.unique(y[0])) == y.shape[1]:
        say(mean(tm.retrieval.retrieval_reciprocal_rank, lambda r: 1 / (r.argmax() + 1) if r.any() else 0), "mrr")


g = np.random.default_rng(11)
few = lambda a: np.round(a, 3)  # short decimals, and some equal scores
t = g.integers(0, 4, 60)
classes("four", few(g.normal(size=(60, 4)) + np.eye(4)[t]), t)
t = g.integers(0, 3, 40)
classes("ties", few(np.log(softmax(np.round(g.normal(size=(40, 3))), axis=1))), t)
classes("probabilities", g.dirichlet([1, 1, 1], 40), t, "probabilities")
classes("logarithms", log_softmax(g.normal(size=(40, 3)), axis=1), t, "log_probabilities")
t = np.where(g.random(40) < 0.9, 0, 2)
classes("absent", few(g.normal(size=(40, 5)) * [1, 1, 1, 0.1, 0.1] - [0, 0, 0, 9, 9]), t)
t = g.integers(0, 2, 50)
classes("two", few(g.normal(size=(50, 2)) + np.eye(2)[t]), t)
t = (g.random(60) < 0.25).astype(int)
single("imbalanced", few(g.normal(size=60) + t - 0.5), t, 0.0, "logits")
single("sigmoid", few(expit(g.normal(size=60) + 2 * t)), t, 0.5, "probabilities")
single("never", few(-g.random(20)), g.integers(0, 2, 20), 0.0, "logits")
single("none", few(g.normal(size=20)), np.zeros(20, dtype=int), 0.0, "logits")
t = (g.random((40, 4)) < [0.5, 0.2, 0.7, 0.1]).astype(int)
labels("labels", few(g.normal(size=(40, 4)) + t), t, 0.0)
t[:, 3] = 0
labels("rare", few(g.normal(size=(40, 4)) + t - [0, 0, 0, 9]), t, 0.0)
t = few(g.normal(size=60) * 10.0 ** g.integers(-1, 3, 60))
regression("wide", few(t + g.normal(size=60)), t)
t = few(g.gamma(2.0, 3.0, size=(40, 2)))
regression("columns", few(t * np.exp(g.normal(size=(40, 2)) * 0.2)), t)
regression("equal", np.round(g.normal(size=50) * 2) + 5, np.round(g.normal(size=50) * 2) + 5)
# Far from zero: sums of squares of 1e9 lose the spread, 0.1 and less, where they are rounded.
t = 1e9 + np.round(g.normal(size=40), 2)
regression("far", np.round(t + g.normal(size=40) * 0.5, 2), t)
ranking("graded", g.permuted(np.tile(np.arange(8) / 8, (25, 1)), axis=1), g.integers(0, 4, (25, 8)) * (g.random((25, 8)) < 0.4))
ranking("level", np.round(g.random((20, 6)) * 3), g.integers(0, 2, (20, 6)))
