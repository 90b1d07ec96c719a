"""Quotas, balance, determinism, margins and vocabulary over many generated rooms; storage; pictures."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.feedback.compile import SceneFeedback
from nodes.questions.question import Pictures, Question, Questions, pool_rows, question_images
from nodes.questions.quota import quotas
from nodes.questions.synthesize import Synthesize, cell_weights, synthesize
from nodes.questions.vocabulary import ARKITSCENES, SCANNET, split_words, words
from nodes.scenes.geometry import box_corners, point_box_distance
from nodes.scenes.scene import Scene
from store.collection import Collection
from store.open import open_store
from tests.nodes.questions.tasks import IMAGE_TASKS, TASKS, named


def ask(scenes: list[Scene], *tasks: str, **params: Any) -> list[Question]:
    asked = Synthesize(**({"tasks": named(*tasks)} if tasks else {}), **params)
    rows = [synthesize(scene, None, None, params=asked, seed=100 + k).rows for k, scene in enumerate(scenes)]
    return [row for part in rows for row in part]


def test_a_budget_is_met_and_spread(generated: list[Scene]) -> None:
    spread = []
    for scene in generated:
        rows = ask([scene], per_scene=10)
        assert len(rows) == len({row.id for row in rows}) == 10
        spread.append(len({row.frames for row in rows}))
    # of eight frames; two boxes that few frames show whole leave fewer
    assert min(spread) >= 4 and sum(n >= 5 for n in spread) >= 59 and np.mean(spread) >= 5.8
    by_task = Counter(row.task for row in ask(generated, per_scene=10))
    assert min(by_task.values()) >= 0.7 * max(by_task.values())


def test_every_frame_gives_eight_different_questions(generated: list[Scene]) -> None:
    rows = ask(generated, per_frame=8)
    by_frame = Counter((row.scene, row.frames) for row in rows)
    # a frame that only glimpses its boxes has few questions in any wording
    assert len(by_frame) == 8 * len(generated)
    assert sum(n == 8 for n in by_frame.values()) >= 0.97 * len(by_frame)
    assert len({(row.scene, row.frames, row.prompt) for row in rows}) == len(rows)


def test_answers_are_balanced(generated: list[Scene]) -> None:
    rows = ask(generated, per_scene=20)
    yes = [row.answer == "yes" for row in rows if row.task == "exists"]
    assert 0.46 <= np.mean(yes) <= 0.54
    for task in ("closer", "taller", "further_left"):
        first = [row.options.index(row.answer) == 0 for row in rows if row.task == task]
        assert 0.44 <= np.mean(first) <= 0.56, task
    letters = Counter(row.answer for row in ask(generated, "object_rel_direction_easy"))
    assert set(letters) == {"A", "B"} and max(letters.values()) <= 0.55 * letters.total()


def test_the_right_letter_takes_turns(scene_of: Any) -> None:
    labels = list(SCANNET[:8])
    centre = np.random.default_rng(1).uniform(-2, 2, (8, 3))
    (scene,) = [scene_of(labels, centre, np.full((8, 3), 0.2))]
    rows = ask([scene], "object_rel_direction_hard", per_scene=40)
    assert Counter(row.answer for row in rows) == {"A": 10, "B": 10, "C": 10, "D": 10}


def test_the_same_seed_gives_the_same_questions(generated: list[Scene]) -> None:
    assert ask(generated[:4]) == ask(generated[:4])
    other = synthesize(generated[0], None, None, params=Synthesize(), seed=1).rows
    assert other != ask(generated[:1])


def test_ids_outlive_a_larger_budget_and_another_task(generated: list[Scene]) -> None:
    tasks = tuple(IMAGE_TASKS)
    few = {row.id: (row.prompt, row.answer) for row in ask(generated[:9], *tasks[:4], per_scene=8)}
    more = {row.id: (row.prompt, row.answer) for row in ask(generated[:9], *tasks, per_scene=60)}
    shared = few.keys() & more.keys()
    assert len(shared) >= 0.5 * len(few)
    assert all(few[name] == more[name] for name in shared)


def test_feedback_moves_budget_and_mix(generated: list[Scene]) -> None:
    params = Synthesize(tasks=named("exists", "closer", "further_left"))
    # 12 questions by 90 : 30 : 0
    feedback = SceneFeedback(12, {"exists": 90, "closer": 30, "further_left": 0})
    fullest = max(generated, key=lambda scene: (len(scene.labels), scene.id))
    rows = synthesize(fullest, None, feedback, params=params, seed=3).rows
    assert Counter(row.task for row in rows) == {"exists": 9, "closer": 3}


def test_a_cell_that_feedback_does_not_name_gets_the_mean_weight() -> None:
    cells = [("exists", "exists"), ("exists", "exists.see"), ("count", "count"), ("closer", "closer")]
    # exists.see: the mean of its task's; closer: of all that are given, (10 + 30) / 2
    assert list(cell_weights(cells, {"exists": 10, "count": 30}, "here").values()) == [10, 10, 30, 20]
    assert list(cell_weights(cells, {"exists/exists.see": 40}, "here").values()) == [40, 40, 40, 40]
    assert set(cell_weights(cells, {"exists": 0, "count": 0}, "here").values()) == {1}


def test_bad_feedback_is_named(generated: list[Scene]) -> None:
    scene = generated[0]
    with pytest.raises(ValueError, match="feedback weighs exists -1, expected 0 or more"):
        synthesize(scene, None, SceneFeedback(4, {"exists": -1}), params=Synthesize(), seed=1)
    with pytest.raises(ValueError, match="feedback has a budget, per_frame = 8 another"):
        synthesize(scene, None, SceneFeedback(4, {}), params=Synthesize(per_frame=8), seed=1)


def test_a_budget_of_nothing_asks_nothing(generated: list[Scene]) -> None:
    assert synthesize(generated[0], None, SceneFeedback(0, {}), params=Synthesize(), seed=1).rows == []


@given(st.integers(0, 60), st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=6))
def test_quotas_fill_what_there_is(n: int, rows: list[tuple[int, int]]) -> None:
    names = [f"task{k}" for k in range(len(rows))]
    weights = dict(zip(names, (weight for weight, _ in rows), strict=True))
    capacity = dict(zip(names, (most for _, most in rows), strict=True))
    got = quotas(n, weights, capacity, names)
    assert sum(got.values()) == min(n, sum(capacity.values()))
    assert all(0 <= got[name] <= capacity[name] for name in names)


def test_quotas_by_hand() -> None:
    # 10 by 5 : 3 : 3 -> 4.55, 2.73, 2.73: floors 4, 2, 2; remainders .73, .73 take the two that are left
    assert quotas(10, {"a": 5, "b": 3, "c": 3}, dict.fromkeys("abc", 99), list("abc")) == {
        "a": 4,
        "b": 3,
        "c": 3,
    }
    # a holds 1: 9 are left for b and c, the odd one goes to the first
    assert quotas(10, {"a": 5, "b": 3, "c": 3}, {"a": 1, "b": 99, "c": 99}, list("abc")) == {
        "a": 1,
        "b": 5,
        "c": 4,
    }


def test_no_comparison_is_ambiguous(generated: list[Scene]) -> None:
    scenes = {scene.id: scene for scene in generated}
    rows = [row for row in ask(generated, per_frame=8) if row.task in ("closer", "taller", "further_left")]
    assert len(rows) > 1000
    for row in rows:
        scene, frame = scenes[row.scene], row.frames[0]
        right, wrong = sorted(
            (scene.labels.index(f"{name} box") for name in row.options), key=lambda i: i != _said(scene, row)
        )
        assert _measured(scene, row.task, frame, wrong, right), row


def _said(scene: Scene, row: Question) -> int:
    return scene.labels.index(f"{row.answer} box")


def _measured(scene: Scene, task: str, frame: int, wrong: int, right: int) -> bool:
    """Tell whether `right` wins by the margin, measured another way than the tasks do; both must be visible."""
    boxes = [(scene.centre[i], scene.size[i], scene.rotation[i]) for i in (right, wrong)]
    if min(scene.visibility[frame, [right, wrong]]) < 0.1:
        return False
    if task == "closer":
        near, far = (point_box_distance(scene.frames.T_wc[frame, :3, 3][None], *box)[0] for box in boxes)
        return far - near >= max(0.15, 0.1 * far) - 1e-9
    if task == "taller":
        tall, low = (np.ptp(box_corners(*box)[:, 2]) for box in boxes)
        return bool(tall - low >= 0.15 * tall - 1e-9)
    instance = scene.frames.instance(frame)
    left, other = (np.nonzero(instance == i + 1)[1].mean() for i in (right, wrong))
    return other - left >= 0.08 * instance.shape[1] - 1e-9


def test_existence_and_counts_leave_no_glimpse(generated: list[Scene]) -> None:
    scenes = {scene.id: scene for scene in generated}
    for row in ask(generated, "exists", "count", per_frame=8):
        scene, frame = scenes[row.scene], row.frames[0]
        pixels = scene.pixels[frame]
        if row.task == "count":
            assert int(row.answer) == (pixels > 0).sum()
            assert pixels[pixels > 0].min() >= 0.002 * 48 * 48
        else:
            label = row.program.split('"')[1]
            shown = pixels[scene.labels.index(label)] if label in scene.labels else 0
            assert (row.answer == "yes") == (shown > 0)


def test_every_prompt_and_answer_is_made_of_known_words(generated: list[Scene], scene_of: Any) -> None:
    known = set(words())
    names = sorted({*SCANNET, *ARKITSCENES})
    rng = np.random.default_rng(2)
    rows = ask(generated, *TASKS, per_scene=60) + ask(generated, per_frame=8)
    for start in range(0, len(names), 6):
        labels = names[start : start + 6] + names[start : start + 2]
        n = len(labels)
        instance = np.zeros((n, 10, 10), int)
        for k in range(n):
            instance[k:, :, k] = k + 1
        scene = scene_of(labels, rng.uniform(-2, 2, (n, 3)), rng.uniform(0.1, 0.8, (n, 3)), instance=instance)
        rows += ask([scene], *TASKS, per_scene=300)
    assert {row.task for row in rows} == set(TASKS)
    for row in rows:
        unknown = set(split_words(" ".join((row.prompt, row.answer, *row.options)))) - known
        assert not unknown, (row.prompt, unknown)


def test_words_are_a_closed_small_list() -> None:
    assert words() == sorted(set(words())) and len(words()) < 400
    assert split_words("A. 12 red boxes?") == ["A", ".", "1", "2", "red", "boxes", "?"]


def test_questions_survive_the_store_and_find_their_pictures(generated: list[Scene], tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    scenes = store.open(store.put(Collection(Scene, {s.id: s for s in generated[:3]})), Collection[Scene])
    made = {k: synthesize(scenes[k], None, None, params=Synthesize(per_scene=6), seed=1) for k in scenes}
    pool = store.open(store.put(Collection(Questions, made)), Collection[Questions])
    rows = pool_rows(pool)
    assert rows == [row for k in sorted(made) for row in made[k].rows]
    assert all(row.frames_digest == scenes[row.scene].frames.digest for row in rows)
    for row in rows:
        (image,) = question_images(pool, row)
        assert image.dtype == np.uint8 and (image == scenes[row.scene].frames.rgb(row.frames[0])).all()


def test_pictures_keep_no_more_than_their_bound(generated: list[Scene]) -> None:
    made = {s.id: synthesize(s, None, None, params=Synthesize(per_scene=6), seed=1) for s in generated[:5]}
    pool = Collection(Questions, made)
    one = 48 * 48 * 3
    pictures = Pictures(pool, limit_bytes=2 * one, limit_scenes=2)
    for row in pool_rows(pool):
        assert pictures.images(row)[0].shape == (48, 48, 3)
    assert len(pictures._images) == 2 and len(pictures._frames) == 2


def test_a_question_of_another_pool_is_named(generated: list[Scene]) -> None:
    made = [synthesize(s, None, None, params=Synthesize(per_scene=6), seed=1) for s in generated[:2]]
    pool = Collection(Questions, {generated[0].id: made[0]})
    with pytest.raises(ValueError, match="is not in the pool of 1 scenes"):
        question_images(pool, made[1].rows[0])
