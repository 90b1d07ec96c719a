"""Colours by what is drawn: named ones of generated boxes, one of its own for every category of annotated rooms."""

from __future__ import annotations

import colorsys

from nodes.scenes.seeds import seed_of

COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (0.86, 0.13, 0.12),
    "green": (0.14, 0.66, 0.20),
    "blue": (0.13, 0.27, 0.88),
    "yellow": (0.94, 0.84, 0.12),
    "purple": (0.60, 0.20, 0.72),
}


def label_colour(label: str) -> tuple[float, float, float]:
    """Return the colour 0..1 that a label is drawn in: the one it names ("red box"), else its category's own."""
    named = [COLOURS[word] for word in label.split() if word in COLOURS]
    return named[0] if named else category_colour(label)


def category_colour(category: str) -> tuple[float, float, float]:
    """Return a category's colour 0..1, the same in every room: hue, saturation and value from its name."""
    bits = seed_of("vsibench-v1", "colour", category)
    hue, saturation, value = (
        (bits >> 16 & 0xFFFF) / 65536,
        0.5 + (bits & 0xFF) / 600,
        0.6 + (bits >> 8 & 0xFF) / 700,
    )
    return colorsys.hsv_to_rgb(hue, saturation, value)
