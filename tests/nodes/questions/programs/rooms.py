"""Rooms for the tests of programs: real ones where the data is, and the API in plain Python."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from graph.node import External, Named
from nodes.questions.programs.facts import facts_of
from nodes.questions.programs.scene_api import sandbox_source
from nodes.questions.question import Question
from nodes.questions.thresholds import Thresholds
from nodes.questions.view import SceneView
from nodes.scenes.extract import Extract, extract
from nodes.scenes.list import ListRooms, list_rooms
from nodes.scenes.sample import Sample
from nodes.scenes.scene import Scene

DATA = Path(os.environ.get("DATAFLOW_VSIBENCH", Path(__file__).parents[5] / "shared/data/vsibench"))
VSIBENCH: Named = Named("vsibench", "nodes.scenes.vsibench:VsiBench")


def real_rooms(data_set: str, frames: int, step: int = 1) -> list[Scene]:
    """Return every `step`-th annotated room of a data set."""
    path = External(DATA / f"{data_set}_meta_info_val.json")
    listed = list_rooms(params=ListRooms(source=VSIBENCH, path=path))
    return [extract(listed[key], params=Extract(source=VSIBENCH, frames=frames)) for key in list(listed)[::step]]


def view_of(scene: Scene, shown: tuple[int, ...] | None = None) -> SceneView:
    return SceneView(scene, Thresholds(), None if shown is None else Sample(scene.id, "", shown))


def namespace_of(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the API in CPython over facts: no sandbox has a part in it."""
    names: dict[str, Any] = {}
    exec(sandbox_source(), names)
    names["FACTS"] = facts
    return names


def value_of(question: Question, scene: Scene) -> Any:
    """Return what a question's program says in CPython, over all facts of its frames."""
    return eval(question.program, namespace_of(facts_of(view_of(scene, question.frames))))
