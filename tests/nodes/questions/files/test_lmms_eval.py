"""The task folder for lmms-eval: read as lmms-eval reads it, and scored as we score."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import datasets
import numpy as np
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from nodes.policy.rollout import Pictures, prompt_messages
from nodes.questions.files import lmms_eval_task
from nodes.questions.files.lmms_eval import TASK, write_lmms_eval
from nodes.questions.question import Questions, pool_rows
from nodes.rewards.accuracy import accuracy_of
from tests.nodes.conftest import SmallPools


@pytest.fixture(scope="module")
def task(small_pools: SmallPools, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], ModuleType]:
    """The task as lmms-eval has it: `!function` is an attribute of the module beside, from a folder that was moved."""
    written = tmp_path_factory.mktemp("written")
    write_lmms_eval({key: small_pools.test[key] for key in small_pools.test}, written)
    folder = tmp_path_factory.mktemp("moved") / "task"
    shutil.move(written, folder)
    modules: dict[str, ModuleType] = {}

    class Loader(yaml.SafeLoader):
        pass

    def function(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Any:
        name, _, attribute = str(loader.construct_scalar(node)).partition(".")
        if name not in modules:
            spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
            assert spec is not None and spec.loader is not None
            modules[name] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(modules[name])
        return getattr(modules[name], attribute)

    Loader.add_constructor("!function", function)
    config = yaml.load((folder / f"{TASK}.yaml").read_text(), Loader)
    return config, next(iter(modules.values()))


def test_questions_are_put_as_we_put_them(task: tuple[dict[str, Any], ModuleType], small_pools: SmallPools) -> None:
    config, _ = task
    assert config["task"] == TASK and config["dataset_kwargs"] == {"load_from_disk": True}
    docs = datasets.load_from_disk(config["dataset_path"])[config["test_split"]]
    rows = pool_rows(small_pools.test)
    assert docs["id"] == [row.id for row in rows] and docs["terms"] == [row.terms for row in rows]
    pictures = Pictures(small_pools.test)
    for doc, row in zip(docs, rows, strict=True):
        ((ours,),) = ([turn["content"] for turn in prompt_messages(row, pictures.of(row))],)
        ((theirs,),) = ([turn["content"] for turn in config["doc_to_messages"](doc)],)
        assert [part["type"] for part in theirs] == [part["type"] for part in ours]
        assert theirs[-1]["text"] == ours[-1]["text"] == config["doc_to_text"](doc)
        shown = [part["url"] for part in theirs[:-1]]
        assert all(np.array_equal(a, b["image"]) for a, b in zip(shown, ours[:-1], strict=True))
        assert all(np.array_equal(a, b) for a, b in zip(shown, config["doc_to_visual"](doc), strict=True))


def test_metrics_are_accuracy_over_all_and_by_task(
    task: tuple[dict[str, Any], ModuleType], small_pools: SmallPools
) -> None:
    config, _ = task
    docs = datasets.load_from_disk(config["dataset_path"])["test"]
    told: dict[str, list[float]] = {}
    for number, doc in enumerate(docs):
        for name, value in config["process_results"](doc, [doc["answer"] if number % 3 else "?"]).items():
            told.setdefault(name, []).append(value)
    metrics = {one["metric"]: one["aggregation"] for one in config["metric_list"]}
    assert (
        metrics.keys() == told.keys() == {"accuracy", *(f"accuracy_{row.task}" for row in pool_rows(small_pools.test))}
    )
    assert metrics["accuracy"](told["accuracy"]) == sum(n % 3 > 0 for n in range(len(docs))) / len(docs)


NUMBERS = st.floats(-1e4, 1e4).map(lambda value: f"{value:.1f}")


@given(
    said=st.one_of(
        st.text(max_size=20), NUMBERS, NUMBERS.map(lambda text: f"<think>5</think> <answer> {text}. </answer>")
    ),
    answer=NUMBERS,
)
@example(said="2.4", answer="3")
@example(said="0", answer="0.0")
@example(said="１", answer="1")
@example(said="9" * 400, answer="1")
@example(said="<answer>2</answer> or 3</answer>", answer="2")
def test_answers_are_worth_what_they_are_to_us(said: str, answer: str) -> None:
    question = _question(answer)
    assert lmms_eval_task.accuracy(said, answer, "number") == accuracy_of(said, question)
    for told in (said, answer, f"{answer}."):
        assert lmms_eval_task.accuracy(told, answer, "choice") == accuracy_of(told, replace(question, kind="choice"))


def _question(answer: str) -> Any:
    from nodes.questions.question import Question

    text = dict.fromkeys(("id", "scene", "place", "split", "frames_digest", "task", "template", "prompt"), "")
    rest = {"frames": (), "options": (), "unit": "", "program": "", "margin": 0.0, "chance": 0.0, "terms": ""}
    return Question(**text, **rest, answer=answer, kind="number", features={})


def test_what_cannot_be_shown_is_told(small_pools: SmallPools, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="0 questions, expected at least 1"):
        write_lmms_eval({}, tmp_path)
    row = pool_rows(small_pools.test)[0]
    gone = Questions([replace(row, frames_digest="0" * 64)])
    with pytest.raises(ValueError, match=f"question '{row.id}': its 1 frames are not all there"):
        write_lmms_eval({"": gone}, tmp_path)
