"""Reports: one or two runs as one HTML file that a browser shows without anything else.

The engine tells what was asked, what it took, and draws the graph. What artifacts say is told by sections: functions of
the entry-point group `dataflow.section`, each of which gets a `Material` and returns a `Section` or None. A section
that fails says so in the page's head; what is gone from the store is listed, and the rest is drawn.

All text on the page is escaped, and the page's own policy lets no script run but its own: one library for charts
(Vega-Lite, which compiles its expressions: hence 'unsafe-eval'), and a few lines that draw charts as they come into
view and filter cards.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from graph.accounts import Account, account, total
from graph.errors import ExportError
from graph.estimate import seconds_text
from graph.history import Past
from graph.labels import split_label
from graph.overview import Arrow, Box, Overview
from graph.registry import find_target, load_object, registered
from graph.runs import End, Root, Runs
from store.artifact import Artifact
from store.errors import StoreError, one_line
from store.open import Store, type_name

A = TypeVar("A", bound=Artifact)
GROUP = "dataflow.section"
TEMPLATE = Path(__file__).with_name("report.html.j2")
STATES = {"hit": "found in the store", "will run": "executed", "may run": "failed, or not reached"}


class Given(msgspec.Struct, frozen=True):
    """What one instance of a run gave. `run` is 0, or 1 in the second of two."""

    run: int
    label: str
    node: str
    variant: str
    round: int | None
    type: str
    digest: str


class Section(Protocol):
    """One part of the page, in the order of `order`: `html` is markup, `charts` are Vega-Lite specs by the id of the
    element that each fills."""

    @property
    def title(self) -> str: ...
    @property
    def order(self) -> int: ...
    @property
    def html(self) -> str: ...
    @property
    def charts(self) -> Mapping[str, dict[str, Any]]: ...


class Material:
    """What sections read: everything that the runs gave, opened when asked for; `gone` says what is not there."""

    def __init__(self, store: Store, pasts: Sequence[Past]) -> None:
        self._store, self._pasts = store, pasts
        self.gone: dict[str, str] = {}
        self.runs = [past.run for past in pasts]
        self._given: list[Given] = []
        for run, past in enumerate(pasts):
            for label, event in past.outcomes.items():
                if event.output:
                    self._note(run, label, event.output)

    def of(self, cls: type[Artifact]) -> list[Given]:
        """Return what is of a type, producers before consumers."""
        name = type_name(cls)
        return [given for given in self._given if given.type == name]

    def open(self, given: Given, cls: type[A]) -> A | None:
        """Return an artifact, None if it is gone or damaged, which the page then says."""
        return self._open(given.label, given.digest, cls)

    def input(self, given: Given, name: str, cls: type[A]) -> A | None:
        """Return what an instance read by the name of its function's parameter, None if that is not known or gone."""
        digest = self.read(given, name)
        return self._open(f"{name} of {given.label}", digest, cls) if digest else None

    def read(self, given: Given, name: str) -> str:
        """Return the digest of what an instance read by that name, "" if that is not known."""
        digest: str = (self._pasts[given.run].action(given.label) or {}).get("inputs", {}).get(name, "")
        return digest

    def _open(self, what: str, digest: str, cls: type[A]) -> A | None:
        try:
            return self._store.open(digest, cls)
        except StoreError as error:
            self.gone[what] = one_line(str(error))
            return None

    def _note(self, run: int, label: str, digest: str) -> None:
        try:
            kind = self._store.reader(digest).type
        except StoreError as error:
            self.gone[label] = one_line(str(error))
            return
        self._given.append(Given(run, label, *split_label(label), type=kind, digest=digest))


class Told(msgspec.Struct, frozen=True):
    """One run as the page's head tells it."""

    run: str
    root: Root
    end: End | None
    status: str
    dashboard: str
    lines: list[Account]
    sum: Account
    graph: str
    failures: list[tuple[str, str]]


def draw_report(store: Store, runs: Sequence[str], is_live: bool = False) -> str:
    """Return the page of one run, or of two side by side.

    Args:
        is_live: it is served (graph/server.py), and asks there for what is new.
    Raises:
        ExportError: the charts' library is not installed.
    """
    pasts = [Past(store, run) for run in runs]
    material = Material(store, pasts)
    sections, broken = [], {}
    for name in registered(GROUP):
        try:
            section: Section | None = load_object(*find_target(name, Path(), GROUP))(material)
        except Exception as error:  # a section of anybody's: the others are drawn
            broken[name] = one_line(f"{type(error).__name__}: {error}")
            continue
        if section is not None:
            sections.append(section)
    sections.sort(key=lambda section: (section.order, section.title))
    told = [_told(store, past) for past in pasts]
    charts = {name: chart for section in sections for name, chart in section.charts.items()}
    return _page(charts, told=told, sections=sections, broken=broken, gone=material.gone, is_live=is_live)


