"""Marks of whole benchmarks: tables by hand, blind and chance, two policies, scorers edited after the fact."""

from __future__ import annotations

import json
import os
from collections import Counter
from math import isnan
from pathlib import Path

import pytest

from graph.node import External, Named
from graph.run import run
from graph.spec import load_spec
from nodes.evaluate.answers import Answer, Answering, Answers, answer
from nodes.evaluate.compare import Differences, compare
from nodes.evaluate.load import LoadBenchmark, load_benchmark
from nodes.evaluate.marks import Marks
from nodes.evaluate.score import LONGEST, ScoreBenchmark, score
from nodes.policy.scripted import scripted_policy
from nodes.questions.kept import Kept
from nodes.questions.question import pool_rows
from store.open import open_store
from tests.nodes.conftest import SmallPools

FOLDER = Path(os.environ.get("DATAFLOW_VSIBENCH", Path(__file__).parents[4] / "shared" / "data" / "vsibench"))
needs_vsibench = pytest.mark.skipif(
    not (FOLDER / "official_qa_scannet.json").is_file(), reason=f"no VSI-Bench questions in {FOLDER}"
)
VSIBENCH = Named("vsibench", "nodes.evaluate.benchmarks.vsibench:vsibench")


@pytest.fixture(scope="module")
def rooms() -> Kept:
    """The 2,071 questions of VSI-Bench on ScanNet rooms."""
    params = LoadBenchmark(VSIBENCH, External(FOLDER / "official_qa_scannet.json"), pictures="none")
    return load_benchmark(params=params, scratch=Path("unused"))


def said(questions: Kept, text, is_blind: bool = False) -> Answers:
    """Answer every question by a function of its place among those of its task and of the question."""
    counts: dict[str, int] = {}
    rows = []
    for row in pool_rows(questions.questions):
        place = counts[row.task] = counts.get(row.task, -1) + 1
        rows.append(Answer(row.id, text(place, row), 0.5))
    return Answers(rows, is_blind)


def scored(questions: Kept, answers: Answers, blind: Answers | None = None) -> Marks:
    return score(answers, questions, blind, params=ScoreBenchmark(VSIBENCH))


def officially(marks: Marks) -> dict[str, float]:
    return {line.name: line.official for line in marks.lines}


@needs_vsibench
def test_always_a(rooms) -> None:
    marks = scored(rooms, said(rooms, lambda place, row: "A"))
    found = officially(marks)
    assert len(marks.rows) == 2071 and rooms.rows == []
    # the true A's, counted in the file: 32 of 63, 49 of 147, 33 of 133, 65 of 259, 19 of 64, 98 of 390
    direction = (32 / 63 + 49 / 147 + 33 / 133) / 3
    assert found["object_rel_direction"] == pytest.approx(direction)
    assert found["object_rel_distance"] == pytest.approx(65 / 259)
    assert found["overall"] == pytest.approx((direction + 65 / 259 + 19 / 64 + 98 / 390 + 4 * 0) / 8)
    assert found["overall"] == pytest.approx(0.14528, abs=5e-6)
    (overall,) = (line for line in marks.lines if line.name == "overall")
    assert overall.unread == 223 + 357 + 347 + 88  # of numbers, all
    assert overall.official_low < overall.official < overall.official_high and isnan(overall.blind)


@needs_vsibench
def test_the_oracle(rooms) -> None:
    marks = scored(rooms, said(rooms, lambda place, row: row.answer))
    assert all(line.official == line.strict == pytest.approx(1) and line.unread == 0 for line in marks.lines)
    chance = {line.name: line.chance for line in marks.lines}
    # two, three and four options
    assert chance["object_rel_direction"] == pytest.approx((1 / 2 + 1 / 3 + 1 / 4) / 3)
    assert chance["route_planning"] == pytest.approx(
        (sum(1 / len(row.options) for row in _of(rooms, "route_planning"))) / 64
    )
    assert 0 < chance["room_size_estimation"] < 1


