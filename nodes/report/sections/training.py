"""Training: what the trainers logged, step after step over all rounds."""

from __future__ import annotations

from nodes.report.sections.chart import lines
from nodes.report.sections.section import Material, Section, charts_html, series
from nodes.update.update import Update

SHOWN = ("reward", "loss", "grad_norm", "learning_rate", "entropy", "frac_reward_zero_std", "mean_token_accuracy")
MOST_POINTS = 100  # of a line; longer ones are means of neighbours


def section(material: Material) -> Section | None:
    """Return the section, None where nothing was trained."""
    told: dict[str, dict[str, list[float]]] = {}
    for given in material.of(Update):
        update = material.open(given, Update)
        if update is None:
            continue
        own = told.setdefault(series(material, given), {})
        for name in SHOWN:
            own.setdefault(name, []).extend(update.log.metrics[name].tolist() if name in update.log.metrics else [])
    captions, charts = {}, {}
    for name in SHOWN:
        rows = [row for of, own in told.items() for row in _points(of, name, own[name])]
        if rows:
            captions[f"training-{name}"] = f"{name} by step"
            charts[f"training-{name}"] = lines(rows, "step", name, "update")
    return Section("Training", 40, charts_html(captions), charts) if charts else None


def _points(of: str, name: str, values: list[float]) -> list[dict]:
    each = -(-len(values) // MOST_POINTS)
    rows = []
    for start in range(0, len(values), max(1, each)):
        known = [value for value in values[start : start + each] if value == value]
        if known:
            rows.append({"step": start + 1, name: sum(known) / len(known), "update": of})
    return rows
