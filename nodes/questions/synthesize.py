"""qa.synthesize: questions on one scene, each with the program and the margin of its answer.

The mix is equal by task, or follows the weights of last round's feedback; what a task cannot give is taken from the
others. Every task draws from a generator of its own, seeded by the node's seed and its name, and every id is a digest
of what is asked: a question that is asked before and after a change of tasks or budget keeps its id.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from graph.node import node
from nodes.feedback import SceneFeedback
from nodes.questions.draft import Chooser, Draft
from nodes.questions.question import Questions
from nodes.questions.quota import quotas
from nodes.questions.registry import IMAGE_TASKS, TASKS, find_task
from nodes.questions.thresholds import Thresholds
from nodes.questions.view import Rule, SceneView
from nodes.scenes.scene import Scene

if TYPE_CHECKING:
    import numpy as np


class Synthesize(Struct, frozen=True, forbid_unknown_fields=True):
    """What to ask of every scene."""

    tasks: Annotated[tuple[str, ...], Meta(min_length=1, description="task names")] = tuple(IMAGE_TASKS)
    per_scene: Annotated[int, Meta(ge=1, description="without feedback", extra={"unit": "questions"})] = 24
    per_frame: Annotated[
        int,
        Meta(ge=0, description="image tasks: on every frame, instead of per_scene", extra={"unit": "questions"}),
    ] = 0
    frames: Annotated[int, Meta(ge=1, description="evenly spaced, shown for video tasks", extra={"unit": "frames"})] = 8
    distance: Annotated[Rule, Meta(description="between boxes: exact, or as VSI-Bench samples them")] = "exact"
    thresholds: Thresholds = Thresholds()

    def __post_init__(self) -> None:
        for name in self.tasks:
            find_task(name)
            if self.per_frame and name not in IMAGE_TASKS:
                raise ValueError(
                    f"per_frame = {self.per_frame}: task {name!r} shows several frames, need image tasks alone"
                )
        if len(set(self.tasks)) < len(self.tasks):
            raise ValueError(f"tasks = {list(self.tasks)}: a task stands twice")


@node("qa.synthesize", version=1, each="scenes", packages=("numpy", "scipy"))
def synthesize(scenes: Scene, feedback: SceneFeedback | None, *, params: Synthesize, seed: int) -> Questions:
    """Make questions on one scene.

    Args:
        scenes: the scene.
        feedback: its budget replaces `per_scene`; its weights set the mix: tasks it does not name get the mean weight.
    Raises:
        ValueError: feedback names no known task, has a weight below 0, or comes with `per_frame`.
    """
    where = f"scene {scenes.id!r}"
    if feedback is not None and params.per_frame:
        raise ValueError(
            f"{where}: feedback has a budget, per_frame = {params.per_frame} another; expected one of them"
        )
    weights = task_weights(params.tasks, feedback.weights if feedback else {}, where)
    view = SceneView(scenes, params.thresholds, params.frames, params.distance)
    budget = feedback.budget if feedback else params.per_scene
    limit = params.per_frame * view.n_frames or budget
    choosers = {task: _chooser(view, task, limit, seed) for task in params.tasks}
    tasks = list(params.tasks)
    drawn: list[Draft] = []
    if params.per_frame:
        for frame in range(view.n_frames):
            turn = frame % len(tasks)  # the odd question goes to another task on every frame
            drawn += _draw(choosers, params.per_frame, weights, tasks[turn:] + tasks[:turn], frame)
    else:
        lot = dict(zip(TASKS, generator(seed, "mix").permutation(len(TASKS)).tolist(), strict=True))
        drawn = _draw(choosers, budget, weights, sorted(tasks, key=lot.__getitem__))
    digest = scenes.frames.digest or ""
    return Questions([choosers[draft.task].question(draft, scenes, digest) for draft in drawn], scenes.frames)


def task_weights(tasks: tuple[str, ...], weights: dict[str, int], where: str) -> dict[str, int]:
    """Return a weight for every task: the given one, else their mean; 1 for all if none is above 0.

    Raises:
        ValueError: a weight of an unknown task, or one below 0; `where` starts the text.
    """
    for name, weight in weights.items():
        try:
            find_task(name)
        except ValueError as error:
            raise ValueError(f"{where}: feedback weighs {error}") from None
        if weight < 0:
            raise ValueError(f"{where}: feedback weighs {name} {weight}, expected 0 or more")
    given = [weights[task] for task in tasks if task in weights]
    if not any(given):
        return dict.fromkeys(tasks, 1)
    mean = max(1, round(sum(given) / len(given)))
    return {task: weights.get(task, mean) for task in tasks}


def generator(seed: int, purpose: str) -> np.random.Generator:
    """Return the generator (PCG64) that belongs to a seed and a purpose alone."""
    import numpy as np

    return np.random.Generator(np.random.PCG64([seed, *purpose.encode()]))


def _chooser(view: SceneView, task: str, limit: int, seed: int) -> Chooser:
    """Return the chooser of a task; image tasks begin at different frames, so that a few questions spread over many."""
    rng = generator(seed, task)
    shared = generator(seed, "frames").permutation(view.n_frames)
    place = list(TASKS).index(task) * max(1, view.n_frames // len(IMAGE_TASKS))
    return Chooser(find_task(task)(view, limit, rng), ((shared + place) % view.n_frames).tolist(), rng)


def _draw(
    choosers: dict[str, Chooser], n: int, weights: dict[str, int], order: list[str], frame: int | None = None
) -> list[Draft]:
    """Draw n questions over all tasks, on one frame if it is given, in turns; `order` settles who gets the odd one."""
    share = dict.fromkeys(order, 0)
    for reserve in (1, 2):  # the same question in other words only where nothing else is left
        left = {task: choosers[task].count(frame, reserve) - share[task] for task in order}
        more = quotas(n - sum(share.values()), weights, left, order)
        share = {task: share[task] + more[task] for task in order}
    by_task = [choosers[task].draw(share[task], frame) for task in order]
    return [draft for turn in zip_longest(*by_task) for draft in turn if draft is not None]
