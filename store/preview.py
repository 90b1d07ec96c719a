"""Preview: what a collection would do, by node, owner and age. It writes nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping

import msgspec

from store import leftovers
from store.garbage import Doomed, Garbage
from store.gc import Collector
from store.objects import Found
from store.places import require_format
from store.roots import Clock, Lead

FATES = DELETE, CONDEMNED, CONDEMN = "would be deleted", "condemned", "would be condemned"


class Row(msgspec.Struct):
    """What one node gave that shares one fate. Ages in seconds; `due` is when gc may delete it, 0 where that is now."""

    node: str
    owner: str
    fate: str
    objects: int = 0
    bytes: int = 0
    youngest: float = float("inf")
    oldest: float = 0.0
    due: float = 0.0


Rows = dict[tuple[str, str, str], Row]
NEVER = float("inf")  # when what is in no list will go


def preview(collector: Collector, labels: Mapping[str, str]) -> list[Row]:
    """Return what is or would be condemned, and what would go now; the largest first.

    Ages are those by this machine's clock: to ask the store's own, something has to be written.

    Args:
        labels: action key -> instance, where a run that is left tells it.
    """
    require_format(collector.objects, collector.url)
    clock = Clock(time.time(), collector.keep_s, collector.grace_s)
    garbage = Garbage(collector.objects, clock)
    lists = collector.read_lists(garbage)
    rows: Rows = {}
    before: dict[str, float] = {}
    due: dict[str, float] = {}
    for at, listed in lists.items():
        found = garbage.survey.lists[at]
        before.update(dict.fromkeys(listed.names, listed.before))
        due.update(dict.fromkeys(listed.names, found.modified + clock.grace_s))
    doomed = garbage.find(lambda found: found.modified < before.get(found.name, float("-inf")))
    _add(rows, garbage, doomed, due, labels)
    fresh = garbage.find(lambda found: not clock.is_young(found))
    _add(rows, garbage, _without(garbage, fresh, before), due, labels)
    for found in (found for batch in leftovers.find(garbage) for found in batch if not clock.is_young(found)):
        _count(rows, f"(old {found.name.partition('/')[0]})", "", found, clock.now, None)
    return sorted(rows.values(), key=lambda row: -row.bytes)


def _add(rows: Rows, garbage: Garbage, doomed: Doomed, due: Mapping[str, float], labels: Mapping[str, str]) -> None:
    """Count what is doomed, each object to the first record that leads to it."""
    now = garbage.clock.now
    objects = {name: [garbage.survey.manifests[name]] for name in doomed.manifests}
    for found in doomed.blobs:
        objects.setdefault(found.name.rpartition("/")[2].removesuffix(".zst"), []).append(found)

    def count(node: str, owner: str, found: Found) -> None:
        _count(rows, node, owner, found, now, due.get(found.name, NEVER))

    for lead in (lead for leads in doomed.records for lead in leads):
        node, owner = _name(lead, labels), lead.owner
        count(node, owner, lead.found)
        inside: set[str] = set()
        garbage.reach.closure([*lead.outputs, *lead.beside], inside)
        for found in (found for name in inside for found in objects.pop(name, ())):
            count(node, owner, found)
    for found in (found for names in objects.values() for found in names):
        count("", "", found)


def _count(rows: Rows, node: str, owner: str, found: Found, now: float, due: float | None) -> None:
    fate = CONDEMN if due == NEVER else DELETE if due is None or due <= now else CONDEMNED
    row = rows.setdefault((node, owner, fate), Row(node, owner, fate))
    row.objects += 1
    row.bytes += found.size
    row.youngest = min(row.youngest, now - found.modified)
    row.oldest = max(row.oldest, now - found.modified)
    row.due = max(row.due, due or 0.0) if fate == CONDEMNED else 0.0


def _name(lead: Lead, labels: Mapping[str, str]) -> str:
    return labels.get(lead.found.name.split("/")[2]) or lead.kind or "?"


def _without(garbage: Garbage, doomed: Doomed, listed: Mapping[str, float]) -> Doomed:
    records = [[lead for lead in leads if lead.found.name not in listed] for leads in doomed.records]
    manifests = {name for name in doomed.manifests if garbage.survey.manifests[name].name not in listed}
    return Doomed(records, manifests, [found for found in doomed.blobs if found.name not in listed])
