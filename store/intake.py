"""Folders from elsewhere, read back into a store: what `store.folder` writes, and nothing else.

Whoever made the folder may mean harm. So only plain files are read, up to a size; names lead nowhere outside; arrays
and groups must have exactly the form that this store writes (zarr v3, its codecs, every chunk and no more); and the
digest is worked out from what was read, never believed. Blobs are put as they are read: of a folder that is refused
some may stay, which nothing refers to.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from store.artifact import FILES, make_entry
from store.attributes import decode_group, is_group
from store.digest import is_digest
from store.encoding import ArrayMeta, check_chunk, chunk_keys, decode_metadata
from store.errors import Unacceptable
from store.folder import LISTING, ZARR, Listing, join
from store.manifest import Entry, check_key
from store.open import Store

METADATA_BYTES = 64 << 20
DATA_BYTES = 1 << 30  # chunks are a few MiB, unless one row is more; files are tokenizers and pictures
N_FILES = 4_000_000
DEPTH = 16  # artifacts in artifacts; whoever follows endless nesting runs out of stack


def read_listing(folder: Path) -> Listing:
    """Return what a folder's artifact.json says, its form checked. Raises Unacceptable."""
    path = folder / LISTING
    try:
        listing = msgspec.json.decode(_read(path, METADATA_BYTES), type=Listing)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unacceptable(f"{path}: not the listing of an exported artifact: {error}") from None
    with _telling(path):
        _check_listing(listing, 1)
    return listing


def put_folder(store: Store, folder: Path, listing: Listing, is_edited: bool = False) -> str:
    """Put the artifact that a folder holds; return its digest.

    Args:
        listing: what `read_listing` gave.
        is_edited: take what the folder holds although the listing promises another digest.
    Raises:
        Unacceptable: a file that this store would not have written, or another digest than was promised.
    """
    if not os.path.lexists(folder / ZARR):
        raise Unacceptable(f"{folder}: no {ZARR} in it: a plain form alone cannot be read back")
    names = [name for part in (ZARR, FILES) for name in _list_files(folder, part.rstrip("/"))]
    return _Intake(store, folder, is_edited).put("", listing, names)[0]


class _Intake:
    """One folder on its way into a store."""

    def __init__(self, store: Store, folder: Path, is_edited: bool) -> None:
        self.store, self.folder, self.is_edited = store, folder, is_edited

    def put(self, path: str, listing: Listing, keys: Iterable[str]) -> tuple[str, int]:
        """Put the artifact at `path`, those inside first; `keys` are all files of its own and theirs, as placed."""
        shares = _share(keys, listing)
        entries = []
        for key, held in listing.artifacts.items():
            entries.append(Entry(key, "artifact", *self.put(join(path, key), held, shares[key])))
        own = shares[""]
        entries += self._group(path, [name.removeprefix(ZARR) for name in own if name.startswith(ZARR)])
        for name in own:
            if name.startswith(FILES):
                place = self.folder / FILES / path / name.removeprefix(FILES)
                entries.append(make_entry(self.store.blobs, name, _read(place, DATA_BYTES)))
        with _telling(self.folder / path):
            written, size = self.store.manifests.put(listing.type, entries)
        if written != listing.digest and not self.is_edited:
            what = f"{self.folder}: {path}" if path else self.folder
            raise Unacceptable(f"{what} was edited: it has digest {written}, {LISTING} says {listing.digest}")
        return written, size

    def _group(self, path: str, keys: list[str]) -> Iterator[Entry]:
        """Yield the entries of an artifact's group, its arrays and the groups in it."""
        root, left = self.folder / ZARR / path, set(keys)
        for key in ["zarr.json", *(key for key in keys if key.endswith("/zarr.json"))]:
            data = _read(root / key, METADATA_BYTES)
            yield make_entry(self.store.blobs, key, data)
            left.discard(key)
            with _telling(root / key):
                meta = None if is_group(data) else decode_metadata(data)
                if meta is None:
                    decode_group(data)
                if meta is not None and key == "zarr.json":
                    raise Unacceptable("an array, expected a group")
            if meta is not None:
                yield from self._chunks(root, key.removesuffix("zarr.json"), meta, left)
        if left:
            raise Unacceptable(f"{root / min(left)}: belongs to no zarr v3 array or group, expected no other file")

    def _chunks(self, root: Path, array: str, meta: ArrayMeta, left: set[str]) -> Iterator[Entry]:
        """Yield the entries of an array's chunks, each decoded to see that it is one; take them from `left`."""
        for key in chunk_keys(meta):  # one at a time: a few bytes of metadata can promise 2^48
            chunk = array + key
            if chunk not in left:
                raise Unacceptable(f"{root / chunk}: not there, expected a chunk of an array of shape {meta.shape}")
            left.discard(chunk)
            data = _read(root / chunk, DATA_BYTES)
            with _telling(root / chunk):
                check_chunk(data, meta)
            yield make_entry(self.store.blobs, chunk, data)


