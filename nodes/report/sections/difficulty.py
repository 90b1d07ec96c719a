"""Difficulty: pass rates by round, how the question mix moved, learning progress by cell, and calibration."""

from __future__ import annotations

from collections import Counter

from nodes.feedback.progress import CellProgress
from nodes.probe.probe import Probe
from nodes.questions.question import Questions, cell_of
from nodes.report.sections.chart import diagonal, heat, lines, shares
from nodes.report.sections.section import Material, Section, charts_html, render, series
from store.collection import Collection

BINS = 10


def section(material: Material) -> Section | None:
    """Return the section, None where nothing was probed or asked in rounds."""
    captions: dict[str, str] = {}
    charts: dict[str, dict] = {}
    for name, caption, chart in (
        *_pass_rates(material),
        *_mixes(material),
        *_progress(material),
        *_calibration(material),
    ):
        captions[name], charts[name] = caption, chart
    if not charts:
        return None
    return Section("Difficulty", 30, charts_html(captions) + render("signals.html.j2", rows=_signals(material)), charts)


def _probes(material: Material) -> list[tuple[str, int | None, Probe]]:
    found = [(given, material.open(given, Probe)) for given in material.of(Probe)]
    return [(series(material, given), given.round, probe) for given, probe in found if probe is not None]


def _pass_rates(material: Material):
    by_series: dict[str, list[dict]] = {}
    for name, round, probe in _probes(material):
        counts = Counter(
            min(BINS - 1, int(row.pass_rate * BINS)) for row in probe.rows if row.pass_rate == row.pass_rate
        )
        by_series.setdefault(name, []).extend(
            {
                "round": round or 0,
                "pass rate": f"{b / BINS:.1f}-{(b + 1) / BINS:.1f}",
                "share": counts[b] / counts.total(),
            }
            for b in range(BINS)
            if counts
        )
    for number, (name, rows) in enumerate(by_series.items()):
        yield (
            f"pass-rates-{number}",
            f"Pass rate of {name}, shares of each round",
            heat(rows, "round", "pass rate", "share"),
        )


def _mixes(material: Material):
    by_series: dict[str, list[dict]] = {}
    for given in material.of(Collection[Questions]):
        if given.round is None:
            continue
        pool = material.open(given, Collection[Questions])
        if pool is None:
            continue
        counts = Counter(cell_of(row.task, row.template) for scene in pool for row in pool[scene].rows)
        by_series.setdefault(series(material, given), []).extend(
            {"round": given.round, "cell": cell, "questions": n} for cell, n in sorted(counts.items())
        )
    for number, (name, rows) in enumerate(by_series.items()):
        yield f"mix-{number}", f"Questions of {name} by cell", shares(rows, "round", "questions", "cell")


def _progress(material: Material):
    last = {series(material, given): given for given in material.of(CellProgress)}  # holds all rounds before it
    for number, (name, given) in enumerate(last.items()):
        learned = material.open(given, CellProgress)
        if learned is None:
            continue
        rows = [
            {"round": round, "over chance": value, "cell": row.cell}
            for row in learned.rows
            for round, value in enumerate(row.means, start=1)
        ]
        yield f"progress-{number}", f"What {name} knows of each cell", lines(rows, "round", "over chance", "cell")


def _calibration(material: Material):
    last = {name: probe for name, _, probe in _probes(material)}
    for number, (name, probe) in enumerate(last.items()):
        rows = [
            {"confidence": row.confidence, "accuracy": row.accuracy, "signal": row.signal, "rollouts": row.n}
            for row in probe.bins
        ]
        if rows:
            caption = f"Is {name} right as often as it is sure, in its last round"
            yield f"calibration-{number}", caption, diagonal(rows, "confidence", "accuracy", "signal", "rollouts")


def _signals(material: Material) -> list[dict]:
    last = {name: probe for name, _, probe in _probes(material)}
    return [{"of": name, "row": row} for name, probe in last.items() for row in probe.calibration]
