"""Programs: the source from which a question's answer follows, run over the facts of its scene.

Pools come from others: nothing that a program does may change what the next one sees. Plain programs, which can change
nothing, share a session and one feed; a batch that breaks a limit is run again one by one. What crosses back is text of
bounded length, never a value as it lies in the sandbox: a small one can be exponentially large when it is written out.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from msgspec import Struct

from nodes.questions.programs.facts import Facts
from nodes.questions.programs.sandbox import Limits, feed, open_session
from nodes.questions.programs.screen import Screened, screen
from nodes.rewards.accuracy import parse_number

if TYPE_CHECKING:
    from pydantic_monty import MontyError, MontySession

    from nodes.questions.question import Question

Value = str | int | float | bool
Group = tuple[Facts, Sequence[str]]  # programs and the facts that they run over
LIMITS = Limits()
DETAIL = 200  # characters
DIGITS = 300  # more are no number of double precision, and no answer
FATAL = {"TimeoutError": "time", "MemoryError": "memory", "RecursionError": "depth"}
_NUMBER = re.compile(r"-?(\d+|\d+\.\d*(e[+-]?\d+)?|\d+e[+-]?\d+|inf)|nan")


class Outcome(Struct, frozen=True):
    """What became of a program: its value, or a reason to count by (long, nested, forbidden, syntax, time, memory,
    depth, crash, error, value) and one line of detail."""

    value: Value | None = None
    reason: str = ""
    detail: str = ""


def run_programs(facts: Facts, programs: Sequence[str], limits: Limits = LIMITS) -> list[Outcome]:
    """Run programs over the facts of one scene; one outcome a program, in their order. Raises nothing of theirs.

    Args:
        facts: of the scene as these programs may ask for it, `facts_of(view, programs)`.
    """
    with Runner(limits) as runner:
        return runner.run([(facts, programs)])[0]


def answer_text(value: Value) -> str:
    """Return what an answer says for a value: text as it is, yes or no, a number as Python writes it.

    Raises:
        ValueError: a number that is not finite.
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value}: expected a finite number")
        return str(value + 0.0)
    return str(value)


def expected(question: Question) -> str:
    """Return what a question's program should say: the text of the answer's option, or the answer itself."""
    lettered = f"{question.answer}. "
    return next((text[len(lettered) :] for text in question.options if text.startswith(lettered)), question.answer)


def disagreement(value: Value, question: Question) -> str:
    """Return how a value disagrees with what its question takes for right; empty if it does not.

    A choice is one of the options, by their text; a number is finite and equal to the answer.
    """
    right = expected(question)
    if question.kind == "number":
        if isinstance(value, (str, bool)) or not math.isfinite(value):
            return f"said {value!r}, expected a finite number"
        return "" if parse_number(right) == value else f"said {answer_text(value)}, answer {right}"
    try:
        text = answer_text(value)
    except ValueError as error:
        return f"said {error}"
    return "" if text == right else f"said {text}, answer {right}"


