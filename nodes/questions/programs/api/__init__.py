"""The scene API: what a question's program may call, in plain Python over a table FACTS (facts.py).

These files run as they are in CPython and in the sandbox, where all of them make one namespace: imports of each other
are for readers and type checkers and fall away, as do docstrings and annotations. A public function is part of the API;
one with a leading underscore is not. They import `math` alone, hand out nothing of FACTS that could be changed, and
raise where a name, a number or what the frames show leaves the answer open.
"""

from __future__ import annotations

from typing import Any

FACTS: dict[str, Any] = {}  # given anew by whoever runs programs
