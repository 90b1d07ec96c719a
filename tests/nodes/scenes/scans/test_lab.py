"""The lab's page: its rehearsal as it is written, on scans in ScanNet's format and rows in VSI-Bench's."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from nodes.scenes.procedural import build_world
from nodes.scenes.render import render
from tests.nodes.scenes.scans.scannet_files import scan_of
from tests.pages import agrees, follow, make_environment

SPECS = Path(__file__).parents[4] / "specs"
VAL = 2  # of eight scans


def write_scannet(folder: Path) -> None:
    names = [f"scene{number:04d}_00" for number in range(8)]
    for number, name in enumerate(names):
        world = build_world("old", 3 + number, 8, 96, 1.5)
        rgb, depth, _ = render(world)
        scan_of(folder / "scans" / name, world, rgb, depth)
    (folder / "scannetv2_val.txt").write_text("\n".join(names[:VAL]) + "\n")
    (folder / "scannetv2_train.txt").write_text("\n".join(names[VAL:]) + "\n")


def write_vsibench(folder: Path) -> None:
    folder.mkdir()
    asked = {
        "object_counting": ("How many chair(s) are in this room?", None, "3"),
        "object_rel_distance": ("Which is closest to the bed?", ["A. chair", "B. door", "C. lamp", "D. desk"], "B"),
    }
    rows = [
        {
            "id": n,
            "dataset": "scannet",
            "scene_name": f"scene000{n % VAL}_00",
            "question_type": task,
            "question": question,
            "options": options,
            "ground_truth": answer,
        }
        for n, (task, (question, options, answer)) in enumerate(sorted(asked.items()) * 4)
    ]
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_the_rehearsal_does_what_the_page_says(tmp_path: Path) -> None:
    write_scannet(tmp_path / "scannet")
    write_vsibench(tmp_path / "vsibench")
    work = tmp_path / "work"
    (work / "specs").mkdir(parents=True)
    shutil.copy(SPECS / "lab.toml", work / "specs")
    data = {"SCANNET": str(tmp_path / "scannet"), "VSIBENCH": str(tmp_path / "vsibench")}
    commands = 0
    for step, told in follow(SPECS / "LAB.md", work, {**make_environment(tmp_path / "environment"), **data}):
        assert agrees(step.printed, told), f"$ {step.command}\n{told}\nexpected\n{step.printed}"
        commands += 1
    assert commands > 5
    assert list((work / "curves").rglob("events.out.tfevents*"))