class Runner:
    """Runs programs, the plain ones in a session that it keeps; a context manager."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self._limits = limits
        self._open = ExitStack()
        self._session: MontySession | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._leave()

    def run(self, groups: Sequence[Group]) -> list[list[Outcome]]:
        """Run programs, each over the facts of its group; one outcome a program. Plain ones take one feed together."""
        screened = [[screen(program) for program in programs] for _, programs in groups]
        plain = [
            (facts, list(dict.fromkeys(row.value for row in rows if row.is_plain)))
            for (facts, _), rows in zip(groups, screened, strict=True)
        ]
        found = []
        for (facts, texts), outcomes, rows in zip(plain, self._run_plain(plain), screened, strict=True):
            known = dict(zip(texts, outcomes, strict=True))
            found.append([self._outcome(facts, row, known) for row in rows])
        return found

    def _outcome(self, facts: Facts, row: Screened, known: Mapping[str, Outcome]) -> Outcome:
        if row.reason:
            return Outcome(reason=row.reason, detail=row.detail)
        return known[row.value] if row.is_plain else _run_alone(facts, row, self._limits)

    def _run_plain(self, groups: Sequence[Group]) -> list[list[Outcome]]:
        from pydantic_monty import MontyError

        try:
            return self._feed(groups)
        except MontyError:
            self._leave()  # one of them took the others with it
        return [[self._run_one(facts, program) for program in programs] for facts, programs in groups]

    def _run_one(self, facts: Facts, program: str) -> Outcome:
        from pydantic_monty import MontyError

        try:
            return self._feed([(facts, [program])])[0][0]
        except MontyError as error:
            self._leave()
            return _failure(error)

    def _feed(self, groups: Sequence[Group]) -> list[list[Outcome]]:
        """Run plain programs in one feed. Raises MontyError where one of them breaks a limit."""
        if not any(programs for _, programs in groups):
            return [[] for _ in groups]
        if self._session is None:
            self._session = self._open.enter_context(open_session(self._limits))
        source = _batch_source([programs for _, programs in groups], self._limits)
        results = iter(feed(self._session, source, {"TABLES": [facts for facts, _ in groups]}))
        return [[_outcome(next(results), self._limits) for _ in programs] for _, programs in groups]

    def _leave(self) -> None:
        # a session that broke a limit is in no state that is known
        self._session = None
        self._open.close()


def _batch_source(groups: Sequence[Sequence[str]], limits: Limits) -> str:
    lines = ["RESULTS = []\n"]
    for k, programs in enumerate(groups):
        lines.append(f"FACTS = TABLES[{k}]\n")
        lines += [
            f"try:\n    VALUE = ({program})\n    RESULTS.append(f'{{VALUE!r}}'[:{limits.length + 1}])\n"
            f"except Exception as ERROR:\n    RESULTS.append((f'{{type(ERROR).__name__}}', f'{{ERROR}}'[:{DETAIL}]))\n"
            for program in programs
        ]
    return "".join([*lines, "RESULTS"])


def _run_alone(facts: Facts, program: Screened, limits: Limits) -> Outcome:
    from pydantic_monty import MontyError

    try:
        with open_session(limits) as session:
            # nothing here ends in an expression of theirs: its value would be written out whole
            feed(session, f"{program.body}\nVALUE = ({program.value})\n", {"FACTS": facts})
            return _outcome(feed(session, f"f'{{VALUE!r}}'[:{limits.length + 1}]"), limits)
    except MontyError as error:
        return _failure(error)


def _failure(error: MontyError) -> Outcome:
    from pydantic_monty import MontyCrashedError

    text = str(error)[: 2 * DETAIL]
    if isinstance(error, MontyCrashedError):
        return Outcome(reason="time" if error.timed_out else "crash", detail=_line(text))
    return Outcome(reason=FATAL.get(text.partition(":")[0], "error"), detail=_line(text))


def _outcome(result: str | tuple[str, str], limits: Limits) -> Outcome:
    """Return the outcome that a representation stands for, or an exception's name and text."""
    if not isinstance(result, str):
        return Outcome(reason=FATAL.get(result[0], "error"), detail=_line(": ".join(result)))
    if len(result) > limits.length:
        return Outcome(reason="value", detail=f"longer than {limits.length} characters: {_line(result)[:60]}")
    if result in ("True", "False"):
        return Outcome(result == "True")
    if len(result) > DIGITS and result.lstrip("-").isdigit():
        return Outcome(reason="value", detail=f"{len(result)} digits: {_line(result)[:60]}")
    if _NUMBER.fullmatch(result):
        return Outcome(int(result) if result.lstrip("-").isdigit() else float(result))
    if result[:1] in ("'", '"'):
        try:
            value = ast.literal_eval(result)
        except (SyntaxError, ValueError):
            value = None
        if isinstance(value, str):
            return Outcome(value)
    return Outcome(reason="value", detail=f"{_line(result)}: expected text, a number, True or False")


def _line(text: str) -> str:
    """Return text as one line of bounded length that can be written anywhere."""
    words = " ".join(text[: 4 * DETAIL].split())[:DETAIL]
    return words.encode("utf-8", "replace").decode()
