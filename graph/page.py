"""Pages: what a node gave as one HTML file that a browser shows without anything else.

The engine knows nothing of what it draws: the type names its drawer as text, and gets what it was made from by type.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from pathlib import Path

from graph.classes import find_class
from graph.errors import ExportError
from graph.exchange import Opened, load_named, places_by_type
from graph.kinds import Kind
from graph.origin import Origins
from store.errors import StoreError, one_line
from store.folder import make_listing
from store.open import Store


def draw_page(store: Store, label: str, digest: str, kinds: Sequence[Kind], origins: Origins, n: int) -> str:
    """Return the page of an artifact, drawn by its type or by that of what stands inside.

    Args:
        n: items shown at most.
    Raises:
        ExportError: no type in it has a page, or it cannot be drawn.
    """
    listing = make_listing(store, digest)
    for name, digests in places_by_type(listing).items():
        cls = find_class(name, kinds)
        if not isinstance(cls, type) or not cls.page:
            continue
        draw = load_named(cls, cls.page)
        try:
            page: str = draw(Opened(store, cls, digests), origins.find, n, label)
        except (StoreError, MemoryError):
            raise
        except Exception as error:
            raise ExportError(
                f"page of {label} by {cls.page}: {one_line(f'{type(error).__name__}: {error}')}"
            ) from error
        return page
    raise ExportError(f"{label} is {listing.type}, which has no page: `dataflow show {label}` tells of it")


def write_page(page: str, path: Path) -> None:
    """Write a page whole or not at all, in place of an earlier one."""
    if path.is_dir():
        raise ExportError(f"{path}: expected a file's name, it is a folder")
    new = path.with_name(f".{path.name}.unfinished-{uuid.uuid4().hex[:8]}")
    try:
        new.write_text(page, encoding="utf-8")
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)
