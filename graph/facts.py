"""Facts of one source file, by its text alone: its units, and for each what it mentions.

A unit is a top-level function, class or plain assignment; all other top-level statements together are one more,
`<module>`, which counts whenever the module is executed. A unit's digest is of its code as `graph.stripping` leaves it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import msgspec

from graph.mentions import (
    FUNCTIONS,
    Import,
    Mentions,
    chain_of,
    read_annotations,
    read_imports,
    read_mentions,
    real_name,
)
from graph.quiet import BRANCHES, HARMLESS, PURE_CALLS, bound_names, is_constant, is_quiet, reads_names
from graph.stripping import strip, take_added
from graph.watched import HIDING, IMPORTING, READS_TEXT
from store.digest import digest

MODULE = "<module>"
LOOSE = -1  # stands for the index of that unit until it is known
METAS = {"abc.ABCMeta", "enum.EnumMeta", "enum.EnumType"}  # these know nobody's classes
TYPE_CHECKING = "typing.TYPE_CHECKING"
OVERLOAD = "typing.overload"


class Unreadable(Exception):
    """A source that is not Python, or breaks a rule of ours; with its line."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


class Unit(msgspec.Struct, frozen=True, array_like=True):
    """A piece of a module that counts as a whole.

    Attributes:
        name: as it is defined; `<module>` for what is none of its own.
        defines: the names that it binds.
        digest, exact: of its code; of its text as it stands.
        first, last: its lines.
        mentions: what it refers to.
        is_loud: defining it may do more than bind its name.
        reads: defining it looks at names, so what was executed before makes a difference.
        bases: dotted names of a class's; None for what is no class.
        is_known: a class that may know its subclasses.
        added: fields that are units of their own, by name: the index of each.
        depends: data files that a node declares, as globs; None where `depends` is not declared.
    """

    name: str
    defines: list[str]
    digest: str
    exact: str
    first: int
    last: int
    mentions: Mentions
    is_loud: bool = False
    reads: bool = False
    bases: list[str] | None = None
    is_known: bool = False
    added: dict[str, int] = {}
    depends: list[str] | None = None


class Facts(msgspec.Struct, frozen=True, array_like=True):
    """A module.

    Attributes:
        units: its units.
        steps: what happens in turn when it is executed: imports, and units by their index.
        typing: what only type checkers import.
        exports: what its `__all__` names; None if that is computed.
    """

    units: list[Unit]
    steps: list[int | Import]
    typing: list[Import]
    exports: list[str] | None


