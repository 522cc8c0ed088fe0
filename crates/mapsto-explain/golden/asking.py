"""Writes asking.json: what captum, shap, lime and scikit-learn say of small networks, in f64.

    python golden/asking.py

Needs torch, captum, shap, lime, scikit-learn and numpy.
"""

import itertools
import json
import pathlib
import warnings

import numpy as np
import shap
import torch
from captum.attr import FeatureAblation, Occlusion, ShapleyValues
from captum.attr import LimeBase as CaptumLime
from captum._utils.models.linear_model import SkLearnRidge
from lime.lime_base import LimeBase
from sklearn.decomposition import PCA
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.manifold import TSNE, _t_sne
from sklearn.metrics import accuracy_score, pairwise_distances, r2_score

warnings.filterwarnings("ignore")
torch.set_default_dtype(torch.float64)
draw = np.random.default_rng(13)


def numbers(*shape, scale=1.0):
    """Numbers of few digits, so that the file stays small and holds exactly what was computed with."""
    return np.round(draw.normal(size=shape) * scale, 3)


class Mlp(torch.nn.Module):
    """tanh(x A + a) B + b."""

    def __init__(self, d, hidden, k):
        super().__init__()
        self.parts = [numbers(d, hidden), numbers(hidden), numbers(hidden, k), numbers(k)]

    def forward(self, x):
        a, b, c, d = map(torch.tensor, self.parts)
        return torch.tanh(x @ a + b) @ c + d


class Cnn(torch.nn.Module):
    """Two maps of 3 x 3, relu, and a line."""

    def __init__(self):
        super().__init__()
        self.parts = [numbers(2, 2, 3, 3), numbers(2), numbers(2 * 4 * 4, 3, scale=0.5), numbers(3)]

    def forward(self, x):
        w, b, c, d = map(torch.tensor, self.parts)
        return torch.relu(torch.nn.functional.conv2d(x, w, b)).flatten(1) @ c + d


cases, inputs = [], []


def flat(v):
    return [list(np.shape(v)), np.asarray(v, dtype=float).ravel().tolist()]


def shared(v):
    """The place of an input in the list of all of them."""
    if flat(v) not in inputs:
        inputs.append(flat(v))
    return inputs.index(flat(v))


def case(method, net, x, found, **options):
    tensors = ("baseline", "truth", "start")
    options = {k: shared(v) if k in tensors else v for k, v in options.items()}
    cases.append({"method": method, "net": net, "x": shared(x), "found": flat(found), **options})


nets = {"mlp": Mlp(5, 4, 3), "one": Mlp(4, 6, 1), "cnn": Cnn()}
ask = {name: (lambda net: lambda x: net(torch.tensor(x)).numpy())(net) for name, net in nets.items()}


def distance(masks):
    return pairwise_distances(masks, np.ones((1, masks.shape[1])), metric="cosine").ravel()


