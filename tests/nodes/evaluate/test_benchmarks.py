"""Benchmarks' scorers by hand: every quirk of the authors' programs, and the strict reading beside each."""

from __future__ import annotations

from collections import Counter

import pytest

from nodes.evaluate.benchmark import pooled
from nodes.evaluate.benchmarks import mindcube, mmsibench, sparbench, spatialscore, stibench, vsibench
from nodes.evaluate.benchmarks.mindcube import setting_of
from nodes.questions.files.given import Wrong, make_question, read_given
from nodes.questions.question import Question


def ask(benchmark, **row) -> Question:
    return make_question(read_given({"split": "test", **benchmark.fields(row)}, ()))


def vsi(task: str, truth: str, options=("A. bed", "B. sofa", "C. lamp", "D. door")) -> Question:
    return ask(
        vsibench.vsibench,
        id=7,
        dataset="scannet",
        scene_name="scene0011_01",
        question_type=task,
        question="Which?",
        options=list(options) if options else None,
        ground_truth=truth,
    )


def test_vsibench_asks_as_published() -> None:
    question = vsi("object_rel_distance", "B")
    assert question.prompt == (
        "These are frames of a video.\nWhich?\nOptions:\nA. bed\nB. sofa\nC. lamp\nD. door\n"
        "Answer with the option's letter from the given choices directly."
    )
    assert (question.id, question.scene, question.place, question.chance) == ("7", "scene0011_01", "scene0011", 0.25)
    number = vsi("object_counting", "4", options=None)
    assert number.prompt.endswith("Which?\nPlease answer the question using a single word or phrase.")
    assert number.kind == "number" and number.options == ()


@pytest.mark.parametrize(
    ("text", "official", "strict"),
    [
        ("B", 1, 1),
        ("b.", 1, 1),
        ("B...", 1, 0),  # all dots go
        ("B is right", 1, 0),  # the first word counts
        ("B. sofa", 1, 0),
        ("A or B", 0, 0),
        (" B", None, 1),  # before the first space stands nothing
        ("B\n", 1, 1),
        ("(B)", None, 0),
        ("The answer is B", None, 0),
        ("E", None, 0),  # no option
        ("", None, 0),
        ("<answer>B</answer>", None, 1),
    ],
)
def test_vsibench_choices(text, official, strict) -> None:
    question = vsi("object_rel_distance", "B")
    assert vsibench.official(text, question) == official
    assert vsibench.vsibench.strict(text, question) == strict


@pytest.mark.parametrize(
    ("text", "official", "strict"),
    [
        ("5", 1, 1),
        ("4.5", 0.9, 0.9),  # off by .1: met are .5 to .9
        ("4", 0.6, 0.7),  # off by exactly .2, and 1 - .8 is .19999999999999996
        ("5 chairs", 1, 0),
        ("5e0", 1, 0),
        ("1_0", 0, 0),  # Python reads 10
        ("nan", 0, 0),
        ("inf", 0, 0),
        ("five", None, 0),
        ("", None, 0),
        ("about 5", None, 0),
    ],
)
def test_vsibench_numbers(text, official, strict) -> None:
    question = vsi("object_counting", "5", options=None)
    assert vsibench.official(text, question) == (pytest.approx(official) if official is not None else None)
    assert vsibench.vsibench.strict(text, question) == pytest.approx(strict)


def test_vsibench_has_three_directions_in_one_task() -> None:
    easy, medium, hard = vsibench.DIRECTIONS
    tasks = Counter({easy: 10, medium: 5, hard: 1, "object_counting": 4})
    assert vsibench.totals(tasks) == {
        "object_rel_direction": {easy: 1 / 3, medium: 1 / 3, hard: 1 / 3},
        "overall": {"object_counting": 0.5, easy: 1 / 6, medium: 1 / 6, hard: 1 / 6},
    }
    del tasks[hard]  # counts 0: the others are not weighed up
    assert sum(vsibench.totals(tasks)["object_rel_direction"].values()) == pytest.approx(2 / 3)


def test_a_wrong_letter_is_no_question() -> None:
    with pytest.raises(Wrong, match=r"answer 'E' is none of the options"):
        vsi("object_rel_distance", "E")
    with pytest.raises(Wrong, match=r"question_type 'object_size': expected one of"):
        vsi("object_size", "5", options=None)


