"""Writes optimizers.jsonl: where optimizers bring two parameters in 100 steps, in f64.

A line for each setting, with the entry of a training file, and of the steps 1, 2, 10, 50 and 100 all elements. Those that
PyTorch has are run by it; the others are written here in NumPy from their papers, or from the authors' code. The gradient
follows a formula of parameter and step, so that both sides start from the same numbers: see `gradient`. L-BFGS looks at the
loss too, and goes down Rosenbrock's valley: see `valley`. Of an optimizer that is judged at an average, the numbers are those.

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


def valley(x):
    """Rosenbrock's function of all elements in a row, with walls of 10, and its gradient."""
    d, e = x[1:] - x[:-1] ** 2, 1 - x[:-1]
    g = np.zeros_like(x)
    g[1:] += 20 * d
    g[:-1] += -40 * d * x[:-1] - 2 * e
    return float(np.sum(10 * d**2 + e**2)), g


def write(entry, ps):
    print(json.dumps({"entry": entry, "steps": {t: [round(float(x), 12) for p in ps[t] for x in p.ravel()] for t in SHOWN}}))


def by_torch(entry, make, show=lambda optimizer, p: p):
    ps = [torch.nn.Parameter(torch.tensor(start(k))) for k in range(2)]
    optimizer = make(ps)
    shown = {}
    for t in range(1, 101):
        for k, p in enumerate(ps):
            p.grad = torch.tensor(gradient(k, p.detach().numpy(), t))
        optimizer.step()
        shown[t] = [show(optimizer, p).detach().numpy().copy() for p in ps]
    write(entry, shown)


def down_the_valley(entry, make):
    ps = [torch.nn.Parameter(torch.tensor(start(k))) for k in range(2)]
    optimizer = make(ps)

    def closure():
        loss, g = valley(np.concatenate([p.detach().numpy().ravel() for p in ps]))
        ps[0].grad, ps[1].grad = torch.tensor(g[:12].reshape(3, 4)), torch.tensor(g[12:])
        return torch.tensor(loss)

    shown = {}
    for t in range(1, 101):
        optimizer.step(closure)
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


def schedule_free(entry, lr, beta, decay, r=0.0, power=2.0, adam=None):
    """As `AdamWScheduleFreeReference` and `SGDScheduleFreeReference` of the authors' package: shows x."""
    zs = [start(k) for k in range(2)]
    xs = [z.copy() for z in zs]
    vs = [np.zeros_like(z) for z in zs]
    total, shown = 0.0, {}
    for t in range(1, 101):
        weight = t**r * lr**power
        total += weight
        c = weight / total
        for k in range(2):
            y = (1 - beta) * zs[k] + beta * xs[k]
            g = gradient(k, y, t)
            if adam:
                beta2, eps = adam
                vs[k] = beta2 * vs[k] + (1 - beta2) * g * g
                g = g / (np.sqrt(vs[k] / (1 - beta2**t)) + eps)
            zs[k] = zs[k] - lr * (g + decay * y)
            xs[k] = (1 - c) * xs[k] + c * zs[k]
        shown[t] = [x.copy() for x in xs]
    write(entry, shown)


def together(entry, step):
    """Optimizers that see all parameters at once: `step(t, ps, memory)` gives the new ones."""
    ps, memory, shown = [start(k) for k in range(2)], {}, {}
    for t in range(1, 101):
        ps = step(t, ps, memory)
        shown[t] = [p.copy() for p in ps]
    write(entry, shown)


def momentum(t, ps, gs, memory, lr, mu):
    bs = memory.get("b", [0.0, 0.0])
    memory["b"] = [mu * b + g for b, g in zip(bs, gs)]
    return [p - lr * b for p, b in zip(ps, memory["b"])]


def sam(rho, adaptive, lr, mu):
    def step(t, ps, memory):
        gs = [gradient(k, p, t) for k, p in enumerate(ps)]
        sizes = [np.abs(p) * g if adaptive else g for p, g in zip(ps, gs)]
        scale = rho / (np.sqrt(sum(np.sum(s * s) for s in sizes)) + 1e-12)
        worst = [p + (p * p if adaptive else 1.0) * g * scale for p, g in zip(ps, gs)]
        return momentum(t, ps, [gradient(k, p, t) for k, p in enumerate(worst)], memory, lr, mu)
    return step