x, baseline, many = numbers(3, 5), numbers(5), numbers(4, 5)
for target in range(3):
    net = nets["mlp"]
    tx, tb = torch.tensor(x), torch.tensor(baseline)[None]
    # captum adds Shapley values and occlusions up in f32, whatever the inputs are.
    found = ShapleyValues(net).attribute(tx, tb, target)
    case("shapley", "mlp", x, found, baseline=baseline, target=target, within=1e-6)
    case("feature-ablation", "mlp", x, FeatureAblation(net).attribute(tx, tb, target), baseline=baseline, target=target)
    for window, step in [((1,), (1,)), ((2,), (1,)), ((3,), (2,))]:
        found = Occlusion(net).attribute(tx, window, step, tb, target)
        case("occlusion", "mlp", x, found, baseline=baseline, target=target, window=window, step=step, within=1e-6)
    for background in (baseline[None], many):
        explainer = shap.KernelExplainer(ask["mlp"], background)
        found = explainer.shap_values(x, nsamples=2**5, l1_reg=False, silent=True)[..., target]
        for method in ("kernel-shap", "shapley"):
            case(method, "mlp", x, found, baseline=background, target=target)

    # lime on all 2^5 combinations of columns that are on or off, the sample first.
    masks = np.array(sorted(itertools.product([0.0, 1.0], repeat=5), reverse=True))
    for width in (0.25, 0.8):
        rows = []
        for row in x:
            answers = ask["mlp"](np.where(masks == 1, row, baseline))
            kernel = lambda d: np.sqrt(np.exp(-(d**2) / width**2))
            base = LimeBase(kernel, random_state=0)
            # `model_regressor=None` is Ridge(alpha=1, fit_intercept=True).
            _, slopes, _, _ = base.explain_instance_with_data(
                masks, answers, distance(masks), target, 5, feature_selection="none"
            )
            rows.append([dict(slopes)[j] for j in range(5)])
        case("lime", "mlp", x, rows, baseline=baseline, target=target, width=width)

        # captum's, given the same combinations and weights (which it rounds to f32), fits the same line.
        sets = [torch.tensor(m)[None] for m in masks]
        def every(original, **_):
            yield from sets
        similar = lambda a, b, mask, **_: float(kernel(distance(mask.numpy()))[0])
        lime = CaptumLime(
            net, interpretable_model=SkLearnRidge(alpha=1.0), similarity_func=similar, perturb_func=every,
            perturb_interpretable_space=True, from_interp_rep_transform=lambda m, row, **_: m * row + (1 - m) * tb,
            to_interp_rep_transform=None,
        )
        rows = [lime.attribute(row[None], target=target, n_samples=len(sets))[0].tolist() for row in tx]
        case("lime", "mlp", x, rows, baseline=baseline, target=target, width=width, within=1e-6)

# Columns that belong together: captum gives each of them the whole, here they share it.
net, x, baseline = nets["mlp"], numbers(2, 5), numbers(5)
tx, tb, groups = torch.tensor(x), torch.tensor(baseline)[None], torch.tensor([[0, 1, 1, 2, 1]])
share = np.array([1, 3, 3, 1, 3])
for method, of in [("shapley", ShapleyValues), ("feature-ablation", FeatureAblation)]:
    found = of(net).attribute(tx, tb, 1, feature_mask=groups).numpy() / share
    within = {"within": 1e-6} if method == "shapley" else {}
    case(method, "mlp", x, found, baseline=baseline, target=1, features=groups[0].tolist(), **within)