def sti(**more) -> Question:
    row = {
        "ID": 3,
        "Video": "scene0011_00.mp4",
        "Task": "Pose Estimation",
        "Question": "How far?",
        "Candidates": '{"A": "1 m", "B": "2 m", "C": "3 m", "D": "4 m", "E": "5 m"}',
        "Answer": "C",
        "time_start": 0.5,
        "time_end": 9.0,
    }
    return ask(stibench.stibench, **{**row, **more})


def test_stibench_asks_as_published() -> None:
    question = sti()
    assert question.prompt == (
        "From 0.5 s to 9.0 s. How far?\n(A) 1 m\n(B) 2 m\n(C) 3 m\n(D) 4 m\n(E) 5 m\n"
        "Please output only the option letter!"
    )
    assert (question.task, question.template, question.chance) == ("Pose Estimation", "indoor", 0.2)
    assert sti(Candidates={"A": "1 m", "B": "2 m", "C": "3 m", "D": "4 m", "E": None}).options == ("A", "B", "C", "D")
    kinds = [stibench.kind_of(name) for name in ("segment_camera_1.mp4", "scene1_00.mp4", "000123.mp4", "x.mp4")]
    assert kinds == ["outdoor", "indoor", "desktop", "unknown"]


@pytest.mark.parametrize(
    ("text", "official"),
    [
        ("C", 1),
        ("(c)", 1),
        ("c", None),  # the last character, in upper case
        ("I think C", 1),
        ("C is it", None),  # ends in t
        ("not ABC", 1),
        ("(A) or rather answer: C", 0),  # brackets come first
        ("Answer = C, option A", 1),
        ("option c", 1),
        ("A is correct, C is not", 0),
        ("Ans='C' (A)", 0),
        ("Ans='C' as A is out", 1),
        ("C.", 1),
        ("C)\nA bit more", 1),  # at the end of a line
        ("", None),
    ],
)
def test_stibench(text, official) -> None:
    assert stibench.official(text, sti()) == official


def spar(task: str, answer: str) -> Question:
    return ask(sparbench.sparbench, id="s1", task=task, question="Q?", answer=answer, img_type="single_view")


def test_sparbench_asks_as_published() -> None:
    assert (
        spar("depth_prediction_oc", "1.2").prompt == "\nQ?\nPlease answer the question using a single word or phrase."
    )
    assert spar("spatial_imagination_oc", "A").prompt == (
        "\nQ?\n\nAnswer with the option's letter from the given choices directly."
    )
    assert "0-1000 scale" in spar("position_matching", "A").prompt
    assert spar("view_change_infer", "move_left:0.3").prompt == "\nQ?\n\n"


@pytest.mark.parametrize(
    ("task", "truth", "text", "official", "strict"),
    [
        ("depth_prediction_oc", "2.0", "It is 2.0 m, not 3", 1, 0),
        ("depth_prediction_oc", "2.0", "-2", 1, 0),  # the sign is not read
        ("depth_prediction_oc", "2.0", "about two", None, 0),
        ("depth_prediction_oc", "2.0", "10^2", 0, 0),  # no number after ^
        ("depth_prediction_oc", "5", "4", 0.6, 0.7),  # .2 exactly, as in VSI-Bench
        ("depth_prediction_oc_mv", "2.0", "frame 3: 2.0", 1, 0),  # the last, in tasks on several views
        ("depth_prediction_oc_mv", "2.0", "no idea", 0, 0),  # -1
        ("depth_prediction_oc_mv", "0", "0.1", 0.9, 0),  # against 0 the error itself
        ("spatial_imagination_oc", "B", "b", 1, 1),
        ("spatial_imagination_oc", "B", "", 1, 0),  # nothing is part of everything
        ("spatial_imagination_oc", "B", "B. left", 1, 0),
        ("spatial_imagination_oc", "B", "because", 1, 0),  # begins with b
        ("spatial_imagination_oc", "B", "A. because", 0, 0),
    ],
)
def test_sparbench(task, truth, text, official, strict) -> None:
    question = spar(task, truth)
    found = sparbench.official(text, question)
    assert found == (pytest.approx(official) if official is not None else None)
    assert sparbench.strict(text, question) == pytest.approx(strict)


