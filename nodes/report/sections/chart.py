"""Charts as Vega-Lite specs: plain dictionaries, a function a form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

Rows = Sequence[dict[str, Any]]
HEIGHT = 260
TICKS = 11  # of the axis of rounds or steps, at most
POINTS = 200  # rows of a chart whose points are drawn


def lines(rows: Rows, x: str, y: str, colour: str, band: tuple[str, str] | None = None) -> dict:
    """Return lines with points, one a value of `colour`, with a band between two fields of each row."""
    met = sorted({row[x] for row in rows})
    ticks = met[:: -(-len(met) // TICKS) or 1]
    across = {"field": x, "type": "quantitative", "axis": {"values": ticks, "format": "d"}, "scale": {"nice": False}}
    shared = {"x": across, "color": {"field": colour, "type": "nominal", "title": None}}
    up = {"field": y, "type": "quantitative", "scale": {"zero": False}, "title": y}
    layers: list[dict] = []
    if band is not None:
        low, high = band
        edges = {
            "y": {"field": low, "type": "quantitative", "scale": {"zero": False}, "title": y},
            "y2": {"field": high},
        }
        layers.append({"mark": {"type": "area", "opacity": 0.15}, "encoding": {**shared, **edges}})
    point = {"size": 28} if len(rows) < POINTS else False
    layers.append({"mark": {"type": "line", "point": point, "tooltip": True}, "encoding": {**shared, "y": up}})
    return _spec(rows, {"layer": layers})


def heat(rows: Rows, x: str, y: str, value: str) -> dict:
    """Return a grid of colours."""
    encoding = {
        "x": {"field": x, "type": "ordinal", "axis": {"labelAngle": 0, "labelOverlap": True}},
        "y": {"field": y, "type": "ordinal", "sort": "descending"},
        "color": {"field": value, "type": "quantitative", "scale": {"scheme": "blues", "domainMin": 0}},
    }
    return _spec(rows, {"mark": {"type": "rect", "tooltip": True}, "encoding": encoding})


def shares(rows: Rows, x: str, value: str, colour: str) -> dict:
    """Return bars of equal height, divided by `colour`."""
    encoding = {
        "x": {"field": x, "type": "ordinal", "axis": {"labelAngle": 0, "labelOverlap": True}},
        "y": {"field": value, "type": "quantitative", "stack": "normalize", "axis": {"format": "%"}},
        "color": {"field": colour, "type": "nominal", "title": None},
    }
    return _spec(rows, {"mark": {"type": "bar", "tooltip": True}, "encoding": encoding})


def diagonal(rows: Rows, x: str, y: str, colour: str, size: str) -> dict:
    """Return points of two shares, with the line on which they are equal."""
    both = {
        name: {"field": field, "type": "quantitative", "scale": {"domain": [0, 1]}}
        for name, field in (("x", x), ("y", y))
    }
    points = {**both, "color": {"field": colour, "type": "nominal", "title": None},
              "size": {"field": size, "type": "quantitative", "legend": None}}  # fmt: skip
    even = {
        "data": {"values": [{x: 0, y: 0}, {x: 1, y: 1}]},
        "mark": {"type": "line", "strokeDash": [4, 3], "color": "#999"},
    }
    return _spec(
        rows,
        {
            "layer": [
                {**even, "encoding": both},
                {"mark": {"type": "point", "filled": True, "tooltip": True}, "encoding": points},
            ]
        },
    )


def _spec(rows: Rows, body: dict) -> dict:
    """Return a spec as wide as its element. JSON knows no NaN: what is none is null, and not drawn."""
    known = [{name: None if _is_none(value) else value for name, value in row.items()} for row in rows]
    return {"width": "container", "height": HEIGHT, "data": {"values": known}, **body}


def _is_none(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