@needs_vsibench
def test_half_of_it_said_with_more_words(rooms) -> None:
    def text(place, row):
        if place % 2:
            return "no idea"
        return f"{row.answer}. That is it" if row.options else f"{row.answer} or so"

    marks = scored(rooms, said(rooms, text), said(rooms, lambda place, row: "A", is_blind=True))
    found = officially(marks)
    # right are the first, third, ...: of n questions (n + 1) // 2
    direction = (32 / 63 + 74 / 147 + 67 / 133) / 3
    others = [130 / 259, 32 / 64, 195 / 390, 112 / 223, 179 / 357, 174 / 347, 44 / 88]
    assert found["object_counting"] == pytest.approx(112 / 223)
    assert found["overall"] == pytest.approx((direction + sum(others)) / 8) == pytest.approx(0.501505, abs=1e-5)
    (overall,) = (line for line in marks.lines if line.name == "overall")
    assert overall.strict == 0 and overall.blind == pytest.approx(0.14528, abs=5e-6)


@needs_vsibench
def test_two_policies_are_compared_question_by_question(rooms) -> None:
    worse = scored(rooms, said(rooms, lambda place, row: row.answer if place % 2 else "no idea"))
    better = scored(rooms, said(rooms, lambda place, row: row.answer))
    rows = {row.name: row for row in compare(worse, better).rows}
    assert rows["object_counting"].official == pytest.approx(112 / 223) and rows["object_counting"].questions == 223
    assert rows["overall"].official == pytest.approx(0.501505, abs=1e-5)
    assert rows["overall"].official_low > 0.4 and rows["overall"].official_high < 0.6
    same = {row.name: row for row in compare(better, better).rows}
    assert same["overall"].official == same["overall"].official_low == same["overall"].official_high == 0


@needs_vsibench
def test_marks_survive_the_store(rooms, tmp_path) -> None:
    store = open_store(str(tmp_path))
    marks = scored(rooms, said(rooms, lambda place, row: "A"))
    opened = store.open(store.put(marks), Marks)
    assert opened.rows == marks.rows and opened.totals == marks.totals and opened.missing == {}
    assert [line.name for line in opened.lines] == [line.name for line in marks.lines]
    assert opened.summary()["lines"][-1].startswith("overall: official 0.145 [")
    made = compare(marks, marks)
    assert store.open(store.put(made), Differences).rows == made.rows


def _of(rooms: Kept, task: str):
    return [row for row in pool_rows(rooms.questions) if row.task == task]


def small(tmp_path: Path, *rows: dict) -> Kept:
    base = {
        "dataset": "scannet",
        "scene_name": "scene0011_00",
        "question_type": "object_counting",
        "question": "How many?",
        "options": None,
        "ground_truth": "3",
    }
    path = tmp_path / "test.jsonl"
    path.write_text("".join(json.dumps({"id": n, **base, **row}) + "\n" for n, row in enumerate(rows)))
    params = LoadBenchmark(VSIBENCH, External(path), pictures="none")
    return load_benchmark(params=params, scratch=tmp_path)


def test_what_is_missing_is_told(tmp_path) -> None:
    questions = small(tmp_path, {}, {"ground_truth": "many"}, {"dataset": "arkitscenes", "scene_name": "41069021"})
    answers = Answers([Answer("0", "3", 1.0), Answer("2", "", 0.0)], False, {"2": "too long: 9 tokens"}, ["scene0011"])
    marks = scored(questions, answers)
    assert marks.missing == {"answer": 1, "too long": 1} and marks.contaminated == ("scene0011",)
    assert marks.summary()["contaminated"] == 1
    assert officially(marks) == {"object_counting": 0.5, "overall": 0.5, "arkitscenes": 0.0, "scannet": 1.0}


def test_answers_to_other_questions_are_refused(tmp_path) -> None:
    questions = small(tmp_path, {}, {})
    with pytest.raises(ValueError, match=r"bench.score: 1 answers, 1 of them to the 2 questions; expected one each"):
        scored(questions, Answers([Answer("0", "3", 1.0)], False))
    one = scored(questions, said(questions, lambda place, row: "3"))
    other = scored(small(tmp_path, {}), Answers([Answer("0", "3", 1.0)], False))
    with pytest.raises(ValueError, match=r"bench.compare: marks of 2 and 1 questions, 1 of them in both"):
        compare(one, other)