def _share(names: Iterable[str], listing: Listing) -> dict[str, list[str]]:
    """Return whose files these are: names within the artifact by key, "" for those of the listed artifact itself."""
    shares: dict[str, list[str]] = {key: [] for key in ("", *listing.artifacts)}
    for name in names:
        part, _, rest = name.partition("/")
        segments = rest.split("/")
        above = ("/".join(segments[:depth]) for depth in range(1, len(segments)))
        key = next((one for one in above if one in shares), "")
        shares[key].append(f"{part}/{rest[len(key) + 1 :]}" if key else name)
    return shares


def _check_listing(listing: Listing, depth: int) -> None:
    if depth > DEPTH:
        raise Unacceptable(f"artifacts inside artifacts, {depth} deep: expected at most {DEPTH}")
    if not is_digest(listing.digest):
        raise Unacceptable(f"digest {listing.digest!r}: expected 64 hex digits")
    for key, held in listing.artifacts.items():
        check_key(key)
        _check_listing(held, depth + 1)


def _list_files(folder: Path, part: str) -> list[str]:
    """Return the names of all files below `folder/part`, relative to `folder`; nothing is opened or followed."""
    if not os.path.lexists(folder / part):
        return []
    if not stat.S_ISDIR(os.lstat(folder / part).st_mode):
        raise Unacceptable(f"{folder / part}: {_kind(folder / part)}, expected a folder")
    names, pending = [], [part]
    while pending:
        with os.scandir(folder / (above := pending.pop())) as found:
            for item in found:
                name = f"{above}/{item.name}"
                with _telling(folder):
                    check_key(name)
                if item.is_dir(follow_symlinks=False):
                    pending.append(name)
                elif item.is_file(follow_symlinks=False):
                    names.append(name)
                else:
                    raise Unacceptable(f"{folder / name}: {_kind(folder / name)}, expected a file or folder")
        if len(names) + len(pending) > N_FILES:
            raise Unacceptable(f"{folder / part}: expected at most {N_FILES} files")
    return names


def _read(path: Path, limit: int) -> bytes:
    """Return a plain file's bytes. Raises Unacceptable: there is none, or it is longer than `limit`."""
    try:
        is_file = stat.S_ISREG(os.lstat(path).st_mode)
    except FileNotFoundError:
        raise Unacceptable(f"{path}: not there, expected an exported artifact") from None
    if not is_file:
        raise Unacceptable(f"{path}: {_kind(path)}, expected a plain file")
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        if (size := os.fstat(file.fileno()).st_size) > limit:
            raise Unacceptable(f"{path}: {size} bytes, expected at most {limit}")
        return file.read(size)


def _kind(path: Path) -> str:
    mode = os.lstat(path).st_mode
    return "a link" if stat.S_ISLNK(mode) else "a folder" if stat.S_ISDIR(mode) else "neither file nor folder"


@contextlib.contextmanager
def _telling(path: Path) -> Iterator[None]:
    """Say of what is refused where it lies."""
    try:
        yield
    except Unacceptable as error:
        raise Unacceptable(f"{path}: {error}") from None
