"""Names: what a name of a project module may stand for, through imports, aliases and re-exports, by reading."""

from __future__ import annotations

from collections.abc import Callable

from graph.facts import Facts
from graph.mentions import Import
from graph.source import Project

Place = tuple[str, int]  # a module and the index of its unit; WHOLE stands for the module itself, as a value
Thing = Place | str  # a unit; a project module by its name; another's object, by FOREIGN and its name
WHOLE = -1
FOREIGN = ":"


Binder = int | Import  # what binds a name: a unit by its index, or an import


class Bound:
    """A module's facts, by the names that it binds."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self._order = [*facts.steps, *facts.typing]
        self._order += [index for index in range(len(facts.units)) if index not in self._order]
        self._places: dict[str, list[int]] = {}
        for place, binder in enumerate(self._order):
            for name in self.defines(binder):
                self._places.setdefault(name, []).append(place)

    @property
    def names(self) -> list[str]:
        """All names, without what a star imports."""
        return [name for name in self._places if name != "*"]

    def binders(self, name: str) -> list[Binder]:
        """Return what may bind a name, the last one first: mostly that is what the name stands for."""
        places = {*self._places.get(name, ()), *self._places.get("*", ())}
        return [self._order[place] for place in sorted(places, reverse=True)]

    def rebinds(self, binder: Binder) -> bool:
        """Tell whether something else binds a name of this too: then it makes a difference which comes first."""
        binders = [self.binders(name) for name in self.defines(binder)]
        targets = [{one if isinstance(one, int) else one.target for one in found} for found in binders]
        return any(len(found) > 1 for found in targets)

    def defines(self, binder: Binder) -> list[str]:
        """Return the names that a unit or an import binds; "*" for all that another module has."""
        return self.facts.units[binder].defines if isinstance(binder, int) else [binder.alias]


class Names:
    """The names of a project's modules; `absent` are those that would be submodules if there were such files."""

    def __init__(self, project: Project, facts: Callable[[str], Facts]) -> None:
        self.project = project
        self.absent: set[str] = set()
        self._facts = facts
        self._bound: dict[str, Bound] = {}

    def of(self, module: str) -> Bound:
        """Return what a project module binds; nothing if it has no source."""
        if module not in self._bound:
            has_source = self.project.find(module) is not None
            self._bound[module] = Bound(self._facts(module) if has_source else Facts([], [], [], []))
        return self._bound[module]

    def find(self, module: str, name: str, seen: frozenset[tuple[str, str]] = frozenset()) -> list[Thing]:
        """Return what a name of a module may stand for; a submodule where it binds no such name."""
        if (module, name) in seen:
            return []
        bound, seen = self.of(module), seen | {(module, name)}
        found: list[Thing] = []
        for binder in bound.binders(name):
            found += [(module, binder)] if isinstance(binder, int) else self.imported(module, binder, name, seen)
        inner = f"{module}.{name}"
        if not found:
            found += [(module, binder) for binder in bound.binders("__getattr__") if isinstance(binder, int)]
            if not self.project.has(inner) and self.project.is_package(module):
                self.absent.add(inner)
        if self.project.has(inner) and not self._is_imported_first(module, name):
            found.append(inner)  # whoever imports it later binds the name to it
        return found

    def _is_imported_first(self, module: str, name: str) -> bool:
        """Tell whether a package binds a submodule's name after it has imported that: `from .band import band`."""
        items = [item for item in self.of(module).binders(name) if isinstance(item, Import)]
        return any(self.absolute(module, item.level, item.module) == f"{module}.{name}" for item in items)

    def imported(
        self, module: str, item: Import, name: str, seen: frozenset[tuple[str, str]] = frozenset()
    ) -> list[Thing]:
        """Return what an import in a module makes a name stand for."""
        target = self.absolute(module, item.level, item.module)
        if item.name == "*":
            found = self.find(target, name, seen) if self.project.has(target) else []
            return [*found, *self.find(target, "__all__", seen)] if found else []
        if not self.project.has(target):
            return [f"{FOREIGN}{item.target}"]
        return [target] if item.name is None else self.find(target, item.name, seen) or [(target, WHOLE)]

    def resolve(self, module: str, chain: str) -> list[Thing]:
        """Return what `a.b.c` may stand for in a module."""
        first, *rest = chain.split(".")
        things = self.find(module, first)
        for name in rest:
            things = [inner for thing in things for inner in self._ask(thing, name)]
        return things

    def absolute(self, module: str, level: int, name: str) -> str:
        """Return the whole name of what a module imports by `level` dots and a name."""
        if not level:
            return name
        parts = module.split(".")
        base = parts[: len(parts) - level + self.project.is_package(module)]
        return ".".join([*base, *([name] if name else [])])

    def _ask(self, thing: Thing, name: str) -> list[Thing]:
        if not isinstance(thing, str):
            return [(thing[0], WHOLE)]  # of a class or an object: it may be anything of its module
        return [thing] if thing.startswith(FOREIGN) else self.find(thing, name)
