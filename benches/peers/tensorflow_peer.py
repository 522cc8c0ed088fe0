"""The benchmarks in TensorFlow, as compiled steps of Keras models: python tensorflow_peer.py W1|W2|W3|W4|W5 [function|xla]

function   a tf.function a training step
xla        likewise, compiled by XLA
"""
import os
import sys

import protocol

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
import keras
import numpy as np
import tensorflow as tf
from keras import layers

import formula

tf.config.threading.set_intra_op_parallelism_threads(protocol.THREADS)
tf.config.threading.set_inter_op_parallelism_threads(protocol.THREADS)
workload, variant = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "function"
cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
adam = lambda: keras.optimizers.Adam(1e-3, epsilon=1e-8)


class GptBlock(layers.Layer):
    def __init__(self, width, heads):
        super().__init__()
        dense = lambda n: layers.Dense(n, use_bias=False)
        norm = lambda: layers.LayerNormalization(epsilon=1e-5, center=False)
        self.heads, self.width = heads, width
        self.norm1, self.qkv, self.out, self.norm2 = norm(), dense(3 * width), dense(width), norm()
        self.up, self.down = dense(4 * width), dense(width)

    def call(self, x):
        t, size = x.shape[1], self.width // self.heads
        split = lambda z: tf.transpose(tf.reshape(z, (-1, t, self.heads, size)), (0, 2, 1, 3))
        q, k, v = map(split, tf.split(self.qkv(self.norm1(x)), 3, -1))
        mask = tf.linalg.band_part(tf.ones((t, t)), -1, 0)
        weights = tf.nn.softmax(tf.matmul(q, k, transpose_b=True) * size**-0.5 - 1e9 * (1 - mask))
        x = x + self.out(tf.reshape(tf.transpose(weights @ v, (0, 2, 1, 3)), (-1, t, self.width)))
        return x + self.down(tf.nn.gelu(self.up(self.norm2(x)), approximate=False))


class Gpt(keras.Model):
    def __init__(self, vocabulary=65, context=256, width=384, heads=6, depth=6):
        super().__init__()
        self.token, self.position = layers.Embedding(vocabulary, width), layers.Embedding(context, width)
        self.blocks = [GptBlock(width, heads) for _ in range(depth)]
        self.norm = layers.LayerNormalization(epsilon=1e-5, center=False)

    def call(self, ids):
        x = self.token(ids) + self.position(tf.range(ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        return tf.matmul(self.norm(x), self.token.embeddings, transpose_b=True)


def problem():
    """Model, loss, batches, targets and optimizer of the workload."""
    model = lambda shape, *stack, **kind: keras.Sequential([keras.Input(shape, **kind), *stack])
    pictures = lambda *shape: [formula.pictures(k, 64).reshape(shape) for k in range(8)]
    dense, same = layers.Dense, dict(padding="same", activation="relu")
    if workload == "W1":
        net = model((2,), dense(4, "tanh"), dense(1, "sigmoid"))
        x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
        y = np.array([[0], [1], [1], [0]], np.float32)
        return net, keras.losses.BinaryCrossentropy(), [x], y, keras.optimizers.SGD(0.5)
    if workload == "W2":
        net = model((784,), dense(64, "relu"), dense(64, "relu"), dense(10))
        return net, cross_entropy, pictures(64, 784), formula.labels(64, 10), adam()
    if workload == "W3":
        net = model(
            (28, 28, 1),
            *(layers.Conv2D(32, 3, **same), layers.MaxPool2D(), layers.Conv2D(64, 3, **same), layers.MaxPool2D()),
            *(layers.Flatten(), dense(128, "relu"), dense(10)),
        )
        return net, cross_entropy, pictures(64, 28, 28, 1), formula.labels(64, 10), adam()
    if workload == "W4":
        net = model((64,), layers.Embedding(10000, 128), layers.LSTM(256), dense(2), dtype="int32")
        x = formula.ids(2048, 10000).reshape(32, 64).astype(np.int32)
        return net, cross_entropy, [x], formula.labels(32, 2), adam()
    if workload == "W5":
        x, y = formula.ids(2048, 65).reshape(8, 256).astype(np.int32), formula.labels(2048, 65).reshape(8, 256)
        opt = keras.optimizers.AdamW(1e-3, weight_decay=0.1, epsilon=1e-8)
        return Gpt(), cross_entropy, [x], y, opt
    sys.exit(f"{workload} is not written in TensorFlow")


def fill(model):
    """The weights of the formula, from PyTorch's layouts to those of Keras."""
    p = 0
    for w in model.trainable_variables:
        shape, name = tuple(w.shape), w.path.split("/")[-1]
        if len(shape) == 4:
            value = formula.weight(p, "weight", (shape[3], shape[2], *shape[:2])).transpose(2, 3, 1, 0)
        elif shape == (3136, 128):  # the images before it are [h, w, channels] here, [channels, h, w] in PyTorch
            value = formula.weight(p, "weight", shape[::-1]).reshape(128, 64, 7, 7).transpose(2, 3, 1, 0).reshape(shape)
        elif len(shape) == 2 and name != "embeddings":
            value = formula.weight(p, "weight", shape[::-1]).T
        elif shape == (1024,):  # the LSTM's one bias for PyTorch's two, of which the sum counts
            value = formula.weight(p, "bias", shape) + formula.weight(p + 1, "bias", shape)
            p += 1
        else:
            value = formula.weight(p, "weight" if name in ("gamma", "embeddings") else "bias", shape)
        w.assign(value)
        p += 1


model, loss, xs, y, optimizer = problem()
xs, y = [tf.constant(x) for x in xs], tf.constant(y)
model(xs[0])
fill(model)
optimizer.build(model.trainable_variables)


@tf.function(jit_compile=variant == "xla")
def update(x):
    with tf.GradientTape() as tape:
        value = loss(y, model(x, training=True))
    weights = model.trainable_variables
    optimizer.apply_gradients(zip(tape.gradient(value, weights), weights))
    return value


steps = 0


def step():
    global steps
    steps += 1
    return update(xs[(steps - 1) % len(xs)])


# Keras's Adam adds its epsilon to other units than PyTorch's, and its LSTM has one bias where PyTorch's has two: so the
# losses differ a little, by 0.007 in W3.
tolerance = 0.02 if workload != "W4" else 0.2
protocol.training(f"tensorflow-{variant}", workload, step, lambda v: float(v.numpy()), tolerance=tolerance)
