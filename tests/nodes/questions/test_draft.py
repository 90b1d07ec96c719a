"""Choosing among drafts: the same draws as one who looks at every draft each time, and soon."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np

from nodes.questions.draft import Chooser, Draft
from nodes.questions.thresholds import Thresholds
from nodes.questions.view import SceneView
from nodes.scenes.scene import Scene
from tests.nodes.questions.tasks import TASKS, named


class Patient(Chooser):
    """The definition: of all drafts that are left, those that fit; the first of the least order, again and again."""

    def __init__(self, drafts: Sequence[Draft], rank: Mapping[tuple[int, ...], int], rng: np.random.Generator) -> None:
        super().__init__(drafts, rank, rng)
        self.all = list(drafts)

    def templates(self) -> list[str]:
        return list(dict.fromkeys(draft.template for draft in self.all))

    def draw(self, template: str, n: int, frame: int | None = None) -> list[Draft]:
        drawn: list[Draft] = []
        while len(drawn) < n and (pool := [draft for draft in self.all if fits(draft, template, frame)]):
            best = min(pool, key=self._order)
            self.all = [draft for draft in self.all if draft is not best]
            self._answers[best.balance] += 1
            self._frames[best.frames] += 1
            drawn.append(best)
        return drawn

    def count(self, template: str, frame: int | None, reserve: int) -> int:
        return sum(fits(draft, template, frame) and draft.reserve <= reserve for draft in self.all)


def fits(draft: Draft, template: str, frame: int | None) -> bool:
    return draft.template == template and (frame is None or draft.frames == (frame,))


def test_draws_are_those_of_one_who_looks_at_every_draft(generated: list[Scene]) -> None:
    n_drawn = 0
    for scene in generated[::20]:
        view = SceneView(scene, Thresholds())
        rank = {(frame,): (5 * row) % view.n_frames for row, frame in enumerate(view.shown)}
        for task in TASKS:
            drafts = named(task)[0].load()(view, 12, np.random.default_rng(3))
            both = [kind(drafts, rank, np.random.default_rng(4)) for kind in (Chooser, Patient)]
            for frame in (*view.shown[:4], None, *view.shown[4:], None):
                assert both[0].templates() == both[1].templates()
                for template in both[0].templates():
                    counts = [[chooser.count(template, frame, reserve) for reserve in range(3)] for chooser in both]
                    assert counts[0] == counts[1]
                    drawn = [chooser.draw(template, 3, frame) for chooser in both]
                    assert [id(draft) for draft in drawn[0]] == [id(draft) for draft in drawn[1]]
                    n_drawn += len(drawn[0])
    assert n_drawn > 500


def test_drawing_on_every_frame_of_a_long_video_looks_at_each_draft_a_few_times() -> None:
    drafts = [
        Draft("exists", "exists", (frame,), f"{k}?", "yes", ("yes", "no"), "pixels", "", 1.0)
        for frame in range(1000)
        for k in range(40)
    ]
    chooser = Chooser(drafts, {}, np.random.default_rng(1))
    began = time.process_time()
    for frame in range(1000):
        assert chooser.count("exists", frame, 2) == 40
        assert [draft.prompt for draft in chooser.draw("exists", 2, frame)] == ["0?", "1?"]
    assert time.process_time() - began < 2
    assert chooser.count("exists", None, 0) == 38_000
