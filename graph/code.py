"""Code identity: one digest of all project code that a function may reach (graph.closure), found by reading.

What was found is remembered on disk: facts by the digest of a file's text, closures with the digests of all files that
took part in them.
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from graph.closure import Closure
from graph.errors import KindError, nearest
from graph.externals import digest_path
from graph.facts import Facts, Unreadable, read_facts
from graph.importer import is_other, use_project
from graph.importers import find_importers
from graph.memo import memo_path, write_memo
from graph.names import WHOLE
from graph.source import OURS, Project, Source
from graph.watched import ENDLESS
from store.digest import digest

READERS = (
    "watched",
    "mentions",
    "quiet",
    "stripping",
    "facts",
    "names",
    "closure",
    "code",
)  # what is found depends on their code too
BUNDLED = {*sys.stdlib_module_names, *OURS, "", "__main__"}  # no distribution brings these
T = TypeVar("T")


class Span(msgspec.Struct, frozen=True, array_like=True):
    """Where a unit stands: its digest, its file's label, its first and last line. Of a data file only the digest."""

    digest: str
    path: str
    first: int
    last: int


class Code(msgspec.Struct, frozen=True):
    """The identity of a function's code.

    `units` are by label, `nodes/select.py:band`, data files by their path; `sources` are the digests of all project
    modules that take part, `foreign` the top-level names of other modules, `absent` those that no file of the project
    takes the place of. `folders` and `files` (folder, glob) are data that counts; `.py` files are data too where
    `has_sources`.
    """

    digest: str
    units: dict[str, Span]
    sources: dict[str, str]
    foreign: tuple[str, ...]
    absent: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    has_sources: bool = False
    files: tuple[tuple[str, str], ...] = ()


_project = Project()
_codes: dict[tuple[str, str], tuple[Code, Code]] = {}  # without data, with it


def project() -> Project:
    """Return the project as this process has read it."""
    return _project


def refresh_project() -> bool:
    """Forget what was read if a file was edited since, so that the next spec is read anew; tell whether one was."""
    global _project
    importlib.invalidate_caches()
    if _project.is_current() and all(_with_data(bare).digest == code.digest for bare, code in _codes.values()):
        return False
    _project = Project()
    _codes.clear()
    return True


def settle_modules() -> None:
    """Import project modules from what was read, from now on: those that were imported from another text, and all that
    execute them, anew. Others stay what they are, since objects made by them may be about."""
    use_project(_project)
    stale = {source.module for source in list(_project.sources.values()) if is_other(source)}
    loaded = [name for name in sys.modules if _project.has(name)] if stale else []
    near = find_importers(_project, _read_facts, loaded, stale) if stale else set()
    for module in loaded:
        if module in near and _executes_any(module, stale):
            del sys.modules[module]


def read_code(module: str, attribute: str) -> Code:
    """Return the code identity of what a project module calls `attribute`.

    Raises:
        KindError: it is not there, a file is not Python, or the code runs what no text tells.
    """
    key = (module, attribute)
    if key not in _codes:
        source = _project.find(module)
        if source is None:
            raise KindError(f"{module} is no project module")
        name = digest(f"{module} {source.origin} {attribute}".encode())
        bare = _recall(Code, "code", name)
        if bare is None or not _is_valid(bare):
            bare = _find_code(source, attribute)
            _remember(bare, "code", name)
        _codes[key] = bare, _with_data(bare)
    return _codes[key][1]


def _executes_any(module: str, others: set[str]) -> bool:
    """Tell whether a project module runs any of these, or can't be read any more: its text as it is now decides."""
    closure = Closure(_project, lambda name: _read_facts(_project.sources[name]))
    try:
        closure.mark(module, [(module, WHOLE)])
    except KindError:
        return True
    return not others.isdisjoint(closure.executed)


def _is_valid(code: Code) -> bool:
    """Tell whether every file of a closure says what it said, and nothing has taken the place of what was foreign."""
    for module, held in code.sources.items():
        source = _project.find(module)
        if source is None or source.digest != held:
            return False
    return not any(_project.has(name) for name in (*code.foreign, *code.absent))


def _find_code(source: Source, attribute: str) -> Code:
    closure = Closure(_project, lambda module: _read_facts(_project.sources[module]))
    roots = [thing for thing in closure.names.find(source.module, attribute) if not isinstance(thing, str)]
    if not roots or any(index == WHOLE for _, index in roots):
        known = closure.names.of(source.module).names
        raise KindError(f"{source.origin} defines no {attribute!r} at its top level{nearest(attribute, known)}")
    closure.mark(source.module, roots)
    depends = next((found for root in roots if (found := closure.unit(root).depends) is not None), None)
    if depends is None:
        _check_hidden(closure)
    sources = {name: read.digest for name in closure.executed if (read := _project.find(name)) is not None}
    files = [(os.path.dirname(source.origin), pattern) for pattern in depends or ()]
    files += [os.path.split(_project.compiled(name)) for name in closure.executed if _project.compiled(name)]
    return Code(
        digest=_digest_closure(closure),
        units=dict(_spans(closure)),
        sources=dict(sorted(sources.items())),
        foreign=tuple(sorted(closure.foreign - BUNDLED)),
        absent=tuple(sorted(closure.absent | (closure.foreign & sys.stdlib_module_names))),
        folders=() if depends else tuple(_data_folders(closure)),
        has_sources=any(unit.mentions.names_sources for _, unit in closure.units()),
        files=tuple(files),
    )


