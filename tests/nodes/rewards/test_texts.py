"""Rewards of numbers and of free text, worked out by hand."""

from __future__ import annotations

import random
import time

import pytest

from nodes.rewards.regression import regression
from nodes.rewards.rouge import common_length, mean_f, rouge
from nodes.rewards.wer import wer, words_right
from tests.nodes.rewards.batches import ASKED, batch, number


def test_regression_is_one_less_the_relative_error() -> None:
    # true 4: 3 -> 1 - 1/4; 5 -> the same; 8.5 -> 1 - 4.5/4 < 0
    assert regression(batch(number("4"), "3", "5", "4.", "8.5", "four", "<answer>3</answer>")) == [
        *(0.75, 0.75, 1.0, 0.0, 0.0, 0.75)
    ]
    assert regression(batch(number("-2"), "-1", "2")) == [0.5, 0]  # 1 - 1/2; 1 - 4/2 < 0
    assert regression(batch(number("0"), "0", "0.1")) == [1, 0]
    assert regression(batch(ASKED, "red")) == [0]  # no number


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("exit only no entry", 1.0),
        ("exit only no exit", 0.75),  # one of four replaced
        ("exit no entry", 0.75),  # one left out
        ("please exit only no entry", 0.75),  # one put in
        ("only exit no entry", 0.5),  # two
        ("Exit only no entry", 0.75),  # as it is written
        ("", 0.0),
        ("a b c d e f g", 0.0),  # seven words, four of them replaced and three put in: 1 - 7/4 < 0
        ("exit only no entry a b c d", 0.0),  # four put in: 1 - 4/4
    ],
)
def test_word_error_rate(said: str, expected: float) -> None:
    assert words_right(said.split(), ["exit", "only", "no", "entry"]) == pytest.approx(expected)


def test_wer_reads_the_answer() -> None:
    question = number("12 B")
    assert wer(batch(question, "<think>it says 12</think> <answer>12 C</answer>", "12 B")) == [0.5, 1.0]


def test_rouge_by_hand() -> None:
    # "the cat sat on the mat" | "the cat on a mat": 6 and 5 words
    #   1: the, cat, on, mat shared: 2*4/11; 2: of 5 and 4 pairs (the cat) is shared: 2*1/9; L: the cat on mat: 2*4/11
    said, true = "The cat sat on the mat.", "the cat on a mat"
    expected = (8 / 11 + 2 / 9 + 8 / 11) / 3
    assert rouge(batch(number(true), said, true, "dog", f"<answer>{said}</answer>")) == pytest.approx(
        [expected, 1, 0, expected]
    )


def test_one_word_has_no_pairs() -> None:
    assert mean_f(["cat"], ["cat"]) == pytest.approx(2 / 3)  # ROUGE-1 and -L; there is no pair of words


def test_common_length_is_that_of_the_table() -> None:
    def table(a: list[str], b: list[str]) -> int:
        rows = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
        for i, x in enumerate(a):
            for j, y in enumerate(b):
                rows[i + 1][j + 1] = rows[i][j] + 1 if x == y else max(rows[i][j + 1], rows[i + 1][j])
        return rows[-1][-1]

    draw = random.Random(1)
    for _ in range(300):
        a, b = (draw.choices("abcd", k=draw.randrange(12)) for _ in range(2))
        assert common_length(a, b) == table(a, b)


def test_a_text_of_a_million_words_is_scored_in_seconds() -> None:
    text, question = "a b " * 500_000, number("a b " * 100)
    begin = time.process_time()
    assert wer(batch(question, text)) == [0.0] and rouge(batch(question, text))[0] < 0.01
    assert time.process_time() - begin < 10
