"""Estimates: how long what is to run will take, by what it took before."""

from __future__ import annotations

from collections.abc import Iterable

from store.records import Record


def estimate(records: Iterable[Record], n_actions: int | None = None) -> float | None:
    """Return about how many seconds some actions of one kind will take, summed up; None if nothing tells.

    Args:
        records: of the same node or kind, nearest first; of a map as a whole, or of single actions.
        n_actions: by default as many as the nearest record has elements.
    """
    for record in records:
        if n_actions is None:
            n_actions = record.ran.get("elements", 1)
        each = _seconds_each(record)
        if each is not None:
            return each * n_actions
    return None


def seconds_text(seconds: float) -> str:
    """Return a duration as people say it: `8 ms`, `0.4 s`, `12 s`, `3 min`, `2.5 h`."""
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5970 else f"{seconds / 3600:.1f} h"


def _seconds_each(record: Record) -> float | None:
    if "seconds" not in record.ran:
        return None
    if not record.action.get("is_map"):
        return record.ran["seconds"]
    ran = record.ran.get("ran", 0)  # elements that were executed and not found
    return record.ran["seconds"] / ran if ran else None
