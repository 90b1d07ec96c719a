"""Project source: which files are the project's, and what stood in them when this process read them, once.

A module is the project's if it is found by its name and neither installed (site-packages, or beside a `.dist-info`)
nor of the standard library. The same texts are digested, stored for those who ask why, shipped to workers and imported
(graph.importer): an edit during a run reaches none of them. Nothing is imported to find a module.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.machinery
import os
import sys
import sysconfig
from pathlib import Path

import msgspec

from graph.errors import KindError
from store.digest import digest

OURS = ("graph", "store")  # the engine: KEY_FORMAT and ARTIFACT_FORMAT stand for it


Found = tuple[str, list[str] | None]  # a module's file, "" if it has none; where a package's modules lie
ABSENT: Found = ("", None)


class Source(msgspec.Struct, frozen=True):
    """One project file as it was read.

    `label` is its path below the folder that its top-level package lies in, `nodes/select.py`; `origin` where it lies.
    """

    module: str
    label: str
    origin: str
    text: bytes
    digest: str
    is_package: bool


class Project:
    """The project's modules by name; each is looked for, and read, at the first question.

    `files` are those that specs name, by module: a module found nowhere else may lie beside one.
    """

    def __init__(self) -> None:
        self.files: dict[str, Path] = {}
        self.sources: dict[str, Source] = {}
        self.found: dict[str, Found] = {}

    def find(self, module: str) -> Source | None:
        """Return a project module's source; None if it is none, or has no source."""
        if module not in self.sources and self.has(module):
            origin, places = self.found[module]
            if origin.endswith(".py"):
                label = module.replace(".", "/") + (".py" if places is None else "/__init__.py")
                self.sources[module] = read_source(module, label, origin, places is not None)
        return self.sources.get(module)

    def add_file(self, module: str, path: Path) -> Source:
        """Read a file that a spec names, as a module of that name. Raises OSError."""
        if module not in self.sources:
            is_taken = any(path.name == source.label for source in self.sources.values())
            label = f"{module}.py" if is_taken else path.name
            self.sources[module] = read_source(module, label, str(path), False)
            self.found[module] = (str(path), None)
            self.files[module] = path
        return self.sources[module]

    def has(self, module: str) -> bool:
        """Tell whether a module of that name is the project's, with or without a source."""
        if module not in self.found:
            parent, _, name = module.rpartition(".")
            if not parent:
                self.found[module] = self._find_top(module)
            elif self.has(parent):
                self.found[module] = find_inside(name, self.found[parent][1] or [])
            else:
                self.found[module] = ABSENT
        return self.found[module] != ABSENT

    def is_package(self, module: str) -> bool:
        """Tell whether a project module may have modules inside."""
        return self.has(module) and self.found[module][1] is not None

    def places(self, module: str) -> list[str] | None:
        """Return where the modules lie of a package that has no source; None for anything else."""
        return self.found[module][1] if self.has(module) and not self.found[module][0] else None

    def compiled(self, module: str) -> str:
        """Return the file of a project module that is compiled; "" for any other."""
        origin = self.found[module][0] if self.has(module) else ""
        return "" if origin.endswith(".py") else origin

    def is_current(self) -> bool:
        """Tell whether all that was looked for would be found as it was; never where another spec's files count."""
        now = Project()
        try:
            return not self.files and all(self._is_same(now, module) for module in self.found)
        except (OSError, KindError):
            return False

    def _is_same(self, now: Project, module: str) -> bool:
        source, other = self.sources.get(module), now.find(module) if module in self.sources else None
        if source is not None and other is not None and source.digest != other.digest:
            return False
        return now.has(module) == self.has(module) and now.found[module] == self.found[module]

    def _find_top(self, module: str) -> Found:
        if module in ("", *OURS) or module in sys.builtin_module_names:
            return ABSENT
        if module in sys.stdlib_module_names and module not in self._before_stdlib:
            return ABSENT
        # Finders of editable installs too, but not our own, which asks here.
        finders = [
            finder for finder in sys.meta_path if not hasattr(finder, "project") and hasattr(finder, "find_spec")
        ]
        specs = (finder.find_spec(module, None) for finder in finders)
        spec = next((spec for spec in specs if spec is not None), None) or self._find_beside(module)
        if spec is None:
            return ABSENT
        places = None if spec.submodule_search_locations is None else list(spec.submodule_search_locations)
        origin = spec.origin if spec.has_location and spec.origin else ""
        place = os.path.dirname(os.path.dirname(origin) if places else origin)
        return ABSENT if _is_foreign(place or os.path.dirname(next(iter(places or [""])))) else (origin, places)

    @functools.cached_property
    def _before_stdlib(self) -> set[str]:
        """What is found before the standard library: `queue`, if a `queue.py` lies there."""
        names: set[str] = set()
        for place in sys.path:
            if f"{place}{os.sep}" in _STDLIB:
                break
            with contextlib.suppress(OSError):
                names.update(entry.partition(".")[0] for entry in os.listdir(place or "."))
        return names

    def _find_beside(self, module: str) -> importlib.machinery.ModuleSpec | None:
        """Return a module beside a file that a spec names. Raises KindError where files disagree on what that is."""
        folders = dict.fromkeys(str(path.parent) for path in self.files.values())
        specs = [importlib.machinery.PathFinder.find_spec(module, [folder]) for folder in folders]
        found = [spec for spec in specs if spec is not None]
        if len(found) > 1:
            origins = [spec.origin or str(spec.submodule_search_locations) for spec in found]
            raise KindError(f"module {module!r} could be {origins[0]} or {origins[1]}: one name, two files")
        return next(iter(found), None)


def find_inside(name: str, places: list[str]) -> Found:
    """Return a module inside a package, by the rules of imports: a package goes before a module of its name."""
    folders = []
    for place in places:
        path = f"{place}/{name}"
        for suffix in importlib.machinery.all_suffixes():
            if os.path.isfile(f"{path}/__init__{suffix}"):
                return f"{path}/__init__{suffix}", [path]
        for suffix in importlib.machinery.all_suffixes():
            if os.path.isfile(f"{path}{suffix}"):
                return f"{path}{suffix}", None
        if os.path.isdir(path):
            folders.append(path)
    return ("", folders) if folders else ABSENT


def read_source(module: str, label: str, origin: str, is_package: bool) -> Source:
    """Read a file. Raises OSError."""
    with open(origin, "rb", buffering=0) as file:
        text = file.readall()
    return Source(module, label, origin, text, digest(text), is_package)


@functools.cache
def _is_foreign(place: str) -> bool:
    """Tell whether a folder is an installed distribution's or the standard library's."""
    if not place or not {"site-packages", "dist-packages"}.isdisjoint(place.split(os.sep)):
        return True
    if f"{place}{os.sep}".startswith(_STDLIB):
        return True
    try:
        return any(name.endswith(".dist-info") for name in os.listdir(place))  # of `pip install --target`
    except OSError:
        return False


_STDLIB = tuple(sysconfig.get_path(kind) + os.sep for kind in ("stdlib", "platstdlib"))
