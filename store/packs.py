"""Packs: the small objects that one run needed, together in one, so that a thousand hits cost a handful of requests.

A pack is a numbered object at `packs/<experiment>/<n>`: zstd over msgpack [[name, bytes], ...], copies of signed
records and of small manifests under their own names. It adds nothing: each copy is checked as the object itself would
be, and what no pack has is asked for by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from store.digest import digest
from store.errors import Unacceptable
from store.numbered import Numbered
from store.objects import Found, Objects

READ = 8  # packs of an experiment, the newest: an edit's run packs little, the run before it packed the rest
SMALL = 2048  # bytes of a manifest that goes into a pack
PACK_BYTES = 64 << 20
RAW_LIMIT = 256 << 20  # of all packs that are read
PACKED = re.compile(r"actions/[0-9a-f]{2}/[0-9a-f]{64}/[0-9a-f]{64}/[0-9]{1,18}|manifests/[0-9a-f]{2}/[0-9a-f]{64}")

_decoder = msgspec.msgpack.Decoder(list[tuple[str, bytes]])


class Packed(Objects):
    """Objects of a shared store, some of them read ahead."""

    def __init__(self, objects: Objects) -> None:
        self.objects = objects
        self.packs = Numbered(objects, "packs", PACK_BYTES)
        self.held: dict[str, bytes] = {}
        self._folders: dict[str, list[Found]] = {}

    @property
    def is_touched_freely(self) -> bool:
        return self.objects.is_touched_freely

    def read_ahead(self, experiment: str) -> None:
        """Take in the newest packs of an experiment; one that cannot be read is passed over."""
        room = RAW_LIMIT
        for _, (_, payload) in zip(range(READ), self.packs.newest(experiment)):
            for name, data in decode_pack(payload, room) or ():
                room -= len(name) + len(data)
                is_whole = name.startswith("actions/") or digest(data) == name.rpartition("/")[2]
                if is_whole and name not in self.held:
                    self.hold(name, data)

    def add_pack(self, experiment: str, objects: dict[str, bytes]) -> None:
        """Write a pack, as many of the objects as fit, behind those that others write meanwhile."""
        payload, n = encode_pack(objects), self.packs.highest(experiment) + 1
        while not self.packs.create_at(experiment, n, payload):
            n += 1

    def hold(self, name: str, data: bytes) -> None:
        """Know an object without asking for it."""
        self.held[name] = data
        if name.startswith("actions/"):
            folder = name.rsplit("/", 2)[0]
            self._folders.setdefault(folder, []).append(Found(name, len(data), 0.0))

    def forget(self, folder: str) -> bool:
        """Ask for what lies in a folder from now on; tell whether that is news."""
        found = self._folders.pop(folder, [])
        for one in found:
            self.held.pop(one.name, None)
        return bool(found)

    def is_held(self, name: str) -> bool:
        """Tell whether an object is known without asking."""
        return name in self.held

    def read(self, name: str, limit: int | None = None) -> bytes:
        data = self.held.get(name)
        return data if data is not None else self.objects.read(name, limit)

    def walk(self, folder: str) -> Iterator[Found]:
        held = self._folders.get(folder)
        yield from held if held is not None else self.objects.walk(folder)

    def exists(self, name: str) -> bool:
        return name in self.held or self.objects.exists(name)

    def write(self, name: str, data: bytes | memoryview) -> None:
        self.objects.write(name, data)

    def create(self, name: str, data: bytes) -> bool:
        return self.objects.create(name, data)

    def list(self, folder: str) -> list[str]:
        return self.objects.list(folder)

    def touch(self, name: str) -> bool:
        return self.objects.touch(name)

    def delete(self, name: str, before: float | None = None) -> bool:
        return self.objects.delete(name, before)


def encode_pack(objects: dict[str, bytes]) -> bytes:
    """Return the payload of a pack of these objects, by name; those that would make it too large are left out."""
    import zstandard

    taken, room = [], PACK_BYTES - 1024  # it may be that nothing packs
    for name, data in sorted(objects.items()):
        room -= len(name) + len(data) + 16
        if room < 0:
            break
        taken.append((name, data))
    return zstandard.ZstdCompressor(level=3).compress(msgspec.msgpack.encode(taken))


def decode_pack(payload: bytes, limit: int = RAW_LIMIT) -> list[tuple[str, bytes]] | None:
    """Return the objects of a pack, by name; None of one that cannot be read, or unpacks to more than `limit`."""
    import zstandard

    try:
        declared = zstandard.get_frame_parameters(payload).content_size
        if not 0 <= declared <= limit:
            raise Unacceptable(f"a pack that declares {declared} bytes")
        raw = zstandard.ZstdDecompressor().decompress(payload, max_output_size=declared, allow_extra_data=False)
        return [(name, data) for name, data in _decoder.decode(raw) if PACKED.fullmatch(name)]
    except (zstandard.ZstdError, msgspec.MsgspecError, Unacceptable):
        return None
