"""What runs again when a room or its feedback changes, by the engine's own count."""

from __future__ import annotations

from pathlib import Path

import pytest

from graph.run import run
from graph.spec import load_spec
from store.open import Store, open_store

SPEC = """
[experiment]
name = "elements"

[nodes.rooms]
kind = "scene.list"
params = { style = "new", count = 3 }
seed = 1

[nodes.scenes]
kind = "scene.extract"
inputs = { list = "rooms" }
params = { frames = 4, size_px = 32 }

[nodes.shown]
kind = "frames.sample"
inputs = { scenes = "scenes" }
params = { n = 2 }

[nodes.feedback]
kind = "feedback.py:say"
inputs = { scenes = "scenes" }

[nodes.qa]
kind = "qa.synthesize"
inputs = { scenes = "scenes", sample = "shown", feedback = "feedback" }
"""
SAY = '''
from msgspec import Struct
from graph.node import node
from nodes.feedback.compile import SceneFeedback
from nodes.scenes.scene import Scene
from store.collection import Collection


class Say(Struct, frozen=True):
    first: int = 8


@node("test.say", version=1)
def say(scenes: Collection[Scene], *, params: Say) -> Collection[SceneFeedback]:
    """Give every room the same budget, the first one that of the param."""
    budgets = {key: params.first if k == 0 else 8 for k, key in enumerate(scenes)}
    return Collection(SceneFeedback, {key: SceneFeedback(budget, {}) for key, budget in budgets.items()})
'''


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "elements.toml").write_text(SPEC)
    (tmp_path / "feedback.py").write_text(SAY)
    return open_store(str(tmp_path / "store"))


def computed(store: Store, folder: Path, *settings: str) -> int:
    return run(load_spec(folder / "elements.toml", list(settings)), store, list(settings), None).computed


def test_one_more_room_is_one_more_extraction_and_one_more_synthesis(store: Store, tmp_path: Path) -> None:
    computed(store, tmp_path)
    # the listing, one extraction, one sample, the feedback (it reads every scene), one synthesis
    assert computed(store, tmp_path, "nodes.rooms.params.count=4") == 5


def test_feedback_changed_for_one_room_is_one_synthesis(store: Store, tmp_path: Path) -> None:
    computed(store, tmp_path)
    assert computed(store, tmp_path, "nodes.feedback.params.first=12") == 2  # the feedback itself, and one element
    assert computed(store, tmp_path, "nodes.feedback.params.first=8") == 0
