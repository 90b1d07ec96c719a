"""Screening: what a program is made of, before it is run.

A plain program is one expression of calls of the scene API and of harmless built-ins, constants, arithmetic,
comparisons, conditionals, lambdas, comprehensions and subscripts: it can change nothing, so many run in one session.
Any other that is allowed (statements, functions of its own, methods, `import math`) runs in a session of its own. What
is refused here never reaches the sandbox.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable
from functools import lru_cache

from msgspec import Struct

from nodes.questions.programs.scene_api import ALLOWED_IMPORT, api_names, facts_of_name

LONGEST = 4000  # characters
DEEPEST = 60  # levels of the syntax tree
SAFE = frozenset(
    (
        *("abs", "all", "any", "bool", "dict", "enumerate", "filter", "float", "int", "len", "list", "map", "max"),
        *("min", "range", "reversed", "sorted", "str", "sum", "tuple", "zip"),
    )
)
FORBIDDEN = frozenset(
    (
        *("breakpoint", "compile", "delattr", "dir", "eval", "exec", "exit", "getattr", "globals", "hasattr", "help"),
        *(
            "FACTS",
            "id",
            "hash",
            "input",
            "locals",
            "memoryview",
            "object",
            "open",
            "quit",
            "setattr",
            "super",
            "type",
            "vars",
        ),
    )
)
PLAIN = (
    *(ast.Expression, ast.Call, ast.keyword, ast.Starred, ast.Constant, ast.Name, ast.Load, ast.Store, ast.Tuple),
    *(ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.IfExp),
    *(ast.Lambda, ast.arguments, ast.arg, ast.ListComp, ast.GeneratorExp, ast.DictComp, ast.comprehension, ast.List),
    *(ast.Dict, ast.Subscript, ast.Slice),
)
STATEMENTS = (
    *(ast.Module, ast.Expr, ast.Assign, ast.AugAssign, ast.AnnAssign, ast.For, ast.While, ast.If, ast.FunctionDef),
    *(ast.Return, ast.Pass, ast.Break, ast.Continue, ast.Assert, ast.Raise, ast.Try, ast.ExceptHandler, ast.Import),
    *(ast.ImportFrom, ast.alias, ast.Attribute, ast.NamedExpr, ast.JoinedStr, ast.FormattedValue, ast.Set, ast.SetComp),
)
ANY = PLAIN + STATEMENTS
CONSTANTS = (str, int, float, bool, type(None))
# Texts of these characters alone mean the same to every parser of Python and stand in a batch as they are.
_SIMPLE = re.compile(r"[ !\"$-\[\]-~]*", re.ASCII)


class Needs(Struct, frozen=True):
    """What programs may read of FACTS: keys, and pairs of labels between which they measure; None is everything."""

    keys: frozenset[str] | None = None
    pairs: frozenset[tuple[str, str]] | None = None

    def has(self, key: str) -> bool:
        """Tell whether a key is among what they may read."""
        return self.keys is None or key in self.keys


class Screened(Struct, frozen=True):
    """A program as it will be run. `reason` says why it will not be, with `detail`; else `body` and the last
    expression `value` are its text."""

    body: str = ""
    value: str = ""
    is_plain: bool = False
    needs: Needs = Needs(frozenset(), frozenset())
    reason: str = ""
    detail: str = ""


@lru_cache(8192)
def screen(program: str) -> Screened:
    """Return how a program is to be run, or why not; raises nothing."""
    if len(program) > LONGEST:
        return _refuse("long", f"{len(program)} characters, expected at most {LONGEST}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(program.strip())
        nodes, depth = _nodes(tree)
        if depth > DEEPEST:
            return _refuse("nested", f"{depth} levels deep, expected at most {DEEPEST}")
        if wrong := _forbidden(nodes):
            return _refuse("forbidden", wrong)
        return _allowed(tree, nodes, program.strip())
    except SyntaxError as error:
        return _refuse("syntax", f"line {error.lineno}: {error.msg}")
    except (RecursionError, MemoryError):
        return _refuse("nested", "too deep to be read")
    except ValueError as error:  # null bytes, lone surrogates, integers without end
        return _refuse("syntax", str(error))


def needs_of(programs: Iterable[str]) -> Needs:
    """Return what all of the programs together may read."""
    keys: frozenset[str] | None = frozenset()
    pairs: frozenset[tuple[str, str]] | None = frozenset()
    for needs in {program: screen(program).needs for program in programs}.values():
        keys = None if keys is None or needs.keys is None else keys | needs.keys
        pairs = None if pairs is None or needs.pairs is None else pairs | needs.pairs
    return Needs(keys, pairs)


def _refuse(reason: str, detail: str) -> Screened:
    return Screened(reason=reason, detail=" ".join(detail.split())[:200])


def _nodes(tree: ast.AST) -> tuple[list[ast.AST], int]:
    """Return a tree's nodes, level by level, and how many levels there are; not by recursion."""
    nodes, level, depth = [], [tree], 0
    while level:
        depth += 1
        nodes += level
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return nodes, depth


