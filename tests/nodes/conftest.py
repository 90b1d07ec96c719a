"""Small stored pools of real questions in generated rooms, and a tiny policy, for the tests of the training nodes."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from nodes.policy.build import Build, build_tiny
from nodes.policy.policy import Policy
from nodes.questions.question import Question, QuestionPool, Questions, pool_rows
from nodes.questions.synthesize import Synthesize, synthesize
from nodes.questions.vocabulary import words
from nodes.scenes.extract import Extract, extract
from nodes.scenes.list import ListRooms, list_rooms
from nodes.scenes.scene import Scene
from store.collection import Collection
from store.open import Store, open_store


class SmallPools(NamedTuple):
    """Pools opened from a store: train (4 rooms x 16 questions) and test (3 other rooms x 8)."""

    store: Store
    train: QuestionPool
    test: QuestionPool

    def kept(self, questions: QuestionPool) -> QuestionPool:
        """Put a pool and open it again, as the engine does between nodes."""
        return self.store.open(self.store.put(questions), Collection[Questions])


def _pool(store: Store, split: str, rooms: int, per_scene: int) -> QuestionPool:
    listed = list_rooms(params=ListRooms(style="new", count=rooms, split=split))  # type: ignore[arg-type]
    made = {key: extract(listed[key], params=Extract(frames=4)) for key in listed}
    scenes = store.open(store.put(Collection(Scene, made)), Collection[Scene])
    asked = {key: synthesize(scenes[key], None, None, params=Synthesize(per_scene=per_scene), seed=1) for key in scenes}
    return store.open(store.put(Collection(Questions, asked)), Collection[Questions])


@pytest.fixture(scope="session")
def small_pools(tmp_path_factory: pytest.TempPathFactory) -> SmallPools:
    store = open_store(str(tmp_path_factory.mktemp("store")))
    return SmallPools(store, _pool(store, "train", 4, 16), _pool(store, "test", 3, 8))


@pytest.fixture(scope="session")
def small_policy() -> Policy:
    return build_tiny(Build(width=32, vision_width=32), words(), seed=1)


@pytest.fixture
def some_question(small_pools: SmallPools) -> Question:
    return pool_rows(small_pools.test)[0]