def _digest_closure(closure: Closure) -> str:
    """Return the digest of a closure's units, in the order in which they were found, and of what refers to what.

    Neither labels nor places enter, so code that moves keeps its digest; two helpers of equal text are two.
    """
    numbers = {place: number for number, place in enumerate(closure.reached)}
    listing = []
    for place, edges in closure.reached.items():
        own: list[str | int] = ["module"]
        if place[1] != WHOLE:
            unit = closure.unit(place)
            own = [unit.exact if closure.reads_text else unit.digest]
            own += closure.moments.get(place, (0, 0)) if unit.reads else (0, 0)
        listing.append((own, [(chain, thing if isinstance(thing, str) else numbers[thing]) for chain, thing in edges]))
    return digest(msgspec.json.encode(listing))


def _check_hidden(closure: Closure) -> None:
    """Raise KindError where the code runs what no text tells."""
    remedy = "runs what no text tells: name what it reaches in the node's depends="
    for place, unit in closure.units():
        for line, text in unit.mentions.hidden:
            raise KindError(f"{_project.sources[place[0]].origin}:{line}: `{text}` {remedy}")
    for place, name in closure.hidden:
        raise KindError(f"{_project.sources[place[0]].origin}:{closure.unit(place).first}: `{name}` {remedy}")
    for module in closure.untold:
        raise KindError(f"{_project.sources[module].origin}: `import *` of a computed `__all__` {remedy}")


def _spans(closure: Closure) -> Iterator[tuple[str, Span]]:
    labels = [(f"{_project.sources[place[0]].label}:{unit.name}", place[0], unit) for place, unit in closure.units()]
    for name, module, unit in sorted(labels, key=lambda item: item[0]):
        yield name, Span(unit.digest, _project.sources[module].label, unit.first, unit.last)


def _data_folders(closure: Closure) -> Iterator[str]:
    """Yield the folders whose data files count: those of the packages of which code asks where they lie."""
    places = {place: unit.mentions.climbs for place, unit in closure.units() if unit.mentions.reads_files}
    climbs = dict(closure.located)
    for place, edges in closure.reached.items():
        for chain, thing in edges:  # `ROOT.parent`, where `ROOT` is made of `__file__`
            if thing in places and thing != place:
                words = chain.split(".")
                further = words.count("parent") + ENDLESS * words.count("parents")
                climbs[thing[0]] = max(climbs.get(thing[0], 0), places[thing] + further)
    for module in closure.located:
        depth = module.count(".") + _project.is_package(module)  # folders up to that of its top-level package
        top = module.split(".")[0]
        if climbs[module] > depth or not _project.is_package(top):
            where = _project.sources[module].origin if _project.find(module) else module
            raise KindError(
                f"{where}: it asks for files outside of its package: name those that it reads in the node's depends="
            )
        yield from _project.found[top][1] or ()


def _with_data(code: Code) -> Code:
    """Return a code whose digest holds the data files that count, as they are now. Raises KindError: there are none."""
    listing: list[tuple[str, str]] = []
    left_out = (".pyc",) if code.has_sources else (".py", ".pyc")
    for folder in dict.fromkeys(code.folders):
        paths = (path for path in Path(folder).rglob("*") if path.is_file() and path.suffix not in left_out)
        listing += [(path.relative_to(folder).as_posix(), digest_path(path)) for path in paths]
    for folder, pattern in code.files:
        named = list(Path(folder).glob(pattern))
        if not named:
            raise KindError(f"depends names {folder}/{pattern}: no such file")
        listing += [(Path(os.path.relpath(path, folder)).as_posix(), digest_path(path)) for path in named]
    if not listing:
        return code
    data = {name: Span(content, "", 0, 0) for name, content in sorted(listing)}
    whole = digest(msgspec.json.encode([code.digest, sorted(listing)]))
    return msgspec.structs.replace(code, digest=whole, units={**code.units, **data})


@functools.cache
def _read_facts(source: Source) -> Facts:
    facts = _recall(Facts, "facts", source.digest)
    if facts is None:
        try:
            facts = read_facts(source.text)
        except Unreadable as error:
            raise KindError(f"{source.origin}:{error.line}: {error}") from None
        _remember(facts, "facts", source.digest)
    return facts


def _recall(cls: type[T], family: str, name: str) -> T | None:
    try:
        with open(_memo(family, name), "rb") as file:
            return msgspec.msgpack.decode(file.read(), type=cls)
    except (OSError, msgspec.MsgspecError):
        return None


def _remember(value: Any, family: str, name: str) -> None:
    write_memo(_memo(family, name), msgspec.msgpack.encode(value))


def _memo(family: str, name: str) -> str:
    return memo_path(family, digest(f"{_readers()} {name}".encode()))


@functools.cache
def _readers() -> str:
    return digest(b"".join(Path(__file__).with_name(f"{name}.py").read_bytes() for name in READERS))
