"""Code identity, coarse: one digest over all the project source that a kind could reach.

The file or package of the function counts whole, and so does, recursively, every package or module that any of its
files imports and that is not installed from elsewhere (site-packages or the standard library): `nodes`, editable
installs, a file named in the spec. An edit anywhere in there changes the key: too coarse at times, never too fine.
Sources are found by name and read as text; nothing is imported. An import whose name is computed, `exec` and the like
hide what they reach and are refused.

`graph` and `store` are not traversed: KEY_FORMAT and ARTIFACT_FORMAT stand for them. Installed distributions that
the sources import enter by name and major.minor version.
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import os
import re
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import msgspec

from graph.errors import KindError
from store.digest import digest

OURS = ("graph", "store")  # stood for by the two format numbers
# A statement begins a line, or follows ":" or ";". Text in docstrings may match too, and only makes the key coarser.
_SPACE = r"(?:[ \t\f]|\\\r?\n)"
IMPORT = re.compile(
    rf"(?:^|[;:]){_SPACE}*(?:from{_SPACE}+(\w+)[\w.]*{_SPACE}+import\b|import{_SPACE}+((?:[\w.,]|{_SPACE})+))",
    re.MULTILINE,
)
# A call that imports by name: a literal name is followed, any other is refused, and so is running text or a file.
DYNAMIC = re.compile(r"\b(?:import_module|__import__)\s*\(\s*(?:[\"'](\.*\w+)[\w.]*[\"']\s*[,)])?")
HIDDEN = re.compile(r"(?<![\w.])exec\s*\(|\b(?:spec_from_file_location|run_path|run_module)\s*\(")


class Code(msgspec.Struct, frozen=True):
    """The digest of the reachable project source, the distributions that it imports, and names that lead nowhere."""

    digest: str
    imported: tuple[str, ...]
    unknown: tuple[str, ...]


def read_code(source: Path) -> Code:
    """Return the code identity of what a file defines, as the files are now.

    Raises:
        KindError: a source imports by a computed name.
        OSError: a source cannot be read.
    """
    root = package_root(source.absolute())
    held = _read.get(root)
    if held is None or any(_stamp(path) != stamp for path, stamp in held[0].items()):
        held = _read[root] = _read_project(root)
    return held[1]


def settle_code(source: Path, code: Code) -> Code:
    """Return the code identity once the source has been imported: it may have widened the search path for imports."""
    if any(_places.__wrapped__(name) for name in code.unknown):
        _places.cache_clear()
        _read.clear()
        return read_code(source)
    return code


def versions(imported: tuple[str, ...], exact: tuple[str, ...]) -> dict[str, str]:
    """Return distribution -> version: major.minor of those imported, the whole version of those in `exact`.

    Raises:
        importlib.metadata.PackageNotFoundError: one of `exact` is not installed.
    """
    found = {name: major_minor(_version(name)) for name in imported}
    return dict(sorted({**found, **{name: _exact_version(name) for name in exact}}.items()))


def major_minor(version: str) -> str:
    """Return the first two numbers of a version: `2.13` of `2.13.0+cpu`."""
    return ".".join(version.split(".")[:2])


def package_root(path: Path) -> Path:
    """Return the outermost package folder that holds `path`, or the file itself."""
    root = path
    while (root.parent / "__init__.py").exists():
        root = root.parent
    return root


Stamps = dict[str, tuple[int, int, int] | None]
_read: dict[Path, tuple[Stamps, Code]] = {}  # package or file -> how its files looked when they were read


def _read_project(root: Path) -> tuple[Stamps, Code]:
    """Read all project source reachable from `root`: the stamps of its files and folders, and its code identity."""
    pending, seen = [root], {root}
    stamps: Stamps = {}
    pieces: set[tuple[str, str]] = set()
    names: set[str] = set()
    while pending:
        place = pending.pop()
        for path in _files(place):
            # Stamped before it is read: an edit between the two shows as a change later.
            for stamped in (path,) if path == place else (path, path.parent):
                stamps.setdefault(str(stamped), _stamp(str(stamped)))
            data = path.read_bytes()
            pieces.add((path.relative_to(place.parent).as_posix(), digest(data)))
            if path.suffix != ".py":
                continue
            for name in _imports(data, path) - names:
                names.add(name)
                fresh = [local for local in _places(name) if not _is_installed(local) and local not in seen]
                seen.update(fresh)
                pending += fresh
    installed = [name for name in sorted(names) if any(_is_installed(place) for place in _places(name))]
    text = digest(msgspec.json.encode(sorted(pieces)))
    unknown = tuple(name for name in sorted(names) if not _places(name) and name not in sys.stdlib_module_names)
    return stamps, Code(text, tuple(sorted({_distribution(name) for name in installed})), unknown)


def _stamp(path: str) -> tuple[int, int, int] | None:
    """Return what changes when a file is edited, or an entry of a folder comes or goes; None if it is gone."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _files(place: Path) -> Iterator[Path]:
    """Yield the files of a package, data files too; caches and hidden files are left out."""
    if place.is_file():
        yield place
        return
    for path in sorted(place.rglob("*")):
        parts = path.relative_to(place).parts
        if path.is_file() and not any(part == "__pycache__" or part.startswith(".") for part in parts):
            yield path


def _imports(data: bytes, path: Path) -> set[str]:
    """Return the top-level names that a source imports, by its text: also inside functions and doctests."""
    names: set[str] = set()
    text = data.decode("utf-8", "replace")
    for match in IMPORT.finditer(text):
        parts = [match[1]] if match[1] else match[2].replace("\\", " ").split(",")
        names.update(part.split()[0].split(".")[0] for part in parts if part.split())
    calls = list(DYNAMIC.finditer(text))
    for match in [*(call for call in calls if call[1] is None), *HIDDEN.finditer(text)]:
        line = text.count("\n", 0, match.start()) + 1
        raise KindError(f"{path}:{line}: runs code by a computed name, so no key can tell what it reaches")
    names.update(call[1] for call in calls)
    return {name for name in names if name not in OURS and not name.startswith(".")}


@functools.cache
def _places(name: str) -> tuple[Path, ...]:
    """Return where a top-level module lies: a file or package folder, each folder of a namespace package, or none."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return ()
    if spec is None:
        return ()
    origin = [spec.origin] if spec.origin and spec.has_location else []
    places = [Path(place) for place in spec.submodule_search_locations or origin]
    return tuple(place for place in places if _is_installed(place) or not _lies_in(place, "stdlib", "platstdlib"))


@functools.cache
def _is_installed(place: Path) -> bool:
    return _lies_in(place, "purelib", "platlib") or not {"site-packages", "dist-packages"}.isdisjoint(place.parts)


def _lies_in(place: Path, *kinds: str) -> bool:
    return any(place.is_relative_to(sysconfig.get_path(kind)) for kind in kinds)


@functools.cache
def _distribution(module: str) -> str:
    """Return the distribution that installed a top-level module: mostly its namesake."""
    try:
        return importlib.metadata.distribution(module).name.lower()
    except importlib.metadata.PackageNotFoundError:
        pass
    for found in importlib.metadata.distributions():  # a tenth of the time that packages_distributions() takes
        if module in (found.read_text("top_level.txt") or "").split():
            return found.name.lower()
    return importlib.metadata.packages_distributions().get(module, [module])[0].lower()


_exact_version = functools.cache(importlib.metadata.version)


def _version(distribution: str) -> str:
    try:
        return _exact_version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
