"""Repair: whose action gave the stored bytes that turned out missing or damaged."""

from __future__ import annotations

from collections.abc import Iterable

from graph.lookup import Lookup, Piece, Work
from graph.rounds import Instance
from store.errors import StoreError
from store.open import Store


def find_producer(lookup: Lookup, instances: Iterable[Instance], lost: str) -> tuple[Work, list[Piece]] | None:
    """Return the first instance, in graph order, whose output holds the lost digest, with the pieces that do.

    Running these pieces again, with `rewrite`, puts the bytes back. None: nothing of this run made them.
    """
    for instance in instances:
        output = lookup.outputs.get(instance.label)
        if output is None or instance.node.kind is None or not holds(lookup.store, output, lost, set()):
            continue
        work = lookup.work(instance)
        if not work.action.is_map:
            return work, work.pieces
        held = ((piece, lookup.store.records.find(piece.key)) for piece in work.pieces)
        return work, [piece for piece, record in held if record and holds(lookup.store, record.output, lost, set())]
    return None


def holds(store: Store, artifact: str, lost: str, seen: set[str]) -> bool:
    """Tell whether an artifact is, or has anywhere inside, the lost digest."""
    if artifact == lost:
        return True
    if artifact in seen:
        return False
    seen.add(artifact)
    try:
        entries = store.manifests.get(artifact).entries
    except StoreError:
        return False
    return any(
        entry.digest == lost or (entry.kind in ("artifact", "part") and holds(store, entry.digest, lost, seen))
        for entry in entries
    )
