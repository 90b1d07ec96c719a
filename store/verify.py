"""Verify: read a store's bytes again, and set aside what is not what its name promises.

What is wrong goes to `aside/<its name>`, never to nothing, and with it every manifest that leads there: a manifest
that is there has all its bytes. Records stay; their output is not there any more, so the next run makes it again.
"""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable, Iterator

import msgspec

from store.aside import Aside, Problem
from store.blobs import blob_path, check_blob
from store.digest import digest
from store.errors import Forged, StoreError
from store.manifest import decode, path_of
from store.many import each
from store.numbered import unseal
from store.objects import Found, Objects
from store.packs import decode_pack
from store.places import require_format
from store.reach import Reach
from store.refs import DROPPED, PUBLISHED
from store.roots import DIGESTS
from store.signed import open_record
from store.survey import Survey, take_survey

THREADS = 8  # each holds one object and what is decompressed of it
Tell = Callable[[str, int], None]


class Report(msgspec.Struct):
    """What was read and what was wrong. `misses` counts records of which the output is not there."""

    objects: int
    checked: int
    bytes: int
    misses: int
    problems: list[Problem]


class Verifier:
    """One pass over a store, or over a sample of its objects: `sample` of them, or that share if it is below 1."""

    def __init__(
        self, objects: Objects, url: str, sample: float | None = None, tell: Tell = lambda what, n: None
    ) -> None:
        self.objects = objects
        self.url = url
        self.sample = sample
        self._tell = tell

    def verify(self) -> Report:
        """Check, and set aside. Raises Unacceptable: no store; PermissionError, Unreachable: it cannot be done."""
        require_format(self.objects, self.url)
        self._tell("listing", 0)
        survey = take_survey(self.objects)
        chosen = self._choose(survey)
        report = Report(sum(1 for _ in _all(survey)), len(chosen), sum(found.size for _, found in chosen), 0, [])
        checker = _Checker(self.objects, survey)
        self._check(checker, [pair for pair in chosen if pair[0] == "manifest"], report)
        if self.sample is None:
            checker.load_sizes()
            if (
                not survey.runs
            ):  # else it may have manifests of which the rest is in a shared store, and comes if asked for
                report.problems += checker.incomplete()
        self._check(checker, [pair for pair in chosen if pair[0] != "manifest"], report)
        report.misses = checker.misses
        if report.problems:
            Aside(self.objects, survey, checker.reach, checker.check, checker.holds).take(report.problems)
        return report

    def _choose(self, survey: Survey) -> list[tuple[str, Found]]:
        """Return what to check; two samples of one day are the same, and those of two days are not."""
        pairs = list(_all(survey))
        if self.sample is None:
            return pairs
        n = round(len(pairs) * self.sample) if self.sample < 1 else int(self.sample)
        today = datetime.datetime.now(datetime.UTC).date().toordinal()
        pairs.sort(key=lambda pair: pair[1].name)
        return random.Random(today).sample(pairs, min(max(n, 1), len(pairs)))

    def _check(self, checker: _Checker, pairs: list[tuple[str, Found]], report: Report) -> None:
        results = each(self.objects, lambda pair: checker.check(*pair), pairs, THREADS)
        for n, ((_, found), what) in enumerate(results, 1):
            self._tell("checked", n)
            if what:
                report.problems.append(Problem(found.name, what))


class _Checker:
    """Says what is wrong with one object, "" if nothing is. `misses` counts records that lead to what is not there."""

    def __init__(self, objects: Objects, survey: Survey) -> None:
        self.reach = Reach(objects, survey.manifests)
        self.misses = 0
        self._objects = objects
        self._survey = survey
        self._sizes: dict[str, int] = {}

    def check(self, kind: str, found: Found) -> str:
        """Return what is wrong with an object."""
        try:
            data = self._objects.read(found.name)
        except FileNotFoundError:
            return ""  # deleted meanwhile
        return getattr(self, f"_check_{kind}")(found.name, data)

    def load_sizes(self) -> None:
        """Learn from all manifests how large the blobs are."""
        self.reach.sizes = self._sizes
        self.reach.load(self._survey.manifests)

    def incomplete(self) -> Iterator[Problem]:
        """Yield a problem for every manifest that names what is not there."""
        there, exists = self._survey, self._objects.exists
        for name, found in there.manifests.items():
            below = self.reach.below(name)
            lost = [path_of(one) for one in below.manifests if one not in there.manifests]
            lost += [blob_path(one) for one in below.blobs if one not in there.blobs]
            # Once more, in the order in which gc deletes: it was listed while somebody wrote, or deleted.
            lost = [one for one in lost if not exists(one) and not exists(f"{one}.zst")]
            if lost and exists(found.name):
                yield Problem(found.name, f"it leads to {lost[0]}, which is not here")

    def _check_blob(self, name: str, data: bytes) -> str:
        path = name.removesuffix(".zst")
        blob = path.rpartition("/")[2]
        return check_blob(blob, data, name != path, self._sizes.get(blob))

    def _check_manifest(self, name: str, data: bytes) -> str:
        if digest(data) != name.rpartition("/")[2]:
            return "its bytes have another digest"
        try:
            decode(data)
        except StoreError as error:
            return str(error)
        return ""

    def _check_record(self, name: str, data: bytes) -> str:
        payload = unseal(data)
        if payload is None:
            return "its bytes are not those that were sealed"
        try:
            record = open_record(name, payload)
        except Forged as error:
            return str(error)
        if record is None:
            return ""  # of another version, which this one passes over
        if record.key != name.split("/")[2]:
            return f"it is the record of another action, {record.key[:12]}"
        self.misses += record.output not in self._survey.manifests and not record.withheld
        return ""

    def _check_ref(self, name: str, data: bytes) -> str:
        payload = unseal(data)
        if payload is None:
            return "its bytes are not those that were sealed"
        folder, _, n = name.removeprefix("refs/").rpartition("/")
        if int(n) != self._survey.refs[folder][-1].n:
            return ""  # nobody asks any more
        if payload == DROPPED or payload.startswith(PUBLISHED):
            return ""  # a published name may stand for what is in a shared store only
        named = [text.decode() for text in DIGESTS.findall(payload)]
        is_there = any(one in self._survey.manifests for one in named)
        return "" if is_there else f"it stands for {named[0] if named else 'nothing'}, which is not here"

    def _check_pack(self, name: str, data: bytes) -> str:
        held = decode_pack(unseal(data) or b"")
        if held is None:
            return "it is not whole"
        for inside, copy in held:
            base = inside.rpartition("/")[2]
            if inside.startswith("manifests/") and digest(copy) != base:
                return f"its copy of {inside} has another digest"
            if inside.startswith("actions/") and unseal(copy) is None:
                return f"its copy of {inside} is not whole"
        return ""

    def holds(self, name: str) -> bool:
        """Tell whether one of the two objects of a blob is whole."""
        return any(not self.check("blob", found) for found in self._survey.blobs.get(name, ()))


def _all(survey: Survey) -> Iterator[tuple[str, Found]]:
    """Yield (kind, object) of all that can be checked."""
    for kind, numbered in (("record", survey.records), ("ref", survey.refs), ("pack", survey.packs)):
        yield from ((kind, found) for numbers in numbered.values() for _, found in numbers)
    yield from (("manifest", found) for found in survey.manifests.values())
    yield from (("blob", found) for names in survey.blobs.values() for found in names)
