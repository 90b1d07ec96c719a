"""Roots: what must stay, with all that it leads to.

What every ref's newest number stands for; what is named in the files of runs begun within `keep`, or that go on;
records written or found within `keep`, or since the begin of a run that goes on; and all that is younger than the
grace. Times are those of the store's own clock.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from store.many import each
from store.numbered import unseal
from store.objects import Found, Objects
from store.records import decode_record
from store.refs import PUBLISHED
from store.survey import Numbered, Survey

DIGESTS = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


class Clock(NamedTuple):
    """Now, how long runs and records are kept, and the grace; in seconds."""

    now: float
    keep_s: float
    grace_s: float

    def is_young(self, found: Found) -> bool:
        """Tell whether an object is younger than the grace."""
        return found.modified >= self.now - self.grace_s

    def is_kept(self, found: Found) -> bool:
        """Tell whether an object is young enough to be kept for its own sake."""
        return found.modified >= self.now - self.keep_s or self.is_young(found)


class Lead(NamedTuple):
    """A record, and what it leads to: the digests of its output, and beside it of its source and its log.

    `is_plain`: it was understood. Of another (a withdrawal, one of another version) all digests in it count.
    """

    n: int
    found: Found
    outputs: tuple[str, ...]
    beside: tuple[str, ...] = ()
    is_plain: bool = False
    kind: str = ""
    element: str = ""
    owner: str = ""


class Roots(NamedTuple):
    """What was found: digests that must stay, the runs whose files stay, and since when all records do."""

    digests: set[str]
    runs: set[str]
    since: float


def find_roots(objects: Objects, survey: Survey, clock: Clock) -> Roots:
    """Return the roots of a store, except young objects."""
    digests, runs, since = _of_refs(objects, survey), set(), float("inf")
    named = digests.copy()
    for run, files in survey.runs.items():
        goes_on = "end.json" not in files and _is_recent(files, clock)
        if goes_on:
            since = min(since, _begun(files))
        if goes_on or _is_recent(files, clock):
            runs.add(run)
        elif "end.json" in files and named & _digests_in(objects, [files["end.json"]]):
            runs.add(run)  # that of a ref
    digests |= _digests_in(objects, [found for run in runs for found in survey.runs[run].values()])
    return Roots(digests, runs, since)


def read_leads(objects: Objects, survey: Survey) -> dict[str, list[Lead]]:
    """Read all records: folder of one key and signer -> what its numbers lead to, in order."""
    one_by_one = [(folder, one) for folder, numbers in survey.records.items() for one in numbers]
    leads: dict[str, list[Lead]] = {}
    for (folder, _), lead in each(objects, lambda item: _read_lead(objects, *item), one_by_one):
        if lead is not None:
            leads.setdefault(folder, []).append(lead)
    for numbers in leads.values():
        numbers.sort()
    return leads


def _read_lead(objects: Objects, folder: str, numbered: Numbered) -> Lead | None:
    n, found = numbered
    try:
        payload = unseal(objects.read(found.name))
    except FileNotFoundError:
        return None
    if payload is None:  # torn: it leads nowhere, and keeps its number
        return Lead(n, found, ())
    _, _, key, signer = folder.split("/")
    # Whoever signed it: a record that nobody believes yet is no garbage.
    record = decode_record(payload if signer == "local" else payload.partition(b"\n")[2])
    if record is None:
        named = {text.decode() for text in DIGESTS.findall(payload)} - {key, signer}
        return Lead(n, found, tuple(named))
    log = record.ran.get("log")
    beside = [record.source] if record.source else []
    beside += [log[0]] if log else []
    kind, element = record.action.get("kind", ""), record.action.get("element") or ""
    owner = record.ran.get("host", "") if signer == "local" else signer[:12]
    return Lead(n, found, (record.output,), tuple(beside), True, kind, element, owner)


def _of_refs(objects: Objects, survey: Survey) -> set[str]:
    digests: set[str] = set()
    for _, found in each(objects, lambda numbers: _newest_digests(objects, numbers), survey.refs.values()):
        digests |= found
    return digests


def _newest_digests(objects: Objects, numbers: list[Numbered]) -> set[str]:
    """Return what the newest whole number names; a signed one names its signer too, which leads nowhere.

    Of a published name the first number counts, so that is read too.
    """
    newest = next(filter(None, (_read_payload(objects, found) for _, found in reversed(numbers))), b"")
    first = _read_payload(objects, numbers[0].found) if len(numbers) > 1 else None
    told = newest + first if first is not None and first.startswith(PUBLISHED) else newest
    return {text.decode() for text in DIGESTS.findall(told)}


def _read_payload(objects: Objects, found: Found) -> bytes | None:
    try:
        return unseal(objects.read(found.name))
    except FileNotFoundError:
        return None


def _digests_in(objects: Objects, files: list[Found]) -> set[str]:
    """Return all that looks like a digest: outputs, logs, and in the spec's text stored artifacts."""
    digests: set[str] = set()
    for _, found in each(objects, lambda file: _read_digests(objects, file.name), files):
        digests |= found
    return digests


def _read_digests(objects: Objects, name: str) -> set[str]:
    try:
        return {text.decode() for text in DIGESTS.findall(objects.read(name))}
    except FileNotFoundError:
        return set()


def _begun(files: dict[str, Found]) -> float:
    root = files.get("root.json")
    return root.modified if root is not None else min(found.modified for found in files.values())


def _is_recent(files: dict[str, Found], clock: Clock) -> bool:
    return _begun(files) >= clock.now - clock.keep_s or any(clock.is_young(found) for found in files.values())
