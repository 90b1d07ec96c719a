"""Constants, and what is made of them."""

import re

try:
    from fast_sizes import SCALE
except ImportError:
    SCALE = 1

UNIT = 100
ALIAS = UNIT
DOUBLE_UNIT = 2 * ALIAS
WORD = re.compile("[a-z]+")
UNUSED = 5
EDGES = [1, 1]
EDGES += [2]
for edge in (3, 4):
    EDGES.append(edge)


def perimeter(width: int, height: int) -> float:
    return SCALE * (2 * (width + height) + sum(EDGES)) + len(WORD.findall("two words"))
