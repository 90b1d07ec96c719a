"""TensorBoard: event files in `<folder>/<experiment>/<run>`, with a folder a variant in it."""

from __future__ import annotations

from collections.abc import Mapping

from nodes.report.trackers.tracked import Axis, Tracked


class TensorBoard:
    """Writes scalars; TensorBoard's step is the step, or the round."""

    needs = "tensorboard"

    def __init__(self, tracked: Tracked) -> None:
        from tensorboard.summary import Writer

        folder = tracked.folder / tracked.experiment / tracked.run / tracked.variant.replace("/", "_")
        folder.mkdir(parents=True, exist_ok=True)
        self._writer = Writer(str(folder))

    def log(self, axis: Axis, place: int, numbers: Mapping[str, float], seconds: float) -> None:
        """Write them."""
        for name, value in numbers.items():
            self._writer.add_scalar(name, value, place, wall_time=seconds)
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()
