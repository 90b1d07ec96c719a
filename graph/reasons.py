"""Reasons: why an instance of a plan would run, told by the earlier action that its own is nearest to."""

from __future__ import annotations

from typing import Any

import msgspec

from graph.change import Change, differences, near_miss, sentence
from graph.history import History, Past
from graph.lookup import Lookup, Work
from graph.rounds import Instance
from graph.task import Call
from graph.why import Comparison
from store.errors import StoreError
from store.open import Store
from store.records import Record


class Reason(msgspec.Struct, frozen=True):
    """Why an instance would run: in one line, and the parts of its action that differ from the nearest earlier one's.

    `past` is the run of that one, `then` the label it has there; None where nothing is comparable. `records` are
    earlier ones, nearest first. `elements` are those of a map that would run, by why: new, changed, gone.
    """

    text: str
    changes: list[Change] = []
    past: Past | None = None
    then: str = ""
    records: list[Record] = []
    elements: dict[str, list[str]] = {}


class Present:
    """What a plan knows of its instances: the other side of a comparison with an earlier run."""

    def __init__(self, lookup: Lookup) -> None:
        self.works: dict[str, Work] = {}
        self._lookup = lookup

    def action(self, label: str) -> dict[str, Any] | None:
        return self.works[label].action.described() if label in self.works else None

    def output(self, label: str) -> str | None:
        return self._lookup.outputs.get(label)

    def source(self, label: str) -> str:
        return self._lookup.source

    def reads(self, label: str, name: str) -> list[str]:
        source = self._lookup.instances[label].sources.get(name)
        return list(source.labels.values()) if source is not None else []


class Reasons:
    """Finds the nearest earlier action of what a plan misses. `present` is what the plan knows so far."""

    def __init__(self, store: Store, experiment: str, lookup: Lookup) -> None:
        self.present = Present(lookup)
        self._store = store
        self._lookup = lookup
        self._history = History(store, experiment)
        self.found: dict[str, Reason] = {}
        self._comparisons: dict[str, Comparison] = {}

    def partial(self, instance: Instance) -> Reason:
        """Return what has changed of an instance whose inputs are not known yet, apart from these."""
        work = self.present.works[instance.label] = self._lookup.work(instance, is_whole=False)
        ranked = self._rank(work)
        reason = Reason("", records=[record for _, _, record in ranked])
        if ranked and ranked[0][1] == work.label:
            past = ranked[0][0]
            changes = self.comparison(past).cause(work.label).changes
            own = [change for change in changes if not change.part.startswith("input ")]
            reason = Reason(sentence(own, []), own, past, work.label, reason.records)
        self.found[work.label] = reason
        return reason

    def comparison(self, past: Past) -> Comparison:
        """Return the comparison of the plan with an earlier run."""
        if past.run not in self._comparisons:
            self._comparisons[past.run] = Comparison(self._store, past, self.present, self._lookup.instances)
        return self._comparisons[past.run]

    def reason(self, work: Work, missing: list[Call]) -> Reason:
        """Return why an instance would run; `missing` are the elements of a map that would."""
        self.found[work.label] = reason = self._reason(work, missing)
        return reason

    def _reason(self, work: Work, missing: list[Call]) -> Reason:
        label, last, ranked = work.label, self._history.last(work.label), self._rank(work)
        records = [record for _, _, record in ranked]
        is_new = not ranked or ranked[0][1] != label
        if last is not None and last.state == "failed" and (is_new or last.key in ("", work.key)):
            has_changed = last.key not in ("", work.key)  # since no record tells of a failed action, nobody knows how
            since = "has changed since it failed" if has_changed else "failed in its last run"
            return Reason(f"{since}: {last.error}", records=records)
        is_same = last is not None and bool(last.output) and last.key in ("", work.key)
        if missing and is_same and self._lookup.record(work.key) is None:
            return Reason(f"{len(missing)} of {work.total} elements have no record", records=records)
        if is_new and last is not None and last.output:
            return Reason("its record is gone", records=records)
        if not ranked:
            return Reason("never run")
        past, then, record = ranked[0]
        comparison = self.comparison(past)
        changes = comparison.cause(label, then).changes
        elements = self._group(work, record, missing, changes) if missing and not is_new else {}
        text = near_miss(changes) or sentence(changes, comparison.roots(label)) or "its output is gone or damaged"
        if elements:
            text = f"{', '.join(f'{len(names)} {why}' for why, names in elements.items())}: {text}"
        if is_new and changes and not near_miss(changes):
            telling = [change for change in changes if change.part != "seed" and not change.part.startswith("input ")]
            text = f"never run; nearest is {then}: {sentence(telling, [])}" if telling else "never run"
        return Reason(text, changes, past, then, records, elements)

    def _rank(self, work: Work) -> list[tuple[Past, str, Record]]:
        """Return the earlier actions of an instance, else of its kind, that have a record: those with the fewest
        differing parts first, then the newest."""
        action = work.action.described()
        own = [(past, work.label) for past in self._history.earlier(work.label)]
        found = self._recorded(own) or self._recorded(self._history.of_kind(work.kind.facts.kind))
        return sorted(found, key=lambda one: len(differences(one[2].action, action)))

    @staticmethod
    def _recorded(pairs: list[tuple[Past, str]]) -> list[tuple[Past, str, Record]]:
        held = [(past, label, past.record(label)) for past, label in pairs]
        return [(past, label, record) for past, label, record in held if record is not None]

    def _group(self, work: Work, record: Record, missing: list[Call], changes: list[Change]) -> dict[str, list[str]]:
        """Return the missing elements of a map by why; {} if the whole map has changed and not only its elements."""
        zipped = [name for name, source in work.instance.sources.items() if source.is_zipped]
        if not changes or not all(change.input in zipped for change in changes):
            return {}
        was: dict[str, dict[str, str]] = {}
        for name in zipped:
            digest = record.action.get("inputs", {}).get(name)
            try:
                was[name] = self._store.reader(digest).artifacts() if digest else {}
            except StoreError:
                return {}
        driving = was[work.kind.facts.each or ""]
        groups: dict[str, list[str]] = {"new": [], "changed": [], "gone": []}
        for call in missing:
            element = call.element or ""
            is_equal = all(was[name].get(element) == call.inputs[name] for name in zipped)
            groups["new" if element not in driving else "gone" if is_equal else "changed"].append(element)
        return {why: names for why, names in groups.items() if names}
