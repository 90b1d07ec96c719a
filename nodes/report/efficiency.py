"""`report.efficiency`: how many questions of a plain arm one question of a rule's is worth.

    N_plain(a) / N_rule(a)   at fixed accuracies a, N(a) what an arm needs until its mean accuracy reaches a: questions
                             trained on, questions generated, or all tokens with those of probes

An arm's curve is its mean over seeds, made monotone by isotonic regression, linear between rounds. Intervals: 2,000
bootstrap draws of seeds, the same for all arms, and of test scenes. The longer run of the plain arm, where there is
one, goes on where the plain arm ends. Rules are compared with the balanced arm, which needs no feedback, by mean
accuracy over all rounds, paired by seed and question. The variance of a mean is that over seeds and that over test
scenes, which all seeds share, added; t with one degree of freedom less than seeds; Holm over all rules that were tried,
whose number is told. Arms that are told what no rule knows are compared and not counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from msgspec import Meta, Struct

from graph.node import node
from nodes.report.arms import AXES, Curves, default_accuracies, needs, read_arms
from nodes.report.points import Points
from store.artifact import Artifact, Reader, Writer
from store.collection import Collection

if TYPE_CHECKING:
    import numpy as np

DRAWS = 2000
SEED = 20250101  # fixed: an interval is a function of the scores


class Efficiency(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `report.efficiency`. An arm is a variant's name up to its first comma."""

    plain: Annotated[str, Meta(description="the arm whose questions count as one")] = "uniform"
    longer: Annotated[str, Meta(description="the plain arm run on; empty: none")] = ""
    balanced: Annotated[str, Meta(description="the arm that rules have to beat")] = "equal"
    told: Annotated[tuple[str, ...], Meta(description="arms that know what can be learned, if they are there")] = ()
    accuracies: Annotated[
        tuple[float, ...],
        Meta(description="at which needs are compared; none: 1/4, 1/2, 3/4 of the way of the plain arm and its end"),
    ] = ()


class ArmRow(Struct, frozen=True):
    """One arm: `better` is its mean accuracy over all rounds less the balanced arm's, with its 95 % interval and its p
    by Holm's method."""

    arm: str
    seeds: int
    trained: float
    tokens: float
    first: float
    last: float
    last_low: float
    last_high: float
    old: float
    better: float
    better_low: float
    better_high: float
    p: float


class RatioRow(Struct, frozen=True):
    """How much more the plain arm needs than an arm for one accuracy; infinite where it never gets there, 0 where the
    arm never does, NaN where neither does; an end of an interval is NaN where that is so in too many draws."""

    arm: str
    axis: str
    accuracy: float
    ratio: float
    low: float
    high: float


class Compared(Artifact):
    """The comparison: arms, ratios, how many rules were tried, and `efficiency.png`."""

    type: ClassVar[str] = "efficiency/2"
    plain: ClassVar[str] = "nodes.plain:write_efficiency"

    def __init__(self, arms: Sequence[ArmRow], ratios: Sequence[RatioRow], tried: int, png: bytes) -> None:
        self.arms, self.ratios, self.tried, self.png = list(arms), list(ratios), tried, png

    def write(self, w: Writer) -> None:
        w.attrs = {"tried": self.tried}
        w.table("arms", self.arms, ArmRow)
        w.table("ratios", self.ratios, RatioRow)
        w.file("efficiency.png", self.png)

    @classmethod
    def open(cls, r: Reader) -> Compared:
        return cls(r.table("arms", ArmRow), r.table("ratios", RatioRow), r.attrs["tried"], r.file("efficiency.png"))

    def summary(self) -> dict[str, Any]:
        return {
            "rules_tried": self.tried,
            "arms": {row.arm: _sentence(row) for row in self.arms},
            "ratios": {
                f"{axis} {accuracy:.3f}": {
                    row.arm: f"{row.ratio:.2f} [{row.low:.2f}, {row.high:.2f}]"
                    for row in self.ratios
                    if (row.axis, row.accuracy) == (axis, accuracy)
                }
                for axis, accuracy in dict.fromkeys((row.axis, row.accuracy) for row in self.ratios)
            },
        }


@node("report.efficiency", version=2, packages=("numpy", "scipy", "matplotlib"))
def efficiency(points: Collection[Points], *, params: Efficiency) -> Compared:
    """Compare the arms of an experiment.

    Args:
        points: of every variant, by its name.
    Raises:
        ValueError: an arm that params name is not there, or arms have other seeds or test questions.
    """
    from nodes.report.efficiency_picture import draw

    arms = read_arms(points)
    for arm in {params.plain, params.balanced, *filter(None, [params.longer])} - arms.keys():
        raise ValueError(f"report.efficiency: no arm {arm!r} among {', '.join(arms)}")
    levels = params.accuracies or default_accuracies(arms[params.plain])
    ratios = [row for axis in AXES for row in compare(arms, axis, levels, params)]
    tried = [arm for arm in arms if arm not in (params.plain, params.longer, params.balanced, *params.told)]
    rows = arm_rows(arms, params.balanced, tried)
    return Compared(rows, ratios, len(tried), draw(rows, ratios, arms))


