"""Writes tensorboard_records.json: event-file records as the tensorboard package's own classes encode them (oracle of tensorboard_test.cpp)."""
import json
import pathlib
import struct

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c


def record(event):
    payload = event.SerializeToString()
    header = struct.pack("<Q", len(payload))
    return (header + struct.pack("<I", masked_crc32c(header)) + payload
            + struct.pack("<I", masked_crc32c(payload))).hex()


def scalars(wall_time, step, values):
    summary = Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in values])
    return {"wall_time": wall_time, "step": step, "values": values,
            "record": record(Event(wall_time=wall_time, step=step, summary=summary))}


cases = [
    scalars(1.5, 1, [["train/loss", 2.25]]),
    scalars(1700000000.125, 123456789012, [["train/loss", -1e-30], ["train/" + "x" * 200, 3.5]]),
]
opening = [record(Event(wall_time=12.5, file_version="brain.Event:2")),
           record(Event(wall_time=12.5, step=301, session_log=SessionLog(status=SessionLog.START)))]
out = pathlib.Path(__file__).with_suffix(".json")
out.write_text(json.dumps({"scalars": cases, "opening_after_300_steps": opening}, indent=1) + "\n")