def _forbidden(nodes: list[ast.AST]) -> str:
    """Return what a program has that none may have; empty if there is nothing."""
    calls = False
    for node in nodes:
        if not isinstance(node, ANY):
            return f"{type(node).__name__}, line {getattr(node, 'lineno', 1)}"
        if isinstance(node, ast.Constant) and type(node.value) not in CONSTANTS:
            return f"constant {node.value!r}"
        name = _name(node)
        if "__" in name or name in FORBIDDEN:
            return name
        if name in api_names() and _binds(node):
            return f"another {name}"
        if isinstance(node, ast.Import) and any(alias.name != ALLOWED_IMPORT for alias in node.names):
            return f"import {node.names[0].name}"
        if isinstance(node, ast.ImportFrom) and (node.module != ALLOWED_IMPORT or node.level):
            return f"import {node.module}"
        calls |= isinstance(node, ast.Name) and node.id in api_names()
    return "" if calls else "it asks nothing of the scene: expected a call of its functions"


def _binds(node: ast.AST) -> bool:
    if isinstance(node, ast.Name):
        return not isinstance(node.ctx, ast.Load)
    return isinstance(node, (ast.arg, ast.FunctionDef, ast.ExceptHandler, ast.alias))


def _name(node: ast.AST) -> str:
    """Return the name that a node brings, if it brings one."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, (ast.Attribute, ast.arg, ast.keyword, ast.FunctionDef, ast.alias, ast.ExceptHandler)):
        field = {ast.Attribute: "attr", ast.arg: "arg", ast.keyword: "arg"}.get(type(node), "name")
        return " ".join(filter(None, (getattr(node, field), getattr(node, "asname", None))))
    return ""


def _allowed(tree: ast.Module, nodes: list[ast.AST], text: str) -> Screened:
    if not tree.body or not isinstance(last := tree.body[-1], ast.Expr):
        return _refuse("syntax", "no value: expected an expression at the end")
    needs = _needs(nodes)
    if len(tree.body) == 1 and _is_plain(nodes[2:]):  # but for Module and Expr
        value = text.rstrip(" ;") if _SIMPLE.fullmatch(text) else ast.unparse(last.value)
        return Screened(value=value, is_plain=True, needs=needs)
    body = ast.unparse(ast.Module(tree.body[:-1], []))
    return Screened(body=body, value=ast.unparse(last.value), needs=needs)


def _is_plain(nodes: list[ast.AST]) -> bool:
    bound: set[str] = set()
    loaded: set[str] = set()
    for node in nodes:
        if not isinstance(node, PLAIN):
            return False
        if isinstance(node, ast.Call) and not isinstance(node.func, ast.Name):
            return False
        if isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.Name):
            (loaded if isinstance(node.ctx, ast.Load) else bound).add(node.id)
    known = SAFE | api_names()
    # what it binds takes no name from the API and none of the batch around it, all of which are long or capital
    return not (bound & known) and all(name.islower() and name[0] != "_" for name in bound) and loaded <= bound | known


def _needs(nodes: list[ast.AST]) -> Needs:
    names = [node.id for node in nodes if isinstance(node, ast.Name)]
    keys: set[str] = set()
    for name in set(names) & api_names():
        keys |= facts_of_name(name)
    if "distance" not in keys:
        return Needs(frozenset(keys), frozenset())
    pairs = [_named_pairs(node) for node in nodes if isinstance(node, ast.Call)]
    told = [pair for pair in pairs if pair is not None]
    measuring = sum(name in api_names() and "distance" in facts_of_name(name) for name in names)
    return Needs(frozenset(keys), frozenset().union(*told) if len(told) == measuring else None)


def _named_pairs(call: ast.Call) -> frozenset[tuple[str, str]] | None:
    """Return the pairs of labels that a call measures, if it says them all."""
    if not isinstance(call.func, ast.Name) or call.func.id not in ("distance", "closest") or call.keywords:
        return None
    words = [arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
    if len(words) < max(2, len(call.args)):
        return None
    return frozenset((words[0], other) for other in words[1:])
