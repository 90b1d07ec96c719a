"""dataflow gc: delete what nothing leads to."""

from __future__ import annotations

import argparse
import datetime
import sys
from typing import TYPE_CHECKING

from graph.commands.operands import Progress, add_store, print_rows, size_text
from graph.settings import store_url
from store.errors import Unacceptable, Unreachable
from store.places import open_objects

if TYPE_CHECKING:
    from store.gc import Collector, Tally
    from store.preview import Row

DAY_S, HOUR_S = 86400.0, 3600.0
STATUS_FAILED = 1
SHARED_GRACE_H = 1.0  # what others have found there they may rely on so long before they write


def options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_store(parser)
    parser.add_argument("--dry-run", action="store_true", help="say what is there to delete, and write nothing")
    parser.add_argument("--keep", type=float, default=30.0, metavar="DAYS", help="of runs and records; default: 30")
    text = "how old garbage must be to be condemned, and how long until it is deleted then; default: 24"
    parser.add_argument("--grace", type=float, default=24.0, metavar="HOURS", help=text)


def main(options: argparse.Namespace) -> int:
    """Collect, or tell what a collection would do; the last line says what came of it."""
    from store.gc import Collector

    url = store_url(options.store, None)
    objects = open_objects(url)
    if not objects.is_touched_freely and options.grace < SHARED_GRACE_H:
        raise Unacceptable(
            f"--grace {options.grace:g}: {url} may have other users, expected {SHARED_GRACE_H:g} or more"
        )
    collector = Collector(objects, url, options.keep * DAY_S, options.grace * HOUR_S, Progress())
    if options.dry_run:
        return _preview(collector, options.json)
    try:
        collector.collect()
    except (PermissionError, Unreachable) as error:
        _print(collector.tally, options.json)
        named = isinstance(error, OSError) and f"{error.filename}: {(error.strerror or '').lower()}"
        print(f"{named or error}: gc stopped there, what is left is whole", file=sys.stderr)
        return STATUS_FAILED
    _print(collector.tally, options.json)
    return 0


def _print(tally: Tally, is_json: bool) -> None:
    if is_json:
        import msgspec

        print(msgspec.json.encode(tally).decode())
        return
    if tally.foreign:
        print(f"left alone: {tally.foreign} objects that are not of a store's making")
    told = [f"deleted {_count(tally.deleted)}, {size_text(tally.freed)} freed"]
    if tally.condemned:
        told.append(f"condemned {_count(tally.condemned)}, {size_text(tally.condemned_bytes)}")
    if tally.pending:
        told.append(f"{_count(tally.pending)}, {size_text(tally.pending_bytes)} condemned before")
    if tally.due:
        told.append(f"the next to go after {_when(tally.due)}")
    print("; ".join(told))


def _preview(collector: Collector, is_json: bool) -> int:
    import msgspec

    from graph.runs import Runs
    from store.open import Store
    from store.preview import FATES, preview

    rows = preview(collector, Runs(Store(collector.objects, collector.url)).labels())
    if is_json:
        print(msgspec.json.encode(rows).decode())
        return 0
    if rows:
        print_rows(("node", "owner", "objects", "size", "age", "fate"), [_cells(row) for row in rows])
    totals = {fate: (0, 0) for fate in FATES}
    for row in rows:
        n, size = totals[row.fate]
        totals[row.fate] = (n + row.objects, size + row.bytes)
    told = [f"{_count(n)}, {size_text(size)} {fate}" for fate, (n, size) in totals.items() if n]
    print("; ".join(told) or "no garbage")
    return 0


def _cells(row: Row) -> tuple[str, ...]:
    youngest, oldest = _age(row.youngest), _age(row.oldest)
    age = oldest if youngest == oldest else f"{youngest} to {oldest}"
    fate = f"{row.fate}, to go after {_when(row.due)}" if row.due else row.fate
    return (row.node or "(no record)", row.owner, str(row.objects), size_text(row.bytes), age, fate)


def _count(n: int) -> str:
    return f"{n} object{'' if n == 1 else 's'}"


def _age(seconds: float) -> str:
    return f"{seconds / DAY_S:.0f} d" if seconds >= 2 * DAY_S else f"{seconds / HOUR_S:.0f} h"


def _when(at: float) -> str:
    return datetime.datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M")
