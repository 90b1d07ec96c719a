"""Stripping: code without what makes no difference to what it does.

That is docstrings, and annotations of ordinary functions, their parameters and local names. Those of class bodies
stay, as do a node's own and those of functions whose decorators may read them. The fields of a Struct that came later
(`added_in_key`) are taken out of it: they are units of their own, which count for whoever asks for them.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

from graph.mentions import chain_of, real_name
from graph.quiet import is_constant, is_harmless

ANNOTATED = {"dataclasses.dataclass", "graph.node.node", "functools.singledispatch"}  # these read annotations


def strip(statement: ast.stmt, outer: Mapping[str, str]) -> list[ast.expr]:
    """Strip a statement in place, and return the annotations of functions that went.

    Args:
        outer: what names of its module stand for.
    """
    stripper = _Stripper(outer)
    stripper.visit(statement)
    return stripper.went


def take_added(statement: ast.stmt, outer: Mapping[str, str]) -> dict[str, ast.AnnAssign]:
    """Take the fields marked by `added_in_key` out of a class, and return them by name."""
    added: dict[str, ast.AnnAssign] = {}
    for inner in statement.body if isinstance(statement, ast.ClassDef) else ():
        if isinstance(inner, ast.AnnAssign) and isinstance(inner.target, ast.Name):
            calls = [one for one in ast.walk(inner.annotation) if isinstance(one, ast.Call)]
            if any(real_name(chain_of(call), outer) == "graph.node.added_in_key" for call in calls):
                added[inner.target.id] = inner
    if isinstance(statement, ast.ClassDef) and added:
        statement.body = [inner for inner in statement.body if inner not in added.values()] or [ast.Pass()]
    return added


class _Stripper(ast.NodeTransformer):
    def __init__(self, outer: Mapping[str, str]) -> None:
        self.went: list[ast.expr] = []
        self._outer = outer

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self.generic_visit(node)
        node.body = [inner for inner in node.body if not is_constant(inner)] or [ast.Pass()]
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        self.generic_visit(node)
        body = [inner for inner in node.body if not is_constant(inner)] or [ast.Pass()]
        node.body = [inner if _holds_class(inner) else _Plainer().visit(inner) for inner in body]
        if not any(self._may_read(decorator, node.name) for decorator in node.decorator_list):
            arguments = [one for one in ast.walk(node.args) if isinstance(one, ast.arg)]
            self.went += [one for one in (node.returns, *(argument.annotation for argument in arguments)) if one]
            node.returns = None
            for argument in arguments:
                argument.annotation = None
        return node

    visit_AsyncFunctionDef = visit_FunctionDef

    def _may_read(self, decorator: ast.expr, decorated: str) -> bool:
        is_read = real_name(chain_of(decorator), self._outer) in ANNOTATED
        return is_read or not is_harmless(decorator, self._outer, decorated)


class _Plainer(ast.NodeTransformer):
    """Makes `x: int = 1` of a function's body `x = 1`."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        if node.value is None:
            return ast.AnnAssign(node.target, ast.Constant(None), None, node.simple)
        return ast.Assign([node.target], node.value)


def _holds_class(statement: ast.stmt) -> bool:
    return any(isinstance(inner, ast.ClassDef) for inner in ast.walk(statement))
