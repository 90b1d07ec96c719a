"""What push, pull, publish and pin are about: a run, a node of it, a ref, a digest; and the records that gave it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from graph.asked import find_asked
from graph.errors import NotFoundError, nearest
from graph.runs import RESULT_TYPE, Runs
from graph.show import find_entry
from graph.stored import list_names, why_absent
from store.collection import PREFIX
from store.digest import is_digest
from store.numbered import NUMBER
from store.open import Store
from store.records import Record, decode_record


class Wanted(msgspec.Struct, frozen=True):
    """What an operand stands for: artifacts by what they are called, and the experiment that they come from, if one."""

    name: str
    artifacts: dict[str, str]
    experiment: str = ""


def find_wanted(store: Store, asked: str | None, experiment: str | None) -> Wanted:
    """Return what an operand stands for.

    Args:
        asked: the id of a run, a node or instance of the latest one (`qa`, `qa[2]`, `scenes.scene0011_00`), a ref or
            published name, a digest; None is the latest run.
        experiment: narrows to its runs.
    Raises:
        NotFoundError: it is none of these; with the nearest name.
    """
    runs = Runs(store)
    if asked is not None and is_digest(asked):
        return Wanted(asked[:12], {asked[:12]: asked})
    is_run = asked is None or asked in store.objects.list("runs")
    newest = next(runs.ids(experiment), None) if not is_run else runs.find(asked, experiment)
    outcomes = runs.outcomes(newest) if newest is not None else {}
    given = {label: event.output for label, event in outcomes.items() if event.output}
    source = runs.root(newest).experiment if newest is not None else ""
    if is_run:
        return Wanted(f"run {newest}", given, source)
    assert asked is not None
    try:
        labels, entry = find_asked(asked, given, None, f"run {newest}")
        named = {label: find_entry(store, label, given[label], entry) if entry else given[label] for label in labels}
        return Wanted(asked, named, source)
    except NotFoundError:
        found = store.resolve(asked)
        if found is None:
            near = why_absent(store, asked) or nearest(asked, [*given, *list_names(store)])
            raise NotFoundError(f"{asked!r} is no run, node, name or digest here{near}") from None
        return Wanted(asked, {asked: found}, asked if source else "")


def records_of(store: Store, artifacts: dict[str, str]) -> Iterator[Record]:
    """Yield this store's own records that gave these artifacts, what stands in a run's result, or a map's elements."""
    wanted = dict(artifacts)
    for digest in artifacts.values():
        wanted.update(_inner(store, digest))
    outputs = set(wanted.values())
    for found in store.objects.walk("actions"):
        *_, key, signer, number = found.name.split("/")
        if signer != "local" or not NUMBER.fullmatch(number):
            continue
        payload = store.records.numbered.read(f"{key[:2]}/{key}/local", int(number))
        record = decode_record(payload) if payload is not None else None
        if record is not None and record.key == key and record.output in outputs:
            yield record


def _inner(store: Store, digest: str) -> dict[str, str]:
    reader = store.reader(digest)
    inner = reader.artifacts() if reader.type == RESULT_TYPE or reader.type.startswith(PREFIX) else {}
    if reader.type == RESULT_TYPE:
        for entry in list(inner.values()):
            inner.update(_inner(store, entry))
    return inner
