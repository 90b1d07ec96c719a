"""Garbage: what no root reaches, and in which order it may go."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from store.errors import Damaged
from store.objects import Found, Objects
from store.reach import Reach
from store.roots import Clock, Lead, find_roots, read_leads
from store.survey import take_survey


class Doomed(NamedTuple):
    """What may go: records by folder, lowest number first; manifests by digest; the objects of blobs."""

    records: list[list[Lead]]
    manifests: set[str]
    blobs: list[Found]


class Garbage:
    """What one store holds, what leads where, and from which roots."""

    def __init__(self, objects: Objects, clock: Clock) -> None:
        self.objects = objects
        self.clock = clock
        self.survey = take_survey(objects)
        self.leads = read_leads(objects, self.survey)
        self.roots = find_roots(objects, self.survey, clock)
        self.reach = Reach(objects, self.survey.manifests)

    def find(self, may_go: Callable[[Found], bool]) -> Doomed:
        """Return what may go and is reached neither from a root nor from anything that may not go.

        So a record that stays leads to its output, a manifest that stays to all its bytes.

        Raises:
            Damaged: a manifest that is reached cannot be read, so nobody knows what it leads to.
        """
        reached = self._mark(may_go)
        for name, error in self.reach.damaged.items():
            if name in reached:
                raise Damaged("manifest", name, f"{error.found}; run `dataflow verify` first")
        records = [doomed for leads in self.leads.values() if (doomed := self._doomed_records(leads, may_go, reached))]
        survey = self.survey
        manifests = {name for name, found in survey.manifests.items() if name not in reached and may_go(found)}
        unnamed = (names for digest, names in survey.blobs.items() if digest not in reached)
        return Doomed(records, manifests, [found for names in unnamed for found in names if may_go(found)])

    def _mark(self, may_go: Callable[[Found], bool]) -> set[str]:
        roots = set(self.roots.digests)
        roots.update(name for name, found in self.survey.manifests.items() if not may_go(found))
        rest = []
        for lead in (lead for leads in self.leads.values() for lead in leads):
            if self._stays(lead, may_go):
                roots.update(lead.outputs, lead.beside)
            else:
                rest.append(lead)
        reached: set[str] = set()
        while roots:
            self.reach.closure(roots, reached)
            # Of a record that stays because its output does, the source and the log stay too.
            kept = [lead for lead in rest if not reached.isdisjoint(lead.outputs)]
            rest = [lead for lead in rest if reached.isdisjoint(lead.outputs)]
            roots = {name for lead in kept for name in lead.beside} - reached
        return reached

    def _stays(self, lead: Lead, may_go: Callable[[Found], bool]) -> bool:
        is_since = lead.found.modified >= self.roots.since
        return is_since or not may_go(lead.found) or self.clock.is_kept(lead.found)

    def _doomed_records(self, leads: list[Lead], may_go: Callable[[Found], bool], reached: set[str]) -> list[Lead]:
        doomed: list[Lead] = []
        for n, lead in enumerate(leads):
            is_reached = not reached.isdisjoint(lead.outputs)
            # What may withdraw lower numbers goes after them, never before.
            is_last = lead.is_plain or len(doomed) == n
            if not is_reached and is_last and not self._stays(lead, may_go):
                doomed.append(lead)
        return doomed
