"""What a policy wrote, read as proposals: questions with programs, as JSON. Each piece is a proposal or a refusal.

Read in: one object, a list, an object that holds a list, several of them; fenced or not; with other text before,
between and after; cut off in the middle. A text may be anything, so nothing here recurses over it in Python, runs
longer than its bounded length allows, or raises.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from nodes.questions.question import Refused

LONGEST = 262_144  # characters of a completion that are read
MOST = 64  # proposals of one completion
TRIES = 4096  # places where an object may begin
READ = 4 * LONGEST  # characters that tries may read in vain, all of them together: each may read to the end
KEPT_TEXT = 4000  # characters of a refused piece that are kept
QUESTION = (8, 600)  # characters
PROGRAM = 2000
OPTION = 80
TASK = re.compile(r"[a-z][a-z0-9_]{0,39}")
KEYS = ("question", "program")
UNITS = ("cm", "deg", "frames", "m", "m2", "objects", "s", "times")
_OPEN = re.compile(r"[{\[]")
_MARKUP = re.compile(r"<[/!?a-zA-Z][^<>]*>")
_LETTERED = re.compile(r"\(?([A-Da-d])[.):]\s*(?=\S)")
# Words of which hardly a question in English has none, and that mean nothing in most other languages.
_ENGLISH = frozenset(
    (
        *("and", "are", "can", "could", "does", "from", "have", "how", "if", "is", "it", "of", "or", "the", "there"),
        *("these", "this", "those", "what", "when", "where", "which", "who", "whose", "will", "with", "would", "you"),
    )
)


class Proposal(Struct, frozen=True):
    """A question with its program, of the form that was asked for; whether it is any good is not known yet."""

    question: str
    program: str
    kind: str
    options: tuple[str, ...]
    unit: str
    task: str
    text: str


def read_completion(text: str, shown: str = "") -> list[Proposal | Refused]:
    """Return every proposal in a text, and why each other piece is none, in the order in which they stand there.

    Args:
        shown: what the writer was shown; a question that stands in it is an echo.
    """
    if len(text) > LONGEST:
        return [refuse("long", f"{len(text)} characters, expected at most {LONGEST}", text)]
    found: list[Proposal | Refused] = []
    said = plain(shown)
    for piece, source in _pieces(text):
        if isinstance(piece, Refused):
            found.append(piece)
        elif len(found) == MOST:
            found.append(refuse("many", f"more than {MOST} proposals in one completion", source))
            break
        else:
            found.append(check_form(piece, source, said))
    return found or [refuse("no_json", "no object in the text", text)]


def refuse(reason: str, detail: str, text: str) -> Refused:
    """Return a refusal whose detail is one line and whose text can be stored: of a long one its two ends."""
    if len(text) > KEPT_TEXT:
        half = KEPT_TEXT // 2
        text = f"{text[:half]}\n... {len(text) - KEPT_TEXT} characters ...\n{text[-half:]}"
    return Refused(reason, _storable(" ".join(detail.split()))[:300], _storable(text))


def check_form(given: dict[str, Any], source: str, shown: str = "") -> Proposal | Refused:
    """Return the proposal that an object is, or what is wrong with its form."""
    kind, options, unit = given.get("kind"), given.get("options") or [], given.get("unit") or ""
    wrong = (
        _check_question(given.get("question"))
        or _check_program(given.get("program"))
        or _check_answers(kind, options, unit)
    )
    if wrong := wrong or _check_task(given.get("task")):
        return refuse("schema", wrong, source)
    if found := _check_language(given["question"], shown):
        return refuse(*found, source)
    texts = strip_letters([option.strip() for option in options])
    unit = "" if kind == "choice" else unit
    return Proposal(given["question"].strip(), given["program"].strip(), str(kind), texts, unit, given["task"], source)


def strip_letters(options: list[str]) -> tuple[str, ...]:
    """Return options without letters before them, where all have theirs in order."""
    found = [_LETTERED.match(option) for option in options]
    letters = "".join(match[1].upper() for match in found if match)
    if letters == "ABCD"[: len(options)]:
        return tuple(option[match.end() :] for option, match in zip(options, found, strict=True) if match)
    return tuple(options)


def plain(text: str) -> str:
    """Return a text as what is said in it: words and numbers alone, in lower case, single spaces between."""
    return " ".join(re.findall(r"[^\W_]+", text.lower()))


def _check_question(question: Any) -> str:
    """Return what is wrong, empty if nothing is; so do those that follow."""
    low, high = QUESTION
    if not isinstance(question, str):
        return f"question {_show(question)}: expected text"
    if not low <= len(question.strip()) <= high:
        return f"question of {len(question.strip())} characters, expected {low} to {high}"
    if strange := re.search(r"[^\n\t\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", question):
        return f"question holds the character {strange[0]!r}"
    return ""


def _check_language(question: str, shown: str) -> tuple[str, str] | None:
    """Return reason and detail if a question is no plain English of its own."""
    if markup := _MARKUP.search(question):
        return "markup", f"{markup[0][:60]} in the question, expected plain text"
    if not _ENGLISH & set(plain(question).split()):
        return "language", f"{question[:80]!r}, expected English"
    if plain(question) in shown:
        return "echo", "the question is part of what was shown"
    return None


def _check_program(program: Any) -> str:
    if not isinstance(program, str) or not program.strip():
        return f"program {_show(program)}: expected text"
    if len(program) > PROGRAM:
        return f"program of {len(program)} characters, expected at most {PROGRAM}"
    return ""


def _check_answers(kind: Any, options: Any, unit: Any) -> str:
    if kind not in ("choice", "number"):
        return f"kind {_show(kind)}: expected 'choice' or 'number'"
    if kind == "number":
        if options:
            return "options of a number: expected none"
        return "" if unit in UNITS else f"unit {_show(unit)}: expected one of {', '.join(UNITS)}"
    if not isinstance(options, list) or not all(isinstance(option, str) for option in options):
        return f"options {_show(options)}: expected a list of texts"
    if not 2 <= len(options) <= 4:
        return f"{len(options)} options, expected 2 to 4"
    for option in options:
        text = option.strip()
        if not plain(text) or len(text) > OPTION or not text.isprintable() or _MARKUP.search(text):
            return f"option {_show(option)}: expected plain text of at most {OPTION} characters"
    if len({plain(option) for option in strip_letters(options)}) < len(options):
        return "two options are the same"
    return ""


def _check_task(task: Any) -> str:
    if isinstance(task, str) and TASK.fullmatch(task):
        return ""
    return f"task {_show(task)}: expected a name of lower-case letters, digits and _, at most 40"


def _pieces(text: str) -> Iterator[tuple[dict[str, Any] | Refused, str]]:
    """Yield each object that may be a proposal with its source, and refusals of what begins like one and ends badly."""
    decoder = json.JSONDecoder(parse_constant=_no_number)
    position, tries, read, broken = 0, 0, 0, -1
    while (match := _OPEN.search(text, position)) and tries < TRIES and read < READ:
        start, tries = match.start(), tries + 1
        try:
            value, end = decoder.raw_decode(text, start)
        except RecursionError:
            yield refuse("nested", "too deep to be read", text[start:]), text[start:]
            return
        except ValueError as error:
            read += _read_to(error, text) - start
            if broken < 0 and re.match(r"\{\s*\"", text[start : start + 80]):
                broken = start
            position = start + 1
            continue
        found = list(_proposals(value))
        if found and broken >= 0:
            yield _broken(text, broken, start), ""
        broken = -1 if found else broken
        alone = text[start:end] if len(found) == 1 else ""
        yield from ((item, alone or json.dumps(item, ensure_ascii=False)) for item in found)
        position = end
    if tries >= TRIES or read >= READ:
        yield refuse("broken_json", f"{tries} places where JSON could begin, and no end", text[position:]), ""
    elif broken >= 0:
        yield _broken(text, broken, len(text)), ""


def _read_to(error: ValueError, text: str) -> int:
    """Return where the decoder was when it failed: what names no place, or that of a string without an end, the end."""
    if isinstance(error, json.JSONDecodeError) and not error.msg.startswith("Unterminated string"):
        return error.pos
    return len(text)


def _broken(text: str, start: int, end: int) -> Refused:
    return refuse("broken_json", f"an object begins at character {start} and has no end", text[start:end])


def _proposals(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects in a value that mean to be proposals: itself, its items, the items of a list it holds."""
    if isinstance(value, dict) and not any(key in value for key in KEYS):
        value = next((inner for inner in value.values() if isinstance(inner, list)), [])
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict) and any(key in item for key in KEYS):
            yield item


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _show(value: Any) -> str:
    """Return a value as a short text, whatever it is."""
    if isinstance(value, (dict, list)):
        return f"a {'list' if isinstance(value, list) else 'object'} of {len(value)}"
    return repr(value[:60] if isinstance(value, str) else value)[:80]


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\0", "\\0")