def test_sparbench_exchanges_text_and_truth_of_view_changes() -> None:
    question = spar("view_change_infer", "move_left:1,rotate_up:10")
    # said 2 left: |1 - 2| / 2 = .5 meets .5 alone, .1; four axes are right. Against the truth the error would be 1.
    assert sparbench.official("move_left:2,rotate_up:10", question) == pytest.approx((0.1 + 4) / 5)
    assert sparbench.strict("move_left:2,rotate_up:10", question) == pytest.approx(4 / 5)
    # right of -1 is left of 1; a name that nothing knows is passed over
    assert sparbench.official("move_right:-1,rotate_up:10,roll:3", question) == 1
    # nothing said of an axis is 0: |10 - 0| is no small error
    assert sparbench.official("move_left:1", question) == pytest.approx(4 / 5)
    for text in ("move left by 1", "move_left:1, rotate_up:ten", "", "move_left:1;rotate_up:10"):
        assert sparbench.official(text, question) is None and sparbench.strict(text, question) == 0


def test_sparbench_means_over_tasks() -> None:
    tasks = Counter({"depth_prediction_oc": 9, "depth_prediction_oo": 1, "view_change_infer": 5})
    assert sparbench.totals(tasks) == {
        "Low": {"depth_prediction_oc": 0.5, "depth_prediction_oo": 0.5},
        "Middle": {"view_change_infer": 1.0},
        "overall": {task: pytest.approx(1 / 3) for task in tasks},
    }


def cube(name: str = "among_group7_q1") -> Question:
    text = "Where? A. Above B. Under C. Front D. Behind"
    return ask(mindcube.mindcube, id=name, question=text, gt_answer="B", images=[])


@pytest.mark.parametrize(
    ("text", "official", "strict"),
    [
        ("<answer>B. Under</answer>", 1, 0),
        ("<answer>B</answer>", 1, 1),
        ("A. is wrong, so B. Under", 1, 0),  # the last with a dot
        ("B. Under, not A.", 0, 0),
        ("<Answer>the answer is B</Answer> then C", 1, 0),
        ("<Answer>A, B</Answer>", 1, 0),  # the last in the section
        ("My answer is B", 1, 0),  # ends in it
        ("it says B\nor A", 0, 0),
        ('"B"', 1, 0),
        ("Answer:B!", 1, 0),
        ("the answer is B, of course", 1, 0),
        ("so (B), I think", 1, 0),
        ("PLAN B", 1, 0),
        ("none", None, 0),
        ("", None, 0),
    ],
)
def test_mindcube(text, official, strict) -> None:
    assert mindcube.official(text, cube()) == official
    assert mindcube.mindcube.strict(text, cube()) == strict


def test_mindcube_leaves_translation_out_of_the_whole() -> None:
    assert [setting_of(name) for name in ("Around_1", "x_rotation_2", "among_3", "y")] == [
        "around",
        "rotation",
        "among",
        "other",
    ]
    assert mindcube.totals(Counter(among=3, rotation=1, translation=9)) == {
        "overall": {"among": 0.75, "rotation": 0.25}
    }
    assert cube().prompt.endswith(
        "'<answer>A. Above</answer>'.\n\n[Question]\nWhere? A. Above B. Under C. Front D. Behind"
    )
    assert cube().options == ("A", "B", "C", "D")


@pytest.mark.parametrize(
    ("text", "official", "strict"),
    [
        ("``C``", 1, 1),
        ("`C`", 1, 1),
        ("C", 1, 1),
        ("{C}", 1, 0),
        ("``A`` or ``C``", 0, 0),  # the first
        ("The answer is `C. left`", 1, 0),
        ("A photo shows C", 1, 0),  # A, and a word after it
        ("A, C", 0, 0),
        ("c", None, 1),
        ("``c``", None, 1),
        ("", None, 0),
    ],
)
def test_mmsibench(text, official, strict) -> None:
    question = ask(
        mmsibench.mmsibench, id=1, question_type="Motion (Cam.)", question="Q? ", answer="C", images=[b"\xff"]
    )
    assert question.prompt == (
        "Q?\nAnswer with the option's letter from the given choices directly. Enclose the option's letter within ``."
    )
    assert mmsibench.official(text, question) == official
    assert mmsibench.strict(text, question) == strict


