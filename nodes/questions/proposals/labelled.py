"""`feedback.label`: last round's questions on a scene, each labelled by how well the policy did: easy, frontier, hard.

Feedback to a proposer, who reads it as examples. Source: Ouroboros-Spatial, arXiv:2606.11719, whose bands these are, as
a third party's note has them: easy p > .9, hard p < .1, frontier between, p the geometric mean probability of the
answer's tokens. Departs: p is measured by a probe, after the round's questions are made and before the update, not read
off the training pass. Other measures of the probe may stand in for it: `pass_rate` compares a letter with a number of
several tokens, `mean_accuracy` gives a number credit for a near miss, `over_chance` is that, corrected for chance.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta, Struct

from graph.node import node
from nodes.probe.probe import Probe
from nodes.questions.question import QuestionPool, pool_rows
from store.artifact import Artifact, Reader, Writer
from store.collection import Collection

Label = Literal["easy", "frontier", "hard"]


class LabelledRow(Struct, frozen=True):
    """One question as the proposer may read it."""

    id: str
    task: str
    prompt: str
    options: tuple[str, ...]
    answer: str
    label: Label


class Labelled(Artifact):
    """What last round's questions on one scene turned out to be."""

    type: ClassVar[str] = "labelled/1"
    plain: ClassVar[str] = "nodes.plain:write_rows"

    def __init__(self, rows: Sequence[LabelledRow]) -> None:
        self.rows = list(rows)

    def write(self, w: Writer) -> None:
        w.table("labelled", self.rows, LabelledRow)

    @classmethod
    def open(cls, r: Reader) -> Labelled:
        return cls(r.table("labelled", LabelledRow))

    def summary(self) -> dict[str, Any]:
        return dict(sorted(Counter(row.label for row in self.rows).items()))

    @classmethod
    def summarise(cls, entries: Any) -> dict[str, Any]:
        return dict(sorted(Counter(row.label for entry in entries.values() for row in entry.rows).items()))


class LabelBy(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `feedback.label`."""

    by: Annotated[
        Literal["p_geo", "pass_rate", "mean_accuracy", "over_chance"], Meta(description="the measure of the probe")
    ] = "p_geo"
    hard_below: Annotated[float, Meta(ge=0, le=1, description="Ouroboros-Spatial, by a third party's note")] = 0.1
    easy_above: Annotated[float, Meta(ge=0, le=1, description="Ouroboros-Spatial, by a third party's note")] = 0.9

    def __post_init__(self) -> None:
        if self.hard_below > self.easy_above:
            raise ValueError(f"hard_below = {self.hard_below}: need at most easy_above = {self.easy_above}")


@node("feedback.label", version=1)
def label(probe: Probe, questions: QuestionPool, *, params: LabelBy) -> Collection[Labelled]:
    """Return the labelled questions of every scene: those that were asked and have the measure.

    Raises:
        ValueError: a question that was not probed, or questions of which none has the measure.
    """
    probed = probe.by_id()
    by_scene: dict[str, list[LabelledRow]] = {}
    unmeasured: list[str] = []
    for row in pool_rows(questions):
        if row.id not in probed and row.id not in probe.dropped:
            raise ValueError(f"feedback.label: question {row.id!r} was not probed")
        if not row.scene or row.id in probe.dropped:  # what is asked of no scene is not proposed for any
            continue
        p: float = getattr(probed[row.id], params.by)
        if math.isnan(p):
            unmeasured.append(row.id)
            continue
        found: Label = "easy" if p > params.easy_above else "hard" if p < params.hard_below else "frontier"
        told = LabelledRow(row.id, row.task, row.prompt, row.options, row.answer, found)
        by_scene.setdefault(row.scene, []).append(told)
    if unmeasured and not by_scene:
        raise ValueError(
            f"feedback.label: {params.by} was measured of none of {len(unmeasured)} questions, the first"
            f" {unmeasured[0]!r}; pass_rate always is"
        )
    return Collection(Labelled, {scene: Labelled(rows) for scene, rows in by_scene.items()})
