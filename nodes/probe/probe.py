"""Probe: what a policy can do on each question, as measured from K stored rollouts of it.

By question, NaN (null in JSON) where it was not measured:
    pass_rate        share of the K rollouts that are right: exact for choices, MRA >= `right_at` for numbers
    mean_accuracy    mean accuracy of the rollouts; for numbers that is their expected MRA, where a near miss counts
    reward_variance  variance of the *accuracy* of the K rollouts, whatever else is rewarded: 0 means that GRPO sees no
                     right one beside a wrong one
    zero_group       P(the summed rewards of a group of `group` rollouts are exactly equal), so that no advantage is
                     left; NaN with fewer rollouts than a group has
    p_geo            geometric mean probability of the true answer's tokens, teacher-forced, without the end
    p_joint          probability of the true answer: their product, with the end where one is awaited
    p_option         softmax over the options' joint log-probabilities, of the true one; NaN without options
    p_thought        geometric mean probability of the true answer after the rollout's own thought, averaged over the
                     rollouts that have one; NaN without thoughts
    majority_share   share of the rollouts that give the most frequent answer; no truth needed
    entropy          of the rollouts' answers, nats, 0..ln K; no truth needed
    chance           expected accuracy of a guess in the question's cell (`nodes/probe/chance.py`)
    over_chance      (mean_accuracy - chance) / (1 - chance), not clipped: negative below chance; NaN at chance 1

None of it is comparable with another by name alone: p_geo of a four-token number is not p_geo of a letter, and is
never corrected for chance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

from msgspec import Struct

from store.artifact import Artifact, Reader, Writer

if TYPE_CHECKING:
    import numpy as np


class ProbeRow(Struct, frozen=True):
    """What the policy can do on one question; definitions in the module's text."""

    id: str
    scene: str
    task: str
    template: str
    pass_rate: float = 0.0
    mean_accuracy: float = 0.0
    reward_variance: float = 0.0
    zero_group: float = 0.0
    p_geo: float = 0.0
    p_joint: float = 0.0
    p_option: float = 0.0
    p_thought: float = 0.0
    majority_share: float = 0.0
    entropy: float = 0.0
    chance: float = 0.0
    over_chance: float = 0.0


class Calibration(Struct, frozen=True):
    """How well one signal tells right rollouts from wrong ones; definitions in `nodes/probe/calibration.py`.

    `n` rollouts have the signal, `right` of them are right. `auroc` is NaN where all are right or all wrong, `ece`
    where the signal is no probability.
    """

    signal: str
    n: int
    right: int
    auroc: float
    ece: float


class Bin(Struct, frozen=True):
    """The rollouts whose signal lies in [low, high): a point of the reliability diagram, `confidence` against
    `accuracy`. Empty ones are left out."""

    signal: str
    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


class Probe(Artifact):
    """One row a question that was asked, in the pool's order.

    `rewards` (Q, K) by name are the terms of each rollout's sum; `left_out` says by name why one is not among them,
    `dropped` by id why a question was not asked. `calibration` has a row a signal, `bins` its reliability diagram.
    """

    type: ClassVar[str] = "probe/2"
    plain: ClassVar[str] = "nodes.plain:write_probe"

    def __init__(
        self,
        rows: Sequence[ProbeRow],
        rewards: Mapping[str, np.ndarray] | None = None,
        calibration: Sequence[Calibration] = (),
        bins: Sequence[Bin] = (),
        left_out: Mapping[str, str] | None = None,
        dropped: Mapping[str, str] | None = None,
    ) -> None:
        self.rows, self.calibration, self.bins = list(rows), list(calibration), list(bins)
        self.left_out, self.dropped = dict(left_out or {}), dict(dropped or {})
        self._rewards = dict(rewards or {})
        self._reader: Reader | None = None

    def by_id(self) -> dict[str, ProbeRow]:
        """Return the rows by question id."""
        return {row.id: row for row in self.rows}

    def rewards(self) -> dict[str, np.ndarray]:
        """Return each reward's (Q, K) float64 by its name."""
        if self._reader is None:
            return self._rewards
        names = self._reader.attrs["rewards"]
        return dict(zip(names, self._reader.array("rewards"), strict=True)) if names else {}

    def write(self, w: Writer) -> None:
        import numpy as np

        rewards = self.rewards()
        w.attrs = {
            "rewards": list(rewards),
            "left_out": dict(sorted(self.left_out.items())),
            "dropped": dict(sorted(self.dropped.items())),
        }
        w.table("questions", self.rows, ProbeRow)
        w.table("calibration", self.calibration, Calibration)
        w.table("bins", self.bins, Bin)
        if rewards:  # in one array: a reward's name may be a path
            w.array("rewards", np.stack(list(rewards.values())), dims=("reward", "question", "sample"))

    @classmethod
    def open(cls, r: Reader) -> Self:
        opened = cls(
            r.table("questions", ProbeRow),
            calibration=r.table("calibration", Calibration),
            bins=r.table("bins", Bin),
            left_out=r.attrs["left_out"],
            dropped=r.attrs["dropped"],
        )
        opened._reader = r
        return opened

    def summary(self) -> dict[str, Any]:
        by_task: dict[str, list[float]] = {}
        for row in self.rows:
            by_task.setdefault(row.task, []).append(row.pass_rate)
        told: dict[str, Any] = {
            "questions": len(self.rows),
            "pass_rate": {task: mean_measured(rates) for task, rates in sorted(by_task.items())},
            "without_variance": mean_measured([float(row.reward_variance == 0) for row in self.rows]),
            "zero_groups": mean_measured([row.zero_group for row in self.rows]),
        }
        if self.calibration:
            told["calibration"] = {row.signal: _told(row) for row in self.calibration}
        if self.left_out:
            told["left_out"] = self.left_out
        return {**told, **({"dropped": len(self.dropped)} if self.dropped else {})}


def mean_measured(values: Sequence[float]) -> float | None:
    """Return the mean of the values that were measured, to four decimals; None where none was."""
    known = [value for value in values if not math.isnan(value)]
    return round(sum(known) / len(known), 4) if known else None


def _told(row: Calibration) -> str:
    parts = [f"{name} {value:.3f}" for name, value in (("AUROC", row.auroc), ("ECE", row.ece)) if value == value]
    return ", ".join(parts) or "all right or all wrong"
