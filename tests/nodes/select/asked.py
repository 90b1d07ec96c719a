"""Questions and probes made by hand: what a rule of selection is given, and what it gave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nodes.feedback.progress import CellProgress, CellRow
from nodes.probe.probe import Probe, ProbeRow
from nodes.questions.question import Question, QuestionPool, cell_of, pool_of, pool_rows


def ask(id: str, task: str = "closer", scene: str = "room", **fields: Any) -> Question:
    """Return a question with two words for options; the first is right."""
    facts: dict[str, Any] = {
        "place": scene, "split": "train", "frames_digest": "", "frames": (0,), "template": task, "prompt": "Which?",
        "options": ("bed", "door"), "answer": "bed", "kind": "choice", "unit": "", "program": "'bed'", "margin": 1.0,
        "chance": 0.5, "terms": "", "features": {},
    }  # fmt: skip
    return Question(id=id, scene=scene, task=task, **{**facts, **fields})


def pool(**cells: int) -> QuestionPool:
    """Return a pool with so many questions by task, `closer-0`, `closer-1` ..., on three rooms in turn."""
    return pool_of(
        ask(f"{task}-{number}", task, f"room{number % 3}") for task, count in cells.items() for number in range(count)
    )


def probe_of(questions: QuestionPool, **measures: Mapping[str, float]) -> Probe:
    """Return the probe of a pool; each measure is given by question id, 0 for the rest."""
    rows = [
        ProbeRow(q.id, q.scene, q.task, q.template, **{name: of.get(q.id, 0.0) for name, of in measures.items()})
        for q in pool_rows(questions)
    ]
    return Probe(rows)


def learned(**changes: float) -> CellProgress:
    """Return the progress of cells after two rounds."""
    return CellProgress([CellRow(cell, 16, 0.5, (0.0, change), change) for cell, change in sorted(changes.items())])


def ids(questions: QuestionPool) -> list[str]:
    """Return the ids of a pool, sorted."""
    return sorted(row.id for row in pool_rows(questions))


def counts(questions: QuestionPool) -> dict[str, int]:
    """Return how many questions there are by cell."""
    cells = sorted(cell_of(row.task, row.template) for row in pool_rows(questions))
    return {cell: cells.count(cell) for cell in cells}
