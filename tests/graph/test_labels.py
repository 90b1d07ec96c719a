"""Labels: what instances are called, and what a person means by a name."""

from __future__ import annotations

import pytest

from graph.labels import find_labels, label_of, split_label

LABELS = [
    "rooms",
    "qa[1]",
    "qa[2]",
    "selected@low=0.1[1]",
    "selected@low=0.1[2]",
    "selected@low=0.3[2]",
    "update@low=0.1,seed=7",
    "update@low=0.1,seed=8",
    "eval@small+large[2]",
    "eval@medium[2]",
]


@pytest.mark.parametrize("parts", [("qa", None, ""), ("qa", 2, ""), ("qa", 12, "low=0.1,seed=7"), ("qa", None, "a+b")])
def test_label_can_be_split_again(parts):
    name, round, variant = parts
    assert split_label(label_of(*parts)) == (name, variant, round)


@pytest.mark.parametrize(
    ("asked", "found", "entry"),
    [
        ("rooms", ["rooms"], ""),
        ("rooms.scene0011_00", ["rooms"], "scene0011_00"),
        ("rooms.a.b", ["rooms"], "a.b"),
        ("qa", ["qa[1]", "qa[2]"], ""),
        ("qa[2].numbers", ["qa[2]"], "numbers"),
        ("selected", ["selected@low=0.1[1]", "selected@low=0.1[2]", "selected@low=0.3[2]"], ""),
        ("selected[2]", ["selected@low=0.1[2]", "selected@low=0.3[2]"], ""),
        ("selected@low=0.3", ["selected@low=0.3[2]"], ""),
        ("selected@low=0.1[2].x.y", ["selected@low=0.1[2]"], "x.y"),
        ("update@low=0.1", ["update@low=0.1,seed=7", "update@low=0.1,seed=8"], ""),
        ("update@seed=8,low=0.1", ["update@low=0.1,seed=8"], ""),
        ("selected@low=0.3,seed=8", ["selected@low=0.3[2]"], ""),
        ("qa@low=0.3", ["qa[1]", "qa[2]"], ""),
        ("eval@large", ["eval@small+large[2]"], ""),
        ("eval@medium", ["eval@medium[2]"], ""),
        ("selected@low=0.2", [], ""),
        ("nothing", [], ""),
        ("qa[3]", [], ""),
    ],
)
def test_name_may_be_whole_or_part_of_a_label(asked, found, entry):
    assert find_labels(asked, LABELS) == (found, entry)
