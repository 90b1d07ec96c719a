"""What an update gives: the trained weights, what its trainer would go on from, a log of metrics by training step.

    weights/   the policy after training
    trainer/   the optimiser's tensors, where the next update is to go on from them, and the steps since it was new
    log/       one float array a metric, one row a step; NaN where the trainer logged none

Clock times of the trainer (runtimes, samples a second) are dropped: an output is a function of its inputs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from nodes.policy.policy import Policy
from store.artifact import Artifact, Reader, Writer
from store.checkpoint import read_tensors, write_tensors

if TYPE_CHECKING:
    import numpy as np

TOKENS = "num_tokens"
NAMED = ("rewards/", "acc/")  # after rewards and tasks, whatever their names are
CLOCK_WORDS = ("time", "per_second", "flos", "epoch")


class Log(Artifact):
    """Metrics by training step; `note` says what else there is to know, in a line."""

    type: ClassVar[str] = "log/1"
    plain: ClassVar[str] = "nodes.plain:write_log"

    def __init__(self, metrics: Mapping[str, np.ndarray], note: str = "") -> None:
        """Keep one (steps,) float64 array a metric."""
        self.metrics, self.note = dict(metrics), note

    def write(self, w: Writer) -> None:
        w.attrs = {"metrics": sorted(self.metrics), **({"note": self.note} if self.note else {})}
        for name, values in sorted(self.metrics.items()):
            w.array(f"metrics/{name}", values, dims=("step",))

    @classmethod
    def open(cls, r: Reader) -> Log:
        attrs = r.attrs
        return cls({name: r.array(f"metrics/{name}") for name in attrs["metrics"]}, attrs.get("note", ""))

    def summary(self) -> dict[str, Any]:
        import numpy as np

        steps = max((len(values) for values in self.metrics.values()), default=0)
        shown = {name: values for name, values in self.metrics.items() if name in ("loss", "reward")}
        ends = {name: [float(v) for v in np.round([v[0], v[-1]], 4)] for name, v in shown.items() if len(v)}
        return {"steps": steps, "first_and_last": ends, **({"note": self.note} if self.note else {})}


class Trainer(Artifact):
    """The state of an optimiser, and the steps since it was new, over all updates.

    Its tensors are `exp_avg.<parameter>` and the like, tied parameters once, and `step`: (P,) float32, the steps that
    each of the P parameters has taken, in the order of their names. An update that does not carry leaves no tensors.
    """

    type: ClassVar[str] = "trainer/1"

    def __init__(self, steps: int, tensors: Mapping[str, np.ndarray]) -> None:
        self.steps, self._tensors = steps, tensors
        self._reader: Reader | None = None

    def tensors(self) -> dict[str, np.ndarray]:
        """Return the optimiser's tensors by name."""
        return dict(self._tensors) if self._reader is None else read_tensors(self._reader, "state")

    def is_stored(self) -> bool:
        """Tell whether its tensors are read from a store, anew for every caller, and not held in memory."""
        return self._reader is not None

    def write(self, w: Writer) -> None:
        w.attrs = {"steps": self.steps}
        write_tensors(w, "state", self.tensors())

    @classmethod
    def open(cls, r: Reader) -> Trainer:
        trainer = cls(r.attrs["steps"], {})
        trainer._reader = r
        return trainer

    def summary(self) -> dict[str, Any]:
        return {"steps": self.steps, "parameters": self._n_parameters()}

    def _n_parameters(self) -> int:
        """Return how many parameters have a state, without reading the tensors, which may be tens of gigabytes."""
        if self._reader is None:
            return len(self._tensors.get("step", ()))
        key = "state/step/zarr.json"
        return int(json.loads(self._reader.metadata(key))["shape"][0]) if self._reader.has(key) else 0


class Update(Artifact):
    """The output of an update: trained weights, its trainer, and the log of the training."""

    type: ClassVar[str] = "update/2"
    parts: ClassVar = {"weights": Policy, "trainer": Trainer, "log": Log}

    def __init__(self, weights: Policy, log: Log, trainer: Trainer | None = None) -> None:
        self.weights, self.log, self.trainer = weights, log, trainer or Trainer(0, {})

    def write(self, w: Writer) -> None:
        w.artifact("weights", self.weights)
        w.artifact("trainer", self.trainer)
        w.artifact("log", self.log)

    @classmethod
    def open(cls, r: Reader) -> Update:
        return cls(r.artifact("weights", Policy), r.artifact("log", Log), r.artifact("trainer", Trainer))

    def summary(self) -> dict[str, Any]:
        return {"weights": self.weights.summary(), "trainer": self.trainer.summary(), "log": self.log.summary()}


def log_from(history: Sequence[Mapping[str, Any]], steps: int, note: str = "") -> Log:
    """Return the log of a trainer's `log_history`, without what clocks have made.

    TRL counts `num_tokens` from the first step on; the log has `tokens`, those of each step.

    Args:
        history: rows with `step` (from 1) and numbers.
    """
    import numpy as np

    metrics: dict[str, np.ndarray] = {}
    for row in history:
        if "train_runtime" in row:  # the summary after the last step
            continue
        for name, value in row.items():
            is_clock = not name.startswith(NAMED) and any(word in name for word in CLOCK_WORDS)
            if name == "step" or not isinstance(value, int | float) or is_clock:
                continue
            metrics.setdefault(name, np.full(steps, np.nan))[int(row["step"]) - 1] = value
    if TOKENS in metrics:
        metrics["tokens"] = np.diff(metrics.pop(TOKENS), prepend=0)
    return Log(metrics, note)
