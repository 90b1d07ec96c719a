"""eval.external: a program of others measures a policy; what harnesses write is read, and nothing else is taken."""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path

import pytest

from graph.node import External
from nodes.evaluate.external import Measures, Measuring, measure
from nodes.evaluate.harnesses.measured import Measure, Said
from nodes.evaluate.harnesses.vlmevalkit import read_vlmevalkit
from nodes.policy.policy import Policy
from nodes.policy.scripted import scripted_policy
from nodes.questions.question import pool_rows
from tests.nodes.conftest import SmallPools

SCRIPT = Path(__file__).with_name("measured_elsewhere.py")


def params(how: str) -> Measuring:
    return Measuring((sys.executable, "{files}", "{policy}", "{questions}", "{output}", how), files=External(SCRIPT))


def test_a_harness_measures_a_policy(small_pools: SmallPools, small_policy: Policy, tmp_path: Path) -> None:
    made = measure(small_policy, small_pools.test, params=params("measures"), scratch=tmp_path)
    rows = pool_rows(small_pools.test)
    mean = sum(row.options[:1] == (row.answer,) for row in rows) / len(rows)
    assert made.rows[0] == Measure("dataflow_questions", "accuracy", mean, 0.0625)
    assert (made.rows[1].metric, made.rows[1].value, math.isnan(made.rows[1].error)) == (
        "accuracy strip",
        mean / 2,
        True,
    )
    assert len(made.rows) == 2  # the newest results alone, and no true for 1
    assert made.said == [Said("dataflow_questions", str(n), row.options[0]) for n, row in enumerate(rows)]
    opened = small_pools.store.open(small_pools.store.put(made), Measures)
    assert opened.summary() == {
        "harness": "lmms-eval",
        "tasks": {"dataflow_questions": {"accuracy": mean, "accuracy strip": mean / 2}},
    }


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("fails", r"ended with status 3: loading the model \| CUDA out of memory$"),
        ("nothing", r"\{output\}: holds no \*_results.json: give lmms-eval --output_path \{output\}$"),
        ("torn", r"\{output\}/policy__model/20261128_021558_results.json: no JSON: "),
    ],
)
def test_what_goes_wrong_is_one_line(
    how: str, told: str, small_pools: SmallPools, small_policy: Policy, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=told) as error:
        measure(small_policy, small_pools.test, params=params(how), scratch=tmp_path)
    assert str(error.value).startswith("eval.external: ") and "\n" not in str(error.value)


def test_what_was_measured_is_not_lost_where_it_could_not_be_read(
    small_pools: SmallPools, small_policy: Policy, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="no JSON"):
        measure(small_policy, small_pools.test, params=params("torn"), scratch=tmp_path)
    (torn,) = tmp_path.rglob("*_results.json")
    torn.write_text('{"results": {"a": {"acc,none": 0.5, "acc_stderr,none": NaN, "far,none": 1e999, "b,none": NaN}}}')
    made = measure(small_policy, small_pools.test, params=params("torn"), scratch=tmp_path)
    assert [(one.task, one.metric, one.value) for one in made.rows] == [("a", "acc", 0.5)]


def test_what_does_not_fit_is_refused(small_pools: SmallPools, small_policy: Policy, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"need both of the input `questions` and {questions} in the command"):
        measure(small_policy, None, params=params("measures"), scratch=tmp_path)
    trained = Policy(small_policy.family, small_policy.tensors(), small_policy.files(), tuple(small_pools.test))
    with pytest.raises(ValueError, match=r"eval.external: 3 places of the pool trained the policy"):
        measure(trained, small_pools.test, params=params("measures"), scratch=tmp_path)
    with pytest.raises(ValueError, match="has no weights, expected a model"):
        measure(scripted_policy({}), small_pools.test, params=params("measures"), scratch=tmp_path)
    for command, told in {
        ("lmms-eval", "{ouput}"): "{ouput} stands for nothing: known are {policy} {questions} {files} {output}",
        ("lmms-eval", "{output}"): "need {policy}, which is measured",
        ("lmms-eval", "{policy}"): "need {output}, where it writes its results",
        ("sh", "{files}", "{output}"): "need both of the param and {files}, or neither",
    }.items():
        with pytest.raises(ValueError, match=told):
            Measuring(command)


def test_tables_of_vlmevalkit_are_read(tmp_path: Path) -> None:
    model = tmp_path / "Ours"
    (model / "T20261127_Gabc").mkdir(parents=True)
    old, new = model / "T20261127_Gabc" / "Ours_MMBench_DEV_EN_acc.csv", model / "Ours_MMBench_DEV_EN_acc.csv"
    old.write_text('"split","Overall"\n"dev","0.1"\n')
    os.utime(old, (1, 1))
    new.write_text('"split","Overall","AR"\n"dev","0.625","0.5"\n"test","nan",""\n')
    (model / "Ours_POPE_score.csv").write_text("split,Overall,acc\nOverall,82.5,81\nrandom,90,91\n")
    (model / "Ours_POPE_score.json").write_text(json.dumps({"Final Score": 512, "Norm": 51.2, "by": {}}))
    (model / "Ours_gone_acc.csv").symlink_to("nowhere")
    measures, said = read_vlmevalkit(tmp_path)
    assert said == [] and all(math.isnan(one.error) for one in measures)
    assert [(one.task, one.metric, one.value) for one in measures] == [
        ("MMBench_DEV_EN_acc", "dev Overall", 0.625),
        ("MMBench_DEV_EN_acc", "dev AR", 0.5),
        ("POPE_score", "Overall Overall", 82.5),
        ("POPE_score", "Overall acc", 81.0),
        ("POPE_score", "random Overall", 90.0),
        ("POPE_score", "random acc", 91.0),
        ("POPE_score", "Final Score", 512.0),
        ("POPE_score", "Norm", 51.2),
    ]


def test_no_table_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds no \*.csv or \*_score.json with numbers"):
        read_vlmevalkit(tmp_path)
    (tmp_path / "Ours_X_acc.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"Ours_X_acc.csv: no table"):
        read_vlmevalkit(tmp_path)
