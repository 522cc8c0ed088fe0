"""What torch.distributions makes of every distribution: densities, entropies, means, variances and divergences, in f64.

Run: python distributions.py > distributions.jsonl
"""

import json
import math

import torch
import torch.distributions as D

torch.set_default_dtype(torch.float64)

MIXED = [0.1, -1.7, 0.4, 2.5]
POSITIVE = [0.03, 0.6, 1.0, 7.5]
SHARES = [0.01, 0.3, 0.5, 0.97]

# The name, PyTorch's distribution of parameters, two sets of parameters, and points.
CASES = [
    ("normal", D.Normal, [[[0.3, -2.0, 0.0, 5.0], [0.7, 2.0, 1.0, 0.1]], [[1.0], [2.5]]], MIXED),
    ("log_normal", D.LogNormal, [[[0.3, -2.0, 0.0, 1.0], [0.7, 0.2, 1.0, 0.1]], [[1.0], [0.5]]], POSITIVE),
    ("uniform", D.Uniform, [[[0.0, -2.0, 0.0, 1.0], [0.7, 2.0, 1.0, 3.0]], [[-3.0], [4.0]]], [0.1, 1.5, 0.99, 2.5]),
    ("bernoulli", lambda p: D.Bernoulli(logits=p), [[[0.3, -2.0, 9.0, -30.0]], [[0.5, 1.5, 0.5, -2.0]]], [1.0, 0.0, 0.0, 1.0]),
    ("exponential", D.Exponential, [[[0.3, 2.0, 1.0, 5.0]], [[0.7]]], POSITIVE),
    ("gamma", D.Gamma, [[[0.3, 2.0, 1.0, 50.0], [0.7, 2.0, 1.0, 9.0]], [[2.0], [0.5]]], POSITIVE),
    ("laplace", D.Laplace, [[[0.3, -2.0, 0.0, 5.0], [0.7, 2.0, 1.0, 0.1]], [[1.0], [2.5]]], MIXED),
    ("gumbel", D.Gumbel, [[[0.3, -2.0, 0.0, 5.0], [0.7, 2.0, 1.0, 1.1]], [[1.0], [2.5]]], MIXED),
    ("poisson", D.Poisson, [[[0.3, 2.0, 11.0, 50.0]], [[7.0]]], [0.0, 3.0, 9.0, 61.0]),
    ("beta", D.Beta, [[[0.3, 2.0, 1.0, 5.0], [0.7, 2.0, 1.0, 9.0]], [[2.0], [0.5]]], SHARES),
    ("dirichlet", D.Dirichlet, [[[0.3, 2.0, 1.0, 5.0]], [[2.0, 1.0, 0.5, 1.0]]], [0.1, 0.2, 0.3, 0.4]),
    ("categorical", lambda p: D.Categorical(logits=p), [[[0.3, -2.0, 1.0, 5.0]], [[0.0, 1.0, 0.5, 2.0]]], [0, 1, 2, 3]),
    (
        "multivariate_normal",
        lambda m, s: D.Independent(D.Normal(m, s), 1),
        [[[0.3, -2.0, 0.0, 5.0], [0.7, 2.0, 1.0, 0.1]], [[1.0, 1.0, 1.0, 1.0], [2.5, 2.5, 2.5, 2.5]]],
        MIXED,
    ),
    ("cauchy", D.Cauchy, [[[0.3, -2.0, 0.0, 5.0], [0.7, 2.0, 1.0, 0.1]], [[1.0], [2.5]]], MIXED),
    ("half_cauchy", D.HalfCauchy, [[[0.7, 2.0, 1.0, 0.1]], [[2.5]]], POSITIVE),
    ("half_normal", D.HalfNormal, [[[0.7, 2.0, 1.0, 3.1]], [[2.5]]], POSITIVE),
    ("student_t", D.StudentT, [[[9.0, 12.0, 30.0, 8.5], [0.3, -2.0, 0.0, 5.0], [0.7, 2.0, 1.0, 0.1]], [[5.0], [1.0], [2.5]]], MIXED),
    ("chi2", D.Chi2, [[[0.9, 2.0, 1.0, 50.0]], [[3.0]]], POSITIVE),
    ("weibull", D.Weibull, [[[0.7, 2.0, 1.0, 9.0], [0.9, 2.0, 1.0, 7.0]], [[2.0], [0.5]]], POSITIVE),
    ("pareto", D.Pareto, [[[0.02, 0.5, 0.9, 7.0], [9.0, 12.0, 20.0, 10.0]], [[0.01], [3.0]]], POSITIVE),
    ("inverse_gamma", D.InverseGamma, [[[9.0, 12.0, 20.0, 10.0], [0.7, 2.0, 1.0, 9.0]], [[2.0], [0.5]]], POSITIVE),
]


def numbers(x):
    return [v if math.isfinite(v) else str(v) for v in x.flatten().tolist()]


for name, make, (first, second), points in CASES:
    p, q = (make(*[torch.tensor(v) for v in parameters]) for parameters in (first, second))
    x = torch.tensor(points)
    line = {"name": name, "p": first, "q": second, "x": points, "log_prob": numbers(p.log_prob(x))}
    if name != "poisson":
        line["entropy"] = numbers(p.entropy())
    if name != "categorical":
        line["mean"], line["variance"] = numbers(p.mean), numbers(p.variance)
    try:
        line["kl"] = numbers(D.kl_divergence(p, q))
    except NotImplementedError:
        pass
    print(json.dumps(line))
