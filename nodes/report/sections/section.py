"""What a section is, and what it is made from; `dataflow report` finds sections in the group `dataflow.section`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from store.artifact import Artifact

A = TypeVar("A", bound=Artifact)
MOST_SERIES = 8
TEMPLATES = Path(__file__).parent
POOL_TEMPLATES = TEMPLATES.parents[1] / "questions" / "pages"


class Section(NamedTuple):
    """One part of the page: markup, and Vega-Lite specs by the id of the element that each fills."""

    title: str
    order: int
    html: str
    charts: Mapping[str, dict[str, Any]] = {}


class Given(Protocol):
    """What one instance of a run gave. `run` is 0, or 1 in the second of two."""

    run: int
    label: str
    node: str
    variant: str
    round: int | None
    digest: str


class Material(Protocol):
    """Everything that one run gave, or two: what is gone is noted, and opens as None."""

    runs: Sequence[str]

    def of(self, cls: type[Artifact]) -> Sequence[Any]:
        """Return a Given for all that is of a type, producers before consumers."""

    def open(self, given: Any, cls: type[A]) -> A | None:
        """Return an artifact."""

    def input(self, given: Any, name: str, cls: type[A]) -> A | None:
        """Return what an instance read by the name of its function's parameter."""

    def read(self, given: Any, name: str) -> str:
        """Return the digest of that, "" if it is not known."""


def series(material: Material, given: Given) -> str:
    """Return what a line of a chart is called: node, variant, and which of two runs."""
    variant = f"@{given.variant}" if given.variant else ""
    return f"{given.node}{variant}{'' if len(material.runs) == 1 else ', ' + 'AB'[given.run]}"


def shown(material: Material, given: Sequence[Any]) -> list[tuple[str, list[Any]]]:
    """Return what belongs to each line of a chart, of the first lines: an experiment may have a hundred variants."""
    by_series: dict[str, list[Any]] = {}
    for one in given:
        by_series.setdefault(series(material, one), []).append(one)
    return list(by_series.items())[:MOST_SERIES]


def render(template: str, **content: Any) -> str:
    """Return a template of this folder filled; all text in it is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader([TEMPLATES, POOL_TEMPLATES])
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(template).render(**content)


def charts_html(charts: Mapping[str, str]) -> str:
    """Return the elements that charts fill, each under its caption, by id."""
    return render("charts.html.j2", charts=charts)
