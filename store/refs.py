"""Refs: names for artifacts. A name's newest number says what it stands for now; older ones stay."""

from __future__ import annotations

import re

from store.digest import is_digest
from store.errors import Unacceptable
from store.numbered import Numbered
from store.objects import Objects

# A further segment of digits alone would be taken for a number of the name before it.
NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/(?![0-9]+(/|$))[A-Za-z0-9][\w.-]*)*", re.ASCII)


class Refs:
    """The refs of one store, at `refs/<name>/<n>`."""

    def __init__(self, objects: Objects) -> None:
        self.numbered = Numbered(objects, "refs")

    def find(self, name: str) -> str | None:
        """Return the digest that `name` stands for; None if nobody gave it."""
        check_name(name)
        texts = (payload.decode("ascii", "replace") for _, payload in self.numbered.newest(name))
        return next((text for text in texts if is_digest(text)), None)

    def move(self, name: str, digest: str) -> None:
        """Let `name` stand for `digest` from now on; nothing is written if it does already."""
        if self.find(name) != digest:
            self.numbered.create(name, digest.encode())


def check_name(name: str) -> None:
    """Raise Unacceptable unless `name` is made of segments of letters, digits, `.`, `_` and `-`, as `NAME` says."""
    if not NAME.fullmatch(name):
        rule = "need letters, digits, '.', '_', '-' in segments parted by '/', none but the first of digits alone"
        raise Unacceptable(f"ref name {name!r}: {rule}")
