"""The benchmarks in JAX: python jax_peer.py W1|W2|W2b1|W3|W4|W5 [jit|scan]

jit    one compiled function a training step, called from Python
scan   the loop of 100 steps compiled too, as one function
"""
import math
import os
import sys

import protocol

# XLA takes its threads from the cores the process may use.
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: protocol.THREADS])
os.environ.setdefault("JAX_PLATFORMS", "cpu")
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

import formula

workload, variant = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "jit"
made = 0


def weight(*shape, name="weight"):
    """The next weight of the formula, in PyTorch's order and layout."""
    global made
    made += 1
    return formula.weight(made - 1, name, shape)


def linear(inputs, outputs, bias=True):
    w = jnp.asarray(np.ascontiguousarray(weight(outputs, inputs).T))
    return (w, jnp.asarray(weight(outputs, name="bias"))) if bias else w


def conv(inputs, outputs):
    w = weight(outputs, inputs, 3, 3).transpose(2, 3, 1, 0)  # [h, w, in, out]
    return jnp.asarray(np.ascontiguousarray(w)), jnp.asarray(weight(outputs, name="bias"))


def cross_entropy(scores, y):
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(scores), y[:, None], 1))


def dense(x, layer):
    return x @ layer[0] + layer[1]


def mlp(p, x):
    x = jax.nn.relu(dense(x, p[0]))
    return dense(jax.nn.relu(dense(x, p[1])), p[2])


def block(x, layer):
    x = lax.conv_general_dilated(x, layer[0], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    x = jax.nn.relu(x + layer[1])
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def cnn(p, x):
    x = block(block(x, p[0]), p[1]).reshape(x.shape[0], -1)
    return dense(jax.nn.relu(dense(x, p[2])), p[3])


def lstm(p, ids):
    embedding, w_ih, w_hh, b_ih, b_hh, head = p
    gates = (embedding[ids] @ w_ih + b_ih + b_hh).transpose(1, 0, 2)
    zero = jnp.zeros((ids.shape[0], w_hh.shape[0]))

    def cell(state, gates):
        h, c = state
        i, f, g, o = jnp.split(gates + h @ w_hh, 4, 1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    (h, _), _ = lax.scan(cell, (zero, zero), gates)
    return dense(h, head)


def layer_norm(x, w):
    mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) * lax.rsqrt(var + 1e-5) * w


def gpt(p, ids, heads=6):
    token, position, blocks, norm = p
    b, t = ids.shape
    x = token[ids] + position
    d = x.shape[-1]
    mask = jnp.tril(jnp.ones((t, t), bool))
    for norm1, qkv, out, norm2, up, down in blocks:
        split = lambda z: z.reshape(b, t, heads, d // heads).transpose(0, 2, 1, 3)
        q, k, v = map(split, jnp.split(layer_norm(x, norm1) @ qkv, 3, -1))
        scores = jnp.where(mask, q @ k.transpose(0, 1, 3, 2) / math.sqrt(d // heads), -jnp.inf)
        mixed = (jax.nn.softmax(scores) @ v).transpose(0, 2, 1, 3).reshape(b, t, d)
        x = x + mixed @ out
        x = x + jax.nn.gelu(layer_norm(x, norm2) @ up, approximate=False) @ down
    return (layer_norm(x, norm) @ token.T).reshape(b * t, -1)


def problem():
    """Parameters, loss, batches, targets and optimizer of the workload."""
    ce = lambda net: lambda p, x, y: cross_entropy(net(p, x), y)
    adam = optax.adam(1e-3)
    if workload == "W1":

        def loss(p, x, y):
            out = jax.nn.sigmoid(dense(jnp.tanh(dense(x, p[0])), p[1]))
            return -jnp.mean(y * jnp.log(out) + (1 - y) * jnp.log(1 - out))

        x = jnp.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
        return [linear(2, 4), linear(4, 1)], loss, [x], jnp.array([[0.0], [1.0], [1.0], [0.0]]), optax.sgd(0.5)
    if workload == "W2":
        xs = [jnp.asarray(formula.pictures(k, 64)) for k in range(8)]
        return mlp_weights(), ce(mlp), xs, targets(64, 10), adam
    if workload == "W3":
        first, second = conv(1, 32), conv(32, 64)
        w = weight(128, 3136).reshape(128, 64, 7, 7).transpose(2, 3, 1, 0).reshape(3136, 128)
        third = jnp.asarray(np.ascontiguousarray(w)), jnp.asarray(weight(128, name="bias"))
        xs = [jnp.asarray(formula.pictures(k, 64).reshape(64, 28, 28, 1)) for k in range(8)]
        return [first, second, third, linear(128, 10)], ce(cnn), xs, targets(64, 10), adam
    if workload == "W4":
        p = [jnp.asarray(weight(10000, 128)), linear(128, 1024, False), linear(256, 1024, False)]
        p += [jnp.asarray(weight(1024, name="bias_ih")), jnp.asarray(weight(1024, name="bias_hh")), linear(256, 2)]
        return p, ce(lstm), [jnp.asarray(formula.ids(2048, 10000)).reshape(32, 64)], targets(32, 2), adam
    if workload == "W5":
        d = 384
        token, position = jnp.asarray(weight(65, d)), jnp.asarray(weight(256, d))
        norm = lambda: jnp.asarray(weight(d))
        flat = lambda i, o: linear(i, o, False)
        blocks = [(norm(), flat(d, 3 * d), flat(d, d), norm(), flat(d, 4 * d), flat(4 * d, d)) for _ in range(6)]
        x = jnp.asarray(formula.ids(2048, 65)).reshape(8, 256)
        return [token, position, blocks, norm()], ce(gpt), [x], targets(2048, 65), optax.adamw(1e-3, weight_decay=0.1)
    sys.exit(f"{workload} is not written in JAX")


def mlp_weights():
    return [linear(784, 64), linear(64, 64), linear(64, 10)]


def targets(count, classes):
    return jnp.asarray(formula.labels(count, classes))


def answer():
    p, x, run = mlp_weights(), jnp.asarray(formula.pictures(0, 1)), jax.jit(mlp)
    protocol.inference("jax-jit", workload, lambda: run(p, x), lambda y: np.asarray(y).flatten().tolist())


def train():
    p, loss, xs, y, optimizer = problem()
    state = [p, optimizer.init(p)]

    def update(p, memory, x):
        value, grads = jax.value_and_grad(loss)(p, x, y)
        steps, memory = optimizer.update(grads, memory, p)
        return optax.apply_updates(p, steps), memory, value

    compiled, steps = jax.jit(update, donate_argnums=(0, 1)), 0

    def step():
        nonlocal steps
        state[0], state[1], value = compiled(*state, xs[steps % len(xs)])
        steps += 1
        return value

    stacked = jnp.stack(xs)

    @jax.jit
    def hundred(p, memory):
        def one(carry, i):
            p, memory, value = update(*carry, stacked[i % len(xs)])
            return (p, memory), value

        carry, values = lax.scan(one, (p, memory), jnp.arange(100))
        return *carry, values[-1]

    def many():
        state[0], state[1], value = hundred(*state)
        return value

    protocol.training(f"jax-{variant}", workload, step, float, (many, 100) if variant == "scan" else None)


answer() if workload == "W2b1" else train()
