"""Names of objects in questions against the labels of a room: benchmarks rename categories between data and prompt."""

from __future__ import annotations

import re
from collections.abc import Iterable

# What VSI-Bench's questions call what its metadata calls otherwise (arXiv:2412.14171); both directions hold.
SAME = (
    {"coat rack", "coat hanger"},
    {"ceiling light", "ceiling lamp"},
    {"computer mouse", "mouse"},
    {"trash bin", "trash can"},
    {"tv", "television", "tv monitor"},
    {"washer", "washing machine"},
    {"sofa", "couch"},
    {"refrigerator", "fridge"},
    {"telephone", "phone"},
)


def resolve(name: str, labels: Iterable[str]) -> str | None:
    """Return the label that a name means: itself but for case, marks and plural; a known synonym; the only label that
    shares its last word, or any word. None where none or several fit.

    Example:
        >>> resolve("coat rack", ["coat hanger", "bed"]), resolve("Office chair", ["chair"]), resolve("bed", ["sofa"])
        ('coat hanger', 'chair', None)
    """
    plain = {_plain(label): label for label in labels}
    asked = _plain(name)
    if asked in plain:
        return plain[asked]
    for group in SAME:
        if asked in group and (known := sorted(group & plain.keys())):
            return plain[known[0]]
    words = asked.split()
    for shares in (lambda other: other.split()[-1:] == words[-1:], lambda other: set(words) & set(other.split())):
        fitting = [other for other in plain if shares(other)]
        if len(fitting) == 1:
            return plain[fitting[0]]
    return None


def _plain(text: str) -> str:
    words = re.sub(r"[\W_]+", " ", text).strip().lower().split()
    return " ".join([*words[:-1], words[-1].removesuffix("s") if len(words[-1]) > 3 else words[-1]]) if words else ""
