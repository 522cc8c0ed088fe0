"""The numbers of the benchmarks: weights, images, labels and ids by formulas that every framework computes exactly.

The same formulas stand in crates/mapsto-bench/src/formula.rs: so all start from the same weights without a file of them.
"""
import math
import numpy as np

MASK = 0xFFFFFFFF


def noise(series, count):
    """Numbers evenly spread over [-0.5, 0.5): the hash of series and place (the last step of MurmurHash3), 24 bits of it."""
    h = (np.arange(count, dtype=np.uint64) * 2654435761 + series * 2246822519) & MASK
    h ^= h >> np.uint64(16)
    h = (h * 0x85EBCA6B) & MASK
    h ^= h >> np.uint64(13)
    h = (h * 0xC2B2AE35) & MASK
    h ^= h >> np.uint64(16)
    return (h >> np.uint64(8)).astype(np.float64) / 2**24 - 0.5


def weight(p, name, shape):
    """The p-th tensor of a model, by its shape and the last part of its name."""
    u = noise(p, math.prod(shape)).reshape(shape)
    if len(shape) > 1:
        u = u * (2.0 / math.sqrt(math.prod(shape[1:])))  # uniform in ±1/√fan_in
    elif name == "weight":
        u = 1.0 + 0.2 * u
    elif name == "running_var":
        u = 0.3 + 0.2 * u
    else:
        u = 0.2 * u
    return u.astype(np.float32)


def batch(k, shape):
    """The k-th batch of noise: mean 0, variance 1."""
    u = noise(1000 + k, math.prod(shape)).reshape(shape)
    return (u * math.sqrt(12.0)).astype(np.float32)


def pictures(k, count):
    """The k-th batch of [count, 784] pictures of ten classes: half a pattern of 7×7 patches, and noise.

    Of mere noise nothing can be learned, and a network that learns by heart is so sensitive that the losses of one
    framework differ in the third digit with the order of a sum.
    """
    patterns = noise(999, 490).reshape(10, 7, 7).repeat(4, 1).repeat(4, 2).reshape(10, 784)
    u = noise(1000 + k, count * 784).reshape(count, 784)
    return ((0.5 * patterns[labels(count, 10)] + u) * math.sqrt(12.0)).astype(np.float32)


def labels(count, classes):
    """Classes in a pattern that no input tells."""
    return (np.arange(count, dtype=np.int64) * 7 + 3) % classes


def ids(count, vocabulary):
    """Ids scattered over a vocabulary."""
    return ((np.arange(count, dtype=np.uint64) * 2654435761) & MASK).astype(np.int64) % vocabulary
