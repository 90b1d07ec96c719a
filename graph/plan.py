"""The plan: what is there, what will run and why, what may run, how long that takes. Nothing is executed.

An instance whose inputs are all known is a hit, or will run. One that reads something yet to be made may run: an equal
output could stop the change before it.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from graph.change import Change, listed
from graph.estimate import estimate, seconds_text
from graph.folding import fold, relative, round_of, span_text
from graph.labels import split_label
from graph.lookup import Lookup, Work, put_collection
from graph.reasons import Reasons
from graph.rounds import Instance
from graph.run import select_until
from graph.spec import Spec
from graph.table import html_table, text_table
from store.manifest import Entry
from store.open import Store, type_name

State = Literal["hit", "will run", "may run"]
HEADER = ("node", "state", "elements", "time", "why")


class Planned(msgspec.Struct, frozen=True):
    """One instance: `elements` of a map, of which `missing` would run; `seconds` is about how long, None if unknown.

    `referring` is the reason as it holds of other rounds too, with labels as a spec refers to them.
    """

    label: str
    state: State
    reason: str = ""
    elements: int = 0
    missing: int = 0
    seconds: float | None = None
    changes: list[Change] = []
    referring: str = ""

    def row(self) -> tuple[str, ...]:
        """Return it as cells under HEADER."""
        elements = f"{self.missing} of {self.elements}" if self.missing else str(self.elements or "")
        time = "" if self.seconds is None or self.state == "hit" else seconds_text(self.seconds)
        return self.label, self.state, elements, time, self.reason


class Plan(list[Planned]):
    """The instances of a spec, producers before consumers. Prints as a table, also in notebooks."""

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return html_table(HEADER, self.rows(), self.total())

    def text(self, is_folded: bool = True) -> str:
        """Return it as a table for people."""
        return f"{text_table(HEADER, self.rows(is_folded))}\n{self.total()}"

    def rows(self, is_folded: bool = True) -> list[tuple[str, ...]]:
        """Return cells under HEADER: a row an instance, or one for all of a node's of which the same is said."""
        if not is_folded:
            return [planned.row() for planned in self]
        known = {planned.label: planned for planned in self}
        said = {planned.label: (planned.state, planned.referring) for planned in self}
        return [_folded_row(row.label, [known[label] for label in row.members]) for row in fold(said)]

    @property
    def is_hit(self) -> bool:
        """Tell whether nothing would run."""
        return all(planned.state == "hit" for planned in self)

    def total(self) -> str:
        """Return how many hit, will and may run, and about how long that takes."""
        pieces = []
        for state, summed in self._summed().items():
            known = [f"about {seconds_text(summed['seconds'])}"] if summed["unknown"] < summed["count"] else []
            unknown = [f"unknown for {summed['unknown']}"] if summed["unknown"] else []
            told = f" ({', '.join(known + unknown)})" if state != "hit" and summed["count"] else ""
            pieces.append(f"{summed['count']} {state}{told}")
        return ", ".join(pieces)

    def json(self) -> str:
        """Return it for programs: {"nodes": [{node, state, elements, missing, seconds, why, changes}], "total": ...}.

        `changes` are {part, before, after, detail} of the key; `total` has count, seconds and unknown for every state.
        """
        nodes = []
        for planned in self:
            fields: dict[str, Any] = msgspec.structs.asdict(planned)
            del fields["referring"]
            nodes.append({"node": fields.pop("label"), "why": fields.pop("reason"), **fields})
        return msgspec.json.encode({"nodes": nodes, "total": self._summed()}).decode()

    def _summed(self) -> dict[str, dict[str, Any]]:
        summed = {}
        for state in ("hit", "will run", "may run"):
            seconds = [planned.seconds for planned in self if planned.state == state]
            known = [number for number in seconds if number is not None]
            known_s = round(sum(known), 4)
            summed[state] = {"count": len(seconds), "seconds": known_s, "unknown": len(seconds) - len(known)}
        return summed


