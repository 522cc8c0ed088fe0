"""Writes tensorboard.txt: two records of an event file, as hexadecimal digits, by the classes of the package `tensorboard`.

    pip install tensorboard && python crates/mapsto-train/tests/golden/make_tensorboard.py > crates/mapsto-train/tests/golden/tensorboard.txt
"""
import io
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter


def write(event):
    out = io.BytesIO()
    RecordWriter(out).write(event.SerializeToString())
    print(out.getvalue().hex())


write(Event(wall_time=1.5, file_version="brain.Event:2"))
numbers = [("loss/train", 0.5), ("loss/val", 0.75), ("top-2 accuracy/val", 1.0), ("lr", 0.125), ("epoch", 3), ("samples per second", 256)]
values = [Summary.Value(tag=tag, simple_value=number) for tag, number in numbers]
write(Event(wall_time=2.25, step=300, summary=Summary(value=values)))
