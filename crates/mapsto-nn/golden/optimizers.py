"""Writes optimizers.jsonl: where optimizers bring two parameters in 100 steps, in f64.

A line for each setting, with the entry of a training file, and of the steps 1, 2, 10, 50 and 100 all elements. Those that
PyTorch has are run by it; the others are written here in NumPy from their papers. The gradient follows a formula of
parameter and step, so that both sides start from the same numbers: see `gradient`.

    pip install torch numpy && python crates/mapsto-nn/golden/optimizers.py > crates/mapsto-nn/golden/optimizers.jsonl
"""
import json
import numpy as np
import torch
import torch.optim as optim

torch.set_default_dtype(torch.float64)
SHAPES = [(3, 4), (3,)]
SHOWN = [1, 2, 10, 50, 100]


def start(k):
    return np.cos(np.arange(np.prod(SHAPES[k])) + k).reshape(SHAPES[k])


def gradient(k, p, t):
    i = np.arange(p.size).reshape(p.shape)
    return 0.7 * p * (1 + i % 3) + np.sin(0.9 * t + i + k)


def write(entry, ps):
    print(json.dumps({"entry": entry, "steps": {t: [round(float(x), 12) for p in ps[t] for x in p.ravel()] for t in SHOWN}}))


def by_torch(entry, make):
    ps = [torch.nn.Parameter(torch.tensor(start(k))) for k in range(2)]
    optimizer = make(ps)
    shown = {}
    for t in range(1, 101):
        for k, p in enumerate(ps):
            p.grad = torch.tensor(gradient(k, p.detach().numpy(), t))
        optimizer.step()
        shown[t] = [p.detach().numpy().copy() for p in ps]
    write(entry, shown)


def by_numpy(entry, rule):
    ps = [start(k) for k in range(2)]
    memories = [{}, {}]
    shown = {}
    for t in range(1, 101):
        ps = [rule(t, p, gradient(k, p, t), memories[k]) for k, p in enumerate(ps)]
        shown[t] = [p.copy() for p in ps]
    write(entry, shown)


def mean(memory, name, beta, x):
    memory[name] = beta * memory.get(name, 0.0) + (1 - beta) * x
    return memory[name]


def adam(t, g, memory, beta1, beta2, eps):
    m, v = mean(memory, "m", beta1, g), mean(memory, "v", beta2, g * g)
    return m / (1 - beta1**t) / (np.sqrt(v / (1 - beta2**t)) + eps)


def lion(lr, beta1, beta2, decay):
    def rule(t, p, g, memory):
        c = beta1 * memory.get("m", 0.0) + (1 - beta1) * g
        mean(memory, "m", beta2, g)
        return p - lr * (np.sign(c) + decay * p)
    return rule


def lamb(lr, beta1, beta2, eps, decay):
    def rule(t, p, g, memory):
        r = adam(t, g, memory, beta1, beta2, eps) + decay * p
        return p - lr * np.linalg.norm(p) / np.linalg.norm(r) * r
    return rule


def lars(lr, momentum, trust, decay):
    def rule(t, p, g, memory):
        rate = trust * np.linalg.norm(p) / (np.linalg.norm(g) + decay * np.linalg.norm(p))
        memory["b"] = momentum * memory.get("b", 0.0) + lr * rate * (g + decay * p)
        return p - memory["b"]
    return rule


def muon(lr, momentum, decay):
    def rule(t, p, g, memory):
        if p.ndim < 2:
            return p * (1 - lr * decay) - lr * adam(t, g, memory, 0.9, 0.999, 1e-8)
        memory["b"] = momentum * memory.get("b", 0.0) + g
        x = g + momentum * memory["b"]
        x = x / np.linalg.norm(x)
        for _ in range(5):
            a = x @ x.T
            x = 3.4445 * x + (-4.775 * a + 2.0315 * a @ a) @ x
        return p * (1 - lr * decay) - lr * 0.2 * np.sqrt(max(p.shape)) * x
    return rule


def also(name, lr, **options):
    return {name: lr, **options}


