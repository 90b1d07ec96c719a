"""Ranks: what goes first, and how many tasks are on their way."""

from __future__ import annotations

from graph.mapping import Mapping
from graph.rank import rank_instances
from graph.rounds import unroll

# sum -> update[1] -> update[2] -> update[3]; each update is clipped, which nobody of the loop waits for.
LOOP = """
[experiment]
name = "toy"
rounds = 3
[nodes.first]
kind = "TOYS:measure"
inputs = { scan = "scan" }
[nodes.scan]
kind = "TOYS:scan"
[nodes.tested]
kind = "TOYS:clip"
inputs = { numbers = "update" }
[nodes.update]
kind = "TOYS:step"
inputs = { before = "update[-1].numbers | first" }
[nodes.before]
kind = "TOYS:clip"
inputs = { numbers = "first" }
[nodes.end]
kind = "TOYS:report"
inputs = { rounds = "tested[all]" }
"""


def ordered(lab, lag):
    ranks = rank_instances(unroll(lab.load(LOOP)), lag)
    return sorted(ranks, key=ranks.__getitem__)


def test_what_has_the_longest_way_before_it_goes_first_round_by_round(lab):
    ranks = rank_instances(unroll(lab.load(LOOP)), 0)
    # scan first update[1] update[2] update[3] tested[3] end: six steps from scan, none from end.
    assert (ranks["scan"], ranks["first"], ranks["update[1]"], ranks["tested[1]"]) == (
        (0, -6),
        (0, -5),
        (1, -4),
        (1, -1),
    )
    assert (ranks["before"], ranks["end"]) == ((0, 0), (0, 0))
    assert rank_instances({}, 1) == {}
    assert [label for label in ordered(lab, 0) if "[" in label][:4] == [
        "update[1]",
        "tested[1]",
        "update[2]",
        "tested[2]",
    ]


def test_what_no_later_round_waits_for_may_lag_a_round(lab):
    assert [label for label in ordered(lab, 1) if "[" in label] == [
        "update[1]", "update[2]", "tested[1]", "update[3]", "tested[2]", "tested[3]"
    ]  # fmt: skip


def test_inline_a_round_is_finished_before_the_next(lab):
    lab.run(LOOP, "experiment.rounds=2")
    steps = [line for line in lab.count_file.read_text().split() if line in ("step", "clip")]
    assert steps == ["clip", "step", "clip", "step", "clip"]


class Known:
    """A map of `total` elements, as far as a Mapping asks for it."""

    label = "map"

    def __init__(self, total):
        self.total = total


def sizes(total, each_s, slots=2):
    mapping = Mapping(Known(total), iter(()), each_s)
    found = []
    while not mapping.is_seen:
        mapping.n_seen += 1
        found.append(min(mapping.task_size(slots), total - mapping.n_seen + 1))
        mapping.n_seen += found[-1] - 1
    return found


def test_elements_are_packed_by_how_long_they_lasted_in_an_earlier_round():
    assert sizes(60, None)[:3] == [4, 4, 4]  # 1 s / .25 s
    # 10 ms each: half of what is left, but no fewer than 0.1 s / 10 ms = 10.
    assert sizes(60, 0.01) == [30, 15, 10, 5]
    assert sizes(6, 0.01) == [6] and sizes(3, 2.0) == [1, 1, 1]
    assert sizes(1000, 0.01) == [100] * 8 + [100, 50, 25, 13, 10, 2]  # 1 s / 10 ms = 100
