"""What a piece of code mentions: names with what is asked of them, imports, and what hides what it reaches."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from graph.watched import (
    CLIMBING,
    ENDLESS,
    GENERIC,
    HIDING,
    IMPORTING,
    INTERPRETERS,
    IS_WIDE,
    PLACES,
    READS_FILES,
    READS_TEXT,
    RUNNING,
    TEXTS,
    WIDE,
    is_hiding,
)

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Import(msgspec.Struct, frozen=True, array_like=True):
    """One name that an import binds.

    `import a.b` binds `a` to module `a` and imports `a.b` (`executes`); `from a import b as c` binds `c` to `b` of
    module `a`. `level` counts the dots of a relative import, `name` is "*" for all that a module has.
    """

    alias: str
    module: str
    name: str | None
    level: int
    executes: str

    @property
    def target(self) -> str:
        """What it binds, by its dotted name; one that begins with a dot is the project's own."""
        return "." * self.level + (self.module if self.name is None else f"{self.module}.{self.name}")


class Mentions(msgspec.Struct, frozen=True, array_like=True):
    """What a unit mentions.

    `chains`: dotted names, `np.random.default_rng`; `typed` those in annotations that do not count otherwise;
    `attributes` of what has no name; `imports` within it; `hidden`: line and text of what runs what no text tells.
    `is_wide`: may come by any class or module that is there; `reads_globals`: by any name of its own module.
    `reads_files`: asks where it lies, and goes up `climbs` folders; `anchors` are packages whose data it asks for;
    `names_sources`: names a `.py` file, which then is data too.
    """

    chains: list[str] = []
    typed: list[str] = []
    attributes: list[str] = []
    imports: list[Import] = []
    hidden: list[tuple[int, str]] = []
    is_wide: bool = False
    reads_globals: bool = False
    reads_text: bool = False
    reads_files: bool = False
    climbs: int = 0
    anchors: list[str] = []
    names_sources: bool = False


def read_mentions(tree: ast.AST, outer: Mapping[str, str]) -> Mentions:
    """Return what a piece of code mentions, wherever in it; `outer` says what names of its module stand for."""
    reader = _Reader(outer)
    reader.visit(tree)
    names = {real_name(chain, outer) for chain in reader.chains}
    words = {word for chain in reader.chains for word in chain.split(".")} | reader.attributes
    if any(name.startswith(RUNNING) for name in names):
        reader.hidden += reader.interpreters
    return Mentions(
        chains=sorted(reader.chains),
        attributes=sorted(reader.attributes),
        imports=reader.imports,
        hidden=reader.hidden,
        is_wide=not WIDE.isdisjoint(words) or any(name.startswith(IS_WIDE) for name in names),
        reads_globals=reader.reads_globals or not {"globals", "locals"}.isdisjoint(names),
        reads_text=reader.has_tools or not READS_TEXT.isdisjoint(names) or not TEXTS.isdisjoint(words),
        reads_files=reader.asks_files > len(reader.anchors)
        or any(_asks_place(chain, outer) for chain in (*reader.chains, *reader.attributes)),
        climbs=reader.climbs,
        anchors=reader.anchors,
        names_sources=reader.names_sources,
    )


def read_annotations(annotations: Iterable[ast.expr]) -> list[str]:
    """Return the dotted names in annotations, also in those that are text."""
    reader = _Reader({})
    for annotation in annotations:
        reader.visit_annotation(annotation)
    return sorted(reader.chains)


def read_imports(tree: ast.AST) -> Iterator[Import]:
    """Yield what import statements bind, wherever in a piece of code."""
    for statement in ast.walk(tree):
        if isinstance(statement, ast.Import):
            for one in statement.names:
                bound = one.name if one.asname else one.name.split(".")[0]
                yield Import(one.asname or bound, bound, None, 0, one.name)
        elif isinstance(statement, ast.ImportFrom) and statement.module != "__future__":
            module = statement.module or ""
            for one in statement.names:
                yield Import(one.asname or one.name, module, one.name, statement.level, module)


