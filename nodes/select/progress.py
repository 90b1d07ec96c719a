"""`select.progress`: quotas by learning progress, and within a cell what the policy gets neither right nor wrong.

Source: ours, measured: with feedback into synthesis and a rate that falls over all rounds better than equal cells, in
test rooms (README); of a pool of which a tenth has random answers a third goes to these, which change as well. A fifth
of n is equal by cell, the rest follows |learning progress| of `feedback.progress`, all equal in the first round. The
band guards against mastered questions and, by its lower end, against wrong labels; it is not corrected for chance,
which would drop cells that start at chance and can be learned.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from graph.node import node
from nodes.feedback.probed import measured, probed_rows
from nodes.feedback.progress import CellProgress
from nodes.probe.probe import Probe
from nodes.questions.lots import in_turn
from nodes.questions.question import QuestionPool
from nodes.select.band import check_bounds
from nodes.select.drawing import check_enough, selected
from nodes.select.shares import by_cell, cell_shares, share_out


class Progress(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `select.progress`."""

    n: Annotated[int, Meta(ge=1, description="questions to select", extra={"unit": "questions"})]
    equal: Annotated[
        float, Meta(ge=0, le=1, description="share of n that is equal by cell; progress rules the rest")
    ] = 0.2
    by: Annotated[
        Literal["p_geo", "pass_rate"],
        Meta(description="p_geo needs one rollout and is exact for answers of one token | pass_rate, for longer ones"),
    ] = "p_geo"
    low: Annotated[float, Meta(ge=0, le=1, description="lowest, inclusive")] = 0.1
    high: Annotated[float, Meta(ge=0, le=1, description="highest, inclusive")] = 0.9
    short: Annotated[
        Literal["fill", "repeat", "fail"],
        Meta(
            description="too few in the band: others of the cell at random, then of other cells | those in it alone,"
            " met several times | fail"
        ),
    ] = "fill"

    def __post_init__(self) -> None:
        check_bounds(self.low, self.high)


@node("select.progress", version=1)
def progress(
    probe: Probe, questions: QuestionPool, progress: CellProgress | None, *, params: Progress, seed: int
) -> QuestionPool:
    """Return `n` questions by quotas over cells, inside the band where a cell has enough such questions.

    Questions that were not probed cannot be selected and are told as dropped. No question at all stays none.

    Raises:
        ValueError: a probe of another pool, or without the measure; too few in the band with short = "fail", too few
            at all with "fill".
    """
    probed, not_probed = probed_rows(probe, questions, "select.progress")
    values = measured(probed, params.by, "select.progress")
    inside = {row.id for (row, _), value in zip(probed, values, strict=True) if params.low <= value <= params.high}
    rows = [row for row, _ in probed if params.short == "fill" or row.id in inside]
    if params.short == "fill":
        check_enough("select.progress", len(rows), params.n)
    elif params.short == "fail" and len(rows) < params.n and probed:
        raise ValueError(
            f"select.progress: {len(rows)} of {len(probed)} questions have {params.by} in [{params.low},"
            f" {params.high}], expected at least n = {params.n}"
        )
    groups = by_cell(rows)
    wanted = share_out(params.n, cell_shares(groups, progress, params.equal), groups, seed)
    kept = []
    for name, group in groups.items():
        ranked = sorted(in_turn(group, seed), key=lambda row: row.id not in inside)  # stable: lots within both
        kept += ranked[: wanted[name]]
    return selected(kept, not_probed)
