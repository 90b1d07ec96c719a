"""Counting by identity, attribute and category, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from nodes.questions.categories import DOUBTFUL, MEMBERS, OTHERS, counted, is_known
from nodes.questions.tasks.groups import count_attribute, count_category, count_identity
from nodes.questions.thresholds import Thresholds
from nodes.questions.view import SceneView
from nodes.questions.vocabulary import ARKITSCENES, CATEGORIES, SCANNET, plural


def told(task: Any, scene: Any) -> dict[str, str]:
    drafts = task(SceneView(scene, Thresholds()), 99, np.random.default_rng(0))
    return {draft.prompt: draft.answer for draft in drafts}


def room(scene_of: Any, labels: list[str], heights: list[float] | None = None, **facts: Any) -> Any:
    n = len(labels)
    size = np.column_stack([np.full((n, 2), 0.5), heights or [1.0] * n])
    return scene_of(labels, np.column_stack([np.arange(n), np.arange(n), size[:, 2] / 2]), size, **facts)


def test_each_level_counts_more_broadly(scene_of: Any) -> None:
    scene = room(scene_of, ["chair", "chair", "chair", "sofa", "stool", "stool"], [0.9, 0.9, 1.3, 0.8, 0.4, 0.8])
    assert told(count_identity, scene) == {
        "How many chairs are in this room?": "3",
        "How many stools are in this room?": "2",
    }
    # chairs: .9 is within 15 % of 1 m, so 1 m is not asked; .9 and 1.3 lie on one side of .5 and of 1.5
    # stools: .4 and .8 lie .1 and .3 from .5, more than 7.5 cm
    assert told(count_attribute, scene) == {"How many stools in this room are taller than 0.5 meters?": "1"}
    assert told(count_category, scene) == {"How many pieces of seating furniture are in this room?": "6"}


def test_features_say_the_level_and_the_gap_to_the_coarser_count(scene_of: Any) -> None:
    scene = room(scene_of, ["chair", "chair", "sofa", "door"])
    view, rng = SceneView(scene, Thresholds()), np.random.default_rng(0)
    (identity,), (category,) = count_identity(view, 9, rng), count_category(view, 9, rng)
    assert identity.features == {"level": 1, "gap": 1} and category.features == {"level": 3, "gap": 1}
    assert identity.margin == category.margin == 1 and identity.objects == (0, 1)


def test_colours_are_counted_across_shapes(scene_of: Any) -> None:
    scene = room(scene_of, ["red box", "red box", "blue box"])
    assert told(count_attribute, scene) == {"How many things in this room are red?": "2"}
    assert told(count_identity, scene) == {"How many red boxes are in this room?": "2"}


def test_what_may_belong_stops_the_question(scene_of: Any) -> None:
    assert told(count_category, room(scene_of, ["chair", "sofa"])) != {}
    assert told(count_category, room(scene_of, ["chair", "sofa", "thing of the year"])) == {}
    assert told(count_category, room(scene_of, ["chair", "sofa", "toilet"])) == {}  # some sit on it


def test_counts_that_disagree_or_are_not_seen_stop_the_question(scene_of: Any) -> None:
    labels = ["chair", "chair", "sofa"]
    assert told(count_identity, room(scene_of, labels, counts={"chair": 3, "sofa": 1})) == {}
    assert told(count_category, room(scene_of, labels, counts={"chair": 2, "sofa": 2})) == {}
    hidden = room(scene_of, labels)
    hidden.visibility[:, 1] = 0
    assert told(count_identity, hidden) == {} and told(count_category, hidden) == {}


def test_the_table_of_categories_is_sound() -> None:
    assert tuple(sorted(MEMBERS)) == CATEGORIES and MEMBERS.keys() == DOUBTFUL.keys()
    assert all(is_known(label) for label in (*SCANNET, *ARKITSCENES))
    for category, members in MEMBERS.items():
        assert not set(members) & set(DOUBTFUL[category]) and not set(members) & set(OTHERS)
    sleeping = "pieces of sleeping furniture"
    assert counted(sleeping, {"bed", "door"}) == ["bed"] and counted(sleeping, {"bed", "mattress"}) is None


def test_no_category_reads_like_a_label() -> None:
    # else "How many beds are in this room?" would have two answers where there is a crib
    assert not {plural(label) for members in MEMBERS.values() for label in members} & MEMBERS.keys()
