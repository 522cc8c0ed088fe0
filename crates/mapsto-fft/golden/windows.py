"""Writes windows.jsonl: the windows of torch.signal.windows in f64, symmetric and periodic, of several lengths.

    pip install torch && python crates/mapsto-fft/golden/windows.py > crates/mapsto-fft/golden/windows.jsonl
"""
import json
import torch
from torch.signal import windows

SETTINGS = {
    "hann": {}, "hamming": {}, "general_hamming": {"alpha": 0.6}, "blackman": {}, "nuttall": {}, "bartlett": {}, "cosine": {},
    "kaiser": {"beta": 8.5}, "gaussian": {"std": 1.5}, "exponential": {"tau": 2.0},
}
for name, settings in SETTINGS.items():
    for n in [1, 2, 5, 8]:
        for sym in [True, False]:
            values = getattr(windows, name)(n, sym=sym, dtype=torch.float64, **settings).tolist()
            print(json.dumps({"window": name, "n": n, "symmetric": int(sym), "values": [round(v, 14) for v in values]}))
