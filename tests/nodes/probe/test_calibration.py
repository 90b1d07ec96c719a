"""AUROC, ECE and reliability bins by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from nodes.probe.calibration import auroc, calibrate, other_half, reliability
from nodes.probe.confidence import Confidence, probe
from nodes.probe.probe import Bin, Calibration
from tests.nodes.probe.made import said
from tests.nodes.questions.filters.test_filters import pool, question


def flags(text: str) -> np.ndarray:
    return np.array([letter == "1" for letter in text])


@pytest.mark.parametrize(
    ("signal", "right", "expected"),
    [
        ([0.9, 0.8, 0.3, 0.1], "1100", 1.0),
        ([0.9, 0.8, 0.3, 0.1], "0011", 0.0),
        ([0.9, 0.8, 0.3, 0.1], "1010", 0.75),  # .9 beats .8 and .1, .3 beats .1 alone: 3 of 4 pairs
        ([0.5, 0.5, 0.5], "101", 0.5),  # ties are a half
        ([0.9, 0.5, 0.5], "110", 0.75),  # one pair won, one tied: 1.5 of 2
    ],
)
def test_auroc_is_the_share_of_pairs_in_order(signal: list[float], right: str, expected: float) -> None:
    assert auroc(np.array(signal), flags(right)) == expected


def test_auroc_of_one_kind_alone_is_not_measured() -> None:
    assert math.isnan(auroc(np.array([0.1, 0.2]), flags("11")))


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.2, 0.5, 0.7, 1.0]), st.booleans()), min_size=2, max_size=30))
def test_auroc_is_mann_whitney(pairs: list[tuple[float, bool]]) -> None:
    signal, right = np.array([s for s, _ in pairs]), np.array([r for _, r in pairs])
    if right.any() and not right.all():
        u = mannwhitneyu(signal[right], signal[~right]).statistic
        assert auroc(signal, right) == pytest.approx(u / (right.sum() * (~right).sum()))


def test_bins_are_ten_of_equal_width_and_one_is_in_the_last() -> None:
    signal = np.array([0.05, 0.1, 0.19, 0.95, 1.0])
    assert reliability("p", signal, flags("00110")) == [
        Bin("p", 0.0, 0.1, 1, 0.05, 0.0),
        Bin("p", 0.1, 0.2, 2, pytest.approx(0.145), 0.5),
        Bin("p", 0.9, 1.0, 2, pytest.approx(0.975), 0.5),
    ]


def test_ece_weighs_bins_by_their_rollouts() -> None:
    # bins: .05 with 0 of 1; .145 with 1 of 2; .975 with 1 of 2
    # (1 x .05 + 2 x |.5 - .145| + 2 x |.5 - .975|) / 5 = (.05 + .71 + .95) / 5
    signal = np.array([[0.05], [0.1], [0.19], [0.95], [1.0]])
    (row,), _ = calibrate({"p": signal}, flags("00110")[:, None])
    # right ones .19 and .95 against wrong ones .05 .1 1.0: 2 + 2 of 6 pairs
    assert row == Calibration("p", 5, 2, pytest.approx(4 / 6), pytest.approx(1.71 / 5))


def test_a_signal_of_a_question_stands_for_all_of_its_rollouts() -> None:
    # .8 for 1 1 0 0: |.5 - .8|
    (row,), (bin,) = calibrate({"p": np.array([[0.8]])}, flags("1100")[None])
    assert (row.n, row.right, row.auroc, row.ece) == (4, 2, 0.5, pytest.approx(0.3))
    assert (bin.n, bin.confidence, bin.accuracy) == (4, 0.8, 0.5)


def test_what_was_not_measured_is_left_out_and_entropy_has_no_ece() -> None:
    right = flags("10")[:, None]
    signals = {"p": np.array([[np.nan], [0.5]]), "none": np.full((2, 1), np.nan), "-entropy": np.array([[0.0], [-0.7]])}
    rows, bins = calibrate(signals, right)
    assert [(row.signal, row.n) for row in rows] == [("p", 1), ("-entropy", 2)]
    assert rows[1].auroc == 1.0 and math.isnan(rows[1].ece) and {bin.signal for bin in bins} == {"p"}


def test_each_half_of_the_rollouts_foretells_the_other() -> None:
    # even ones 1 1 0, odd ones 0 0
    assert other_half(flags("10100")[None]).tolist() == [[0.0, 2 / 3, 0.0, 2 / 3, 0.0]]
    assert np.isnan(other_half(flags("1")[None])).all()


def test_a_probe_tells_its_calibration() -> None:
    # Held at .9 and right in 3 of 4; held at .2 and right in 1 of 4.
    rows = [question("a"), question("b")]
    texts = {"a": ["bed", "bed", "chair", "bed"], "b": ["bed", "chair", "chair", "chair"]}
    given = said(texts, rows, answers=[[0.9], [0.2]], logprobs=np.log([0.9] * 4 + [0.8] * 4))
    probed = probe(given, pool(*rows), None, params=Confidence())
    by_signal = {row.signal: row for row in probed.calibration}
    # pairs: 3 right and 1 wrong at .9, 1 right and 3 wrong at .2. 9 won, 3 + 3 tied, 1 lost: 12 of 16
    assert by_signal["p_geo"].auroc == 0.75
    assert by_signal["p_geo"].ece == pytest.approx((4 * 0.15 + 4 * 0.05) / 8)
    # Half a question's rollouts on the other half. a: even 1 0, odd 1 1; b: even 1 0, odd 0 0.
    # Even rollouts of a are told 1, odd ones .5; those of b 0 and .5. Right: 1 (a even), .5 .5 (a odd), 0 (b even);
    # wrong: 1 (a even), 0 (b even), .5 .5 (b odd). 1 beats three and ties one, .5 beats one and ties two, 0 ties one:
    # 3.5 + 2 + 2 + .5 = 8 of 16
    assert by_signal["pass_rate"].auroc == 0.5
    assert by_signal["p_said"].ece == pytest.approx(0.15 * 0.5 + 0.55 * 0.5)  # .75 at .9, .25 at .8
    assert set(by_signal) == {"p_geo", "p_joint", "majority_share", "-entropy", "pass_rate", "p_said"}
    assert probed.summary()["calibration"]["p_geo"] == "AUROC 0.750, ECE 0.100"
    assert probed.summary()["calibration"]["-entropy"] == "AUROC 0.500"  # both .56 nats: 3 against 1
