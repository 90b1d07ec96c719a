"""Exchange with what lies outside of any store: artifacts as folders that people and other tools open, and back.

Beside the folder's own files (store/folder.py) an export holds, under `plain/`, what the types of the artifact and of
those inside make of themselves: pictures, tables, a model folder. Nothing reads that back. A folder appears whole, by
one rename, or not at all.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from graph.classes import find_class
from graph.errors import ExportError, nearest
from graph.kinds import Kind
from graph.registry import load_object
from store.artifact import Artifact
from store.collection import PREFIX
from store.errors import Unacceptable
from store.folder import LISTING, Listing, join, make_listing, write_entries, write_listing
from store.intake import put_folder, read_listing
from store.open import Store

PLAIN = "plain"


class Opened(Mapping[str, Artifact]):
    """Stored artifacts of one type by their place, each opened when it is asked for, and kept by nobody."""

    def __init__(self, store: Store, cls: type[Artifact], digests: Mapping[str, str]) -> None:
        self._store, self._cls, self._digests = store, cls, digests

    def __getitem__(self, place: str) -> Artifact:
        return self._store.open(self._digests[place], self._cls)

    def __iter__(self) -> Iterator[str]:
        return iter(self._digests)

    def __len__(self) -> int:
        return len(self._digests)


def export_artifact(
    store: Store, label: str, digest: str, kinds: Sequence[Kind], folder: Path, is_plain: bool = False, form: str = ""
) -> Path:
    """Write an artifact to a folder that is empty or not there; return the folder.

    Args:
        kinds: those that may know its type and the types inside.
        is_plain: write the plain form alone, which cannot be imported.
        form: write the plain form of that name alone, where types have several; "" is the one they all have.
    Raises:
        ExportError: the folder is taken, or there is no such plain form or it cannot be written.
        Unacceptable: the artifact's keys cannot stand in one folder.
    """
    listing = make_listing(store, digest)
    if form:
        _check_form(label, listing, kinds, form)
    with _new_folder(folder) as new:
        _write_plain(store, listing, kinds, new / PLAIN, folder, form)
        if not (is_plain or form):
            write_entries(store, listing, new)
        elif not (new / PLAIN).exists():
            raise ExportError(f"{label} is {listing.type}, which has no plain form here: export it without --plain")
        write_listing(listing, new)
    return folder


def import_artifact(store: Store, folder: Path, kinds: Sequence[Kind], is_edited: bool = False) -> str:
    """Put what an exported folder holds into a store; return its digest.

    Args:
        kinds: those that may know its type and the types inside.
        is_edited: take it although its digest is another than was exported.
    Raises:
        Unacceptable: the folder is not what an export writes, it was edited, or no kind knows a type in it.
    """
    listing = read_listing(folder)
    classes = _find_classes(folder, listing, kinds)
    digest = put_folder(store, folder, listing, is_edited)
    for path, each in make_listing(store, digest).walk():
        try:
            store.open(each.digest, classes[each.type])
        except Exception as error:  # whatever a type makes of content that it never wrote
            where = f"{folder}: {path}" if path else str(folder)
            raise Unacceptable(f"{where}: does not open as {each.type}: {_line(error)}") from error
    return digest


def _find_classes(folder: Path, listing: Listing, kinds: Sequence[Kind]) -> dict[str, type[Artifact]]:
    """Return the class of every type in a listing. Raises Unacceptable: one has none, or stands in another's place."""
    classes: dict[str, type[Artifact]] = {}
    for path, each in listing.walk():
        cls = classes.get(each.type) or find_class(each.type, kinds)
        if cls is None:
            named = f"{folder / LISTING}: type {each.type!r}"
            raise Unacceptable(f"{named}: no kind takes or gives it; name a spec that has one")
        classes[each.type] = cls
        item = each.type.removeprefix(PREFIX)
        for key, held in each.artifacts.items() if item != each.type else ():
            if held.type != item:
                raise Unacceptable(f"{folder}: {join(path, key)} is {held.type} in a {each.type}")
    return classes


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def places_by_type(listing: Listing) -> dict[str, dict[str, str]]:
    """Return the digests of an artifact and of all inside, by type and by place ("" for itself)."""
    places: dict[str, dict[str, str]] = {}
    for path, each in listing.walk():
        places.setdefault(each.type, {})[path] = each.digest
    return places


def load_named(cls: type[Artifact], target: str) -> Callable[..., Any]:
    """Import what a type names as `module:function`, or as `:function` of its own module."""
    module, _, attribute = target.partition(":")
    found: Callable[..., Any] = load_object(module or cls.__module__, attribute)
    return found


def _check_form(label: str, listing: Listing, kinds: Sequence[Kind], form: str) -> None:
    """Raise ExportError where no type inside has a plain form of that name."""
    classes = [find_class(name, kinds) for name in places_by_type(listing)]
    known = sorted({name for cls in classes if cls is not None for name in getattr(cls, "forms", ())})
    if form not in known:
        forms = f"it has {', '.join(known)}{nearest(form, known)}" if known else "it has none by name"
        raise ExportError(f"{label} is {listing.type}, which has no form {form!r}: {forms}")


def _write_plain(
    store: Store, listing: Listing, kinds: Sequence[Kind], target: Path, folder: Path, form: str = ""
) -> None:
    """Let every type that has the plain form write it, once for all artifacts of that type."""
    for name, digests in places_by_type(listing).items():
        cls = find_class(name, kinds)
        writer = (cls.forms.get(form, "") if form else cls.plain) if isinstance(cls, type) else ""
        if not writer or not isinstance(cls, type):
            continue
        write = load_named(cls, writer)
        try:
            write(Opened(store, cls, digests), target)
        except Exception as error:
            raise ExportError(f"{folder}: plain form of {name} by {writer}: {_line(error)}") from error


@contextlib.contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """Give a folder beside that takes the other's name in the end; whatever fails, it is gone."""
    target = folder.resolve()
    _check_free(folder, target)
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(f".{target.name}.unfinished-{uuid.uuid4().hex[:8]}")
    new.mkdir()
    try:
        yield new
        os.rename(new, target)  # onto an empty folder or nothing, else it fails
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise


def _check_free(folder: Path, target: Path) -> None:
    expected = "expected an empty folder, or nothing there yet"
    if target.is_dir():
        if target == Path.cwd():
            raise ExportError(f"{folder}: expected another folder than the working one")
        if any(target.iterdir()):
            raise ExportError(f"{folder}: {expected}; it holds {min(item.name for item in target.iterdir())}")
    elif os.path.lexists(folder):
        raise ExportError(f"{folder}: {expected}; it is no folder")