def _told(store: Store, past: Past) -> Told:
    runs = Runs(store)
    root, end = runs.root(past.run), runs.end(past.run)
    lines = account(store, past)
    failures = [(event.label, event.error) for event in past.outcomes.values() if event.state == "failed"]
    status = end.status if end is not None else "going on, or killed"
    return Told(
        past.run, root, end, status, runs.dashboard(past.run), lines, total(lines), _graph(past, lines), failures
    )


def _graph(past: Past, lines: Sequence[Account]) -> str:
    """Return the run's graph as SVG, a box a node: what read what is in its records, so no spec is needed."""
    import tempfile

    from graph.drawing import draw_picture

    if not lines:  # it has only begun
        return ""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.svg"
        draw_picture(overview(past, lines), path, STATES)
        text = path.read_text(encoding="utf-8")
    return text[text.index("<svg") :]


def overview(past: Past, lines: Sequence[Account]) -> Overview:
    """Return a run's graph, a box a node, from its records alone."""
    last = {split_label(label)[0]: label for label in past.outcomes}  # of the last round
    rounds = {node: split_label(label)[2] for node, label in last.items()}
    loop = f"rounds 1–{max((round for round in rounds.values() if round), default=1)}"
    boxes = [
        Box(line.node, line.kind.rpartition("/")[2], _state(line), loop if rounds[line.node] else "", False)
        for line in lines
    ]
    order = {line.node: place for place, line in enumerate(lines)}
    arrows = []
    for node, label in last.items():
        for name in (past.action(label) or {}).get("inputs", {}):
            read = [split_label(other) for other in past.reads(label, name)]
            arrows += _arrow(node, rounds[node], [(source, round) for source, _, round in read], order)
    return Overview(boxes, list(dict.fromkeys(arrows)))


def _arrow(
    node: str, round: int | None, read: Sequence[tuple[str, int | None]], order: Mapping[str, int]
) -> list[Arrow]:
    """Return the arrow of one input of a node in a round, none if nothing tells where it came from.

    Args:
        read: nodes and rounds that gave what was read; several nodes where one passed on what another gave, of which
            the last before the reader is meant.
        order: of nodes, producers before consumers.
    """
    before = [(source, turn) for source, turn in read if order[source] < order[node] and _is_now(turn, round)]
    earlier = [(source, turn) for source, turn in read if not _is_now(turn, round)]
    if not before and not earlier:
        return []
    source = max(before or earlier, key=lambda one: order[one[0]])[0]
    turns = {turn for other, turn in read if other == source and turn is not None}
    if not before:
        return [Arrow(source, node, "-1", True)]
    return [Arrow(source, node, ("all" if len(turns) > 1 else "last") if turns and round is None else "", False)]


def _is_now(turn: int | None, round: int | None) -> bool:
    return turn is None or round is None or turn == round


def _state(line: Account) -> str:
    return "may run" if line.failed else "will run" if line.executed else "hit"


def _page(charts: Mapping[str, Any], **content: Any) -> str:
    source = TEMPLATE.read_text(encoding="utf-8")
    start = source.rindex("<script>") + len("<script>")
    script = source[start : source.index("</script>", start)]
    library = _library()
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (script, library)]
    # In a script element nothing is escaped; a < could end it.
    data = json.dumps(charts, allow_nan=False).replace("<", "\\u003c")
    return render(TEMPLATE.name, hashes=hashes, library=library, charts=data, **content)


def render(template: str, **content: Any) -> str:
    """Return a template of this folder filled; all text in it is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(TEMPLATE.parent)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["seconds"] = seconds_text
    environment.filters["bytes"] = _size
    return environment.get_template(template).render(**content)


@functools.cache
def _library() -> str:
    try:
        import vl_convert
    except ImportError:
        raise ExportError("reports need the charts' library: pip install 'dataflow-spatial[report]'") from None
    bundle: str = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # its stub asks for more
    return bundle.replace("</script", "<\\/script")


def _size(n_bytes: int) -> str:
    from graph.commands.operands import size_text

    return size_text(n_bytes)
