"""Edits: which pieces of project source differ between two actions' code, and their unified diffs.

A record names the `source/1` artifact that explains its code digests: the texts of the files, and for each digest the
functions, classes and module bodies that it is made of, with their lines.
"""

from __future__ import annotations

import difflib
from typing import Any

import msgspec

from graph.change import codes_of, listed
from graph.shipping import read_facts
from store.errors import StoreError
from store.open import Store

COMPARED = 5000  # lines; with more, which no piece of code has, to compare them could take for ever


class Edit(msgspec.Struct, frozen=True):
    """One piece of code that differs, `nodes/select.py:band`; a text is "" where there is no such piece."""

    unit: str
    before: str
    after: str

    def diff(self) -> str:
        """Return the unified diff of the piece."""
        lines = (self.before.splitlines(), self.after.splitlines())
        if max(map(len, lines)) > COMPARED:
            return f"{self.unit}: {len(lines[0])} and {len(lines[1])} lines"
        return "\n".join(difflib.unified_diff(*lines, f"{self.unit} (then)", f"{self.unit} (now)", lineterm="", n=2))


class Pieces:
    """The pieces of code that an action may reach: label -> digest, and their texts.

    Raises:
        StoreError: the stored source is gone.
        LookupError: it does not explain this action.
    """

    def __init__(self, store: Store, source: str, action: dict[str, Any]) -> None:
        reader = store.reader(source)
        facts = read_facts(reader)
        reached = [name for code in codes_of(action) for name in _closure(facts.closures, code)]
        self.digests = {name: facts.units[name][0] for name in reached}
        self.texts = {}
        paths = {facts.units[name][1] for name in reached} - {""}
        files = {path: reader.file(path).decode(errors="replace").splitlines() for path in paths}
        for name in reached:
            content, path, first, last = facts.units[name]
            # Of a data file nothing but the digest is kept.
            self.texts[name] = "\n".join(files[path][first - 1 : last]) if path else f"content {content[:12]}"


def _closure(closures: dict[str, list[str]], code: str) -> list[str]:
    found = next((units for digest, units in closures.items() if digest.startswith(code)), None)
    if found is None:
        raise LookupError(code)
    return found


def find_edits(store: Store, before: str, was: dict[str, Any], after: str, now: dict[str, Any]) -> list[Edit] | None:
    """Return the pieces that differ: edited ones, then new ones, then those not reached any more.

    Args:
        before, after: digests of stored sources; `was` and `now` the actions, described.
    Returns:
        None if a source is gone or does not explain its action.
    """
    if not before or not after:
        return None
    try:
        old, new = Pieces(store, before, was), Pieces(store, after, now)
    except (StoreError, LookupError):
        return None
    both = [name for name in new.digests if name in old.digests]
    # Of code that reads its own text each letter counts, and no digest of a piece says so.
    edited = [name for name in both if old.digests[name] != new.digests[name]] or [
        name for name in both if old.texts[name] != new.texts[name]
    ]
    names = edited + [name for name in new.digests if name not in old.digests]
    names += [name for name in old.digests if name not in new.digests]
    return [Edit(name, old.texts.get(name, ""), new.texts.get(name, "")) for name in names]


def edits_text(edits: list[Edit] | None) -> str:
    """Return the edits in a few words; what is new or gone is named only where nothing was edited."""
    if edits is None:
        return ""
    edited = [edit.unit for edit in edits if edit.before and edit.after]
    new = [f"{edit.unit} is new" for edit in edits if not edit.before]
    gone = [f"{edit.unit} is not reached any more" for edit in edits if not edit.after]
    return listed(edited or new + gone or ["is the same in another order"], 2)
