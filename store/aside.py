"""Setting aside: what is damaged moves to `aside/<its name>`, and before it every manifest that leads there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping

import msgspec

from store.errors import Forged, StoreError
from store.numbered import unseal
from store.objects import Found, Objects
from store.reach import Reach, read_manifest
from store.records import Record
from store.signed import open_record
from store.survey import SHAPES, Survey

PREFIX = "aside/"
NAMED = 3  # actions that are named of one problem


class Problem(msgspec.Struct):
    """Something wrong: the object, what it is, and whose it is: `toy.join (action 3fa9c1d2): values/c/0`.

    `is_aside`: it was moved to `aside/<name>`. Of a ref to what is not here nothing is moved.
    """

    name: str
    what: str
    of: list[str] = []
    is_aside: bool = False


class Aside:
    """Moves what is wrong out of the way.

    Args:
        check: (kind, object) -> what is wrong with it now, "" if nothing is.
        holds: tells whether a blob is whole under one of its two names.
    """

    def __init__(
        self,
        objects: Objects,
        survey: Survey,
        reach: Reach,
        check: Callable[[str, Found], str],
        holds: Callable[[str], bool],
    ) -> None:
        self._objects = objects
        self._survey = survey
        self._reach = reach
        self._check = check
        self._holds = holds

    def take(self, problems: list[Problem]) -> None:
        """Move all that is wrong; add to the problems the manifests that go with it."""
        manifests = self._survey.manifests
        wrong = {name: problem for problem in problems if (name := self._lost(problem.name)) is not None}
        above = self._above(set(wrong)) if wrong else set()
        _Givers(self._objects, self._survey, above | wrong.keys()).name(wrong)
        for name in self._from_the_top(above | (wrong.keys() & manifests.keys())):
            if name not in wrong:
                self._move(manifests[name].name)
                problems.append(Problem(manifests[name].name, "it leads to what is damaged", is_aside=True))
            else:
                self._move_if_wrong(wrong[name])
        for problem in problems:
            if not problem.is_aside:
                self._move_if_wrong(problem)

    def _lost(self, name: str) -> str | None:
        """Return the digest of content that is lost with an object; None if none is."""
        match = SHAPES["manifest"].fullmatch(name) or SHAPES["blob"].fullmatch(name)
        if match is None:
            return None
        digest = match["digest"]
        return None if match.re is SHAPES["blob"] and self._holds(digest) else digest

    def _above(self, wrong: set[str]) -> set[str]:
        """Return the manifests that lead there, however far above."""
        self._reach.load(self._survey.manifests)
        parents: dict[str, list[str]] = {}
        for name in self._survey.manifests:
            manifests, blobs = self._reach.below(name)
            for child in (*manifests, *(blob for blob in blobs if blob in wrong)):
                parents.setdefault(child, []).append(name)
        above: set[str] = set()
        todo = list(wrong)
        while todo:
            new = [name for name in parents.get(todo.pop(), ()) if name not in above]
            above.update(new)
            todo += new
        return above

    def _from_the_top(self, names: set[str]) -> Iterator[str]:
        for level in self._reach.levels(names):
            yield from level

    def _move_if_wrong(self, problem: Problem) -> None:
        """Move an object unless somebody has written it anew meanwhile, or nothing is gained by it."""
        kind = next(kind for kind, shape in SHAPES.items() if shape.fullmatch(problem.name))
        is_dangling = "not here" in problem.what
        if kind == "ref" and is_dangling:
            return
        if is_dangling or self._check(kind, Found(problem.name, 0, 0.0)):
            self._move(problem.name)
            problem.is_aside = True

    def _move(self, name: str) -> None:
        try:
            data = self._objects.read(name)
        except FileNotFoundError:
            return
        self._objects.write(PREFIX + name, data)
        self._objects.delete(name)


class _Givers:
    """Finds which actions gave what is wrong, and where in their outputs it stands."""

    def __init__(self, objects: Objects, survey: Survey, names: set[str]) -> None:
        self._objects = objects
        self._survey = survey
        self._inside = {name: self._entries(name, names) for name in names if name in survey.manifests}

    def name(self, wrong: Mapping[str, Problem]) -> None:
        """Say of each problem whose it is, the nearest first."""
        if not wrong:
            return
        for record in self._records():
            of = " ".join(filter(None, (record.action.get("kind", "?"), record.action.get("element"))))
            for top, what in ((record.output, of), (record.source, f"the source behind {of}")):
                for digest, path in self._paths(top, wrong):
                    wrong[digest].of.append(f"{what} (action {record.key[:8]})" + (f": {path}" if path else ""))
        for problem in wrong.values():
            problem.of = sorted(problem.of, key=lambda text: (text.count("/"), text))[:NAMED]

    def _paths(self, top: str, wrong: Mapping[str, Problem]) -> Iterator[tuple[str, str]]:
        """Yield what is wrong inside an artifact, with one path of keys to it."""
        todo, seen = [(top, "")], {top}
        while todo:
            name, path = todo.pop()
            if name in wrong:
                yield name, path
            for key, child in self._inside.get(name, ()):
                if child not in seen:
                    seen.add(child)
                    todo.append((child, "/".join(filter(None, (path, key)))))

    def _entries(self, name: str, names: set[str]) -> list[tuple[str, str]]:
        try:
            entries = read_manifest(self._objects, name)
        except (FileNotFoundError, StoreError):
            return []
        return [("" if one.kind == "part" else one.key, one.digest) for one in entries if one.digest in names]

    def _records(self) -> Iterator[Record]:
        for _, found in (one for numbers in self._survey.records.values() for one in numbers):
            try:
                payload = unseal(self._objects.read(found.name))
            except FileNotFoundError:
                continue
            with contextlib.suppress(Forged):
                record = None if payload is None else open_record(found.name, payload)
                if record is not None:
                    yield record