def compare(arms: Mapping[str, Curves], axis: str, levels: Sequence[float], params: Efficiency) -> list[RatioRow]:
    """Return the ratios of all arms but the plain one; every arm meets the same draws of seeds and scenes."""
    import numpy as np

    plain = [arms[name] for name in (params.plain, params.longer) if name]
    seeds, _, scenes = plain[0].sums.shape
    rng = np.random.Generator(np.random.PCG64(SEED))
    drawn: list[tuple[np.ndarray, np.ndarray]] = [(np.arange(seeds), np.ones(scenes))]  # first as it is
    for _ in range(DRAWS):
        picked, times = rng.integers(0, seeds, seeds), rng.multinomial(scenes, np.full(scenes, 1 / scenes))
        drawn.append((np.asarray(picked), np.asarray(times)))

    def needed(group: Sequence[Curves]) -> np.ndarray:  # (DRAWS + 1, L)
        cost = np.concatenate([curves.cost[axis] for curves in group])
        first = len(group[0].cost[axis])  # points of the first; the next goes on where it ends
        keep = (np.arange(len(cost)) < first) | (cost > cost[:first].max())
        means = (
            np.concatenate([c.sums[picked].mean(0) @ times / (times @ c.sizes) for c in group])
            for picked, times in drawn
        )
        return np.array([needs(cost[keep], mean[keep], levels) for mean in means])

    base, rows = needed(plain), []
    for arm in arms:
        if arm not in (params.plain, params.longer):
            ratios = np.vectorize(_ratio, otypes=[float])(base, needed([arms[arm]]))
            # one of the draws, not between two: the mean of 2 and infinity says nothing
            low, high = np.sort(ratios[1:], axis=0)[[round(0.025 * DRAWS), round(0.975 * DRAWS) - 1]]
            rows += [RatioRow(arm, axis, *row) for row in zip(levels, ratios[0].tolist(), low.tolist(), high.tolist())]
    return rows


def _ratio(plain: float, own: float) -> float:
    if own == float("inf"):
        return 0.0 if plain != float("inf") else float("nan")  # neither gets there
    return plain / own if own else 1.0


def arm_rows(arms: dict[str, Curves], balanced: str, tried: Sequence[str]) -> list[ArmRow]:
    """Return a row an arm, p values by Holm over the rules that were tried."""
    base = arms[balanced]
    differences = {
        arm: Mean(curves.sums[:, 1:].mean(1) - base.sums[:, 1:].mean(1), base.sizes) for arm, curves in arms.items()
    }
    adjusted = holm({arm: differences[arm].p for arm in tried})
    rows = []
    for arm, curves in arms.items():
        better, last = differences[arm], Mean(curves.sums[:, -1], curves.sizes)
        rows.append(
            ArmRow(
                arm=arm,
                seeds=len(curves.sums),
                trained=float(curves.cost["trained"][-1]),
                tokens=float(curves.cost["tokens"][-1]),
                first=float(curves.means()[:, 0].mean()),
                last=last.mean,
                last_low=last.mean - last.half,
                last_high=last.mean + last.half,
                old=float(curves.old[:, -1].mean()),
                better=better.mean,
                better_low=better.mean - better.half,
                better_high=better.mean + better.half,
                p=adjusted.get(arm, float("nan")),
            )
        )
    return rows


class Mean:
    """A mean over questions of S seeds, with half of its 95 % interval and the p of its being 0.

    Its variance is that over seeds and that over test scenes, which are the same for all seeds, added: each alone would
    call the other's luck a fact. Of one seed it is that over scenes.

    Args:
        sums: (S, C), summed over the questions of each scene.
        sizes: (C,), questions of each scene.
    """

    def __init__(self, sums: np.ndarray, sizes: np.ndarray) -> None:
        from scipy import stats

        n_seeds, n_scenes = sums.shape
        seeds = sums.sum(1) / sizes.sum()
        self.mean = float(seeds.mean())
        # of a ratio of sums over scenes, by what each scene has more than its size tells
        more = sums.mean(0) - self.mean * sizes
        over_scenes = n_scenes / max(1, n_scenes - 1) * float((more**2).sum()) / float(sizes.sum()) ** 2
        over_seeds = float(seeds.var(ddof=1)) / n_seeds if n_seeds > 1 else 0.0
        error, freedom = (over_scenes + over_seeds) ** 0.5, (n_seeds if n_seeds > 1 else n_scenes) - 1
        self.half = float(stats.t.ppf(0.975, freedom)) * error if freedom and error else 0.0
        self.p = float(2 * stats.t.sf(abs(self.mean) / error, freedom)) if freedom and error else float(self.mean == 0)


def holm(p: dict[str, float]) -> dict[str, float]:
    """Return p values adjusted by Holm's step-down method (1979).

    Example:
        >>> holm({"a": 0.01, "b": 0.04, "c": 0.03})  # .01 x 3; .03 x 2; max(.04 x 1, .06)
        {'a': 0.03, 'c': 0.06, 'b': 0.06}
    """
    adjusted: dict[str, float] = {}
    highest = 0.0
    for rank, name in enumerate(sorted(p, key=lambda name: p[name])):
        highest = max(highest, min(1.0, (len(p) - rank) * p[name]))
        adjusted[name] = highest
    return adjusted


def _sentence(row: ArmRow) -> str:
    told = f"{row.first:.3f} to {row.last:.3f} [{row.last_low:.3f}, {row.last_high:.3f}], old {row.old:.3f}"
    against = f"{row.better:+.4f} [{row.better_low:+.4f}, {row.better_high:+.4f}] on balanced"
    return f"{told}, {against}{'' if row.p != row.p else f', p {row.p:.3f}'}"