def read_facts(text: bytes) -> Facts:
    """Return the facts of a source. Raises Unreadable."""
    try:
        return _Module(text).facts()
    except SyntaxError as error:
        raise Unreadable(error.lineno or 1, f"not Python: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise Unreadable(1, f"not Python: {error}") from None


class _Module:
    """A source under way."""

    def __init__(self, text: bytes) -> None:
        tree = ast.parse(text)
        self.lines = text.splitlines()
        self.typing: list[Import] = []
        self.units: list[Unit] = []
        imported = _read_imported(tree)
        self.body = list(self._read_body(tree, imported))
        defined = {name: f".{name}" for statement in self.body for name in bound_names(statement)}
        self.outer = {**defined, **imported}
        self._exports = _read_exports(self.body)

    def facts(self) -> Facts:
        """Return what there is to say of it."""
        loose = self._find_loose()
        steps: list[int | Import] = []
        for statement in self.body:
            is_import = isinstance(statement, (ast.Import, ast.ImportFrom))
            if is_import or statement in loose or isinstance(statement, BRANCHES):
                steps += read_imports(statement)
            if statement in loose:
                steps.append(LOOSE)
            elif not is_import and any(bound_names(statement)):  # one that binds nothing does nothing
                steps.append(self._add_unit(statement))
        if loose:
            self._add_loose(loose)
        steps = [len(self.units) - 1 if step == LOOSE else step for step in steps]
        return Facts(self.units, steps, self.typing, self._exports)

    def _read_body(self, tree: ast.Module, imported: dict[str, str]) -> Iterator[ast.stmt]:
        """Yield the statements that are executed when it is imported; its docstring is a unit."""
        if ast.get_docstring(tree, clean=False) is not None:
            first = tree.body[0]
            text = digest(ast.dump(first).encode())
            lines = first.lineno, first.end_lineno or 1
            self.units.append(Unit("__doc__", ["__doc__"], text, text, *lines, Mentions()))
        for statement in tree.body:
            if isinstance(statement, ast.If) and real_name(chain_of(statement.test), imported) == TYPE_CHECKING:
                self.typing += read_imports(ast.Module(statement.body, []))
                yield from statement.orelse
            elif isinstance(statement, ast.If) and ast.unparse(statement.test) == "__name__ == '__main__'":
                yield from statement.orelse
            elif not is_constant(statement) and not self._is_overload(statement, imported):
                yield statement

    @staticmethod
    def _is_overload(statement: ast.stmt, imported: dict[str, str]) -> bool:
        """Tell whether a function is there for type checkers alone."""
        decorators = statement.decorator_list if isinstance(statement, FUNCTIONS) else []
        return any(real_name(chain_of(one), imported) == OVERLOAD for one in decorators)

    def _find_loose(self) -> list[ast.stmt]:
        """Return the statements of which nobody can tell what they do, and those that bind a name which one of these
        binds: the order of them all counts, and so does that of `import *` among them."""
        binds = {statement: set(bound_names(statement)) for statement in self.body}
        found = [statement for statement in self.body if not self._stands_alone(statement)]
        names = {name for statement in found for name in binds[statement]} | ({"*"} if found else set())
        while fresh := [one for one in self.body if one not in found and not names.isdisjoint(binds[one])]:
            found += fresh
            names |= {name for statement in fresh for name in binds[statement]}
        return [statement for statement in self.body if statement in found]

    def _stands_alone(self, statement: ast.stmt) -> bool:
        return isinstance(statement, (*FUNCTIONS, ast.ClassDef)) or is_quiet(statement, self.outer)

    def _add_unit(self, statement: ast.stmt) -> int:
        """Add the unit that a statement is; return its index."""
        defines = list(dict.fromkeys(bound_names(statement)))
        decorators = getattr(statement, "decorator_list", [])
        is_loud, reads = not is_quiet(statement, self.outer), reads_names(statement)
        span = self._span([statement, *decorators])
        depends = next((_read_depends(item) for item in decorators if self._is_node(item)), None)
        added = {}
        for name, field in take_added(statement, self.outer).items():
            added[name] = len(self.units)
            where = self._span([field])
            code = digest(ast.dump(field).encode())
            self.units.append(Unit(f"{defines[0]}.{name}", [], code, *where, read_mentions(field, self.outer)))
        bases, is_known = None, False
        if isinstance(statement, ast.ClassDef):
            members = {name for inner in statement.body for name in bound_names(inner)}
            bases = [chain_of(base) for base in statement.bases]
            metas = [chain_of(item.value) for item in statement.keywords if item.arg == "metaclass"]
            is_known = "__init_subclass__" in members or any(real_name(one, self.outer) not in METAS for one in metas)
        mentions, code = self._read([statement])
        unit = Unit(defines[0], defines, code, *span, mentions, is_loud, reads, bases, is_known, added, depends)
        self.units.append(unit)
        return len(self.units) - 1

    def _add_loose(self, statements: list[ast.stmt]) -> None:
        exact = digest(b"\n".join(self._text([statement]) for statement in statements))
        defines = list(dict.fromkeys(name for statement in statements for name in bound_names(statement)))
        mentions, code = self._read(statements)
        self.units.append(Unit(MODULE, defines, code, exact, 1, len(self.lines), mentions, is_loud=True, reads=True))

    def _read(self, statements: list[ast.stmt]) -> tuple[Mentions, str]:
        """Strip statements; return what they mention, and the digest of what is left."""
        went = [annotation for statement in statements for annotation in strip(statement, self.outer)]
        body = ast.Module(statements, [])
        mentions = msgspec.structs.replace(read_mentions(body, self.outer), typed=read_annotations(went))
        return mentions, digest(ast.dump(body).encode())

    def _span(self, parts: list) -> tuple[str, int, int]:
        """Return the digest of a text, its first line and its last."""
        first, last = min(part.lineno for part in parts), max(part.end_lineno for part in parts)
        return digest(self._text(parts)), first, last

    def _text(self, parts: list) -> bytes:
        return b"\n".join(self.lines[min(part.lineno for part in parts) - 1 : max(part.end_lineno for part in parts)])

    def _is_node(self, decorator: ast.expr) -> bool:
        return isinstance(decorator, ast.Call) and real_name(chain_of(decorator), self.outer) == "graph.node.node"


def _read_imported(tree: ast.Module) -> dict[str, str]:
    """Return what imported names stand for; where that depends, the thing that would do most.

    Those that only a function or class binds come last: they may be its own, or by `global` the module's.
    """
    targets: dict[str, set[str]] = {}
    for item in _imports_at_once(tree):
        targets.setdefault(item.alias, set()).add(item.target)
    inner = {item.alias: item.target for item in read_imports(tree)}
    return {**inner, **{alias: max(sorted(found), key=_danger) for alias, found in targets.items()}}


def _imports_at_once(part: ast.AST) -> Iterator[Import]:
    for inner in ast.iter_child_nodes(part):
        if isinstance(inner, (ast.Import, ast.ImportFrom)):
            yield from read_imports(inner)
        elif not isinstance(inner, (*FUNCTIONS, ast.ClassDef, ast.Lambda)):
            yield from _imports_at_once(inner)


def _danger(target: str) -> int:
    name = real_name(target, {})
    if any(f"{one}.".startswith(f"{name}.") for one in IMPORTING | HIDING | READS_TEXT):
        return 2
    return int(name not in HARMLESS | PURE_CALLS)


def _read_exports(body: list[ast.stmt]) -> list[str] | None:
    inside = [inner for one in body if "__all__" in bound_names(one) for inner in ast.walk(one)]
    if any(isinstance(inner, (ast.Call, ast.comprehension)) for inner in inside):
        return None
    return [one.value for one in inside if isinstance(one, ast.Constant) and isinstance(one.value, str)]


def _read_depends(decorator: ast.Call) -> list[str] | None:
    """Return the data files of a `depends=`. Raises Unreadable where it is not written out."""
    given = next((item.value for item in decorator.keywords if item.arg == "depends"), None)
    if given is None:
        return None
    items = given.elts if isinstance(given, (ast.List, ast.Tuple)) else [given]
    texts = [one.value for one in items if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    named = [one for one in items if isinstance(one, (ast.Name, ast.Attribute))]
    if not isinstance(given, (ast.List, ast.Tuple)) or len(texts) + len(named) < len(items):
        raise Unreadable(given.lineno, "depends= is read, not run: expected a list of names and texts")
    return texts
