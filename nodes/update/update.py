"""What an update gives: the trained weights and a log of metrics by training step.

    weights/   the policy after training
    log/       one float array a metric, one row a step; NaN where the trainer logged none

Clock times of the trainer (runtimes, samples a second) are dropped: an output is a function of its inputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from nodes.policy.policy import Policy
from store.artifact import Artifact, Reader, Writer

if TYPE_CHECKING:
    import numpy as np

CLOCK_WORDS = ("time", "per_second", "flos", "epoch")


class Log(Artifact):
    """Metrics by training step."""

    type: ClassVar[str] = "log/1"
    plain: ClassVar[str] = "nodes.plain:write_log"

    def __init__(self, metrics: Mapping[str, np.ndarray]) -> None:
        """Keep one (steps,) float64 array a metric."""
        self.metrics = dict(metrics)

    def write(self, w: Writer) -> None:
        w.attrs = {"metrics": sorted(self.metrics)}
        for name, values in sorted(self.metrics.items()):
            w.array(f"metrics/{name}", values, dims=("step",))

    @classmethod
    def open(cls, r: Reader) -> Log:
        return cls({name: r.array(f"metrics/{name}") for name in r.attrs["metrics"]})

    def summary(self) -> dict[str, Any]:
        import numpy as np

        steps = max((len(values) for values in self.metrics.values()), default=0)
        shown = {name: values for name, values in self.metrics.items() if name in ("loss", "reward")}
        ends = {name: [float(v) for v in np.round([v[0], v[-1]], 4)] for name, v in shown.items() if len(v)}
        return {"steps": steps, "first_and_last": ends}


class Update(Artifact):
    """The output of an update: trained weights, and the log of the training."""

    type: ClassVar[str] = "update/1"
    parts: ClassVar = {"weights": Policy, "log": Log}

    def __init__(self, weights: Policy, log: Log) -> None:
        self.weights, self.log = weights, log

    def write(self, w: Writer) -> None:
        w.artifact("weights", self.weights)
        w.artifact("log", self.log)

    @classmethod
    def open(cls, r: Reader) -> Update:
        return cls(r.artifact("weights", Policy), r.artifact("log", Log))

    def summary(self) -> dict[str, Any]:
        return {"weights": self.weights.summary(), "log": self.log.summary()}


def log_from(history: Sequence[Mapping[str, Any]], steps: int) -> Log:
    """Return the log of a trainer's `log_history`, without what clocks have made.

    Args:
        history: rows with `step` (from 1) and numbers.
    """
    import numpy as np

    metrics: dict[str, np.ndarray] = {}
    for row in history:
        if "train_runtime" in row:  # the summary after the last step
            continue
        for name, value in row.items():
            if name == "step" or not isinstance(value, int | float) or any(word in name for word in CLOCK_WORDS):
                continue
            metrics.setdefault(name, np.full(steps, np.nan))[int(row["step"]) - 1] = value
    return Log(metrics)