x, baseline = numbers(1, 2, 6, 6), numbers(2, 6, 6, scale=0.1)
for target in range(2):
    net = nets["cnn"]
    tx, tb = torch.tensor(x), torch.tensor(baseline)[None]
    case("feature-ablation", "cnn", x, FeatureAblation(net).attribute(tx, tb, target), baseline=baseline, target=target)
    for window, step in [((2, 2, 2), (2, 1, 1)), ((1, 3, 2), (1, 3, 2)), ((2, 4, 4), (1, 3, 3))]:
        found = Occlusion(net).attribute(tx, window, step, tb, target)
        case("occlusion", "cnn", x, found, baseline=baseline, target=target, window=window, step=step, within=1e-6)
    cells = (torch.arange(6)[:, None] // 3 * 2 + torch.arange(6)[None, :] // 3).expand(1, 2, 6, 6).contiguous()
    found = ShapleyValues(net).attribute(tx, tb, target, feature_mask=cells).numpy() / 18
    for method in ("shapley", "kernel-shap"):
        case(method, "cnn", x, found, baseline=baseline, target=target, features=cells.flatten().tolist(), within=1e-6)


class Estimator:
    """A network as scikit-learn sees it."""

    _estimator_type = "regressor"

    def __init__(self, name):
        self.name = name

    def fit(self, *_):
        return self

    def predict(self, x):
        y = ask[self.name](np.asarray(x))
        return y[:, 0] if y.shape[1] == 1 else y.argmax(1)

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        from sklearn.utils import InputTags, RegressorTags, Tags, TargetTags

        return Tags("regressor", TargetTags(required=False), regressor_tags=RegressorTags(), input_tags=InputTags())


def orders(n, repeats, seed):
    """The orders in which scikit-learn shuffles each column."""
    state = np.random.RandomState(seed)
    seed = state.randint(np.iinfo(np.int32).max + 1)
    state, order, where, out = np.random.RandomState(seed), np.arange(n), np.arange(n), []
    for _ in range(repeats):
        # It shuffles its order on and on, and the column that was shuffled before.
        state.shuffle(order)
        where = where[order]
        out.append(where.tolist())
    return out


for name, scorer in [("one", r2_score), ("mlp", accuracy_score)]:
    d = nets[name].parts[0].shape[0]
    x = numbers(20, d)
    model = Estimator(name)
    truth = model.predict(x + numbers(20, d, scale=0.3))
    score = lambda model, x, y: scorer(y, model.predict(x))
    found = permutation_importance(model, x, truth, scoring=score, n_repeats=4, random_state=3)
    case("permutation-importance", name, x, [found.importances_mean, found.importances_std], truth=truth,
         orders=orders(20, 4, 3))

x = np.round(numbers(30, 4), 1)
x[:, 3] = np.round(x[:, 3])
for column in range(4):
    found = partial_dependence(Estimator("one"), x, [column], kind="both", grid_resolution=12, method="brute")
    grid = found["grid_values"][0]
    case("partial-dependence", "one", x, np.vstack([grid, found["average"][0], found["individual"][0]]),
         column=column, samples=12)

for n, d in [(15, 4), (6, 9), (40, 3)]:
    x = numbers(n, d) * np.linspace(2, 1, d).round(2)
    pca = PCA(2, svd_solver="full")
    case("pca", "none", x, pca.fit_transform(x), shares=pca.explained_variance_ratio_.tolist())

x = np.round(numbers(36, 3, scale=0.5) + np.repeat(np.eye(3) * 4, 12, axis=0), 2)
start = numbers(36, 2, scale=0.01)
for steps in (1, 2, 5):
    # The steps of `TSNE(method='exact')` themselves, of which its own class takes no fewer than 250.
    squares = pairwise_distances(x, metric="euclidean", squared=True)
    p = _t_sne._joint_probabilities(squares, 8.0, 0)
    found, _, _ = _t_sne._gradient_descent(
        _t_sne._kl_divergence, start.ravel().copy(), it=0, max_iter=steps, n_iter_check=1000, momentum=0.5,
        learning_rate=50.0, args=[p * 12.0, 1.0, 36, 2], kwargs={"skip_num_points": 0},
    )
    case("t-sne", "none", x, found.reshape(36, 2), start=start, perplexity=8.0, steps=steps)
# From starts that differ by 1e-7, scikit-learn ends at divergences that differ by a tenth (by half for few samples): their mean, and how
# far they are from it.
draw = np.random.default_rng(0)
x = np.round(draw.normal(size=(130, 2)), 2)
plane = PCA(2).fit_transform(x)
start = np.round(plane / plane[:, 0].std() * 0.01, 4)
ends = []
for _ in range(10):
    near = start * (1 + 1e-7 * draw.normal(size=start.shape))
    tsne = TSNE(method="exact", init=near, perplexity=12.0, max_iter=1000, learning_rate=50.0, min_grad_norm=0,
                n_iter_without_progress=10**6)
    ends.append(tsne.fit(x).kl_divergence_)
apart = float(np.abs(ends - np.mean(ends)).max())
case("t-sne-divergence", "none", x, [np.mean(ends)], start=start, perplexity=12.0, steps=1000, within=apart)

weights = {name: [flat(p) for p in net.parts] for name, net in nets.items()}
short = lambda v: (
    {k: short(u) for k, u in v.items()} if isinstance(v, dict)
    else [short(u) for u in v] if isinstance(v, (list, tuple))
    else float(f"{v:.11g}") if isinstance(v, float) else v
)
path = pathlib.Path(__file__).with_suffix(".json")
lines = ",\n".join(json.dumps(c, separators=(",", ":")) for c in short(cases))
words = lambda v: json.dumps(short(v), separators=(",", ":"))
path.write_text(f'{{"nets":{words(weights)},\n"inputs":{words(inputs)},\n"cases":[\n{lines}\n]}}\n')
print(len(cases), "cases,", path.stat().st_size, "bytes")
