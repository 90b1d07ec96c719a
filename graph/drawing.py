"""The drawing: an overview as a picture, whose format is that of the file's name."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from graph.layout import Layout, lay_out
from graph.overview import Arrow, Box, Overview

PAD = 14.0
NAME_PX, KIND_PX, NOTE_PX = 11.5, 8.6, 8.2
BOX_HEIGHT = 36.0
INK, PALE, LINE, BACK = "#1d2733", "#6b7785", "#a3aebb", "#7a5cc0"
STATES = {  # fill, edge
    "": ("#eef3fa", "#7f9cc4"),
    "hit": ("#e4f4ea", "#4ba673"),
    "will run": ("#fdebd2", "#e08e2b"),
    "may run": ("#fffbe6", "#d8bd4a"),
}
MIDDLE: dict[str, Any] = {"ha": "center", "va": "center", "zorder": 4}
TOLD = {"hit": "in the store", "will run": "will run", "may run": "may run"}


def draw_picture(overview: Overview, path: Path, told: Mapping[str, str] = TOLD) -> None:
    """Draw boxes, arrows and the loop's frame, with a legend that tells of states in the words of `told`."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": "dataflow", "font.family": "DejaVu Sans"}):
        layout = lay_out(overview, {box.name: _size(box) for box in overview.boxes})
        width, height = layout.width + 2 * PAD, layout.height + 2 * PAD + 26
        figure = Figure((width / 100, height / 100), dpi=100)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(-PAD, width - PAD), ylim=(height - PAD, -PAD))
        axes.axis("off")
        _draw_frame(axes, overview, layout)
        for arrow, points in layout.paths.items():
            _draw_arrow(axes, arrow, points)
        for box in overview.boxes:
            _draw_box(axes, box, layout.boxes[box.name])
        _draw_legend(axes, overview, layout.height + 18, told)
        facts = {"Date": None} if path.suffix == ".svg" else {}
        figure.savefig(path, metadata=facts, dpi=200, facecolor="white")


def _size(box: Box) -> tuple[float, float]:
    width = max(_text_width(box.name, NAME_PX, "bold"), _text_width(box.kind, KIND_PX, "normal"))
    return width + 16, BOX_HEIGHT


def _text_width(text: str, size: float, weight: str) -> float:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    if not text:  # of which matplotlib makes no path
        return 0.0
    return TextPath((0, 0), text, size, prop=FontProperties(weight=weight)).get_extents().width


def _draw_box(axes: Any, box: Box, place: tuple[float, float, float, float]) -> None:
    left, top, width, _ = place
    _draw_shape(axes, place, box.state, box.is_stored)
    axes.text(left + width / 2, top + 14, box.name, size=_points(NAME_PX), weight="bold", color=INK, **MIDDLE)
    axes.text(left + width / 2, top + 26.5, box.kind, size=_points(KIND_PX), color=PALE, **MIDDLE)


def _draw_shape(axes: Any, place: tuple[float, float, float, float], state: str, is_stored: bool) -> None:
    from matplotlib.patches import FancyBboxPatch

    left, top, width, height = place
    fill, edge = STATES[state]
    style = f"round,pad=0,rounding_size={height / 2 if is_stored else 6}"
    look: dict[str, Any] = {"linewidth": 1.1, "linestyle": (0, (4, 2)) if state == "may run" else "-", "zorder": 3}
    axes.add_patch(FancyBboxPatch((left, top), width, height, boxstyle=style, facecolor=fill, edgecolor=edge, **look))


def _draw_arrow(axes: Any, arrow: Arrow, points: list[tuple[float, float]]) -> None:
    from matplotlib.patches import PathPatch, Polygon
    from matplotlib.path import Path as Curve

    vertices, codes = _rounded(points) if arrow.is_back else _curved(points)
    colour = BACK if arrow.is_back else LINE
    look = {"linewidth": 1.2, "linestyle": (0, (3, 1.6)) if arrow.is_back else "-", "zorder": 2, "fill": False}
    axes.add_patch(PathPatch(Curve(vertices, codes), edgecolor=colour, **look))
    x, y = points[-1]
    axes.add_patch(Polygon([(x, y), (x - 6, y - 3), (x - 6, y + 3)], facecolor=colour, edgecolor="none", zorder=2.5))
    if arrow.turn and not arrow.is_back:
        (x0, y0), (x1, y1) = points[-3:-1]
        box = {"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none"}
        axes.text((x0 + x1) / 2, (y0 + y1) / 2, arrow.turn, size=_points(NOTE_PX), color=PALE, bbox=box, **MIDDLE)


def _curved(points: list[tuple[float, float]]) -> tuple[list[tuple[float, float]], list[int]]:
    """Return a path that leaves and enters every column level."""
    vertices, codes = [points[0]], [1]
    for (x0, y0), (x1, y1) in pairwise(points):
        middle = (x0 + x1) / 2
        vertices += [(middle, y0), (middle, y1), (x1, y1)]
        codes += [4, 4, 4]
    return vertices, codes


def _rounded(points: list[tuple[float, float]]) -> tuple[list[tuple[float, float]], list[int]]:
    """Return straight lines with rounded corners."""
    vertices, codes = [points[0]], [1]
    for before, corner, after in zip(points, points[1:], points[2:]):
        for end in (before, after):
            length = max(abs(end[0] - corner[0]), abs(end[1] - corner[1]), 1e-9)
            share = min(6.0, length / 2) / length
            vertices.append((corner[0] + (end[0] - corner[0]) * share, corner[1] + (end[1] - corner[1]) * share))
            if end is before:
                vertices.append(corner)
        codes += [2, 3, 3]
    return [*vertices, points[-1]], [*codes, 2]


def _draw_frame(axes: Any, overview: Overview, layout: Layout) -> None:
    from matplotlib.patches import FancyBboxPatch

    if layout.frame is None:
        return
    left, top, width, height = layout.frame
    title = next(box.group for box in overview.boxes if box.group)
    look: dict[str, Any] = {"facecolor": "#f6f4fc", "edgecolor": "#cfc5ea", "linewidth": 1.1, "zorder": 1}
    axes.add_patch(FancyBboxPatch((left, top), width, height, boxstyle="round,pad=0,rounding_size=10", **look))
    axes.text(left + 10, top + 12, title, size=_points(9.5), weight="bold", color=BACK, va="center", zorder=4)


def _draw_legend(axes: Any, overview: Overview, y: float, told: Mapping[str, str]) -> None:
    x = 0.0
    for state in [state for state in told if any(box.state == state for box in overview.boxes)]:
        x = _draw_entry(axes, x, y, state, False, told[state])
    if any(box.is_stored for box in overview.boxes):
        x = _draw_entry(axes, x, y, "", True, "a stored artifact")
    if any(arrow.is_back for arrow in overview.arrows):
        axes.plot([x, x + 22], [y, y], color=BACK, linewidth=1.2, linestyle=(0, (3, 1.6)))
        axes.text(x + 28, y, "read in the next round", size=_points(9), color=PALE, va="center")


def _draw_entry(axes: Any, x: float, y: float, state: str, is_stored: bool, text: str) -> float:
    _draw_shape(axes, (x, y - 6, 22, 12), state, is_stored)
    axes.text(x + 28, y, text, size=_points(9), color=PALE, va="center")
    return x + 28 + _text_width(text, 9, "normal") + 22


def _points(pixels: float) -> float:
    return pixels * 0.72
