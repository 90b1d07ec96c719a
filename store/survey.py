"""Survey: what lies in a store, sorted by its name. What has no shape of ours is somebody else's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from store import condemned, refs
from store.numbered import NUMBER
from store.objects import Found, Objects

_NUMBER = f"(?P<n>{NUMBER.pattern})"
_NAME = f"(?P<name>{refs.NAME.pattern})"
_HEX = "(?P<ab>[0-9a-f]{2})/(?P<digest>(?P=ab)[0-9a-f]{62})"
SHAPES = {
    kind: re.compile(pattern, re.ASCII)
    for kind, pattern in {
        "blob": rf"cas/{_HEX}(\.zst)?",
        "manifest": f"manifests/{_HEX}",
        "record": f"(?P<folder>actions/{_HEX}/(?P<signer>local|[0-9a-f]{{16,128}}))/{_NUMBER}",
        "ref": f"refs/{_NAME}/{_NUMBER}",
        "run": r"runs/(?P<run>[0-9]{8}T[0-9]{9}-[0-9a-f]{4})/(?P<file>root\.json|end\.json|events-[0-9]{6}\.jsonl)",
        "pack": f"packs/{_NAME}/{_NUMBER}",
        "holder": r"leases/holders/(?P<id>[\w.-]+)",
        "lease": f"leases/(?P<key>[0-9a-f]{{64}})/{_NUMBER}",
        "list": f"condemned/(?P<time>{condemned.NAME.pattern})",
        "swept": f"condemned/(?P<time>{condemned.NAME.pattern})" + re.escape(condemned.SWEPT),
        "clock": "condemned/clock-[0-9a-f]{8}",
        "temporary": "tmp/([0-9]+-[0-9a-f]{16}-[0-9]+|[0-9a-f]{16})",
    }.items()
}
BY_FOLDER = {
    "refs": ("ref",),
    "actions": ("record",),
    "manifests": ("manifest",),
    "packs": ("pack",),
    "runs": ("run",),
    "leases": ("lease", "holder"),
    "condemned": ("list", "swept", "clock"),
    "tmp": ("temporary",),
    "cas": ("blob",),  # last: what was written meanwhile is new to this too
}


class Numbered(NamedTuple):
    """One number of a folder."""

    n: int
    found: Found


class Survey:
    """The objects of one store, as they lay when each folder was listed."""

    def __init__(self) -> None:
        self.blobs: dict[str, list[Found]] = {}  # digest -> under which of its two names
        self.manifests: dict[str, Found] = {}
        self.records: dict[str, list[Numbered]] = {}  # folder of one key and signer -> numbers, in order
        self.refs: dict[str, list[Numbered]] = {}
        self.packs: dict[str, list[Numbered]] = {}
        self.runs: dict[str, dict[str, Found]] = {}  # id -> file -> where
        self.leases: list[Found] = []
        self.holders: dict[str, Found] = {}
        self.lists: dict[str, Found] = {}
        self.swept: dict[str, Found] = {}
        self.temporary: list[Found] = []
        self.foreign: list[str] = []

    def add(self, folder: str, found: Found) -> None:
        """Sort one object in."""
        for kind in BY_FOLDER[folder]:
            match = SHAPES[kind].fullmatch(found.name)
            if match is not None:
                return self._add(kind, match.groupdict(), found)
        self.foreign.append(found.name)

    def sort(self) -> None:
        """Bring numbers in order."""
        for numbered in (self.records, self.refs, self.packs):
            for folder in numbered.values():
                folder.sort()

    def found(self) -> Iterator[Found]:
        """Yield what is addressed by content or by action: what may become garbage."""
        for folder in self.records.values():
            yield from (found for _, found in folder)
        yield from self.manifests.values()
        for names in self.blobs.values():
            yield from names

    def _add(self, kind: str, facts: dict[str, str], found: Found) -> None:
        match kind:
            case "blob":
                self.blobs.setdefault(facts["digest"], []).append(found)
            case "manifest":
                self.manifests[facts["digest"]] = found
            case "record":
                self.records.setdefault(facts["folder"], []).append(Numbered(int(facts["n"]), found))
            case "ref":
                self.refs.setdefault(facts["name"], []).append(Numbered(int(facts["n"]), found))
            case "pack":
                self.packs.setdefault(facts["name"], []).append(Numbered(int(facts["n"]), found))
            case "run":
                self.runs.setdefault(facts["run"], {})[facts["file"]] = found
            case "lease":
                self.leases.append(found)
            case "holder":
                self.holders[facts["id"]] = found
            case "list":
                self.lists[facts["time"]] = found
            case "swept":
                self.swept[facts["time"]] = found
            case _:
                self.temporary.append(found)


def take_survey(objects: Objects) -> Survey:
    """List a whole store."""
    survey = Survey()
    for folder in BY_FOLDER:
        for found in objects.walk(folder):
            survey.add(folder, found)
    survey.sort()
    return survey