def chain_of(node: ast.AST) -> str:
    """Return the dotted name that an expression is, or calls, or subscripts; "" for any other."""
    while isinstance(node, (ast.Call, ast.Subscript)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return _dotted(node)


def real_name(chain: str, outer: Mapping[str, str]) -> str:
    """Return a dotted name as it is known outside of its module: `numpy.random` for `np.random`."""
    first, dot, rest = chain.partition(".")
    name = f"{outer.get(first, first)}{dot}{rest}".removeprefix("builtins.")
    return name.replace("typing_extensions.", "typing.", 1) if name.startswith("typing_extensions.") else name


def _asks_place(chain: str, outer: Mapping[str, str]) -> bool:
    """Tell whether it is where its own module lies that is asked; of an imported one its name tells (graph.closure)."""
    first, *rest = chain.split(".")
    if rest and rest[0] in PLACES and not outer.get(first, ".").startswith("."):
        rest = rest[1:]
    return not PLACES.isdisjoint([first, *rest])


def _dotted(node: ast.AST) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


class _Reader(ast.NodeVisitor):
    def __init__(self, outer: Mapping[str, str]) -> None:
        self.chains: set[str] = set()
        self.attributes: set[str] = set()
        self.imports: list[Import] = []
        self.hidden: list[tuple[int, str]] = []
        self.reads_globals = False
        self.climbs = 0
        self.anchors: list[str] = []
        self.asks_files = 0
        self.names_sources = False
        self.has_tools = False
        self.interpreters: list[tuple[int, str]] = []
        self._outer = dict(outer)
        self._local: frozenset[str] = frozenset()  # names that the function around binds, but not by an import

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        found = list(read_imports(node))
        self.imports += found
        self._outer.update((item.alias, item.target) for item in found)

    visit_ImportFrom = visit_Import

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for inner in node.body:  # what it imports is an attribute, which no name asks for
            self.chains.update(item.alias for item in read_imports(inner) if not isinstance(inner, FUNCTIONS))
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self._mention(node, node.id)
        else:
            self.chains.add(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        chain = _dotted(node)
        if chain:
            self.climbs += sum(word in CLIMBING for word in chain.split("."))
            self._mention(node, chain)
        else:
            self.climbs += node.attr in CLIMBING
            self.attributes.add(node.attr)
            self.visit(node.value)
        if node.attr == "parents":
            self.climbs += ENDLESS

    def visit_While(self, node: ast.While | ast.For) -> None:
        for inner in ast.walk(node):  # `path = path.parent`, as often as it takes
            if isinstance(inner, ast.Assign) and isinstance(inner.value, (ast.Attribute, ast.Call)):
                names = [one.id for one in ast.walk(inner.value) if isinstance(one, ast.Name)]
                words = _dotted(getattr(inner.value, "func", inner.value)).split(".")
                climbs = words[-1] in CLIMBING and any(_dotted(target) in names for target in inner.targets)
                self.climbs += ENDLESS * climbs
        self.generic_visit(node)

    visit_For = visit_While

    def visit_Subscript(self, node: ast.Subscript) -> None:
        number = _literal(node.slice)
        if isinstance(node.value, ast.Attribute) and node.value.attr == "parents" and isinstance(number, int):
            self.climbs += number + 1 - ENDLESS
        name = self._name_of(node.value)
        if name in GENERIC or name.startswith(("typing.", "collections.abc.")):
            self._visit_texts(node)
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.climbs += node.value.split("/").count("..")
            self.names_sources |= node.value.endswith(".py")
            if node.value.split(" ")[0].rpartition("/")[2] in INTERPRETERS:
                self.interpreters.append((node.lineno, node.value))
            if node.value in PLACES | TEXTS | WIDE:  # `vars(module)["__file__"]`
                self.attributes.add(node.value)

    def visit_Global(self, node: ast.Global) -> None:
        self.chains.update(node.names)

    def visit_MatchClass(self, node: ast.MatchClass) -> None:
        self.attributes.update(node.kwd_attrs)
        self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> None:
        self.visit_annotation(node.annotation)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.visit_annotation(node.annotation)
        self.visit(node.target)
        if node.value is not None:
            self.visit(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.visit_annotation(node.returns)
        self.visit_Lambda(node)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        outside, inside = self._local, list(ast.walk(node))
        bound = {one.id for one in inside if isinstance(one, ast.Name) and not isinstance(one.ctx, ast.Load)}
        self._local |= bound | {one.arg for one in inside if isinstance(one, ast.arg)}
        self.generic_visit(node)
        self._local = outside

    def visit_Call(self, node: ast.Call) -> None:
        called = self._name_of(node.func)
        values = [_literal(one) for one in node.args]
        texts = [value if isinstance(value, str) else None for value in values]
        # A chat template makes a prompt of its tools' docstrings and annotations.
        self.has_tools |= any(item.arg == "tools" for item in node.keywords)
        if called in ("vars", "dir") and not node.args:
            self.reads_globals = True
        if called == "open" and any(_dotted(one) == "__file__" for one in node.args):
            self.names_sources = True
        if called in ("os.path.dirname", "os.path.split"):
            self.climbs += called.endswith("split")
            self.chains.update(f"{chain}.parent" for chain in map(_dotted, node.args) if chain)
        if called == "getattr" and len(texts) > 1 and texts[1]:
            self.attributes.add(texts[1])
            if owner := _dotted(node.args[0]):
                self._mention(node, f"{owner}.{texts[1]}")
        if called.startswith(READS_FILES) and node.args:
            anchor = texts[0] or self._name_of(node.args[0])
            if texts[0] or self._outer.get(_dotted(node.args[0]).split(".")[0], ".")[0] != ".":
                self.anchors.append(anchor)
        found = self._read_import(node) if called in IMPORTING else None
        if found is not None:
            self.imports.append(found)
        elif called == "eval" and texts and texts[0]:
            self._visit_text(texts[0])
        elif called in IMPORTING | HIDING:
            self.hidden.append((node.lineno, ast.unparse(node)))
        else:
            self.visit(node.func)
        for inner in (*node.args, *node.keywords):
            self.visit(inner)

    def _read_import(self, node: ast.Call) -> Import | None:
        """Return what an import by call binds; None if no text tells."""
        given: dict[str | None, ast.expr] = {item.arg: item.value for item in node.keywords}
        given.update(zip(("name", "package"), node.args))
        text, package = _literal(given.get("name")), given.get("package")
        if len(node.args) > 2 or not {"name", "package"}.issuperset(given) or not isinstance(text, str):
            return None
        name = text.lstrip(".")
        level = len(text) - len(name)
        if level and isinstance(_literal(package), str):  # relative to a package that is named
            parts = _literal(package).split(".")
            name, level = ".".join([*parts[: len(parts) - level + 1], name]), 0
        elif level and package is not None and _dotted(package) not in ("__package__", "__name__"):
            return None
        if self._name_of(node.func) == "__import__":  # gives the outermost package
            return Import("", name.split(".")[0], None, level, name)
        return Import("", name, None, level, name)

    def _name_of(self, node: ast.AST) -> str:
        chain = _dotted(node)
        return "" if chain.split(".")[0] in self._local else real_name(chain, self._outer)

    def _mention(self, node: ast.AST, chain: str) -> None:
        self.chains.add(chain)
        if chain.split(".")[0] in self._local:
            return
        name = real_name(chain, self._outer)
        self.asks_files += name.startswith(READS_FILES)
        if is_hiding(name):
            self.hidden.append((getattr(node, "lineno", 0), ast.unparse(node)))

    def visit_annotation(self, annotation: ast.expr | None) -> None:
        """Read an annotation, and what is text in it."""
        if annotation is None:
            return
        self._visit_texts(annotation)
        self.visit(annotation)

    def _visit_texts(self, part: ast.AST) -> None:
        """Read what is text in a type, `list["Node"]`; that in a Literal stands for itself."""
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            self._visit_text(part.value)
        elif not isinstance(part, ast.Subscript) or self._name_of(part.value) != "typing.Literal":
            for inner in ast.iter_child_nodes(part):
                self._visit_texts(inner)

    def _visit_text(self, text: str) -> None:
        try:
            self.visit_annotation(ast.parse(text, mode="eval").body)
        except (SyntaxError, ValueError):
            return  # no name


def _literal(node: ast.AST | None) -> Any:
    return node.value if isinstance(node, ast.Constant) else None