def lookahead(k_steps, alpha, lr, mu):
    def step(t, ps, memory):
        slow = memory.setdefault("slow", [p.copy() for p in ps])
        ps = momentum(t, ps, [gradient(k, p, t) for k, p in enumerate(ps)], memory, lr, mu)
        if t % k_steps == 0:
            memory["slow"] = ps = [s + alpha * (p - s) for s, p in zip(slow, ps)]
        return ps
    return step


def ema(entry, beta, lr, mu):
    """Shows the average."""
    def step(t, ps, memory):
        ps = memory.setdefault("p", ps)
        averages = memory.setdefault("a", [p.copy() for p in ps])
        memory["p"] = momentum(t, ps, [gradient(k, p, t) for k, p in enumerate(ps)], memory, lr, mu)
        memory["a"] = [beta * a + (1 - beta) * p for a, p in zip(averages, memory["p"])]
        return memory["a"]
    together(entry, step)


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
by_torch(also("adagrad", 0.1, initial=0.5), lambda p: optim.Adagrad(p, 0.1, initial_accumulator_value=0.5))
by_torch(also("nadam", 0.05, decay=0.1, decoupled=True), lambda p: optim.NAdam(p, 0.05, weight_decay=0.1, decoupled_weight_decay=True))
by_torch(also("radam", 0.05, decay=0.1, decoupled=True), lambda p: optim.RAdam(p, 0.05, weight_decay=0.1, decoupled_weight_decay=True))
by_torch(also("asgd", 0.05), lambda p: optim.ASGD(p, 0.05), lambda o, p: o.state[p]["ax"])
by_torch(also("asgd", 0.1, lambd=0.3, alpha=0.6, t0=20.0, decay=0.1),
         lambda p: optim.ASGD(p, 0.1, lambd=0.3, alpha=0.6, t0=20, weight_decay=0.1), lambda o, p: o.state[p]["ax"])
down_the_valley(also("lbfgs", 1.0, max_iter=1), lambda p: optim.LBFGS(p, 1.0, max_iter=1, line_search_fn="strong_wolfe"))
# To the end, where rounding on the way does not show.
down_the_valley(also("lbfgs", 1.0, max_iter=4, history_size=3, tolerance_grad=1e-11, tolerance_change=1e-18),
                lambda p: optim.LBFGS(p, 1.0, 4, None, 1e-11, 1e-18, 3, "strong_wolfe"))
down_the_valley(also("lbfgs", 0.01, max_iter=2, line_search=False), lambda p: optim.LBFGS(p, 0.01, max_iter=2))
schedule_free(also("schedule_free_adamw", 0.05), 0.05, 0.9, 0.0, adam=(0.999, 1e-8))
schedule_free(also("schedule_free_adamw", 0.1, beta1=0.8, beta2=0.9, eps=1e-3, decay=0.1, r=1.0, weight_lr_power=1.0),
              0.1, 0.8, 0.1, 1.0, 1.0, (0.9, 1e-3))
schedule_free(also("schedule_free_sgd", 0.3), 0.3, 0.9, 0.0)
schedule_free(also("schedule_free_sgd", 0.2, momentum=0.7, decay=0.1, r=0.5), 0.2, 0.7, 0.1, 0.5)
together({"sam": also("sgd", 0.05, momentum=0.8)}, sam(0.05, False, 0.05, 0.8))
together({"sam": also("sgd", 0.05), "rho": 0.5, "adaptive": True}, sam(0.5, True, 0.05, 0.0))
together({"lookahead": also("sgd", 0.05, momentum=0.8)}, lookahead(5, 0.5, 0.05, 0.8))
together({"lookahead": also("sgd", 0.1), "k": 3, "alpha": 0.8}, lookahead(3, 0.8, 0.1, 0.0))
ema({"ema": also("sgd", 0.05, momentum=0.8), "beta": 0.9}, 0.9, 0.05, 0.8)
