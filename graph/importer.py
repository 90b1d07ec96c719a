"""The importer: project modules are made from the texts that were read, whatever their files say by now."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import marshal
import os
import sys
import time
from collections.abc import Sequence
from types import CodeType, ModuleType

from graph.memo import memo_path, write_memo
from graph.source import Project, Source
from store.digest import digest

STARTED_NS = time.time_ns()


class Importer:
    """A finder for `sys.meta_path` that knows a project's modules and no others."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the spec of a project module, None for what is left to others."""
        source = self.project.find(name)
        if source is not None:
            inside = [os.path.dirname(source.origin)] if source.is_package else None
            return importlib.util.spec_from_file_location(
                name, source.origin, loader=Loader(name, source), submodule_search_locations=inside
            )
        places = self.project.places(name)
        if places is None:
            return None
        spec = importlib.machinery.ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = places
        return spec


class Loader(importlib.machinery.SourceFileLoader):
    """Loads a module from the text that was read.

    Compiled code is kept by that text's digest. Python's own `.pyc` files go by size and second of the last change, and
    an edit that leaves both would run under the key of the new text.
    """

    def __init__(self, name: str, source: Source) -> None:
        super().__init__(name, source.origin)
        self.source = source

    def get_data(self, path: str) -> bytes:
        """Return the text, also for tracebacks; another file's bytes as they are."""
        return self.source.text if path == self.source.origin else super().get_data(path)

    def get_code(self, fullname: str) -> CodeType:
        """Return the module's compiled code."""
        source = self.source
        path = memo_path("bytecode", digest(f"{source.origin} {source.digest}".encode()))
        try:
            with open(path, "rb") as file:
                code = marshal.loads(file.read())
        except (OSError, ValueError, EOFError, TypeError):
            code = None
        if not isinstance(code, CodeType):
            code = self.source_to_code(source.text, source.origin)
            write_memo(path, marshal.dumps(code))
        return code


def use_project(project: Project) -> None:
    """Import the project's modules from what it has read, from now on."""
    if not any(isinstance(finder, Importer) and finder.project is project for finder in sys.meta_path):
        sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, Importer)]
        sys.meta_path.insert(0, Importer(project))


def is_other(source: Source) -> bool:
    """Tell whether a module was imported from another text than this, or may have been: before we were asked."""
    module = sys.modules.get(source.module)
    loader = getattr(getattr(module, "__spec__", None), "loader", None)
    if module is None:
        return False
    if isinstance(loader, Loader):
        return (loader.source.origin, loader.source.digest) != (source.origin, source.digest)
    try:
        return os.stat(source.origin).st_mtime_ns > STARTED_NS
    except OSError:
        return True
