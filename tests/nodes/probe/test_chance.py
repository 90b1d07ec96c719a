"""Chance: what a guess is worth, by hand."""

from __future__ import annotations

import math

import pytest

from nodes.probe.chance import guesses
from nodes.probe.confidence import Confidence, probe
from tests.nodes.probe.made import number, said
from tests.nodes.questions.filters.test_filters import pool, question


def test_the_chance_of_numbers_is_what_their_median_earns() -> None:
    # the median 2 is right twice; of 4 it is off by half, within the first of ten thresholds
    numbers = [number(name, answer) for name, answer in (("a", "2"), ("b", "2"), ("c", "4"))]
    assert guesses(numbers) == pytest.approx([(1 + 1 + 0.1) / 3] * 3)
    assert guesses([question("q")]) == [0.5]


def test_blind_accuracy_of_the_cell_is_chance_where_it_is_more() -> None:
    # closer: 3 + 2 of 8 blind rollouts are right, more than a half; taller: 1 of 4, less
    rows = [question("a"), question("b"), question("c", task="taller", template="taller")]
    texts = {"a": ["bed"] * 3 + ["chair"], "b": ["bed", "bed", "chair", "chair"], "c": ["bed"] + ["no"] * 3}
    blind = said(texts, rows, is_blind=True)
    seen = said({row.id: ["bed"] * 3 + ["chair"] for row in rows}, rows)
    found = probe(seen, pool(*rows), blind, params=Confidence()).rows
    assert [row.chance for row in found] == [0.625, 0.625, 0.5]
    # (.75 - .625) / .375 = 1/3; (.75 - .5) / .5
    assert [row.over_chance for row in found] == pytest.approx([1 / 3, 1 / 3, 1 / 2])
    assert [row.chance for row in probe(seen, pool(*rows), None, params=Confidence()).rows] == [0.5] * 3


def test_what_is_blind_is_judged_by_accuracy_for_numbers() -> None:
    # Cells of one number: the median is the answer itself and always right, so nothing can be over chance.
    rows = [number("a", "2"), number("b", "4")]
    # blind says 4.0 and 3.0 of both: MRA for 2 is 0 and .1, for 4 it is 1 and .6: a mean of .425.
    # the median 3 earns .1 for 2 and .6 for 4: .35.
    blind = said({row.id: ["4.0", "3.0"] for row in rows}, rows, is_blind=True)
    found = probe(said({row.id: ["4.0"] for row in rows}, rows), pool(*rows), blind, params=Confidence()).rows
    assert [row.chance for row in found] == pytest.approx([0.425, 0.425])
    assert [row.over_chance for row in found] == pytest.approx([-0.425 / 0.575, 1.0])  # not clipped


def test_nothing_is_over_the_chance_of_a_cell_of_one_number() -> None:
    row = number("a", "2")
    (found,) = probe(said({"a": ["2"]}, [row]), pool(row), None, params=Confidence()).rows
    assert found.chance == 1.0 and math.isnan(found.over_chance)


def test_blind_rollouts_of_another_pool_are_refused() -> None:
    row = question("a")
    with pytest.raises(ValueError, match="'z', which is not in the pool"):
        probe(
            said({"a": ["x"]}, [row]),
            pool(row),
            said({"z": ["x"]}, [question("z")], is_blind=True),
            params=Confidence(),
        )


def test_blind_rollouts_are_such_as_saw_nothing() -> None:
    row = question("a")
    rollouts = said({"a": ["x"]}, [row])
    with pytest.raises(ValueError, match="input blind holds rollouts with pictures"):
        probe(rollouts, pool(row), rollouts, params=Confidence())
