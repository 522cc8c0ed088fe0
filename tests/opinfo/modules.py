"""Writes samples of PyTorch's database of modules: settings, parameters, inputs, results and the gradients at inputs and parameters.

    pip install torch numpy expecttest hypothesis pyyaml
    python tests/opinfo/modules.py [--all]

writes `modules.jsonl` and `modules.safetensors` in the form of `write.py`. The arguments of a line are those of `forward`, `kwargs`
are the settings by the names of the constructor, and `state` has the parameters and buffers as they were before the call.
"""

import inspect

import torch
from torch.testing._internal.common_modules import module_db

from write import ALL, Skip, Writer, fill, flat, kind, plain, wave

MOST_SAMPLES, MOST_ELEMENTS = (10**9, 10**7) if ALL else (6, 600)

# Modules that find their sizes by themselves are others under another name; LinearCrossEntropyLoss is a fused form of two.
LEFT_OUT = ["nn.Lazy", "nn.LinearCrossEntropyLoss"]


def results(y):
    """The tensors of a result, of which those of a recurrence stand in a tuple of tuples."""
    if isinstance(y, (list, tuple)):
        return [t for part in y if part is not None for t in results(part)]
    return flat(y)


def settings(cls, given):
    """The settings by their names, those of a default value left out; a tensor, such as the weights of classes, stays one."""
    signature = inspect.signature(cls.__init__)
    bound = signature.bind(None, *given.args, **given.kwargs).arguments
    found = {}
    for name, value in bound.items():
        if name in ("self", "device", "dtype"):
            continue
        if signature.parameters[name].kind == inspect.Parameter.VAR_POSITIONAL:
            found[name] = list(value)
        elif signature.parameters[name].kind == inspect.Parameter.VAR_KEYWORD:
            found.update({k: v for k, v in value.items() if k not in ("device", "dtype")})
        elif isinstance(value, torch.nn.Module):
            raise Skip
        else:
            found[name] = value
    return found


def sample(info, given, training, writer, seen):
    cls = info.module_cls
    named = settings(cls, given.constructor_input)
    torch.manual_seed(2)
    module = cls(*given.constructor_input.args, **given.constructor_input.kwargs).double()
    module.train(training)
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(torch.randn_like(p) * 0.5)
    tensors = []
    args = [plain(a, tensors) for a in given.forward_input.args]
    forward = {k: plain(v, tensors) for k, v in given.forward_input.kwargs.items()}
    kwargs = {k: plain(v, tensors) for k, v in named.items()}
    state = {k: plain(v.detach().clone(), tensors) for k, v in module.state_dict().items()}
    line = {"op": info.name, "training": training, "args": args, "kwargs": kwargs, "forward": forward, "state": state}
    here = kind(args, kwargs, tensors) + str(forward.keys()) + str(training)
    if not ALL and (here in seen or sum(t.numel() for t in tensors) > MOST_ELEMENTS):
        return False
    leaves = [t.detach().clone().requires_grad_(t.requires_grad) for t in tensors]
    own = dict(module.named_parameters())
    for name, where in state.items():
        if name in own:
            leaves[where["t"]] = own[name]
    call = fill(args, leaves)
    ys = results(module(*call, **{k: fill(v, leaves) for k, v in forward.items()}))
    wanted = [x for x in leaves if x.requires_grad]
    on = [y for y in ys if y.requires_grad]
    grads = [None] * len(leaves)
    if on and wanted:
        found = torch.autograd.grad(on, wanted, [wave(y.shape) for y in on], allow_unused=True)
        by = dict(zip(map(id, wanted), found))
        grads = [by.get(id(x)) for x in leaves]
    writer.add(line, tensors, ys, grads)
    seen.add(here)
    return True


def main():
    writer, names = Writer("modules"), 0
    for info in module_db:
        if any(info.name.startswith(name) for name in LEFT_OUT):
            continue
        names += 1
        seen, kept = set(), 0
        for training in (False, True) if info.train_and_eval_differ else (False,):
            torch.manual_seed(1)
            inputs = info.module_inputs_func(info, device="cpu", dtype=torch.float64, requires_grad=True, training=training)
            for given in inputs:
                try:
                    if kept < MOST_SAMPLES * (1 + training):
                        kept += sample(info, given, training, writer, seen)
                except (Skip, NotImplementedError):
                    continue
    size = writer.write()
    print(f"{writer.count} samples of {names} modules, {size / 1e6:.1f} MB, torch {torch.__version__}")


if __name__ == "__main__":
    main()
