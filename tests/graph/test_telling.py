"""Facts as lines: tables of the same few facts stand under one head."""

from __future__ import annotations

from graph.telling import fact_lines


def test_tables_that_come_first_stand_under_one_head():
    facts = {"closer": {"asked": 4, "weight": 37.5}, "count": {"asked": 12, "weight": None}, "budget": 20}
    assert fact_lines(facts) == ["        asked  weight", "closer  4      37.5", "count   12     -", "budget  20"]


def test_tables_of_other_facts_are_indented():
    assert fact_lines({"a": {"x": 1, "y": 2}, "b": {"x": 1}}) == ["a", "  x  1", "  y  2", "b", "  x  1"]
