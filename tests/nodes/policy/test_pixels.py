"""Limits on pixels: frames made smaller before a policy sees them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nodes.policy.rollout import Pictures, smaller
from nodes.questions.question import Question
from tests.nodes.conftest import SmallPools


@pytest.mark.parametrize(
    ("size", "pixels", "expected"),
    [
        ((640, 480), 0, (640, 480)),
        ((640, 480), 307_200, (640, 480)),  # 640 * 480 = 307,200: just enough
        ((640, 480), 76_800, (320, 240)),  # a quarter: sqrt(1 / 4) = 1 / 2
        ((640, 480), 10_000, (115, 86)),  # sqrt(10,000 / 307,200) = .18042: 115.5 and 86.6; 115 * 86 = 9,890
        ((1000, 1), 100, (100, 1)),  # no side below one
    ],
)
def test_a_frame_keeps_its_proportions(size: tuple[int, int], pixels: int, expected: tuple[int, int]) -> None:
    assert smaller(Image.new("RGB", size), pixels).size == expected


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 5000))
def test_no_frame_is_over_the_limit_nor_empty(width: int, height: int, pixels: int) -> None:
    found = smaller(Image.new("L", (width, height)), pixels)
    assert 1 <= found.width * found.height <= max(pixels, 1)


def test_what_becomes_one_pixel_is_averaged() -> None:
    # Columns of 0 and 200 by turns: picking one of them would give stripes, their mean is 100.
    stripes = np.tile(np.array([0, 200], np.uint8), (64, 32))
    found = np.asarray(smaller(Image.fromarray(stripes), 64))
    assert found.shape == (8, 8) and np.abs(found.astype(int) - 100).max() <= 12


def test_the_frames_of_a_question_are_limited(small_pools: SmallPools, some_question: Question) -> None:
    whole, small = Pictures(small_pools.test), Pictures(small_pools.test, pixels=400)
    assert [image.size for image in whole.of(some_question)] == [(64, 64)]
    assert [image.size for image in small.of(some_question)] == [(20, 20)]
