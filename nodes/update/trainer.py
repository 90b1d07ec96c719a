"""What both trainers need: a quiet, seeded, offline TRL trainer that writes nothing and leaks nothing."""

from __future__ import annotations

import random
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nodes.update.update import Log, log_from

if TYPE_CHECKING:
    from graph.node import Progress


@contextmanager
def trainer_room(seed: int) -> Iterator[str]:
    """Give a folder for the trainer, seed all generators, and put everything back afterwards.

    Two updates after each other in one process then give the bits that two processes give.
    """
    import numpy as np
    import torch
    from huggingface_hub import constants

    # trl reports its use to a server; the environment variable against it is read at import only.
    constants.HF_HUB_DISABLE_TELEMETRY = True

    kept_numpy, kept_random = np.random.get_state(), random.getstate()
    with torch.random.fork_rng(devices=[]), tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # trl 1.16 sets names that transformers 5.23 renamed
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed % 2**63)
        try:
            yield folder
        finally:
            np.random.set_state(kept_numpy)
            random.setstate(kept_random)


def common_settings(folder: str, seed: int, steps: int, learning_rate: float, schedule: str) -> dict[str, Any]:
    """Return the settings that every TRL config of ours has: CPU, float32, nothing saved, nothing reported."""
    return {
        "output_dir": folder,
        "seed": seed % 2**31,
        "max_steps": steps,
        "learning_rate": learning_rate,
        "lr_scheduler_type": schedule,
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "save_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
        "logging_steps": 1,
        "remove_unused_columns": False,
        "dataloader_num_workers": 0,
    }


def lazy_dataset(length: int, row: Callable[[int], dict[str, Any]]) -> Any:
    """Return a dataset whose rows are made when asked for: Arrow would turn every picture into PNG and back."""
    from datasets import Dataset

    def rows(batch: dict[str, list[int]]) -> dict[str, list[Any]]:
        made = [row(index) for index in batch["index"]]
        return {name: [one[name] for one in made] for name in made[0]}

    dataset = Dataset.from_dict({"index": list(range(length))})
    dataset.set_transform(rows)
    return dataset


def run_trainer(trainer: Any, steps: int, progress: Progress | None, shown: Sequence[str]) -> Log:
    """Train to the end and return the log; reports the metrics named in `shown` as it goes."""
    from transformers import PrinterCallback, TrainerCallback

    class Report(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            numbers = {name: float(logs[name]) for name in shown if isinstance((logs or {}).get(name), int | float)}
            if progress is not None and numbers:
                progress(state.global_step, steps, **numbers)

    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Report())
    trainer.train()
    return log_from(trainer.state.log_history, steps)
