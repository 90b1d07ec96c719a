"""SpatialEvo's reward of a solver, worked out by hand."""

from __future__ import annotations

import pytest

from nodes.rewards.spatialevo import relative, spatialevo
from tests.nodes.rewards.batches import batch, choice, number


def test_a_choice_is_exact_and_its_form_a_tenth() -> None:
    question = choice("A", "A. left", "B. right")
    assert spatialevo(batch(question, "A", "b", "C", "<answer>A</answer>")) == pytest.approx([1, 0.1, 0, 1])


def test_counts_near_the_true_one_are_worth_something() -> None:
    # .1 for a number + .9 of 1, .3, .1, 0
    texts = ("4", "5", "3", "2", "6", "7", "four")
    expected = [1, 0.37, 0.37, 0.19, 0.19, 0.1, 0]
    assert spatialevo(batch(number("4", unit="objects"), *texts)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("said", "true", "met"),
    [
        (4.0, 4.0, 11),
        (3.0, 4.0, 6),  # error .25; 1 - threshold: .5 .455 .41 .365 .32 .275 are six, .23 is below
        (2.0, 4.0, 1),  # .5 alone
        (1.9, 4.0, 0),
        (0.95, 1.0, 11),  # .05 is the last one
        (0.94, 1.0, 10),  # .06: but for .05
        (0.0, 0.0, 11),
        (0.1, 0.0, 0),
    ],
)
def test_numbers_meet_some_of_eleven_thresholds(said: float, true: float, met: int) -> None:
    assert relative(said, true) == pytest.approx(met / 11)


def test_a_number_of_no_objects_is_no_count() -> None:
    # 3 of 4 m: .1 + .9 * 6/11
    assert spatialevo(batch(number("4", unit="m"), "3", "x")) == pytest.approx([0.1 + 0.9 * 6 / 11, 0])
