"""vLLM as the action starts, asks and ends it; its command is a stand-in that speaks the same protocol."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nodes.policy.vllm as module
from nodes.policy.open import answering
from nodes.policy.policy import Policy
from nodes.policy.rollout import Rollout
from nodes.policy.scripted import Script, scripted_policy
from nodes.policy.vllm import VllmError, gpus, vllm_servers
from nodes.questions.question import pool_rows
from tests.nodes.conftest import SmallPools
from tests.waiting import is_gone

FAKE = Path(__file__).with_name("fake_vllm.py")


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    command = tmp_path / "bin" / "vllm"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{FAKE}" "$@"\n')
    command.chmod(0o755)
    (tmp_path / "notes").mkdir()
    monkeypatch.setenv("PATH", f"{command.parent}:/usr/bin:/bin")
    monkeypatch.setenv("FAKE_VLLM", str(tmp_path / "notes"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    return tmp_path / "notes"


def _told(notes: Path) -> list[dict[str, Any]]:
    found = [json.loads(path.read_text()) for path in sorted(notes.glob("told-*.json"))]
    return sorted(found, key=lambda told: str(told["gpu"]))


def _alive(notes: Path) -> list[int]:
    pids = [pid for told in _told(notes) for pid in told["pids"]]
    assert pids
    return [pid for pid in pids if not is_gone(pid)]


def test_it_is_started_asked_and_ended(notes: Path, small_policy: Policy, small_pools: SmallPools) -> None:
    rows = pool_rows(small_pools.test)[:5]
    rollout = Rollout(max_tokens=4, temperature=0.7)
    with answering(small_policy, rollout, batch=2, backend="vllm", seed=3) as answerer:
        assert len(_alive(notes)) == 2
        # In the action's own group: whoever kills the action kills them.
        assert {os.getpgid(pid) for pid in _alive(notes)} == {os.getpgid(0)}
        draws = answerer.draw(rows, small_pools.test, 3, seed=1)
        best = answerer.best(rows, None)
    assert _alive(notes) == []
    told = _told(notes)[0]
    assert told["verb"] == "serve" and told["host"] == "127.0.0.1" and told["dtype"] == "float32"
    assert told["limit_mm_per_prompt"] == '{"image": 1}' and told["generation_config"] == "vllm"
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(told["files"])
    # Three words and no more were said: log-probabilities of -0.5, -1 and -1.5 a token by sample, at temperature 0.7.
    drawn = draws.drawn
    assert [[text.split()[1:] for text in own] for own in drawn.texts] == [
        [["pictures1", str(k)] for k in range(3)] for _ in rows
    ]
    assert drawn.n_tokens.tolist() == [[3, 3, 3]] * 5 and not drawn.truncated.any()
    assert drawn.logprobs.tolist() == ([-0.5] * 3 + [-1.0] * 3 + [-1.5] * 3) * 5
    assert np.isnan(drawn.answer_logprobs).all() and draws.n_answer == [1] * 5
    assert len(drawn.option_logprobs) == sum(len(row.options) for row in rows)
    assert [text.split()[1] for text in best.texts] == ["pictures0"] * 5 and np.isnan(best.p_answer).all()
    assert len({own[0] for own in drawn.texts}) == 5  # a question's draws come from its own seed


def test_a_text_of_the_most_tokens_is_cut(notes: Path, small_policy: Policy, small_pools: SmallPools) -> None:
    rows = pool_rows(small_pools.test)[:1]
    for most, is_cut in ((2, True), (1, False)):  # with one token no end is awaited
        with answering(small_policy, Rollout(max_tokens=most), batch=2, backend="vllm") as answerer:
            drawn = answerer.draw(rows, small_pools.test, 2, seed=1).drawn
        assert drawn.truncated.tolist() == [[is_cut, is_cut]] and drawn.n_tokens.tolist() == [[most, most]]


def test_each_gpu_has_a_replica_and_questions_are_spread(
    notes: Path, small_policy: Policy, small_pools: SmallPools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0, GPU-5fd")
    rows = pool_rows(small_pools.test)[:6]
    with answering(small_policy, Rollout(), batch=6, backend="vllm") as answerer:
        answerer.draw(rows, small_pools.test, 2, seed=1)
    told = _told(notes)
    assert [each["gpu"] for each in told] == ["0", "GPU-5fd"] and told[0]["folder"] == told[1]["folder"]
    assert [len(path.read_text().splitlines()) for path in sorted(notes.glob("asked-*"))] == [3, 3]
    assert _alive(notes) == []


def test_it_is_ended_when_the_body_raises(notes: Path, small_policy: Policy) -> None:
    with pytest.raises(KeyError, match="mine"), vllm_servers(small_policy, Rollout()):
        assert len(_alive(notes)) == 2
        raise KeyError("mine")
    assert _alive(notes) == []


def test_one_that_heeds_no_term_is_killed(notes: Path, small_policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRACE_S", 0.5)
    (notes / "mode").write_text("stubborn")
    began = time.monotonic()
    with vllm_servers(small_policy, Rollout()):
        began = time.monotonic()
    assert _alive(notes) == [] and 0.4 < time.monotonic() - began < 5


def test_one_that_dies_at_its_start_tells_its_last_lines(notes: Path, small_policy: Policy) -> None:
    (notes / "mode").write_text("dies")
    said = r"status 3 before it was ready: .*no kernel image"
    with pytest.raises(VllmError, match=said) as caught, vllm_servers(small_policy, Rollout()):
        raise AssertionError
    assert "\n" not in str(caught.value) and _alive(notes) == []


def test_what_one_that_crashed_had_started_is_ended(notes: Path, small_policy: Policy) -> None:
    (notes / "mode").write_text("crashes")
    with vllm_servers(small_policy, Rollout()):
        replica, helper = _told(notes)[0]["pids"]
        while replica in _alive(notes):
            time.sleep(0.05)
        assert _alive(notes) == [helper]
    assert len(_told(notes)[0]["pids"]) == 2 and _alive(notes) == []


def test_a_key_of_vllm_in_the_environment_is_not_asked_for(
    notes: Path, small_policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_API_KEY", "secret")
    with vllm_servers(small_policy, Rollout()):
        assert _told(notes)[0]["key"] is None


def test_one_that_is_never_ready_is_ended(notes: Path, small_policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READY_S", 3.0)
    (notes / "mode").write_text("never")
    with pytest.raises(VllmError, match="not ready in 3 s: it said nothing"), vllm_servers(small_policy, Rollout()):
        raise AssertionError
    assert _alive(notes) == []


def test_a_missing_command_says_what_to_do(small_policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    said = r"no `vllm` command on PATH; pip install 'dataflow-spatial\[vllm\]'"
    with pytest.raises(VllmError, match=said), vllm_servers(small_policy, Rollout()):
        raise AssertionError


def test_a_prompt_over_its_context_is_dropped(notes: Path, small_policy: Policy, small_pools: SmallPools) -> None:
    (notes / "mode").write_text("short")
    rows = pool_rows(small_pools.test)[:2]
    with answering(small_policy, Rollout(), batch=2, backend="vllm") as answerer:
        draws, best = answerer.draw(rows, small_pools.test, 2, seed=1), answerer.best(rows, None)
    assert draws.drawn.texts == [] and list(draws.dropped) == [row.id for row in rows]
    assert all(why.startswith("context: ") and "maximum context length" in why for why in draws.dropped.values())
    assert best.texts == ["", ""]


def test_the_folder_is_exported_once_and_draws_resume(
    notes: Path, small_policy: Policy, small_pools: SmallPools, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    rows = pool_rows(small_pools.test)[:4]
    for asked in (4, 4):  # the second time all chunks are there: nothing more is asked
        with answering(small_policy, Rollout(), batch=2, backend="vllm", scratch=scratch) as answerer:
            written = (scratch / "policy" / "model.safetensors").stat().st_mtime_ns
            answerer.draw(rows, small_pools.test, 2, seed=1, scratch=scratch)
        assert sum(len(path.read_text().splitlines()) for path in notes.glob("asked-*")) == asked
    assert (scratch / "policy" / "model.safetensors").stat().st_mtime_ns == written
    assert {told["folder"] for told in _told(notes)} == {str(scratch / "policy")}


def test_gpus_are_those_that_may_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    for given, expected in (("2,3", ["2", "3"]), ("", [""]), ("MIG-a", ["MIG-a"])):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
        assert gpus() == expected


def test_a_script_needs_no_vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with answering(scripted_policy({}), Rollout(), batch=1, backend="vllm") as answerer:
        assert isinstance(answerer, Script)
