"""Benchmarks: marks by task and total, official and strict, with chance and blind beside them."""

from __future__ import annotations

from nodes.evaluate.compare import Differences
from nodes.evaluate.marks import Marks
from nodes.report.sections.section import Material, Section, render, series


def section(material: Material) -> Section | None:
    """Return the section, None where no benchmark was scored."""
    found = [(series(material, given), material.open(given, Marks)) for given in material.of(Marks)]
    marks = [(name, one) for name, one in found if one is not None]
    pairs = [(series(material, given), material.open(given, Differences)) for given in material.of(Differences)]
    if not marks:
        return None
    differences = [(name, one) for name, one in pairs if one is not None]
    return Section("Benchmarks", 20, render("benchmarks.html.j2", marks=marks, differences=differences))