def _folded_row(label: str, members: list[Planned]) -> tuple[str, ...]:
    first = members[0]
    if len(members) == 1:
        *cells, why = first.row()
        return *cells, why if round_of(label) or not first.referring else first.referring
    known = [planned.seconds for planned in members if planned.seconds is not None]
    missing = sum(planned.missing for planned in members)
    elements = span_text(planned.row()[2] for planned in members)
    if missing:
        elements = f"{missing} of {sum(planned.elements for planned in members)}"
    time = "" if first.state == "hit" or not known else seconds_text(sum(known))
    return label, first.state, elements, time, first.referring


def make_plan(spec: Spec, store: Store, until: str | None = None) -> Plan:
    """Return what a run would do, instance by instance. Raises what `run` raises before anything runs."""
    planner = Planner(spec, store, until)
    return Plan(map(planner.plan, planner.lookup.instances.values()))


class Planner:
    """Plans instances one by one, producers before consumers; knows the reason of each that would run."""

    def __init__(self, spec: Spec, store: Store, until: str | None) -> None:
        self.lookup = Lookup(spec, store, select_until(spec, until))
        self.reasons = Reasons(store, spec.experiment.name, self.lookup)

    def plan(self, instance: Instance) -> Planned:
        """Plan one instance; all that it reads has been planned."""
        lookup, label = self.lookup, instance.label
        unknown = [read for read in instance.upstream() if read not in lookup.outputs]
        if unknown:
            own = self.reasons.partial(instance)
            text = "; ".join(filter(None, [own.text, f"reads {listed(sorted(unknown), 3)}"]))
            reads = listed(sorted(_references(instance, set(unknown))), 3)
            referring = "; ".join(filter(None, [relative(own.text, instance.round), f"reads {reads}"]))
            return Planned(label, "may run", text, 0, 0, estimate(own.records), own.changes, referring)
        if instance.node.kind is None:
            return Planned(label, "hit", seconds=0.0)
        work = self.reasons.present.works[label] = lookup.work(instance)
        record = lookup.find_whole(work)
        if record is not None:
            lookup.learn(label, record.output, record.size)
            return Planned(label, "hit", "", record.ran.get("elements", 0), seconds=0.0)
        if work.action.is_map:
            return self._plan_map(work)
        reason = self.reasons.reason(work, [])
        referring = relative(reason.text, instance.round)
        return Planned(label, "will run", reason.text, 0, 0, estimate(reason.records, 1), reason.changes, referring)

    def _plan_map(self, work: Work) -> Planned:
        entries, missing, seconds = [], [], 0.0
        for call in work.calls():
            record = self.lookup.find(call.key)
            if record is None:
                missing.append(call)
            else:
                entries.append(Entry(call.element or "", "artifact", record.output, record.size))
                seconds += record.ran.get("seconds", 0.0)
        if not missing:  # other elements of earlier maps, put together anew: nothing is executed
            self.lookup.learn(work.label, *put_collection(self.lookup.store, type_name(work.kind.output), entries))
            return Planned(work.label, "hit", "", work.total, seconds=0.0)
        reason = self.reasons.reason(work, missing)
        each = seconds / len(entries) if entries else estimate(reason.records, 1)
        about = None if each is None else each * len(missing)
        facts = work.total, len(missing), about, reason.changes, relative(reason.text, work.instance.round)
        return Planned(work.label, "will run", reason.text, *facts)


def _references(instance: Instance, labels: set[str]) -> set[str]:
    """Return how a spec refers to those of these labels that an instance reads."""
    found = set()
    for source in instance.sources.values():
        read = labels.intersection(source.labels.values())
        if source.is_rounds:
            for name, _, round in map(split_label, read):
                found.add(f"{name}[{'variants' if round is None else 'past' if instance.round else 'all'}]")
        else:
            found |= {relative(label, instance.round).partition("@")[0] for label in read}
    return found
