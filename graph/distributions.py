"""Installed distributions: their versions, what they register, which one a module comes from.

`importlib.metadata` knows more and takes longer to import than all else that a run with nothing to do needs: here the
names of `.dist-info` folders tell, and what is asked of it is remembered.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import sys

import msgspec

from graph.memo import memo_path, write_memo
from store.digest import digest

KINDS = "dataflow.nodes"  # the entry-point group of kinds


class NotInstalled(Exception):
    """A distribution that is asked for by name and is not there."""


@functools.cache
def installed() -> dict[str, str]:
    """Return normal name -> version of every installed distribution; the first on the search path counts."""
    return {name: version for name, (version, _) in _folders().items()}


@functools.cache
def registered(group: str = KINDS) -> dict[str, str]:
    """Return the entry points of a group, name -> `module:object`, sorted by name."""
    found: dict[str, str] = {}
    for _, folder in _folders().values():
        with contextlib.suppress(OSError), open(f"{folder}/entry_points.txt", encoding="utf-8") as file:
            for line in file.read().partition(f"[{group}]\n")[2].partition("\n[")[0].splitlines():
                name, _, target = line.partition("=")
                if target:
                    found.setdefault(name.strip(), target.partition("[")[0].strip())
    return dict(sorted(found.items()))


@functools.cache
def distributions_of(module: str) -> tuple[str, ...]:
    """Return the distributions that brought a top-level module, mostly its namesake; its own name if none did."""
    if normal_name(module) in installed():
        return (normal_name(module),)
    path = memo_path("distributions", digest(msgspec.json.encode([module, sorted(installed().items())])))
    with contextlib.suppress(OSError, msgspec.MsgspecError), open(path, "rb") as file:
        return msgspec.msgpack.decode(file.read(), type=tuple[str, ...])
    import importlib.metadata

    found = importlib.metadata.packages_distributions().get(module, [module])
    names = tuple(sorted({normal_name(name) for name in found}))
    write_memo(path, msgspec.msgpack.encode(names))
    return names


def versions(modules: tuple[str, ...], exact: tuple[str, ...]) -> dict[str, str]:
    """Return distribution -> version: major.minor of those that modules come from, the whole version of `exact`.

    Raises:
        NotInstalled: one of `exact` is not; the text is its name.
    """
    names = (name for module in modules for name in distributions_of(module))
    found = {name: major_minor(installed().get(name, "unknown")) for name in names}
    for name in exact:
        if normal_name(name) not in installed():
            raise NotInstalled(name)
        found[normal_name(name)] = installed()[normal_name(name)]
    return dict(sorted(found.items()))


def major_minor(version: str) -> str:
    """Return the first two numbers of a version: `2.13` of `2.13.0+cpu`."""
    return ".".join(version.split(".")[:2])


def normal_name(name: str) -> str:
    """Return a distribution's name as indexes normalise it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@functools.cache
def _folders() -> dict[str, tuple[str, str]]:
    """Return normal name -> version, folder with what is known of it."""
    found: dict[str, tuple[str, str]] = {}
    for place in sys.path:
        try:
            entries = sorted(os.listdir(place or "."))
        except OSError:
            continue
        for entry in entries:
            stem, _, suffix = entry.rpartition(".")
            if suffix in ("dist-info", "egg-info") and "-" in stem:  # of Debian's: numpy-1.26.4.egg-info
                name, version, *_ = stem.split("-")
                found.setdefault(normal_name(name), (version, f"{place or '.'}/{entry}"))
    return found
