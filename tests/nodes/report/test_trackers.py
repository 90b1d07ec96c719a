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
    curves.log("step", 16, {"update.steps/loss": 0.75}, WHEN)
    curves.log("round", 1, {"eval/accuracy.all": 0.5, "eval/questions": 72.0}, WHEN + 1)
    curves.log("step", 32, {"update.steps/loss": 0.5}, WHEN + 2)  # a step after a round: none may hide the other
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
        "update.steps/loss": [(16, 0.75), (32, 0.5)],
        "eval/accuracy.all": [(1, 0.5), (2, 0.625)],
        "eval/questions": [(1, 72.0), (2, 72.0)],
    }
    assert [one.wall_time for one in read.Tensors("eval/questions")] == [WHEN + 1, WHEN + 3]


def test_wandb_keeps_what_was_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    from wandb.proto.wandb_internal_pb2 import Record

    monkeypatch.setenv("WANDB_MODE", "offline")
    tell(WandB, tmp_path)
    (file,) = tmp_path.rglob("*.wandb")
    data, place, records = file.read_bytes(), 7, []  # 7 bytes of magic, then checksum, size and kind of each record
    while place + 7 < min(len(data), 32768):
        _, size, kind = struct.unpack_from("<IHB", data, place)
        if kind == 1:
            records.append(Record.FromString(data[place + 7 : place + 7 + size]))
        place += 7 + size
    run = next(record.run for record in records if record.HasField("run"))
    assert (run.project, run.display_name, run.run_group) == (
        "mine",
        "20261127T180011119-112f low=0.1",
        "20261127T180011119-112f",
    )
    axes = {
        one.metric.glob_name or one.metric.name: one.metric.step_metric for one in records if one.HasField("metric")
    }
    assert axes["eval/*"] == "eval/round" and axes["update.steps/*"] == "update.steps/step"
    rows = [
        {".".join(item.nested_key) or item.key: float(item.value_json) for item in one.history.item}
        for one in records
        if one.HasField("history")
    ]
    told = [{name: row[name] for name in row if name.startswith(("eval", "update"))} for row in rows]
    assert told == [
        {"update.steps/loss": 0.75, "update.steps/step": 16.0},
        {"eval/accuracy.all": 0.5, "eval/questions": 72.0, "eval/round": 1.0},
        {"update.steps/loss": 0.5, "update.steps/step": 32.0},
        {"eval/accuracy.all": 0.625, "eval/questions": 72.0, "eval/round": 2.0},
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
    assert [(row.get("eval/round"), row.get("eval/accuracy.all"), row.get("update.steps/loss")) for row in rows] == [
        (None, None, 0.75),
        (1, 0.5, None),
        (None, None, 0.5),
        (2, 0.625, None),
    ]
