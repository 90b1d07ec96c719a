"""Importers: which modules may execute some others, by the names in their texts alone.

Too many rather than too few, and cheap: what a whole closure (`graph.closure`) need not be found for. A module may
execute what it imports anywhere, the packages around that, and of a package that it comes to so what has as its name a
word that it says after a dot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from graph.errors import KindError
from graph.facts import Facts
from graph.mentions import Import
from graph.names import Names
from graph.source import Project, Source


class Said(NamedTuple):
    """What a module's text says of others: dotted names that it imports, and words after dots."""

    imports: frozenset[str]
    words: frozenset[str]


_said: dict[tuple[str, str], Said] = {}  # by module and digest of its text: texts do not change


def find_importers(
    project: Project, read: Callable[[Source], Facts], modules: Iterable[str], wanted: set[str]
) -> set[str]:
    """Return the project modules, among all that `modules` lead to, that may execute a wanted one; also the wanted.

    Args:
        read: gives the facts of a source; who raises KindError may execute anything.
    """
    waiting = list(modules)
    seen, importers, words = {*waiting, *wanted}, dict[str, set[str]](), dict[str, set[str]]()
    while waiting:
        module = waiting.pop()
        said = _read(project, read, module, wanted)
        for word in said.words:
            words.setdefault(word, set()).add(module)
        for name in said.imports:
            importers.setdefault(name, set()).add(module)
            if name not in seen and project.has(name):
                seen.add(name)
                waiting.append(name)
    found, waiting = set(wanted), list(wanted)
    while waiting:
        package, _, name = (module := waiting.pop()).rpartition(".")
        more = importers.get(module, set()) | (words.get(name, set()) & _all_before(package, importers))
        waiting += more - found
        found |= more
    return found


def _all_before(module: str, importers: dict[str, set[str]]) -> set[str]:
    """Return whatever comes to a module by imports."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        more = importers.get(waiting.pop(), set()) - found
        waiting += more
        found |= more
    return found


def _read(project: Project, read: Callable[[Source], Facts], module: str, wanted: set[str]) -> Said:
    source = project.find(module)
    if source is None:
        return Said(frozenset(_parents(module)), frozenset())
    key = module, source.digest
    if key not in _said:
        try:
            facts = read(source)
        except KindError:
            return Said(frozenset(wanted), frozenset())
        _said[key] = _say(Names(project, lambda _: facts), module, facts)
    return _said[key]


def _say(names: Names, module: str, facts: Facts) -> Said:
    imports, words = set(_parents(module)), set()
    items = [step for step in facts.steps if isinstance(step, Import)] + facts.typing
    for unit in facts.units:
        items += unit.mentions.imports
        words |= {word for chain in (*unit.mentions.chains, *unit.mentions.typed) for word in chain.split(".")[1:]}
        words |= set(unit.mentions.attributes)
    for item in items:
        target = names.absolute(module, item.level, item.module)
        for name in (target, f"{target}.{item.name}", item.executes):
            if name:
                imports |= {name, *_parents(name)}
    return Said(frozenset(imports), frozenset(words))


def _parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts))]
