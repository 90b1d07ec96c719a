"""Shipping: project source as an artifact, stored beside the records that it explains and imported by workers."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence

import msgspec

from graph.code import Code, Span, project
from graph.importer import use_project
from graph.source import Project, Source, find_inside
from store.artifact import Artifact, Reader, Writer
from store.digest import digest
from store.errors import Damaged, Missing, Unacceptable
from store.open import Store


class SourceFacts(msgspec.Struct, frozen=True):
    """What the attributes of stored source say, as in `Sources`."""

    modules: dict[str, str]
    origins: dict[str, str]
    units: dict[str, tuple[str, str, int, int]]
    closures: dict[str, list[str]]


def read_facts(reader: Reader) -> SourceFacts:
    """Return what stored source says of itself. Raises Unacceptable: it does not say it in this form."""
    try:
        return msgspec.convert(reader.attrs, SourceFacts)
    except msgspec.ValidationError as error:
        raise Unacceptable(f"source {reader.digest[:12]}: {error}") from None


class Sources(Artifact):
    """Project files as they were read, and which units of them each code identity is made of.

    `files` is label -> text, `modules` module -> label, `origins` label -> where it lay, `units` label of a unit ->
    (digest, label of its file, first and last line), `closures` code digest -> labels of its units.
    """

    type = "source/1"

    def __init__(self, files: dict[str, bytes], modules: dict, origins: dict, units: dict, closures: dict) -> None:
        self.files, self.modules, self.origins, self.units = files, modules, origins, units
        self.closures = closures

    def write(self, w: Writer) -> None:
        w.attrs = {
            "modules": self.modules,
            "origins": self.origins,
            "units": {name: list(span) for name, span in self.units.items()},
            "closures": self.closures,
        }
        for label, text in self.files.items():
            w.file(label, text)

    @classmethod
    def open(cls, r: Reader) -> Sources:
        facts = read_facts(r)
        files = {name: r.file(name) for name in r.files()}
        return cls(files, facts.modules, facts.origins, facts.units, facts.closures)


def put_source(store: Store, codes: Sequence[Code]) -> str:
    """Store the source of all that these codes take in, whole; return the artifact's digest."""
    modules = sorted({module for code in codes for module in code.sources})
    sources = {name: project().sources[name] for name in modules}
    labels = {name: source.label for name, source in sources.items()}
    artifact = Sources(
        {labels[name]: source.text for name, source in sources.items()},
        labels,
        {labels[name]: source.origin for name, source in sources.items()},
        {name: _span(span) for code in codes for name, span in sorted(code.units.items())},
        {code.digest: sorted(code.units) for code in codes},
    )
    name = store.put(artifact)
    try:
        store.open(name, Sources)
    except (Missing, Damaged):  # its blobs were there, damaged, and no action gave them that could run again
        store.rewriting().put(artifact)
    return name


def _span(span: Span) -> tuple[str, str, int, int]:
    return span.digest, span.path, span.first, span.last


def use_source(store: Store, name: str) -> None:
    """Import project modules from a stored source from now on; a project module that is not in it is refused.

    For a process that executes: one that has imported another state of the project must not be asked.
    """
    use_project(_open_shipped(store, name))


@functools.cache
def _open_shipped(store: Store, name: str) -> Shipped:
    reader = store.reader(name)
    facts = read_facts(reader)
    shipped = Shipped()
    for module, label in facts.modules.items():
        text = reader.file(label)
        is_package = label.endswith("__init__.py")
        shipped.add(Source(module, label, facts.origins[label], text, digest(text), is_package))
    return shipped


class Shipped(Project):
    """A project of which the sources are given. What else of it lies on this machine is nobody's business here."""

    def __init__(self) -> None:
        super().__init__()
        self._here = Project()
        self._packages: set[str] = set()

    def add(self, source: Source) -> None:
        """Take in one source."""
        self.sources[source.module] = source
        parts = source.module.split(".")
        self._packages.update(".".join(parts[:depth]) for depth in range(1, len(parts)))

    def find(self, module: str) -> Source | None:
        """Return a shipped source. Raises ModuleNotFoundError for project code that no key knows of."""
        if module in self.sources:
            return self.sources[module]
        if not self._is_namespace(module) and self._find_here(module).endswith(".py"):
            raise ModuleNotFoundError(
                f"{module} is project code that was not foreseen: name it in the node's depends=", name=module
            )
        return None

    def places(self, module: str) -> list[str] | None:
        """Return where the modules lie of a package that has no source; None for anything else."""
        return [] if self._is_namespace(module) else None

    def _is_namespace(self, module: str) -> bool:
        return module in self._packages and module not in self.sources

    def _find_here(self, module: str) -> str:
        """Return a module's file on this machine, if it is a project's."""
        parent, _, name = module.rpartition(".")
        if parent in self.sources:
            return find_inside(name, [os.path.dirname(self.sources[parent].origin)])[0]
        return self._here.found[module][0] if self._here.has(module) else ""
