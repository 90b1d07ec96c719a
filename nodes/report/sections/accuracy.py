"""Accuracy: by round with intervals, blind and in the old style beside it; by task; and every evaluation as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nodes.evaluate.scores import Scores
from nodes.report.curve import Curve
from nodes.report.sections.chart import lines
from nodes.report.sections.section import MOST_SERIES, Given, Material, Section, charts_html, render, series


def section(material: Material) -> Section | None:
    """Return the section, None where nothing was evaluated."""
    found = [(given, material.open(given, Scores)) for given in material.of(Scores)]
    scored = [(given, scores) for given, scores in found if scores is not None]
    captions, charts = {}, {}
    if curves := _curves(material):
        captions["accuracy-curve"] = "Accuracy by round, with 95 % intervals by scene; round 0 is before the loop"
        charts["accuracy-curve"] = lines(curves, "round", "accuracy", "line", ("low", "high"))
    inside = [(given, scores) for given, scores in scored if given.round is not None]
    if len({series(material, given) for given, _ in inside}) > MOST_SERIES:
        captions["accuracy-arms"] = "Accuracy by round, means of the variants that are alike up to the first comma"
        charts["accuracy-arms"] = lines(_means(material, inside), "round", "accuracy", "variants")
    elif inside:
        tasks = [
            {"round": given.round, "accuracy": interval.mean, "task": f"{task} ({series(material, given)})"}
            for given, scores in inside
            for task, interval in scores.table.items()
            if task != "overall"
        ]
        captions["accuracy-tasks"] = "Accuracy by round and task"
        charts["accuracy-tasks"] = lines(tasks, "round", "accuracy", "task")
    if not scored and not charts:
        return None
    rows: list[dict[str, Any]] = [
        {
            "label": series(material, given),
            "round": "" if given.round is None else given.round,
            "blind": scores.is_blind,
            "questions": len(scores.rows),
            "table": scores.table,
        }
        for given, scores in scored
    ]
    names = sorted({task for row in rows for task in row["table"]}, key=lambda task: (task != "overall", task))
    return Section("Accuracy", 10, charts_html(captions) + render("accuracy.html.j2", rows=rows, tasks=names), charts)


def _means(material: Material, scored: Sequence[tuple[Given, Scores]]) -> list[dict]:
    found: dict[tuple[str, int], list[float]] = {}
    for given, scores in scored:
        arm = series(material, given).partition(",")[0]
        found.setdefault((arm, given.round or 0), []).append(scores.overall.mean)
    return [
        {"variants": f"{arm} ({len(values)})", "round": round, "accuracy": sum(values) / len(values)}
        for (arm, round), values in found.items()
    ]


def _curves(material: Material) -> list[dict]:
    rows = []
    for given in material.of(Curve):
        curve = material.open(given, Curve)
        for row in curve.rows if curve is not None else ():
            of = f" {series(material, given)}" if given.variant or len(material.runs) > 1 else ""
            told = {name: getattr(row, name) for name in ("round", "accuracy", "low", "high", "questions")}
            rows.append({**told, "line": row.line + of})
    return rows
