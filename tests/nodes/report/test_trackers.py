"""Trackers, each read back by its own tool or from its own file."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import pytest

from graph.tracker import Curves, Tracked, Tracker
from nodes.report.trackers.tensorboard import TensorBoard
from nodes.report.trackers.trackio import Trackio
from nodes.report.trackers.wandb import WandB

WHEN = 1_795_802_371.0


def tell(tracker: Tracker, folder: Path, variant: str = "low=0.1") -> None:
    curves: Curves = tracker(Tracked("mine", "20261127T180011119-112f", variant, folder, "[experiment]"))
    curves.log("step", 16, {"update/steps/loss": 0.75}, WHEN)
    curves.log("round", 1, {"eval/accuracy.all": 0.5, "eval/questions": 72.0}, WHEN + 1)
    curves.log("step", 32, {"update/steps/loss": 0.5}, WHEN + 2)  # a step after a round: none may hide the other
    curves.log("round", 2, {"eval/accuracy.all": 0.625, "eval/questions": 72.0}, WHEN + 3)
    curves.close()


def test_tensorboard_shows_what_was_told(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    tell(TensorBoard, tmp_path)
    read = EventAccumulator(str(tmp_path / "mine" / "20261127T180011119-112f" / "low=0.1"))
    read.Reload()
    told = {
        name: [(one.step, make_ndarray(one.tensor_proto).item()) for one in read.Tensors(name)]
        for name in read.Tags()["tensors"]
    }
    assert told == {
        "update/steps/loss": [(16, 0.75), (32, 0.5)],
        "eval/accuracy.all": [(1, 0.5), (2, 0.625)],
        "eval/questions": [(1, 72.0), (2, 72.0)],
    }
    assert [one.wall_time for one in read.Tensors("eval/questions")] == [WHEN + 1, WHEN + 3]


def logged(data: bytes) -> list[bytes]:
    """The entries of a log in LevelDB's format after 7 bytes of magic: blocks of 32 KiB, which an entry may cross."""
    entries, place, part = [], 7, b""
    while place + 7 <= len(data):
        rest = 32768 - place % 32768
        if rest < 7:
            place += rest
            continue
        _, size, kind = struct.unpack_from("<IHB", data, place)
        part += data[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):  # whole, or its last part
            entries.append(part)
            part = b""
    return entries


def test_wandb_keeps_what_was_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    from wandb.proto.wandb_internal_pb2 import Record

    monkeypatch.setenv("WANDB_MODE", "offline")
    tell(WandB, tmp_path)
    (file,) = tmp_path.rglob("*.wandb")
    records, end = list[Record](), time.monotonic() + 30
    while not any(record.HasField("exit") for record in records):  # another process writes it
        assert time.monotonic() < end
        records = [Record.FromString(data) for data in logged(file.read_bytes())]
    run = next(record.run for record in records if record.HasField("run"))
    name = "20261127T180011119-112f low=0.1"
    assert (run.project, run.display_name, run.run_group) == ("mine", name, "20261127T180011119-112f")
    axes = {record.metric.name: record.metric.step_metric for record in records if record.HasField("metric")}
    assert {name: axis for name, axis in axes.items() if axis} == {
        "update/steps/loss": "update/step",
        "eval/accuracy/all": "eval/round",
        "eval/questions": "eval/round",
    }
    rows = [
        sorted((item.key or "/".join(item.nested_key), float(item.value_json)) for item in record.history.item)
        for record in records
        if record.HasField("history")
    ]
    told = [[pair for pair in row if pair[0].startswith(("eval", "update"))] for row in rows]
    assert told == [
        [("update/step", 16.0), ("update/steps/loss", 0.75)],
        [("eval/accuracy/all", 0.5), ("eval/questions", 72.0), ("eval/round", 1.0)],
        [("update/step", 32.0), ("update/steps/loss", 0.5)],
        [("eval/accuracy/all", 0.625), ("eval/questions", 72.0), ("eval/round", 2.0)],
    ]


def test_trackio_keeps_what_was_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path))
    pytest.importorskip("trackio")
    from trackio.sqlite_storage import SQLiteStorage

    tell(Trackio, tmp_path)
    name = "20261127T180011119-112f low=0.1"
    end = time.monotonic() + 10
    while len(rows := SQLiteStorage.get_logs("mine", name)) < 4 and time.monotonic() < end:
        time.sleep(0.1)
    assert [(row.get("eval/round"), row.get("eval/accuracy.all"), row.get("update/steps/loss")) for row in rows] == [
        (None, None, 0.75),
        (1, 0.5, None),
        (None, None, 0.5),
        (2, 0.625, None),
    ]
