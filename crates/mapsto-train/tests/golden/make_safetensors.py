"""Writes from_python.safetensors with the reference implementation, for tests/model_file.rs.

Run with Python 3, NumPy and safetensors:  python make_safetensors.py
"""
import numpy as np
from safetensors.numpy import save_file

save_file(
    {
        "fc.weight": np.arange(6, dtype=np.float32).reshape(2, 3) / 4,
        "fc.bias": np.array([-1.5, 2.0], dtype=np.float64),
        "steps": np.array(7, dtype=np.int64),
        "small": np.array([-1, 2, 127], dtype=np.int8),
        "half": np.array([0.5, -2.0, 65504.0], dtype=np.float16),
        "mask": np.array([[True, False]]),
        "empty": np.zeros((0, 3), dtype=np.float32),
    },
    "from_python.safetensors",
    metadata={"note": 'quotes " and \n lines, ünïcode'},
)
