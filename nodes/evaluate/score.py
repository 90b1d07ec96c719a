"""`bench.score`: a benchmark's marks, of what a policy said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import nan
from typing import Annotated

from msgspec import Meta, Struct

from graph.node import Named, node
from nodes.evaluate.answers import Answers
from nodes.evaluate.benchmark import Benchmark
from nodes.evaluate.intervals import total_intervals
from nodes.evaluate.marks import Line, Mark, Marks
from nodes.probe.chance import guesses
from nodes.questions.kept import Kept
from nodes.questions.question import Question, pool_rows

LONGEST = 20_000  # characters of an answer that are read: no authors' program lets a policy say as much


class ScoreBenchmark(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `bench.score`."""

    benchmark: Annotated[Named[Benchmark], Meta(description="by name, the same as the questions'")]


@node("bench.score", version=1, packages=("numpy",))
def score(answers: Answers, questions: Kept, blind: Answers | None = None, *, params: ScoreBenchmark) -> Marks:
    """Return marks by question, and the table: each task, each template where there are several, each total.

    Args:
        questions: the benchmark as it was loaded, with what was dropped.
        blind: what the same policy said without pictures.
    Raises:
        ValueError: answers to other questions.
    """
    benchmark = params.benchmark.load()
    rows = pool_rows(questions.questions)
    marks = _marks(benchmark, rows, answers)
    blindly = [mark.official for mark in _marks(benchmark, rows, blind)] if blind is not None else [nan] * len(rows)
    tasks = Counter(row.task for row in rows)
    totals = {**{task: {task: 1.0} for task in sorted(tasks)}, **benchmark.totals(tasks)}
    lines = _lines(marks, blindly, chances(rows), [mark.task for mark in marks], totals)
    templates = Counter(mark.template for mark in marks)
    if len(templates) > 1:
        parts = {name: {name: 1.0} for name in sorted(templates)}
        lines += _lines(marks, blindly, chances(rows), [mark.template for mark in marks], parts)
    missing = Counter(row.reason for row in questions.rows)
    missing.update(why.partition(":")[0] for why in answers.dropped.values())
    return Marks(marks, lines, totals, missing, answers.contaminated)


def chances(rows: Sequence[Question]) -> list[float]:
    """Return what guessing scores at each question: 1 in k options; of numbers, the mean MRA of their task's median."""
    tasks: dict[str, list[Question]] = {}
    for row in rows:
        tasks.setdefault(row.task, []).append(row)
    found = {row.id: chance for own in tasks.values() for row, chance in zip(own, guesses(own), strict=True)}
    return [found[row.id] for row in rows]


def _marks(benchmark: Benchmark, rows: Sequence[Question], answers: Answers) -> list[Mark]:
    texts = {answer.id: answer.text for answer in answers.rows}
    if len(texts) != len(answers.rows) or texts.keys() != {row.id for row in rows}:
        both = sum(row.id in texts for row in rows)
        raise ValueError(
            f"bench.score: {len(answers.rows)} answers, {both} of them to the {len(rows)} questions; expected one each"
        )
    return [_mark(benchmark, row, texts[row.id][:LONGEST]) for row in rows]


def _mark(benchmark: Benchmark, row: Question, text: str) -> Mark:
    official = benchmark.official(text, row)
    strict = benchmark.strict(text, row)
    return Mark(row.id, row.scene, row.task, row.template, float(official or 0.0), strict, official is not None)


def _lines(
    marks: Sequence[Mark],
    blind: Sequence[float],
    chance: Sequence[float],
    groups: Sequence[str],
    totals: Mapping[str, Mapping[str, float]],
) -> list[Line]:
    clusters = [mark.scene or mark.id for mark in marks]
    official = total_intervals([mark.official for mark in marks], clusters, groups, totals)
    strict = total_intervals([mark.strict for mark in marks], clusters, groups, totals)
    sizes = Counter(groups)

    def plain(values: Sequence[float], weights: Mapping[str, float]) -> float:
        sums: dict[str, float] = dict.fromkeys(sizes, 0.0)
        for group, value in zip(groups, values, strict=True):
            sums[group] += value
        return sum(weight * sums[group] / sizes[group] for group, weight in weights.items() if group in sizes)

    return [
        Line(
            name,
            sum(sizes[group] for group in weights),
            *official[name],
            *strict[name],
            chance=plain(chance, weights),
            blind=plain(blind, weights),
            unread=sum(not mark.is_read and group in weights for mark, group in zip(marks, groups, strict=True)),
        )
        for name, weights in totals.items()
    ]
