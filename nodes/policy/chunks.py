"""Finished parts of a long draw, kept in the scratch folder of its action, so that a killed one goes on from there.

    <scratch>/draw-00012    the digest of what follows, 64 hex digits, then MessagePack: see `Chunk`

A file that is torn, or not of these questions, counts as none. Nothing in it is unpickled.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec import Struct

from store.digest import digest

if TYPE_CHECKING:
    import numpy as np

DIGITS = 64
NUMBERS = "<f8"


class Row(NamedTuple):
    """What was drawn for one question, K rollouts; as the module of Rollouts has it, all of one dimension."""

    n_prompt: int
    texts: list[str]
    n_tokens: list[int]
    truncated: list[bool]
    logprobs: np.ndarray  # (sum of n_tokens,)
    answer_logprobs: np.ndarray  # (n_answer,)
    option_logprobs: np.ndarray  # (n_options,)
    thought_logprobs: np.ndarray  # (K,)


class Packed(Struct, array_like=True):
    """A Row with its numbers as bytes, little-endian float64."""

    n_prompt: int
    texts: list[str]
    n_tokens: list[int]
    truncated: list[bool]
    numbers: list[bytes]


class Chunk(Struct, array_like=True):
    """One batch: a row a question, or why it was not asked."""

    ids: list[str]
    rows: list[Packed | str]


class Chunks:
    """The chunks of one draw; without a folder, none is ever found."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def read(self, number: int, ids: Sequence[str]) -> list[Row | str] | None:
        """Return a chunk's rows, if it is there whole and of these questions."""
        if self._folder is None:
            return None
        try:
            data = self._path(number).read_bytes()
            if digest(data[DIGITS:]).encode() != data[:DIGITS]:
                return None
            chunk = msgspec.msgpack.decode(data[DIGITS:], type=Chunk)
        except (OSError, msgspec.MsgspecError):
            return None
        return [_unpacked(row) for row in chunk.rows] if chunk.ids == list(ids) else None

    def write(self, number: int, ids: Sequence[str], rows: Sequence[Row | str]) -> None:
        """Keep a chunk; it is there whole or not at all."""
        if self._folder is None:
            return
        data = msgspec.msgpack.encode(Chunk(list(ids), [_packed(row) for row in rows]))
        written = self._path(number).with_suffix(".part")
        written.write_bytes(digest(data).encode() + data)
        os.replace(written, self._path(number))

    def _path(self, number: int) -> Path:
        assert self._folder is not None
        return self._folder / f"draw-{number:05d}"


def _packed(row: Row | str) -> Packed | str:
    if isinstance(row, str):
        return row
    return Packed(
        row.n_prompt, row.texts, row.n_tokens, row.truncated, [values.astype(NUMBERS).tobytes() for values in row[4:]]
    )


def _unpacked(row: Packed | str) -> Row | str:
    import numpy as np

    if isinstance(row, str):
        return row
    return Row(
        row.n_prompt, row.texts, row.n_tokens, row.truncated, *(np.frombuffer(data, NUMBERS) for data in row.numbers)
    )
