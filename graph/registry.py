"""Objects by name: kinds, and what params name (rewards, tasks), with the identity of their code.

Three forms of name: one registered in an entry-point group (`scene.extract` in `dataflow.nodes`), `module:object`, and
`path/to/file.py:object`. Finding an object imports its module and nothing else.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import msgspec

from graph.code import Code, project, read_code, settle_modules
from graph.distributions import KINDS, distributions_of, installed, registered, versions
from graph.errors import KindError, nearest
from store.digest import digest


def find_target(name: str, folder: Path, group: str) -> tuple[str, str]:
    """Return module and attribute of a registered name, `module:attribute`, or `file.py:attribute`.

    Its source is read by then, before anybody imports it: an edit in between must not give old code a new key.
    Raises:
        KindError: nothing has that name, or its file cannot be read.
    """
    place, separator, attribute = name.partition(":")
    if not separator:
        target = registered(group).get(name)
        if target is None:
            noun = "kind" if group == KINDS else group.removeprefix("dataflow.")
            raise KindError(f"no {noun} is named {name!r}{nearest(name, registered(group))}")
        place, _, attribute = target.partition(":")
    if not place.endswith(".py"):
        return place, attribute
    path = folder / place
    module = f"dataflow_file_{digest(str(path.absolute()).encode())[:16]}"
    try:
        project().add_file(module, path.absolute())
    except OSError as error:
        raise KindError(f"no file {path}: {error.strerror}") from None
    return module, attribute


def find_code(module: str, attribute: str) -> Code:
    """Return the code identity of an object: its closure, or of an installed distribution's its version."""
    if project().find(module) is not None:
        return read_code(module, attribute)
    top = module.split(".")[0]
    exact = tuple(name for name in distributions_of(top) if name in installed())
    version = versions((), exact) if top not in sys.stdlib_module_names else {}
    return Code(digest(msgspec.json.encode([module, attribute, version])), {}, {}, (top,))


def load_object(module: str, attribute: str) -> Any:
    """Import a module, a project's from the text that was read, and return what it calls `attribute`."""
    settle_modules()
    try:
        found = getattr(importlib.import_module(module), attribute, None)
    except (Exception, SystemExit) as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        raise KindError(f"{_place(module)} cannot be imported: {text}") from error
    if found is None:
        known = [key for key, value in vars(sys.modules[module]).items() if callable(value) and key[0] != "_"]
        raise KindError(f"{_place(module)} has no {attribute!r}{nearest(attribute, known)}")
    return found


def _place(module: str) -> str:
    """Return the file of a project's module, whose name may be made up; the name of any other."""
    source = project().find(module)
    return source.origin if source is not None else module
