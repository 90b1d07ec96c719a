"""Leftovers: what is no content and goes by age alone. Old runs, packs, leases; what killed processes left behind."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from store.digest import is_digest
from store.garbage import Garbage
from store.many import each
from store.objects import Found, Objects

PACKS = 8  # of an experiment, the newest


def find(garbage: Garbage) -> Iterator[list[Found]]:
    """Yield what to delete if it is older than the grace: one batch after another."""
    survey, clock = garbage.survey, garbage.clock
    old = [found for run, files in survey.runs.items() if run not in garbage.roots.runs for found in files.values()]
    # Without its root nobody takes it for a run, however much of it is left.
    yield [found for found in old if found.name.endswith("/root.json")]
    yield [found for found in old if not found.name.endswith("/root.json")]
    yield [found for numbers in survey.packs.values() for _, found in numbers[:-PACKS]]
    dead = {name for name, found in survey.holders.items() if not clock.is_young(found)}
    yield list(_dead_leases(garbage.objects, survey.leases, survey.holders.keys() - dead))
    yield [*(survey.holders[name] for name in dead), *survey.temporary]


def _dead_leases(objects: Objects, leases: list[Found], alive: set[str]) -> Iterator[Found]:
    for found, text in each(objects, lambda found: _read(objects, found.name), leases):
        if not any(holder.encode() in text for holder in alive):
            yield found


def _read(objects: Objects, name: str) -> bytes:
    try:
        return objects.read(name)
    except FileNotFoundError:
        return b""


def delete_local(garbage: Garbage) -> Iterator[Found]:
    """Delete scratch folders and locks of a local store that nobody holds; yield what is gone."""
    objects, clock = garbage.objects, garbage.clock
    root = getattr(objects, "root", None)
    if not isinstance(root, Path) or not getattr(objects, "is_touched_freely", False):
        return
    recorded = {folder.split("/")[2] for folder in garbage.survey.records}
    for key in filter(is_digest, objects.list("scratch")):
        files = list(objects.walk(f"scratch/{key}"))
        newest = max([found.modified for found in files] + [_modified(root / "scratch" / key)])
        is_over = key in recorded or newest < clock.now - clock.keep_s
        if is_over and newest < clock.now - clock.grace_s:
            with _held(root / "locks" / key) as is_held:
                if is_held:
                    shutil.rmtree(root / "scratch" / key, ignore_errors=True)
                    yield Found(f"scratch/{key}", sum(found.size for found in files), newest)
    for key in filter(is_digest, objects.list("locks")):
        path = root / "locks" / key
        if _modified(path) < clock.now - clock.grace_s:
            with _held(path) as is_held:
                if is_held:
                    yield Found(f"locks/{key}", 0, 0.0)


@contextlib.contextmanager
def _held(path: Path) -> Iterator[bool]:
    """Hold the lock of an action, if nobody does; nothing of it is left behind then. As in `graph.lock`."""
    path.parent.mkdir(exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_held = os.fstat(file).st_ino == os.stat(path).st_ino
        except OSError:  # it is held, or gone, or this file system knows no locks
            is_held = False
        yield is_held
        if is_held:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
    finally:
        os.close(file)


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return float("-inf")
