"""The report: a table, and a picture whose bytes are a function of the scores."""

from __future__ import annotations

from pathlib import Path

import pytest

from nodes.evaluate.scores import Score, Scores
from nodes.report.curve import Curve, curve, draw
from store.collection import Collection
from store.open import open_store


def _scores(right: int) -> Scores:
    rows = [Score(f"q{n}", f"s{n // 4}", "count", "", float(n % 10 < right), 0.5) for n in range(40)]
    return Scores(rows, is_blind=False)


def _curve(**more: Scores) -> Curve:
    rounds = Collection(Scores, {f"{n:04d}": _scores(5 + n) for n in (1, 2, 3)})
    return curve(_scores(5), rounds, **more)


def test_the_table_starts_at_round_0_and_ends_with_the_paired_gain() -> None:
    rows = _curve(blind_before=_scores(4), blind_last=_scores(4), old_before=_scores(9), old_last=_scores(8)).rows
    assert [(row.line, row.round) for row in rows] == [
        *(("test", n) for n in range(4)),
        *((line, n) for line in ("blind", "old style") for n in (0, 3)),
    ]
    assert [round(row.accuracy, 3) for row in rows] == [0.5, 0.6, 0.7, 0.8, 0.4, 0.4, 0.9, 0.8]
    assert [round(row.gain, 3) for row in rows] == [0, 0.1, 0.2, 0.3, 0, 0, 0, -0.1]
    assert rows[3].gain_low > 0


def test_rounds_are_in_their_order_however_the_keys_are_written() -> None:
    rounds = Collection(Scores, {str(n): _scores(5 + n % 4) for n in range(1, 12)})
    assert [round(row.accuracy * 10) - 5 for row in curve(_scores(5), rounds).rows][1:] == [n % 4 for n in range(1, 12)]


def test_the_same_scores_give_the_same_picture(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    digest = store.put(_curve())
    assert store.put(_curve()) == digest
    opened = store.open(digest, Curve)
    assert opened.png.startswith(b"\x89PNG") and opened.rows == _curve().rows
    assert opened.summary()["rows"][-1] == "test 3: 0.800 [0.650, 0.950], +0.300 [+0.125, +0.475] on round 0"


def test_the_picture_ignores_a_user_s_own_settings() -> None:
    import matplotlib

    rows = _curve().rows
    with matplotlib.rc_context({"font.size": 20}):
        own = draw(rows)
    assert own == draw(rows)


def test_a_last_line_without_its_first_is_refused() -> None:
    with pytest.raises(ValueError, match="blind after the loop without blind before it"):
        _curve(blind_last=_scores(4))
