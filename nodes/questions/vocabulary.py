"""The closed vocabulary of prompts, options and answers, from which word-level tokenizers are built.

Labels come from two sources: coloured boxes ("red box") and the categories of VSI-Bench's rooms. `words` is every token
that `split_words` can make of what the task families write; a test synthesises from many scenes and holds that.
"""

from __future__ import annotations

import re
from functools import cache

from nodes.questions.draft import LETTERS
from nodes.questions.programs.api.cameras import HEIGHTS, IMAGES, MOTIONS, REGIONS, SECTORS
from nodes.questions.wording import CALLS, ROUTE_GO, ROUTE_TURN, THINK, TOLD, TURNS, WORDINGS
from nodes.scenes.colours import COLOURS

SHAPES = ("box",)

# Categories of the annotated ScanNet (33) and ARKitScenes (13) rooms of VSI-Bench, arXiv:2412.14171.
SCANNET = (
    *(
        "backpack",
        "bed",
        "bookshelf",
        "chair",
        "clock",
        "closet",
        "computer mouse",
        "counter",
        "door",
        "fan",
        "guitar",
    ),
    *(
        "keyboard",
        "lamp",
        "mattress",
        "microwave",
        "mirror",
        "monitor",
        "nightstand",
        "oven",
        "piano",
        "pillow",
        "plant",
    ),
    *(
        "printer",
        "radiator",
        "refrigerator",
        "sofa",
        "table",
        "telephone",
        "towel",
        "trash bin",
        "tv",
        "washing machine",
    ),
    "window",
)
ARKITSCENES = (
    *(
        "bathtub",
        "bed",
        "chair",
        "dishwasher",
        "fireplace",
        "refrigerator",
        "sofa",
        "stool",
        "stove",
        "table",
        "toilet",
    ),
    *("tv", "washer"),
)
# What counting by category names; which labels belong is in categories.py.
CATEGORIES = (
    "kitchen or laundry appliances",
    "lights",
    "pieces of seating furniture",
    "pieces of sleeping furniture",
    "pieces of storage furniture",
    "screens",
    "tables or desks",
)
YES_NO = ("yes", "no")

TAGS = ("<think>", "</think>", "<map>", "</map>", "<answer>", "</answer>")

_WORD = re.compile("|".join(TAGS) + r"|[A-Za-z]+|\d|[^\sA-Za-z\d]")


def split_words(text: str) -> list[str]:
    """Split text into tags of traces, words, single digits and single marks; white space separates and is dropped.

    Example:
        >>> split_words("A. 12 red boxes?")
        ['A', '.', '1', '2', 'red', 'boxes', '?']
    """
    return _WORD.findall(text)


@cache
def box_labels() -> tuple[str, ...]:
    """Return the labels that generated rooms draw from, in alphabetical order."""
    return tuple(sorted(f"{colour} {shape}" for colour in COLOURS for shape in SHAPES))


@cache
def labels() -> tuple[str, ...]:
    """Return every label that the shipped scene sources give, in alphabetical order."""
    return tuple(sorted(set(box_labels()) | set(SCANNET) | set(ARKITSCENES) | set(SHAPES)))


@cache
def words() -> list[str]:
    """Return every token of every prompt, option, answer and trace, in alphabetical order."""
    texts = [*WORDINGS.values(), *YES_NO, *LETTERS, "0123456789", ".,:?()-"]
    texts += [ROUTE_GO, ROUTE_TURN, *(f"Turn {turn.capitalize()}" for turn in TURNS), *CATEGORIES]
    texts += [*SECTORS, *MOTIONS, *HEIGHTS, *IMAGES, *REGIONS, "and above", "and below"]
    texts += [text for label in labels() for text in (label, plural(label))]
    known = {word for text in texts for word in split_words(re.sub(r"\{\w*\}", " ", text))}
    return sorted(known | {word for text in (THINK, TOLD, CALLS) for word in split_words(text)})


def is_coloured_box(label: str) -> bool:
    """Tell whether a label is a colour and a shape, so that the colour alone names the object."""
    colour, _, shape = label.partition(" ")
    return shape in SHAPES and colour in COLOURS


def short_name(label: str) -> str:
    """Return what answers call the object: the colour of a coloured box, else its label."""
    return label.split(" ")[0] if is_coloured_box(label) else label


def shape_name(label: str) -> str:
    """Return what the object is apart from its colour: `box` for a coloured box, else its label."""
    return label.split(" ")[1] if is_coloured_box(label) else label


def plural(label: str) -> str:
    """Return the plural of a label.

    Example:
        >>> plural("red box"), plural("computer mouse"), plural("chair")
        ('red boxes', 'computer mice', 'chairs')
    """
    head, _, noun = label.rpartition(" ")
    if noun in _IRREGULAR:
        noun = _IRREGULAR[noun]
    else:
        noun += "es" if noun.endswith(("s", "x", "sh", "ch")) else "s"
    return f"{head} {noun}".strip()


_IRREGULAR = {"mouse": "mice", "bookshelf": "bookshelves"}
