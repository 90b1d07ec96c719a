"""`probe.confidence`: measure stored rollouts. Definitions are in `nodes/probe/probe.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from graph.node import node
from nodes.probe.calibration import calibrate, other_half
from nodes.probe.chance import blind_accuracy, chances
from nodes.probe.probe import Probe, ProbeRow
from nodes.probe.statistics import (
    agreement,
    answer_codes,
    answer_probabilities,
    mean_probability,
    option_probabilities,
    variances,
    zero_groups,
)
from nodes.questions.question import QuestionPool
from nodes.rewards.reward import ACCURACY, Batch, Rewards, needs_of, score
from nodes.rollouts.judged import Judged, judge
from nodes.rollouts.rollouts import Drawn, Rollouts

if TYPE_CHECKING:
    import numpy as np


class Confidence(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `probe.confidence`."""

    rewards: Annotated[Rewards, Meta(min_length=1, description="as the update has them, by name, summed")] = (ACCURACY,)
    right_at: Annotated[float, Meta(gt=0, le=1, description="MRA from which a number counts as right")] = 0.5
    group: Annotated[int, Meta(ge=2, description="rollouts a question in the update", extra={"unit": "rollouts"})] = 4


@node("probe.confidence", version=2, packages=("numpy",))
def probe(rollouts: Rollouts, questions: QuestionPool, blind: Rollouts | None, *, params: Confidence) -> Probe:
    """Measure what the policy of the rollouts can do on every question that was asked.

    Args:
        blind: rollouts of the base policy without frames, on questions of the same pool: what was right by language
            alone. Without them a guess alone is chance.
    Raises:
        ValueError: rollouts of a question that is not in the pool; `blind` was drawn with pictures; a
            reward that fails or is not finite.
    """
    judged, drawn = judge(rollouts, questions, params.right_at), rollouts.drawn()
    rewards, left_out = _rewards(judged, drawn, params)
    if blind is not None and not blind.is_blind:
        raise ValueError("input blind holds rollouts with pictures, expected some drawn with blind = true")
    floor = blind_accuracy(judge(blind, questions, params.right_at)) if blind is not None else {}
    columns = {**_of_answers(judged, rewards, params.group), **_of_probabilities(rollouts, judged)}
    columns |= _over_chance(columns["mean_accuracy"], chances(judged.questions, floor))
    table = zip(*(column.tolist() for column in columns.values()), strict=True)
    rows = [
        ProbeRow(row.id, row.scene, row.task, row.template, **dict(zip(columns, values, strict=True)))
        for row, values in zip(judged.questions, table, strict=True)
    ]
    calibration, bins = calibrate(_signals(columns, judged, drawn), judged.right)
    return Probe(rows, rewards, calibration, bins, left_out, rollouts.dropped)


def _rewards(judged: Judged, drawn: Drawn, params: Confidence) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return each reward's (Q, K) by name; and why others are left out."""
    import numpy as np

    shape = judged.right.shape
    batch = Batch(
        texts=[text for texts in judged.texts for text in texts],
        questions=[row for row in judged.questions for _ in range(shape[1])],
        n_tokens=drawn.n_tokens.ravel().tolist(),
        groups=np.repeat(np.arange(shape[0]), shape[1]).tolist(),
    )
    needs = {named.name: needs_of([named]) for named in params.rewards}
    left_out = {
        name: f"needs {' and '.join(found)} rollouts, which are not drawn" for name, found in needs.items() if found
    }
    given = [named for named in params.rewards if not needs[named.name]]
    return {named.name: np.array(score(named, batch), dtype=np.float64).reshape(shape) for named in given}, left_out


def _of_answers(judged: Judged, rewards: dict[str, np.ndarray], group: int) -> dict[str, np.ndarray]:
    """Return what the answers themselves tell, each (Q,)."""
    import numpy as np

    majority_share, entropy = agreement(answer_codes(judged.questions, judged.texts))
    totals = np.sum(list(rewards.values()), axis=0) if rewards else None
    return {
        "pass_rate": judged.right.mean(axis=1),
        "mean_accuracy": judged.accuracy.mean(axis=1),
        "reward_variance": variances(judged.accuracy),
        "zero_group": np.full(len(judged.right), np.nan) if totals is None else zero_groups(totals, group),
        "majority_share": majority_share,
        "entropy": entropy,
    }


def _of_probabilities(rollouts: Rollouts, judged: Judged) -> dict[str, np.ndarray]:
    """Return what the stored log-probabilities tell, each (Q,)."""
    import numpy as np

    drawn = rollouts.drawn()
    n_answer = np.array([asked.n_answer for asked in rollouts.rows], dtype=np.int64)
    n_options = np.array([asked.n_options for asked in rollouts.rows], dtype=np.int64)
    p_geo, p_joint = answer_probabilities(drawn.answer_logprobs, n_answer)
    return {
        "p_geo": p_geo,
        "p_joint": p_joint,
        "p_option": option_probabilities(drawn.option_logprobs, n_options, judged.questions),
        "p_thought": mean_probability(drawn.thought_logprobs),
    }


def _over_chance(accuracy: np.ndarray, chance: np.ndarray) -> dict[str, np.ndarray]:
    import numpy as np

    room = np.where(chance < 1, 1 - chance, np.nan)  # a cell of one number: its median is always right
    return {"chance": chance, "over_chance": (accuracy - chance) / room}


def _signals(columns: dict[str, np.ndarray], judged: Judged, drawn: Drawn) -> dict[str, np.ndarray]:
    """Return the signals of `nodes/probe/calibration.py`, each (Q, 1) or (Q, K)."""
    import numpy as np

    each = np.repeat(np.arange(judged.right.size), drawn.n_tokens.ravel())  # whose token it is
    sums = np.bincount(each, weights=drawn.logprobs, minlength=judged.right.size).reshape(judged.right.shape)
    with np.errstate(invalid="ignore"):  # 0 / 0 where nothing was said
        said = np.exp(sums / drawn.n_tokens)
    names = ("p_geo", "p_joint", "p_option", "p_thought", "majority_share")
    return {
        **{name: columns[name][:, None] for name in names},
        "-entropy": -columns["entropy"][:, None],
        "pass_rate": other_half(judged.right),
        "p_said": said,
    }
