"""qa.synthesize: questions on one scene, each with the program and the margin of its answer.

The mix is equal by task, or follows the weights that last round's feedback gives to cells (task x template); what a
cell cannot give is taken from the others. Every task draws from a generator of its own, seeded by the node's seed and
its name, and every id is a digest of what is asked: a question that is asked before and after a change of tasks or
budget keeps its id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Annotated, TypeAlias

from msgspec import Meta, Struct

from graph.node import Named, node
from nodes.feedback.compile import SceneFeedback
from nodes.questions.draft import Chooser, Draft
from nodes.questions.question import Questions, cell_of
from nodes.questions.quota import quotas
from nodes.questions.task import Task, facts_of, named
from nodes.questions.thresholds import Thresholds
from nodes.questions.view import Rule, SceneView
from nodes.scenes.sample import Sample
from nodes.scenes.scene import Scene

if TYPE_CHECKING:
    import numpy as np


Cell: TypeAlias = tuple[str, str]
"""A task and one of its templates."""
IMAGE_TASKS = named("image", "exists", "count", "closer", "taller", "further_left")


class Synthesize(Struct, frozen=True, forbid_unknown_fields=True):
    """What to ask of every scene."""

    tasks: Annotated[tuple[Named[Task], ...], Meta(min_length=1, description="task names")] = IMAGE_TASKS
    per_scene: Annotated[int, Meta(ge=1, description="without feedback", extra={"unit": "questions"})] = 24
    per_frame: Annotated[
        int,
        Meta(ge=0, description="image tasks: on every frame, instead of per_scene", extra={"unit": "questions"}),
    ] = 0
    distance: Annotated[Rule, Meta(description="between boxes: exact, or as VSI-Bench samples them")] = "exact"
    thresholds: Thresholds = Thresholds()

    def __post_init__(self) -> None:
        names = [task.name for task in self.tasks]
        if len(set(names)) < len(names):
            raise ValueError(f"tasks = {names}: a task stands twice")
        for name, function in self.functions().items():
            if self.per_frame and facts_of(function).shows != "image":
                raise ValueError(
                    f"per_frame = {self.per_frame}: task {name!r} shows several frames, need image tasks alone"
                )

    def functions(self) -> dict[str, Task]:
        """Return the tasks by the names they go by in questions and feedback."""
        loaded = [task.load() for task in self.tasks]
        return {facts_of(function).name: function for function in loaded}


@node("qa.synthesize", version=2, each="scenes", packages=("numpy", "scipy"))
def synthesize(
    scenes: Scene, sample: Sample | None, feedback: SceneFeedback | None, *, params: Synthesize, seed: int
) -> Questions:
    """Make questions on one scene.

    Args:
        scenes: the scene.
        sample: the frames that are shown; all where there is none.
        feedback: its budget replaces `per_scene`; its weights set the mix: cells it does not name get a mean weight.
    Raises:
        ValueError: feedback has a weight below 0, or comes with `per_frame`; the sample is of
            another scene.
    """
    if feedback is not None and params.per_frame:
        where = f"scene {scenes.id!r}"
        raise ValueError(
            f"{where}: feedback has a budget, per_frame = {params.per_frame} another; expected one of them"
        )
    functions = params.functions()
    view = SceneView(scenes, params.thresholds, sample, params.distance)
    dropped = {}
    for name in list(functions):
        if lacking := sorted(view.lacks & set(facts_of(functions[name]).needs)):
            dropped[name] = f"needs {', '.join(lacking)}"
            del functions[name]
    budget = feedback.budget if feedback else params.per_scene
    limit = params.per_frame * view.n_frames or budget
    choosers = {name: _chooser(view, functions, name, limit, seed) for name in functions}
    cells = [(name, template) for name in functions for template in choosers[name].templates()]
    weights = cell_weights(cells, feedback.weights if feedback else {}, f"scene {scenes.id!r}")
    drawn: list[Draft] = []
    if params.per_frame:
        for row, frame in enumerate(view.shown):
            turn = list(functions)[row % len(functions) :]  # the odd question goes to another task on every frame
            order = sorted(cells, key=lambda cell: cell[0] not in turn)
            drawn += _draw(choosers, params.per_frame, weights, order, frame)
    else:
        lot = {name: float(generator(seed, f"mix/{name}").random()) for name in functions}
        drawn = _draw(choosers, budget, weights, sorted(cells, key=lambda cell: lot[cell[0]]))
    frames = scenes.frames if scenes.has_frames else None
    digest = frames.digest or "" if frames else ""
    return Questions(
        [choosers[draft.task].question(draft, view, digest) for draft in drawn], frames, dropped, view.ambiguous
    )


def cell_weights(cells: Sequence[Cell], weights: Mapping[str, int], where: str) -> dict[Cell, int]:
    """Return a weight for every cell: the given one, else the mean of its task's, else of all; 1 if none is above 0.

    Raises:
        ValueError: a weight below 0; `where` starts the text.
    """
    for name, weight in weights.items():
        if weight < 0:
            raise ValueError(f"{where}: feedback weighs {name} {weight}, expected 0 or more")
    given = {cell: weights[cell_of(*cell)] for cell in cells if cell_of(*cell) in weights}
    if not any(given.values()):
        return dict.fromkeys(cells, 1)
    found = {}
    for cell in cells:
        known = [weight for (task, _), weight in given.items() if task == cell[0]] or list(given.values())
        found[cell] = given.get(cell, max(1, round(sum(known) / len(known))))
    return found


def generator(seed: int, purpose: str) -> np.random.Generator:
    """Return the generator (PCG64) that belongs to a seed and a purpose alone."""
    import numpy as np

    return np.random.Generator(np.random.PCG64([seed, *purpose.encode()]))


def _chooser(view: SceneView, functions: dict[str, Task], name: str, limit: int, seed: int) -> Chooser:
    """Return the chooser of a task; tasks begin at different frames, so that a few questions spread over many."""
    rng = generator(seed, name)
    shared = generator(seed, "frames").permutation(view.n_frames)
    place = list(functions).index(name) * max(1, view.n_frames // len(functions))
    order = ((shared + place) % max(1, view.n_frames)).tolist()
    rank: dict[tuple[int, ...], int] = {(frame,): order[row] for row, frame in enumerate(view.shown)}
    return Chooser(functions[name](view, limit, rng), rank, rng)


def _draw(
    choosers: dict[str, Chooser], n: int, weights: dict[Cell, int], order: list[Cell], frame: int | None = None
) -> list[Draft]:
    """Draw n questions over all cells, on one frame if it is given, in turns; `order` settles who gets the odd one.

    A cell that asks again in other words is reached where nothing else is left, whatever its weight.
    """
    share = dict.fromkeys(order, 0)
    for reserve in (1, 2):  # the same question in other words only where nothing else is left
        left = {cell: choosers[cell[0]].count(cell[1], frame, reserve) - share[cell] for cell in order}
        more = quotas(n - sum(share.values()), weights, left, order)
        share = {cell: share[cell] + more[cell] for cell in order}
    by_cell = [choosers[task].draw(template, share[task, template], frame) for task, template in order]
    return [draft for turn in zip_longest(*by_cell) for draft in turn if draft is not None]
