"""Code identity, coarse: one digest over all the project source that a kind could reach.

The file or package of the function counts whole, and so does, recursively, every package or module that any of its
files imports and that is not installed from elsewhere (site-packages or the standard library): `nodes`, editable
installs, a file named in the spec. An edit anywhere in there changes the key: too coarse at times, never too fine.
Sources are found by name and read as text; nothing is imported.

`graph` and `store` are not traversed: KEY_FORMAT and ARTIFACT_FORMAT stand for them. Installed distributions that
the sources import enter by name and major.minor version.
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import re
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import msgspec

from store.digest import digest

OURS = ("graph", "store")  # stood for by the two format numbers
IMPORT = re.compile(rb"^[ \t]*(?:from[ \t]+(\w+)[\w.]*[ \t]+import|import[ \t]+([\w., \t]+))", re.MULTILINE)


class Code(msgspec.Struct, frozen=True):
    """The digest of the reachable project source, and the versions of the distributions it imports."""

    digest: str
    packages: dict[str, str]


def read_code(source: Path, packages: tuple[str, ...]) -> Code:
    """Return the code identity of a function.

    Args:
        source: the file that defines it.
        packages: distributions whose exact version counts.
    Raises:
        importlib.metadata.PackageNotFoundError: one of `packages` is not installed.
    """
    text, imported = _read_project(_package_root(source.absolute()))
    versions = {name: major_minor(_version(name)) for name in imported}
    exact = {name: importlib.metadata.version(name) for name in packages}
    return Code(text, dict(sorted({**versions, **exact}.items())))


def major_minor(version: str) -> str:
    """Return the first two numbers of a version: `2.13` of `2.13.0+cpu`."""
    return ".".join(version.split(".")[:2])


def _package_root(path: Path) -> Path:
    """Return the outermost package folder that holds `path`, or the file itself."""
    root = path
    while (root.parent / "__init__.py").exists():
        root = root.parent
    return root


@functools.cache
def _read_project(root: Path) -> tuple[str, tuple[str, ...]]:
    """Return the digest of all project source reachable from `root`, and the distributions it imports."""
    pending, seen, pieces = [root], {root}, []
    names: set[str] = set()
    while pending:
        place = pending.pop()
        for path in _files(place):
            data = path.read_bytes()
            pieces.append((path.relative_to(place.parent).as_posix(), digest(data)))
            if path.suffix != ".py":
                continue
            for name in _imports(data) - names:
                names.add(name)
                local = _project_place(name)
                if local is not None and local not in seen:
                    seen.add(local)
                    pending.append(local)
    text = digest(msgspec.json.encode(sorted(pieces)))
    installed = sorted(name for name in names if _is_installed(name))
    return text, tuple(sorted({_distribution(name) for name in installed}))


def _files(place: Path) -> Iterator[Path]:
    """Yield the files of a package, data files too; caches and hidden files are left out."""
    if place.is_file():
        yield place
        return
    for path in sorted(place.rglob("*")):
        parts = path.relative_to(place).parts
        if path.is_file() and not any(part == "__pycache__" or part.startswith(".") for part in parts):
            yield path


def _imports(data: bytes) -> set[str]:
    """Return the top-level names that a source imports, by its text: also inside functions and doctests."""
    names: set[str] = set()
    for match in IMPORT.finditer(data):
        parts = [match[1]] if match[1] else match[2].split(b",")
        names.update(part.split()[0].split(b".")[0].decode() for part in parts if part.split())
    return names - set(sys.stdlib_module_names) - set(OURS)


@functools.cache
def _find_spec(name: str) -> importlib.machinery.ModuleSpec | None:
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None


def _origin(name: str) -> Path | None:
    spec = _find_spec(name)
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    return Path(spec.origin) if spec.origin and spec.has_location else None


def _project_place(name: str) -> Path | None:
    place = _origin(name)
    return None if place is None or _in_site_packages(place) else place


def _is_installed(name: str) -> bool:
    place = _origin(name)
    return place is not None and _in_site_packages(place)


def _in_site_packages(place: Path) -> bool:
    roots = {sysconfig.get_path(kind) for kind in ("purelib", "platlib", "stdlib", "platstdlib")}
    return any(place.is_relative_to(root) for root in roots) or "site-packages" in place.parts


@functools.cache
def _distribution(module: str) -> str:
    """Return the distribution that installed a top-level module: mostly its namesake."""
    try:
        return importlib.metadata.distribution(module).name.lower()
    except importlib.metadata.PackageNotFoundError:
        owners = importlib.metadata.packages_distributions().get(module, [module])
        return owners[0].lower()


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
