"""Manifest v1: the bytes whose digest names an artifact.

    dataflow-manifest 1\\n
    msgpack [type, is_split, [[key, kind, digest, size, bytes | nil], ...]]

Entries are sorted by the UTF-8 bytes of their keys. `kind` is "inline" (size < 4096, and the bytes stand here),
"blob" or "artifact" (the digest of another manifest). Over 4,096 entries the manifest is split: its own entries are
of kind "part", keyed by two hex digits, and each names a manifest of the entries whose digest(key) starts with them.
No time, host or version is inside: equal content has equal bytes. Anything not written in just this way is refused, and
so is what is longer than the limits below: it may come from elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Annotated, Literal

import msgspec

from store.blobs import BLOB_BYTES
from store.condemned import Condemned
from store.digest import check_digest, digest, is_digest
from store.errors import Damaged, Missing, TooLarge, Unacceptable
from store.objects import Objects

MAGIC = b"dataflow-manifest 1\n"
INLINE_BELOW = 4096
SPLIT_ABOVE = 4096
PART = re.compile("[0-9a-f]{2}")
KEY_BYTES = 4096
KEY_SEGMENTS = 64  # folders inside each other; what makes or walks them may be recursive
TYPE_BYTES = 256
ENTRY_BYTES = 128  # of an entry, without key and inline bytes
MANIFEST_BYTES = SPLIT_ABOVE * (KEY_BYTES + INLINE_BELOW + ENTRY_BYTES) + TYPE_BYTES + ENTRY_BYTES  # 34 MB


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
    entries: Annotated[list[Entry], msgspec.Meta(max_length=SPLIT_ABOVE)]


_decoder = msgspec.msgpack.Decoder(Manifest)
_encoder = msgspec.msgpack.Encoder()


class Manifests:
    """The manifests of one store, at `manifests/ab/<digest>`."""

    def __init__(
        self,
        objects: Objects,
        rewrite: bool = False,
        fetch: Callable[[str], bytes | None] | None = None,
        condemned: Condemned | None = None,
    ) -> None:
        self.objects = objects
        self.rewrite = rewrite
        self.condemned = condemned or Condemned(objects)
        self._fetch = fetch

    def put(self, type: str, entries: Iterable[Entry]) -> tuple[str, int]:
        """Store a manifest; return its digest and its size in bytes.

        Raises:
            Unacceptable: an entry breaks a rule, or there are more than parts can hold, about 900,000.
        """
        ordered = sorted(entries, key=lambda entry: entry.key.encode())
        if len(ordered) <= SPLIT_ABOVE:
            return self._put(Manifest(type, False, ordered))
        parts: dict[str, list[Entry]] = {}
        for entry in ordered:
            parts.setdefault(digest(entry.key.encode())[:2], []).append(entry)
        check_nesting(entry.key for entry in ordered)
        for part, held in parts.items():
            if len(held) > SPLIT_ABOVE:
                raise Unacceptable(f"{len(held)} entries in part {part}: at most {SPLIT_ABOVE}")
        named = [(part, self._put(Manifest(type, False, parts[part]))) for part in sorted(parts)]
        return self._put(Manifest(type, True, [Entry(part, "part", *written) for part, written in named]))

    def get(self, name: str, size: int | None = None) -> Manifest:
        """Return the verified manifest of that digest, as it was put (parts unread).

        Args:
            size: its bytes, where an entry or a record says how many.
        Raises:
            Missing, Damaged: as for blobs.
            Unacceptable: the bytes are not a canonical manifest, or not of that size.
        """
        data = self._obtain(name)
        _check_size(name, data, size)
        return decode(data)

    def get_part(self, whole: Manifest, part: Entry) -> Manifest:
        """Return one part of a split manifest. Raises as `get` does, also where it holds what another part should."""
        manifest = self.get(part.digest, part.size)
        strange = [entry.key for entry in manifest.entries if digest(entry.key.encode())[:2] != part.key]
        if manifest.is_split or manifest.type != whole.type or strange or not manifest.entries:
            raise Unacceptable(f"manifest {part.digest} is not part {part.key} of a {whole.type}")
        return manifest

    def has(self, name: str) -> bool:
        """Tell whether a manifest of that name is here, unread."""
        return is_digest(name) and self.objects.exists(path_of(name))

    def keep(self, name: str) -> bool:
        """See to it that gc leaves a manifest and all that it leads to; tell whether it is here, unread."""
        return self.condemned.keep(path_of(name))

    def check(self, name: str, size: int | None = None) -> None:
        """Read a manifest's bytes here without understanding them. Raises as `get` does."""
        _check_size(name, self.read(name), size)

    def size(self, name: str) -> int:
        """Return the size of a manifest in bytes. Raises Missing, Damaged."""
        return len(self._obtain(name))

    def place(self, name: str, data: bytes) -> None:
        """Write what `read` of another store gave."""
        self.objects.write(path_of(name), data)

    def is_whole(self, name: str) -> bool:
        """Tell whether a manifest is here and its bytes are the right ones."""
        try:
            self.read(name)
        except (Missing, Damaged):
            return False
        return True

    def _obtain(self, name: str) -> bytes:
        """Return the verified bytes from here, else from where they can be fetched; then they are kept."""
        try:
            return self.read(name)
        except (Missing, Damaged):
            data = self._fetch(name) if self._fetch is not None else None
            if data is None:
                raise
            decode(data)  # nothing that is no manifest is kept as one
            self.place(name, data)
            return data

    def read(self, name: str) -> bytes:
        """Return the verified bytes of a manifest that is here. Raises Missing, Damaged."""
        check_digest(name)
        try:
            data = self.objects.read(path_of(name), MANIFEST_BYTES)
        except FileNotFoundError:
            raise Missing("manifest", name) from None
        except TooLarge as found:
            raise Damaged("manifest", name, f"{found.size} bytes, expected at most {MANIFEST_BYTES}") from None
        if digest(data) != name:
            raise Damaged("manifest", name, "its bytes have another digest")
        return data

    def _put(self, manifest: Manifest) -> tuple[str, int]:
        data = encode(manifest)
        name = digest(data)
        # What is put may be nobody's output (a run's result, the rounds that a node reads): nothing else repairs it.
        if self.rewrite or not (self.is_whole(name) and self.keep(name)):
            self.place(name, data)
        return name, len(data)


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
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unacceptable(f"not a manifest: {error}") from None
    if encode(manifest) != data:
        raise Unacceptable("a manifest that is not in canonical form")
    return manifest


