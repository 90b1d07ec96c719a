"""Some rows of a stored array: the chunks that hold them, the memory that these are read into, the values."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from store.encoding import ArrayMeta, chunk_bytes, decode_numbers, decode_text, dtype_of
from store.errors import Unacceptable
from store.manifest import Entry
from store.threads import map_blobs

if TYPE_CHECKING:
    import numpy as np

ALIGNMENT_BYTES = 64  # of an array in memory that it shares


class Span:
    """Rows start..stop of an array, and the chunks that hold them.

    `data` is what the chunks hold, one after another: None until `fill` has been given the memory for it, but for a
    single chunk whose bytes stand in the manifest.
    """

    def __init__(self, meta: ArrayMeta, start: int, stop: int, chunks: list[Entry]) -> None:
        """Check the chunks, the entries of `chunk_keys` in their order, before anyone takes memory for them.

        Raises:
            Unacceptable: an entry that cannot be a chunk of this array.
        """
        self._meta, self._start, self._stop, self._chunks = meta, start, stop, chunks
        self.data: bytes | memoryview | None = chunks[0].data if len(chunks) == 1 else None if chunks else b""
        size = None if meta.data_type == "string" else chunk_bytes(meta)
        for chunk in chunks:
            if chunk.kind == "artifact" or (size is not None and chunk.size != size):
                raise Unacceptable(f"entry {chunk.key!r}: a chunk of {chunk.size} bytes does not fit {meta}")

    def values(self) -> np.ndarray:
        """Return the rows, read-only: where they are numbers, a view of `data`."""
        import numpy as np

        meta = self._meta
        if not self._chunks:
            return np.empty((self._stop - self._start, *meta.shape[1:]), dtype=dtype_of(meta.data_type))
        assert self.data is not None
        if meta.data_type == "string":
            texts = [decode_text(bytes(data), meta) for _, data in self._pieces(memoryview(self.data))]
            rows = texts[0] if len(texts) == 1 else np.concatenate(texts)
        else:
            rows = decode_numbers(self.data, meta)
        rows.flags.writeable = False
        offset = self._start // meta.chunk_rows * meta.chunk_rows
        return rows[self._start - offset : self._stop - offset] if meta.shape else rows

    @staticmethod
    def fill(spans: Sequence[Span], read: Callable[[Entry, memoryview], None]) -> None:
        """Give spans their data in one piece of memory; `read` is called for each chunk, from a few threads."""
        import numpy as np

        sizes = [sum(chunk.size for chunk in span._chunks) for span in spans]
        starts = [0, *itertools.accumulate(-(-size // ALIGNMENT_BYTES) * ALIGNMENT_BYTES for size in sizes)]
        # Pages that are new cost as much as reading into them; those of one large piece are huge, and fewer.
        memory = np.empty(starts[-1], dtype=np.uint8).data
        pieces: list[tuple[Entry, memoryview]] = []
        for span, start, size in zip(spans, starts, sizes, strict=False):
            span.data = memory[start : start + size]
            pieces += span._pieces(span.data)
        map_blobs(lambda piece: read(*piece), pieces, len(memory))

    def _pieces(self, memory: memoryview) -> Iterator[tuple[Entry, memoryview]]:
        at = 0
        for chunk in self._chunks:
            yield chunk, memory[at : at + chunk.size]
            at += chunk.size
