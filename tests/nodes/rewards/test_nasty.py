"""A bad completion is data: every reward scores it, in bounded time, and no more than a right answer is worth."""

from __future__ import annotations

import math
import time
from pathlib import Path

import pytest

from graph.distributions import registered
from graph.node import Named
from graph.registry import find_target
from nodes.rewards.reward import Batch, Reward, score
from tests.nodes.rewards.batches import choice, number, traced
from tests.nodes.rewards.nasty import nasty_texts

CELLS = '{"bed": [[1, 2]], "chair": [[0, 0], [9, 9]]}'
QUESTIONS = (
    *(traced(choice("A", "A. left", "B. right"), CELLS), traced(number("4", unit="objects"), CELLS)),
    *(traced(number("0"), CELLS), choice("A", "A. left", "B. right")),
)
MOST = {"spacer_map": 2.0, "mindcube": 6.5}  # of all others 1


@pytest.mark.parametrize("name", sorted(registered("dataflow.reward")))
def test_nasty_texts_are_scored_in_bounded_time(name: str) -> None:
    named: Named[Reward] = Named(name, ":".join(find_target(name, Path(), "dataflow.reward")))
    texts = nasty_texts()
    assert len(texts) >= 200
    slowest = 0.0
    for question in QUESTIONS:
        for text in texts:
            begin = time.perf_counter()
            (value,) = score(named, Batch([text], [question], [400], [0], {"shuffled": [[text]]}))
            slowest = max(slowest, time.perf_counter() - begin)
            assert math.isfinite(value) and value <= MOST.get(name, 1.0) + 1e-9, text[:80]
    n = len(texts)
    together = Batch(texts, [QUESTIONS[0]] * n, [400] * n, [0] * n, {"shuffled": [["A", ""]] * n})
    assert len(score(named, together)) == n
    print(f"{name}: slowest {slowest:.2f} s")
    assert slowest < 5
