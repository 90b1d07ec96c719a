"""`qa.traces`: how an answer is found, as text: `<think>` with sentences and `<map>`, then `<answer>`.

Made from the question's own program: each call of the scene API becomes a sentence with the number that it measures.
For cold starts by SFT, after which rewards on format and map (SpaceR, arXiv:2504.01805) have something to build on; the
map stands inside the thought, since SpaceR's format is a thought and an answer with white space between, nothing else.
Questions whose programs do not say their answers have no trace, and `dropped` says why.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from msgspec import Struct

from graph.node import node
from nodes.questions.cells import categories_in, draw_map
from nodes.questions.programs.facts import facts_of
from nodes.questions.programs.program import Outcome, Runner
from nodes.questions.question import Question, Questions
from nodes.questions.sentences import Step, steps_of
from nodes.questions.verify import Verify, check
from nodes.questions.view import SceneView
from nodes.questions.vocabulary import shape_name
from nodes.scenes.sample import Sample
from nodes.scenes.scene import Scene
from store.artifact import Artifact, Reader, Writer


class Trace(Struct, frozen=True):
    """The text of one question's trace: what SFT lets the policy say after the prompt."""

    id: str
    scene: str
    task: str
    text: str


class Traces(Artifact):
    """The traces of one scene's questions, in their order; `dropped` says by question id why it has none."""

    type: ClassVar[str] = "traces/1"
    plain: ClassVar[str] = "nodes.plain:write_rows"

    def __init__(self, rows: Sequence[Trace], dropped: Mapping[str, str] | None = None) -> None:
        self.rows, self.dropped = list(rows), dict(dropped or {})

    def write(self, w: Writer) -> None:
        w.attrs = {"dropped": dict(sorted(self.dropped.items()))}
        w.table("traces", self.rows, Trace)

    @classmethod
    def open(cls, r: Reader) -> Self:
        return cls(r.table("traces", Trace), r.attrs["dropped"])

    def summary(self) -> dict[str, Any]:
        return {"traces": len(self.rows), "dropped": len(self.dropped)}

    @classmethod
    def summarise(cls, entries: Mapping[str, Traces]) -> dict[str, Any]:
        scenes = list(entries.values())
        return {"traces": sum(len(s.rows) for s in scenes), "dropped": sum(len(s.dropped) for s in scenes)}


@node(
    "qa.traces",
    version=1,
    each="questions",
    packages=("pydantic-monty", "numpy", "scipy"),
    depends=["programs/api/*.py"],
)
def traces(questions: Questions, scenes: Scene | None, *, params: Verify) -> Traces:
    """Return the traces of one scene's questions."""
    checked = [
        (row, wrong or ("" if row.program else "program: it has none"))
        for row, wrong in check(questions.rows, scenes, params)
    ]
    groups: dict[tuple[int, ...], list[Question]] = {}
    for row, wrong in checked:
        if not wrong:
            groups.setdefault(row.frames, []).append(row)
    texts = {} if scenes is None else _texts(scenes, groups, params)
    made = [Trace(row.id, row.scene, row.task, texts[row.id]) for row, wrong in checked if not wrong]
    return Traces(made, {row.id: wrong for row, wrong in checked if wrong})


def _texts(scene: Scene, groups: Mapping[tuple[int, ...], list[Question]], params: Verify) -> dict[str, str]:
    """Return the traces of questions by id, all of their steps measured in one go."""
    steps = {row.id: steps_of(row.program) for rows in groups.values() for row in rows}
    views, measured = [], []
    for shown, rows in groups.items():
        expressions = list(dict.fromkeys(expression for row in rows for expression, _ in steps[row.id]))
        views.append(SceneView(scene, params.thresholds, Sample(scene.id, "", shown), params.distance))
        measured.append((facts_of(views[-1], expressions), expressions))
    with Runner(params.limits) as runner:
        outcomes = runner.run(measured)
    texts = {}
    for view, rows, (_, expressions), found in zip(views, groups.values(), measured, outcomes, strict=True):
        values = dict(zip(expressions, found, strict=True))
        texts.update({row.id: trace_text(view, row, steps[row.id], values) for row in rows})
    return texts


def trace_text(view: SceneView, row: Question, steps: Sequence[Step], found: Mapping[str, Outcome]) -> str:
    """Return a question's trace.

    Args:
        found: what became of each step's expression; what could not be measured by itself is not told.
    """
    names = set(view.labels) | {shape_name(label) for label in view.labels}
    drawn = draw_map(view, categories_in(" ".join([row.prompt, *row.options]), names))
    told = [say(value) for expression, say in steps if (value := found[expression].value) is not None]
    answer = next((text for text in row.options if text.startswith(f"{row.answer}. ")), row.answer)
    cells = _quiet(json.dumps(drawn, ensure_ascii=False), "\\u003c", "\\u003e")
    thought = [f"<map>{cells}</map>"] if drawn else []
    thought.append(_quiet(" ".join([*told, f"The answer is {answer}{'' if answer.endswith('.') else '.'}"])))
    return f"<think>{' '.join(thought)}</think>\n<answer>{_quiet(row.answer)}</answer>"


def _quiet(text: str, left: str = "(", right: str = ")") -> str:
    """Return text without angle brackets, which labels may hold and which would end a tag."""
    return text.replace("<", left).replace(">", right)