def spatial(kind: str, answer: str, source: str = "BLINK", question: str = "Q? (A) x (B) y (C) z") -> Question:
    row = {
        "id": 5,
        "category": "depth",
        "source": source,
        "question_type": kind,
        "question": question,
        "answer": answer,
    }
    return ask(spatialscore.spatialscore, **row, img_paths=[])


@pytest.mark.parametrize(
    ("text", "official", "strict"),
    [
        ("(B)", 1, 1),
        ("b", 1, 1),
        ("B.", 1, 1),
        ("ASSISTANT: (B) and (A)", 1, 0),
        ("<conclusion>(B) y</conclusion> (A)", 1, 0),
        ("(A) is out. Option B", 1, 0),  # words before brackets
        ("it is (B)", 1, 0),
        ("surely B, not A", 1, 0),
        ("maybe", 0, 0),  # any letter a-f: the a of maybe
        ("nobody", 1, 0),  # its b
        ("why", None, 0),
    ],
)
def test_spatialscore_letters(text, official, strict) -> None:
    question = spatial("multi-choice", "(B)")
    assert question.options == ("A", "B", "C") and question.answer == "B"
    assert spatialscore.official(text, question) == official
    assert spatialscore.strict(text, question) == strict


@pytest.mark.parametrize(
    ("text", "official", "strict"),
    [
        ("No", 1, 1),
        ("no.", 1, 1),
        ("not right", 0, 0),  # right is looked for first
        ("It is false", 1, 0),
        ("<conclusion>no</conclusion>", 1, 0),
        ("ASSISTANT: A no", None, 0),
        ("perhaps", None, 0),
    ],
)
def test_spatialscore_yes_or_no(text, official, strict) -> None:
    question = spatial("judgment", "no", "VSR-ZeroShot")
    assert question.answer == "No" and question.chance == 0.5
    assert spatialscore.official(text, question) == official
    assert spatialscore.strict(text, question) == strict


@pytest.mark.parametrize(
    ("text", "official", "strict"),
    [
        ("2 meters", 1, 1),
        ("399 cm", 1, 1),  # 1.995 times
        ("4 m", 0, 0),  # a factor of 2 is too much
        ("1.1 m", 1, 1),
        ("1 m", 0, 0),
        (r"\\scalar{2} \\distance_unit{m}", 1, 0),
        ("about **210 cm**, I think", 1, 0),
        ("200 smoots", 1, 0),  # what is unknown is centimetres
        ("the 3 chairs are 2 m wide", 0, 0),  # 3 chairs
        ("2", None, 0),
        ("0 m", 0, 0),
    ],
)
def test_spatialscore_lengths(text, official, strict) -> None:
    question = spatial("open-ended", "2 meters", "QSpatialBench-Plus")
    assert question.kind == "choice" and question.options == () and question.chance == 0
    assert spatialscore.official(text, question) == official
    if text != "200 smoots":  # a unit, whatever it is, after a number: the strict reading takes no other either
        assert spatialscore.strict(text, question) == strict


def test_spatialscore_numbers_and_words() -> None:
    count = spatial("open-ended", "3", "spatialbench")
    for text, right in (("3", 1), ("there are three", 1), ("Three chairs", 1), ("3 of 4", 1), ("4", 0), ("third", 1)):
        assert spatialscore.official(text, count) == right, text
    assert spatialscore.official("many", count) is None
    zero = spatial("open-ended", "0", "spatialbench")
    assert spatialscore.official("no idea", zero) == 1  # none is 0
    rooms = spatial("open-ended", "5", "VSI-Bench_8")
    assert spatialscore.official("4", rooms) == pytest.approx(0.6) and spatialscore.official("many", rooms) == 0
    word = spatial("open-ended", "Red", "RealWorldQA")
    assert spatialscore.official("red", word) == 1 and spatialscore.official("red.", word) == 0
    assert spatialscore.strict("red.", word) == 1
    left = spatial("open-ended", "left", "RealWorldQA")  # holds ft, so it would be a length
    assert spatialscore.official("left", left) is None and spatialscore.strict("left", left) == 0


def test_the_whole_of_all_questions() -> None:
    assert pooled(Counter(a=3, b=1)) == {"a": 0.75, "b": 0.25}
