"""Writes losses.jsonl: losses of PyTorch, or formulas of papers and of Keras in it, with their gradients, in f64.

A line for each setting: the entry of a training file, or the name of a function of several outputs with its margin; the
outputs and targets with their shapes; the loss, and the gradient at the outputs.

    pip install torch && python crates/mapsto-nn/golden/losses.py > crates/mapsto-nn/golden/losses.jsonl
"""
import json
import math
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(7)


def shown(x):
    return {"shape": list(x.shape), "values": [round(v, 10) for v in x.detach().flatten().tolist()]}


def rounded(x):
    return torch.round(x, decimals=10)


def write(head, ys, target, loss):
    ys = [rounded(y).requires_grad_() for y in ys]
    value = loss(*ys, target)
    value.backward()
    line = {**head, "outputs": [shown(y) for y in ys], "loss": value.item(), "gradients": [y.grad.flatten().tolist() for y in ys]}
    if target is not None:
        line["target"] = shown(target)
        line["ids"] = not target.is_floating_point()
    print(json.dumps(line))


def entry(name, y, target, loss, value=True, **options):
    write({"entry": name if value is True and not options else {name: value, **options}}, [y], target, loss)


def function(name, margin, ys, target, loss):
    write({"function": name, "margin": margin}, ys, target, loss)


n, k = 5, 4
y, t = torch.randn(n, k), rounded(torch.randn(n, k))
yes = (torch.rand(n, k) > 0.5).double()
ids = torch.randint(0, k, (n,))
counts = torch.randint(0, 6, (n, k)).double()
shares = rounded(torch.rand(n, k))
probabilities = torch.rand(n, k) * 0.9 + 0.05
signs = yes * 2 - 1

entry("mse", y, t, nn.MSELoss())
entry("mse", y, t, nn.MSELoss(reduction="sum"), reduction="sum")
entry("mae", y, t, nn.L1Loss())
entry("huber", 2 * y, t, nn.HuberLoss(delta=0.7), 0.7)
entry("smooth_l1", 2 * y, t, nn.SmoothL1Loss(beta=0.7), 0.7)
entry("smooth_l1", 2 * y, t, nn.SmoothL1Loss(beta=1.5, reduction="sum"), 1.5, reduction="sum")
entry("quantile", y, t, lambda y, t: torch.maximum(0.8 * (t - y), -0.2 * (t - y)).mean(), 0.8)
entry("log_cosh", 2 * y, t, lambda y, t: torch.log(torch.cosh(y - t)).mean())
entry("mape", y, t, lambda y, t: 100 * ((t - y).abs() / t.abs().clamp(min=1e-7)).mean())
entry("msle", y + 1, shares, lambda y, t: (torch.log1p(y.clamp(min=1e-7)) - torch.log1p(t.clamp(min=1e-7))).square().mean())
entry("poisson_nll", y, counts, nn.PoissonNLLLoss())
entry("poisson_nll", y, counts, nn.PoissonNLLLoss(full=True), full=True)
entry("poisson_nll", probabilities, counts, nn.PoissonNLLLoss(log_input=False, full=True, eps=1e-4), eps=1e-4, log_input=False, full=True)
spread = torch.randn(n, 2 * k)
entry("gaussian_nll", spread, t, lambda y, t: nn.GaussianNLLLoss()(y[:, :k], t, y[:, k:].exp()))
entry("gaussian_nll", spread, t, lambda y, t: nn.GaussianNLLLoss(full=True)(y[:, :k], t, y[:, k:].exp()), full=True)


def negative_binomial(r):
    def loss(y, t):
        told = torch.distributions.NegativeBinomial(total_count=r, logits=y - math.log(r)).log_prob(t)
        return -(told - torch.lgamma(t + r) + torch.lgamma(1 + t) + math.lgamma(r)).mean()
    return loss


entry("negative_binomial", y, counts, negative_binomial(2.5), 2.5)
entry("hinge", y, signs, lambda y, t: F.relu(1 - t * y).mean())
entry("hinge", y, yes, lambda y, t: F.relu(1 - (2 * t - 1) * y).mean())
entry("squared_hinge", y, signs, lambda y, t: F.relu(1 - t * y).square().mean())
entry("soft_margin", y, signs, nn.SoftMarginLoss())
entry("hinge_embedding", y.abs(), signs, nn.HingeEmbeddingLoss(margin=0.9), 0.9)
entry("multi_margin", y, ids, nn.MultiMarginLoss())
entry("multi_margin", y, ids, nn.MultiMarginLoss(p=2, margin=0.6), 0.6, squared=True)


