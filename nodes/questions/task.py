"""Task families by name: `object_counting` in a spec is the entry point of that name in the group `dataflow.task`.

A task is a function that lists what may be asked of a scene:

    @task("object_counting", shows="video", needs=("boxes",))
    def object_counting(view: SceneView, limit: int, rng: np.random.Generator) -> list[Draft]: ...

`limit` is the number of questions wanted at most; a task may list more where that helps to balance, main ones first. It
stays a plain function. One of a user's own package is registered there or named as `module:function`.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, get_args

from msgspec import Struct

from graph.node import Named

if TYPE_CHECKING:
    import numpy as np

    from nodes.questions.draft import Draft
    from nodes.questions.view import SceneView

Need: TypeAlias = Literal["boxes", "area", "visibility", "frames", "instances", "depth", "poses"]
Shows: TypeAlias = Literal["video", "image", "pair"]
FACTS = "__task__"


class Task(Protocol):
    """What lists the questions that may be asked of a scene."""

    def __call__(self, view: SceneView, limit: int, rng: np.random.Generator) -> list[Draft]: ...


class TaskFacts(Struct, frozen=True):
    """What `@task` says of a function.

    `shows`: all shown frames, one, or two of them. `needs`: what a scene must have; one that lacks it is not asked.
    `visibility` is what of each object its frames show; a scene without frames is taken as seen whole.
    """

    name: str
    shows: Shows
    needs: tuple[Need, ...]


def task(name: str, *, shows: Shows, needs: tuple[Need, ...]) -> Callable[[Task], Task]:
    """Declare a function as a task; it stays as it is. Raises ValueError: no such kind of showing, or need."""
    for what, known in ((shows, get_args(Shows)), *((need, get_args(Need)) for need in needs)):
        if what not in known:
            near = get_close_matches(what, known, n=1, cutoff=0.0)
            raise ValueError(f"task {name!r}: {what!r}: expected one of {', '.join(known)}; did you mean {near[0]!r}?")

    def attach(function: Task) -> Task:
        setattr(function, FACTS, TaskFacts(name, shows, needs))
        return function

    return attach


def facts_of(function: Task) -> TaskFacts:
    """Return what `@task` says. Raises ValueError for a function that is none."""
    facts = getattr(function, FACTS, None)
    if not isinstance(facts, TaskFacts):
        raise ValueError(f"{getattr(function, '__name__', function)!r} is no task: expected a function under @task")
    return facts


def named(module: str, *names: str) -> tuple[Named[Task], ...]:
    """Return tasks of a module of ours by name, as defaults of params."""
    return tuple(Named(name, f"nodes.questions.tasks.{module}:{name}") for name in names)
