"""The scene API as one text: every file of nodes/questions/programs/api, in the order of their names.

`sandbox_source` is what a session is given, `facts_of_name` what a function reads of FACTS, `api_text` what a proposer
is told. A file that is added there is part of all three.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "api"
ALLOWED_IMPORT = "math"


@cache
def modules() -> dict[str, ast.Module]:
    """Return the API's files by name, parsed.

    Raises:
        ValueError: a name is defined in two files, which in the sandbox would be one.
    """
    parsed = {path.stem: ast.parse(path.read_text()) for path in sorted(FOLDER.glob("*.py")) if path.stem[0] != "_"}
    owner: dict[str, str] = {}
    for file, tree in parsed.items():
        for name in _defined(tree):
            if owner.setdefault(name, file) != file:
                raise ValueError(f"{FOLDER}: {name!r} is defined in {owner[name]}.py and in {file}.py: expected once")
    return parsed


@cache
def functions() -> dict[str, ast.FunctionDef]:
    """Return all functions of the API by name, private ones too."""
    return {node.name: node for tree in modules().values() for node in tree.body if isinstance(node, ast.FunctionDef)}


@cache
def api_names() -> frozenset[str]:
    """Return the names that programs may call."""
    return frozenset(name for name in functions() if not name.startswith("_"))


@cache
def sandbox_source() -> str:
    """Return the whole API as one module: no docstrings, no annotations, no imports but `math`."""
    body: list[ast.stmt] = [ast.Import([ast.alias(ALLOWED_IMPORT)])]
    for tree in modules().values():
        for node in tree.body:
            if not isinstance(node, (ast.Import, ast.ImportFrom)) and not _is_docstring(node):
                body.append(_Bare().visit(ast.parse(ast.unparse(node)).body[0]))
    return ast.unparse(ast.fix_missing_locations(ast.Module(body, [])))


@cache
def facts_of_name(name: str) -> frozenset[str]:
    """Return the keys of FACTS, and of its frames, that a function of the API may read: itself or what it calls."""
    keys: set[str] = set()
    reached = [name]
    for each in reached:
        for node in ast.walk(functions()[each]):
            if isinstance(node, ast.Subscript):
                keys |= {c.value for c in ast.walk(node.slice) if isinstance(c, ast.Constant) and type(c.value) is str}
            elif isinstance(node, ast.Name) and node.id in functions() and node.id not in reached:
                reached.append(node.id)
    return frozenset(keys)


@cache
def api_text() -> str:
    """Return the API for a prompt: signature and docstring of every function that programs may call."""
    told = []
    for name, node in functions().items():
        if not name.startswith("_"):
            returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
            text = "\n".join(f"    {line}".rstrip() for line in (ast.get_docstring(node) or "").splitlines())
            told.append(f"{name}({ast.unparse(node.args)}){returns}\n{text}")
    return "\n".join(told) + "\n"


class _Bare(ast.NodeTransformer):
    """Takes docstrings and annotations away, which the sandbox would only have to read."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        node.returns = None
        node.body = [line for line in node.body if not _is_docstring(line)] or [ast.Pass()]
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt | None:
        return ast.Assign([node.target], node.value) if node.value else None


def _defined(tree: ast.Module) -> list[str]:
    names = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            names.append(node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names += [target.id for target in targets if isinstance(target, ast.Name)]
    return names


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
