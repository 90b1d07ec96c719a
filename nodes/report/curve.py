"""`report.curve`: accuracy by round as a picture and a table, the policy before the loop as round 0."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, ClassVar

from msgspec import Struct

from graph.node import node
from nodes.evaluate.scores import Scores, paired_difference
from store.artifact import Artifact, Reader, Writer
from store.collection import Collection


class CurveRow(Struct, frozen=True):
    """One evaluation. `low`, `high`: 95 % interval by scene; `gain` over `of` on the same questions, with its own."""

    line: str
    round: int
    questions: int
    accuracy: float
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float


class Curve(Artifact):
    """The curve of an experiment: a table, and `curve.png`."""

    type: ClassVar[str] = "curve/1"
    plain: ClassVar[str] = "nodes.plain:write_curve"

    def __init__(self, rows: Sequence[CurveRow], png: bytes) -> None:
        self.rows, self.png = list(rows), png

    def write(self, w: Writer) -> None:
        w.table("curve", self.rows, CurveRow)
        w.file("curve.png", self.png)

    @classmethod
    def open(cls, r: Reader) -> Curve:
        return cls(r.table("curve", CurveRow), r.file("curve.png"))

    def summary(self) -> dict[str, Any]:
        return {"rows": [_sentence(row) for row in self.rows]}


@node("report.curve", version=1, packages=("matplotlib", "numpy"))
def curve(
    before: Scores,
    rounds: Collection[Scores],
    blind_before: Scores | None = None,
    blind_last: Scores | None = None,
    old_before: Scores | None = None,
    old_last: Scores | None = None,
) -> Curve:
    """Draw accuracy by round.

    Args:
        before: of the policy that the loop starts from; it is round 0.
        rounds: of the policy after each round, keyed so that the keys sort by round.
        blind_before, blind_last: the same questions without pictures, before the loop and after it.
        old_before, old_last: questions in what the policy had learned before the loop, to see what is forgotten.
    Raises:
        ValueError: a last one without the one before, or two on other questions.
    """
    in_order = [rounds[key] for key in sorted(rounds, key=int)]
    last = len(in_order)
    rows = [_row("test", number, before, scores) for number, scores in enumerate([before, *in_order])]
    for line, first, second in (("blind", blind_before, blind_last), ("old style", old_before, old_last)):
        if first is None and second is not None:
            raise ValueError(f"report.curve: {line} after the loop without {line} before it, expected both")
        rows += [
            _row(line, number, first, scores)
            for number, scores in ((0, first), (last, second))
            if first is not None and scores is not None
        ]
    return Curve(rows, draw(rows))


def draw(rows: Sequence[CurveRow]) -> bytes:
    """Return the curve as PNG; the same rows give the same bytes, whatever a user's own settings of matplotlib are."""
    import matplotlib.style

    with matplotlib.style.context("default"):
        return _draw(rows)


def _draw(rows: Sequence[CurveRow]) -> bytes:
    import matplotlib.figure
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = matplotlib.figure.Figure(figsize=(6.4, 4.0), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    styles = {"test": ("#1f5fa8", "o-"), "blind": ("#888888", "s--"), "old style": ("#c77f20", "^:")}
    for line, (colour, mark) in styles.items():
        points = [row for row in rows if row.line == line]
        if points:
            at, mean = [row.round for row in points], [row.accuracy for row in points]
            bars = [[row.accuracy - row.low for row in points], [row.high - row.accuracy for row in points]]
            axes.errorbar(at, mean, yerr=bars, fmt=mark, color=colour, capsize=3, label=line)
    axes.set_title(_sentence([row for row in rows if row.line == "test"][-1]), fontsize=9)
    axes.set_xlabel("round (0: before the loop)")
    axes.set_ylabel("accuracy")
    axes.set_xticks(sorted({row.round for row in rows}))
    axes.grid(alpha=0.3)
    # Below the plot: there is no corner that no line may cross.
    figure.legend(loc="outside lower center", ncols=len(styles), fontsize=8, frameon=False)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", metadata={"Software": None})  # no version, no date: bytes of the data alone
    return picture.getvalue()


def _row(line: str, number: int, first: Scores, scores: Scores) -> CurveRow:
    accuracy, gain = scores.overall, paired_difference(first, scores)
    return CurveRow(line, number, len(scores.rows), *accuracy, *gain)


def _sentence(row: CurveRow) -> str:
    gain = f", {row.gain:+.3f} [{row.gain_low:+.3f}, {row.gain_high:+.3f}] on round 0" if row.round else ""
    return f"{row.line} {row.round}: {row.accuracy:.3f} [{row.low:.3f}, {row.high:.3f}]{gain}"
