"""Closures: all project code that a root may reach, by marking; never too little, and not much too much.

Reached code reaches what its names stand for (graph.names). A class counts whole, with its bases, as soon as anything
names it. So `policy.generate` needs no guess at what `policy` is: to be there it was made, and whoever made it named
its class. A module that is used as a value counts whole too. Of an executed module all statements count that are not
functions, classes or plain assignments, and so do functions and classes whose definition may register them: by a
decorator, a metaclass, `__init_subclass__`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

from graph.facts import Facts, Unit
from graph.mentions import Import, Mentions, real_name
from graph.names import FOREIGN, WHOLE, Bound, Names, Place, Thing
from graph.source import Project
from graph.watched import IS_WIDE, PLACES, READS_FILES, READS_TEXT, is_hiding

# Classes of these know no subclasses of ours, or ask for none of them.
LIGHT = {*sys.stdlib_module_names, "msgspec", "graph", "store", "numpy", "torch", "transformers", "trl"}


class Closure:
    """The marking of one root.

    `reached` holds the units in the order in which they were found, which their text alone decides; for each, what its
    references stand for. `moments` tells when a unit is executed: how much its module did before, and how many imports
    come after. `executed` are the project modules that run, `foreign` the top-level names of all others, `absent` the
    submodules that are not there, `located` the modules of which somebody asks where they lie, with how many folders up
    from there, `untold` the packages of which all is imported that a computed `__all__` names, `hidden` the units that
    run what no text tells by a name from another project module.
    """

    def __init__(self, project: Project, facts: Callable[[str], Facts]) -> None:
        self.project = project
        self.names = Names(project, facts)
        self.reached: dict[Place, dict[tuple[str, Thing], None]] = {}
        self.moments: dict[Place, tuple[int, int]] = {}
        self.executed: dict[str, None] = {}
        self.foreign: set[str] = set()
        self.absent = self.names.absent
        self.located: dict[str, int] = {}
        self.untold: dict[str, None] = {}
        self.hidden: list[tuple[Place, str]] = []
        self.reads_text = False
        self._asks_text = False
        self._pending: list[Place] = []
        self._words: set[str] = set()
        self._is_wide = False

    def mark(self, module: str, roots: list[Place]) -> None:
        """Mark what units reach that a module names, until nothing is new."""
        for root in roots:
            self._reach(root)
        self._execute(module)  # it may import its roots and patch what they use
        while self._pending:
            self._follow(self._pending.pop())
            if not self._pending:
                self._look_again()

    def units(self) -> Iterator[tuple[Place, Unit]]:
        """Yield the reached units."""
        return ((place, self.unit(place)) for place in self.reached if place[1] != WHOLE)

    def unit(self, place: Place) -> Unit:
        """Return the unit at a place."""
        return self.names.of(place[0]).facts.units[place[1]]

    def _reach(self, place: Place) -> None:
        if place not in self.reached:
            self.reached[place] = {}
            self._pending.append(place)

    def _refer(self, place: Place, chain: str, target: Thing) -> None:
        self.reached[place][(chain, target)] = None
        if not isinstance(target, str):
            self._reach(target)

    def _follow(self, place: Place) -> None:
        module, index = place
        self._execute(module)
        if index == WHOLE:
            self._follow_whole(module)
            return
        mentions = self.unit(place).mentions
        for item in mentions.imports:
            self._import(module, item)
            if not item.alias:  # by a call: whatever it has may be asked of it
                self._take(place, item.target, self.names.absolute(module, item.level, item.module), [])
        for chain in mentions.chains if not self.reads_text else (*mentions.chains, *mentions.typed):
            self._resolve(place, mentions, chain)
        if mentions.reads_globals:
            self._refer(place, "globals()", (module, WHOLE))
        if mentions.reads_files:
            self._locate(place, module)
        for name in filter(self.project.has, mentions.anchors):
            self._locate(place, name)
        self._is_wide = self._is_wide or mentions.is_wide
        self._words.update(mentions.attributes, *(chain.split(".")[1:] for chain in mentions.chains))

    def _follow_whole(self, module: str) -> None:
        """Follow a module as a value: anything may be asked of it."""
        place, bound = (module, WHOLE), self.names.of(module)
        for index in range(len(bound.facts.units)):
            self._refer(place, "", (module, index))
        for name in bound.names:
            for thing in self.names.find(module, name):
                self._take(place, name, thing, [])
        for item in bound.binders("*"):
            if isinstance(item, Import):
                self._take(place, "*", self.names.absolute(module, item.level, item.module), [])

    def _look_again(self) -> None:
        """Reach what counts because of something that was reached elsewhere."""
        for place in [place for place in self.reached if place[1] == WHOLE]:
            for module in [one for one in self.executed if one.startswith(f"{place[0]}.")]:
                self._refer(place, module.removeprefix(place[0]), (module, WHOLE))
        for module in list(self.executed) if self._is_wide else ():
            self._reach((module, WHOLE))
        for place, unit in list(self.units()):
            for field, index in unit.added.items():
                if field in self._words:
                    self._refer(place, field, (place[0], index))
        asks_text = self._asks_text or any(unit.mentions.reads_text for _, unit in self.units())
        if asks_text and not self.reads_text:
            self.reads_text = True
            self._pending += self.reached  # now annotations count

    def _resolve(self, place: Place, mentions: Mentions, chain: str) -> None:
        """Reach what `a.b.c` may stand for, through modules by name; past anything else its class counts whole."""
        first, *rest = chain.split(".")
        things = self.names.find(place[0], first)
        for item in mentions.imports:
            if item.alias == first:
                things = [*things, *self.names.imported(place[0], item, first)]
        for thing in things:
            self._take(place, chain, thing, rest)

    def _take(self, place: Place, chain: str, thing: Thing, rest: list[str]) -> None:
        if not isinstance(thing, str) or thing.startswith(FOREIGN):
            self._refer(place, chain, thing)
            if isinstance(thing, str) and place[1] != WHOLE:
                self._use_foreign(place, real_name(".".join([thing.removeprefix(FOREIGN), *rest]), {}))
        elif rest and rest[0] in PLACES:
            self._locate(place, thing)
        elif rest and (found := self.names.find(thing, rest[0])):
            for inner in found:
                self._take(place, chain, inner, rest[1:])
        elif self.project.has(thing) and rest != ["__name__"]:
            self._refer(place, chain, (thing, WHOLE))

    def _locate(self, place: Place, module: str) -> None:
        self.located[module] = max(self.located.get(module, 0), self.unit(place).mentions.climbs)

    def _use_foreign(self, place: Place, name: str) -> None:
        """Take note of what a foreign thing leads to; by way of another project module, the unit's file cannot tell."""
        if is_hiding(name):
            self.hidden.append((place, name))
        self._is_wide = self._is_wide or name.startswith(IS_WIDE)
        self._asks_text = self._asks_text or name in READS_TEXT
        if name.startswith(READS_FILES) and not self.unit(place).mentions.anchors:
            self._locate(place, place[0])

    def _import(self, module: str, item: Import) -> bool:
        """Mark what an import executes; tell whether it is of the project."""
        target = self.names.absolute(module, item.level, item.executes)
        self._execute(target)
        if not self.project.has(target):
            return False
        exports = self.names.of(target).facts.exports if item.name == "*" else [item.name or ""]
        if exports is None and self.project.is_package(target):
            self.untold[target] = None
        for name in exports or ():
            if name and self.project.has(f"{target}.{name}"):
                self._execute(f"{target}.{name}")
        return True

    def _execute(self, module: str) -> None:
        """Mark what happens when a module is imported, its packages first."""
        parts = module.split(".")
        if not self.project.has(module):
            if self.project.has(parts[0]):
                self.absent.add(module)
            else:
                self.foreign.add(parts[0])
            return
        for name in (".".join(parts[: depth + 1]) for depth in range(len(parts))):
            if name not in self.executed:
                self.executed[name] = None
                if self.project.places(name) is not None:  # a folder that may become a package with code of its own
                    self.absent.add(f"{name}.__init__")
                self._execute_body(name, self.names.of(name))

    def _execute_body(self, module: str, bound: Bound) -> None:
        moment, late, is_head = 0, 0, True
        found: dict[int, tuple[int, int]] = {}
        for step in bound.facts.steps:
            if isinstance(step, Import):  # those that stand first may be sorted: units keep the order of their modules
                late += (self._import(module, step) or bound.rebinds(step)) and not is_head
                continue
            is_head = False
            found.setdefault(step, (moment + late, late))
            is_loud = self._is_loud(module, bound.facts.units[step])
            moment += is_loud or bound.rebinds(step)
            if is_loud:
                self._reach((module, step))
        # One that moves to the head comes before all: then it is missed behind what it came after.
        self.moments.update(((module, step), (before, late - passed)) for step, (before, passed) in found.items())

    def _is_loud(self, module: str, unit: Unit) -> bool:
        """Tell whether defining a unit may do more than bind its name."""
        bases = unit.bases or ()
        return unit.is_loud or unit.is_known or any(self._knows_subclasses(module, base, 0) for base in bases)

    def _knows_subclasses(self, module: str, base: str, depth: int) -> bool:
        if not base:  # no name: `*bases`, `A if B else C`
            return True
        for thing in self.names.resolve(module, base):
            if isinstance(thing, str):
                if thing.startswith(FOREIGN) and thing[1:].split(".")[0] not in LIGHT:
                    return True
                continue
            unit = self.unit(thing) if thing[1] != WHOLE else None
            if unit is None or unit.bases is None or unit.is_known or depth > 20:  # a computed class may be any
                return True
            if any(self._knows_subclasses(thing[0], inner, depth + 1) for inner in unit.bases):
                return True
        return False