def read_entries(data: bytes) -> list[Entry]:
    """Return the entries of bytes of which the digest was compared: whoever put them has checked the rest.

    Raises:
        msgspec.MsgspecError, UnicodeDecodeError: they are no manifest.
    """
    return _decoder.decode(memoryview(data)[len(MAGIC) :]).entries


def check_key(key: str) -> None:
    """Raise Unacceptable unless `key` is a relative path without empty, `.` or `..` segments, and of bounded length.

    Keys are compared by their bytes: composed and decomposed letters, upper and lower case make different ones.
    """
    inside = f"/{key}/"
    if "//" in inside or "/./" in inside or "/../" in inside or "\\" in key or not key.isprintable():
        raise Unacceptable(f"key {key[:80]!r} is not a plain relative path")
    # A character has up to four bytes.
    if len(key) > KEY_BYTES // 4 and len(key.encode()) > KEY_BYTES:
        raise Unacceptable(f"key {key[:80]!r} ... has over {KEY_BYTES} bytes")
    if inside.count("/") > KEY_SEGMENTS + 1:
        raise Unacceptable(f"key {key[:80]!r} ... has over {KEY_SEGMENTS} segments")


def check_nesting(keys: Iterable[str]) -> None:
    """Raise Unacceptable where one key is a folder of another: no file system could hold both."""
    known = set(keys)
    folders: set[str] = set()
    for key in known:
        while (end := key.rfind("/")) >= 0 and (key := key[:end]) not in folders:
            if key in known:
                raise Unacceptable(f"key {key!r} is a folder too")
            folders.add(key)


def _check(manifest: Manifest) -> None:
    if not manifest.type or not manifest.type.isprintable() or len(manifest.type.encode()) > TYPE_BYTES:
        raise Unacceptable(f"type {manifest.type[:80]!r} is no name of 1 to {TYPE_BYTES} printable bytes")
    last = b""
    for entry in manifest.entries:
        check_key(entry.key)
        key = entry.key.encode()
        if key <= last:
            raise Unacceptable(f"key {entry.key!r} stands twice or out of order")
        last = key
        _check_entry(entry, manifest.is_split)
    check_nesting(entry.key for entry in manifest.entries)


def _check_entry(entry: Entry, is_split: bool) -> None:
    if not is_digest(entry.digest) or entry.size < 0:
        raise Unacceptable(f"entry {entry.key!r} has no 64-hex digest or a negative size")
    if is_split and not PART.fullmatch(entry.key):
        raise Unacceptable(f"entry {entry.key!r} of a split manifest: expected two hex digits")
    if (entry.kind == "part") != is_split:
        raise Unacceptable(f"entry {entry.key!r} of kind {entry.kind}: parts stand in split manifests only")
    is_inline = entry.kind == "inline"
    if is_inline != (entry.data is not None) or (entry.kind == "blob" and entry.size < INLINE_BELOW):
        raise Unacceptable(f"entry {entry.key!r}: bytes stand inline if and only if under {INLINE_BELOW}")
    if entry.data is None:
        limit = BLOB_BYTES if entry.kind == "blob" else MANIFEST_BYTES
        if entry.size > limit:
            raise Unacceptable(f"entry {entry.key!r}: {entry.kind} of {entry.size} bytes, at most {limit}")
        return
    if entry.size != len(entry.data) or entry.size >= INLINE_BELOW:
        raise Unacceptable(f"entry {entry.key!r}: {len(entry.data)} inline bytes, size says {entry.size}")
    if digest(entry.data) != entry.digest:
        raise Unacceptable(f"entry {entry.key!r}: its inline bytes have another digest")


def _check_size(name: str, data: bytes, size: int | None) -> None:
    if size is not None and len(data) != size:
        raise Unacceptable(f"manifest {name} has {len(data)} bytes, expected {size}")


def path_of(name: str) -> str:
    """Return where a manifest of that name lies."""
    return f"manifests/{name[:2]}/{name}"
