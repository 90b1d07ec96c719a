"""`feedback.label`: last round's questions on a scene, each labelled by how well the policy did: easy, frontier, hard.

Feedback to a proposer, who reads it as examples. Source: Ouroboros-Spatial, arXiv:2606.11719, whose bands these are, as
a third party's note has them: easy p > .9, hard p < .1, frontier between, p the geometric mean probability of the
answer's tokens. Departs: p is measured by a probe, after the round's questions are made and before the update, not read
off the training pass; `pass_rate` may stand in for it, which compares a letter with a number of several tokens better.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta, Struct

from graph.node import node
from nodes.probe import Probe
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

    by: Annotated[Literal["p_answer", "pass_rate"], Meta(description="the measure of the probe")] = "p_answer"
    hard_below: Annotated[float, Meta(ge=0, le=1, description="Ouroboros-Spatial, by a third party's note")] = 0.1
    easy_above: Annotated[float, Meta(ge=0, le=1, description="Ouroboros-Spatial, by a third party's note")] = 0.9

    def __post_init__(self) -> None:
        if self.hard_below > self.easy_above:
            raise ValueError(f"hard_below = {self.hard_below}: need at most easy_above = {self.easy_above}")


@node("feedback.label", version=1)
def label(probe: Probe, questions: QuestionPool, *, params: LabelBy) -> Collection[Labelled]:
    """Return the labelled questions of every scene.

    Raises:
        ValueError: a question that was not probed.
    """
    probed = probe.by_id()
    by_scene: dict[str, list[LabelledRow]] = {}
    for row in pool_rows(questions):
        if row.id not in probed:
            raise ValueError(f"feedback.label: question {row.id!r} was not probed")
        if not row.scene:  # what is asked of no scene is not proposed for any
            continue
        p = probed[row.id].p_answer if params.by == "p_answer" else probed[row.id].pass_rate
        found: Label = "easy" if p > params.easy_above else "hard" if p < params.hard_below else "frontier"
        told = LabelledRow(row.id, row.task, row.prompt, row.options, row.answer, found)
        by_scene.setdefault(row.scene, []).append(told)
    return Collection(Labelled, {scene: Labelled(rows) for scene, rows in by_scene.items()})
