"""update.command: a real program trains, and what it says or writes wrong is one line."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from graph.node import External
from nodes.policy.policy import Policy
from nodes.policy.scripted import scripted_policy
from nodes.questions.question import Questions, pool_rows
from nodes.update.command import Command, command
from nodes.update.log_file import read_log
from nodes.update.update import Update
from store.collection import Collection
from tests.nodes.conftest import SmallPools

SCRIPT = Path(__file__).parent / "trained_elsewhere.py"
PLACES = ("{files}", "{policy}", "{questions}", "{rewards}", "{rollout}", "{output}", "{scratch}", "{seed}")


def params(how: str, *places: str) -> Command:
    return Command((sys.executable, *(places or PLACES), how), files=External(SCRIPT))


def test_a_program_trains_a_policy(
    small_pools: SmallPools, small_policy: Policy, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    update = command(small_policy, small_pools.train, params=params("trains"), seed=2**40 + 5, scratch=tmp_path)
    before = small_policy.tensors()
    after = update.weights.tensors()
    assert before.keys() == after.keys()
    assert all(np.allclose(after[name], values + 0.5, atol=1e-6) for name, values in before.items())
    rows = pool_rows(small_pools.train)
    assert update.weights.trained_places == tuple(small_pools.train)
    assert update.weights.family == small_policy.family
    assert update.weights.files().keys() == small_policy.files().keys()
    log = update.log.metrics
    assert sorted(log) == ["loss", "pictures", "questions", "seed"]
    assert log["loss"][[0, 2]].tolist() == [2.5, 1.5] and np.isnan(log["loss"][1])
    assert log["pictures"][0] == sum(len(row.frames) for row in rows) and log["questions"][2] == len(rows)
    assert log["seed"][2] == (2**40 + 5) % 2**31 == 5
    assert (update.trainer.steps, update.trainer.tensors()) == (0, {})
    out, err = capfd.readouterr()
    assert "'name': 'accuracy', 'target': 'nodes.rewards.accuracy:accuracy'" in out and "direct" in out
    assert "'PATH'" in out and "WANDB" not in out
    assert "log.jsonl: passed over 1 of 3 lines" in err
    digest = small_pools.store.put(update)
    assert small_pools.store.open(digest, Update).weights.trained_places == tuple(small_pools.train)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("fails", r"ended with status 3: reading the data \| CUDA out of memory \| Tried to allocate 9 GiB$"),
        ("nothing", r"the command ended well and wrote no folder \{output\}$"),
        ("no model", r"policy folder \{output\}: no tokenizer"),
        ("nan", r"policy folder \{output\}: tensor \S+ holds NaN or infinity"),
        ("pickle", r"no \*.safetensors \(pytorch_model.bin is a pickle, which is not read\)"),
    ],
)
def test_what_goes_wrong_is_one_line(
    how: str, told: str, small_pools: SmallPools, small_policy: Policy, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=told) as error:
        command(small_policy, small_pools.train, params=params(how), seed=1, scratch=tmp_path)
    assert str(error.value).startswith("update.command: ") and "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_what_a_program_keeps_is_there_when_it_runs_again(
    small_pools: SmallPools, small_policy: Policy, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "files").mkdir()  # of a run that was killed
    with pytest.raises(ValueError, match="status 3"):
        command(small_policy, small_pools.train, params=params("fails"), seed=1, scratch=tmp_path)
    command(small_policy, small_pools.train, params=params("trains"), seed=1, scratch=tmp_path)
    assert "scratch ['checkpoint']" in capfd.readouterr().out


def test_a_program_that_is_not_there_is_told(small_pools: SmallPools, small_policy: Policy, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^update.command: 'verl-of-nobody' cannot be started: No such file"):
        absent = Command(("verl-of-nobody", "{output}"))
        command(small_policy, small_pools.train, params=absent, seed=1, scratch=tmp_path)


def test_without_questions_the_policy_goes_on(small_pools: SmallPools, small_policy: Policy, tmp_path, capsys) -> None:
    update = command(small_policy, Collection(Questions, {}), params=params("trains"), seed=1, scratch=tmp_path)
    assert update.weights is small_policy and "goes on as it is" in update.log.note
    assert "update.command: no questions" in capsys.readouterr().out


def test_what_has_no_weights_is_refused(small_pools: SmallPools, tmp_path) -> None:
    with pytest.raises(ValueError, match="family 'scripted' has no weights"):
        command(scripted_policy({}), small_pools.train, params=params("trains"), seed=1, scratch=tmp_path)


@pytest.mark.parametrize(
    ("given", "files", "told"),
    [
        (("verl", "{polcy}", "{output}"), None, r"\{polcy\} stands for nothing: known are \{policy\}"),
        (("verl", "{policy}"), None, r"need \{output\}"),
        (("verl", "{files}", "{output}"), None, r"need both of the param and \{files\}"),
        (("verl", "{output}"), External(SCRIPT), r"need both of the param and \{files\}"),
    ],
)
def test_a_command_that_cannot_be_filled_is_refused(given, files, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Command(given, files=files)


def test_other_braces_go_as_they_are() -> None:
    from nodes.update.command import fill

    assert fill('{"lr": 1e-6}:{seed}', {"seed": "7"}) == '{"lr": 1e-6}:7'


WAITING = """
import sys
from pathlib import Path
from nodes.policy.policy import Policy
from nodes.questions.question import Questions
from nodes.update.command import command
from store.collection import Collection
from store.open import open_store
from tests.nodes.update.test_command import params
store = open_store(sys.argv[1])
policy, questions = store.open(sys.argv[2], Policy), store.open(sys.argv[3], Collection[Questions])
command(policy, questions, params=params("waits"), seed=1, scratch=Path(sys.argv[4]))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_program_and_what_it_started_end_with_the_update(
    number: signal.Signals, small_pools: SmallPools, small_policy: Policy, tmp_path: Path
) -> None:
    where = (small_pools.store.url, small_pools.store.put(small_policy), small_pools.train.digest, tmp_path)
    body = subprocess.Popen(
        [sys.executable, "-c", WAITING, *map(str, where)],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "HOME": str(tmp_path), "TMPDIR": str(tmp_path)},
    )
    pids = tmp_path / "pids"
    try:
        _wait(lambda: pids.is_file() and len(pids.read_text().split()) == 2, 60)
        started = [int(pid) for pid in pids.read_text().split()]
        body.send_signal(number)
        body.wait(10)
        _wait(lambda: not any(map(_is_alive, started)), 8)
    finally:
        body.kill()


def _wait(is_done, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not is_done():
        assert time.monotonic() < end
        time.sleep(0.05)


def _is_alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_a_log_of_others_is_read_within_bounds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "log.jsonl"
    assert read_log(path).metrics == {}
    path.write_text(
        '{"step": 2, "a": 1, "a/b": 2, "c": true, "d": null, "e": NaN}\n{"step": 0, "a": 1}\n[1]\n{"../x": 1}'
    )
    log = read_log(path).metrics
    assert sorted(log) == ["a/b"] and np.isnan(log["a/b"][0]) and log["a/b"][1] == 2  # `a` would be a file and a folder
    assert "3 of 4 lines" in capsys.readouterr().err
    path.write_text('{"step": 1000000000, "loss": 1}')
    assert read_log(path).metrics == {}
    assert "1000000000 steps of 1 metrics" in capsys.readouterr().err
