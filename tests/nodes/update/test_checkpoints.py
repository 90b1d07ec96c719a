"""Checkpoints: a killed update goes on where it was, bit for bit, and no checkpoint changes a result."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from graph.node import Named
from nodes.policy.policy import Policy
from nodes.policy.rollout import Rollout
from nodes.questions.question import Questions, pool_rows
from nodes.update import checkpoints
from nodes.update.checkpoints import Checkpoints, is_whole
from nodes.update.grpo import Grpo, grpo
from nodes.update.sft import Sft, sft
from nodes.update.update import Update
from store.collection import Collection
from tests.nodes.conftest import SmallPools

ROOT = Path(__file__).parents[3]
WORDY = Named("wordy", "tests.nodes.update.rewards_that_look:wordy")
BODIES = {
    "sft": (sft, Sft(steps=6, batch=2, turns=4, carry=True)),
    "grpo": (grpo, Grpo(steps=6, prompts=4, group=3, rewards=(WORDY,), carry=True)),
}
KILLED = """
import os, signal, sys
from pathlib import Path
from nodes.policy.policy import Policy
from nodes.questions.question import Questions
from nodes.update import checkpoints
from store.collection import Collection
from store.open import open_store
from tests.nodes.update.test_checkpoints import BODIES
store, (body, params) = open_store(sys.argv[1]), BODIES[sys.argv[4]]
policy, questions = store.open(sys.argv[2], Policy), store.open(sys.argv[3], Collection[Questions])
def progress(done, total, **_):
    checkpoints.EVERY_S = 0 if done == 2 else 1e9  # one checkpoint, after step 3
    if done == 4:
        os.kill(os.getpid(), signal.SIGKILL)
body(policy, questions, params=params, seed=5, progress=progress, scratch=Path(sys.argv[5]))
"""


def _stored(small_pools: SmallPools, update: Update) -> list[str]:
    return [small_pools.store.put(part) for part in (update.weights, update.trainer, update.log)]


@pytest.mark.parametrize("name", ["sft", "grpo"])
def test_a_killed_update_goes_on_bit_for_bit(
    name: str, small_pools: SmallPools, small_policy: Policy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, questions = small_pools.store, small_pools.train
    policy = store.open(store.put(small_policy), Policy)
    where = (str(store.objects.root), policy.digest, questions.digest, name, str(tmp_path))  # type: ignore[attr-defined]
    died = subprocess.run([sys.executable, "-c", KILLED, *where], cwd=ROOT, capture_output=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    assert [place.name for place in tmp_path.iterdir()] == ["step-3"]
    body, params = BODIES[name]
    again = body(policy, questions, params=params, seed=5, scratch=tmp_path)  # type: ignore[operator]
    assert "goes on from the checkpoint at step-3" in capsys.readouterr().out
    undisturbed = body(policy, questions, params=params, seed=5)  # type: ignore[operator]
    assert _stored(small_pools, again) == _stored(small_pools, undisturbed)


@pytest.mark.parametrize("name", ["sft", "grpo"])
def test_checkpoints_after_every_step_change_nothing(
    name: str, small_pools: SmallPools, small_policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, params = BODIES[name]
    params = msgspec.structs.replace(params, steps=3)
    undisturbed = body(small_policy, small_pools.train, params=params, seed=5)  # type: ignore[operator]
    monkeypatch.setattr(checkpoints, "EVERY_S", 0.0)
    monkeypatch.setattr(checkpoints, "SHARE", 1e9)
    often = body(small_policy, small_pools.train, params=params, seed=5, scratch=tmp_path)  # type: ignore[operator]
    assert [place.name for place in tmp_path.iterdir()] == ["step-2"]  # the last step needs none
    assert _stored(small_pools, often) == _stored(small_pools, undisturbed)


def test_rollouts_that_serve_several_steps_are_never_cut(
    small_pools: SmallPools, small_policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "EVERY_S", 0.0)
    monkeypatch.setattr(checkpoints, "SHARE", 1e9)
    params = Grpo(steps=4, prompts=4, group=3, trl={"num_iterations": 2})
    grpo(small_policy, small_pools.train, params=params, seed=5, scratch=tmp_path)
    assert [place.name for place in tmp_path.iterdir()] == ["step-2"]


def test_a_torn_checkpoint_is_left_aside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for step, content in (("step-2", "whole"), ("step-10", "torn")):
        (tmp_path / step).mkdir()
        (tmp_path / step / "weights").write_text("whole")
        (tmp_path / step / "empty").write_text("")
        digests = {name: checkpoints._digest_file(tmp_path / step / name) for name in ("weights", "empty")}
        (tmp_path / step / "whole").write_text(json.dumps(digests))
        (tmp_path / step / "weights").write_text(content)
    (tmp_path / "writing").mkdir()
    assert Checkpoints(tmp_path).latest() == str(tmp_path / "step-2")
    assert "step-10 is torn" in capsys.readouterr().out
    assert [place.name for place in tmp_path.iterdir()] == ["step-2"]
    (tmp_path / "step-2" / "whole").write_text("{")
    assert not is_whole(tmp_path / "step-2") and Checkpoints(tmp_path).latest() is None


def test_a_full_disk_costs_the_checkpoint_alone(
    small_pools: SmallPools,
    small_policy: Policy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import resource

    params = Sft(steps=3, batch=2, turns=4)
    undisturbed = sft(small_policy, small_pools.train, params=params, seed=5)
    monkeypatch.setattr(checkpoints, "EVERY_S", 0.0)
    kept = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, kept[1]))  # no file may grow larger: what a full disk does
    try:
        full = sft(small_policy, small_pools.train, params=params, seed=5, scratch=tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, kept)
        signal.signal(signal.SIGXFSZ, ignored)
    assert "no checkpoint at step 1, and the update goes on" in capsys.readouterr().out
    assert not os.listdir(tmp_path)
    assert _stored(small_pools, full) == _stored(small_pools, undisturbed)
    assert np.isfinite(full.log.metrics["loss"]).all()


class Killed(Exception):
    """Raised in the middle of an update, by what is told of its progress."""


def test_grpo_goes_on_in_a_later_round_through_its_questions(
    small_pools: SmallPools, small_policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Eight questions, four a step: step 3 is in the second round, whose order differs; companions go by the step.
    rows = [msgspec.structs.replace(row, frames=(0, 1, 2)) for row in pool_rows(small_pools.train)[:8]]
    frames = small_pools.train[rows[0].scene].frames(rows[0].frames_digest)
    pool = Collection(Questions, {rows[0].scene: Questions(rows, frames)})
    rewards = (WORDY, Named("said", "tests.nodes.update.rewards_that_look:companions_said"))
    params = Grpo(Rollout(frames=3, max_tokens=2), rewards=rewards, steps=6, prompts=4, group=3, carry=True)

    def progress(done: int, total: int, **_: float) -> None:
        monkeypatch.setattr(checkpoints, "EVERY_S", 0.0 if done == 2 else 1e9)
        if done == 4:
            raise Killed

    with pytest.raises(Killed):
        grpo(small_policy, pool, params=params, seed=5, progress=progress, scratch=tmp_path)
    assert [place.name for place in tmp_path.iterdir()] == ["step-3"]
    again = grpo(small_policy, pool, params=params, seed=5, scratch=tmp_path)
    assert _stored(small_pools, again) == _stored(small_pools, grpo(small_policy, pool, params=params, seed=5))
