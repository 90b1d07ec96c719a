"""Weights & Biases: a run in the project of the experiment's name; variants are runs of one group.

Who it is sent to, or that it stays here (WANDB_MODE=offline), is wandb's own to know: `wandb login`.
"""

from __future__ import annotations

from collections.abc import Mapping

from nodes.report.trackers.tracked import Axis, Tracked

START_S = 20.0  # for its server to answer; by default 90


class WandB:
    """Logs numbers, each against its own axis: wandb's step would be one for all, and may only grow."""

    needs = "wandb"

    def __init__(self, tracked: Tracked) -> None:
        import wandb

        tracked.folder.mkdir(parents=True, exist_ok=True)
        self._run = wandb.init(
            project=tracked.experiment.replace("/", "-"),
            name=tracked.name,
            group=tracked.run,
            config={"spec": tracked.spec, "variant": tracked.variant},
            dir=str(tracked.folder),
            reinit="create_new",
            settings=wandb.Settings(console="off", silent=True, init_timeout=START_S),
        )
        self._known: set[str] = set()

    def log(self, axis: Axis, place: int, numbers: Mapping[str, float], seconds: float) -> None:
        """Log them beside their place. A dot would be a table in a table to wandb, whose axis it does not find."""
        named = {name.replace(".", "/"): value for name, value in numbers.items()}
        against = f"{next(iter(named)).partition('/')[0]}/{axis}"
        for name in [name for name in (against, *named) if name not in self._known]:
            self._known.add(name)
            self._run.define_metric(name, step_metric=against if name != against else None)
        self._run.log({**named, against: place, "seconds": seconds})

    def close(self) -> None:
        """Finish the run."""
        self._run.finish()
