"""`qa.traces`: how an answer is found, as text: `<think>` with sentences and `<map>`, then `<answer>`.

Made from the question's own program: each call of the scene API becomes a sentence with the number that it measures.
For cold starts by SFT, after which rewards on format and map (SpaceR, arXiv:2504.01805) have something to build on, and
find the true map; the map stands inside the thought, since SpaceR's format is a thought and an answer with white space
between, nothing else. The pool is the one that came in, with `trace` set; questions whose programs do not say their
answers are dropped, with what is wrong with them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from graph.node import node
from nodes.questions.cells import categories_in, draw_map
from nodes.questions.programs.facts import facts_of
from nodes.questions.programs.program import Outcome, Runner
from nodes.questions.question import Question, Questions
from nodes.questions.sentences import Step, steps_of
from nodes.questions.verify import Verify, check
from nodes.questions.view import SceneView
from nodes.questions.vocabulary import shape_name
from nodes.rewards.answer import without_brackets
from nodes.scenes.sample import Sample
from nodes.scenes.scene import Scene


@node(
    "qa.traces",
    version=2,
    each="questions",
    packages=("pydantic-monty", "numpy", "scipy"),
    depends=["programs/api/*.py"],
)
def traces(questions: Questions, scenes: Scene | None, *, params: Verify) -> Questions:
    """Return the questions of one scene with their traces; `dropped` tells of those that have none, by id."""
    dropped: dict[str, str] = {}
    groups: dict[tuple[int, ...], list[Question]] = {}
    for row, wrong in check(questions.rows, scenes, params):
        if wrong or not row.program:
            dropped[row.id] = wrong or "program: it has none"
        else:
            groups.setdefault(row.frames, []).append(row)
    texts = {} if scenes is None else _texts(scenes, groups, params)
    return questions.with_rows(
        [replace(row, trace=texts[row.id]) for row in questions.rows if row.id in texts], dropped
    )


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
    cells = json.dumps(drawn, ensure_ascii=False).replace("<", "\\u003c").replace(">", "\\u003e")
    thought = [f"<map>{cells}</map>"] if drawn else []
    thought.append(without_brackets(" ".join([*told, f"The answer is {answer}{'' if answer.endswith('.') else '.'}"])))
    return f"<think>{' '.join(thought)}</think>\n<answer>{without_brackets(row.answer)}</answer>"
