"""Checkpoints of an update in its scratch folder, so that a killed one goes on where it was.

    step-40/         what transformers writes: weights, optimiser, schedule, random generators, the log so far
    step-40/whole    the digest of every file in it; written last, in `writing/`, which is then renamed

They are written by the clock, so that updates of seconds write none; whether and when changes no result. One that is
torn, or that no disk had room for, costs time alone.
"""

from __future__ import annotations

import json
import mmap
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from store.digest import digest

EVERY_S = 60.0
SHARE = 0.05  # of the time, at most, goes into writing them
WRITING, WHOLE = "writing", "whole"


class Checkpoints:
    """The checkpoints of one update; without a folder there are none."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._began, self._cost_s = time.monotonic(), 0.0

    def latest(self) -> str | None:
        """Return the folder of the last whole checkpoint; deletes what is torn, and says so."""
        if self.folder is None:
            return None
        shutil.rmtree(self.folder / WRITING, ignore_errors=True)
        found = sorted(self.folder.glob("step-*"), key=lambda place: int(place.name.removeprefix("step-")))
        for place in reversed(found):
            if is_whole(place):
                print(f"goes on from the checkpoint at {place.name}")
                return str(place)
            print(f"the checkpoint at {place.name} is torn and left aside")
            shutil.rmtree(place, ignore_errors=True)
        return None

    def attach(self, trainer: Any) -> None:
        """Have a transformers trainer write its checkpoints here."""
        if self.folder is None:
            return
        from transformers import TrainerCallback

        checkpoints = self

        class Clock(TrainerCallback):
            def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                if state.global_step < state.max_steps and checkpoints.is_time(trainer):
                    control.should_save = True

        trainer.add_callback(Clock())
        trainer._save_checkpoint = self._whole(trainer, trainer._save_checkpoint)

    def is_time(self, trainer: Any) -> bool:
        """Tell whether to write one now, between two steps: for all processes alike."""
        # TRL holds rollouts for several steps, which no checkpoint has.
        held = getattr(trainer, "num_iterations", 1) * (getattr(trainer.args, "steps_per_generation", None) or 1)
        if getattr(trainer, "_step", 0) % held:
            return False
        due = [time.monotonic() - self._began >= max(EVERY_S, self._cost_s / SHARE)]
        if trainer.accelerator.num_processes > 1:
            from accelerate.utils import broadcast_object_list

            broadcast_object_list(due)
        return due[0]

    def _whole(self, trainer: Any, save: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
        """Return what saves as `save` does, but whole or not at all, into our folder."""
        assert self.folder is not None
        folder, main = self.folder, trainer.accelerator.is_main_process

        def save_whole(model: Any, trial: Any) -> None:
            started, kept = time.monotonic(), trainer.args.output_dir
            trainer.args.output_dir = str(folder / WRITING)
            try:
                save(model, trial)
                trainer.accelerator.wait_for_everyone()
                if main:
                    _finish(folder, trainer.state.global_step)
            except Exception as error:  # a full disk is an OSError here, a RuntimeError there
                step, what = trainer.state.global_step, f"{type(error).__name__}: {error}"
                print(f"no checkpoint at step {step}, and the update goes on: {what.splitlines()[0]}")
                shutil.rmtree(folder / WRITING, ignore_errors=True)
            finally:
                trainer.args.output_dir = kept
            self._began = time.monotonic()
            self._cost_s = self._began - started

        return save_whole


def _finish(folder: Path, step: int) -> None:
    """Name what was written, and delete what went before."""
    (written,) = (folder / WRITING).glob("checkpoint-*")
    files = [path for path in sorted(written.rglob("*")) if path.is_file()]  # a second adapter has a folder of its own
    digests = {str(path.relative_to(written)): _digest_file(path) for path in files}
    (written / WHOLE).write_text(json.dumps(digests))
    new = folder / f"step-{step}"
    shutil.rmtree(new, ignore_errors=True)
    written.replace(new)
    for old in folder.glob("step-*"):
        if old != new:
            shutil.rmtree(old, ignore_errors=True)
    shutil.rmtree(folder / WRITING, ignore_errors=True)


def is_whole(place: Path) -> bool:
    """Tell whether a checkpoint has every byte that was written."""
    try:
        digests = json.loads((place / WHOLE).read_bytes())
        return bool(digests) and all(_digest_file(place / name) == known for name, known in digests.items())
    except (OSError, ValueError, AttributeError):
        return False


def _digest_file(path: Path) -> str:
    if not path.stat().st_size:  # which nothing can map
        return digest(b"")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return digest(memoryview(data))
