"""Quiet statements: those whose execution binds names and does nothing else that anybody could see.

What is not quiet may register, patch or print: it counts as soon as its module is executed, and its order counts too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from graph.mentions import FUNCTIONS, chain_of, read_imports, real_name

BRANCHES = (ast.If, ast.Try)
# Names here are as they are known outside of a module: one of the project's own by such a name is not meant.
HARMLESS = {
    "property", "staticmethod", "classmethod", "functools.cache", "functools.cached_property", "functools.lru_cache",
    "functools.total_ordering", "functools.wraps", "functools.singledispatch", "contextlib.contextmanager",
    "contextlib.asynccontextmanager", "dataclasses.dataclass", "typing.overload", "typing.final", "typing.override",
    "typing.runtime_checkable", "abc.abstractmethod", "enum.unique", "graph.node.node", "torch.no_grad",
    "torch.inference_mode", "numba.njit", "numba.jit", "jax.jit",
}  # fmt: skip
ACCESSORS = ("setter", "getter", "deleter")
PURE_CALLS = {
    "frozenset", "set", "tuple", "dict", "list", "range", "int", "float", "str", "bytes", "bool", "len", "min", "max",
    "sorted", "sum", "abs", "round", "zip", "enumerate", "object", "slice", "re.compile", "typing.TypeVar",
    "typing.ParamSpec", "typing.NewType", "collections.namedtuple", "pathlib.Path", "types.MappingProxyType",
    "msgspec.Meta", "msgspec.field", "dataclasses.field", "enum.auto", "functools.partial", "graph.node.added_in_key",
    "collections.defaultdict", "collections.Counter", "collections.OrderedDict", "collections.deque", "dict.fromkeys",
    "operator.itemgetter", "operator.attrgetter", "logging.getLogger", "textwrap.dedent", "datetime.timedelta",
    "math.sqrt", "math.radians", "math.log", "math.exp", "math.cos", "math.sin", "numpy.array", "numpy.asarray",
    "numpy.zeros", "numpy.ones", "numpy.eye", "numpy.arange", "numpy.linspace", "numpy.deg2rad", "numpy.float32",
    "numpy.dtype", "torch.tensor", "torch.device",
}  # fmt: skip
PURE = (
    ast.Constant, ast.Name, ast.Attribute, ast.Tuple, ast.List, ast.Set, ast.Dict, ast.UnaryOp, ast.BinOp, ast.BoolOp,
    ast.Compare, ast.IfExp, ast.Subscript, ast.Slice, ast.Starred, ast.JoinedStr, ast.FormattedValue, ast.Lambda,
    ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.comprehension, ast.keyword, ast.Call,
    ast.arguments, ast.arg, ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop,
)  # fmt: skip


def is_quiet(statement: ast.stmt, outer: Mapping[str, str]) -> bool:
    """Tell whether a statement is; `outer` says what names of its module stand for."""
    if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
        if isinstance(statement, ast.ClassDef):
            given = [*statement.bases, *(item.value for item in statement.keywords)]
            inside = statement.body
        else:
            given = [*statement.args.defaults, *(one for one in statement.args.kw_defaults if one)]
            inside = []
        return (
            all(is_harmless(decorator, outer, statement.name) for decorator in statement.decorator_list)
            and all(_is_pure(value, outer) for value in given)
            and all(is_quiet(inner, outer) for inner in inside)
        )
    if isinstance(statement, ast.Assign):
        return all(map(_is_plain, statement.targets)) and _is_pure(statement.value, outer)
    if isinstance(statement, ast.AnnAssign):
        return _is_plain(statement.target) and (statement.value is None or _is_pure(statement.value, outer))
    if isinstance(statement, BRANCHES):
        return _is_quiet_branch(statement, outer)
    return is_constant(statement) or isinstance(statement, (ast.Pass, ast.Import, ast.ImportFrom))


def _is_quiet_branch(statement: ast.If | ast.Try, outer: Mapping[str, str]) -> bool:
    """Tell whether all ways through it are quiet: `try: import fast`, `except ImportError: fast = None`."""
    inside, given = [*statement.body, *statement.orelse], []
    if isinstance(statement, ast.If):
        given = [statement.test]
    else:
        inside += [*statement.finalbody, *(inner for handler in statement.handlers for inner in handler.body)]
        given = [handler.type for handler in statement.handlers if handler.type]
    # A class may be known to its bases, and only one that is a unit of its own is asked.
    return (
        not any(isinstance(inner, ast.ClassDef) for inner in inside)
        and all(_is_pure(value, outer) for value in given)
        and all(is_quiet(inner, outer) for inner in inside)
    )


def is_constant(statement: ast.AST) -> bool:
    """Tell whether a statement is a docstring, or another constant that nobody takes."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def reads_names(statement: ast.stmt) -> bool:
    """Tell whether executing a statement looks at names: then what others did to these by then makes a difference."""
    parts = _given(statement) if isinstance(statement, FUNCTIONS) else [statement]
    return any(
        isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Load) for part in parts for inner in _now(part)
    )


def bound_names(statement: ast.AST) -> Iterator[str]:
    """Yield the names that a statement binds, or deletes, where it stands."""
    if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
        yield statement.name
    elif isinstance(statement, (ast.Import, ast.ImportFrom)):
        yield from (item.alias for item in read_imports(statement))
    elif not isinstance(statement, ast.Lambda):
        if isinstance(statement, ast.Name) and not isinstance(statement.ctx, ast.Load):
            yield statement.id
        if isinstance(statement, (ast.MatchAs, ast.MatchStar, ast.ExceptHandler)) and statement.name:
            yield statement.name
        for inner in ast.iter_child_nodes(statement):
            if not isinstance(inner, ast.comprehension):
                yield from bound_names(inner)


def _now(part: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that are evaluated at once, not when something is called."""
    yield part
    for inner in ast.iter_child_nodes(part):
        if isinstance(inner, (*FUNCTIONS, ast.Lambda)):
            yield from (one for given in _given(inner) for one in _now(given))
        else:
            yield from _now(inner)


def _given(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> list[ast.AST]:
    """Return what is evaluated where a function is defined, but for its annotations."""
    defaults = [*function.args.defaults, *(one for one in function.args.kw_defaults if one)]
    return [*defaults, *getattr(function, "decorator_list", ())]


def is_harmless(decorator: ast.expr, outer: Mapping[str, str], decorated: str) -> bool:
    """Tell whether a decorator of something by that name registers nothing."""
    name = chain_of(decorator)
    given: list[ast.expr] = []
    if isinstance(decorator, ast.Call):
        given = [*decorator.args, *(item.value for item in decorator.keywords)]
    is_accessor = name in [f"{decorated}.{one}" for one in ACCESSORS] and decorated not in outer
    return (is_accessor or real_name(name, outer) in HARMLESS) and all(_is_pure(value, outer) for value in given)


def _is_plain(target: ast.expr) -> bool:
    return isinstance(target, ast.Name) or (isinstance(target, ast.Tuple) and all(map(_is_plain, target.elts)))


def _is_pure(value: ast.expr, outer: Mapping[str, str]) -> bool:
    for inner in ast.walk(value):
        if isinstance(inner, ast.Call) and not _is_pure_call(inner, outer):
            return False
        if not isinstance(inner, PURE):
            return False
    return True


def _is_pure_call(call: ast.Call, outer: Mapping[str, str]) -> bool:
    if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Constant):
        return True  # a text's own, `"a b".split()`
    return real_name(chain_of(call.func), outer) in PURE_CALLS
