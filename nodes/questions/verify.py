"""`qa.verify`: every program of a pool is run again, over the scene and the frames that its question shows.

One element a scene of the pool, so a changed room verifies its own questions alone. A question stays where its program
says its answer; what is dropped keeps its id with a reason to count by and what was seen: `answer: said 3.1, answer
2.9`, `time: ...`, `error: LookupError: no object is called chairs`, `frames: ...`. General questions, of no scene and
without a program, stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

from msgspec import Meta, Struct

from graph.node import node
from nodes.questions.programs.facts import Facts, facts_of
from nodes.questions.programs.program import Outcome, Runner, disagreement
from nodes.questions.programs.sandbox import Limits
from nodes.questions.question import Question, Questions
from nodes.questions.thresholds import Thresholds
from nodes.questions.view import Rule, SceneView
from nodes.scenes.sample import Sample
from nodes.scenes.scene import Scene


class Verify(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `qa.verify`; distance rule and thresholds as the questions were made with."""

    distance: Annotated[Rule, Meta(description="between boxes: exact, or as VSI-Bench samples them")] = "exact"
    thresholds: Thresholds = Thresholds()
    limits: Limits = Limits()


@node(
    "qa.verify",
    version=1,
    each="questions",
    packages=("pydantic-monty", "numpy", "scipy"),
    depends=["programs/api/*.py"],
)
def verify(questions: Questions, scenes: Scene | None, *, params: Verify) -> Questions:
    """Return the questions of one scene whose programs say their answers; `dropped` tells of the others by id."""
    kept, dropped = [], {}
    for row, reason in check(questions.rows, scenes, params):
        if reason:
            dropped[row.id] = reason
        else:
            kept.append(row)
    return questions.with_rows(kept, dropped)


def check(rows: Sequence[Question], scene: Scene | None, params: Verify) -> Iterator[tuple[Question, str]]:
    """Yield each question with what is wrong with it, `reason: detail`; empty if its program says its answer."""
    found: dict[int, str] = {}
    groups: dict[tuple[int, ...], list[int]] = {}
    for k, row in enumerate(rows):
        if not row.scene and not row.program:
            found[k] = ""  # a general question: nothing of it can be measured
        elif wrong := _elsewhere(row, scene):
            found[k] = wrong
        else:
            groups.setdefault(row.frames, []).append(k)
    if scene is not None:
        for members, outcomes in zip(groups.values(), _run(scene, rows, groups, params), strict=True):
            found.update({k: _wrong(outcome, rows[k]) for k, outcome in zip(members, outcomes, strict=True)})
    yield from ((row, found[k]) for k, row in enumerate(rows))


def _elsewhere(row: Question, scene: Scene | None) -> str:
    """Tell why a question is not about this scene as it is recorded here; empty if it is."""
    if scene is None or row.scene != scene.id:
        return f"scene: {row.scene!r} is not among the scenes"
    held = (scene.frames.digest or "") if scene.has_frames else ""
    if held and not row.frames:
        return "frames: it shows none"
    if row.frames_digest and held and row.frames_digest != held:
        return f"frames: asked of {row.frames_digest[:12]}, the scene has {held[:12]}"
    return ""


def _run(
    scene: Scene, rows: Sequence[Question], groups: Mapping[tuple[int, ...], list[int]], params: Verify
) -> list[list[Outcome]]:
    """Return the outcomes of the questions `rows[k]`, by the frames that they show."""
    views: list[tuple[Facts, list[str]]] = []
    broken: dict[int, str] = {}
    for n, (shown, members) in enumerate(groups.items()):
        programs = [rows[k].program for k in members]
        try:
            view = SceneView(scene, params.thresholds, Sample(scene.id, "", shown), params.distance)
            views.append((facts_of(view, programs), programs))
        except ValueError as error:
            broken[n] = str(error)
            views.append(({}, []))
    with Runner(params.limits) as runner:
        outcomes = runner.run(views)
    for n, members in enumerate(groups.values()):
        if n in broken:
            outcomes[n] = [Outcome(reason="frames", detail=broken[n])] * len(members)
    return outcomes


def _wrong(outcome: Outcome, row: Question) -> str:
    if outcome.value is None:
        return f"{outcome.reason}: {outcome.detail}"
    said = disagreement(outcome.value, row)
    return f"answer: {said}" if said else ""
