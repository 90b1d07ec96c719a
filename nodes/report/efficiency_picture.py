"""The picture of `report.efficiency`: accuracy over cost, and how many plain questions one of each arm is worth."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nodes.report.arms import Curves
    from nodes.report.efficiency import ArmRow, RatioRow

LABELS = {"trained": "questions trained on", "tokens": "tokens, probes included"}


def draw(rows: Sequence[ArmRow], ratios: Sequence[RatioRow], arms: Mapping[str, Curves]) -> bytes:
    """Return the picture as PNG; the same rows give the same bytes, whatever a user has told matplotlib."""
    import matplotlib.style

    with matplotlib.style.context("default"):
        return _draw(rows, ratios, arms)


def _draw(rows: Sequence[ArmRow], ratios: Sequence[RatioRow], arms: Mapping[str, Curves]) -> bytes:
    import matplotlib
    import matplotlib.figure
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = matplotlib.figure.Figure(figsize=(11, 7.2), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 2)
    pairs = matplotlib.colormaps["tab20"](range(20))  # ten of a dark and a light colour: dark ones first
    colours = {arm: (*pairs[::2], *pairs[1::2])[number % 20] for number, arm in enumerate(arms)}
    for column, (axis, label) in enumerate(LABELS.items()):
        _curves(axes[0][column], axis, label, arms, colours)
        _ratios(axes[1][column], label, [row for row in ratios if row.axis == axis], colours)
    handles, names = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=min(6, len(names)), fontsize=8, frameon=False)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", metadata={"Software": None})
    return picture.getvalue()


def _curves(axes: Any, axis: str, label: str, arms: Mapping[str, Curves], colours: Mapping[str, Any]) -> None:
    import numpy as np
    from matplotlib import ticker

    for arm, curves in arms.items():
        means = curves.means()  # (S, R)
        half = 1.96 * means.std(0, ddof=1) / len(means) ** 0.5 if len(means) > 1 else np.zeros(means.shape[1])
        axes.plot(curves.cost[axis][1:], means.mean(0)[1:], color=colours[arm], label=arm, lw=1.4)
        low, high = (means.mean(0) - half)[1:], (means.mean(0) + half)[1:]
        axes.fill_between(curves.cost[axis][1:], low, high, color=colours[arm], alpha=0.06, lw=0)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(ticker.EngFormatter(sep=""))
    axes.xaxis.set_minor_formatter(ticker.NullFormatter())
    axes.set_xlabel(label)
    axes.set_ylabel("test accuracy, mean of seeds")
    axes.grid(alpha=0.3)


def _ratios(axes: Any, label: str, ratios: Sequence[RatioRow], colours: Mapping[str, Any]) -> None:
    names = list(dict.fromkeys(row.arm for row in ratios))
    levels = list(dict.fromkeys(row.accuracy for row in ratios))
    largest = 20.0
    for row in ratios:
        at = names.index(row.arm) + 0.6 * ((levels.index(row.accuracy) + 0.5) / len(levels) - 0.5)
        low, mid, high = (min(max(value, 0.05), largest) for value in (row.low, row.ratio, row.high))
        if row.ratio:  # 0: the arm never gets there
            axes.plot([at, at], [low, high], color=colours[row.arm], lw=1.2)
            axes.plot([at], [mid], "o", color=colours[row.arm], ms=4)
    axes.axhline(1, color="#888888", lw=0.8)
    axes.set_yscale("log")
    axes.set_xticks(range(len(names)), names, rotation=20, fontsize=8)
    axes.set_ylabel("plain needs, times its own")
    axes.set_title(f"by {label}; at {', '.join(f'{level:.3f}' for level in levels)}", fontsize=9)
    axes.grid(alpha=0.3, axis="y")
