"""What both trainers need: a quiet, seeded, offline TRL trainer that writes nothing and leaks nothing."""

from __future__ import annotations

import gc
import json
import math
import random
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nodes.questions.question import QuestionPool, Questions
from nodes.update.checkpoints import Checkpoints
from nodes.update.update import Log, Trainer, Update, log_from
from store.collection import Collection

if TYPE_CHECKING:
    from graph.node import Progress
    from nodes.policy.policy import Policy
    from nodes.update.model import Settings


@contextmanager
def trainer_room(seed: int) -> Iterator[str]:
    """Give a folder for the trainer, seed all generators, and put everything back afterwards.

    Two updates after each other in one process then give the bits that two processes give.
    """
    import numpy as np
    import torch
    from huggingface_hub import constants
    from transformers.utils import logging

    # trl reports its use to a server; the environment variable against it is read at import only.
    constants.HF_HUB_DISABLE_TELEMETRY = True

    had_bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    kept_numpy, kept_random = np.random.get_state(), random.getstate()
    gc.freeze()  # transformers collects garbage as it starts, among all that was imported: a tenth of a second
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
            gc.unfreeze()
            if had_bars:
                logging.enable_progress_bar()


def common_settings(folder: str, seed: int, params: Settings) -> dict[str, Any]:
    """Return the settings that every TRL config of ours has: nothing saved, nothing reported, all steps logged."""
    import torch

    return {
        "output_dir": folder,
        "seed": seed % 2**31,
        "max_steps": params.steps,
        "learning_rate": params.learning_rate,
        "lr_scheduler_type": params.schedule,
        "use_cpu": params.rollout.device == "cpu" or not torch.cuda.is_available(),
        "bf16": params.rollout.dtype == "bfloat16",
        "save_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,  # would write down the loss before in place of one that is not finite
        "remove_unused_columns": False,
        "dataloader_num_workers": 0,
    }


def on_one_gpu(config: Any) -> Any:
    """Return a config of TRL whose process has one GPU, or none: it would take all that the process sees for its own.

    TRL then refuses to train; several GPUs are several processes (`nodes.update.launch`).
    """
    config._n_gpu = min(config.n_gpu, 1)
    return config


def opened(questions: QuestionPool) -> QuestionPool:
    """Return a pool whose scenes are opened once, and not for its rows and again for its pictures."""
    return Collection(Questions, {key: questions[key] for key in questions})


class Run(NamedTuple):
    """How a trainer is run: `kind` names it in errors, `shown` are the metrics that progress tells."""

    kind: str
    steps: int
    shown: Sequence[str]
    progress: Progress | None
    scratch: Path | None


def run_trainer(trainer: Any, run: Run, note: str = "") -> Log:
    """Train to the end, or on from where a killed update was, and return the log.

    Raises:
        ValueError: the loss or a gradient is no finite number, or a weight at the end; TRL stopped before the end.
    """
    from transformers import PrinterCallback, TrainerCallback

    class Watch(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            told = {name: value for name, value in (logs or {}).items() if isinstance(value, int | float)}
            for name in ("loss", "grad_norm"):
                if not math.isfinite(told.get(name, 0)):
                    raise diverged(run.kind, f"{name} is {told[name]}", state.global_step)
            numbers = {name: float(told[name]) for name in run.shown if name in told}
            if run.progress is not None and numbers:
                run.progress(state.global_step, run.steps, **numbers)

    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Watch())
    checkpoints = Checkpoints(run.scratch)
    checkpoints.attach(trainer)
    before = checkpoints.latest()
    if before is not None:
        _count_on(trainer, before)
    trainer.train(resume_from_checkpoint=before)
    if trainer.state.global_step < run.steps:
        raise ValueError(f"{run.kind}: ended after {trainer.state.global_step} of {run.steps} steps")
    _check_weights(trainer, run.kind)
    return log_from(trainer.state.log_history, run.steps, note)


def _check_weights(trainer: Any, kind: str) -> None:
    for name, parameter in trainer.model.named_parameters():
        if parameter.requires_grad and not bool(parameter.isfinite().all()):
            raise diverged(kind, f"weight {name} is not finite", trainer.state.global_step)


def diverged(kind: str, what: str, step: int) -> ValueError:
    """Return the error of a training that came to nothing."""
    return ValueError(f"{kind}: {what} at step {step}; the policy before it stays")


def unchanged(kind: str, policy: Policy, before: Trainer | None, carry: bool, note: str = "") -> Update:
    """Return the update of a round without questions: the policy and its optimiser go on as they are."""
    note = "; ".join(filter(None, [note, "no questions: the policy goes on as it is"]))
    print(f"{kind}: {note}")
    kept = before or Trainer(0, {})
    return Update(policy, Log({}, note), kept if carry else Trainer(kept.steps, {}))


def _count_on(trainer: Any, checkpoint: str) -> None:
    """Put into a trainer of TRL what it counts, and no checkpoint has."""
    state = json.loads((Path(checkpoint) / "trainer_state.json").read_bytes())
    # SFT: tokens seen, which the log has.
    tokens = (row["num_tokens"] for row in reversed(state["log_history"]) if "num_tokens" in row)
    trainer._total_train_tokens = next(tokens, 0)
    if hasattr(trainer, "_step"):  # GRPO: batches seen, and an order of the questions for every time through them
        trainer._step = state["global_step"] * trainer.args.gradient_accumulation_steps
        _pass_by(trainer, int(state["epoch"] + 1e-6))


def _pass_by(trainer: Any, epochs: int) -> None:
    """Have the sampler of GRPO, which draws one order after another, begin with that of a later epoch."""
    make = trainer._get_train_sampler

    def later(*given: Any) -> Any:
        sampler = make(*given)
        for _ in range(epochs):
            next(iter(sampler), None)
        return sampler

    trainer._get_train_sampler = later
