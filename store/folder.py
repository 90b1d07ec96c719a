"""An artifact as a folder of plain files, which zarr and people open without us.

    artifact.json    types and digests: of the artifact and of those inside
    zarr/            one zarr v3 hierarchy: the artifact is its root, artifacts inside are groups below
    files/           files that are no arrays, below the path of the artifact that holds them

Every entry lies there verbatim, so the folder alone gives the artifact's digest again (store/intake.py). Files stand
apart because zarr warns of what it does not know among its groups.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from store.artifact import FILES, Reader
from store.errors import Unacceptable
from store.open import Store

LISTING = "artifact.json"
ZARR = "zarr/"


class Listing(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What artifact.json says of an artifact: its type, its digest, and the same of those that stand inside, by key."""

    type: str
    digest: str
    artifacts: dict[str, Listing] = {}

    def walk(self, path: str = "") -> list[tuple[str, Listing]]:
        """Return it with all that stand inside, each with its path: "" for itself, `scene0011_00/frames`."""
        inner = [pair for key, held in self.artifacts.items() for pair in held.walk(join(path, key))]
        return [(path, self), *inner]


def make_listing(store: Store, digest: str) -> Listing:
    """Return the listing of a stored artifact.

    Raises:
        Unacceptable: keys of which one would lie inside another's folder.
    """
    reader = store.reader(digest)
    held = reader.artifacts()
    _check_places(reader, held)
    return Listing(reader.type, digest, {key: make_listing(store, inner) for key, inner in held.items()})


def write_listing(listing: Listing, folder: Path) -> None:
    """Write artifact.json."""
    (folder / LISTING).write_bytes(msgspec.json.format(msgspec.json.encode(listing), indent=1) + b"\n")


def write_entries(store: Store, listing: Listing, folder: Path) -> None:
    """Write all entries, verified, under `zarr/` and `files/`. Raises FileExistsError rather than write over one."""
    for path, each in listing.walk():
        reader = store.reader(each.digest)
        for key in reader.keys():
            if key not in each.artifacts:
                place = folder / _place_of(path, key)
                place.parent.mkdir(parents=True, exist_ok=True)
                with open(place, "xb") as file:
                    file.write(reader.bytes(key))


def _place_of(path: str, key: str) -> str:
    """Return where an entry lies in the folder, of the artifact at `path` in the exported one."""
    if key.startswith(FILES):
        return FILES + join(path, key.removeprefix(FILES))
    return ZARR + join(path, key)


def join(path: str, key: str) -> str:
    """Return the path of what stands inside."""
    return f"{path}/{key}" if path else key


def _check_places(reader: Reader, held: dict[str, str]) -> None:
    # What lies in an artifact's folder is read back as that artifact's.
    for key in reader.keys():
        segments = key.removeprefix(FILES).split("/")
        above = ("/".join(segments[:depth]) for depth in range(1, len(segments) + (key not in held)))
        if found := next((one for one in above if one in held), None):
            where = f"{reader.type} {reader.digest[:12]}"
            raise Unacceptable(f"{where}: {key!r} lies below the artifact {found!r}: no folder can hold both")
