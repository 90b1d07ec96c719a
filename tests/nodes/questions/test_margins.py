"""No accepted question lies under its margin: all that may be asked of every real room and of generated ones.

Margins are found anew by the oracle, from prompt and scene alone; thresholds it holds by assertion.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

import pytest

from nodes.questions.question import Question
from nodes.questions.synthesize import Synthesize, synthesize
from nodes.questions.thresholds import Thresholds
from nodes.scenes.scene import Scene
from tests.nodes.questions.oracle import judge, text_of
from tests.nodes.questions.tasks import named
from tests.nodes.questions.test_oracle import DATA, annotated, families

T = Thresholds()
LEAST = {
    "object_rel_distance": T.rel_distance_gap_m,
    "object_rel_direction_easy": T.direction_deg,
    "object_rel_direction_medium": T.direction_deg,
    "object_rel_direction_hard": T.direction_deg,
    "route_planning": T.direction_deg,
    "obj_appearance_order": T.order_gap_s,
    "closer": T.closer_m,
    "further_left": T.left_width,
    "count_attribute": T.taller_ratio * 0.5,  # of the lowest limit, half a metre
}
SLACK = {"route_planning": 1.0}  # degrees: legs end on steps of 2 cm, here of 1 cm


def checked(scenes: Iterable[Scene], per_scene: int) -> Counter[str]:
    """Check all questions and return how many there were by task."""
    asked: Counter[str] = Counter()
    for scene in scenes:
        made = synthesize(scene, None, None, params=Synthesize(tasks=named(*families()), per_scene=per_scene), seed=1)
        for question in made.rows:
            hold(scene, question)
            asked[question.task] += 1
    return asked


def hold(scene: Scene, question: Question) -> None:
    answer, margin = judge(scene, question)
    assert answer == text_of(question), question
    slack = SLACK.get(question.task, 1e-4)
    assert margin >= LEAST.get(question.task, 0.0) - slack, (question, margin)
    if math.isfinite(margin) and question.task != "exists":
        # what the question says of itself is no more than what is found
        assert question.margin <= margin + slack, (question, margin)


def test_no_question_on_generated_rooms_lies_under_its_margin(generated: list[Scene]) -> None:
    asked = checked(generated, per_scene=10_000)
    print(dict(asked), asked.total())
    assert asked.total() > 10_000


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no VSI-Bench data at {DATA}")
def test_no_question_on_real_rooms_lies_under_its_margin() -> None:
    asked = checked(annotated(150), per_scene=250)
    print(dict(asked), asked.total())
    assert asked.total() > 10_000
