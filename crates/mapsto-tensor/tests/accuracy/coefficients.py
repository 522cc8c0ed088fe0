"""The coefficients of the forms for single precision: `python coefficients.py` prints each list, the highest power first, with its
interval and its error. They are minimax fits by Remez's exchange in 40 digits, rounded to f32 from the highest power down, each time
fitting the lower ones anew (Brisebarre and Chevillard 2007 do it better, which f32 does not need)."""

import mpmath as mp
import numpy as np

mp.mp.dps = 40


def solve(f, w, lo, hi, n, fixed):
    """c[0..n] of x^0.. such that w(x) (f(x) - sum c x^k) is level, where c[k] for k in fixed is given."""
    free = [k for k in range(n + 1) if k not in fixed]
    m = len(free)
    xs = [(lo + hi) / 2 + (hi - lo) / 2 * mp.cos(mp.pi * (m - i) / m) for i in range(m + 1)]
    grid = [lo + (hi - lo) * (1 - mp.cos(mp.pi * i / 400)) / 2 for i in range(401)]
    fg = [f(x) for x in grid]
    wg = [w(x) for x in grid]
    for _ in range(12):
        a, b = mp.matrix(m + 1, m + 1), mp.matrix(m + 1, 1)
        for i, x in enumerate(xs):
            for j, k in enumerate(free):
                a[i, j] = x**k
            a[i, m] = (-1) ** i / w(x)
            b[i] = f(x) - sum(fixed[k] * x**k for k in fixed)
        s = mp.lu_solve(a, b)
        c = dict(fixed)
        c.update({k: s[j] for j, k in enumerate(free)})
        err = [wg[i] * (fg[i] - mp.polyval([c[k] for k in range(n, -1, -1)], x)) for i, x in enumerate(grid)]
        # The largest error of each run of one sign.
        runs, best = [], None
        for x, e in zip(grid, err):
            if best is None or (e > 0) != (best[1] > 0):
                if best is not None:
                    runs.append(best)
                best = (x, e)
            elif abs(e) > abs(best[1]):
                best = (x, e)
        runs.append(best)
        while len(runs) > m + 1:
            runs.pop(0 if abs(runs[0][1]) < abs(runs[-1][1]) else -1)
        if len(runs) < m + 1:
            break
        xs = [x for x, _ in runs]
    return c, max(abs(e) for e in err)


def fit(name, f, lo, hi, n, w=None, keep=(), wide=False):
    """Prints and gives the coefficients; `keep` fixes some."""
    lo, hi = mp.mpf(lo), mp.mpf(hi)
    w = w or (lambda x: 1 / abs(f(x)))
    fixed = {k: mp.mpf(v) for k, v in dict(keep).items()}
    _, best = solve(f, w, lo, hi, n, fixed)
    error = best
    if not wide:
        for k in range(n, -1, -1):
            if k not in fixed:
                c, error = solve(f, w, lo, hi, n, fixed)
                fixed[k] = mp.mpf(float(np.float32(float(c[k]))))
        grid = [lo + (hi - lo) * i / 500 for i in range(501)]
        error = max(abs(w(x) * (f(x) - mp.polyval([fixed[k] for k in range(n, -1, -1)], x))) for x in grid)
        c = fixed
    else:
        c, _ = solve(f, w, lo, hi, n, fixed)
    out = [float(c[k]) for k in range(n, -1, -1)]
    print(f"{name}, {mp.nstr(lo, 6)} to {mp.nstr(hi, 6)}: {mp.nstr(error, 3)} (best {mp.nstr(best, 3)})")
    print("   ", ", ".join(repr(v if wide else float(str(np.float32(v)))) for v in out))
    return out


TINY = mp.mpf("1e-12")


def odd(f):
    """(f(√z) / √z − 1) / z."""
    def g(z):
        z = mp.mpf(z)
        if z < TINY:
            z = TINY
        x = mp.sqrt(z)
        return (f(x) / x - 1) / z
    return g


def relative(f):
    """The weight by which an error of `odd` is one of f itself."""
    return lambda z: max(mp.mpf(z), TINY) ** mp.mpf(1.5) / f(mp.sqrt(max(mp.mpf(z), TINY)))


def in_odd(name, f, hi, n, **more):
    return fit(name, odd(f), 0, hi, n, w=relative(f), **more)


def erfinv_near(z):
    x = mp.sqrt(max(z, TINY))
    return mp.erfinv(x) / x


def bessel_near(n):
    return lambda z: mp.besseli(n, mp.sqrt(max(z, TINY))) / mp.sqrt(max(z, TINY)) ** n


def bessel_far(n):
    """Of `t = 1/x`; beside 0 by the asymptotic series."""
    def f(t):
        if t > mp.mpf("1e-4"):
            return mp.exp(-1 / t) * mp.besseli(n, 1 / t) / mp.sqrt(t)
        return (1 - (4 * n * n - 1) * t / 8) / mp.sqrt(2 * mp.pi)
    return f


if __name__ == "__main__":
    # In f32: mapsto-kernels/src/real/single.rs, and the operations of that name.
    fit("EXP2", lambda r: (2**r - 1) / r if r else mp.ln(2), -0.5, 0.5, 5, w=lambda r: abs(r) + mp.mpf("1e-9"))
    in_odd("TAN", mp.tan, (mp.pi / 4) ** 2, 6)
    in_odd("ATAN_SINGLE", mp.atan, 1, 8)
    in_odd("ASIN_SINGLE", mp.asin, mp.mpf("0.36"), 5)
    in_odd("SINH_SINGLE", mp.sinh, 4, 5)
    in_odd("ATANH_SINGLE", mp.atanh, 0.25, 6)
    # Single precision in f64.
    fit("NEAR_SINGLE of erfinv", erfinv_near, 0, mp.mpf("0.5625"), 10, wide=True)
    fit("FAR_SINGLE of erfinv", lambda s: mp.erfinv(1 - mp.exp(-s * s)), mp.sqrt(mp.log(4)) - 0.001, 4.17, 12, wide=True)
    for n in (0, 1):
        fit(f"I{n}_NEAR_SINGLE", bessel_near(n), 0, 64, 9, wide=True)
        fit(f"I{n}_FAR_SINGLE", bessel_far(n), 0, mp.mpf(1) / 8, 7, wide=True)