def multilabel_margin(y, t):
    lists = torch.full(t.shape, -1)
    for i, row in enumerate(t):
        there = row.nonzero().flatten()
        lists[i, : len(there)] = there
    return nn.MultiLabelMarginLoss()(y, lists)


entry("multilabel_margin", y, yes, multilabel_margin)
entry("bce", probabilities, shares, nn.BCELoss())
entry("bce_with_logits", y, shares, nn.BCEWithLogitsLoss())
entry("bce_with_logits", y, shares, nn.MultiLabelSoftMarginLoss())
entry("bce_with_logits", y, shares, nn.BCEWithLogitsLoss(pos_weight=torch.tensor([3.0])), pos_weight=[3.0])
weights, pos = [0.5, 1.0, 2.0, 0.0], [1.0, 4.0, 0.5, 2.0]
entry("bce_with_logits", y, shares, nn.BCEWithLogitsLoss(weight=torch.tensor(weights), pos_weight=torch.tensor(pos)), pos_weight=pos, weights=weights)
entry("bce_with_logits", y, shares, nn.MultiLabelSoftMarginLoss(weight=torch.tensor(weights)), weights=weights)
entry("cross_entropy", y, ids, nn.CrossEntropyLoss())
entry("cross_entropy", y, ids, nn.CrossEntropyLoss(label_smoothing=0.1, ignore_index=int(ids[0])), label_smoothing=0.1, ignore_index=int(ids[0]))
entry("nll", F.log_softmax(y, -1), ids, nn.NLLLoss())
entry("nll", F.log_softmax(y, -1), ids, nn.NLLLoss(weight=torch.tensor([0.5, 1.0, 2.0, 3.0]), ignore_index=int(ids[1])), weights=[0.5, 1.0, 2.0, 3.0], ignore_index=int(ids[1]))
entry("kl_div", F.log_softmax(y, -1), rounded(F.softmax(t, -1)), nn.KLDivLoss(reduction="batchmean"))


def focal(gamma, alpha):
    """torchvision's, whose weights are half of ours."""
    def loss(y, t):
        p = torch.sigmoid(y)
        p_t = p * t + (1 - p) * (1 - t)
        alpha_t = alpha * t + (1 - alpha) * (1 - t)
        return 2 * (alpha_t * (1 - p_t) ** gamma * F.binary_cross_entropy_with_logits(y, t, reduction="none")).mean()
    return loss


entry("focal", y, yes, focal(2.0, 0.5))
entry("focal", y, yes, focal(1.5, 0.25), 1.5, alpha=0.25)


def categorical_focal(gamma):
    def loss(y, t):
        p = F.softmax(y, -1).gather(-1, t.unsqueeze(-1))
        return (-((1 - p) ** gamma) * p.log()).mean()
    return loss


entry("categorical_focal", y, ids, categorical_focal(2.0))
entry("categorical_focal", y, ids, categorical_focal(0.5), 0.5)


def tversky(alpha, beta):
    def loss(y, t):
        both, alarms, misses = ((a * b).sum(-1) for a, b in [(y, t), (y, 1 - t), (1 - y, t)])
        return (1 - (both + 1e-7) / (both + alpha * alarms + beta * misses + 1e-7)).mean()
    return loss


entry("tversky", probabilities, yes, tversky(0.3, 0.7), alpha=0.3, beta=0.7)
entry("dice", probabilities, yes, tversky(0.5, 0.5))
entry("cosine_similarity", y, t, lambda y, t: -F.cosine_similarity(y, t, dim=-1).mean())


def info_nce(y, t):
    scores = F.cosine_similarity(y.unsqueeze(1), t.unsqueeze(0), dim=-1) / 0.3
    return F.cross_entropy(scores, torch.arange(len(y)))


def nt_xent(y, t):
    z = torch.cat((y, t))
    scores = torch.exp(F.cosine_similarity(z.unsqueeze(1), z.unsqueeze(0), dim=-1) / 0.3)
    n, total = len(y), 0.0
    for i in range(2 * n):
        others = sum(scores[i, j] for j in range(2 * n) if j != i)
        total = total - torch.log(scores[i, (i + n) % (2 * n)] / others)
    return total / (2 * n)


