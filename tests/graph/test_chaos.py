"""A handful of the trials of `tests/graph/chaos.py`, which says what must hold."""

from __future__ import annotations

import pytest

from tests.graph import chaos_shared
from tests.graph.chaos import check, undisturbed


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return undisturbed(tmp_path_factory.mktemp("undisturbed"))


@pytest.mark.parametrize("seed", range(4))
def test_run_that_is_killed_again_and_again_gives_what_an_undisturbed_one_gives(tmp_path, expected, seed):
    assert check(tmp_path / "trial", seed, expected)


def test_who_is_killed_as_she_pushes_leaves_whole_things_to_others(tmp_path):
    (tmp_path / "undisturbed").mkdir()
    expected = chaos_shared.Trial(tmp_path / "undisturbed").end("ann")
    n_sent = [chaos_shared.check(tmp_path / str(seed), seed, expected) for seed in range(3)]
    assert sum(n_sent)  # one that is killed early sends none
