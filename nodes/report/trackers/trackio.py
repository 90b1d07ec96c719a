"""Trackio: a run in the project of the experiment's name, on this machine unless TRACKIO_SPACE_ID says where."""

from __future__ import annotations

from collections.abc import Mapping

from nodes.report.trackers.tracked import Axis, Tracked


class Trackio:
    """Logs numbers beside their place, which its dashboard takes as x."""

    needs = "trackio"

    def __init__(self, tracked: Tracked) -> None:
        import trackio

        self._run = trackio.init(
            project=tracked.experiment.replace("/", "-"),
            name=tracked.name,
            group=tracked.run,
            config={"spec": tracked.spec, "variant": tracked.variant},
            embed=False,
            auto_log_cpu=False,
            auto_log_gpu=False,
        )

    def log(self, axis: Axis, place: int, numbers: Mapping[str, float], seconds: float) -> None:
        """Log them."""
        group = next(iter(numbers)).partition("/")[0]
        self._run.log({**numbers, f"{group}/{axis}": place})

    def close(self) -> None:
        """Finish the run."""
        self._run.finish()
