"""Updates in two processes, on the CPU by gloo: what one process gives where nothing is drawn, twice the same where
something is; what breaks in one of them ends both, and is told in a line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from graph.node import Named
from nodes.policy.policy import Policy
from nodes.policy.rollout import Rollout
from nodes.update.grpo import Grpo, grpo
from nodes.update.launch import _write_code
from nodes.update.sft import Sft, sft
from nodes.update.update import Update
from tests.nodes.conftest import SmallPools

SFT = Sft(steps=10, batch=8, carry=True)
GRPO = Grpo(steps=2, prompts=8, group=4)


@pytest.fixture(scope="module")
def start(small_pools: SmallPools, small_policy: Policy) -> Policy:
    return small_pools.store.open(small_pools.store.put(small_policy), Policy)


@pytest.fixture(scope="module")
def warmed(small_pools: SmallPools, start: Policy) -> Policy:
    update = sft(start, small_pools.train, params=Sft(steps=80, batch=8), seed=1)
    return small_pools.store.open(small_pools.store.put(update), Update).weights


def test_two_processes_tune_as_one_does(small_pools: SmallPools, start: Policy) -> None:
    seen: list[tuple[int, int]] = []

    def progress(done: int, total: int, **numbers: float) -> None:
        seen.append((done, total))
        assert numbers.keys() == (
            {"loss", "mean_token_accuracy"} if done else {"million_tokens", "memory_gb", "stored_gb"}
        )

    two = msgspec.structs.replace(SFT, processes=2)
    shared = sft(start, small_pools.train, params=two, seed=5, progress=progress)
    alone = sft(start, small_pools.train, params=SFT, seed=5)
    assert seen[-1] == (10, 10)
    loss = shared.log.metrics["loss"]
    assert loss[-1] < 0.75 * loss[0]
    # A step's conversations are the same ones, and their sum is rounded otherwise.
    assert np.allclose(loss, alone.log.metrics["loss"], atol=1e-4)
    ours, theirs = shared.weights.tensors(), alone.weights.tensors()
    assert ours.keys() == theirs.keys() and all(np.allclose(ours[name], theirs[name], atol=1e-3) for name in ours)
    assert shared.weights.trained_places == alone.weights.trained_places
    assert shared.trainer.steps == 10 and shared.trainer.tensors().keys() == alone.trainer.tensors().keys()
    # It went on from there in the store: nothing is written again.
    assert small_pools.store.put(shared) == shared.digest


def test_two_processes_draw_and_learn_the_same_twice(small_pools: SmallPools, warmed: Policy) -> None:
    two = msgspec.structs.replace(GRPO, processes=2)
    first = grpo(warmed, small_pools.train, params=two, seed=5)
    assert first.log.metrics["reward"].max() > 0
    before, after = warmed.tensors(), first.weights.tensors()
    assert any((after[name] != before[name]).any() for name in before)
    assert grpo(warmed, small_pools.train, params=two, seed=5).digest == first.digest


def test_what_one_process_fails_of_is_told(small_pools: SmallPools, warmed: Policy) -> None:
    bad = Named("nan", "tests.nodes.update.bad_rewards:nan_in_second")
    params = msgspec.structs.replace(GRPO, processes=2, rewards=(bad,))
    with pytest.raises(ValueError, match=r"^reward 'nan': nan for question .*\(process 2 of 2\)$"):
        grpo(warmed, small_pools.train, params=params, seed=5)


def test_when_one_process_dies_all_end(small_pools: SmallPools, warmed: Policy) -> None:
    bad = Named("kills", "tests.nodes.update.bad_rewards:kills_second")
    params = msgspec.structs.replace(GRPO, processes=2, rewards=(bad,))
    with pytest.raises(ValueError, match=r"^process 2 of 2 was ended by SIGKILL$"):
        grpo(warmed, small_pools.train, params=params, seed=5)
    left = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert not [line for line in left.splitlines() if "nodes.update.launched" in line and "dataflow-" in line]


def test_fewer_gpus_than_processes_are_said(
    small_pools: SmallPools, warmed: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    params = msgspec.structs.replace(GRPO, processes=4, rollout=Rollout(device="auto"))
    with pytest.raises(ValueError, match="processes = 4: this machine has 3 GPUs, expected one for each"):
        grpo(warmed, small_pools.train, params=params, seed=5)


def test_what_cannot_be_shared_is_refused(small_pools: SmallPools, start: Policy, small_policy: Policy) -> None:
    two = msgspec.structs.replace(SFT, processes=2)
    with pytest.raises(ValueError, match="input policy is in memory: several processes need one"):
        sft(small_policy, small_pools.train, params=two, seed=5)
    with pytest.raises(ValueError, match="processes = 3: need a divisor of batch = 16"):
        Sft(processes=3)
    with pytest.raises(ValueError, match="processes = 3: need a divisor of prompts = 8"):
        Grpo(prompts=8, group=4, processes=3)


def test_processes_import_the_texts_that_this_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from graph.importer import Importer
    from graph.source import Project, Source

    files, code = tmp_path / "files", tmp_path / "code"
    for name in ("mine/__init__", "mine/unread", "mine/deep/late", "mine/deep/__init__", "mine/deep/unread"):
        path = files / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("A = 'file'")
    project = Project()
    for module, is_package in (("mine", True), ("mine.deep.late", False)):
        project.sources[module] = Source(module, module, f"/gone/{module}.py", b"A = 'read'", "", is_package)
    with monkeypatch.context() as changed:
        changed.setattr("sys.meta_path", [Importer(project)])
        _write_code(code)

    asked = "import mine, mine.unread, mine.deep.late, mine.deep.unread as deep; "
    asked += "print(mine.A, mine.unread.A, mine.deep.late.A, deep.A)"
    env = {"PYTHONPATH": f"{code}:{files}"}
    told = subprocess.run([sys.executable, "-c", asked], env=env, capture_output=True, text=True, check=True).stdout
    assert told.split() == ["read", "file", "read", "file"]
