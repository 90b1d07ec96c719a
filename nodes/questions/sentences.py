"""Sentences: what a call of the scene API measures, in plain words with its numbers.

A step is an expression over the scene API and what to say of its value. Calls that have no sentence of their own say
their name, what they are asked about and their value; so do those that the function would not take. Numbers of frames
are not said: they count a recording of which the policy sees a few pictures.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import cache
from inspect import Parameter, Signature
from typing import Any

from nodes.questions.programs.calls import call
from nodes.questions.programs.scene_api import api_names, functions
from nodes.questions.vocabulary import plural, short_name

Step = tuple[str, Callable[[Any], str]]
Words = tuple[Any, ...]


def steps_of(program: str) -> list[Step]:
    """Return the steps of a program: of its calls of the API whose arguments are constants, innermost first.

    Raises:
        SyntaxError: it is no Python.
    """
    steps: list[Step] = []
    for node in _inner_first(ast.parse(program.strip())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in api_names() - {"round"}:
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            if all(isinstance(word, ast.Constant) for word in given):
                words = _bound(node.func.id, node) if node.func.id in SENTENCES else None
                steps += _other(node) if words is None else SENTENCES[node.func.id](words)
    return list({step[0]: step for step in steps}.values())


def _bound(name: str, node: ast.Call) -> Words | None:
    """Return a call's constants in the order of the function's parameters, defaults too; None: it takes other ones.

    A program may hold a call that never runs, so that it answers well and the call is wrong all the same.
    """
    named = {keyword.arg: ast.literal_eval(keyword.value) for keyword in node.keywords if keyword.arg}
    if len(named) < len(node.keywords):
        return None  # **, which a constant cannot follow
    try:
        bound = _signature(name).bind(*map(ast.literal_eval, node.args), **named)
    except TypeError:
        return None
    bound.apply_defaults()
    return bound.args


@cache
def _signature(name: str) -> Signature:
    taken = functions()[name].args
    defaults = [*[Parameter.empty] * (len(taken.args) - len(taken.defaults)), *map(ast.literal_eval, taken.defaults)]
    parameters = [
        Parameter(each.arg, Parameter.POSITIONAL_OR_KEYWORD, default=default)
        for each, default in zip(taken.args, defaults, strict=True)
    ]
    if taken.vararg:
        parameters.append(Parameter(taken.vararg.arg, Parameter.VAR_POSITIONAL))
    return Signature(parameters)


def _inner_first(node: ast.AST) -> list[ast.AST]:
    return [each for child in ast.iter_child_nodes(node) for each in _inner_first(child)] + [node]


def _other(node: ast.Call) -> list[Step]:
    assert isinstance(node.func, ast.Name)
    name = node.func.id.replace("_", " ").capitalize()
    given = [*node.args, *(keyword.value for keyword in node.keywords)]
    words = ", ".join(
        str(word.value) for word in given if isinstance(word, ast.Constant) and type(word.value) is not int
    )
    asked = f" ({words})" if words else ""
    return [(ast.unparse(node), lambda value: f"{name}{asked}: {_plain(value)}.")]


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _where(words: Words, at: int) -> str:
    return " in the image" if len(words) > at and words[at] is not None else ""


def _count(words: Words) -> list[Step]:
    expression = call("count", words[0], **({"frame": words[1]} if _where(words, 1) else {}))
    name = str(words[0])
    return [(expression, lambda n: f"I count {n} {name if n == 1 else plural(name)}{_where(words, 1)}.")]


def _exists(words: Words) -> list[Step]:
    expression = call("exists", words[0], **({"frame": words[1]} if _where(words, 1) else {}))
    return [(expression, lambda is_there: f"There is {'a' if is_there else 'no'} {words[0]}{_where(words, 1)}.")]


def _distance(words: Words) -> list[Step]:
    a, b = words[:2]
    told = f"The closest points of the {a} and the {b} are"
    return [(call("distance", a, b), lambda metres: f"{told} {metres:.2f} m apart.")]


def _closest(words: Words) -> list[Step]:
    target, *others = words
    steps = [step for other in others for step in _distance((target, other))]
    return [*steps, (call("closest", *words), lambda label: f"The closest to the {target} is the {label}.")]


def _longest_side(words: Words) -> list[Step]:
    told = f"The longest side of the {words[0]} is"
    return [(call("longest_side", words[0]), lambda metres: f"{told} {metres:.2f} m, {100 * metres:.0f} cm.")]


def _height(words: Words) -> list[Step]:
    return [(call("height", words[0]), lambda metres: f"The {words[0]} is {metres:.2f} m tall.")]


def _angle(words: Words) -> list[Step]:
    stand, face, query = words[:3]

    def told(degrees: float) -> str:
        way = "left" if degrees > 0 else "right"
        return f"By the {stand}, facing the {face}, the {query} is {abs(degrees):.0f} degrees to the {way}."

    return [(call("angle", stand, face, query), told)]


def _direction(words: Words) -> list[Step]:
    return [*_angle(words), (call("direction", *words), lambda name: f"That is {name}.")]


def _room_size(words: Words) -> list[Step]:
    return [(call("room_size"), lambda area: f"The floor measures {area:.1f} square meters.")]


def _first_seen(words: Words) -> list[Step]:
    return [(call("first_seen", words[0]), lambda seconds: f"The {words[0]} is first seen at {seconds:.1f} s.")]


def _order(words: Words) -> list[Step]:
    steps = [step for label in words for step in _first_seen((label,))]
    return [*steps, (call("appearance_order", *words), lambda order: f"So they appear in this order: {order}.")]


def _compared(name: str, more: str) -> Callable[[Words], list[Step]]:
    def steps(words: Words) -> list[Step]:
        a, b, frame = words

        def told(winner: str) -> str:
            return f"Of the {a} and the {b}, the {a if winner == short_name(a) else b} is {more}."

        return [(call(name, a, b, frame=frame), told)]

    return steps


SENTENCES: dict[str, Callable[[Words], list[Step]]] = {
    "count": _count,
    "exists": _exists,
    "distance": _distance,
    "closest": _closest,
    "longest_side": _longest_side,
    "height": _height,
    "angle": _angle,
    "direction": _direction,
    "room_size": _room_size,
    "first_seen": _first_seen,
    "appearance_order": _order,
    "closer": _compared("closer", "closer to the camera"),
    "taller": _compared("taller", "taller"),
    "further_left": _compared("further_left", "further left"),
}
