"""Places: from a URL to the objects there, and the mark that says they are a store of a format that is known.

<root>/format    "dataflow store 1\\n"
"""

from __future__ import annotations

from pathlib import Path

from store.errors import Unacceptable
from store.objects import LocalObjects, Objects

FORMAT = 1
NAME = "format"
LINE = b"dataflow store %d\n" % FORMAT


def open_objects(url: str) -> Objects:
    """Return the objects at a local path or a URL.

    Raises:
        Unacceptable: a path to a file, or a URL that no library at hand knows.
    """
    protocol, separator, rest = url.partition("://")
    if not separator or protocol == "file":
        root = Path(rest if separator else url).expanduser().absolute()
        if root.exists() and not root.is_dir():
            raise Unacceptable(f"store {str(root)!r}: expected a folder, or nothing there yet")
        return LocalObjects(root)
    from store import bucket

    if protocol in bucket.PROTOCOLS:
        return bucket.Bucket(url)
    from store.filesystem import FileSystem

    return FileSystem(url)


def check_format(objects: Objects, url: str) -> bool:
    """Tell whether a place is marked as a store. Raises Unacceptable: one that a newer version has written."""
    try:
        line = objects.read(NAME, 100)
    except (FileNotFoundError, NotADirectoryError):
        return False
    if line == LINE:
        return True
    text = line.decode("utf-8", "replace").strip()
    raise Unacceptable(
        f"store {url}: it is marked {text!r}, expected {LINE.decode().strip()!r}: another version wrote it"
    )


def require_format(objects: Objects, url: str) -> None:
    """Raise Unacceptable where a place is not marked as a store: what lies there is somebody else's."""
    if not check_format(objects, url):
        raise Unacceptable(f"store {url}: no object {NAME!r} marks it as a store: nothing is touched there")


def mark_format(objects: Objects) -> None:
    """Mark a place as a store, unless it is."""
    objects.create(NAME, LINE)
