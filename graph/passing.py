"""Passing on by hand: a run's or a node's outputs to shared stores and from them, and names for them."""

from __future__ import annotations

from collections.abc import Callable

from graph.errors import NotFoundError
from graph.team import send_record, write_pack
from graph.wanted import Wanted, records_of
from store.errors import Unacceptable
from store.open import Store
from store.published import Given, Published, Title
from store.tiers import Tier
from store.transfer import Tell, Traffic, pull, push

Tells = Callable[[str], Tell]  # where bytes go -> who is told how many


def targets(store: Store, to: str | None) -> list[Tier]:
    """Return the shared stores to push to: the one named, else all that a run would push to.

    Raises:
        NotFoundError: there is none, or none that can be written; the text says why.
    """
    tiers = store.tiers.all if store.tiers else []
    chosen = [tier for tier in tiers if (tier.settings.push if to is None else tier.url == to)]
    if not chosen:
        named = f"{to!r} is not" if to else "none is"
        raise NotFoundError(f"no store to push to: {named} in [store] shared, of the spec or of your own settings")
    if not chosen[0].keyring.own:
        raise NotFoundError("no key to sign with: `dataflow keys new` makes one")
    for tier in chosen:
        if tier.is_create_only is None:
            why = tier.failure.removeprefix(f"store {tier.url}: ")
            raise NotFoundError(f"store {tier.url}: {why or 'permission denied: it can be read, not written'}")
    return chosen


def push_wanted(store: Store, wanted: Wanted, tier: Tier, tell: Tell | None = None) -> tuple[Traffic, int, set[str]]:
    """Send artifacts with the records that gave them.

    Returns:
        what travelled, the number of records, and the terms under which outputs were withheld.
    Raises:
        StoreError, PermissionError: the shared store failed, or what is to be sent is not whole here.
    """
    traffic, withheld, keys = Traffic(tell), set[str](), []
    for record in records_of(store, wanted.artifacts):
        send_record(store, tier, record, False, withheld.add, traffic)
        keys.append(record.key)
    for artifact in wanted.artifacts.values():
        if not withheld:
            push(store, tier, artifact, traffic)
    if wanted.experiment and keys:
        write_pack(store, tier, wanted.experiment, keys, wanted.artifacts.values())
    return traffic, len(keys), withheld


def pull_wanted(store: Store, wanted: Wanted, tell: Tell | None = None) -> Traffic:
    """Bring artifacts whole. Raises Missing, Damaged: some of it is nowhere."""
    return pull(store, wanted.artifacts.values(), Traffic(tell))


def publish(store: Store, artifact: str, name: str, tiers: list[Tier]) -> Given:
    """Give an artifact a name for good, here and in shared stores, after all of it is there.

    Raises:
        Unacceptable: the name stands for something else, or terms forbid to pass the artifact on.
    """
    if store.tiers is None:
        raise Unacceptable("no key to sign with: `dataflow keys new` makes one")
    title = Title(name, artifact, store.reader(artifact).type)
    own: Published = store.tiers.names
    for published in [own, *(tier.published for tier in tiers)]:
        published.check_free(title)  # before anything is sent
    for tier in tiers:
        push(store, tier, artifact)
    given = [tier.published.give(title) for tier in tiers]
    if not given:
        return own.give(title)
    own.keep(name, given[0].payload)
    return given[0]
