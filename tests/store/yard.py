"""A store for tests of collecting: artifacts of a given age, and places to lie in."""

from __future__ import annotations

import msgspec
import numpy as np
import zstandard

from store.artifact import Artifact
from store.gc import Collector
from store.manifest import Entry
from store.numbered import seal
from store.objects import Found
from store.open import Store
from store.places import mark_format
from store.records import Record

DAY = 86400
HOUR = 3600


class Numbers(Artifact):
    """Numbers, 1,000 of them and more a blob."""

    type = "numbers/1"

    def __init__(self, values) -> None:
        self.values = np.asarray(values, dtype=np.float64)

    def write(self, w) -> None:
        w.array("values", self.values, ("n",))

    @classmethod
    def open(cls, r):
        return cls(r.array("values"))


class Aging:
    """Objects in a place that has a clock of its own, `ahead` of ours, which `age` turns on.

    They die at the step `dies_at`, and refuse to change what begins with `forbidden`.
    """

    is_touched_freely = False

    def __init__(self, objects) -> None:
        self.objects = objects
        self.ahead = 0.0
        self.written: dict[str, float] = {}  # name -> how far ahead the clock was then
        self.n = 0
        self.dies_at: int | None = None
        self.forbidden = ""

    def __getattr__(self, name):
        return getattr(self.objects, name)

    def age(self, seconds: float) -> None:
        self.ahead += seconds

    def _step(self, name: str, is_change: bool = False) -> None:
        self.n += 1
        if self.n == self.dies_at:
            raise KeyboardInterrupt(f"killed at step {self.n}")
        if is_change and self.forbidden and name.startswith(self.forbidden):
            raise PermissionError(13, "permission denied", name)

    def read(self, name, limit=None):
        self._step(name)
        return self.objects.read(name, limit)

    def write(self, name, data):
        self._step(name, True)
        self.objects.write(name, data)
        self.written[name] = self.ahead

    def create(self, name, data):
        self._step(name, True)
        is_new = self.objects.create(name, data)
        if is_new:
            self.written[name] = self.ahead
        return is_new

    def exists(self, name):
        self._step(name)
        return self.objects.exists(name)

    def list(self, folder):
        self._step(folder)
        return self.objects.list(folder)

    def walk(self, folder):
        self._step(folder)
        for found in self.objects.walk(folder):
            yield Found(found.name, found.size, self._modified(found))

    def touch(self, name):
        self._step(name, True)
        self.written[name] = self.ahead
        return self.objects.touch(name)

    def delete(self, name, before=None):
        self._step(name, True)
        folder = name.rpartition("/")[0]
        for found in self.objects.walk(folder):
            if found.name == name and before is not None and self._modified(found) >= before:
                return False
        return self.objects.delete(name)

    def _modified(self, found):
        return found.modified + self.written.get(found.name, 0.0)


class Lab:
    """A store that can be made older, and collected."""

    def __init__(self, objects) -> None:
        self.objects = Aging(objects)
        self.store = Store(self.objects, "the store")
        mark_format(objects)

    def put(self, first: int, size: int = 1000) -> str:
        return self.store.put(Numbers(np.arange(first, first + size)))

    def collection(self, *digests: str) -> str:
        entries = [Entry(f"k{n}", "artifact", one, self.store.manifests.size(one)) for n, one in enumerate(digests)]
        return self.store.manifests.put("collection of numbers/1", entries)[0]

    def record(self, key: str, output: str, **facts) -> str:
        """Commit a record; return its key."""
        key = key * 64
        size = self.store.manifests.size(output)
        described = {"kind": "toy.sum", "element": None}
        self.store.commit(Record(key, output, size, "numbers/1", described, {"host": "a", **facts}, facts.get("s", "")))
        return key

    def age(self, seconds: float) -> None:
        self.objects.age(seconds)

    def gc(self, keep_s: float = 0.0, grace_s: float = HOUR):
        return Collector(self.objects, "the store", keep_s, grace_s).collect()

    def gc_fully(self, keep_s: float = 0.0):
        """Condemn, wait, sweep."""
        self.age(2 * HOUR)
        self.gc(keep_s)
        self.age(2 * HOUR)
        return self.gc(keep_s)

    def content(self) -> set[str]:
        folders = ("actions", "manifests", "cas")
        return {found.name for folder in folders for found in self.objects.objects.walk(folder)}

    def is_whole(self, *digests: str) -> bool:
        """Tell whether artifacts are there with all that they lead to."""
        todo = list(digests)
        while todo:
            for entry in self.store.manifests.get(todo.pop()).entries:
                if entry.kind in ("artifact", "part"):
                    todo.append(entry.digest)
                elif entry.kind == "blob":
                    self.store.blobs.get(entry.digest, entry.size)
        return True

    def is_gone(self, digest: str) -> bool:
        return not any(digest in name for name in self.content())

    def check(self) -> None:
        """Raise where a record or a manifest leads to what is not there."""
        for name in self.content():
            kind, _, rest = name.partition("/")
            if kind == "manifests":
                assert self.is_whole(rest[3:])
            if kind == "actions":
                record = self.store.records.find(rest.split("/")[1])
                assert record is None or self.is_whole(record.output)


PLACES = ("folder", "memory", "s3", "azure")


OLD, NEW = "20261101T000000000-aaaa", "20261102T000000000-bbbb"


def write_run(lab, run: str, ended: str = "", **events: str) -> None:
    lab.objects.create(f"runs/{run}/root.json", b'{"experiment": "x"}')
    lines = [msgspec.json.encode({"label": name, "output": output}) for name, output in events.items()]
    lab.objects.create(f"runs/{run}/events-000001.jsonl", b"\n".join(lines))
    if ended:
        lab.objects.create(f"runs/{run}/end.json", msgspec.json.encode({"result": ended}))


OLD, NEW = "20261101T000000000-aaaa", "20261102T000000000-bbbb"


def pack(lab, n: int, *names: str, experiment: str = "x") -> None:
    held = [[name, lab.objects.read(name)] for name in names]
    payload = zstandard.ZstdCompressor().compress(msgspec.msgpack.encode(held))
    lab.objects.create(f"packs/{experiment}/{n}", seal(payload))
