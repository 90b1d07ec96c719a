"""How rooms look: light, floor, camera and noise by style. A style is a row of numbers; nothing else tells
styles apart.

Colours are linear 0..1 before light. The light's direction points from the scene to the light, in the world.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Colour = tuple[float, float, float]


VOID_COLOUR: Colour = (0.0, 0.0, 0.0)  # of what shows nothing, in every light


class Style(Struct, frozen=True):
    """One look: colours 0..1, lengths in metres, angles in degrees."""

    fov_deg: float
    camera_height_m: tuple[float, float]
    floor: tuple[Colour, Colour]
    checker_m: float
    wall: Colour
    ceiling: Colour
    light: tuple[float, float, float]
    tint: Colour
    ambient: float
    diffuse: float
    noise: float
    """Standard deviation of the pixel noise, in 8-bit levels."""


STYLES: dict[str, Style] = {
    "old": Style(
        fov_deg=60.0,
        camera_height_m=(1.3, 1.7),
        floor=((0.62, 0.61, 0.60), (0.62, 0.61, 0.60)),
        checker_m=1.0,
        wall=(0.80, 0.80, 0.78),
        ceiling=(0.90, 0.90, 0.90),
        light=(0.36, 0.48, 0.80),
        tint=(1.0, 1.0, 1.0),
        ambient=0.62,
        diffuse=0.38,
        noise=2.0,
    ),
    "new": Style(
        fov_deg=78.0,
        camera_height_m=(0.7, 2.3),
        floor=((0.30, 0.40, 0.38), (0.66, 0.56, 0.50)),
        checker_m=0.7,
        wall=(0.42, 0.50, 0.62),
        ceiling=(0.55, 0.50, 0.45),
        light=(-0.80, 0.30, 0.52),
        tint=(1.0, 0.88, 0.74),
        ambient=0.46,
        diffuse=0.54,
        noise=14.0,
    ),
}


def shade(style: Style, normal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the light (3,) that a face of this normal (3,) gives back."""
    import numpy as np

    length = float(np.sqrt(sum(v * v for v in style.light)))
    cosine = sum(float(a) * b for a, b in zip(normal, style.light, strict=True)) / length
    return np.array(style.tint) * (style.ambient + style.diffuse * max(0.0, cosine))


def find_style(name: str) -> Style:
    """Return a style by name. Raises ValueError that names the nearest one."""
    if name in STYLES:
        return STYLES[name]
    raise ValueError(f"style = {name!r}: expected one of {', '.join(sorted(STYLES))}{nearest(name, STYLES)}")


def nearest(name: str, known: dict[str, Style] | tuple[str, ...]) -> str:
    """Return '; did you mean ...?' for the nearest known name, or ''."""
    close = get_close_matches(name, list(known), n=1, cutoff=0.3)
    return f"; did you mean {close[0]!r}?" if close else ""
