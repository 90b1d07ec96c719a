"""Rouge: the mean F-measure of ROUGE-1, ROUGE-2 and ROUGE-L, for answers in free text.

Source: SpaceR, arXiv:2504.01805; ROUGE, Lin 2004. Departs: words are not stemmed, which is another library's business
and English alone. A word is a run of letters or digits, in lower case. The library that papers use was last released in
2022 and brings NLTK; the measure is the thirty lines below.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nodes.rewards.answer import answer_of

if TYPE_CHECKING:
    from nodes.rewards.reward import Batch

WORD = re.compile(r"[^\W_]+")


def rouge(batch: Batch) -> list[float]:
    """Return the score of every rollout, 0..1."""
    return [
        mean_f(WORD.findall(answer_of(text).lower()), WORD.findall(question.answer.lower()))
        for text, question in zip(batch.texts, batch.questions, strict=True)
    ]


def mean_f(said: Sequence[str], true: Sequence[str]) -> float:
    """Return the mean of the three F-measures of two texts as words."""
    return (_shared(said, true, 1) + _shared(said, true, 2) + _f(common_length(said, true), len(said), len(true))) / 3


def _shared(said: Sequence[str], true: Sequence[str], n: int) -> float:
    """Return the F-measure of the n-grams that both have."""
    ours, theirs = (Counter(zip(*(words[k:] for k in range(n)))) for words in (said, true))
    return _f((ours & theirs).total(), ours.total(), theirs.total())


def _f(shared: int, said: int, true: int) -> float:
    """Return 2 P R / (P + R) with precision shared / said and recall shared / true."""
    return 2 * shared / (said + true) if said and true else 0.0


def common_length(said: Sequence[str], true: Sequence[str]) -> int:
    """Return the length of the longest common subsequence.

    A row of the usual table as the bits of one number (Hyyro 2004): a text of a million words takes a second.
    """
    places: dict[str, int] = {}
    for place, word in enumerate(true):
        places[word] = places.get(word, 0) | 1 << place
    full = (1 << len(true)) - 1
    row = full  # bit k is 0 where the common subsequence grows by the k-th word of `true`
    for word in said:
        met = row & places.get(word, 0)
        row = (row + met | row - met) & full
    return len(true) - row.bit_count()