entry("info_nce", y, t, info_nce, 0.3)
entry("nt_xent", y, t, nt_xent, 0.3)


def arcface(margin, scale):
    def loss(y, t):
        angle = torch.acos(y.gather(-1, t.unsqueeze(-1)))
        right = torch.where(angle + margin < math.pi, torch.cos(angle + margin), torch.cos(angle) - margin * math.sin(margin))
        return F.cross_entropy(scale * y.scatter(-1, t.unsqueeze(-1), right), t)
    return loss


entry("arcface", torch.tanh(y), ids, arcface(0.5, 8.0), 0.5, scale=8.0)
entry("arcface", torch.tanh(3 * y), ids, arcface(0.9, 4.0), 0.9, scale=4.0)

entry("categorical_hinge", y, ids, lambda y, t: F.relu(((1 - F.one_hot(t, k)) * y).amax(-1) - y.gather(-1, t.unsqueeze(-1)).squeeze(-1) + 1).mean())
entry("generalized_cross_entropy", y, ids, lambda y, t: ((1 - F.softmax(y, -1).gather(-1, t.unsqueeze(-1)) ** 0.7) / 0.7).mean(), 0.7)


def ctc(reduction):
    def loss(y, t):
        log_p, lengths = F.log_softmax(y, -1).transpose(0, 1), (t >= 0).sum(-1)
        return nn.CTCLoss(reduction=reduction)(log_p, t.clamp(min=0), torch.full((len(t),), y.shape[1]), lengths)
    return loss


labels = torch.tensor([[1, 1, 3], [2, -1, -1], [3, 1, -1]])
entry("ctc", torch.randn(3, 7, k), labels, ctc("mean"))

one = signs[:, 0].contiguous()
function("cosine_embedding", 0.2, [y, torch.randn(n, k)], one, nn.CosineEmbeddingLoss(margin=0.2))
function("margin_ranking", 0.5, [y, torch.randn(n, k)], signs, nn.MarginRankingLoss(margin=0.5))
function("triplet_margin", 1.5, [y, torch.randn(n, k), torch.randn(n, k)], None, lambda a, p, n, _: nn.TripletMarginLoss(margin=1.5)(a, p, n))

alike = torch.tensor([0, 1, 0, 2, 1])


def pairs(t):
    same = t.unsqueeze(0) == t.unsqueeze(1)
    return same & ~torch.eye(len(t)).bool(), ~same


def circle(margin, scale):
    """The authors' program for pairs, over the pairs of each anchor."""
    def loss(y, t):
        s, (same, other) = F.cosine_similarity(y.unsqueeze(1), y.unsqueeze(0), dim=-1), pairs(t)
        losses = []
        for i in range(len(y)):
            if same[i].any() and other[i].any():
                sp, sn = s[i][same[i]], s[i][other[i]]
                ap, an = torch.clamp_min(-sp.detach() + 1 + margin, 0), torch.clamp_min(sn.detach() + margin, 0)
                p, n = -ap * (sp - (1 - margin)) * scale, an * (sn - margin) * scale
                losses.append(F.softplus(torch.logsumexp(n, 0) + torch.logsumexp(p, 0)))
        return torch.stack(losses).mean()
    return loss


def triplet(margin, mining):
    def loss(y, t):
        d, (same, other) = (y.unsqueeze(1) - y.unsqueeze(0)).square().sum(-1), pairs(t)
        d = torch.where(d > 0, d, 1.0).sqrt() * (d > 0)
        anchors = [i for i in range(len(y)) if same[i].any() and other[i].any()]
        if mining == "hard":
            return torch.stack([F.relu(d[i][same[i]].max() - d[i][other[i]].min() + margin) for i in anchors]).mean()
        each = torch.cat([F.relu(p - d[i][other[i]] + margin) for i in anchors for p in d[i][same[i]]])
        return each.sum() / (each > 0).sum()
    return loss


entry("circle", y, alike, circle(0.4, 80.0))
entry("circle", y, alike, circle(0.25, 4.0), 0.25, scale=4.0)
entry("triplet", y, alike, triplet(1.0, "hard"))
entry("triplet", y, alike, triplet(0.7, "all"), 0.7, mining="all")
