"""`filter.margin`: drop what lies too near to where its answer would be another.

Tasks keep their own margins as they are asked; this holds a whole pool, of whatever makers, to one table, or to a
stricter one. A question's verdict is its own: no other question changes it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from graph.node import node
from nodes.questions.kept import Kept, Verdict, keep
from nodes.questions.question import Question, QuestionPool, pool_rows
from nodes.questions.thresholds import Thresholds

_AS_ASKED = Thresholds()
NEAR = 1e-9  # a margin that equals its least, but for rounding, is enough
Least: TypeAlias = Annotated[float, Meta(ge=0)]


def default_margins() -> dict[str, float]:
    """Return the least margin by task, in the task's unit: those that thresholds.py states.

    Of what it states as a share of a length, or in two units for one task, there is none in the unit of a margin.
    """
    return {
        "object_rel_direction_easy": _AS_ASKED.direction_deg,
        "object_rel_direction_medium": _AS_ASKED.direction_deg,
        "object_rel_direction_hard": _AS_ASKED.direction_deg,
        "object_rel_distance": _AS_ASKED.rel_distance_gap_m,
        "obj_appearance_order": _AS_ASKED.order_gap_s,
        "route_planning": _AS_ASKED.direction_deg,
        "closer": _AS_ASKED.closer_m,
        "depth_order": _AS_ASKED.closer_m,
        "further_left": _AS_ASKED.left_width,
        "camera_direction": min(_AS_ASKED.direction_deg, _AS_ASKED.steep_deg),
        "camera_position": _AS_ASKED.direction_deg,
        "object_in_other_camera": _AS_ASKED.direction_deg,
        "region_in_other_camera": _AS_ASKED.direction_deg,
        "camera_elevation": _AS_ASKED.same_height_m,
        "visibility_compare": _AS_ASKED.visibility_gap,
    }


class Margins(Struct, frozen=True, forbid_unknown_fields=True):
    """The least margins. A task's own goes before its unit's; what has neither needs a finite margin, 0 or more."""

    by_task: Annotated[dict[str, Least], Meta(description="by task, in its unit; these tasks alone")] = {}
    by_unit: Annotated[dict[str, Least], Meta(description="by unit, for tasks that by_task does not name")] = {}
    defaults: Annotated[bool, Meta(description="tasks named nowhere: as thresholds.py has it; else 0")] = True

    def least(self, question: Question) -> float:
        """Return the least margin of a question, in its unit."""
        if question.task in self.by_task:
            return self.by_task[question.task]
        if question.unit in self.by_unit:
            return self.by_unit[question.unit]
        return default_margins().get(question.task, 0.0) if self.defaults else 0.0


@node("filter.margin", version=1)
def filter_margin(questions: QuestionPool, *, params: Margins) -> Kept:
    """Drop questions whose margin is below the least for their task or unit, or is no number.

    Raises:
        ValueError: params name a task or a unit that no question of the pool has.
    """
    verdicts = {}
    rows = pool_rows(questions)
    _check_names("by_task", params.by_task, {row.task for row in rows})
    _check_names("by_unit", params.by_unit, {row.unit for row in rows})
    for row in rows:
        least = params.least(row)
        if not math.isfinite(row.margin):
            verdicts[row.id] = Verdict("unknown", f"margin {row.margin}, expected a number")
        elif row.margin < least - NEAR:
            verdicts[row.id] = Verdict("margin", f"{row.margin:.4g} {row.unit}, expected {least:g} or more")
    return keep(questions, verdicts)


def _check_names(param: str, given: Iterable[str], known: set[str]) -> None:
    """Refuse names that no question has, which would silently hold nothing; an empty pool has none at all."""
    for name in sorted(set(given) - known) if known else ():
        (near,) = get_close_matches(name, sorted(known), n=1, cutoff=0.0)
        raise ValueError(
            f"filter.margin: {param} names {name!r}, expected one of the pool's: {', '.join(sorted(known))};"
            f" did you mean {near!r}?"
        )
