"""Writes lr_find.txt: curves of a range test, smoothed and read by formulas after fastai 2.7 (callback/schedule.py and learner.py), written down anew here.

Each line: rates; losses; smoothed losses; the rates of `valley` and `steep`. Run: python lr_find.py > lr_find.txt
"""
import numpy as np


def smooth(losses, beta=0.98):
    """AvgSmoothLoss."""
    out, val = [], 0.0
    for count, loss in enumerate(losses, 1):
        val = loss + beta * (val - loss)
        out.append(val / (1 - beta**count))
    return np.array(out)


def valley(lrs, losses):
    n = len(losses)
    max_start, max_end = 0, 0
    lds = [1] * n
    for i in range(1, n):
        for j in range(0, i):
            if (losses[i] < losses[j]) and (lds[i] < lds[j] + 1):
                lds[i] = lds[j] + 1
            if lds[max_end] < lds[i]:
                max_end = i
                max_start = max_end - lds[max_end]
    sections = (max_end - max_start) / 3
    idx = max_start + int(sections) + int(sections / 2)
    return lrs[idx]


def steep(lrs, losses):
    grads = (losses[1:] - losses[:-1]) / (np.log(lrs[1:]) - np.log(lrs[:-1]))
    return lrs[grads.argmin()]


def words(values):
    return " ".join(repr(float(v)) for v in values)


rng = np.random.default_rng(7)
for case in range(6):
    n = [40, 60, 100, 60, 50, 30][case]
    lrs = 1e-6 * (10.0 / 1e-6) ** (np.arange(n) / (n - 1))
    z = np.log10(lrs)
    fall = 1 / (1 + np.exp(-2.5 * (z + 2 + 0.3 * case)))
    rise = np.exp(1.5 * np.clip(z + 0.2, 0, None)) - 1
    losses = 2.3 * (1 - 0.8 * fall) + rise + [0.0, 0.02, 0.1, 0.05, 0.2, 0.0][case] * rng.standard_normal(n)
    losses = losses - (3.0 if case == 4 else 0.0)
    losses = np.round(losses, 6)
    s = smooth(losses)
    kept = slice(n // 10, -5)
    print(words(lrs), words(losses), words(s), words([valley(lrs[kept], s[kept]), steep(lrs[kept], s[kept])]), sep=";")
