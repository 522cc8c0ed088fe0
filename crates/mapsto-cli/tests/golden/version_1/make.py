"""Writes what a run of format "mapsto 1" leaves behind: model files, run folders and training states, and what the command
that wrote them said of them. The files beside this script were made with the command as of commit 0361173:

    python3 make.py PATH/TO/mapsto

`ring` is a table of two classes: a run of 3 epochs, and `ring.6.csv`, its metrics after it was resumed to 6. `digits` is a set
of small images in IDX files: a run that was interrupted in the middle of an epoch, and `digits.metrics.csv`, its metrics after
it was resumed to the epoch in `digits.epochs.txt`. For both, `NAME.eval.txt` and `NAME.predict.txt` are what `eval` and
`predict` said of the run as it lies here.
"""

import json
import math
import os
import shutil
import signal
import struct
import subprocess
import sys
import zlib
from pathlib import Path

HERE = Path(__file__).resolve().parent

RING = """[data]
set = "csv"
path = "ring.csv"
class = "place"
batch = 16
standardize = true

[model]
layers = [{ linear = 16 }, "batch_norm1d", "tanh", { dropout = 0.1 }, { linear = 2 }]

[train]
loss = "cross_entropy"
metrics = ["accuracy"]
optimizer = { adamw = 2e-2, decay = 0.01 }
callbacks = [{ early_stop = "val loss", patience = 50 }]
epochs = 3
seed = 3
"""

DIGITS = """[data]
set = "idx"
path = "digits"
classes = 3
batch = 2
preprocess = [{ normalize = 0.3, std = 0.4 }]
augment = [{ shift = 1 }]

[model]
layers = [{ conv2d = 4, kernel = 3 }, "batch_norm2d", "relu", { max_pool2d = 2 }, "flatten", { linear = 3 }]

[train]
loss = "cross_entropy"
metrics = ["accuracy", "f1"]
optimizer = { sgd = 0.02, momentum = 0.9 }
schedule = { step_decay = 0.7, every = 2 }
clip_norm = 1.0
accumulate = 2
epochs = 100000
seed = 5
"""


def ring():
    rows = ["x,y,place"]
    for i in range(12):
        for j in range(10):
            x, y = i / 5.5 - 1, j / 4.5 - 1
            rows.append(f"{x:.3f},{y:.3f},{'in' if x * x + y * y < 0.6 else 'out'}")
    return "\n".join(rows) + "\n"


def image(kind, i):
    """8 x 8 bytes: a bar that stands (0), lies (1) or falls (2), over a little texture."""
    at = 1 + i % 6
    def pixel(y, x):
        on = [x == at, y == at, (x + y) % 8 == at][kind]
        return 255 if on else int(40 + 40 * math.sin(7 * x + 3 * y + 11 * i))
    return [pixel(y, x) for y in range(8) for x in range(8)]


def idx(folder):
    folder.mkdir()
    for part, count in [("train", 60), ("t10k", 18)]:
        kinds = [(i * i + i // 3) % 3 for i in range(count)]
        pixels = [b for i, kind in enumerate(kinds) for b in image(kind, i + (0 if part == "train" else 5))]
        head = struct.pack(">BBBBIII", 0, 0, 8, 3, count, 8, 8)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(head + bytes(pixels))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">BBBBI", 0, 0, 8, 1, count) + bytes(kinds))


def png(pixels):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + bytes(pixels[8 * y : 8 * y + 8]) for y in range(8))
    head = struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def run(*args):
    return subprocess.run(["mapsto", *args], cwd=HERE, check=True, capture_output=True, text=True).stdout


def position(state):
    """The epoch and the batches done in it, as a training state says them."""
    bytes_ = state.read_bytes()
    header = json.loads(bytes_[8 : 8 + struct.unpack("<Q", bytes_[:8])[0]])
    epoch, batch, _, _ = header["__metadata__"]["trainer/position"].split(" ")
    return int(epoch), int(batch)


def interrupted():
    """Stops the run in the middle of an epoch; tries again where it was stopped between two."""
    while True:
        shutil.rmtree(HERE / "digits_run", ignore_errors=True)
        child = subprocess.Popen(
            ["mapsto", "train", "digits.toml", "--train.out", "digits_run"],
            cwd=HERE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(3):
            child.stderr.readline()
        child.send_signal(signal.SIGINT)
        child.communicate()
        epoch, batch = position(HERE / "digits_run/last.safetensors")
        if child.returncode == 130 and 0 < batch < 27:
            return epoch


def resumed(name, epochs):
    """The metrics of a copy of a run that was resumed."""
    copy = HERE / "copy"
    shutil.copytree(HERE / f"{name}_run", copy)
    run("train", "--quiet", "--resume", "copy", "--train.epochs", str(epochs))
    metrics = (copy / "metrics.csv").read_text()
    shutil.rmtree(copy)
    return metrics


def main():
    binary = Path(sys.argv[1]).resolve()
    os.environ["PATH"] = f"{binary.parent}:{os.environ['PATH']}"
    for old in HERE.iterdir():
        if old != Path(__file__).resolve():
            shutil.rmtree(old) if old.is_dir() else old.unlink()

    (HERE / "ring.csv").write_text(ring())
    (HERE / "ring.toml").write_text(RING)
    (HERE / "new.csv").write_text("y,x,remark\n0.0,0.1,centre\n0.95,-0.95,corner\n0.5,0.5,between\n")
    run("train", "--quiet", "ring.toml", "--train.out", "ring_run")
    (HERE / "ring.6.csv").write_text(resumed("ring", 6))
    (HERE / "ring.eval.txt").write_text(run("eval", "ring_run"))
    (HERE / "ring.predict.txt").write_text(run("predict", "ring_run", "new.csv"))

    idx(HERE / "digits")
    (HERE / "digits.toml").write_text(DIGITS)
    (HERE / "standing.png").write_bytes(png(image(0, 2)))
    (HERE / "lying.png").write_bytes(png(image(1, 3)))
    epochs = interrupted() + 2
    (HERE / "digits.epochs.txt").write_text(f"{epochs}\n")
    (HERE / "digits.metrics.csv").write_text(resumed("digits", epochs))
    (HERE / "digits.eval.txt").write_text(run("eval", "digits_run"))
    (HERE / "digits.predict.txt").write_text(run("predict", "digits_run", "standing.png", "lying.png"))


main()
