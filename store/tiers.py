"""Tiers: shared stores behind a local one. What is not here is looked for there, verified, and kept here.

A shared store that does not answer, or forbids, is left alone for the rest of the process; `failure` says why, and
the work goes on without it. Nothing is asked of any before the local store lacks something.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from store.blobs import Blobs
from store.condemned import SHARED_VIEW_S, Condemned
from store.digest import digest
from store.errors import StoreError, Unacceptable, Unreachable
from store.manifest import Manifests, decode, path_of
from store.metered import Metered
from store.mounted import Mounted
from store.numbered import seal
from store.objects import LocalObjects, Objects
from store.packs import Packed
from store.places import check_format, mark_format, open_objects
from store.published import Published
from store.records import Record
from store.shared import SharedStore
from store.signed import Held, SignedRecords
from store.trust import POLICIES

if TYPE_CHECKING:
    from store.trust import Keyring, Policy

T = TypeVar("T")


class Tier:
    """One shared store as this process uses it."""

    def __init__(self, settings: SharedStore, keyring: Keyring) -> None:
        self.settings = settings
        self.url = settings.url
        self.keyring = keyring
        self.failure = ""
        self.whole: set[str] = set()  # manifests that this process has sent or seen there, with all below them

    @functools.cached_property
    def meter(self) -> Metered:
        """Its objects, counted."""
        try:
            objects = open_objects(self.url)
            objects = Mounted(objects.root) if isinstance(objects, LocalObjects) else objects
            check_format(objects, self.url)
        except Unacceptable as error:
            raise Unreachable(str(error)) from None
        return Metered(objects)

    @property
    def is_used(self) -> bool:
        """Tell whether anything was asked of it."""
        return "meter" in self.__dict__ and self.meter.requests > 0

    @functools.cached_property
    def objects(self) -> Packed:
        """Its objects, some of them read ahead."""
        return Packed(self.meter)

    @functools.cached_property
    def records(self) -> SignedRecords:
        return SignedRecords(self.objects, self.keyring, self.settings.trust, self.condemned)

    @functools.cached_property
    def condemned(self) -> Condemned:
        """What gc is about to delete there."""
        return Condemned(self.meter, SHARED_VIEW_S)

    @functools.cached_property
    def blobs(self) -> Blobs:
        return Blobs(self.objects, condemned=self.condemned)

    @functools.cached_property
    def manifests(self) -> Manifests:
        return Manifests(self.objects, condemned=self.condemned)

    @functools.cached_property
    def published(self) -> Published:
        return Published(self.objects, self.keyring, self.settings.trust)

    @functools.cached_property
    def may_write(self) -> bool:
        """Tell whether this process pushes there: it is to, has a key to sign with, and is let."""
        if not self.settings.push or not self.keyring.own or self.failure:
            return False
        return self.is_create_only is not None

    @functools.cached_property
    def is_create_only(self) -> bool | None:
        """Tell whether a name is given once: without that there are no leases. None where nothing can be written."""
        try:
            # Refused if anybody ever probed; else the second time, or never.
            kept = not all(self.meter.create("probe", os.urandom(8)) for _ in range(2))
            mark_format(self.meter)
        except PermissionError:
            return None
        except StoreError as error:
            self.fail(error)
            return None
        return kept

    @property
    def lacks_leases(self) -> bool:
        """Tell whether it was found that a name can be given twice there."""
        return not self.failure and self.__dict__.get("is_create_only") is False

    def fail(self, error: Exception) -> None:
        """Leave this store alone from now on."""
        self.failure = self.failure or str(error)

    @contextlib.contextmanager
    def tolerated(self) -> Iterator[None]:
        """Go on without this store where it does not answer."""
        try:
            yield
        except (Unreachable, PermissionError) as error:
            self.fail(error)

    def find(self, key: str) -> Held | None:
        """Return the believed record of an action whose output is there, or is withheld; None is a miss."""
        held = self.records.find(key)
        if held is None and self.objects.forget(f"actions/{key[:2]}/{key}"):
            held = self.records.find(key)  # what stands in a pack hides nothing that is there
        if held is None:
            return None
        place = self.records.numbered.place(held.folder, held.n)
        if not self.condemned.spare(place):
            return None
        is_packed = self.objects.is_held(place)
        is_there = is_packed or held.record.withheld or self.manifests.has(held.record.output)
        return held if is_there else None


class Tiers:
    """The shared stores behind one local store, in the order of the settings; there may be none.

    `refused` says, by action key, where a record is that was not believed, and why.
    """

    def __init__(self, local: Objects, said: Sequence[SharedStore], keyring: Keyring, is_offline: bool = False) -> None:
        self.all = [] if is_offline else [Tier(one, keyring) for one in said]
        self.refused: dict[str, str] = {}
        # What was pulled stays what its signer said, and is believed as where most is: trust that ends ends for it too.
        policy: Policy = max((one.trust for one in said), key=POLICIES.index, default="trusted")
        self._kept = SignedRecords(local, keyring, policy)
        self.names = Published(local, keyring, policy)
        self._manifests = Manifests(local)
        self._condemned = Condemned(local)
        self._experiment = ""
        self._lock = threading.Lock()

    @property
    def working(self) -> list[Tier]:
        """Those that have not failed."""
        return [tier for tier in self.all if not tier.failure]

    def __bool__(self) -> bool:
        return bool(self.all)

    def read_ahead(self, experiment: str) -> None:
        """Remember whose packs to read when the first record is asked for."""
        self._experiment = experiment

    def find(self, key: str) -> Record | None:
        """Return the record of an action that a shared store has, or had when it was pulled; None is a miss."""
        kept = self._kept.find(key)
        if kept is not None and self._manifests.is_whole(kept.record.output):
            self._condemned.keep(self._kept.numbered.place(kept.folder, kept.n))
            return kept.record
        self._load_packs()
        for tier in self.working:
            held = None
            with tier.tolerated():
                held = tier.find(key)
                if held is None and key in tier.records.refused:
                    self.refused[key] = f"{tier.url} has it {tier.records.refused[key]}"
            if held is not None:
                self.refused.pop(key, None)
                self._kept.keep(held)
                self._keep_manifest(tier, held.record.output)
                return held.record
        return None

    def _keep_manifest(self, tier: Tier, output: str) -> None:
        """Keep a manifest that a pack brought, if its artifact is all in it: then the next run need not ask again."""
        data = tier.objects.held.get(path_of(output))
        if data is None or digest(data) != output:
            return
        with contextlib.suppress(Unacceptable):
            if all(entry.kind == "inline" for entry in decode(data).entries):
                self._manifests.place(output, data)

    def keep(self, held: Held) -> None:
        """Keep a signed record here as it is."""
        self._kept.keep(held)

    def at_rest(self, key: str) -> tuple[str, bytes] | None:
        """Return the name and the bytes of the signed record of an action that is kept here; None if there is none."""
        held = self._kept.find(key)
        return (self._kept.numbered.place(held.folder, held.n), seal(held.payload)) if held is not None else None

    def resolve(self, name: str) -> str | None:
        """Return what a published name stands for: as it was when first seen here, else where a shared store has it."""
        given = self.names.find(name)
        if given is not None:
            return given.title.digest
        for tier in self.working:
            given = None
            with tier.tolerated():
                given = tier.published.find(name)
                if given is None and name in tier.published.refused:
                    self.refused[name] = f"{tier.url} has it {tier.published.refused[name]}"
            if given is not None:
                self.refused.pop(name, None)
                self.names.keep(name, given.payload)
                return given.title.digest
        return None

    def blob(self, name: str, size: int) -> bytes | None:
        """Return the verified bytes of a blob from the first store that has them whole."""
        return self._first(lambda tier: tier.blobs.get(name, size))

    def manifest(self, name: str) -> bytes | None:
        """Return the verified bytes of a manifest."""
        return self._first(lambda tier: tier.manifests.read(name))

    def has_manifest(self, name: str) -> bool:
        """Tell whether any of them has a manifest."""
        return bool(self._first(lambda tier: tier.manifests.has(name) or None))

    def _first(self, operation: Callable[[Tier], T | None]) -> T | None:
        for tier in self.working:
            with contextlib.suppress(StoreError), tier.tolerated():
                found = operation(tier)
                if found is not None:
                    return found
        return None

    def _load_packs(self) -> None:
        with self._lock:
            experiment, self._experiment = self._experiment, ""
            for tier in self.working if experiment else ():
                with tier.tolerated():
                    tier.objects.read_ahead(experiment)
