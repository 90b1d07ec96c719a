"""Rewards that break: in one of two processes, as an update by `accelerate launch` may meet them."""

from __future__ import annotations

import math
import os
import signal

from nodes.rewards.accuracy import accuracy
from nodes.rewards.reward import Batch


def nan_in_second(batch: Batch) -> list[float]:
    return [math.nan if os.environ.get("RANK") == "1" else 1.0] * len(batch.texts)


def kills_second(batch: Batch) -> list[float]:
    if os.environ.get("RANK") == "1":
        os.kill(os.getpid(), signal.SIGKILL)
    return accuracy(batch)
