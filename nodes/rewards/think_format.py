"""Think format: whether a text is a thought and an answer, in tags, and nothing else.

Source: SpaceR's R_fmt, arXiv:2504.01805: the whole text is `<think>..</think><answer>..</answer>`, with white space
between. What stands in the tags is not looked at; `format` tells whether it has the form of an answer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nodes.rewards.reward import Batch

START, END = "<think>", "</answer>"
BETWEEN = re.compile(r"</think>\s*<answer>")


def think_format(batch: Batch) -> list[float]:
    """Return 1 for every rollout of this form, else 0."""
    return [float(thinks(text)) for text in batch.texts]


def thinks(text: str) -> bool:
    """Tell whether a text has the form. Linear in the text: one expression for all of it goes back again and again."""
    if not (text.startswith(START) and text.endswith(END)):
        return False
    return BETWEEN.search(text, len(START), len(text) - len(END)) is not None
