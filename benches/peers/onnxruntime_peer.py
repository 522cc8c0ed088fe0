"""Inference in onnxruntime, the network exported from PyTorch: python onnxruntime_peer.py W2b1|W6b1|W6b16"""
import os
import subprocess
import sys
import tempfile

import protocol
import onnxruntime

import formula

EXPORT = """
import sys
import torch
import formula
import torch_nets as nets
workload, path = sys.argv[1:]
if workload == "W2b1":
    model, x = nets.fill(nets.mlp()), torch.from_numpy(formula.pictures(0, 1))
else:
    model, x = nets.fill(nets.ResNet18()), nets.images(int(workload[3:]))
torch.onnx.export(model.eval(), (x,), path, input_names=["x"], dynamo=False)
"""

workload = sys.argv[1]
folder = os.path.dirname(os.path.abspath(__file__))
with tempfile.TemporaryDirectory() as out:
    path = os.path.join(out, "model.onnx")
    # In a process of its own, so that PyTorch's memory and threads are not counted here.
    export = [sys.executable, "-W", "ignore", "-c", EXPORT, workload, path]
    subprocess.run(export, check=True, env={**os.environ, "PYTHONPATH": folder})
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = protocol.THREADS
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
x = formula.pictures(0, 1) if workload == "W2b1" else formula.batch(0, (int(workload[3:]), 3, 224, 224))
run = lambda: session.run(None, {"x": x})
protocol.inference("onnxruntime", workload, run, lambda y: y[0].flatten()[:10].tolist())
