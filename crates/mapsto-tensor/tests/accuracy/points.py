"""Exact values of functions, by mpmath in 60 digits: at the inputs that NumPy's own accuracy tests take for hard, in f32, and at
inputs over the whole domain in f64.

Run: python points.py > points.txt

Each line is a function, 32 or 64 for the type of the input, and the bits of the input and of the value, both as f64.
"""

import csv
import glob
import os
import random
import struct

import mpmath as mp
import numpy as np

mp.mp.dps = 60


def bits(v):
    return struct.pack(">d", float(v)).hex()


def line(name, width, x, f):
    try:
        y = f(mp.mpf(float(x)))
    except (ValueError, ZeroDivisionError):
        return
    if isinstance(y, mp.mpc) or not mp.isfinite(y) or not -1e300 < y < 1e300:
        return
    print(name, width, bits(x), bits(y))


HARD = {
    "acos": mp.acos, "acosh": mp.acosh, "asin": mp.asin, "asinh": mp.asinh, "atan": mp.atan, "atanh": mp.atanh,
    "cos": mp.cos, "cosh": mp.cosh, "exp": mp.exp, "exp2": lambda x: mp.mpf(2) ** x, "expm1": mp.expm1, "log": mp.log,
    "log10": mp.log10, "log1p": mp.log1p, "log2": lambda x: mp.log(x, 2), "sin": mp.sin, "sinh": mp.sinh, "tan": mp.tan,
    "tanh": mp.tanh,
}
NUMPYS = {"acos": "arccos", "acosh": "arccosh", "asin": "arcsin", "asinh": "arcsinh", "atan": "arctan", "atanh": "arctanh"}
FOLDER = os.path.join(os.path.dirname(np.__file__), "_core", "tests", "data")
for name, f in HARD.items():
    inputs = []
    with open(os.path.join(FOLDER, f"umath-validation-set-{NUMPYS.get(name, name)}.csv")) as rows:
        for row in csv.reader(r for r in rows if not r.startswith("#")):
            if row and row[0] == "np.float32":
                inputs.append(struct.unpack(">f", int(row[1], 16).to_bytes(4, "big"))[0])
    inputs = sorted(x for x in set(inputs) if x == x and abs(x) < 3e38)
    if name in ("acosh", "log", "log2", "log10"):
        inputs = [x for x in inputs if x > (1 if name == "acosh" else 0)]
    if name in ("asin", "acos", "atanh"):
        inputs = [x for x in inputs if abs(x) < 1]
    if name == "log1p":
        inputs = [x for x in inputs if x > -1]
    for x in inputs[:: max(1, len(inputs) // 40)]:
        line(name, 32, x, f)


def log_ndtr(x):
    if x > -30:
        return mp.log(mp.ncdf(x))
    total = term = mp.mpf(1)
    for k in range(1, 30):
        term = -term * (2 * k - 1) / (x * x)
        total += term
    return -x * x / 2 - mp.log(-x * mp.sqrt(2 * mp.pi)) + mp.log(total)


def erfcx(x):
    if x < 50:
        return mp.exp(x * x) * mp.erfc(x)
    total = term = mp.mpf(1)
    for k in range(1, 30):
        term = -term * (2 * k - 1) / (2 * x * x)
        total += term
    return total / (x * mp.sqrt(mp.pi))


def quantile(p):
    return mp.sqrt(2) * mp.erfinv(2 * p - 1)


SMOOTH = {
    "lgamma": (lambda x: mp.log(abs(mp.gamma(x))), [(-30, 60), (0, 1e-3), (2.4, 2.6), (-1e-300, -1e-320)]),
    "digamma": (mp.digamma, [(-30, 60), (0, 1e-3), (1.4, 1.5)]),
    "polygamma1": (lambda x: mp.polygamma(1, x), [(-30, 60), (0, 1e-3)]),
    "polygamma2": (lambda x: mp.polygamma(2, x), [(-30, 60), (0, 1e-3), (-1000.6, -1000.4)]),
    "polygamma3": (lambda x: mp.polygamma(3, x), [(-30, 60), (0, 1e-3)]),
    "erf": (mp.erf, [(-6, 6), (0, 1e-3)]),
    "erfc": (mp.erfc, [(-6, 26)]),
    "erfinv": (mp.erfinv, [(-0.9999, 0.9999), (0, 1e-3)]),
    "erfcx": (erfcx, [(-26, 30), (0, 1e8)]),
    "ndtr": (mp.ncdf, [(-37, 8)]),
    "log_ndtr": (log_ndtr, [(-40, 8), (-1e6, 0)]),
    "ndtri": (quantile, [(1e-9, 0.9999)]),
    "entr": (lambda x: -x * mp.log(x), [(0, 3), (0, 1e-3)]),
    "i0": (lambda x: mp.besseli(0, x), [(-700, 700), (-12, 12)]),
    "i0e": (lambda x: mp.besseli(0, x) * mp.exp(-abs(x)), [(-700, 700), (-12, 12)]),
    "i1": (lambda x: mp.besseli(1, x), [(-700, 700), (-12, 12)]),
    "i1e": (lambda x: mp.besseli(1, x) * mp.exp(-abs(x)), [(-700, 700), (-12, 12)]),
    "sinc": (lambda x: mp.sin(mp.pi * x) / (mp.pi * x), [(-30, 30)]),
}
random.seed(1)
for name, (f, ranges) in SMOOTH.items():
    for low, high in ranges:
        for _ in range(24):
            line(name, 64, random.uniform(low, high), f)
