"""Refs: names for artifacts. A name's newest number says what it stands for now; older ones stay."""

from __future__ import annotations

import re

from store.errors import Unacceptable
from store.numbered import Numbered
from store.objects import Objects

NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)*")


class Refs:
    """The refs of one store, at `refs/<name>/<n>`."""

    def __init__(self, objects: Objects) -> None:
        self.numbered = Numbered(objects, "refs")

    def find(self, name: str) -> str | None:
        """Return the digest that `name` stands for; None if nobody gave it."""
        check_name(name)
        return next((payload.decode() for _, payload in self.numbered.newest(name)), None)

    def move(self, name: str, digest: str) -> None:
        """Let `name` stand for `digest` from now on; nothing is written if it does already."""
        if self.find(name) != digest:
            self.numbered.create(name, digest.encode())


def check_name(name: str) -> None:
    """Raise Unacceptable unless `name` is made of segments of letters, digits, `.`, `_` and `-`."""
    if not NAME.fullmatch(name):
        raise Unacceptable(f"ref name {name!r}: need letters, digits, '.', '_', '-' in segments parted by '/'")
