"""A few threads: everything is done once, an error ends it, small work stays where it is."""

from __future__ import annotations

import threading

import pytest

from store.threads import WORTHWHILE_BYTES, map_blobs


@pytest.mark.parametrize("n_bytes", [0, WORTHWHILE_BYTES])
def test_every_item_is_done_once(n_bytes):
    assert sorted(map_blobs(lambda n: n * n, iter(range(500)), n_bytes)) == [n * n for n in range(500)]


def test_small_work_starts_no_thread():
    found = map_blobs(lambda _: threading.current_thread(), range(9), WORTHWHILE_BYTES - 1)
    assert set(found) == {threading.current_thread()}


@pytest.mark.parametrize("n_bytes", [0, WORTHWHILE_BYTES])
def test_an_error_of_the_function_ends_it(n_bytes):
    started = []

    def fail_at_3(n):
        started.append(n)
        if n == 3:
            raise KeyError(n)

    with pytest.raises(KeyError, match="3"):
        map_blobs(fail_at_3, range(1_000_000), n_bytes)
    assert len(started) < 1_000_000


@pytest.mark.parametrize("n_bytes", [0, WORTHWHILE_BYTES])
def test_an_error_of_the_iterator_ends_it(n_bytes):
    def items():
        yield 1
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        map_blobs(lambda n: n, items(), n_bytes)
