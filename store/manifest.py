"""Manifest v1: the bytes whose digest names an artifact.

    dataflow-manifest 1\\n
    msgpack [type, is_split, [[key, kind, digest, size, bytes | nil], ...]]

Entries are sorted by the UTF-8 bytes of their keys. `kind` is "inline" (size < 4096, and the bytes stand here),
"blob" or "artifact" (the digest of another manifest). Over 4,096 entries the manifest is split: its own entries are
of kind "part", keyed by two hex digits, and each names a manifest of the entries whose digest(key) starts with them.
No time, host or version is inside: equal content has equal bytes. Anything not written in just this way is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

import msgspec

from store.digest import digest, is_digest
from store.errors import Damaged, Missing, Unacceptable
from store.objects import Objects

MAGIC = b"dataflow-manifest 1\n"
INLINE_BELOW = 4096
SPLIT_ABOVE = 4096
PART = re.compile("[0-9a-f]{2}")


class Entry(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One named piece of an artifact. `size` is in bytes: of the data, or of the manifest of an artifact."""

    key: str
    kind: Literal["inline", "blob", "artifact", "part"]
    digest: str
    size: int
    data: bytes | None = None


class Manifest(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A type and its entries, by key order."""

    type: str
    is_split: bool
    entries: list[Entry]


_decoder = msgspec.msgpack.Decoder(Manifest)
_encoder = msgspec.msgpack.Encoder()


class Manifests:
    """The manifests of one store, at `manifests/ab/<digest>`."""

    def __init__(self, objects: Objects, rewrite: bool = False) -> None:
        self.objects = objects
        self.rewrite = rewrite

    def put(self, type: str, entries: Iterable[Entry]) -> tuple[str, int]:
        """Store a manifest; return its digest and its size in bytes."""
        ordered = sorted(entries, key=lambda entry: entry.key.encode())
        if len(ordered) <= SPLIT_ABOVE:
            return self._put(Manifest(type, False, ordered))
        parts: dict[str, list[Entry]] = {}
        for entry in ordered:
            parts.setdefault(digest(entry.key.encode())[:2], []).append(entry)
        named = [(part, self._put(Manifest(type, False, parts[part]))) for part in sorted(parts)]
        return self._put(Manifest(type, True, [Entry(part, "part", *written) for part, written in named]))

    def get(self, name: str) -> Manifest:
        """Return the verified manifest of that digest, as it was put (parts unread).

        Raises:
            Missing, Damaged: as for blobs.
            Unacceptable: the bytes are not a canonical manifest.
        """
        return decode(self._read(name))

    def get_part(self, whole: Manifest, part: Entry) -> Manifest:
        """Return one part of a split manifest. Raises as `get` does, also where it holds what another part should."""
        manifest = self.get(part.digest)
        strange = [entry.key for entry in manifest.entries if digest(entry.key.encode())[:2] != part.key]
        if manifest.is_split or manifest.type != whole.type or strange:
            raise Unacceptable(f"manifest {part.digest} is not part {part.key} of a {whole.type}")
        return manifest

    def has(self, name: str) -> bool:
        """Tell whether a manifest of that name is there, unread."""
        return self.objects.exists(_path(name))

    def check(self, name: str) -> None:
        """Read a manifest's bytes without understanding them. Raises Missing, Damaged."""
        self._read(name)

    def size(self, name: str) -> int:
        """Return the size of a manifest in bytes. Raises Missing, Damaged."""
        return len(self._read(name))

    def _read(self, name: str) -> bytes:
        try:
            data = self.objects.read(_path(name))
        except FileNotFoundError:
            raise Missing("manifest", name) from None
        if digest(data) != name:
            raise Damaged("manifest", name, "its bytes have another digest")
        return data

    def _put(self, manifest: Manifest) -> tuple[str, int]:
        data = encode(manifest)
        name = digest(data)
        if self.rewrite or not self._is_whole(name):
            self.objects.write(_path(name), data)
        return name, len(data)

    def _is_whole(self, name: str) -> bool:
        # What is put may be nobody's output (a run's result, the rounds that a node reads): nothing else repairs it.
        try:
            self._read(name)
        except (Missing, Damaged):
            return False
        return True


def encode(manifest: Manifest) -> bytes:
    """Return the canonical bytes. Raises Unacceptable where an entry breaks the rules above."""
    _check(manifest)
    return MAGIC + _encoder.encode(manifest)


def decode(data: bytes) -> Manifest:
    """Return the manifest that `data` writes down. Raises Unacceptable unless `encode` gives `data` again."""
    if not data.startswith(MAGIC):
        raise Unacceptable("not a manifest of version 1: its first line is another one")
    try:
        manifest = _decoder.decode(memoryview(data)[len(MAGIC) :])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unacceptable(f"not a manifest: {error}") from None
    if encode(manifest) != data:
        raise Unacceptable("a manifest that is not in canonical form")
    return manifest


def check_key(key: str) -> None:
    """Raise Unacceptable unless `key` is a relative path without empty, `.` or `..` segments."""
    if any(segment in ("", ".", "..") for segment in key.split("/")) or "\\" in key or not key.isprintable():
        raise Unacceptable(f"key {key!r} is not a plain relative path")


def _check(manifest: Manifest) -> None:
    last = b""
    for entry in manifest.entries:
        check_key(entry.key)
        key = entry.key.encode()
        if key <= last:
            raise Unacceptable(f"key {entry.key!r} stands twice or out of order")
        last = key
        if not is_digest(entry.digest) or entry.size < 0:
            raise Unacceptable(f"entry {entry.key!r} has no 64-hex digest or a negative size")
        if manifest.is_split and not PART.fullmatch(entry.key):
            raise Unacceptable(f"entry {entry.key!r} of a split manifest: expected two hex digits")
        if (entry.kind == "part") != manifest.is_split:
            raise Unacceptable(f"entry {entry.key!r} of kind {entry.kind}: parts stand in split manifests only")
        is_inline = entry.kind == "inline"
        if is_inline != (entry.data is not None) or (entry.kind == "blob" and entry.size < INLINE_BELOW):
            raise Unacceptable(f"entry {entry.key!r}: bytes stand inline if and only if under {INLINE_BELOW}")
        if entry.data is not None and (entry.size != len(entry.data) or entry.size >= INLINE_BELOW):
            raise Unacceptable(f"entry {entry.key!r}: {len(entry.data)} inline bytes, size says {entry.size}")
        if entry.data is not None and digest(entry.data) != entry.digest:
            raise Unacceptable(f"entry {entry.key!r}: its inline bytes have another digest")


def _path(name: str) -> str:
    return f"manifests/{name[:2]}/{name}"
