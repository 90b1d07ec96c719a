"""A round in one table."""

from __future__ import annotations

import math

from nodes.feedback.compile import SceneFeedback
from nodes.feedback.table import CellTable, table
from nodes.questions.question import pool_of, pool_rows
from store.collection import Collection
from store.open import open_store
from tests.nodes.select.asked import learned, pool, probe_of


def test_a_round_is_told_by_cell(tmp_path):
    asked = pool(closer=4, count=2)
    probe = probe_of(asked, pass_rate={"closer-0": 1.0, "closer-1": 0.5}, reward_variance={"closer-1": 0.25})
    feedback = Collection(
        SceneFeedback, {"a": SceneFeedback(12, {"closer": 50}), "b": SceneFeedback(8, {"closer": 25})}
    )
    made = table(probe, asked, pool_of(pool_rows(asked)[:3]), feedback, learned(closer=0.25))
    store = open_store(str(tmp_path))
    told = store.open(store.put(made), CellTable).summary()
    # the pool's first three are closer-0, closer-3 and count-0, of the first room
    assert told["closer"] == {
        "asked": 4, "pass_rate": 0.375, "accuracy": 0.0, "p_geo": 0.0, "silent": 0.75, "selected": 2, "weight": 37.5,
        "progress": 0.25,
    }  # fmt: skip
    assert told["count"]["weight"] is None and told["count"]["selected"] == 1
    assert told["all"]["asked"] == 6 and told["all"]["pass_rate"] == 0.25 and told["budget"] == 20


def test_what_is_not_known_is_not_told():
    asked = pool(closer=2)
    row = table(probe_of(asked, p_geo=dict.fromkeys(("closer-0", "closer-1"), math.nan)), asked, None, None, None).rows[
        0
    ]
    assert row.asked == 2 and math.isnan(row.p_geo) and math.isnan(row.weight) and math.isnan(row.progress)
    assert "budget" not in table(probe_of(pool_of([])), pool_of([]), None, None, None).summary()
