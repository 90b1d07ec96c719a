"""Difficulty: pass rates by round, how the question mix moved, learning progress by cell, and calibration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, TypeAlias

from nodes.feedback.progress import CellProgress
from nodes.probe.probe import Probe
from nodes.questions.question import Questions, cell_of, pool_rows
from nodes.report.sections.chart import diagonal, heat, lines, shares
from nodes.report.sections.section import Material, Section, charts_html, render, shown
from store.collection import Collection

Drawn: TypeAlias = tuple[str, str, dict[str, Any]]
"""A chart: the id of its element, its caption, its spec."""
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


def _probes(material: Material) -> list[tuple[str, list[tuple[int, Probe]]]]:
    """Return the probes of each series with their rounds."""
    return [
        (name, [(one.round or 0, probe) for one in own if (probe := material.open(one, Probe)) is not None])
        for name, own in shown(material, material.of(Probe))
    ]


def _pass_rates(material: Material) -> Iterator[Drawn]:
    for number, (name, probes) in enumerate(_probes(material)):
        rows = []
        for round, probe in probes:
            known = [row.pass_rate for row in probe.rows if row.pass_rate == row.pass_rate]
            counts = Counter(min(BINS - 1, int(rate * BINS)) for rate in known)
            rows += [
                {"round": round, "pass rate": f"{b / BINS:.1f}-{(b + 1) / BINS:.1f}", "share": counts[b] / len(known)}
                for b in range(BINS)
                if known
            ]
        caption = f"Pass rate of {name}, shares of each round"
        yield f"pass-rates-{number}", caption, heat(rows, "round", "pass rate", "share")


def _mixes(material: Material) -> Iterator[Drawn]:
    pools = [given for given in material.of(Collection[Questions]) if given.round is not None]
    for number, (name, own) in enumerate(shown(material, pools)):
        rows = []
        for given in own:
            pool = material.open(given, Collection[Questions])
            asked = pool_rows(pool) if pool is not None else []
            counts = Counter(cell_of(row.task, row.template) for row in asked)
            rows += [{"round": given.round, "cell": cell, "questions": n} for cell, n in sorted(counts.items())]
        yield f"mix-{number}", f"Questions of {name} by cell", shares(rows, "round", "questions", "cell")


def _progress(material: Material) -> Iterator[Drawn]:
    for number, (name, own) in enumerate(shown(material, material.of(CellProgress))):
        learned = material.open(own[-1], CellProgress)  # the last holds all rounds before it
        if learned is None:
            continue
        rows = [
            {"round": round, "over chance": value, "cell": row.cell}
            for row in learned.rows
            for round, value in enumerate(row.means, start=1)
        ]
        yield f"progress-{number}", f"What {name} knows of each cell", lines(rows, "round", "over chance", "cell")


def _calibration(material: Material) -> Iterator[Drawn]:
    for number, (name, probes) in enumerate(_probes(material)):
        rows = [
            {"confidence": row.confidence, "accuracy": row.accuracy, "signal": row.signal, "rollouts": row.n}
            for row in (probes[-1][1].bins if probes else ())
        ]
        if rows:
            caption = f"Is {name} right as often as it is sure, in its last round"
            yield f"calibration-{number}", caption, diagonal(rows, "confidence", "accuracy", "signal", "rollouts")


def _signals(material: Material) -> list[dict]:
    return [
        {"of": name, "row": row} for name, probes in _probes(material) if probes for row in probes[-1][1].calibration
    ]