def test_huge_and_hostile_answers_are_only_wrong(tmp_path) -> None:
    from nodes.evaluate.benchmarks import mindcube, mmsibench, sparbench, spatialscore, stibench, vsibench
    from tests.nodes.evaluate.test_benchmarks import cube, spar, spatial, sti

    long = ["A", "`{(", "A. ", "9", "\\\\scalar{", "about ", "Answer ", "<Answer>", "A" + " " * 20_000]
    hostile = [*((text * 20_000)[:LONGEST] for text in long), "\x00\ud800", "<script>alert(1)</script>"]
    question = pool_rows(small(tmp_path, {}).questions)[0]
    asked = [
        (vsibench.vsibench, question),
        (stibench.stibench, sti()),
        (sparbench.sparbench, spar("depth_prediction_oc_mv", "2")),
        (sparbench.sparbench, spar("view_change_infer", "move_left:1")),
        (mindcube.mindcube, cube()),
        (mmsibench.mmsibench, spar("spatial_imagination_oc", "B")),
        (spatialscore.spatialscore, spatial("multi-choice", "(B)")),
        (spatialscore.spatialscore, spatial("open-ended", "2 meters", "QSpatialBench-Plus")),
        (spatialscore.spatialscore, spatial("open-ended", "3", "spatialbench")),
    ]
    for benchmark, row in asked:
        for text in hostile:
            assert 0 <= (benchmark.official(text, row) or 0) <= 1 and 0 <= benchmark.strict(text, row) <= 1


def test_places_that_trained_the_policy_fail_or_are_stamped(small_pools: SmallPools) -> None:
    trained = scripted_policy({"exists": 1.0}, [pool_rows(small_pools.test)[0].place])
    with pytest.raises(ValueError, match=r'eval.answers: 1 places .* expected none, or overlap = "stamp"'):
        answer(trained, small_pools.test, params=Answering())
    stamped = answer(trained, small_pools.test, params=Answering(overlap="stamp"))
    assert len(stamped.contaminated) == 1 and stamped.summary()["contaminated"] == 1
    store = open_store(small_pools.store.url)
    assert store.open(store.put(stamped), Answers).rows == stamped.rows


OWN = """
from collections import Counter
from nodes.evaluate.benchmark import Benchmark, pooled

def fields(row):
    return {"id": row["id"], "prompt": row["ask"], "options": ["yes", "no"], "answer": row["yes"], "task": "own"}

def official(text, question):
    return float(text == question.answer)

own = Benchmark(("own.jsonl",), fields, official, official, lambda tasks: {"overall": pooled(tasks)})
"""
SPEC = """
[experiment]
name = "own"
[nodes.policy]
kind = "policy.build"
[nodes.asked]
kind = "bench.load"
params = { benchmark = "own.py:own", path = "own.jsonl" }
[nodes.answers]
kind = "eval.answers"
inputs = { policy = "policy", questions = "asked" }
[nodes.blind]
kind = "eval.answers"
inputs = { policy = "policy", questions = "asked" }
params = { blind = true }
[nodes.marks]
kind = "bench.score"
inputs = { answers = "answers", questions = "asked", blind = "blind" }
params = { benchmark = "own.py:own" }
"""


def test_another_scorer_needs_no_generation(tmp_path) -> None:
    """A benchmark of the user's own, beside the spec; its scorer edited after the answers are there."""
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "own.jsonl").write_text(
        "".join(json.dumps({"id": str(n), "ask": "Is it?", "yes": "yes"}) + "\n" for n in range(4))
    )
    (tmp_path / "own.toml").write_text(SPEC)
    store = open_store(str(tmp_path / "store"))

    def executed():
        ran: Counter[str] = Counter()

        def listen(event):
            if event.state == "done":
                ran[event.label] += event.ran

        result = run(load_spec(tmp_path / "own.toml", []), store, [], listeners=(listen,))
        return {label for label, count in ran.items() if count}, store.open(result.outputs["marks"], Marks)

    first, marks = executed()
    assert first == {"policy", "asked", "answers", "blind", "marks"}
    (tmp_path / "own.py").write_text(OWN.replace("float(text == question.answer)", "0.25"))
    second, changed = executed()
    assert second == {"asked", "marks"}  # read once more, the same
    assert changed.lines[0].official == 0.25 != marks.lines[0].official