by_torch(also("sgd", 0.05), lambda p: optim.SGD(p, 0.05))
by_torch(also("sgd", 0.05, momentum=0.9, decay=0.1), lambda p: optim.SGD(p, 0.05, momentum=0.9, weight_decay=0.1))
by_torch(also("sgd", 0.05, momentum=0.8, dampening=0.3), lambda p: optim.SGD(p, 0.05, momentum=0.8, dampening=0.3))
by_torch(also("sgd", 0.05, momentum=0.8, nesterov=True), lambda p: optim.SGD(p, 0.05, momentum=0.8, nesterov=True))
by_torch(also("rmsprop", 0.02, decay=0.1), lambda p: optim.RMSprop(p, 0.02, weight_decay=0.1))
by_torch(also("rmsprop", 0.02, alpha=0.9, eps=1e-3, momentum=0.5, centred=True),
         lambda p: optim.RMSprop(p, 0.02, alpha=0.9, eps=1e-3, momentum=0.5, centered=True))
by_torch(also("adagrad", 0.1, lr_decay=0.1, decay=0.1), lambda p: optim.Adagrad(p, 0.1, lr_decay=0.1, weight_decay=0.1))
by_torch(also("adam", 0.05), lambda p: optim.Adam(p, 0.05))
by_torch(also("adam", 0.05, beta1=0.8, beta2=0.9, eps=1e-4, decay=0.1, amsgrad=True),
         lambda p: optim.Adam(p, 0.05, betas=(0.8, 0.9), eps=1e-4, weight_decay=0.1, amsgrad=True))
by_torch(also("adamw", 0.05), lambda p: optim.AdamW(p, 0.05))
by_torch(also("adamw", 0.05, decay=0.2, amsgrad=True), lambda p: optim.AdamW(p, 0.05, weight_decay=0.2, amsgrad=True))
by_torch(also("adadelta", 1.0), lambda p: optim.Adadelta(p, 1.0))
by_torch(also("adadelta", 2.0, rho=0.8, eps=1e-3, decay=0.1), lambda p: optim.Adadelta(p, 2.0, rho=0.8, eps=1e-3, weight_decay=0.1))
by_torch(also("adamax", 0.05), lambda p: optim.Adamax(p, 0.05))
by_torch(also("adamax", 0.05, beta1=0.8, beta2=0.9, eps=1e-2, decay=0.1),
         lambda p: optim.Adamax(p, 0.05, betas=(0.8, 0.9), eps=1e-2, weight_decay=0.1))
by_torch(also("nadam", 0.05), lambda p: optim.NAdam(p, 0.05))
by_torch(also("nadam", 0.05, beta1=0.8, beta2=0.9, eps=1e-3, momentum_decay=0.1, decay=0.1),
         lambda p: optim.NAdam(p, 0.05, betas=(0.8, 0.9), eps=1e-3, momentum_decay=0.1, weight_decay=0.1))
by_torch(also("radam", 0.05), lambda p: optim.RAdam(p, 0.05))
by_torch(also("radam", 0.05, beta1=0.8, beta2=0.9, eps=1e-3, decay=0.1),
         lambda p: optim.RAdam(p, 0.05, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.1))
by_torch(also("rprop", 0.05), lambda p: optim.Rprop(p, 0.05))
by_torch(also("rprop", 0.05, shrink=0.4, grow=1.3, least=0.01, most=0.3),
         lambda p: optim.Rprop(p, 0.05, etas=(0.4, 1.3), step_sizes=(0.01, 0.3)))
by_torch(also("adafactor", 0.05), lambda p: optim.Adafactor(p, 0.05))
by_torch(also("adafactor", 0.3, decay_rate=0.6, eps=0.1, clip=1.5, decay=0.1),
         lambda p: optim.Adafactor(p, 0.3, beta2_decay=-0.6, eps=(None, 0.1), d=1.5, weight_decay=0.1))
by_numpy(also("lion", 0.02), lion(0.02, 0.9, 0.99, 0.0))
by_numpy(also("lion", 0.02, beta1=0.8, beta2=0.95, decay=0.3), lion(0.02, 0.8, 0.95, 0.3))
by_numpy(also("lamb", 0.05), lamb(0.05, 0.9, 0.999, 1e-6, 0.01))
by_numpy(also("lamb", 0.05, beta1=0.8, beta2=0.9, eps=1e-3, decay=0.2), lamb(0.05, 0.8, 0.9, 1e-3, 0.2))
by_numpy(also("lars", 5.0), lars(5.0, 0.9, 1e-3, 0.0))
by_numpy(also("lars", 1.0, momentum=0.5, trust=0.05, decay=0.2), lars(1.0, 0.5, 0.05, 0.2))
by_numpy(also("muon", 0.05), muon(0.05, 0.95, 0.1))
by_numpy(also("muon", 0.05, momentum=0.8, decay=0.0), muon(0.05, 0.8, 0.0))
