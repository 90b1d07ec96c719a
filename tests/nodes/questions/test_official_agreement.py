"""Our rules against VSI-Bench's published answers on the annotated ScanNet rooms, question by question.

Skipped where the data folder is absent; DATAFLOW_VSIBENCH says where it is.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nodes.questions.tasks.direction import angle_deg, side
from nodes.questions.tasks.size import longest_side_cm
from nodes.scenes.geometry import box_distance, vsi_distance

DATA = Path(os.environ.get("DATAFLOW_VSIBENCH", Path(__file__).parents[4] / "shared/data/vsibench"))
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"no VSI-Bench data at {DATA}")

RENAMED = {"coat rack": "coat hanger"}


@pytest.fixture(scope="module")
def rooms() -> dict[str, Any]:
    return json.loads((DATA / "scannet_meta_info_val.json").read_bytes())


@pytest.fixture(scope="module")
def official() -> list[dict[str, Any]]:
    return json.loads((DATA / "official_qa_scannet.json").read_bytes())


def asked(official: list[dict[str, Any]], task: str, pattern: str) -> Iterator[tuple[dict[str, Any], tuple[str, ...]]]:
    for row in official:
        if row["question_type"] == task:
            found = re.search(pattern, row["question"])
            assert found, row["question"]
            yield row, tuple(RENAMED.get(name, name) for name in found.groups())


def boxes(room: dict[str, Any], label: str) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    return [
        (np.array(b["centroid"]), np.array(b["axesLengths"]), np.array(b["normalizedAxes"]).reshape(3, 3))
        for b in room["object_bbox"][label]
    ]


def test_room_sizes_agree(rooms: dict[str, Any], official: list[dict[str, Any]]) -> None:
    rows = [row for row in official if row["question_type"] == "room_size_estimation"]
    agree = sum(f"{rooms[row['scene']]['room_size']:.1f}" == row["ground_truth"] for row in rows)
    assert (agree, len(rows)) == (88, 88)


def test_object_sizes_agree(rooms: dict[str, Any], official: list[dict[str, Any]]) -> None:
    rows = list(asked(official, "object_size_estimation", r"height\) of the (.+), measured"))
    agree = sum(
        str(round(longest_side_cm(boxes(rooms[row["scene"]], label)[0][1].tolist()))) == row["ground_truth"]
        for row, (label,) in rows
    )
    assert (agree, len(rows)) == (357, 357)


def test_counts_agree_where_the_data_agrees_with_itself(rooms: dict[str, Any], official: list[dict[str, Any]]) -> None:
    rows = list(asked(official, "object_counting", r"How many (.+)\(s\)"))
    by_count = sum(str(rooms[row["scene"]]["object_counts"][label]) == row["ground_truth"] for row, (label,) in rows)
    by_box = sum(str(len(boxes(rooms[row["scene"]], label))) == row["ground_truth"] for row, (label,) in rows)
    assert (by_count, by_box, len(rows)) == (222, 217, 223)  # 5 differ in the data itself


@pytest.mark.parametrize(("level", "n"), [("easy", 63), ("medium", 147), ("hard", 133)])
def test_directions_agree(rooms: dict[str, Any], official: list[dict[str, Any]], level: str, n: int) -> None:
    pattern = r"standing by the (.+) and facing the (.+), is the (.+) to (?:the left|my)"
    rows = list(asked(official, f"object_rel_direction_{level}", pattern))
    agree = 0
    for row, labels in rows:
        stand, face, query = (boxes(rooms[row["scene"]], label)[0][0] for label in labels)
        name = side(float(angle_deg(stand, face, query)), level)
        agree += f"{row['ground_truth']}. {name}" in row["options"]
    assert (agree, len(rows)) == (n, n)


def test_relative_distances_agree(rooms: dict[str, Any], official: list[dict[str, Any]]) -> None:
    rows = list(asked(official, "object_rel_distance", r"objects \((.+)\) is the closest to the (.+)\?"))
    agree = 0
    for row, (_, target) in rows:
        room = rooms[row["scene"]]
        labels = [RENAMED.get(option[3:], option[3:]) for option in row["options"]]
        distances = [
            min(box_distance(*a, *b) for a in boxes(room, target) for b in boxes(room, label)) for label in labels
        ]
        agree += "ABCD"[int(np.argmin(distances))] == row["ground_truth"]
    assert (agree, len(rows)) == (259, 259)


def test_absolute_distances_agree_by_the_sampled_rule(rooms: dict[str, Any], official: list[dict[str, Any]]) -> None:
    rows = list(asked(official, "object_abs_distance", r"between the (.+) and the (.+) \(in meters\)"))
    agree, exact = 0, 0
    for row, labels in rows:
        a, b = (boxes(rooms[row["scene"]], label)[0] for label in labels)
        agree += f"{vsi_distance(*a, *b):.1f}" == row["ground_truth"]
        exact += f"{box_distance(*a, *b):.1f}" == row["ground_truth"]
    assert (agree, exact, len(rows)) == (347, 258, 347)
