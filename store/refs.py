"""Refs: names for artifacts. A name's newest number says what it stands for now; older ones stay.

These move, as an experiment's newest results do, and are this store's own; names for others are in `store.published`.
"""

from __future__ import annotations

import re

from store.condemned import Condemned
from store.digest import is_digest
from store.errors import Unacceptable
from store.manifest import path_of
from store.numbered import Numbered
from store.objects import Objects

PUBLISHED = b"dataflow-signed"
# A further segment of digits alone would be taken for a number of the name before it.
NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/(?![0-9]+(/|$))[A-Za-z0-9][\w.-]*)*", re.ASCII)


DROPPED = b"dropped"


class Refs:
    """The refs of one store, at `refs/<name>/<n>`."""

    def __init__(self, objects: Objects, condemned: Condemned | None = None) -> None:
        self.numbered = Numbered(objects, "refs")
        self.condemned = condemned or Condemned(objects)

    def find(self, name: str) -> str | None:
        """Return the digest that `name` stands for; None if nobody gave it, or it was dropped or published."""
        check_name(name)
        for _, payload in self.numbered.newest(name):
            if payload == DROPPED:
                return None
            text = payload.decode("ascii", "replace")
            if is_digest(text):
                return text
        return None

    def move(self, name: str, digest: str) -> None:
        """Let `name` stand for `digest` from now on; nothing is written if it does already.

        Raises:
            Unacceptable: the name is published, for good.
        """
        self.check_movable(name)
        self.condemned.keep(path_of(digest))  # gc may be about to delete it
        if self.find(name) != digest:
            self.numbered.create(name, digest.encode())

    def drop(self, name: str) -> None:
        """Let `name` stand for nothing from now on."""
        self.check_movable(name)
        if self.find(name) is not None:
            self.numbered.create(name, DROPPED)

    def check_movable(self, name: str) -> None:
        """Raise Unacceptable if a name is published."""
        check_name(name)
        if (self.numbered.read(name, 1) or b"").startswith(PUBLISHED):
            raise Unacceptable(f"the name {name!r} is published and stands for one artifact for good")


def check_name(name: str) -> None:
    """Raise Unacceptable unless `name` is made of segments of letters, digits, `.`, `_` and `-`, as `NAME` says."""
    if not NAME.fullmatch(name):
        rule = "need letters, digits, '.', '_', '-' in segments parted by '/', none but the first of digits alone"
        raise Unacceptable(f"ref name {name!r}: {rule}")
